/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of a pack while it is read: pack.c reads the document, pack_rule.c its rules, pack_group.c what makes a
 * rule look at groups. */
#ifndef MU_PACK_INSIDE_H
#define MU_PACK_INSIDE_H

#include "engine/pack.h"

/* Pointers of refusals begin below the rule. */
MU_MUST bool pack_read_rule(struct mu_pack *p, size_t index, const json_t *rule, struct mu_error *err);
MU_MUST bool pack_read_group(struct mu_pack *p, struct mu_rule *r, const json_t *rule, struct mu_error *err);
/* `check` "unique": the group rule that it is. */
MU_MUST bool pack_read_unique(struct mu_pack *p, struct mu_rule *r, const json_t *rule, struct mu_error *err);
/* The expression under `key`; *out is NULL if there is none. */
MU_MUST bool pack_read_expr(const struct mu_expr **out, const struct mu_scope *scope, const json_t *rule,
                            const char *key, enum mu_type want, struct mu_error *err);
/* Named expressions under `key`, in the order of their names. */
MU_MUST bool pack_read_named(struct mu_named_expr *out, size_t *count, size_t max, const struct mu_scope *scope,
                             const json_t *object, const char *key, struct mu_error *err);
const char *pack_severity(const char *word);

static inline bool pack_no_memory(struct mu_error *err)
{
    return mu_fail(err, MU_BROKEN, "out of memory");
}

#endif
