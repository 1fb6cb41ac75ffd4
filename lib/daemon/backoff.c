/* SPDX-License-Identifier: Apache-2.0 */
#include "base/id.h"
#include "daemon/daemon.h"

int64_t mu_backoff_next(struct mu_backoff *b)
{
    int64_t base = b->next_ms ? b->next_ms : b->least_ms;
    b->next_ms = base * 2 > b->most_ms ? b->most_ms : base * 2;
    return base / 2 + mu_random_below((uint32_t)(base / 2 + 1));
}

void mu_backoff_reset(struct mu_backoff *b)
{
    b->next_ms = 0;
}
