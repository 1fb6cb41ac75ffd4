/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "daemon/failpoint.h"
#include "work.h"

#define RIDING_MAX ((size_t)384 * 1024) /* findings that ride in the outcome */

struct mu_reader_limits mu_work_limits(const struct mu_work *k)
{
    return (struct mu_reader_limits){.record_bytes = (size_t)k->task->terms->record_bytes,
                                     .fields = (size_t)k->task->terms->fields};
}

/* What rules over groups find at the end may be much. */
static bool drain(void *context, struct mu_run *run, struct mu_error *err)
{
    struct mu_work *k = context;
    (void)run;
    mu_lease_moved(k->w->lease);
    return mu_work_flush_findings(k, err);
}

bool mu_work_open_run(struct mu_work *k, struct mu_error *err)
{
    const struct mu_run_setup setup = {.drain = drain,
                                       .drain_context = k,
                                       .task = k->task,
                                       .ready = k->ready,
                                       .limits = mu_work_limits(k),
                                       .source_digest =
                                           k->task->has_shard ? k->task->input_digest : k->input};
    return mu_run_open(&k->run, &setup, err);
}

static bool run_records(struct mu_work *k, struct mu_error *err)
{
    struct mu_position first;
    struct mu_span rest = k->task->records;
    size_t used;
    bool done = false;
    k->input = mu_digest_of(rest);
    k->has_input = true;
    if (!mu_work_open_run(k, err) || !mu_run_header(k->run, mu_span("", 0), false, &done, &first, err))
        return false;
    do {
        if (!mu_run_feed(k->run, rest, true, 0, &used, err))
            return false;
        rest = mu_span(rest.at + used, rest.len - used);
        mu_lease_moved(k->w->lease);
        if (rest.len && !mu_work_flush_findings(k, err))
            return false;
    } while (rest.len);
    return true;
}

static bool run_source(struct mu_work *k, struct mu_error *err)
{
    struct mu_error why = {0};
    if (!mu_source_open(&k->source, k->w->sources, mu_json_span(k->task->source, "uri"),
                        mu_json_span(k->task->source, "compression"), &why))
        return mu_work_source_failed(k, &why, err);
    MU_FAILPOINT("worker.opened");
    k->chunk = malloc(MU_CHUNK);
    if (!k->chunk)
        return mu_fail(err, MU_BROKEN, "out of memory");
    k->checkpoint_ms = mu_clock_ms() + k->w->config->worker_checkpoint_ms;
    if (k->task->stage == MU_STAGE_PLAN && k->source->seekable && k->source->size > k->task->terms->shard_bytes &&
        !mu_ready_is_whole(k->ready))
        return mu_work_plan(k, err);
    return mu_work_scan(k, err);
}

static void begin_outcome(const struct mu_work *k, struct mu_outcome *o)
{
    *o = (struct mu_outcome){.task = k->task,
                             .n = k->ride->n,
                             .delivery = (int64_t)k->d->message->delivered,
                             .input_digest = k->input,
                             .has_input_digest = k->has_input,
                             .started_us = k->started_us,
                             .finished_us = mu_wall_us()};
    if (k->progress) {
        o->resumes = k->progress->resumes;
        o->resume_count = k->progress->resume_count;
        o->crashes = k->progress->crashes;
    }
}

static bool write_plan(struct mu_work *k, struct mu_text *out, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text plan = MU_TEXT(0);
    struct mu_outcome o;
    begin_outcome(k, &o);
    o.result = MU_PLANNED;
    if (!mu_plan_write(k->plan, &plan, err))
        return false;
    o.plan = mu_text_span(&plan);
    mu_outcome_write(out, &o);
    return mu_text_ok(out, err);
}

static bool write_tally(struct mu_work *k, struct mu_text *out, struct mu_error *err)
{
    struct mu_tally_cache *c = &k->w->tally;
    const struct mu_digest *rules = mu_ready_digest(k->ready);
    size_t count;
    const struct mu_rule_counts *counts = mu_run_rules(k->run, &count);
    const struct mu_span bytes = mu_span((const char *)counts, count * sizeof(*counts));
    if (!mu_digest_equal(&c->rules, rules) || !mu_span_equal(bytes, mu_text_span(&c->counts))) {
        c->rules = (struct mu_digest){{0}};
        mu_text_reset(&c->counts);
        mu_text_reset(&c->text);
        mu_text_add(&c->counts, bytes);
        mu_tally_write(&c->text, counts, count);
        if (!mu_text_ok(&c->counts, err) || !mu_text_ok(&c->text, err))
            return false;
        c->rules = *rules;
    }
    mu_text_add(out, mu_text_span(&c->text));
    return mu_text_ok(out, err);
}

/* Findings ride in the outcome if none of this task's has left before. */
static bool write_run(struct mu_work *k, struct mu_text *out, struct mu_text *tally, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text riding = MU_TEXT(MU_RESULT_MAX);
    struct mu_outcome o;
    int64_t held;
    if (!mu_run_finish(k->run, err))
        return false;
    struct mu_span findings = mu_run_findings(k->run, &held);
    if (held && (held != mu_run_findings_total(k->run) || findings.len > RIDING_MAX)) {
        if (!mu_work_flush_findings(k, err))
            return false;
    } else if (held) {
        mu_text_putc(&riding, '[');
        mu_text_add(&riding, findings);
        mu_text_putc(&riding, ']');
    }
    begin_outcome(k, &o);
    o.result = mu_run_result(k->run);
    o.counts = mu_run_counts(k->run);
    o.findings_total = mu_run_findings_total(k->run);
    if (riding.len)
        o.findings = mu_text_span(&riding);
    mu_outcome_write(out, &o);
    return mu_text_ok(out, err) && write_tally(k, tally, err);
}

bool mu_work_run(struct mu_work *k, struct mu_text *out, struct mu_text *tally, struct mu_error *err)
{
    k->started_us = mu_wall_us();
    if (k->task->stage == MU_STAGE_MERGE)
        return mu_reject(err, "bad_task", "/stage", "this agent makes no merges");
    while (!mu_packs_get(k->w->packs, k->task, &k->ready, err)) {
        if (err->fault == MU_REJECTED)
            snprintf(err->code, sizeof(err->code), "bad_task");
        if (!mu_worker_retry(k->w, err))
            return false;
    }
    if (!(k->task->source ? run_source(k, err) : run_records(k, err)))
        return false;
    return k->plan ? write_plan(k, out, err) : write_run(k, out, tally, err);
}

void mu_work_fini(struct mu_work *k)
{
    mu_run_free(k->run);
    mu_plan_free(k->plan);
    mu_source_close(k->source);
    free(k->chunk);
    *k = (struct mu_work){.w = NULL};
}

bool mu_work_is_deferral(const struct mu_error *err)
{
    static const char *const codes[] = {"list_missing", "pack_missing", "source_down"};
    for (size_t i = 0; err->fault == MU_UNAVAILABLE && i < MU_COUNT(codes); i++)
        if (strcmp(err->code, codes[i]) == 0)
            return true;
    return false;
}

bool mu_work_is_stopped(const struct mu_error *err)
{
    return err->fault == MU_UNAVAILABLE && strcmp(err->code, "stopped") == 0;
}

/* Counters and findings of a run that did not reach its end say nothing; what has left of them stays marked
 * partial. */
void mu_work_write_failure(const struct mu_work *k, const struct mu_error *why, struct mu_text *out)
{
    static const char *const refusals[] = {"bad_task", "path_refused", "unknown_format"};
    struct mu_outcome o;
    begin_outcome(k, &o);
    o.result = MU_ERROR;
    for (size_t i = 0; i < MU_COUNT(refusals); i++)
        if (strcmp(why->code, refusals[i]) == 0)
            o.result = MU_REFUSED;
    snprintf(o.reason, sizeof(o.reason), "%s", why->code[0] ? why->code : "bad_task");
    snprintf(o.message, sizeof(o.message), "%s", why->text);
    mu_outcome_write(out, &o);
}

void mu_work_write_exhausted(const struct mu_work *k, struct mu_text *out)
{
    struct mu_outcome o;
    begin_outcome(k, &o);
    o.result = MU_EXHAUSTED;
    o.started_us = o.finished_us;
    snprintf(o.reason, sizeof(o.reason), "crashed");
    snprintf(o.message, sizeof(o.message), "the task has crashed its agents %lld times at the same place",
             (long long)k->progress->crashes);
    mu_outcome_write(out, &o);
}
