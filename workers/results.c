/* SPDX-License-Identifier: Apache-2.0 */
#include "results.h"
#include "base/clock.h"
#include "base/log.h"

#define POSTS_MAX 64
#define KEPT_BYTES ((size_t)16 * 1024) /* memory that a closed post keeps: an idle agent holds little */
#define ACK_TIMEOUT_MS 5000
#define PAUSE_LEAST_MS 50
#define PAUSE_MOST_MS 5000
#define TRACE_MAX 80

struct post {
    bool open, sent;
    char subject[MU_SUBJECT_MAX], traceparent[TRACE_MAX];
    struct mu_text body;
    struct mu_delivery *delivery;
    int64_t due_ms, pause_ms; /* when it is to be sent again */
};

struct mu_results {
    struct mu_results_setup setup;
    struct mu_flow *flow;
    struct post posts[POSTS_MAX];
    size_t open;
    bool complained;
    struct mu_error broken;
};

bool mu_results_open(struct mu_results **out, const struct mu_results_setup *setup, struct mu_error *err)
{
    MU_AUTO(mu_results_free) struct mu_results *r = calloc(1, sizeof(*r));
    if (!r)
        return mu_fail(err, MU_BROKEN, "out of memory");
    r->setup = *setup;
    for (size_t i = 0; i < POSTS_MAX; i++)
        r->posts[i].body = MU_TEXT(MU_PLAN_MAX);
    if (!mu_flow_new(&r->flow, setup->bus, MU_STREAM_RESULTS, POSTS_MAX, ACK_TIMEOUT_MS, err))
        return false;
    *out = MU_GIVE(r);
    return true;
}

void mu_results_free(struct mu_results *r)
{
    if (!r)
        return;
    mu_flow_free(r->flow);
    for (size_t i = 0; i < POSTS_MAX; i++)
        mu_text_free(&r->posts[i].body);
    free(r);
}

static void put_off(struct mu_results *r, struct post *p, const struct mu_error *why)
{
    p->sent = false;
    if (why->fault != MU_UNAVAILABLE && why->fault != MU_LOST)
        mu_fail(&r->broken, MU_BROKEN, "a result of %zu bytes can never be published: %s", p->body.len,
                why->text);
    p->pause_ms = p->pause_ms ? p->pause_ms * 2 : PAUSE_LEAST_MS;
    if (p->pause_ms > PAUSE_MOST_MS)
        p->pause_ms = PAUSE_MOST_MS;
    p->due_ms = mu_clock_ms() + p->pause_ms;
    if (!r->complained)
        mu_log_failure(MU_WARNING, why, "keeping the results and trying again");
    r->complained = true;
}

static void send_post(struct mu_results *r, struct post *p)
{
    struct mu_error err = {0};
    struct mu_header trace = {"traceparent", p->traceparent};
    p->sent = mu_flow_publish(r->flow, p->subject, NULL, mu_text_span(&p->body), &trace,
                              p->traceparent[0] != '\0', (uint64_t)(p - r->posts), &err);
    if (!p->sent)
        put_off(r, p, &err);
}

static void close_post(struct mu_results *r, struct post *p)
{
    struct mu_delivery *d = p->delivery;
    p->open = false;
    r->open--;
    r->complained = false;
    if (p->body.size > KEPT_BYTES)
        mu_text_free(&p->body);
    mu_text_reset(&p->body);
    if (d && --d->open_posts == 0 && d->complete)
        r->setup.confirmed(r->setup.ctx, d);
}

static void take_acks(struct mu_results *r)
{
    struct mu_puback ack;
    while (mu_flow_next(r->flow, 0, &ack)) {
        struct post *p = &r->posts[ack.tag];
        if (ack.ok)
            close_post(r, p);
        else
            put_off(r, p, &ack.err);
    }
}

int64_t mu_results_step(struct mu_results *r)
{
    if (!r->open)
        return -1;
    take_acks(r);
    int64_t now = mu_clock_ms(), next = r->open ? ACK_TIMEOUT_MS : -1;
    for (size_t i = 0; i < POSTS_MAX; i++) {
        struct post *p = &r->posts[i];
        if (!p->open || p->sent)
            continue;
        if (p->due_ms <= now)
            send_post(r, p);
        else if (p->due_ms - now < next)
            next = p->due_ms - now;
    }
    return next;
}

bool mu_results_broken(const struct mu_results *r, struct mu_error *err)
{
    return r->broken.fault != MU_OK && !mu_fail(err, r->broken.fault, "%s", r->broken.text);
}

/* Waits for one PubAck, or a moment. */
static bool wait_step(struct mu_results *r, struct mu_error *err)
{
    struct mu_puback ack;
    mu_lease_waiting(r->setup.lease, true);
    if (mu_flow_next(r->flow, 10, &ack)) {
        if (ack.ok)
            close_post(r, &r->posts[ack.tag]);
        else
            put_off(r, &r->posts[ack.tag], &ack.err);
    }
    int64_t next = mu_results_step(r);
    bool patient = r->setup.patience(r->setup.ctx);
    if (patient && next > 0 && !mu_flow_under_way(r->flow)) /* nothing is on its way: the broker is away */
        mu_bus_wait(r->setup.bus, -1, next < 100 ? next : 100);
    mu_lease_waiting(r->setup.lease, false);
    if (mu_results_broken(r, err))
        return false;
    return patient || mu_fail_code(err, MU_UNAVAILABLE, "drain", "results could not be confirmed in time");
}

bool mu_results_post(struct mu_results *r, const char *subject, struct mu_span body, const char *traceparent,
                     struct mu_delivery *d, struct mu_error *err)
{
    struct post *p = r->posts;
    if (body.len > MU_PLAN_MAX)
        return mu_fail(err, MU_BROKEN, "a result message of %zu bytes", body.len);
    while (r->open == POSTS_MAX)
        if (!wait_step(r, err))
            return false;
    while (p->open)
        p++;
    mu_text_reset(&p->body);
    mu_text_add(&p->body, body);
    if (!mu_text_ok(&p->body, err) || !mu_copy_text(p->subject, sizeof(p->subject), mu_span_of(subject)))
        return mu_fail(err, MU_BROKEN, "out of memory");
    if (!mu_copy_text(p->traceparent, sizeof(p->traceparent), mu_span_of(traceparent ? traceparent : "")))
        p->traceparent[0] = '\0'; /* too long to be one */
    p->open = true;
    p->pause_ms = 0;
    p->delivery = d;
    if (d)
        d->open_posts++;
    r->open++;
    send_post(r, p);
    return true;
}

void mu_results_complete(struct mu_results *r, struct mu_delivery *d)
{
    d->complete = true;
    if (d->open_posts == 0)
        r->setup.confirmed(r->setup.ctx, d);
}

bool mu_results_confirm(struct mu_results *r, struct mu_error *err)
{
    while (r->open)
        if (!wait_step(r, err))
            return false;
    return true;
}

void mu_result_message_init(struct mu_result_message *m, const struct mu_agent *agent, const char *ride_id,
                            const char *queue)
{
    *m = (struct mu_result_message){
        .agent = agent, .outcomes = MU_TEXT(MU_PLAN_MAX), .deferred = MU_TEXT(MU_RESULT_MAX),
        .tallies = MU_TEXT(MU_PLAN_MAX)};
    snprintf(m->ride_id, sizeof(m->ride_id), "%s", ride_id);
    snprintf(m->queue, sizeof(m->queue), "%s", queue);
}

bool mu_result_message_room(const struct mu_result_message *m, size_t len)
{
    return m->outcomes.len + m->deferred.len + m->tallies.len + len < MU_RESULT_ROOM;
}

static size_t place_tally(struct mu_result_message *m, struct mu_span tally)
{
    for (size_t i = m->tally_count; i-- > 0;) /* the last one is the likeliest */
        if (mu_span_equal(tally, mu_span(m->tallies.at + m->pieces[i].at, m->pieces[i].len)))
            return i;
    if (m->tallies.len)
        mu_text_putc(&m->tallies, ',');
    m->pieces[m->tally_count] = (struct mu_tally_piece){m->tallies.len, tally.len};
    mu_text_add(&m->tallies, tally);
    return m->tally_count++;
}

void mu_result_message_add(struct mu_result_message *m, struct mu_span outcome, struct mu_span tally)
{
    if (m->outcomes.len)
        mu_text_putc(&m->outcomes, ',');
    if (tally.len) {
        mu_text_puts(&m->outcomes, "{\"tally\":");
        mu_text_add_u64(&m->outcomes, place_tally(m, tally));
        mu_text_putc(&m->outcomes, ',');
        outcome = mu_span(outcome.at + 1, outcome.len - 1);
    }
    mu_text_add(&m->outcomes, outcome);
}

void mu_result_message_defer(struct mu_result_message *m, const struct mu_task *task, int64_t n,
                             const char *class, const char *reason, const char *text)
{
    struct mu_text *t = &m->deferred;
    mu_text_puts(t, t->len ? ",{" : "{");
    mu_json_put_text(t, "task_id", task->id_text);
    mu_json_put_text(t, "job_id", task->job_text);
    mu_json_put_int(t, "n", n);
    mu_json_put_text(t, "class", class);
    mu_json_put_text(t, "reason", reason);
    mu_json_put_text(t, "message", text);
    mu_text_putc(t, '}');
}

bool mu_result_message_empty(const struct mu_result_message *m)
{
    return !m->outcomes.len && !m->deferred.len;
}

static void put_array(struct mu_text *out, const char *key, const struct mu_text *members)
{
    mu_json_key(out, key);
    mu_text_putc(out, '[');
    mu_text_add(out, mu_text_span(members));
    mu_text_putc(out, ']');
}

void mu_result_message_write(const struct mu_result_message *m, struct mu_text *out)
{
    mu_text_puts(out, "{\"v\":1");
    mu_json_put_text(out, "ride_id", m->ride_id);
    mu_json_put_text(out, "queue", m->queue);
    mu_json_put_text(out, "agent", m->agent->id);
    mu_json_put_text(out, "incarnation", m->agent->incarnation);
    put_array(out, "tallies", &m->tallies);
    put_array(out, "outcomes", &m->outcomes);
    put_array(out, "deferred", &m->deferred);
    mu_text_putc(out, '}');
    if (m->outcomes.failed || m->deferred.failed || m->tallies.failed)
        out->failed = true;
}

void mu_result_message_reset(struct mu_result_message *m)
{
    mu_text_reset(&m->outcomes);
    mu_text_reset(&m->deferred);
    mu_text_reset(&m->tallies);
    m->tally_count = 0;
}

void mu_result_message_fini(struct mu_result_message *m)
{
    mu_text_free(&m->outcomes);
    mu_text_free(&m->deferred);
    mu_text_free(&m->tallies);
}
