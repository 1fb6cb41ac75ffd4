/* SPDX-License-Identifier: Apache-2.0 */
/* The outcome of a small task as our workers write it: ids, digests, a verdict, two totals, two times; no findings, no
 * reason, nothing out of the ordinary. Such ones are most of what a busy recorder reads, and are read here straight
 * from their bytes; building and checking a document for each was half of its work. Whatever deviates in a byte is not
 * plain: it is read by its document, with the same result. */
#ifndef MU_PLAIN_H
#define MU_PLAIN_H

#include "domain/task.h"

struct plain_outcome {
    struct mu_id task;
    struct mu_digest task_digest, input_digest;
    int64_t tally, records, bytes, started_us, finished_us;
    struct mu_span result; /* within the text */
};
/* Reads the outcome at the beginning of `text`; *len: the bytes that it takes. False: it is not plain. */
bool plain_read(struct mu_span text, struct plain_outcome *out, size_t *len);

/* A result message's outcomes, told apart. */
struct plain_split {
    size_t count;
    bool is_plain[MU_RIDE_TASKS_MAX];
    struct plain_outcome plain[MU_RIDE_TASKS_MAX];
    struct mu_span raw[MU_RIDE_TASKS_MAX]; /* of those that are not */
    struct mu_text rest;                   /* the message without the plain ones: valid if and only if the message is */
};
/* False: there is nothing to split, or the message has another form; it is to be read as it is. */
bool plain_split(struct plain_split *s, struct mu_span body);

#endif
