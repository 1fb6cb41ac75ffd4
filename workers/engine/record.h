/* SPDX-License-Identifier: Apache-2.0 */
/* One record as a reader hands it to the rules: values by column of the pack, and where in the source it stood.
 * Everything is borrowed until the next record. */
#ifndef MU_RECORD_H
#define MU_RECORD_H

#include "base/base.h"

enum mu_value_state {
    MU_VALUE_TEXT,    /* present */
    MU_VALUE_MISSING, /* absent, null, empty, or a declared token */
    MU_VALUE_INVALID, /* present but not readable as its type */
};
struct mu_value {
    enum mu_value_state state;
    struct mu_span text; /* as it stood in the source; for MISSING the token that said so */
};

struct mu_locator {
    int64_t record_no; /* from 1 */
    int64_t byte_off, length;
    int64_t line;      /* of its first byte, from 1; for people */
};

struct mu_record {
    struct mu_locator at;
    const struct mu_value *values; /* by pack column */
    size_t count;
    const char *bad;               /* NULL, or why it is a bad record (then values are not to be used) */
    int64_t bad_at;                /* byte offset of the trouble within the source */
};

#endif
