/* SPDX-License-Identifier: Apache-2.0 */
/* What every long-running program of muster shares: signals, the systemd notify protocol (one datagram, no
 * libsystemd), exit statuses, waiting that a signal ends. */
#ifndef MU_DAEMON_H
#define MU_DAEMON_H

#include "base/error.h"

/* Installs the handlers of SIGTERM and SIGINT and ignores SIGPIPE. Call it first: libraries start threads. */
MU_MUST bool mu_daemon_init(struct mu_error *err);
bool mu_daemon_should_stop(void);      /* SIGTERM or SIGINT has come, or mu_daemon_stop was called */
void mu_daemon_stop(void);
/* `wake` is called from the signal handler: async-signal-safe only (mu_bus_wake is). NULL to unset. */
void mu_daemon_on_signal(void (*wake)(void *), void *ctx);
/* Sleeps up to wait_ms; false if the program is to stop. For loops that have no bus to wait on yet. */
bool mu_daemon_wait(int64_t wait_ms);

void mu_daemon_ready(void);                /* READY=1 */
void mu_daemon_status(const char *text);   /* STATUS= */
void mu_daemon_alive(void);                /* WATCHDOG=1, at most every third of WATCHDOG_USEC */
void mu_daemon_stopping(void);             /* STOPPING=1 */

/* Logs the fault, if there is one, and says what the process ends with: 0 stopped as asked, 1 fault, 2 usage,
 * 3 configuration. */
enum { MU_EXIT_OK = 0, MU_EXIT_FAULT = 1, MU_EXIT_USAGE = 2, MU_EXIT_CONFIG = 3 };
int mu_exit_status(const struct mu_error *err);
/* Ends this process at once, from any of its threads, with MU_EXIT_FAULT: nothing is cleaned up. */
_Noreturn void mu_daemon_abort(void);

/* Doubles from `least_ms` to `most_ms` with jitter; for the loop that owns a retry. */
struct mu_backoff {
    int64_t least_ms, most_ms, next_ms;
};
int64_t mu_backoff_next(struct mu_backoff *b);
void mu_backoff_reset(struct mu_backoff *b);

#endif
