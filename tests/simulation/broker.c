/* SPDX-License-Identifier: Apache-2.0 */
#include "broker_inside.h"

#include "base/clock.h"

#include <strings.h>

#define RECONNECT_LEAST_US 500000
#define RECONNECT_MOST_US 2500000
#define BUFFER_BYTES (64 * 1024)
#define SILENT_US (25 * SECOND_US) /* two pings without an answer: the connection is given up */

struct broker_faults broker_faults;

static struct {
    bool up;
    int64_t up_us;
    int generation;
    int64_t loss_us;
    int64_t wall_offset_us;
    struct connection *connections;
} broker;

/* ---- messages ---- */

struct wire *wire_new(const char *subject, const char *reply, struct mu_span body)
{
    struct wire *w = world_alloc(sizeof(*w));
    w->subject = world_keep_text(subject);
    w->reply = reply && reply[0] ? world_keep_text(reply) : "";
    w->body = world_keep(body);
    return w;
}

void wire_header(struct wire *w, const char *name, const char *value)
{
    if (w->header_count < WIRE_HEADERS)
        w->headers[w->header_count++] = (struct wire_header){world_keep_text(name), world_keep_text(value)};
}

const char *wire_find(const struct wire *w, const char *name)
{
    for (size_t i = 0; i < w->header_count; i++)
        if (strcasecmp(w->headers[i].name, name) == 0)
            return w->headers[i].value;
    return NULL;
}

bool subject_matches(const char *pattern, const char *subject)
{
    for (;;) {
        if (pattern[0] == '>' && !pattern[1])
            return *subject != '\0';
        size_t p = strcspn(pattern, "."), s = strcspn(subject, ".");
        if (!(p == 1 && pattern[0] == '*') && (p != s || memcmp(pattern, subject, p) != 0))
            return false;
        if (!pattern[p] || !subject[s])
            return pattern[p] == subject[s];
        pattern += p + 1;
        subject += s + 1;
    }
}

int64_t broker_wall(void)
{
    return world_wall() + broker.wall_offset_us;
}

int64_t broker_wall_offset(void)
{
    return broker.wall_offset_us;
}

void broker_set_wall_offset(int64_t us)
{
    trace("the broker's clock is set to %+lld s", (long long)(us / SECOND_US));
    broker.wall_offset_us = us;
}

/* ---- from the broker to a client ---- */

struct delivery {
    struct subscription *to;
    uint64_t epoch;
    const struct wire *wire;
};

static void arrive(void *ctx, uint64_t number)
{
    struct delivery *d = ctx;
    struct connection *c = d->to->connection;
    (void)number;
    if (c->gone || c->epoch != d->epoch || d->to->closed)
        return;
    if (c->process->frozen_until_us > world_now()) { /* the library's threads are stopped too */
        world_at(c->process->frozen_until_us + 1, arrive, d, 0);
        return;
    }
    d->to->take(d->to->ctx, d->wire);
}

static void deliver(struct subscription *s, const struct wire *w)
{
    struct connection *c = s->connection;
    struct delivery *d = world_alloc(sizeof(*d));
    int64_t at = world_now();
    *d = (struct delivery){s, c->epoch, w};
    if (at < c->stall_in_us)
        at = c->stall_in_us;
    at += chance_latency();
    if (at < c->in_free_us)
        at = c->in_free_us;
    c->in_free_us = at;
    world_at(at, arrive, d, 0);
}

static bool open_to(const struct subscription *s)
{
    return !s->closed && !s->connection->gone && s->connection->connected;
}

bool broker_listens(const char *subject)
{
    bool inbox = strncmp(subject, "_INBOX", 6) == 0;
    for (struct connection *c = broker.connections; c; c = c->next)
        for (struct subscription *s = inbox && strncmp(subject, c->inbox, strlen(c->inbox)) != 0 ? NULL : c->subs; s; s = s->next)
            if (open_to(s) && subject_matches(s->pattern, subject))
                return true;
    return false;
}

int broker_route(const char *subject, const struct wire *shown)
{
    struct subscription *chosen = NULL;
    uint32_t members = 0;
    int got = 0;
    bool inbox = strncmp(subject, "_INBOX", 6) == 0;
    for (struct connection *c = broker.connections; c; c = c->next) {
        if (c->gone || !c->connected || (inbox && strncmp(subject, c->inbox, strlen(c->inbox)) != 0))
            continue;
        for (struct subscription *s = c->subs; s; s = s->next) {
            if (!open_to(s) || !subject_matches(s->pattern, subject))
                continue;
            if (s->group) { /* one queue group per subject is all that muster has */
                if (chance_below(++members) == 0)
                    chosen = s;
                continue;
            }
            deliver(s, shown);
            got++;
        }
    }
    if (chosen) {
        deliver(chosen, shown);
        got++;
    }
    return got;
}

void broker_answer(const struct wire *request, const struct wire *answer)
{
    if (!request->reply[0])
        return;
    if (chance_in_million(broker_faults.answer_lost)) {
        trace("the answer to %s is lost", request->subject);
        return;
    }
    (void)broker_route(request->reply, answer);
}

/* ---- from a client to the broker ---- */

struct sending {
    struct connection *from;
    uint64_t epoch;
    const struct wire *wire;
};

static void receive(const struct wire *w)
{
    if (strncmp(w->subject, "$JS.ACK.", 8) == 0) {
        jetstream_ack(w);
    } else if (strncmp(w->subject, "$JS.API.", 8) == 0) {
        if (!jetstream_api(w)) {
            broken("the broker of the simulation does not know the request %s", w->subject);
        }
    } else if (strcmp(w->subject, "$SIM.PING") == 0) {
        (void)broker_route(w->reply, wire_new(w->reply, "", mu_span("", 0)));
    } else {
        bool stored = jetstream_publish(w, false);
        if (stored && (strncmp(w->subject, "muster.result.", 14) == 0 || strncmp(w->subject, "muster.finding.", 15) == 0) &&
            chance_in_million(broker_faults.twice)) {
            trace("%s is published twice", w->subject);
            (void)jetstream_publish(w, true);
        }
        int got = broker_route(w->subject, w);
        if (!stored && !got && w->reply[0]) {
            struct wire *none = wire_new(w->reply, "", mu_span("", 0));
            wire_header(none, "Status", "503");
            (void)broker_route(w->reply, none);
        }
    }
}

static void reach(void *ctx, uint64_t number)
{
    struct sending *s = ctx;
    (void)number;
    if (s->from->epoch == s->epoch && broker.up)
        receive(s->wire);
}

static void transmit(struct connection *c, const struct wire *w)
{
    struct sending *s = world_alloc(sizeof(*s));
    int64_t at = world_now();
    *s = (struct sending){c, c->epoch, w};
    if (at < c->stall_out_us)
        at = c->stall_out_us;
    at += chance_latency();
    if (at < c->out_free_us)
        at = c->out_free_us;
    c->out_free_us = at;
    world_at(at, reach, s, 0);
}

bool connection_send(struct connection *c, const struct wire *w)
{
    if (c->connected) {
        transmit(c, w);
        return true;
    }
    size_t bytes = w->body.len + 200;
    if (c->gone || c->kept_count == MU_COUNT(c->kept) || c->kept_bytes + bytes > BUFFER_BYTES)
        return false;
    c->kept[c->kept_count++].wire = w;
    c->kept_bytes += bytes;
    return true;
}

/* ---- connections ---- */

static bool reachable(const struct connection *c)
{
    return broker.up && c->stall_out_us <= world_now() && c->stall_in_us <= world_now();
}

static void come_back(void *ctx, uint64_t epoch)
{
    struct connection *c = ctx;
    if (c->gone || c->connected || c->epoch != epoch)
        return;
    if (c->process->frozen_until_us > world_now()) {
        world_at(c->process->frozen_until_us + chance_between(0, 100000), come_back, c, epoch);
        return;
    }
    if (!reachable(c)) {
        world_at(world_now() + chance_between(RECONNECT_LEAST_US, RECONNECT_MOST_US), come_back, c, epoch);
        return;
    }
    c->connected = true;
    c->generation++;
    for (size_t i = 0; i < c->kept_count; i++)
        transmit(c, c->kept[i].wire);
    c->kept_count = c->kept_bytes = 0;
    trace("%s is connected again", c->process->name);
    c->changed(c->ctx);
}

void connection_break(struct connection *c)
{
    if (c->gone || !c->connected)
        return;
    trace("the connection of %s breaks", c->process->name);
    c->connected = false;
    c->epoch++;
    c->in_free_us = c->out_free_us = 0;
    c->changed(c->ctx);
    world_at(world_now() + chance_between(RECONNECT_LEAST_US, RECONNECT_MOST_US), come_back, c, c->epoch);
}

struct connection *connection_open(struct process *p, const char *inbox, void (*changed)(void *ctx), void *ctx)
{
    if (!broker.up)
        return NULL;
    struct connection *c = world_alloc(sizeof(*c));
    *c = (struct connection){.process = p, .connected = true, .changed = changed, .ctx = ctx, .generation = 1, .next = broker.connections};
    snprintf(c->inbox, sizeof(c->inbox), "%s.", inbox);
    broker.connections = c;
    return c;
}

struct connection *connection_first(void)
{
    return broker.connections;
}

struct subscription *connection_subscribe(struct connection *c, const char *pattern, const char *group,
                                          void (*take)(void *ctx, const struct wire *w), void *ctx)
{
    struct subscription *s = world_alloc(sizeof(*s));
    *s = (struct subscription){.connection = c, .pattern = world_keep_text(pattern), .group = group ? world_keep_text(group) : NULL,
                               .take = take, .ctx = ctx, .next = c->subs};
    c->subs = s;
    return s;
}

static void take_out(struct connection *c)
{
    for (struct connection **at = &broker.connections; *at; at = &(*at)->next) {
        if (*at == c) {
            *at = c->next;
            return;
        }
    }
}

void connection_close(struct connection *c)
{
    c->gone = true; /* what it has sent is in the network and arrives: the epoch stays */
    take_out(c);
}

static void cut_off(void *ctx, uint64_t number)
{
    struct connection *c = ctx;
    (void)number;
    c->epoch++;
}

/* A killed process: what the kernel has is sent, what the library still had is not. */
static void process_gone(struct process *p, bool killed)
{
    struct connection *next;
    for (struct connection *c = broker.connections; c; c = next) {
        next = c->next;
        if (c->process != p)
            continue;
        connection_close(c);
        if (killed && c->out_free_us > world_now())
            world_at(chance_between(world_now(), c->out_free_us), cut_off, c, 0);
    }
}

static void give_up(void *ctx, uint64_t epoch)
{
    struct connection *c = ctx;
    if (c->epoch == epoch && !reachable(c))
        connection_break(c);
}

void connection_stall(struct connection *c, bool out, bool in, int64_t for_us)
{
    int64_t until = world_now() + for_us;
    trace("the network of %s is silent for %lld ms%s", c->process->name, (long long)for_us / 1000, out && in ? "" : out ? ", outwards" : ", inwards");
    if (out)
        c->stall_out_us = until;
    if (in)
        c->stall_in_us = until;
    world_at(world_now() + SILENT_US, give_up, c, c->epoch);
}

/* ---- what goes wrong ---- */

static void go_down(int64_t away_us)
{
    broker.up = false;
    broker.up_us = world_now() + away_us;
    for (struct connection *c = broker.connections; c; c = c->next)
        connection_break(c);
    jetstream_forget_requests();
}

static void come_up(void *ctx, uint64_t number)
{
    (void)ctx;
    (void)number;
    if (broker.up || world_now() < broker.up_us)
        return;
    trace("the broker is up");
    broker.up = true;
    jetstream_restarted();
}

static void lost_something(void)
{
    broker.generation++;
    broker.loss_us = world_now();
}

void broker_restart(int64_t away_us)
{
    trace("the broker restarts, away for %lld ms", (long long)away_us / 1000);
    go_down(away_us);
    world_at(broker.up_us, come_up, NULL, 0);
}

void broker_power_cut(int64_t away_us)
{
    trace("power cut of the broker, away for %lld ms", (long long)away_us / 1000);
    lost_something();
    go_down(away_us);
    jetstream_restore(true);
    world_at(broker.up_us, come_up, NULL, 0);
}

void broker_older_copy(int64_t away_us)
{
    trace("an older copy of the broker's store, away for %lld ms", (long long)away_us / 1000);
    lost_something();
    go_down(away_us);
    jetstream_restore(false);
    world_at(broker.up_us, come_up, NULL, 0);
}

void broker_wipe(int64_t away_us)
{
    trace("the broker's store is wiped, away for %lld ms", (long long)away_us / 1000);
    lost_something();
    go_down(away_us);
    jetstream_wipe();
    world_at(broker.up_us, come_up, NULL, 0);
}

void broker_remember(void)
{
    jetstream_remember();
}

bool broker_is_up(void)
{
    return broker.up;
}

int broker_generation(void)
{
    return broker.generation;
}

int64_t broker_last_loss(void)
{
    return broker.loss_us;
}

void broker_publish(const char *subject, const char *id, struct mu_span body)
{
    struct wire *w = wire_new(subject, "", body);
    if (id)
        wire_header(w, "Nats-Msg-Id", id);
    receive(w);
}

void broker_begin(void)
{
    memset(&broker, 0, sizeof(broker));
    broker_faults = (struct broker_faults){0};
    broker.up = true;
    jetstream_begin();
    world_on_death(process_gone);
}
