/* SPDX-License-Identifier: Apache-2.0 */
/* The CSV reader: the cases of tests/corpus/csv, and what must hold for any bytes in any pieces. */
#include "engine/reader.h"
#include "tap.h"

#include <dirent.h>

#define COLUMNS_MAX 8

static const struct mu_reader_limits wide = {1 << 20, 4096};

/* How a source is cut: into pieces of `size` bytes, or of random sizes if that is 0. */
struct cutting {
    size_t size;
    uint32_t seed;
    bool empty_last; /* the end is told by an empty piece */
};

static uint32_t draw(uint32_t *seed)
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
    return v.text.len ? json_pack("{s:s%}", "missing", v.text.at, v.text.len) : json_null();
}

static json_t *record_json(const struct mu_record *rec, const struct mu_reader_setup *setup)
{
    json_t *out = json_pack("{s:I,s:I,s:I,s:I}", "no", (json_int_t)rec->at.record_no, "at",
                            (json_int_t)rec->at.byte_off, "length", (json_int_t)rec->at.length, "line",
                            (json_int_t)rec->at.line);
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

/* All that a reader says about these bytes: {"first","records","end"} or with "failed". */
static json_t *read_all(struct mu_span bytes, const struct mu_reader_setup *setup, struct cutting cut,
                        bool skip)
{
    struct mu_error err = {0};
    struct mu_reader *r = NULL;
    json_t *out = json_object(), *records = json_array();
    struct mu_position first;
    json_object_set_new(out, "records", records);
    if (!mu_reader_open(&r, mu_span_of("csv"), setup, &err) || !read_header(r, bytes, &cut, &first, &err)) {
        note_failure(out, &err);
        mu_reader_free(r);
        return out;
    }
    json_object_set_new(out, "first", json_integer(first.byte_off));
    mu_reader_seek(r, first);
    for (size_t at = (size_t)first.byte_off;;) {
        const size_t n = piece(&cut, bytes.len - at);
        const bool last = at + n == bytes.len && (!cut.empty_last || n == 0);
        char *copy = malloc(n + 1);
        if (n)
            memcpy(copy, bytes.at + at, n);
        mu_reader_feed(r, mu_span(copy, n), last);
        struct mu_record rec = {0};
        enum mu_read got;
        while ((got = skip ? mu_reader_skip(r, &rec.at, &err) : mu_reader_next(r, &rec, &err)) ==
               MU_READ_RECORD) {
            struct mu_reader_setup none = *setup;
            none.column_count = skip ? 0 : setup->column_count;
            json_array_append_new(records, record_json(&rec, &none));
        }
        free(copy);
        at += n;
        if (got == MU_READ_MORE && !last)
            continue;
        if (got == MU_READ_FAILED)
            note_failure(out, &err);
        else
            CHECK_INT(got, MU_READ_END);
        break;
    }
    json_object_set_new(out, "end", json_integer(mu_reader_position(r).byte_off));
    mu_reader_free(r);
    return out;
}

static char *text_of(json_t *doc)
{
    char *text = json_dumps(doc, JSON_SORT_KEYS | JSON_COMPACT);
    json_decref(doc);
    return text;
}

static void same_in_pieces(struct mu_span bytes, const struct mu_reader_setup *setup, const char *name)
{
    const struct cutting whole = {.size = SIZE_MAX};
    const struct cutting cuts[] = {{.size = 1},  {.size = 2},
                                   {.size = 3},  {.size = 7},
                                   {.size = 64}, {.size = 1, .empty_last = true},
                                   {.seed = 17}, {.seed = 99, .empty_last = true}};
    char *want = text_of(read_all(bytes, setup, whole, false));
    for (size_t i = 0; i < MU_COUNT(cuts); i++) {
        char *got = text_of(read_all(bytes, setup, cuts[i], false));
        if (strcmp(got, want) != 0)
            TAP_FAIL("%s, cutting %zu: %s, whole %s", name, i, got, want);
        free(got);
    }
    free(want);
}

static void same_bounds(struct mu_span bytes, const struct mu_reader_setup *setup, const char *name)
{
    struct mu_reader_setup none = *setup;
    const struct cutting whole = {.size = SIZE_MAX}, pieces = {.size = 5};
    json_t *full = read_all(bytes, &none, whole, false);
    if (json_object_get(full, "failed")) { /* fields are not counted when boundaries are looked for */
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
    char *want = text_of(full), *got = text_of(read_all(bytes, &none, whole, true));
    char *in_pieces = text_of(read_all(bytes, &none, pieces, true));
    if (strcmp(got, want) != 0)
        TAP_FAIL("%s: boundaries %s, records %s", name, got, want);
    if (strcmp(in_pieces, want) != 0)
        TAP_FAIL("%s: boundaries in pieces %s, records %s", name, in_pieces, want);
    free(want);
    free(got);
    free(in_pieces);
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

static void corpus_case(const char *folder, const char *name)
{
    char path[800];
    MU_AUTO(mu_text_free) struct mu_text input = MU_TEXT(0), expected = MU_TEXT(0);
    struct mu_error err = {0};
    json_t *doc = NULL;
    (void)snprintf(path, sizeof(path), "%s/%s/input.csv", folder, name);
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
    struct mu_span bytes = input.len ? mu_text_span(&input) : mu_span("", 0);
    char *want = json_dumps(json_object_get(doc, "read"), JSON_SORT_KEYS | JSON_COMPACT);
    char *got = text_of(read_all(bytes, &setup, (struct cutting){.size = SIZE_MAX}, false));
    if (!want || strcmp(got, want) != 0)
        TAP_FAIL("%s:\n# got  %s\n# want %s", name, got, want ? want : "");
    same_in_pieces(bytes, &setup, name);
    same_bounds(bytes, &setup, name);
    free(want);
    free(got);
    json_decref(doc);
}

static void corpus(const char *kind, int at_least)
{
    char folder[400];
    (void)snprintf(folder, sizeof(folder), "%s/tests/corpus/csv/%s", getenv("MUSTER_SOURCE"), kind);
    DIR *dir = opendir(folder);
    int cases = 0;
    if (!dir) {
        TAP_FAIL("no folder %s", folder);
        return;
    }
    for (struct dirent *e; (e = readdir(dir));)
        if (e->d_name[0] != '.') {
            corpus_case(folder, e->d_name);
            cases++;
        }
    closedir(dir);
    CHECK(cases >= at_least);
}

TAP_TEST(every_valid_file_of_the_corpus_is_read_as_expected)
{
    corpus("valid", 10);
}

TAP_TEST(every_invalid_file_of_the_corpus_is_refused_where_it_is_wrong)
{
    corpus("invalid", 10);
}

/* The grammar of csv_scan.h once more, a byte at a time: the record's end, and its fields' raw bounds. */
static size_t plain_scan(struct mu_span b, size_t from, size_t *fields, bool *bad, int64_t *lines, size_t *to)
{
    bool quoted = false, begin = true, closed = false;
    *fields = 1;
    *bad = false;
    *lines = 0;
    for (size_t i = from; i < b.len; i++) {
        const char c = b.at[i];
        *lines += c == '\n';
        if (quoted) {
            if (c != '"')
                continue;
            if (i + 1 < b.len && b.at[i + 1] == '"')
                i++;
            else
                quoted = false, closed = true;
            continue;
        }
        if (c == '\n') {
            *to = i;
            if (i > from && b.at[i - 1] == '\r')
                *to = i - 1;
            return i + 1;
        }
        if (c == '\r' && i + 1 < b.len && b.at[i + 1] == '\n')
            continue;
        if (c == ',') {
            ++*fields;
            begin = true, closed = false;
            continue;
        }
        if (c == '\r' || closed)
            *bad = true;
        if (c == '"') {
            if (begin)
                quoted = true;
            else
                *bad = true;
        }
        begin = false;
    }
    if (quoted)
        *bad = true;
    *to = b.len;
    return b.len;
}

static void compare_with_plain_scan(struct mu_span bytes, const struct mu_reader_setup *setup)
{
    json_t *got = read_all(bytes, setup, (struct cutting){.size = SIZE_MAX}, false);
    json_t *records = json_object_get(got, "records");
    struct mu_span b = bytes;
    if (b.len && b.at[b.len - 1] == 0x1A)
        b.len--;
    size_t from = 0, i = 0, expected = 0;
    int64_t line = 1;
    for (; from < b.len; i++) {
        size_t fields, to;
        bool bad;
        int64_t lines;
        const size_t next = plain_scan(b, from, &fields, &bad, &lines, &to);
        if (i == 0)
            expected = fields;
        bad = bad || fields != expected || (to > from && memchr(b.at + from, 0, to - from)) ||
              !mu_utf8_valid(mu_span(b.at + from, to - from), NULL);
        const json_t *rec = json_array_get(records, i);
        if (mu_json_int(rec, "at", -1) != (int64_t)from ||
            mu_json_int(rec, "length", -1) != (int64_t)(to - from) || mu_json_int(rec, "line", -1) != line ||
            (json_object_get(rec, "bad") != NULL) != bad) {
            char *text = json_dumps(got, JSON_COMPACT);
            TAP_FAIL("record %zu at %zu to %zu line %lld bad %d; got %s", i, from, to, (long long)line, bad,
                     text);
            free(text);
            break;
        }
        line += lines;
        from = next;
    }
    CHECK_INT(json_array_size(records), i);
    CHECK_INT(mu_json_int(got, "end", -1), bytes.len);
    json_decref(got);
}

TAP_TEST(random_bytes_are_read_as_a_plain_scan_reads_them_in_whatever_pieces)
{
    static const char *const words[] = {",",
                                        ",",
                                        "\"",
                                        "\"",
                                        "\n",
                                        "\r\n",
                                        "\r",
                                        "a",
                                        "bc",
                                        "\"\"",
                                        "\"x\ny\",",
                                        "\xc3\xa9",
                                        "\xff",
                                        " ",
                                        "01234567890123456789",
                                        "a,b,c\n",
                                        "\"q\",\"r\"\n"};
    const char *columns[] = {"a", "b"};
    json_t *source = json_pack("{s:b,s:{s:i,s:i}}", "header", 0, "columns", "a", 1, "b", 2);
    const struct mu_reader_setup setup = {
        .source = source, .columns = columns, .column_count = 2, .limits = wide};
    uint32_t seed = 20261124;
    for (int round = 0; round < 3000; round++) {
        MU_AUTO(mu_text_free) struct mu_text t = MU_TEXT(0);
        const uint32_t parts = draw(&seed) % 60;
        for (uint32_t i = 0; i < parts; i++)
            mu_text_puts(&t, words[draw(&seed) % MU_COUNT(words)]);
        if (draw(&seed) % 8 == 0)
            mu_text_putc(&t, 0x1A);
        if (draw(&seed) % 20 == 0)
            mu_text_putc(&t, '\0');
        const struct mu_span bytes = t.len ? mu_text_span(&t) : mu_span("", 0);
        compare_with_plain_scan(bytes, &setup);
        if (round % 4)
            continue;
        same_in_pieces(bytes, &setup, "random");
        same_bounds(bytes, &setup, "random");
    }
    json_decref(source);
}

TAP_TEST(a_record_far_beyond_the_limit_ends_the_task_before_it_is_read_whole)
{
    const char *columns[] = {"a"};
    json_t *source = json_object();
    const struct mu_reader_setup setup = {
        .source = source, .columns = columns, .column_count = 1, .limits = {1 << 20, 8}};
    struct mu_error err = {0};
    struct mu_reader *r = NULL;
    struct mu_position first;
    bool done;
    static char chunk[65536];
    memset(chunk, '\n', sizeof(chunk));
    CHECK(mu_reader_open(&r, mu_span_of("csv"), &setup, &err));
    CHECK(mu_reader_header(r, mu_span_of("a\n\""), false, &done, &first, &err) && done);
    mu_reader_seek(r, first);
    mu_reader_feed(r, mu_span_of("\""), false);
    struct mu_record rec;
    int64_t fed = 0;
    while (mu_reader_next(r, &rec, &err) == MU_READ_MORE && fed < 1 << 30) { /* "1 GB line" in quotes */
        mu_reader_feed(r, mu_span(chunk, sizeof(chunk)), false);
        fed += (int64_t)sizeof(chunk);
    }
    CHECK_TEXT(err.code, "limit_record_bytes");
    CHECK(fed <= (1 << 20) + 65536);
    mu_reader_free(r);
    json_decref(source);
}

int main(void)
{
    return tap_run();
}
