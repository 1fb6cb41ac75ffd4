/* SPDX-License-Identifier: Apache-2.0 */
/* The bucket muster_policy and the table muster.policy. Agents obey the bucket; the table is what is kept. What stands
 * in the table and not in the bucket is written there; what is edited there (`nats kv put muster_policy queue.aml …`) is
 * checked, taken into the table, or put back. A bucket that is new or has gone back is made equal to the table. */
#ifndef MU_POLICY_H
#define MU_POLICY_H

#include "dispatcher.h"

struct policies { /* the leader's */
    struct dispatcher *d;
    uint64_t cursor;       /* entries before this sequence have been seen */
    uint64_t generation;   /* of the bus, at the last walk of the whole bucket */
    bool walked;           /* false: walk the whole bucket */
};

/* Writes what the table has and the bucket has not; any dispatcher may. */
MU_MUST bool policy_write(struct dispatcher *d, struct mu_error *err);
/* Looks at what is new in the bucket, or after a reconnect at all of it; then policy_write. */
MU_MUST bool policies_look(struct policies *p, struct mu_error *err);

#endif
