/* SPDX-License-Identifier: Apache-2.0 */
#include "recorder.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/failpoint.h"
#include "daemon/refusals.h"
#include "statements.h"

#include <unistd.h>

#define ARENA_KEPT ((size_t)64 << 20) /* what a full batch of outcomes needs: parsing must not wait for pages */
#define BEAT_MS 1000
#define TRY_MS 1000
#define VERIFY_MS 10000
#define THIN_MS 600000
#define BROKER_LOST_MS 5000
#define CATCH_UP_MS 100
#define END_MS 3000
#define TRIES_MAX 3 /* of a batch after a deadlock or a serialization failure, before standing by */

static bool open_bus(struct recorder *r, struct mu_error *err)
{
    const struct mu_config *c = r->config;
    char name[160], host[64] = "localhost";
    gethostname(host, sizeof(host) - 1);
    snprintf(name, sizeof(name), "muster-recorder/%s %s:%ld", MUSTER_VERSION, host, (long)getpid());
    const struct mu_bus_options options = {
        .url = c->nats_url, .role = "recorder", .name = name, .user = c->nats_user, .password = c->nats_password,
        .token = c->nats_token, .creds_file = c->nats_creds, .nkey_file = c->nats_nkey,
        .inbox = c->nats_inbox, .domain = c->nats_jetstream_domain, .connect_timeout_ms = c->nats_connect_timeout_ms};
    return mu_bus_open(&r->bus, &options, err);
}

static bool open_all(struct recorder *r, struct mu_error *err)
{
    return mu_store_open(&r->store, r->config->postgres_conninfo, "muster-recorder", recorder_statements, SQL_COUNT, err) &&
           mu_store_check_schema(r->store, err) && open_bus(r, err) &&
           mu_service_open(&r->service, r->bus, "muster-recorder", MUSTER_VERSION, "Records outcomes and findings in PostgreSQL",
                           NULL, 0, err);
}

static void close_pull(struct recorder *r)
{
    mu_message_free(r->held);
    r->held = NULL;
    mu_pull_free(r->pull);
    r->pull = NULL;
    if (r->flight) /* its transaction ends with the session, which nothing else can use before */
        mu_store_abandon(r->store);
    r->flight = NULL;
    results_reset(&r->pair[0]);
    results_reset(&r->pair[1]);
}

static void close_all(struct recorder *r)
{
    mu_daemon_on_signal(NULL, NULL);
    close_pull(r);
    lock_let_go(r);
    mu_service_free(r->service);
    r->service = NULL;
    mu_bus_free(r->bus);
    r->bus = NULL;
    mu_store_free(r->store);
    r->store = NULL;
}

bool recorder_open(struct recorder *r, struct mu_error *err)
{
    for (size_t i = 0; i < MU_COUNT(r->pair); i++)
        if (!r->pair[i].arena && !mu_json_arena_new(&r->pair[i].arena, ARENA_KEPT, err))
            return false;
    r->batch = r->pair;
    while (!open_all(r, err)) {
        close_all(r);
        if (err->fault != MU_UNAVAILABLE)
            return false;
        mu_log_failure(MU_WARNING, err, "trying again");
        mu_error_clear(err);
        if (!mu_daemon_wait(mu_backoff_next(&r->backoff)))
            return false;
    }
    mu_backoff_reset(&r->backoff);
    (void)!mu_bus_flush(r->bus, 1000, err); /* ready means that the broker knows our subscriptions */
    mu_error_clear(err);
    mu_log(MU_INFO, "ready", MU_F("version", MUSTER_VERSION), MU_F("nats_server", mu_bus_server_version(r->bus)));
    return true;
}

/* Steps back from being active; what has been taken is dropped, it stays in the stream. */
static void stand_by(struct recorder *r, const char *why)
{
    if (r->active)
        mu_log(MU_WARNING, "standing by", MU_F("reason", why));
    close_pull(r);
    lock_let_go(r);
}

static bool become_active(struct recorder *r, struct mu_error *err)
{
    const struct mu_pull_options pull = {.stream = MU_STREAM_RESULTS, .consumer = MU_CONSUMER_RECORDER,
                                         .max_bytes = (size_t)r->config->recorder_batch_bytes};
    if (!lock_try(r, err) || !r->active)
        return r->active;
    struct mu_consumer_state consumer = {0};
    bool found = false;
    if (!lock_beat(r, err) || !position_settle(r, err) ||
        !mu_consumer_find(r->bus, MU_STREAM_RESULTS, MU_CONSUMER_RECORDER, &found, &consumer, err) ||
        !mu_pull_open(&r->pull, r->bus, &pull, err)) {
        lock_let_go(r);
        return false;
    }
    r->next = r->position.sequence + 1;
    r->catch_up = found ? consumer.delivered_stream_sequence : 0;
    r->generation = mu_bus_generation(r->bus);
    r->verify_ms = mu_clock_ms() + VERIFY_MS;
    mu_log(MU_INFO, "recording", MU_N("from_sequence", r->position.sequence + 1));
    return true;
}

/* Takes what has arrived, in the order of the stream. A message behind the position is recorded again: keys drop
 * repeats, and a number alone proves nothing. */
static bool take(struct recorder *r, struct mu_error *err)
{
    mu_pull_want(r->pull, (size_t)r->config->recorder_batch_messages);
    if (r->next <= r->catch_up && !position_fill_gap(r, r->catch_up + 1, err))
        return false;
    while (!recorder_is_full(r)) {
        struct mu_message *m = r->held ? MU_GIVE(r->held) : mu_pull_take(r->pull);
        if (!m)
            break;
        bool filled = m->stream_sequence <= r->next || position_fill_gap(r, m->stream_sequence, err);
        bool again = m->stream_sequence < r->next; /* starts a batch of its own: positions ascend within one */
        if (!filled || m->stream_sequence > r->next || (again && r->batch->count)) {
            r->held = m;
            if (!filled)
                return false;
            break;
        }
        if (!again)
            r->next = m->stream_sequence + 1;
        if (!results_add(r->batch, m, err))
            return false;
    }
    r->more = recorder_is_full(r);
    if (r->batch->count)
        MU_FAILPOINT("recorder.pulled");
    return true;
}

static bool record_range(struct recorder *r, size_t from, size_t to, struct mu_error *err);

/* PostgreSQL would not take it: the half that holds the bad message is found and the message put aside. */
static bool split(struct recorder *r, size_t from, size_t to, const struct mu_error *why, struct mu_error *err)
{
    if (to - from == 1 && r->putting_aside) { /* nor that: it is not the message */
        *err = *why;
        return false;
    }
    if (to - from == 1) {
        mu_log_failure(MU_LOG_ERROR, why, "the result message is put aside in muster.quarantine");
        results_put_aside(r->flight, from, "refused_by_database");
        r->putting_aside = true;
        bool done = record_range(r, from, to, err);
        r->putting_aside = false;
        return done;
    }
    size_t middle = from + (to - from) / 2;
    return record_range(r, from, middle, err) && record_range(r, middle, to, err);
}

static bool send_range(struct recorder *r, size_t from, size_t to, struct mu_error *err)
{
    results_bind(r->flight, from, to, r->position.created, r->args);
    return mu_store_begin(r->store, err) && mu_store_start(r->store, SQL_RECORD, r->args, err);
}

/* Waits for the answer to what was sent, and commits it. */
static bool commit_range(struct recorder *r, size_t from, size_t to, struct mu_error *err)
{
    struct mu_error why = {0};
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    const struct mu_message *last = r->flight->messages[to - 1];
    if (!mu_store_finish(r->store, &rows, &why)) {
        mu_store_rollback(r->store);
        if (strcmp(why.code, "again") == 0 && r->tries++ < TRIES_MAX) /* what was in the way is found now */
            return record_range(r, from, to, err);
        if (strcmp(why.code, "timed_out") == 0 && to - from > 1) /* the next ones are smaller until they fit */
            r->most = (to - from) / 2;
        if (why.fault == MU_UNAVAILABLE || why.fault == MU_LOST) {
            *err = why;
            return false;
        }
        return split(r, from, to, &why, err);
    }
    MU_FAILPOINT("recorder.before_commit");
    if (!mu_store_commit(r->store, err))
        return false;
    MU_FAILPOINT("recorder.after_commit");
    if (last->stream_sequence > r->position.sequence) {
        r->position.sequence = last->stream_sequence;
        r->position.stored_us = last->stored_us;
    }
    if (mu_row_i64(rows, 0, 4))
        mu_log(MU_LOG_ERROR, "two computed outcomes of one task differ, see muster.outcome_conflict", MU_N("rows", mu_row_i64(rows, 0, 4)));
    if (mu_row_i64(rows, 0, 5))
        mu_log(MU_WARNING, "result messages were put aside, see muster.quarantine", MU_N("rows", mu_row_i64(rows, 0, 5)));
    return true;
}

static bool record_range(struct recorder *r, size_t from, size_t to, struct mu_error *err)
{
    return send_range(r, from, to, err) && commit_range(r, from, to, err);
}

/* Sends what has been taken; the other batch can be filled from now on. */
static bool launch(struct recorder *r, struct mu_error *err)
{
    r->tries = 0;
    r->flight = r->batch;
    r->batch = r->batch == &r->pair[0] ? &r->pair[1] : &r->pair[0];
    return send_range(r, 0, r->flight->count, err) || mu_while(err, "recording %zu result messages", r->flight->count);
}

static bool land(struct recorder *r, struct mu_error *err)
{
    const struct mu_message *last = r->flight->messages[r->flight->count - 1];
    if (!commit_range(r, 0, r->flight->count, err))
        return mu_while(err, "recording %zu result messages", r->flight->count);
    if (last->reply[0] && !mu_ack(r->bus, last, err)) /* flow control only: the position is in the database */
        mu_error_clear(err);
    MU_FAILPOINT("recorder.after_ack");
    if (r->most) /* back to full size by small steps: what took too long once may do so again */
        r->most += 1 + r->most / 16;
    results_reset(r->flight);
    r->flight = NULL;
    return true;
}

static bool keep_up(struct recorder *r, struct mu_error *err)
{
    int64_t now = mu_clock_ms();
    if (now >= r->beat_ms) {
        r->beat_ms = now + BEAT_MS;
        if (!lock_beat(r, err))
            return false;
    }
    if (mu_bus_connected(r->bus))
        r->broker_lost_ms = 0;
    else if (!r->broker_lost_ms)
        r->broker_lost_ms = now;
    else if (now - r->broker_lost_ms > BROKER_LOST_MS)
        return mu_fail(err, MU_LOST, "the broker has been away for five seconds");
    return true;
}

/* What needs the session for itself: is the stream still the one that was recorded; old positions. */
static bool look_after(struct recorder *r, struct mu_error *err)
{
    int64_t now = mu_clock_ms();
    bool changed = r->generation != mu_bus_generation(r->bus);
    if ((changed || now >= r->verify_ms) && mu_bus_connected(r->bus)) {
        char created[40];
        uint64_t sequence = r->position.sequence;
        memcpy(created, r->position.created, sizeof(created));
        if (!position_settle(r, err))
            return false;
        r->generation = mu_bus_generation(r->bus);
        r->verify_ms = now + VERIFY_MS;
        if (strcmp(created, r->position.created) != 0 || sequence != r->position.sequence)
            return mu_fail(err, MU_LOST, "the results stream is another one or went back");
    }
    if (now >= r->thin_ms) {
        r->thin_ms = now + THIN_MS;
        return mu_store_run(r->store, SQL_POSITIONS_THIN, NULL, NULL, err);
    }
    return true;
}

static bool go_on(struct recorder *r, struct mu_error *err)
{
    if (r->flight && mu_store_ready(r->store) && !land(r, err))
        return false;
    if (!r->flight && !look_after(r, err))
        return false;
    if (!r->flight && r->batch->count && !launch(r, err)) /* the server does not wait while we read on */
        return false;
    return take(r, err) && (r->flight || !r->batch->count || launch(r, err));
}

/* One switch decides what a fault means here. */
static void settle(struct recorder *r, const struct mu_error *err)
{
    int64_t pause = mu_backoff_next(&r->backoff);
    switch (err->fault) {
    case MU_OK:
        break;
    case MU_LOST:
        stand_by(r, err->text);
        r->try_ms = mu_clock_ms() + TRY_MS;
        break;
    case MU_UNAVAILABLE:
    case MU_REJECTED:
    case MU_BROKEN:
        mu_log_failure(MU_WARNING, err, "standing by and trying again");
        stand_by(r, "failure");
        r->try_ms = mu_clock_ms() + pause;
        break;
    }
}

static int64_t turn(struct recorder *r)
{
    struct mu_error err = {0};
    int64_t now = mu_clock_ms();
    size_t endpoint;
    mu_refusals_tell(r->bus);
    mu_message_free(mu_service_take(r->service, &endpoint)); /* answers discovery; there are no endpoints */
    if (!r->active) {
        if (now < r->try_ms)
            return r->try_ms - now;
        r->try_ms = now + TRY_MS;
        if (!mu_store_alive(r->store) && (!mu_store_reconnect(r->store, &err) || !mu_store_check_schema(r->store, &err))) {
            mu_store_abandon(r->store);
            settle(r, &err);
            return TRY_MS;
        }
        if (!become_active(r, &err)) {
            if (err.fault != MU_OK)
                settle(r, &err);
            return TRY_MS;
        }
    }
    if (!keep_up(r, &err) || !go_on(r, &err)) {
        settle(r, &err);
        return 1;
    }
    mu_backoff_reset(&r->backoff);
    int64_t wait_ms = r->beat_ms - mu_clock_ms();
    if (r->next <= r->catch_up && wait_ms > CATCH_UP_MS)
        wait_ms = CATCH_UP_MS; /* what is not delivered wakes nobody */
    return wait_ms > 0 ? wait_ms : 1;
}

/* Heard while the store waits for the server: discovery is answered, and SIGTERM obeyed. */
static bool while_waiting(void *ctx, int64_t waited_ms)
{
    struct recorder *r = ctx;
    size_t endpoint;
    (void)waited_ms;
    mu_daemon_alive();
    mu_message_free(mu_service_take(r->service, &endpoint));
    return !mu_daemon_should_stop();
}

static void wake(void *bus)
{
    mu_bus_wake(bus);
}

void recorder_run(struct recorder *r)
{
    mu_daemon_on_signal(wake, r->bus);
    mu_store_while_waiting(r->store, while_waiting, r);
    while (!mu_daemon_should_stop()) {
        int64_t wait_ms = turn(r);
        mu_daemon_alive();
        bool waiting = r->flight && (r->more || r->held); /* there is more, and no room for it */
        mu_bus_wait(r->bus, r->flight ? mu_store_socket(r->store) : -1,
                    r->active && !waiting && (r->held || r->more) ? 0 : wait_ms);
    }
    struct mu_error err = {0};
    mu_store_limit(r->store, END_MS);
    mu_store_while_waiting(r->store, NULL, NULL);
    if (r->flight && !land(r, &err))
        mu_log_failure(MU_WARNING, &err, "the batch stays in the stream");
    mu_daemon_stopping();
}

void recorder_close(struct recorder *r)
{
    close_all(r);
    for (size_t i = 0; i < MU_COUNT(r->pair); i++) {
        struct mu_json_arena *arena = r->pair[i].arena;
        results_free(&r->pair[i]); /* first: its documents lie in there */
        mu_json_arena_free(arena);
    }
}
