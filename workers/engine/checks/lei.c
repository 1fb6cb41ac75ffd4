/* SPDX-License-Identifier: Apache-2.0 */
/* ISO 17442: eighteen letters or digits and two check digits; the whole as a number (A = 10 .. Z = 35) leaves
 * 1 when divided by 97. */
#include "engine/checks/characters.h"
#include "engine/checks/row.h"
#include "engine/checks/table.h"

static bool record(void *state, const struct mu_record *rec, struct mu_sink *out, struct mu_error *err)
{
    (void)err;
    const struct mu_operand *operand = ((struct mu_row *)state)->conf;
    char form[MU_OPERAND_MAX];
    struct mu_span s;
    if (!mu_operand_read(operand, rec, out, form, &s))
        return true;
    if (s.len != 20)
        return mu_row_fail(out, "%zu characters, expected 20", s.len);
    size_t good = mu_alphanumeric_prefix(s);
    if (good < 20)
        return mu_row_fail(out, "character %zu is no capital letter or digit", good + 1);
    if (!mu_is_digit(s.at[18]) || !mu_is_digit(s.at[19]))
        return mu_row_fail(out, "does not end in two check digits");
    if (mu_mod97(0, s) != 1) {
        unsigned expected = 98 - mu_mod97(mu_mod97(0, mu_span(s.at, 18)), mu_span("00", 2));
        return mu_row_fail(out, "check digits %.2s, expected %02u", s.at + 18, expected);
    }
    return mu_row_pass(out);
}

const struct mu_check mu_check_lei = {
    .name = "lei",
    .title = "Legal Entity Identifier (ISO 17442)",
    .example = "{\"column\": \"lei\"}",
    .version = 1,
    .shape = MU_SHAPE_MAP,
    .configure = mu_operand_only,
    MU_ROW_LIFE(record),
};
