/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "recorder.h"
#include "statements.h"

/* Is the message at a position still the one that was recorded? */
static bool matches(struct recorder *r, const struct mu_stream_state *s, const struct position *p, bool *same, struct mu_error *err)
{
    MU_AUTO(mu_message_free) struct mu_message *m = NULL;
    *same = false;
    if (strcmp(p->created, s->created) != 0 || p->sequence > s->last_sequence)
        return true;
    if (!p->sequence || p->sequence < s->first_sequence) { /* nothing recorded yet; purged or expired since: nothing says otherwise */
        *same = true;
        return true;
    }
    if (!mu_stream_get(r->bus, MU_STREAM_RESULTS, p->sequence, &m, err))
        return false;
    *same = m && m->stored_us == p->stored_us;
    return true;
}

static bool note(struct recorder *r, const struct position *p, struct mu_error *err)
{
    mu_args_reset(r->args);
    mu_arg_text(r->args, mu_span_of(p->created));
    mu_arg_i64(r->args, (int64_t)p->sequence);
    mu_arg_time_us(r->args, p->stored_us);
    return mu_store_run(r->store, SQL_POSITION_NOTE, r->args, NULL, err);
}

bool position_settle(struct recorder *r, struct mu_error *err)
{
    struct mu_stream_state s;
    bool found = false, same = false;
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    if (!mu_stream_find(r->bus, MU_STREAM_RESULTS, &found, &s, err) || !mu_store_run(r->store, SQL_POSITIONS, NULL, &rows, err))
        return false;
    if (!found)
        return mu_fail(err, MU_UNAVAILABLE, "the stream %s is missing", MU_STREAM_RESULTS) || mu_hint(err, "`muster setup` creates it");
    struct position p = {.known = true};
    for (size_t i = 0; i < mu_rows_count(rows) && !same; i++) {
        snprintf(p.created, sizeof(p.created), "%s", mu_row_text(rows, i, 0));
        p.sequence = (uint64_t)mu_row_i64(rows, i, 1);
        p.stored_us = mu_row_i64(rows, i, 2);
        if (!matches(r, &s, &p, &same, err))
            return false;
        if (same && i == 0) {
            r->position = p;
            return true;
        }
    }
    if (!same) {
        snprintf(p.created, sizeof(p.created), "%s", s.created);
        p.sequence = s.first_sequence ? s.first_sequence - 1 : 0;
        p.stored_us = 0;
    }
    if (mu_rows_count(rows))
        mu_log(MU_WARNING, "the results stream went back or is new, recording again from where it matches; keys drop repeats",
               MU_N("sequence", p.sequence));
    if (!note(r, &p, err))
        return false;
    r->position = p;
    return true;
}

bool position_fill_gap(struct recorder *r, uint64_t sequence, struct mu_error *err)
{
    struct mu_stream_state state = {0};
    int64_t missing = 0;
    bool found = false;
    for (; r->next < sequence && !recorder_is_full(r); r->next++) {
        MU_AUTO(mu_message_free) struct mu_message *m = NULL;
        /* the end is read before the message: one that is not there within it has gone, and is not only about to come
         * (a stream that went back grows again) */
        if (r->next > state.last_sequence && !mu_stream_find(r->bus, MU_STREAM_RESULTS, &found, &state, err))
            return false;
        if (!found || r->next > state.last_sequence)
            break;
        if (!mu_stream_get(r->bus, MU_STREAM_RESULTS, r->next, &m, err))
            return mu_while(err, "fetching result %llu", (unsigned long long)r->next);
        if (!m) {
            missing++;
            continue;
        }
        if (!results_add(r->batch, MU_GIVE(m), err))
            return false;
    }
    if (missing)
        mu_log(MU_LOG_ERROR, "results are missing in the stream; their tasks are still open and will be run again",
               MU_N("messages", missing), MU_N("before", sequence));
    return true;
}
