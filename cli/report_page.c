/* SPDX-License-Identifier: Apache-2.0 */
/* What a report found, as one page that needs nothing else: no script, no picture or font from elsewhere, so that it can be
 * mailed, kept and printed. Whatever stands in it that is not ours is escaped, and made visible where it would hide. */
#include "report.h"
#include "format/chart.h"
#include "format/html.h"
#include "report_style.h"

#define PAGE_MAX ((size_t)256 << 20)

/* Words of a verdict, and how they are shown: never by colour alone. */
static const char *class_of_word(struct mu_span word)
{
    static const struct { const char *word, *class; } words[] = {
        {"at_risk", "warn"}, {"cancelled", "warn"}, {"completed", "good"}, {"critical", "bad"}, {"error", "bad"}, {"exhausted", "bad"},
        {"expired", "bad"}, {"fail", "bad"}, {"failed", "bad"}, {"gone", "good"}, {"high", "bad"}, {"late", "warn"}, {"medium", "warn"},
        {"met", "good"}, {"missed", "bad"}, {"new", "bad"}, {"not_evaluated", "warn"}, {"on_track", "good"}, {"pass", "good"},
        {"rejected", "bad"}, {"reopened", "bad"}, {"resolved", "good"}, {"warn", "warn"},
    };
    for (size_t i = 0; i < MU_COUNT(words); i++)
        if (mu_span_is(word, words[i].word))
            return words[i].class;
    return "";
}

/* The id of something, or a digest: of fixed width, and read letter by letter if at all. */
static bool is_id(enum mu_cell kind, struct mu_span value)
{
    struct mu_id id;
    size_t hex = 0;
    while (hex < value.len && strchr("0123456789abcdef", value.at[hex]) && value.at[hex])
        hex++;
    return kind == MU_CELL_ID || (kind == MU_CELL_TEXT && ((hex == value.len && hex >= 32) || mu_id_parse(value, &id)));
}

static bool is_verdict(const char *column)
{
    static const char *const names[] = {"change", "outcome", "outlook", "result", "severity", "state", "status"};
    for (size_t i = 0; i < MU_COUNT(names); i++)
        if (strcmp(column, names[i]) == 0)
            return true;
    return false;
}

/* A column of a chart, and what it is taken for. */
struct drawing {
    struct mu_chart *chart;
    int x, series, y[MU_REPORT_Y_MAX];
};
struct page {
    const struct report_run *run;
    struct mu_query *query;
    struct drawing drawings[MU_REPORT_CHARTS_MAX];
    size_t drawing_count;
    struct mu_text body, scratch; /* the rows; one value */
    int64_t rows, left_out;
};

static void page_fini(struct page *p)
{
    for (size_t i = 0; i < p->drawing_count; i++)
        mu_chart_free(p->drawings[i].chart);
    mu_text_free(&p->body);
    mu_text_free(&p->scratch);
}
MU_DEFINE_AUTO_VALUE(struct page, page_fini)

static enum mu_axis axis_of(enum mu_cell kind)
{
    if (kind == MU_CELL_DAY || kind == MU_CELL_TIME)
        return kind == MU_CELL_DAY ? MU_AXIS_DAYS : MU_AXIS_TIMES;
    return report_is_number(kind) ? MU_AXIS_NUMBERS : MU_AXIS_NAMES;
}

static bool find(const struct page *p, const char *name, int *column, struct mu_error *err)
{
    bool is_column = name[0] && name[0] != '*';
    *column = is_column ? mu_query_find(p->query, name) : -1;
    return *column >= 0 || !is_column ||
           mu_reject(err, "invalid", "", "a chart wants a column \"%s\", which the query does not give", name);
}

static bool plan(struct page *p, struct mu_error *err)
{
    const struct mu_report *r = &p->run->file->header;
    for (size_t i = 0; i < r->chart_count; i++) {
        const struct mu_chart_plan *c = &r->charts[i];
        struct drawing *d = &p->drawings[i];
        if (!find(p, c->x, &d->x, err) || !find(p, c->series, &d->series, err))
            return false;
        for (size_t y = 0; y < c->y_count; y++)
            if (!find(p, c->y[y], &d->y[y], err))
                return false;
        d->chart = mu_chart_new(c->line, axis_of(mu_query_kind(p->query, d->x)), c->caption);
        if (!d->chart)
            return mu_fail(err, MU_BROKEN, "out of memory");
        p->drawing_count++;
    }
    return true;
}

/* The series of a value: by column, by name, or both. */
static void draw(struct page *p, size_t i)
{
    const struct mu_chart_plan *c = &p->run->file->header.charts[i];
    struct drawing *d = &p->drawings[i];
    for (size_t y = 0; y < c->y_count; y++) {
        struct mu_span value = d->y[y] >= 0 ? mu_query_cell(p->query, d->y[y]) : mu_span_of("1");
        if (!value.at)
            continue;
        mu_text_reset(&p->scratch);
        if (d->series >= 0)
            mu_text_add(&p->scratch, mu_query_cell(p->query, d->series));
        if (c->y_count > 1) {
            mu_text_puts(&p->scratch, d->series >= 0 ? ", " : "");
            for (const char *at = c->y[y][0] == '*' ? "rows" : c->y[y]; *at; at++)
                mu_text_putc(&p->scratch, *at == '_' ? ' ' : *at);
        }
        mu_chart_add(d->chart, mu_text_span(&p->scratch), mu_query_cell(p->query, d->x), value);
    }
}

/* 1234567.5 as people write it: 1,234,567.5. */
static void add_number(struct mu_text *out, struct mu_span digits)
{
    size_t whole = digits.len && digits.at[0] == '-', first = whole;
    while (whole < digits.len && digits.at[whole] >= '0' && digits.at[whole] <= '9')
        whole++;
    for (size_t i = 0; i < digits.len; i++) {
        if (i > first && i < whole && (whole - i) % 3 == 0)
            mu_text_putc(out, ',');
        mu_text_putc(out, digits.at[i]);
    }
}

static void add_cell(struct page *p, int column)
{
    enum mu_cell kind = mu_query_kind(p->query, column);
    struct mu_span value = mu_query_cell(p->query, column);
    bool is_word = kind == MU_CELL_TEXT && is_verdict(mu_query_name(p->query, column));
    bool is_long = kind == MU_CELL_JSON || (kind == MU_CELL_TEXT && value.len > 24); /* the others stay on their line */
    const char *class = report_is_number(kind) ? "n" : is_id(kind, value) ? "i" : is_long ? "l" : "t";
    const char *verdict = is_word ? class_of_word(value) : "";
    if (kind == MU_CELL_BOOL && value.at && strcmp(mu_query_name(p->query, column), "agrees") == 0)
        verdict = value.at[0] == 't' ? "good" : "bad";
    mu_text_addf(&p->body, "<td class=\"%s%s\">", verdict[0] ? "w " : "", verdict[0] ? verdict : class);
    if (kind == MU_CELL_WHOLE || kind == MU_CELL_EXACT) {
        add_number(&p->body, value);
    } else {
        mu_text_reset(&p->scratch);
        report_plain(kind, value, &p->scratch);
        mu_html_add(&p->body, mu_text_span(&p->scratch));
    }
    mu_text_puts(&p->body, "</td>");
}

static bool read_rows(struct page *p, struct mu_error *err)
{
    for (bool row;;) {
        if (!mu_query_next(p->query, &row, err))
            return false;
        if (!row)
            return true;
        for (size_t i = 0; i < p->drawing_count; i++)
            draw(p, i);
        if (p->rows == p->run->max_rows) {
            p->left_out++;
            continue;
        }
        p->rows++;
        mu_text_puts(&p->body, "<tr>");
        for (int i = 0; i < mu_query_columns(p->query); i++)
            add_cell(p, i);
        mu_text_puts(&p->body, "</tr>\n");
        if (!mu_text_ok(&p->body, err) || !mu_text_ok(&p->scratch, err))
            return mu_hint(err, "--max N leaves rows out");
    }
}

static void add_fact(struct mu_text *out, const char *name, const char *value, const char *meaning)
{
    mu_text_puts(out, "<div><dt>");
    mu_html_puts(out, name);
    mu_text_puts(out, "</dt><dd>");
    mu_html_puts(out, value);
    if (meaning) {
        mu_text_puts(out, "<small>");
        mu_html_puts(out, meaning);
        mu_text_puts(out, "</small>");
    }
    mu_text_puts(out, "</dd></div>\n");
}

static void add_top(const struct page *p, struct mu_text *out)
{
    const struct report_run *run = p->run;
    const struct mu_report *r = &run->file->header;
    mu_text_puts(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
                      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
    mu_html_puts(out, r->title);
    mu_text_addf(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n<h1>", report_style);
    mu_html_puts(out, r->title);
    mu_text_puts(out, "</h1>\n<p class=\"question\">");
    mu_html_puts(out, r->question);
    mu_text_puts(out, "</p>\n<dl>\n");
    for (size_t i = 0; i < r->parameter_count; i++)
        add_fact(out, r->parameters[i].name, run->values[i][0] ? run->values[i] : "not given", r->parameters[i].meaning);
    add_fact(out, "database", run->database, NULL);
    mu_text_puts(out, "<div><dt>as of</dt><dd>");
    mu_html_puts(out, run->at);
    mu_text_puts(out, " UTC</dd></div>\n</dl>\n");
}

static void add_table(const struct page *p, struct mu_text *out)
{
    mu_text_puts(out, "<div class=\"wide\">\n");
    if (!p->rows)
        mu_text_puts(out, "<p class=\"none\">No rows: there is nothing to report.</p>\n");
    for (int i = 0; p->rows && i < mu_query_columns(p->query); i++) {
        mu_text_puts(out, i ? "" : "<table>\n<thead><tr>");
        mu_text_puts(out, report_is_number(mu_query_kind(p->query, i)) ? "<th scope=\"col\" class=\"n\">" : "<th scope=\"col\">");
        MU_AUTO(mu_text_free) struct mu_text name = MU_TEXT(1024);
        for (const char *at = mu_query_name(p->query, i); *at; at++)
            mu_text_putc(&name, *at == '_' ? ' ' : *at);
        mu_html_add(out, mu_text_span(&name));
        mu_text_puts(out, "</th>");
    }
    if (p->rows) {
        mu_text_puts(out, "</tr></thead>\n<tbody>\n");
        mu_text_add(out, mu_text_span(&p->body));
        mu_text_puts(out, "</tbody>\n</table>\n");
    }
    mu_text_puts(out, "</div>\n");
}

static void add_foot(const struct page *p, struct mu_text *out)
{
    char rows[32], more[32];
    if (p->left_out)
        mu_text_addf(out, "<p class=\"note\"><strong>%s further rows are left out here.</strong> "
                          "With <code>-o csv</code> the report gives all.</p>\n",
                     cli_thousands(p->left_out, more));
    mu_text_addf(out, "<footer><span>%s %s</span><span>Times are UTC.</span><span>", cli_thousands(p->rows + p->left_out, rows),
                 p->rows + p->left_out == 1 ? "row" : "rows");
    mu_html_puts(out, p->run->file->name);
    mu_text_puts(out, ", muster " MUSTER_VERSION "</span></footer>\n</main>\n</body>\n</html>\n");
}

bool report_write_page(const struct report_run *run, struct mu_query *q, struct mu_error *err)
{
    MU_AUTO(page_fini) struct page p = {.run = run, .query = q, .body = MU_TEXT(PAGE_MAX), .scratch = MU_TEXT(0)};
    MU_AUTO(mu_text_free) struct mu_text out = MU_TEXT(PAGE_MAX * 2);
    if (!plan(&p, err) || !read_rows(&p, err))
        return false;
    add_top(&p, &out);
    for (size_t i = 0; i < p.drawing_count; i++)
        mu_chart_write(p.drawings[i].chart, (int)i + 1, &out);
    add_table(&p, &out);
    add_foot(&p, &out);
    if (!mu_text_ok(&out, err))
        return false;
    fwrite(out.at, 1, out.len, stdout);
    return true;
}
