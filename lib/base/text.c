/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <assert.h>
#include <stdarg.h>

#define DEFAULT_CEILING ((size_t)64 << 20)

/* Room for `more` bytes and the NUL behind them, when there is not enough. */
static bool grow(struct mu_text *t, size_t more)
{
    size_t ceiling = t->ceiling ? t->ceiling : DEFAULT_CEILING;
    if (more > ceiling || t->len > ceiling - more) {
        t->failed = true;
        return false;
    }
    size_t need = t->len + more + 1, size = t->size ? t->size : 64;
    while (size < need)
        size *= 2;
    if (size > ceiling + 1) /* memory that it has, it may use */
        size = ceiling + 1;
    char *at = realloc(t->at, size);
    if (!at) {
        t->failed = true;
        return false;
    }
    t->at = at;
    t->size = size;
    return true;
}

static inline bool reserve(struct mu_text *t, size_t more)
{
    return !t->failed && (more < t->size - t->len || grow(t, more));
}

void mu_text_add(struct mu_text *t, struct mu_span bytes)
{
    if (!reserve(t, bytes.len))
        return;
    if (bytes.len)
        memcpy(t->at + t->len, bytes.at, bytes.len);
    t->len += bytes.len;
    t->at[t->len] = '\0';
}

void mu_text_puts(struct mu_text *t, const char *text)
{
    mu_text_add(t, mu_span_of(text));
}

void mu_text_putc(struct mu_text *t, char c)
{
    if (!reserve(t, 1))
        return;
    t->at[t->len++] = c;
    t->at[t->len] = '\0';
}

void mu_text_addf(struct mu_text *t, const char *fmt, ...)
{
    va_list args;
    size_t room = t->size - t->len;
    va_start(args, fmt);
    int need = vsnprintf(room ? t->at + t->len : NULL, room, fmt, args); /* mostly it fits */
    va_end(args);
    if (need < 0 || !reserve(t, (size_t)need)) {
        t->failed = true;
        if (room)
            t->at[t->len] = '\0';
        return;
    }
    if ((size_t)need >= room) {
        va_start(args, fmt);
        vsnprintf(t->at + t->len, (size_t)need + 1, fmt, args);
        va_end(args);
    }
    t->len += (size_t)need;
}

void mu_text_add_u64(struct mu_text *t, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    mu_text_add(t, mu_span(digits + at, sizeof(digits) - at));
}

void mu_text_add_i64(struct mu_text *t, int64_t value)
{
    if (value < 0)
        mu_text_putc(t, '-');
    mu_text_add_u64(t, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void mu_text_add_hex(struct mu_text *t, const void *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = bytes;
    if (!reserve(t, len * 2))
        return;
    for (size_t i = 0; i < len; i++) {
        t->at[t->len++] = digits[from[i] >> 4];
        t->at[t->len++] = digits[from[i] & 15];
    }
    t->at[t->len] = '\0';
}

/* Length of the UTF-8 sequence at `at`, or 0 if there is none (overlong, surrogate, cut, beyond U+10FFFF). */
static size_t utf8_length(const uint8_t *at, size_t left)
{
    uint8_t c = at[0];
    if (c < 0x80)
        return 1;
    if (c < 0xC2 || c > 0xF4)
        return 0;
    size_t len = c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    if (left < len)
        return 0;
    uint8_t least = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    uint8_t most = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    if (at[1] < least || at[1] > most)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    return len;
}

bool mu_utf8_valid(struct mu_span bytes, size_t *bad)
{
    const uint8_t *at = (const uint8_t *)bytes.at;
    size_t i = 0;
    while (i < bytes.len) {
        uint64_t eight;
        if (bytes.len - i >= sizeof(eight)) {
            memcpy(&eight, at + i, sizeof(eight));
            if (!(eight & UINT64_C(0x8080808080808080))) {
                i += sizeof(eight);
                continue;
            }
        }
        size_t len = utf8_length(at + i, bytes.len - i);
        if (!len) {
            if (bad)
                *bad = i;
            return false;
        }
        i += len;
    }
    return true;
}

static void add_escaped(struct mu_text *t, uint8_t c)
{
    static const char short_form[32] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    if (c == '"' || c == '\\') {
        mu_text_putc(t, '\\');
        mu_text_putc(t, (char)c);
    } else if (short_form[c]) {
        mu_text_putc(t, '\\');
        mu_text_putc(t, short_form[c]);
    } else {
        mu_text_puts(t, "\\u00");
        mu_text_add_hex(t, &c, 1);
    }
}

static inline bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

void mu_text_add_json(struct mu_text *t, struct mu_span bytes)
{
    const uint8_t *at = (const uint8_t *)bytes.at;
    size_t plain = 0; /* start of what can be copied as it is */
    mu_text_putc(t, '"');
    for (size_t i = 0; i < bytes.len;) {
        if (is_plain(at[i])) {
            i++;
            continue;
        }
        size_t len = utf8_length(at + i, bytes.len - i);
        if (len > 1) {
            i += len;
            continue;
        }
        mu_text_add(t, mu_span(bytes.at + plain, i - plain));
        if (len == 1)
            add_escaped(t, at[i]);
        else
            mu_text_puts(t, "\xef\xbf\xbd");
        plain = ++i;
    }
    if (bytes.len > plain)
        mu_text_add(t, mu_span(bytes.at + plain, bytes.len - plain));
    mu_text_putc(t, '"');
}

void mu_text_reset(struct mu_text *t)
{
    t->failed = false;
    mu_text_cut(t, 0);
}

void mu_text_cut(struct mu_text *t, size_t len)
{
    assert(len <= t->len);
    t->len = len;
    if (t->at)
        t->at[len] = '\0';
}

bool mu_text_ok(const struct mu_text *t, struct mu_error *err)
{
    if (!t->failed)
        return true;
    return mu_fail_code(err, MU_REJECTED, "too_large", "text beyond %zu bytes, or out of memory",
                        t->ceiling ? t->ceiling : DEFAULT_CEILING);
}

struct mu_span mu_text_span(const struct mu_text *t)
{
    return mu_span(t->at ? t->at : "", t->len);
}

void mu_text_free(struct mu_text *t)
{
    if (!t)
        return;
    free(t->at);
    *t = (struct mu_text){.ceiling = t->ceiling};
}

bool mu_parse_i64(struct mu_span text, int64_t min, int64_t max, int64_t *out)
{
    bool negative = text.len > 1 && text.at[0] == '-';
    size_t i = negative;
    int64_t value = 0;
    if (text.len == i)
        return false;
    for (; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        int digit = text.at[i] - '0';
        /* downwards, since there is one more negative number than positive ones */
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, digit, &value))
            return false;
    }
    if (!negative && __builtin_sub_overflow(0, value, &value))
        return false;
    if (value < min || value > max)
        return false;
    *out = value;
    return true;
}
