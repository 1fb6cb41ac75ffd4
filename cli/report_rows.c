/* SPDX-License-Identifier: Apache-2.0 */
/* What a report found, as rows: for people in columns, for programs as they are read one by one. */
#include "report.h"
#include "format/html.h"

#define HEAD_ROWS 1000 /* of a table: the widths of its columns are those of so many */
#define COLUMNS_MAX 200
#define CELL_MAX ((size_t)16 << 20)

bool report_is_number(enum mu_cell kind)
{
    return kind == MU_CELL_WHOLE || kind == MU_CELL_FLOAT || kind == MU_CELL_EXACT;
}

/* "2026-11-24 10:00:00.5+00", and neither infinity nor a time before our era? */
static bool is_time(struct mu_span v)
{
    return v.len >= 22 && v.at[4] == '-' && v.at[10] == ' ' && memcmp(v.at + v.len - 3, "+00", 3) == 0;
}

void report_plain(enum mu_cell kind, struct mu_span value, struct mu_text *out)
{
    if (kind == MU_CELL_BOOL)
        mu_text_puts(out, !value.at ? "" : value.at[0] == 't' ? "yes" : "no");
    else
        mu_text_add(out, kind == MU_CELL_TIME && is_time(value) ? mu_span(value.at, 19) : value);
}

/* For programs: RFC 3339, true and false, the rest as it is. */
static void exact(enum mu_cell kind, struct mu_span value, struct mu_text *out)
{
    if (kind == MU_CELL_BOOL) {
        mu_text_puts(out, value.at[0] == 't' ? "true" : "false");
    } else if (kind == MU_CELL_TIME && is_time(value)) {
        mu_text_add(out, mu_span(value.at, 10));
        mu_text_putc(out, 'T');
        mu_text_add(out, mu_span(value.at + 11, value.len - 14));
        mu_text_putc(out, 'Z');
    } else {
        mu_text_add(out, value);
    }
}

/* ---- csv: RFC 4180; null is an empty field, an empty text a quoted one ---- */

static void add_csv(struct mu_text *out, struct mu_span value)
{
    bool plain = value.len > 0;
    for (size_t i = 0; plain && i < value.len; i++)
        plain = !memchr(",\"\r\n", value.at[i], 4);
    if (plain) {
        mu_text_add(out, value);
        return;
    }
    mu_text_putc(out, '"');
    for (size_t i = 0; i < value.len; i++) {
        mu_text_putc(out, value.at[i]);
        if (value.at[i] == '"')
            mu_text_putc(out, '"');
    }
    mu_text_putc(out, '"');
}

static void csv_row(struct mu_query *q, struct mu_text *scratch, struct mu_text *out)
{
    for (int i = 0; i < mu_query_columns(q); i++) {
        struct mu_span value = mu_query_cell(q, i);
        if (i)
            mu_text_putc(out, ',');
        if (!value.at)
            continue;
        mu_text_reset(scratch);
        exact(mu_query_kind(q, i), value, scratch);
        add_csv(out, mu_text_span(scratch));
    }
    mu_text_puts(out, "\r\n");
}

/* ---- json ---- */

/* "1.5e+300" is a number of JSON, "NaN" and "Infinity" are none. */
static bool is_finite(struct mu_span v)
{
    size_t sign = v.len && v.at[0] == '-';
    return v.len > sign && v.at[sign] >= '0' && v.at[sign] <= '9';
}

static void json_value(enum mu_cell kind, struct mu_span value, struct mu_text *scratch, struct mu_text *out)
{
    mu_text_reset(scratch);
    if (!value.at) {
        mu_text_puts(out, "null");
    } else if (kind == MU_CELL_WHOLE || kind == MU_CELL_BOOL || (kind == MU_CELL_FLOAT && is_finite(value))) {
        exact(kind, value, out);
    } else if (kind == MU_CELL_JSON) {
        for (size_t i = 0; i < value.len; i++) /* a line break can only be white space: strings have none */
            mu_text_putc(out, value.at[i] == '\n' || value.at[i] == '\r' ? ' ' : value.at[i]);
    } else {
        exact(kind, value, scratch);
        mu_text_add_json(out, mu_text_span(scratch));
    }
}

static void json_row(struct mu_query *q, struct mu_text *scratch, struct mu_text *out)
{
    mu_text_putc(out, '{');
    for (int i = 0; i < mu_query_columns(q); i++) {
        if (i)
            mu_text_putc(out, ',');
        mu_text_add_json(out, mu_span_of(mu_query_name(q, i)));
        mu_text_putc(out, ':');
        json_value(mu_query_kind(q, i), mu_query_cell(q, i), scratch, out);
    }
    mu_text_putc(out, '}');
}

/* ---- table: the first rows are held back until the widths are known ---- */

struct table {
    int width[COLUMNS_MAX];
    char **cells;
    size_t held, room; /* cells */
};

static void print_cells(const struct table *t, struct mu_query *q, const char *const *cells)
{
    int columns = mu_query_columns(q);
    for (int i = 0; i < columns; i++) {
        int pad = t->width[i] - cli_width(cells[i]);
        pad = pad > 0 ? pad : 0;
        if (report_is_number(mu_query_kind(q, i)))
            printf("%*s%s", pad, "", cells[i]);
        else
            printf("%s%*s", cells[i], i + 1 < columns ? pad : 0, "");
        fputs(i + 1 < columns ? "  " : "\n", stdout);
    }
}

static void print_head(const struct table *t, struct mu_query *q)
{
    char upper[COLUMNS_MAX][64];
    const char *names[COLUMNS_MAX];
    for (int i = 0; i < mu_query_columns(q); i++) {
        snprintf(upper[i], sizeof(upper[i]), "%s", mu_query_name(q, i));
        for (char *c = upper[i]; *c; c++)
            *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c == '_' ? ' ' : *c);
        names[i] = upper[i];
    }
    print_cells(t, q, names);
}

static void print_held(struct table *t, struct mu_query *q)
{
    print_head(t, q);
    for (size_t at = 0; at < t->held; at += (size_t)mu_query_columns(q)) {
        const char *row[COLUMNS_MAX];
        memcpy(row, t->cells + at, (size_t)mu_query_columns(q) * sizeof(*row));
        print_cells(t, q, row);
    }
    for (size_t i = 0; i < t->held; i++)
        free(t->cells[i]);
    t->held = 0;
}

static bool hold(struct table *t, int columns, char **cells)
{
    if (t->held + (size_t)columns > t->room) {
        size_t room = (t->room ? t->room * 2 : 64) + (size_t)columns;
        char **grown = realloc(t->cells, room * sizeof(*grown));
        if (!grown)
            return false;
        t->cells = grown;
        t->room = room;
    }
    memcpy(t->cells + t->held, cells, (size_t)columns * sizeof(*cells));
    t->held += (size_t)columns;
    return true;
}

/* The texts of the row; they are the caller's. */
static bool texts_of(struct mu_query *q, struct table *t, struct mu_text *scratch, struct mu_text *shown, char **cells)
{
    for (int i = 0; i < mu_query_columns(q); i++) {
        mu_text_reset(scratch);
        mu_text_reset(shown);
        report_plain(mu_query_kind(q, i), mu_query_cell(q, i), scratch);
        mu_visible_add(shown, mu_text_span(scratch));
        cells[i] = strdup(shown->len ? shown->at : "");
        if (!cells[i] || scratch->failed || shown->failed)
            return false;
        int width = cli_width(cells[i]);
        t->width[i] = width > t->width[i] ? width : t->width[i];
    }
    return true;
}

static bool write_table(struct mu_query *q, struct mu_error *err)
{
    struct table t = {.held = 0};
    MU_AUTO(mu_text_free) struct mu_text scratch = MU_TEXT(CELL_MAX);
    MU_AUTO(mu_text_free) struct mu_text shown = MU_TEXT(CELL_MAX * 4);
    int columns = mu_query_columns(q);
    bool good = true, row = true, headed = false;
    for (int i = 0; i < columns; i++)
        t.width[i] = cli_width(mu_query_name(q, i));
    for (size_t count = 0; good && (good = mu_query_next(q, &row, err)) && row;) {
        char *cells[COLUMNS_MAX] = {0};
        good = texts_of(q, &t, &scratch, &shown, cells) || mu_fail(err, MU_BROKEN, "out of memory");
        if (good && count++ < HEAD_ROWS) {
            good = hold(&t, columns, cells) || mu_fail(err, MU_BROKEN, "out of memory");
            continue;
        }
        if (good && !headed)
            print_held(&t, q);
        headed = true;
        if (good)
            print_cells(&t, q, (const char *const *)cells);
        for (int i = 0; i < columns; i++)
            free(cells[i]);
    }
    if (good && !headed)
        print_held(&t, q);
    for (size_t i = 0; i < t.held; i++)
        free(t.cells[i]);
    free(t.cells);
    return good;
}

static void print_text(struct mu_text *out)
{
    fwrite(out->at, 1, out->len, stdout);
    mu_text_reset(out);
}

bool report_write_rows(const struct report_run *run, struct mu_query *q, struct mu_error *err)
{
    enum cli_format format = run->cli->format;
    MU_AUTO(mu_text_free) struct mu_text out = MU_TEXT(CELL_MAX * 4);
    MU_AUTO(mu_text_free) struct mu_text scratch = MU_TEXT(CELL_MAX);
    bool row = false;
    if (mu_query_columns(q) > COLUMNS_MAX)
        return mu_reject(err, "invalid", "", "it has %d columns, more than %d", mu_query_columns(q), COLUMNS_MAX);
    if (format == CLI_TABLE)
        return write_table(q, err);
    for (int i = 0; format == CLI_CSV && i < mu_query_columns(q); i++) {
        if (i)
            mu_text_putc(&out, ',');
        add_csv(&out, mu_span_of(mu_query_name(q, i)));
    }
    mu_text_puts(&out, format == CLI_CSV ? "\r\n" : format == CLI_JSON ? "[" : "");
    for (bool first = true;; first = false) {
        if (!mu_query_next(q, &row, err))
            return false;
        if (!row)
            break;
        if (format == CLI_CSV)
            csv_row(q, &scratch, &out);
        else if (format == CLI_JSON)
            mu_text_puts(&out, first ? "\n" : ",\n");
        if (format != CLI_CSV)
            json_row(q, &scratch, &out);
        if (format == CLI_JSONL)
            mu_text_putc(&out, '\n');
        if (!mu_text_ok(&scratch, err) || !mu_text_ok(&out, err))
            return false;
        if (out.len > 65536)
            print_text(&out);
    }
    mu_text_puts(&out, format == CLI_JSON ? "\n]\n" : "");
    print_text(&out);
    return true;
}
