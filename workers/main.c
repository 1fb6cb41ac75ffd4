/* SPDX-License-Identifier: Apache-2.0 */
/* muster-worker: one agent. Its life: it connects, takes its id in the registry, pulls tasks of its queues by
 * priority, runs them, publishes what they found, acknowledges. Its normal end: SIGTERM or `drain`; it pulls
 * no more, saves and hands back what it holds (within worker.drain), leaves the registry, ends with 0. Its
 * emergency end, kill -9 included: the leases of what it holds run out, and other agents go on from the last
 * checkpoints. A task that hangs or outruns its limit ends the process from the lease thread. */
#include "base/log.h"
#include "daemon/daemon.h"
#include "daemon/options.h"
#include "format/schema.h"
#include "worker.h"

int main(int argc, char **argv)
{
    struct mu_options options;
    MU_AUTO(mu_config_fini) struct mu_config config = {0};
    struct mu_worker worker = {.config = NULL};
    struct mu_error err = {0};
    int status;

    if (!mu_options_parse(&options, argc, argv, "muster-worker", "runs compliance tasks: one agent", &status))
        return status;
    if (!mu_options_configure(&options, "muster-worker", &config, &status))
        return status;
    if (mu_daemon_init(&err) && mu_worker_init(&worker, &config, &err)) {
        mu_daemon_ready();
        if (mu_worker_run(&worker, &err))
            mu_daemon_stopping();
    }
    if (mu_daemon_should_stop() && err.fault == MU_UNAVAILABLE) /* it was asked to stop before it was ready */
        mu_error_clear(&err);
    mu_worker_fini(&worker);
    mu_schema_fini();
    return mu_exit_status(&err);
}
