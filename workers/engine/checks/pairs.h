/* SPDX-License-Identifier: Apache-2.0 */
/* A set of two-letter codes out of a list, for checks that look at one in every record. */
#ifndef MU_PAIRS_H
#define MU_PAIRS_H

#include "engine/checks/characters.h"
#include "engine/list.h"

struct mu_pairs {
    bool has[26 * 26];
};

/* Adds the keys of `list` that are in force on `day` by its columns `from` and `to`, where it has them.
 * MU_REJECTED with `pointer` if a key is not made of two capital letters. */
MU_MUST bool mu_pairs_fill(struct mu_pairs *out, const struct mu_list_data *list, int32_t day,
                           const char *pointer, struct mu_error *err);
static inline void mu_pairs_add(struct mu_pairs *p, const char *at)
{
    p->has[(at[0] - 'A') * 26 + at[1] - 'A'] = true;
}

/* Two characters, of any kind. */
static inline bool mu_pairs_has(const struct mu_pairs *p, const char *at)
{
    return mu_is_upper(at[0]) && mu_is_upper(at[1]) && p->has[(at[0] - 'A') * 26 + at[1] - 'A'];
}

#endif
