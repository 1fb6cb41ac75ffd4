/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatcher.h"

#include "programs.h"

int run_dispatcher(struct process *p)
{
    struct mu_error err = {0};
    struct dispatcher d = {.config = programs_config(), .store_backoff = {.least_ms = 200, .most_ms = 2000}, .args = mu_args_new()};
    (void)p;
    if (dispatcher_open(&d, &err)) {
        mu_daemon_ready();
        dispatcher_run(&d);
        dispatcher_finish(&d);
    }
    dispatcher_close(&d);
    mu_args_free(d.args);
    return mu_exit_status(&err);
}
