/* SPDX-License-Identifier: Apache-2.0 */
/* Days and moments. What leaves the years 1 to 9999, or a calendar's validity, is invalid. */
#include "base/clock.h"
#include "engine/calendar.h"
#include "engine/expr/function.h"

#define COUNT_MAX 1000000

static void give_day(struct mu_xvalue *out, int64_t day)
{
    if (day < MU_DAY_FIRST || day > MU_DAY_LAST)
        out->state = MU_VALUE_INVALID;
    else
        out->day = (int32_t)day;
}

static void give_time(struct mu_xvalue *out, enum mu_type type, bool fits, int64_t time)
{
    const bool moment = type == MU_TYPE_TIMESTAMP;
    if (!fits || (moment && (time < MU_DAY_FIRST * MU_DAY_US || time >= (MU_DAY_LAST + 1) * MU_DAY_US)))
        out->state = MU_VALUE_INVALID;
    else
        out->time = time;
}

void mu_run_to_date(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    if (mu_operands(op, f, a, out) && !mu_date_parse(a[0]->text, &out->day))
        out->state = MU_VALUE_INVALID;
}

/* Never runs: the linker puts the job's day in its place. */
void mu_run_as_of(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    (void)f;
    *out = op->constant;
}

static void move_day(const struct mu_op *op, struct mu_frame *f, int sign, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    if (!mu_operands(op, f, a, out))
        return;
    if (a[1]->time % MU_DAY_US != 0)
        out->state = MU_VALUE_INVALID; /* a day and a half is no number of days */
    else
        give_day(out, a[0]->day + sign * (a[1]->time / MU_DAY_US));
}

void mu_run_date_add(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    move_day(op, f, 1, out);
}

void mu_run_date_subtract(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    move_day(op, f, -1, out);
}

void mu_run_date_difference(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    if (mu_operands(op, f, a, out))
        out->time = ((int64_t)a[0]->day - a[1]->day) * MU_DAY_US;
}

void mu_run_time_add(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    int64_t sum;
    if (mu_operands(op, f, a, out)) {
        const bool fits = !__builtin_add_overflow(a[0]->time, a[1]->time, &sum);
        give_time(out, op->type, fits, sum);
    }
}

void mu_run_time_subtract(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    int64_t difference;
    if (mu_operands(op, f, a, out)) {
        const bool fits = !__builtin_sub_overflow(a[0]->time, a[1]->time, &difference);
        give_time(out, op->type, fits, difference);
    }
}

void mu_run_time_difference(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    mu_run_time_subtract(op, f, out);
}

void mu_run_weekday(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    if (mu_operands(op, f, a, out))
        out->decimal = (struct mu_decimal){mu_weekday(a[0]->day), 0};
}

void mu_run_date_of(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    int64_t since;
    if (mu_operands(op, f, a, out) && !mu_calendar_local(op->calendar, a[0]->time, &out->day, &since))
        out->state = MU_VALUE_INVALID;
}

/* From the cutoff on it is the next day; and a day that is none of business counts for the next one. */
void mu_run_bizday(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    int32_t day;
    int64_t since;
    if (!mu_operands(op, f, a, out))
        return;
    if (!mu_calendar_local(op->calendar, a[0]->time, &day, &since) ||
        !mu_calendar_roll(op->calendar, day + (op->cutoff_us >= 0 && since >= op->cutoff_us), &out->day))
        out->state = MU_VALUE_INVALID;
}

void mu_run_is_bizday(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    bool is;
    if (!mu_operands(op, f, a, out))
        return;
    if (mu_calendar_is_bizday(op->calendar, a[0]->day, &is))
        out->truth = is;
    else
        out->state = MU_VALUE_INVALID;
}

void mu_run_add_bizdays(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    if (!mu_operands(op, f, a, out))
        return;
    int64_t n;
    if (!mu_decimal_whole(a[1]->decimal, -COUNT_MAX, COUNT_MAX, &n) ||
        !mu_calendar_add(op->calendar, a[0]->day, n, &out->day))
        out->state = MU_VALUE_INVALID;
}

void mu_run_bizdays_between(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    int64_t days;
    if (!mu_operands(op, f, a, out))
        return;
    if (mu_calendar_between(op->calendar, a[0]->day, a[1]->day, &days))
        out->decimal = (struct mu_decimal){days, 0};
    else
        out->state = MU_VALUE_INVALID;
}
