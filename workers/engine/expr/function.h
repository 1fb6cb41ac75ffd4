/* SPDX-License-Identifier: Apache-2.0 */
/* The functions and operators of the rule language, in one table (CHECKS.md part 4). A name may stand in
 * several rows: the one whose operands fit is meant.
 *
 * `takes` has a letter for each operand: t text, n decimal, d date, s timestamp, b bool, u duration; x any type
 * and o one that has an order, the same for all operands so marked. L the alias of a list, K a column of it, C the
 * alias of a calendar, P a pattern, H a time of day: these are written as literal texts. What follows `?` may be
 * left out; `+` says that the last one may be repeated. */
#ifndef MU_EXPR_FUNCTION_H
#define MU_EXPR_FUNCTION_H

#include "engine/expr/program.h"

enum mu_aggregate_kind {
    MU_AGG_NONE,
    MU_AGG_COUNT, /* of records, or of values */
    MU_AGG_COUNT_IF,
    MU_AGG_COUNT_DISTINCT,
    MU_AGG_SUM,
    MU_AGG_SUM_IF,
    MU_AGG_MIN,
    MU_AGG_MAX,
    MU_AGG_AVG,
    MU_AGG_FIRST,
    MU_AGG_LAST,
};

struct mu_function {
    const char *name, *takes;
    char gives; /* a letter as above */
    mu_op_run *run;
    const char *form, *example; /* for messages and documentation */
    enum mu_aggregate_kind aggregate;
    const char *check;         /* is that check's verdict about the operand; `run` is the same for all of these */
    const char *alias, *list;  /* list that the check looks into: its alias, and what it is if the pack names none */
};

/* The rows of a name begin at the one returned and follow each other, until one of another name or of none. NULL: there
 * is no such function. */
const struct mu_function *mu_function_find(struct mu_span name);
const struct mu_function *mu_function_at(size_t index); /* NULL at the end */

/* By file: logic.c, numbers.c, texts.c, times.c, lists.c. */
mu_op_run mu_run_and, mu_run_or, mu_run_not, mu_run_if, mu_run_coalesce, mu_run_is_missing, mu_run_is_invalid,
    mu_run_equal, mu_run_unequal, mu_run_less, mu_run_less_equal, mu_run_greater, mu_run_greater_equal,
    mu_run_in, mu_run_least, mu_run_greatest;
mu_op_run mu_run_add, mu_run_subtract, mu_run_multiply, mu_run_divide, mu_run_remainder, mu_run_negate,
    mu_run_abs, mu_run_round, mu_run_scale, mu_run_fits, mu_run_to_decimal, mu_run_len;
mu_op_run mu_run_join, mu_run_upper, mu_run_lower, mu_run_trim, mu_run_strip, mu_run_substr,
    mu_run_starts_with, mu_run_ends_with, mu_run_contains, mu_run_matches, mu_run_jaro_winkler;
mu_op_run mu_run_to_date, mu_run_as_of, mu_run_date_add, mu_run_date_subtract, mu_run_date_difference,
    mu_run_time_add, mu_run_time_subtract, mu_run_time_difference, mu_run_weekday, mu_run_date_of,
    mu_run_bizday, mu_run_is_bizday, mu_run_add_bizdays, mu_run_bizdays_between;
mu_op_run mu_run_in_list, mu_run_list_value, mu_run_active_on, mu_run_check;

#endif
