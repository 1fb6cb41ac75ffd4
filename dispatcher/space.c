/* SPDX-License-Identifier: Apache-2.0 */
#include "space.h"
#include "base/clock.h"
#include "base/log.h"
#include "statements.h"

#define TIGHT 70  /* percent of max_bytes: what nobody needs goes */
#define CROWDED 85 /* then what a restored database would like to have */
#define FULL 95
#define COMPLAIN_MS 60000

static int64_t percent(const struct mu_stream_state *s)
{
    return s->max_bytes > 0 ? (int64_t)(s->bytes / ((uint64_t)s->max_bytes / 100 + 1)) : 0;
}

/* What is said once a minute, however often it is found. */
static bool may_complain(struct space *s)
{
    int64_t now = mu_clock_ms();
    if (s->complained_ms && now - s->complained_ms < COMPLAIN_MS)
        return false;
    s->complained_ms = now;
    return true;
}

struct bound {
    bool is_backup, is_current;
    uint64_t sequence;
    int64_t stored_us;
};

/* A place to purge up to must still hold the message that was noted: the stream may have gone back. */
static bool holds(struct space *s, const struct bound *b, bool *same, struct mu_error *err)
{
    MU_AUTO(mu_message_free) struct mu_message *m = NULL;
    if (!mu_stream_get(s->d->bus, MU_STREAM_RESULTS, b->sequence, &m, err))
        return false;
    *same = m && m->stored_us == b->stored_us;
    return true;
}

/* Everything before the bound goes; its own message stays, so that it can be recognised. */
static bool purge_to(struct space *s, const char *stream, uint64_t sequence, struct mu_stream_state *now, struct mu_error *err)
{
    bool found = false;
    if (!mu_stream_purge(s->d->bus, stream, sequence, err) || !mu_stream_find(s->d->bus, stream, &found, now, err))
        return false;
    s->purged++;
    return true;
}

static void tell(struct space *s, const struct bound *b, bool crowded)
{
    if (!crowded || !may_complain(s))
        return;
    mu_log(MU_LOG_ERROR, b->is_backup || b->is_current ? "MUSTER_RESULTS is short of room, results since the last backup are given up"
                                                       : "MUSTER_RESULTS is short of room, results of kept positions are given up",
           MU_N("before_sequence", (int64_t)b->sequence), MU_F("hint", "raise stream.results_bytes, or take a backup and call muster.backup_taken()"));
}

static bool look_at_results(struct space *s, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    struct mu_stream_state now;
    bool found = false, first = true;
    if (!mu_stream_find(s->d->bus, MU_STREAM_RESULTS, &found, &now, err))
        return false;
    if (!found || percent(&now) <= TIGHT)
        return true;
    if (!mu_store_run(s->d->store, SQL_SPACE_BOUNDS, NULL, &rows, err))
        return false;
    for (size_t i = 0; i < mu_rows_count(rows); i++) {
        const struct bound b = {.is_backup = mu_row_text(rows, i, 0)[0] == 'b', .is_current = mu_row_text(rows, i, 0)[1] == 'u',
                                .sequence = (uint64_t)mu_row_i64(rows, i, 2), .stored_us = mu_row_i64(rows, i, 3)};
        bool same = false;
        if (strcmp(mu_row_text(rows, i, 1), now.created) != 0)
            continue;
        if (b.sequence <= now.first_sequence) { /* all before it has gone, it is still the oldest that is wanted */
            first = first && b.sequence < now.first_sequence;
            continue;
        }
        if (percent(&now) <= (first ? TIGHT : CROWDED))
            return true;
        if (!holds(s, &b, &same, err))
            return false;
        if (!same)
            continue;
        tell(s, &b, !first);
        if (!purge_to(s, MU_STREAM_RESULTS, b.sequence, &now, err))
            return false;
        first = false;
    }
    if (percent(&now) > FULL && may_complain(s))
        mu_log(MU_LOG_ERROR, "MUSTER_RESULTS is full of what is not recorded yet, agents keep their results and wait",
               MU_F("hint", "is a muster-recorder running? Else raise stream.results_bytes"));
    return true;
}

/* The older half of what has been acknowledged, all of it if it is crowded. */
static bool look_at_intake(struct space *s, struct mu_error *err)
{
    struct mu_stream_state now;
    struct mu_consumer_state consumer;
    bool found = false, served = false;
    if (!mu_stream_find(s->d->bus, MU_STREAM_INTAKE, &found, &now, err))
        return false;
    if (!found || percent(&now) <= TIGHT)
        return true;
    if (!mu_consumer_find(s->d->bus, MU_STREAM_INTAKE, MU_CONSUMER_INTAKE, &served, &consumer, err))
        return false;
    uint64_t floor = served && consumer.ack_floor_stream_sequence <= now.last_sequence ? consumer.ack_floor_stream_sequence : 0;
    if (floor > now.first_sequence) {
        uint64_t half = now.first_sequence + (floor - now.first_sequence) / 2;
        return purge_to(s, MU_STREAM_INTAKE, percent(&now) > CROWDED ? floor : half + 1, &now, err);
    }
    if (percent(&now) > FULL && may_complain(s))
        mu_log(MU_LOG_ERROR, "MUSTER_INTAKE is full of what nobody has taken yet, submissions by it are refused",
               MU_F("hint", "is the database away? Else raise stream.intake_bytes"));
    return true;
}

bool space_look(struct space *s, struct mu_error *err)
{
    return (look_at_results(s, err) && look_at_intake(s, err)) || mu_while(err, "making room in the streams");
}
