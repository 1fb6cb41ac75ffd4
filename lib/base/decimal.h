/* SPDX-License-Identifier: Apache-2.0 */
/* Exact decimals: a 128-bit coefficient and a scale. Up to 38 digits, up to 37 of them after the point (CHECKS.md
 * part 4). Nothing is ever rounded silently: what does not fit is refused. */
#ifndef MU_DECIMAL_H
#define MU_DECIMAL_H

#include "base/base.h"

#define MU_DECIMAL_MAX 48

__extension__ typedef __int128 mu_i128;

struct mu_decimal {
    mu_i128 coefficient;
    int scale; /* digits after the point, 0..37 */
};

/* xs:decimal: optional sign, digits, optional point ("+1", "-0", ".5", "5." are fine; "1e3", "1,000", "" not).
 * Scale is as written, so that fits() and currency checks can see it. False: not readable or beyond 38 digits. */
MU_MUST bool mu_decimal_parse(struct mu_span text, struct mu_decimal *out);
/* Canonical: no exponent, no trailing zeros, "0" for zero. */
void mu_decimal_format(struct mu_decimal d, char out[MU_DECIMAL_MAX]);
int mu_decimal_compare(struct mu_decimal a, struct mu_decimal b); /* by value: 1.0 equals 1 */
/* False: the exact result has more than 38 digits, or a division by zero. */
MU_MUST bool mu_decimal_add(struct mu_decimal a, struct mu_decimal b, struct mu_decimal *out);
MU_MUST bool mu_decimal_subtract(struct mu_decimal a, struct mu_decimal b, struct mu_decimal *out);
MU_MUST bool mu_decimal_multiply(struct mu_decimal a, struct mu_decimal b, struct mu_decimal *out);
/* Rounded to 18 decimals, half away from zero, as PostgreSQL's round. */
MU_MUST bool mu_decimal_divide(struct mu_decimal a, struct mu_decimal b, struct mu_decimal *out);
/* The dividend's sign. */
MU_MUST bool mu_decimal_remainder(struct mu_decimal a, struct mu_decimal b, struct mu_decimal *out);
/* A whole number within [min, max], however many zeros it has after its point. */
MU_MUST bool mu_decimal_whole(struct mu_decimal d, int64_t min, int64_t max, int64_t *out);
/* To at most `digits` decimals (0..37), half away from zero. */
struct mu_decimal mu_decimal_round(struct mu_decimal d, int digits);
struct mu_decimal mu_decimal_normal(struct mu_decimal d); /* trailing zeros dropped */

#endif
