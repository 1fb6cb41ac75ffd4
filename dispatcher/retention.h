/* SPDX-License-Identifier: Apache-2.0 */
/* Partitions: made ahead, taken out when the policy (retention.* of the settings) says that their time is over, dropped
 * after the grace. The leader does it, a partition a turn, so that no lock is held for long; `muster db maintain` does
 * it by hand, without a limit of time. */
#ifndef MU_RETENTION_H
#define MU_RETENTION_H

#include "dispatcher.h"

/* *again: there may be more to do, now. */
MU_MUST bool retention_look(struct dispatcher *d, bool *again, struct mu_error *err);

#endif
