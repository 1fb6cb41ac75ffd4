/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/seal.h"

#define EPOCH_US INT64_C(946684800000000) /* 2000-01-01, in microseconds since 1970 */

void mu_seal_begin(struct mu_seal *s)
{
    mu_sha_init(&s->sha);
    s->len = 0;
}

static void put(struct mu_seal *s, const void *bytes, size_t len)
{
    if (len > sizeof(s->at) - s->len) {
        mu_sha_add(&s->sha, mu_span((const char *)s->at, s->len));
        s->len = 0;
    }
    if (len > sizeof(s->at)) {
        mu_sha_add(&s->sha, mu_span(bytes, len));
        return;
    }
    if (len)
        memcpy(s->at + s->len, bytes, len);
    s->len += len;
}

void mu_seal_id(struct mu_seal *s, struct mu_id id)
{
    put(s, id.b, sizeof(id.b));
}

static void big_endian(char out[8], int64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (char)((uint64_t)value >> (56 - 8 * i));
}

void mu_seal_i64(struct mu_seal *s, int64_t value)
{
    char bytes[8];
    big_endian(bytes, value);
    put(s, bytes, sizeof(bytes));
}

void mu_seal_time_us(struct mu_seal *s, int64_t wall_us)
{
    mu_seal_i64(s, wall_us - EPOCH_US);
}

struct mu_seal_time mu_seal_time_of(int64_t wall_us)
{
    struct mu_seal_time t;
    big_endian(t.b, wall_us - EPOCH_US);
    return t;
}

void mu_seal_field(struct mu_seal *s, struct mu_span bytes)
{
    char room[24];
    const struct mu_span length = mu_member_length(room, bytes.len);
    put(s, length.at, length.len);
    put(s, bytes.at, bytes.len);
}

void mu_seal_null(struct mu_seal *s)
{
    put(s, "-", 1);
}

struct mu_digest mu_seal_end(struct mu_seal *s)
{
    mu_sha_add(&s->sha, mu_span((const char *)s->at, s->len));
    return mu_sha_end(&s->sha);
}
