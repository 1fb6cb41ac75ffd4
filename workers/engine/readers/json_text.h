/* SPDX-License-Identifier: Apache-2.0 */
/* The words of JSON, without a parser's allocations: for readers that walk over records. */
#ifndef MU_JSON_TEXT_H
#define MU_JSON_TEXT_H

#include "base/base.h"

static inline bool json_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The string whose opening quote has just been passed. Its closing quote, a control character, or the end of
 * the bytes: the offset of whichever comes first. */
size_t json_string_end(struct mu_span bytes, size_t at, bool *escapes, bool *beyond_ascii);

/* The length of the number at `at`; 0: there is none. A number that the bytes' end may have cut is as long as
 * they are. */
size_t json_number(struct mu_span bytes, size_t at);

/* Escapes taken out of what stands between the quotes, into `to`, which has room for raw.len bytes (it never
 * gets longer). False: an escape that is none, half a surrogate pair, or a NUL. */
MU_MUST bool json_unescape(struct mu_span raw, char *to, size_t *len);

#endif
