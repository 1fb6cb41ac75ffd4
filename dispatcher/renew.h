/* SPDX-License-Identifier: Apache-2.0 */
/* Streams and consumers that are made again, and counted among the repairs. */
#ifndef MU_RENEW_H
#define MU_RENEW_H

#include "dispatcher.h"

/* Makes what is missing. */
MU_MUST bool renew_missing(struct dispatcher *d, struct mu_error *err);
/* The consumer is deleted and made anew: it begins with the first message that the stream has. Without
 * dispatcher.provision the log says what to do. */
MU_MUST bool renew_consumer(struct dispatcher *d, const char *stream, const char *consumer, const char *why, struct mu_error *err);

#endif
