/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pack_inside.h"

#include "engine/rules/rules.h"

#define WINDOW_MAX 36600 /* days, or steps of a number */

static bool read_keys(struct mu_pack *p, struct mu_group_rule *g, const json_t *rule, struct mu_error *err)
{
    const struct mu_scope row = {.pool = p->pool, .pack = p, .columns = true, .lets = true};
    if (!pack_read_named(g->keys, &g->key_count, MU_GROUP_KEYS_MAX, &row, rule, "group_by", err))
        return false;
    for (size_t i = 0; i < g->key_count; i++) {
        char pointer[100];
        const enum mu_type type = g->keys[i].expr->type;
        if (type != MU_TYPE_MISSING && type != MU_TYPE_DURATION)
            continue;
        (void)snprintf(pointer, sizeof(pointer), "/group_by/%.64s", g->keys[i].name);
        return mu_reject(err, "invalid", pointer, "expected text, decimal, date, timestamp or bool, found %s",
                         mu_type_name(type)) ||
               mu_hint(err, "example: \"group_by\": {\"day\": \"date_of(ts, 'us')\", \"person\": \"person\"}");
    }
    return true;
}

static enum mu_verdict verdict_of(const char *word)
{
    if (word && strcmp(word, "pass") == 0)
        return MU_V_PASS;
    return word && strcmp(word, "warn") == 0 ? MU_V_WARN : MU_V_FAIL;
}

static bool wrong_band(size_t index, const char *what, struct mu_error *err)
{
    char pointer[40];
    (void)snprintf(pointer, sizeof(pointer), "/bands/%zu", index);
    (void)mu_reject(err, "invalid", pointer, "%s", what);
    return mu_hint(err, "example: \"bands\": [{\"lt\": \"20\", \"outcome\": \"pass\"}, {\"lt\": \"50\", \"outcome\": "
                        "\"warn\"}, {\"outcome\": \"fail\"}]");
}

static bool read_bands(struct mu_group_rule *g, const json_t *rule, struct mu_error *err)
{
    const json_t *bands = json_object_get(rule, "bands");
    const size_t count = json_array_size(bands);
    if (count < 2 || count > MU_BANDS_MAX)
        return wrong_band(0, "expected 2 to 16 bands beside \"value\"", err);
    for (size_t i = 0; i < count; i++) {
        const json_t *band = json_array_get(bands, i);
        const char *lt = mu_json_text(band, "lt"), *severity = mu_json_text(band, "severity");
        struct mu_band *b = &g->bands[i];
        *b = (struct mu_band){.has_bound = lt != NULL,
                              .verdict = verdict_of(mu_json_text(band, "outcome")),
                              .severity = severity ? pack_severity(severity) : NULL};
        if (b->has_bound != (i + 1 < count))
            return wrong_band(i, b->has_bound ? "expected no \"lt\" in the last band: it takes the rest"
                                              : "expected \"lt\" in all bands but the last", err);
        if (b->has_bound && !mu_decimal_parse(mu_span_of(lt), &b->below))
            return wrong_band(i, "expected a decimal in \"lt\"", err);
        if (i && b->has_bound && mu_decimal_compare(g->bands[i - 1].below, b->below) >= 0)
            return wrong_band(i, "expected bounds that rise from band to band", err);
    }
    g->band_count = count;
    return true;
}

static bool wrong_window(struct mu_error *err, const char *pointer, const char *what)
{
    (void)mu_reject(err, "invalid", pointer, "%s", what);
    return mu_hint(err, "example: \"group_by\": {\"day\": \"date_of(ts, 'us')\", \"person\": \"person\"}, "
                        "\"window\": {\"on\": \"day\", \"size\": \"30d\"}");
}

static bool read_window(struct mu_pack *p, struct mu_group_rule *g, const json_t *rule, struct mu_error *err)
{
    const json_t *window = json_object_get(rule, "window");
    const char *on = mu_json_text(window, "on"), *emit = mu_json_text(window, "emit");
    struct mu_span size = mu_json_span(window, "size");
    if (!window)
        return true;
    while (on && g->window_key < g->key_count && strcmp(g->keys[g->window_key].name, on) != 0)
        g->window_key++;
    if (!on || g->window_key == g->key_count)
        return wrong_window(err, "/window/on",
                            on && mu_pack_column(p, mu_span_of(on)) >= 0
                                ? "expected a key of the group; windows over the times of single records come with a later version"
                                : "expected a key of the group");
    const enum mu_type type = g->keys[g->window_key].expr->type;
    if (type != MU_TYPE_DATE && type != MU_TYPE_DECIMAL)
        return wrong_window(err, "/window/on", "expected a key that is a date or a whole number");
    if (type == MU_TYPE_DATE && size.len && size.at[size.len - 1] == 'd')
        size.len--;
    else if (type == MU_TYPE_DATE)
        return wrong_window(err, "/window/size", "expected a number of days, like \"30d\"");
    if (!mu_parse_i64(size, 1, WINDOW_MAX, &g->window_size))
        return wrong_window(err, "/window/size", "expected a whole number from 1 to 36600, like \"30d\" for days or \"7\"");
    g->has_window = true;
    g->window_runs = emit && strcmp(emit, "runs") == 0;
    return true;
}

static bool begin_group(struct mu_pack *p, struct mu_rule *r, struct mu_error *err)
{
    r->kind = MU_RULE_GROUP;
    r->check = &mu_rule_group;
    r->group = mu_pool_get(p->pool, sizeof(*r->group));
    return r->group || pack_no_memory(err);
}

static struct mu_scope about_groups(struct mu_pack *p, struct mu_rule *r)
{
    return (struct mu_scope){.pool = p->pool,
                             .pack = p,
                             .keys = r->group->keys,
                             .key_count = r->group->key_count,
                             .aggregates = &r->group->aggregates};
}

bool pack_read_group(struct mu_pack *p, struct mu_rule *r, const json_t *rule, struct mu_error *err)
{
    if (!begin_group(p, r, err) || !read_keys(p, r->group, rule, err))
        return false;
    struct mu_group_rule *g = r->group;
    const struct mu_scope scope = about_groups(p, r);
    r->check_name = r->check->name;
    if (!pack_read_expr(&g->having, &scope, rule, "having", MU_TYPE_BOOL, err) ||
        !pack_read_expr(&g->value, &scope, rule, "value", MU_TYPE_DECIMAL, err))
        return false;
    g->judged_count = g->aggregates.count;
    return (!g->value || read_bands(g, rule, err)) && read_window(p, g, rule, err);
}

/* {"columns": [..]}: keys are the columns, and a finding is what occurs more than once. */
bool pack_read_unique(struct mu_pack *p, struct mu_rule *r, const json_t *rule, struct mu_error *err)
{
    static const char example[] = "example: \"check\": \"unique\", \"with\": {\"columns\": [\"trade_id\"]}";
    const json_t *with = json_object_get(rule, "with"), *columns = json_object_get(with, "columns");
    MU_AUTO(mu_json_free) json_t *keys = json_object();
    if (!keys || !begin_group(p, r, err))
        return pack_no_memory(err);
    if (json_object_size(with) != 1 || json_array_size(columns) < 1 || json_array_size(columns) > MU_GROUP_KEYS_MAX) {
        (void)mu_reject(err, "invalid", "/with", "expected 1 to %d columns and nothing else", MU_GROUP_KEYS_MAX);
        return mu_hint(err, "%s", example);
    }
    for (size_t i = 0; i < json_array_size(columns); i++) {
        const char *name = json_string_value(json_array_get(columns, i));
        char pointer[48];
        (void)snprintf(pointer, sizeof(pointer), "/with/columns/%zu", i);
        const int column = name ? mu_pack_column(p, mu_span_of(name)) : -1;
        if (column < 0 || json_object_get(keys, name)) {
            (void)mu_reject(err, "invalid", pointer, "expected a column of the pack, once");
            return mu_hint(err, "%s", example);
        }
        json_object_set_new(keys, p->columns[column].name, json_string(name));
    }
    /* the document's own texts, which live as long as the pack */
    for (size_t i = 0; i < json_array_size(columns); i++) {
        const char *name = json_string_value(json_array_get(columns, i));
        const struct mu_scope row = {.pool = p->pool, .pack = p, .columns = true};
        struct mu_named_expr made = {.name = name};
        size_t at = r->group->key_count++;
        if (!mu_expr_parse(&made.expr, &row, mu_span_of(name), MU_TYPE_MISSING, "/with/columns", err))
            return false;
        for (; at > 0 && strcmp(r->group->keys[at - 1].name, name) > 0; at--)
            r->group->keys[at] = r->group->keys[at - 1];
        r->group->keys[at] = made;
    }
    const struct mu_scope scope = about_groups(p, r);
    if (!mu_expr_parse(&r->group->having, &scope, mu_span_of("count() > 1"), MU_TYPE_BOOL, "", err))
        return false;
    r->group->judged_count = r->group->aggregates.count;
    return true;
}
