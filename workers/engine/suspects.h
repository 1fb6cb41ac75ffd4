/* SPDX-License-Identifier: Apache-2.0 */
/* What is suspicious in a pack that makes sense: it says something that its author can hardly mean. */
#ifndef MU_SUSPECTS_H
#define MU_SUSPECTS_H

#include "engine/ready.h"
#include "engine/uses.h"

/* `is_error`: the rule can never apply. The pointer leads into the whole pack. */
typedef void mu_suspect_note(void *context, bool is_error, const struct mu_error *what);

/* Of one rule of the pack. `lists` as for mu_ready_new; `ready`: of this rule alone. */
MU_MUST bool mu_suspects_of_rule(const struct mu_pack *pack, size_t rule, const struct mu_ready *ready,
                                 mu_suspect_note *note, void *context, struct mu_error *err);
/* Two rules that say the same; what no rule uses. */
void mu_suspects_of_pack(const struct mu_pack *pack, const struct mu_uses *uses, mu_suspect_note *note, void *context);

#endif
