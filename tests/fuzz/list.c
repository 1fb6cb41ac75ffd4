/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a reference list, and what is taken as a business calendar. Every key is found where it
 * stands; the calendar counts days as somebody does who goes from one to the next. */
#include "fuzz.h"

#include "base/clock.h"
#include "engine/calendar.h"
#include "engine/expr/value.h"

#define DAYS_LOOKED_AT 120

static void check_list(const struct mu_list_data *l, struct mu_span bytes)
{
    const struct mu_digest want = mu_digest_of(bytes);
    FUZZ_HOLDS(mu_digest_equal(mu_list_digest(l), &want) && mu_list_name(l)[0] && mu_list_version(l)[0],
               "name, version or digest");
    for (size_t row = 0; row < mu_list_rows(l); row++) {
        const struct mu_span key = mu_list_key(l, row);
        const int64_t first = mu_list_find(l, key);
        FUZZ_HOLDS(row == 0 || mu_span_compare(mu_list_key(l, row - 1), key) <= 0, "row %zu is out of order",
                   row);
        FUZZ_HOLDS(first >= 0 && (size_t)first <= row && mu_span_equal(mu_list_key(l, (size_t)first), key) &&
                       (first == 0 || !mu_span_equal(mu_list_key(l, (size_t)first - 1), key)),
                   "the key of row %zu is found in row %lld", row, (long long)first);
    }
    FUZZ_HOLDS(mu_list_column(l, "") < 0 &&
                   mu_list_find(l, mu_span("no such key", 11)) < (int64_t)mu_list_rows(l),
               "nothing is found");
}

/* What the rows say of a day. */
static bool is_free(const struct mu_list_data *l, int32_t day)
{
    const int from = mu_list_column(l, "from"), value = mu_list_column(l, "value");
    const int64_t weekday = ((day + 3) % 7 + 7) % 7 + 1;
    for (size_t row = 0; row < mu_list_rows(l); row++) {
        int32_t holiday;
        int64_t off;
        if (mu_span_is(mu_list_key(l, row), "holiday") &&
            mu_date_parse(mu_list_value(l, row, from), &holiday) && holiday == day)
            return true;
        if (mu_span_is(mu_list_key(l, row), "weekend") &&
            mu_parse_i64(mu_list_value(l, row, value), 1, 7, &off) && off == weekday)
            return true;
    }
    return false;
}

static void check_day(const struct mu_calendar *c, const struct mu_list_data *l, int32_t day)
{
    bool is;
    int32_t rolled, next, back;
    int64_t between;
    if (!mu_calendar_is_bizday(c, day, &is))
        return;
    FUZZ_HOLDS(is == !is_free(l, day), "day %d", day);
    FUZZ_HOLDS(mu_calendar_add(c, day, 0, &next) && next == day &&
                   mu_calendar_between(c, day, day, &between) && between == 0,
               "day %d", day);
    if (!mu_calendar_roll(c, day, &rolled))
        return;
    FUZZ_HOLDS(rolled >= day && is == (rolled == day) && !is_free(l, rolled), "day %d is rolled to %d", day,
               rolled);
    for (int32_t d = day; d < rolled; d++)
        FUZZ_HOLDS(is_free(l, d), "day %d is rolled to %d", day, rolled);
    if (!mu_calendar_add(c, rolled, 3, &next))
        return;
    FUZZ_HOLDS(mu_calendar_between(c, rolled, next, &between) && between == 3, "%lld days between",
               (long long)between);
    FUZZ_HOLDS(mu_calendar_between(c, next, rolled, &between) && between == -3, "%lld days between",
               (long long)between);
    FUZZ_HOLDS(mu_calendar_add(c, next, -3, &back) && back == rolled, "three days on from %d and back is %d",
               rolled, back);
    int count = 0;
    for (int32_t d = rolled + 1; d <= next; d++)
        count += !is_free(l, d);
    FUZZ_HOLDS(count == 3, "%d days between %d and %d", count, rolled, next);
}

static void check_calendar(const struct mu_list_data *l)
{
    MU_AUTO(mu_pool_free) struct mu_pool *pool = mu_pool_new(16 << 20);
    const struct mu_calendar *c;
    struct mu_error err = {0};
    int32_t first = 0, last = 0, local;
    int64_t since;
    bool is;
    if (!mu_calendar_new(&c, pool, l, "/lists/cal", &err)) {
        fuzz_refusal(&err, "the calendar");
        FUZZ_HOLDS(strcmp(err.pointer, "/lists/cal") == 0, "at %s", err.pointer);
        return;
    }
    const int64_t row = mu_list_find(l, mu_span_of("valid"));
    FUZZ_HOLDS(row >= 0 && mu_date_parse(mu_list_value(l, (size_t)row, mu_list_column(l, "from")), &first) &&
                   mu_date_parse(mu_list_value(l, (size_t)row, mu_list_column(l, "to")), &last),
               "a calendar without validity");
    FUZZ_HOLDS(!mu_calendar_is_bizday(c, first - 1, &is) && !mu_calendar_is_bizday(c, last, &is),
               "an answer beyond the validity");
    for (int32_t i = 0; i < DAYS_LOOKED_AT; i++) {
        check_day(c, l, first + i);
        check_day(c, l, last - i);
        if (mu_calendar_local(c, (int64_t)(first + i) * MU_DAY_US, &local, &since))
            FUZZ_HOLDS(local >= first && local < last && since >= 0 && since < MU_DAY_US &&
                           local - (first + i) <= 1 && local - (first + i) >= -1,
                       "midnight of day %d is day %d", first + i, local);
    }
    static const int64_t far[] = {INT64_MIN / 2, INT64_MAX / 2, MU_DAY_FIRST * MU_DAY_US,
                                  (MU_DAY_LAST + 1) * MU_DAY_US - 1};
    for (size_t i = 0; i < MU_COUNT(far); i++)
        (void)mu_calendar_local(c, far[i], &local, &since);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct mu_span bytes = mu_span((const char *)data, size);
    MU_AUTO(mu_list_data_free) struct mu_list_data *list = NULL;
    struct mu_error err = {0};
    if (!mu_list_parse(&list, bytes, &err)) {
        fuzz_refusal(&err, "the list");
        return 0;
    }
    check_list(list, bytes);
    check_calendar(list);
    return 0;
}

const char *fuzz_make(size_t index, struct mu_text *out)
{
    static const struct {
        const char *name, *begin, *again, *end;
        int times;
    } made[] = {
        {"one long cell", "# muster-list 1 x 1 key=a\na\n\"", "xxxxxxxxxxxxxxxx", "\"\n", 1 << 14},
        {"a quote that is never closed", "# muster-list 1 x 1 key=a\na\n\"", "x\n\"\"", "", 1 << 14},
        {"one key again and again", "# muster-list 1 x 1 key=a\na,b\n", "x,y\n", "", 2000},
        {"more columns than a list may have", "# muster-list 1 x 1 key=a\na", ",a", "\n", 100},
        {"two hundred years",
         "# muster-list 1 x 1 "
         "key=kind\nkind,from,to,value\noffset,1900-01-01T00:00:00Z,,+00:00\nvalid,1900-01-01,2100-01-01,\n",
         "weekend,,,7\n", "", 1},
    };
    if (index >= MU_COUNT(made))
        return NULL;
    mu_text_puts(out, made[index].begin);
    for (int i = 0; i < made[index].times; i++)
        mu_text_puts(out, made[index].again);
    mu_text_puts(out, made[index].end);
    return made[index].name;
}
