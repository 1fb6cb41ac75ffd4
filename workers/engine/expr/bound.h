/* SPDX-License-Identifier: Apache-2.0 */
/* What an operation is bound to beside its operands, when a pack is made ready: a column of a list by its values,
 * a check. Both live in the ready pack's pool. */
#ifndef MU_EXPR_BOUND_H
#define MU_EXPR_BOUND_H

#include "engine/check.h"

struct mu_list_index {
    size_t count;
    struct mu_span values[]; /* sorted by bytes */
};
struct mu_called_check {
    const struct mu_check *check;
    void *state; /* of a check that keeps nothing but its configuration */
};

const struct mu_list_index *mu_list_index_new(struct mu_pool *pool, const struct mu_list_data *list, int column);
/* A check of one column, to be asked about single values. NULL: err says why. */
const struct mu_called_check *mu_called_check_new(struct mu_env *env, const struct mu_check *check,
                                                  struct mu_error *err);

#endif
