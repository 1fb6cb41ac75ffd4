/* SPDX-License-Identifier: Apache-2.0 */
/* Packs made ready for tasks: taken from muster_packs (or from the terms themselves) and checked against the
 * pinned digest, their lists from the data directories likewise. The last few are kept, by the digest of the
 * terms. */
#ifndef MU_PACKS_H
#define MU_PACKS_H

#include "domain/task.h"
#include "engine/run.h"
#include "format/config.h"
#include "outside/bus.h"

struct mu_packs;
MU_MUST bool mu_packs_new(struct mu_packs **out, struct mu_bus *bus, const struct mu_config *config,
                          struct mu_error *err);
/* *out is borrowed until the next call. MU_REJECTED (bad_task): pack, parameters and lists do not fit
 * together. MU_UNAVAILABLE: code `pack_missing` or `list_missing` if it cannot be had here for now; else the
 * broker is away. */
MU_MUST bool mu_packs_get(struct mu_packs *p, const struct mu_task *task, const struct mu_ready **out,
                          struct mu_error *err);
void mu_packs_free(struct mu_packs *p);
MU_DEFINE_AUTO(struct mu_packs, mu_packs_free)

#endif
