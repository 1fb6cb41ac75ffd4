/* SPDX-License-Identifier: Apache-2.0 */
/* What operators ask for: cancel, retry, dead letters (PROTOCOL.md §7), exceptions and their waivers. PostgreSQL does it and words the answer; here
 * the request is checked and what follows in the broker is done: agents are told by policy, queue messages that nobody
 * needs any more are deleted. A crash in between is healed by the leader (policy.h, reconcile.h). */
#ifndef MU_OPERATE_H
#define MU_OPERATE_H

#include "dispatcher.h"

enum operation { OPERATE_CANCEL, OPERATE_RETRY, OPERATE_DEAD, OPERATE_EXCEPTIONS, OPERATE_WAIVE, OPERATE_REVOKE, OPERATIONS };

/* Committed when it returns true. The first column of the first row is the answer; the rows are the caller's, for
 * operate_withdraw. A refusal is MU_REJECTED with its code and pointer. */
MU_MUST bool operate_run(struct dispatcher *d, enum operation what, struct mu_span request, struct mu_rows **rows,
                         struct mu_error *err);
/* Ends what is open of jobs whose deadline has passed. */
MU_MUST bool operate_deadlines(struct dispatcher *d, struct mu_error *err);
/* Deletes queue messages whose members all have outcomes (columns ride_id, n, subject, sequence, stream_created behind
 * the first `skip`), for two seconds at most: the reconciler finds the rest. */
MU_MUST bool operate_withdraw(struct dispatcher *d, const struct mu_rows *rows, int skip, struct mu_error *err);

#endif
