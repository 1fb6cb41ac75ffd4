/* SPDX-License-Identifier: Apache-2.0 */
#include "format/schema.h"
#include "base/clock.h"
#include "format/schema_builtin.h"
#include "format/schema_inside.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>

#define DEPTH_MAX 128
#define MATCH_LIMIT 100000

static bool check(const struct node *n, const json_t *doc, int depth, struct mu_error *err);

static bool invalid(struct mu_error *err, const char *fmt, ...) MU_PRINTF(2, 3);
static bool invalid(struct mu_error *err, const char *fmt, ...)
{
    char text[320];
    va_list args;
    if (!err)
        return false; /* an alternative is being tried: nobody will read it */
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return mu_reject(err, "invalid", "", "%s", text);
}

/* Puts "/key" before the pointer, escaped by RFC 6901. */
static bool under_key(struct mu_error *err, const char *key)
{
    char prefix[200];
    size_t len = 1;
    if (!err)
        return false;
    prefix[0] = '/';
    for (; *key && len < sizeof(prefix) - 3; key++) {
        if (*key == '~' || *key == '/') {
            prefix[len++] = '~';
            prefix[len++] = *key == '~' ? '0' : '1';
        } else {
            prefix[len++] = *key;
        }
    }
    prefix[len] = '\0';
    return mu_under(err, prefix);
}

static bool under_index(struct mu_error *err, size_t index)
{
    char prefix[24];
    snprintf(prefix, sizeof(prefix), "/%zu", index);
    return err ? mu_under(err, prefix) : false;
}

static unsigned type_of(const json_t *doc)
{
    switch (json_typeof(doc)) {
    case JSON_NULL:
        return T_NULL;
    case JSON_TRUE:
    case JSON_FALSE:
        return T_BOOLEAN;
    case JSON_INTEGER:
        return T_INTEGER;
    case JSON_REAL: /* 1.0 is an integer in draft-07 */
        return json_real_value(doc) == floor(json_real_value(doc)) ? T_INTEGER | T_NUMBER : T_NUMBER;
    case JSON_STRING:
        return T_STRING;
    case JSON_ARRAY:
        return T_ARRAY;
    case JSON_OBJECT:
        return T_OBJECT;
    }
    return 0;
}

static const char *describe(const json_t *doc, char out[80])
{
    switch (json_typeof(doc)) {
    case JSON_NULL:
        return "null";
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    case JSON_INTEGER:
        snprintf(out, 80, "%lld", (long long)json_integer_value(doc));
        return out;
    case JSON_REAL:
        snprintf(out, 80, "%g", json_real_value(doc));
        return out;
    case JSON_STRING:
        snprintf(out, 80, "\"%.60s%s", json_string_value(doc), json_string_length(doc) > 60 ? "…" : "\"");
        return out;
    case JSON_ARRAY:
        return "an array";
    case JSON_OBJECT:
        return "an object";
    }
    return "";
}

static bool wrong_type(const struct node *n, const json_t *doc, struct mu_error *err)
{
    static const struct { unsigned bit; const char *name; } names[] = {
        {T_STRING, "a string"}, {T_NUMBER, "a number"}, {T_INTEGER, "a whole number"}, {T_BOOLEAN, "true or false"},
        {T_NULL, "null"}, {T_ARRAY, "an array"}, {T_OBJECT, "an object"}};
    char want[120] = "", got[80];
    size_t len = 0;
    for (size_t i = 0; i < MU_COUNT(names); i++) {
        if (!(n->types & names[i].bit) || (names[i].bit == T_INTEGER && (n->types & T_NUMBER)))
            continue;
        len += (size_t)snprintf(want + len, sizeof(want) - len, "%s%s", len ? " or " : "", names[i].name);
    }
    invalid(err, "want %s, got %s", want, describe(doc, got));
    if (err && json_is_number(doc) && (n->types & T_STRING) && !(n->types & (T_NUMBER | T_INTEGER)))
        mu_hint(err, "quote it: \"%s\"", describe(doc, got));
    return false;
}

/* Equal as JSON values: 1 and 1.0 are one number. */
static bool equal(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b)) {
        if (json_is_integer(a) && json_is_integer(b))
            return json_integer_value(a) == json_integer_value(b);
        return json_number_value(a) == json_number_value(b);
    }
    if (json_typeof(a) != json_typeof(b))
        return false;
    if (json_is_array(a)) {
        size_t count = json_array_size(a);
        for (size_t i = 0; i < count; i++)
            if (i >= json_array_size(b) || !equal(json_array_get(a, i), json_array_get(b, i)))
                return false;
        return count == json_array_size(b);
    }
    if (json_is_object(a)) {
        const char *key;
        json_t *value, *borrowed;
        memcpy(&borrowed, &a, sizeof(borrowed));
        json_object_foreach(borrowed, key, value)
        {
            const json_t *other = json_object_get(b, key);
            if (!other || !equal(value, other))
                return false;
        }
        return json_object_size(a) == json_object_size(b);
    }
    return json_equal(a, b);
}

static int compare(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b)) {
        json_int_t x = json_integer_value(a), y = json_integer_value(b);
        return (x > y) - (x < y);
    }
    double x = json_number_value(a), y = json_number_value(b);
    return (x > y) - (x < y);
}

static bool is_multiple(const json_t *doc, const json_t *of)
{
    if (json_is_integer(doc) && json_is_integer(of))
        return json_integer_value(doc) % json_integer_value(of) == 0;
    double quotient = json_number_value(doc) / json_number_value(of);
    /* 0.0075 is a multiple of 0.0001 although neither is a binary fraction */
    return isfinite(quotient) && fabs(quotient - round(quotient)) <= 1e-9 * fmax(1, fabs(quotient));
}

static bool check_number(const struct node *n, const json_t *doc, struct mu_error *err)
{
    char got[80], want[80];
    if (n->minimum && compare(doc, n->minimum) < 0)
        return invalid(err, "want at least %s, got %s", describe(n->minimum, want), describe(doc, got));
    if (n->maximum && compare(doc, n->maximum) > 0)
        return invalid(err, "want at most %s, got %s", describe(n->maximum, want), describe(doc, got));
    if (n->above && compare(doc, n->above) <= 0)
        return invalid(err, "want more than %s, got %s", describe(n->above, want), describe(doc, got));
    if (n->below && compare(doc, n->below) >= 0)
        return invalid(err, "want less than %s, got %s", describe(n->below, want), describe(doc, got));
    if (n->multiple && !is_multiple(doc, n->multiple))
        return invalid(err, "want a multiple of %s, got %s", describe(n->multiple, want), describe(doc, got));
    return true;
}

static int64_t code_points(struct mu_span text)
{
    int64_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.at[i] & 0xC0) != 0x80;
    return count;
}

/* A match block per thread: compiled patterns are shared, blocks are not. */
static bool matches(const pcre2_code *pattern, struct mu_span text)
{
    static _Thread_local pcre2_match_data *block;
    static _Thread_local pcre2_match_context *context;
    if (!block) {
        block = pcre2_match_data_create(1, NULL);
        context = pcre2_match_context_create(NULL);
        if (context) {
            pcre2_set_match_limit(context, MATCH_LIMIT);
            pcre2_set_depth_limit(context, MATCH_LIMIT);
        }
    }
    bool found = block && pcre2_match(pattern, (PCRE2_SPTR)text.at, text.len, 0, PCRE2_NO_UTF_CHECK, block, context) >= 0;
    return found; /* a limit that is hit is no match: never a pass */
}

static bool check_string(const struct node *n, const json_t *doc, struct mu_error *err)
{
    struct mu_span text = mu_span(json_string_value(doc), json_string_length(doc));
    char got[80];
    int32_t days;
    int64_t us;
    if (n->min_length >= 0 || n->max_length >= 0) {
        int64_t count = code_points(text);
        if (n->min_length >= 0 && count < n->min_length)
            return invalid(err, "want at least %lld characters, got %lld", (long long)n->min_length, (long long)count);
        if (n->max_length >= 0 && count > n->max_length)
            return invalid(err, "want at most %lld characters, got %lld", (long long)n->max_length, (long long)count);
    }
    if (n->pattern && !matches(n->pattern, text))
        return invalid(err, "%s does not have the form %s", describe(doc, got), n->pattern_text);
    if (n->format == F_DATE && !mu_date_parse(text, &days))
        return invalid(err, "want a date like 2026-11-24, got %s", describe(doc, got));
    if (n->format == F_DATE_TIME && !mu_rfc3339_parse(text, &us))
        return invalid(err, "want a time like 2026-11-24T09:00:00Z, got %s", describe(doc, got));
    return true;
}

static bool check_array(const struct node *n, const json_t *doc, int depth, struct mu_error *err)
{
    size_t count = json_array_size(doc);
    if (n->min_items >= 0 && (int64_t)count < n->min_items)
        return invalid(err, "want at least %lld elements, got %zu", (long long)n->min_items, count);
    if (n->max_items >= 0 && (int64_t)count > n->max_items)
        return invalid(err, "want at most %lld elements, got %zu", (long long)n->max_items, count);
    bool contained = !n->contains;
    for (size_t i = 0; i < count; i++) {
        const json_t *element = json_array_get(doc, i);
        const struct node *of = n->every_item ? n->every_item : i < n->items.count ? n->items.at[i]
                                : n->items.at ? n->more_items : NULL;
        if (of && !check(of, element, depth, err))
            return under_index(err, i);
        if (!contained)
            contained = check(n->contains, element, depth, NULL);
        for (size_t k = 0; n->unique && k < i; k++)
            if (equal(element, json_array_get(doc, k))) {
                invalid(err, "elements %zu and %zu are equal", k, i);
                return under_index(err, i);
            }
    }
    return contained || invalid(err, "no element is of the kind that must be there");
}

static bool unknown_key(const struct node *n, const char *key, struct mu_error *err)
{
    char known[220] = "";
    size_t len = 0;
    for (size_t i = 0; err && i < n->property_count && len < sizeof(known) - 1; i++)
        len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s", i ? ", " : "", n->properties[i].name);
    invalid(err, "unknown key \"%.60s\"%s%s", key, len ? "; known are " : "", known);
    return under_key(err, key);
}

static bool check_member(const struct node *n, const char *key, const json_t *value, int depth, struct mu_error *err)
{
    struct mu_span name = mu_span_of(key);
    bool known = false;
    for (size_t i = 0; i < n->property_count; i++) {
        if (n->properties[i].len == name.len && memcmp(n->properties[i].name, key, name.len) == 0) {
            known = true;
            if (!check(n->properties[i].node, value, depth, err))
                return under_key(err, key);
            break;
        }
    }
    for (size_t i = 0; i < n->pattern_count; i++) {
        if (!matches(n->patterns[i].pattern, name))
            continue;
        known = true;
        if (!check(n->patterns[i].node, value, depth, err))
            return under_key(err, key);
    }
    if (!known && n->more_properties) {
        if (n->more_properties->never)
            return unknown_key(n, key, err);
        if (!check(n->more_properties, value, depth, err))
            return under_key(err, key);
    }
    return true;
}

static bool check_required(const json_t *names, const json_t *doc, struct mu_error *err)
{
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        if (name && !json_object_get(doc, name))
            return invalid(err, "the key \"%s\" is missing", name);
    }
    return true;
}

static bool check_object(const struct node *n, const json_t *doc, int depth, struct mu_error *err)
{
    int64_t count = (int64_t)json_object_size(doc);
    const char *key;
    json_t *value, *borrowed;
    if (n->min_properties >= 0 && count < n->min_properties)
        return invalid(err, "want at least %lld keys, got %lld", (long long)n->min_properties, (long long)count);
    if (n->max_properties >= 0 && count > n->max_properties)
        return invalid(err, "want at most %lld keys, got %lld", (long long)n->max_properties, (long long)count);
    if (n->required && !check_required(n->required, doc, err))
        return false;
    memcpy(&borrowed, &doc, sizeof(borrowed));
    bool members = n->property_count || n->pattern_count || n->more_properties;
    json_object_foreach(borrowed, key, value)
    {
        if (n->names) {
            MU_AUTO(mu_json_free) json_t *name = json_string_nocheck(key);
            if (!check(n->names, name, depth, err))
                return under_key(err, key);
        }
        if (members && !check_member(n, key, value, depth, err))
            return false;
    }
    for (size_t i = 0; i < n->dependency_count; i++) {
        const struct named *d = &n->dependencies[i];
        if (!json_object_get(doc, d->name))
            continue;
        if (d->required ? !check_required(d->required, doc, err) : !check(d->node, doc, depth, err))
            return err ? mu_while(err, "with \"%s\"", d->name) : false;
    }
    return true;
}

/* "want exactly one of pack, rules" where the alternatives are only that. */
static bool tell_alternatives(const struct list *list, size_t fitting, struct mu_error *err)
{
    char names[200] = "";
    size_t len = 0;
    if (!err)
        return false;
    for (size_t i = 0; i < list->count; i++) {
        const struct node *n = list->at[i];
        if (!n->only_required)
            return invalid(err, fitting ? "fits more than one of the forms it may have" : "has none of the forms it may have");
        for (size_t k = 0; k < json_array_size(n->required) && len < sizeof(names) - 1; k++)
            len += (size_t)snprintf(names + len, sizeof(names) - len, "%s\"%s\"", len ? ", " : "",
                                    json_string_value(json_array_get(n->required, k)));
    }
    return invalid(err, "want exactly one of the keys %s", names);
}

static bool check_combinations(const struct node *n, const json_t *doc, int depth, struct mu_error *err)
{
    for (size_t i = 0; i < n->all.count; i++)
        if (!check(n->all.at[i], doc, depth, err))
            return false;
    if (n->any.at) {
        size_t i = 0;
        while (i < n->any.count && !check(n->any.at[i], doc, depth, NULL))
            i++;
        if (i == n->any.count)
            return tell_alternatives(&n->any, 0, err);
    }
    if (n->one.at) {
        size_t fitting = 0, could = 0, last = 0;
        for (size_t i = 0; i < n->one.count; i++) {
            fitting += check(n->one.at[i], doc, depth, NULL);
            if (!n->one.at[i]->types || (n->one.at[i]->types & type_of(doc))) {
                could++;
                last = i;
            }
        }
        if (fitting != 1 && !fitting && could == 1) /* only one was meant: say what is wrong with it */
            return check(n->one.at[last], doc, depth, err);
        if (fitting != 1)
            return tell_alternatives(&n->one, fitting, err);
    }
    if (n->not_this && check(n->not_this, doc, depth, NULL))
        return invalid(err, "is of a kind that is not allowed here");
    if (n->condition) {
        const struct node *branch = check(n->condition, doc, depth, NULL) ? n->then : n->otherwise;
        if (branch && !check(branch, doc, depth, err))
            return false;
    }
    return true;
}

static bool check_choice(const struct node *n, const json_t *doc, struct mu_error *err)
{
    char got[80], want[80];
    if (n->constant && !equal(n->constant, doc))
        return invalid(err, "want %s, got %s", describe(n->constant, want), describe(doc, got));
    if (!n->choices)
        return true;
    for (size_t i = 0; i < json_array_size(n->choices); i++)
        if (equal(json_array_get(n->choices, i), doc))
            return true;
    char list[200] = "";
    size_t len = 0;
    for (size_t i = 0; err && i < json_array_size(n->choices) && len < sizeof(list) - 1; i++)
        len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i ? ", " : "",
                                describe(json_array_get(n->choices, i), want));
    return invalid(err, "want one of %s; got %s", list, describe(doc, got));
}

static bool check_node(const struct node *n, const json_t *doc, int depth, struct mu_error *err)
{
    if (depth > DEPTH_MAX)
        return invalid(err, "nested too deeply");
    if (n->ref)
        return check(n->ref, doc, depth + 1, err);
    if (n->never)
        return invalid(err, "nothing is allowed here");
    unsigned type = type_of(doc);
    if (n->types && !(n->types & type))
        return wrong_type(n, doc, err);
    if ((n->constant || n->choices) && !check_choice(n, doc, err))
        return false;
    if ((type & (T_INTEGER | T_NUMBER)) && !check_number(n, doc, err))
        return false;
    if (type == T_STRING && !check_string(n, doc, err))
        return false;
    if (type == T_ARRAY && !check_array(n, doc, depth + 1, err))
        return false;
    if (type == T_OBJECT && !check_object(n, doc, depth + 1, err))
        return false;
    return check_combinations(n, doc, depth + 1, err);
}

/* The innermost schema that has an example says what would have been right. */
static bool tell_example(const struct node *n, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text text = MU_TEXT(400);
    mu_json_write(&text, n->example);
    return mu_text_ok(&text, NULL) ? mu_hint(err, "example: %s", text.at) : false;
}

static bool check(const struct node *n, const json_t *doc, int depth, struct mu_error *err)
{
    if (check_node(n, doc, depth, err))
        return true;
    return err && n->example ? tell_example(n, err) : false;
}

bool mu_schema_check(const struct mu_schema *schema, const json_t *doc, struct mu_error *err)
{
    return check(schema->root, doc, 0, err);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct mu_schema *compiled[32];

const struct mu_schema *mu_schema_builtin(const char *name)
{
    const struct mu_schema *found = NULL;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < mu_builtin_schema_count && !found; i++) {
        if (!mu_span_is(mu_span_of(name), mu_builtin_schemas[i].name))
            continue;
        if (!compiled[i]) {
            MU_AUTO(mu_json_free) json_t *doc = NULL;
            struct mu_error err = {0};
            bool made = mu_json_parse(&doc, mu_span_of(mu_builtin_schemas[i].text), (size_t)1 << 20, &err) &&
                        mu_schema_new(&compiled[i], doc, &err);
            if (!made)
                fprintf(stderr, "schema %s: %s%s\n", name, err.pointer, err.text);
            assert(made); /* our own schemas are tested */
        }
        found = compiled[i];
    }
    pthread_mutex_unlock(&lock);
    assert(found);
    return found;
}

void mu_schema_fini(void)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < MU_COUNT(compiled); i++) {
        mu_schema_free(compiled[i]);
        compiled[i] = NULL;
    }
    pthread_mutex_unlock(&lock);
}
