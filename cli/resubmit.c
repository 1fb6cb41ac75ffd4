/* SPDX-License-Identifier: Apache-2.0 */
/* `muster db resubmit`: after a database has come back at an older state, the jobs that it does not know any more are
 * stored again under their old ids, from the job.accepted events that the broker still has; results that were put aside
 * for them are recorded, so that what has been done is not done again. It asks PostgreSQL itself, by the very function
 * that takes submissions: names have been resolved and pinned, there is nothing to check anew and nothing that may come
 * out otherwise; and no door is needed by which others could submit under ids of their choice. Each event message is a
 * transaction; running it again, or twice at once, changes nothing. */
#include "cli.h"
#include "base/clock.h"
#include "domain/names_rights.h"
#include "format/schema.h"
#include "statements.h"

#define EVENT_BYTES_MAX ((size_t)1 << 20)
#define CONFLICTS_SHOWN 10000

struct resubmission {
    struct cli *cli;
    struct mu_bus *bus;
    struct mu_store *store;
    struct mu_args *args;
    int64_t since_us;
    bool dry_run;
    int64_t messages, jobs, known, missing, resubmitted, replaced, replayed, unreadable;
    int64_t oldest_us; /* of the events that the broker has; 0: it has none */
    json_t *conflicts;
};

static void tell_conflict(struct resubmission *r, const struct mu_rows *rows, size_t i)
{
    const char *job = mu_row_text(rows, i, 0), *key = mu_row_text(rows, i, 1), *state = mu_row_text(rows, i, 2), *other = mu_row_text(rows, i, 3);
    if (json_array_size(r->conflicts) < CONFLICTS_SHOWN)
        json_array_append_new(r->conflicts, json_pack("{s:s,s:s,s:s,s:s}", "job_id", job, "id", key, "state", state, "belongs_to", other));
    if (strcmp(state, "conflict") == 0)
        fprintf(stderr, "muster: job %s is not submitted again: its key %s belongs to job %s meanwhile, which has another body\n", job, key, other);
    else
        fprintf(stderr, "muster: job %s cannot be submitted again: its event %s; submit it anew if it is still wanted\n", job,
                strcmp(state, "damaged") == 0 ? "is damaged" : "does not carry the task");
}

/* Counts what the database says of the jobs of one message, and lists those whose results may have been put aside. */
static void count(struct resubmission *r, const struct mu_rows *rows)
{
    mu_args_reset(r->args);
    mu_arg_array_begin(r->args, MU_ARRAY_ID);
    for (size_t i = 0; i < mu_rows_count(rows); i++) {
        const char *state = mu_row_text(rows, i, 2);
        struct mu_id job;
        bool there = strcmp(state, "known") == 0 || strcmp(state, "missing") == 0 || strcmp(state, "resubmitted") == 0;
        r->jobs++;
        r->known += strcmp(state, "known") == 0;
        r->missing += strcmp(state, "missing") == 0;
        r->resubmitted += strcmp(state, "resubmitted") == 0;
        r->replaced += strcmp(state, "replaced") == 0; /* the same submission is there as another job: nothing is missing */
        if (!there && strcmp(state, "replaced") != 0)
            tell_conflict(r, rows, i);
        else if (there && mu_row_id(rows, i, 0, &job))
            mu_arg_array_id(r->args, job);
    }
    mu_arg_array_end(r->args);
    mu_arg_bool(r->args, r->dry_run);
}

/* The jobs of a message with their results, or none of them. */
static bool store_message(struct resubmission *r, const struct mu_message *m, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    MU_AUTO(mu_rows_free) struct mu_rows *replayed = NULL;
    mu_args_reset(r->args);
    mu_arg_bytes(r->args, m->body);
    mu_arg_bool(r->args, r->dry_run);
    if (!mu_store_begin(r->store, err) || !mu_store_run(r->store, SQL_RESUBMIT, r->args, &rows, err))
        return false;
    count(r, rows);
    if (!mu_store_run(r->store, SQL_REPLAY_QUARANTINE, r->args, &replayed, err))
        return false;
    r->replayed += mu_row_i64(replayed, 0, 0);
    if (!r->dry_run)
        return mu_store_commit(r->store, err);
    mu_store_rollback(r->store);
    return true;
}

static bool is_event(const struct mu_message *m, struct mu_error *why)
{
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    return mu_json_parse(&doc, m->body, EVENT_BYTES_MAX, why) && mu_schema_check(mu_schema_builtin("event"), doc, why);
}

/* The first sequence that is not older; the stream is in the order of time. */
static bool find_start(struct resubmission *r, const struct mu_stream_state *stream, uint64_t *out, struct mu_error *err)
{
    uint64_t low = stream->first_sequence, high = stream->last_sequence + 1;
    while (r->since_us && low < high) {
        uint64_t middle = low + (high - low) / 2;
        MU_AUTO(mu_message_free) struct mu_message *m = NULL;
        if (!mu_stream_next(r->bus, MU_STREAM_EVENTS, middle, MU_SUBJECTS_EVENT, &m, err))
            return false;
        if (m && m->stored_us < r->since_us)
            low = m->stream_sequence + 1;
        else
            high = middle;
    }
    *out = low;
    return true;
}

static bool look_at_stream(struct resubmission *r, uint64_t *start, uint64_t *end, struct mu_error *err)
{
    struct mu_stream_state stream;
    MU_AUTO(mu_message_free) struct mu_message *first = NULL;
    bool found = false;
    if (!mu_stream_find(r->bus, MU_STREAM_EVENTS, &found, &stream, err))
        return false;
    if (!found)
        return mu_fail(err, MU_UNAVAILABLE, "the stream %s is missing, and with it all events", MU_STREAM_EVENTS);
    *end = stream.last_sequence;
    if (!mu_stream_next(r->bus, MU_STREAM_EVENTS, stream.first_sequence, MU_SUBJECTS_EVENT, &first, err))
        return false;
    r->oldest_us = first ? first->stored_us : 0;
    return find_start(r, &stream, start, err);
}

/* What is accepted from now on needs no help: the walk ends where the stream ended when it began. */
static bool walk(struct resubmission *r, struct mu_error *err)
{
    char subject[MU_SUBJECT_MAX];
    uint64_t at = 0, end = 0;
    if (!look_at_stream(r, &at, &end, err))
        return false;
    mu_subject_event(subject, "job.accepted");
    while (at <= end) {
        MU_AUTO(mu_message_free) struct mu_message *m = NULL;
        struct mu_error why = {0};
        if (!mu_stream_next(r->bus, MU_STREAM_EVENTS, at, subject, &m, err))
            return mu_while(err, "reading the events");
        if (!m || m->stream_sequence > end)
            break;
        at = m->stream_sequence + 1;
        r->messages++;
        if (!is_event(m, &why)) {
            r->unreadable++;
            fprintf(stderr, "muster: event message %llu cannot be read and is passed over: %s\n", (unsigned long long)m->stream_sequence, why.text);
        } else if (!store_message(r, m, err)) {
            return mu_while(err, "event message %llu", (unsigned long long)m->stream_sequence);
        }
    }
    return true;
}

/* Is it time? What comes in later for jobs that were replaced needs another run: better said before than found. */
static bool look_ahead(struct resubmission *r, struct mu_error *err)
{
    struct mu_stream_state results, tasks;
    bool has_results = false, has_tasks = false;
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    if (!mu_stream_find(r->bus, MU_STREAM_TASKS, &has_tasks, &tasks, err) || !mu_stream_find(r->bus, MU_STREAM_RESULTS, &has_results, &results, err) ||
        !mu_store_run(r->store, SQL_POSITION, NULL, &rows, err))
        return false;
    bool same = has_results && mu_rows_count(rows) && strcmp(mu_row_text(rows, 0, 0), results.created) == 0;
    uint64_t recorded = same ? (uint64_t)mu_row_i64(rows, 0, 1) : 0;
    if (has_tasks && tasks.messages)
        fprintf(stderr, "muster: %llu queue messages are not done yet; run this again once the queue is empty\n", (unsigned long long)tasks.messages);
    if (has_results && recorded < results.last_sequence)
        fprintf(stderr, "muster: results are recorded up to %llu of %llu; run this again once the recorder has caught up\n",
                (unsigned long long)recorded, (unsigned long long)results.last_sequence);
    return true;
}

static void print(const struct resubmission *r)
{
    static const char *const headings[] = {"EVENTS FROM", "JOBS", "KNOWN", "MISSING", "RESUBMITTED", "REPLACED", "RESULTS REPLAYED", "CONFLICTS"};
    char oldest[MU_RFC3339_MAX] = "-", cells[7][32];
    const int64_t numbers[] = {r->jobs, r->known, r->missing + r->resubmitted, r->resubmitted, r->replaced, r->replayed, (int64_t)json_array_size(r->conflicts)};
    if (r->oldest_us)
        mu_rfc3339_format(r->oldest_us, oldest);
    if (r->cli->format == CLI_JSON) {
        MU_AUTO(mu_json_free) json_t *doc = json_pack(
            "{s:b,s:b,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:O}", "ok", json_array_size(r->conflicts) == 0 && !r->unreadable, "dry_run", r->dry_run,
            "oldest_event", oldest, "messages", (json_int_t)r->messages, "jobs", (json_int_t)r->jobs, "known", (json_int_t)r->known,
            "missing", (json_int_t)numbers[2], "resubmitted", (json_int_t)r->resubmitted, "replaced", (json_int_t)r->replaced, "replayed",
            (json_int_t)r->replayed,
            "unreadable", (json_int_t)r->unreadable, "conflicts", r->conflicts);
        cli_print_json(doc);
        return;
    }
    MU_AUTO(cli_table_free) struct cli_table *table = cli_table_new(headings, MU_COUNT(headings));
    for (size_t i = 0; i < MU_COUNT(numbers); i++)
        cli_thousands(numbers[i], cells[i]);
    const char *const row[] = {oldest, cells[0], cells[1], cells[2], cells[3], cells[4], cells[5], cells[6]};
    cli_table_add(table, row);
    cli_table_print(table);
}

/* A time, a day, or how long ago. */
static bool parse_since(const char *text, int64_t *us)
{
    int64_t ms;
    int32_t days;
    if (mu_rfc3339_parse(mu_span_of(text), us))
        return true;
    if (mu_date_parse(mu_span_of(text), &days)) {
        *us = days * INT64_C(86400000000);
        return true;
    }
    if (!cli_parse_duration(text, &ms))
        return false;
    *us = mu_wall_us() - ms * 1000;
    return true;
}

static bool take_words(struct resubmission *r, enum cli_exit *status)
{
    for (int i = 1; i < r->cli->argc; i++) {
        struct mu_span word = mu_span_of(r->cli->argv[i]);
        if (mu_span_is(word, "--dry-run")) {
            r->dry_run = true;
        } else if (mu_span_is(word, "--since")) {
            if (++i == r->cli->argc || !parse_since(r->cli->argv[i], &r->since_us))
                return *status = cli_usage("--since wants a time like 2026-11-24T18:00:00Z, a day, or how long ago: 36h"), false;
        } else {
            return *status = cli_usage("unknown word \"%s\": db resubmit wants --since TIME or --dry-run", r->cli->argv[i]), false;
        }
    }
    return true;
}

enum cli_exit cli_resubmit(struct cli *cli)
{
    struct resubmission r = {.cli = cli};
    struct mu_error err = {0};
    enum cli_exit status = CLI_DONE;
    cli->role = mu_role_name(MU_ROLE_OPERATOR);
    if (!take_words(&r, &status) || !(r.bus = cli_connect(cli, &status)))
        return status;
    r.args = mu_args_new();
    r.conflicts = json_array();
    bool done = r.args && r.conflicts ? mu_store_open(&r.store, cli->config.postgres_conninfo, "muster-resubmit", cli_statements, SQL_COUNT, &err) &&
                                            mu_store_check_schema(r.store, &err) && look_ahead(&r, &err) && walk(&r, &err)
                                      : mu_fail(&err, MU_BROKEN, "out of memory");
    if (done || r.messages)
        print(&r);
    if (!done)
        status = cli_fail(&err);
    else if (json_array_size(r.conflicts) || r.unreadable)
        status = CLI_PARTIAL;
    json_decref(r.conflicts);
    mu_args_free(r.args);
    mu_store_free(r.store);
    mu_bus_free(r.bus);
    return status;
}
