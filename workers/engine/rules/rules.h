/* SPDX-License-Identifier: Apache-2.0 */
/* The two kinds of rules that are made of expressions, each run as a check whose configuration comes from the
 * pack instead of parameters (engine/ready.c makes it). */
#ifndef MU_RULES_H
#define MU_RULES_H

#include "engine/check.h"
#include "engine/pack.h"

struct mu_expr_conf {
    const struct mu_op *expr; /* what must hold */
};
struct mu_group_conf {
    const struct mu_group_rule *rule;
    const struct mu_op *keys[MU_GROUP_KEYS_MAX];
    const struct mu_op *operands[MU_AGGREGATES_MAX][2]; /* of the aggregates */
    const struct mu_op *having, *value;
    int64_t state_max; /* bytes that the groups of all rules of a run may take */
    bool masked;       /* a key must not be told */
};

/* Counted by what is in them: the same on every machine and however a run was cut. */
#define MU_GROUP_STATE_MAX ((int64_t)512 << 20)

extern const struct mu_check mu_rule_expr;  /* map: a verdict for each record */
extern const struct mu_check mu_rule_group; /* keyed: a verdict for each group, when all records are known */

#endif
