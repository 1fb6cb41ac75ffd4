/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints of tasks that have their outcome: an agent that died between its acknowledgement and its purge leaves
 * one, and so does a store that went back. They would go by age, in days; the leader purges them a slice at a time. A
 * purge leaves a marker (which fences latecomers); when the bucket is half full, markers of tasks that are done go too:
 * a full bucket would take no checkpoint of anybody. */
#ifndef MU_STRAY_H
#define MU_STRAY_H

#include "dispatcher.h"

struct stray {
    struct dispatcher *d;
    uint64_t cursor;     /* the walk goes on at this sequence of the bucket */
    bool crowded;        /* the bucket is half full */
    int64_t broker_us;   /* the broker's clock at this look */
};
MU_MUST bool stray_slice(struct stray *s, struct mu_error *err);

#endif
