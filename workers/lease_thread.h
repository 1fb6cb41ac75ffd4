/* SPDX-License-Identifier: Apache-2.0 */
/* The second thread of an agent, and the one mutex between it and the working thread. What is to be done is the
 * lease's (lease.c): here is only when. */
#ifndef MU_LEASE_THREAD_H
#define MU_LEASE_THREAD_H

#include "base/error.h"

#define MU_LEASE_ENDS (-1)

struct mu_lease_thread;
/* Starts it: with the mutex held it calls `look` again and again, and between two calls waits until the monotonic
 * milliseconds that the last one returned (the past: not at all) or until it is woken. It ends when `look` returns
 * MU_LEASE_ENDS. `look` may let go of the mutex for a while. */
MU_MUST bool mu_lease_thread_start(struct mu_lease_thread **out, int64_t (*look)(void *ctx), void *ctx,
                                   struct mu_error *err);
void mu_lease_thread_lock(struct mu_lease_thread *t);
void mu_lease_thread_unlock(struct mu_lease_thread *t);
void mu_lease_thread_wake(struct mu_lease_thread *t);
void mu_lease_thread_end(struct mu_lease_thread *t); /* wakes it, waits for its end, frees it */

#endif
