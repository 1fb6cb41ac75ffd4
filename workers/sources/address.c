/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/address.h"

#include <netinet/in.h>

struct range {
    uint32_t network;
    int bits;
};
/* The IPv4 special-purpose registry (RFC 6890), multicast and what lies above it. */
static const struct range not_public[] = {
    {0x00000000, 8},  /* this network */
    {0x0a000000, 8},  /* private */
    {0x64400000, 10}, /* shared, behind carriers' translators */
    {0x7f000000, 8},  /* loopback */
    {0xa9fe0000, 16}, /* link-local, and the metadata services of clouds */
    {0xac100000, 12}, /* private */
    {0xc0000000, 24}, /* protocol assignments */
    {0xc0000200, 24}, /* documentation */
    {0xc0586300, 24}, /* relays of 6to4 */
    {0xc0a80000, 16}, /* private */
    {0xc6120000, 15}, /* benchmarks */
    {0xc6336400, 24}, /* documentation */
    {0xcb007100, 24}, /* documentation */
    {0xe0000000, 3},  /* multicast, reserved, broadcast */
};

static bool is_public4(uint32_t a)
{
    for (size_t i = 0; i < MU_COUNT(not_public); i++)
        if ((a ^ not_public[i].network) >> (32 - not_public[i].bits) == 0)
            return false;
    return true;
}

static uint32_t four(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Only 2000::/3 has been given out, less documentation and what carries IPv4 along; translators to IPv4 have
 * a prefix of their own. */
static bool is_public6(const uint8_t b[16])
{
    static const uint8_t translated[12] = {0x00, 0x64, 0xff, 0x9b};
    if (memcmp(b, translated, sizeof(translated)) == 0)
        return is_public4(four(b + 12));
    if (b[0] >> 5 != 1)
        return false;
    const uint32_t first = four(b);
    if (first >> 16 == 0x2002) /* 6to4 */
        return is_public4(four(b + 2));
    return first >> 9 != 0x20010000 >> 9 && /* protocol assignments, Teredo among them */
           first != 0x20010db8 && first >> 12 != 0x3fff0000 >> 12; /* documentation */
}

bool mu_address_is_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof(in));
        return is_public4(ntohl(in.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, address, sizeof(in));
        return is_public6(in.sin6_addr.s6_addr);
    }
    return false;
}
