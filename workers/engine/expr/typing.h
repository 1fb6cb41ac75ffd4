/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions that make sense: every name found, every operand of a type that its operator takes (CHECKS.md part
 * 4). Nothing converts by itself. Lists, parameters and the day are still unknown: they come when the pack is
 * made ready (engine/expr/link.h). */
#ifndef MU_EXPR_TYPING_H
#define MU_EXPR_TYPING_H

#include "engine/expr/function.h"
#include "engine/expr/syntax.h"

#define MU_AGGREGATES_MAX 32 /* of one rule */

struct mu_pack;

enum mu_expr_kind {
    MU_EXPR_CONSTANT,
    MU_EXPR_PARAM,
    MU_EXPR_COLUMN,
    MU_EXPR_LET,
    MU_EXPR_KEY,       /* of a group */
    MU_EXPR_AGGREGATE, /* over a group */
    MU_EXPR_CALL,
    MU_EXPR_WORD, /* a literal that names a list, a column of it, a calendar, a pattern, a time of day */
};

struct mu_expr {
    enum mu_expr_kind kind;
    enum mu_type type;
    enum mu_type operand;         /* of a call whose operands are to agree */
    const struct mu_function *fn; /* of a call */
    struct mu_xvalue constant;
    size_t index;         /* of a param, column, let, key, aggregate; of the list that a word names */
    struct mu_span text;  /* of a word */
    size_t at, end;       /* its bytes in the expression */
    const struct mu_expr *first, *next;
};

struct mu_named_expr {
    const char *name;
    const struct mu_expr *expr;
};

struct mu_aggregate {
    const struct mu_function *fn;
    enum mu_type type, of; /* of its value; of its first operand */
    const struct mu_expr *args;
    struct mu_span source; /* as it was written */
};
struct mu_aggregates {
    struct mu_aggregate items[MU_AGGREGATES_MAX];
    size_t count;
};

/* What may stand in an expression. */
struct mu_scope {
    struct mu_pool *pool; /* of the pack */
    struct mu_pack *pack; /* its params and lists; a list that a function needs and nobody named is added */
    bool columns, lets;
    const struct mu_named_expr *keys; /* of the group rule at hand */
    size_t key_count;
    struct mu_aggregates *aggregates; /* collects them; NULL: none may stand here */
};

/* `want`: the type that it must have; MU_TYPE_MISSING: any. Borrows `text`. MU_REJECTED (code "invalid",
 * `pointer`): what was expected, what was found, and in the hint an example. */
MU_MUST bool mu_expr_parse(const struct mu_expr **out, const struct mu_scope *scope, struct mu_span text,
                           enum mu_type want, const char *pointer, struct mu_error *err);
/* Calls `each` for the expression and all that it is made of, lets included. */
void mu_expr_walk(const struct mu_pack *pack, const struct mu_expr *e,
                  void (*each)(void *context, const struct mu_expr *e), void *context);

#endif
