/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a submitted job, as the dispatcher looks at it before it believes anything: JSON, schema,
 * pack, description of the source. What the schema takes of records, the reader takes too, and finds the same
 * values in their bytes as a parser of JSON does. */
#include "fuzz.h"

#include "engine/description.h"
#include "engine/reader.h"
#include "format/schema.h"

#define JOB_BYTES_MAX ((size_t)1 << 20)

static const char pack_text[] =
    "{\"muster_pack\":1,\"pack\":\"p\",\"version\":\"1.0.0\",\"title\":\"t\",\"columns\":{\"isin\":{\"type\":"
    "\"text\"},"
    "\"symbol\":{\"type\":\"text\"},\"a\":{\"type\":\"decimal\"},\"d\":{\"type\":\"date\"}},"
    "\"rules\":[{\"id\":\"A\",\"severity\":\"low\",\"expr\":\"not is_missing(isin)\"}]}";
static struct mu_pack *pack;

/* Written and read again it is the same. */
static void check_writing(const json_t *doc)
{
    MU_AUTO(mu_text_free) struct mu_text text = MU_TEXT(0), canonical = MU_TEXT(0);
    MU_AUTO(mu_json_free) json_t *back = NULL;
    MU_AUTO(mu_json_free) json_t *sorted = NULL;
    struct mu_error err = {0};
    mu_json_write(&text, doc);
    mu_json_write_canonical(&canonical, doc);
    FUZZ_HOLDS(mu_json_parse(&back, mu_text_span(&text), (size_t)16 << 20, &err) &&
                   json_equal(back, (json_t *)(uintptr_t)doc),
               "%s: %s", text.at, err.text);
    FUZZ_HOLDS(mu_json_parse(&sorted, mu_text_span(&canonical), (size_t)16 << 20, &err) &&
                   json_equal(sorted, back),
               "%s: %s", canonical.at, err.text);
}

/* The bytes of a member are those that were parsed. */
static bool check_raw(struct mu_span bytes, const json_t *doc, const char *key, struct mu_span *raw)
{
    const json_t *member = json_object_get(doc, key);
    MU_AUTO(mu_json_free) json_t *parsed = NULL;
    struct mu_error err = {0};
    const bool found = mu_json_raw(bytes, key, raw), escaped = bytes.len && memchr(bytes.at, '\\', bytes.len);
    FUZZ_HOLDS(found ? member != NULL : !member || escaped, "\"%s\" is %s", key,
               found ? "found" : "not found");
    if (!found || !(json_is_array(member) || json_is_object(member)))
        return false;
    FUZZ_HOLDS(raw->at >= bytes.at && raw->at + raw->len <= bytes.at + bytes.len,
               "\"%s\" is not within the job", key);
    FUZZ_HOLDS(mu_json_parse(&parsed, *raw, JOB_BYTES_MAX, &err) &&
                   json_equal(parsed, (json_t *)(uintptr_t)member),
               "\"%s\" is %.*s: %s", key, FUZZ_SHOW(*raw), err.text);
    return true;
}

static void check_elements(struct mu_span array, const json_t *want)
{
    struct mu_span rest = array, element;
    size_t i = 0;
    while (mu_json_next_element(&rest, &element)) {
        MU_AUTO(mu_json_free) json_t *parsed = NULL;
        struct mu_error err = {0};
        FUZZ_HOLDS(mu_json_parse(&parsed, element, JOB_BYTES_MAX, &err) &&
                       json_equal(parsed, json_array_get(want, i)),
                   "element %zu: %s", i, err.text);
        i++;
    }
    FUZZ_HOLDS(i == json_array_size(want), "%zu elements of %zu", i, json_array_size(want));
}

static void check_value(struct mu_value v, const json_t *want, const char *column)
{
    struct mu_span text = mu_span("", 0);
    if (json_is_string(want))
        text = mu_span(json_string_value(want), json_string_length(want));
    else if (json_is_boolean(want))
        text = mu_span_of(json_is_true(want) ? "true" : "false");
    FUZZ_HOLDS(v.state == (text.len ? MU_VALUE_TEXT : MU_VALUE_MISSING) && mu_span_equal(v.text, text),
               "%s is \"%.*s\", not \"%.*s\"", column, FUZZ_SHOW(v.text), FUZZ_SHOW(text));
}

/* The reader walks over the bytes of records that the schema has taken. */
static void check_reader(struct mu_span bytes, const json_t *want)
{
    static const char *const columns[] = {"isin", "symbol", "a", "d"};
    const struct mu_reader_setup setup = {
        .columns = columns, .column_count = MU_COUNT(columns), .limits = {JOB_BYTES_MAX, SIZE_MAX >> 8}};
    MU_AUTO(mu_reader_free) struct mu_reader *r = NULL;
    struct mu_record rec;
    struct mu_error err = {0};
    struct mu_position first;
    bool done = false;
    size_t count = 0;
    enum mu_read got;
    FUZZ_HOLDS(mu_reader_open(&r, mu_span_of("records"), &setup, &err) &&
                   mu_reader_header(r, bytes, true, &done, &first, &err) && done,
               "%s", err.text);
    mu_reader_seek(r, first);
    mu_reader_feed(r, bytes, true);
    while ((got = mu_reader_next(r, &rec, &err)) == MU_READ_RECORD) {
        const json_t *record = json_array_get(want, count++);
        FUZZ_HOLDS(!rec.bad, "record %lld is bad: %s", (long long)rec.at.record_no, rec.bad);
        for (size_t c = 0; c < rec.count; c++)
            check_value(rec.values[c], json_object_get(record, columns[c]), columns[c]);
    }
    FUZZ_HOLDS(got == MU_READ_END && count == json_array_size(want), "%zu records of %zu: %s", count,
               json_array_size(want), err.text);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    struct mu_error err = {0};
    FUZZ_HOLDS(mu_pack_parse(&pack, mu_span_of(pack_text), &err), "%s: %s", err.pointer, err.text);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct mu_span bytes = mu_span((const char *)data, size);
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    MU_AUTO(mu_pack_free) struct mu_pack *own = NULL;
    struct mu_error err = {0}, why = {0};
    struct mu_span raw;
    if (!mu_json_parse(&doc, bytes, JOB_BYTES_MAX, &err)) {
        fuzz_refusal(&err, "the JSON");
        return 0;
    }
    check_writing(doc);
    const bool good = mu_schema_check(mu_schema_builtin("job"), doc, &err);
    if (!good)
        fuzz_refusal(&err, "the job");
    if (!json_is_object(doc))
        return 0;
    if (check_raw(bytes, doc, "rules", &raw) && !mu_pack_parse(&own, raw, &why))
        fuzz_refusal(&why, "the pack");
    const json_t *source = json_object_get(doc, "source"), *records = json_object_get(doc, "records");
    (void)check_raw(bytes, doc, "source", &raw);
    if (good && source && !mu_description_check(source, own ? own : pack, (why = (struct mu_error){0}, &why)))
        fuzz_refusal(&why, "the description");
    if (check_raw(bytes, doc, "records", &raw) && json_is_array(records)) {
        check_elements(raw, records);
        if (good)
            check_reader(raw, records);
    }
    return 0;
}

const char *fuzz_make(size_t index, struct mu_text *out)
{
    static const struct {
        const char *name, *begin, *again, *end;
        int times;
    } made[] = {
        {"a hundred thousand levels", "{\"pack\":\"p\",\"records\":", "[", "", 100000},
        {"a hundred thousand levels of objects", "{\"pack\":\"p\",\"labels\":", "{\"a\":", "", 100000},
        {"ten thousand records", "{\"pack\":\"p\",\"records\":[{\"a\":\"1\"}",
         ",{\"isin\":\"\\u00e9\",\"x\":null}", "]}", 10000},
        {"larger than a job may be", "{\"pack\":\"p\",\"id\":\"", "0123456789abcdef", "\"}", 1 << 16},
    };
    if (index >= MU_COUNT(made))
        return NULL;
    mu_text_puts(out, made[index].begin);
    for (int i = 0; i < made[index].times; i++)
        mu_text_puts(out, made[index].again);
    mu_text_puts(out, made[index].end);
    return made[index].name;
}
