/* SPDX-License-Identifier: Apache-2.0 */
/* The checks that are built in, one constant per file; table.c lists them. */
#ifndef MU_TABLE_H
#define MU_TABLE_H

#include "engine/check.h"

extern const struct mu_check mu_check_isin, mu_check_lei, mu_check_not_null;

#endif
