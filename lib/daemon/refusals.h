/* SPDX-License-Identifier: Apache-2.0 */
/* What the broker refuses this program's login is told in its log, with the subject. */
#ifndef MU_REFUSALS_H
#define MU_REFUSALS_H

#include "outside/bus.h"

/* Logs what has been refused since the last call; from the program's loop. */
void mu_refusals_tell(struct mu_bus *bus);

#endif
