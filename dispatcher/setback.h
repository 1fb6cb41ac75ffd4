/* SPDX-License-Identifier: Apache-2.0 */
/* A broker whose store went back (a power cut, an older copy put back) but not all of it: a consumer that is ahead of
 * its stream delivers nothing until the stream has caught up (nats-io/nats-server#8036), and the intake may hold other
 * messages under sequences that were delivered before. PROTOCOL.md §8 has the cure: such a consumer starts over, and
 * keys drop what is met twice. */
#ifndef MU_SETBACK_H
#define MU_SETBACK_H

#include "dispatcher.h"

struct setback {
    struct dispatcher *d;
    char created[40];    /* the intake's newest message, as noted last: by a leader, or by who settled it */
    uint64_t sequence;   /* 0: it was empty */
    int64_t stored_us, noted_us; /* by the broker's clock */
    bool astray;         /* the intake's consumer must start over, and may not be made again here */
    bool missing;        /* one was not there at this look: deleted by hand, or by a renewal that was cut short */
};
/* Looks at all consumers that the dispatcher's topology has, but the recorder's: that program reads by sequence what
 * its consumer will not deliver. With dispatcher.provision a consumer is made again, also one that is missing;
 * otherwise the log says what to do. */
MU_MUST bool setback_look(struct setback *s, struct mu_error *err);
/* The intake alone, against its store and the database's (intake.h). Every dispatcher does so after each connect to
 * either, before it takes from the intake: what it would settle then would cover what was lost. */
MU_MUST bool setback_check_intake(struct dispatcher *d, struct mu_error *err);

#endif
