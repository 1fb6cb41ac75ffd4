/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that PostgreSQL says are open and that nobody has: published again. Messages whose tasks are done: deleted.
 * PROTOCOL.md §8 has the rules and the races that they prevent. */
#ifndef MU_RECONCILE_H
#define MU_RECONCILE_H

#include "dispatcher.h"

struct reconciler {
    struct dispatcher *d;
    struct mu_id cursor;       /* the pass goes on behind this ride */
    int64_t settled, republished, deleted; /* since the start */
    /* the end of MUSTER_RESULTS at a moment: what it held then must be recorded before anything that was missing at
     * that moment is published again */
    char until_created[40];
    uint64_t until_sequence;
    int64_t until_ms;          /* when it was read; 0: it was not */
};
/* One slice of a pass; *at_end: the next begins anew. */
MU_MUST bool reconcile_slice(struct reconciler *r, bool *at_end, struct mu_error *err);

#endif
