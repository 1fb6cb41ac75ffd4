/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ready.h"

#include "engine/expr/link.h"
#include "engine/rules/rules.h"
#include "engine/uses.h"

#define POOL_CEILING ((size_t)256 << 20)

static int ask_column(struct mu_env *env, const char *name)
{
    const struct ready_asking *asking = env->engine;
    const int column = mu_pack_column(asking->ready->pack, mu_span_of(name));
    if (column >= 0 && asking->columns)
        asking->columns[column] = true;
    return column;
}

static const struct mu_list_data *ask_list(struct mu_env *env, const char *alias)
{
    const struct ready_asking *asking = env->engine;
    const struct mu_pack *pack = asking->ready->pack;
    for (size_t i = 0; i < pack->list_count; i++) {
        if (strcmp(pack->lists[i].alias, alias) != 0)
            continue;
        if (asking->lists)
            asking->lists[i] = true;
        return asking->ready->lists[i];
    }
    return NULL;
}

static struct mu_env env_of(const struct ready_asking *asking, struct mu_pool *pool)
{
    return (struct mu_env){.pool = pool,
                           .as_of = asking->ready->as_of,
                           .column = ask_column,
                           .list = ask_list,
                           .engine = (void *)(uintptr_t)asking};
}

struct mu_env ready_env(const struct mu_ready *ready, struct mu_pool *pool)
{
    return env_of(&ready->quiet, pool);
}

static bool no_memory(struct mu_error *err)
{
    return mu_fail(err, MU_BROKEN, "no memory left for the rules of the pack");
}

static struct mu_digest params_digest_of(const json_t *params)
{
    MU_AUTO(mu_text_free) struct mu_text text = MU_TEXT(0);
    if (params && json_object_size(params))
        mu_json_write_canonical(&text, params);
    else
        mu_text_puts(&text, "{}");
    return mu_digest_of(mu_text_span(&text));
}

static void add_digest(struct mu_sha *sha, const struct mu_digest *d)
{
    mu_sha_member(sha, mu_span((const char *)d->b, sizeof(d->b)));
}

/* The key is a digest over all that rules are made of; lists in the order of their aliases. */
static void begin_key(struct mu_sha *sha, const struct mu_digest *pack, const struct mu_digest *params,
                      int32_t as_of)
{
    const int64_t day = as_of;
    char text[24];
    mu_sha_init(sha);
    add_digest(sha, pack);
    add_digest(sha, params);
    (void)snprintf(text, sizeof(text), "%lld", (long long)day);
    mu_sha_member(sha, mu_span_of(text));
}

/* The alias that follows `last` in the order of bytes; NULL if it was the last. */
static const char *following(const char *best, const char *candidate, const char *last)
{
    if (last && strcmp(candidate, last) <= 0)
        return best;
    return !best || strcmp(candidate, best) < 0 ? candidate : best;
}

static struct mu_digest key_of(const struct mu_ready *r)
{
    struct mu_sha sha;
    begin_key(&sha, &r->pack->digest, &r->params_digest, r->as_of);
    const char *last = NULL, *next;
    for (;; last = next) {
        size_t at = 0;
        next = NULL;
        for (size_t i = 0; i < r->pack->list_count; i++)
            next = following(next, r->pack->lists[i].alias, last);
        if (!next)
            return mu_sha_end(&sha);
        while (strcmp(r->pack->lists[at].alias, next) != 0)
            at++;
        char hex[MU_DIGEST_HEX];
        mu_digest_format(mu_list_digest(r->lists[at]), hex);
        mu_sha_member(&sha, mu_span_of(next));
        mu_sha_member(&sha, mu_span_of(hex));
    }
}

static const struct mu_param *find_param(const struct mu_pack *pack, const char *name)
{
    for (size_t i = 0; i < pack->param_count; i++)
        if (strcmp(pack->params[i].name, name) == 0)
            return &pack->params[i];
    return NULL;
}

static bool wrong_param(const struct mu_param *param, const json_t *value, const char *pointer, struct mu_error *err)
{
    const char *text = json_string_value(value);
    if (text)
        mu_reject(err, "invalid", pointer, "expected a %s, found \"%.60s\"", mu_type_name(param->type), text);
    else
        mu_reject(err, "invalid", pointer, "expected a %s as a text, found a value that is none", mu_type_name(param->type));
    return mu_hint(err, "example: \"%.60s\": \"%s\"", param->name, mu_type_example(param->type));
}

static bool unknown_param(const struct mu_pack *pack, const char *name, const char *pointer, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text known = MU_TEXT(150);
    for (size_t i = 0; i < pack->param_count; i++)
        mu_text_addf(&known, " %s", pack->params[i].name);
    mu_reject(err, "invalid", pointer, "the pack has no parameter \"%.60s\"", name);
    return mu_hint(err, "parameters:%s%s", known.len ? known.at : " none", known.failed ? " …" : "");
}

static bool settle_params(struct mu_ready *r, const json_t *given, struct mu_error *err)
{
    const char *name;
    json_t *value;
    char pointer[160];
    r->params = json_object();
    if (!r->params)
        return no_memory(err);
    json_object_foreach((json_t *)(uintptr_t)given, name, value)
    {
        const struct mu_param *param = find_param(r->pack, name);
        (void)snprintf(pointer, sizeof(pointer), "/params/%.100s", name);
        if (!param)
            return unknown_param(r->pack, name, pointer, err);
        struct mu_xvalue parsed;
        if (!json_is_string(value) ||
            !mu_xvalue_parse(param->type, mu_span(json_string_value(value), json_string_length(value)), &parsed))
            return wrong_param(param, value, pointer, err);
        json_object_set_new(r->params, name, json_stringn(json_string_value(value), json_string_length(value)));
    }
    for (size_t i = 0; i < r->pack->param_count; i++) {
        const struct mu_param *param = &r->pack->params[i];
        if (json_object_get(r->params, param->name))
            continue;
        (void)snprintf(pointer, sizeof(pointer), "/params/%.100s", param->name);
        if (!param->otherwise) {
            mu_reject(err, "invalid", pointer, "the pack asks for the parameter \"%.60s\", a %s", param->name,
                      mu_type_name(param->type));
            return mu_hint(err, "example: \"params\": {\"%.60s\": \"%s\"}", param->name, mu_type_example(param->type));
        }
        json_object_set_new(r->params, param->name, json_string(param->otherwise));
    }
    for (size_t i = 0; i < r->pack->param_count; i++) {
        const struct mu_param *param = &r->pack->params[i];
        const json_t *text = json_object_get(r->params, param->name);
        if (!mu_xvalue_parse(param->type, mu_span(json_string_value(text), json_string_length(text)), &r->values[i]))
            return mu_fail(err, MU_BROKEN, "parameter %s has lost its value", param->name);
    }
    return true;
}

/* A value ":name" of `with` stands for the pack's parameter of that name. */
static json_t *put_params_in(const struct mu_ready *r, const json_t *with)
{
    json_t *out = with ? json_deep_copy(with) : json_object(), *value;
    const char *key;
    json_object_foreach(out, key, value)
    {
        const char *text = json_string_value(value);
        json_t *param = text && text[0] == ':' ? json_object_get(r->params, text + 1) : NULL;
        if (param)
            json_object_set(out, key, param);
    }
    return out;
}

static bool in_force(const struct mu_rule *rule, int32_t as_of)
{
    return rule->mode != MU_MODE_OFF && (!rule->has_from || as_of >= rule->effective_from) &&
           (!rule->has_to || as_of < rule->effective_to);
}

static bool write_head(struct mu_ready *r, struct ready_rule *rr, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text text = MU_TEXT(0);
    mu_json_put_text(&text, "rule", rr->rule->id);
    mu_json_put_text(&text, "severity", rr->rule->severity);
    rr->head = mu_pool_text(r->pool, mu_text_span(&text));
    if (rr->rule->mode != MU_MODE_ACTIVE)
        mu_json_put_text(&text, "mode", rr->rule->mode == MU_MODE_SHADOW ? "shadow" : "off");
    if (!rr->runs && rr->rule->mode != MU_MODE_OFF)
        mu_json_put_text(&text, "reason", "not effective");
    if (rr->rule->min_coverage_text)
        mu_json_put_text(&text, "min_coverage", rr->rule->min_coverage_text);
    if (rr->rule->kind == MU_RULE_GROUP || rr->rule->has_mostly)
        mu_json_put_text(&text, "per", rr->rule->kind == MU_RULE_GROUP ? "group" : "rule");
    rr->tally_head = mu_pool_text(r->pool, mu_text_span(&text));
    mu_text_reset(&text);
    mu_text_putc(&text, '{');
    for (size_t i = 0; i < rr->list_count; i++) {
        const struct mu_list_data *list = r->lists[rr->lists[i]];
        char hex[MU_DIGEST_HEX], pin[300];
        mu_digest_format(mu_list_digest(list), hex);
        (void)snprintf(pin, sizeof(pin), "%.90s@%.60s sha256:%s", mu_list_name(list), mu_list_version(list),
                       hex);
        mu_json_put_text(&text, r->pack->lists[rr->lists[i]].alias, pin);
    }
    mu_text_putc(&text, '}');
    rr->lists_json = rr->list_count ? mu_pool_text(r->pool, mu_text_span(&text)) : NULL;
    if (!rr->head || (rr->list_count && !rr->lists_json))
        return no_memory(err);
    return mu_text_ok(&text, err);
}

static enum mu_mask stricter(enum mu_mask a, enum mu_mask b)
{
    static const int rank[] = {[MU_MASK_NONE] = 0, [MU_MASK_LAST4] = 1, [MU_MASK_HASH] = 2, [MU_MASK_DROP] = 3};
    return rank[a] >= rank[b] ? a : b;
}

/* How a computed value may be told. Truth and counts give nothing of a value away. */
static enum mu_mask mask_of(const struct mu_ready *r, const struct mu_rule *rule, const struct mu_expr *e)
{
    enum mu_mask mask = MU_MASK_NONE;
    const struct mu_expr *parts = e->first;
    if (e->type == MU_TYPE_BOOL)
        return mask;
    switch (e->kind) {
    case MU_EXPR_COLUMN:
        return r->pack->columns[e->index].mask;
    case MU_EXPR_LET:
        return mask_of(r, rule, r->pack->lets[e->index].expr);
    case MU_EXPR_KEY:
        return mask_of(r, rule, rule->group->keys[e->index].expr);
    case MU_EXPR_AGGREGATE:
        if (rule->group->aggregates.items[e->index].fn->aggregate < MU_AGG_SUM)
            return mask;
        parts = rule->group->aggregates.items[e->index].args;
        break;
    case MU_EXPR_CONSTANT:
    case MU_EXPR_PARAM:
    case MU_EXPR_CALL:
    case MU_EXPR_WORD:
        break;
    }
    for (; parts; parts = parts->next)
        mask = stricter(mask, mask_of(r, rule, parts));
    return mask;
}

static bool note_evidence(struct mu_ready *r, struct ready_rule *rr, struct mu_uses *uses, struct mu_error *err)
{
    const struct mu_pack *pack = r->pack;
    rr->columns = mu_pool_get(r->pool, sizeof(*rr->columns) * (pack->column_count + 1));
    rr->lists = mu_pool_get(r->pool, sizeof(*rr->lists) * (pack->list_count + 1));
    if (!rr->columns || !rr->lists)
        return no_memory(err);
    for (size_t i = 0; i < pack->column_count; i++) {
        if (!uses->columns[i])
            continue;
        rr->columns[rr->column_count++] = (int)i;
        rr->masked |= pack->columns[i].mask != MU_MASK_NONE;
        r->wanted[i] |= rr->runs;
        if (rr->rule->kind == MU_RULE_CHECK && (pack->columns[i].type != MU_TYPE_TEXT || pack->columns[i].empty_is_value))
            r->typed[i] = r->any_typed = true;
    }
    for (size_t i = 0; i < pack->list_count; i++)
        if (uses->lists[i])
            rr->lists[rr->list_count++] = i;
    return write_head(r, rr, err);
}

/* A plugin notes what it reads by asking for it. */
static bool configure_plugin(struct mu_ready *r, size_t index, struct ready_rule *rr, struct mu_uses *uses,
                             struct mu_error *err)
{
    struct ready_asking asking = {r, uses->columns, uses->lists};
    struct mu_env env = env_of(&asking, r->pool);
    void *conf = NULL;
    if (!(r->withs[index] = put_params_in(r, rr->rule->with)))
        return no_memory(err);
    if (!rr->rule->check->configure(&conf, &env, r->withs[index], err)) {
        mu_hint(err, "example: \"check\": \"%s\", \"with\": %s", rr->rule->check->name, rr->rule->check->example);
        return mu_under(err, "/with");
    }
    rr->conf = conf;
    return true;
}

static bool configure_expr(struct mu_ready *r, struct mu_linker *l, struct ready_rule *rr, struct mu_error *err)
{
    struct mu_expr_conf *conf = mu_pool_get(r->pool, sizeof(*conf));
    if (!conf)
        return no_memory(err);
    rr->conf = conf;
    if (!mu_link(&conf->expr, l, rr->rule->expr, "/expr", err))
        return false;
    rr->expr = conf->expr;
    return true;
}

static bool configure_group(struct mu_ready *r, struct mu_linker *l, struct ready_rule *rr, struct mu_error *err)
{
    const struct mu_group_rule *g = rr->rule->group;
    struct mu_group_conf *conf = mu_pool_get(r->pool, sizeof(*conf));
    if (!conf)
        return no_memory(err);
    *conf = (struct mu_group_conf){.rule = g, .state_max = r->group_state_max};
    for (size_t i = 0; i < g->key_count; i++) {
        if (!mu_link(&conf->keys[i], l, g->keys[i].expr, "/group_by", err))
            return false;
        rr->key_masks[i] = mask_of(r, rr->rule, g->keys[i].expr);
        conf->masked |= rr->key_masks[i] != MU_MASK_NONE;
    }
    for (size_t i = 0; i < g->aggregates.count; i++) {
        size_t k = 0;
        for (const struct mu_expr *a = g->aggregates.items[i].args; a; a = a->next)
            if (!mu_link(&conf->operands[i][k++], l, a, g->having ? "/having" : "/value", err))
                return false;
    }
    rr->conf = conf;
    return (!g->having || mu_link(&conf->having, l, g->having, "/having", err)) &&
           (!g->value || mu_link(&conf->value, l, g->value, "/value", err));
}

static bool configure_kind(struct mu_ready *r, struct mu_linker *l, size_t index, struct ready_rule *rr,
                           struct mu_uses *uses, struct mu_error *err)
{
    switch (rr->rule->kind) {
    case MU_RULE_CHECK:
        return configure_plugin(r, index, rr, uses, err);
    case MU_RULE_EXPR:
        return configure_expr(r, l, rr, err);
    case MU_RULE_GROUP:
        return configure_group(r, l, rr, err);
    }
    return false;
}

static bool configure_evidence(struct mu_ready *r, struct mu_linker *l, struct ready_rule *rr, struct mu_error *err)
{
    const struct mu_rule *rule = rr->rule;
    rr->evidence = mu_pool_get(r->pool, (rule->evidence_count + 1) * sizeof(*rr->evidence));
    rr->evidence_masks = mu_pool_get(r->pool, (rule->evidence_count + 1) * sizeof(*rr->evidence_masks));
    if (!rr->evidence || !rr->evidence_masks)
        return no_memory(err);
    for (size_t i = 0; i < rule->evidence_count; i++) {
        const struct mu_expr *e = rule->evidence[i].expr;
        char pointer[100];
        (void)snprintf(pointer, sizeof(pointer), "/evidence/%.64s", rule->evidence[i].name);
        if (!mu_link(&rr->evidence[i], l, e, pointer, err))
            return false;
        rr->evidence_masks[i] = mask_of(r, rule, e);
    }
    return true;
}

static bool configure(struct mu_ready *r, struct mu_linker *l, size_t index, struct mu_error *err)
{
    const struct mu_rule *rule = &r->pack->rules[index];
    MU_AUTO(mu_uses_fini) struct mu_uses uses = {0};
    char pointer[48];
    (void)snprintf(pointer, sizeof(pointer), "/rules/%zu", index);
    if (!mu_uses_init(&uses, r->pack, err))
        return false;
    mu_uses_add(&uses, r->pack, rule);
    struct ready_rule *rr = &r->rules[r->rule_count++];
    *rr = (struct ready_rule){.rule = rule, .runs = in_force(rule, r->as_of)};
    if ((rule->where && !mu_link(&rr->where, l, rule->where, "/where", err)) ||
        !configure_kind(r, l, index, rr, &uses, err) || !configure_evidence(r, l, rr, err)) {
        mu_hint(err, "the list that the pack names has to fit; example: \"lists\": {\"ccy\": \"iso4217\"}, "
                     "\"expr\": \"in_list(currency, 'ccy')\"");
        return mu_under(err, pointer);
    }
    return note_evidence(r, rr, &uses, err);
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct ready_rule *)a)->rule->id, ((const struct ready_rule *)b)->rule->id);
}

static bool get_memory(struct mu_ready *r)
{
    const struct mu_pack *pack = r->pack;
    r->pool = mu_pool_new(POOL_CEILING);
    if (!r->pool)
        return false;
    r->withs = mu_pool_get(r->pool, sizeof(json_t *) * (pack->rule_count + 1));
    r->rules = mu_pool_get(r->pool, sizeof(*r->rules) * (pack->rule_count + 1));
    r->column_names = mu_pool_get(r->pool, sizeof(char *) * (pack->column_count + 1));
    r->wanted = mu_pool_get(r->pool, pack->column_count + 1);
    r->typed = mu_pool_get(r->pool, pack->column_count + 1);
    r->values = mu_pool_get(r->pool, sizeof(*r->values) * (pack->param_count + 1));
    r->identity = mu_pool_get(r->pool, sizeof(*r->identity) * (pack->identity_count + 1));
    return r->withs && r->rules && r->column_names && r->wanted && r->typed && r->values && r->identity;
}

static void note_columns(struct mu_ready *r)
{
    for (size_t i = 0; i < r->pack->identity_count; i++) {
        r->identity[i] = (size_t)mu_pack_column(r->pack, mu_span_of(r->pack->identity[i]));
        r->wanted[r->identity[i]] = true;
    }
    for (size_t i = 0; i < r->pack->column_count; i++)
        r->column_names[i] = r->pack->columns[i].name;
}

static bool configure_all(struct mu_ready *r, struct mu_error *err)
{
    struct mu_env env = ready_env(r, r->pool);
    const struct mu_link_setup setup = {r->pack, r->lists, r->values, &env};
    MU_AUTO(mu_linker_free) struct mu_linker *l = NULL;
    if (!mu_linker_new(&l, &setup, err))
        return false;
    for (size_t i = 0; i < r->pack->rule_count; i++)
        if (!configure(r, l, i, err))
            return false;
    r->slots = mu_linker_slots(l);
    return true;
}

bool mu_ready_new(struct mu_ready **out, const struct mu_ready_setup *setup, struct mu_error *err)
{
    MU_AUTO(mu_ready_free) struct mu_ready *r = calloc(1, sizeof(*r));
    if (!r)
        return no_memory(err);
    r->pack = setup->pack;
    r->lists = setup->lists;
    r->as_of = setup->as_of;
    r->group_state_max = setup->group_state_max ? setup->group_state_max : MU_GROUP_STATE_MAX;
    r->quiet.ready = r;
    r->params_digest = params_digest_of(setup->params);
    if (!get_memory(r))
        return no_memory(err);
    if (!settle_params(r, setup->params, err))
        return false;
    if (!configure_all(r, err))
        return false;
    qsort(r->rules, r->rule_count, sizeof(*r->rules), by_id);
    note_columns(r);
    r->digest = key_of(r);
    *out = MU_GIVE(r);
    return true;
}

const struct mu_digest *mu_ready_digest(const struct mu_ready *ready)
{
    return &ready->digest;
}

bool mu_ready_is_whole(const struct mu_ready *ready)
{
    return mu_pack_is_whole(ready->pack);
}

void mu_ready_free(struct mu_ready *ready)
{
    if (!ready)
        return;
    for (size_t i = 0; ready->withs && i < ready->pack->rule_count; i++)
        json_decref(ready->withs[i]);
    json_decref(ready->params);
    mu_pool_free(ready->pool);
    free(ready);
}
