/* SPDX-License-Identifier: Apache-2.0 */
/* sql/migrations/0008_reconcile.sql: what the leader calls. */
#include "domain/names.h"
#include "statements.h"

bool sql_is_verdict(struct mu_span result)
{
    return mu_span_is(result, "pass") || mu_span_is(result, "warn") || mu_span_is(result, "fail") || mu_span_is(result, "not_evaluated");
}

struct mu_span sql_ride_bytes(struct mu_id ride, int64_t n, bool fresh, struct mu_span queue, struct mu_span priority, struct mu_span terms,
                              struct mu_span task)
{
    MU_AUTO(mu_text_free) struct mu_text t = {0};
    char id[MU_ID_MAX];
    mu_id_format(ride, id);
    mu_text_addf(&t, "{\"v\":1,\"ride_id\":\"%s\",\"n\":%lld%s,\"queue\":\"", id, (long long)n, fresh ? ",\"fresh\":true" : "");
    mu_text_add(&t, queue);
    mu_text_puts(&t, "\",\"priority\":\"");
    mu_text_add(&t, priority);
    mu_text_puts(&t, "\",\"terms\":");
    mu_text_add(&t, terms);
    mu_text_puts(&t, ",\"tasks\":[");
    mu_text_add(&t, task);
    mu_text_puts(&t, "]}");
    return world_keep(mu_text_span(&t));
}

static struct mu_span document_of(struct tables *t, const struct mu_digest *d)
{
    EACH(struct r_terms, r, t, T_TERMS)
    {
        if (mu_digest_equal(&r->digest, d))
            return r->document;
    }
    abort(); /* the schema has it as `strict` */
}

static void drop_older_rows(struct tables *t, struct mu_id task, int64_t n)
{
    for (size_t i = 0; i < t->of[T_OUTBOX].count; i++) {
        const struct r_outbox *o = (const struct r_outbox *)(void *)t->of[T_OUTBOX].rows + i;
        if (!o->event && mu_id_equal(o->ride, task) && o->n < n)
            table_remove(t, T_OUTBOX, i--);
    }
}

int64_t sql_republish(struct tables *t, struct mu_id task, int64_t expected_n, bool fresh)
{
    struct any_task of;
    char subject[240], id[MU_ID_MAX];
    int64_t n = expected_n + 1;
    if (!find_any_task(t, task, &of) || *of.n != expected_n || find_outcome(t, task))
        return 0;
    *of.n = n;
    drop_older_rows(t, task, n);
    mu_id_format(task, id);
    snprintf(subject, sizeof(subject), "muster.task.%.*s.%.*s.%s", (int)of.queue.len, of.queue.at, (int)of.priority.len, of.priority.at, id);
    struct mu_id *member = world_alloc(sizeof(*member));
    *member = task;
    char number[80];
    int len = snprintf(number, sizeof(number), "%s:%lld", id, (long long)n);
    struct mu_span bytes = sql_ride_bytes(task, n, fresh, of.queue, of.priority, document_of(t, of.terms), of.body);
    struct r_outbox *o = table_add(t, T_OUTBOX);
    *o = (struct r_outbox){.ride = task, .n = n, .subject = world_keep(mu_span_of(subject)), .message_id = world_keep(mu_span(number, (size_t)len)),
                           .members = member, .member_count = 1, .bytes = bytes, .trace_id = of.trace_id, .created_us = database_now()};
    database_notify();
    return n;
}

static int by_id(const void *x, const void *y)
{
    const struct { struct mu_id id; int64_t n; } *a = x, *b = y;
    int order = memcmp(a->id.b, b->id.b, sizeof(a->id.b));
    return order ? order : (a->n > b->n) - (a->n < b->n);
}

void sql_republish_missing(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    struct column tasks = arg_array(a, 0), ns = arg_array(a, 1);
    struct { struct mu_id id; int64_t n; } *all = world_alloc((tasks.count + 1) * sizeof(*all));
    bool any = false;
    (void)s;
    for (size_t i = 0; i < tasks.count; i++) {
        all[i].id = cell_id(tasks, i);
        all[i].n = cell_i64(ns, i);
    }
    qsort(all, tasks.count, sizeof(*all), by_id);
    reply_columns(out, "u");
    for (size_t i = 0; i < tasks.count; i++) {
        if ((i && mu_id_equal(all[i].id, all[i - 1].id)) || !sql_republish(t, all[i].id, all[i].n, false))
            continue;
        any = true;
        reply_row(out);
        reply_id(out, 0, all[i].id);
    }
    if (any)
        sql_event_row(t, "operator.repaired");
}

void sql_repaired(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    (void)s;
    (void)out;
    if (!arg_array(a, 0).count)
        return;
    sql_event_row(t, "operator.repaired");
    database_notify();
}

/* Small numbers that operators look at; those that the programs read. */
void sql_counts(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    static const struct { const char *name; enum table_name table; } of[] = {
        {"outcome_conflict", T_CONFLICT}, {"late_result", T_LATE}, {"quarantine", T_QUARANTINE}, {"rejection", T_REJECTION}, {"retry", T_RETRY}};
    (void)s;
    (void)a;
    reply_columns(out, "tl");
    for (size_t i = 0; i < MU_COUNT(of); i++) {
        reply_row(out);
        reply_text(out, 0, mu_span_of(of[i].name));
        reply_i64(out, 1, (int64_t)t->of[of[i].table].count);
    }
}

static struct mu_span words(const struct mu_id *ids, size_t count)
{
    MU_AUTO(mu_text_free) struct mu_text t = {0};
    char id[MU_ID_MAX];
    for (size_t i = 0; i < count; i++) {
        mu_id_format(ids[i], id);
        mu_text_addf(&t, "%s%s", i ? " " : "", id);
    }
    return world_keep(mu_text_span(&t));
}

/* muster.priority_rank */
static enum mu_priority priority_of(const struct r_outbox *o)
{
    struct mu_task_subject parts;
    return mu_subject_parse_task(o->subject.at, &parts) ? parts.priority : MU_LOW;
}

static bool is_behind(const struct r_outbox *o, int64_t after_rank, struct mu_id after)
{
    return priority_of(o) != after_rank ? priority_of(o) > after_rank : memcmp(o->ride.b, after.b, sizeof(after.b)) > 0;
}

static int by_priority_and_ride(const void *x, const void *y)
{
    const struct r_outbox *const *a = x, *const *b = y;
    if (priority_of(*a) != priority_of(*b))
        return priority_of(*a) < priority_of(*b) ? -1 : 1;
    int order = memcmp((*a)->ride.b, (*b)->ride.b, sizeof((*a)->ride.b));
    return order ? order : ((*a)->n > (*b)->n) - ((*a)->n < (*b)->n);
}

/* Members that are open with this as their current publication; those among them that wait for no retry. */
static size_t open_members(struct tables *t, const struct r_outbox *o, struct mu_id *open, size_t *all)
{
    size_t count = 0;
    *all = 0;
    for (size_t m = 0; m < o->member_count; m++) {
        struct mu_id id = o->members[m];
        const struct r_job *j = find_job(t, id);
        const struct r_task *k = find_task(t, id);
        if (find_outcome(t, id) || !((j && j->n == o->n) || (k && k->n == o->n)))
            continue;
        const struct r_retry *r = find_retry(t, id);
        ++*all;
        if (!r || r->next_us == INT64_MAX)
            open[count++] = id;
    }
    return count;
}

void sql_candidates(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    struct mu_id after = arg_id(a, 1);
    int64_t after_rank = arg_i64(a, 0), older_us = arg_i64(a, 2) * 1000, limit = arg_i64(a, 3);
    const struct r_outbox **rows = world_alloc((t->of[T_OUTBOX].count + 1) * sizeof(*rows));
    size_t count = 0;
    (void)s;
    EACH(struct r_outbox, o, t, T_OUTBOX)
    {
        if (!o->event && o->published_us && o->published_us < database_now() - older_us && is_behind(o, after_rank, after))
            rows[count++] = o;
    }
    qsort(rows, count, sizeof(*rows), by_priority_and_ride);
    reply_columns(out, "uitltttl");
    for (size_t i = 0; i < count && limit > 0; i++) {
        const struct r_outbox *o = rows[i];
        struct mu_id *open = world_alloc((o->member_count + 1) * sizeof(*open));
        size_t all, ready = open_members(t, o, open, &all);
        if (!ready && all)
            continue;
        limit--;
        reply_row(out);
        reply_id(out, 0, o->ride);
        reply_i64(out, 1, o->n);
        reply_text(out, 2, o->subject);
        reply_i64(out, 3, o->sequence);
        reply_text(out, 4, o->stream_created);
        reply_text(out, 5, words(o->members, o->member_count));
        reply_text(out, 6, words(open, ready));
        reply_i64(out, 7, o->missing_us ? (database_now() - o->missing_us) / 1000 : 0);
    }
}

void sql_reconcile_note(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    struct column rides = arg_array(a, 0), missing = arg_array(a, 1);
    (void)s;
    (void)out;
    EACH(struct r_outbox, o, t, T_OUTBOX)
    {
        for (size_t i = 0; i < rides.count; i++) {
            if (o->event || !mu_id_equal(o->ride, cell_id(rides, i)) || (o->missing_us != 0) == cell_bool(missing, i))
                continue;
            o->missing_us = cell_bool(missing, i) ? database_now() : 0;
        }
    }
}

static int by_due(const void *x, const void *y)
{
    const struct r_retry *a = x, *b = y;
    return (a->next_us > b->next_us) - (a->next_us < b->next_us);
}

static void drop_retry(struct tables *t, struct mu_id task)
{
    for (size_t i = 0; i < t->of[T_RETRY].count; i++) {
        if (mu_id_equal(((struct r_retry *)(void *)t->of[T_RETRY].rows)[i].task, task)) {
            table_remove(t, T_RETRY, i);
            return;
        }
    }
}

void sql_retry_due(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    size_t limit = (size_t)arg_i64(a, 0), count = 0;
    int64_t made = 0;
    struct r_retry *due = world_alloc((t->of[T_RETRY].count + 1) * sizeof(*due));
    (void)s;
    EACH(struct r_retry, r, t, T_RETRY)
    {
        if (r->next_us <= database_now())
            due[count++] = *r;
    }
    qsort(due, count, sizeof(*due), by_due);
    for (size_t i = 0; i < count && i < limit; i++) {
        const struct r_retry *r = &due[i];
        bool incomplete = strcmp(r->class_, "incomplete") == 0;
        if (incomplete && r->incomplete >= 5) {
            (void)sql_end_task(t, r->task, "exhausted", "unrecordable", mu_span_of("its findings could not be recorded completely five times"));
            drop_retry(t, r->task);
        } else if (strcmp(r->class_, "transient") == 0 && r->transient >= 8) {
            (void)sql_end_task(t, r->task, "exhausted", "retries", r->message.at ? r->message : r->reason);
            drop_retry(t, r->task);
        } else if (sql_republish(t, r->task, r->n, incomplete)) {
            find_retry(t, r->task)->next_us = INT64_MAX;
            made++;
        } else {
            drop_retry(t, r->task);
        }
    }
    reply_columns(out, "i");
    reply_row(out);
    reply_i64(out, 0, made);
}

bool sql_end_task(struct tables *t, struct mu_id task, const char *result, const char *reason, struct mu_span message)
{
    struct any_task of;
    char text[80];
    if (!find_any_task(t, task, &of) || find_outcome(t, task))
        return false;
    int len = snprintf(text, sizeof(text), "%s:%s", result, reason);
    struct r_outcome *o = table_add(t, T_OUTCOME);
    *o = (struct r_outcome){.task = task, .job = of.job, .n = *of.n, .delivery = 1, .task_digest = *of.digest, .result = mu_span_of(result),
                            .reason = mu_span_of(reason), .message = message, .determined = mu_digest_of(mu_span(text, (size_t)len)),
                            .recorded_us = database_now()};
    sql_rides_done(t, &task, 1);
    drop_retry(t, task);
    if (mu_id_equal(of.job, task)) {
        sql_event_row(t, "job.failed");
    } else {
        struct mu_span ended = mu_span_of(result);
        sql_stage_count(t, &of.job, 1, &of.job, &ended, 1);
        sql_stage_events(t, &of.job, 1, database_now());
    }
    database_notify();
    return true;
}

void sql_stage_events(struct tables *t, const struct mu_id *jobs, size_t count, int64_t now_us)
{
    bool completed = false, failed = false;
    for (size_t i = 0; i < count; i++) {
        const struct r_progress *p = find_progress(t, jobs[i]);
        if (!p || p->finished_us != now_us)
            continue;
        *(sql_is_verdict(mu_span_of(p->result)) ? &completed : &failed) = true;
    }
    if (completed)
        sql_event_row(t, "job.completed");
    if (failed)
        sql_event_row(t, "job.failed");
    if (completed || failed)
        database_notify();
}

void sql_recount_stages(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    int64_t mended = 0;
    size_t count = 0;
    struct mu_id *open = world_alloc((t->of[T_PROGRESS].count + 1) * sizeof(*open));
    (void)s;
    (void)a;
    EACH(struct r_progress, p, t, T_PROGRESS)
    {
        int64_t done = 0, bad = 0;
        if (p->finished_us)
            continue;
        open[count++] = p->job;
        EACH(struct r_outcome, o, t, T_OUTCOME)
        {
            if (!mu_id_equal(o->job, p->job) || !find_task(t, o->task))
                continue;
            done++;
            bad += !sql_is_verdict(o->result);
        }
        if (done && (done != p->done || bad != p->bad)) {
            p->done = done;
            p->bad = bad;
            mended++;
        }
    }
    sql_stage_finish(t, open, count);
    sql_stage_events(t, open, count, database_now());
    if (mended)
        broken("the counts of %lld unfinished stages were wrong", (long long)mended);
    reply_columns(out, "i");
    reply_row(out);
    reply_i64(out, 0, mended);
}

void sql_rides_needed(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    struct column rides = arg_array(a, 0), ns = arg_array(a, 1);
    (void)s;
    reply_columns(out, "u");
    for (size_t i = 0; i < rides.count; i++) {
        bool needed = false;
        EACH(struct r_outbox, o, t, T_OUTBOX)
        {
            needed = needed || (!o->event && mu_id_equal(o->ride, cell_id(rides, i)) && o->n == cell_i64(ns, i));
        }
        if (!needed)
            continue;
        reply_row(out);
        reply_id(out, 0, cell_id(rides, i));
    }
}

void sql_intake_noted(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    (void)s;
    (void)a;
    reply_columns(out, "tlll");
    EACH(struct r_intake_mark, m, t, T_INTAKE_MARK)
    {
        reply_row(out);
        reply_text(out, 0, m->created);
        reply_i64(out, 1, m->sequence);
        reply_i64(out, 2, m->stored_us);
        reply_i64(out, 3, m->noted_us);
    }
}

void sql_intake_note(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    struct r_intake_mark *m = (struct r_intake_mark *)(void *)t->of[T_INTAKE_MARK].rows;
    (void)s;
    (void)out;
    if (!t->of[T_INTAKE_MARK].count)
        m = table_add(t, T_INTAKE_MARK);
    *m = (struct r_intake_mark){arg_text(a, 0), arg_i64(a, 1), arg_time(a, 2), arg_time(a, 3)};
}

/* ---- sql/migrations/0011_restore.sql: which messages of the intake are settled ---- */

void sql_raise_mark(struct tables *t, struct mu_span created, int64_t sequence, int64_t stored_us)
{
    struct r_intake_mark *m = (struct r_intake_mark *)(void *)t->of[T_INTAKE_MARK].rows;
    if (t->of[T_INTAKE_MARK].count && mu_span_equal(m->created, created) && m->sequence >= sequence)
        return;
    if (!t->of[T_INTAKE_MARK].count)
        m = table_add(t, T_INTAKE_MARK);
    *m = (struct r_intake_mark){created, sequence, stored_us, m->noted_us > stored_us ? m->noted_us : stored_us}; /* by the broker's clock */
}

static struct r_intake_settled *settled_of(struct tables *t, struct mu_span created, bool make)
{
    EACH(struct r_intake_settled, s, t, T_INTAKE_SETTLED)
    {
        if (mu_span_equal(s->created, created))
            return s;
    }
    if (!make)
        return NULL;
    struct r_intake_settled *s = table_add(t, T_INTAKE_SETTLED);
    s->created = created;
    return s;
}

void sql_settle(struct tables *t, struct mu_span created, int64_t sequence)
{
    struct r_intake_settled *s = settled_of(t, created, true);
    if (sequence < 0 || sequence >= SETTLED_MAX)
        abort();
    s->settled[sequence] = 1;
}

void sql_intake_settle(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    struct column sequences = arg_array(a, 1);
    struct mu_span created = arg_text(a, 0);
    (void)s;
    (void)out;
    sql_raise_mark(t, created, arg_i64(a, 2), arg_time(a, 3));
    (void)settled_of(t, created, true);
    for (size_t i = 0; i < sequences.count; i++)
        sql_settle(t, created, cell_i64(sequences, i));
}

void sql_intake_lost(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    struct r_intake_settled *of = settled_of(t, arg_text(a, 0), true);
    int64_t first = arg_i64(a, 1), acknowledged = arg_i64(a, 2);
    (void)s;
    reply_columns(out, "l");
    reply_row(out);
    for (int64_t q = first > 1 ? first : 1; q <= acknowledged; q++) {
        if (!of->settled[q]) {
            reply_i64(out, 0, q);
            return;
        }
    }
    for (int64_t q = 1; q <= acknowledged; q++)
        of->settled[q] = 1;
    reply_null(out, 0);
}

void sql_intake_absent(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    (void)s;
    (void)out;
    if (settled_of(t, arg_text(a, 0), false))
        sql_settle(t, arg_text(a, 0), arg_i64(a, 1));
}

void sql_intake_went_back(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    struct r_intake_settled *of = settled_of(t, arg_text(a, 0), false);
    (void)s;
    (void)out;
    for (int64_t q = arg_i64(a, 1) + 1; of && q < SETTLED_MAX; q++)
        of->settled[q] = 0;
}

void sql_intake_tell(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    struct r_intake_settled *of = settled_of(t, arg_text(a, 0), false);
    int64_t sequence = arg_i64(a, 1);
    (void)s;
    reply_columns(out, "t");
    reply_row(out);
    reply_bool(out, 0, of && of->told != sequence);
    if (!of || of->told == sequence)
        return;
    of->told = sequence;
    sql_event_row(t, "operator.database_went_back");
    database_notify();
}
