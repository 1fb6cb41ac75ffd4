/* SPDX-License-Identifier: Apache-2.0 */
/* A task that nobody has submitted: for cases, and for runs on this machine alone. Its id follows from what it is made
 * of, so that doing it again gives the same findings byte for byte. */
#ifndef MU_LOCAL_H
#define MU_LOCAL_H

#include "engine/run.h"

struct mu_local {
    struct mu_terms terms;
    struct mu_task task;
};

/* `source` NULL: records, whose bytes are fed. The source and the ready pack are borrowed for life; `l` must stay where
 * it is. MU_REJECTED: the name is no token. */
MU_MUST bool mu_local_init(struct mu_local *l, const struct mu_ready *ready, const struct mu_pack *pack,
                           const json_t *source, const char *source_name, int32_t as_of,
                           const struct mu_digest *source_digest, struct mu_error *err);

#endif
