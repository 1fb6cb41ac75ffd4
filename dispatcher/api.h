/* SPDX-License-Identifier: Apache-2.0 */
/* The doors: the service muster.api.* and the stream muster.intake. */
#ifndef MU_API_H
#define MU_API_H

#include "dispatcher.h"

/* Identity of the intake stream, part of the keys made for its messages; asked again after each reconnect. */
MU_MUST bool api_learn_intake(struct dispatcher *d, struct mu_error *err);
MU_MUST bool api_open(struct dispatcher *d, struct mu_error *err);
/* Takes what has come: submissions go into the batch, the rest is answered. */
void api_take(struct dispatcher *d);
/* Tells whoever has come that the database is away; for times when the loop cannot take anything. */
void api_refuse(struct dispatcher *d);
void api_close(struct dispatcher *d);

#endif
