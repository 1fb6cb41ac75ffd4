/* SPDX-License-Identifier: Apache-2.0 */
/* How a mistake is told (schemas/error.json). */
#ifndef MU_REFUSAL_H
#define MU_REFUSAL_H

#include "format/json.h"

/* {"code","message","pointer","hint"}; pointer and hint only if there are some. */
void refusal_write_error(struct mu_text *out, const struct mu_error *e);
/* {"ok":false,"error":{…}} */
void refusal_write(struct mu_text *out, const struct mu_error *e);

#endif
