/* SPDX-License-Identifier: Apache-2.0 */
/* A value is one of those that the pack counts up (`values`), or the key of a list's row that is in force
 * (`registry`). */
#include "engine/checks/table.h"
#include "engine/checks/validity.h"

#define VALUES_MAX 10000

struct conf {
    struct mu_operand operand;
    struct mu_on on;
    struct mu_validity listed; /* without a list: `values` */
    struct mu_span *values;    /* sorted */
    size_t count;
};

static int by_bytes(const void *a, const void *b)
{
    return mu_span_compare(*(const struct mu_span *)a, *(const struct mu_span *)b);
}

static bool keep_value(struct mu_span *out, struct mu_env *env, const json_t *value, bool fold,
                       const char *pointer, struct mu_error *err)
{
    if (!json_is_string(value))
        return mu_reject(err, "invalid", pointer, "a value of the set is to be a text");
    struct mu_span text = mu_span(json_string_value(value), json_string_length(value));
    if (text.len == 0 || text.len >= MU_OPERAND_MAX)
        return mu_reject(err, "invalid", pointer, "a value of the set has 1 to %d bytes", MU_OPERAND_MAX - 1);
    char *copy = mu_pool_text(env->pool, text);
    if (!copy)
        return mu_fail(err, MU_BROKEN, "no memory left for the rules of the pack");
    for (size_t i = 0; fold && i < text.len; i++) {
        if (copy[i] >= 'a' && copy[i] <= 'z')
            copy[i] = (char)(copy[i] - 'a' + 'A');
    }
    *out = mu_span(copy, text.len);
    return true;
}

static bool read_values(struct conf *c, struct mu_env *env, const json_t *values, struct mu_error *err)
{
    char pointer[40];
    if (!json_is_array(values) || json_array_size(values) == 0 || json_array_size(values) > VALUES_MAX)
        return mu_reject(err, "invalid", "/values", "parameter values is to be an array of 1 to %d texts",
                         VALUES_MAX);
    c->count = json_array_size(values);
    c->values = mu_row_get(env, c->count * sizeof *c->values, err);
    if (!c->values)
        return false;
    for (size_t i = 0; i < c->count; i++) {
        snprintf(pointer, sizeof pointer, "/values/%zu", i);
        if (!keep_value(&c->values[i], env, json_array_get(values, i), c->operand.fold, pointer, err))
            return false;
    }
    qsort(c->values, c->count, sizeof *c->values, by_bytes);
    for (size_t i = 1; i < c->count; i++) {
        if (mu_span_equal(c->values[i - 1], c->values[i]))
            return mu_reject(err, "invalid", "/values", "%.*s occurs twice in the set", (int)c->values[i].len,
                             c->values[i].at);
    }
    return true;
}

static bool configure(void **conf, struct mu_env *env, const json_t *params, struct mu_error *err)
{
    static const char *const known[] = {MU_OPERAND_PARAMS, "values", "registry", "on", NULL};
    static const char *const none[] = {NULL};
    const struct mu_list_data *list = NULL;
    const json_t *values = json_object_get(params, "values");
    struct conf *c = mu_row_get(env, sizeof *c, err);
    if (!c || !mu_params_known(params, known, err) || !mu_operand_configure(&c->operand, env, params, err))
        return false;
    if ((values != NULL) == mu_params_has(params, "registry"))
        return mu_reject(err, "invalid", "", "a set is given by values or by registry, one of the two");
    if (values && mu_params_has(params, "on"))
        return mu_reject(err, "invalid", "/on", "a day is for the rows of a registry");
    if (values ? !read_values(c, env, values, err)
               : !mu_on_configure(&c->on, env, params, err) ||
                     !mu_param_list(&list, env, params, "registry", "", none, err) ||
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
    if (!mu_operand_read(&c->operand, rec, out, form, &s))
        return true;
    if (!c->listed.list) {
        bool found = bsearch(&s, c->values, c->count, sizeof *c->values, by_bytes) != NULL;
        return found ? mu_row_pass(out) : mu_row_fail(out, "none of the %zu values allowed", c->count);
    }
    if (!mu_on_read(&c->on, rec, out, &day))
        return true;
    int64_t row = mu_validity_find(&c->listed, s, day);
    return row < 0 ? mu_validity_fail(&c->listed, row, out) : mu_row_pass(out);
}

const struct mu_check mu_check_in_set = {
    .name = "in_set",
    .title = "A value is one of a set",
    .example = "{\"column\": \"side\", \"values\": [\"BUY\", \"SELL\"]}",
    .version = 1,
    .shape = MU_SHAPE_MAP,
    .configure = configure,
    MU_ROW_LIFE(record),
};
