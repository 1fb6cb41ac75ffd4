/* SPDX-License-Identifier: Apache-2.0 */
/* From counters to verdicts: of a rule over all records, and of the whole run. */
#include "engine/run_state.h"

/* Is `part` at least `share` of `all`? Exactly, by multiplying. */
static bool reaches(int64_t part, int64_t all, struct mu_decimal share)
{
    struct mu_decimal need;
    return mu_decimal_multiply(share, (struct mu_decimal){all, 0}, &need) &&
           mu_decimal_compare((struct mu_decimal){part, 0}, need) >= 0;
}

/* CHECKS.md part 1. */
static enum mu_result status_of(const struct mu_rule_counts *c, const struct mu_rule *rule)
{
    const int64_t judged = c->pass + c->warn + c->fail, all = judged + c->error + c->not_evaluated;
    if (c->fail)
        return MU_FAIL;
    if (c->error)
        return MU_ERROR;
    if (c->warn)
        return MU_WARN;
    return c->pass && reaches(judged, all, rule->min_coverage) ? MU_PASS : MU_NOT_EVALUATED;
}

static enum mu_result result_of(const struct mu_run *run)
{
    static const enum mu_result order[] = {MU_FAIL, MU_ERROR, MU_WARN, MU_PASS};
    bool seen[MU_PLANNED + 1] = {false};
    seen[MU_FAIL] = run->bad > 0;
    for (size_t i = 0; i < run->ready->rule_count; i++)
        if (run->ready->rules[i].rule->mode != MU_MODE_SHADOW)
            seen[status_of(&run->counts[i], run->ready->rules[i].rule)] = true;
    for (size_t i = 0; i < MU_COUNT(order); i++)
        if (seen[order[i]])
            return order[i];
    return MU_NOT_EVALUATED;
}

static struct mu_rule_counts with_withheld(const struct mu_run *run, size_t rule)
{
    struct mu_rule_counts c = run->counts[rule];
    const int64_t max = run->ready->rules[rule].rule->max_findings;
    c.withheld = max && c.fail + c.warn > max ? c.fail + c.warn - max : 0;
    return c;
}

static void sort_counts(struct mu_run *run)
{
    bool bad_due = run->bad > 0;
    run->sorted_count = 0;
    for (size_t i = 0; i <= run->ready->rule_count; i++) {
        if (bad_due && (i == run->ready->rule_count || strcmp(run->counts[i].rule, MU_BAD_RECORD_RULE) > 0)) {
            run->sorted[run->sorted_count++] = (struct mu_rule_counts){
                .rule = MU_BAD_RECORD_RULE,
                .head = "\"rule\":\"" MU_BAD_RECORD_RULE "\",\"severity\":\"" MU_BAD_RECORD_SEVERITY "\"",
                .fail = run->bad};
            bad_due = false;
        }
        if (i < run->ready->rule_count)
            run->sorted[run->sorted_count++] = with_withheld(run, i);
    }
}

void run_sum_up(struct mu_run *run)
{
    run->result = result_of(run);
    sort_counts(run);
}

/* CHECKS.md part 4: pass if enough of what was judged passes; an error forbids a pass, and so does too little that
 * could be judged at all. */
static enum mu_verdict mostly_verdict(const struct mu_rule_counts *c, const struct mu_rule *rule)
{
    const int64_t judged = c->pass + c->fail + c->warn;
    if (judged && !reaches(c->pass + c->warn, judged, rule->mostly))
        return MU_V_FAIL;
    if (c->error)
        return MU_V_ERROR;
    return judged && reaches(judged, judged + c->not_evaluated, rule->min_coverage) ? MU_V_PASS : MU_V_NOT_EVALUATED;
}

bool run_settle_mostly(struct mu_run *run, size_t rule, struct mu_error *err)
{
    struct mu_rule_counts *c = &run->counts[rule];
    const struct mu_rule_counts records = *c;
    const struct mu_found found = {.verdict = mostly_verdict(c, run->ready->rules[rule].rule),
                                   .records = records.pass + records.fail + records.warn,
                                   .failed = records.fail,
                                   .samples = run->samples[rule]->at,
                                   .sample_count = run->samples[rule]->count};
    *c = (struct mu_rule_counts){.rule = records.rule, .head = records.head};
    return run->sink.base.group(&run->sink.base, &found, err);
}
