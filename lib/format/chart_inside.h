/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the charts share. */
#ifndef MU_CHART_INSIDE_H
#define MU_CHART_INSIDE_H

#include "format/chart.h"

#define CHART_NAMES_MAX 24

struct point {
    int series;
    int place; /* of x among the names */
    double x, y;
};

struct mu_chart {
    bool line;
    enum mu_axis axis;
    const char *caption;
    struct mu_text words; /* of names and series, each ending in NUL */
    size_t series[MU_CHART_SERIES_MAX], names[CHART_NAMES_MAX];
    int series_count, name_count;
    struct point *points;
    size_t count, left_out;
};

/* A word of the chart: a name, a series. */
static inline const char *chart_word(const struct mu_chart *c, size_t at)
{
    return c->words.at + at;
}

#endif
