/* SPDX-License-Identifier: Apache-2.0 */
/* What of its pack a rule uses: params, names under "let", lists that its expressions look into, columns that its
 * expressions and its message name. What a plugin reads only the plugin knows, when it is configured. */
#ifndef MU_USES_H
#define MU_USES_H

#include "engine/pack.h"

struct mu_uses {
    bool *columns, *params, *lets, *lists; /* in the order of the pack */
};

MU_MUST bool mu_uses_init(struct mu_uses *u, const struct mu_pack *pack, struct mu_error *err);
/* Adds to what is noted. */
void mu_uses_add(struct mu_uses *u, const struct mu_pack *pack, const struct mu_rule *rule);
void mu_uses_fini(struct mu_uses *u);
MU_DEFINE_AUTO_VALUE(struct mu_uses, mu_uses_fini)

/* Calls `each` for every expression of a rule, with its pointer below the rule ("/where", "/group_by/day"). */
typedef void mu_rule_expr_each(void *context, const struct mu_expr *e, const char *pointer);
void mu_rule_exprs(const struct mu_rule *rule, mu_rule_expr_each *each, void *context);

#endif
