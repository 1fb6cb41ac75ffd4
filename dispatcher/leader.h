/* SPDX-License-Identifier: Apache-2.0 */
/* Duties that one dispatcher has at a time, under an advisory lock held by its session: the reconciler (PROTOCOL.md
 * §8), retries, partitions. The others stand by; a holder whose loop stops is ended. */
#ifndef MU_LEADER_H
#define MU_LEADER_H

#include "dispatcher.h"

struct leader;
MU_MUST bool leader_new(struct leader **out, struct dispatcher *d, struct mu_error *err);
void leader_free(struct leader *l);
/* Does what is due; milliseconds until the next duty. A failure is that of the database or the broker. */
MU_MUST bool leader_step(struct leader *l, int64_t *next_ms, struct mu_error *err);
bool leader_leads(const struct leader *l);
/* The session is gone, and the lock with it. */
void leader_lost(struct leader *l);

#endif
