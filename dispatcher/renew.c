/* SPDX-License-Identifier: Apache-2.0 */
#include "renew.h"
#include "base/log.h"
#include "outside/topology.h"

bool renew_missing(struct dispatcher *d, struct mu_error *err)
{
    MU_AUTO(mu_topology_report_free) struct mu_topology_report report = {0};
    if (!mu_topology(d->bus, d->config, MU_TOPOLOGY_CREATE, &report, err))
        return false;
    d->counters.value[COUNT_TOPOLOGY_MADE] += mu_topology_made(&report);
    return true;
}

bool renew_consumer(struct dispatcher *d, const char *stream, const char *consumer, const char *why, struct mu_error *err)
{
    if (!d->config->dispatcher_provision) {
        mu_log(MU_LOG_ERROR, "a consumer must start over", MU_F("stream", stream), MU_F("consumer", consumer), MU_F("cause", why),
               MU_F("hint", "`nats consumer rm` it, then `muster setup` makes it again; keys drop what is met twice"));
        return true;
    }
    mu_log(MU_WARNING, "a consumer starts over", MU_F("stream", stream), MU_F("consumer", consumer), MU_F("cause", why));
    return mu_consumer_delete(d->bus, stream, consumer, err) && renew_missing(d, err);
}
