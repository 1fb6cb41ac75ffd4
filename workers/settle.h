/* SPDX-License-Identifier: Apache-2.0 */
/* The one place that acknowledges. What has to happen to a delivery follows from a fault alone (STYLE.md,
 * errors): MU_OK, MU_REJECTED   what there was to say is stored (or there was nothing to say): ack
 *   MU_UNAVAILABLE       handed back, after the state was released or because it was never started: NAK with
 * a delay MU_LOST              somebody else owns it: no ack, no NAK MU_BROKEN            this build or
 * machine cannot do it: NAK with a longer delay; the program ends */
#ifndef MU_SETTLE_H
#define MU_SETTLE_H

#include "lease.h"

struct mu_settler {
    struct mu_bus *bus;
    struct mu_lease *lease;
};

/* Takes the delivery: it is out of the lease thread's hands and freed. A send that
 * fails does not matter: the lease ends, and the same comes out again. */
void mu_settle(const struct mu_settler *s, struct mu_delivery *d, const struct mu_error *why);
/* A message that nobody can read: taken out of the queue, so that it does not come back for ever. */
void mu_settle_unreadable(const struct mu_settler *s, struct mu_delivery *d, const char *reason);
/* From the lease thread, before it ends the process: an `error` outcome and the ack, if the broker answers.
 */
void mu_settle_overrun(struct mu_bus *bus, const struct mu_agent *agent, const struct mu_ride *ride,
                       const struct mu_task *task, const struct mu_message *message, const char *reason,
                       const char *text);

#endif
