/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pack_inside.h"

#include "base/clock.h"
#include "engine/rules/rules.h"

static const char *const mode_names[] = {"active", "shadow", "off"};
static const char *const severity_names[] = {"info", "low", "medium", "high", "critical"};

const char *pack_severity(const char *word)
{
    for (size_t i = 0; word && i < MU_COUNT(severity_names); i++)
        if (strcmp(severity_names[i], word) == 0)
            return severity_names[i];
    return severity_names[0];
}

static enum mu_mode mode_of(const char *word)
{
    for (size_t i = 0; word && i < MU_COUNT(mode_names); i++)
        if (strcmp(mode_names[i], word) == 0)
            return (enum mu_mode)i;
    return MU_MODE_ACTIVE;
}

static const char effective_example[] = "example: \"effective\": [\"2026-01-01\", null]";

/* A bound of `effective`: null is open. */
static bool read_day(const json_t *effective, size_t index, bool *has, int32_t *day, struct mu_error *err)
{
    static const char *const pointers[] = {"/effective/0", "/effective/1"};
    const json_t *bound = json_array_get(effective, index);
    *has = json_is_string(bound);
    if (*has && !mu_date_parse(mu_span(json_string_value(bound), json_string_length(bound)), day))
        return mu_reject(err, "invalid", pointers[index], "expected a day, found \"%.40s\"", json_string_value(bound)) ||
               mu_hint(err, "%s", effective_example);
    return true;
}

static bool read_effective(struct mu_rule *r, const json_t *rule, struct mu_error *err)
{
    const json_t *effective = json_object_get(rule, "effective");
    if (!read_day(effective, 0, &r->has_from, &r->effective_from, err) ||
        !read_day(effective, 1, &r->has_to, &r->effective_to, err))
        return false;
    if (r->has_from && r->has_to && r->effective_from >= r->effective_to)
        return mu_reject(err, "invalid", "/effective", "expected a first day before the end, which is not in it; found %.10s and %.10s",
                         json_string_value(json_array_get(json_object_get(rule, "effective"), 0)),
                         json_string_value(json_array_get(json_object_get(rule, "effective"), 1))) ||
               mu_hint(err, "%s", effective_example);
    return true;
}

/* A decimal from 0 to 1 under `key`; *text is NULL if there is none. */
static bool read_share(struct mu_decimal *out, const char **text, const json_t *rule, const char *key,
                       struct mu_error *err)
{
    const struct mu_decimal zero = {0, 0}, one = {1, 0};
    char pointer[32];
    *text = mu_json_text(rule, key);
    *out = one;
    if (*text && (!mu_decimal_parse(mu_span_of(*text), out) || mu_decimal_compare(*out, zero) < 0 ||
                  mu_decimal_compare(*out, one) > 0)) {
        (void)snprintf(pointer, sizeof(pointer), "/%s", key);
        (void)mu_reject(err, "invalid", pointer, "expected a decimal from 0 to 1, found \"%.40s\"", *text);
        return mu_hint(err, "example: \"%s\": \"0.99\"", key);
    }
    return true;
}

static bool read_shares(struct mu_rule *r, const json_t *rule, struct mu_error *err)
{
    if (!read_share(&r->min_coverage, &r->min_coverage_text, rule, "min_coverage", err) ||
        !read_share(&r->mostly, &r->mostly_text, rule, "mostly", err))
        return false;
    r->has_min_coverage = r->min_coverage_text != NULL;
    r->has_mostly = r->mostly_text != NULL;
    r->max_findings = mu_json_int(rule, "max_findings", 0);
    if (r->has_mostly && r->max_findings)
        return mu_reject(err, "invalid", "/max_findings", "a rule with \"mostly\" has one finding at most") ||
               mu_hint(err, "leave \"max_findings\" out: \"expr\": \"not is_missing(isin)\", \"mostly\": \"0.99\"");
    if (r->has_mostly && r->kind == MU_RULE_GROUP)
        return mu_reject(err, "invalid", "/mostly", "\"mostly\" is for rules that judge single records, this one judges groups") ||
               mu_hint(err, "example: \"expr\": \"not is_missing(isin)\", \"mostly\": \"0.99\"");
    return true;
}

bool pack_read_expr(const struct mu_expr **out, const struct mu_scope *scope, const json_t *rule, const char *key,
                    enum mu_type want, struct mu_error *err)
{
    const json_t *text = json_object_get(rule, key);
    char pointer[160];
    (void)snprintf(pointer, sizeof(pointer), "/%.100s", key);
    *out = NULL;
    return !text || mu_expr_parse(out, scope, mu_span(json_string_value(text), json_string_length(text)), want,
                                  pointer, err);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct mu_named_expr *)a)->name, ((const struct mu_named_expr *)b)->name);
}

bool pack_read_named(struct mu_named_expr *out, size_t *count, size_t max, const struct mu_scope *scope,
                     const json_t *object, const char *key, struct mu_error *err)
{
    json_t *named = json_object_get(object, key), *text;
    const char *name;
    char pointer[64];
    *count = 0;
    (void)snprintf(pointer, sizeof(pointer), "/%s", key);
    if (json_object_size(named) > max)
        return mu_reject(err, "invalid", pointer, "expected at most %zu names, found %zu", max, json_object_size(named)) ||
               mu_hint(err, "example: \"%s\": {\"total\": \"sum(amount)\"}", key);
    json_object_foreach(named, name, text)
    {
        const struct mu_expr *e;
        (void)text;
        if (!pack_read_expr(&e, scope, named, name, MU_TYPE_MISSING, err))
            return mu_under(err, pointer);
        out[(*count)++] = (struct mu_named_expr){name, e};
    }
    qsort(out, *count, sizeof(*out), by_name);
    return true;
}

static bool read_plugin(struct mu_pack *p, struct mu_rule *r, const json_t *rule, struct mu_error *err)
{
    r->check_name = mu_json_text(rule, "check");
    if (strcmp(r->check_name, "unique") == 0)
        return pack_read_unique(p, r, rule, err);
    r->kind = MU_RULE_CHECK;
    r->check = mu_check_find(mu_span_of(r->check_name));
    r->with = json_object_get(rule, "with");
    if (r->check)
        return true;
    MU_AUTO(mu_text_free) struct mu_text names = MU_TEXT(180);
    const struct mu_check *check;
    for (size_t i = 0; (check = mu_check_at(i)); i++)
        mu_text_addf(&names, "%s ", check->name);
    mu_text_puts(&names, "unique");
    (void)mu_reject(err, "invalid", "/check", "there is no check \"%.40s\"", r->check_name);
    return names.failed ? false : mu_hint(err, "checks: %s", names.at);
}

static bool read_row_rule(struct mu_rule *r, const struct mu_scope *scope, const json_t *rule, struct mu_error *err)
{
    r->kind = MU_RULE_EXPR;
    r->check = &mu_rule_expr;
    r->check_name = r->check->name;
    r->expr_text = mu_json_text(rule, "expr");
    return pack_read_expr(&r->expr, scope, rule, "expr", MU_TYPE_BOOL, err);
}

static bool only_one_kind(const json_t *rule, struct mu_error *err)
{
    static const char *const kinds[] = {"expr", "having", "value", "check"};
    const char *first = NULL;
    char pointer[32];
    for (size_t i = 0; i < MU_COUNT(kinds); i++) {
        if (!json_object_get(rule, kinds[i]))
            continue;
        (void)snprintf(pointer, sizeof(pointer), "/%s", kinds[i]);
        if (first)
            return mu_reject(err, "invalid", pointer, "expected one of expr, having, value and check, found \"%s\" beside \"%s\"",
                             kinds[i], first) ||
                   mu_hint(err, "make two rules of it, or leave one out; example: \"expr\": \"isin_valid(isin)\"");
        first = kinds[i];
    }
    if (first)
        return true;
    (void)mu_reject(err, "invalid", "", "expected one of expr, having, value and check, found none");
    return mu_hint(err, "example: \"expr\": \"isin_valid(isin)\"");
}

/* Keys that mean nothing for the kind of rule at hand. */
static bool no_strays(const struct mu_rule *r, const json_t *rule, struct mu_error *err)
{
    static const struct {
        const char *key, *for_what, *example;
        bool group, check, value_only;
    } keys[] = {{"group_by", "a rule with having or value", "\"group_by\": {\"isin\": \"isin\"}, \"having\": \"count() > 1\"",
                 true, false, false},
                {"window", "a rule with having or value",
                 "\"group_by\": {\"day\": \"day\"}, \"having\": \"count() > 1\", \"window\": {\"on\": \"day\", \"size\": \"7d\"}",
                 true, false, false},
                {"bands", "a rule with value",
                 "\"value\": \"count()\", \"bands\": [{\"lt\": \"20\", \"outcome\": \"pass\"}, {\"outcome\": \"fail\"}]", true,
                 false, true},
                {"with", "a rule with check", "\"check\": \"isin\", \"with\": {\"column\": \"isin\"}", false, true, false}};
    char pointer[32];
    for (size_t i = 0; i < MU_COUNT(keys); i++) {
        const bool fits = (keys[i].group && r->kind == MU_RULE_GROUP && !json_object_get(rule, "check") &&
                           (!keys[i].value_only || json_object_get(rule, "value"))) ||
                          (keys[i].check && json_object_get(rule, "check"));
        if (fits || !json_object_get(rule, keys[i].key))
            continue;
        (void)snprintf(pointer, sizeof(pointer), "/%s", keys[i].key);
        (void)mu_reject(err, "invalid", pointer, "\"%s\" is for %s, which this one is not", keys[i].key, keys[i].for_what);
        return mu_hint(err, "example: %s", keys[i].example);
    }
    return true;
}

static bool read_kind(struct mu_pack *p, struct mu_rule *r, const struct mu_scope *row, const json_t *rule,
                      struct mu_error *err)
{
    if (!only_one_kind(rule, err))
        return false;
    if (json_object_get(rule, "check"))
        return read_plugin(p, r, rule, err);
    return json_object_get(rule, "expr") ? read_row_rule(r, row, rule, err) : pack_read_group(p, r, rule, err);
}

/* Of a group rule it is about the group. */
static bool read_evidence(struct mu_pack *p, struct mu_rule *r, const struct mu_scope *row, const json_t *rule,
                          struct mu_error *err)
{
    struct mu_scope scope = *row;
    if (r->kind == MU_RULE_GROUP) {
        scope.columns = scope.lets = false;
        scope.keys = r->group->keys;
        scope.key_count = r->group->key_count;
        scope.aggregates = &r->group->aggregates;
    }
    r->evidence = mu_pool_get(p->pool, MU_EVIDENCE_MAX * sizeof(*r->evidence));
    return r->evidence ? pack_read_named(r->evidence, &r->evidence_count, MU_EVIDENCE_MAX, &scope, rule, "evidence", err)
                       : pack_no_memory(err);
}

static bool is_named(const struct mu_pack *p, const struct mu_rule *r, struct mu_span name)
{
    for (size_t i = 0; i < r->evidence_count; i++)
        if (mu_span_is(name, r->evidence[i].name))
            return true;
    for (size_t i = 0; r->group && i < r->group->key_count; i++)
        if (mu_span_is(name, r->group->keys[i].name))
            return true;
    for (size_t i = 0; i < p->param_count; i++)
        if (mu_span_is(name, p->params[i].name))
            return true;
    return r->kind != MU_RULE_GROUP && mu_pack_column(p, name) >= 0;
}

/* What stands in braces in a message must be known: a typing error would be seen by nobody until a finding has it. */
static bool check_message(const struct mu_pack *p, const struct mu_rule *r, struct mu_error *err)
{
    for (const char *at = r->message ? strchr(r->message, '{') : NULL; at; at = strchr(at + 1, '{')) {
        const char *end = strchr(at, '}');
        const struct mu_span name = mu_span(at + 1, end ? (size_t)(end - at - 1) : 0);
        if (!end || is_named(p, r, name))
            continue;
        (void)mu_reject(err, "invalid", "/message", "{%.*s} is no %s", (int)(name.len < 60 ? name.len : 60), name.at,
                        r->group ? "key, evidence or parameter" : "column, evidence or parameter");
        return mu_hint(err, "example: \"evidence\": {\"total\": \"sum(amount)\"}, \"message\": \"total {total}\"");
    }
    return true;
}

bool pack_read_rule(struct mu_pack *p, size_t index, const json_t *rule, struct mu_error *err)
{
    const struct mu_scope row = {.pool = p->pool, .pack = p, .columns = true, .lets = true};
    struct mu_rule *r = &p->rules[index];
    r->document = rule;
    r->id = mu_json_text(rule, "id");
    r->title = mu_json_text(rule, "title");
    r->severity = pack_severity(mu_json_text(rule, "severity"));
    r->message = mu_json_text(rule, "message");
    r->mode = mode_of(mu_json_text(rule, "mode"));
    if (!r->id || strcmp(r->id, "DQ.RECORD") == 0)
        return mu_reject(err, "invalid", "/id", "expected an id of its own, found DQ.RECORD, the rule of bad records that every pack has") ||
               mu_hint(err, "example: \"id\": \"DQ.RECORD.COMPLETE\"");
    for (size_t i = 0; i < index; i++)
        if (p->rules[i].id && strcmp(p->rules[i].id, r->id) == 0)
            return mu_reject(err, "invalid", "/id", "expected an id of its own, found \"%.60s\", which rule %zu has too", r->id, i) ||
                   mu_hint(err, "example: \"id\": \"%.60s.2\"", r->id);
    return read_effective(r, rule, err) && pack_read_expr(&r->where, &row, rule, "where", MU_TYPE_BOOL, err) &&
           read_kind(p, r, &row, rule, err) && no_strays(r, rule, err) && read_shares(r, rule, err) &&
           read_evidence(p, r, &row, rule, err) && check_message(p, r, err);
}
