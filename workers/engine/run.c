/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/run_state.h"

#include <assert.h>
#include <inttypes.h>

#define FINDINGS_SOFT ((size_t)256 << 10)
#define STATES_CEILING ((size_t)512 << 20)

int64_t run_from(const struct mu_run *run)
{
    return run->task->has_shard ? run->task->shard.from : 0;
}

static int64_t *counter(struct mu_rule_counts *c, enum mu_verdict verdict)
{
    switch (verdict) {
    case MU_V_PASS:
        return &c->pass;
    case MU_V_WARN:
        return &c->warn;
    case MU_V_FAIL:
        return &c->fail;
    case MU_V_ERROR:
        return &c->error;
    case MU_V_NOT_EVALUATED:
        return &c->not_evaluated;
    case MU_V_OUT_OF_SCOPE:
        return &c->out_of_scope;
    }
    return &c->error;
}

/* A message is written down at once: it may lie on the stack of the check. */
static void take_verdict(struct mu_sink *sink, enum mu_verdict verdict, struct mu_span message)
{
    struct mu_run *run = ((struct run_sink *)(void *)sink)->run;
    if (run->verdicts++)
        return;
    ++*counter(&run->counts[run->rule - run->ready->rules], verdict);
    if (verdict != MU_V_FAIL && verdict != MU_V_WARN)
        return;
    finding_write(&run->writer, &run->findings, run->rule, verdict == MU_V_WARN, run->record, message);
    run->findings_held++;
}

static void take_group(struct mu_sink *sink, enum mu_verdict verdict, struct mu_span subject,
                       struct mu_span message)
{
    struct mu_run *run = ((struct run_sink *)(void *)sink)->run;
    (void)verdict;
    (void)subject;
    (void)message;
    run->verdicts = INT32_MAX / 2; /* row rules have no groups */
}

static bool open_reader(struct mu_run *run, const struct mu_run_setup *setup, struct mu_error *err)
{
    const struct mu_ready *ready = setup->ready;
    const struct mu_reader_setup reader = {.source = setup->task->source,
                                           .columns = ready->column_names,
                                           .wanted = ready->wanted,
                                           .column_count = ready->pack->column_count,
                                           .limits = setup->limits};
    const struct mu_span format =
        setup->task->source ? mu_json_span(setup->task->source, "format") : mu_span_of("records");
    return mu_reader_open(&run->reader, format, &reader, err);
}

static bool begin_rules(struct mu_run *run, struct mu_error *err)
{
    const struct mu_ready *ready = run->ready;
    struct mu_env env = ready_env(ready, run->pool);
    for (size_t i = 0; i < ready->rule_count; i++) {
        const struct ready_rule *rr = &ready->rules[i];
        run->counts[i] = (struct mu_rule_counts){.rule = rr->rule->id, .head = rr->tally_head};
        if (rr->runs && !rr->rule->check->begin(&run->states[i], &env, rr->conf, err))
            return mu_while(err, "rule %s", rr->rule->id);
    }
    return true;
}

static bool get_memory(struct mu_run *run)
{
    const struct mu_ready *ready = run->ready;
    run->pool = mu_pool_new(STATES_CEILING);
    if (!run->pool)
        return false;
    run->states = mu_pool_get(run->pool, sizeof(*run->states) * (ready->rule_count + 1));
    run->counts = mu_pool_get(run->pool, sizeof(*run->counts) * (ready->rule_count + 1));
    run->sorted = mu_pool_get(run->pool, sizeof(*run->sorted) * (ready->rule_count + 1));
    run->values = mu_pool_get(run->pool, sizeof(*run->values) * (ready->pack->column_count + 1));
    return run->states && run->counts && run->sorted && run->values;
}

bool mu_run_open(struct mu_run **out, const struct mu_run_setup *setup, struct mu_error *err)
{
    MU_AUTO(mu_run_free) struct mu_run *run = calloc(1, sizeof(*run));
    if (!run)
        return mu_fail(err, MU_BROKEN, "out of memory");
    run->ready = setup->ready;
    run->task = setup->task;
    run->source_digest = setup->source_digest;
    run->findings = MU_TEXT(FINDINGS_SOFT + ((size_t)64 << 20));
    run->sink =
        (struct run_sink){{.verdict = take_verdict, .group = take_group, .scratch = &run->scratch}, run};
    if (!get_memory(run))
        return mu_fail(err, MU_BROKEN, "out of memory");
    finding_writer_init(&run->writer, run->ready, run->task, &run->source_digest, &run->message);
    if (!open_reader(run, setup, err) || !begin_rules(run, err))
        return false;
    *out = MU_GIVE(run);
    return true;
}

const char *mu_run_source_name(const struct mu_run *run)
{
    return run->task->source_name;
}

bool mu_run_header(struct mu_run *run, struct mu_span chunk, bool last, bool *done, struct mu_position *first,
                   struct mu_error *err)
{
    const struct mu_shard *shard = &run->task->shard;
    struct mu_position at;
    if (!mu_reader_header(run->reader, chunk, last, done, &at, err))
        return false;
    if (!*done)
        return true;
    if (run->task->has_shard)
        at = (struct mu_position){shard->from, shard->first_record, shard->first_line};
    mu_reader_seek(run->reader, at);
    run->fed = at.byte_off;
    *first = at;
    return true;
}

struct mu_position mu_run_position(const struct mu_run *run)
{
    return mu_reader_position(run->reader);
}

/* The reader's values with those marked that are not readable as their column's type. */
static void mark_types(struct mu_run *run, struct mu_record *rec)
{
    const struct mu_ready *ready = run->ready;
    for (size_t i = 0; i < rec->count; i++) {
        const struct mu_column *column = &ready->pack->columns[i];
        struct mu_value v = rec->values[i];
        if (v.state == MU_VALUE_MISSING && column->empty_is_value && v.text.at && !v.text.len)
            v.state = MU_VALUE_TEXT;
        if (v.state == MU_VALUE_TEXT && column->type != MU_TYPE_TEXT && !mu_type_fits(column->type, v.text))
            v.state = MU_VALUE_INVALID;
        run->values[i] = v;
    }
    rec->values = run->values;
}

static void judge_bad_record(struct mu_run *run, const struct mu_record *rec)
{
    run->bad++;
    for (size_t i = 0; i < run->ready->rule_count; i++)
        run->counts[i].not_evaluated++;
    finding_write_bad_record(&run->writer, &run->findings, rec);
    run->findings_held++;
}

static bool judge(struct mu_run *run, struct mu_record *rec, struct mu_error *err)
{
    run->records++;
    if (rec->bad) {
        judge_bad_record(run, rec);
        return true;
    }
    if (run->ready->typed)
        mark_types(run, rec);
    run->record = rec;
    mu_text_reset(&run->scratch);
    for (size_t i = 0; i < run->ready->rule_count; i++) {
        const struct ready_rule *rr = &run->ready->rules[i];
        if (!rr->runs) {
            run->counts[i].not_evaluated++;
            continue;
        }
        run->rule = rr;
        run->verdicts = 0;
        if (!rr->rule->check->record(run->states[i], rec, &run->sink.base, err))
            return mu_while(err, "rule %s, record %" PRId64, rr->rule->id, rec->at.record_no);
        if (run->verdicts != 1)
            return mu_fail(err, MU_BROKEN, "check %s gave %d verdicts about record %" PRId64,
                           rr->rule->check_name, run->verdicts, rec->at.record_no);
    }
    return true;
}

/* Stops at the boundary behind the record just judged. */
static bool pause(struct mu_run *run, size_t chunk_len, size_t *used)
{
    const int64_t next = mu_reader_position(run->reader).byte_off;
    assert(next >= run->fed && next - run->fed <= (int64_t)chunk_len);
    *used = (size_t)(next - run->fed);
    run->fed = next;
    return true;
}

bool mu_run_feed(struct mu_run *run, struct mu_span chunk, bool last, int64_t max_records, size_t *used,
                 struct mu_error *err)
{
    struct mu_record rec;
    const int64_t stop = max_records > 0 ? run->records + max_records : INT64_MAX;
    mu_reader_feed(run->reader, chunk, last);
    for (;;) {
        switch (mu_reader_next(run->reader, &rec, err)) {
        case MU_READ_RECORD:
            if (!judge(run, &rec, err))
                return false;
            if (!mu_text_ok(&run->findings, err) || !mu_text_ok(&run->message, err))
                return false;
            if (run->records == stop || run->findings.len >= FINDINGS_SOFT)
                return pause(run, chunk.len, used);
            break;
        case MU_READ_MORE:
        case MU_READ_END:
            run->fed += (int64_t)chunk.len;
            *used = chunk.len;
            return true;
        case MU_READ_FAILED:
            return false;
        }
    }
}

struct mu_span mu_run_findings(const struct mu_run *run, int64_t *count)
{
    *count = run->findings_held;
    return mu_text_span(&run->findings);
}

void mu_run_take_findings(struct mu_run *run)
{
    run->findings_total += run->findings_held;
    run->findings_held = 0;
    mu_text_reset(&run->findings);
}

int64_t mu_run_findings_total(const struct mu_run *run)
{
    return run->findings_total + run->findings_held;
}

/* CHECKS.md part 1. Coverage is compared as (pass + warn + fail) >= minimum * all, exactly. */
static enum mu_result status_of(const struct mu_rule_counts *c, const struct mu_rule *rule)
{
    const int64_t judged = c->pass + c->warn + c->fail, all = judged + c->error + c->not_evaluated;
    struct mu_decimal need;
    if (c->fail)
        return MU_FAIL;
    if (c->error)
        return MU_ERROR;
    if (c->warn)
        return MU_WARN;
    if (!c->pass)
        return MU_NOT_EVALUATED;
    if (!mu_decimal_multiply(rule->min_coverage, (struct mu_decimal){all, 0}, &need) ||
        mu_decimal_compare((struct mu_decimal){judged, 0}, need) < 0)
        return MU_NOT_EVALUATED;
    return MU_PASS;
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
            run->sorted[run->sorted_count++] = run->counts[i];
    }
}

bool mu_run_finish(struct mu_run *run, struct mu_error *err)
{
    for (size_t i = 0; i < run->ready->rule_count; i++) {
        const struct ready_rule *rr = &run->ready->rules[i];
        run->rule = rr;
        run->verdicts = 0;
        if (rr->runs && !rr->rule->check->finish(run->states[i], &run->sink.base, err))
            return mu_while(err, "rule %s", rr->rule->id);
        if (run->verdicts)
            return mu_fail(err, MU_BROKEN, "check %s gave a verdict without a record", rr->rule->check_name);
    }
    if (run->task->has_shard && run->records != run->task->shard.records)
        return mu_fail(err, MU_BROKEN, "the shard has %" PRId64 " records, its plan said %" PRId64,
                       run->records, run->task->shard.records);
    run->result = result_of(run);
    sort_counts(run);
    return true;
}

enum mu_result mu_run_result(const struct mu_run *run)
{
    return run->result;
}

const struct mu_rule_counts *mu_run_rules(const struct mu_run *run, size_t *count)
{
    *count = run->sorted_count;
    return run->sorted;
}

struct mu_counts mu_run_counts(const struct mu_run *run)
{
    return (struct mu_counts){.records = run->records,
                              .bad = run->bad,
                              .bytes = mu_reader_position(run->reader).byte_off - run_from(run)};
}

void mu_run_free(struct mu_run *run)
{
    if (!run)
        return;
    mu_reader_free(run->reader);
    mu_text_free(&run->findings);
    mu_text_free(&run->scratch);
    mu_text_free(&run->message);
    mu_pool_free(run->pool);
    free(run);
}
