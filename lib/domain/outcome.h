/* SPDX-License-Identifier: Apache-2.0 */
/* The single terminal record of a task, with its control totals; and its tally, the counters per rule. Both travel in
 * a result message, which carries equal tallies once (schemas/outcome.json, tally.json, result.json); to change the
 * form, see domain/task.h. */
#ifndef MU_OUTCOME_H
#define MU_OUTCOME_H

#include "domain/task.h"

enum mu_result {
    MU_PASS, MU_WARN, MU_FAIL, MU_NOT_EVALUATED, MU_ERROR, MU_REFUSED, MU_CANCELLED, MU_EXHAUSTED, MU_PLANNED,
};
const char *mu_result_name(enum mu_result r); /* "pass", …, "rejected", … */

/* One rule's counters over the records of a task. In row rules they add up to the records read. */
struct mu_rule_counts {
    const char *rule; /* borrowed, as is head */
    const char *head; /* what stands in every tally of it: "rule":…,"severity":… and, if they are not active and 1, "mode"
                         and "min_coverage", by which sums over tasks are judged; "per", if it counts no records */
    int64_t pass, warn, fail, error, not_evaluated, out_of_scope;
    int64_t withheld; /* of fail and warn: counted, but their findings are not told (`max_findings`) */
};

struct mu_counts {
    int64_t records;   /* read, bad ones included */
    int64_t bad;       /* bad records (DQ.RECORD) */
    int64_t skipped;   /* of `records`, not evaluated for a reason of the source */
    int64_t bytes;     /* of input */
};

struct mu_resume { /* one take-over of this task, for the evidence */
    char agent[MU_TOKEN_MAX];   /* who went on */
    char from_agent[MU_TOKEN_MAX]; /* whose checkpoint it was */
    int64_t record_no, byte_off; /* where */
};

struct mu_outcome {
    const struct mu_task *task;      /* borrowed: ids and digest */
    int64_t n, delivery;
    enum mu_result result;
    char reason[28];                 /* word of PROTOCOL §2, or "" */
    char message[320];
    struct mu_digest input_digest;   /* of what was read: file, shard or records */
    bool has_input_digest;
    struct mu_counts counts;
    int64_t findings_total;          /* distinct findings of the task, riding ones included */
    struct mu_span findings;         /* riding findings as a JSON array, or empty */
    struct mu_span plan;             /* JSON object of a planned outcome, or empty */
    const struct mu_resume *resumes;
    size_t resume_count;
    int64_t started_us, finished_us; /* wall */
    int64_t crashes;
};
/* Without "tally", which the message adds. */
void mu_outcome_write(struct mu_text *out, const struct mu_outcome *o);
/* Rules in the order of their ids: equal counters give equal bytes. */
void mu_tally_write(struct mu_text *out, const struct mu_rule_counts *rules, size_t count);

#endif
