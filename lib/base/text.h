/* SPDX-License-Identifier: Apache-2.0 */
/* A growing text with a ceiling. A failure (out of memory, ceiling passed) is sticky, so that a writer of many
 * parts asks once, at the end, with mu_text_ok. What is in it always ends in NUL (not counted in len). */
#ifndef MU_TEXT_H
#define MU_TEXT_H

#include "base/base.h"
#include "base/error.h"

struct mu_text {
    char *at;
    size_t len;
    size_t size;
    size_t ceiling; /* most bytes that it may hold; 0: 64 MiB */
    bool failed;
};

#define MU_TEXT(ceiling_bytes) ((struct mu_text){.ceiling = (ceiling_bytes)})

void mu_text_add(struct mu_text *t, struct mu_span bytes);
void mu_text_puts(struct mu_text *t, const char *text);
void mu_text_putc(struct mu_text *t, char c);
void mu_text_addf(struct mu_text *t, const char *fmt, ...) MU_PRINTF(2, 3);
void mu_text_add_i64(struct mu_text *t, int64_t value);
void mu_text_add_u64(struct mu_text *t, uint64_t value);
/* A JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD: the result is always valid JSON. */
void mu_text_add_json(struct mu_text *t, struct mu_span bytes);
void mu_text_add_hex(struct mu_text *t, const void *bytes, size_t len);

void mu_text_reset(struct mu_text *t); /* empty and not failed; keeps the memory */
void mu_text_cut(struct mu_text *t, size_t len); /* back to an earlier length */
MU_MUST bool mu_text_ok(const struct mu_text *t, struct mu_error *err);
struct mu_span mu_text_span(const struct mu_text *t); /* borrowed until the next change; "" when empty */
void mu_text_free(struct mu_text *t);
MU_DEFINE_AUTO_VALUE(struct mu_text, mu_text_free)

/* Is it valid UTF-8 (no overlong forms, no surrogates)? *bad is the offset of the first byte that is not. */
bool mu_utf8_valid(struct mu_span bytes, size_t *bad);

/* The one checked reader of numbers: decimal digits only, whole span, within [min, max]. */
MU_MUST bool mu_parse_i64(struct mu_span text, int64_t min, int64_t max, int64_t *out);

#endif
