/* SPDX-License-Identifier: Apache-2.0 */
#include "operate.h"
#include "base/clock.h"
#include "daemon/failpoint.h"
#include "format/schema.h"
#include "policy.h"
#include "publish.h"
#include "statements.h"

#define REQUEST_MAX ((size_t)64 * 1024)
#define TRIES 3             /* of a deadlock with the recorder */
#define WITHDRAW_MS 2000    /* the leader's beat is waited for no longer than five seconds */
#define DEADLINES_AT_ONCE 500

static const struct { const char *schema; int statement; } operations[OPERATIONS] = {
    [OPERATE_CANCEL] = {"cancel", SQL_CANCEL},
    [OPERATE_RETRY] = {"retry", SQL_RETRY_BY_HAND},
    [OPERATE_DEAD] = {"dead", SQL_DEAD_LETTERS},
    [OPERATE_EXCEPTIONS] = {"exceptions", SQL_EXCEPTIONS},
    [OPERATE_WAIVE] = {"waive", SQL_WAIVE},
    [OPERATE_REVOKE] = {"revoke", SQL_WAIVER_REVOKE},
};

/* The same once more after a deadlock: nothing of it was done. */
static bool run(struct dispatcher *d, int statement, struct mu_rows **rows, struct mu_error *err)
{
    for (int i = 1; !mu_store_run(d->store, statement, d->args, rows, err); i++) {
        if (i == TRIES || strcmp(err->code, "again") != 0)
            return false;
        mu_error_clear(err);
    }
    return true;
}

/* {"ok":false,"error":…} of the database as a failure of ours. */
static bool refused(const struct mu_rows *rows, struct mu_error *err)
{
    MU_AUTO(mu_json_free) json_t *answer = NULL;
    if (!mu_json_parse(&answer, mu_row_span(rows, 0, 0), (size_t)64 << 20, err) || mu_json_bool(answer, "ok", false))
        return err->fault != MU_OK;
    const json_t *error = json_object_get(answer, "error");
    mu_reject(err, mu_json_text(error, "code"), mu_json_text(error, "pointer"), "%s", mu_json_text(error, "message"));
    return true;
}

bool operate_run(struct dispatcher *d, enum operation what, struct mu_span request, struct mu_rows **rows, struct mu_error *err)
{
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    MU_AUTO(mu_rows_free) struct mu_rows *got = NULL;
    if (!mu_json_parse(&doc, request, REQUEST_MAX, err) || !mu_schema_check(mu_schema_builtin(operations[what].schema), doc, err))
        return false;
    mu_args_reset(d->args);
    mu_arg_text(d->args, request);
    if (!run(d, operations[what].statement, &got, err) || refused(got, err))
        return false;
    *rows = MU_GIVE(got);
    if (what == OPERATE_CANCEL)
        MU_FAILPOINT("dispatcher.after_cancel");
    return true;
}

bool operate_deadlines(struct dispatcher *d, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    mu_args_reset(d->args);
    mu_arg_i64(d->args, DEADLINES_AT_ONCE);
    return run(d, SQL_DEADLINES_DUE, &rows, err) && operate_withdraw(d, rows, 0, err);
}

/* PostgreSQL has said that its members are done, which stays so: now whether the message is still that one. */
static bool withdraw(struct dispatcher *d, const struct mu_rows *rows, size_t row, int skip, struct mu_error *err)
{
    char subject[MU_SUBJECT_MAX], id[80], want[80];
    int64_t sequence = mu_row_i64(rows, row, skip + 3);
    bool found = false;
    if (sequence <= 0 || strcmp(mu_row_text(rows, row, skip + 4), publisher_stream_created(d->publisher)) != 0)
        return true; /* of a stream that is gone */
    if (!mu_stream_get_leader(d->bus, MU_STREAM_TASKS, (uint64_t)sequence, &found, subject, id, err))
        return false;
    snprintf(want, sizeof(want), "%s:%lld", mu_row_text(rows, row, skip), (long long)mu_row_i64(rows, row, skip + 1));
    if (!found || strcmp(id, want) != 0 || strcmp(subject, mu_row_text(rows, row, skip + 2)) != 0)
        return true;
    return mu_stream_delete(d->bus, MU_STREAM_TASKS, (uint64_t)sequence, err);
}

bool operate_withdraw(struct dispatcher *d, const struct mu_rows *rows, int skip, struct mu_error *err)
{
    const int64_t until = mu_clock_ms() + WITHDRAW_MS;
    size_t done = 0;
    for (; done < mu_rows_count(rows) && mu_clock_ms() < until; done++)
        if (!mu_row_null(rows, done, skip) && !withdraw(d, rows, done, skip, err))
            return mu_while(err, "withdrawing queue messages");
    mu_args_reset(d->args);
    mu_arg_array_begin(d->args, MU_ARRAY_ID);
    for (size_t i = 0; i < done; i++) {
        struct mu_id ride;
        if (mu_row_id(rows, i, skip, &ride))
            mu_arg_array_id(d->args, ride);
    }
    mu_arg_array_end(d->args);
    return !done || mu_store_run(d->store, SQL_OUTBOX_SETTLED, d->args, NULL, err);
}
