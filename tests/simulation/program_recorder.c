/* SPDX-License-Identifier: Apache-2.0 */
#include "recorder.h"

#include "programs.h"

int run_recorder(struct process *p)
{
    struct mu_error err = {0};
    struct recorder r = {.config = programs_config(), .backoff = {.least_ms = 200, .most_ms = 5000}, .args = mu_args_new()};
    (void)p;
    if (recorder_open(&r, &err)) {
        mu_daemon_ready();
        recorder_run(&r);
    }
    recorder_close(&r);
    mu_args_free(r.args);
    return mu_exit_status(&err);
}
