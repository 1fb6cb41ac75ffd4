/* SPDX-License-Identifier: Apache-2.0 */
/* ISO 9362: four letters or digits for the party, a country, two for the place, and three for the branch, or
 * none. Kosovo's XK is in use without being in ISO 3166. */
#include "engine/checks/pairs.h"
#include "engine/checks/row.h"
#include "engine/checks/table.h"

struct conf {
    struct mu_operand operand;
    struct mu_pairs countries;
};

static bool configure(void **conf, struct mu_env *env, const json_t *params, struct mu_error *err)
{
    static const char *const known[] = {MU_OPERAND_PARAMS, "registry", NULL};
    static const char *const none[] = {NULL};
    const struct mu_list_data *list = NULL;
    struct conf *c = mu_row_get(env, sizeof *c, err);
    if (!c || !mu_params_known(params, known, err) || !mu_operand_configure(&c->operand, env, params, err) ||
        !mu_param_list(&list, env, params, "registry", "country", none, err) ||
        !mu_pairs_fill(&c->countries, list, env->as_of, "/registry", err))
        return false;
    mu_pairs_add(&c->countries, "XK");
    *conf = c;
    return true;
}

static bool record(void *state, const struct mu_record *rec, struct mu_sink *out, struct mu_error *err)
{
    (void)err;
    const struct conf *c = ((struct mu_row *)state)->conf;
    char form[MU_OPERAND_MAX];
    struct mu_span s;
    if (!mu_operand_read(&c->operand, rec, out, form, &s))
        return true;
    if (s.len != 8 && s.len != 11)
        return mu_row_fail(out, "%zu characters, expected 8 or 11", s.len);
    size_t good = mu_alphanumeric_prefix(s);
    if (good < s.len)
        return mu_row_fail(out, "character %zu is no capital letter or digit", good + 1);
    if (!mu_is_upper(s.at[4]) || !mu_is_upper(s.at[5]))
        return mu_row_fail(out, "characters 5 and 6 are no country");
    if (!mu_pairs_has(&c->countries, s.at + 4))
        return mu_row_fail(out, "country %.2s is not known", s.at + 4);
    return mu_row_pass(out);
}

const struct mu_check mu_check_bic = {
    .name = "bic",
    .title = "Business Identifier Code (ISO 9362)",
    .example = "{\"column\": \"bic\"}",
    .version = 1,
    .shape = MU_SHAPE_MAP,
    .configure = configure,
    MU_ROW_LIFE(record),
};
