/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the database still knows all that has been acknowledged in MUSTER_INTAKE. Acknowledgements follow COMMIT, so
 * what is missing was settled in a state that the database has lost: a backup was put back, or a stand-by that lagged
 * was promoted. The intake consumer starts over then, and keys drop what is met twice. */
#ifndef MU_INTAKE_H
#define MU_INTAKE_H

#include "dispatcher.h"

/* The consumer was asked first, how far it has been acknowledged, the stream afterwards; now the database. */
MU_MUST bool intake_compare(struct dispatcher *d, const struct mu_stream_state *stream, uint64_t acknowledged, struct mu_error *err);

#endif
