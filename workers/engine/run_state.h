/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of a run, for its two files: run.c feeds and judges records, checkpoint.c saves and restores. */
#ifndef MU_RUN_STATE_H
#define MU_RUN_STATE_H

#include "engine/finding.h"

struct run_sink {
    struct mu_sink base;
    struct mu_run *run;
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
    struct mu_value *values;       /* of a typed pack: the reader's with what is invalid marked */

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

#endif
