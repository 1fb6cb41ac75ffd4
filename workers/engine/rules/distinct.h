/* SPDX-License-Identifier: Apache-2.0 */
/* The different values that there were, as canonical texts. */
#ifndef MU_DISTINCT_H
#define MU_DISTINCT_H

#include "base/text.h"
#include "engine/pool.h"

struct mu_distinct {
    size_t count, room; /* room: a power of two, at least twice the count */
    struct mu_span *slots; /* {NULL, 0}: free */
};

/* *fresh: it was not in it yet. The text is copied. False: memory is out. */
MU_MUST bool mu_distinct_add(struct mu_distinct *d, struct mu_span text, struct mu_pool *pool, bool *fresh);
/* All of them in the order of their bytes; `out` has room for d->count. Borrowed. */
void mu_distinct_sorted(const struct mu_distinct *d, struct mu_span *out);

#endif
