/* SPDX-License-Identifier: Apache-2.0 */
/* Two columns of a record stand in a relation to one another: low <= high. Order is for numbers, dates and
 * timestamps; text is equal or not. */
#include "engine/checks/table.h"
#include "engine/checks/typed.h"

enum relation { EQUAL, UNEQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL };
static const char *const relations[] = {"=", "!=", "<", "<=", ">", ">=", NULL};

struct conf {
    int left, right; /* columns */
    const char *left_name, *right_name;
    int relation, kind;
};

static bool keep_name(const char **out, struct mu_env *env, const json_t *params, const char *key,
                      struct mu_error *err)
{
    const char *name = NULL;
    if (!mu_param_text(&name, params, key, err))
        return false;
    *out = mu_pool_text(env->pool, mu_span_of(name));
    return *out || mu_fail(err, MU_BROKEN, "no memory left for the rules of the pack");
}

static bool configure(void **conf, struct mu_env *env, const json_t *params, struct mu_error *err)
{
    static const char *const known[] = {"column", "op", "other", "type", NULL};
    struct conf *c = mu_row_get(env, sizeof *c, err);
    if (!c)
        return false;
    c->relation = c->kind = -1;
    if (!mu_params_known(params, known, err) || !mu_param_column(&c->left, env, params, "column", err) ||
        !mu_param_column(&c->right, env, params, "other", err) ||
        !keep_name(&c->left_name, env, params, "column", err) ||
        !keep_name(&c->right_name, env, params, "other", err) ||
        !mu_param_word(&c->relation, params, "op", relations, err) ||
        !mu_param_word(&c->kind, params, "type", mu_typed_names, err))
        return false;
    if (c->relation < 0)
        return mu_reject(err, "invalid", "/op", "parameter op is missing: one of = != < <= > >=");
    if (c->kind < 0)
        return mu_reject(err, "invalid", "/type",
                         "parameter type is missing: text, decimal, date or timestamp");
    if (c->kind == MU_TYPED_TEXT && c->relation > UNEQUAL)
        return mu_reject(err, "invalid", "/op", "texts are equal or not, they have no order");
    *conf = c;
    return true;
}

static bool holds(int relation, int order)
{
    switch ((enum relation)relation) {
    case EQUAL:
        return order == 0;
    case UNEQUAL:
        return order != 0;
    case LESS:
        return order < 0;
    case LESS_EQUAL:
        return order <= 0;
    case GREATER:
        return order > 0;
    case GREATER_EQUAL:
        return order >= 0;
    }
    return false;
}

static bool readable(const struct mu_value *value, int kind, struct mu_typed *out)
{
    return value->state == MU_VALUE_MISSING ||
           (value->state == MU_VALUE_TEXT && mu_typed_parse((enum mu_typed_kind)kind, value->text, out));
}

static bool record(void *state, const struct mu_record *rec, struct mu_sink *out, struct mu_error *err)
{
    (void)err;
    const struct conf *c = ((struct mu_row *)state)->conf;
    const struct mu_value *left = &rec->values[c->left], *right = &rec->values[c->right];
    struct mu_typed a = {0}, b = {0};
    if (!readable(left, c->kind, &a))
        return mu_row_error(out, "%.64s is no %s", c->left_name, mu_typed_names[c->kind]);
    if (!readable(right, c->kind, &b))
        return mu_row_error(out, "%.64s is no %s", c->right_name, mu_typed_names[c->kind]);
    if (left->state == MU_VALUE_MISSING || right->state == MU_VALUE_MISSING)
        return mu_row_not_evaluated(out);
    if (!holds(c->relation, mu_typed_compare(&a, &b)))
        return mu_row_fail(out, "%.64s %s %.64s does not hold", c->left_name, relations[c->relation],
                           c->right_name);
    return mu_row_pass(out);
}

const struct mu_check mu_check_compare = {
    .name = "compare",
    .title = "Two columns stand in a relation",
    .example = "{\"column\": \"low\", \"op\": \"<=\", \"other\": \"high\", \"type\": \"decimal\"}",
    .version = 1,
    .shape = MU_SHAPE_MAP,
    .configure = configure,
    MU_ROW_LIFE(record),
};
