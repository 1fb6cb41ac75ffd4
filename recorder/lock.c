/* SPDX-License-Identifier: Apache-2.0 */
/* One recorder is active: the advisory lock belongs to the session that commits, so that a lost session cannot commit.
 * A holder whose loop has stopped is ended by a stand-by. */
#include "base/log.h"
#include "recorder.h"
#include "statements.h"

#include <unistd.h>

#define STALE_MS 5000

static bool end_stale(struct recorder *r, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    mu_args_reset(r->args);
    mu_arg_i64(r->args, STALE_MS);
    if (!mu_store_run(r->store, SQL_LOCK_STALE, r->args, &rows, err))
        return false;
    if (!mu_rows_count(rows) || mu_row_null(rows, 0, 0))
        return true;
    int64_t pid = mu_row_i64(rows, 0, 0);
    mu_args_reset(r->args);
    mu_arg_i64(r->args, pid);
    if (!mu_store_run(r->store, SQL_LOCK_END, r->args, NULL, err))
        return false;
    mu_log(MU_WARNING, "the active recorder had stopped, its session was ended", MU_N("backend_pid", pid));
    return true;
}

bool lock_try(struct recorder *r, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    if (!mu_store_run(r->store, SQL_LOCK, NULL, &rows, err))
        return false;
    r->active = mu_row_bool(rows, 0, 0);
    return r->active || end_stale(r, err);
}

bool lock_beat(struct recorder *r, struct mu_error *err)
{
    char holder[120], host[64] = "";
    if (!r->beat &&
        !mu_store_open(&r->beat, r->config->postgres_conninfo, "muster-recorder-beat", recorder_statements, SQL_COUNT, err))
        return false;
    gethostname(host, sizeof(host) - 1);
    snprintf(holder, sizeof(holder), "muster-recorder %s:%ld", host, (long)getpid());
    mu_args_reset(r->args);
    mu_arg_i64(r->args, mu_store_backend_pid(r->store));
    mu_arg_text(r->args, mu_span_of(holder));
    if (mu_store_run(r->beat, SQL_LOCK_BEAT, r->args, NULL, err))
        return true;
    mu_store_free(r->beat);
    r->beat = NULL;
    return false;
}

void lock_let_go(struct recorder *r)
{
    struct mu_error ignored = {0};
    if (r->active && mu_store_alive(r->store))
        (void)!mu_store_run(r->store, SQL_UNLOCK, NULL, NULL, &ignored);
    r->active = false;
    mu_store_free(r->beat);
    r->beat = NULL;
}
