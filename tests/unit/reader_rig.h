/* SPDX-License-Identifier: Apache-2.0 */
/* Reads whole sources with any reader, cut in any way, as JSON that can be compared: the cases of
 * tests/corpus/<format>, and what must hold for any bytes: the same records in whatever pieces, the same
 * boundaries when they are only looked for, the same from every boundary on after a restart, and the same
 * from every boundary where a shard may begin. */
#ifndef MU_READER_RIG_H
#define MU_READER_RIG_H

#include "engine/reader.h"
#include "tap.h"

#include <dirent.h>

#define COLUMNS_MAX 16
#define RESTARTS_MAX 40 /* boundaries of a source from which it is read again */

static const struct mu_reader_limits wide = {1 << 20, 4096};

/* How a source is cut: into pieces of `size` bytes, or of random sizes if that is 0. */
struct cutting {
    size_t size;
    uint32_t seed;
    bool empty_last; /* the end is told by an empty piece */
    bool pauses;     /* after each record it is fed again from there on, in another piece */
};
static const struct cutting whole_cut = {.size = SIZE_MAX};

__attribute__((unused)) static uint32_t draw(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static size_t piece(struct cutting *c, size_t left)
{
    size_t size = c->size ? c->size : 1 + draw(&c->seed) % 40;
    return size < left ? size : left;
}

static json_t *value_json(struct mu_value v)
{
    if (v.state == MU_VALUE_TEXT)
        return json_stringn(v.text.at, v.text.len);
    if (v.state == MU_VALUE_INVALID)
        return json_pack("{s:s%}", "invalid", v.text.at, v.text.len);
    return v.text.at ? json_pack("{s:s%}", "missing", v.text.at, v.text.len) : json_null();
}

static json_t *record_json(const struct mu_reader *r, const struct mu_record *rec,
                           const struct mu_reader_setup *setup)
{
    json_t *out = json_pack("{s:I,s:I,s:I,s:I}", "no", (json_int_t)rec->at.record_no, "at",
                            (json_int_t)rec->at.byte_off, "length", (json_int_t)rec->at.length, "line",
                            (json_int_t)rec->at.line);
    MU_AUTO(mu_text_free) struct mu_text path = MU_TEXT(0);
    mu_reader_path(r, rec, &path);
    if (path.len)
        json_object_set_new(out, "path", json_string(path.at));
    if (rec->bad) {
        json_object_set_new(out, "bad", json_string(rec->bad));
        json_object_set_new(out, "bad_at", json_integer(rec->bad_at));
        return out;
    }
    json_t *values = json_object();
    for (size_t i = 0; i < setup->column_count; i++)
        json_object_set_new(values, setup->columns[i], value_json(rec->values[i]));
    json_object_set_new(out, "values", values);
    return out;
}

static void note_failure(json_t *out, const struct mu_error *err)
{
    json_object_set_new(out, "failed", json_string(err->code));
    json_object_set_new(out, "why", json_string(err->text));
}

static bool read_header(struct mu_reader *r, struct mu_span bytes, struct cutting *cut,
                        struct mu_position *first, struct mu_error *err)
{
    bool done = false;
    for (size_t at = 0; !done;) {
        const size_t n = piece(cut, bytes.len - at);
        const bool last = at + n == bytes.len && (!cut->empty_last || n == 0);
        char *copy = malloc(n + 1); /* so that a sanitizer sees a step beyond */
        if (n)
            memcpy(copy, bytes.at + at, n);
        const bool ok = mu_reader_header(r, mu_span(copy, n), last, &done, first, err);
        free(copy);
        if (!ok)
            return false;
        at += n;
    }
    return true;
}

/* Where a reading begins and ends, and what is noted beside the records. */
struct stretch {
    struct mu_position from; /* byte_off -1: the first record's */
    const json_t *state;     /* to be restored; NULL: none */
    bool restore;
    bool no_header; /* the state has to be enough */
    int64_t to;     /* -1: the source's end */
    bool skip;      /* only boundaries */
    json_t *marks;  /* gets {"off","no","line","state","cut"} of every boundary; NULL: nothing */
};
static const struct stretch all_of_it = {.from = {-1, 0, 0}, .to = -1};

static void note_boundary(const struct mu_reader *r, json_t *marks)
{
    MU_AUTO(mu_text_free) struct mu_text state = MU_TEXT(0);
    const struct mu_position at = mu_reader_position(r);
    mu_reader_save(r, &state);
    json_array_append_new(marks, json_pack("{s:I,s:I,s:I,s:s%,s:b}", "off", (json_int_t)at.byte_off, "no",
                                           (json_int_t)at.record_no, "line", (json_int_t)at.line, "state",
                                           state.at ? state.at : "", state.len, "cut", mu_reader_can_cut(r)));
}

static void read_records(struct mu_reader *r, struct mu_span bytes, const struct mu_reader_setup *setup,
                         struct cutting cut, const struct stretch *s, int64_t from, json_t *out)
{
    struct mu_error err = {0};
    json_t *records = json_object_get(out, "records");
    for (size_t at = (size_t)from;;) {
        const size_t n = piece(&cut, bytes.len - at);
        const bool last = at + n == bytes.len && (!cut.empty_last || n == 0);
        char *copy = malloc(n + 1);
        if (n)
            memcpy(copy, bytes.at + at, n);
        mu_reader_feed(r, mu_span(copy, n), last);
        struct mu_record rec = {0};
        enum mu_read got;
        while ((got = s->skip ? mu_reader_skip(r, &rec.at, &err) : mu_reader_next(r, &rec, &err)) ==
               MU_READ_RECORD) {
            struct mu_reader_setup none = *setup;
            none.column_count = s->skip ? 0 : setup->column_count;
            json_array_append_new(records, record_json(r, &rec, &none));
            if (s->marks)
                note_boundary(r, s->marks);
            if (cut.pauses)
                break;
        }
        free(copy);
        at += n;
        if (got == MU_READ_RECORD) {
            at = (size_t)mu_reader_position(r).byte_off;
            continue;
        }
        if (got == MU_READ_MORE && !last)
            continue;
        if (got == MU_READ_FAILED)
            note_failure(out, &err);
        else
            CHECK_INT(got, MU_READ_END);
        break;
    }
    json_object_set_new(out, "end", json_integer(mu_reader_position(r).byte_off));
}

/* All that a reader says about a stretch of the source: {"first","records","end"} or with "failed". */
static json_t *read_stretch(const char *format, struct mu_span bytes, const struct mu_reader_setup *setup,
                            struct cutting cut, const struct stretch *s)
{
    struct mu_error err = {0};
    struct mu_reader *r = NULL;
    struct mu_reader_setup with = *setup;
    json_t *out = json_object();
    struct mu_position first = {0, 1, 1};
    with.part = s->to >= 0 && s->to < (int64_t)bytes.len;
    json_object_set_new(out, "records", json_array());
    if (!mu_reader_open(&r, mu_span_of(format), &with, &err) ||
        (!s->no_header && !read_header(r, bytes, &cut, &first, &err))) {
        note_failure(out, &err);
        mu_reader_free(r);
        return out;
    }
    if (s->from.byte_off < 0)
        json_object_set_new(out, "first", json_integer(first.byte_off));
    else
        first = s->from;
    mu_reader_seek(r, first);
    if (s->restore && !mu_reader_restore(r, s->state, &err))
        note_failure(out, &err);
    else
        read_records(r, s->to < 0 ? bytes : mu_span(bytes.at, (size_t)s->to), setup, cut, s, first.byte_off,
                     out);
    mu_reader_free(r);
    return out;
}

__attribute__((unused)) static json_t *read_all(const char *format, struct mu_span bytes,
                                                const struct mu_reader_setup *setup, struct cutting cut,
                                                bool skip)
{
    struct stretch s = all_of_it;
    s.skip = skip;
    return read_stretch(format, bytes, setup, cut, &s);
}

static char *text_of(json_t *doc)
{
    char *text = json_dumps(doc, JSON_SORT_KEYS | JSON_COMPACT);
    json_decref(doc);
    return text;
}

static void same_text(char *got, const char *want, const char *what, const char *name, size_t i)
{
    if (strcmp(got, want) != 0)
        TAP_FAIL("%s, %s %zu:\n# got  %s\n# want %s", name, what, i, got, want);
    free(got);
}

static void same_in_pieces(const char *format, struct mu_span bytes, const struct mu_reader_setup *setup,
                           const char *name)
{
    const struct cutting cuts[] = {{.size = 1},
                                   {.size = 2},
                                   {.size = 3},
                                   {.size = 7},
                                   {.size = 64},
                                   {.size = 1, .empty_last = true},
                                   {.seed = 17},
                                   {.seed = 99, .empty_last = true},
                                   {.seed = 5, .pauses = true},
                                   {.size = SIZE_MAX, .pauses = true}};
    char *want = text_of(read_all(format, bytes, setup, whole_cut, false));
    for (size_t i = 0; i < MU_COUNT(cuts); i++)
        same_text(text_of(read_all(format, bytes, setup, cuts[i], false)), want, "cutting", name, i);
    free(want);
}

static void same_bounds(const char *format, struct mu_span bytes, const struct mu_reader_setup *setup,
                        const char *name)
{
    const struct cutting pieces = {.size = 5};
    json_t *full = read_all(format, bytes, setup, whole_cut, false);
    const char *failed = json_string_value(json_object_get(full, "failed"));
    if (failed &&
        strcmp(failed, "limit_fields") == 0) { /* fields are not counted when boundaries are looked for */
        json_decref(full);
        return;
    }
    size_t i;
    json_t *rec;
    json_array_foreach(json_object_get(full, "records"), i, rec)
    {
        json_object_del(rec, "bad");
        json_object_del(rec, "bad_at");
        json_object_set_new(rec, "values", json_object());
    }
    char *want = text_of(full);
    same_text(text_of(read_all(format, bytes, setup, whole_cut, true)), want, "boundaries", name, 0);
    same_text(text_of(read_all(format, bytes, setup, pieces, true)), want, "boundaries", name, 5);
    free(want);
}

/* What was read before the boundary and after it, as one reading. */
static char *joined(json_t *before, json_t *after)
{
    json_array_extend(json_object_get(before, "records"), json_object_get(after, "records"));
    json_object_del(before, "end");
    json_object_update_missing(before, after);
    json_decref(after);
    return text_of(before);
}

static void same_restarted(const char *format, struct mu_span bytes, const struct mu_reader_setup *setup,
                           const char *name)
{
    const struct cutting pieces = {.size = 7};
    json_t *marks = json_array(), *in_pieces = json_array(), *mark;
    struct stretch s = all_of_it;
    size_t i;
    s.marks = marks;
    char *want = text_of(read_stretch(format, bytes, setup, whole_cut, &s));
    s.marks = in_pieces;
    json_decref(read_stretch(format, bytes, setup, pieces, &s));
    if (!json_equal(marks, in_pieces))
        TAP_FAIL("%s: the states at its boundaries depend on the pieces", name);
    json_array_foreach(marks, i, mark)
    {
        const char *text = json_string_value(json_object_get(mark, "state"));
        json_t *state = text[0] ? json_loads(text, 0, NULL) : NULL, *later = json_array();
        const struct mu_position at = {mu_json_int(mark, "off", 0), mu_json_int(mark, "no", 0),
                                       mu_json_int(mark, "line", 0)};
        const struct stretch head = {.from = {-1, 0, 0}, .to = at.byte_off};
        const struct stretch restart = {
            .from = at, .state = state, .restore = true, .to = -1, .marks = later};
        struct stretch planned = restart, tail = {.from = at, .to = -1};
        if (i == RESTARTS_MAX)
            break;
        same_text(joined(read_stretch(format, bytes, setup, whole_cut, &head),
                         read_stretch(format, bytes, setup, i % 2 ? pieces : whole_cut, &restart)),
                  want, "restarted after record", name, i + 1);
        for (size_t k = 0; k < json_array_size(later); k++)
            if (!json_equal(json_array_get(later, k), json_array_get(marks, i + 1 + k)))
                TAP_FAIL("%s: after a restart at %zu the state at boundary %zu is another", name, i + 1, k);
        if (mu_json_bool(mark, "cut", false))
            same_text(joined(read_stretch(format, bytes, setup, whole_cut, &head),
                             read_stretch(format, bytes, setup, pieces, &tail)),
                      want, "shard after record", name, i + 1);
        planned.marks = NULL;
        planned.skip = planned.no_header = true;
        struct stretch bounds = planned;
        bounds.no_header = false;
        char *skipped = text_of(read_stretch(format, bytes, setup, whole_cut, &bounds));
        if (strcmp(format, "csv") != 0 || !strstr(skipped, "failed"))
            same_text(text_of(read_stretch(format, bytes, setup, pieces, &planned)), skipped,
                      "plan after record", name, i + 1);
        free(skipped);
        json_decref(state);
        json_decref(later);
    }
    json_decref(marks);
    json_decref(in_pieces);
    free(want);
}

static bool slurp(const char *path, struct mu_text *out)
{
    FILE *f = fopen(path, "rb");
    char buf[65536];
    size_t n;
    if (!f)
        return false;
    while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
        mu_text_add(out, mu_span(buf, n));
    (void)fclose(f);
    return true;
}

/* Everything at once: what is read, and that it is read the same in every way. */
static void read_as(const char *format, struct mu_span bytes, const struct mu_reader_setup *setup,
                    const json_t *read, const char *name)
{
    char *want = json_dumps(read, JSON_SORT_KEYS | JSON_COMPACT);
    same_text(text_of(read_all(format, bytes, setup, whole_cut, false)), want ? want : "", "read", name, 0);
    same_in_pieces(format, bytes, setup, name);
    same_bounds(format, bytes, setup, name);
    same_restarted(format, bytes, setup, name);
    free(want);
}

static void corpus_case(const char *format, const char *folder, const char *name)
{
    char path[800];
    MU_AUTO(mu_text_free) struct mu_text input = MU_TEXT(0), expected = MU_TEXT(0);
    struct mu_error err = {0};
    json_t *doc = NULL;
    (void)snprintf(path, sizeof(path), "%s/%s/input.%s", folder, name, format);
    CHECK(slurp(path, &input));
    (void)snprintf(path, sizeof(path), "%s/%s/expected.json", folder, name);
    CHECK(slurp(path, &expected));
    if (!mu_json_parse(&doc, mu_text_span(&expected), 1 << 20, &err)) {
        TAP_FAIL("%s: %s", path, err.text);
        return;
    }
    const char *columns[COLUMNS_MAX];
    json_t *source = json_object_get(doc, "source"), *limits = json_object_get(doc, "limits");
    struct mu_reader_setup setup = {.source = source, .columns = columns, .limits = wide};
    if (limits)
        setup.limits = (struct mu_reader_limits){(size_t)mu_json_int(limits, "record_bytes", 1 << 20),
                                                 (size_t)mu_json_int(limits, "fields", 4096)};
    for (; setup.column_count < json_array_size(json_object_get(doc, "columns")); setup.column_count++)
        columns[setup.column_count] =
            json_string_value(json_array_get(json_object_get(doc, "columns"), setup.column_count));
    read_as(format, input.len ? mu_text_span(&input) : mu_span("", 0), &setup, json_object_get(doc, "read"),
            name);
    json_decref(doc);
}

__attribute__((unused)) static void corpus(const char *format, const char *kind, int at_least)
{
    char folder[400];
    (void)snprintf(folder, sizeof(folder), "%s/tests/corpus/%s/%s", getenv("MUSTER_SOURCE"), format, kind);
    DIR *dir = opendir(folder);
    int cases = 0;
    if (!dir) {
        TAP_FAIL("no folder %s", folder);
        return;
    }
    for (struct dirent *e; (e = readdir(dir));)
        if (e->d_name[0] != '.') {
            corpus_case(format, folder, e->d_name);
            cases++;
        }
    closedir(dir);
    CHECK(cases >= at_least);
}

#endif
