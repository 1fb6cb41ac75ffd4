/* SPDX-License-Identifier: Apache-2.0 */
/* SEDOL: six consonants or digits, the first a letter (since 2004) or all of them digits (before), and a
 * check digit over the sum weighted 1 3 1 7 3 9. */
#include "engine/checks/characters.h"
#include "engine/checks/row.h"
#include "engine/checks/table.h"

static bool record(void *state, const struct mu_record *rec, struct mu_sink *out, struct mu_error *err)
{
    static const unsigned weights[] = {1, 3, 1, 7, 3, 9};
    (void)err;
    const struct mu_operand *operand = ((struct mu_row *)state)->conf;
    char form[MU_OPERAND_MAX];
    struct mu_span s;
    if (!mu_operand_read(operand, rec, out, form, &s))
        return true;
    if (s.len != 7)
        return mu_row_fail(out, "%zu characters, expected 7", s.len);
    unsigned sum = 0;
    for (size_t i = 0; i < 6; i++) {
        if (!mu_is_alphanumeric(s.at[i]) || mu_is_vowel(s.at[i]))
            return mu_row_fail(out, "character %zu is no capital consonant or digit", i + 1);
        if (mu_is_digit(s.at[0]) && !mu_is_digit(s.at[i]))
            return mu_row_fail(out, "begins with a digit, but character %zu is a letter", i + 1);
        sum += weights[i] * mu_value36(s.at[i]);
    }
    if (!mu_is_digit(s.at[6]))
        return mu_row_fail(out, "does not end in a check digit");
    unsigned expected = (10 - sum % 10) % 10;
    if (mu_value36(s.at[6]) != expected)
        return mu_row_fail(out, "check digit %c, expected %u", s.at[6], expected);
    return mu_row_pass(out);
}

const struct mu_check mu_check_sedol = {
    .name = "sedol",
    .title = "Stock Exchange Daily Official List number (SEDOL)",
    .example = "{\"column\": \"sedol\"}",
    .version = 1,
    .shape = MU_SHAPE_MAP,
    .configure = mu_operand_only,
    MU_ROW_LIFE(record),
};
