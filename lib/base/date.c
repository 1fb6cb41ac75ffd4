/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

/* Civil dates by eras of 400 years (146,097 days) that begin on 1 March, so that the leap day comes last. */
static int32_t days_from_civil(int year, int month, int day)
{
    year -= month <= 2;
    int era = year / 400;
    int year_of_era = year - era * 400;
    int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int32_t days, int *year, int *month, int *day)
{
    days += 719468;
    int era = (days >= 0 ? days : days - 146096) / 146097;
    int day_of_era = days - era * 146097;
    int year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int shifted = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted + (shifted < 10 ? 3 : -9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

#define FIRST_SECOND (INT64_C(-719162) * 86400)      /* 0001-01-01T00:00:00Z */
#define LAST_SECOND (INT64_C(2932897) * 86400 - 1) /* 9999-12-31T23:59:59Z */

/* `count` digits at `at` as a number, or -1. */
static int digits(const char *at, size_t count)
{
    int value = 0;
    for (size_t i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9')
            return -1;
        value = value * 10 + (at[i] - '0');
    }
    return value;
}

bool mu_date_parse(struct mu_span text, int32_t *days)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (text.len != 10 || text.at[4] != '-' || text.at[7] != '-')
        return false;
    int year = digits(text.at, 4), month = digits(text.at + 5, 2), day = digits(text.at + 8, 2);
    if (year < 1 || month < 1 || month > 12 || day < 1)
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day > lengths[month - 1] + (month == 2 && leap))
        return false;
    *days = days_from_civil(year, month, day);
    return true;
}

int mu_weekday(int32_t days)
{
    return (int)(((days + 3) % 7 + 7) % 7) + 1; /* 1970-01-01 was a Thursday */
}

static void put_digits(char *at, unsigned value, size_t count)
{
    for (size_t i = count; i-- > 0; value /= 10)
        at[i] = (char)('0' + value % 10);
}

void mu_date_format(int32_t days, char out[MU_DATE_MAX])
{
    int year, month, day;
    civil_from_days(days, &year, &month, &day);
    put_digits(out, (unsigned)year, 4);
    out[4] = '-';
    put_digits(out + 5, (unsigned)month, 2);
    out[7] = '-';
    put_digits(out + 8, (unsigned)day, 2);
    out[10] = '\0';
}

void mu_rfc3339_format(int64_t wall_us, char out[MU_RFC3339_MAX])
{
    const int64_t day_us = INT64_C(86400) * 1000000;
    int64_t days = wall_us / day_us, rest = wall_us % day_us;
    if (rest < 0) {
        days--;
        rest += day_us;
    }
    unsigned seconds = (unsigned)(rest / 1000000), micros = (unsigned)(rest % 1000000);
    mu_date_format((int32_t)days, out);
    memcpy(out + 10, "T00:00:00.000000Z", 18);
    put_digits(out + 11, seconds / 3600, 2);
    put_digits(out + 14, seconds / 60 % 60, 2);
    put_digits(out + 17, seconds % 60, 2);
    put_digits(out + 20, micros, 6);
}

/* "Z" or "+hh:mm" at the end of a timestamp, in minutes. */
static bool parse_offset(struct mu_span text, int *minutes)
{
    if (text.len == 1 && (text.at[0] == 'Z' || text.at[0] == 'z')) {
        *minutes = 0;
        return true;
    }
    if (text.len != 6 || (text.at[0] != '+' && text.at[0] != '-') || text.at[3] != ':')
        return false;
    int hour = digits(text.at + 1, 2), minute = digits(text.at + 4, 2);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59)
        return false;
    *minutes = (text.at[0] == '-' ? -1 : 1) * (hour * 60 + minute);
    return true;
}

bool mu_rfc3339_parse(struct mu_span text, int64_t *wall_us)
{
    int32_t days;
    if (text.len < 20 || !mu_date_parse(mu_span(text.at, 10), &days))
        return false;
    const char *t = text.at;
    if ((t[10] != 'T' && t[10] != 't') || t[13] != ':' || t[16] != ':')
        return false;
    int hour = digits(t + 11, 2), minute = digits(t + 14, 2), second = digits(t + 17, 2);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
        return false;
    size_t at = 19;
    int64_t micros = 0;
    if (t[at] == '.') {
        size_t count = 0;
        for (at++; at < text.len && count < 7 && t[at] >= '0' && t[at] <= '9'; at++, count++)
            micros = micros * 10 + (t[at] - '0');
        if (count < 1 || count > 6)
            return false;
        for (; count < 6; count++)
            micros *= 10;
    }
    int offset;
    if (!parse_offset(mu_span(t + at, text.len - at), &offset))
        return false;
    int64_t seconds = ((int64_t)days * 24 + hour) * 3600 + ((int64_t)minute - offset) * 60 + second;
    if (seconds < FIRST_SECOND || seconds > LAST_SECOND)
        return false;
    *wall_us = seconds * 1000000 + micros;
    return true;
}
