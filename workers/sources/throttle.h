/* SPDX-License-Identifier: Apache-2.0 */
/* A bound on bytes a second (worker.read_limit): a bucket that holds a quarter of a second's worth. */
#ifndef MU_THROTTLE_H
#define MU_THROTTLE_H

#include "base/base.h"

struct mu_throttle {
    int64_t bytes_per_second; /* 0: no bound */
    int64_t credit;           /* may be negative: then it is waited for */
    int64_t last_us;
};
/* Takes `bytes` and says how many milliseconds to wait before going on (0: none). */
int64_t mu_throttle_take(struct mu_throttle *t, size_t bytes, int64_t now_us);
/* How large a piece should be, so that there are a few within `interval_ms`. */
size_t mu_throttle_piece(const struct mu_throttle *t, int64_t interval_ms, size_t most);

#endif
