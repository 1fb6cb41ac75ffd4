/* SPDX-License-Identifier: Apache-2.0 */
/* Truth in three values and `invalid`, choice, and comparison. */
#include "engine/expr/function.h"

static bool is_truth(const struct mu_xvalue *v, bool truth)
{
    return v->state == MU_VALUE_TEXT && v->truth == truth;
}

/* `decides` is what one operand alone makes of the whole: false of `and`, true of `or`. */
static void join(const struct mu_op *op, struct mu_frame *f, bool decides, struct mu_xvalue *out)
{
    const struct mu_xvalue *a = mu_eval(op->args[0], f);
    if (is_truth(a, decides)) {
        mu_give_bool(out, decides);
        return;
    }
    const struct mu_xvalue *b = mu_eval(op->args[1], f);
    if (is_truth(b, decides))
        mu_give_bool(out, decides);
    else if (a->state == MU_VALUE_INVALID || b->state == MU_VALUE_INVALID)
        out->state = MU_VALUE_INVALID;
    else if (a->state == MU_VALUE_MISSING || b->state == MU_VALUE_MISSING)
        out->state = MU_VALUE_MISSING;
    else
        mu_give_bool(out, !decides);
}

void mu_run_and(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    join(op, f, false, out);
}

void mu_run_or(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    join(op, f, true, out);
}

void mu_run_not(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    if (mu_operands(op, f, a, out))
        out->truth = !a[0]->truth;
}

void mu_run_if(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *condition = mu_eval(op->args[0], f);
    if (condition->state != MU_VALUE_TEXT)
        out->state = condition->state;
    else
        *out = *mu_eval(op->args[condition->truth ? 1 : 2], f);
}

/* The first that is not missing: an invalid value is no gap that another could fill. */
void mu_run_coalesce(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    out->state = MU_VALUE_MISSING;
    for (size_t i = 0; i < op->arg_count && out->state == MU_VALUE_MISSING; i++)
        *out = *mu_eval(op->args[i], f);
}

void mu_run_is_missing(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    mu_give_bool(out, mu_eval(op->args[0], f)->state == MU_VALUE_MISSING);
}

void mu_run_is_invalid(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    mu_give_bool(out, mu_eval(op->args[0], f)->state == MU_VALUE_INVALID);
}

/* False: *out is already given. */
static bool compared(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out, int *order)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    if (!mu_operands(op, f, a, out))
        return false;
    *order = mu_xvalue_compare(op->operand, a[0], a[1]);
    return true;
}

void mu_run_equal(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    if (mu_operands(op, f, a, out))
        out->truth = mu_xvalue_equal(op->operand, a[0], a[1]);
}

void mu_run_unequal(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    if (mu_operands(op, f, a, out))
        out->truth = !mu_xvalue_equal(op->operand, a[0], a[1]);
}

void mu_run_less(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    int order;
    if (compared(op, f, out, &order))
        out->truth = order < 0;
}

void mu_run_less_equal(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    int order;
    if (compared(op, f, out, &order))
        out->truth = order <= 0;
}

void mu_run_greater(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    int order;
    if (compared(op, f, out, &order))
        out->truth = order > 0;
}

void mu_run_greater_equal(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    int order;
    if (compared(op, f, out, &order))
        out->truth = order >= 0;
}

/* Of any number of operands, so without an array of them: what is missing or invalid rules, as everywhere. */
static bool all_present(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    enum mu_value_state worst = MU_VALUE_TEXT;
    for (size_t i = 0; i < op->arg_count; i++) {
        const enum mu_value_state state = mu_eval(op->args[i], f)->state;
        if (state == MU_VALUE_INVALID || (state == MU_VALUE_MISSING && worst == MU_VALUE_TEXT))
            worst = state;
    }
    out->state = worst;
    return worst == MU_VALUE_TEXT;
}

void mu_run_in(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    if (!all_present(op, f, out))
        return;
    const struct mu_xvalue *what = mu_eval(op->args[0], f);
    bool found = false;
    for (size_t i = 1; i < op->arg_count && !found; i++)
        found = mu_xvalue_equal(op->operand, what, mu_eval(op->args[i], f));
    out->truth = found;
}

static void extreme(const struct mu_op *op, struct mu_frame *f, int sign, struct mu_xvalue *out)
{
    if (!all_present(op, f, out))
        return;
    const struct mu_xvalue *best = mu_eval(op->args[0], f);
    for (size_t i = 1; i < op->arg_count; i++) {
        const struct mu_xvalue *other = mu_eval(op->args[i], f);
        if (mu_xvalue_compare(op->operand, other, best) * sign > 0)
            best = other;
    }
    *out = *best;
}

void mu_run_least(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    extreme(op, f, -1, out);
}

void mu_run_greatest(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    extreme(op, f, 1, out);
}
