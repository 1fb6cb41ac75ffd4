/* SPDX-License-Identifier: Apache-2.0 */
#include "stray.h"
#include "base/log.h"
#include "outside/kv.h"
#include "statements.h"

#define SLICE 200
#define CROWDED_SLICES 10 /* in one look */
#define CROWDED 50        /* percent of the bucket's max_bytes */

struct key {
    struct mu_id task;
    uint64_t sequence;
    bool marker;
    char text[MU_SUBJECT_MAX];
};

/* Reads on from the cursor; young ones are left out: their agents may be about to purge them. */
static bool collect(struct stray *s, struct key *keys, size_t *count, struct mu_error *err)
{
    MU_AUTO(mu_entry_free) struct mu_entry entry = {0};
    const int64_t young_us = 3 * s->d->config->task_ack_wait_ms * 1000;
    *count = 0;
    for (int i = 0; i < SLICE; i++) {
        struct key *k = &keys[*count];
        bool found = false;
        if (!mu_kv_next(s->d->bus, MU_BUCKET_STATE, &s->cursor, k->text, &entry, &found, err))
            return false;
        if (!found) {
            s->cursor = 0;
            return true;
        }
        if ((!entry.present && !s->crowded) || s->broker_us - entry.stored_us < young_us ||
            !mu_id_parse(mu_span_of(k->text), &k->task))
            continue;
        k->sequence = entry.sequence;
        k->marker = !entry.present;
        ++*count;
    }
    return true;
}

/* With the revision that was read: an agent that writes meanwhile wins. A crowded bucket has no room for the marker of a
 * purge, and too many markers. */
static bool purge(struct stray *s, const struct key *k, struct mu_error *err)
{
    struct mu_error why = {0};
    bool done = s->crowded ? mu_kv_forget(s->d->bus, MU_BUCKET_STATE, k->text, k->sequence, &why)
                           : mu_kv_purge(s->d->bus, MU_BUCKET_STATE, k->text, k->sequence, &why);
    if (!done && why.fault != MU_LOST)
        return mu_fail(err, why.fault, "purging the state of task %s: %s", k->text, why.text);
    s->d->counters.value[COUNT_CHECKPOINTS_PURGED] += done && !k->marker;
    return true;
}

static bool purge_done(struct stray *s, const struct key *keys, size_t count, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    const int64_t *purged = &s->d->counters.value[COUNT_CHECKPOINTS_PURGED], before = *purged;
    mu_args_reset(s->d->args);
    mu_arg_array_begin(s->d->args, MU_ARRAY_ID);
    for (size_t i = 0; i < count; i++)
        mu_arg_array_id(s->d->args, keys[i].task);
    mu_arg_array_end(s->d->args);
    if (!mu_store_run(s->d->store, SQL_DONE_TASKS, s->d->args, &rows, err))
        return false;
    for (size_t row = 0; row < mu_rows_count(rows); row++) {
        struct mu_id task;
        if (!mu_row_id(rows, row, 0, &task))
            continue;
        for (size_t i = 0; i < count; i++)
            if (mu_id_equal(keys[i].task, task) && !purge(s, &keys[i], err))
                return false;
    }
    if (*purged > before)
        mu_log(MU_INFO, "checkpoints of tasks that are done were purged", MU_N("keys", *purged - before));
    return true;
}

static bool look_at_bucket(struct stray *s, struct mu_error *err)
{
    char stream[MU_SUBJECT_MAX];
    struct mu_stream_state state;
    bool found = false;
    mu_stream_of_bucket(stream, MU_BUCKET_STATE);
    if (!mu_stream_find(s->d->bus, stream, &found, &state, err))
        return false;
    bool crowded = found && state.max_bytes > 0 && state.bytes > (uint64_t)state.max_bytes / 100 * CROWDED;
    if (crowded && !s->crowded)
        mu_log(MU_WARNING, "the bucket of checkpoints is half full, markers of tasks that are done go before their age",
               MU_N("bytes", (int64_t)state.bytes), MU_F("hint", "raise bucket.state_bytes if this stays"));
    s->crowded = crowded;
    s->broker_us = found ? state.now_us : 0; /* without the bucket nothing follows */
    return true;
}

bool stray_slice(struct stray *s, struct mu_error *err)
{
    struct key keys[SLICE];
    size_t count = 0;
    if (!look_at_bucket(s, err))
        return mu_while(err, "looking for stray checkpoints");
    for (int slice = 0; slice < (s->crowded ? CROWDED_SLICES : 1); slice++) {
        if (!collect(s, keys, &count, err))
            return mu_while(err, "looking for stray checkpoints");
        if (count && !purge_done(s, keys, count, err))
            return false;
        if (!s->cursor)
            break;
    }
    return true;
}
