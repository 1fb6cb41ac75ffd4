/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/checks/params.h"

const char *mu_param_pointer(const char *key, char out[200])
{
    size_t n = 0;
    out[n++] = '/';
    for (; *key && n < 197; key++) {
        if (*key == '~' || *key == '/') {
            out[n++] = '~';
            out[n++] = *key == '~' ? '0' : '1';
        } else {
            out[n++] = *key;
        }
    }
    out[n] = '\0';
    return out;
}

static bool wrong(struct mu_error *err, const char *key, const char *what)
{
    char pointer[200];
    return mu_reject(err, "invalid", mu_param_pointer(key, pointer), "parameter %.64s %s", key, what);
}

static bool unknown(struct mu_error *err, const char *key, const char *const *known)
{
    char what[200];
    size_t len = (size_t)snprintf(what, sizeof(what), "is not known to this check; known are");
    for (size_t i = 0; known[i] && len < sizeof(what); i++)
        len += (size_t)snprintf(what + len, sizeof(what) - len, "%s %s", i ? "," : "", known[i]);
    return wrong(err, key, what);
}

/* What stands there instead of what was expected. */
static bool wrong_kind(struct mu_error *err, const char *key, const char *what, const json_t *value)
{
    const char *found = json_is_null(value)      ? "null"
                        : json_is_true(value)    ? "true"
                        : json_is_false(value)   ? "false"
                        : json_is_array(value)   ? "an array"
                        : json_is_object(value)  ? "an object"
                        : json_is_integer(value) ? NULL
                                                 : "a number that is not whole";
    char text[160];
    if (json_is_string(value))
        (void)snprintf(text, sizeof(text), "%s, found \"%.40s\"", what, json_string_value(value));
    else if (found)
        (void)snprintf(text, sizeof(text), "%s, found %s", what, found);
    else
        (void)snprintf(text, sizeof(text), "%s, found %lld", what, (long long)json_integer_value(value));
    return wrong(err, key, text);
}

bool mu_params_known(const json_t *params, const char *const *known, struct mu_error *err)
{
    if (!params)
        return true;
    if (!json_is_object(params))
        return mu_reject(err, "invalid", "", "the parameters of a check are an object");
    for (void *at = json_object_iter((json_t *)(uintptr_t)params); at;
         at = json_object_iter_next((json_t *)(uintptr_t)params, at)) {
        const char *key = json_object_iter_key(at);
        size_t i = 0;
        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        if (!known[i])
            return unknown(err, key, known);
    }
    return true;
}

bool mu_params_has(const json_t *params, const char *key)
{
    return json_object_get(params, key) != NULL;
}

bool mu_param_text(const char **out, const json_t *params, const char *key, struct mu_error *err)
{
    const json_t *value = json_object_get(params, key);
    if (!value)
        return true;
    if (!json_is_string(value))
        return wrong_kind(err, key, "is to be a text", value);
    const char *text = json_string_value(value);
    if (strlen(text) != json_string_length(value))
        return wrong(err, key, "contains a NUL character");
    *out = text;
    return true;
}

bool mu_param_whole(int64_t *out, const json_t *params, const char *key, int64_t min, int64_t max,
                    struct mu_error *err)
{
    const json_t *value = json_object_get(params, key);
    if (!value)
        return true;
    if (!json_is_integer(value))
        return wrong_kind(err, key, "is to be a whole number", value);
    json_int_t n = json_integer_value(value);
    if (n < min || n > max) {
        char pointer[200];
        return mu_reject(err, "invalid", mu_param_pointer(key, pointer),
                         "parameter %.64s is to lie between %lld and %lld, found %lld", key, (long long)min,
                         (long long)max, (long long)n);
    }
    *out = n;
    return true;
}

bool mu_param_word(int *out, const json_t *params, const char *key, const char *const *words,
                   struct mu_error *err)
{
    const char *text = NULL;
    if (!mu_param_text(&text, params, key, err))
        return false;
    if (!text)
        return true;
    char all[160] = "";
    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], text) == 0) {
            *out = i;
            return true;
        }
        size_t used = strlen(all);
        snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", words[i]);
    }
    char pointer[200];
    mu_reject(err, "invalid", mu_param_pointer(key, pointer), "parameter %.64s is to be one of %s; found \"%.40s\"", key, all, text);
    return mu_hint(err, "example: \"%.64s\": \"%s\"", key, words[0]);
}

bool mu_param_column(int *out, struct mu_env *env, const json_t *params, const char *key,
                     struct mu_error *err)
{
    const char *name = NULL;
    if (!mu_param_text(&name, params, key, err))
        return false;
    if (!name)
        return wrong(err, key, "is missing: it names a column of the pack");
    int column = env->column(env, name);
    if (column < 0) {
        char pointer[200];
        return mu_reject(err, "invalid", mu_param_pointer(key, pointer), "the pack has no column %.64s",
                         name);
    }
    *out = column;
    return true;
}

bool mu_param_list(const struct mu_list_data **out, struct mu_env *env, const json_t *params, const char *key,
                   const char *otherwise, const char *const *columns, struct mu_error *err)
{
    char pointer[200];
    const char *alias = otherwise;
    if (!mu_param_text(&alias, params, key, err))
        return false;
    const struct mu_list_data *list = env->list(env, alias);
    mu_param_pointer(key, pointer);
    if (!list) {
        mu_reject(err, "invalid", pointer, "the pack names no list %.64s, which this check looks into",
                  alias);
        return mu_hint(err, "add the alias to \"lists\" of the pack, or name another one in \"%s\"", key);
    }
    for (size_t i = 0; columns[i]; i++) {
        if (mu_list_column(list, columns[i]) < 0)
            return mu_reject(err, "invalid", pointer, "the list %s@%s has no column %s", mu_list_name(list),
                             mu_list_version(list), columns[i]);
    }
    *out = list;
    return true;
}
