/* SPDX-License-Identifier: Apache-2.0 */
/* How alike two texts are (Jaro 1989, Winkler 1990), in whole numbers: doubles err at thresholds. */
#ifndef MU_JARO_WINKLER_H
#define MU_JARO_WINKLER_H

#include "base/decimal.h"

#define MU_JARO_WINKLER_MAX 512 /* code points of each */

/* From 0 to 1, truncated to six decimals. Of two empty texts it is 0. False: one of them is longer than the
 * limit. Both must be UTF-8. */
MU_MUST bool mu_jaro_winkler(struct mu_span a, struct mu_span b, struct mu_decimal *out);

#endif
