/* SPDX-License-Identifier: Apache-2.0 */
/* Bar and line charts as SVG within a page: no script, nothing from outside, colours by the page's style sheet (classes
 * s0 to s7 of series, grid, axis, label), a title and a description for who does not see them. The numbers of a picture
 * are for the eye, so they are doubles; the exact ones stand in the table beside it.
 *
 * Bars over names lie, so that long names can be read, the first 24 of them; bars over days and times stand. */
#ifndef MU_CHART_H
#define MU_CHART_H

#include "base/text.h"

#define MU_CHART_SERIES_MAX 8

enum mu_axis { MU_AXIS_NAMES, MU_AXIS_DAYS, MU_AXIS_TIMES, MU_AXIS_NUMBERS };

struct mu_chart;
/* Caption is borrowed until the chart is freed. NULL: out of memory. */
struct mu_chart *mu_chart_new(bool line, enum mu_axis axis, const char *caption);
/* A value; series "" if there is one only. x is a name, a day (2026-11-24), a time as PostgreSQL writes it in UTC (2026-11-24
 * 10:00:00+00) or a number. Bars of one series and x are one bar, of their sum. What cannot be read, lies beyond 1e15, or is one
 * series or name too many, is left out and counted. Copies. */
void mu_chart_add(struct mu_chart *c, struct mu_span series, struct mu_span x, struct mu_span y);
/* `number` tells the charts of a page apart. */
void mu_chart_write(const struct mu_chart *c, int number, struct mu_text *out);
bool mu_chart_is_empty(const struct mu_chart *c);
void mu_chart_free(struct mu_chart *c);
MU_DEFINE_AUTO(struct mu_chart, mu_chart_free)

/* Round numbers that cover a range with about `wanted` steps: 1, 2 or 5 times a power of ten. */
struct mu_ticks {
    double from, step;
    int count; /* of ticks: the last one is from + step * (count - 1) */
};
struct mu_ticks mu_ticks_of(double low, double high, int wanted);
/* "1,250", "0.5", "12 M": no more digits than the step needs. */
#define MU_TICK_MAX 40
void mu_tick_format(double value, double step, char out[MU_TICK_MAX]);
/* Moments for the marks of a time axis, seconds since 1970: full minutes, hours, days, months or years, at most 12; and
 * their labels. */
struct mu_moments {
    double at[16];
    char label[16][16];
    int count;
};
void mu_moments_of(double low, double high, bool only_days, struct mu_moments *out);

#endif
