/* SPDX-License-Identifier: Apache-2.0 */
#include "format/schema_inside.h"
#include "format/schema_builtin.h"

struct maker {
    struct mu_schema *schema; /* whose document is being compiled */
};

static bool compile(struct maker *m, const json_t *source, struct node **out, struct mu_error *err);

/* ECMA 262 in the parts that patterns of schemas use; a dollar is the very end. */
static pcre2_code *compile_pattern(const char *text, struct mu_error *err)
{
    int code;
    PCRE2_SIZE at;
    pcre2_code *p = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NO_AUTO_CAPTURE,
                                  &code, &at, NULL);
    if (!p) {
        PCRE2_UCHAR why[120];
        pcre2_get_error_message(code, why, sizeof(why));
        mu_reject(err, "invalid", "", "the pattern \"%s\" cannot be compiled: %s at %zu", text, (const char *)why, at);
    }
    return p;
}

static struct node *find_node(const struct maker *m, const json_t *source)
{
    for (struct node *n = m->schema->nodes; n; n = n->next)
        if (n->source == source)
            return n;
    return NULL;
}

static bool compile_list(struct maker *m, const json_t *array, struct list *out, struct mu_error *err)
{
    size_t i;
    json_t *element;
    if (!json_is_array(array) || (out->at = calloc(json_array_size(array) + 1, sizeof(*out->at))) == NULL)
        return mu_reject(err, "invalid", "", "want an array of schemas");
    json_array_foreach(array, i, element)
    {
        char prefix[24];
        snprintf(prefix, sizeof(prefix), "/%zu", i);
        if (!compile(m, element, &out->at[out->count++], err))
            return mu_under(err, prefix);
    }
    return true;
}

static bool compile_named(struct maker *m, const json_t *object, struct named **out, size_t *count, bool patterns,
                          struct mu_error *err)
{
    const char *key;
    json_t *value, *borrowed;
    memcpy(&borrowed, &object, sizeof(borrowed)); /* jansson's iteration is not const */
    if (!json_is_object(object) || (*out = calloc(json_object_size(object) + 1, sizeof(**out))) == NULL)
        return mu_reject(err, "invalid", "", "want an object of schemas");
    json_object_foreach(borrowed, key, value)
    {
        struct named *n = &(*out)[(*count)++];
        n->name = key;
        n->len = strlen(key);
        if (patterns && !(n->pattern = compile_pattern(key, err)))
            return false;
        if (json_is_array(value))
            n->required = value; /* of dependencies */
        else if (!compile(m, value, &n->node, err))
            return mu_under(err, key) || mu_under(err, "/");
    }
    return true;
}

static bool compile_types(const json_t *value, unsigned *out, struct mu_error *err)
{
    static const struct { const char *name; unsigned bit; } types[] = {
        {"null", T_NULL}, {"boolean", T_BOOLEAN}, {"integer", T_INTEGER}, {"number", T_NUMBER | T_INTEGER},
        {"string", T_STRING}, {"array", T_ARRAY}, {"object", T_OBJECT}};
    size_t count = json_is_array(value) ? json_array_size(value) : 1;
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_is_array(value) ? json_array_get(value, i) : value);
        unsigned bit = 0;
        for (size_t k = 0; name && k < MU_COUNT(types); k++)
            if (mu_span_is(mu_span_of(name), types[k].name))
                bit = types[k].bit;
        if (!bit)
            return mu_reject(err, "invalid", "/type", "unknown type %s", name ? name : "(no text)");
        *out |= bit;
    }
    return true;
}

/* A whole number that is not negative, also when written as 2.0. */
static bool compile_count(const json_t *value, int64_t *out, struct mu_error *err)
{
    if (!json_is_number(value) || json_number_value(value) < 0)
        return mu_reject(err, "invalid", "", "want a whole number");
    *out = (int64_t)json_number_value(value);
    return true;
}

/* The value that a fragment like #/definitions/a~1b points to. */
static json_t *follow(json_t *document, const char *pointer)
{
    json_t *at = document;
    while (at && *pointer == '/') {
        char key[256];
        size_t len = 0;
        for (pointer++; *pointer && *pointer != '/' && len < sizeof(key) - 1; pointer++) {
            if (*pointer == '~' && pointer[1]) {
                key[len++] = *++pointer == '0' ? '~' : '/';
            } else if (*pointer == '%' && pointer[1] && pointer[2]) {
                char hex[3] = {pointer[1], pointer[2], '\0'};
                key[len++] = (char)strtol(hex, NULL, 16);
                pointer += 2;
            } else {
                key[len++] = *pointer;
            }
        }
        key[len] = '\0';
        int64_t index;
        if (json_is_array(at) && mu_parse_i64(mu_span(key, len), 0, INT32_MAX, &index))
            at = json_array_get(at, (size_t)index);
        else
            at = json_object_get(at, key);
    }
    return *pointer ? NULL : at;
}

static const char *builtin_text(struct mu_span name)
{
    for (size_t i = 0; i < mu_builtin_schema_count; i++) {
        size_t len = strlen(mu_builtin_schemas[i].name);
        if (name.len == len + 5 && memcmp(name.at, mu_builtin_schemas[i].name, len) == 0 &&
            memcmp(name.at + len, ".json", 5) == 0)
            return mu_builtin_schemas[i].text;
    }
    return NULL;
}

/* The document of a built-in schema as a member of the one that refers to it. */
static struct mu_schema *other_document(struct maker *m, struct mu_span name, struct mu_error *err)
{
    struct mu_schema *top = m->schema;
    while (top->parent)
        top = top->parent;
    for (size_t i = 0; i < top->other_count; i++) {
        const char *id = mu_json_text(top->others[i]->document, "$id");
        if (id && mu_span_is(name, id))
            return top->others[i];
    }
    const char *text = builtin_text(name);
    if (!text || top->other_count == MU_COUNT(top->others)) {
        mu_reject(err, "invalid", "/$ref", "no schema %.*s: references go to this document and the built-in ones",
                  (int)name.len, name.at);
        return NULL;
    }
    struct mu_schema *other = calloc(1, sizeof(*other));
    if (!other || !mu_json_parse(&other->document, mu_span_of(text), (size_t)1 << 20, err)) {
        free(other);
        mu_fail(err, MU_BROKEN, "out of memory");
        return NULL;
    }
    other->parent = top;
    top->others[top->other_count++] = other;
    return other;
}

static bool compile_ref(struct maker *m, const char *ref, struct node **out, struct mu_error *err)
{
    const char *hash = strchr(ref, '#');
    struct mu_span name = mu_span(ref, hash ? (size_t)(hash - ref) : strlen(ref));
    struct maker other = *m;
    if (name.len && !(other.schema = other_document(m, name, err)))
        return false;
    json_t *target = follow(other.schema->document, hash ? hash + 1 : "");
    if (!target)
        return mu_reject(err, "invalid", "/$ref", "%s points to nothing", ref);
    return compile(&other, target, out, err);
}

static bool is_annotation(const char *key)
{
    static const char *const known[] = {"$schema", "$id", "$comment", "title", "description", "default", "examples",
                                        "definitions", "readOnly", "writeOnly", "contentMediaType", "contentEncoding"};
    for (size_t i = 0; i < MU_COUNT(known); i++)
        if (mu_span_is(mu_span_of(key), known[i]))
            return true;
    return false;
}

static bool is_key(const char *key, const char *name)
{
    return strcmp(key, name) == 0;
}

/* Keywords that hold one schema. */
static struct node **schema_slot(struct node *n, const char *key)
{
    const struct { const char *key; struct node **slot; } slots[] = {
        {"additionalItems", &n->more_items}, {"contains", &n->contains}, {"propertyNames", &n->names},
        {"additionalProperties", &n->more_properties}, {"not", &n->not_this}, {"if", &n->condition},
        {"then", &n->then}, {"else", &n->otherwise}};
    for (size_t i = 0; i < MU_COUNT(slots); i++)
        if (is_key(key, slots[i].key))
            return slots[i].slot;
    return NULL;
}

static int64_t *count_slot(struct node *n, const char *key)
{
    const struct { const char *key; int64_t *slot; } slots[] = {
        {"minLength", &n->min_length}, {"maxLength", &n->max_length}, {"minItems", &n->min_items},
        {"maxItems", &n->max_items}, {"minProperties", &n->min_properties}, {"maxProperties", &n->max_properties}};
    for (size_t i = 0; i < MU_COUNT(slots); i++)
        if (is_key(key, slots[i].key))
            return slots[i].slot;
    return NULL;
}

static const json_t **value_slot(struct node *n, const char *key)
{
    const struct { const char *key; const json_t **slot; } slots[] = {
        {"const", &n->constant}, {"enum", &n->choices}, {"minimum", &n->minimum}, {"maximum", &n->maximum},
        {"exclusiveMinimum", &n->above}, {"exclusiveMaximum", &n->below}, {"multipleOf", &n->multiple},
        {"required", &n->required}};
    for (size_t i = 0; i < MU_COUNT(slots); i++)
        if (is_key(key, slots[i].key))
            return slots[i].slot;
    return NULL;
}

static bool compile_keyword(struct maker *m, struct node *n, const char *key, const json_t *value, struct mu_error *err)
{
    struct node **schema = schema_slot(n, key);
    int64_t *count = count_slot(n, key);
    const json_t **plain = value_slot(n, key);
    if (schema)
        return compile(m, value, schema, err);
    if (count)
        return compile_count(value, count, err);
    if (plain) {
        *plain = value;
        return true;
    }
    if (is_key(key, "type"))
        return compile_types(value, &n->types, err);
    if (is_key(key, "properties"))
        return compile_named(m, value, &n->properties, &n->property_count, false, err);
    if (is_key(key, "patternProperties"))
        return compile_named(m, value, &n->patterns, &n->pattern_count, true, err);
    if (is_key(key, "dependencies"))
        return compile_named(m, value, &n->dependencies, &n->dependency_count, false, err);
    if (is_key(key, "allOf"))
        return compile_list(m, value, &n->all, err);
    if (is_key(key, "anyOf"))
        return compile_list(m, value, &n->any, err);
    if (is_key(key, "oneOf"))
        return compile_list(m, value, &n->one, err);
    if (is_key(key, "items"))
        return json_is_array(value) ? compile_list(m, value, &n->items, err) : compile(m, value, &n->every_item, err);
    if (is_key(key, "uniqueItems")) {
        n->unique = json_is_true(value);
        return true;
    }
    if (is_key(key, "pattern")) {
        n->pattern_text = json_string_value(value);
        n->pattern = n->pattern_text ? compile_pattern(n->pattern_text, err) : NULL;
        return n->pattern != NULL;
    }
    if (is_key(key, "format")) { /* the others are annotations, as draft-07 allows */
        const char *name = json_string_value(value);
        n->format = !name ? F_NONE : is_key(name, "date") ? F_DATE : is_key(name, "date-time") ? F_DATE_TIME : F_NONE;
        return true;
    }
    if (is_key(key, "examples"))
        n->example = json_array_get(value, 0);
    if (is_annotation(key))
        return true;
    return mu_reject(err, "invalid", "", "unknown keyword %s", key);
}

static bool compile(struct maker *m, const json_t *source, struct node **out, struct mu_error *err)
{
    struct node *n = find_node(m, source);
    /* true, false and null are single objects in jansson: they cannot stand for a place */
    if (n && json_is_object(source)) {
        *out = n;
        return true;
    }
    n = calloc(1, sizeof(*n));
    if (!n)
        return mu_fail(err, MU_BROKEN, "out of memory");
    n->source = source;
    n->next = m->schema->nodes;
    n->min_length = n->max_length = n->min_items = n->max_items = n->min_properties = n->max_properties = -1;
    m->schema->nodes = n;
    *out = n;
    if (json_is_boolean(source)) {
        n->never = json_is_false(source);
        return true;
    }
    if (!json_is_object(source))
        return mu_reject(err, "invalid", "", "a schema is an object, true or false");
    const char *ref = mu_json_text(source, "$ref");
    if (ref)
        return compile_ref(m, ref, &n->ref, err);
    const char *key;
    json_t *value, *borrowed;
    memcpy(&borrowed, &source, sizeof(borrowed));
    json_object_foreach(borrowed, key, value)
    {
        if (!compile_keyword(m, n, key, value, err))
            return mu_under(err, key) || mu_under(err, "/");
    }
    n->only_required = n->required && json_object_size(source) == 1;
    return true;
}

bool mu_schema_new(struct mu_schema **out, const json_t *doc, struct mu_error *err)
{
    struct mu_schema *s = calloc(1, sizeof(*s));
    if (!s)
        return mu_fail(err, MU_BROKEN, "out of memory");
    s->document = json_deep_copy(doc);
    struct maker m = {.schema = s};
    if (!s->document || !compile(&m, s->document, &s->root, err)) {
        mu_schema_free(s);
        return mu_fail(err, MU_BROKEN, "out of memory");
    }
    *out = s;
    return true;
}

static void free_named(struct named *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pcre2_code_free(list[i].pattern);
    free(list);
}

static void free_nodes(struct node *n)
{
    while (n) {
        struct node *next = n->next;
        pcre2_code_free(n->pattern);
        free_named(n->properties, n->property_count);
        free_named(n->patterns, n->pattern_count);
        free_named(n->dependencies, n->dependency_count);
        free(n->items.at);
        free(n->all.at);
        free(n->any.at);
        free(n->one.at);
        free(n);
        n = next;
    }
}

void mu_schema_free(struct mu_schema *schema)
{
    if (!schema)
        return;
    for (size_t i = 0; i < schema->other_count; i++)
        mu_schema_free(schema->others[i]);
    free_nodes(schema->nodes);
    mu_json_free(schema->document);
    free(schema);
}
