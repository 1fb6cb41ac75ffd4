/* SPDX-License-Identifier: Apache-2.0 */
#include "base/decimal.h"

#define DIGITS_MAX 38
#define SCALE_MAX 37
#define QUOTIENT_SCALE 18

__extension__ typedef unsigned __int128 u128;

/* 256 bits, least significant word first: 10^75, the largest that aligning two decimals can need, has 250. */
struct wide {
    uint64_t w[4];
};

static u128 power10(int n)
{
    u128 p = 1;
    while (n-- > 0)
        p *= 10;
    return p;
}

static u128 magnitude(mu_i128 v)
{
    return v < 0 ? (u128)0 - (u128)v : (u128)v;
}

static struct wide wide_of(u128 v)
{
    return (struct wide){{(uint64_t)v, (uint64_t)(v >> 64), 0, 0}};
}

static struct wide wide_product(u128 a, u128 b)
{
    uint64_t x[2] = {(uint64_t)a, (uint64_t)(a >> 64)}, y[2] = {(uint64_t)b, (uint64_t)(b >> 64)};
    struct wide out = {{0}};
    for (int i = 0; i < 2; i++) {
        u128 carry = 0;
        for (int j = 0; j < 2; j++) {
            carry += (u128)x[i] * y[j] + out.w[i + j];
            out.w[i + j] = (uint64_t)carry;
            carry >>= 64;
        }
        out.w[i + 2] = (uint64_t)carry;
    }
    return out;
}

static struct wide wide_add(struct wide a, struct wide b)
{
    u128 carry = 0;
    for (int i = 0; i < 4; i++) {
        carry += (u128)a.w[i] + b.w[i];
        a.w[i] = (uint64_t)carry;
        carry >>= 64;
    }
    return a;
}

static struct wide wide_subtract(struct wide a, struct wide b)
{
    uint64_t borrow = 0;
    for (int i = 0; i < 4; i++) {
        u128 take = (u128)b.w[i] + borrow;
        borrow = a.w[i] < take;
        a.w[i] = (uint64_t)(a.w[i] - take);
    }
    return a;
}

static int wide_compare(struct wide a, struct wide b)
{
    for (int i = 3; i >= 0; i--) {
        if (a.w[i] != b.w[i])
            return a.w[i] < b.w[i] ? -1 : 1;
    }
    return 0;
}

static struct wide wide_times(struct wide a, uint32_t by)
{
    u128 carry = 0;
    for (int i = 0; i < 4; i++) {
        carry += (u128)a.w[i] * by;
        a.w[i] = (uint64_t)carry;
        carry >>= 64;
    }
    return a;
}

static struct wide wide_tenth(struct wide a, unsigned *remainder)
{
    u128 rest = 0;
    for (int i = 3; i >= 0; i--) {
        rest = rest << 64 | a.w[i];
        a.w[i] = (uint64_t)(rest / 10);
        rest %= 10;
    }
    *remainder = (unsigned)rest;
    return a;
}

/* Bit by bit: 256 rounds. Division is rare, and its operands may use all the bits. */
static struct wide wide_divide(struct wide a, struct wide b, struct wide *remainder)
{
    struct wide quotient = {{0}}, rest = {{0}};
    for (int bit = 255; bit >= 0; bit--) {
        rest = wide_add(rest, rest);
        rest.w[0] |= a.w[bit / 64] >> (bit % 64) & 1;
        if (wide_compare(rest, b) >= 0) {
            rest = wide_subtract(rest, b);
            quotient.w[bit / 64] |= (uint64_t)1 << (bit % 64);
        }
    }
    *remainder = rest;
    return quotient;
}

/* The coefficients of both at the larger scale of the two. */
static int align(struct mu_decimal a, struct mu_decimal b, struct wide *x, struct wide *y)
{
    int scale = a.scale > b.scale ? a.scale : b.scale;
    *x = wide_product(magnitude(a.coefficient), power10(scale - a.scale));
    *y = wide_product(magnitude(b.coefficient), power10(scale - b.scale));
    return scale;
}

/* Trailing zeros after the point are dropped until it fits; false if it does not. */
static bool fit(struct wide v, int scale, bool negative, struct mu_decimal *out)
{
    struct wide limit = wide_of(power10(DIGITS_MAX));
    while (scale > SCALE_MAX || wide_compare(v, limit) >= 0) {
        unsigned digit;
        struct wide tenth = wide_tenth(v, &digit);
        if (digit != 0 || scale == 0)
            return false;
        v = tenth;
        scale--;
    }
    mu_i128 coefficient = (mu_i128)((u128)v.w[1] << 64 | v.w[0]);
    *out = (struct mu_decimal){negative ? -coefficient : coefficient, scale};
    return true;
}

bool mu_decimal_parse(struct mu_span text, struct mu_decimal *out)
{
    size_t at = 0, point = SIZE_MAX, significant = 0, digits = 0;
    bool negative = text.len && text.at[0] == '-';
    if (negative || (text.len && text.at[0] == '+'))
        at++;
    size_t first = at;
    /* trailing zeros after the point may go beyond what fits: they are read as far as they do */
    for (size_t i = at; i < text.len; i++) {
        char c = text.at[i];
        if (c == '.' && point == SIZE_MAX) {
            point = i;
        } else if (c >= '0' && c <= '9') {
            digits++;
            if (c != '0' || point == SIZE_MAX)
                significant = i + 1;
        } else {
            return false;
        }
    }
    if (digits == 0)
        return false;
    const u128 most = power10(DIGITS_MAX - 1); /* from here on there is no room for one more digit */
    u128 value = 0;
    int scale = 0;
    for (size_t i = first; i < text.len; i++) {
        if (i == point)
            continue;
        bool after = point != SIZE_MAX && i > point;
        if (value >= most || (after && scale == SCALE_MAX)) {
            if (i < significant)
                return false;
            break;
        }
        value = value * 10 + (u128)(text.at[i] - '0');
        scale += after;
    }
    *out = (struct mu_decimal){negative ? -(mu_i128)value : (mu_i128)value, scale};
    return true;
}

bool mu_decimal_whole(struct mu_decimal d, int64_t min, int64_t max, int64_t *out)
{
    d = mu_decimal_normal(d);
    if (d.scale != 0 || d.coefficient < min || d.coefficient > max)
        return false;
    *out = (int64_t)d.coefficient;
    return true;
}

struct mu_decimal mu_decimal_round(struct mu_decimal d, int digits)
{
    if (d.scale <= digits)
        return d;
    const u128 unit = power10(d.scale - digits), whole = magnitude(d.coefficient);
    const mu_i128 rounded = (mu_i128)(whole / unit + (whole % unit >= unit - whole % unit));
    return (struct mu_decimal){d.coefficient < 0 ? -rounded : rounded, digits};
}

struct mu_decimal mu_decimal_normal(struct mu_decimal d)
{
    while (d.scale > 0 && d.coefficient % 10 == 0) {
        d.coefficient /= 10;
        d.scale--;
    }
    return d;
}

void mu_decimal_format(struct mu_decimal d, char out[MU_DECIMAL_MAX])
{
    char reversed[MU_DECIMAL_MAX];
    size_t n = 0, at = 0;
    d = mu_decimal_normal(d);
    u128 rest = magnitude(d.coefficient);
    for (int place = 0; rest > 0 || place <= d.scale; place++) {
        if (place > 0 && place == d.scale)
            reversed[n++] = '.';
        reversed[n++] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    }
    if (d.coefficient < 0)
        out[at++] = '-';
    while (n > 0)
        out[at++] = reversed[--n];
    out[at] = '\0';
}

int mu_decimal_compare(struct mu_decimal a, struct mu_decimal b)
{
    if (a.scale == b.scale)
        return (a.coefficient > b.coefficient) - (a.coefficient < b.coefficient);
    if ((a.coefficient < 0) != (b.coefficient < 0))
        return a.coefficient < 0 ? -1 : 1;
    struct wide x, y;
    align(a, b, &x, &y);
    return a.coefficient < 0 ? wide_compare(y, x) : wide_compare(x, y);
}

bool mu_decimal_add(struct mu_decimal a, struct mu_decimal b, struct mu_decimal *out)
{
    struct wide x, y;
    int scale = align(a, b, &x, &y);
    bool negative = a.coefficient < 0;
    if (negative == (b.coefficient < 0))
        return fit(wide_add(x, y), scale, negative, out);
    if (wide_compare(x, y) >= 0)
        return fit(wide_subtract(x, y), scale, negative, out);
    return fit(wide_subtract(y, x), scale, !negative, out);
}

bool mu_decimal_subtract(struct mu_decimal a, struct mu_decimal b, struct mu_decimal *out)
{
    b.coefficient = -b.coefficient;
    return mu_decimal_add(a, b, out);
}

bool mu_decimal_multiply(struct mu_decimal a, struct mu_decimal b, struct mu_decimal *out)
{
    struct wide product = wide_product(magnitude(a.coefficient), magnitude(b.coefficient));
    return fit(product, a.scale + b.scale, (a.coefficient < 0) != (b.coefficient < 0), out);
}

bool mu_decimal_divide(struct mu_decimal a, struct mu_decimal b, struct mu_decimal *out)
{
    struct wide x, y, rest;
    if (b.coefficient == 0)
        return false;
    align(a, b, &x, &y);
    struct wide quotient = wide_divide(x, y, &rest);
    if (wide_compare(quotient, wide_of(power10(DIGITS_MAX))) >= 0)
        return false;
    for (int place = 0; place < QUOTIENT_SCALE; place++) {
        unsigned digit = 0;
        rest = wide_times(rest, 10); /* below 10^76, which still fits */
        for (; wide_compare(rest, y) >= 0; digit++)
            rest = wide_subtract(rest, y);
        quotient = wide_add(wide_times(quotient, 10), wide_of(digit));
    }
    if (wide_compare(wide_add(rest, rest), y) >= 0)
        quotient = wide_add(quotient, wide_of(1));
    return fit(quotient, QUOTIENT_SCALE, (a.coefficient < 0) != (b.coefficient < 0), out);
}

bool mu_decimal_remainder(struct mu_decimal a, struct mu_decimal b, struct mu_decimal *out)
{
    struct wide x, y, rest;
    if (b.coefficient == 0)
        return false;
    int scale = align(a, b, &x, &y);
    wide_divide(x, y, &rest);
    return fit(rest, scale, a.coefficient < 0, out);
}
