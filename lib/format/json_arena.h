/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for parsed documents that are dropped together: a batch of result messages, the tasks of one queue message.
 * jansson takes some fifty pieces of memory for a small outcome; taken from one block and never given back one by
 * one, they cost a fifth. A document is freed by its owner as always, and before the arena is reset: nothing of it may
 * be kept longer, json_incref or not.
 *
 * Belongs to one thread. With a sanitizer the documents are on the heap, and a reset checks that they have been
 * freed. */
#ifndef MU_JSON_ARENA_H
#define MU_JSON_ARENA_H

#include "format/json.h"

struct mu_json_arena;
/* kept_bytes: memory that a reset leaves for the next documents; the rest goes back to the system. */
MU_MUST bool mu_json_arena_new(struct mu_json_arena **out, size_t kept_bytes, struct mu_error *err);
/* As mu_json_parse, *out being the caller's. NULL: no arena. */
MU_MUST bool mu_json_arena_parse(struct mu_json_arena *a, json_t **out, struct mu_span bytes, size_t max_bytes,
                                 struct mu_error *err);
/* Frees a document that was parsed into the arena. Without a sanitizer it costs nothing, where mu_json_free would
 * walk through all of it. */
void mu_json_arena_drop(struct mu_json_arena *a, json_t *doc);
/* All documents must have been freed. */
void mu_json_arena_reset(struct mu_json_arena *a);
void mu_json_arena_free(struct mu_json_arena *a);
MU_DEFINE_AUTO(struct mu_json_arena, mu_json_arena_free)

#endif
