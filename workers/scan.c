/* SPDX-License-Identifier: Apache-2.0 */
/* A source through the rules of a pack: chunk by chunk, hashed in the same pass, with a checkpoint whenever
 * one is due and a record boundary lies in the chunk. */
#include "base/clock.h"
#include "base/log.h"
#include "daemon/failpoint.h"
#include "state_parts.h"
#include "work.h"

size_t mu_work_piece(const struct mu_work *k, int64_t left)
{
    size_t piece = mu_throttle_piece(&k->w->throttle, k->w->config->worker_checkpoint_ms, MU_CHUNK);
    return left < (int64_t)piece ? (size_t)left : piece;
}

bool mu_work_wanted(const struct mu_work *k, struct mu_error *err)
{
    return !k->w->stopped || mu_fail_code(err, MU_UNAVAILABLE, "stopped", "the job of task %s was cancelled", k->task->id_text);
}

/* A wait for the read limit answers a drain at once: the bytes are not counted again. */
static bool await_limit(struct mu_work *k, size_t len, struct mu_error *err)
{
    int64_t until = mu_clock_ms() + mu_throttle_take(&k->w->throttle, len, mu_clock_us());
    for (int64_t left; (left = until - mu_clock_ms()) > 0 && mu_worker_tick(k->w);)
        mu_bus_wait(k->w->bus, -1, left < 50 ? left : 50);
    return mu_work_wanted(k, err);
}

bool mu_work_source_failed(struct mu_work *k, const struct mu_error *why, struct mu_error *err)
{
    if (why->fault == MU_UNAVAILABLE && !mu_worker_tick(k->w))
        return mu_work_wanted(k, err) && mu_work_release(k, err);
    *err = *why;
    return false;
}

bool mu_work_unchanged(struct mu_work *k, struct mu_error *err)
{
    struct mu_error why = {0};
    return mu_source_unchanged(k->source, &why) || mu_work_source_failed(k, &why, err);
}

bool mu_work_read(struct mu_work *k, int64_t at, size_t len, struct mu_error *err)
{
    struct mu_error why = {0};
    if (!await_limit(k, len, err))
        return false;
    return mu_source_read(k->source, at, k->chunk, len, &why) || mu_work_source_failed(k, &why, err);
}

/* The pin: of a source that is described by its digest that one, else it is read from end to end, which also tells the
 * size of one whose end was not known. */
static bool take_pin(struct mu_work *k, struct mu_error *err)
{
    struct mu_error why = {0};
    struct mu_sha sha;
    mu_sha_init(&sha);
    for (int64_t at = 0; !k->source->has_digest && at != k->source->size;) {
        size_t len = mu_work_piece(k, k->source->size < 0 ? (int64_t)MU_CHUNK : k->source->size - at);
        if (!await_limit(k, len, err))
            return false;
        if (!mu_source_some(k->source, at, k->chunk, len, &len, &why))
            return mu_work_source_failed(k, &why, err);
        mu_sha_add(&sha, mu_span(k->chunk, len));
        at += (int64_t)len;
        if (!mu_worker_tick(k->w))
            return mu_work_wanted(k, err) && mu_work_release(k, err);
    }
    k->input = k->source->has_digest ? k->source->digest : mu_sha_end(&sha);
    k->has_input = true;
    return true;
}

/* The beginning of the source, for its header; the position is that of the first record (of the shard). */
static bool read_header(struct mu_work *k, struct mu_position *first, struct mu_error *err)
{
    bool done = false;
    for (int64_t at = 0; !done;) {
        size_t len = mu_work_piece(k, k->source->size - at);
        if (!mu_work_read(k, at, len, err))
            return false;
        at += (int64_t)len;
        if (!mu_run_header(k->run, mu_span(k->chunk, len), at == k->source->size, &done, first, err))
            return false;
        mu_lease_moved(k->w->lease);
    }
    return true;
}

/* Of a task that reads its source whole, the header's bytes are part of the digest. */
static bool hash_header(struct mu_work *k, int64_t end, struct mu_error *err)
{
    struct mu_error why = {0};
    mu_sha_init(&k->sha);
    for (int64_t at = 0; !k->task->has_shard && at < end;) {
        size_t len = (int64_t)MU_CHUNK < end - at ? MU_CHUNK : (size_t)(end - at);
        if (!mu_source_read(k->source, at, k->chunk, len, &why))
            return mu_work_source_failed(k, &why, err);
        mu_sha_add(&k->sha, mu_span(k->chunk, len));
        at += (int64_t)len;
    }
    return true;
}

/* Takes up a predecessor's checkpoint. A form that nobody reads, or another input's: the task starts afresh.
 */
static bool restore(struct mu_work *k, struct mu_position *at, struct mu_error *err)
{
    struct mu_progress *p = k->progress;
    struct mu_digest pin;
    struct mu_error why = {0};
    if (!p || !p->resume)
        return true;
    const char *stage = mu_json_text(p->resume, "stage");
    if (!stage || strcmp(stage, "scan") != 0 ||
        !mu_digest_parse(mu_json_span(p->resume, "input_digest"), &pin))
        return mu_reject(err, "source_changed", "",
                         "the source was planned by the earlier agents and is small now");
    if (!mu_digest_equal(&pin, &k->input))
        return mu_reject(err, "source_changed", "", "the source is not what the earlier agents read");
    struct mu_sha sha;
    MU_AUTO(mu_json_free) json_t *run = NULL;
    while (!mu_state_parts_get(p, k->w->lease, json_object_get(p->resume, "run"), &run, &why) && why.fault == MU_UNAVAILABLE) {
        mu_error_clear(&why);
        if (!mu_worker_retry(k->w, err))
            return false;
    }
    if (run && mu_run_restore(k->run, run, &why) &&
        mu_sha_restore(&sha, mu_json_span(p->resume, "sha"))) {
        k->sha = sha;
        *at = mu_run_position(k->run);
        k->started_us = p->started_us;
        mu_worker_event(k->w, "resumed", k->task, "");
        return true;
    }
    if (why.fault == MU_BROKEN)
        return mu_fail(err, why.fault, "%s", why.text);
    mu_log(MU_WARNING, "a checkpoint cannot be read here, starting the task afresh",
           MU_F("task_id", k->task->id_text), MU_F("cause", why.text));
    json_decref(p->resume);
    p->resume = NULL;
    p->resume_count = 0;
    mu_text_reset(&p->checkpoint);
    mu_run_free(k->run);
    k->run = NULL;
    return mu_work_open_run(k, err) && read_header(k, at, err);
}

/* All of a chunk; the run stops early when it holds many findings. */
static bool feed(struct mu_work *k, size_t len, bool last, struct mu_error *err)
{
    size_t fed = 0, used;
    do {
        if (!mu_run_feed(k->run, mu_span(k->chunk + fed, len - fed), last, 0, &used, err))
            return false;
        fed += used;
        if (fed < len && !mu_work_flush_findings(k, err))
            return false;
    } while (fed < len);
    return true;
}

static bool scan_bytes(struct mu_work *k, int64_t at, int64_t end, struct mu_error *err)
{
    bool last;
    do {
        size_t len = mu_work_piece(k, end - at);
        if (!mu_work_read(k, at, len, err))
            return false;
        last = at + (int64_t)len >= end;
        if (!feed(k, len, last, err))
            return false;
        bool go_on = mu_worker_tick(k->w);
        if (!mu_work_wanted(k, err))
            return false;
        int64_t boundary = mu_run_position(k->run).byte_off;
        size_t whole = 0; /* bytes of the chunk that the checkpoint covers */
        if (!last && boundary >= at && (!go_on || mu_clock_ms() >= k->checkpoint_ms)) {
            whole = (size_t)(boundary - at);
            mu_sha_add(&k->sha, mu_span(k->chunk, whole));
            if (!mu_work_checkpoint(k, !go_on, err))
                return false;
        }
        if (!mu_worker_patient(k->w)) /* no boundary within the time that a drain has */
            return mu_work_release(k, err);
        mu_sha_add(&k->sha, mu_span(k->chunk + whole, len - whole));
        at += (int64_t)len;
    } while (!last);
    return true;
}

/* The planned source must be the one that is there. */
static bool check_plan(struct mu_work *k, struct mu_error *err)
{
    const struct mu_task *t = k->task;
    if (k->source->size != t->input_size)
        return mu_reject(err, "source_changed", "", "the source has %lld bytes, its plan said %lld",
                         (long long)k->source->size, (long long)t->input_size);
    if (k->source->has_digest && !mu_digest_equal(&k->source->digest, &t->input_digest))
        return mu_reject(err, "source_changed", "", "the source has another digest than its plan said");
    k->input = t->shard.digest;
    k->has_input = true;
    return true;
}

bool mu_work_scan(struct mu_work *k, struct mu_error *err)
{
    struct mu_position at;
    struct mu_error why = {0};
    if (!(k->task->has_shard ? check_plan(k, err) : take_pin(k, err)))
        return false;
    if (!mu_work_open_run(k, err) || !read_header(k, &at, err) || !hash_header(k, at.byte_off, err) ||
        !restore(k, &at, err))
        return false;
    if (!scan_bytes(k, at.byte_off, k->task->has_shard ? k->task->shard.to : k->source->size, &why)) {
        if (why.fault == MU_REJECTED && !mu_work_unchanged(k, err))
            return false; /* what it stumbled over may never have been in the source that was pinned */
        *err = why;
        return false;
    }
    struct mu_digest read = mu_sha_end(&k->sha);
    if (!mu_digest_equal(&read, &k->input))
        return mu_reject(err, "source_changed", "", "the bytes read are not those that were pinned");
    return mu_work_unchanged(k, err);
}
