/* SPDX-License-Identifier: Apache-2.0 */
/* Room in the streams that keep what has been dealt with (PROTOCOL.md §9). MUSTER_RESULTS refuses when it is full
 * (discard new), so that nothing is lost; what is recorded there is of use only to a database that comes back at an older
 * state. The leader purges it in time: above 70 % what lies before the oldest kept position and the last backup, above
 * 85 % more, with an alarm; what is not recorded never. MUSTER_INTAKE likewise below its consumer's ack floor, since
 * acks follow COMMIT. */
#ifndef MU_SPACE_H
#define MU_SPACE_H

#include "dispatcher.h"

struct space {
    struct dispatcher *d;
    int64_t purged;       /* how often, since the start */
    int64_t complained_ms;
};
MU_MUST bool space_look(struct space *s, struct mu_error *err);

#endif
