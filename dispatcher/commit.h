/* SPDX-License-Identifier: Apache-2.0 */
/* One commit of a batch: which jobs are stored, the queue messages that they ride in (rides.c), the event messages that
 * tell of them (accepted.c). Lives as long as the commit; all text is in the batch's arenas. */
#ifndef MU_COMMIT_H
#define MU_COMMIT_H

#include "batch.h"

#define ACTOR "submitter" /* of jobs that come by the doors */

/* A queue message of this commit. */
struct ride {
    struct mu_id id;
    size_t first, count; /* in `order` */
    struct piece body;
    char subject[MU_SUBJECT_MAX];
};

/* An event message of this commit. */
struct event {
    struct mu_id id;
    struct piece body;
};

struct commit {
    struct batch *b;
    size_t *order;       /* indexes of the jobs to store, bundles together */
    size_t count;
    struct ride *rides;
    size_t ride_count;
    int32_t *ride_of;    /* of `order`, from 1 */
    struct event *events;
    size_t event_count;
};

static inline const struct mu_digest *terms_of(const struct batch *b, const struct job *j)
{
    return &b->terms[j->terms].digest;
}

static inline int terms_compare(const struct mu_digest *a, const struct mu_digest *b)
{
    return a == b ? 0 : memcmp(a->b, b->b, sizeof(a->b));
}

/* Which jobs are really new, and the bundles of them: `order`, `rides`, `ride_of`. */
MU_MUST bool commit_form_rides(struct commit *c, struct mu_error *err);
/* job.accepted of all that is new, in messages that the broker takes: `events`. */
MU_MUST bool commit_write_events(struct commit *c, struct mu_error *err);
/* Bytes of an event message. */
struct mu_span commit_event_span(const struct batch *b, struct piece p);

#endif
