/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of muster-recorder share: one loop that takes result messages in the order of their stream, records
 * them batch by batch, and acknowledges what is committed. */
#ifndef MU_RECORDER_H
#define MU_RECORDER_H

#include "daemon/daemon.h"
#include "format/config.h"
#include "outside/bus.h"
#include "outside/lock.h"
#include "outside/service.h"
#include "outside/store.h"
#include "results.h"

/* Which message of which stream was the last to be recorded: written in the recording transaction, and the truth
 * against the consumer's own floor. */
struct position {
    char created[40];
    uint64_t sequence;
    int64_t stored_us;
    bool known;
};

struct recorder {
    struct mu_config *config;
    struct mu_bus *bus;
    struct mu_store *store;
    struct mu_lock lock;
    struct mu_args *args;
    struct mu_service *service;
    struct mu_pull *pull;
    struct results pair[2];
    struct results *batch;      /* being filled */
    struct results *flight;     /* being recorded while the other is filled; NULL: none is */
    struct position position;
    int tries;                  /* of the flight */
    size_t most;                /* messages of a batch, after one that took too long; 0: as many as may be */
    bool putting_aside;         /* the flight is a message that the database would not take */
    uint64_t next;              /* sequence that is to be taken next: behind the batch, or the position */
    uint64_t catch_up;          /* up to here the consumer has delivered: read by sequence, nobody delivers it soon */
    struct mu_message *held;    /* taken, and waiting for a gap before it to be filled */
    bool active;                /* holds the lock */
    bool more;                  /* the last batch was full: more is waiting */
    int64_t beat_ms, try_ms, verify_ms, thin_ms, store_next_ms, broker_lost_ms;
    struct mu_backoff backoff;
    uint64_t generation;
};

/* Nothing is added behind a plan: in a replay the outcomes of its shards follow at once, and a batch cannot record what
 * it has still to make. */
static inline bool recorder_is_full(const struct recorder *r)
{
    return r->batch->planned || r->batch->count >= (size_t)r->config->recorder_batch_messages ||
           (r->most && r->batch->count >= r->most) ||
           r->batch->bytes >= (size_t)r->config->recorder_batch_bytes;
}

/* Until database and broker answer; false: asked to stop, or it will never work. */
MU_MUST bool recorder_open(struct recorder *r, struct mu_error *err);
void recorder_run(struct recorder *r);   /* until it is asked to stop; the batch under way is committed */
void recorder_close(struct recorder *r); /* half-opened is fine */

/* ---- position.c ---- */
/* Reads the position and compares it with the stream; if the stream went back or is new, notes the newest kept
 * position that still matches, or the stream's beginning, in a commit of its own. */
MU_MUST bool position_settle(struct recorder *r, struct mu_error *err);
/* Fetches what lies before `sequence` and was not delivered (a dead predecessor had pulled it, or the consumer is ahead
 * of a stream that went back), until the batch is full or the stream ends: r->next tells how far it came. */
MU_MUST bool position_fill_gap(struct recorder *r, uint64_t sequence, struct mu_error *err);

/* ---- lock.c ---- */
MU_MUST bool lock_try(struct recorder *r, struct mu_error *err);
MU_MUST bool lock_beat(struct recorder *r, struct mu_error *err);
void lock_let_go(struct recorder *r);

#endif
