/* SPDX-License-Identifier: Apache-2.0 */
/* The saved form of a rule's state: whole numbers that end in a comma, and texts as "<length>:<bytes>,". */
#ifndef MU_SAVED_H
#define MU_SAVED_H

#include "base/error.h"
#include "base/text.h"

struct mu_saved {
    struct mu_span rest;
};

void mu_saved_put_int(struct mu_text *out, int64_t value);
void mu_saved_put_text(struct mu_text *out, struct mu_span text);
/* False: it is not what follows, or the form ends before it does. The text is borrowed. */
MU_MUST bool mu_saved_int(struct mu_saved *in, int64_t *out);
MU_MUST bool mu_saved_text(struct mu_saved *in, struct mu_span *out);
/* MU_REJECTED: the saved state is not whole. */
bool mu_saved_broken(struct mu_error *err);

#endif
