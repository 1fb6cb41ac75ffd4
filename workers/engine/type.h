/* SPDX-License-Identifier: Apache-2.0 */
/* The types of the rule language (CHECKS.md part 4). Columns and parameters have one of the first five; a
 * duration is only a literal or a difference, and `missing` fits wherever a value is asked for. */
#ifndef MU_TYPE_H
#define MU_TYPE_H

#include "base/base.h"

enum mu_type {
    MU_TYPE_TEXT,
    MU_TYPE_DECIMAL,
    MU_TYPE_DATE,
    MU_TYPE_TIMESTAMP,
    MU_TYPE_BOOL,
    MU_TYPE_DURATION,
    MU_TYPE_MISSING,
};

const char *mu_type_name(enum mu_type t);
const char *mu_type_example(enum mu_type t); /* how a value of it is written */
/* "text" to "bool"; false: no type of a column or parameter. */
bool mu_type_find(const char *name, enum mu_type *out);

#endif
