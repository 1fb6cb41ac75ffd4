/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/refusals.h"
#include "base/log.h"

void mu_refusals_tell(struct mu_bus *bus)
{
    char refusal[MU_REFUSAL_MAX];
    while (mu_bus_take_refusal(bus, refusal))
        mu_log(MU_LOG_ERROR, "the broker refused what this login may not", MU_F("refusal", refusal),
               MU_F("hint", "`muster permissions` prints the rights of each role"));
}
