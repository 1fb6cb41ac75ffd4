/* SPDX-License-Identifier: Apache-2.0 */
/* Finds where an element of an array ends by its brackets and quotes alone, in pieces of any size. Of a
 * broken element this is the end too, so that everybody agrees on where the next one begins. */
#ifndef MU_JSON_FOLLOW_H
#define MU_JSON_FOLLOW_H

#include "base/base.h"

struct json_follow { /* where in an element the bytes so far have ended */
    int64_t depth;
    bool in_text, escaped;
};

/* Goes on over the bytes of an element; true if it ends there, *used bytes from the beginning. An element
 * that is no container ends before the comma or bracket that follows. */
bool json_follow(struct json_follow *f, struct mu_span bytes, size_t *used);

#endif
