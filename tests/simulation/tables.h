/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of schema muster, as far as the model goes: rows are plain structs whose texts live as long as the world,
 * so that a copy of a table is a copy of its array. Left out: partitions, audit, policies, schedules. */
#ifndef SIM_TABLES_H
#define SIM_TABLES_H

#include "base/digest.h"
#include "base/id.h"

struct table {
    char *rows;
    size_t count, room, size;
};
enum table_name {
    T_JOB, T_TERMS, T_REQUEST, T_TASK, T_PROGRESS, T_OUTBOX, T_OUTCOME, T_TALLY, T_FINDING, T_RETRY, T_LATE, T_CONFLICT, T_QUARANTINE,
    T_REJECTION, T_PACK, T_POSITION, T_INTAKE_MARK, T_INTAKE_SETTLED, TABLES,
};
struct tables {
    struct table of[TABLES];
};

struct r_job {
    struct mu_id id;
    struct mu_span key; /* at == NULL: null, here and below */
    struct mu_span body, queue, priority, pack, source_name, as_of, trace_id;
    struct mu_digest task_digest, terms_digest;
    bool plan_stage, cancelled;
    int64_t n, submitted_us;
};
struct r_terms {
    struct mu_digest digest;
    struct mu_span document;
};
struct r_request {
    struct mu_span key;
    struct mu_id job;
    struct mu_digest body;
};
struct r_task {
    struct mu_id id, job;
    const char *stage;
    int64_t shard, n, created_us;
    struct mu_span body, queue, priority;
    struct mu_digest digest;
};
struct r_progress {
    struct mu_id job;
    int64_t expected, done, bad, records_expected, finished_us; /* finished_us: 0 is null */
    const char *result, *reason;                                /* NULL is null */
};
struct r_outbox {
    struct mu_id ride;
    int64_t n;
    bool event;
    struct mu_span subject, message_id, bytes, trace_id;
    const struct mu_id *members;
    size_t member_count;
    int64_t created_us, published_us, sequence, missing_us; /* 0: null */
    struct mu_span stream_created;
    uint64_t order;                                          /* of insertion */
};
struct r_outcome {
    struct mu_id task, job, tally;
    int64_t n, delivery, records, bad, skipped, bytes, findings, crashes, recorded_us;
    struct mu_digest task_digest, input_digest, determined;
    bool has_input, has_tally;
    struct mu_span result, reason, message, plan, resumes, agent;
};
struct rule_counts {
    struct mu_span rule, severity, mode;
    long double min_coverage;
    int64_t pass, warn, fail, error, not_evaluated, out_of_scope;
};
struct r_tally {
    struct mu_id id;
    const struct rule_counts *rules;
    size_t count;
};
struct r_finding {
    struct mu_id id, task, job;
    struct mu_digest task_digest, input_digest, fingerprint;
    struct mu_span rule, severity, outcome, subject, part, message, evidence;
    bool shadow;
    int64_t record, byte_off, length, line; /* INT64_MIN: null */
};
struct r_retry {
    struct mu_id task;
    int64_t n, incomplete, dependency, transient, next_us; /* next_us: INT64_MAX is infinity */
    const char *class_;
    struct mu_span reason, message;
};
struct place { /* in a stream: key of late results, conflicts, quarantine */
    struct mu_span created;
    int64_t sequence, stored_us, index;
};
struct r_late {
    struct place place;
    struct mu_id task;
    int64_t n;
    struct mu_span result;
};
struct r_conflict {
    struct place place;
    struct mu_id task;
    int64_t n;
};
struct r_quarantine {
    struct place place;
    struct mu_span subject;
    const char *reason;
};
struct r_rejection {
    struct mu_id id;
    struct mu_span created, code, message;
    int64_t sequence, stored_us;
};
struct r_pack {
    struct mu_span name, version, document;
    struct mu_digest digest;
    int64_t number[3];
};
struct r_position {
    int64_t minute;
    struct mu_span created;
    int64_t sequence, stored_us, noted_us;
};
struct r_intake_mark {
    struct mu_span created;
    int64_t sequence, stored_us, noted_us;
};

#define SETTLED_MAX 1024
struct r_intake_settled {
    struct mu_span created;
    int64_t told;                    /* 0: null */
    uint8_t settled[SETTLED_MAX];    /* by sequence */
};

void tables_init(struct tables *t);
void tables_copy(struct tables *to, const struct tables *from); /* grows what `to` has */
void *table_add(struct tables *t, enum table_name name);        /* a row of zeros */
void table_remove(struct tables *t, enum table_name name, size_t row);
#define EACH(type, row, tables_, name)                                                                                                    \
    for (type *row = (type *)(void *)(tables_)->of[name].rows; row < (type *)(void *)(tables_)->of[name].rows + (tables_)->of[name].count; row++)

struct r_job *find_job(struct tables *t, struct mu_id id);
struct r_task *find_task(struct tables *t, struct mu_id id);
struct r_outcome *find_outcome(struct tables *t, struct mu_id task);
struct r_progress *find_progress(struct tables *t, struct mu_id job);
struct r_retry *find_retry(struct tables *t, struct mu_id task);
struct r_finding *find_finding(struct tables *t, struct mu_id id);
struct r_tally *find_tally(struct tables *t, struct mu_id id);

/* A task, wherever it stands: muster.any_task. */
struct any_task {
    struct mu_id task, job;
    const char *stage;
    int64_t *n;
    struct mu_span body, queue, priority, trace_id, pack, source_name;
    const struct mu_digest *digest, *terms;
};
bool find_any_task(struct tables *t, struct mu_id id, struct any_task *out);

/* ---- functions of the schema, for each other (accept.c, record.c, repair.c) ---- */
void sql_rides_done(struct tables *t, const struct mu_id *rides, size_t count);
void sql_raise_mark(struct tables *t, struct mu_span created, int64_t sequence, int64_t stored_us);
void sql_settle(struct tables *t, struct mu_span created, int64_t sequence); /* of the intake */
void sql_event_row(struct tables *t, const char *what);
bool sql_end_task(struct tables *t, struct mu_id task, const char *result, const char *reason, struct mu_span message);
/* n + 1, or 0: it has an outcome or another n. */
int64_t sql_republish(struct tables *t, struct mu_id task, int64_t expected_n, bool fresh);
void sql_stage_count(struct tables *t, const struct mu_id *jobs, size_t count, const struct mu_id *ended, const struct mu_span *results,
                     size_t ended_count);
void sql_stage_events(struct tables *t, const struct mu_id *jobs, size_t count, int64_t now_us);
int sql_stage_finish(struct tables *t, const struct mu_id *jobs, size_t count);
const char *sql_job_result(struct tables *t, struct mu_id job);
bool sql_is_verdict(struct mu_span result); /* pass, warn, fail, not_evaluated */
struct mu_span sql_ride_bytes(struct mu_id ride, int64_t n, bool fresh, struct mu_span queue, struct mu_span priority, struct mu_span terms,
                              struct mu_span task);
int64_t sql_retry_pause_us(const char *class_, int64_t attempts);

#endif
