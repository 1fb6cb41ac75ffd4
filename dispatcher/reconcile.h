/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that PostgreSQL says are open and that nobody has: published again. Messages whose tasks are done: deleted.
 * PROTOCOL.md §8 has the rules and the races that they prevent. */
#ifndef MU_RECONCILE_H
#define MU_RECONCILE_H

#include "dispatcher.h"
#include "rate.h"

#define RECONCILE_BATCH 500 /* most tasks in one of its events, too (schemas/event.json) */

struct reconciler {
    struct dispatcher *d;
    enum mu_priority priority; /* the pass goes on behind this ride of this priority: high first, then normal, then low */
    struct mu_id cursor;
    struct rate rate;          /* dispatcher.republish_rate */
    bool held_back;            /* this slice has used it up: the pass stops before a ride and goes on later */
    struct { struct mu_id task; int64_t n; } missing[RECONCILE_BATCH]; /* to be published again in one transaction */
    size_t missing_count;
    /* the end of MUSTER_RESULTS at a moment: what it held then must be recorded before anything that was missing at
     * that moment is published again */
    char until_created[40];
    uint64_t until_sequence;
    int64_t until_ms;          /* when it was read; 0: it was not */
};
/* One slice of a pass. *again_ms: when to come for the next one; unchanged at the end of a pass, the next begins anew. */
MU_MUST bool reconcile_slice(struct reconciler *r, int64_t *again_ms, struct mu_error *err);

#endif
