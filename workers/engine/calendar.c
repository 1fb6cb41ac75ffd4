/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/calendar.h"

#include "base/clock.h"
#include "base/text.h"

#define DAYS_MAX (200 * 366)
#define MINUTE_US INT64_C(60000000)
#define DAY_US (1440 * MINUTE_US)

struct offset {
    int64_t from_us, offset_us;
};

struct mu_calendar {
    int32_t from, to; /* the first day, and the first that is no longer covered */
    bool weekend[8];  /* by weekday, Monday 1 */
    int32_t *before;  /* business days in [from, from + i) */
    int32_t *nth;     /* the i-th business day */
    struct offset *offsets; /* by time */
    size_t offset_count;
};

struct columns {
    int from, to, value;
};

static bool wrong_row(const struct mu_list_data *list, size_t row, const char *pointer, const char *what,
                      struct mu_error *err)
{
    return mu_reject(err, "invalid", pointer, "calendar %s@%s, row %zu: %s", mu_list_name(list),
                     mu_list_version(list), row + 1, what);
}

static bool parse_offset(struct mu_span text, int64_t *us)
{
    int64_t hours, minutes;
    if (text.len != 6 || (text.at[0] != '+' && text.at[0] != '-') || text.at[3] != ':' ||
        !mu_parse_i64(mu_span(text.at + 1, 2), 0, 14, &hours) ||
        !mu_parse_i64(mu_span(text.at + 4, 2), 0, 59, &minutes))
        return false;
    *us = (hours * 60 + minutes) * MINUTE_US * (text.at[0] == '-' ? -1 : 1);
    return true;
}

/* Rows of one kind follow each other. */
static bool each(const struct mu_list_data *list, const char *kind, size_t *row)
{
    if (*row == SIZE_MAX) {
        const int64_t first = mu_list_find(list, mu_span_of(kind));
        *row = first < 0 ? mu_list_rows(list) : (size_t)first;
    } else {
        ++*row;
    }
    return *row < mu_list_rows(list) && mu_span_is(mu_list_key(list, *row), kind);
}

static bool read_validity(struct mu_calendar *c, struct mu_pool *pool, const struct mu_list_data *list,
                          const struct columns *at, const char *pointer, struct mu_error *err)
{
    size_t row = SIZE_MAX;
    if (!each(list, "valid", &row))
        return mu_reject(err, "invalid", pointer, "calendar %s@%s has no row \"valid\"", mu_list_name(list),
                         mu_list_version(list));
    if (!mu_date_parse(mu_list_value(list, row, at->from), &c->from) ||
        !mu_date_parse(mu_list_value(list, row, at->to), &c->to) || c->from >= c->to ||
        c->to - c->from > DAYS_MAX)
        return wrong_row(list, row, pointer, "\"valid\" needs two days of at most 200 years, the first before the second",
                         err);
    const size_t days = (size_t)(c->to - c->from);
    c->before = mu_pool_get(pool, (days + 1) * sizeof(*c->before));
    c->nth = mu_pool_get(pool, (days + 1) * sizeof(*c->nth));
    return (c->before && c->nth) || mu_fail(err, MU_BROKEN, "no memory left for the rules of the pack");
}

static bool read_offsets(struct mu_calendar *c, struct mu_pool *pool, const struct mu_list_data *list,
                         const struct columns *at, const char *pointer, struct mu_error *err)
{
    c->offsets = mu_pool_get(pool, (mu_list_rows(list) + 1) * sizeof(*c->offsets));
    if (!c->offsets)
        return mu_fail(err, MU_BROKEN, "no memory left for the rules of the pack");
    for (size_t row = SIZE_MAX; each(list, "offset", &row);) {
        struct offset *o = &c->offsets[c->offset_count++];
        if (!mu_rfc3339_parse(mu_list_value(list, row, at->from), &o->from_us) ||
            !parse_offset(mu_list_value(list, row, at->value), &o->offset_us))
            return wrong_row(list, row, pointer, "\"offset\" needs a moment and a value like -05:00", err);
        if (c->offset_count > 1 && o[-1].from_us >= o->from_us)
            return wrong_row(list, row, pointer, "offsets are to stand in the order of time", err);
    }
    if (!c->offset_count || c->offsets[0].from_us + c->offsets[0].offset_us > c->from * DAY_US)
        return mu_reject(err, "invalid", pointer, "calendar %s@%s has no offset for its first day",
                         mu_list_name(list), mu_list_version(list));
    return true;
}

static bool read_weekend(struct mu_calendar *c, const struct mu_list_data *list, const struct columns *at,
                         const char *pointer, struct mu_error *err)
{
    int64_t day;
    for (size_t row = SIZE_MAX; each(list, "weekend", &row);) {
        if (!mu_parse_i64(mu_list_value(list, row, at->value), 1, 7, &day))
            return wrong_row(list, row, pointer, "a weekday is 1 (Monday) to 7", err);
        c->weekend[day] = true;
    }
    return true;
}

/* Until the days are counted, before[i] is 1 for a holiday. */
static bool read_holidays(struct mu_calendar *c, const struct mu_list_data *list, const struct columns *at,
                          const char *pointer, struct mu_error *err)
{
    int32_t day;
    for (size_t row = SIZE_MAX; each(list, "holiday", &row);) {
        if (!mu_date_parse(mu_list_value(list, row, at->from), &day) || day < c->from || day >= c->to)
            return wrong_row(list, row, pointer, "a holiday is a day within the validity", err);
        c->before[day - c->from] = 1;
    }
    return true;
}

static void count_days(struct mu_calendar *c)
{
    int32_t count = 0;
    for (int32_t i = 0; i < c->to - c->from; i++) {
        const bool holiday = c->before[i];
        c->before[i] = count;
        if (!holiday && !c->weekend[mu_weekday(c->from + i)])
            c->nth[count++] = c->from + i;
    }
    c->before[c->to - c->from] = count;
}

bool mu_calendar_new(const struct mu_calendar **out, struct mu_pool *pool, const struct mu_list_data *list,
                     const char *pointer, struct mu_error *err)
{
    const struct columns at = {mu_list_column(list, "from"), mu_list_column(list, "to"),
                               mu_list_column(list, "value")};
    struct mu_calendar *c = mu_pool_get(pool, sizeof(*c));
    if (!c)
        return mu_fail(err, MU_BROKEN, "no memory left for the rules of the pack");
    if (at.from < 0 || at.to < 0 || at.value < 0)
        return mu_reject(err, "invalid", pointer, "list %s@%s is no calendar: it lacks a column from, to or value",
                         mu_list_name(list), mu_list_version(list));
    if (!read_validity(c, pool, list, &at, pointer, err) || !read_offsets(c, pool, list, &at, pointer, err) ||
        !read_weekend(c, list, &at, pointer, err) || !read_holidays(c, list, &at, pointer, err))
        return false;
    count_days(c);
    *out = c;
    return true;
}

static bool covers(const struct mu_calendar *c, int32_t day)
{
    return day >= c->from && day < c->to;
}

bool mu_calendar_local(const struct mu_calendar *c, int64_t time_us, int32_t *day, int64_t *since_midnight_us)
{
    size_t low = 0, high = c->offset_count;
    while (high - low > 1) {
        const size_t middle = (low + high) / 2;
        if (c->offsets[middle].from_us <= time_us)
            low = middle;
        else
            high = middle;
    }
    const int64_t local = time_us + c->offsets[low].offset_us;
    const int64_t days = local >= 0 ? local / DAY_US : -((DAY_US - 1 - local) / DAY_US);
    if (time_us < c->offsets[0].from_us || days < c->from || days >= c->to)
        return false;
    *day = (int32_t)days;
    *since_midnight_us = local - days * DAY_US;
    return true;
}

bool mu_calendar_is_bizday(const struct mu_calendar *c, int32_t day, bool *is)
{
    if (!covers(c, day))
        return false;
    *is = c->before[day - c->from + 1] > c->before[day - c->from];
    return true;
}

static bool nth(const struct mu_calendar *c, int64_t index, int32_t *out)
{
    if (index < 0 || index >= c->before[c->to - c->from])
        return false;
    *out = c->nth[index];
    return true;
}

bool mu_calendar_roll(const struct mu_calendar *c, int32_t day, int32_t *out)
{
    return covers(c, day) && nth(c, c->before[day - c->from], out);
}

bool mu_calendar_add(const struct mu_calendar *c, int32_t day, int64_t n, int32_t *out)
{
    if (!covers(c, day) || n > DAYS_MAX || n < -DAYS_MAX)
        return false;
    if (n == 0) {
        *out = day;
        return true;
    }
    return n > 0 ? nth(c, c->before[day - c->from + 1] + n - 1, out) : nth(c, c->before[day - c->from] + n, out);
}

bool mu_calendar_between(const struct mu_calendar *c, int32_t from, int32_t to, int64_t *out)
{
    if (!covers(c, from) || !covers(c, to))
        return false;
    *out = c->before[to - c->from + 1] - c->before[from - c->from + 1];
    return true;
}
