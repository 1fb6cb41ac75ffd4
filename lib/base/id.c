/* SPDX-License-Identifier: Apache-2.0 */
#include "base/id.h"
#include "base/clock.h"

#include <pthread.h>

static void put_time(struct mu_id *id, int64_t ms)
{
    for (int i = 0; i < 6; i++)
        id->b[i] = (uint8_t)((uint64_t)ms >> (40 - 8 * i));
}

static void put_version(struct mu_id *id, uint8_t version)
{
    id->b[6] = (uint8_t)((id->b[6] & 0x0F) | (version << 4));
    id->b[8] = (uint8_t)((id->b[8] & 0x3F) | 0x80);
}

/* Random steps for mu_id_new, taken from the kernel many at a time; under its lock. */
static uint32_t random_step(void)
{
    static uint32_t steps[256];
    static size_t left;
    if (!left) {
        mu_random(steps, sizeof(steps));
        left = MU_COUNT(steps);
    }
    return steps[--left];
}

/* The 74 bits behind the time are a counter that starts at random in each millisecond and goes on by random steps
 * (RFC 9562, 6.2, method 2): ids of one process ascend, and the next one cannot be guessed. */
struct mu_id mu_id_new(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static int64_t last_ms;
    static uint64_t high, low; /* 12 and 62 bits */
    struct mu_id id;

    pthread_mutex_lock(&lock);
    int64_t ms = mu_wall_us() / 1000;
    if (ms > last_ms) {
        last_ms = ms;
        mu_random(&high, sizeof(high));
        mu_random(&low, sizeof(low));
        high &= 0x7FF; /* the top bit stays free, so that counting up within a millisecond cannot overflow */
        low &= UINT64_C(0x3FFFFFFFFFFFFFFF);
    } else {
        low += 1 + (uint64_t)random_step();
        if (low >> 62) {
            low &= UINT64_C(0x3FFFFFFFFFFFFFFF);
            if (++high >> 12) {
                high = 0;
                last_ms++;
            }
        }
    }
    put_time(&id, last_ms);
    id.b[6] = (uint8_t)(high >> 8);
    id.b[7] = (uint8_t)high;
    for (int i = 0; i < 8; i++)
        id.b[8 + i] = (uint8_t)(low >> (56 - 8 * i));
    pthread_mutex_unlock(&lock);
    put_version(&id, 7);
    return id;
}

/* The digest's bits go into bytes 6 to 15; the six bits under version and variant are overwritten. */
struct mu_id mu_id_derive(struct mu_id origin, const struct mu_digest *digest)
{
    struct mu_id id = origin;
    memcpy(id.b + 6, digest->b, 10);
    put_version(&id, 8);
    return id;
}

void mu_id_format(struct mu_id id, char out[MU_ID_MAX])
{
    static const char hex[] = "0123456789abcdef";
    char *to = out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = hex[id.b[i] >> 4];
        *to++ = hex[id.b[i] & 15];
    }
    *to = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool mu_id_parse(struct mu_span text, struct mu_id *out)
{
    struct mu_id id;
    size_t at = 0;
    if (text.len != MU_ID_MAX - 1)
        return false;
    for (int i = 0; i < 16; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && text.at[at++] != '-')
            return false;
        int high = hex_value(text.at[at]), low = hex_value(text.at[at + 1]);
        if (high < 0 || low < 0)
            return false;
        id.b[i] = (uint8_t)(high << 4 | low);
        at += 2;
    }
    uint8_t version = id.b[6] >> 4;
    if ((version != 7 && version != 8) || (id.b[8] & 0xC0) != 0x80)
        return false;
    *out = id;
    return true;
}

int64_t mu_id_time_ms(struct mu_id id)
{
    int64_t ms = 0;
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | id.b[i];
    return ms;
}

bool mu_id_equal(struct mu_id a, struct mu_id b)
{
    return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}
