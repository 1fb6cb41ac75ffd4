/* SPDX-License-Identifier: Apache-2.0 */
/* muster-recorder: drains MUSTER_RESULTS into PostgreSQL, exactly once.
 *
 * Its life: connect to database and broker, trying until both answer; take the lock or stand by; find out from the
 * position in PostgreSQL where recording goes on; then one loop: take what arrives apart while the batch before it is
 * being recorded in one transaction, commit that, acknowledge it, send the next. Normal end (SIGTERM): the batch that
 * is being recorded is committed, the lock let go. Emergency end: what was not committed is still in the stream, and
 * the position says from where. */
#include "daemon/options.h"
#include "format/schema.h"
#include "recorder.h"

int main(int argc, char **argv)
{
    struct mu_options options;
    struct mu_config config;
    struct mu_error err = {0};
    int status;
    if (!mu_options_parse(&options, argc, argv, "muster-recorder", "Records results in PostgreSQL.", &status))
        return status;
    if (!mu_options_configure(&options, "muster-recorder", &config, &status))
        return status;
    struct recorder r = {.config = &config, .backoff = {.least_ms = 200, .most_ms = 5000}, .args = mu_args_new()};
    if (!r.args || !mu_daemon_init(&err))
        mu_fail(&err, MU_BROKEN, "out of memory");
    else if (recorder_open(&r, &err)) {
        mu_daemon_ready();
        recorder_run(&r);
    }
    recorder_close(&r);
    mu_args_free(r.args);
    mu_config_fini(&config);
    mu_schema_fini();
    return mu_exit_status(&err);
}
