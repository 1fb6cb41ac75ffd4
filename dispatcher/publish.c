/* SPDX-License-Identifier: Apache-2.0 */
#include "publish.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/failpoint.h"
#include "statements.h"

#define UNDER_WAY_MAX 1024
#define NOTE_ROWS 256
#define NOTE_MS 20
#define SWEEP_ROWS 500
#define ACK_TIMEOUT_MS 5000

/* What has been sent and not been noted yet. */
struct sent {
    struct mu_id ride;
    int64_t n;
    bool is_event, open;
};
struct acked {
    struct mu_id ride;
    int64_t n;
    uint64_t sequence;
};

struct publisher {
    struct dispatcher *d;
    struct mu_flow *tasks, *events;
    struct sent sent[UNDER_WAY_MAX];
    size_t next;
    struct acked acked[UNDER_WAY_MAX];
    size_t acked_count;
    struct mu_id done_events[UNDER_WAY_MAX];
    size_t event_count;
    int64_t first_acked_ms;
    char created[40];
    int64_t complained_ms;
};

bool publisher_new(struct publisher **out, struct dispatcher *d, struct mu_error *err)
{
    struct publisher *p = calloc(1, sizeof(*p));
    if (!p)
        return mu_fail(err, MU_BROKEN, "out of memory");
    p->d = d;
    if (!mu_flow_new(&p->tasks, d->bus, MU_STREAM_TASKS, UNDER_WAY_MAX / 2, ACK_TIMEOUT_MS, err) ||
        !mu_flow_new(&p->events, d->bus, MU_STREAM_EVENTS, 64, ACK_TIMEOUT_MS, err) || !publisher_learn_stream(p, err)) {
        publisher_free(p);
        return false;
    }
    *out = p;
    return true;
}

void publisher_free(struct publisher *p)
{
    if (!p)
        return;
    mu_flow_free(p->tasks);
    mu_flow_free(p->events);
    free(p);
}

bool publisher_learn_stream(struct publisher *p, struct mu_error *err)
{
    struct mu_stream_state state;
    bool found = false;
    if (!mu_stream_find(p->d->bus, MU_STREAM_TASKS, &found, &state, err))
        return false;
    if (!found) {
        mu_fail(err, MU_UNAVAILABLE, "the stream %s is missing", MU_STREAM_TASKS);
        return mu_hint(err, "`muster setup` creates it");
    }
    memcpy(p->created, state.created, sizeof(p->created));
    return true;
}

const char *publisher_stream_created(const struct publisher *p)
{
    return p->created;
}

size_t publisher_under_way(const struct publisher *p)
{
    return mu_flow_under_way(p->tasks) + mu_flow_under_way(p->events) + p->acked_count + p->event_count;
}

static bool is_under_way(const struct publisher *p, struct mu_id ride, int64_t n)
{
    for (size_t i = 0; i < UNDER_WAY_MAX; i++)
        if (p->sent[i].open && p->sent[i].n == n && mu_id_equal(p->sent[i].ride, ride))
            return true;
    for (size_t i = 0; i < p->acked_count; i++)
        if (p->acked[i].n == n && mu_id_equal(p->acked[i].ride, ride))
            return true;
    return false;
}

static struct sent *free_slot(struct publisher *p)
{
    for (size_t tries = 0; tries < UNDER_WAY_MAX; tries++) {
        struct sent *s = &p->sent[p->next++ % UNDER_WAY_MAX];
        if (!s->open)
            return s;
    }
    return NULL;
}

static bool send(struct publisher *p, bool is_event, struct mu_id ride, int64_t n, const char *subject, struct mu_span body,
                 const char *trace_id)
{
    char id[MU_ID_MAX + 24], text[MU_ID_MAX], parent[64];
    struct mu_header header = {"traceparent", parent};
    struct mu_error err = {0};
    struct sent *s = p->acked_count < UNDER_WAY_MAX && p->event_count < UNDER_WAY_MAX ? free_slot(p) : NULL;
    if (!s)
        return false;
    mu_id_format(ride, text);
    snprintf(id, sizeof(id), "%s:%lld", text, (long long)n);
    bool traced = trace_id && strlen(trace_id) == 32;
    if (traced)
        snprintf(parent, sizeof(parent), "00-%s-%.8s%.8s-01", trace_id, text + 24, text + 28);
    if (!mu_flow_publish(is_event ? p->events : p->tasks, subject, id, body, &header, traced, (uint64_t)(s - p->sent), &err))
        return false; /* it stands in the outbox */
    *s = (struct sent){.ride = ride, .n = n, .is_event = is_event, .open = true};
    return true;
}

void publisher_send(struct publisher *p, bool is_event, struct mu_id ride, int64_t n, const char *subject,
                    struct mu_span body, const char *trace_id)
{
    send(p, is_event, ride, n, subject, body, trace_id);
}

/* A complaint a second is enough while a stream is full or away. */
static void complain(struct publisher *p, const struct mu_puback *ack)
{
    int64_t now = mu_clock_ms();
    if (now - p->complained_ms < 1000)
        return;
    p->complained_ms = now;
    mu_log_failure(MU_WARNING, &ack->err, "it stays in the outbox and is sent again");
}

static void take_ack(struct publisher *p, const struct mu_puback *ack)
{
    struct sent *s = &p->sent[ack->tag];
    s->open = false;
    if (!ack->ok) {
        complain(p, ack);
        return;
    }
    if (!p->acked_count && !p->event_count)
        p->first_acked_ms = mu_clock_ms();
    if (s->is_event)
        p->done_events[p->event_count++] = s->ride;
    else
        p->acked[p->acked_count++] = (struct acked){s->ride, s->n, ack->sequence};
}

static bool note_tasks(struct publisher *p, struct mu_error *err)
{
    struct mu_args *a = p->d->args;
    mu_args_reset(a);
    mu_arg_array_begin(a, MU_ARRAY_ID);
    for (size_t i = 0; i < p->acked_count; i++)
        mu_arg_array_id(a, p->acked[i].ride);
    mu_arg_array_end(a);
    mu_arg_array_begin(a, MU_ARRAY_I32);
    for (size_t i = 0; i < p->acked_count; i++)
        mu_arg_array_i64(a, p->acked[i].n);
    mu_arg_array_end(a);
    mu_arg_text(a, mu_span_of(p->created));
    mu_arg_array_begin(a, MU_ARRAY_I64);
    for (size_t i = 0; i < p->acked_count; i++)
        mu_arg_array_i64(a, (int64_t)p->acked[i].sequence);
    mu_arg_array_end(a);
    if (!mu_store_run(p->d->store, SQL_OUTBOX_PUBLISHED, a, NULL, err))
        return false;
    p->acked_count = 0;
    return true;
}

static bool note_events(struct publisher *p, struct mu_error *err)
{
    struct mu_args *a = p->d->args;
    mu_args_reset(a);
    mu_arg_array_begin(a, MU_ARRAY_ID);
    for (size_t i = 0; i < p->event_count; i++)
        mu_arg_array_id(a, p->done_events[i]);
    mu_arg_array_end(a);
    if (!mu_store_run(p->d->store, SQL_OUTBOX_EVENT_DONE, a, NULL, err))
        return false;
    p->event_count = 0;
    return true;
}

bool publisher_note(struct publisher *p, struct mu_error *err)
{
    struct mu_puback ack;
    while (p->acked_count < UNDER_WAY_MAX && mu_flow_next(p->tasks, 0, &ack))
        take_ack(p, &ack);
    while (p->event_count < UNDER_WAY_MAX && mu_flow_next(p->events, 0, &ack))
        take_ack(p, &ack);
    size_t waiting = p->acked_count + p->event_count;
    if (!waiting || (waiting < NOTE_ROWS && mu_clock_ms() - p->first_acked_ms < NOTE_MS))
        return true;
    MU_FAILPOINT("dispatcher.after_publish");
    if ((p->acked_count && !note_tasks(p, err)) || (p->event_count && !note_events(p, err)))
        return mu_while(err, "noting what has been published");
    MU_FAILPOINT("dispatcher.after_mark");
    return true;
}

bool publisher_sweep(struct publisher *p, int64_t older_ms, size_t *sent, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    struct mu_args *a = p->d->args;
    mu_args_reset(a);
    mu_arg_i64(a, SWEEP_ROWS);
    mu_arg_i64(a, older_ms);
    mu_arg_array_begin(a, MU_ARRAY_ID); /* their bytes need not be read only to be passed over */
    for (size_t i = 0; i < UNDER_WAY_MAX; i++)
        if (p->sent[i].open)
            mu_arg_array_id(a, p->sent[i].ride);
    for (size_t i = 0; i < p->acked_count; i++)
        mu_arg_array_id(a, p->acked[i].ride);
    for (size_t i = 0; i < p->event_count; i++)
        mu_arg_array_id(a, p->done_events[i]);
    mu_arg_array_end(a);
    if (!mu_store_run(p->d->store, SQL_OUTBOX_PENDING, a, &rows, err))
        return mu_while(err, "reading the outbox");
    *sent = 0;
    for (size_t i = 0; i < mu_rows_count(rows); i++) {
        struct mu_id ride;
        int64_t n = mu_row_i64(rows, i, 2);
        if (!mu_row_id(rows, i, 1, &ride) || is_under_way(p, ride, n))
            continue;
        bool is_event = mu_row_text(rows, i, 0)[0] == 'e';
        if (!send(p, is_event, ride, n, mu_row_text(rows, i, 3), mu_row_span(rows, i, 5), mu_row_text(rows, i, 6)))
            break;
        ++*sent;
    }
    return true;
}
