/* SPDX-License-Identifier: Apache-2.0 */
/* What the broker has refused this login, kept until the program's loop takes it for its log. */
#include "outside/bus_inside.h"
#include "base/clock.h"

#define REFUSAL_AGAIN_MS 60000

/* The oldest gives way. */
void refusal_note(struct mu_bus *bus, const char *text)
{
    size_t at = 0;
    int64_t now = mu_clock_ms();
    for (size_t i = 0; i < MU_COUNT(bus->refusals); i++) {
        if (bus->refusals[i].at_ms && strncmp(bus->refusals[i].text, text, MU_REFUSAL_MAX - 1) == 0) {
            if (now - bus->refusals[i].at_ms < REFUSAL_AGAIN_MS)
                return;
            at = i;
            break;
        }
        if (bus->refusals[i].at_ms < bus->refusals[at].at_ms)
            at = i;
    }
    snprintf(bus->refusals[at].text, MU_REFUSAL_MAX, "%s", text);
    bus->refusals[at].at_ms = now;
    bus->refusals[at].taken = false;
    bus_wake(bus);
}

bool mu_bus_take_refusal(struct mu_bus *bus, char out[MU_REFUSAL_MAX])
{
    bool found = false;
    pthread_mutex_lock(&bus->lock);
    for (size_t i = 0; i < MU_COUNT(bus->refusals) && !found; i++) {
        found = bus->refusals[i].at_ms && !bus->refusals[i].taken;
        if (!found)
            continue;
        bus->refusals[i].taken = true;
        memcpy(out, bus->refusals[i].text, MU_REFUSAL_MAX);
    }
    pthread_mutex_unlock(&bus->lock);
    return found;
}
