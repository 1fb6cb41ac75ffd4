/* SPDX-License-Identifier: Apache-2.0 */
#include "lease_thread.h"
#include "base/clock.h"
#include "outside/bus.h"

#include <pthread.h>
#include <time.h>

struct mu_lease_thread {
    int64_t (*look)(void *ctx);
    void *ctx;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake; /* on CLOCK_MONOTONIC */
};

static void *run(void *ctx)
{
    struct mu_lease_thread *t = ctx;
    int64_t until_ms;
    pthread_mutex_lock(&t->lock);
    while ((until_ms = t->look(t->ctx)) != MU_LEASE_ENDS) {
        struct timespec to = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
        if (until_ms > mu_clock_ms())
            pthread_cond_timedwait(&t->wake, &t->lock, &to);
    }
    pthread_mutex_unlock(&t->lock);
    mu_bus_end_thread();
    return NULL;
}

static void destroy(struct mu_lease_thread *t)
{
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

bool mu_lease_thread_start(struct mu_lease_thread **out, int64_t (*look)(void *ctx), void *ctx,
                           struct mu_error *err)
{
    struct mu_lease_thread *t = calloc(1, sizeof(*t));
    pthread_condattr_t attributes;
    if (!t)
        return mu_fail(err, MU_BROKEN, "out of memory");
    t->look = look;
    t->ctx = ctx;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    *out = t; /* before it starts: what it looks at finds it there */
    if (pthread_create(&t->thread, NULL, run, t) == 0)
        return true;
    *out = NULL;
    destroy(t);
    return mu_fail(err, MU_BROKEN, "could not start the lease thread");
}

void mu_lease_thread_lock(struct mu_lease_thread *t)
{
    pthread_mutex_lock(&t->lock);
}

void mu_lease_thread_unlock(struct mu_lease_thread *t)
{
    pthread_mutex_unlock(&t->lock);
}

void mu_lease_thread_wake(struct mu_lease_thread *t)
{
    pthread_cond_signal(&t->wake);
}

void mu_lease_thread_end(struct mu_lease_thread *t)
{
    mu_lease_thread_wake(t);
    pthread_join(t->thread, NULL);
    destroy(t);
}
