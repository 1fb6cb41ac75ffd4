/* SPDX-License-Identifier: Apache-2.0 */
/* CUSIP: eight of A-Z 0-9 * @ # and a check digit; the three signs count as 36 to 38. */
#include "engine/checks/characters.h"
#include "engine/checks/row.h"
#include "engine/checks/table.h"

static int value(char c)
{
    if (mu_is_alphanumeric(c))
        return (int)mu_value36(c);
    return c == '*' ? 36 : c == '@' ? 37 : c == '#' ? 38 : -1;
}

static bool record(void *state, const struct mu_record *rec, struct mu_sink *out, struct mu_error *err)
{
    (void)err;
    const struct mu_operand *operand = ((struct mu_row *)state)->conf;
    char form[MU_OPERAND_MAX];
    uint8_t values[8];
    struct mu_span s;
    if (!mu_operand_read(operand, rec, out, form, &s))
        return true;
    if (s.len != 9)
        return mu_row_fail(out, "%zu characters, expected 9", s.len);
    for (size_t i = 0; i < 8; i++) {
        int v = value(s.at[i]);
        if (v < 0)
            return mu_row_fail(out, "character %zu is no capital letter, digit, '*', '@' or '#'", i + 1);
        values[i] = (uint8_t)v;
    }
    if (!mu_is_digit(s.at[8]))
        return mu_row_fail(out, "does not end in a check digit");
    unsigned expected = mu_double_add_digit(values, 8);
    if (mu_value36(s.at[8]) != expected)
        return mu_row_fail(out, "check digit %c, expected %u", s.at[8], expected);
    return mu_row_pass(out);
}

const struct mu_check mu_check_cusip = {
    .name = "cusip",
    .title = "CUSIP number with its check digit",
    .example = "{\"column\": \"cusip\"}",
    .version = 1,
    .shape = MU_SHAPE_MAP,
    .configure = mu_operand_only,
    MU_ROW_LIFE(record),
};
