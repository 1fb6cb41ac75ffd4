/* SPDX-License-Identifier: Apache-2.0 */
/* Packs that come to be in force: by muster.api.load, or put into the bucket muster_packs by hand (`nats kv put`). Both
 * are checked alike. The table muster.pack is what is kept, agents read the bucket. A version once loaded cannot be
 * changed, only superseded. */
#ifndef MU_DISPATCHER_PACKS_H
#define MU_DISPATCHER_PACKS_H

#include "dispatcher.h"

/* Committed when it returns true; *answer is {"ok":true,"pack","digest","duplicate"}. A refusal is MU_REJECTED (malformed,
 * invalid, unknown_list, conflict); if the document has mistakes *answer tells of all, beside *err, which is the first. */
MU_MUST bool packs_load(struct dispatcher *d, struct mu_span request, struct mu_text *answer, struct mu_error *err);

struct packs { /* the leader's */
    struct dispatcher *d;
    uint64_t cursor;     /* entries before this sequence have been seen */
    uint64_t generation; /* of the bus, at the last walk of the whole bucket */
    bool walked;         /* false: walk the whole bucket */
};
/* Looks at what is new in the bucket, or after a reconnect at all of it: a pack that is not known is loaded; one that is
 * bad, or another than the one in force, is taken away, or what is in force is put back, which a row of muster.rejection
 * and an event tell of. */
MU_MUST bool packs_look(struct packs *p, struct mu_error *err);

#endif
