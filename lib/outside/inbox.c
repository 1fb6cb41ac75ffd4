/* SPDX-License-Identifier: Apache-2.0 */
/* Subscriptions with our own queue: the callbacks of the library only append and wake. */
#include "outside/bus_inside.h"

#include <time.h>

/* Runs on a thread of the library. */
static void on_message(natsConnection *nc, natsSubscription *sub, natsMsg *m, void *closure)
{
    struct inbox *in = closure;
    (void)nc;
    (void)sub;
    struct arrival *a = message_new(m);
    pthread_mutex_lock(&in->lock);
    if (!a || (in->most && in->count >= in->most)) {
        in->dropped++;
        pthread_mutex_unlock(&in->lock);
        if (a)
            mu_message_free(&a->message);
        else
            natsMsg_Destroy(m);
        return;
    }
    if (in->tail)
        in->tail->next = a;
    else
        in->head = a;
    in->tail = a;
    in->count++;
    pthread_cond_signal(&in->arrived);
    pthread_mutex_unlock(&in->lock);
    bus_wake(in->bus);
}

static void on_complete(void *closure)
{
    struct inbox *in = closure;
    pthread_mutex_lock(&in->lock);
    atomic_store(&in->closed, true);
    pthread_cond_broadcast(&in->arrived);
    pthread_mutex_unlock(&in->lock);
}

bool inbox_open_with(struct inbox *in, struct mu_bus *bus, const char *subject, const char *group,
                     natsMsgHandler callback, void *closure, struct mu_error *err)
{
    pthread_condattr_t attributes;
    size_t most = in->most;
    *in = (struct inbox){.bus = bus, .most = most};
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&in->lock, NULL);
    pthread_cond_init(&in->arrived, &attributes);
    pthread_condattr_destroy(&attributes);
    natsStatus s = group ? natsConnection_QueueSubscribe(&in->sub, bus->nc, subject, group, callback, closure)
                         : natsConnection_Subscribe(&in->sub, bus->nc, subject, callback, closure);
    if (s == NATS_OK)
        s = natsSubscription_SetOnCompleteCB(in->sub, on_complete, in);
    if (s == NATS_OK) /* over a limit the library would drop the newest message without a word to us */
        s = natsSubscription_SetPendingLimits(in->sub, -1, -1);
    if (s == NATS_OK)
        return true;
    inbox_fini(in);
    return bus_fault(err, s, "could not subscribe to %s", subject);
}

bool inbox_open(struct inbox *in, struct mu_bus *bus, const char *subject, const char *group, size_t most,
                struct mu_error *err)
{
    in->most = most;
    return inbox_open_with(in, bus, subject, group, on_message, in, err);
}

struct mu_message *inbox_take(struct inbox *in, int64_t wait_ms)
{
    struct timespec until;
    struct arrival *a;
    if (wait_ms > 0) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        int64_t ns = until.tv_nsec + wait_ms % 1000 * 1000000;
        until.tv_sec += wait_ms / 1000 + ns / 1000000000;
        until.tv_nsec = ns % 1000000000;
    }
    pthread_mutex_lock(&in->lock);
    while (!in->head && wait_ms > 0 && pthread_cond_timedwait(&in->arrived, &in->lock, &until) == 0)
        continue;
    a = in->head;
    if (a) {
        in->head = a->next;
        if (!in->head)
            in->tail = NULL;
        in->count--;
    }
    pthread_mutex_unlock(&in->lock);
    return a ? &a->message : NULL;
}

/* A subscription that is destroyed while the library delivers to it is a crash (0a7dd28b): wait for its last call. */
void inbox_stop(struct inbox *in)
{
    struct timespec until;
    if (!in->sub)
        return;
    natsSubscription_Unsubscribe(in->sub);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 2;
    pthread_mutex_lock(&in->lock);
    while (!atomic_load(&in->closed) && pthread_cond_timedwait(&in->arrived, &in->lock, &until) == 0)
        continue;
    pthread_mutex_unlock(&in->lock);
    natsSubscription_Destroy(in->sub);
    in->sub = NULL;
}

void inbox_fini(struct inbox *in)
{
    struct mu_message *m;
    if (!in->bus)
        return;
    inbox_stop(in);
    while ((m = inbox_take(in, 0)))
        mu_message_free(m);
    pthread_cond_destroy(&in->arrived);
    pthread_mutex_destroy(&in->lock);
    in->bus = NULL;
}

struct mu_sub {
    struct inbox inbox;
};

bool mu_sub_open(struct mu_sub **out, struct mu_bus *bus, const char *subject, const char *queue_group,
                 size_t most_waiting, struct mu_error *err)
{
    struct mu_sub *s = calloc(1, sizeof(*s));
    if (!s)
        return mu_fail(err, MU_BROKEN, "out of memory");
    if (!inbox_open(&s->inbox, bus, subject, queue_group, most_waiting, err)) {
        free(s);
        return false;
    }
    *out = s;
    return true;
}

struct mu_message *mu_sub_take(struct mu_sub *sub)
{
    return inbox_take(&sub->inbox, 0);
}

uint64_t mu_sub_dropped(const struct mu_sub *sub)
{
    return sub->inbox.dropped;
}

void mu_sub_free(struct mu_sub *sub)
{
    if (!sub)
        return;
    inbox_fini(&sub->inbox);
    free(sub);
}
