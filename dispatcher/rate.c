/* SPDX-License-Identifier: Apache-2.0 */
#include "rate.h"

bool rate_take(struct rate *r, int64_t now_ms)
{
    const int64_t most = r->per_second * 1000 + 999; /* and what has been begun */
    int64_t passed = r->filled_ms ? now_ms - r->filled_ms : 1000;
    if (passed > 1000)
        passed = 1000; /* it would only run over */
    if (passed > 0) {
        r->thousandths += r->per_second * passed;
        if (r->thousandths > most)
            r->thousandths = most;
        r->filled_ms = now_ms;
    }
    if (r->thousandths < 1000)
        return false;
    r->thousandths -= 1000;
    return true;
}

int64_t rate_wait_ms(const struct rate *r)
{
    int64_t wanted = r->per_second * 100 > 1000 ? r->per_second * 100 : 1000;
    int64_t missing = wanted - r->thousandths;
    return missing > 0 ? (missing + r->per_second - 1) / r->per_second : 0;
}
