/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pack.h"

#include "base/clock.h"
#include "format/schema.h"

static const char *const type_names[] = {"text", "decimal", "date", "timestamp", "bool"};
static const char *const mask_names[] = {"none", "hash", "last4", "drop"};
static const char *const mode_names[] = {"active", "shadow", "off"};
static const char *const severity_names[] = {"info", "low", "medium", "high", "critical"};

/* Index of a word in a closed set; absent is the first one. */
#define WORD(names, word) word_index(names, MU_COUNT(names), word)
static size_t word_index(const char *const *names, size_t count, const char *word)
{
    for (size_t i = 0; word && i < count; i++)
        if (strcmp(names[i], word) == 0)
            return i;
    return 0;
}

const char *mu_type_name(enum mu_type t)
{
    return type_names[t];
}

bool mu_type_fits(enum mu_type t, struct mu_span text)
{
    struct mu_decimal decimal;
    int32_t days;
    int64_t wall_us;
    switch (t) {
    case MU_TYPE_TEXT:
        return true;
    case MU_TYPE_DECIMAL:
        return mu_decimal_parse(text, &decimal);
    case MU_TYPE_DATE:
        return mu_date_parse(text, &days);
    case MU_TYPE_TIMESTAMP:
        return mu_rfc3339_parse(text, &wall_us);
    case MU_TYPE_BOOL:
        return mu_span_is(text, "true") || mu_span_is(text, "false");
    }
    return false;
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
                               .type = (enum mu_type)WORD(type_names, mu_json_text(column, "type")),
                               .mask = (enum mu_mask)WORD(mask_names, mu_json_text(column, "mask")),
                               .empty_is_value = empty && strcmp(empty, "value") == 0};
    }
    return true;
}

/* "name@version" is taken apart in a copy, whose beginning is the name. */
static bool read_lists(struct mu_pack *p, struct mu_error *err)
{
    json_t *lists = json_object_get(p->doc, "lists"), *list;
    const char *alias;
    p->lists = room(json_object_size(lists), sizeof(*p->lists), err);
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
        p->lists[p->list_count++] = (struct mu_pack_list){alias, name, at ? at + 1 : NULL};
    }
    return true;
}

static bool read_params(struct mu_pack *p, struct mu_error *err)
{
    json_t *params = json_object_get(p->doc, "params"), *param;
    const char *name;
    p->params = room(json_object_size(params), sizeof(*p->params), err);
    if (!p->params)
        return false;
    json_object_foreach(params, name, param)
    {
        const struct mu_param made = {.name = name,
                                      .otherwise = mu_json_text(param, "default"),
                                      .type = (enum mu_type)WORD(type_names, mu_json_text(param, "type"))};
        if (made.otherwise && !mu_type_fits(made.type, mu_span_of(made.otherwise))) {
            char pointer[160];
            (void)snprintf(pointer, sizeof(pointer), "/params/%.100s/default", name);
            return mu_reject(err, "invalid", pointer, "\"%.60s\" is no %s", made.otherwise,
                             mu_type_name(made.type));
        }
        p->params[p->param_count++] = made;
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
        if (!name || mu_pack_column(p, mu_span_of(name)) < 0)
            return mu_reject(err, "invalid", pointer, "the pack has no column \"%.60s\"", name ? name : "");
        p->identity[p->identity_count++] = name;
    }
    return true;
}

/* A bound of `effective`: null is open. */
static bool read_day(const json_t *effective, size_t index, bool *has, int32_t *day, struct mu_error *err)
{
    static const char *const pointers[] = {"/effective/0", "/effective/1"};
    const json_t *bound = json_array_get(effective, index);
    *has = json_is_string(bound);
    if (*has && !mu_date_parse(mu_span(json_string_value(bound), json_string_length(bound)), day))
        return mu_reject(err, "invalid", pointers[index], "\"%.40s\" is no date", json_string_value(bound));
    return true;
}

static bool read_effective(struct mu_rule *r, const json_t *rule, struct mu_error *err)
{
    const json_t *effective = json_object_get(rule, "effective");
    if (!read_day(effective, 0, &r->has_from, &r->effective_from, err) ||
        !read_day(effective, 1, &r->has_to, &r->effective_to, err))
        return false;
    if (r->has_from && r->has_to && r->effective_from >= r->effective_to)
        return mu_reject(err, "invalid", "/effective", "the first day is not before the end");
    return true;
}

static bool read_coverage(struct mu_rule *r, const json_t *rule, struct mu_error *err)
{
    const struct mu_decimal zero = {0, 0}, one = {1, 0};
    r->min_coverage = one;
    r->min_coverage_text = mu_json_text(rule, "min_coverage");
    r->has_min_coverage = r->min_coverage_text != NULL;
    if (r->has_min_coverage &&
        (!mu_decimal_parse(mu_span_of(r->min_coverage_text), &r->min_coverage) ||
         mu_decimal_compare(r->min_coverage, zero) < 0 || mu_decimal_compare(r->min_coverage, one) > 0))
        return mu_reject(err, "invalid", "/min_coverage", "\"%.40s\" is no decimal from 0 to 1",
                         r->min_coverage_text);
    return true;
}

static bool read_check(struct mu_rule *r, const json_t *rule, struct mu_error *err)
{
    static const char *const later[] = {"bands",        "evidence", "expr",  "group_by", "having",
                                        "max_findings", "mostly",   "value", "where",    "window"};
    char pointer[32];
    for (size_t i = 0; i < MU_COUNT(later); i++) {
        if (!json_object_get(rule, later[i]))
            continue;
        (void)snprintf(pointer, sizeof(pointer), "/%s", later[i]);
        (void)mu_reject(err, "invalid", pointer, "\"%s\" comes with a later version", later[i]);
        return mu_hint(err, "this version runs rules with \"check\" and \"with\"");
    }
    r->check_name = mu_json_text(rule, "check");
    if (!r->check_name)
        return mu_reject(err, "invalid", "", "the rule names no check");
    r->check = mu_check_find(mu_span_of(r->check_name));
    r->with = json_object_get(rule, "with");
    if (r->check)
        return true;
    MU_AUTO(mu_text_free) struct mu_text names = MU_TEXT(180);
    const struct mu_check *check;
    for (size_t i = 0; (check = mu_check_at(i)); i++)
        mu_text_addf(&names, "%s%s", i ? " " : "", check->name);
    (void)mu_reject(err, "invalid", "/check", "there is no check \"%.40s\"", r->check_name);
    return names.failed ? false : mu_hint(err, "checks: %s", names.at);
}

static bool read_rule(struct mu_pack *p, size_t index, const json_t *rule, struct mu_error *err)
{
    struct mu_rule *r = &p->rules[index];
    r->id = mu_json_text(rule, "id");
    r->title = mu_json_text(rule, "title");
    r->severity = severity_names[WORD(severity_names, mu_json_text(rule, "severity"))];
    r->message = mu_json_text(rule, "message");
    r->mode = (enum mu_mode)WORD(mode_names, mu_json_text(rule, "mode"));
    if (!r->id || strcmp(r->id, "DQ.RECORD") == 0)
        return mu_reject(err, "invalid", "/id", "DQ.RECORD is the rule of bad records, which every pack has");
    for (size_t i = 0; i < index; i++)
        if (strcmp(p->rules[i].id, r->id) == 0)
            return mu_reject(err, "invalid", "/id", "rule %zu has the id \"%.60s\" too", i, r->id);
    return read_effective(r, rule, err) && read_coverage(r, rule, err) && read_check(r, rule, err);
}

static bool read_rules(struct mu_pack *p, struct mu_error *err)
{
    const json_t *rules = json_object_get(p->doc, "rules");
    const size_t count = json_array_size(rules);
    if (count < 1 || count > MU_RULES_MAX)
        return mu_reject(err, "invalid", "/rules", "%zu rules; 1 to %d are possible", count, MU_RULES_MAX);
    p->rules = room(count, sizeof(*p->rules), err);
    if (!p->rules)
        return false;
    for (size_t i = 0; i < count; i++) {
        char pointer[32];
        (void)snprintf(pointer, sizeof(pointer), "/rules/%zu", i);
        if (!read_rule(p, i, json_array_get(rules, i), err))
            return mu_under(err, pointer);
        p->rule_count++;
    }
    return true;
}

bool mu_pack_parse(struct mu_pack **out, struct mu_span bytes, struct mu_error *err)
{
    MU_AUTO(mu_pack_free) struct mu_pack *p = calloc(1, sizeof(*p));
    if (!p)
        return mu_fail(err, MU_BROKEN, "out of memory");
    if (!mu_json_parse(&p->doc, bytes, MU_PACK_BYTES_MAX, err) ||
        !mu_schema_check(mu_schema_builtin("pack"), p->doc, err))
        return false;
    p->name = mu_json_text(p->doc, "pack");
    p->version = mu_json_text(p->doc, "version");
    p->title = mu_json_text(p->doc, "title");
    p->digest = mu_digest_of(bytes);
    if (json_object_get(p->doc, "let"))
        return mu_reject(err, "invalid", "/let", "\"let\" comes with a later version");
    if (!read_columns(p, err) || !read_lists(p, err) || !read_params(p, err) || !read_identity(p, err) ||
        !read_rules(p, err))
        return false;
    *out = MU_GIVE(p);
    return true;
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
    json_decref(p->doc);
    free(p);
}
