/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/readers/json_text.h"
#include "engine/readers/encoding.h"

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
