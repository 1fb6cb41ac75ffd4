/* SPDX-License-Identifier: Apache-2.0 */
/* The CSV reader: the cases of tests/corpus/csv, and what must hold for any bytes in any pieces. */
#include "reader_rig.h"

TAP_TEST(every_valid_file_of_the_corpus_is_read_as_expected)
{
    corpus("csv", "valid", 10);
}

TAP_TEST(every_invalid_file_of_the_corpus_is_refused_where_it_is_wrong)
{
    corpus("csv", "invalid", 10);
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
    json_t *got = read_all("csv", bytes, setup, whole_cut, false);
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
        same_in_pieces("csv", bytes, &setup, "random");
        same_bounds("csv", bytes, &setup, "random");
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
