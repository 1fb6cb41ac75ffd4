/* SPDX-License-Identifier: Apache-2.0 */
/* Counters per rule, kept once for all outcomes of a batch that have the same (muster.tally). */
#ifndef MU_TALLY_H
#define MU_TALLY_H

#include "domain/task.h"

struct tally_row {
    struct mu_id id;         /* follows from the counters and the day of the task: a row falls in the partition of its outcomes */
    struct mu_span rules;    /* borrowed: JSON text that has been found valid */
    int32_t next;            /* of equal hash; -1: none */
    int32_t place;           /* among those that are being bound, from 1 */
};

#define TALLY_HEADS 1024
struct tally_set {
    struct tally_row *rows;
    size_t count, room;
    int32_t heads[TALLY_HEADS]; /* by the digest's first bytes: index + 1, 0 for none */
};
/* The index of the row for these counters on the day of that task; made if there is none. */
MU_MUST bool tally_find(struct tally_set *s, struct mu_id task, struct mu_span rules, const struct mu_digest *digest, int32_t *out,
                        struct mu_error *err);
void tally_reset(struct tally_set *s);
void tally_free(struct tally_set *s);

/* Those of one message: their bytes, and their digests. */
struct tally_list {
    struct mu_span rules[MU_RIDE_TASKS_MAX];
    struct mu_digest digests[MU_RIDE_TASKS_MAX];
    size_t count;
};
/* `doc` has been parsed from `body` and checked; no tallies are fine. */
bool tally_list_read(struct tally_list *t, const json_t *doc, struct mu_span body);

#endif
