/* SPDX-License-Identifier: Apache-2.0 */
/* A run: the rules of a pack over the records of one task, as a pure function of pinned inputs. It knows
 * neither NATS nor PostgreSQL nor files: it is fed bytes and gives out findings; between two records its
 * whole state can be saved, and restored by another agent. The caller owns hashing, checkpoints, leases and
 * output.
 *
 * A failure with fault MU_REJECTED carries the outcome's reason in err->code: `bad_task` (result rejected),
 * `source_unreadable` or `limit_<name>` (result error). Anything else is MU_BROKEN. */
#ifndef MU_RUN_H
#define MU_RUN_H

#include "domain/outcome.h"
#include "engine/pack.h"
#include "engine/reader.h"

/* A pack made ready: its checks configured with pinned lists, parameters and day. Made once, kept by the
 * worker and reused for every task of equal terms; runs borrow it and never change it. */
struct mu_ready;
struct mu_ready_setup {
    const struct mu_pack *pack;              /* borrowed for life */
    const struct mu_list_data *const *lists; /* in the order of pack->lists; borrowed for life */
    const json_t *params;                    /* the task's; borrowed during the call; NULL: none */
    int32_t as_of;
    int64_t group_state_max; /* of a run; 0: MU_GROUP_STATE_MAX, which is the same for all agents */
};
/* MU_REJECTED (bad_task): a rule's parameters, lists or columns do not fit; err->pointer leads into the pack,
 * or is
 * "/params/<name>". */
MU_MUST bool mu_ready_new(struct mu_ready **out, const struct mu_ready_setup *setup, struct mu_error *err);
/* Digest over all that a pack is made ready with: pack, lists, params, as_of. Equal digests, equal rules. */
const struct mu_digest *mu_ready_digest(const struct mu_ready *ready);
/* Must one task see all records of a job (mu_pack_is_whole)? Then its source is not cut, however large. */
bool mu_ready_is_whole(const struct mu_ready *ready);
void mu_ready_free(struct mu_ready *ready);
MU_DEFINE_AUTO(struct mu_ready, mu_ready_free)

struct mu_run;
/* Called in mu_run_finish whenever much has been found: takes the findings (mu_run_findings, mu_run_take_findings). */
typedef bool mu_run_drain(void *context, struct mu_run *run, struct mu_error *err);
struct mu_run_setup {
    const struct mu_task *task;   /* borrowed for life */
    const struct mu_ready *ready; /* borrowed for life; made of the task's terms */
    struct mu_reader_limits limits;
    struct mu_digest source_digest; /* of the whole source (file, records): part of finding ids */
    mu_run_drain *drain;            /* NULL: all findings of mu_run_finish are kept until they are taken */
    void *drain_context;
};
MU_MUST bool mu_run_open(struct mu_run **out, const struct mu_run_setup *setup, struct mu_error *err);

/* The beginning of the source, from byte 0, until *done; for a shard too, and before mu_run_restore. *first:
 * where the first record stands. For inline records it is done at once (an empty chunk will do). */
MU_MUST bool mu_run_header(struct mu_run *run, struct mu_span chunk, bool last, bool *done,
                           struct mu_position *first, struct mu_error *err);
/* Where to start feeding once the header is done: the first record, the shard's `from`, or (after
 * mu_run_restore) the checkpoint's; later the next record's boundary. */
struct mu_position mu_run_position(const struct mu_run *run);

/* Feeds bytes that follow those fed before; `last`: the source (the shard) ends with this chunk, which may be
 * empty. It may stop early at a record boundary (max_records > 0, or the findings text above its soft limit
 * of 256 KiB): *used tells how many bytes of the chunk are spent; feed the rest again, `last` as before. With
 * last = true and all used the run is at its end. A record that is cut by the chunk's end is kept inside and
 * counts as used. */
MU_MUST bool mu_run_feed(struct mu_run *run, struct mu_span chunk, bool last, int64_t max_records,
                         size_t *used, struct mu_error *err);

/* Findings since the last mu_run_take_findings: JSON objects (schemas/finding.json) separated by commas,
 * without the brackets; and how many. */
struct mu_span mu_run_findings(const struct mu_run *run, int64_t *count);
void mu_run_take_findings(struct mu_run *run);
int64_t mu_run_findings_total(const struct mu_run *run); /* distinct, since the task's beginning */
const char *
mu_run_source_name(const struct mu_run *run); /* "source" of finding messages; "records" if inline */

/* Only after a return of mu_run_feed: bytes kept of a cut record are not part of it, and mu_run_position says
 * where to read from (so a hash that goes with it must end there too: hash a chunk up to the position, note
 * the state, hash the rest). JSON object; equal states give equal bytes. */
MU_MUST bool mu_run_save(const struct mu_run *run, struct mu_text *out, struct mu_error *err);
/* Into a fresh run after its header. MU_REJECTED if it is another pack's, input's or form's; the run is spent
 * then. */
MU_MUST bool mu_run_restore(struct mu_run *run, const json_t *saved, struct mu_error *err);

/* Adds what another run of the same ready pack has seen of other records of the same source. Neither may be finished;
 * `other` is left as it was, and so are both readers. */
MU_MUST bool mu_run_merge(struct mu_run *into, const struct mu_run *other, struct mu_error *err);

/* At the end: group rules finish, with their findings; then the counters and the result by CHECKS.md §1. */
MU_MUST bool mu_run_finish(struct mu_run *run, struct mu_error *err);
enum mu_result mu_run_result(const struct mu_run *run);
/* Sorted by rule id; DQ.RECORD among them if there were bad records. Borrowed from run and pack. */
const struct mu_rule_counts *mu_run_rules(const struct mu_run *run, size_t *count);
struct mu_counts mu_run_counts(const struct mu_run *run);
void mu_run_free(struct mu_run *run);
MU_DEFINE_AUTO(struct mu_run, mu_run_free)

#endif
