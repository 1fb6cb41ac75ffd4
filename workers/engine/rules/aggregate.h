/* SPDX-License-Identifier: Apache-2.0 */
/* An aggregate over the records of one group: count, sum, the least, the first, … States of parts of the records
 * merge into that of all of them, in any order of the parts. */
#ifndef MU_AGGREGATE_H
#define MU_AGGREGATE_H

#include "engine/expr/typing.h"
#include "engine/rules/saved.h"

#define MU_DISTINCT_MAX 4096

struct mu_distinct;
struct mu_total {
    int64_t taken, missing, invalid; /* operands: those that count, and those that were skipped */
    bool failed;                     /* a sum beyond 38 digits */
    bool saturated;                  /* more than MU_DISTINCT_MAX different values */
    struct mu_xvalue value;          /* sum, least, greatest, first, last */
    int64_t record_no;               /* of the first or last */
    char *text;                      /* of the value, if it is one */
    size_t text_room;
    struct mu_distinct *distinct;
};

/* Takes the operands of one record. `*bytes` grows by what the state has grown, in a count that depends on the
 * values alone and not on the machine. False: memory is out. */
MU_MUST bool mu_total_add(struct mu_total *t, const struct mu_aggregate *a, const struct mu_xvalue *const *operands,
                          int64_t record_no, struct mu_pool *pool, int64_t *bytes, struct mu_error *err);
MU_MUST bool mu_total_merge(struct mu_total *t, const struct mu_aggregate *a, const struct mu_total *other,
                            struct mu_pool *pool, int64_t *bytes, struct mu_error *err);
/* What it came to; `records` are those of the group. Borrows from the state. */
struct mu_xvalue mu_total_value(const struct mu_total *t, const struct mu_aggregate *a, int64_t records);
/* Equal states give equal bytes. */
void mu_total_save(const struct mu_total *t, const struct mu_aggregate *a, struct mu_text *out);
MU_MUST bool mu_total_restore(struct mu_total *t, const struct mu_aggregate *a, struct mu_saved *in,
                              struct mu_pool *pool, int64_t *bytes, struct mu_error *err);

#endif
