/* SPDX-License-Identifier: Apache-2.0 */
/* JSON as muster reads and writes it: one parser with limits (duplicate keys, depth, size), getters that name the
 * place of what is wrong, compact output in stable key order. Nobody else calls json_load*. Not on the path of a
 * record. */
#ifndef MU_JSON_H
#define MU_JSON_H

#include "base/error.h"
#include "base/text.h"

#include <jansson.h>

#define MU_JSON_DEPTH 32

void mu_json_free(json_t *doc);
MU_DEFINE_AUTO(json_t, mu_json_free)

/* The whole of `bytes` must be one document, of at most max_bytes and MU_JSON_DEPTH levels; duplicate keys are
 * refused. Fault MU_REJECTED, code "malformed" ("too_large" for the size), line and column in the text.
 * *out is the caller's. */
MU_MUST bool mu_json_parse(json_t **out, struct mu_span bytes, size_t max_bytes, struct mu_error *err);

/* Compact, keys in the order of insertion, no newline at the end; sorted keys for what is digested. */
void mu_json_write(struct mu_text *out, const json_t *doc);
void mu_json_write_canonical(struct mu_text *out, const json_t *doc);

/* Absence is an answer (NULL, the default); a value of the wrong kind is one too: check with the schema first. */
const char *mu_json_text(const json_t *object, const char *key); /* borrowed */
struct mu_span mu_json_span(const json_t *object, const char *key); /* may hold any byte; {NULL,0} if absent */
int64_t mu_json_int(const json_t *object, const char *key, int64_t otherwise);
bool mu_json_bool(const json_t *object, const char *key, bool otherwise);

/* The exact bytes of the value of `key` in the object that `document` is, white space around it left out; and of
 * each element of an array. The bytes must have passed mu_json_parse before (this walks, it does not validate).
 * A task's digest is taken over these bytes, never over a re-serialisation. A key that is written with escapes is not
 * found. */
MU_MUST bool mu_json_raw(struct mu_span document, const char *key, struct mu_span *value);
/* Walks an array: *rest starts as the array's bytes; false when there is no element left. */
MU_MUST bool mu_json_next_element(struct mu_span *rest, struct mu_span *element);

/* Writer for documents built by hand: `"key":` with the commas where they belong. */
void mu_json_key(struct mu_text *out, const char *key); /* adds a comma unless an object has just been opened */
void mu_json_put_text(struct mu_text *out, const char *key, const char *value);
void mu_json_put_span(struct mu_text *out, const char *key, struct mu_span value);
void mu_json_put_int(struct mu_text *out, const char *key, int64_t value);
void mu_json_put_bool(struct mu_text *out, const char *key, bool value);
void mu_json_put_raw(struct mu_text *out, const char *key, struct mu_span json);

#endif
