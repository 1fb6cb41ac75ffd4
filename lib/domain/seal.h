/* SPDX-License-Identifier: Apache-2.0 */
/* The seal of a row: SHA-256 over its canonical bytes, which the audit trail keeps. PostgreSQL can compute it (muster.seal)
 * and does so whenever it looks whether a row is as it was written; the many rows of the daily work are sealed here, by
 * the program that sends them, which costs a third. What both say is compared by every test that verifies a trail.
 *
 * To change a form: give its rows another letter in the trail, so that links of the old form can still be verified. */
#ifndef MU_SEAL_H
#define MU_SEAL_H

#include "base/digest.h"
#include "base/id.h"
#include "base/text.h"

struct mu_seal {
    struct mu_sha sha;
    size_t len;
    uint8_t at[512]; /* not added yet */
};
void mu_seal_begin(struct mu_seal *s);
void mu_seal_id(struct mu_seal *s, struct mu_id id);            /* 16 bytes */
void mu_seal_i64(struct mu_seal *s, int64_t value);             /* 8 bytes, big-endian */
void mu_seal_time_us(struct mu_seal *s, int64_t wall_us);       /* microseconds since 2000, as a number */
struct mu_seal_time {
    char b[8];
};
struct mu_seal_time mu_seal_time_of(int64_t wall_us);           /* the same bytes, for a field */
void mu_seal_field(struct mu_seal *s, struct mu_span bytes);    /* "<length>:<bytes>" */
void mu_seal_null(struct mu_seal *s);                           /* "-", for a field */
struct mu_digest mu_seal_end(struct mu_seal *s);

#endif
