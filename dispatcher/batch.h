/* SPDX-License-Identifier: Apache-2.0 */
/* Submissions that wait for the next commit. A request (an API message or an intake message) brings one job or many;
 * each job is checked when it arrives, so that a commit has nothing left to refuse but keys. */
#ifndef MU_BATCH_H
#define MU_BATCH_H

#include "base/clock.h"
#include "dispatcher.h"
#include "resolve.h"

/* A piece of the batch's arena: offsets, since it grows. */
struct piece {
    size_t at, len;
};

struct job {
    size_t request;           /* whose it is */
    int64_t line;             /* within a batch, from 1 */
    struct mu_id id;          /* its own; after the commit that of the known job, if duplicate */
    bool keyed, duplicate;
    struct piece key, task, pack, source_name, labels;
    struct mu_digest body_digest, task_digest;
    size_t terms;             /* index into the batch's; jobs of equal terms, queue and priority may ride together */
    bool alone;               /* reads a source: travels alone */
    const char *queue;        /* of the configuration */
    enum mu_priority priority;
    char as_of[MU_DATE_MAX];
    int64_t deadline_us;      /* 0: none */
    char trace_id[33];
    struct mu_error error;    /* refused: not stored */
};

/* What jobs have in common (domain/terms.h). */
struct terms {
    struct mu_digest digest;
    struct piece bytes;
};

struct request {
    struct mu_message *message;
    bool from_intake, is_batch;
    size_t endpoint, first, count; /* its jobs */
    int64_t received_us;
    bool answered;            /* the commit took too long */
    struct mu_error error;    /* the whole request is refused */
};

struct batch {
    struct dispatcher *d;
    struct mu_text arena, events; /* events: bodies of this commit's event messages */
    struct job *jobs;
    size_t job_count, job_room;
    struct terms *terms;      /* no two neighbours are equal */
    size_t terms_count, terms_room;
    struct request *requests;
    size_t request_count, request_room;
    char fallback_key[160]; /* of the request that is being read, if its job has no key of its own; "" for none */
};

MU_MUST bool batch_new(struct batch **out, struct dispatcher *d, struct mu_error *err);
void batch_free(struct batch *b);
struct mu_span batch_span(const struct batch *b, struct piece p);
/* Reads a message into a request with its jobs; takes the message. What is wrong is noted in request or job. A failure
 * (MU_UNAVAILABLE: the database was needed) leaves the message with the caller. */
MU_MUST bool batch_add(struct batch *b, struct mu_message *m, bool from_intake, size_t endpoint, struct mu_error *err);
/* Empties it; messages that are still there are freed. */
void batch_reset(struct batch *b);

/* Stores all in one transaction, then answers, publishes, acknowledges. On failure everybody is told `unavailable`
 * (intake messages stay in their stream). */
void batch_commit(struct batch *b);
/* From within a commit that the database does not answer: who waits for it by request is told that nobody knows. */
void batch_tell_unknown(struct batch *b);

#endif
