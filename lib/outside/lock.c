/* SPDX-License-Identifier: Apache-2.0 */
#include "lock.h"

#include <unistd.h>

#define STALE_MS 5000

static bool end_stale(struct mu_lock *l, struct mu_store *work, struct mu_args *args, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *stale = NULL;
    MU_AUTO(mu_rows_free) struct mu_rows *ended = NULL;
    mu_args_reset(args);
    mu_arg_i64(args, STALE_MS);
    if (!mu_store_run(work, l->duty->stale, args, &stale, err))
        return false;
    if (!mu_rows_count(stale) || mu_row_null(stale, 0, 0))
        return true;
    int64_t pid = mu_row_i64(stale, 0, 0);
    mu_args_reset(args);
    mu_arg_i64(args, pid);
    if (!mu_store_run(work, l->duty->end, args, &ended, err))
        return false;
    l->ended = mu_row_bool(ended, 0, 0) ? pid : 0; /* false: an old note, the lock has gone to another session */
    return true;
}

bool mu_lock_try(struct mu_lock *l, struct mu_store *work, struct mu_args *args, struct mu_error *err)
{
    char holder[160], host[64] = "";
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    gethostname(host, sizeof(host) - 1);
    snprintf(holder, sizeof(holder), "%s %s:%ld", l->duty->program, host, (long)getpid());
    l->ended = 0;
    mu_args_reset(args);
    mu_arg_text(args, mu_span_of(holder));
    if (!mu_store_run(work, l->duty->take, args, &rows, err))
        return false;
    l->held = mu_row_bool(rows, 0, 0);
    return l->held || end_stale(l, work, args, err);
}

static void close_beat(struct mu_lock *l)
{
    mu_store_free(l->beat);
    l->beat = NULL;
}

bool mu_lock_beat(struct mu_lock *l, const struct mu_store *work, struct mu_args *args, struct mu_error *err)
{
    char session[80];
    snprintf(session, sizeof(session), "%s-beat", l->duty->program);
    if (!l->beat && !mu_store_open_beside(&l->beat, work, session, err))
        return false;
    mu_args_reset(args);
    mu_arg_i64(args, mu_store_backend_pid(work));
    if (mu_store_run(l->beat, l->duty->beat, args, NULL, err))
        return true;
    close_beat(l);
    return false;
}

void mu_lock_let_go(struct mu_lock *l, struct mu_store *work)
{
    struct mu_error ignored = {0};
    if (l->held && work && mu_store_alive(work))
        (void)!mu_store_run(work, l->duty->let_go, NULL, NULL, &ignored);
    l->held = false;
    close_beat(l);
}
