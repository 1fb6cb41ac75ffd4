/* SPDX-License-Identifier: Apache-2.0 */
/* Queue messages that no open task needs any more and that nobody will deliver or delete: a broker that was killed or
 * went back to an older copy of its store may keep them. They are found by walking the stream a slice at a time, only
 * as far as its consumers have delivered, so that a long queue costs nothing. */
#ifndef MU_LEFTOVERS_H
#define MU_LEFTOVERS_H

#include "dispatcher.h"

struct leftovers {
    struct dispatcher *d;
    uint64_t cursor;     /* the walk goes on at this sequence */
};
MU_MUST bool leftovers_slice(struct leftovers *l, struct mu_error *err);

#endif
