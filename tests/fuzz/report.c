/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a report's file, as text on a page, and as values of a chart: a header that is taken has what a page needs,
 * names that are columns and nothing else; whatever is shown is UTF-8 without controls, markup of its own or a change of
 * direction. */
#include "fuzz.h"

#include "format/chart.h"
#include "format/html.h"
#include "format/report.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

static void check_name(const char *name)
{
    FUZZ_HOLDS(name[0] && strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789") == strlen(name), "\"%s\"", name);
}

static void check_header(struct mu_span file)
{
    struct mu_report r;
    struct mu_error err = {0};
    if (!mu_report_parse(&r, file, &err)) {
        FUZZ_HOLDS(err.fault == MU_REJECTED && err.text[0], "fault %d", (int)err.fault);
        return;
    }
    FUZZ_HOLDS(r.title[0] && r.question[0], "%.*s", FUZZ_SHOW(file));
    for (size_t i = 0; i < r.parameter_count; i++) {
        check_name(r.parameters[i].name);
        FUZZ_HOLDS(r.parameters[i].meaning[0] && mu_report_parameter(&r, mu_span_of(r.parameters[i].name)) == &r.parameters[i], "%s",
                   r.parameters[i].name);
    }
    for (size_t i = 0; i < r.chart_count; i++) {
        check_name(r.charts[i].x);
        FUZZ_HOLDS(r.charts[i].y_count > 0 && r.charts[i].caption[0], "chart %zu", i);
        for (size_t y = 0; y < r.charts[i].y_count; y++)
            if (strcmp(r.charts[i].y[y], "*") != 0)
                check_name(r.charts[i].y[y]);
    }
}

static void check_shown(struct mu_span bytes, bool is_html)
{
    MU_AUTO(mu_text_free) struct mu_text out = MU_TEXT(0);
    size_t bad;
    (is_html ? mu_html_add : mu_visible_add)(&out, bytes);
    const struct mu_span shown = mu_text_span(&out);
    FUZZ_HOLDS(mu_utf8_valid(shown, &bad), "byte %zu of %.*s", bad, FUZZ_SHOW(shown));
    for (size_t i = 0; i < shown.len; i++) {
        FUZZ_HOLDS((uint8_t)shown.at[i] >= 0x20 && shown.at[i] != 0x7F, "byte %zu", i);
        FUZZ_HOLDS(!is_html || !memchr("<>\"'", shown.at[i], 4), "byte %zu of %.*s", i, FUZZ_SHOW(shown));
    }
    static const char *const hidden[] = {"\u202e", "\u2066", "\u200f", "\u2028", "\ufeff", "\xc2\x85"};
    for (size_t i = 0; shown.len && i < MU_COUNT(hidden); i++)
        FUZZ_HOLDS(!memmem(shown.at, shown.len, hidden[i], strlen(hidden[i])), "%zu in %.*s", i, FUZZ_SHOW(shown));
}

/* Lines as series, x and y, which need not be any. */
static void check_chart(struct mu_span bytes, bool is_line, enum mu_axis axis)
{
    MU_AUTO(mu_chart_free) struct mu_chart *c = mu_chart_new(is_line, axis, "c");
    MU_AUTO(mu_text_free) struct mu_text out = MU_TEXT(0);
    struct mu_span words[3];
    size_t count = 0;
    for (size_t at = 0, from = 0; at <= bytes.len; at++) {
        if (at < bytes.len && bytes.at[at] != '\n' && bytes.at[at] != ' ')
            continue;
        words[count++] = mu_span(bytes.at + from, at - from);
        from = at + 1;
        if (count == MU_COUNT(words))
            mu_chart_add(c, words[0], words[1], words[2]);
        count %= MU_COUNT(words);
    }
    mu_chart_write(c, 1, &out);
    FUZZ_HOLDS(mu_chart_is_empty(c) == !out.len, "%zu bytes", out.len);
    FUZZ_HOLDS(!out.len || !out.at || (!memmem(out.at, out.len, "nan", 3) && !memmem(out.at, out.len, "inf ", 4)) || memmem(bytes.at, bytes.len, "n", 1), "%.*s",
               FUZZ_SHOW(bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct mu_span bytes = mu_span((const char *)data, size);
    check_header(bytes);
    check_shown(bytes, true);
    check_shown(bytes, false);
    for (int i = 0; size < 4096 && i < 8; i++)
        check_chart(bytes, i & 1, (enum mu_axis)(i / 2));
    return 0;
}

const char *fuzz_make(size_t index, struct mu_text *out)
{
    if (index > 0)
        return NULL;
    mu_text_puts(out, "-- title: T\n-- question: Q");
    for (int i = 0; i < 100000; i++)
        mu_text_puts(out, "\n--    more");
    return "a question of a hundred thousand lines";
}
