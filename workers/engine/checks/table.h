/* SPDX-License-Identifier: Apache-2.0 */
/* The checks that are built in, one constant per file; table.c lists them. */
#ifndef MU_TABLE_H
#define MU_TABLE_H

#include "engine/check.h"

extern const struct mu_check mu_check_bic, mu_check_cfi, mu_check_compare, mu_check_country,
    mu_check_currency, mu_check_cusip, mu_check_figi, mu_check_iban, mu_check_in_set, mu_check_isin,
    mu_check_lei, mu_check_length, mu_check_mic, mu_check_not_null, mu_check_range, mu_check_regex,
    mu_check_sedol, mu_check_uti;

#endif
