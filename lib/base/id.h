/* SPDX-License-Identifier: Apache-2.0 */
/* UUIDs (RFC 9562): version 7 for what is new, version 8 for what follows from something else (stage tasks,
 * findings), so that doing work twice gives the same id. Both begin with 48 bits of time in milliseconds, which
 * decides the partition that a row lies in. */
#ifndef MU_ID_H
#define MU_ID_H

#include "base/base.h"
#include "base/digest.h"
#include "base/error.h"

#define MU_ID_MAX 37 /* text form and NUL */

struct mu_id {
    uint8_t b[16];
};

/* Ascending within a process, also when the wall clock is set back. */
struct mu_id mu_id_new(void);
/* Time bits of `origin`, then 74 bits of the digest (its first bytes, in order, around version and variant:
 * 12 bits after the version, 62 after the variant). */
struct mu_id mu_id_derive(struct mu_id origin, const struct mu_digest *digest);

void mu_id_format(struct mu_id id, char out[MU_ID_MAX]);
/* Accepts 36 lower- or upper-case characters, versions 7 and 8 only. */
MU_MUST bool mu_id_parse(struct mu_span text, struct mu_id *out);
int64_t mu_id_time_ms(struct mu_id id);
bool mu_id_equal(struct mu_id a, struct mu_id b);

/* Random bytes of the kernel; ids and back-off only. */
void mu_random(void *out, size_t len);
uint32_t mu_random_below(uint32_t bound);

#endif
