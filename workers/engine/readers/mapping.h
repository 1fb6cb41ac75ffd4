/* SPDX-License-Identifier: Apache-2.0 */
/* Where a column's value stands in a record that has a structure (JSON, XML): `PATH | PATH => TEXT | …`. The
 * first path that is there counts; with `=> TEXT` the value is that text. What a path means is the format's.
 */
#ifndef MU_MAPPING_H
#define MU_MAPPING_H

#include "engine/reader.h"

#define MAPPING_CHOICES_MAX 16

struct mapping_choice {
    struct mu_span path; /* borrowed from the source; never empty */
    bool constant;
    struct mu_span text; /* of a constant; never empty */
};
struct mapping {
    struct mapping_choice choices[MAPPING_CHOICES_MAX];
    size_t count; /* 0: the source does not say, so the column's name is where it stands */
    char pointer[160];
};

/* That every mapped column is one of the pack, and mapped to a text. MU_REJECTED (bad_task). */
MU_MUST bool mapping_check(const struct mu_reader_setup *setup, struct mu_error *err);
MU_MUST bool mapping_read(struct mapping *out, const struct mu_reader_setup *setup, size_t column,
                          struct mu_error *err);
/* Says that a path of the mapping is none. */
bool mapping_refuse(const struct mapping *m, struct mu_span path, const char *why, struct mu_error *err);

#endif
