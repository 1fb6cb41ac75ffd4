/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/readers/encoding.h"

#include <strings.h>

static const struct {
    const char *name;
    enum encoding encoding;
} names[] = {{"utf-8", ENCODING_UTF8},        {"utf8", ENCODING_UTF8},     {"us-ascii", ENCODING_UTF8},
             {"iso-8859-1", ENCODING_LATIN1}, {"latin1", ENCODING_LATIN1}, {"windows-1252", ENCODING_CP1252},
             {"cp1252", ENCODING_CP1252}};

/* 0x80 to 0x9F; 0: not defined. The rest is as in ISO 8859-1. */
static const uint16_t cp1252[32] = {0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                    0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0,      0x017D, 0,
                                    0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                    0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

bool encoding_parse(struct mu_span name, enum encoding *out)
{
    for (size_t i = 0; i < MU_COUNT(names); i++) {
        if (name.len != strlen(names[i].name) || strncasecmp(name.at, names[i].name, name.len) != 0)
            continue;
        *out = names[i].encoding;
        return true;
    }
    return false;
}

const char *encoding_name(enum encoding e)
{
    static const char *const of[] = {
        [ENCODING_UTF8] = "UTF-8", [ENCODING_LATIN1] = "ISO-8859-1", [ENCODING_CP1252] = "windows-1252"};
    return of[e];
}

int encoding_code(enum encoding e, unsigned char byte)
{
    if (e != ENCODING_CP1252 || byte < 0x80 || byte >= 0xA0)
        return byte;
    return cp1252[byte - 0x80] ? cp1252[byte - 0x80] : -1;
}

bool encoding_valid(enum encoding e, struct mu_span bytes, size_t *bad)
{
    if (e == ENCODING_UTF8)
        return mu_utf8_valid(bytes, bad);
    for (size_t i = 0; i < bytes.len; i++) {
        if (encoding_code(e, (unsigned char)bytes.at[i]) >= 0)
            continue;
        *bad = i;
        return false;
    }
    return true;
}

const char *encoding_fault(enum encoding e)
{
    return e == ENCODING_UTF8 ? "invalid UTF-8" : "a byte that windows-1252 does not define";
}

size_t encoding_decode(enum encoding e, struct mu_span bytes, char *to)
{
    size_t len = 0;
    if (e == ENCODING_UTF8) {
        memcpy(to, bytes.at, bytes.len);
        return bytes.len;
    }
    for (size_t i = 0; i < bytes.len; i++)
        len += encoding_put_utf8(to + len, (uint32_t)encoding_code(e, (unsigned char)bytes.at[i]));
    return len;
}

/* The code point at *at of valid UTF-8; *at is moved behind it. */
static uint32_t take_utf8(struct mu_span text, size_t *at)
{
    const unsigned char first = (unsigned char)text.at[*at];
    const size_t more = first < 0x80 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
    uint32_t code = more ? first & (0x3FU >> more) : first;
    for (size_t i = 1; i <= more; i++)
        code = code << 6 | ((unsigned char)text.at[*at + i] & 0x3F);
    *at += more + 1;
    return code;
}

static int byte_of(enum encoding e, uint32_t code)
{
    for (int byte = 0x80; byte < 0x100; byte++)
        if (encoding_code(e, (unsigned char)byte) == (int)code)
            return byte;
    return -1;
}

bool encoding_encode(enum encoding e, struct mu_span utf8, struct mu_text *to)
{
    if (e == ENCODING_UTF8) {
        mu_text_add(to, utf8);
        return true;
    }
    for (size_t at = 0; at < utf8.len;) {
        const uint32_t code = take_utf8(utf8, &at);
        const int byte = code < 0x80 ? (int)code : byte_of(e, code);
        if (byte < 0)
            return false;
        mu_text_putc(to, (char)byte);
    }
    return true;
}

size_t encoding_put_utf8(char *to, uint32_t code)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (char)(0xC0 | code >> 6);
        to[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        to[0] = (char)(0xE0 | code >> 12);
        to[1] = (char)(0x80 | (code >> 6 & 0x3F));
        to[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    to[0] = (char)(0xF0 | code >> 18);
    to[1] = (char)(0x80 | (code >> 12 & 0x3F));
    to[2] = (char)(0x80 | (code >> 6 & 0x3F));
    to[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}
