/* SPDX-License-Identifier: Apache-2.0 */
/* The model of the database compared with PostgreSQL: the same calls by chance, made by the same program text over either
 * (conformance.c), answers and final tables printed alike. What is random or a time on one side is left out. */
#ifndef SIM_CONFORMANCE_H
#define SIM_CONFORMANCE_H

#include "outside/store.h"

/* The calls of a seed, printed. False: the store failed. */
bool conformance_run(struct mu_store *s, uint64_t seed, int steps, struct mu_error *err);

/* Tables as lines, for each side in its own way (conformance_model.c: the arrays; conformance_real.c: SQL). */
enum dump { DUMP_TASKS, DUMP_TABLES };
void conformance_dump(struct mu_store *s, enum dump what, void (*line)(void *ctx, const char *text), void *ctx);

#endif
