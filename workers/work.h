/* SPDX-License-Identifier: Apache-2.0 */
/* One task being executed: source → records → rules → findings, with checkpoints. The outcome is a JSON text;
 * a failure says by its fault what has to happen (settle.h), with these codes of MU_UNAVAILABLE:
 * `source_down`, `pack_missing`, `list_missing`: to be deferred; `drain`: state and findings are saved and
 * released; `stopped`: the job was cancelled, nobody wants to hear of it. */
#ifndef MU_WORK_H
#define MU_WORK_H

#include "engine/plan.h"
#include "progress.h"
#include "worker.h"

#define MU_CHUNK ((size_t)1 << 20)

struct mu_work {
    struct mu_worker *w;
    struct mu_delivery *d;
    const struct mu_ride *ride;
    const struct mu_task *task;
    struct mu_progress *progress; /* NULL: a small task on its first delivery, which has nothing to save */
    const struct mu_ready *ready;
    struct mu_source *source;
    struct mu_run *run;
    struct mu_plan *plan;
    struct mu_sha sha;      /* of the bytes from the beginning (of the shard) to where they have been fed */
    struct mu_digest input; /* of what is read: the pin */
    bool has_input;
    bool sent; /* findings have left in messages of their own */
    char *chunk;
    int64_t checkpoint_ms; /* when the next one is due */
    int64_t started_us;
};

/* Runs the task and appends its outcome to `out`, its counters to `tally`. */
MU_MUST bool mu_work_run(struct mu_work *k, struct mu_text *out, struct mu_text *tally, struct mu_error *err);
void mu_work_fini(struct mu_work *k);
MU_DEFINE_AUTO_VALUE(struct mu_work, mu_work_fini)
/* The outcome of a task that could not be run to its end: rejected or error by err->code, or as given. */
void mu_work_write_failure(const struct mu_work *k, const struct mu_error *why, struct mu_text *out);
void mu_work_write_exhausted(const struct mu_work *k, struct mu_text *out);
bool mu_work_is_deferral(const struct mu_error *err);
bool mu_work_is_stopped(const struct mu_error *err);

/* ---- between the files of a work ---- */
MU_MUST bool mu_work_scan(struct mu_work *k, struct mu_error *err); /* scan.c: the source through the rules */
MU_MUST bool mu_work_plan(struct mu_work *k, struct mu_error *err); /* plan_stage.c */
MU_MUST bool mu_work_open_run(struct mu_work *k, struct mu_error *err); /* execute.c */
struct mu_reader_limits mu_work_limits(const struct mu_work *k);
/* Reads into k->chunk within worker.read_limit. */
MU_MUST bool mu_work_read(struct mu_work *k, int64_t at, size_t len, struct mu_error *err);
/* At the end: is the source still the one that was opened? */
MU_MUST bool mu_work_unchanged(struct mu_work *k, struct mu_error *err);
/* After a failure of the source, in any case false: a wait that a drain or a cancel has ended is no trouble of the source.
 */
MU_MUST bool mu_work_source_failed(struct mu_work *k, const struct mu_error *why, struct mu_error *err);
/* Fails with `stopped` if the job has been cancelled since. */
MU_MUST bool mu_work_wanted(const struct mu_work *k, struct mu_error *err);
size_t mu_work_piece(const struct mu_work *k, int64_t left);
/* Before anything leaves: if the lease may have run out, a CAS says whether the task is still ours. */
MU_MUST bool mu_work_still_ours(struct mu_work *k, struct mu_error *err);
/* Publishes the findings held by the run (checkpoint.c); their PubAcks are still to be awaited. */
MU_MUST bool mu_work_flush_findings(struct mu_work *k, struct mu_error *err);
/* Findings, PubAcks, CAS; with `release` the task is handed back and the call fails with `drain`. */
MU_MUST bool mu_work_checkpoint(struct mu_work *k, bool release, struct mu_error *err);
/* The same for a task that has nothing to save yet. */
MU_MUST bool mu_work_release(struct mu_work *k, struct mu_error *err);

#endif
