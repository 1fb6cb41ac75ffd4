/* SPDX-License-Identifier: Apache-2.0 */
/* EVP digests cannot be saved, so this one file uses the interface that OpenSSL 3 marks as deprecated: its context
 * is a plain structure, and it runs the same assembly. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/digest.h"

#include <openssl/sha.h>

_Static_assert(sizeof(SHA256_CTX) == sizeof(((struct mu_sha *)0)->opaque), "mu_sha must hold a SHA256_CTX");
_Static_assert(_Alignof(SHA256_CTX) <= _Alignof(struct mu_sha), "mu_sha must be aligned for a SHA256_CTX");

static SHA256_CTX *ctx(struct mu_sha *sha)
{
    return (SHA256_CTX *)(void *)sha->opaque;
}

void mu_sha_init(struct mu_sha *sha)
{
    memset(sha, 0, sizeof(*sha));
    SHA256_Init(ctx(sha));
}

void mu_sha_add(struct mu_sha *sha, struct mu_span bytes)
{
    if (bytes.len)
        SHA256_Update(ctx(sha), bytes.at, bytes.len);
}

struct mu_span mu_member_length(char room[24], size_t len)
{
    size_t at = 24;
    room[--at] = ':';
    do {
        room[--at] = (char)('0' + len % 10);
        len /= 10;
    } while (len);
    return mu_span(room + at, 24 - at);
}

void mu_sha_member(struct mu_sha *sha, struct mu_span bytes)
{
    char room[24];
    mu_sha_add(sha, mu_member_length(room, bytes.len));
    mu_sha_add(sha, bytes);
}

struct mu_digest mu_sha_end(const struct mu_sha *sha)
{
    struct mu_sha copy = *sha;
    struct mu_digest out;
    SHA256_Final(out.b, ctx(&copy));
    return out;
}

static void put_hex(char **to, const uint8_t *bytes, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        *(*to)++ = hex[bytes[i] >> 4];
        *(*to)++ = hex[bytes[i] & 15];
    }
    **to = '\0';
}

/* Value of a digit plus 1; 0: none. Lower case only: there is one form. */
static const uint8_t hex_digits[256] = {
    ['0'] = 1, ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9, ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16};

static bool take_hex(struct mu_span hex, uint8_t *out, size_t len)
{
    if (hex.len != len * 2)
        return false;
    for (size_t i = 0; i < len; i++) {
        uint8_t high = hex_digits[(uint8_t)hex.at[2 * i]], low = hex_digits[(uint8_t)hex.at[2 * i + 1]];
        if (!high || !low)
            return false;
        out[i] = (uint8_t)((high - 1) << 4 | (low - 1));
    }
    return true;
}

/* Saved form: the eight words big-endian, the count of bytes, then the bytes of the block begun: independent of
 * word order and of what libcrypto keeps beside it. */
void mu_sha_save(const struct mu_sha *sha, char out[MU_SHA_STATE_MAX])
{
    struct mu_sha copy = *sha;
    const SHA256_CTX *c = ctx(&copy);
    uint64_t bytes = ((uint64_t)c->Nh << 32 | c->Nl) / 8;
    uint8_t head[40];
    for (int i = 0; i < 8; i++)
        for (int k = 0; k < 4; k++)
            head[i * 4 + k] = (uint8_t)(c->h[i] >> (24 - 8 * k));
    for (int k = 0; k < 8; k++)
        head[32 + k] = (uint8_t)(bytes >> (56 - 8 * k));
    char *to = out;
    put_hex(&to, head, sizeof(head));
    put_hex(&to, (const uint8_t *)c->data, c->num);
}

bool mu_sha_restore(struct mu_sha *sha, struct mu_span saved)
{
    uint8_t head[40], rest[64];
    uint64_t bytes = 0;
    if (saved.len < 80 || !take_hex(mu_span(saved.at, 80), head, sizeof(head)))
        return false;
    for (int k = 0; k < 8; k++)
        bytes = bytes << 8 | head[32 + k];
    size_t partial = bytes % 64;
    if (!take_hex(mu_span(saved.at + 80, saved.len - 80), rest, partial))
        return false;
    mu_sha_init(sha);
    SHA256_CTX *c = ctx(sha);
    for (int i = 0; i < 8; i++)
        c->h[i] = (SHA_LONG)head[i * 4] << 24 | (SHA_LONG)head[i * 4 + 1] << 16 | (SHA_LONG)head[i * 4 + 2] << 8 |
                  head[i * 4 + 3];
    c->Nl = (SHA_LONG)(bytes * 8);
    c->Nh = (SHA_LONG)(bytes * 8 >> 32);
    c->num = (unsigned)partial;
    memcpy(c->data, rest, partial);
    return true;
}

struct mu_digest mu_digest_of(struct mu_span bytes)
{
    struct mu_sha sha;
    mu_sha_init(&sha);
    mu_sha_add(&sha, bytes);
    return mu_sha_end(&sha);
}

void mu_digest_format(const struct mu_digest *d, char out[MU_DIGEST_HEX])
{
    char *to = out;
    put_hex(&to, d->b, sizeof(d->b));
}

bool mu_digest_parse(struct mu_span hex, struct mu_digest *out)
{
    struct mu_digest d;
    if (!take_hex(hex, d.b, sizeof(d.b)))
        return false;
    *out = d;
    return true;
}

bool mu_digest_equal(const struct mu_digest *a, const struct mu_digest *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}
