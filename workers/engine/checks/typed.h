/* SPDX-License-Identifier: Apache-2.0 */
/* Values of the types that rules compare (CHECKS.md part 4): text by its bytes, decimals by value, dates, and
 * timestamps with an offset as points in time. */
#ifndef MU_TYPED_H
#define MU_TYPED_H

#include "engine/checks/row.h"

enum mu_typed_kind { MU_TYPED_TEXT, MU_TYPED_DECIMAL, MU_TYPED_DATE, MU_TYPED_TIMESTAMP };

struct mu_typed {
    enum mu_typed_kind kind;
    struct mu_span text;
    struct mu_decimal decimal;
    int64_t time; /* days, or microseconds */
};

extern const char *const mu_typed_names[]; /* by kind, ends in NULL */

/* False: not readable as this type. The text is borrowed. */
bool mu_typed_parse(enum mu_typed_kind kind, struct mu_span text, struct mu_typed *out);
int mu_typed_compare(const struct mu_typed *a, const struct mu_typed *b); /* of equal kind */

#endif
