/* SPDX-License-Identifier: Apache-2.0 */
/* Financial Instrument Global Identifier: two consonants, G, eight consonants or digits, and a check digit as
 * of a CUSIP. Some prefixes are kept free, so that no FIGI can be taken for an ISIN. */
#include "engine/checks/characters.h"
#include "engine/checks/row.h"
#include "engine/checks/table.h"

static bool kept_free(const char *at)
{
    static const char prefixes[][3] = {"BS", "BM", "GB", "GG", "GH", "KY", "VG"};
    for (size_t i = 0; i < MU_COUNT(prefixes); i++) {
        if (memcmp(prefixes[i], at, 2) == 0)
            return true;
    }
    return false;
}

static bool record(void *state, const struct mu_record *rec, struct mu_sink *out, struct mu_error *err)
{
    (void)err;
    const struct mu_operand *operand = ((struct mu_row *)state)->conf;
    char form[MU_OPERAND_MAX];
    uint8_t values[11];
    struct mu_span s;
    if (!mu_operand_read(operand, rec, out, form, &s))
        return true;
    if (s.len != 12)
        return mu_row_fail(out, "%zu characters, expected 12", s.len);
    for (size_t i = 0; i < 12; i++) {
        if (!mu_is_alphanumeric(s.at[i]) || mu_is_vowel(s.at[i]))
            return mu_row_fail(out, "character %zu is no capital consonant or digit", i + 1);
        if (i < 11)
            values[i] = (uint8_t)mu_value36(s.at[i]);
    }
    if (!mu_is_upper(s.at[0]) || !mu_is_upper(s.at[1]))
        return mu_row_fail(out, "does not begin with two letters");
    if (kept_free(s.at))
        return mu_row_fail(out, "prefix %.2s is not given to any FIGI", s.at);
    if (s.at[2] != 'G')
        return mu_row_fail(out, "character 3 is not G");
    if (!mu_is_digit(s.at[11]))
        return mu_row_fail(out, "does not end in a check digit");
    unsigned expected = mu_double_add_digit(values, 11);
    if (mu_value36(s.at[11]) != expected)
        return mu_row_fail(out, "check digit %c, expected %u", s.at[11], expected);
    return mu_row_pass(out);
}

const struct mu_check mu_check_figi = {
    .name = "figi",
    .title = "Financial Instrument Global Identifier",
    .example = "{\"column\": \"figi\"}",
    .version = 1,
    .shape = MU_SHAPE_MAP,
    .configure = mu_operand_only,
    MU_ROW_LIFE(record),
};
