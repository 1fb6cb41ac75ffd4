/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the database still knows all that has been acknowledged in MUSTER_INTAKE. Acknowledgements follow COMMIT, so
 * what is missing was settled in a state that the database has lost: a backup was put back, or a stand-by that lagged
 * was promoted. The intake consumer starts over then, and keys drop what is met twice. */
#ifndef MU_INTAKE_H
#define MU_INTAKE_H

#include "dispatcher.h"

/* Asks the consumer first, the stream and the database afterwards. Every dispatcher does so after each connect to the
 * database and before it takes from the intake: what it would settle then would cover the loss. */
MU_MUST bool intake_check(struct dispatcher *d, struct mu_error *err);
/* The same with what has been asked already: acknowledged up to here, in that stream. */
MU_MUST bool intake_compare(struct dispatcher *d, const struct mu_stream_state *stream, uint64_t acknowledged, struct mu_error *err);

#endif
