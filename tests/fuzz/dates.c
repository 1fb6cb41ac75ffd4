/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a day and as a moment: what is taken is what the C library's calendar says it is, comes back
 * as it was written, and everything else is refused. */
#include "fuzz.h"

#include "base/clock.h"
#include "engine/expr/value.h"

#include <time.h>

#define DAY_SECONDS 86400

static int number(const char *at, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9')
            return -1;
        value = value * 10 + at[i] - '0';
    }
    return value;
}

/* Seconds since 1970 of a civil time, if there is such a day: timegm() would make 2 March of 30 February. */
static bool civil(const char *at, int hour, int minute, int second, int64_t *seconds)
{
    struct tm tm = {.tm_year = number(at, 4) - 1900,
                    .tm_mon = number(at + 5, 2) - 1,
                    .tm_mday = number(at + 8, 2),
                    .tm_hour = hour,
                    .tm_min = minute,
                    .tm_sec = second};
    const struct tm asked = tm;
    if (number(at, 4) < 1 || at[4] != '-' || at[7] != '-' || tm.tm_mon < 0 || tm.tm_mday < 1)
        return false;
    *seconds = timegm(&tm);
    return tm.tm_year == asked.tm_year && tm.tm_mon == asked.tm_mon && tm.tm_mday == asked.tm_mday &&
           tm.tm_hour == hour && tm.tm_min == minute && tm.tm_sec == second;
}

static void check_day(struct mu_span text)
{
    int32_t day = 0, next;
    int64_t seconds;
    char back[MU_DATE_MAX], after[MU_DATE_MAX];
    const bool taken = mu_date_parse(text, &day);
    FUZZ_HOLDS(taken == (text.len == 10 && civil(text.at, 0, 0, 0, &seconds)), "\"%.*s\"", FUZZ_SHOW(text));
    if (!taken)
        return;
    FUZZ_HOLDS(day == seconds / DAY_SECONDS && seconds % DAY_SECONDS == 0, "\"%.*s\" is day %d",
               FUZZ_SHOW(text), day);
    FUZZ_HOLDS(day >= MU_DAY_FIRST && day <= MU_DAY_LAST, "\"%.*s\" is day %d", FUZZ_SHOW(text), day);
    mu_date_format(day, back);
    FUZZ_HOLDS(mu_span_is(text, back), "\"%.*s\" comes back as %s", FUZZ_SHOW(text), back);
    if (day == MU_DAY_LAST)
        return;
    mu_date_format(day + 1, after);
    FUZZ_HOLDS(strcmp(after, back) > 0 && mu_date_parse(mu_span_of(after), &next) && next == day + 1,
               "%s is followed by %s", back, after);
}

/* The moment of an RFC 3339 text by its grammar: date "T" hh:mm:ss [ "." 1*6DIGIT ] ( "Z" / ( "+" / "-" )
 * hh:mm ). */
static bool moment(struct mu_span text, int64_t *us)
{
    const char *t = text.at;
    int64_t seconds, fraction = 0, unit = 100000;
    if (text.len < 20 || (t[10] != 'T' && t[10] != 't') || t[13] != ':' || t[16] != ':' ||
        !civil(t, number(t + 11, 2), number(t + 14, 2), number(t + 17, 2), &seconds))
        return false;
    size_t at = 19;
    if (t[at] == '.') {
        const size_t first = ++at;
        for (; at < text.len && t[at] >= '0' && t[at] <= '9'; at++, unit /= 10)
            fraction += unit * (t[at] - '0');
        if (at == first || at - first > 6)
            return false;
    }
    if (text.len - at == 6 && (t[at] == '+' || t[at] == '-') && t[at + 3] == ':') {
        const int hours = number(t + at + 1, 2), minutes = number(t + at + 4, 2);
        if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
            return false;
        seconds -= (t[at] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    } else if (text.len - at != 1 || (t[at] != 'Z' && t[at] != 'z')) {
        return false;
    }
    *us = seconds * 1000000 + fraction;
    return true;
}

static void check_moment(struct mu_span text)
{
    int64_t us = 0, want = 0, again = 0;
    char back[MU_RFC3339_MAX], after[MU_RFC3339_MAX];
    struct mu_xvalue v;
    const bool taken = mu_rfc3339_parse(text, &us);
    const bool right =
        moment(text, &want) && want >= MU_DAY_FIRST * MU_DAY_US && want < (MU_DAY_LAST + 1) * MU_DAY_US;
    FUZZ_HOLDS(taken == right, "\"%.*s\" is %s", FUZZ_SHOW(text), taken ? "taken" : "refused");
    FUZZ_HOLDS(mu_xvalue_parse(MU_TYPE_TIMESTAMP, text, &v) == taken, "\"%.*s\" as a value", FUZZ_SHOW(text));
    if (!taken)
        return;
    FUZZ_HOLDS(us == want, "\"%.*s\" is %lld, not %lld", FUZZ_SHOW(text), (long long)us, (long long)want);
    mu_rfc3339_format(us, back);
    FUZZ_HOLDS(mu_rfc3339_parse(mu_span_of(back), &again) && again == us, "\"%.*s\" comes back as %s",
               FUZZ_SHOW(text), back);
    MU_AUTO(mu_text_free) struct mu_text canonical = MU_TEXT(0);
    mu_xvalue_format(MU_TYPE_TIMESTAMP, &v, &canonical);
    FUZZ_HOLDS(mu_rfc3339_parse(mu_text_span(&canonical), &again) && again == us, "\"%.*s\" comes back as %s",
               FUZZ_SHOW(text), canonical.at);
    mu_rfc3339_format(us + 1, after);
    FUZZ_HOLDS(us + 1 == (MU_DAY_LAST + 1) * MU_DAY_US || strcmp(after, back) > 0, "%s is followed by %s",
               back, after);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mu_span text = mu_span((const char *)data, size);
    if (text.len && text.at[text.len - 1] == '\n') /* as files end */
        text.len--;
    check_day(text);
    check_moment(text);
    if (text.len > 10)
        check_day(mu_span(text.at, 10));
    return 0;
}

const char *fuzz_make(size_t index, struct mu_text *out)
{
    if (index > 0)
        return NULL;
    mu_text_puts(out, "2026-03-02T14:00:00.");
    for (int i = 0; i < 100000; i++)
        mu_text_putc(out, '0');
    mu_text_putc(out, 'Z');
    return "a hundred thousand digits of a fraction";
}
