/* SPDX-License-Identifier: Apache-2.0 */
/* The hash of the tables that rules keep. What can be observed never depends on it. */
#ifndef MU_HASH_H
#define MU_HASH_H

#include "base/base.h"

static inline uint64_t mu_hash_bytes(struct mu_span bytes)
{
    uint64_t h = UINT64_C(0xCBF29CE484222325) ^ bytes.len;
    while (bytes.len >= 8) {
        uint64_t word;
        memcpy(&word, bytes.at, 8);
        h = (h ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        h ^= h >> 32;
        bytes = mu_span(bytes.at + 8, bytes.len - 8);
    }
    for (size_t i = 0; i < bytes.len; i++)
        h = (h ^ (uint8_t)bytes.at[i]) * UINT64_C(0x100000001B3);
    h *= UINT64_C(0x9E3779B97F4A7C15);
    return h ^ (h >> 32);
}

#endif
