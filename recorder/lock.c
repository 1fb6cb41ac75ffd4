/* SPDX-License-Identifier: Apache-2.0 */
/* One recorder is active: the lock belongs to the session that commits, so that a lost session cannot commit. */
#include "base/log.h"
#include "recorder.h"
#include "statements.h"

static const struct mu_duty duty = {
    .program = "muster-recorder", .take = SQL_LOCK, .let_go = SQL_UNLOCK,
    .beat = SQL_LOCK_BEAT, .stale = SQL_LOCK_STALE, .end = SQL_LOCK_END};

bool lock_try(struct recorder *r, struct mu_error *err)
{
    r->lock.duty = &duty;
    bool tried = mu_lock_try(&r->lock, r->store, r->args, err);
    r->active = r->lock.held;
    if (r->lock.ended)
        mu_log(MU_WARNING, "the active recorder had stopped, its session was ended", MU_N("backend_pid", r->lock.ended));
    return tried;
}

bool lock_beat(struct recorder *r, struct mu_error *err)
{
    return mu_lock_beat(&r->lock, r->store, r->args, err);
}

void lock_let_go(struct recorder *r)
{
    mu_lock_let_go(&r->lock, r->store);
    r->active = false;
}
