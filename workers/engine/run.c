/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/run_state.h"

#include <assert.h>
#include <inttypes.h>

#define FINDINGS_SOFT ((size_t)256 << 10)
#define STATES_CEILING ((size_t)2 << 30) /* well above what MU_GROUP_STATE_MAX comes to: that limit is the one that is met */

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

void run_add_sample(struct run_samples *samples, const struct mu_sample *sample)
{
    if (samples->count < MU_SAMPLES_MAX)
        samples->at[samples->count++] = *sample;
}

/* Beyond a rule's own limit findings are counted and not told; they come in the order of their records. */
static bool is_withheld(const struct mu_run *run)
{
    const struct mu_rule_counts *c = &run->counts[run->rule - run->ready->rules];
    const int64_t max = run->rule->rule->max_findings;
    return max && c->fail + c->warn > max;
}

/* A message is written down at once: it may lie on the stack of the check. */
static void take_verdict(struct mu_sink *sink, enum mu_verdict verdict, struct mu_span message)
{
    struct mu_run *run = ((struct run_sink *)(void *)sink)->run;
    const size_t rule = (size_t)(run->rule - run->ready->rules);
    if (run->verdicts++)
        return;
    ++*counter(&run->counts[rule], verdict);
    if (verdict != MU_V_FAIL && verdict != MU_V_WARN)
        return;
    if (run->samples[rule]) {
        const struct mu_locator *at = &run->record->at;
        run_add_sample(run->samples[rule], &(struct mu_sample){at->record_no, at->byte_off, at->length, at->line});
        return;
    }
    if (is_withheld(run))
        return;
    finding_write(&run->writer, &run->findings, run->rule, verdict == MU_V_WARN, run->record, message);
    run->findings_held++;
}

static bool take_group(struct mu_sink *sink, const struct mu_found *found, struct mu_error *err)
{
    struct mu_run *run = ((struct run_sink *)(void *)sink)->run;
    ++*counter(&run->counts[run->rule - run->ready->rules], found->verdict);
    if ((found->verdict != MU_V_FAIL && found->verdict != MU_V_WARN) || is_withheld(run))
        return true;
    finding_write_found(&run->writer, &run->findings, run->rule, found);
    run->findings_held++;
    if (!mu_text_ok(&run->findings, err) || !mu_text_ok(&run->message, err))
        return false;
    return run->findings.len < FINDINGS_SOFT || !run->drain || run->drain(run->drain_context, run, err);
}

static bool open_reader(struct mu_run *run, const struct mu_run_setup *setup, struct mu_error *err)
{
    const struct mu_ready *ready = setup->ready;
    const struct mu_reader_setup reader = {.source = setup->task->source,
                                           .columns = ready->column_names,
                                           .wanted = ready->wanted,
                                           .column_count = ready->pack->column_count,
                                           .typed = ready->pack->columns,
                                           .limits = setup->limits,
                                           .part = setup->task->has_shard &&
                                                   setup->task->shard.to < setup->task->input_size};
    const struct mu_span format =
        setup->task->source ? mu_json_span(setup->task->source, "format") : mu_span_of("records");
    return mu_reader_open(&run->reader, format, &reader, err);
}

static bool begin_rules(struct mu_run *run, struct mu_error *err)
{
    const struct mu_ready *ready = run->ready;
    struct mu_env env = ready_env(ready, run->pool);
    env.frame = &run->frame;
    env.state_bytes = &run->state_bytes;
    for (size_t i = 0; i < ready->rule_count; i++) {
        const struct ready_rule *rr = &ready->rules[i];
        run->counts[i] = (struct mu_rule_counts){.rule = rr->rule->id, .head = rr->tally_head};
        if (rr->rule->has_mostly && !(run->samples[i] = mu_pool_get(run->pool, sizeof(*run->samples[i]))))
            return mu_fail(err, MU_BROKEN, "out of memory");
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
    run->samples = mu_pool_get(run->pool, sizeof(*run->samples) * (ready->rule_count + 1));
    return run->states && run->counts && run->sorted && run->values && run->samples;
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
    run->drain = setup->drain;
    run->drain_context = setup->drain_context;
    if (!mu_frame_init(&run->frame, run->ready->slots, err) || !open_reader(run, setup, err))
        return false;
    finding_writer_init(&run->writer, &(struct finding_setup){.ready = run->ready,
                                                              .task = run->task,
                                                              .source_digest = &run->source_digest,
                                                              .reader = run->reader,
                                                              .frame = &run->frame,
                                                              .message = &run->message});
    if (!begin_rules(run, err))
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
        struct mu_xvalue value;
        if (ready->typed[i] && v.state == MU_VALUE_MISSING && column->empty_is_value && v.text.at && !v.text.len)
            v.state = MU_VALUE_TEXT;
        if (ready->typed[i] && v.state == MU_VALUE_TEXT && !mu_xvalue_parse(column->type, v.text, &value))
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

static inline bool holds(const struct mu_xvalue *v)
{
    return v->state == MU_VALUE_TEXT && v->truth;
}

/* What `where` makes of the record at hand: true, or the verdict is given. */
static bool in_scope(struct mu_run *run, const struct ready_rule *rr, struct mu_rule_counts *c)
{
    if (!rr->where)
        return true;
    const struct mu_xvalue *v = mu_eval(rr->where, &run->frame);
    if (holds(v))
        return true;
    switch (v->state) {
    case MU_VALUE_TEXT:
        c->out_of_scope++;
        return false;
    case MU_VALUE_MISSING:
        c->not_evaluated++;
        return false;
    case MU_VALUE_INVALID:
        c->error++;
        return false;
    }
    return false;
}

static bool judge_by(struct mu_run *run, size_t rule, const struct mu_record *rec, struct mu_error *err)
{
    const struct ready_rule *rr = &run->ready->rules[rule];
    if (!rr->runs) {
        run->counts[rule].not_evaluated++;
        return true;
    }
    if (!in_scope(run, rr, &run->counts[rule]))
        return true;
    if (rr->expr && holds(mu_eval(rr->expr, &run->frame))) { /* as most records do: no need for more words */
        run->counts[rule].pass++;
        return true;
    }
    run->rule = rr;
    run->verdicts = 0;
    run->sink.base.counts = &run->counts[rule];
    if (!rr->rule->check->record(run->states[rule], rec, &run->sink.base, err))
        return mu_while(err, "rule %s, record %" PRId64, rr->rule->id, rec->at.record_no);
    if (run->verdicts != 1 && (run->verdicts || rr->rule->check->shape == MU_SHAPE_MAP))
        return mu_fail(err, MU_BROKEN, "check %s gave %d verdicts about record %" PRId64,
                       rr->rule->check_name, run->verdicts, rec->at.record_no);
    return true;
}

static bool judge(struct mu_run *run, struct mu_record *rec, struct mu_error *err)
{
    run->records++;
    if (rec->bad) {
        judge_bad_record(run, rec);
        return true;
    }
    if (run->ready->any_typed)
        mark_types(run, rec);
    run->record = rec;
    mu_text_reset(&run->scratch);
    mu_frame_record(&run->frame, rec);
    for (size_t i = 0; i < run->ready->rule_count; i++)
        if (!judge_by(run, i, rec, err))
            return false;
    return true;
}

/* Does the record just judged end where the source does? */
static bool is_end(const struct mu_run *run, size_t chunk_len, bool last)
{
    return last && mu_reader_position(run->reader).byte_off == run->fed + (int64_t)chunk_len;
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
            /* at the very end the reader is asked once more: it may miss something there */
            if ((run->records == stop || run->findings.len >= FINDINGS_SOFT) && !is_end(run, chunk.len, last))
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

bool mu_run_finish(struct mu_run *run, struct mu_error *err)
{
    for (size_t i = 0; i < run->ready->rule_count; i++) {
        const struct ready_rule *rr = &run->ready->rules[i];
        run->rule = rr;
        run->verdicts = 0;
        run->sink.base.counts = &run->counts[i];
        if (rr->runs && !rr->rule->check->finish(run->states[i], &run->sink.base, err))
            return mu_while(err, "rule %s", rr->rule->id);
        if (run->verdicts)
            return mu_fail(err, MU_BROKEN, "check %s gave a verdict without a record", rr->rule->check_name);
        if (rr->runs && rr->rule->has_mostly && !run_settle_mostly(run, i, err))
            return false;
    }
    if (run->task->has_shard && run->records != run->task->shard.records)
        return mu_fail(err, MU_BROKEN, "the shard has %" PRId64 " records, its plan said %" PRId64,
                       run->records, run->task->shard.records);
    run_sum_up(run);
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
    finding_writer_fini(&run->writer);
    mu_frame_fini(&run->frame);
    mu_text_free(&run->findings);
    mu_text_free(&run->scratch);
    mu_text_free(&run->message);
    mu_pool_free(run->pool);
    free(run);
}
