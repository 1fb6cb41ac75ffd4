/* SPDX-License-Identifier: Apache-2.0 */
/* simulation-calls-real CONNINFO SEED STEPS: the calls of a seed against PostgreSQL. */
#include "conformance.h"

#include "dispatcher/statements.h"

extern const struct mu_statement recorder_statements[];

#define RECORDER_STATEMENTS 4
enum { DUMPS = SQL_COUNT + RECORDER_STATEMENTS };

/* Each table as lines; the same words as conformance_model.c. */
static const struct mu_statement dumps[] = {
    {"dump tasks", "select a.task_id || '|' || a.job_id || '|' || encode(a.task_digest, 'hex') || '|' || a.n || '|' || a.stage "
                   "from muster.any_task a order by a.task_id", false},
    {"dump task bodies", "select 'task ' || task_id || ' ' || job_id || ' ' || shard_index || ' ' || n || ' ' || encode(sha256(body), 'hex') "
                         "from muster.task order by task_id", false},
    {"dump progress", "select 'progress ' || job_id || ' ' || expected || ' ' || done || ' ' || bad || ' ' || records_expected || ' ' || "
                      "coalesce(result, '-') || ' ' || coalesce(reason, '-') || ' ' || (finished_at is not null)::int from muster.job_progress order by job_id", false},
    {"dump outbox", "select 'outbox ' || ride_id || ' ' || n || ' ' || subject || ' ' || message_id || ' ' || array_to_string(members, ',') || ' ' || "
                    "encode(sha256(bytes), 'hex') || ' ' || (published_at is not null)::int || ' ' || coalesce(sequence, 0) || ' ' || "
                    "(seen_missing_at is not null)::int from muster.outbox where kind = 'task' order by ride_id, n", false},
    {"dump events", "select 'events ' || subject || ' ' || count(*) from muster.outbox where kind = 'event' group by subject order by subject", false},
    {"dump outcomes", "select 'outcome ' || task_id || ' ' || job_id || ' ' || n || ' ' || result || ' ' || coalesce(reason, '-') || ' ' || findings_total || ' ' || "
                      "encode(determined, 'hex') from muster.outcome order by task_id", false},
    {"dump findings", "select 'finding ' || finding_id || ' ' || task_id from muster.finding order by finding_id", false},
    {"dump retries", "select 'retry ' || task_id || ' ' || n || ' ' || class || ' ' || incomplete || ' ' || dependency || ' ' || transient || ' ' || "
                     "case when next_at = 'infinity' then 'never' when next_at <= now() then 'now' else 'later' end from muster.retry order by task_id", false},
    {"dump late", "select 'late ' || sequence || ' ' || index || ' ' || task_id || ' ' || n || ' ' || result from muster.late_result order by sequence, index", false},
    {"dump conflicts", "select 'conflict ' || sequence || ' ' || index || ' ' || task_id || ' ' || n from muster.outcome_conflict order by sequence, index", false},
    {"dump quarantine", "select 'quarantine ' || sequence || ' ' || index || ' ' || reason from muster.quarantine order by sequence, index", false},
    {"dump rejections", "select 'rejection ' || sequence || ' ' || code from muster.rejection order by sequence, stored_at", false},
    {"dump position", "select 'position ' || created || ' ' || sequence from muster.positions() limit 1", false},
};

void conformance_dump(struct mu_store *s, enum dump what, void (*line)(void *ctx, const char *text), void *ctx)
{
    size_t from = what == DUMP_TASKS ? 0 : 1, to = what == DUMP_TASKS ? 1 : MU_COUNT(dumps);
    for (size_t i = from; i < to; i++) {
        MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
        struct mu_error err = {0};
        if (!mu_store_run(s, DUMPS + (int)i, NULL, &rows, &err)) {
            printf("%s\n", err.text);
            continue;
        }
        for (size_t k = 0; k < mu_rows_count(rows); k++)
            line(ctx, mu_row_text(rows, k, 0));
    }
}

int main(int argc, char **argv)
{
    struct mu_statement all[DUMPS + MU_COUNT(dumps)];
    struct mu_error err = {0};
    struct mu_store *s = NULL;
    int64_t seed, steps;
    if (argc != 4 || !mu_parse_i64(mu_span_of(argv[2]), 0, INT64_MAX, &seed) || !mu_parse_i64(mu_span_of(argv[3]), 1, 100000, &steps))
        return 2;
    memcpy(all, dispatcher_statements, SQL_COUNT * sizeof(*all));
    memcpy(all + SQL_COUNT, recorder_statements, RECORDER_STATEMENTS * sizeof(*all));
    memcpy(all + DUMPS, dumps, sizeof(dumps));
    bool done = mu_store_open(&s, argv[1], "conformance", all, MU_COUNT(all), &err) && conformance_run(s, (uint64_t)seed, (int)steps, &err);
    if (!done)
        printf("%s\n", err.text);
    mu_store_free(s);
    return done ? 0 : 1;
}
