/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a batch as the arrays of muster.record_batch: a table per kind of row, in the order of the parameters. */
#include "results.h"

#include <stddef.h>

enum cell { C_ID, C_INT, C_OPTIONAL_INT, C_TEXT, C_OPTIONAL_TEXT, C_DIGEST, C_INPUT_DIGEST, C_TIME, C_BOOL };
struct column {
    enum mu_array kind;
    enum cell cell;
    size_t offset;
};

static const struct column outcome_columns[] = {
    {MU_ARRAY_ID, C_ID, offsetof(struct outcome_row, task)},
    {MU_ARRAY_ID, C_ID, offsetof(struct outcome_row, job)},
    {MU_ARRAY_ID, C_ID, offsetof(struct outcome_row, ride)},
    {MU_ARRAY_I32, C_INT, offsetof(struct outcome_row, n)},
    {MU_ARRAY_I32, C_INT, offsetof(struct outcome_row, delivery)},
    {MU_ARRAY_TEXT, C_TEXT, offsetof(struct outcome_row, queue)},
    {MU_ARRAY_BYTES, C_DIGEST, offsetof(struct outcome_row, task_digest)},
    {MU_ARRAY_BYTES, C_INPUT_DIGEST, offsetof(struct outcome_row, input_digest)},
    {MU_ARRAY_TEXT, C_TEXT, offsetof(struct outcome_row, result)},
    {MU_ARRAY_TEXT, C_OPTIONAL_TEXT, offsetof(struct outcome_row, reason)},
    {MU_ARRAY_TEXT, C_OPTIONAL_TEXT, offsetof(struct outcome_row, message)},
    {MU_ARRAY_I64, C_INT, offsetof(struct outcome_row, records)},
    {MU_ARRAY_I64, C_INT, offsetof(struct outcome_row, bad)},
    {MU_ARRAY_I64, C_INT, offsetof(struct outcome_row, skipped)},
    {MU_ARRAY_I64, C_INT, offsetof(struct outcome_row, bytes)},
    {MU_ARRAY_I64, C_INT, offsetof(struct outcome_row, findings)},
    {MU_ARRAY_I64, C_INT, offsetof(struct outcome_row, riding)},
    {MU_ARRAY_TEXT, C_OPTIONAL_TEXT, offsetof(struct outcome_row, plan)},
    {MU_ARRAY_TEXT, C_OPTIONAL_TEXT, offsetof(struct outcome_row, resumes)},
    {MU_ARRAY_I32, C_INT, offsetof(struct outcome_row, crashes)},
    {MU_ARRAY_TEXT, C_TEXT, offsetof(struct outcome_row, agent)},
    {MU_ARRAY_ID, C_ID, offsetof(struct outcome_row, incarnation)},
    {MU_ARRAY_TIME, C_TIME, offsetof(struct outcome_row, started_us)},
    {MU_ARRAY_TIME, C_TIME, offsetof(struct outcome_row, finished_us)},
    {MU_ARRAY_BYTES, C_DIGEST, offsetof(struct outcome_row, determined)},
    {MU_ARRAY_BOOL, C_BOOL, offsetof(struct outcome_row, computed)},
};

static const struct column finding_columns[] = {
    {MU_ARRAY_ID, C_ID, offsetof(struct finding_row, id)},
    {MU_ARRAY_ID, C_ID, offsetof(struct finding_row, task)},
    {MU_ARRAY_ID, C_ID, offsetof(struct finding_row, job)},
    {MU_ARRAY_TEXT, C_TEXT, offsetof(struct finding_row, queue)},
    {MU_ARRAY_BYTES, C_DIGEST, offsetof(struct finding_row, task_digest)},
    {MU_ARRAY_BYTES, C_DIGEST, offsetof(struct finding_row, input_digest)},
    {MU_ARRAY_BYTES, C_DIGEST, offsetof(struct finding_row, fingerprint)},
    {MU_ARRAY_TEXT, C_TEXT, offsetof(struct finding_row, rule)},
    {MU_ARRAY_TEXT, C_TEXT, offsetof(struct finding_row, severity)},
    {MU_ARRAY_TEXT, C_TEXT, offsetof(struct finding_row, outcome)},
    {MU_ARRAY_BOOL, C_BOOL, offsetof(struct finding_row, shadow)},
    {MU_ARRAY_I64, C_OPTIONAL_INT, offsetof(struct finding_row, record)},
    {MU_ARRAY_I64, C_OPTIONAL_INT, offsetof(struct finding_row, byte_off)},
    {MU_ARRAY_I64, C_OPTIONAL_INT, offsetof(struct finding_row, length)},
    {MU_ARRAY_I64, C_OPTIONAL_INT, offsetof(struct finding_row, line)},
    {MU_ARRAY_TEXT, C_OPTIONAL_TEXT, offsetof(struct finding_row, subject)},
    {MU_ARRAY_TEXT, C_OPTIONAL_TEXT, offsetof(struct finding_row, part)},
    {MU_ARRAY_TEXT, C_TEXT, offsetof(struct finding_row, message)},
    {MU_ARRAY_TEXT, C_TEXT, offsetof(struct finding_row, evidence)},
};

static const struct column deferred_columns[] = {
    {MU_ARRAY_ID, C_ID, offsetof(struct deferred_row, task)},
    {MU_ARRAY_I32, C_INT, offsetof(struct deferred_row, n)},
    {MU_ARRAY_TEXT, C_TEXT, offsetof(struct deferred_row, class_)},
    {MU_ARRAY_TEXT, C_TEXT, offsetof(struct deferred_row, reason)},
    {MU_ARRAY_TEXT, C_OPTIONAL_TEXT, offsetof(struct deferred_row, message)},
};

static void put_cell(struct mu_args *a, enum cell cell, const char *at)
{
    switch (cell) {
    case C_ID:
        mu_arg_array_id(a, *(const struct mu_id *)(const void *)at);
        break;
    case C_INT:
        mu_arg_array_i64(a, *(const int64_t *)(const void *)at);
        break;
    case C_OPTIONAL_INT:
        if (*(const int64_t *)(const void *)at < 0)
            mu_arg_array_null(a);
        else
            mu_arg_array_i64(a, *(const int64_t *)(const void *)at);
        break;
    case C_TEXT:
        mu_arg_array_text(a, *(const struct mu_span *)(const void *)at);
        break;
    case C_OPTIONAL_TEXT:
        if (((const struct mu_span *)(const void *)at)->len)
            mu_arg_array_text(a, *(const struct mu_span *)(const void *)at);
        else
            mu_arg_array_null(a);
        break;
    case C_DIGEST:
        mu_arg_array_bytes(a, mu_span(at, sizeof(struct mu_digest)));
        break;
    case C_INPUT_DIGEST: {
        const struct outcome_row *o = (const void *)(at - offsetof(struct outcome_row, input_digest));
        if (o->has_input_digest)
            mu_arg_array_bytes(a, mu_span(at, sizeof(struct mu_digest)));
        else
            mu_arg_array_null(a);
        break;
    }
    case C_TIME:
        mu_arg_array_time_us(a, *(const int64_t *)(const void *)at);
        break;
    case C_BOOL:
        mu_arg_array_bool(a, *(const bool *)(const void *)at);
        break;
    }
}

/* Rows of one kind: where they begin, how large one is, and where in it stands which message it came from. */
struct rows {
    const char *at;
    size_t count, size, from;
};

static bool is_within(const struct rows *rows, size_t i, size_t from, size_t to)
{
    size_t message = *(const size_t *)(const void *)(rows->at + i * rows->size + rows->from);
    return message >= from && message < to;
}

static void bind_columns(struct mu_args *a, const struct column *columns, size_t count, const struct rows *rows, size_t from, size_t to)
{
    for (size_t c = 0; c < count; c++) {
        mu_arg_array_begin(a, columns[c].kind);
        for (size_t i = 0; i < rows->count; i++)
            if (is_within(rows, i, from, to))
                put_cell(a, columns[c].cell, rows->at + i * rows->size + columns[c].offset);
        mu_arg_array_end(a);
    }
}

/* Where in the stream each row stood: sequence, time stamp, index within the message. */
static void bind_places(struct mu_args *a, const struct results *r, const struct rows *rows, size_t index, size_t from, size_t to)
{
    for (int c = 0; c < 3; c++) {
        mu_arg_array_begin(a, c == 0 ? MU_ARRAY_I64 : c == 1 ? MU_ARRAY_TIME : MU_ARRAY_I32);
        for (size_t i = 0; i < rows->count; i++) {
            const char *row = rows->at + i * rows->size;
            if (!is_within(rows, i, from, to))
                continue;
            const struct mu_message *m = r->messages[*(const size_t *)(const void *)(row + rows->from)];
            if (c == 0)
                mu_arg_array_i64(a, (int64_t)m->stream_sequence);
            else if (c == 1)
                mu_arg_array_time_us(a, m->stored_us);
            else
                mu_arg_array_i64(a, *(const int64_t *)(const void *)(row + index));
        }
        mu_arg_array_end(a);
    }
}

static void bind_quarantine(struct mu_args *a, const struct results *r, size_t from, size_t to)
{
    for (int c = 0; c < 3; c++) {
        mu_arg_array_begin(a, c == 2 ? MU_ARRAY_BYTES : MU_ARRAY_TEXT);
        for (size_t i = 0; i < r->quarantine_count; i++) {
            const struct quarantine_row *q = &r->quarantine[i];
            const struct mu_message *m = r->messages[q->from];
            if (q->from < from || q->from >= to)
                continue;
            if (c == 0)
                mu_arg_array_text(a, mu_span_of(m->subject));
            else if (c == 1)
                mu_arg_array_text(a, mu_span_of(q->reason));
            else
                mu_arg_array_bytes(a, m->body);
        }
        mu_arg_array_end(a);
    }
}

/* Of each outcome that is bound the place of its tally, from 1; then the tallies in the order of their places. */
static void bind_tallies(struct mu_args *a, struct results *r, size_t from, size_t to)
{
    int32_t places = 0;
    for (size_t i = 0; i < r->tallies.count; i++)
        r->tallies.rows[i].place = 0;
    mu_arg_array_begin(a, MU_ARRAY_I32);
    for (size_t i = 0; i < r->outcome_count; i++) {
        const struct outcome_row *o = &r->outcomes[i];
        if (o->from < from || o->from >= to)
            continue;
        if (o->tally < 0) {
            mu_arg_array_null(a);
            continue;
        }
        struct tally_row *t = &r->tallies.rows[o->tally];
        if (!t->place)
            t->place = ++places;
        mu_arg_array_i64(a, t->place);
    }
    mu_arg_array_end(a);
    for (int c = 0; c < 2; c++) {
        int32_t place = 0;
        mu_arg_array_begin(a, c ? MU_ARRAY_TEXT : MU_ARRAY_ID);
        for (size_t i = 0; i < r->outcome_count && place < places; i++) {
            const struct outcome_row *o = &r->outcomes[i];
            if (o->from < from || o->from >= to || o->tally < 0 || r->tallies.rows[o->tally].place != place + 1)
                continue;
            place++;
            if (c)
                mu_arg_array_text(a, r->tallies.rows[o->tally].rules);
            else
                mu_arg_array_id(a, r->tallies.rows[o->tally].id);
        }
        mu_arg_array_end(a);
    }
}

static void bind_seals(struct mu_args *a, const struct results *r, size_t from, size_t to)
{
    struct mu_digest seal;
    mu_arg_array_begin(a, MU_ARRAY_BYTES);
    for (size_t i = 0; i < r->outcome_count; i++) {
        const struct outcome_row *o = &r->outcomes[i];
        if (o->from < from || o->from >= to)
            continue;
        if (outcome_seal(o, o->tally < 0 ? NULL : &r->tallies.rows[o->tally].id, &seal))
            mu_arg_array_bytes(a, mu_span((const char *)seal.b, sizeof(seal.b)));
        else
            mu_arg_array_null(a);
    }
    mu_arg_array_end(a);
}

void results_bind(struct results *r, size_t from, size_t to, const char *stream_created, struct mu_args *args)
{
    const struct rows outcomes = {(const char *)r->outcomes, r->outcome_count, sizeof(*r->outcomes), offsetof(struct outcome_row, from)};
    const struct rows findings = {(const char *)r->findings, r->finding_count, sizeof(*r->findings), offsetof(struct finding_row, from)};
    const struct rows deferred = {(const char *)r->deferred, r->deferred_count, sizeof(*r->deferred), offsetof(struct deferred_row, from)};
    const struct rows aside = {(const char *)r->quarantine, r->quarantine_count, sizeof(*r->quarantine), offsetof(struct quarantine_row, from)};
    const struct mu_message *last = r->messages[to - 1];
    mu_args_reset(args);
    mu_arg_text(args, mu_span_of(stream_created));
    mu_arg_i64(args, (int64_t)last->stream_sequence);
    mu_arg_time_us(args, last->stored_us);
    bind_columns(args, outcome_columns, MU_COUNT(outcome_columns), &outcomes, from, to);
    bind_places(args, r, &outcomes, offsetof(struct outcome_row, index), from, to);
    bind_tallies(args, r, from, to);
    bind_columns(args, finding_columns, MU_COUNT(finding_columns), &findings, from, to);
    bind_places(args, r, &findings, offsetof(struct finding_row, index), from, to);
    bind_columns(args, deferred_columns, MU_COUNT(deferred_columns), &deferred, from, to);
    bind_quarantine(args, r, from, to);
    bind_places(args, r, &aside, offsetof(struct quarantine_row, index), from, to);
    bind_seals(args, r, from, to);
}
