/* SPDX-License-Identifier: Apache-2.0 */
/* The plan stage: a source above shard_bytes is cut into shards, which its outcome names. */
#include "base/clock.h"
#include "base/log.h"
#include "work.h"

static bool open_plan(struct mu_work *k, struct mu_error *err)
{
    return mu_plan_open(&k->plan, k->task, k->ready, k->source->size, mu_work_limits(k), err);
}

/* Takes up a predecessor's plan; one that cannot be read is made afresh. */
static bool restore(struct mu_work *k, struct mu_error *err)
{
    struct mu_progress *p = k->progress;
    struct mu_error why = {0};
    if (!p->resume)
        return true;
    if (mu_json_int(p->resume, "source_size", -1) != k->source->size)
        return mu_reject(err, "source_changed", "", "the source is not what the earlier agents read");
    const char *stage = mu_json_text(p->resume, "stage");
    if (stage && strcmp(stage, "plan") == 0 &&
        mu_plan_restore(k->plan, json_object_get(p->resume, "run"), &why)) {
        k->started_us = p->started_us;
        mu_worker_event(k->w, "resumed", k->task, "");
        return true;
    }
    mu_log(MU_WARNING, "a checkpoint cannot be read here, planning afresh", MU_F("task_id", k->task->id_text),
           MU_F("cause", why.text));
    json_decref(p->resume);
    p->resume = NULL;
    p->resume_count = 0;
    mu_text_reset(&p->checkpoint);
    mu_plan_free(k->plan);
    k->plan = NULL;
    return open_plan(k, err);
}

bool mu_work_plan(struct mu_work *k, struct mu_error *err)
{
    if (!open_plan(k, err) || !restore(k, err))
        return false;
    int64_t at = mu_plan_position(k->plan).byte_off;
    bool last;
    do {
        size_t len = mu_work_piece(k, k->source->size - at);
        last = at + (int64_t)len >= k->source->size;
        if (!mu_work_read(k, at, len, err) || !mu_plan_feed(k->plan, mu_span(k->chunk, len), last, err))
            return false;
        at += (int64_t)len;
        bool go_on = mu_worker_tick(k->w);
        if (!mu_work_wanted(k, err))
            return false;
        if (!last && (!go_on || mu_clock_ms() >= k->checkpoint_ms) && !mu_work_checkpoint(k, !go_on, err))
            return false;
    } while (!last);
    k->input = *mu_plan_digest(k->plan);
    k->has_input = true;
    return mu_work_unchanged(k, err);
}
