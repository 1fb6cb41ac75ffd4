/* SPDX-License-Identifier: Apache-2.0 */
/* Exact decimals. What has no exact result within 38 digits is invalid, never rounded; a quotient is rounded to
 * 18 decimals. */
#include "engine/expr/function.h"

typedef bool arithmetic(struct mu_decimal a, struct mu_decimal b, struct mu_decimal *out);

static void calculate(const struct mu_op *op, struct mu_frame *f, arithmetic *with, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    if (mu_operands(op, f, a, out) && !with(a[0]->decimal, a[1]->decimal, &out->decimal))
        out->state = MU_VALUE_INVALID;
}

void mu_run_add(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    calculate(op, f, mu_decimal_add, out);
}

void mu_run_subtract(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    calculate(op, f, mu_decimal_subtract, out);
}

void mu_run_multiply(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    calculate(op, f, mu_decimal_multiply, out);
}

void mu_run_divide(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    calculate(op, f, mu_decimal_divide, out);
}

void mu_run_remainder(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    calculate(op, f, mu_decimal_remainder, out);
}

void mu_run_negate(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    if (!mu_operands(op, f, a, out))
        return;
    out->decimal = a[0]->decimal;
    out->decimal.coefficient = -out->decimal.coefficient;
}

void mu_run_abs(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    if (!mu_operands(op, f, a, out))
        return;
    out->decimal = a[0]->decimal;
    if (out->decimal.coefficient < 0)
        out->decimal.coefficient = -out->decimal.coefficient;
}

void mu_run_round(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    int64_t digits;
    if (!mu_operands(op, f, a, out))
        return;
    if (mu_decimal_whole(a[1]->decimal, 0, 37, &digits))
        out->decimal = mu_decimal_round(a[0]->decimal, (int)digits);
    else
        out->state = MU_VALUE_INVALID;
}

void mu_run_scale(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    if (mu_operands(op, f, a, out))
        out->decimal = (struct mu_decimal){a[0]->decimal.scale, 0};
}

void mu_run_fits(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    int64_t total, decimals, integer_digits = 0;
    if (!mu_operands(op, f, a, out))
        return;
    if (!mu_decimal_whole(a[1]->decimal, 1, 38, &total) || !mu_decimal_whole(a[2]->decimal, 0, 37, &decimals)) {
        out->state = MU_VALUE_INVALID;
        return;
    }
    const struct mu_decimal d = a[0]->decimal;
    mu_i128 rest = d.coefficient < 0 ? -d.coefficient : d.coefficient;
    for (int i = 0; i < d.scale; i++)
        rest /= 10;
    for (; rest > 0; rest /= 10)
        integer_digits++;
    out->truth = d.scale <= decimals && integer_digits + d.scale <= total;
}

void mu_run_to_decimal(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    if (mu_operands(op, f, a, out) && !mu_decimal_parse(a[0]->text, &out->decimal))
        out->state = MU_VALUE_INVALID;
}

void mu_run_len(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    if (!mu_operands(op, f, a, out))
        return;
    int64_t points = 0;
    for (size_t i = 0; i < a[0]->text.len; i++)
        points += ((unsigned char)a[0]->text.at[i] & 0xC0) != 0x80;
    out->decimal = (struct mu_decimal){points, 0};
}
