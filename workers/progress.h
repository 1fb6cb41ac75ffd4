/* SPDX-License-Identifier: Apache-2.0 */
/* How far a task has got: muster_state/<task_id>, from which another agent can go on. It is written by
 * compare-and-set: if two agents think they own a task, one of them gets MU_LOST. A first delivery writes
 * nothing before its first checkpoint.
 *
 * The stored form is schemas/state.json; its checkpoint has a `format` of its own. To change it: raise the
 * number, keep the old reader for one release; a checkpoint of a form that nobody reads makes the task start
 * afresh. */
#ifndef MU_PROGRESS_H
#define MU_PROGRESS_H

#include "domain/outcome.h"
#include "outside/kv.h"

#define MU_CRASHES_MAX 5  /* at the same checkpoint: the next delivery ends the task as exhausted */
#define MU_RESUMES_MAX 64 /* kept for the evidence; the oldest go first */
#define MU_CHECKPOINT_FORMAT 1

/* What stands in the bucket, taken apart. */
struct mu_mark {
    int64_t n, crashes;
    bool released;
    char owner[MU_TOKEN_MAX], incarnation[MU_ID_MAX], task_digest[MU_DIGEST_HEX];
    json_t *doc;              /* owned */
    const json_t *checkpoint; /* within doc; NULL: none */
};
MU_MUST bool mu_mark_parse(struct mu_mark *out, struct mu_span bytes, struct mu_error *err);
void mu_mark_fini(struct mu_mark *m);
MU_DEFINE_AUTO_VALUE(struct mu_mark, mu_mark_fini)

/* What a delivery means, given what stands there: a pure function (PROTOCOL §4, row 2). */
enum mu_decision {
    MU_START,     /* from the beginning */
    MU_RESUME,    /* from the stored checkpoint */
    MU_GIVE_UP,   /* it has crashed its agents too often: outcome `exhausted`, without running */
    MU_SUPERSEDED /* a later publication of the task is under way: ack and drop */
};
struct mu_claim { /* of the one who asks */
    int64_t n;
    bool fresh;
    const char *incarnation, *task_digest;
};
/* stored NULL: nothing there. *crashes: what the start mark is to say. */
enum mu_decision mu_progress_decide(const struct mu_mark *stored, const struct mu_claim *claim,
                                    int64_t *crashes);

/* One task in the hands of this agent. */
struct mu_progress {
    struct mu_bus *bus;
    const struct mu_task *task;
    const char *agent, *incarnation;
    int64_t n;
    uint64_t sequence; /* of our last write, or what a first one expects */
    uint64_t generation; /* of the bus when that was learnt: after a reconnect the store may have gone back, and
                            the same number may be another's write */
    bool stored;       /* something of ours is there: to be purged at the end */
    unsigned places;   /* bit i: parts of the state may lie in place i of MUSTER_PARTIALS (state_parts.h) */
    int64_t crashes;
    struct mu_text checkpoint; /* last one written or taken over, as JSON; empty: none */
    json_t *resume;            /* owned: the checkpoint to go on from; NULL: from the beginning */
    struct mu_resume resumes[MU_RESUMES_MAX];
    size_t resume_count;
    int64_t started_us; /* when the first agent started */
};
/* A first delivery: no input, no output. All is borrowed for life. */
void mu_progress_init(struct mu_progress *p, struct mu_bus *bus, const struct mu_task *task,
                      const char *agent, const char *incarnation, int64_t n);
/* Any other delivery: reads, decides, and for START and RESUME writes the start mark. */
MU_MUST bool mu_progress_claim(struct mu_progress *p, bool fresh, enum mu_decision *out,
                               struct mu_error *err);
/* Each is durable when it returns true. Every finding that the checkpoint counts must be confirmed already.
 */
MU_MUST bool mu_progress_save(struct mu_progress *p, struct mu_span checkpoint, struct mu_error *err);
MU_MUST bool mu_progress_release(struct mu_progress *p,
                                 struct mu_error *err); /* handed back: burns nothing */
/* Is the task still ours? Asked before anything leaves the process after the lease may have run out. */
MU_MUST bool mu_progress_assert(struct mu_progress *p, struct mu_error *err);
/* After the outcome. A refusal does not matter: whoever wrote since will come to the same end. */
void mu_progress_purge(struct mu_progress *p);
void mu_progress_fini(struct mu_progress *p);
MU_DEFINE_AUTO_VALUE(struct mu_progress, mu_progress_fini)

/* From the lease thread: does the bucket say that this incarnation owns the task? */
bool mu_progress_is_mine(struct mu_bus *bus, const char *task_id, const char *incarnation);

#endif
