/* SPDX-License-Identifier: Apache-2.0 */
/* Decimals as they are done on paper, digit by digit, to tell what lib/base/decimal.c must come to. Slow,
 * without a limit that the values here could reach, and nothing in common with it. A number is sign and
 * digits, with PLACES of them after the point. */
#ifndef MU_SCHOOLBOOK_H
#define MU_SCHOOLBOOK_H

#include "base/base.h"

#define PLACES 80
#define DIGITS 160

struct paper {
    bool negative;
    uint8_t d[DIGITS]; /* the least significant first; d[PLACES] are the ones */
};

static inline int paper_order(const struct paper *a, const struct paper *b) /* without signs */
{
    for (int i = DIGITS - 1; i >= 0; i--)
        if (a->d[i] != b->d[i])
            return a->d[i] < b->d[i] ? -1 : 1;
    return 0;
}

static inline bool paper_is_zero(const struct paper *a)
{
    return paper_order(a, &(struct paper){0}) == 0;
}

static inline int paper_compare(const struct paper *a, const struct paper *b)
{
    if (paper_is_zero(a) && paper_is_zero(b))
        return 0;
    if (a->negative != b->negative)
        return a->negative ? -1 : 1;
    return a->negative ? paper_order(b, a) : paper_order(a, b);
}

static inline struct paper paper_sum_of_sizes(const struct paper *a, const struct paper *b)
{
    struct paper out = {0};
    int carry = 0;
    for (int i = 0; i < DIGITS; i++) {
        carry += a->d[i] + b->d[i];
        out.d[i] = (uint8_t)(carry % 10);
        carry /= 10;
    }
    return out;
}

/* a is not the smaller one. */
static inline struct paper paper_difference_of_sizes(const struct paper *a, const struct paper *b)
{
    struct paper out = {0};
    int borrow = 0;
    for (int i = 0; i < DIGITS; i++) {
        const int digit = a->d[i] - b->d[i] - borrow;
        borrow = digit < 0;
        out.d[i] = (uint8_t)(digit + 10 * borrow);
    }
    return out;
}

static inline struct paper paper_add(struct paper a, struct paper b)
{
    struct paper out;
    if (a.negative == b.negative) {
        out = paper_sum_of_sizes(&a, &b);
        out.negative = a.negative;
    } else if (paper_order(&a, &b) >= 0) {
        out = paper_difference_of_sizes(&a, &b);
        out.negative = a.negative;
    } else {
        out = paper_difference_of_sizes(&b, &a);
        out.negative = b.negative;
    }
    return out;
}

/* The point moves; what falls off an end is lost. */
static inline struct paper paper_shift(struct paper a, int left)
{
    struct paper out = {.negative = a.negative};
    if (left >= 0)
        memcpy(out.d + left, a.d, (size_t)(DIGITS - left));
    else
        memcpy(out.d, a.d - left, (size_t)(DIGITS + left));
    return out;
}

static inline int paper_top(const struct paper *a) /* its first digit; -1: none */
{
    int i = DIGITS - 1;
    while (i >= 0 && !a->d[i])
        i--;
    return i;
}

static inline struct paper paper_multiply(struct paper a, struct paper b)
{
    uint32_t sums[2 * DIGITS] = {0};
    struct paper out = {.negative = a.negative != b.negative};
    uint32_t carry = 0;
    for (int i = 0; i < DIGITS; i++)
        for (int j = 0; a.d[i] && j < DIGITS; j++)
            sums[i + j] += (uint32_t)a.d[i] * b.d[j];
    for (int i = 0; i < DIGITS + PLACES; i++) {
        carry += sums[i];
        if (i >= PLACES)
            out.d[i - PLACES] = (uint8_t)(carry % 10);
        carry /= 10;
    }
    return out;
}

/* Long division by what is not zero, down to `places` after the point; *rest is what is left, with the sign
 * of a. */
static inline struct paper paper_divide(struct paper a, struct paper b, int places, struct paper *rest)
{
    struct paper out = {.negative = a.negative != b.negative};
    for (int at = PLACES + paper_top(&a) - paper_top(&b); at >= PLACES - places; at--) {
        const struct paper part = paper_shift(b, at - PLACES);
        while (at < DIGITS && paper_order(&a, &part) >= 0) {
            const bool negative = a.negative;
            a = paper_difference_of_sizes(&a, &part);
            a.negative = negative;
            out.d[at]++;
        }
    }
    *rest = a;
    return out;
}

static inline struct paper paper_cut(struct paper a, int places)
{
    for (int i = 0; i < PLACES - places; i++)
        a.d[i] = 0;
    return a;
}

/* Half away from zero. */
static inline struct paper paper_round(struct paper a, int places)
{
    const bool up = places < PLACES && a.d[PLACES - places - 1] >= 5;
    struct paper unit = {0};
    a = paper_cut(a, places);
    unit.d[PLACES - places] = 1;
    if (up) {
        const bool negative = a.negative;
        a = paper_sum_of_sizes(&a, &unit);
        a.negative = negative;
    }
    return a;
}

/* Places after the point that are needed; and digits, without leading zeros, that stand before and after it.
 */
static inline int paper_places(const struct paper *a)
{
    int i = 0;
    while (i < PLACES && !a->d[i])
        i++;
    return PLACES - i;
}
static inline int paper_digits(const struct paper *a)
{
    const int digits = paper_top(a) + 1 - (PLACES - paper_places(a));
    return digits > 0 ? digits : 0;
}

/* xs:decimal. False: it is none, or longer than what can be held here. */
static inline bool paper_read(struct mu_span text, struct paper *out)
{
    struct paper p = {0};
    size_t from = 0, point = text.len, digits = 0;
    if (text.len && (text.at[0] == '-' || text.at[0] == '+'))
        p.negative = text.at[from++] == '-';
    for (size_t i = from; i < text.len; i++) {
        if (text.at[i] == '.' && point == text.len)
            point = i;
        else if (text.at[i] >= '0' && text.at[i] <= '9')
            digits++;
        else
            return false;
    }
    if (!digits || point > from + DIGITS - PLACES || (point < text.len && text.len - point - 1 > PLACES))
        return false;
    for (size_t i = from; i < text.len; i++)
        if (i != point)
            p.d[PLACES + (int)point - (int)i - (i < point ? 1 : 0)] = (uint8_t)(text.at[i] - '0');
    *out = p;
    return true;
}

#endif
