/* SPDX-License-Identifier: Apache-2.0 */
#include "format/report.h"

static const struct { const char *name, *wants; } kinds[] = {
    [MU_PARAMETER_DAY] = {"day", "a day (2026-11-24, today, yesterday, 30 days ago)"},
    [MU_PARAMETER_WHOLE] = {"whole", "a whole number"},
    [MU_PARAMETER_TEXT] = {"text", "a text"},
    [MU_PARAMETER_JOB] = {"job", "the id or the key of a job"},
};

const char *mu_parameter_kind_name(enum mu_parameter_kind kind)
{
    return kinds[kind].name;
}

const char *mu_parameter_kind_wants(enum mu_parameter_kind kind)
{
    return kinds[kind].wants;
}

const struct mu_parameter *mu_report_parameter(const struct mu_report *r, struct mu_span name)
{
    for (size_t i = 0; i < r->parameter_count; i++)
        if (mu_span_is(name, r->parameters[i].name))
            return &r->parameters[i];
    return NULL;
}

static struct mu_span trim(struct mu_span s)
{
    while (s.len && s.at[0] == ' ')
        s = mu_span(s.at + 1, s.len - 1);
    while (s.len && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\r'))
        s.len--;
    return s;
}

/* What stands before the first `mark`; *rest is what stands behind it, without the spaces. */
static struct mu_span cut(struct mu_span *rest, const char *mark)
{
    const char *at = rest->len ? memmem(rest->at, rest->len, mark, strlen(mark)) : NULL;
    struct mu_span part = mu_span(rest->at, at ? (size_t)(at - rest->at) : rest->len);
    *rest = trim(mu_span(rest->at + part.len + (at ? strlen(mark) : 0), rest->len - part.len - (at ? strlen(mark) : 0)));
    return trim(part);
}

/* A name of a parameter or column, as it need not be quoted. */
static bool take_name(char *to, struct mu_span from)
{
    bool good = from.len > 0 && mu_copy_text(to, MU_REPORT_WORD_MAX, from) && !(to[0] >= '0' && to[0] <= '9');
    return good && strspn(to, "abcdefghijklmnopqrstuvwxyz_0123456789") == from.len;
}

static bool take_parameter(struct mu_report *r, struct mu_span value, struct mu_error *err)
{
    static const char form[] = "a parameter is `name  kind  default …  meaning`, two spaces between (or required, or optional, for the default)";
    if (r->parameter_count == MU_REPORT_PARAMETERS_MAX)
        return mu_reject(err, "invalid", "", "more than %d parameters", MU_REPORT_PARAMETERS_MAX);
    struct mu_parameter *p = &r->parameters[r->parameter_count];
    struct mu_span name = cut(&value, "  "), kind = cut(&value, "  "), otherwise = cut(&value, "  ");
    size_t k = 0;
    while (k < MU_COUNT(kinds) && !mu_span_is(kind, kinds[k].name))
        k++;
    if (!take_name(p->name, name))
        return mu_reject(err, "invalid", "", "\"%.*s\" is no name of a parameter (a-z, 0-9, _)", (int)name.len, name.at);
    if (mu_report_parameter(r, name))
        return mu_reject(err, "invalid", "", "a second parameter %s", p->name);
    if (k == MU_COUNT(kinds))
        return mu_reject(err, "invalid", "", "%s is of a kind \"%.*s\": there are day, whole, text and job", p->name, (int)kind.len, kind.at);
    p->kind = (enum mu_parameter_kind)k;
    p->required = mu_span_is(otherwise, "required");
    if (!p->required) {
        bool optional = mu_span_is(otherwise, "optional");
        if (!optional && (otherwise.len < 9 || memcmp(otherwise.at, "default ", 8) != 0))
            return mu_reject(err, "invalid", "", "%s is neither `required` nor `optional`, and has no default: %s", p->name, form);
        otherwise = optional ? mu_span("", 0) : trim(mu_span(otherwise.at + 8, otherwise.len - 8));
        if (!mu_copy_text(p->fallback, sizeof(p->fallback), otherwise))
            return mu_reject(err, "invalid", "", "the default of %s is too long", p->name);
    }
    if (!value.len || !mu_copy_text(p->meaning, sizeof(p->meaning), value))
        return mu_reject(err, "invalid", "", "%s has no meaning, or too long a one: %s", p->name, form);
    r->parameter_count++;
    return true;
}

static bool take_y(struct mu_chart_plan *c, struct mu_span list)
{
    while (list.len) {
        struct mu_span name = cut(&list, ",");
        if (c->y_count == MU_REPORT_Y_MAX || (!mu_span_is(name, "*") && !take_name(c->y[c->y_count], name)))
            return false;
        if (mu_span_is(name, "*"))
            c->y[c->y_count][0] = '*';
        c->y_count++;
    }
    return c->y_count > 0;
}

static bool take_chart(struct mu_report *r, struct mu_span value, struct mu_error *err)
{
    if (r->chart_count == MU_REPORT_CHARTS_MAX)
        return mu_reject(err, "invalid", "", "more than %d charts", MU_REPORT_CHARTS_MAX);
    struct mu_chart_plan *c = &r->charts[r->chart_count];
    struct mu_span words = cut(&value, "  "), kind = cut(&words, " ");
    c->line = mu_span_is(kind, "line");
    bool good = c->line || mu_span_is(kind, "bar");
    while (good && words.len) {
        struct mu_span word = cut(&words, " "), key = cut(&word, "=");
        if (mu_span_is(key, "x"))
            good = take_name(c->x, word);
        else if (mu_span_is(key, "y"))
            good = take_y(c, word);
        else
            good = mu_span_is(key, "series") && take_name(c->series, word);
    }
    if (!good || !c->x[0] || !c->y_count || !value.len || !mu_copy_text(c->caption, sizeof(c->caption), value))
        return mu_reject(err, "invalid", "", "a chart is `bar x=COLUMN y=COLUMN[,COLUMN…] [series=COLUMN]  caption`, or `line …`; two spaces before "
                                             "the caption");
    r->chart_count++;
    return true;
}

static bool take_text(char *to, size_t size, const char *key, struct mu_span value, struct mu_error *err)
{
    if (to[0])
        return mu_reject(err, "invalid", "", "a second %s", key);
    return (value.len && mu_copy_text(to, size, value)) ||
           mu_reject(err, "invalid", "", "the %s is empty, or longer than %zu bytes", key, size - 1);
}

/* One line of the header, with those that go on with it. */
static bool take(struct mu_report *r, struct mu_span line, struct mu_error *err)
{
    struct mu_span value = line, key = cut(&value, ":");
    if (mu_span_is(key, "title"))
        return take_text(r->title, sizeof(r->title), "title", value, err);
    if (mu_span_is(key, "question"))
        return take_text(r->question, sizeof(r->question), "question", value, err);
    if (mu_span_is(key, "parameter"))
        return take_parameter(r, value, err);
    if (mu_span_is(key, "chart"))
        return take_chart(r, value, err);
    if (mu_span_is(key, "SPDX-License-Identifier"))
        return true;
    return mu_reject(err, "invalid", "", "\"%.40s\" is nothing that a header says: title, question, parameter or chart; remarks stand below a "
                                         "line with -- alone",
                     line.at);
}

/* The next line of the header without its dashes; false: it is over. */
static bool next_line(struct mu_span *rest, struct mu_span *line)
{
    const char *end = rest->len ? memchr(rest->at, '\n', rest->len) : NULL;
    struct mu_span whole = mu_span(rest->at, end ? (size_t)(end - rest->at) : rest->len);
    size_t taken = whole.len + (end != NULL);
    if (whole.len < 2 || memcmp(whole.at, "--", 2) != 0)
        return false;
    *rest = mu_span(rest->at + taken, rest->len - taken);
    *line = mu_span(whole.at + 2, whole.len - 2);
    return trim(*line).len > 0;
}

bool mu_report_parse(struct mu_report *out, struct mu_span file, struct mu_error *err)
{
    struct mu_report r = {.title = ""};
    struct mu_span rest = file, line = {0}, peeked;
    MU_AUTO(mu_text_free) struct mu_text whole = MU_TEXT(4096);
    int number = 0;
    for (bool more = next_line(&rest, &line); more;) {
        int first = ++number;
        mu_text_reset(&whole);
        mu_text_add(&whole, trim(line));
        while ((more = next_line(&rest, &peeked)) && peeked.len > 3 && memcmp(peeked.at, "   ", 3) == 0) {
            mu_text_putc(&whole, ' ');
            mu_text_add(&whole, trim(peeked));
            number++;
        }
        if (!mu_text_ok(&whole, err) || !take(&r, mu_text_span(&whole), err))
            return mu_while(err, "line %d", first);
        line = peeked;
    }
    if (!r.title[0] || !r.question[0])
        return mu_reject(err, "invalid", "", "it has no %s: the first lines of a report are `-- title: …` and `-- question: …`",
                         r.title[0] ? "question" : "title");
    *out = r;
    return true;
}
