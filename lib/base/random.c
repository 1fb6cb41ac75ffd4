/* SPDX-License-Identifier: Apache-2.0 */
#include "base/id.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>

void mu_random(void *out, size_t len)
{
    char *at = out;
    while (len) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        assert(got > 0); /* getrandom fails only for bad arguments */
        at += got;
        len -= (size_t)got;
    }
}

uint32_t mu_random_below(uint32_t bound)
{
    uint32_t value;
    mu_random(&value, sizeof(value));
    return bound ? (uint32_t)(((uint64_t)value * bound) >> 32) : 0;
}
