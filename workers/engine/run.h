/* SPDX-License-Identifier: Apache-2.0 */
/* A run: the rules of a pack over the records of one task, as a pure function of pinned inputs. It knows neither
 * NATS nor PostgreSQL nor files: it is fed bytes and gives out findings; between two records its whole state can be
 * saved, and restored by another agent. The caller owns hashing, checkpoints, leases and output. */
#ifndef MU_RUN_H
#define MU_RUN_H

#include "domain/outcome.h"
#include "engine/pack.h"
#include "engine/reader.h"

struct mu_run;

struct mu_run_setup {
    const struct mu_task *task;           /* borrowed for life */
    const struct mu_pack *pack;           /* borrowed for life */
    const struct mu_list_data *const *lists; /* in the order of pack->lists; borrowed for life */
    struct mu_reader_limits limits;
    struct mu_digest source_digest;       /* of the whole source (file, records): part of finding ids */
};
MU_MUST bool mu_run_open(struct mu_run **out, const struct mu_run_setup *setup, struct mu_error *err);

/* The beginning of the source, from byte 0, until *done. *first: where the first record stands. For inline records
 * it is done at once. */
MU_MUST bool mu_run_header(struct mu_run *run, struct mu_span chunk, bool last, bool *done,
                           struct mu_position *first, struct mu_error *err);
/* Where to start feeding: the first record, the shard's `from`, or (after mu_run_restore) the checkpoint's. */
struct mu_position mu_run_position(const struct mu_run *run);

/* Feeds bytes that follow those fed before. Findings are appended to mu_run_findings. It may stop early at a record
 * boundary (max_records > 0, or the findings text above its soft limit of 256 KiB): *used tells how many bytes of
 * the chunk are spent; feed the rest again. With last = true and all used the run is at its end. A record that is
 * cut by the chunk's end is kept inside and counts as used. MU_REJECTED: the outcome is `error` with err->code. */
MU_MUST bool mu_run_feed(struct mu_run *run, struct mu_span chunk, bool last, int64_t max_records, size_t *used,
                         struct mu_error *err);

/* Findings since the last mu_run_take_findings: JSON objects (schemas/finding.json) separated by commas, without
 * the brackets; and how many. */
struct mu_span mu_run_findings(const struct mu_run *run, int64_t *count);
void mu_run_take_findings(struct mu_run *run);
int64_t mu_run_findings_total(const struct mu_run *run); /* distinct, since the task's beginning */

/* Only at a record boundary, which every return of mu_run_feed with *used is: bytes kept of a cut record are not
 * part of it, and mu_run_position says where to read from. JSON object; equal states give equal bytes. */
MU_MUST bool mu_run_save(const struct mu_run *run, struct mu_text *out, struct mu_error *err);
/* Into a fresh run after its header. MU_REJECTED if it is another pack's, input's or form's. */
MU_MUST bool mu_run_restore(struct mu_run *run, const json_t *saved, struct mu_error *err);

/* At the end: group rules finish; then the counters and the result by CHECKS.md §1. */
MU_MUST bool mu_run_finish(struct mu_run *run, struct mu_error *err);
enum mu_result mu_run_result(const struct mu_run *run);
const struct mu_rule_counts *mu_run_rules(const struct mu_run *run, size_t *count);
struct mu_counts mu_run_counts(const struct mu_run *run);
void mu_run_free(struct mu_run *run);
MU_DEFINE_AUTO(struct mu_run, mu_run_free)

/* The plan stage: finds record boundaries in one pass over the source and cuts it into shards of about
 * shard_bytes. Fed like a run, from byte 0. */
struct mu_plan;
MU_MUST bool mu_plan_open(struct mu_plan **out, const struct mu_task *task, const struct mu_pack *pack,
                          struct mu_reader_limits limits, struct mu_error *err);
MU_MUST bool mu_plan_feed(struct mu_plan *plan, struct mu_span chunk, bool last, struct mu_error *err);
/* After the last chunk: the plan as JSON (schemas/outcome.json#/definitions/plan): size, digest, records, shard_bytes
 * and shards [{from,to,first_record,records,digest}]. 1 to 4,096 shards: beyond, shard_bytes is doubled. */
MU_MUST bool mu_plan_write(struct mu_plan *plan, struct mu_text *out, struct mu_error *err);
/* A plan of a large file is checkpointed like a run. */
MU_MUST bool mu_plan_save(const struct mu_plan *plan, struct mu_text *out, struct mu_error *err);
MU_MUST bool mu_plan_restore(struct mu_plan *plan, const json_t *saved, struct mu_error *err);
struct mu_position mu_plan_position(const struct mu_plan *plan);
void mu_plan_free(struct mu_plan *plan);
MU_DEFINE_AUTO(struct mu_plan, mu_plan_free)

#endif
