/* SPDX-License-Identifier: Apache-2.0 */
/* The client's end of a connection: in place of lib/outside/bus.c and inbox.c, and of the few calls of the library
 * that lib/outside/message.c makes. Everything above (pulls, flows, buckets, streams, services, topology) is real.
 * Who waits here gives the thread back to the world. */
#include "outside/bus_inside.h"

#include "base/clock.h"
#include "broker.h"

#include <assert.h>

#define CONNECT_US 800
#define VERSION "2.10.27"

/* A request that waits for its answer. */
struct waiter {
    uint64_t number;
    struct mu_message *answer;
    struct fibre *fibre;
    struct waiter *next;
};

/* The bus's fields for the library's objects hold ours. */
static struct connection *connection_of(const struct mu_bus *bus)
{
    return (struct connection *)(void *)bus->nc;
}

/* What the fake has to know beside the real struct. */
struct end {
    struct mu_bus bus; /* first: a bus is its end */
    struct fibre *waiter; /* in mu_bus_wait */
};

static struct end *end_of(struct mu_bus *bus)
{
    return (struct end *)(void *)bus;
}

/* ---- the library's messages ---- */

static const struct wire *wire_of(const natsMsg *m)
{
    return (const struct wire *)(const void *)m;
}

const char *natsMsg_GetSubject(const natsMsg *m)
{
    return wire_of(m)->subject;
}

const char *natsMsg_GetReply(const natsMsg *m)
{
    return wire_of(m)->reply;
}

const char *natsMsg_GetData(const natsMsg *m)
{
    return wire_of(m)->body.at;
}

int natsMsg_GetDataLength(const natsMsg *m)
{
    return (int)wire_of(m)->body.len;
}

void natsMsg_Destroy(natsMsg *m)
{
    (void)m; /* it lives as long as the world */
}

natsStatus natsMsgHeader_Get(natsMsg *m, const char *key, const char **value)
{
    *value = wire_find(wire_of(m), key);
    return *value ? NATS_OK : NATS_NOT_FOUND;
}

natsStatus natsMsg_Create(natsMsg **out, const char *subject, const char *reply, const char *data, int len)
{
    *out = (natsMsg *)(void *)wire_new(subject, reply, mu_span(data, (size_t)len));
    return NATS_OK;
}

natsStatus natsMsgHeader_Set(natsMsg *m, const char *key, const char *value)
{
    wire_header((struct wire *)(void *)m, key, value);
    return NATS_OK;
}

bool bus_fault(struct mu_error *err, natsStatus s, const char *fmt, ...)
{
    (void)s;
    return mu_fail(err, MU_BROKEN, "%s", fmt);
}

static struct arrival *arrival_of(const struct wire *w)
{
    struct arrival *a = message_new((natsMsg *)(uintptr_t)w);
    assert(a);
    return a;
}

/* ---- waking ---- */

void bus_wake(struct mu_bus *bus)
{
    atomic_store(&bus->signalled, true);
    fibre_wake(end_of(bus)->waiter);
}

void mu_bus_wake(struct mu_bus *bus)
{
    bus_wake(bus);
}

/* The connection broke, or is there again. */
static void on_change(void *ctx)
{
    struct mu_bus *bus = ctx;
    atomic_store(&bus->generation, connection_of(bus)->generation);
    bus_wake(bus);
    for (struct waiter *w = bus->waiters; w; w = w->next)
        fibre_wake(w->fibre);
}

static void on_reply(void *ctx, const struct wire *wire)
{
    struct mu_bus *bus = ctx;
    int64_t number = -1;
    const char *last = strrchr(wire->subject, '.');
    if (!last || !mu_parse_i64(mu_span_of(last + 1), 0, INT64_MAX, &number))
        number = -1;
    struct waiter *w = bus->waiters;
    while (w && (w->number != (uint64_t)number || w->answer))
        w = w->next;
    if (!w)
        return; /* it came too late */
    w->answer = &arrival_of(wire)->message;
    fibre_wake(w->fibre);
}

/* ---- connections ---- */

bool mu_bus_open(struct mu_bus **out, const struct mu_bus_options *options, struct mu_error *err)
{
    world_step();
    (void)fibre_wait(world_now() + CONNECT_US + chance_latency());
    struct end *end = world_alloc(sizeof(*end));
    struct mu_bus *bus = &end->bus;
    char subject[INBOX_MAX];
    uint64_t noise;
    mu_random(&noise, sizeof(noise));
    snprintf(bus->inbox_prefix, sizeof(bus->inbox_prefix), "_INBOX_%.50s.%012llx", options->role,
             (unsigned long long)(noise & 0xFFFFFFFFFFFF));
    struct connection *c = connection_open(process_current(), bus->inbox_prefix, on_change, bus);
    if (!c)
        return mu_fail(err, MU_UNAVAILABLE, "could not connect to the broker");
    bus->nc = (natsConnection *)(void *)c;
    atomic_store(&bus->generation, 1);
    mu_api_prefix(bus->api, "");
    snprintf(bus->version, sizeof(bus->version), VERSION);
    bus->max_payload = 1024 * 1024;
    snprintf(subject, sizeof(subject), "%s.r.*", bus->inbox_prefix);
    (void)connection_subscribe(c, subject, NULL, on_reply, bus);
    *out = bus;
    return true;
}

void mu_bus_free(struct mu_bus *bus)
{
    if (!bus)
        return;
    struct mu_error ignored = {0};
    (void)!mu_bus_flush(bus, 1000, &ignored);
    connection_close(connection_of(bus));
}

void mu_bus_end_thread(void)
{
}

bool mu_bus_connected(const struct mu_bus *bus)
{
    return connection_of(bus)->connected;
}

uint64_t mu_bus_generation(const struct mu_bus *bus)
{
    return atomic_load(&bus->generation);
}

const char *mu_bus_server_version(const struct mu_bus *bus)
{
    return bus->version;
}

size_t mu_bus_max_payload(const struct mu_bus *bus)
{
    return bus->max_payload;
}

const char *mu_bus_hub_version(const struct mu_bus *bus)
{
    return bus->hub_version;
}

/* Every login of the simulation may do everything. */
bool mu_bus_take_refusal(struct mu_bus *bus, char out[MU_REFUSAL_MAX])
{
    (void)bus;
    out[0] = '\0';
    return false;
}

void bus_refusal(struct mu_bus *bus, char out[200])
{
    (void)mu_bus_take_refusal(bus, out);
}

/* ---- sending ---- */

bool mu_bus_send(struct mu_bus *bus, const char *subject, struct mu_span body, const struct mu_header *headers,
                 size_t header_count, const char *reply, struct mu_error *err)
{
    world_step();
    if (body.len > bus->max_payload)
        return mu_reject(err, "too_large", "", "a message of %zu bytes to %s", body.len, subject);
    struct wire *w = wire_new(subject, reply, body);
    for (size_t i = 0; i < header_count; i++)
        if (headers[i].value && headers[i].value[0])
            wire_header(w, headers[i].name, headers[i].value);
    return connection_send(connection_of(bus), w) || mu_fail(err, MU_UNAVAILABLE, "could not send to %s", subject);
}

bool mu_bus_request(struct mu_bus *bus, const char *subject, struct mu_span body, const struct mu_header *headers,
                    size_t header_count, int64_t timeout_ms, struct mu_message **out, struct mu_error *err)
{
    char reply[INBOX_MAX];
    struct waiter *w = world_alloc(sizeof(*w)); /* an answer may look for it after its process was killed */
    int64_t until_us = world_now() + timeout_ms * 1000;
    uint64_t generation = mu_bus_generation(bus);
    *w = (struct waiter){.number = atomic_fetch_add(&bus->next_request, 1), .fibre = fibre_current(), .next = bus->waiters};
    snprintf(reply, sizeof(reply), "%s.r.%llu", bus->inbox_prefix, (unsigned long long)w->number);
    if (!mu_bus_connected(bus))
        return mu_fail(err, MU_UNAVAILABLE, "not connected to the broker");
    bus->waiters = w;
    bool sent = mu_bus_send(bus, subject, body, headers, header_count, reply, err);
    while (sent && !w->answer && world_now() < until_us && mu_bus_generation(bus) == generation)
        (void)fibre_wait(until_us);
    for (struct waiter **at = &bus->waiters; *at; at = &(*at)->next) {
        if (*at == w) {
            *at = w->next;
            break;
        }
    }
    if (!sent)
        return false;
    if (!w->answer)
        return mu_fail_code(err, MU_UNAVAILABLE, "timeout", "no answer from %s within %lld ms", subject, (long long)timeout_ms);
    if (mu_message_status(w->answer) == 503) {
        mu_message_free(w->answer);
        return mu_fail_code(err, MU_UNAVAILABLE, "no_responders", "nobody answers %s", subject);
    }
    *out = w->answer;
    return true;
}

bool mu_bus_flush(struct mu_bus *bus, int64_t timeout_ms, struct mu_error *err)
{
    MU_AUTO(mu_message_free) struct mu_message *pong = NULL;
    return mu_bus_request(bus, "$SIM.PING", mu_span("", 0), NULL, 0, timeout_ms, &pong, err);
}

/* ---- waiting ---- */

bool store_readable(int socket, struct fibre *waiter); /* fake_store.c */

void mu_bus_wait(struct mu_bus *bus, int also_fd, int64_t wait_ms)
{
    int64_t now = mu_clock_ms();
    world_step();
    for (struct mu_pull *p = bus->pulls; p; p = p->next) {
        int64_t next = pull_step(p, now);
        if (next >= 0 && next < wait_ms)
            wait_ms = next;
    }
    int64_t until_us = world_now() + (wait_ms > 0 ? wait_ms * 1000 : 20);
    end_of(bus)->waiter = fibre_current();
    while (!atomic_load(&bus->signalled) && !(also_fd >= 0 && store_readable(also_fd, fibre_current())) && world_now() < until_us)
        (void)fibre_wait(until_us);
    end_of(bus)->waiter = NULL;
    if (also_fd >= 0)
        (void)store_readable(also_fd, NULL);
    if (atomic_exchange(&bus->signalled, false) && wait_ms > 0)
        (void)fibre_wait(world_now() + 5); /* no loop takes no time at all */
}

/* ---- subscriptions ---- */

/* Runs where the library's thread would. */
static void on_message(void *ctx, const struct wire *wire)
{
    struct inbox *in = ctx;
    if (in->most && in->count >= in->most) {
        in->dropped++;
        return;
    }
    struct arrival *a = arrival_of(wire);
    if (in->tail)
        in->tail->next = a;
    else
        in->head = a;
    in->tail = a;
    in->count++;
    bus_wake(in->bus);
}

bool inbox_open(struct inbox *in, struct mu_bus *bus, const char *subject, const char *group, size_t most, struct mu_error *err)
{
    (void)err;
    *in = (struct inbox){.bus = bus, .most = most};
    in->sub = (natsSubscription *)(void *)connection_subscribe(connection_of(bus), subject, group, on_message, in);
    return true;
}

struct mu_message *inbox_take(struct inbox *in, int64_t wait_ms)
{
    int64_t until_us = world_now() + wait_ms * 1000;
    if (wait_ms > 0)
        world_step();
    while (!in->head && world_now() < until_us) {
        /* the bus has one waiting thread: whoever waits for this inbox is it */
        struct end *end = end_of(in->bus);
        struct fibre *before = end->waiter;
        end->waiter = fibre_current();
        (void)fibre_wait(until_us);
        end->waiter = before;
    }
    struct arrival *a = in->head;
    if (!a)
        return NULL;
    in->head = a->next;
    if (!in->head)
        in->tail = NULL;
    in->count--;
    return &a->message;
}

void inbox_stop(struct inbox *in)
{
    if (in->sub)
        ((struct subscription *)(void *)in->sub)->closed = true;
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
    in->bus = NULL;
}

struct mu_sub {
    struct inbox inbox;
};

bool mu_sub_open(struct mu_sub **out, struct mu_bus *bus, const char *subject, const char *queue_group, size_t most_waiting,
                 struct mu_error *err)
{
    struct mu_sub *s = calloc(1, sizeof(*s));
    if (!s)
        return mu_fail(err, MU_BROKEN, "out of memory");
    *out = s;
    return inbox_open(&s->inbox, bus, subject, queue_group, most_waiting, err);
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
