/* SPDX-License-Identifier: Apache-2.0 */
/* The plan stage: shards cover the source without gap, are the same however the bytes came and wherever the
 * plan was interrupted, and a run over the shards finds what a run over the whole finds. */
#include "run_rig.h"

#include "format/schema.h"

static const char pack_text[] =
    "{\"muster_pack\":1,\"pack\":\"sample\",\"version\":\"1.0.0\",\"title\":\"A sample\","
    "\"columns\":{\"id\":{\"type\":\"text\"},\"lei\":{\"type\":\"text\"},\"note\":{\"type\":\"text\"}},"
    "\"rules\":[{\"id\":\"S.LEI\",\"severity\":\"high\",\"check\":\"lei\",\"with\":{\"column\":\"lei\"}},"
    "{\"id\":\"S.NOTE\",\"severity\":\"low\",\"check\":\"not_null\",\"with\":{\"column\":\"note\"}},"
    "{\"id\":\"S.EXPR\",\"severity\":\"low\",\"where\":\"not is_missing(lei)\",\"expr\":\"lei_valid(lei) and len(coalesce(note, "
    "'')) = 4\",\"evidence\":{\"length\":\"len(note)\"},\"message\":\"{id}: {length}\"}]}";
static const char source_text[] = "{\"uri\":\"file:sample.csv\",\"name\":\"sample\",\"format\":\"csv\"}";

static void write_csv(struct mu_text *out, int records)
{
    static const char *const rows[] = {",5493001KJTIIGC8Y1R12,fine\r\n",
                                       ",5493001KJTIIGC8Y1R13,\"a\nb\"\n",
                                       ",,\n",
                                       ",\"x\"y,1\n",
                                       ",\"5493001KJTIIGC8Y1R12\",\"\"\"\"\n",
                                       "\n",
                                       ",5493001KJTIIGC8Y1R21,caf\xc3\xa9\n"};
    mu_text_puts(out, "id,lei,note\n");
    for (int i = 0; i < records; i++) {
        mu_text_add_i64(out, i);
        mu_text_puts(out, rows[i * 5 % 7]);
    }
}

/* What two records of three have in common; the third is broken where the format can have that. */
static void write_json(struct mu_text *out, int i, bool breakable)
{
    static const char *const rows[] = {"\"lei\":\"5493001KJTIIGC8Y1R12\",\"note\":\"fine\"}",
                                       "\"lei\":\"5493001KJTIIGC8Y1R13\",\"note\":\"a\\nb ]}\"}",
                                       "\"lei\":null}", "\"lei\":01}"};
    mu_text_addf(out, "{\"id\":%d,%s", i, rows[i * 5 % (breakable ? 4 : 3)]);
}

static void write_lines(struct mu_text *out, int records)
{
    for (int i = 0; i < records; i++) {
        write_json(out, i, true);
        mu_text_puts(out, i % 4 ? "\n" : "\r\n\n");
    }
}

static void write_array(struct mu_text *out, int records)
{
    mu_text_puts(out, "{\"n\":[1,2],\"data\":{\"rows\":[\n");
    for (int i = 0; i < records; i++) {
        mu_text_puts(out, i ? " ,\n" : "");
        write_json(out, i, true);
    }
    mu_text_puts(out, "\n]}, \"end\":true}\n");
}

/* In groups, some of which have another name or namespace: no shard begins there. */
static void write_xml(struct mu_text *out, int records)
{
    static const char *const rows[] = {"<lei>5493001KJTIIGC8Y1R12</lei><note>fine</note>",
                                       "<lei>5493001KJTIIGC8Y1R13</lei>\n<note/>", "<note>&lt;</note>"};
    static const char *const begins[] = {"<G>", "<G xmlns:q=\"urn:q\">", "<G>\n", "<H>"};
    static const char *const ends[] = {"</G>", "</G>", "</G>\n", "</H>"};
    mu_text_puts(out, "\n<?xml version=\"1.0\"?>\n<!-- s --><D xmlns=\"urn:s\">\n");
    for (int i = 0; i < records; i++) {
        if (i % 7 == 0)
            mu_text_puts(out, begins[i / 7 % 4]);
        mu_text_addf(out, "<r\n id='%d'>%s</r>", i, rows[i * 5 % 3]);
        if (i % 7 == 6 || i + 1 == records)
            mu_text_puts(out, ends[i / 7 % 4]);
    }
    mu_text_puts(out, "</D>\n");
}

static const struct sample {
    const char *source;
    void (*write)(struct mu_text *out, int records);
    const char *counts; /* of 60 records */
} samples[] = {
    {source_text, write_csv, "records 60 bad 18 "},
    {"{\"uri\":\"file:s\",\"name\":\"s\",\"format\":\"jsonl\"}", write_lines, "records 60 bad 15 "},
    {"{\"uri\":\"file:s\",\"name\":\"s\",\"format\":\"json\",\"record\":\"/data/rows\"}", write_array,
     "records 60 bad 15 "},
    {"{\"uri\":\"file:s\",\"name\":\"s\",\"format\":\"xml\",\"record\":\"{urn:s}r\"}", write_xml,
     "records 60 bad 0 "},
};

/* The plan in chunks; every `stop` chunks it is saved and restored into another (0: never). */
static char *plan_text(struct rig *rig, struct mu_span bytes, size_t chunk, int stop, struct mu_error *err)
{
    struct mu_plan *plan = NULL;
    MU_AUTO(mu_text_free) struct mu_text out = MU_TEXT(0);
    int fed = 0;
    bool ok = mu_plan_open(&plan, &rig->task, rig->ready, (int64_t)bytes.len, rig->limits, err);
    for (size_t at = 0; ok;) {
        const size_t n = chunk < bytes.len - at ? chunk : bytes.len - at;
        ok = mu_plan_feed(plan, mu_span(bytes.at + at, n), at + n == bytes.len, err);
        at += n;
        if (!ok || at == bytes.len)
            break;
        if (!stop || ++fed % stop)
            continue;
        MU_AUTO(mu_text_free) struct mu_text state = MU_TEXT(0), again = MU_TEXT(0);
        json_t *saved = NULL;
        ok = mu_plan_save(plan, &state, err) && mu_json_parse(&saved, mu_text_span(&state), 1 << 20, err);
        mu_plan_free(plan);
        plan = NULL;
        ok = ok && mu_plan_open(&plan, &rig->task, rig->ready, (int64_t)bytes.len, rig->limits, err) &&
             mu_plan_restore(plan, saved, err) && mu_plan_save(plan, &again, err);
        CHECK_SPAN(mu_text_span(&again), mu_text_span(&state));
        json_decref(saved);
        at = ok ? (size_t)mu_plan_position(plan).byte_off : 0;
        if (ok && at + chunk > bytes.len - chunk) /* the cut record must fit a chunk once, or it never ends */
            stop = 0;
    }
    ok = ok && mu_plan_write(plan, &out, err);
    mu_plan_free(plan);
    return ok ? strdup(out.at) : NULL;
}

static json_t *plan_of(struct rig *rig, struct mu_span bytes)
{
    struct mu_error err = {0};
    char *text = plan_text(rig, bytes, SIZE_MAX, 0, &err);
    json_t *plan = text ? json_loads(text, 0, NULL) : NULL;
    CHECK_TEXT(err.text, "");
    free(text);
    return plan;
}

/* As an outcome carries it. */
static void check_form(const json_t *plan)
{
    static const char rest[] =
        "{\"task_id\":\"01932b3f-0000-7000-8000-000000000001\",\"job_id\":\"01932b3f-0000-7000-8000-"
        "000000000001\","
        "\"n\":1,\"delivery\":1,\"task_digest\":"
        "\"0000000000000000000000000000000000000000000000000000000000000000\","
        "\"result\":\"planned\",\"records\":0,\"bad\":0,\"skipped\":0,\"bytes\":0,\"findings_total\":0,"
        "\"started_at\":\"2026-11-24T10:00:00Z\",\"finished_at\":\"2026-11-24T10:00:00Z\"}";
    struct mu_error err = {0};
    json_t *doc = json_loads(rest, 0, NULL);
    json_object_set(doc, "plan", (json_t *)(uintptr_t)plan);
    if (!mu_schema_check(mu_schema_builtin("outcome"), doc, &err))
        TAP_FAIL("%s: %s", err.pointer, err.text);
    json_decref(doc);
    mu_schema_fini();
}

static void check_cover(const json_t *plan, struct mu_span bytes)
{
    const json_t *shards = json_object_get(plan, "shards");
    int64_t at = mu_json_int(json_array_get(shards, 0), "from", -1), record = 1;
    char hex[MU_DIGEST_HEX];
    for (size_t i = 0; i < json_array_size(shards); i++) {
        const json_t *s = json_array_get(shards, i);
        const int64_t to = mu_json_int(s, "to", -1);
        CHECK_INT(mu_json_int(s, "from", -1), at);
        CHECK_INT(mu_json_int(s, "first_record", -1), record);
        const struct mu_digest d = mu_digest_of(mu_span(bytes.at + at, (size_t)(to - at)));
        mu_digest_format(&d, hex);
        CHECK_TEXT(mu_json_text(s, "digest"), hex);
        record += mu_json_int(s, "records", -1);
        at = to;
    }
    CHECK_INT(at, bytes.len);
    CHECK_INT(mu_json_int(plan, "size", -1), bytes.len);
    CHECK_INT(mu_json_int(plan, "records", -1), record - 1);
    const struct mu_digest whole = mu_digest_of(bytes);
    mu_digest_format(&whole, hex);
    CHECK_TEXT(mu_json_text(plan, "digest"), hex);
    check_form(plan);
}

static void run_shard(struct rig *rig, struct mu_span bytes, const json_t *s, struct mu_text *findings,
                      struct mu_text *summary)
{
    rig->task.has_shard = true;
    rig->task.shard = (struct mu_shard){.from = mu_json_int(s, "from", 0),
                                        .to = mu_json_int(s, "to", 0),
                                        .first_record = mu_json_int(s, "first_record", 0),
                                        .records = mu_json_int(s, "records", 0),
                                        .first_line = mu_json_int(s, "first_line", 0)};
    rig->task.input_digest = mu_digest_of(bytes);
    rig->task.input_size = (int64_t)bytes.len;
    rig_run(rig, bytes, 37, findings, summary);
    rig->task.has_shard = false;
}

static void check_shards(const struct sample *sample)
{
    static const int64_t sizes[] = {1, 20, 64, 500, 100000};
    struct rig rig;
    struct mu_error err = {0};
    MU_AUTO(mu_text_free) struct mu_text text = MU_TEXT(0), want = MU_TEXT(0), summary = MU_TEXT(0);
    sample->write(&text, 60);
    const struct mu_span bytes = mu_text_span(&text);
    CHECK(rig_open(&rig, pack_text, sample->source, &err));
    rig_run(&rig, bytes, SIZE_MAX, &want, &summary);
    if (!strstr(summary.at, sample->counts))
        TAP_FAIL("%s: %s", sample->counts, summary.at);
    for (size_t i = 0; i < MU_COUNT(sizes); i++) {
        MU_AUTO(mu_text_free) struct mu_text got = MU_TEXT(0);
        rig.terms.shard_bytes = sizes[i];
        json_t *plan = plan_of(&rig, bytes), *shard;
        size_t k;
        check_cover(plan, bytes);
        json_array_foreach(json_object_get(plan, "shards"), k, shard)
        {
            MU_AUTO(mu_text_free) struct mu_text findings = MU_TEXT(0), of_shard = MU_TEXT(0);
            run_shard(&rig, bytes, shard, &findings, &of_shard);
            if (strncmp(of_shard.at, "result", 6) != 0)
                TAP_FAIL("shard %zu: %s", k, of_shard.at);
            if (findings.len && got.len)
                mu_text_putc(&got, ',');
            mu_text_add(&got, mu_text_span(&findings));
        }
        CHECK_SPAN(mu_text_span(&got), mu_text_span(&want));
        if (sizes[i] == 1 && sample == samples)
            CHECK_INT(k, 60);
        if (sizes[i] == 64)
            CHECK(k > 12);
        if (sizes[i] == 100000)
            CHECK_INT(k, 1);
        json_decref(plan);
    }
    rig_close(&rig);
}

TAP_TEST(shards_cover_the_source_and_their_findings_are_those_of_the_whole)
{
    for (size_t i = 0; i < MU_COUNT(samples); i++)
        check_shards(&samples[i]);
}

static void check_interruptions(const struct sample *sample)
{
    static const size_t chunks[] = {1, 2, 3, 17, 128, 1000};
    struct rig rig;
    struct mu_error err = {0};
    MU_AUTO(mu_text_free) struct mu_text text = MU_TEXT(0);
    sample->write(&text, 40);
    CHECK(rig_open(&rig, pack_text, sample->source, &err));
    rig.terms.shard_bytes = 100;
    char *want = plan_text(&rig, mu_text_span(&text), SIZE_MAX, 0, &err);
    CHECK_TEXT(err.text, "");
    for (size_t i = 0; i < MU_COUNT(chunks); i++) {
        char *got = plan_text(&rig, mu_text_span(&text), chunks[i], 0, &err);
        CHECK_TEXT(got, want);
        free(got);
        if (chunks[i] < 128) /* a chunk must be able to hold a record: otherwise it is fed again for ever */
            continue;
        for (int stop = 1; stop < 4; stop++) {
            got = plan_text(&rig, mu_text_span(&text), chunks[i], stop, &err);
            CHECK_TEXT(got, want);
            free(got);
        }
    }
    free(want);
    rig_close(&rig);
}

TAP_TEST(a_plan_is_the_same_in_any_chunks_and_after_any_interruption)
{
    for (size_t i = 0; i < MU_COUNT(samples); i++)
        check_interruptions(&samples[i]);
}

TAP_TEST(a_plan_has_at_most_4096_shards)
{
    struct rig rig;
    struct mu_error err = {0};
    MU_AUTO(mu_text_free) struct mu_text sample = MU_TEXT(0);
    write_csv(&sample, 9000);
    CHECK(rig_open(&rig, pack_text, source_text, &err));
    rig.terms.shard_bytes = 3;
    json_t *plan = plan_of(&rig, mu_text_span(&sample));
    check_cover(plan, mu_text_span(&sample));
    const size_t count = json_array_size(json_object_get(plan, "shards"));
    CHECK(count > 1000 && count <= MU_SHARDS_MAX);
    CHECK_INT(mu_json_int(plan, "shard_bytes", 0) % 3, 0);
    CHECK((int64_t)sample.len / mu_json_int(plan, "shard_bytes", 1) < MU_SHARDS_MAX);
    json_decref(plan);
    rig_close(&rig);
}

TAP_TEST(a_source_without_records_has_one_empty_shard)
{
    static const char *const inputs[] = {"", "id,lei,note\n", "id,lei,note", "\xef\xbb\xbf",
                                         "id,lei,note\n\x1a"};
    struct rig rig;
    struct mu_error err = {0};
    CHECK(rig_open(&rig, pack_text, source_text, &err));
    rig.terms.shard_bytes = 1;
    for (size_t i = 0; i < MU_COUNT(inputs); i++) {
        json_t *plan = plan_of(&rig, mu_span_of(inputs[i]));
        check_cover(plan, mu_span_of(inputs[i]));
        CHECK_INT(json_array_size(json_object_get(plan, "shards")), 1);
        CHECK_INT(mu_json_int(plan, "records", -1), 0);
        json_decref(plan);
    }
    json_t *plan =
        plan_of(&rig, mu_span_of("id,lei,note\n1,2,3\n\x1a")); /* the end mark is no shard of its own */
    check_cover(plan, mu_span_of("id,lei,note\n1,2,3\n\x1a"));
    CHECK_INT(json_array_size(json_object_get(plan, "shards")), 1);
    json_decref(plan);
    rig_close(&rig);
}

TAP_TEST(a_source_of_another_size_than_said_is_changed)
{
    struct rig rig;
    const struct mu_span bytes = mu_span_of("id,lei,note\n1,2,3\n");
    for (int64_t off = -1; off <= 1; off += 2) {
        struct mu_error err = {0};
        struct mu_plan *plan = NULL;
        CHECK(rig_open(&rig, pack_text, source_text, &err));
        CHECK(mu_plan_open(&plan, &rig.task, rig.ready, (int64_t)bytes.len + off, rig.limits, &err));
        CHECK(!mu_plan_feed(plan, bytes, true, &err));
        CHECK_TEXT(err.code, "source_changed");
        mu_plan_free(plan);
        rig_close(&rig);
    }
}

int main(void)
{
    return tap_run();
}
