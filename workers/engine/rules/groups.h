/* SPDX-License-Identifier: Apache-2.0 */
/* The groups of a rule: by key, how many records, the first of them, and the states of the aggregates. */
#ifndef MU_GROUPS_H
#define MU_GROUPS_H

#include "engine/rules/aggregate.h"
#include "engine/rules/rules.h"

struct mu_group {
    uint64_t hash;
    struct mu_span key; /* texts of the keys in their saved form (engine/rules/saved.h) */
    int64_t records;
    struct mu_sample *samples; /* the first ones */
    uint32_t sample_count, sample_room;
    struct mu_total totals[]; /* by aggregate */
};

struct mu_groups {
    const struct mu_group_rule *rule;
    struct mu_pool *pool;
    struct mu_group **slots;
    size_t count, room; /* room: a power of two */
    int64_t *bytes;     /* grows by what the groups take (mu_env.state_bytes) */
};

MU_MUST bool mu_groups_init(struct mu_groups *g, const struct mu_group_rule *rule, struct mu_pool *pool,
                            int64_t *bytes, struct mu_error *err);
/* The group of a key, made if there is none. The key is copied. */
MU_MUST bool mu_groups_get(struct mu_group **out, struct mu_groups *g, struct mu_span key, struct mu_error *err);
MU_MUST bool mu_group_add_sample(struct mu_groups *g, struct mu_group *group, const struct mu_sample *sample,
                                 struct mu_error *err);
/* Adds what is known of one group to another of the same rule. */
MU_MUST bool mu_group_merge(struct mu_groups *g, struct mu_group *into, const struct mu_group *other,
                            struct mu_error *err);
/* A group outside of the table, with no key and no records. */
struct mu_group *mu_group_new(const struct mu_group_rule *rule, struct mu_pool *pool);
/* The keys as values; false: the form is broken. */
MU_MUST bool mu_group_keys(const struct mu_group_rule *rule, struct mu_span key, struct mu_xvalue *out);
/* All groups, by their keys but the window's, then by the window's. The caller frees the array. */
MU_MUST bool mu_groups_sorted(const struct mu_groups *g, struct mu_group ***out, struct mu_error *err);
/* Do two groups differ in the window's key alone? */
bool mu_group_same_but_window(const struct mu_group_rule *rule, const struct mu_group *a, const struct mu_group *b);
void mu_groups_save(const struct mu_groups *g, struct mu_text *out, struct mu_error *err);
MU_MUST bool mu_groups_restore(struct mu_groups *g, struct mu_span saved, struct mu_error *err);

#endif
