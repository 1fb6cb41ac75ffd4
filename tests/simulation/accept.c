/* SPDX-License-Identifier: Apache-2.0 */
/* sql/migrations/0005_accept.sql, and the small questions of 0008_reconcile.sql. */
#include "statements.h"

static struct mu_digest digest_of(struct mu_span bytes)
{
    struct mu_digest d = {{0}};
    if (bytes.len == sizeof(d.b))
        memcpy(d.b, bytes.at, sizeof(d.b));
    return d;
}

static struct r_request *find_request(struct tables *t, struct mu_span key)
{
    EACH(struct r_request, r, t, T_REQUEST)
    {
        if (mu_span_equal(r->key, key))
            return r;
    }
    return NULL;
}

void sql_claim_keys(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    struct column keys = arg_array(a, 0), jobs = arg_array(a, 1), digests = arg_array(a, 2);
    (void)s;
    for (size_t i = 0; i < keys.count; i++) {
        if (find_request(t, keys.at[i]))
            continue;
        struct r_request *r = table_add(t, T_REQUEST);
        *r = (struct r_request){keys.at[i], cell_id(jobs, i), digest_of(digests.at[i])};
    }
    reply_columns(out, "iut");
    for (size_t i = 0; i < keys.count; i++) {
        const struct r_request *r = find_request(t, keys.at[i]);
        struct mu_digest d = digest_of(digests.at[i]);
        const char *state = mu_id_equal(r->job, cell_id(jobs, i)) ? "new" : mu_digest_equal(&r->body, &d) ? "duplicate" : "conflict";
        reply_row(out);
        reply_i64(out, 0, (int64_t)i + 1);
        reply_id(out, 1, r->job);
        reply_text(out, 2, mu_span_of(state));
    }
}

static uint64_t next_order; /* of rows of the outbox: `order by created_at` within one moment */

static struct mu_span message_id(struct mu_id ride, int64_t n)
{
    char text[MU_ID_MAX + 24], id[MU_ID_MAX];
    mu_id_format(ride, id);
    int len = snprintf(text, sizeof(text), "%s:%lld", id, (long long)n);
    return world_keep(mu_span(text, (size_t)len));
}

static struct r_outbox *add_outbox(struct tables *t, struct mu_id ride, int64_t n, bool event)
{
    struct r_outbox *o = table_add(t, T_OUTBOX);
    o->ride = ride;
    o->n = n;
    o->event = event;
    o->message_id = message_id(ride, n);
    o->created_us = database_now();
    o->order = next_order++;
    return o;
}

void sql_event_row(struct tables *t, const char *what)
{
    char subject[80];
    uint8_t noise[8];
    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (uint8_t)chance_bits();
    struct mu_digest d = mu_digest_of(mu_span((const char *)noise, sizeof(noise)));
    struct mu_id now = {{0}};
    uint64_t ms = (uint64_t)(database_now() / 1000);
    for (int i = 0; i < 6; i++)
        now.b[i] = (uint8_t)(ms >> (40 - 8 * i));
    struct r_outbox *o = add_outbox(t, mu_id_derive(now, &d), 1, true);
    snprintf(subject, sizeof(subject), "muster.event.%s", what);
    o->subject = world_keep(mu_span_of(subject));
    o->bytes = mu_span_of("{\"v\":1,\"events\":[]}");
}

static bool has_terms(struct tables *t, const struct mu_digest *d)
{
    EACH(struct r_terms, r, t, T_TERMS)
    {
        if (mu_digest_equal(&r->digest, d))
            return true;
    }
    return false;
}

static void add_rides(struct tables *t, const struct mu_args *a)
{
    struct column ids = arg_array(a, 0), traces = arg_array(a, 13), numbers = arg_array(a, 14), rides = arg_array(a, 15),
                  subjects = arg_array(a, 16), bodies = arg_array(a, 17);
    for (size_t r = 0; r < rides.count; r++) {
        struct mu_id *members = world_alloc((ids.count + 1) * sizeof(*members));
        struct r_outbox *o = add_outbox(t, cell_id(rides, r), 1, false);
        o->members = members;
        o->subject = subjects.at[r];
        o->bytes = bodies.at[r];
        for (size_t i = 0; i < ids.count; i++) {
            if (cell_i64(numbers, i) != (int64_t)r + 1)
                continue;
            members[o->member_count++] = cell_id(ids, i);
            if (traces.at[i].at)
                o->trace_id = traces.at[i];
        }
    }
}

void sql_accept_jobs(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    struct column ids = arg_array(a, 0), keys = arg_array(a, 1), bodies = arg_array(a, 2), digests = arg_array(a, 3), stages = arg_array(a, 4),
                  queues = arg_array(a, 5), priorities = arg_array(a, 6), packs = arg_array(a, 7), terms = arg_array(a, 8), names = arg_array(a, 9),
                  days = arg_array(a, 10), traces = arg_array(a, 13), new_digests = arg_array(a, 18), documents = arg_array(a, 19);
    (void)s;
    for (size_t i = 0; i < new_digests.count; i++) {
        struct mu_digest d = digest_of(new_digests.at[i]);
        if (has_terms(t, &d))
            continue;
        struct r_terms *r = table_add(t, T_TERMS);
        *r = (struct r_terms){d, documents.at[i]};
    }
    for (size_t i = 0; i < ids.count; i++) {
        if (find_job(t, cell_id(ids, i))) {
            out->fault = MU_REJECTED;
            snprintf(out->text, sizeof(out->text), "duplicate key value violates unique constraint (23505)");
            return;
        }
        struct r_job *j = table_add(t, T_JOB);
        *j = (struct r_job){.id = cell_id(ids, i), .key = keys.at[i], .body = bodies.at[i], .queue = queues.at[i], .priority = priorities.at[i],
                            .pack = packs.at[i], .source_name = names.at[i], .as_of = days.at[i], .trace_id = traces.at[i],
                            .task_digest = digest_of(digests.at[i]), .terms_digest = digest_of(terms.at[i]),
                            .plan_stage = mu_span_is(stages.at[i], "plan"), .n = 1, .submitted_us = database_now()};
    }
    add_rides(t, a);
    struct column events = arg_array(a, 20), event_bytes = arg_array(a, 22);
    for (size_t i = 0; i < events.count; i++) {
        struct r_outbox *o = add_outbox(t, cell_id(events, i), 1, true);
        o->subject = arg_text(a, 21);
        o->bytes = event_bytes.at[i];
    }
}

void sql_reject(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    struct mu_span created = arg_text(a, 2);
    int64_t sequence = arg_i64(a, 3), stored_us = arg_time(a, 4);
    struct mu_id id = {{0}};
    (void)s;
    if (created.at) {
        sql_raise_mark(t, created, sequence, stored_us);
        sql_settle(t, created, sequence);
    }
    reply_columns(out, "u");
    EACH(struct r_rejection, r, t, T_REJECTION)
    {
        if (mu_span_equal(r->created, created) && r->sequence == sequence && r->stored_us == stored_us) {
            reply_row(out);
            reply_id(out, 0, r->id);
            return;
        }
    }
    struct r_rejection *r = table_add(t, T_REJECTION);
    id = mu_id_new();
    *r = (struct r_rejection){.id = id, .created = created, .sequence = sequence, .stored_us = stored_us, .code = arg_text(a, 5),
                              .message = arg_text(a, 6)};
    sql_event_row(t, "job.rejected");
    reply_row(out);
    reply_id(out, 0, id);
}

/* ---- the outbox ---- */

void sql_outbox_pending(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    int64_t limit = arg_i64(a, 0), older_us = arg_i64(a, 1) * 1000;
    struct column under_way = arg_array(a, 2);
    (void)s;
    reply_columns(out, "tuittbt");
    /* rows stand in the order of their insertion, which is that of created_at */
    EACH(struct r_outbox, o, t, T_OUTBOX)
    {
        bool sent = false;
        if (o->published_us || o->created_us > database_now() - older_us || limit <= 0)
            continue;
        for (size_t i = 0; i < under_way.count && !sent; i++)
            sent = mu_id_equal(cell_id(under_way, i), o->ride);
        if (sent)
            continue;
        limit--;
        reply_row(out);
        reply_text(out, 0, mu_span_of(o->event ? "event" : "task"));
        reply_id(out, 1, o->ride);
        reply_i64(out, 2, o->n);
        reply_text(out, 3, o->subject);
        reply_text(out, 4, o->message_id);
        reply_bytes(out, 5, o->bytes);
        reply_text(out, 6, o->trace_id);
    }
}

void sql_outbox_published(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    struct column rides = arg_array(a, 0), ns = arg_array(a, 1), sequences = arg_array(a, 3);
    struct mu_span created = arg_text(a, 2);
    (void)s;
    (void)out;
    EACH(struct r_outbox, o, t, T_OUTBOX)
    {
        for (size_t i = 0; i < rides.count; i++) {
            if (!mu_id_equal(cell_id(rides, i), o->ride) || cell_i64(ns, i) != o->n)
                continue;
            o->published_us = database_now();
            o->stream_created = created;
            o->sequence = cell_i64(sequences, i);
            o->missing_us = 0;
        }
    }
}

void sql_outbox_event_done(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    struct column events = arg_array(a, 0);
    (void)s;
    (void)out;
    for (size_t i = 0; i < t->of[T_OUTBOX].count; i++) {
        const struct r_outbox *o = (const struct r_outbox *)(void *)t->of[T_OUTBOX].rows + i;
        for (size_t k = 0; k < events.count; k++) {
            if (o->event && mu_id_equal(cell_id(events, k), o->ride)) {
                table_remove(t, T_OUTBOX, i--);
                break;
            }
        }
    }
}

/* Is this member open, with the row as its current publication? */
static bool needs(struct tables *t, struct mu_id member, int64_t n)
{
    if (find_outcome(t, member))
        return false;
    const struct r_job *j = find_job(t, member);
    const struct r_task *k = find_task(t, member);
    return (j && j->n == n) || (k && k->n == n);
}

void sql_rides_done(struct tables *t, const struct mu_id *rides, size_t count)
{
    for (size_t i = 0; i < t->of[T_OUTBOX].count; i++) {
        const struct r_outbox *o = (const struct r_outbox *)(void *)t->of[T_OUTBOX].rows + i;
        bool asked = false, needed = false;
        for (size_t k = 0; k < count && !asked; k++)
            asked = !o->event && mu_id_equal(rides[k], o->ride);
        if (!asked)
            continue;
        for (size_t m = 0; m < o->member_count && !needed; m++)
            needed = needs(t, o->members[m], o->n);
        if (!needed)
            table_remove(t, T_OUTBOX, i--);
    }
}

static struct mu_id *ids_of(struct column c)
{
    struct mu_id *ids = world_alloc((c.count + 1) * sizeof(*ids));
    for (size_t i = 0; i < c.count; i++)
        ids[i] = cell_id(c, i);
    return ids;
}

void sql_outbox_settled(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    struct column rides = arg_array(a, 0);
    (void)s;
    (void)out;
    sql_rides_done(t, ids_of(rides), rides.count);
}

/* ---- packs ---- */

void sql_pack_put(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    struct mu_span name = arg_text(a, 0), version = arg_text(a, 1);
    struct mu_digest d = digest_of(arg_text(a, 2));
    const char *said = "new";
    (void)s;
    EACH(struct r_pack, p, t, T_PACK)
    {
        if (mu_span_equal(p->name, name) && mu_span_equal(p->version, version))
            said = mu_digest_equal(&p->digest, &d) ? "same" : "different";
    }
    if (said[0] == 'n') {
        struct r_pack *p = table_add(t, T_PACK);
        *p = (struct r_pack){.name = name, .version = version, .document = arg_text(a, 3), .digest = d};
        const char *at = version.at;
        for (int i = 0; i < 3; i++) {
            p->number[i] = strtoll(at, NULL, 10);
            at += strcspn(at, ".");
            at += *at == '.';
        }
    }
    reply_columns(out, "t");
    reply_row(out);
    reply_text(out, 0, mu_span_of(said));
}

static void reply_pack(struct reply *out, const struct r_pack *p)
{
    reply_row(out);
    reply_text(out, 0, p->name);
    reply_text(out, 1, p->version);
    reply_bytes(out, 2, mu_span((const char *)p->digest.b, sizeof(p->digest.b)));
    reply_bytes(out, 3, p->document);
}

static bool higher(const struct r_pack *a, const struct r_pack *b)
{
    for (int i = 0; i < 3; i++)
        if (a->number[i] != b->number[i])
            return a->number[i] > b->number[i];
    return false;
}

void sql_pack_resolve(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    struct mu_span name = arg_text(a, 0), prefix = arg_text(a, 1);
    const struct r_pack *best = NULL;
    (void)s;
    EACH(struct r_pack, p, t, T_PACK)
    {
        bool fits = !prefix.len || mu_span_equal(p->version, prefix) ||
                    (p->version.len > prefix.len && memcmp(p->version.at, prefix.at, prefix.len) == 0 && p->version.at[prefix.len] == '.');
        if (mu_span_equal(p->name, name) && fits && (!best || higher(p, best)))
            best = p;
    }
    reply_columns(out, "ttbb");
    if (best)
        reply_pack(out, best);
}

void sql_packs(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    (void)s;
    (void)a;
    reply_columns(out, "ttbb");
    EACH(struct r_pack, p, t, T_PACK)
    reply_pack(out, p);
}

/* ---- questions ---- */

static bool is_known(struct tables *t, struct mu_id id)
{
    return find_job(t, id) || find_task(t, id);
}

void sql_known_tasks(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    struct column ids = arg_array(a, 0);
    (void)s;
    reply_columns(out, "u");
    for (size_t i = 0; i < ids.count; i++) {
        if (!is_known(t, cell_id(ids, i)))
            continue;
        reply_row(out);
        reply_id(out, 0, cell_id(ids, i));
    }
}

void sql_open_tasks(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    struct column ids = arg_array(a, 0);
    (void)s;
    reply_columns(out, "u");
    for (size_t i = 0; i < ids.count; i++) {
        if (!is_known(t, cell_id(ids, i)) || find_outcome(t, cell_id(ids, i)))
            continue;
        reply_row(out);
        reply_id(out, 0, cell_id(ids, i));
    }
}

void sql_done_tasks(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    struct column ids = arg_array(a, 0);
    (void)s;
    reply_columns(out, "u");
    for (size_t i = 0; i < ids.count; i++) {
        if (!find_outcome(t, cell_id(ids, i)))
            continue;
        reply_row(out);
        reply_id(out, 0, cell_id(ids, i));
    }
}

void sql_job_status(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    const struct r_job *j = NULL;
    struct mu_span key = arg_text(a, 1);
    (void)s;
    if (!a->arg[0].null) {
        j = find_job(t, arg_id(a, 0));
    } else {
        const struct r_request *r = find_request(t, key);
        j = r ? find_job(t, r->job) : NULL;
    }
    reply_columns(out, "t");
    reply_row(out);
    if (!j) {
        reply_null(out, 0);
        return;
    }
    const struct r_outcome *o = find_outcome(t, j->id);
    const struct r_progress *p = find_progress(t, j->id);
    int64_t records = o ? o->records : 0, findings = o ? o->findings : 0, done = o != NULL;
    struct mu_span result = o && !mu_span_is(o->result, "planned") ? o->result : mu_span(NULL, 0), reason = o ? o->reason : mu_span(NULL, 0);
    if (p) {
        records = findings = 0;
        done = p->done + 1;
        result = mu_span_of(p->result);
        reason = mu_span_of(p->reason);
        EACH(struct r_outcome, x, t, T_OUTCOME)
        {
            if (mu_id_equal(x->job, j->id) && !mu_id_equal(x->task, x->job)) {
                records += x->records;
                findings += x->findings;
            }
        }
    }
    char id[MU_ID_MAX];
    const char *state = j->cancelled ? "cancelled" : sql_is_verdict(result) ? "completed" : result.at ? "failed" : o ? "running" : "queued";
    MU_AUTO(mu_text_free) struct mu_text body = {0};
    mu_id_format(j->id, id);
    mu_text_addf(&body, "{\"ok\":true,\"job_id\":\"%s\",\"state\":\"%s\"", id, state);
    if (result.at)
        mu_text_addf(&body, ",\"result\":\"%.*s\"", (int)result.len, result.at);
    if (reason.at)
        mu_text_addf(&body, ",\"reason\":\"%.*s\"", (int)reason.len, reason.at);
    mu_text_addf(&body, ",\"tasks\":%lld,\"done\":%lld,\"records\":%lld,\"findings\":%lld}", (long long)(p ? p->expected + 1 : 1),
                 (long long)done, (long long)records, (long long)findings);
    reply_text(out, 0, mu_text_span(&body));
}
