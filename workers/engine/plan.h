/* SPDX-License-Identifier: Apache-2.0 */
/* The plan stage: finds record boundaries in one pass over a source and cuts it into shards of about
 * shard_bytes, each with its record numbers and the SHA-256 of its bytes; and takes the digest of the whole.
 * Fed like a run, from byte 0 (the header lies before the first shard). Errors are those of engine/run.h. */
#ifndef MU_PLAN_H
#define MU_PLAN_H

#include "engine/run.h"

#define MU_SHARDS_MAX 4096

struct mu_plan;
/* `ready` (borrowed for life) says which columns the header must make sense of. source_size decides whether
 * shard_bytes has to be doubled to stay within MU_SHARDS_MAX. */
MU_MUST bool mu_plan_open(struct mu_plan **out, const struct mu_task *task, const struct mu_ready *ready,
                          int64_t source_size, struct mu_reader_limits limits, struct mu_error *err);
/* Takes all of the chunk. A source that turns out larger than source_size is `source_changed`. */
MU_MUST bool mu_plan_feed(struct mu_plan *plan, struct mu_span chunk, bool last, struct mu_error *err);
/* After the last chunk:
 * {"size","digest","records","shard_bytes","shards":[{"from","to","first_record","first_line",
 * "records","digest"}]}. A source without records has one empty shard. */
MU_MUST bool mu_plan_write(const struct mu_plan *plan, struct mu_text *out, struct mu_error *err);
int64_t mu_plan_records(const struct mu_plan *plan);
const struct mu_digest *
mu_plan_digest(const struct mu_plan *plan); /* of the whole source, after the last chunk */

/* A plan of a large file is checkpointed like a run: after restore, feed from mu_plan_position. Into a fresh
 * plan; bytes before the position need not be fed again. */
MU_MUST bool mu_plan_save(const struct mu_plan *plan, struct mu_text *out, struct mu_error *err);
MU_MUST bool mu_plan_restore(struct mu_plan *plan, const json_t *saved, struct mu_error *err);
struct mu_position mu_plan_position(const struct mu_plan *plan);
void mu_plan_free(struct mu_plan *plan);
MU_DEFINE_AUTO(struct mu_plan, mu_plan_free)

#endif
