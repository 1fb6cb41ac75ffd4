/* SPDX-License-Identifier: Apache-2.0 */
#include "retention.h"
#include "base/log.h"
#include "statements.h"

#define EVENTS_AT_ONCE 10000

static bool put_policy(struct dispatcher *d, struct mu_error *err)
{
    const struct mu_config *c = d->config;
    mu_args_reset(d->args);
    mu_arg_i64(d->args, c->retention_outcomes_ms);
    mu_arg_i64(d->args, c->retention_findings_ms);
    mu_arg_i64(d->args, c->retention_audit_ms);
    mu_arg_i64(d->args, c->retention_events_ms);
    mu_arg_i64(d->args, c->retention_grace_ms);
    return mu_store_run(d->store, SQL_RETENTION_SET, d->args, NULL, err);
}

/* One partition at most; *done: there was one. What is locked by somebody who reads is for the next turn. */
static bool one(struct dispatcher *d, int statement, const char *what, bool *done, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    if (!mu_store_run(d->store, statement, NULL, &rows, err)) {
        if (strcmp(err->code, "timed_out") != 0 && strcmp(err->code, "locked") != 0)
            return false;
        mu_log(MU_WARNING, "a partition whose time is over could not be taken out, trying again in an hour", MU_F("reason", err->text),
               MU_F("hint", "`muster db maintain` waits longer"));
        mu_error_clear(err);
        return true;
    }
    *done = mu_rows_count(rows) && !mu_row_null(rows, 0, 0);
    if (*done)
        mu_log(MU_INFO, what, MU_F("partition", mu_row_text(rows, 0, 0)));
    return true;
}

bool retention_look(struct dispatcher *d, bool *again, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *events = NULL;
    bool retired = false, dropped = false;
    if (!mu_store_run(d->store, SQL_MAINTAIN, NULL, NULL, err) || !put_policy(d, err) ||
        !one(d, SQL_RETIRE_NEXT, "a partition was taken out, its time is over", &retired, err) ||
        !one(d, SQL_DROP_NEXT, "a partition that had been taken out was dropped", &dropped, err))
        return false;
    mu_args_reset(d->args);
    mu_arg_i64(d->args, EVENTS_AT_ONCE);
    if (!mu_store_run(d->store, SQL_RETIRE_EVENTS, d->args, &events, err))
        return false;
    *again = retired || dropped || (mu_rows_count(events) && mu_row_i64(events, 0, 0) >= EVENTS_AT_ONCE);
    return true;
}
