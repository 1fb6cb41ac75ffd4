/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/rules/groups.h"

#include "engine/rules/hash.h"

#define GROUP_BYTES 64 /* what a group counts for beside its key, samples and totals */
#define TOTAL_BYTES 64

static bool no_memory(struct mu_error *err)
{
    return mu_fail(err, MU_BROKEN, "no memory left for the groups of a rule");
}

bool mu_groups_init(struct mu_groups *g, const struct mu_group_rule *rule, struct mu_pool *pool, int64_t *bytes,
                    struct mu_error *err)
{
    *g = (struct mu_groups){.rule = rule, .pool = pool, .room = 64, .bytes = bytes};
    g->slots = mu_pool_get(pool, g->room * sizeof(struct mu_group *));
    return g->slots || no_memory(err);
}

struct mu_group *mu_group_new(const struct mu_group_rule *rule, struct mu_pool *pool)
{
    return mu_pool_get(pool, sizeof(struct mu_group) + rule->aggregates.count * sizeof(struct mu_total));
}

/* The old table stays in the pool: all tables together take twice the last one. */
static bool grow(struct mu_groups *g, struct mu_error *err)
{
    const size_t room = g->room * 2;
    struct mu_group **slots = mu_pool_get(g->pool, room * sizeof(struct mu_group *));
    if (!slots)
        return no_memory(err);
    for (size_t i = 0; i < g->room; i++) {
        if (!g->slots[i])
            continue;
        size_t at = g->slots[i]->hash & (room - 1);
        while (slots[at])
            at = (at + 1) & (room - 1);
        slots[at] = g->slots[i];
    }
    g->slots = slots;
    g->room = room;
    return true;
}

bool mu_groups_get(struct mu_group **out, struct mu_groups *g, struct mu_span key, struct mu_error *err)
{
    const uint64_t hash = mu_hash_bytes(key);
    size_t at = hash & (g->room - 1);
    for (; g->slots[at]; at = (at + 1) & (g->room - 1)) {
        if (g->slots[at]->hash == hash && mu_span_equal(g->slots[at]->key, key)) {
            *out = g->slots[at];
            return true;
        }
    }
    struct mu_group *made = mu_group_new(g->rule, g->pool);
    const char *copy = made ? mu_pool_text(g->pool, key) : NULL;
    if (!copy)
        return no_memory(err);
    made->hash = hash;
    made->key = mu_span(copy, key.len);
    g->slots[at] = *out = made;
    *g->bytes += GROUP_BYTES + (int64_t)key.len + TOTAL_BYTES * (int64_t)g->rule->aggregates.count;
    return ++g->count * 4 < g->room * 3 || grow(g, err);
}

bool mu_group_add_sample(struct mu_groups *g, struct mu_group *group, const struct mu_sample *sample,
                         struct mu_error *err)
{
    if (group->sample_count == MU_SAMPLES_MAX)
        return true;
    if (group->sample_count == group->sample_room) {
        const uint32_t room = !group->sample_room ? 1 : group->sample_room == 1 ? 4 : MU_SAMPLES_MAX;
        struct mu_sample *more = mu_pool_get(g->pool, room * sizeof(*more));
        if (!more)
            return no_memory(err);
        if (group->sample_count)
            memcpy(more, group->samples, group->sample_count * sizeof(*more));
        group->samples = more;
        group->sample_room = room;
    }
    group->samples[group->sample_count++] = *sample;
    *g->bytes += (int64_t)sizeof(*sample);
    return true;
}

/* Both are in the order of records; the first of them all are kept. */
static bool merge_samples(struct mu_groups *g, struct mu_group *into, const struct mu_group *other,
                          struct mu_error *err)
{
    struct mu_sample merged[MU_SAMPLES_MAX];
    uint32_t count = 0, i = 0, j = 0;
    while (count < MU_SAMPLES_MAX && (i < into->sample_count || j < other->sample_count)) {
        const bool mine = j == other->sample_count ||
                          (i < into->sample_count && into->samples[i].record_no < other->samples[j].record_no);
        merged[count++] = mine ? into->samples[i++] : other->samples[j++];
    }
    *g->bytes -= (int64_t)(into->sample_count * sizeof(merged[0]));
    into->sample_count = 0;
    for (i = 0; i < count; i++)
        if (!mu_group_add_sample(g, into, &merged[i], err))
            return false;
    return true;
}

bool mu_group_merge(struct mu_groups *g, struct mu_group *into, const struct mu_group *other, struct mu_error *err)
{
    into->records += other->records;
    for (size_t i = 0; i < g->rule->aggregates.count; i++)
        if (!mu_total_merge(&into->totals[i], &g->rule->aggregates.items[i], &other->totals[i], g->pool, g->bytes,
                            err))
            return false;
    return merge_samples(g, into, other, err);
}

bool mu_group_keys(const struct mu_group_rule *rule, struct mu_span key, struct mu_xvalue *out)
{
    struct mu_saved in = {key};
    struct mu_span text;
    for (size_t i = 0; i < rule->key_count; i++)
        if (!mu_saved_text(&in, &text) || !mu_xvalue_parse(rule->keys[i].expr->type, text, &out[i]))
            return false;
    return in.rest.len == 0;
}

/* A group with the texts of its keys, which are read once and compared often. */
struct sortable {
    struct mu_group *group;
    const struct mu_span *keys;
};

static void read_keys(const struct mu_group_rule *rule, const struct mu_group *group, struct mu_span *keys)
{
    struct mu_saved in = {group->key};
    for (size_t i = 0; i < rule->key_count; i++)
        if (!mu_saved_text(&in, &keys[i]))
            keys[i] = mu_span("", 0);
}

/* By the bytes of all keys but one. */
static int compare_but(const struct mu_group_rule *rule, const struct mu_span *a, const struct mu_span *b, size_t but)
{
    int order = 0;
    for (size_t i = 0; i < rule->key_count && !order; i++)
        if (i != but)
            order = mu_span_compare(a[i], b[i]);
    return order;
}

static int compare_window(const struct mu_group_rule *rule, const struct mu_span *a, const struct mu_span *b)
{
    const enum mu_type type = rule->keys[rule->window_key].expr->type;
    struct mu_xvalue v, w;
    if (!mu_xvalue_parse(type, a[rule->window_key], &v) || !mu_xvalue_parse(type, b[rule->window_key], &w))
        return mu_span_compare(a[rule->window_key], b[rule->window_key]);
    return mu_xvalue_compare(type, &v, &w);
}

bool mu_group_same_but_window(const struct mu_group_rule *rule, const struct mu_group *a, const struct mu_group *b)
{
    struct mu_span x[MU_GROUP_KEYS_MAX], y[MU_GROUP_KEYS_MAX];
    read_keys(rule, a, x);
    read_keys(rule, b, y);
    return compare_but(rule, x, y, rule->window_key) == 0;
}

static int in_order(const void *a, const void *b, void *rule)
{
    const struct mu_group_rule *r = rule;
    const struct sortable *x = a, *y = b;
    const int order = compare_but(r, x->keys, y->keys, r->has_window ? r->window_key : SIZE_MAX);
    return order || !r->has_window ? order : compare_window(r, x->keys, y->keys);
}

bool mu_groups_sorted(const struct mu_groups *g, struct mu_group ***out, struct mu_error *err)
{
    const size_t keys = g->rule->key_count;
    struct mu_group **all = calloc(g->count + 1, sizeof(*all));
    MU_AUTO(mu_free) struct sortable *order = calloc(g->count + 1, sizeof(*order));
    MU_AUTO(mu_free) struct mu_span *texts = calloc(g->count * keys + 1, sizeof(*texts));
    size_t count = 0;
    if (!all || !order || !texts) {
        free(all);
        return no_memory(err);
    }
    for (size_t i = 0; i < g->room; i++) {
        if (!g->slots[i])
            continue;
        read_keys(g->rule, g->slots[i], &texts[count * keys]);
        order[count] = (struct sortable){g->slots[i], &texts[count * keys]};
        count++;
    }
    if (count)
        qsort_r(order, count, sizeof(*order), in_order, (void *)(uintptr_t)g->rule);
    for (size_t i = 0; i < count; i++)
        all[i] = order[i].group;
    *out = all;
    return true;
}

static void save_group(const struct mu_groups *g, const struct mu_group *group, struct mu_text *out)
{
    mu_saved_put_text(out, group->key);
    mu_saved_put_int(out, group->records);
    mu_saved_put_int(out, group->sample_count);
    for (uint32_t i = 0; i < group->sample_count; i++) {
        const struct mu_sample *s = &group->samples[i];
        mu_saved_put_int(out, s->record_no);
        mu_saved_put_int(out, s->byte_off);
        mu_saved_put_int(out, s->length);
        mu_saved_put_int(out, s->line);
    }
    for (size_t i = 0; i < g->rule->aggregates.count; i++)
        mu_total_save(&group->totals[i], &g->rule->aggregates.items[i], out);
}

void mu_groups_save(const struct mu_groups *g, struct mu_text *out, struct mu_error *err)
{
    struct mu_group **all = NULL;
    if (!mu_groups_sorted(g, &all, err)) {
        out->failed = true;
        return;
    }
    mu_saved_put_int(out, (int64_t)g->count);
    for (size_t i = 0; i < g->count; i++)
        save_group(g, all[i], out);
    free(all);
}

static bool restore_samples(struct mu_groups *g, struct mu_group *group, struct mu_saved *in, struct mu_error *err)
{
    int64_t count;
    if (!mu_saved_int(in, &count) || count < 0 || count > MU_SAMPLES_MAX)
        return mu_saved_broken(err);
    for (int64_t i = 0; i < count; i++) {
        struct mu_sample s;
        if (!mu_saved_int(in, &s.record_no) || !mu_saved_int(in, &s.byte_off) || !mu_saved_int(in, &s.length) ||
            !mu_saved_int(in, &s.line))
            return mu_saved_broken(err);
        if (!mu_group_add_sample(g, group, &s, err))
            return false;
    }
    return true;
}

bool mu_groups_restore(struct mu_groups *g, struct mu_span saved, struct mu_error *err)
{
    struct mu_saved in = {saved};
    struct mu_xvalue keys[MU_GROUP_KEYS_MAX];
    struct mu_span key;
    int64_t count;
    if (!mu_saved_int(&in, &count) || count < 0)
        return mu_saved_broken(err);
    for (int64_t i = 0; i < count; i++) {
        struct mu_group *group;
        const size_t before = g->count;
        if (!mu_saved_text(&in, &key) || !mu_group_keys(g->rule, key, keys))
            return mu_saved_broken(err);
        if (!mu_groups_get(&group, g, key, err))
            return false;
        if (g->count == before || !mu_saved_int(&in, &group->records))
            return mu_saved_broken(err);
        if (!restore_samples(g, group, &in, err))
            return false;
        for (size_t k = 0; k < g->rule->aggregates.count; k++)
            if (!mu_total_restore(&group->totals[k], &g->rule->aggregates.items[k], &in, g->pool, g->bytes, err))
                return false;
    }
    return in.rest.len == 0 || mu_saved_broken(err);
}
