/* SPDX-License-Identifier: Apache-2.0 */
/* A number, date or timestamp lies within bounds: `min` and `max` belong to the range, `above` and `below` do
 * not. A date's bound may be "as_of", the job's day. */
#include "base/clock.h"
#include "engine/checks/table.h"
#include "engine/checks/typed.h"

struct bound {
    bool given, exclusive;
    const char *text; /* as the pack has it, for messages */
    struct mu_typed value;
};

struct conf {
    int column, kind;
    struct bound low, high;
};

static bool read_bound(struct bound *b, struct mu_env *env, const json_t *params, int kind, const char *key,
                       bool exclusive, struct mu_error *err)
{
    char pointer[200], today[MU_DATE_MAX];
    const char *text = NULL;
    if (!mu_param_text(&text, params, key, err))
        return false;
    if (!text)
        return true;
    mu_param_pointer(key, pointer);
    if (b->given)
        return mu_reject(err, "invalid", pointer, "two bounds on the same side");
    if (kind == MU_TYPED_DATE && strcmp(text, "as_of") == 0) {
        mu_date_format(env->as_of, today);
        text = today;
    }
    b->text = mu_pool_text(env->pool, mu_span_of(text));
    if (!b->text)
        return mu_fail(err, MU_BROKEN, "no memory left for the rules of the pack");
    if (!mu_typed_parse((enum mu_typed_kind)kind, mu_span_of(b->text), &b->value))
        return mu_reject(err, "invalid", pointer, "parameter %s is no %s", key, mu_typed_names[kind]);
    b->given = true;
    b->exclusive = exclusive;
    return true;
}

static bool configure(void **conf, struct mu_env *env, const json_t *params, struct mu_error *err)
{
    static const char *const known[] = {"column", "type", "min", "above", "max", "below", NULL};
    struct conf *c = mu_row_get(env, sizeof *c, err);
    if (!c)
        return false;
    c->kind = MU_TYPED_DECIMAL;
    if (!mu_params_known(params, known, err) || !mu_param_column(&c->column, env, params, "column", err) ||
        !mu_param_word(&c->kind, params, "type", mu_typed_names, err))
        return false;
    if (c->kind == MU_TYPED_TEXT)
        return mu_reject(err, "invalid", "/type", "a range is for decimal, date or timestamp");
    if (!read_bound(&c->low, env, params, c->kind, "min", false, err) ||
        !read_bound(&c->low, env, params, c->kind, "above", true, err) ||
        !read_bound(&c->high, env, params, c->kind, "max", false, err) ||
        !read_bound(&c->high, env, params, c->kind, "below", true, err))
        return false;
    if (!c->low.given && !c->high.given)
        return mu_reject(err, "invalid", "", "a range needs a bound: min, above, max or below");
    if (c->low.given && c->high.given) {
        int order = mu_typed_compare(&c->low.value, &c->high.value);
        if (order > 0 || (order == 0 && (c->low.exclusive || c->high.exclusive)))
            return mu_reject(err, "invalid", "", "nothing lies between these bounds");
    }
    *conf = c;
    return true;
}

static bool record(void *state, const struct mu_record *rec, struct mu_sink *out, struct mu_error *err)
{
    (void)err;
    const struct conf *c = ((struct mu_row *)state)->conf;
    struct mu_typed value = {0};
    struct mu_span text;
    if (!mu_row_value(c->column, rec, out, &text))
        return true;
    if (!mu_typed_parse((enum mu_typed_kind)c->kind, text, &value))
        return mu_row_error(out, "the value is no %s", mu_typed_names[c->kind]);
    if (c->low.given) {
        int order = mu_typed_compare(&value, &c->low.value);
        if (order < 0 || (order == 0 && c->low.exclusive))
            return mu_row_fail(out, c->low.exclusive ? "not above %.64s" : "below %.64s", c->low.text);
    }
    if (c->high.given) {
        int order = mu_typed_compare(&value, &c->high.value);
        if (order > 0 || (order == 0 && c->high.exclusive))
            return mu_row_fail(out, c->high.exclusive ? "not below %.64s" : "above %.64s", c->high.text);
    }
    return mu_row_pass(out);
}

const struct mu_check mu_check_range = {
    .name = "range",
    .title = "A number, date or timestamp lies within bounds",
    .example = "{\"column\": \"amount\", \"type\": \"decimal\", \"above\": \"0\"}",
    .version = 1,
    .shape = MU_SHAPE_MAP,
    .configure = configure,
    MU_ROW_LIFE(record),
};
