/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "format/chart_inside.h"

#include <math.h>

#define POINTS_MAX 20000
#define VALUE_MAX 1e15 /* beyond it a double has hardly a fraction left, and scales go astray */

struct mu_chart *mu_chart_new(bool line, enum mu_axis axis, const char *caption)
{
    struct mu_chart *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->line = line;
    c->axis = axis;
    c->caption = caption;
    c->points = calloc(POINTS_MAX, sizeof(*c->points));
    if (!c->points) {
        free(c);
        return NULL;
    }
    return c;
}

void mu_chart_free(struct mu_chart *c)
{
    if (!c)
        return;
    mu_text_free(&c->words);
    free(c->points);
    free(c);
}

bool mu_chart_is_empty(const struct mu_chart *c)
{
    return !c->count;
}

/* The place of a text in a list, where it is put if it is new; -1: there is no room. */
static int place_of(struct mu_chart *c, size_t *list, int *count, int max, struct mu_span text)
{
    for (int i = 0; i < *count; i++)
        if (mu_span_is(text, chart_word(c, list[i])))
            return i;
    if (*count == max)
        return -1;
    list[*count] = c->words.len;
    mu_text_add(&c->words, text);
    mu_text_putc(&c->words, '\0');
    return c->words.failed ? -1 : (*count)++;
}

static bool take_number(struct mu_span text, double *out)
{
    char copy[64], *end;
    if (!text.len || !mu_copy_text(copy, sizeof(copy), text))
        return false;
    *out = strtod(copy, &end);
    return !*end && fabs(*out) <= VALUE_MAX;
}

/* "2026-11-24 10:00:00.5+00": seconds since 1970. */
static bool take_time(struct mu_span text, double *out)
{
    int32_t days;
    int64_t part[3] = {0};
    if (text.len < 10 || !mu_date_parse(mu_span(text.at, 10), &days))
        return false;
    for (size_t i = 0; i < 3 && text.len >= 13 + 3 * i; i++)
        if (!mu_parse_i64(mu_span(text.at + 11 + 3 * i, 2), 0, 59, &part[i]))
            return false;
    *out = days * 86400.0 + (double)(part[0] * 3600 + part[1] * 60 + part[2]);
    return true;
}

static bool take_x(struct mu_chart *c, struct mu_span x, struct point *p)
{
    switch (c->axis) {
    case MU_AXIS_NAMES:
        p->place = place_of(c, c->names, &c->name_count, CHART_NAMES_MAX, x);
        p->x = p->place;
        return p->place >= 0;
    case MU_AXIS_DAYS:
    case MU_AXIS_TIMES:
        return take_time(x, &p->x);
    case MU_AXIS_NUMBERS:
        return take_number(x, &p->x);
    }
    return false;
}

void mu_chart_add(struct mu_chart *c, struct mu_span series, struct mu_span x, struct mu_span y)
{
    struct point p = {.series = -1};
    if (c->count < POINTS_MAX && take_number(y, &p.y) && take_x(c, x, &p))
        p.series = place_of(c, c->series, &c->series_count, MU_CHART_SERIES_MAX, series);
    for (size_t i = c->count; !c->line && p.series >= 0 && i-- > 0;) {
        if (c->points[i].x == p.x && c->points[i].series == p.series) {
            c->points[i].y += p.y;
            return;
        }
    }
    if (p.series >= 0)
        c->points[c->count++] = p;
    else if (y.len) /* no value is a gap, nothing that is missing */
        c->left_out++;
}
