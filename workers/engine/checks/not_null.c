/* SPDX-License-Identifier: Apache-2.0 */
/* A value is there. The one check for which a missing value is a failure and not "not evaluated". */
#include "engine/checks/row.h"
#include "engine/checks/table.h"

struct conf {
    int column;
};

static bool configure(void **conf, struct mu_env *env, const json_t *params, struct mu_error *err)
{
    static const char *const known[] = {"column", NULL};
    struct conf *c = mu_row_get(env, sizeof *c, err);
    if (!c || !mu_params_known(params, known, err) ||
        !mu_param_column(&c->column, env, params, "column", err))
        return false;
    *conf = c;
    return true;
}

static bool record(void *state, const struct mu_record *rec, struct mu_sink *out, struct mu_error *err)
{
    (void)err;
    const struct conf *c = ((struct mu_row *)state)->conf;
    struct mu_span text;
    if (rec->values[c->column].state == MU_VALUE_MISSING)
        return mu_row_fail(out, "no value");
    return mu_row_value(c->column, rec, out, &text) ? mu_row_pass(out) : true;
}

const struct mu_check mu_check_not_null = {
    .name = "not_null",
    .title = "A value is there",
    .example = "{\"column\": \"isin\"}",
    .version = 1,
    .shape = MU_SHAPE_MAP,
    .configure = configure,
    MU_ROW_LIFE(record),
};
