/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a run that is too large for the task's key: rules over groups may keep as much as their data has keys.
 * It stands in MUSTER_PARTIALS in parts, and the checkpoint refers to it by sequences and digest. Two places take
 * turns, so that the state of the last checkpoint is there until the next one has been written; a part that begins a
 * state rolls up what was in its place before. Each part is progress of the task: a large state takes its time. */
#ifndef MU_STATE_PARTS_H
#define MU_STATE_PARTS_H

#include "lease.h"
#include "progress.h"

#define MU_STATE_INLINE_MAX ((size_t)256 * 1024) /* a larger one is put into parts */

/* Publishes the state and appends what refers to it: {"parts":[…],"place":…,"bytes":…,"digest":…}. Every part is
 * confirmed when it returns true. MU_UNAVAILABLE: the broker is away (or the stream is full): nothing refers to what
 * was published. */
MU_MUST bool mu_state_parts_put(struct mu_progress *p, struct mu_lease *lease, struct mu_span state,
                                struct mu_text *reference, struct mu_error *err);
/* The run's state that a checkpoint holds or refers to; *out is the caller's. MU_REJECTED: it is not there any more, or
 * not what it was. */
MU_MUST bool mu_state_parts_get(struct mu_progress *p, struct mu_lease *lease, const json_t *run, json_t **out,
                                struct mu_error *err);
/* At the end of the task: empties its places. What goes wrong is left to the stream's age. */
void mu_state_parts_drop(struct mu_progress *p);

#endif
