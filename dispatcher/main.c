/* SPDX-License-Identifier: Apache-2.0 */
/* muster-dispatcher: takes submissions by request and by stream, stores them, queues their tasks; one of them leads
 * and repairs what the broker has lost.
 *
 * Its life: read the configuration; connect to PostgreSQL and the broker, trying until both answer; make the streams
 * if it may; load the packs; open the doors; then one loop that takes what has come, commits it, answers, publishes,
 * notes PubAcks, does a leader's duties, and sleeps until something happens.
 * Normal end (SIGTERM): the doors close, what has been taken is committed and answered, PubAcks are awaited for a
 * moment. Emergency end: whatever was not committed was not answered; whatever was is in the outbox. */
#include "daemon/options.h"
#include "dispatcher.h"
#include "format/schema.h"

int main(int argc, char **argv)
{
    struct mu_options options;
    struct mu_config config;
    struct mu_error err = {0};
    int status;
    if (!mu_options_parse(&options, argc, argv, "muster-dispatcher", "Takes compliance jobs and queues their tasks.", &status))
        return status;
    if (!mu_options_configure(&options, "muster-dispatcher", &config, &status))
        return status;
    struct dispatcher d = {.config = &config, .store_backoff = {.least_ms = 200, .most_ms = 2000}, .args = mu_args_new()};
    if (!d.args || !mu_daemon_init(&err))
        mu_fail(&err, MU_BROKEN, "out of memory");
    else if (dispatcher_open(&d, &err)) {
        mu_daemon_ready();
        dispatcher_run(&d);
        dispatcher_finish(&d);
    }
    dispatcher_close(&d);
    counters_fini(&d.counters);
    mu_args_free(d.args);
    mu_config_fini(&config);
    mu_schema_fini();
    return mu_exit_status(&err);
}
