/* SPDX-License-Identifier: Apache-2.0 */
/* The words of the rule language, one after the other. */
#ifndef MU_EXPR_TOKEN_H
#define MU_EXPR_TOKEN_H

#include "base/base.h"

enum token_kind {
    TOKEN_END,
    TOKEN_NAME,     /* not a reserved word */
    TOKEN_WORD,     /* or and not in true false missing date timestamp */
    TOKEN_DECIMAL,
    TOKEN_DURATION,
    TOKEN_TEXT,     /* with its quotes */
    TOKEN_SIGN,     /* operators, brackets, comma, colon */
    TOKEN_WRONG,
};

struct token {
    enum token_kind kind;
    struct mu_span text;
    const char *wrong; /* why, of TOKEN_WRONG */
};

/* The token that begins at or behind `at` (white space is skipped). It lies in `text`. */
struct token token_at(struct mu_span text, size_t at);

#endif
