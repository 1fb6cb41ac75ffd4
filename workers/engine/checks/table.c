/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/checks/table.h"

/* Alphabetical: the search below relies on it. */
static const struct mu_check *const checks[] = {
    &mu_check_isin,
    &mu_check_lei,
    &mu_check_not_null,
};

const struct mu_check *mu_check_find(struct mu_span name)
{
    size_t from = 0, to = MU_COUNT(checks);
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order = mu_span_compare(name, mu_span_of(checks[middle]->name));
        if (order == 0)
            return checks[middle];
        if (order < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return NULL;
}

const struct mu_check *mu_check_at(size_t index)
{
    return index < MU_COUNT(checks) ? checks[index] : NULL;
}
