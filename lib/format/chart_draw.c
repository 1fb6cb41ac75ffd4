/* SPDX-License-Identifier: Apache-2.0 */
/* How a chart is drawn: lying bars, or a frame with marks in which bars stand or lines go. */
#include "base/clock.h"
#include "format/chart_inside.h"
#include "format/html.h"

#include <math.h>

#define WIDTH 1140.0
#define LETTER 6.7 /* width of a letter of the labels, about */

struct frame {
    double left, right, top, bottom;  /* of the area of the values */
    double low, high;                 /* of the axis of values */
    double x_low, x_high, slot;       /* of the other axis; width of a place on it */
    struct mu_ticks ticks;
};

static double across(const struct frame *f, double x)
{
    return f->left + (x - f->x_low) / (f->x_high - f->x_low) * (f->right - f->left);
}

static double up(const struct frame *f, double y)
{
    return f->bottom - (y - f->low) / (f->high - f->low) * (f->bottom - f->top);
}

static double along(const struct frame *f, double y)
{
    return f->left + (y - f->low) / (f->high - f->low) * (f->right - f->left);
}

static void label(struct mu_text *out, const char *classes, const char *anchor, double x, double y, const char *text)
{
    mu_text_addf(out, "<text class=\"%s\" text-anchor=\"%s\" x=\"%.1f\" y=\"%.1f\">", classes, anchor, x, y);
    mu_html_puts(out, text);
    mu_text_puts(out, "</text>");
}

static size_t letters(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

/* At most so many characters, the last one an ellipsis if there were more. */
static void shorten(const char *text, size_t most, char *out, size_t size)
{
    size_t taken = 0, bytes = 0;
    bool whole = letters(text) <= most;
    while (text[bytes] && bytes + 4 < size) {
        if (((unsigned char)text[bytes] & 0xC0) != 0x80 && ++taken > (whole ? most : most - 1))
            break;
        bytes++;
    }
    (void)snprintf(out, size, "%.*s%s", (int)bytes, text, whole && !text[bytes] ? "" : "\u2026");
}

static bool has_names(const struct mu_chart *c)
{
    return c->series_count > 1 || chart_word(c, c->series[0])[0];
}

static void write_legend(const struct mu_chart *c, double left, struct mu_text *out)
{
    double x = left;
    for (int i = 0; has_names(c) && i < c->series_count; i++) {
        char name[100];
        shorten(chart_word(c, c->series[i]), 24, name, sizeof(name));
        if (c->line)
            mu_text_addf(out, "<path class=\"line s%d\" d=\"M%.1f 11h22\"/>", i, x);
        else
            mu_text_addf(out, "<rect class=\"bar s%d\" x=\"%.1f\" y=\"5\" width=\"12\" height=\"12\" rx=\"2\"/>", i, x);
        label(out, "label", "start", x + (c->line ? 27 : 17), 15, name);
        x += (c->line ? 27 : 17) + (double)letters(name) * LETTER + 20;
    }
}

/* A value itself: as it is if it is whole, else to three places. */
static void format_value(double value, char out[MU_TICK_MAX])
{
    bool whole = fmod(value, 1) == 0;
    mu_tick_format(value, whole ? 1 : 0.001, out);
    size_t len = strlen(out);
    while (!whole && len && out[len - 1] == '0')
        out[--len] = '\0';
}

static void tip(const struct mu_chart *c, const struct point *p, const char *x, struct mu_text *out)
{
    char value[MU_TICK_MAX];
    format_value(p->y, value);
    mu_text_puts(out, "<title>");
    if (has_names(c)) {
        mu_html_puts(out, chart_word(c, c->series[p->series]));
        mu_text_puts(out, ", ");
    }
    mu_html_puts(out, x);
    mu_text_addf(out, ": %s</title>", value);
}

static void x_of(const struct mu_chart *c, const struct point *p, char *out, size_t size)
{
    char date[MU_DATE_MAX];
    if (c->axis == MU_AXIS_NAMES) {
        (void)snprintf(out, size, "%s", chart_word(c, c->names[p->place]));
    } else if (c->axis == MU_AXIS_NUMBERS) {
        format_value(p->x, out);
    } else {
        int second = (int)(p->x - floor(p->x / 86400) * 86400);
        mu_date_format((int32_t)floor(p->x / 86400), date);
        if (c->axis == MU_AXIS_DAYS)
            (void)snprintf(out, size, "%s", date);
        else
            (void)snprintf(out, size, "%s %02d:%02d", date, second / 3600, second / 60 % 60);
    }
}

static void range(const struct mu_chart *c, double *low, double *high, double *x_low, double *x_high)
{
    *low = *high = 0; /* a bar, and what is compared by eye, begins at nothing */
    *x_low = c->points[0].x;
    *x_high = c->points[0].x;
    for (size_t i = 0; i < c->count; i++) {
        const struct point *p = &c->points[i];
        *low = fmin(*low, p->y);
        *high = fmax(*high, p->y);
        *x_low = fmin(*x_low, p->x);
        *x_high = fmax(*x_high, p->x);
    }
    if (*low == *high)
        *high = 1;
}

static bool all_whole(const struct mu_chart *c)
{
    for (size_t i = 0; i < c->count; i++)
        if (fmod(c->points[i].y, 1) != 0)
            return false;
    return true;
}

static void scale_values(const struct mu_chart *c, struct frame *f, int wanted)
{
    range(c, &f->low, &f->high, &f->x_low, &f->x_high);
    f->ticks = mu_ticks_of(f->low, f->high, wanted);
    if (f->ticks.step < 1 && all_whole(c)) /* there are no halves of findings */
        f->ticks = (struct mu_ticks){.from = floor(f->low), .step = 1, .count = (int)(ceil(f->high) - floor(f->low)) + 1};
    f->low = f->ticks.from;
    f->high = f->ticks.from + f->ticks.step * (f->ticks.count - 1);
}

/* The smallest distance of two neighbours: so wide may bars be together. */
static double spacing(const struct mu_chart *c, double otherwise)
{
    double least = 0;
    for (size_t i = 1; i < c->count; i++) {
        double d = fabs(c->points[i].x - c->points[i - 1].x);
        if (d > 0 && (least == 0 || d < least))
            least = d;
    }
    return least > 0 ? least : otherwise;
}

/* Bars that lie, one under the other, with their values behind them. */
static void write_lying(const struct mu_chart *c, const struct frame *f, double bar, double band, struct mu_text *out)
{
    char text[MU_TICK_MAX], name[200];
    for (int i = 0; i < f->ticks.count; i++) {
        double at = f->ticks.from + f->ticks.step * i;
        mu_tick_format(at, f->ticks.step, text);
        mu_text_addf(out, "<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/>", along(f, at), f->top, f->bottom);
        label(out, "label", "middle", along(f, at), f->bottom + 17, text);
    }
    for (int i = 0; i < c->name_count; i++) {
        shorten(chart_word(c, c->names[i]), 34, name, sizeof(name));
        label(out, "label", "end", f->left - 8, f->top + band * (i + 0.5) + 4, name[0] ? name : "\u2013");
    }
    for (size_t i = 0; i < c->count; i++) {
        const struct point *p = &c->points[i];
        double from = along(f, fmin(0, p->y)), to = along(f, fmax(0, p->y));
        double y = f->top + band * p->place + (band - bar * c->series_count) / 2 + bar * p->series;
        x_of(c, p, name, sizeof(name));
        mu_text_addf(out, "<rect class=\"bar s%d\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\">", p->series, from, y + 1,
                     fmax(to - from, 0.5), bar - 2);
        tip(c, p, name, out);
        format_value(p->y, text);
        mu_text_puts(out, "</rect>");
        label(out, "value", "start", to + 5, y + bar / 2 + 4, text);
    }
    mu_text_addf(out, "<path class=\"axis\" d=\"M%.1f %.1fV%.1f\"/>", along(f, 0), f->top, f->bottom);
}

static void write_grid(const struct frame *f, struct mu_text *out)
{
    char text[MU_TICK_MAX];
    for (int i = 0; i < f->ticks.count; i++) {
        double at = f->ticks.from + f->ticks.step * i;
        mu_tick_format(at, f->ticks.step, text);
        mu_text_addf(out, "<path class=\"%s\" d=\"M%.1f %.1fH%.1f\"/>", fabs(at) < f->ticks.step * 1e-9 ? "axis" : "grid", f->left, up(f, at),
                     f->right);
        label(out, "label", "end", f->left - 8, up(f, at) + 4, text);
    }
}

static void mark(const struct frame *f, double at, const char *text, struct mu_text *out)
{
    mu_text_addf(out, "<path class=\"axis\" d=\"M%.1f %.1fv5\"/>", across(f, at), f->bottom);
    label(out, "label", "middle", across(f, at), f->bottom + 19, text);
}

static void write_x_axis(const struct mu_chart *c, const struct frame *f, struct mu_text *out)
{
    if (c->axis == MU_AXIS_DAYS || c->axis == MU_AXIS_TIMES) {
        struct mu_moments m;
        mu_moments_of(f->x_low, f->x_high, c->axis == MU_AXIS_DAYS, &m);
        for (int i = 0; i < m.count; i++)
            mark(f, m.at[i], m.label[i], out);
    } else if (c->axis == MU_AXIS_NUMBERS) {
        char text[MU_TICK_MAX];
        struct mu_ticks t = mu_ticks_of(f->x_low, f->x_high, 8);
        for (int i = 0; i < t.count; i++) {
            double at = t.from + t.step * i;
            mu_tick_format(at, t.step, text);
            if (at >= f->x_low && at <= f->x_high)
                mark(f, at, text, out);
        }
    } else {
        int each = (c->name_count + 7) / 8;
        for (int i = 0; i < c->name_count; i += each) {
            char name[60];
            shorten(chart_word(c, c->names[i]), 14, name, sizeof(name));
            mark(f, i, name, out);
        }
    }
}

static void write_standing(const struct mu_chart *c, const struct frame *f, struct mu_text *out)
{
    char name[200];
    double width = f->slot / (f->x_high - f->x_low) * (f->right - f->left);
    double bar = fmin(width * 0.8, 80) / c->series_count;
    for (size_t i = 0; i < c->count; i++) {
        const struct point *p = &c->points[i];
        double x = across(f, p->x) - bar * c->series_count / 2 + bar * p->series, top = up(f, fmax(0, p->y)), foot = up(f, fmin(0, p->y));
        x_of(c, p, name, sizeof(name));
        mu_text_addf(out, "<rect class=\"bar s%d\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\">", p->series, x, top, fmax(bar * 0.94, 0.5),
                     fmax(foot - top, 0.5));
        tip(c, p, name, out);
        mu_text_puts(out, "</rect>");
    }
}

static int by_x(const void *a, const void *b)
{
    const struct point *p = a, *q = b;
    return p->series != q->series ? p->series - q->series : (p->x > q->x) - (p->x < q->x);
}

static void write_lines(const struct mu_chart *c, const struct frame *f, struct mu_text *out)
{
    char name[200];
    struct point *sorted = malloc(c->count * sizeof(*sorted));
    if (!sorted)
        return;
    memcpy(sorted, c->points, c->count * sizeof(*sorted));
    qsort(sorted, c->count, sizeof(*sorted), by_x);
    for (size_t i = 0; i < c->count; i++) {
        bool begins = !i || sorted[i].series != sorted[i - 1].series, ends = i + 1 == c->count || sorted[i].series != sorted[i + 1].series;
        if (begins)
            mu_text_addf(out, "<path class=\"line s%d\" d=\"", sorted[i].series);
        mu_text_addf(out, "%c%.1f %.1f", begins ? 'M' : 'L', across(f, sorted[i].x), up(f, sorted[i].y));
        if (ends)
            mu_text_puts(out, "\"/>");
    }
    for (size_t i = 0; i < c->count; i++) {
        x_of(c, &sorted[i], name, sizeof(name));
        mu_text_addf(out, "<circle class=\"dot s%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"%s\">", sorted[i].series, across(f, sorted[i].x), up(f, sorted[i].y),
                     c->count <= 200 ? "3" : "1.5");
        tip(c, &sorted[i], name, out);
        mu_text_puts(out, "</circle>");
    }
    free(sorted);
}

/* What a picture says, for who does not see it. */
static void describe(const struct mu_chart *c, struct mu_text *out)
{
    const struct point *most = &c->points[0];
    char name[200], value[MU_TICK_MAX];
    for (size_t i = 1; i < c->count; i++)
        if (c->points[i].y > most->y)
            most = &c->points[i];
    x_of(c, most, name, sizeof(name));
    format_value(most->y, value);
    mu_text_addf(out, "%s chart, %zu values", c->line ? "Line" : "Bar", c->count);
    for (int i = 0; has_names(c) && i < c->series_count; i++) {
        mu_text_puts(out, i ? ", " : " of ");
        mu_html_puts(out, chart_word(c, c->series[i]));
    }
    mu_text_addf(out, "; the largest is %s, of ", value);
    mu_html_puts(out, name);
    if (c->series_count > 1) {
        mu_text_puts(out, ", ");
        mu_html_puts(out, chart_word(c, c->series[most->series]));
    }
    mu_text_puts(out, ". All values stand in the table.");
}

static void begin(const struct mu_chart *c, int number, double height, struct mu_text *out)
{
    mu_text_addf(out, "<svg role=\"img\" aria-labelledby=\"chart%d-title chart%d-desc\" viewBox=\"0 0 %.0f %.0f\">\n<title id=\"chart%d-title\">", number,
                 number, WIDTH, height, number);
    mu_html_puts(out, c->caption);
    mu_text_addf(out, "</title>\n<desc id=\"chart%d-desc\">", number);
    describe(c, out);
    mu_text_puts(out, "</desc>\n");
}

static void draw_lying(const struct mu_chart *c, int number, struct mu_text *out)
{
    struct frame f = {.right = WIDTH - 70, .top = has_names(c) ? 28 : 6};
    size_t longest = 1;
    for (int i = 0; i < c->name_count; i++) {
        size_t len = letters(chart_word(c, c->names[i]));
        longest = len > longest ? len : longest;
    }
    double bar = c->series_count > 3 ? 13 : 18, band = bar * c->series_count + 10;
    f.left = fmin((double)longest, 34) * LETTER + 16;
    f.bottom = f.top + band * c->name_count;
    scale_values(c, &f, 6);
    begin(c, number, f.bottom + 26, out);
    write_legend(c, f.left, out);
    write_lying(c, &f, bar, band, out);
}

static void draw_upright(const struct mu_chart *c, int number, struct mu_text *out)
{
    struct frame f = {.right = WIDTH - 24, .top = has_names(c) ? 32 : 12};
    char text[MU_TICK_MAX];
    f.bottom = f.top + 240;
    scale_values(c, &f, 5);
    for (int i = 0; i < f.ticks.count; i++) {
        mu_tick_format(f.ticks.from + f.ticks.step * i, f.ticks.step, text);
        f.left = fmax(f.left, (double)letters(text) * LETTER + 18);
    }
    f.slot = spacing(c, c->axis == MU_AXIS_DAYS ? 86400 : c->axis == MU_AXIS_TIMES ? 3600 : 1);
    if (!c->line || f.x_low == f.x_high) { /* room for the halves of the first bar and the last */
        f.x_low -= f.slot / 2;
        f.x_high += f.slot / 2;
    }
    begin(c, number, f.bottom + 28, out);
    write_legend(c, f.left, out);
    write_grid(&f, out);
    write_x_axis(c, &f, out);
    if (c->line)
        write_lines(c, &f, out);
    else
        write_standing(c, &f, out);
}

void mu_chart_write(const struct mu_chart *c, int number, struct mu_text *out)
{
    if (!c->count)
        return;
    mu_text_puts(out, "<figure>\n<figcaption>");
    mu_html_puts(out, c->caption);
    mu_text_puts(out, "</figcaption>\n");
    if (!c->line && c->axis == MU_AXIS_NAMES)
        draw_lying(c, number, out);
    else
        draw_upright(c, number, out);
    mu_text_puts(out, "</svg>\n");
    if (c->left_out)
        mu_text_addf(out, "<p class=\"note\">The picture has no room for %zu further values; they stand in the table.</p>\n", c->left_out);
    mu_text_puts(out, "</figure>\n");
}
