/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/readers/json_text.h"
#include "engine/readers/encoding.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

size_t json_string_end(struct mu_span bytes, size_t at, bool *escapes, bool *beyond_ascii)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), low = _mm_set1_epi8(0x1F);
    while (bytes.len - at >= 16) {
        const __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(bytes.at + at));
        const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(x, low), x);
        const __m128i stop =
            _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpeq_epi8(x, slash)), control);
        const unsigned stops = (unsigned)_mm_movemask_epi8(stop), odd = (unsigned)_mm_movemask_epi8(x);
        if (!stops) {
            *beyond_ascii |= odd != 0;
            at += 16;
            continue;
        }
        const unsigned k = (unsigned)__builtin_ctz(stops);
        *beyond_ascii |= (odd & ((1U << k) - 1)) != 0;
        at += k;
        if (bytes.at[at] != '\\')
            return at;
        *escapes = true;
        at += 2;
        if (at > bytes.len)
            return bytes.len;
        *beyond_ascii |= (unsigned char)bytes.at[at - 1] >= 0x80;
    }
#endif
    for (; at < bytes.len; at++) {
        const unsigned char c = (unsigned char)bytes.at[at];
        if (c == '"' || c < 0x20)
            return at;
        if (c == '\\') {
            *escapes = true;
            if (++at == bytes.len)
                return at;
        }
        *beyond_ascii |= (unsigned char)bytes.at[at] >= 0x80;
    }
    return bytes.len;
}

static size_t run_of_digits(struct mu_span bytes, size_t at)
{
    const size_t from = at;
    while (at < bytes.len && bytes.at[at] >= '0' && bytes.at[at] <= '9')
        at++;
    return at - from;
}

size_t json_number(struct mu_span bytes, size_t from)
{
    size_t at = from, digits;
    if (at < bytes.len && bytes.at[at] == '-')
        at++;
    const bool zero = at < bytes.len && bytes.at[at] == '0';
    digits = run_of_digits(bytes, at);
    at += digits;
    if (at == bytes.len)
        return at - from;
    if (!digits || (zero && digits > 1))
        return 0;
    if (bytes.at[at] == '.') {
        digits = run_of_digits(bytes, ++at);
        at += digits;
        if (!digits && at < bytes.len)
            return 0;
    }
    if (at < bytes.len && (bytes.at[at] == 'e' || bytes.at[at] == 'E')) {
        at++;
        if (at < bytes.len && (bytes.at[at] == '+' || bytes.at[at] == '-'))
            at++;
        digits = run_of_digits(bytes, at);
        at += digits;
        if (!digits && at < bytes.len)
            return 0;
    }
    return at - from;
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool hex4(struct mu_span text, size_t at, uint32_t *out)
{
    uint32_t code = 0;
    if (text.len < at + 4)
        return false;
    for (size_t i = 0; i < 4; i++) {
        const int digit = hex(text.at[at + i]);
        if (digit < 0)
            return false;
        code = code << 4 | (uint32_t)digit;
    }
    *out = code;
    return true;
}

/* The code point of \uXXXX at raw.at[*at] == 'u', or of two of them; *at is moved to the last digit. */
static bool code_point(struct mu_span raw, size_t *at, uint32_t *out)
{
    uint32_t code, low;
    if (!hex4(raw, *at + 1, &code) || code == 0 || (code >= 0xDC00 && code < 0xE000))
        return false;
    *at += 4;
    if (code >= 0xD800 && code < 0xDC00) {
        if (*at + 2 >= raw.len || raw.at[*at + 1] != '\\' || raw.at[*at + 2] != 'u' ||
            !hex4(raw, *at + 3, &low) || low < 0xDC00 || low >= 0xE000)
            return false;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        *at += 6;
    }
    *out = code;
    return true;
}

bool json_unescape(struct mu_span raw, char *to, size_t *len)
{
    static const char written[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    size_t n = 0;
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.at[i] != '\\') {
            to[n++] = raw.at[i];
            continue;
        }
        if (++i == raw.len)
            return false;
        const char *simple = raw.at[i] ? strchr(written, raw.at[i]) : NULL;
        uint32_t code;
        if (simple)
            to[n++] = meant[simple - written];
        else if (raw.at[i] == 'u' && code_point(raw, &i, &code))
            n += encoding_put_utf8(to + n, code);
        else
            return false;
    }
    *len = n;
    return true;
}
