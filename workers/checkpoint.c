/* SPDX-License-Identifier: Apache-2.0 */
/* What a running task leaves behind on its way: batches of findings, and checkpoints that count only findings
 * that are confirmed. */
#include "base/clock.h"
#include "base/log.h"
#include "daemon/failpoint.h"
#include "state_parts.h"
#include "work.h"

#define RUN_STATE_MAX ((size_t)512 << 20)

bool mu_work_still_ours(struct mu_work *k, struct mu_error *err)
{
    if (!mu_lease_doubtful(k->w->lease, k->d))
        return true;
    if (!k->progress) /* small and cheap: whoever has it now may do it again */
        return mu_fail(err, MU_LOST, "the lease of task %s has run out", k->task->id_text);
    while (!mu_progress_assert(k->progress, err))
        if (!mu_worker_retry(k->w, err))
            return false;
    mu_lease_renewed(k->d);
    return true;
}

static void begin_message(const struct mu_work *k, struct mu_text *t)
{
    char hex[MU_DIGEST_HEX];
    mu_text_reset(t);
    mu_text_puts(t, "{\"v\":1");
    mu_json_put_text(t, "task_id", k->task->id_text);
    mu_json_put_text(t, "job_id", k->task->job_text);
    mu_digest_format(&k->task->digest, hex);
    mu_json_put_text(t, "task_digest", hex);
    mu_digest_format(&k->input, hex);
    mu_json_put_text(t, "input_digest", hex);
    mu_json_key(t, "pack");
    mu_text_addf(t, "\"%s@%s\"", k->task->terms->pack.name, k->task->terms->pack.version);
    mu_json_put_text(t, "source", mu_run_source_name(k->run));
    mu_json_key(t, "findings");
    mu_text_putc(t, '[');
}

static bool post(struct mu_work *k, struct mu_text *t, struct mu_error *err)
{
    char subject[MU_SUBJECT_MAX];
    mu_text_puts(t, "]}");
    mu_subject_finding(subject, k->ride->queue, k->task->id_text);
    return mu_text_ok(t, err) && mu_results_post(k->w->results, subject, mu_text_span(t),
                                                 mu_message_header(k->d->message, "traceparent"), NULL, err);
}

/* Findings larger than a message are cut between two of them. */
static bool post_in_parts(struct mu_work *k, struct mu_span findings, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text array = MU_TEXT((size_t)128 << 20), t = MU_TEXT(MU_RESULT_MAX * 2);
    struct mu_span one;
    size_t empty;
    mu_text_putc(&array, '[');
    mu_text_add(&array, findings);
    mu_text_putc(&array, ']');
    if (!mu_text_ok(&array, err))
        return false;
    struct mu_span rest = mu_text_span(&array);
    begin_message(k, &t);
    empty = t.len;
    while (mu_json_next_element(&rest, &one)) {
        if (t.len > empty && t.len + one.len > MU_RESULT_ROOM) {
            if (!post(k, &t, err))
                return false;
            begin_message(k, &t);
        }
        if (t.len > empty)
            mu_text_putc(&t, ',');
        mu_text_add(&t, one);
    }
    return post(k, &t, err);
}

bool mu_work_flush_findings(struct mu_work *k, struct mu_error *err)
{
    int64_t count;
    struct mu_span findings = mu_run_findings(k->run, &count);
    if (!count)
        return true;
    if (!mu_work_still_ours(k, err))
        return false;
    if (findings.len > MU_RESULT_ROOM - 1024) {
        if (!post_in_parts(k, findings, err))
            return false;
    } else {
        MU_AUTO(mu_text_free) struct mu_text t = MU_TEXT(MU_RESULT_MAX);
        begin_message(k, &t);
        mu_text_add(&t, findings);
        if (!post(k, &t, err))
            return false;
    }
    mu_run_take_findings(k->run);
    k->sent = true;
    return true;
}

static void put_resumes(const struct mu_progress *p, struct mu_text *t)
{
    mu_json_key(t, "resumes");
    mu_text_putc(t, '[');
    for (size_t i = 0; i < p->resume_count; i++) {
        mu_text_puts(t, i ? ",{" : "{");
        mu_json_put_text(t, "agent", p->resumes[i].agent);
        mu_json_put_text(t, "from_agent", p->resumes[i].from_agent);
        mu_json_put_int(t, "record_no", p->resumes[i].record_no);
        mu_json_put_int(t, "byte_off", p->resumes[i].byte_off);
        mu_text_putc(t, '}');
    }
    mu_text_putc(t, ']');
}

static bool write_checkpoint(const struct mu_work *k, struct mu_span run, struct mu_text *t, struct mu_error *err)
{
    char text[MU_SHA_STATE_MAX], hex[MU_DIGEST_HEX], started[MU_RFC3339_MAX];
    struct mu_position at = k->plan ? mu_plan_position(k->plan) : mu_run_position(k->run);
    mu_text_putc(t, '{');
    mu_json_put_int(t, "format", MU_CHECKPOINT_FORMAT);
    if (!k->plan) {
        mu_digest_format(&k->input, hex);
        mu_json_put_text(t, "input_digest", hex);
    }
    mu_json_put_int(t, "source_size", k->source->size);
    mu_json_put_text(t, "stage", k->plan ? "plan" : "scan");
    mu_json_put_raw(t, "run", run);
    if (!k->plan) {
        mu_sha_save(&k->sha, text);
        mu_json_put_text(t, "sha", text);
    }
    mu_json_put_int(t, "findings", k->plan ? 0 : mu_run_findings_total(k->run));
    mu_json_put_int(t, "record_no", at.record_no);
    mu_json_put_int(t, "byte_off", at.byte_off);
    mu_json_put_text(t, "owner", k->w->agent.id);
    put_resumes(k->progress, t);
    mu_rfc3339_format(k->started_us, started);
    mu_json_put_text(t, "started_at", started);
    mu_text_putc(t, '}');
    return mu_text_ok(t, err);
}

/* What the checkpoint says of the run: its state, or where that lies. False with MU_UNAVAILABLE: it could not be put
 * there. */
static bool write_run(struct mu_work *k, struct mu_text *out, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text state = MU_TEXT(RUN_STATE_MAX);
    if (k->plan)
        return mu_plan_save(k->plan, out, err);
    if (!mu_run_save(k->run, &state, err))
        return false;
    mu_lease_moved(k->w->lease);
    if (state.len > MU_STATE_INLINE_MAX)
        return mu_work_still_ours(k, err) && mu_state_parts_put(k->progress, k->w->lease, mu_text_span(&state), out, err);
    mu_text_add(out, mu_text_span(&state));
    return mu_text_ok(out, err);
}

/* A state that takes long to store is stored less often: at most a tenth of the time goes into it. */
static int64_t pause_after(const struct mu_work *k, int64_t began_ms)
{
    const int64_t usual = k->w->config->worker_checkpoint_ms, took = mu_clock_ms() - began_ms;
    return took * 10 > usual ? took * 10 : usual;
}

bool mu_work_checkpoint(struct mu_work *k, bool release, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text t = MU_TEXT((size_t)1 << 20), run = MU_TEXT((size_t)1 << 20);
    struct mu_error large = {0};
    const int64_t began_ms = mu_clock_ms();
    if (k->run && !mu_work_flush_findings(k, err))
        return false;
    if (!mu_results_confirm(k->w->results, err))
        return false;
    MU_FAILPOINT("worker.findings_sent");
    k->checkpoint_ms = mu_clock_ms() + k->w->config->worker_checkpoint_ms;
    if (!write_run(k, &run, &large) || !write_checkpoint(k, mu_text_span(&run), &t, &large)) {
        if (large.fault == MU_LOST)
            return mu_fail_code(err, large.fault, large.code, "%s", large.text);
        /* beyond what the bucket takes, or no room or broker for the parts: the last one stays */
        mu_log_failure(MU_WARNING, &large, "going on from the checkpoint before");
        return release ? mu_work_release(k, err) : true;
    }
    while (!mu_progress_save(k->progress, mu_text_span(&t), err))
        if (!mu_worker_retry(k->w, err))
            return false;
    k->checkpoint_ms = mu_clock_ms() + pause_after(k, began_ms);
    mu_lease_renewed(k->d);
    MU_FAILPOINT("worker.checkpoint");
    return !release || mu_work_release(k, err);
}

bool mu_work_release(struct mu_work *k, struct mu_error *err)
{
    if (k->progress)
        while (!mu_progress_release(k->progress, err))
            if (!mu_worker_retry(k->w, err))
                return false;
    mu_lease_renewed(k->d);
    return mu_fail_code(err, MU_UNAVAILABLE, "drain", "task %s was handed back", k->task->id_text);
}
