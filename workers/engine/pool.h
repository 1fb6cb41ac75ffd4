/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is given out piece by piece and dropped as a whole. Checks take theirs from one
 * (engine/check.h). */
#ifndef MU_POOL_H
#define MU_POOL_H

#include "base/base.h"

struct mu_pool;
/* Nothing is allocated beyond `ceiling` bytes; NULL if memory is out. */
struct mu_pool *mu_pool_new(size_t ceiling);
/* Zeroed, aligned for any type; NULL when the ceiling is reached or memory is out. */
void *mu_pool_get(struct mu_pool *pool, size_t size);
/* `items` if there is room for one more behind the first `count`, else a copy with more room (the old array
 * stays in the pool); *room begins as 0. NULL as above. */
void *mu_pool_more(struct mu_pool *pool, void *items, size_t count, size_t *room, size_t size);
char *mu_pool_text(struct mu_pool *pool, struct mu_span text); /* a NUL-terminated copy */
void mu_pool_free(struct mu_pool *pool);
MU_DEFINE_AUTO(struct mu_pool, mu_pool_free)

#endif
