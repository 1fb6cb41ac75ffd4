/* SPDX-License-Identifier: Apache-2.0 */
/* A text has between `min` and `max` code points. */
#include "engine/checks/row.h"
#include "engine/checks/table.h"

#define LENGTH_MAX (1 << 30)

struct conf {
    int column;
    int64_t min, max;
};

static bool configure(void **conf, struct mu_env *env, const json_t *params, struct mu_error *err)
{
    static const char *const known[] = {"column", "min", "max", NULL};
    struct conf *c = mu_row_get(env, sizeof *c, err);
    if (!c)
        return false;
    c->max = LENGTH_MAX;
    if (!mu_params_known(params, known, err) || !mu_param_column(&c->column, env, params, "column", err) ||
        !mu_param_whole(&c->min, params, "min", 0, LENGTH_MAX, err) ||
        !mu_param_whole(&c->max, params, "max", 0, LENGTH_MAX, err))
        return false;
    if (!mu_params_has(params, "min") && !mu_params_has(params, "max"))
        return mu_reject(err, "invalid", "", "a length needs a bound: min or max");
    if (c->min > c->max)
        return mu_reject(err, "invalid", "/min", "parameter min is greater than max");
    *conf = c;
    return true;
}

static int64_t code_points(struct mu_span text)
{
    int64_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += ((uint8_t)text.at[i] & 0xc0) != 0x80; /* every byte but those that continue a character */
    return n;
}

static bool record(void *state, const struct mu_record *rec, struct mu_sink *out, struct mu_error *err)
{
    (void)err;
    const struct conf *c = ((struct mu_row *)state)->conf;
    struct mu_span text;
    size_t bad;
    if (!mu_row_value(c->column, rec, out, &text))
        return true;
    if (!mu_utf8_valid(text, &bad))
        return mu_row_error(out, "the value is not UTF-8 at byte %zu", bad);
    int64_t n = code_points(text);
    if (n < c->min)
        return mu_row_fail(out, "%lld characters, expected at least %lld", (long long)n, (long long)c->min);
    if (n > c->max)
        return mu_row_fail(out, "%lld characters, expected at most %lld", (long long)n, (long long)c->max);
    return mu_row_pass(out);
}

const struct mu_check mu_check_length = {
    .name = "length",
    .title = "A text has a number of characters within bounds",
    .example = "{\"column\": \"name\", \"min\": 1, \"max\": 140}",
    .version = 1,
    .shape = MU_SHAPE_MAP,
    .configure = configure,
    MU_ROW_LIFE(record),
};
