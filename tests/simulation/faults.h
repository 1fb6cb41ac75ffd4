/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong in a schedule that follows from a seed: which kinds, how often, how long. */
#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H

#include "world.h"

/* Chooses programs, work and faults, and starts them; when the quiet time begins. */
int64_t faults_plan(void);
/* Everything is mended: what is left to do has to be done. */
void faults_stop(void);
int faults_count(void); /* how many happened */

#endif
