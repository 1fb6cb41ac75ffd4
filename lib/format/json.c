/* SPDX-License-Identifier: Apache-2.0 */
#include "format/json.h"

void mu_json_free(json_t *doc)
{
    json_decref(doc);
}

/* jansson's own limit is 2,048 levels of recursion; ours is counted before it starts, outside of strings. */
static bool depth_fits(struct mu_span bytes, size_t *at)
{
    int depth = 0;
    bool in_text = false;
    for (size_t i = 0; i < bytes.len; i++) {
        char c = bytes.at[i];
        if (in_text) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_text = false;
        } else if (c == '"') {
            in_text = true;
        } else if (c == '{' || c == '[') {
            if (++depth > MU_JSON_DEPTH) {
                *at = i;
                return false;
            }
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return true;
}

static size_t line_of(struct mu_span bytes, size_t at)
{
    size_t line = 1;
    for (size_t i = 0; i < at; i++)
        line += bytes.at[i] == '\n';
    return line;
}

static size_t column_of(struct mu_span bytes, size_t at)
{
    size_t column = 1;
    while (at > 0 && bytes.at[at - 1] != '\n') {
        at--;
        column++;
    }
    return column;
}

bool mu_json_parse(json_t **out, struct mu_span bytes, size_t max_bytes, struct mu_error *err)
{
    if (bytes.len > max_bytes)
        return mu_reject(err, "too_large", "", "the document has %zu bytes, the limit is %zu", bytes.len, max_bytes);
    size_t at = 0;
    if (!depth_fits(bytes, &at))
        return mu_reject(err, "malformed", "", "no valid JSON at line %zu, column %zu (byte %zu): more than %d levels of nesting",
                         line_of(bytes, at), column_of(bytes, at), at, MU_JSON_DEPTH);
    /* jansson 2.14 takes back a NUL that follows a number or word, finds its buffer empty, and goes on behind it */
    const char *nul = bytes.len ? memchr(bytes.at, '\0', bytes.len) : NULL;
    if (nul)
        return mu_reject(err, "malformed", "", "a NUL at byte %zu", (size_t)(nul - bytes.at));
    json_error_t why;
    json_t *doc = json_loadb(bytes.at ? bytes.at : "", bytes.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!doc)
        return mu_reject(err, "malformed", "", "no valid JSON at line %d, column %d (byte %d): %s", why.line, why.column,
                         why.position, why.text);
    *out = doc;
    return true;
}

static int append(const char *bytes, size_t len, void *text)
{
    mu_text_add(text, mu_span(bytes, len));
    return 0;
}

void mu_json_write(struct mu_text *out, const json_t *doc)
{
    if (json_dump_callback(doc, append, out, JSON_COMPACT | JSON_ENCODE_ANY) != 0)
        out->failed = true;
}

void mu_json_write_canonical(struct mu_text *out, const json_t *doc)
{
    if (json_dump_callback(doc, append, out, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS) != 0)
        out->failed = true;
}

const char *mu_json_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

struct mu_span mu_json_span(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return mu_span(json_string_value(value), json_string_length(value));
}

int64_t mu_json_int(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? (int64_t)json_integer_value(value) : otherwise;
}

bool mu_json_bool(const json_t *object, const char *key, bool otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

static size_t skip_space(struct mu_span s, size_t i)
{
    while (i < s.len && (s.at[i] == ' ' || s.at[i] == '\t' || s.at[i] == '\n' || s.at[i] == '\r'))
        i++;
    return i;
}

/* The index behind the string that begins at i; s.len if it does not end. */
static size_t skip_text(struct mu_span s, size_t i)
{
    for (i++; i < s.len; i++) {
        const char *found = memchr(s.at + i, '"', s.len - i);
        if (!found)
            return s.len;
        size_t end = (size_t)(found - s.at);
        const char *escape = memchr(s.at + i, '\\', end - i);
        if (!escape)
            return end + 1;
        i = (size_t)(escape - s.at) + 1; /* and over the escaped character */
    }
    return s.len;
}

/* The index behind the value that begins at i. The document is known to be valid. */
static size_t skip_value(struct mu_span s, size_t i)
{
    int depth = 0;
    while (i < s.len) {
        char c = s.at[i];
        if (c == '"') {
            i = skip_text(s, i);
            if (!depth)
                return i;
        } else if (c == '{' || c == '[') {
            depth++;
            i++;
        } else if (c == '}' || c == ']') {
            if (!depth)
                return i;
            i++;
            if (!--depth)
                return i;
        } else if (!depth && (c == ',' || c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
            return i;
        } else {
            i++;
        }
    }
    return i;
}

bool mu_json_raw(struct mu_span document, const char *key, struct mu_span *value)
{
    size_t i = skip_space(document, 0);
    if (i >= document.len || document.at[i] != '{')
        return false;
    i++;
    for (;;) {
        i = skip_space(document, i);
        if (i >= document.len || document.at[i] != '"')
            return false;
        size_t name_end = skip_text(document, i);
        struct mu_span name = mu_span(document.at + i + 1, name_end - i - 2);
        i = skip_space(document, name_end);
        if (i >= document.len || document.at[i] != ':')
            return false;
        i = skip_space(document, i + 1);
        size_t end = skip_value(document, i);
        if (mu_span_is(name, key)) {
            *value = mu_span(document.at + i, end - i);
            return true;
        }
        i = skip_space(document, end);
        if (i >= document.len || document.at[i] != ',')
            return false;
        i++;
    }
}

bool mu_json_next_element(struct mu_span *rest, struct mu_span *element)
{
    size_t i = skip_space(*rest, 0);
    if (i >= rest->len || (rest->at[i] != '[' && rest->at[i] != ','))
        return false;
    i = skip_space(*rest, i + 1);
    if (i >= rest->len || rest->at[i] == ']')
        return false;
    size_t end = skip_value(*rest, i);
    *element = mu_span(rest->at + i, end - i);
    *rest = mu_span(rest->at + end, rest->len - end);
    return true;
}

void mu_json_key(struct mu_text *out, const char *key)
{
    if (out->len && out->at[out->len - 1] != '{')
        mu_text_putc(out, ',');
    mu_text_putc(out, '"');
    mu_text_puts(out, key);
    mu_text_add(out, mu_span("\":", 2));
}

void mu_json_put_text(struct mu_text *out, const char *key, const char *value)
{
    mu_json_put_span(out, key, mu_span_of(value));
}

void mu_json_put_span(struct mu_text *out, const char *key, struct mu_span value)
{
    mu_json_key(out, key);
    mu_text_add_json(out, value);
}

void mu_json_put_int(struct mu_text *out, const char *key, int64_t value)
{
    mu_json_key(out, key);
    mu_text_add_i64(out, value);
}

void mu_json_put_bool(struct mu_text *out, const char *key, bool value)
{
    mu_json_key(out, key);
    mu_text_puts(out, value ? "true" : "false");
}

void mu_json_put_raw(struct mu_text *out, const char *key, struct mu_span json)
{
    mu_json_key(out, key);
    mu_text_add(out, json);
}
