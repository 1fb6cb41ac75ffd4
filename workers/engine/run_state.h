/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of a run, for its files: run.c feeds and judges records, verdict.c sums up, checkpoint.c saves, restores and
 * merges. */
#ifndef MU_RUN_STATE_H
#define MU_RUN_STATE_H

#include "engine/finding.h"

struct run_sink {
    struct mu_sink base;
    struct mu_run *run;
};

/* The first records that failed, of a rule that tells them in one finding. */
struct run_samples {
    struct mu_sample at[MU_SAMPLES_MAX];
    size_t count;
};

struct mu_run {
    const struct mu_ready *ready;
    const struct mu_task *task;
    struct mu_digest source_digest;
    struct mu_pool *pool; /* states and counters */
    struct mu_reader *reader;
    struct finding_writer writer;
    struct run_sink sink;
    void **states;                 /* by rule of ready; NULL for one that does not run */
    struct mu_rule_counts *counts; /* by rule of ready; one more for DQ.RECORD */
    struct mu_value *values;       /* for plugins that read typed columns: the reader's with what is invalid marked */
    struct mu_frame frame;         /* of the expressions */
    int64_t state_bytes;           /* that the states of rules take */
    struct run_samples **samples;  /* by rule of ready; NULL but for rules with `mostly` */
    mu_run_drain *drain;
    void *drain_context;

    const struct ready_rule *rule; /* at work, for the sink */
    const struct mu_record *record;
    int verdicts; /* that the rule has given for it */

    int64_t fed; /* offset of the next byte to be fed */
    int64_t records, bad;
    int64_t findings_total, findings_held;
    struct mu_text findings, scratch, message;
    struct mu_rule_counts *sorted; /* after finish */
    size_t sorted_count;
    enum mu_result result;
};

/* Where its records begin and end: a shard's range, or the whole source. */
int64_t run_from(const struct mu_run *run);
void run_add_sample(struct run_samples *samples, const struct mu_sample *sample);
/* Makes one verdict out of the verdicts about records, for a rule with `mostly`. */
MU_MUST bool run_settle_mostly(struct mu_run *run, size_t rule, struct mu_error *err);
/* The result by CHECKS.md part 1, and the counters in the order of the rules' ids. */
void run_sum_up(struct mu_run *run);

#endif
