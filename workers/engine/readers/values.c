/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/readers/values.h"

static bool parse_missing(struct values *v, const json_t *source, struct mu_error *err)
{
    const json_t *tokens = json_object_get(source, "missing");
    if (json_array_size(tokens) > VALUES_MISSING_MAX)
        return mu_reject(err, "bad_task", "/source/missing", "more than %d tokens", VALUES_MISSING_MAX);
    for (size_t i = 0; i < json_array_size(tokens); i++) {
        const json_t *token = json_array_get(tokens, i);
        if (!json_is_string(token))
            return mu_reject(err, "bad_task", "/source/missing", "the tokens must be texts");
        v->missing[v->missing_count++] = mu_span(json_string_value(token), json_string_length(token));
    }
    return true;
}

bool values_open(struct values *out, const struct mu_reader_setup *setup, struct mu_error *err)
{
    struct values v = {.trim = mu_json_bool(setup->source, "trim", false)};
    if (!parse_missing(&v, setup->source, err) || !formats_open(&v.formats, setup, err))
        return false;
    *out = v;
    return true;
}

void values_fini(struct values *v)
{
    formats_free(v->formats);
    v->formats = NULL;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct mu_span values_trim(struct mu_span text)
{
    while (text.len && blank(text.at[0])) {
        text.at++;
        text.len--;
    }
    while (text.len && blank(text.at[text.len - 1]))
        text.len--;
    return text;
}

bool values_is_missing(const struct values *v, struct mu_span text)
{
    for (size_t i = 0; i < v->missing_count; i++)
        if (mu_span_equal(text, v->missing[i]))
            return true;
    return false;
}

bool values_refuse(const json_t *source, const char *const *names, const char *format, struct mu_error *err)
{
    for (; *names; names++) {
        char pointer[64];
        (void)snprintf(pointer, sizeof(pointer), "/source/%s", *names);
        if (json_object_get(source, *names))
            return mu_reject(err, "bad_task", pointer, "\"%s\" means nothing for %s", *names, format);
    }
    return true;
}
