/* SPDX-License-Identifier: Apache-2.0 */
/* A rule by itself: its pack with this one rule, so that its own mistakes are met, and its cases run. It is active
 * whatever its mode, and nothing of what it finds is masked or left out. */
#ifndef MU_ALONE_H
#define MU_ALONE_H

#include "engine/run.h"

struct mu_alone {
    struct mu_pack pack; /* borrows all of the whole pack but rules and columns */
    struct mu_rule rule;
    size_t index; /* of the rule in the whole pack */
};

MU_MUST bool mu_alone_init(struct mu_alone *a, const struct mu_pack *pack, size_t rule, struct mu_error *err);
/* Makes it ready. `params` NULL: those that have no default get some value of their type. Pointers of refusals lead into
 * the whole pack. */
MU_MUST bool mu_alone_ready(struct mu_ready **out, const struct mu_alone *a, const struct mu_list_data *const *lists,
                            const json_t *params, int32_t as_of, struct mu_error *err);
/* The day that the rule is asked about unless somebody says another one: the first on which it is in force. */
int32_t mu_alone_day(const struct mu_alone *a);
void mu_alone_fini(struct mu_alone *a);
MU_DEFINE_AUTO_VALUE(struct mu_alone, mu_alone_fini)

#endif
