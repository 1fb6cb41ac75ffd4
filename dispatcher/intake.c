/* SPDX-License-Identifier: Apache-2.0 */
#include "intake.h"
#include "base/log.h"
#include "renew.h"
#include "statements.h"

#define ABSENT_MAX 1000 /* deleted messages that one look passes over */

/* The first acknowledged message that the database does not know; 0 if it knows all. */
static bool find_lost(struct dispatcher *d, const struct mu_stream_state *stream, uint64_t acknowledged, uint64_t *lost, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    mu_args_reset(d->args);
    mu_arg_text(d->args, mu_span_of(stream->created));
    mu_arg_i64(d->args, (int64_t)stream->first_sequence);
    mu_arg_i64(d->args, (int64_t)acknowledged);
    if (!mu_store_run(d->store, SQL_INTAKE_LOST, d->args, &rows, err))
        return false;
    *lost = mu_row_null(rows, 0, 0) ? 0 : (uint64_t)mu_row_i64(rows, 0, 0);
    return true;
}

static bool note(struct dispatcher *d, int statement, const struct mu_stream_state *stream, uint64_t sequence, struct mu_error *err)
{
    mu_args_reset(d->args);
    mu_arg_text(d->args, mu_span_of(stream->created));
    mu_arg_i64(d->args, (int64_t)sequence);
    return mu_store_run(d->store, statement, d->args, NULL, err);
}

bool intake_compare(struct dispatcher *d, const struct mu_stream_state *stream, uint64_t acknowledged, struct mu_error *err)
{
    snprintf(d->intake_created, sizeof(d->intake_created), "%s", stream->created); /* what is settled from now on is of this one */
    static const char why[] = "the database does not know messages that were acknowledged, it has gone back";
    for (int absent = 0; absent < ABSENT_MAX; absent++) {
        MU_AUTO(mu_message_free) struct mu_message *m = NULL;
        uint64_t lost = 0;
        /* a consumer can be ahead of a stream that went back: what is not there yet says nothing */
        if (!find_lost(d, stream, acknowledged < stream->last_sequence ? acknowledged : stream->last_sequence, &lost, err))
            return false;
        if (!lost)
            return true;
        if (!mu_stream_get(d->bus, MU_STREAM_INTAKE, lost, &m, err))
            return false;
        if (m)
            return note(d, SQL_INTAKE_TELL, stream, lost, err) &&
                   renew_consumer(d, MU_STREAM_INTAKE, MU_CONSUMER_INTAKE, why, err);
        if (!note(d, SQL_INTAKE_ABSENT, stream, lost, err)) /* deleted, or expired a moment ago */
            return false;
    }
    return mu_fail(err, MU_UNAVAILABLE, "more than %d intake messages have been deleted, the next look goes on", ABSENT_MAX);
}
