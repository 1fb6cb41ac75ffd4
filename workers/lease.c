/* SPDX-License-Identifier: Apache-2.0 */
#include "lease.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "lease_thread.h"
#include "progress.h"
#include "settle.h"

#include <assert.h>

#define LEAST_PERIOD_MS 20
#define DRAIN_GRACE_MS 1000
#define RENEW_MOST 256 /* deliveries in one round */

/* The lease thread's own view of the running task: time is summed up between looks, so that a process that
 * was stopped does not take its sleep for a stall. */
struct watch {
    uint64_t run_number;
    unsigned long long moves;
    int64_t looked_ms, ran_ms, still_ms;
    bool moved; /* since the last look */
};

struct mu_lease {
    struct mu_bus *bus;
    struct mu_agent *agent; /* the lease thread's */
    const struct mu_config *config;
    int64_t period_ms; /* between two looks at what is held */
    struct mu_lease_thread *thread; /* NULL: it was not started */
    struct watch watch;             /* the lease thread's */
    int64_t beat_ms, look_ms;       /* when the next ones are due; the lease thread's */
    bool unheard;                   /* the last sign of life was not taken; the lease thread's */
    atomic_ullong moves; /* written by the working thread, read here */
    atomic_bool waits;   /* likewise */

    /* under the mutex of the thread: all that follows */
    int64_t wake_ms;          /* when the lease thread will look again by itself; its own */
    bool stop;                /* working thread */
    struct mu_delivery *held; /* working thread */
    size_t held_count;
    uint64_t next_number;
    int64_t settled;
    const char *state;
    int64_t drain_until_ms;                     /* lease thread; 0: nobody has asked to stop */
    const struct mu_delivery *running_delivery; /* what is run now; working thread */
    const struct mu_ride *running_ride;
    const struct mu_task *running;
    uint64_t run_number;  /* grows with each task that is run */
    struct mu_error lost; /* lease thread */
};

/* Asked to stop, the process ends in time, whatever the working thread does. */
static void check_drain(struct mu_lease *l)
{
    int64_t now = mu_clock_ms();
    if (!mu_daemon_should_stop())
        return;
    if (!l->drain_until_ms)
        l->drain_until_ms = now + l->config->worker_drain_ms;
    if (now < l->drain_until_ms + DRAIN_GRACE_MS)
        return;
    mu_say(MU_LOG_ERROR,
           "the drain did not end in time, ending this process; the leases of what it holds run out");
    mu_daemon_abort();
}

/* With the lock held; let go of while the broker is asked. */
static void renew(struct mu_lease *l)
{
    struct due {
        char subject[MU_SUBJECT_MAX + 200];
        uint64_t number;
    } *due = NULL;
    size_t count = 0;
    int64_t now = mu_clock_ms(), third = l->config->task_ack_wait_ms / 3;
    if (l->held)
        due = calloc(l->held_count < RENEW_MOST ? l->held_count : RENEW_MOST, sizeof(*due));
    for (struct mu_delivery *d = l->held; due && d && count < RENEW_MOST; d = d->next) {
        /* beyond ack_wait an answer proves nothing: a zombie's +WPI is answered too, so the doubt stays until a
         * CAS */
        if (now - d->renewed_ms + l->period_ms / 2 < third || mu_lease_doubtful(l, d))
            continue;
        if (mu_copy_text(due[count].subject, sizeof(due[count].subject), mu_span_of(d->message->reply)))
            due[count++].number = d->number;
    }
    mu_lease_thread_unlock(l->thread);
    size_t answered = 0;
    struct mu_error err = {0};
    while (answered < count &&
           mu_work_in_progress(l->bus, due[answered].subject, third < 2000 ? third : 2000, &err))
        answered++;
    mu_lease_thread_lock(l->thread);
    for (struct mu_delivery *d = l->held; d; d = d->next)
        for (size_t i = 0; i < answered; i++)
            if (due[i].number == d->number && !mu_lease_doubtful(l, d)) {
                atomic_store(&d->alive_ms, now);
                d->renewed_ms = now;
            }
    free(due);
}

static void beat(struct mu_lease *l)
{
    struct mu_error err = {0};
    struct mu_held *held = l->held_count ? calloc(l->held_count, sizeof(*held)) : NULL;
    size_t count = 0;
    for (struct mu_delivery *d = l->held; held && d && count < l->held_count; d = d->next, count++) {
        bool running = d == l->running_delivery && l->running;
        held[count].n = atomic_load(&d->n);
        held[count].since_us = d->since_us;
        memcpy(held[count].ride_id, d->ride_id, sizeof(d->ride_id));
        memcpy(held[count].task_id, running ? l->running->id_text : d->ride_id, MU_ID_MAX);
    }
    struct mu_load load = {.state = l->state, .held = held, .held_count = count, .settled = l->settled};
    mu_lease_thread_unlock(l->thread);
    bool ok = mu_agent_beat(l->agent, l->bus, &load, &err);
    free(held);
    mu_lease_thread_lock(l->thread);
    if (!ok && err.fault == MU_LOST) {
        l->lost = err;
        mu_bus_wake(l->bus);
    } else if (!ok && !l->unheard) { /* an idle agent has nothing else to say of a broker that stands still */
        mu_log_failure(MU_WARNING, &err, "signs of life are not taken, trying again");
    }
    l->unheard = !ok;
}

/* The working thread hangs in a task, so this one says what can be said and ends the process. */
static void overrun(struct mu_lease *l, const char *reason, int64_t limit_ms)
{
    char message[160];
    snprintf(message, sizeof(message), "the task %s %lld ms",
             reason[0] == 's' ? "made no progress for" : "ran longer than", (long long)limit_ms);
    const struct mu_task *task = l->running;
    mu_log(MU_LOG_ERROR, "a task has outrun its limit, ending this process", MU_F("reason", reason),
           MU_F("task_id", task->id_text), MU_N("limit_ms", limit_ms));
    bool mine = !mu_lease_doubtful(l, l->running_delivery) ||
                mu_progress_is_mine(l->bus, task->id_text, l->agent->incarnation);
    if (mine)
        mu_settle_overrun(l->bus, l->agent, l->running_ride, task, l->running_delivery->message, reason,
                          message);
    mu_daemon_abort();
}

static void look(struct mu_lease *l, struct watch *w)
{
    int64_t now = mu_clock_ms(), passed = now - w->looked_ms;
    unsigned long long moves = atomic_load(&l->moves);
    if (passed > 2 * l->period_ms)
        passed = 2 * l->period_ms;
    w->moved = !l->running || moves != w->moves || w->run_number != l->run_number || atomic_load(&l->waits);
    if (w->run_number != l->run_number) {
        w->run_number = l->run_number;
        w->ran_ms = 0;
    } else {
        w->ran_ms += passed;
    }
    w->still_ms = w->moved ? 0 : w->still_ms + passed;
    w->moves = moves;
    w->looked_ms = now;
    if (l->running && w->still_ms > l->config->worker_stall_limit_ms)
        overrun(l, "stalled", l->config->worker_stall_limit_ms);
    if (l->running && w->ran_ms > l->config->worker_run_limit_ms)
        overrun(l, "run_limit", l->config->worker_run_limit_ms);
}

/* One look at what is held, by the lease thread; when to look again. */
static int64_t look_around(void *ctx)
{
    struct mu_lease *l = ctx;
    int64_t now = mu_clock_ms();
    if (l->stop)
        return MU_LEASE_ENDS;
    if (l->held && l->look_ms > now + l->period_ms)
        l->look_ms = now + l->period_ms;
    int64_t next = l->held && l->look_ms < l->beat_ms ? l->look_ms : l->beat_ms;
    if (now < next)
        return l->wake_ms = next;
    check_drain(l);
    look(l, &l->watch);
    if (l->watch.moved)
        renew(l);
    l->look_ms = mu_clock_ms() + l->period_ms;
    if (mu_clock_ms() >= l->beat_ms && !l->stop) {
        beat(l);
        l->beat_ms = mu_clock_ms() + l->config->worker_heartbeat_ms;
    }
    return 0;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

bool mu_lease_open(struct mu_lease **out, struct mu_bus *bus, struct mu_agent *agent,
                   const struct mu_config *config, struct mu_error *err)
{
    MU_AUTO(mu_lease_free) struct mu_lease *l = calloc(1, sizeof(*l));
    if (!l)
        return mu_fail(err, MU_BROKEN, "out of memory");
    l->bus = bus;
    l->agent = agent;
    l->config = config;
    l->state = "idle";
    l->period_ms = least(config->task_ack_wait_ms / 3,
                         least(config->worker_stall_limit_ms, config->worker_run_limit_ms) / 4);
    if (l->period_ms < LEAST_PERIOD_MS)
        l->period_ms = LEAST_PERIOD_MS;
    l->watch.looked_ms = l->look_ms = mu_clock_ms();
    l->beat_ms = l->look_ms + config->worker_heartbeat_ms;
    if (!mu_lease_thread_start(&l->thread, look_around, l, err))
        return false;
    *out = MU_GIVE(l);
    return true;
}

void mu_lease_free(struct mu_lease *l)
{
    if (!l)
        return;
    if (l->thread) {
        mu_lease_thread_lock(l->thread);
        l->stop = true;
        mu_lease_thread_unlock(l->thread);
        mu_lease_thread_end(l->thread);
    }
    free(l);
}

void mu_lease_hold(struct mu_lease *l, struct mu_delivery *d)
{
    atomic_store(&d->alive_ms, d->message->received_ms);
    mu_lease_thread_lock(l->thread);
    d->renewed_ms = d->message->received_ms;
    d->number = ++l->next_number;
    d->next = l->held;
    l->held = d;
    l->held_count++;
    if (l->wake_ms > mu_clock_ms() + l->period_ms)
        mu_lease_thread_wake(l->thread);
    mu_lease_thread_unlock(l->thread);
}

void mu_lease_let_go(struct mu_lease *l, struct mu_delivery *d)
{
    mu_lease_thread_lock(l->thread);
    assert(d != l->running_delivery);
    for (struct mu_delivery **at = &l->held; *at; at = &(*at)->next) {
        if (*at == d) {
            *at = d->next;
            l->held_count--;
            break;
        }
    }
    mu_lease_thread_unlock(l->thread);
}

void mu_lease_count_settled(struct mu_lease *l, size_t tasks)
{
    mu_lease_thread_lock(l->thread);
    l->settled += (int64_t)tasks;
    mu_lease_thread_unlock(l->thread);
}

bool mu_lease_doubtful(const struct mu_lease *l, const struct mu_delivery *d)
{
    return mu_clock_ms() - atomic_load(&d->alive_ms) > l->config->task_ack_wait_ms;
}

void mu_lease_renewed(struct mu_delivery *d)
{
    atomic_store(&d->alive_ms, mu_clock_ms());
}

void mu_lease_run(struct mu_lease *l, const struct mu_delivery *d, const struct mu_ride *ride,
                  const struct mu_task *task)
{
    mu_lease_thread_lock(l->thread);
    l->running_delivery = task ? d : NULL;
    l->running_ride = task ? ride : NULL;
    l->running = task;
    l->run_number++;
    mu_lease_thread_unlock(l->thread);
}

void mu_lease_moved(struct mu_lease *l)
{
    atomic_fetch_add_explicit(&l->moves, 1, memory_order_relaxed);
}

void mu_lease_waiting(struct mu_lease *l, bool waits)
{
    atomic_store(&l->waits, waits);
}

void mu_lease_state(struct mu_lease *l, const char *state)
{
    mu_lease_thread_lock(l->thread);
    l->state = state;
    mu_lease_thread_unlock(l->thread);
}

bool mu_lease_lost(struct mu_lease *l, struct mu_error *err)
{
    mu_lease_thread_lock(l->thread);
    bool lost = l->lost.fault != MU_OK;
    if (lost)
        mu_fail(err, l->lost.fault, "%s", l->lost.text);
    mu_lease_thread_unlock(l->thread);
    return lost;
}
