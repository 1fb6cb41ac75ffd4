/* SPDX-License-Identifier: Apache-2.0 */
/* Where the marks of an axis stand, and what is written at them. */
#include "base/clock.h"
#include "format/chart.h"

#include <math.h>

#define DAY 86400.0

struct mu_ticks mu_ticks_of(double low, double high, int wanted)
{
    double span = high - low;
    if (!(span > 0) || !isfinite(span))
        span = 1;
    double step = pow(10, floor(log10(span / wanted)));
    double times = span / wanted / step;
    step *= times <= 1 ? 1 : times <= 2 ? 2 : times <= 5 ? 5 : 10;
    struct mu_ticks t = {.from = floor(low / step + 1e-9) * step, .step = step};
    t.count = (int)ceil((low + span - t.from) / step - 1e-9) + 1;
    return t;
}

void mu_tick_format(double value, double step, char out[MU_TICK_MAX])
{
    static const struct { double from; const char *unit; } units[] = {{1e12, " T"}, {1e9, " G"}, {1e6, " M"}, {0, ""}};
    size_t u = 0;
    while (units[u].from > 0 && (fabs(value) < units[u].from || step * 1000 < units[u].from))
        u++;
    double unit = units[u].from > 0 ? units[u].from : 1;
    int decimals = 0;
    while (decimals < 6 && fabs(step / unit * pow(10, decimals) - round(step / unit * pow(10, decimals))) > 1e-6)
        decimals++;
    char digits[MU_TICK_MAX];
    int len = snprintf(digits, sizeof(digits), "%.*f", decimals, fabs(value) < step * 1e-9 ? 0.0 : value / unit), to = 0;
    int whole = (int)strcspn(digits, ".");
    if (len >= MU_TICK_MAX - 16) { /* nobody reads that many digits */
        (void)snprintf(out, MU_TICK_MAX, "%.3g", value);
        return;
    }
    for (int i = 0; i < len; i++) {
        if (i && i < whole && digits[i - 1] != '-' && (whole - i) % 3 == 0)
            out[to++] = ',';
        out[to++] = digits[i];
    }
    (void)snprintf(out + to, (size_t)(MU_TICK_MAX - to), "%s", units[u].unit);
}

static void add(struct mu_moments *out, double at, const char label[16])
{
    if (out->count == (int)MU_COUNT(out->at))
        return;
    out->at[out->count] = at;
    (void)snprintf(out->label[out->count++], sizeof(out->label[0]), "%s", label);
}

/* Year and month of a day, or its "24 Nov". */
static void civil(double at, int64_t *year, int64_t *month, char label[16])
{
    static const char names[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    char date[MU_DATE_MAX];
    int64_t day = 1;
    mu_date_format((int32_t)floor(at / DAY), date);
    if (!mu_parse_i64(mu_span(date, 4), 1, 9999, year) || !mu_parse_i64(mu_span(date + 5, 2), 1, 12, month) ||
        !mu_parse_i64(mu_span(date + 8, 2), 1, 31, &day))
        *year = *month = 1;
    (void)snprintf(label, 16, "%d %s", (int)day, names[*month - 1]);
}

static void add_months(struct mu_moments *out, double low, double high, int step)
{
    int64_t year, month;
    char label[16], first[20];
    civil(low, &year, &month, label);
    for (int64_t m = (year * 12 + month - 1) / step * step;; m += step) {
        int32_t days;
        (void)snprintf(first, sizeof(first), "%04d-%02d-01", (int)(m / 12), (int)(m % 12) + 1);
        if (!mu_date_parse(mu_span_of(first), &days) || days * DAY > high)
            return;
        civil(days * DAY, &year, &month, label);
        char text[16];
        (void)snprintf(text, sizeof(text), "%.*s%d", step < 12 ? 4 : 0, "    ", (int)year);
        if (step < 12)
            memcpy(text, label + 2, 3); /* the day is the first */
        if (days * DAY >= low)
            add(out, days * DAY, text);
    }
}

void mu_moments_of(double low, double high, bool only_days, struct mu_moments *out)
{
    static const double steps[] = {60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, DAY, 2 * DAY, 7 * DAY, 14 * DAY};
    static const int months[] = {1, 3, 6, 12, 24, 60, 120, 600};
    *out = (struct mu_moments){.count = 0};
    size_t s = 0, m = 0;
    while (s < MU_COUNT(steps) && ((high - low) / steps[s] > 10 || (only_days && steps[s] < DAY)))
        s++;
    if (s == MU_COUNT(steps)) {
        while (m + 1 < MU_COUNT(months) && (high - low) / (months[m] * 30.44 * DAY) > 10)
            m++;
        add_months(out, low, high, months[m]);
        return;
    }
    double shift = steps[s] >= 7 * DAY ? 4 * DAY : 0; /* weeks begin on Monday; 1970-01-01 was a Thursday */
    for (double at = ceil((low - shift) / steps[s]) * steps[s] + shift; at <= high; at += steps[s]) {
        int64_t year, month;
        char label[16];
        civil(at, &year, &month, label);
        int second = (int)(at - floor(at / DAY) * DAY);
        if (second)
            (void)snprintf(label, sizeof(label), "%02d:%02d", second / 3600 % 24, second / 60 % 60);
        add(out, at, label);
    }
}
