/* SPDX-License-Identifier: Apache-2.0 */
/* base64url (RFC 4648 §5), as the NATS object store spells names and digests: with '-' and '_', padded. */
#ifndef MU_BASE64_H
#define MU_BASE64_H

#include "base/base.h"

#define MU_BASE64_SIZE(bytes) (((bytes) + 2) / 3 * 4 + 1) /* of the text, with NUL */

/* False (and "") if it does not fit. */
MU_MUST bool mu_base64url_format(struct mu_span bytes, char *out, size_t size);
/* Exactly `size` bytes, with or without padding; `out` is untouched if the text does not say so many. */
MU_MUST bool mu_base64url_parse(struct mu_span text, void *out, size_t size);

#endif
