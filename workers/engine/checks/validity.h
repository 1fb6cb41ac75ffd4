/* SPDX-License-Identifier: Apache-2.0 */
/* Is a row of a list in force on a day? By its columns `from` (the first day) and `to` (the first day on
 * which it no longer is); empty, or no such column: without bound. A row whose `status` is EXPIRED (ISO 10383) is
 * so from the day in `expiry` on, or always if there is none. */
#ifndef MU_VALIDITY_H
#define MU_VALIDITY_H

#include "engine/checks/row.h"

struct mu_validity {
    const struct mu_list_data *list;
    int from, to, status, expiry; /* columns, or -1 */
};

/* MU_REJECTED with `pointer` if a date in the list is none: the record functions need not look again. */
MU_MUST bool mu_validity_configure(struct mu_validity *out, const struct mu_list_data *list,
                                   const char *pointer, struct mu_error *err);
bool mu_validity_holds(const struct mu_validity *v, size_t row, int32_t day);
/* The first row of `key` that is in force; -1: listed, but not on that day; -2: not listed. */
int64_t mu_validity_find(const struct mu_validity *v, struct mu_span key, int32_t day);
/* The verdict for what mu_validity_find did not find. */
bool mu_validity_fail(const struct mu_validity *v, int64_t found, struct mu_sink *sink);

/* The parameter `on`: a date, or a column that holds one; without it the job's day. */
struct mu_on {
    int column; /* -1: `day` is the date */
    int32_t day;
};
MU_MUST bool mu_on_configure(struct mu_on *out, struct mu_env *env, const json_t *params,
                             struct mu_error *err);
/* False when the verdict is already given. */
bool mu_on_read(const struct mu_on *on, const struct mu_record *rec, struct mu_sink *sink, int32_t *day);

#endif
