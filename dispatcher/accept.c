/* SPDX-License-Identifier: Apache-2.0 */
/* One commit: keys, bundles, rows; then answers, queue messages, acknowledgements of the intake. */
#include "base/clock.h"
#include "base/log.h"
#include "commit.h"
#include "daemon/failpoint.h"
#include "domain/seal.h"
#include "domain/uri.h"
#include "publish.h"
#include "refusal.h"
#include "statements.h"

static void commit_free(struct commit *c)
{
    free(c->order);
    free(c->rides);
    free(c->ride_of);
    free(c->events);
}

static struct mu_span digest_span(const struct mu_digest *d)
{
    return mu_span((const char *)d->b, sizeof(d->b));
}

static bool claim_keys(struct batch *b, struct mu_error *err)
{
    struct mu_args *a = b->d->args;
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    size_t keyed = 0, row = 0;
    for (size_t i = 0; i < b->job_count; i++)
        keyed += b->jobs[i].keyed && b->jobs[i].error.fault == MU_OK;
    if (!keyed)
        return true;
    mu_args_reset(a);
    for (int column = 0; column < 3; column++) {
        mu_arg_array_begin(a, column == 0 ? MU_ARRAY_TEXT : column == 1 ? MU_ARRAY_ID : MU_ARRAY_BYTES);
        for (size_t i = 0; i < b->job_count; i++) {
            const struct job *j = &b->jobs[i];
            if (!j->keyed || j->error.fault != MU_OK)
                continue;
            if (column == 0)
                mu_arg_array_text(a, batch_span(b, j->key));
            else if (column == 1)
                mu_arg_array_id(a, j->id);
            else
                mu_arg_array_bytes(a, digest_span(&j->body_digest));
        }
        mu_arg_array_end(a);
    }
    if (!mu_store_run(b->d->store, SQL_CLAIM_KEYS, a, &rows, err))
        return false;
    if (mu_rows_count(rows) != keyed)
        return mu_fail(err, MU_BROKEN, "%zu keys were claimed, %zu answered", keyed, mu_rows_count(rows));
    for (size_t i = 0; i < b->job_count; i++) {
        struct job *j = &b->jobs[i];
        if (!j->keyed || j->error.fault != MU_OK)
            continue;
        const char *state = mu_row_text(rows, row, 2);
        if (state[0] == 'd')
            j->duplicate = mu_row_id(rows, row, 1, &j->id);
        else if (state[0] == 'c') {
            mu_reject(&j->error, "conflict", "/id", "the key belongs to job %s, which had another body", mu_row_text(rows, row, 1));
            mu_hint(&j->error, "choose another key, or send the same body");
        }
        row++;
    }
    return true;
}

enum job_column { J_ID, J_KEY, J_TASK, J_DIGEST, J_STAGE, J_QUEUE, J_PRIORITY, J_PACK, J_TERMS, J_SOURCE, J_AS_OF,
                  J_DEADLINE, J_LABELS, J_TRACE, J_RIDE, J_COLUMNS };

static void put_cell(struct mu_args *a, const struct batch *b, const struct job *j, enum job_column column, int32_t ride)
{
    switch (column) {
    case J_ID:
        mu_arg_array_id(a, j->id);
        break;
    case J_KEY:
        if (j->keyed)
            mu_arg_array_text(a, batch_span(b, j->key));
        else
            mu_arg_array_null(a);
        break;
    case J_TASK:
        mu_arg_array_bytes(a, batch_span(b, j->task));
        break;
    case J_DIGEST:
        mu_arg_array_bytes(a, digest_span(&j->task_digest));
        break;
    case J_STAGE:
        mu_arg_array_text(a, mu_span_of(j->alone ? "plan" : "scan"));
        break;
    case J_QUEUE:
        mu_arg_array_text(a, mu_span_of(j->queue));
        break;
    case J_PRIORITY:
        mu_arg_array_text(a, mu_span_of(mu_priority_name(j->priority)));
        break;
    case J_PACK:
        mu_arg_array_text(a, batch_span(b, j->pack));
        break;
    case J_TERMS:
        mu_arg_array_bytes(a, digest_span(terms_of(b, j)));
        break;
    case J_SOURCE:
        mu_arg_array_text(a, batch_span(b, j->source_name));
        break;
    case J_AS_OF:
        mu_arg_array_text(a, mu_span_of(j->as_of));
        break;
    case J_DEADLINE:
        if (j->deadline_us)
            mu_arg_array_time_us(a, j->deadline_us);
        else
            mu_arg_array_null(a);
        break;
    case J_LABELS:
        if (j->labels.len)
            mu_arg_array_text(a, batch_span(b, j->labels));
        else
            mu_arg_array_null(a);
        break;
    case J_TRACE:
        if (j->trace_id[0])
            mu_arg_array_text(a, mu_span_of(j->trace_id));
        else
            mu_arg_array_null(a);
        break;
    case J_RIDE:
        mu_arg_array_i64(a, ride);
        break;
    case J_COLUMNS:
        break;
    }
}

static void seal_optional(struct mu_seal *s, struct mu_span text)
{
    if (text.len)
        mu_seal_field(s, text);
    else
        mu_seal_null(s);
}

/* As muster.seal computes it. */
static struct mu_digest seal_of(const struct batch *b, const struct job *j)
{
    struct mu_seal s;
    mu_seal_begin(&s);
    mu_seal_id(&s, j->id);
    seal_optional(&s, j->keyed ? batch_span(b, j->key) : mu_span(NULL, 0));
    mu_seal_field(&s, digest_span(&j->task_digest));
    mu_seal_field(&s, mu_span_of(j->alone ? "plan" : "scan"));
    mu_seal_field(&s, mu_span_of(j->queue));
    mu_seal_field(&s, mu_span_of(mu_priority_name(j->priority)));
    mu_seal_field(&s, batch_span(b, j->pack));
    mu_seal_field(&s, digest_span(terms_of(b, j)));
    mu_seal_field(&s, batch_span(b, j->source_name));
    mu_seal_field(&s, mu_span_of(j->as_of));
    if (j->deadline_us) {
        struct mu_seal_time at = mu_seal_time_of(j->deadline_us);
        mu_seal_field(&s, mu_span(at.b, sizeof(at.b)));
    } else {
        mu_seal_null(&s);
    }
    mu_seal_null(&s); /* labels */
    seal_optional(&s, mu_span_of(j->trace_id));
    mu_seal_field(&s, mu_span_of(ACTOR));
    return mu_seal_end(&s);
}

/* Labels have their canonical form only in PostgreSQL: jobs that have some are sealed there. */
static void put_seals(struct mu_args *a, const struct commit *c)
{
    mu_arg_array_begin(a, MU_ARRAY_BYTES);
    for (size_t i = 0; i < c->count; i++) {
        const struct job *j = &c->b->jobs[c->order[i]];
        if (j->labels.len) {
            mu_arg_array_null(a);
            continue;
        }
        struct mu_digest seal = seal_of(c->b, j);
        mu_arg_array_bytes(a, digest_span(&seal));
    }
    mu_arg_array_end(a);
}

static void put_terms(struct mu_args *a, const struct batch *b)
{
    mu_arg_array_begin(a, MU_ARRAY_BYTES);
    for (size_t i = 0; i < b->terms_count; i++)
        mu_arg_array_bytes(a, digest_span(&b->terms[i].digest));
    mu_arg_array_end(a);
    mu_arg_array_begin(a, MU_ARRAY_BYTES);
    for (size_t i = 0; i < b->terms_count; i++)
        mu_arg_array_bytes(a, batch_span(b, b->terms[i].bytes));
    mu_arg_array_end(a);
}

static bool store_jobs(struct commit *c, struct mu_error *err)
{
    static const enum mu_array kinds[J_COLUMNS] = {
        [J_ID] = MU_ARRAY_ID, [J_TASK] = MU_ARRAY_BYTES, [J_DIGEST] = MU_ARRAY_BYTES, [J_TERMS] = MU_ARRAY_BYTES,
        [J_DEADLINE] = MU_ARRAY_TIME, [J_RIDE] = MU_ARRAY_I32};
    struct batch *b = c->b;
    struct mu_args *a = b->d->args;
    char subject[MU_SUBJECT_MAX];
    mu_args_reset(a);
    for (int column = 0; column < J_COLUMNS; column++) {
        mu_arg_array_begin(a, kinds[column]);
        for (size_t i = 0; i < c->count; i++)
            put_cell(a, b, &b->jobs[c->order[i]], (enum job_column)column, c->ride_of[i]);
        mu_arg_array_end(a);
    }
    mu_arg_array_begin(a, MU_ARRAY_ID);
    for (size_t i = 0; i < c->ride_count; i++)
        mu_arg_array_id(a, c->rides[i].id);
    mu_arg_array_end(a);
    mu_arg_array_begin(a, MU_ARRAY_TEXT);
    for (size_t i = 0; i < c->ride_count; i++)
        mu_arg_array_text(a, mu_span_of(c->rides[i].subject));
    mu_arg_array_end(a);
    mu_arg_array_begin(a, MU_ARRAY_BYTES);
    for (size_t i = 0; i < c->ride_count; i++)
        mu_arg_array_bytes(a, batch_span(b, c->rides[i].body));
    mu_arg_array_end(a);
    put_terms(a, b);
    mu_subject_event(subject, "job.accepted");
    mu_arg_array_begin(a, MU_ARRAY_ID);
    for (size_t i = 0; i < c->event_count; i++)
        mu_arg_array_id(a, c->events[i].id);
    mu_arg_array_end(a);
    mu_arg_text(a, mu_span_of(subject));
    mu_arg_array_begin(a, MU_ARRAY_BYTES);
    for (size_t i = 0; i < c->event_count; i++)
        mu_arg_array_bytes(a, commit_event_span(b, c->events[i].body));
    mu_arg_array_end(a);
    mu_arg_text(a, mu_span_of(ACTOR));
    put_seals(a, c);
    return mu_store_run(b->d->store, SQL_ACCEPT_JOBS, a, NULL, err);
}

/* After a COMMIT whose answer was lost: does the first new job stand in the database? All or none do. */
static bool read_back(struct commit *c, struct mu_error *err)
{
    struct mu_args *a = c->b->d->args;
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    if (!mu_store_reconnect(c->b->d->store, err))
        return false;
    mu_args_reset(a);
    mu_arg_array_begin(a, MU_ARRAY_ID);
    mu_arg_array_id(a, c->b->jobs[c->order[0]].id);
    mu_arg_array_end(a);
    if (!mu_store_run(c->b->d->store, SQL_KNOWN_TASKS, a, &rows, err))
        return false;
    return mu_rows_count(rows) == 1 || mu_fail_code(err, MU_UNAVAILABLE, "not_stored", "the commit did not happen");
}

/* The error that the request as a whole has; NULL if it has been done. */
static const struct mu_error *error_of(const struct batch *b, const struct request *r, const struct mu_error *failure)
{
    if (r->error.fault != MU_OK)
        return &r->error;
    if (!r->is_batch && r->count && b->jobs[r->first].error.fault != MU_OK)
        return &b->jobs[r->first].error;
    return failure->fault != MU_OK ? failure : NULL;
}

/* Notes those messages of the intake that this transaction settles; *any: there are some. What is refused is noted with
 * its rejection. */
static bool settle_messages(struct batch *b, bool *any, struct mu_error *err)
{
    const struct mu_error none = {0};
    const struct mu_message *newest = NULL;
    struct mu_args *a = b->d->args;
    mu_args_reset(a);
    mu_arg_text(a, mu_span_of(b->d->intake_created));
    mu_arg_array_begin(a, MU_ARRAY_I64);
    for (size_t i = 0; i < b->request_count; i++) {
        const struct request *r = &b->requests[i];
        if (!r->from_intake || error_of(b, r, &none))
            continue;
        mu_arg_array_i64(a, (int64_t)r->message->stream_sequence);
        if (!newest || r->message->stream_sequence > newest->stream_sequence)
            newest = r->message;
    }
    mu_arg_array_end(a);
    *any = newest != NULL;
    if (!newest)
        return true;
    mu_arg_i64(a, (int64_t)newest->stream_sequence);
    mu_arg_time_us(a, newest->stored_us);
    return mu_store_run(b->d->store, SQL_INTAKE_SETTLE, a, NULL, err);
}

static bool store_all(struct commit *c, bool *anything, struct mu_error *err)
{
    if (!mu_store_begin(c->b->d->store, err) || !claim_keys(c->b, err) || !commit_form_rides(c, err))
        return false;
    if (c->count && (!commit_write_events(c, err) || !store_jobs(c, err)))
        return mu_while(err, "storing %zu jobs", c->count);
    bool settled = false;
    if (!settle_messages(c->b, &settled, err)) /* last: it serialises dispatchers */
        return mu_while(err, "noting what has come by the intake");
    *anything = c->count || settled;
    return true;
}

static bool store(struct commit *c, struct mu_error *err)
{
    struct mu_store *s = c->b->d->store;
    bool anything = false;
    bool stored = store_all(c, &anything, err);
    if (!stored || !anything) { /* only duplicates and refusals */
        mu_store_rollback(s);
        return stored;
    }
    MU_FAILPOINT("dispatcher.before_commit");
    if (mu_store_commit(s, err))
        return true;
    if (!mu_span_is(mu_span_of(err->code), "commit_unknown"))
        return false;
    struct mu_error again = {0};
    if (c->count && read_back(c, &again)) {
        mu_error_clear(err);
        return true;
    }
    if (strcmp(again.code, "not_stored") == 0)
        *err = again;
    return false;
}

static void publish(struct commit *c)
{
    struct batch *b = c->b;
    char subject[MU_SUBJECT_MAX];
    for (size_t i = 0; i < c->ride_count; i++) {
        const struct ride *r = &c->rides[i];
        publisher_send(b->d->publisher, false, r->id, 1, r->subject, batch_span(b, r->body),
                       b->jobs[c->order[r->first]].trace_id);
    }
    mu_subject_event(subject, "job.accepted");
    for (size_t i = 0; i < c->event_count; i++)
        publisher_send(b->d->publisher, true, c->events[i].id, 1, subject, commit_event_span(b, c->events[i].body), NULL);
}

static void write_receipt(struct mu_text *out, const struct job *j)
{
    char id[MU_ID_MAX];
    mu_id_format(j->id, id);
    mu_text_addf(out, "{\"ok\":true,\"job_id\":\"%s\",\"state\":\"queued\",\"tasks\":1,\"duplicate\":%s}", id,
                 j->duplicate ? "true" : "false");
}

static void write_counts(struct mu_text *out, const struct batch *b, const struct request *r)
{
    size_t accepted = 0, duplicate = 0, rejected = 0;
    MU_AUTO(mu_text_free) struct mu_text ids = {0};
    MU_AUTO(mu_text_free) struct mu_text errors = {0};
    for (size_t i = r->first; i < r->first + r->count; i++) {
        const struct job *j = &b->jobs[i];
        if (j->error.fault != MU_OK) {
            rejected++;
            mu_text_addf(&errors, "%s{\"line\":%lld,\"error\":", errors.len ? "," : "", (long long)j->line);
            refusal_write_error(&errors, &j->error);
            mu_text_putc(&errors, '}');
            continue;
        }
        char id[MU_ID_MAX];
        mu_id_format(j->id, id);
        accepted += !j->duplicate;
        duplicate += j->duplicate;
        mu_text_puts(&ids, ids.len ? ",\"" : "\"");
        mu_text_add(&ids, mu_span(id, MU_ID_MAX - 1));
        mu_text_putc(&ids, '"');
    }
    mu_text_addf(out, "{\"ok\":%s,\"accepted\":%zu,\"duplicate\":%zu,\"rejected\":%zu,\"job_ids\":[",
                 rejected && !accepted && !duplicate ? "false" : "true", accepted, duplicate, rejected);
    mu_text_add(out, mu_text_span(&ids));
    mu_text_puts(out, "],\"errors\":[");
    mu_text_add(out, mu_text_span(&errors));
    mu_text_puts(out, "]}");
}

static void answer(struct batch *b, struct request *r, const struct mu_error *failure)
{
    if (r->answered)
        return;
    r->answered = true;
    MU_AUTO(mu_text_free) struct mu_text body = {0};
    const struct mu_error *error = error_of(b, r, failure);
    if (error)
        refusal_write(&body, error);
    else if (r->is_batch)
        write_counts(&body, b, r);
    else
        write_receipt(&body, &b->jobs[r->first]);
    mu_service_answer(b->d->service, r->endpoint, r->message->reply, mu_text_span(&body), error, mu_clock_us() - r->received_us);
}

/* A refused intake message becomes a row and an event; its asker has gone. */
static bool note_rejection(struct batch *b, const struct request *r, const struct mu_error *why, struct mu_error *err)
{
    struct mu_args *a = b->d->args;
    MU_AUTO(mu_text_free) struct mu_text body = {0};
    mu_uri_hide_logins(&body, r->message->body);
    if (!mu_text_ok(&body, err))
        return false;
    mu_args_reset(a);
    mu_arg_text(a, mu_span_of("intake"));
    mu_arg_text(a, mu_span_of(r->message->subject));
    mu_arg_text(a, mu_span_of(b->d->intake_created));
    mu_arg_i64(a, (int64_t)r->message->stream_sequence);
    mu_arg_time_us(a, r->message->stored_us);
    mu_arg_text(a, mu_span_of(why->code));
    mu_arg_text(a, mu_span_of(why->text));
    mu_arg_text(a, mu_span_of(why->pointer));
    mu_arg_bytes(a, mu_text_span(&body));
    return mu_store_run(b->d->store, SQL_REJECT, a, NULL, err);
}

static void settle_intake(struct batch *b, struct request *r, const struct mu_error *failure)
{
    struct mu_error err = {0};
    struct mu_error none = {0};
    const struct mu_error *why = error_of(b, r, &none);
    bool settled = why ? note_rejection(b, r, why, &err) : failure->fault == MU_OK;
    if (settled) {
        MU_FAILPOINT("dispatcher.before_intake_ack");
        (void)!mu_ack(b->d->bus, r->message, &err);
    } else {
        (void)!mu_nak(b->d->bus, r->message, 2000, &err);
    }
}

static void unknown(struct mu_error *err)
{
    mu_error_clear(err);
    mu_fail_code(err, MU_UNAVAILABLE, "unavailable", "the database does not answer; it is not known whether this is stored");
    mu_hint(err, "send it again with the same key: it is the same job then");
}

void batch_tell_unknown(struct batch *b)
{
    struct mu_error err = {0};
    unknown(&err);
    for (size_t i = 0; i < b->request_count; i++)
        if (!b->requests[i].from_intake)
            answer(b, &b->requests[i], &err);
}

void batch_commit(struct batch *b)
{
    struct commit c = {.b = b};
    struct mu_error err = {0};
    b->d->phase = COMMITTING;
    bool stored = store(&c, &err);
    b->d->phase = RESTING;
    if (stored) {
        MU_FAILPOINT("dispatcher.after_commit");
        publish(&c);
    } else {
        bool known = strcmp(err.code, "commit_unknown") != 0;
        mu_log_failure(MU_WARNING, &err, "the submitters are told so");
        if (!mu_store_alive(b->d->store))
            b->d->store_next_ms = mu_clock_ms();
        if (known) {
            snprintf(err.code, sizeof(err.code), "%s", err.fault == MU_UNAVAILABLE ? "unavailable" : "internal");
            mu_hint(&err, "nothing is stored; send it again with the same key");
        } else {
            unknown(&err);
        }
    }
    for (size_t i = 0; i < b->request_count; i++) {
        if (b->requests[i].from_intake)
            continue;
        answer(b, &b->requests[i], &err);
        MU_FAILPOINT("dispatcher.after_answer");
    }
    for (size_t i = 0; i < b->request_count; i++) /* afterwards: rejections are statements of their own */
        if (b->requests[i].from_intake)
            settle_intake(b, &b->requests[i], &err);
    commit_free(&c);
    batch_reset(b);
}
