/* SPDX-License-Identifier: Apache-2.0 */
#include "format/html.h"

/* One character from the front; 0xFFFD for a byte that begins none. */
static uint32_t take(struct mu_span *rest, struct mu_span *bytes)
{
    const uint8_t *at = (const uint8_t *)rest->at;
    size_t len = at[0] < 0x80 ? 1 : (at[0] & 0xE0) == 0xC0 ? 2 : (at[0] & 0xF0) == 0xE0 ? 3 : (at[0] & 0xF8) == 0xF0 ? 4 : 0;
    size_t bad;
    uint32_t code;
    if (!len || len > rest->len || !mu_utf8_valid(mu_span(rest->at, len), &bad)) {
        len = 1;
        code = 0xFFFD;
    } else {
        code = len == 1 ? at[0] : at[0] & (0x7FU >> len);
        for (size_t i = 1; i < len; i++)
            code = code << 6 | (at[i] & 0x3FU);
    }
    *bytes = mu_span(rest->at, len);
    *rest = mu_span(rest->at + len, rest->len - len);
    return code;
}

/* Characters that are not seen and change what is: controls, directions, joiners, byte order marks, separators of lines. */
static bool is_hidden(uint32_t c)
{
    static const uint32_t ranges[][2] = {{0, 0x1F}, {0x7F, 0x9F}, {0xAD, 0xAD}, {0x61C, 0x61C}, {0x180E, 0x180E}, {0x200B, 0x200F},
                                         {0x2028, 0x202E}, {0x2060, 0x206F}, {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB}, {0xE0000, 0xE007F}};
    for (size_t i = 0; i < MU_COUNT(ranges); i++)
        if (c >= ranges[i][0] && c <= ranges[i][1])
            return true;
    return false;
}

static const char *escape_of(uint32_t c)
{
    return c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : c == '\'' ? "&#39;" : NULL;
}

static void add(struct mu_text *t, struct mu_span rest, bool is_html)
{
    while (rest.len) {
        struct mu_span bytes;
        uint32_t c = take(&rest, &bytes);
        const char *escape = is_html ? escape_of(c) : NULL;
        if (escape)
            mu_text_puts(t, escape);
        else if (c == '\n')
            mu_text_puts(t, "\u23ce");
        else if (is_hidden(c))
            mu_text_addf(t, "\u27e8U+%04X\u27e9", (unsigned)c);
        else if (c == 0xFFFD)
            mu_text_puts(t, "\ufffd");
        else
            mu_text_add(t, bytes);
    }
}

void mu_visible_add(struct mu_text *t, struct mu_span bytes)
{
    add(t, bytes, false);
}

void mu_html_add(struct mu_text *t, struct mu_span bytes)
{
    add(t, bytes, true);
}

void mu_html_puts(struct mu_text *t, const char *text)
{
    add(t, mu_span_of(text), true);
}
