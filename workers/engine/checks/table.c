/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/checks/table.h"

/* Alphabetical: the search below relies on it. */
static const struct mu_check *const checks[] = {
    &mu_check_bic,   &mu_check_cfi,    &mu_check_compare, &mu_check_country,  &mu_check_currency,
    &mu_check_cusip, &mu_check_figi,   &mu_check_iban,    &mu_check_in_set,   &mu_check_isin,
    &mu_check_lei,   &mu_check_length, &mu_check_mic,     &mu_check_not_null, &mu_check_range,
    &mu_check_regex, &mu_check_sedol, &mu_check_uti,
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
