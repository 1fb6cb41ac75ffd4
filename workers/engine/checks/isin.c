/* SPDX-License-Identifier: Apache-2.0 */
/* ISO 6166: two letters of a known prefix, nine letters or digits, and a Luhn digit over the decimal digits
 * that they stand for (A = 10 .. Z = 35). */
#include "engine/checks/pairs.h"
#include "engine/checks/row.h"
#include "engine/checks/table.h"

struct conf {
    struct mu_operand operand;
    struct mu_pairs prefixes;
};

static bool configure(void **conf, struct mu_env *env, const json_t *params, struct mu_error *err)
{
    static const char *const known[] = {MU_OPERAND_PARAMS, "registry", NULL};
    static const char *const none[] = {NULL};
    const struct mu_list_data *list = NULL;
    struct conf *c = mu_row_get(env, sizeof *c, err);
    if (!c || !mu_params_known(params, known, err) || !mu_operand_configure(&c->operand, env, params, err) ||
        !mu_param_list(&list, env, params, "registry", "isin", none, err) ||
        !mu_pairs_fill(&c->prefixes, list, env->as_of, "/registry", err))
        return false;
    *conf = c;
    return true;
}

/* What a character adds to the Luhn sum by its value, without and with the doubling of its last decimal
 * digit: of the two digits of a letter just one is doubled. */
static const uint8_t added[2][36] = {
    {0,  1,  2, 3, 4, 5, 6, 7, 8,  9,  2,  3,  4, 5, 6, 7, 8,  9,
     10, 11, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 6, 7, 8, 9, 10, 11},
    {0, 2,  4, 6, 8, 1, 3,  5, 7, 9, 1, 3,  5, 7, 9, 2, 4,  6,
     8, 10, 2, 4, 6, 8, 10, 3, 5, 7, 9, 11, 3, 5, 7, 9, 11, 4},
};

static char expected_digit(const char *at)
{
    unsigned sum = 0, twice = 1; /* of the digits before the check digit the last is doubled */
    for (size_t i = 11; i-- > 0;) {
        unsigned v = mu_value36(at[i]);
        sum += added[twice][v];
        twice ^= v < 10; /* a letter is two digits and leaves the turn as it was */
    }
    return (char)('0' + (10 - sum % 10) % 10);
}

static bool record(void *state, const struct mu_record *rec, struct mu_sink *out, struct mu_error *err)
{
    (void)err;
    const struct conf *c = ((struct mu_row *)state)->conf;
    char form[MU_OPERAND_MAX];
    struct mu_span s;
    if (!mu_operand_read(&c->operand, rec, out, form, &s))
        return true;
    if (s.len != 12)
        return mu_row_fail(out, "%zu characters, expected 12", s.len);
    size_t good = mu_alphanumeric_prefix(s);
    if (good < 12)
        return mu_row_fail(out, "character %zu is no capital letter or digit", good + 1);
    if (!mu_is_upper(s.at[0]) || !mu_is_upper(s.at[1]))
        return mu_row_fail(out, "does not begin with two letters");
    if (!mu_is_digit(s.at[11]))
        return mu_row_fail(out, "does not end in a check digit");
    if (!mu_pairs_has(&c->prefixes, s.at))
        return mu_row_fail(out, "prefix %.2s is not known", s.at);
    char expected = expected_digit(s.at);
    if (s.at[11] != expected)
        return mu_row_fail(out, "check digit %c, expected %c", s.at[11], expected);
    return mu_row_pass(out);
}

const struct mu_check mu_check_isin = {
    .name = "isin",
    .title = "International Securities Identification Number (ISO 6166)",
    .example = "{\"column\": \"isin\"}",
    .version = 1,
    .shape = MU_SHAPE_MAP,
    .configure = configure,
    MU_ROW_LIFE(record),
};
