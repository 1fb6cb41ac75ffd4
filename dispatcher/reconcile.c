/* SPDX-License-Identifier: Apache-2.0 */
#include "reconcile.h"
#include "base/clock.h"
#include "base/log.h"
#include "domain/names.h"
#include "format/json.h"
#include "outside/kv.h"
#include "publish.h"
#include "statements.h"

#define SLICE 500
#define HELD_MAX 65536
#define CONSUMERS_MAX (MU_QUEUES_MAX * MU_PRIORITIES)

/* What is true of the broker during one slice. */
struct view {
    struct dispatcher *d;
    struct mu_id *held; /* tasks and rides that live agents list */
    size_t held_count;
    struct { char name[MU_SUBJECT_MAX]; uint64_t delivered; } consumers[CONSUMERS_MAX];
    size_t consumer_count;
};

static bool note_held(void *ctx, const char *key, const struct mu_entry *entry)
{
    struct view *v = ctx;
    MU_AUTO(mu_json_free) json_t *agent = NULL;
    struct mu_error err = {0};
    size_t i;
    json_t *task;
    (void)key;
    if (!mu_json_parse(&agent, mu_text_span(&entry->value), (size_t)1 << 20, &err))
        return true; /* an entry that cannot be read holds nothing */
    json_array_foreach(json_object_get(agent, "tasks"), i, task)
    {
        static const char *const keys[] = {"task_id", "ride_id"};
        for (size_t k = 0; k < MU_COUNT(keys) && v->held_count < HELD_MAX; k++)
            if (mu_id_parse(mu_json_span(task, keys[k]), &v->held[v->held_count]))
                v->held_count++;
    }
    return v->held_count < HELD_MAX;
}

static bool is_held(const struct view *v, struct mu_id id)
{
    for (size_t i = 0; i < v->held_count; i++)
        if (mu_id_equal(v->held[i], id))
            return true;
    return false;
}

/* How far the consumer of a subject has delivered; asked once per slice. */
static bool delivered_of(struct view *v, const struct mu_task_subject *s, uint64_t *out, struct mu_error *err)
{
    char name[MU_SUBJECT_MAX];
    mu_consumer_task(name, s->queue, s->priority);
    for (size_t i = 0; i < v->consumer_count; i++) {
        if (strcmp(v->consumers[i].name, name) == 0) {
            *out = v->consumers[i].delivered;
            return true;
        }
    }
    struct mu_consumer_state state;
    bool found = false;
    if (!mu_consumer_find(v->d->bus, MU_STREAM_TASKS, name, &found, &state, err))
        return false;
    *out = found ? state.delivered_stream_sequence : UINT64_MAX; /* nobody delivers: not queued */
    if (v->consumer_count < CONSUMERS_MAX) {
        snprintf(v->consumers[v->consumer_count].name, sizeof(v->consumers[0].name), "%s", name);
        v->consumers[v->consumer_count++].delivered = *out;
    }
    return true;
}

struct candidate {
    struct mu_id ride;
    int64_t n, sequence, missing_ms;
    const char *subject, *created, *open;
    size_t open_count;
    struct mu_task_subject parts; /* of the subject */
};

/* Does the message stand where it was noted, with its subject and id? */
static bool is_there(struct view *v, const struct candidate *c, bool *there, struct mu_error *err)
{
    char subject[MU_SUBJECT_MAX], id[80], text[MU_ID_MAX], want[MU_ID_MAX + 24];
    *there = false;
    if (c->sequence <= 0 || strcmp(c->created, publisher_stream_created(v->d->publisher)) != 0)
        return true;
    bool found = false;
    if (!mu_stream_get_leader(v->d->bus, MU_STREAM_TASKS, (uint64_t)c->sequence, &found, subject, id, err))
        return false;
    mu_id_format(c->ride, text);
    snprintf(want, sizeof(want), "%s:%lld", text, (long long)c->n);
    *there = found && strcmp(subject, c->subject) == 0 && strcmp(id, want) == 0;
    return true;
}

static bool is_queued(struct view *v, const struct candidate *c, bool there, bool *queued, struct mu_error *err)
{
    uint64_t delivered = 0;
    if (!delivered_of(v, &c->parts, &delivered, err))
        return false;
    *queued = (there && (uint64_t)c->sequence > delivered) || is_held(v, c->ride);
    for (const char *at = c->open; !*queued && *at; at += strcspn(at, " "), at += *at == ' ') {
        struct mu_id member;
        if (mu_id_parse(mu_span(at, strcspn(at, " ")), &member))
            *queued = is_held(v, member);
    }
    return true;
}

/* The end is the last message that is there: a number that was given to one since deleted by hand is never recorded. */
static bool read_end_of_results(struct reconciler *r, bool *found, struct mu_error *err)
{
    struct mu_stream_state state;
    uint64_t last = 0;
    if (!mu_stream_find(r->d->bus, MU_STREAM_RESULTS, found, &state, err) || !*found)
        return err->fault == MU_OK;
    if (!mu_stream_last(r->d->bus, MU_STREAM_RESULTS, "muster.>", &last, err))
        return false;
    snprintf(r->until_created, sizeof(r->until_created), "%s", state.created);
    r->until_sequence = last;
    r->until_ms = mu_clock_ms();
    return true;
}

/* Everything that the results stream held at a moment after `due_ms` has been recorded: else outcomes may only be
 * waiting. The moment stays until it is reached: under load the stream's end always runs ahead of the recorder. */
static bool results_are_recorded(struct reconciler *r, int64_t due_ms, bool *recorded, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    bool found = true;
    *recorded = false;
    if (r->until_ms < due_ms && !read_end_of_results(r, &found, err))
        return false;
    if (!found || !mu_store_run(r->d->store, SQL_POSITIONS, NULL, &rows, err))
        return !found;
    if (!r->until_sequence) {
        *recorded = true;
        return true;
    }
    if (!mu_rows_count(rows))
        return true;
    if (strcmp(mu_row_text(rows, 0, 0), r->until_created) != 0)
        r->until_ms = 0; /* one of the two is of a stream that is gone: look again */
    else
        *recorded = (uint64_t)mu_row_i64(rows, 0, 1) >= r->until_sequence;
    return true;
}

/* Those of the batch that have an outcome, or another n, by now are left out by the database. */
static bool republish(struct reconciler *r, struct mu_error *err)
{
    struct mu_args *a = r->d->args;
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    if (!r->missing_count)
        return true;
    mu_args_reset(a);
    mu_arg_array_begin(a, MU_ARRAY_ID);
    for (size_t i = 0; i < r->missing_count; i++)
        mu_arg_array_id(a, r->missing[i].task);
    mu_arg_array_end(a);
    mu_arg_array_begin(a, MU_ARRAY_I32);
    for (size_t i = 0; i < r->missing_count; i++)
        mu_arg_array_i64(a, r->missing[i].n);
    mu_arg_array_end(a);
    r->missing_count = 0;
    if (!mu_store_run(r->d->store, SQL_REPUBLISH, a, &rows, err))
        return false;
    size_t count = mu_rows_count(rows);
    r->d->counters.value[COUNT_TASKS_REPUBLISHED] += count;
    if (count)
        mu_log(MU_WARNING, "open tasks were neither queued nor held, they are published again", MU_N("tasks", count),
               MU_F("task_id", mu_row_text(rows, 0, 0)));
    return true;
}

/* As far as the rate allows: what is left of a ride is met again when the pass goes on, with the members that it still
 * has as their current publication. */
static bool add_missing(struct reconciler *r, const struct candidate *c, struct mu_error *err)
{
    for (const char *at = c->open; *at && !r->held_back; at += strcspn(at, " "), at += *at == ' ') {
        if (r->missing_count == RECONCILE_BATCH && !republish(r, err))
            return false;
        if (!mu_id_parse(mu_span(at, strcspn(at, " ")), &r->missing[r->missing_count].task))
            continue;
        r->held_back = !rate_take(&r->rate, mu_clock_ms());
        r->missing[r->missing_count].n = c->n;
        r->missing_count += !r->held_back;
    }
    return true;
}

/* All members have outcomes: the row goes, and the message if it is still there. */
static bool clear(struct reconciler *r, const struct candidate *c, bool there, struct mu_error *err)
{
    struct mu_args *a = r->d->args;
    mu_args_reset(a);
    mu_arg_array_begin(a, MU_ARRAY_ID);
    mu_arg_array_id(a, c->ride);
    mu_arg_array_end(a);
    if (!mu_store_run(r->d->store, SQL_OUTBOX_SETTLED, a, NULL, err))
        return false;
    r->d->counters.value[COUNT_ROWS_CLEARED]++;
    if (!there)
        return true;
    if (!mu_stream_delete(r->d->bus, MU_STREAM_TASKS, (uint64_t)c->sequence, err))
        return false;
    r->d->counters.value[COUNT_MESSAGES_DELETED]++;
    return true;
}

static bool note_missing(struct reconciler *r, const struct mu_id *rides, const bool *missing, size_t count, struct mu_error *err)
{
    struct mu_args *a = r->d->args;
    mu_args_reset(a);
    mu_arg_array_begin(a, MU_ARRAY_ID);
    for (size_t i = 0; i < count; i++)
        mu_arg_array_id(a, rides[i]);
    mu_arg_array_end(a);
    mu_arg_array_begin(a, MU_ARRAY_BOOL);
    for (size_t i = 0; i < count; i++)
        mu_arg_array_bool(a, missing[i]);
    mu_arg_array_end(a);
    return mu_store_run(r->d->store, SQL_RECONCILE_NOTE, a, NULL, err);
}

static size_t count_words(const char *text)
{
    size_t count = *text != '\0';
    for (; *text; text++)
        count += *text == ' ';
    return count;
}

static bool judge(struct reconciler *r, struct view *v, const struct candidate *c, bool *missing, struct mu_error *err)
{
    bool there = false, queued = false, recorded = false;
    *missing = false;
    if (!is_there(v, c, &there, err))
        return false;
    if (!c->open_count)
        return clear(r, c, there, err);
    if (!is_queued(v, c, there, &queued, err))
        return false;
    if (queued)
        return true;
    *missing = true;
    const int64_t twice_ms = c->missing_ms - 3 * r->d->config->task_ack_wait_ms;
    if (twice_ms < 0)
        return true; /* seen once: it may have been pulled a moment ago */
    if (!results_are_recorded(r, mu_clock_ms() - twice_ms, &recorded, err))
        return false;
    return !recorded || add_missing(r, c, err);
}

static bool judge_all(struct reconciler *r, struct view *v, const struct mu_rows *rows, struct mu_error *err)
{
    MU_AUTO(mu_free) struct mu_id *rides = calloc(mu_rows_count(rows) + 1, sizeof(*rides));
    MU_AUTO(mu_free) bool *missing = calloc(mu_rows_count(rows) + 1, sizeof(*missing));
    if (!rides || !missing)
        return mu_fail(err, MU_BROKEN, "out of memory");
    size_t judged = 0;
    for (size_t i = 0; i < mu_rows_count(rows) && !r->held_back; i++) {
        struct candidate c = {.n = mu_row_i64(rows, i, 1), .subject = mu_row_text(rows, i, 2), .sequence = mu_row_i64(rows, i, 3),
                              .created = mu_row_text(rows, i, 4), .open = mu_row_text(rows, i, 6),
                              .open_count = count_words(mu_row_text(rows, i, 6)), .missing_ms = mu_row_i64(rows, i, 7)};
        if (!mu_row_id(rows, i, 0, &c.ride))
            continue;
        if (!mu_subject_parse_task(c.subject, &c.parts))
            return mu_fail(err, MU_BROKEN, "the outbox has a subject that is none of ours: %s", c.subject);
        if (!judge(r, v, &c, &missing[judged], err))
            return false;
        if (r->held_back)
            break;
        rides[judged++] = r->cursor = c.ride;
        r->priority = c.parts.priority;
    }
    return republish(r, err) && note_missing(r, rides, missing, judged, err);
}

bool reconcile_slice(struct reconciler *r, int64_t *again_ms, struct mu_error *err)
{
    struct mu_args *a = r->d->args;
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    MU_AUTO(mu_free) struct view *v = calloc(1, sizeof(*v));
    MU_AUTO(mu_free) struct mu_id *held = calloc(HELD_MAX, sizeof(*held));
    char cursor[MU_ID_MAX];
    if (!v || !held)
        return mu_fail(err, MU_BROKEN, "out of memory");
    mu_id_format(r->cursor, cursor);
    mu_args_reset(a);
    mu_arg_i64(a, r->priority);
    mu_arg_text(a, mu_span_of(cursor));
    mu_arg_i64(a, 3 * r->d->config->task_ack_wait_ms);
    mu_arg_i64(a, SLICE);
    if (!mu_store_run(r->d->store, SQL_CANDIDATES, a, &rows, err))
        return mu_while(err, "reconciling");
    bool at_end = mu_rows_count(rows) < SLICE;
    r->rate.per_second = r->d->config->dispatcher_republish_rate;
    r->missing_count = 0;
    r->held_back = false;
    if (mu_rows_count(rows)) {
        v->d = r->d;
        v->held = held;
        if (!mu_kv_walk(r->d->bus, MU_BUCKET_AGENTS, note_held, v, err) || !judge_all(r, v, rows, err))
            return mu_while(err, "reconciling");
    }
    if (r->held_back) {
        r->d->counters.value[COUNT_REPUBLISH_PAUSES]++;
        *again_ms = rate_wait_ms(&r->rate);
    } else if (at_end) {
        r->priority = MU_HIGH;
        r->cursor = (struct mu_id){{0}};
    } else {
        *again_ms = 0;
    }
    return true;
}
