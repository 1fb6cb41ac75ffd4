/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/expr/token.h"

#define NAME_MAX_BYTES 63

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool goes_on(char c)
{
    return is_lower(c) || is_digit(c) || c == '_';
}

static struct token found(enum token_kind kind, struct mu_span text, size_t at, size_t end)
{
    return (struct token){.kind = kind, .text = mu_span(text.at + at, end - at)};
}

static struct token wrong(struct mu_span text, size_t at, size_t end, const char *why)
{
    struct token t = found(TOKEN_WRONG, text, at, end);
    t.wrong = why;
    return t;
}

static bool is_reserved(struct mu_span name)
{
    static const char *const words[] = {"or",   "and",   "not",     "in",       "true",
                                        "false", "missing", "date", "timestamp"};
    for (size_t i = 0; i < MU_COUNT(words); i++)
        if (mu_span_is(name, words[i]))
            return true;
    return false;
}

static struct token name_at(struct mu_span text, size_t at)
{
    size_t end = at;
    while (end < text.len && goes_on(text.at[end]))
        end++;
    if (end - at > NAME_MAX_BYTES)
        return wrong(text, at, end, "a name of more than 63 characters");
    const struct mu_span name = mu_span(text.at + at, end - at);
    return found(is_reserved(name) ? TOKEN_WORD : TOKEN_NAME, text, at, end);
}

static size_t digits_from(struct mu_span text, size_t at)
{
    while (at < text.len && is_digit(text.at[at]))
        at++;
    return at;
}

static struct token number_at(struct mu_span text, size_t at)
{
    static const char *const units[] = {"d", "h", "min", "s"};
    size_t end = digits_from(text, at);
    if (end < text.len && text.at[end] == '.') {
        const size_t point = end;
        end = digits_from(text, point + 1);
        if (end == point + 1)
            return wrong(text, at, end, "a number that ends in its point");
        if (end < text.len && (goes_on(text.at[end]) || text.at[end] == '.'))
            return wrong(text, at, end + 1, "a number that goes on in letters");
        return found(TOKEN_DECIMAL, text, at, end);
    }
    size_t unit = end;
    while (end < text.len && goes_on(text.at[end]))
        end++;
    if (unit == end)
        return found(TOKEN_DECIMAL, text, at, end);
    for (size_t i = 0; i < MU_COUNT(units); i++)
        if (mu_span_is(mu_span(text.at + unit, end - unit), units[i]))
            return found(TOKEN_DURATION, text, at, end);
    return wrong(text, at, end, "neither a number nor a duration (30d, 24h, 5min, 10s)");
}

static struct token text_at(struct mu_span text, size_t at)
{
    for (size_t end = at + 1; end < text.len; end++) {
        if (text.at[end] != '\'')
            continue;
        if (end + 1 < text.len && text.at[end + 1] == '\'')
            end++;
        else
            return found(TOKEN_TEXT, text, at, end + 1);
    }
    return wrong(text, at, text.len, "a text whose closing quote is missing");
}

static struct token sign_at(struct mu_span text, size_t at)
{
    static const char *const two[] = {"!=", "<=", ">=", "||"};
    for (size_t i = 0; i < MU_COUNT(two) && at + 2 <= text.len; i++)
        if (memcmp(text.at + at, two[i], 2) == 0)
            return found(TOKEN_SIGN, text, at, at + 2);
    if (strchr("=<>+-*/%(),:", text.at[at]))
        return found(TOKEN_SIGN, text, at, at + 1);
    if (text.at[at] == '"')
        return wrong(text, at, at + 1, "a double quote; texts stand in single quotes");
    if (text.at[at] >= 'A' && text.at[at] <= 'Z')
        return wrong(text, at, at + 1, "a capital letter; names are lower case, texts stand in quotes");
    return wrong(text, at, at + 1, "a character that the language does not know");
}

struct token token_at(struct mu_span text, size_t at)
{
    while (at < text.len && (text.at[at] == ' ' || text.at[at] == '\t' || text.at[at] == '\n' ||
                             text.at[at] == '\r'))
        at++;
    if (at == text.len)
        return found(TOKEN_END, text, at, at);
    const char c = text.at[at];
    if (c == '\0')
        return wrong(text, at, at + 1, "a NUL byte");
    if (is_lower(c))
        return name_at(text, at);
    if (is_digit(c))
        return number_at(text, at);
    return c == '\'' ? text_at(text, at) : sign_at(text, at);
}
