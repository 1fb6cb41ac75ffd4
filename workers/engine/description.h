/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a description of a source makes sense for a pack, asked before anything is opened: at submission,
 * and by whoever writes jobs. */
#ifndef MU_DESCRIPTION_H
#define MU_DESCRIPTION_H

#include "engine/pack.h"

/* `source` as in a job or task, with its format. MU_REJECTED `invalid` with the pointer
 * ("/source/columns/isn"): a format or an option that no reader has, a column that the pack lacks. */
MU_MUST bool mu_description_check(const json_t *source, const struct mu_pack *pack, struct mu_error *err);

#endif
