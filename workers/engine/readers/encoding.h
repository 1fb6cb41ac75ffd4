/* SPDX-License-Identifier: Apache-2.0 */
/* The encodings of text that sources come in, to and from UTF-8. */
#ifndef MU_ENCODING_H
#define MU_ENCODING_H

#include "base/text.h"

enum encoding { ENCODING_UTF8, ENCODING_LATIN1, ENCODING_CP1252 };

#define ENCODING_GROWTH 3 /* a byte becomes at most so many of UTF-8 */

/* By its name ("utf-8", "ISO-8859-1", "windows-1252", …), in any case. False: none of ours. */
MU_MUST bool encoding_parse(struct mu_span name, enum encoding *out);
const char *encoding_name(enum encoding e);
/* The code point of a byte; -1: the encoding does not define it. Not for UTF-8. */
int encoding_code(enum encoding e, unsigned char byte);
/* *bad is the offset of the first byte that is none. */
bool encoding_valid(enum encoding e, struct mu_span bytes, size_t *bad);
const char *encoding_fault(enum encoding e); /* "invalid UTF-8", for a record that is not valid */
/* Valid bytes to UTF-8; `to` has room for ENCODING_GROWTH times as many. How many there are. */
size_t encoding_decode(enum encoding e, struct mu_span bytes, char *to);
/* UTF-8 to bytes. False: the encoding lacks a character. */
MU_MUST bool encoding_encode(enum encoding e, struct mu_span utf8, struct mu_text *to);
/* A code point as UTF-8: 1 to 4 bytes. */
size_t encoding_put_utf8(char *to, uint32_t code);

#endif
