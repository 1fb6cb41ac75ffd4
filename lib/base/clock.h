/* SPDX-License-Identifier: Apache-2.0 */
/* The two clocks. Durations are monotonic milliseconds; wall time is used only where it enters or leaves the
 * system (message bodies, ids, logs), never to measure or to wait. */
#ifndef MU_CLOCK_H
#define MU_CLOCK_H

#include "base/base.h"

#define MU_RFC3339_MAX 32

int64_t mu_clock_ms(void); /* CLOCK_MONOTONIC */
int64_t mu_clock_us(void); /* CLOCK_MONOTONIC */
int64_t mu_wall_us(void);  /* microseconds since 1970 UTC */

/* "2026-11-24T09:48:08.123456Z" */
void mu_rfc3339_format(int64_t wall_us, char out[MU_RFC3339_MAX]);
/* Strict RFC 3339 with an offset, at most six digits of fraction; false if it is anything else, or if it lies outside of
 * the years 1 to 9999 of UTC, in which it is written again. */
MU_MUST bool mu_rfc3339_parse(struct mu_span text, int64_t *wall_us);

/* Civil dates of years 1 to 9999 as days since 1970-01-01. "2026-02-30" is refused. */
#define MU_DATE_MAX 12
MU_MUST bool mu_date_parse(struct mu_span text, int32_t *days);
int mu_weekday(int32_t days); /* Monday 1 to Sunday 7 */
void mu_date_format(int32_t days, char out[MU_DATE_MAX]);

#endif
