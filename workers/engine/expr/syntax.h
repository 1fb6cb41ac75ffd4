/* SPDX-License-Identifier: Apache-2.0 */
/* An expression of the rule language as a tree: what it says, before anybody asks whether it makes sense. The
 * grammar is that of CHECKS.md part 4. Operators are calls of functions that have signs for names. */
#ifndef MU_EXPR_SYNTAX_H
#define MU_EXPR_SYNTAX_H

#include "base/error.h"
#include "engine/pool.h"

#define MU_EXPRESSION_MAX 4096 /* bytes */
#define MU_EXPRESSION_DEPTH 64

enum mu_syntax_kind {
    MU_SYNTAX_DECIMAL,
    MU_SYNTAX_DURATION,
    MU_SYNTAX_TEXT, /* quotes undone */
    MU_SYNTAX_BOOL,
    MU_SYNTAX_MISSING,
    MU_SYNTAX_DATE,
    MU_SYNTAX_TIMESTAMP,
    MU_SYNTAX_PARAM, /* without its colon */
    MU_SYNTAX_NAME,
    MU_SYNTAX_CALL, /* of a function by name, or of an operator: "=", "and", "not", "neg", … */
};

struct mu_syntax {
    enum mu_syntax_kind kind;
    struct mu_span text;
    size_t at, end; /* bytes [at, end) of the expression, for messages */
    struct mu_syntax *first, *next; /* arguments of a call, in their order */
};

/* Lives in the pool, and borrows `text`. MU_REJECTED (code "invalid", `pointer`) with the place in the text. */
MU_MUST bool mu_syntax_parse(struct mu_syntax **out, struct mu_pool *pool, struct mu_span text,
                             const char *pointer, struct mu_error *err);
/* Refuses with "character <n>, at \"<what stands there>\": …". */
bool mu_syntax_wrong(struct mu_error *err, const char *pointer, struct mu_span text, size_t at, size_t end,
                     const char *fmt, ...) MU_PRINTF(6, 7);

#endif
