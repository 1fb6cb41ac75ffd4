/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of the audit trail, noted where who rules the database cannot write: as events, and in a file. The trail holds
 * in itself however it was made; that it is still the one of yesterday only a head of yesterday tells
 * (`muster audit verify --heads FILE --events`). */
#ifndef MU_HEADS_H
#define MU_HEADS_H

#include "dispatcher.h"

struct heads {
    struct dispatcher *d;
    int64_t told_seq; /* 0: none since the start */
};
/* Notes the head, unless it is the one that was noted last. A file that cannot be written is complained of and tried
 * again: it stops nothing. */
MU_MUST bool heads_note(struct heads *h, struct mu_error *err);

#endif
