/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pack_inside.h"

#include "base/clock.h"
#include "format/schema.h"

#define POOL_CEILING ((size_t)64 << 20)
#define IMPLIED_LISTS_MAX 8

static const char *const mask_names[] = {"none", "hash", "last4", "drop"};

/* A word of a closed set that the schema has seen to; absent is the first one. */
static size_t word_index(const char *const *names, size_t count, const char *word)
{
    for (size_t i = 0; word && i < count; i++)
        if (strcmp(names[i], word) == 0)
            return i;
    return 0;
}

static enum mu_type type_of(const json_t *object)
{
    enum mu_type type = MU_TYPE_TEXT;
    (void)mu_type_find(mu_json_text(object, "type"), &type);
    return type;
}

/* Where a mistake goes that stands by itself; reading goes on behind it. */
struct mistakes {
    mu_pack_note *note;
    void *context;
    struct mu_error *first;
    bool any;
};

/* True: go on. Only what is wrong with the pack is a mistake of it. */
static bool noted(struct mistakes *m, const struct mu_error *mistake)
{
    if (!m->any && m->first)
        *m->first = *mistake;
    m->any = true;
    if (m->note)
        m->note(m->context, mistake);
    return m->note && mistake->fault == MU_REJECTED;
}

int mu_pack_column(const struct mu_pack *p, struct mu_span name)
{
    for (size_t i = 0; i < p->column_count; i++)
        if (mu_span_is(name, p->columns[i].name))
            return (int)i;
    return -1;
}

/* An array for the members of an object or array of the document; never of size 0, so that NULL is no memory.
 */
static void *room(size_t count, size_t size, struct mu_error *err)
{
    void *at = calloc(count + 1, size);
    if (!at)
        mu_fail(err, MU_BROKEN, "out of memory");
    return at;
}

static bool read_columns(struct mu_pack *p, struct mu_error *err)
{
    json_t *columns = json_object_get(p->doc, "columns"), *column;
    const char *name;
    p->columns = room(json_object_size(columns), sizeof(*p->columns), err);
    if (!p->columns)
        return false;
    json_object_foreach(columns, name, column)
    {
        const char *empty = mu_json_text(column, "empty");
        p->columns[p->column_count++] =
            (struct mu_column){.name = name,
                               .type = type_of(column),
                               .mask = (enum mu_mask)word_index(mask_names, MU_COUNT(mask_names),
                                                                mu_json_text(column, "mask")),
                               .empty_is_value = empty && strcmp(empty, "value") == 0};
    }
    return true;
}

/* "name@version" is taken apart in a copy, whose beginning is the name. */
static bool read_lists(struct mu_pack *p, struct mu_error *err)
{
    json_t *lists = json_object_get(p->doc, "lists"), *list;
    const char *alias;
    p->list_room = json_object_size(lists) + IMPLIED_LISTS_MAX;
    p->lists = room(p->list_room, sizeof(*p->lists), err);
    if (!p->lists)
        return false;
    json_object_foreach(lists, alias, list)
    {
        char *name = strdup(json_is_string(list) ? json_string_value(list) : "");
        if (!name)
            return mu_fail(err, MU_BROKEN, "out of memory");
        char *at = strchr(name, '@');
        if (at)
            *at = '\0';
        p->lists[p->list_count++] = (struct mu_pack_list){alias, name, at ? at + 1 : NULL, false};
    }
    return true;
}

bool mu_pack_add_list(struct mu_pack *p, const char *alias, const char *name, struct mu_error *err)
{
    char *copy = strdup(name);
    if (!copy || p->list_count == p->list_room) {
        free(copy);
        return pack_no_memory(err);
    }
    p->lists[p->list_count++] = (struct mu_pack_list){alias, copy, NULL, true};
    return true;
}

static bool read_param(struct mu_pack *p, const char *name, const json_t *param, struct mu_error *err)
{
    const struct mu_param made = {.name = name, .otherwise = mu_json_text(param, "default"), .type = type_of(param)};
    struct mu_xvalue value;
    char pointer[160];
    if (made.otherwise && !mu_xvalue_parse(made.type, mu_span_of(made.otherwise), &value)) {
        (void)snprintf(pointer, sizeof(pointer), "/params/%.100s/default", name);
        mu_reject(err, "invalid", pointer, "expected a %s, found \"%.60s\"", mu_type_name(made.type), made.otherwise);
        return mu_hint(err, "example: \"default\": \"%s\"", mu_type_example(made.type));
    }
    p->params[p->param_count++] = made;
    return true;
}

static bool read_params(struct mu_pack *p, struct mistakes *m)
{
    json_t *params = json_object_get(p->doc, "params"), *param;
    struct mu_error err = {0};
    const char *name;
    p->params = room(json_object_size(params), sizeof(*p->params), &err);
    if (!p->params)
        return noted(m, &err);
    json_object_foreach(params, name, param)
    {
        if (!read_param(p, name, param, &err) && !noted(m, &err))
            return false;
        mu_error_clear(&err);
    }
    return true;
}

static bool read_let(struct mu_pack *p, const char *name, const json_t *text, struct mu_error *err)
{
    const struct mu_scope scope = {.pool = p->pool, .pack = p, .columns = true};
    const struct mu_expr *expr;
    char pointer[160];
    (void)snprintf(pointer, sizeof(pointer), "/let/%.100s", name);
    if (mu_pack_column(p, mu_span_of(name)) >= 0) {
        mu_reject(err, "invalid", pointer, "expected a name of its own, found that of the column \"%.60s\"", name);
        return mu_hint(err, "example: \"let\": {\"%.60s_known\": \"not is_missing(%.60s)\"}", name, name);
    }
    if (!mu_expr_parse(&expr, &scope, mu_span(json_string_value(text), json_string_length(text)), MU_TYPE_MISSING,
                       pointer, err))
        return false;
    p->lets[p->let_count++] = (struct mu_named_expr){name, expr};
    return true;
}

static bool read_lets(struct mu_pack *p, struct mistakes *m)
{
    json_t *lets = json_object_get(p->doc, "let"), *text;
    struct mu_error err = {0};
    const char *name;
    p->lets = room(json_object_size(lets), sizeof(*p->lets), &err);
    if (!p->lets)
        return noted(m, &err);
    json_object_foreach(lets, name, text)
    {
        if (!read_let(p, name, text, &err) && !noted(m, &err))
            return false;
        mu_error_clear(&err);
    }
    return true;
}

static bool read_identity(struct mu_pack *p, struct mu_error *err)
{
    const json_t *identity = json_object_get(p->doc, "identity");
    p->identity = room(json_array_size(identity), sizeof(*p->identity), err);
    if (!p->identity)
        return false;
    for (size_t i = 0; i < json_array_size(identity); i++) {
        const char *name = json_string_value(json_array_get(identity, i));
        char pointer[48];
        (void)snprintf(pointer, sizeof(pointer), "/identity/%zu", i);
        if (!name || mu_pack_column(p, mu_span_of(name)) < 0) {
            mu_reject(err, "invalid", pointer, "expected a column of the pack, found \"%.60s\"", name ? name : "");
            return mu_hint(err, "example: \"identity\": [\"%s\"]", p->columns[0].name);
        }
        p->identity[p->identity_count++] = name;
    }
    return true;
}

static bool read_rules(struct mu_pack *p, struct mistakes *m)
{
    const json_t *rules = json_object_get(p->doc, "rules");
    const size_t count = json_array_size(rules);
    struct mu_error err = {0};
    if (count < 1 || count > MU_RULES_MAX)
        mu_reject(&err, "invalid", "/rules", "%zu rules; 1 to %d are possible", count, MU_RULES_MAX);
    else
        p->rules = room(count, sizeof(*p->rules), &err);
    if (!p->rules)
        return noted(m, &err) && false;
    for (size_t i = 0; i < count; i++) {
        char pointer[32];
        (void)snprintf(pointer, sizeof(pointer), "/rules/%zu", i);
        if (pack_read_rule(p, i, json_array_get(rules, i), &err)) {
            p->rule_count++;
            continue;
        }
        mu_under(&err, pointer);
        if (!noted(m, &err))
            return false;
        mu_error_clear(&err);
        p->rule_count++;
    }
    return true;
}

static bool read_document(struct mu_pack *p, struct mistakes *m)
{
    struct mu_error err = {0};
    p->name = mu_json_text(p->doc, "pack");
    p->version = mu_json_text(p->doc, "version");
    p->title = mu_json_text(p->doc, "title");
    p->pool = mu_pool_new(POOL_CEILING);
    if (!p->pool)
        (void)pack_no_memory(&err);
    if (!p->pool || !read_columns(p, &err) || !read_lists(p, &err)) {
        noted(m, &err);
        return false;
    }
    if (!read_params(p, m) || !read_lets(p, m))
        return false;
    if (!read_identity(p, &err) && !noted(m, &err))
        return false;
    return read_rules(p, m) && !m->any;
}

/* False, so that it ends a condition. */
static bool not_json(struct mu_error *mistake)
{
    return mu_hint(mistake, "example: {\"muster_pack\": 1, \"pack\": \"trades\", \"version\": \"1.0.0\", \"title\": \"Trades\", "
                            "\"columns\": {\"isin\": {\"type\": \"text\"}}, \"rules\": [..]}");
}

bool mu_pack_parse_all(struct mu_pack **out, struct mu_span bytes, mu_pack_note *note, void *context,
                       struct mu_error *err)
{
    struct mistakes m = {note, context, err, false};
    struct mu_error mistake = {0};
    MU_AUTO(mu_pack_free) struct mu_pack *p = calloc(1, sizeof(*p));
    if (!p)
        return pack_no_memory(err);
    if ((!mu_json_parse(&p->doc, bytes, MU_PACK_BYTES_MAX, &mistake) && !not_json(&mistake)) ||
        !mu_schema_check(mu_schema_builtin("pack"), p->doc, &mistake)) {
        noted(&m, &mistake);
        return false;
    }
    p->digest = mu_digest_of(bytes);
    if (!read_document(p, &m))
        return false;
    *out = MU_GIVE(p);
    return true;
}

bool mu_pack_parse(struct mu_pack **out, struct mu_span bytes, struct mu_error *err)
{
    return mu_pack_parse_all(out, bytes, NULL, NULL, err);
}

bool mu_pack_is_whole(const struct mu_pack *p)
{
    for (size_t i = 0; i < p->rule_count; i++)
        if (p->rules[i].kind == MU_RULE_GROUP || p->rules[i].has_mostly || p->rules[i].max_findings)
            return true;
    return false;
}

void mu_pack_free(struct mu_pack *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->list_count; i++)
        mu_free((void *)(uintptr_t)p->lists[i].name);
    free(p->lists);
    free(p->columns);
    free(p->params);
    free(p->identity);
    free(p->rules);
    free(p->lets);
    mu_pool_free(p->pool);
    json_decref(p->doc);
    free(p);
}
