/* SPDX-License-Identifier: Apache-2.0 */
#include "format/chart.h"
#include "format/html.h"
#include "format/report.h"
#include "tap.h"

#define HEAD "-- title: T\n-- question: Q?\n"

TAP_TEST(a_header_says_what_people_are_told)
{
    struct mu_report r;
    struct mu_error err = {0};
    CHECK(mu_report_parse(&r, mu_span_of("-- SPDX-License-Identifier: Apache-2.0\n-- title: Findings: all\n-- question: What was found\n"
                                         "--   since a day?\n-- parameter: since  day  default 30 days ago  first day\n"
                                         "-- parameter: job  job   required   id or key, as it is\n-- parameter: rule  text  optional  of a rule\n"
                                         "-- chart: bar x=rule y=this_quarter,last_quarter  Both quarters\n"
                                         "-- chart: line x=hour y=* series=queue  Rows\r\n--\n-- nonsense: of no matter\nselect 1;\n"),
                          &err));
    CHECK_TEXT(err.text, "");
    CHECK_TEXT(r.title, "Findings: all");
    CHECK_TEXT(r.question, "What was found since a day?");
    CHECK_INT(r.parameter_count, 3);
    CHECK_TEXT(r.parameters[0].fallback, "30 days ago");
    CHECK_TEXT(r.parameters[0].meaning, "first day");
    CHECK(r.parameters[1].required && r.parameters[1].kind == MU_PARAMETER_JOB);
    CHECK_TEXT(r.parameters[1].meaning, "id or key, as it is");
    CHECK(!r.parameters[2].required && !r.parameters[2].fallback[0]);
    CHECK(mu_report_parameter(&r, mu_span_of("rule")) == &r.parameters[2] && !mu_report_parameter(&r, mu_span_of("rul")));
    CHECK_INT(r.chart_count, 2);
    CHECK_INT(r.charts[0].y_count, 2);
    CHECK_TEXT(r.charts[0].y[1], "last_quarter");
    CHECK_TEXT(r.charts[1].y[0], "*");
    CHECK_TEXT(r.charts[1].series, "queue");
    CHECK(r.charts[1].line);
    CHECK_TEXT(r.charts[1].caption, "Rows");
}

TAP_TEST(a_slip_in_a_header_is_an_error_with_its_line)
{
    static const struct { const char *file, *error; } cases[] = {
        {"select 1", "it has no title"},
        {"-- title: T\nselect 1", "it has no question"},
        {"-- title: T\n-- title: U\n", "line 2: a second title"},
        {"-- title:\n", "line 1: the title is empty"},
        {HEAD "-- paramter: x  day  optional  m\n", "line 3: \"paramter"},
        {HEAD "-- parameter: x day optional m\n", "line 3: \"x day optional m\" is no name"},
        {HEAD "-- parameter: x  date  optional  m\n", "line 3: x is of a kind \"date\""},
        {HEAD "-- parameter: x  day  yesterday  m\n", "line 3: x is neither"},
        {HEAD "-- parameter: x  day  optional\n", "line 3: x has no meaning"},
        {HEAD "-- parameter: x  day  optional  m\n-- parameter: x  day  optional  m\n", "line 4: a second parameter x"},
        {"-- title: T\n-- question: one\n--   and two\n-- parameter: 1x  day  optional  m\n", "line 4: \"1x\" is no name"},
        {HEAD "-- chart: pie x=a y=b  C\n", "line 3: a chart is"},
        {HEAD "-- chart: bar x=a  C\n", "line 3: a chart is"},
        {HEAD "-- chart: bar x=a y=b z=c  C\n", "line 3: a chart is"},
        {HEAD "-- chart: bar x=a y=b\n", "line 3: a chart is"},
        {HEAD "-- chart: bar x=a y=b,c;drop  C\n", "line 3: a chart is"},
    };
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        struct mu_report r;
        struct mu_error err = {0};
        CHECK(!mu_report_parse(&r, mu_span_of(cases[i].file), &err));
        if (strncmp(err.text, cases[i].error, strlen(cases[i].error)) != 0)
            TAP_FAIL("\"%s\": %s", cases[i].file, err.text);
    }
}

TAP_TEST(a_header_that_is_cut_anywhere_does_no_harm)
{
    static const char file[] = HEAD "-- parameter: since  day  default 30 days ago  first\n--   day\n-- chart: bar x=a y=b,*  C\n--\n";
    for (size_t len = 0; len < sizeof(file); len++) {
        struct mu_report r;
        char *copy = malloc(len + 1); /* so that a read behind the end is seen */
        memcpy(copy, file, len);
        if (mu_report_parse(&r, mu_span(copy, len), NULL))
            CHECK_TEXT(r.title, "T");
        free(copy);
    }
}

static void check_ticks(double low, double high, int wanted, double from, double step, int count)
{
    struct mu_ticks t = mu_ticks_of(low, high, wanted);
    if (t.from < from - 1e-9 || t.from > from + 1e-9 || t.step < step * 0.999999 || t.step > step * 1.000001 || t.count != count)
        TAP_FAIL("%g to %g: from %g step %g count %d", low, high, t.from, t.step, t.count);
}

TAP_TEST(ticks_are_round_and_cover_the_range)
{
    check_ticks(0, 10, 5, 0, 2, 6);
    check_ticks(0, 97, 5, 0, 20, 6);
    check_ticks(0, 101, 5, 0, 50, 4);
    check_ticks(0, 0.3, 5, 0, 0.1, 4);
    check_ticks(-30, 40, 5, -40, 20, 5);
    check_ticks(0, 0, 5, 0, 0.2, 6);
    check_ticks(3, 3, 5, 3, 0.2, 6);
    check_ticks(0, 7e12, 5, 0, 2e12, 5);
    for (double high = 1e-6; high < 1e15; high *= 1.37) {
        struct mu_ticks t = mu_ticks_of(0, high, 5);
        CHECK(t.count >= 2 && t.count <= 8 && t.from + t.step * (t.count - 1) >= high * (1 - 1e-9));
    }
}

TAP_TEST(ticks_are_written_with_no_more_digits_than_they_need)
{
    static const struct { double value, step; const char *text; } cases[] = {
        {0, 20, "0"}, {1250, 50, "1,250"}, {-1250, 50, "-1,250"}, {0.30000000000000004, 0.1, "0.3"}, {1e6, 5e5, "1.0 M"}, {2e6, 1e6, "2 M"},
        {999999, 1, "999,999"}, {1234567, 1, "1,234,567"}, {1e-17, 0.2, "0.0"}, {100, 0.25, "100.00"},
    };
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        char text[MU_TICK_MAX];
        mu_tick_format(cases[i].value, cases[i].step, text);
        CHECK_TEXT(text, cases[i].text);
    }
}

static void check_moments(double low, double high, bool only_days, const char *want)
{
    struct mu_moments m;
    MU_AUTO(mu_text_free) struct mu_text got = MU_TEXT(0);
    mu_moments_of(low, high, only_days, &m);
    for (int i = 0; i < m.count; i++) {
        mu_text_addf(&got, "%s%s", i ? "|" : "", m.label[i]);
        CHECK(m.at[i] >= low && m.at[i] <= high);
    }
    CHECK_SPAN(mu_text_span(&got), mu_span_of(want));
}

#define DAY 86400.0
#define NOV_24 (20781 * DAY) /* 2026-11-24, a Tuesday */

TAP_TEST(a_time_axis_is_marked_at_full_hours_days_months_and_years)
{
    check_moments(NOV_24, NOV_24 + 7200, false, "24 Nov|00:15|00:30|00:45|01:00|01:15|01:30|01:45|02:00");
    check_moments(NOV_24 - 3600, NOV_24 + DAY, false, "24 Nov|03:00|06:00|09:00|12:00|15:00|18:00|21:00|25 Nov");
    check_moments(NOV_24, NOV_24 + 7 * DAY, false, "24 Nov|25 Nov|26 Nov|27 Nov|28 Nov|29 Nov|30 Nov|1 Dec");
    check_moments(NOV_24, NOV_24 + 40 * DAY, false, "30 Nov|7 Dec|14 Dec|21 Dec|28 Dec");
    check_moments(NOV_24, NOV_24 + 200 * DAY, false, "Dec 2026|Jan 2027|Feb 2027|Mar 2027|Apr 2027|May 2027|Jun 2027");
    check_moments(NOV_24, NOV_24 + 9 * 365 * DAY, false, "2027|2028|2029|2030|2031|2032|2033|2034|2035");
    check_moments(NOV_24 - DAY / 2, NOV_24 + DAY / 2, true, "24 Nov");
    for (double span = 1; span < 1e11; span *= 1.31) {
        struct mu_moments m;
        mu_moments_of(0, span, false, &m);
        CHECK(m.count <= 16);
    }
}

TAP_TEST(what_is_not_ours_does_nothing_on_a_page)
{
    static const struct { const char *bytes, *html; } cases[] = {
        {"<script>alert(\"1\")</script>", "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;"},
        {"it's & so", "it&#39;s &amp; so"},
        {"a\nb\tc", "a\u23ceb\u27e8U+0009\u27e9c"},
        {"abc\u202ecba", "abc\u27e8U+202E\u27e9cba"},
        {"\x1b[2J\u200b", "\u27e8U+001B\u27e9[2J\u27e8U+200B\u27e9"},
        {"gr\u00fc\u00df \xff\xc3", "gr\u00fc\u00df \ufffd\ufffd"},
        {"\xf3\xa0\x81\x81", "\u27e8U+E0041\u27e9"},
    };
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        MU_AUTO(mu_text_free) struct mu_text t = MU_TEXT(0);
        mu_html_puts(&t, cases[i].bytes);
        CHECK_SPAN(mu_text_span(&t), mu_span_of(cases[i].html));
    }
    MU_AUTO(mu_text_free) struct mu_text t = MU_TEXT(0);
    mu_visible_add(&t, mu_span_of("<b>\r"));
    CHECK_SPAN(mu_text_span(&t), mu_span_of("<b>\u27e8U+000D\u27e9"));
}

static size_t count_of(struct mu_span text, const char *word)
{
    size_t count = 0;
    for (const char *at = text.at; (at = strstr(at, word)); at += strlen(word))
        count++;
    return count;
}

TAP_TEST(bars_of_one_name_are_one_bar_and_what_has_no_room_is_counted)
{
    MU_AUTO(mu_chart_free) struct mu_chart *c = mu_chart_new(false, MU_AXIS_NAMES, "Findings & more");
    MU_AUTO(mu_text_free) struct mu_text out = MU_TEXT(0);
    CHECK(mu_chart_is_empty(c));
    mu_chart_write(c, 1, &out);
    CHECK_INT(out.len, 0);
    for (int i = 0; i < 30; i++) {
        char name[8];
        (void)snprintf(name, sizeof(name), "R%02d", i);
        mu_chart_add(c, mu_span_of(""), mu_span_of(name), mu_span_of("1"));
        mu_chart_add(c, mu_span_of(""), mu_span_of(name), mu_span_of("2"));
    }
    mu_chart_add(c, mu_span_of(""), mu_span_of("R00"), mu_span_of("NaN"));
    mu_chart_write(c, 1, &out);
    CHECK_INT(count_of(mu_text_span(&out), "<rect "), 24);
    CHECK_INT(count_of(mu_text_span(&out), ">R05: 3</title>"), 1);
    CHECK_INT(count_of(mu_text_span(&out), "for 13 further values"), 1);
    CHECK_INT(count_of(mu_text_span(&out), "Findings &amp; more"), 2);
}

TAP_TEST(lines_have_a_legend_and_go_by_time)
{
    MU_AUTO(mu_chart_free) struct mu_chart *c = mu_chart_new(true, MU_AXIS_TIMES, "Waiting");
    MU_AUTO(mu_text_free) struct mu_text out = MU_TEXT(0);
    mu_chart_add(c, mu_span_of("fx"), mu_span_of("2026-11-24 12:00:00+00"), mu_span_of("2.5"));
    mu_chart_add(c, mu_span_of("<aml>"), mu_span_of("2026-11-24 10:00:00+00"), mu_span_of("1"));
    mu_chart_add(c, mu_span_of("fx"), mu_span_of("2026-11-24 10:00:00+00"), mu_span_of("1.5"));
    mu_chart_add(c, mu_span_of("fx"), mu_span_of("infinity"), mu_span_of("1.5"));
    mu_chart_write(c, 7, &out);
    CHECK_INT(count_of(mu_text_span(&out), "<path class=\"line s0\""), 2); /* in the legend, and the line */
    CHECK_INT(count_of(mu_text_span(&out), ">fx, 2026-11-24 12:00: 2.5</title>"), 1);
    CHECK_INT(count_of(mu_text_span(&out), "chart7-title"), 2);
    CHECK_INT(count_of(mu_text_span(&out), "&lt;aml&gt;"), 3);
    CHECK_INT(count_of(mu_text_span(&out), "for 1 further values"), 1);
}

int main(void)
{
    return tap_run();
}
