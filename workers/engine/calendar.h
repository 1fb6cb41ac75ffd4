/* SPDX-License-Identifier: Apache-2.0 */
/* A business calendar: a list of kinds of rows (key `kind`, columns from, to, value) that says all it takes to
 * tell the local day of a moment and whether it is one of business, so that no machine's clock or edition of the
 * time zones has a say:
 *   valid    from a day until the day `to`, which is no longer covered; one row
 *   offset   from a moment (RFC 3339) on the local time is UTC + value ("-05:00"), until the next such row
 *   weekend  value: number of a weekday, Monday 1
 *   holiday  from: the day
 *   zone     value: the name of the zone, for people
 * Beyond its validity a calendar has no answer. */
#ifndef MU_CALENDAR_H
#define MU_CALENDAR_H

#include "base/error.h"
#include "engine/list.h"
#include "engine/pool.h"

struct mu_calendar;

/* Lives in the pool, borrows nothing. MU_REJECTED with `pointer` and the row that is wrong. */
MU_MUST bool mu_calendar_new(const struct mu_calendar **out, struct mu_pool *pool,
                             const struct mu_list_data *list, const char *pointer, struct mu_error *err);

/* All return false beyond the validity. */

/* The local day of a moment (microseconds since 1970 UTC), and how long after its midnight it is. */
bool mu_calendar_local(const struct mu_calendar *c, int64_t time_us, int32_t *day, int64_t *since_midnight_us);
bool mu_calendar_is_bizday(const struct mu_calendar *c, int32_t day, bool *is);
/* The day itself, or the next business day. */
bool mu_calendar_roll(const struct mu_calendar *c, int32_t day, int32_t *out);
/* The n-th business day after a day, or before it if n is negative; the day itself if n is 0. */
bool mu_calendar_add(const struct mu_calendar *c, int32_t day, int64_t n, int32_t *out);
/* Business days after `from` up to and with `to`; negative if `to` lies before `from`. */
bool mu_calendar_between(const struct mu_calendar *c, int32_t from, int32_t to, int64_t *out);

#endif
