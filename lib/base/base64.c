/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool mu_base64url_format(struct mu_span bytes, char *out, size_t size)
{
    out[0] = '\0';
    if (bytes.len >= SIZE_MAX / 2 || MU_BASE64_SIZE(bytes.len) > size)
        return false;
    char *to = out;
    for (size_t i = 0; i < bytes.len; i += 3) {
        uint32_t three = 0;
        const size_t left = bytes.len - i < 3 ? bytes.len - i : 3;
        for (size_t k = 0; k < 3; k++)
            three = three << 8 | (k < left ? (unsigned char)bytes.at[i + k] : 0U);
        for (size_t k = 0; k < 4; k++)
            *to++ = k <= left ? digits[three >> (18 - 6 * k) & 63] : '=';
    }
    *to = '\0';
    return true;
}

bool mu_base64url_parse(struct mu_span text, void *out, size_t size)
{
    uint8_t bytes[64];
    size_t made = 0;
    uint32_t bits = 0, held = 0;
    const size_t wanted = (size * 8 + 5) / 6;
    if (text.len == MU_BASE64_SIZE(size) - 1)
        while (text.len > wanted && text.at[text.len - 1] == '=')
            text.len--;
    if (size > sizeof(bytes) || text.len != wanted)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        const char *digit = text.at[i] ? strchr(digits, text.at[i]) : NULL;
        if (!digit)
            return false;
        bits = bits << 6 | (uint32_t)(digit - digits);
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes[made++] = (uint8_t)(bits >> held);
        }
    }
    if (bits & ((1U << held) - 1)) /* there is one spelling */
        return false;
    memcpy(out, bytes, size);
    return true;
}
