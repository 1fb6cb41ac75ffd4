/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/log.h"
#include "worker.h"

void mu_drain_arrivals(struct mu_worker *w)
{
    struct mu_message *m;
    for (size_t i = 0; i < w->lane_count; i++) {
        while ((m = mu_pull_take(w->lanes[i].pull))) {
            struct mu_delivery *d = calloc(1, sizeof(*d));
            struct mu_error untouched = {0};
            if (!d) { /* its lease will end */
                mu_message_free(m);
                continue;
            }
            d->message = m;
            mu_fail_code(&untouched, MU_UNAVAILABLE, "drain", "not started");
            mu_lease_hold(w->lease, d);
            mu_settle(&w->settler, d, &untouched);
        }
    }
}

void mu_drain_begin(struct mu_worker *w, const char *why)
{
    if (w->draining)
        return;
    w->draining = true;
    w->drain_until_ms = mu_clock_ms() + w->config->worker_drain_ms;
    mu_log(MU_INFO, "draining: no new tasks, handing back what is held", MU_F("reason", why),
           MU_N("bound_ms", w->config->worker_drain_ms));
    mu_lease_state(w->lease, "draining");
    /* an open request with a live subscription would go on taking messages */
    for (size_t i = 0; i < w->lane_count; i++)
        mu_pull_stop(w->lanes[i].pull);
    mu_drain_arrivals(w);
}
