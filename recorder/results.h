/* SPDX-License-Identifier: Apache-2.0 */
/* Result messages taken apart: outcomes, findings, deferrals, and what must be put aside, as rows that one SQL function
 * takes. All text is borrowed from the messages and their parsed form, which live as long as the batch. */
#ifndef MU_RESULTS_H
#define MU_RESULTS_H

#include "domain/names.h"
#include "format/json_arena.h"
#include "outside/bus.h"
#include "outside/store.h"
#include "plain.h"
#include "tally.h"

struct outcome_row {
    struct mu_id task, job, ride, incarnation;
    struct mu_digest task_digest, input_digest, determined;
    bool has_input_digest, computed;
    struct mu_span queue, result, reason, message, plan, resumes, agent;
    int32_t tally;   /* index into the batch's; -1: nothing was counted */
    int64_t n, delivery, records, bad, skipped, bytes, findings, riding, crashes, started_us, finished_us;
    size_t from;     /* index of its message */
    int64_t index;   /* within the message */
};
struct finding_row {
    struct mu_id id, task, job;
    struct mu_digest task_digest, input_digest, fingerprint;
    struct mu_span queue, rule, severity, outcome, subject, part, message, evidence;
    bool shadow;
    int64_t record, byte_off, length, line; /* -1: not given */
    size_t from;
    int64_t index;
};
struct deferred_row {
    struct mu_id task;
    int64_t n;
    struct mu_span class_, reason, message;
    size_t from;
};
struct quarantine_row {
    const char *reason;
    size_t from;
    int64_t index;
};

struct results {
    struct mu_message **messages; /* owned, in the order of the stream */
    json_t **docs;                /* owned; NULL for what is no JSON */
    struct mu_json_arena *arena;  /* borrowed; holds the documents of this batch alone; NULL: none */
    size_t count, room, bytes;
    bool planned;                 /* a plan is in it: the tasks that it makes are known only once it is recorded */
    struct outcome_row *outcomes;
    struct finding_row *findings;
    struct deferred_row *deferred;
    struct quarantine_row *quarantine;
    struct plain_split split;     /* of the message that is being read; reused */
    struct tally_set tallies;
    size_t outcome_count, outcome_room, finding_count, finding_room, deferred_count, deferred_room, quarantine_count,
        quarantine_room;
};

/* Takes the message. What is not as it must be becomes a quarantine row; false only when out of memory. */
MU_MUST bool results_add(struct results *r, struct mu_message *m, struct mu_error *err);
/* Puts a message aside that PostgreSQL would not take: its rows go, its bytes stay. */
void results_put_aside(struct results *r, size_t message, const char *reason);
/* The seal of an outcome (domain/seal.h), as muster.seal computes it; tally: the id of its counters, or NULL. False: it has
 * parts that only PostgreSQL has in their canonical form (plan, resumes). */
bool outcome_seal(const struct outcome_row *o, const struct mu_id *tally, struct mu_digest *out);
/* Binds the arrays of muster.record_batch for the messages [from, to). */
void results_bind(struct results *r, size_t from, size_t to, const char *stream_created, struct mu_args *args);
void results_reset(struct results *r);
void results_free(struct results *r);

#endif
