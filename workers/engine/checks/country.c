/* SPDX-License-Identifier: Apache-2.0 */
/* ISO 3166-1, two letters: in the list, and in force on the day. */
#include "engine/checks/table.h"
#include "engine/checks/validity.h"

struct conf {
    struct mu_operand operand;
    struct mu_on on;
    struct mu_validity listed;
};

static bool configure(void **conf, struct mu_env *env, const json_t *params, struct mu_error *err)
{
    static const char *const known[] = {MU_OPERAND_PARAMS, "registry", "on", NULL};
    static const char *const none[] = {NULL};
    const struct mu_list_data *list = NULL;
    struct conf *c = mu_row_get(env, sizeof *c, err);
    if (!c || !mu_params_known(params, known, err) || !mu_operand_configure(&c->operand, env, params, err) ||
        !mu_on_configure(&c->on, env, params, err) ||
        !mu_param_list(&list, env, params, "registry", "country", none, err) ||
        !mu_validity_configure(&c->listed, list, "/registry", err))
        return false;
    *conf = c;
    return true;
}

static bool record(void *state, const struct mu_record *rec, struct mu_sink *out, struct mu_error *err)
{
    (void)err;
    const struct conf *c = ((struct mu_row *)state)->conf;
    char form[MU_OPERAND_MAX];
    struct mu_span s;
    int32_t day;
    if (!mu_operand_read(&c->operand, rec, out, form, &s) || !mu_on_read(&c->on, rec, out, &day))
        return true;
    int64_t row = mu_validity_find(&c->listed, s, day);
    return row < 0 ? mu_validity_fail(&c->listed, row, out) : mu_row_pass(out);
}

const struct mu_check mu_check_country = {
    .name = "country",
    .title = "Country code of two letters (ISO 3166-1)",
    .example = "{\"column\": \"country\"}",
    .version = 1,
    .shape = MU_SHAPE_MAP,
    .configure = configure,
    MU_ROW_LIFE(record),
};
