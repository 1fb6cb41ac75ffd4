/* SPDX-License-Identifier: Apache-2.0 */
/* A value of the rule language: of its type, or missing, or invalid (present but not readable, or what came of
 * an operation that failed). Which member holds it follows from the type, which is known before anything runs. */
#ifndef MU_EXPR_VALUE_H
#define MU_EXPR_VALUE_H

#include "base/decimal.h"
#include "base/text.h"
#include "engine/record.h"
#include "engine/type.h"

#define MU_DAY_FIRST (-719162) /* 0001-01-01 */
#define MU_DAY_LAST 2932896    /* 9999-12-31 */
#define MU_DAY_US (INT64_C(86400) * 1000000)

struct mu_xvalue {
    enum mu_value_state state;
    union {
        struct mu_span text; /* borrowed from the record, the pack or the frame's scratch */
        struct mu_decimal decimal;
        int64_t time; /* timestamp: microseconds since 1970 UTC; duration: microseconds */
        int32_t day;  /* since 1970-01-01 */
        bool truth;
    };
};

/* Reads a text as a value of its type; false: it is none (text is always one). The text is borrowed. */
MU_MUST bool mu_xvalue_parse(enum mu_type type, struct mu_span text, struct mu_xvalue *out);
/* Canonical text (CHECKS.md part 1) of a value that is present: equal values, equal bytes. */
void mu_xvalue_format(enum mu_type type, const struct mu_xvalue *v, struct mu_text *out);
/* Of two present values of equal type. Text by bytes; false before true. */
int mu_xvalue_compare(enum mu_type type, const struct mu_xvalue *a, const struct mu_xvalue *b);
static inline bool mu_xvalue_equal(enum mu_type type, const struct mu_xvalue *a, const struct mu_xvalue *b)
{
    return type == MU_TYPE_TEXT ? mu_span_equal(a->text, b->text) : mu_xvalue_compare(type, a, b) == 0;
}

#endif
