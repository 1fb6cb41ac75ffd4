/* SPDX-License-Identifier: Apache-2.0 */
/* What a JSON string means, without a parser's allocations: for readers that walk over records. */
#ifndef MU_JSON_TEXT_H
#define MU_JSON_TEXT_H

#include "base/base.h"

/* Escapes taken out of what stands between the quotes, into `to`, which has room for raw.len bytes (it never
 * gets longer). False: an escape that is none, half a surrogate pair, or a NUL. */
MU_MUST bool json_unescape(struct mu_span raw, char *to, size_t *len);

#endif
