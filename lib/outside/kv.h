/* SPDX-License-Identifier: Apache-2.0 */
/* JetStream key-value buckets by hand (JETSTREAM.md §7): compare-and-set on the last sequence of a key's subject.
 * A time-out is answered by reading: bytes equal to ours mean that it was stored. */
#ifndef MU_KV_H
#define MU_KV_H

#include "outside/bus.h"

struct mu_entry {
    bool present;       /* false: absent, or only a marker of deletion */
    uint64_t sequence;  /* also of a marker; 0: the key was never written (or has expired) */
    struct mu_text value;
    int64_t stored_us;
};
void mu_entry_free(struct mu_entry *e);
MU_DEFINE_AUTO_VALUE(struct mu_entry, mu_entry_free)

MU_MUST bool mu_kv_get(struct mu_bus *bus, const char *bucket, const char *key, struct mu_entry *out,
                       struct mu_error *err);
/* As the leader sees it: after a refused compare-and-set, and before anything is said or ended because of what is read. In a
 * cluster replicas answer mu_kv_get, and they may lag behind; with a single server it is the same. */
MU_MUST bool mu_kv_get_leader(struct mu_bus *bus, const char *bucket, const char *key, struct mu_entry *out,
                              struct mu_error *err);
/* Unconditional put; *sequence may be NULL. */
MU_MUST bool mu_kv_put(struct mu_bus *bus, const char *bucket, const char *key, struct mu_span value,
                       uint64_t *sequence, struct mu_error *err);
/* MU_LOST if the key's last sequence is not `expected` (0: none yet). Durable when it returns true. */
MU_MUST bool mu_kv_cas(struct mu_bus *bus, const char *bucket, const char *key, uint64_t expected,
                       struct mu_span value, uint64_t *sequence, struct mu_error *err);
/* Leaves a marker; with expected = UINT64_MAX unconditionally. MU_LOST as above. */
MU_MUST bool mu_kv_purge(struct mu_bus *bus, const char *bucket, const char *key, uint64_t expected,
                         struct mu_error *err);
/* Takes away an entry or a marker that stands at `sequence`, without leaving a marker: for a bucket that is short of
 * room, and also where a marker finds none. What was written to the key since stays. */
MU_MUST bool mu_kv_forget(struct mu_bus *bus, const char *bucket, const char *key, uint64_t sequence, struct mu_error *err);
/* Walks in steps: the first key at or after *sequence, which moves behind it; out->present is false for a marker.
 * *found is false at the end. *out is filled anew. */
MU_MUST bool mu_kv_next(struct mu_bus *bus, const char *bucket, uint64_t *sequence, char key[MU_SUBJECT_MAX],
                        struct mu_entry *out, bool *found, struct mu_error *err);
/* Calls `each` for every present key, in sequence order; no consumer is made. `each` returns false to stop. */
typedef bool mu_kv_each(void *ctx, const char *key, const struct mu_entry *entry);
MU_MUST bool mu_kv_walk(struct mu_bus *bus, const char *bucket, mu_kv_each *each, void *ctx,
                        struct mu_error *err);

#endif
