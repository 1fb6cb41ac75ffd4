/* SPDX-License-Identifier: Apache-2.0 */
/* A duty that one process has at a time, under an advisory lock. The lock belongs to the session that does the work:
 * with the session both go, so nobody works without the lock. A holder whose loop has stopped would keep it for ever,
 * because its kernel still answers TCP; it therefore notes a beat, from its loop but by a session of its own, as a long
 * statement must not delay it, and whoever stands by ends the session of a holder without one. */
#ifndef MU_LOCK_H
#define MU_LOCK_H

#include "store.h"

/* A duty as its program knows it: constant, the statements are rows of the table that its session has. */
struct mu_duty {
    const char *program;
    int take, let_go;      /* name of the holder: is the lock held now?; no parameters */
    int beat;              /* backend of the working session */
    int stale, end;        /* milliseconds: backend of a holder without a beat, or null; its backend: was it ended? */
};

struct mu_lock {
    const struct mu_duty *duty;
    struct mu_store *beat;
    bool held;
    int64_t ended;         /* by the last try: backend of a holder that had stopped, for the log; 0: none */
};

/* Takes the lock for this session if it is free: `held` tells. If it is not, and its holder has stopped, that holder's
 * session is ended, and the next try may succeed. */
MU_MUST bool mu_lock_try(struct mu_lock *l, struct mu_store *work, struct mu_args *args, struct mu_error *err);
/* Once a second while it is held. After a failure the next one connects anew. */
MU_MUST bool mu_lock_beat(struct mu_lock *l, const struct mu_store *work, struct mu_args *args, struct mu_error *err);
/* Another may take it at once; also fine when it is not held, or its session is gone or NULL. */
void mu_lock_let_go(struct mu_lock *l, struct mu_store *work);

#endif
