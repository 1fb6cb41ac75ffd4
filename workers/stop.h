/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs that agents are to leave alone: the keys job.<id> of the bucket muster_policy (cancelled, or past their deadline;
 * PROTOCOL.md §7). Heard of by its republished subject, and read whole at every connect, so that nothing is missed. A
 * task of such a job is not started, and one that runs ends at its next tick without a word: its outcome stands in
 * PostgreSQL already, so that whoever misses the news has worked in vain, and no more. Belongs to the working thread. */
#ifndef MU_STOP_H
#define MU_STOP_H

#include "base/id.h"
#include "outside/bus.h"

struct mu_stops;

MU_MUST bool mu_stops_open(struct mu_stops **out, struct mu_bus *bus, struct mu_error *err);
void mu_stops_free(struct mu_stops *s);
MU_DEFINE_AUTO(struct mu_stops, mu_stops_free)

/* Takes what has come; after a connect reads the bucket, and again after a second while that fails. */
void mu_stops_take(struct mu_stops *s);
bool mu_stops_has(const struct mu_stops *s, struct mu_id job);

#endif
