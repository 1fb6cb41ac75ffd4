/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/throttle.h"

#define LEAST_PIECE 4096

int64_t mu_throttle_take(struct mu_throttle *t, size_t bytes, int64_t now_us)
{
    if (!t->bytes_per_second)
        return 0;
    int64_t most = t->bytes_per_second / 4 + 1;
    if (!t->last_us)
        t->last_us = now_us;
    int64_t passed = now_us - t->last_us;
    if (passed > 1000000) { /* more would only fill the bucket */
        t->credit = t->credit < 0 ? t->credit + t->bytes_per_second : most;
        passed = 0;
    }
    t->last_us = now_us;
    t->credit += t->bytes_per_second * passed / 1000000;
    if (t->credit > most)
        t->credit = most;
    t->credit -= (int64_t)bytes;
    return t->credit >= 0 ? 0 : -t->credit * 1000 / t->bytes_per_second + 1;
}

size_t mu_throttle_piece(const struct mu_throttle *t, int64_t interval_ms, size_t most)
{
    if (!t->bytes_per_second)
        return most;
    int64_t piece = t->bytes_per_second / 4000 * interval_ms;
    if (piece < LEAST_PIECE)
        return LEAST_PIECE;
    return (size_t)piece > most ? most : (size_t)piece;
}
