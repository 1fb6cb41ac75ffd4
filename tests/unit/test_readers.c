/* SPDX-License-Identifier: Apache-2.0 */
/* All formats alike: the same records say the same, a run goes on from any checkpoint, what is broken at
 * random is read the same in whatever pieces, and lines are as strict as another parser is. */
#include "reader_rig.h"
#include "run_rig.h"

#include "engine/pack.h"
#include "engine/readers/encoding.h"

#include <iconv.h>

#define RECORDS 60
#define FIELDS 4

static const char *const names[FIELDS] = {"id", "lei", "note", "amount"};
static const char *const formats[] = {"csv", "jsonl", "json", "xml"};

/* A value of the made-up records; NULL: there is none. */
static const char *field(int record, int i)
{
    static const char *const notes[] = {"plain",      "a, \"b\"", "<&>'", "Z\xc3\xbcrich \xf0\x9d\x84\x9e",
                                        "two\nlines", " x ",      "]}",   NULL};
    static const char *const leis[] = {"5493001KJTIIGC8Y1R12", "5493001KJTIIGC8Y1R13", "NA", NULL,
                                       "7ZW8QJWVPR4P1J1KQY45"};
    static const char *const amounts[] = {"12345678901234567890.123456789012", "-0", "1.10", NULL, "1e3"};
    static char id[FIELDS][16];
    if (i == 0) {
        (void)snprintf(id[record % FIELDS], sizeof(id[0]), "R%d", record);
        return id[record % FIELDS];
    }
    if (i == 1)
        return leis[record % 5];
    return i == 2 ? notes[record % 8] : amounts[record % 5];
}

static void put_escaped(struct mu_text *out, const char *text, char twice)
{
    for (; *text; text++) {
        if (twice && *text == twice)
            mu_text_putc(out, twice);
        if (twice || !strchr("<&>\"", *text))
            mu_text_putc(out, *text);
        else
            mu_text_addf(out, "&#%d;", *text);
    }
}

static void put_csv(struct mu_text *out)
{
    mu_text_puts(out, "id,lei,note,amount\n");
    for (int r = 0; r < RECORDS; r++)
        for (int i = 0; i < FIELDS; i++) {
            mu_text_puts(out, i ? "," : "");
            mu_text_putc(out, '"');
            put_escaped(out, field(r, i) ? field(r, i) : "", '"');
            mu_text_puts(out, i + 1 == FIELDS ? "\"\n" : "\"");
        }
}

static void put_json(struct mu_text *out, const char *begin, const char *between, const char *end)
{
    mu_text_puts(out, begin);
    for (int r = 0; r < RECORDS; r++) {
        mu_text_puts(out, r ? between : "");
        mu_text_putc(out, '{');
        for (int i = FIELDS; i-- > 0;) {
            const char *text = field(r, i);
            mu_json_key(out, names[i]);
            if (!text)
                mu_text_puts(out, "null");
            else if (i == 3)
                mu_text_puts(out, text); /* a number, as it is written */
            else
                mu_text_add_json(out, mu_span_of(text));
        }
        mu_text_putc(out, '}');
    }
    mu_text_puts(out, end);
}

static void put_xml(struct mu_text *out)
{
    mu_text_puts(out, "<?xml version=\"1.0\"?>\n<rows xmlns:x=\"urn:x\">");
    for (int r = 0; r < RECORDS; r++) {
        mu_text_puts(out, r == 20 ? "<more xmlns=\"urn:more\">" : r == 40 ? "</more>" : "");
        mu_text_puts(out, "\n <row id=\"");
        put_escaped(out, field(r, 0), 0);
        mu_text_puts(out, "\">");
        for (int i = 1; i < FIELDS; i++) {
            if (!field(r, i))
                continue;
            mu_text_addf(out, "<%s>", names[i]);
            put_escaped(out, field(r, i), 0);
            mu_text_addf(out, "</%s>", names[i]);
        }
        mu_text_puts(out, "</row>");
    }
    mu_text_puts(out, "\n</rows>\n");
}

static void put_all(const char *format, struct mu_text *out)
{
    if (strcmp(format, "csv") == 0)
        put_csv(out);
    else if (strcmp(format, "xml") == 0)
        put_xml(out);
    else if (strcmp(format, "json") == 0)
        put_json(out, "[", ",\n", "]");
    else
        put_json(out, "", "\n", "\n");
}

static json_t *source_of(const char *format)
{
    json_t *source = json_pack("{s:s,s:s,s:s,s:[s]}", "uri", "file:rows", "name", "rows", "format", format,
                               "missing", "NA");
    if (strcmp(format, "xml") == 0)
        json_object_set_new(source, "record", json_string("row"));
    return source;
}

/* Values alone, whatever says "missing". */
static char *values_of_all(const char *format)
{
    MU_AUTO(mu_text_free) struct mu_text text = MU_TEXT(0);
    json_t *source = source_of(format), *values = json_array(), *record, *value;
    const struct mu_reader_setup setup = {
        .source = source, .columns = (const char *const *)names, .column_count = FIELDS, .limits = wide};
    put_all(format, &text);
    json_t *read = read_all(format, mu_text_span(&text), &setup, whole_cut, false);
    size_t i;
    const char *key;
    json_array_foreach(json_object_get(read, "records"), i, record)
    {
        json_t *of_record = json_object_get(record, "values");
        void *next;
        json_object_foreach_safe(of_record, next, key, value)
        {
            if (!json_is_string(value))
                json_object_set_new(of_record, key, json_null());
        }
        json_array_append(values, of_record);
    }
    CHECK_INT(json_array_size(values), RECORDS);
    json_decref(read);
    json_decref(source);
    return text_of(values);
}

TAP_TEST(the_same_records_say_the_same_in_every_format)
{
    char *want = values_of_all("csv");
    CHECK(strstr(want, "12345678901234567890.123456789012") && strstr(want, "1e3") &&
          strstr(want, "two\\nlines"));
    for (size_t i = 1; i < MU_COUNT(formats); i++)
        same_text(values_of_all(formats[i]), want, "values", formats[i], i);
    free(want);
}

static const char pack_text[] =
    "{\"muster_pack\":1,\"pack\":\"rows\",\"version\":\"1.0.0\",\"title\":\"Rows\",\"identity\":[\"id\"],"
    "\"columns\":{\"id\":{\"type\":\"text\"},\"lei\":{\"type\":\"text\"},\"note\":{\"type\":\"text\"},"
    "\"amount\":{\"type\":\"decimal\"}},"
    "\"rules\":[{\"id\":\"R.LEI\",\"severity\":\"high\",\"check\":\"lei\",\"with\":{\"column\":\"lei\"}},"
    "{\"id\":\"R.NOTE\",\"severity\":\"low\",\"check\":\"not_null\",\"with\":{\"column\":\"note\"}},"
    "{\"id\":\"R.AMOUNT\",\"severity\":\"low\",\"check\":\"range\",\"with\":{\"column\":\"amount\",\"max\":"
    "\"5\"}}]}";

static bool open_rig(struct rig *rig, const char *format, struct mu_error *err)
{
    json_t *source = source_of(format);
    char *text = text_of(source);
    const bool ok = rig_open(rig, pack_text, text, err);
    free(text);
    return ok;
}

/* {"fingerprint","rule",…} of every finding, without what tells where the record stood. */
static char *findings_of(const char *format)
{
    struct rig rig;
    struct mu_error err = {0};
    MU_AUTO(mu_text_free)
    struct mu_text bytes = MU_TEXT(0), findings = MU_TEXT(0), summary = MU_TEXT(0), all = MU_TEXT(0);
    put_all(format, &bytes);
    CHECK(open_rig(&rig, format, &err));
    rig_run(&rig, mu_text_span(&bytes), 100, &findings, &summary);
    mu_text_addf(&all, "[%s]", findings.at);
    json_t *doc = json_loads(all.at, 0, NULL), *finding;
    size_t i;
    json_array_foreach(doc, i, finding)
    {
        json_object_del(finding, "finding_id");
        json_object_del(finding, "byte_off");
        json_object_del(finding, "length");
        json_object_del(finding, "line");
        json_object_del(finding, "path");
        json_object_del(finding, "evidence"); /* "" and null are different evidence of what is missing */
    }
    CHECK(i > 20);
    rig_close(&rig);
    return text_of(doc);
}

TAP_TEST(findings_have_the_same_fingerprints_in_every_format)
{
    char *want = findings_of("csv");
    for (size_t i = 1; i < MU_COUNT(formats); i++)
        same_text(findings_of(formats[i]), want, "findings", formats[i], i);
    free(want);
}

static void resume_everywhere(const char *format)
{
    struct rig rig;
    struct mu_error err = {0};
    MU_AUTO(mu_text_free) struct mu_text bytes = MU_TEXT(0), want = MU_TEXT(0), summary = MU_TEXT(0);
    put_all(format, &bytes);
    CHECK(open_rig(&rig, format, &err));
    rig_run(&rig, mu_text_span(&bytes), SIZE_MAX, &want, &summary);
    for (int k = 1; k < RECORDS; k += 7) {
        struct mu_run *run = NULL;
        json_t *saved = NULL;
        MU_AUTO(mu_text_free)
        struct mu_text got = MU_TEXT(0), state = MU_TEXT(0), again = MU_TEXT(0), end = MU_TEXT(0);
        CHECK(rig_start(&rig, &run, mu_text_span(&bytes), 50, &err) &&
              rig_feed(run, mu_text_span(&bytes), bytes.len, 1000, k, &got, &err) &&
              mu_run_save(run, &state, &err) && mu_json_parse(&saved, mu_text_span(&state), 1 << 20, &err));
        mu_run_free(run);
        run = NULL;
        CHECK(rig_start(&rig, &run, mu_text_span(&bytes), 50, &err) && mu_run_restore(run, saved, &err) &&
              mu_run_save(run, &again, &err));
        CHECK_SPAN(mu_text_span(&again), mu_text_span(&state));
        CHECK(rig_feed(run, mu_text_span(&bytes), bytes.len, 40, 0, &got, &err) && mu_run_finish(run, &err));
        rig_summary(run, &end);
        CHECK_SPAN(mu_text_span(&end), mu_text_span(&summary));
        CHECK_SPAN(mu_text_span(&got), mu_text_span(&want));
        CHECK_TEXT(err.text, "");
        mu_run_free(run);
        json_decref(saved);
    }
    rig_close(&rig);
}

TAP_TEST(a_run_over_any_format_goes_on_from_any_checkpoint)
{
    for (size_t i = 0; i < MU_COUNT(formats); i++)
        resume_everywhere(formats[i]);
}

TAP_TEST(a_state_of_another_reader_is_refused)
{
    static const char *const states[] = {"null",
                                         "1",
                                         "[]",
                                         "{\"open\":\"{\"}",
                                         "{\"open\":\"[[[\",\"begun\":true}",
                                         "{\"open\":\"[\",\"begun\":false}",
                                         "{\"encoding\":\"UTF-8\"}",
                                         "{\"encoding\":\"EBCDIC\",\"first\":[[\"rows\"]]}",
                                         "{\"encoding\":\"UTF-8\",\"first\":[[\"rows\"]]}",
                                         "{\"encoding\":\"UTF-8\",\"first\":[[1]]}",
                                         "{\"encoding\":\"UTF-8\",\"first\":[[\"rows\",\"xmlns:x\"]]}"};
    for (size_t f = 2; f < MU_COUNT(formats); f++) {
        MU_AUTO(mu_text_free) struct mu_text text = MU_TEXT(0);
        json_t *source = source_of(formats[f]);
        const struct mu_reader_setup setup = {
            .source = source, .columns = (const char *const *)names, .column_count = FIELDS, .limits = wide};
        put_all(formats[f], &text);
        for (size_t i = 0; i < MU_COUNT(states); i++) {
            struct mu_error err = {0};
            struct mu_reader *r = NULL;
            struct mu_position first;
            struct cutting cut = whole_cut;
            json_t *state = json_loads(states[i], JSON_DECODE_ANY, NULL);
            CHECK(mu_reader_open(&r, mu_span_of(formats[f]), &setup, &err) &&
                  read_header(r, mu_text_span(&text), &cut, &first, &err));
            mu_reader_seek(r, (struct mu_position){first.byte_off + 90, 2, 2});
            if (mu_reader_restore(r, state, &err))
                TAP_FAIL("%s takes %s", formats[f], states[i]);
            CHECK_TEXT(err.code, "invalid");
            mu_reader_free(r);
            json_decref(state);
        }
        json_decref(source);
    }
}

static void compare_with_system(enum encoding e)
{
    const iconv_t to_utf8 = iconv_open("UTF-8", encoding_name(e));
    int undefined = 0;
    for (int byte = 1; byte < 256; byte++) {
        char from = (char)byte, *in = &from, want[8], got[8], *out = want;
        size_t in_left = 1, out_left = sizeof(want), bad;
        MU_AUTO(mu_text_free) struct mu_text back = MU_TEXT(0);
        (void)iconv(to_utf8, NULL, NULL, NULL, NULL);
        const bool defined = iconv(to_utf8, &in, &in_left, &out, &out_left) != (size_t)-1;
        if (encoding_valid(e, mu_span(&from, 1), &bad) != defined)
            TAP_FAIL("%s: byte %d", encoding_name(e), byte);
        undefined += !defined;
        if (!defined)
            continue;
        const struct mu_span utf8 = mu_span(got, encoding_decode(e, mu_span(&from, 1), got));
        CHECK_SPAN(utf8, mu_span(want, sizeof(want) - out_left));
        CHECK(encoding_encode(e, utf8, &back));
        CHECK_SPAN(mu_text_span(&back), mu_span(&from, 1));
    }
    CHECK_INT(undefined, e == ENCODING_CP1252 ? 5 : 0);
    (void)iconv_close(to_utf8);
}

TAP_TEST(every_byte_of_an_encoding_is_what_the_system_says)
{
    compare_with_system(ENCODING_LATIN1);
    compare_with_system(ENCODING_CP1252);
}

TAP_TEST(timestamps_without_an_offset_get_that_of_the_source)
{
    static const char rows[] = "t,x\n2026-03-02T14:00:00,2026-03-02T14:00:00\n2026-03-02T14:00:00.25,\n"
                               "2026-03-02T14:00:00Z,\n2026-03-02,\n";
    static const char *const want[] = {"2026-03-02T14:00:00+01:00", "2026-03-02T14:00:00.25+01:00",
                                       "2026-03-02T14:00:00Z", "2026-03-02"};
    const char *columns[] = {"t", "x"};
    const struct mu_column typed[] = {{.name = "t", .type = MU_TYPE_TIMESTAMP},
                                      {.name = "x", .type = MU_TYPE_TEXT}};
    json_t *source = json_pack("{s:s}", "zone", "+01:00"), *record;
    const struct mu_reader_setup setup = {
        .source = source, .columns = columns, .typed = typed, .column_count = 2, .limits = wide};
    json_t *read = read_all("csv", mu_span_of(rows), &setup, whole_cut, false);
    size_t i;
    json_array_foreach(json_object_get(read, "records"), i, record)
    {
        const json_t *values = json_object_get(record, "values");
        CHECK_TEXT(mu_json_text(values, "t"), want[i]);
        if (i == 0)
            CHECK_TEXT(mu_json_text(values, "x"), "2026-03-02T14:00:00");
    }
    CHECK_INT(i, 4);
    json_decref(read);
    json_decref(source);
}

static void refused_format(enum mu_type type, const char *format, const char *zone, const char *why)
{
    struct mu_error err = {0};
    struct mu_reader *r = NULL;
    const char *columns[] = {"c"};
    const struct mu_column typed = {.name = "c", .type = type};
    json_t *source = json_pack("{s:{s:s}}", "formats", "c", format);
    if (zone)
        json_object_set_new(source, "zone", json_string(zone));
    const struct mu_reader_setup setup = {
        .source = source, .columns = columns, .typed = &typed, .column_count = 1, .limits = wide};
    const bool ok = mu_reader_open(&r, mu_span_of("csv"), &setup, &err);
    CHECK(ok == !why);
    CHECK_TEXT(err.pointer, why ? "/source/formats/c" : "");
    if (why && !strstr(err.text, why))
        TAP_FAIL("%s: %s", format, err.text);
    mu_reader_free(r);
    json_decref(source);
}

TAP_TEST(a_format_must_fit_the_type_of_its_column)
{
    refused_format(MU_TYPE_DATE, "DD.MM.YYYY", NULL, NULL);
    refused_format(MU_TYPE_DATE, "DD.MM.YYYY hh:mm", NULL, "the column holds dates");
    refused_format(MU_TYPE_DATE, "1.234,56", NULL, "the column holds dates");
    refused_format(MU_TYPE_TIMESTAMP, "DD.MM.YYYY hh:mm", "UTC", NULL);
    refused_format(MU_TYPE_TIMESTAMP, "YYYYMMDDhhmmssZ", NULL, NULL);
    refused_format(MU_TYPE_TIMESTAMP, "DD.MM.YYYY hh:mm", NULL, "a time needs an offset");
    refused_format(MU_TYPE_TIMESTAMP, "DD.MM.YYYY", "UTC", "the column holds timestamps");
    refused_format(MU_TYPE_DECIMAL, "1 234,56", NULL, NULL);
    refused_format(MU_TYPE_DECIMAL, "YYYYMMDD", NULL, "the column holds decimals");
    refused_format(MU_TYPE_BOOL, "1234,56", NULL, "a column of bools has no format");
    refused_format(MU_TYPE_TEXT, "DD.MM.YYYY hh:mm", NULL, NULL);
}

/* Puts the word into the text. */
static void splice(struct mu_text *out, size_t at, const char *word)
{
    MU_AUTO(mu_text_free) struct mu_text rest = MU_TEXT(0);
    mu_text_add(&rest, mu_span(out->at + at, out->len - at));
    mu_text_cut(out, at);
    mu_text_puts(out, word);
    mu_text_add(out, mu_text_span(&rest));
}

/* Bytes of a source with some of them changed, put in or cut off. */
static void spoil(struct mu_span bytes, uint32_t *seed, struct mu_text *out)
{
    static const char marks[] = "{}[]<>/\"'\\,:=&;!?\n\r\t \0\xff\xc3\xbfxTa0-";
    static const char *const words[] = {"<!-- c -->",  "]]>",          " xmlns:x='urn:y'",
                                        "&#13;",       "&amp;",        "<![CDATA[<a>]]>",
                                        "<Tx/>",       "<Tx>",         "</Tx>",
                                        " a='2'",      "\xef\xbf\xbf", "\xed\xa0\x80",
                                        "\r\n",        "<?p?>",        "{\"a\":1},",
                                        "\"\\ud800\"", "\"\"",         ",\"a\":[",
                                        "<x:a>",       "</a ><a\n>"};
    const uint32_t faults = 1 + draw(seed) % 3;
    mu_text_add(out, bytes);
    for (uint32_t i = 0; i < faults && out->len > 1; i++) {
        const size_t at = draw(seed) % out->len;
        const uint32_t what = draw(seed) % 6;
        if (what == 0)
            mu_text_cut(out, at + 1);
        else if (what < 3)
            splice(out, at, words[draw(seed) % MU_COUNT(words)]);
        else
            out->at[at] = marks[draw(seed) % (sizeof(marks) - 1)];
    }
}

TAP_TEST(spoilt_sources_are_read_the_same_in_any_pieces_and_from_any_boundary)
{
    static const char *const sources[] = {
        "a,b\n1,\"x\ny\"\n2,\n\"\"\"\",3\n",
        "{\"a\":\"1\",\"b\":[1,{\"a\":2}]}\n{\"a\":null,\"b\":\"\\u00e9\\n\"}\n\n{\"b\":-1.5e3}\n",
        "[{\"a\":\"1\",\"b\":[1,{\"a\":2}]} ,\n{\"a\":null,\"b\":\"\\u00e9\\n\"},{\"b\":-1.5e3}]\n",
        "<?xml version=\"1.0\"?>\n<D xmlns:x='urn:x'><L><Tx "
        "a='1'><b>x&lt;y</b></Tx><x:Tx/></L>\n<L><Tx><a/><b>z</b></Tx>"
        "<Tx a=\"\xc3\xa9\" b='2'><b>\xe2\x82\xac 5\n</b></Tx><Tx/>\n<Tx><a><b>q</b></a></Tx></L></D>\n"};
    const char *columns[] = {"a", "b"};
    uint32_t seed = 20261127;
    for (size_t f = 0; f < MU_COUNT(formats); f++) {
        json_t *source = json_object();
        if (strcmp(formats[f], "xml") == 0)
            json_object_set_new(source, "record", json_string("Tx"));
        const struct mu_reader_setup setup = {
            .source = source, .columns = columns, .column_count = 2, .limits = wide};
        for (int round = 0; round < 150; round++) {
            MU_AUTO(mu_text_free) struct mu_text text = MU_TEXT(0);
            spoil(mu_span_of(sources[f]), &seed, &text);
            same_in_pieces(formats[f], mu_text_span(&text), &setup, formats[f]);
            same_bounds(formats[f], mu_text_span(&text), &setup, formats[f]);
            same_restarted(formats[f], mu_text_span(&text), &setup, formats[f]);
        }
        json_decref(source);
    }
}

TAP_TEST(a_line_is_bad_when_another_parser_refuses_it)
{
    static const char *const words[] = {"{",           "}",
                                        "[",           "]",
                                        ":",           ",",
                                        "\"a\"",       "\"b\"",
                                        "\"\\u00e9\"", "\"\\ud834\"",
                                        "\"\\x\"",     "1",
                                        "-0.5",        "01",
                                        "1e5",         "1.",
                                        "true",        "nul",
                                        "null",        " ",
                                        "\t",          "\"\xc3\xa9\"",
                                        "\"\xff\"",    "{\"a\":1}",
                                        "\"a\":",      ",\"c\":{}",
                                        "\"k\":[1,2]"};
    const char *columns[] = {"a"};
    json_t *source = json_object();
    const struct mu_reader_setup setup = {
        .source = source, .columns = columns, .column_count = 1, .limits = wide};
    uint32_t seed = 7;
    int good = 0;
    for (int round = 0; round < 20000; round++) {
        MU_AUTO(mu_text_free) struct mu_text line = MU_TEXT(0);
        mu_text_putc(&line, '{');
        const uint32_t parts = draw(&seed) % 7;
        for (uint32_t i = 0; i < parts; i++)
            mu_text_puts(&line, words[draw(&seed) % MU_COUNT(words)]);
        mu_text_puts(&line, draw(&seed) % 8 ? "}" : "");
        json_t *want = json_loadb(line.at, line.len, JSON_REJECT_DUPLICATES, NULL);
        json_t *got = read_all("jsonl", mu_text_span(&line), &setup, whole_cut, false);
        const json_t *record = json_array_get(json_object_get(got, "records"), 0);
        if ((json_object_get(record, "bad") == NULL) != (want != NULL))
            TAP_FAIL("%s: %s", line.at, mu_json_text(record, "bad"));
        good += want != NULL;
        json_decref(want);
        json_decref(got);
    }
    CHECK(good > 300);
    json_decref(source);
}

int main(void)
{
    return tap_run();
}
