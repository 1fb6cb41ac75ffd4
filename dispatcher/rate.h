/* SPDX-License-Identifier: Apache-2.0 */
/* So many a second and no more: a bucket that fills with time and holds a second's worth. Nobody sleeps on it: who finds it
 * empty does something else for a while. */
#ifndef MU_RATE_H
#define MU_RATE_H

#include "base/base.h"

struct rate {
    int64_t per_second;
    int64_t thousandths; /* what is in it */
    int64_t filled_ms;   /* until when it has been filled; 0: it is new, and full */
};
/* Takes one, if there is one. */
bool rate_take(struct rate *r, int64_t now_ms);
/* How long until a tenth of a second's worth is in it, or one: less would not be worth coming for. */
int64_t rate_wait_ms(const struct rate *r);

#endif
