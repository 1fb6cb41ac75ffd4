/* SPDX-License-Identifier: Apache-2.0 */
/* The runner: counters, findings and results, and that no cut, stop, resumption or shard changes any of them.
 */
#include "run_rig.h"

#include "engine/description.h"
#include "format/schema.h"

static const char pack_text[] =
    "{\"muster_pack\":1,\"pack\":\"sample\",\"version\":\"1.0.0\",\"title\":\"A sample\","
    "\"columns\":{\"id\":{\"type\":\"text\"},\"isin\":{\"type\":\"text\"},\"lei\":{\"type\":\"text\","
    "\"mask\":\"last4\"},"
    "\"amount\":{\"type\":\"decimal\"},\"side\":{\"type\":\"text\"}},"
    "\"identity\":[\"id\"],\"lists\":{\"isin\":\"isin-prefix@2024.1\"},"
    "\"params\":{\"most\":{\"type\":\"decimal\",\"default\":\"100.00\"}},"
    "\"rules\":["
    "{\"id\":\"S.ISIN\",\"severity\":\"high\",\"check\":\"isin\",\"with\":{\"column\":\"isin\"},\"min_"
    "coverage\":\"0.10\"},"
    "{\"id\":\"S.LEI\",\"severity\":\"low\",\"mode\":\"shadow\",\"check\":\"lei\",\"with\":{\"column\":"
    "\"lei\"}},"
    "{\"id\":\"A.RANGE\",\"severity\":\"medium\",\"check\":\"range\",\"with\":{\"column\":\"amount\",\"max\":"
    "\":most\"},"
    "\"message\":\"{amount} is above {most}\"},"
    "{\"id\":\"S.SIDE\",\"severity\":\"info\",\"check\":\"in_set\",\"with\":{\"column\":\"side\",\"values\":["
    "\"B\",\"S\"]}},"
    "{\"id\":\"S.OFF\",\"severity\":\"info\",\"mode\":\"off\",\"check\":\"not_null\",\"with\":{\"column\":"
    "\"id\"}},"
    "{\"id\":\"S.LATER\",\"severity\":\"info\",\"effective\":[\"2026-01-01\",null],\"check\":\"not_null\","
    "\"with\":{\"column\":\"id\"}}"
    "]}";
static const char source_text[] = "{\"uri\":\"file:sample.csv\",\"name\":\"sample\",\"format\":\"csv\"}";
static const char sample[] = "\xef\xbb\xbfid,isin,lei,amount,side,note\r\n"
                             "1,US0378331005,5493001KJTIIGC8Y1R12,10.00,B,fine\r\n"
                             "2,US0378331004,5493001KJTIIGC8Y1R13,100.01,X,\"wrong,\r\nall of it\"\n"
                             "3,,,,,\n"
                             "4,US0378331005,,abc,S,\"an \"\"amount\"\"\"\n"
                             "5,US0378331005\n"
                             "6,US0378331005,,1,B,caf\xc3\xa9\n"
                             "7,US0378331005,,1,B,caf\xe9\n"
                             "8,\"US0378331004\",,1\"0,B,\n"
                             "9,XX0000000000,,100,B,\"line\nbreaks\n\n\"\n"
                             "10,US0378331005,,99,\"S\",end";

static struct mu_span sample_bytes(void)
{
    return mu_span(sample, sizeof(sample) - 1);
}

TAP_TEST(counters_findings_and_the_result_are_as_worked_out_by_hand)
{
    struct rig rig;
    struct mu_error err = {0};
    MU_AUTO(mu_text_free) struct mu_text findings = MU_TEXT(0), summary = MU_TEXT(0);
    CHECK(rig_open(&rig, pack_text, source_text, &err));
    CHECK_TEXT(err.text, "");
    rig_run(&rig, sample_bytes(), SIZE_MAX, &findings, &summary);
    CHECK_TEXT(summary.at, "result 2 records 10 bad 3 bytes 349 findings 8\n"
                           "A.RANGE medium p4 w0 f1 e1 n4 o0\n"
                           "DQ.RECORD high p0 w0 f3 e0 n0 o0\n"
                           "S.ISIN high p4 w0 f2 e0 n4 o0\n"
                           "S.LATER info p0 w0 f0 e0 n10 o0 not effective\n"
                           "S.LEI low p1 w0 f1 e0 n8 o0 shadow\n"
                           "S.OFF info p0 w0 f0 e0 n10 o0 off\n"
                           "S.SIDE info p5 w0 f1 e0 n4 o0");
    MU_AUTO(mu_text_free) struct mu_text array = MU_TEXT(0);
    mu_text_addf(&array, "[%s]", findings.at);
    json_t *doc = json_loads(array.at, JSON_REJECT_DUPLICATES, NULL);
    CHECK_INT(json_array_size(doc), 8);
    const json_t *f = json_array_get(doc, 0);
    CHECK_TEXT(mu_json_text(f, "rule"), "A.RANGE");
    CHECK_TEXT(mu_json_text(f, "outcome"), "fail");
    CHECK_TEXT(mu_json_text(f, "severity"), "medium");
    CHECK_TEXT(mu_json_text(f, "message"), "100.01 is above 100.00");
    CHECK_INT(mu_json_int(f, "record_no", 0), 2);
    CHECK_INT(mu_json_int(f, "line", 0), 3);
    CHECK_TEXT(mu_json_text(json_object_get(json_object_get(f, "evidence"), "columns"), "amount"), "100.01");
    f = json_array_get(doc, 2);
    CHECK_TEXT(mu_json_text(f, "rule"), "S.LEI");
    CHECK(mu_json_bool(f, "shadow", false));
    CHECK_TEXT(mu_json_text(f, "message"), "Legal Entity Identifier (ISO 17442)"); /* masked: no quoting */
    CHECK_TEXT(mu_json_text(json_object_get(json_object_get(f, "evidence"), "columns"), "lei"), "****1R13");
    f = json_array_get(doc, 1);
    CHECK_TEXT(mu_json_text(f, "message"), "check digit 4, expected 5");
    const char *pin = mu_json_text(json_object_get(json_object_get(f, "evidence"), "lists"), "isin");
    CHECK(pin && strncmp(pin, "isin-prefix@2024.1 sha256:", 26) == 0);
    f = json_array_get(doc, 4);
    CHECK_TEXT(mu_json_text(f, "rule"), "DQ.RECORD");
    CHECK_TEXT(mu_json_text(f, "message"), "2 fields instead of 6 (line 7, byte 193)");
    json_decref(doc);
    rig_close(&rig);
}

/* The two digests spelled out, so that a change of what is in them is noticed. */
TAP_TEST(ids_and_fingerprints_are_those_of_the_wire)
{
    struct rig rig;
    struct mu_error err = {0};
    MU_AUTO(mu_text_free) struct mu_text findings = MU_TEXT(0), summary = MU_TEXT(0), array = MU_TEXT(0);
    char pack[MU_DIGEST_HEX], params[MU_DIGEST_HEX], source[MU_DIGEST_HEX], want[MU_DIGEST_HEX],
        id[MU_ID_MAX];
    CHECK(rig_open(&rig, pack_text, source_text, &err));
    rig_run(&rig, sample_bytes(), SIZE_MAX, &findings, &summary);
    mu_text_addf(&array, "[%s]", findings.at);
    json_t *doc = json_loads(array.at, 0, NULL);
    const json_t *f = json_array_get(doc, 1);
    struct mu_digest d = mu_digest_of(mu_span_of("{}"));
    mu_digest_format(&d, params);
    d = mu_digest_of(mu_span_of(pack_text));
    mu_digest_format(&d, pack);
    d = mu_digest_of(sample_bytes());
    mu_digest_format(&d, source);
    const char *const members[] = {rig.task.id_text, pack, params, "S.ISIN", source, "2", ""};
    struct mu_sha sha;
    mu_sha_init(&sha);
    for (size_t i = 0; i < MU_COUNT(members); i++)
        mu_sha_member(&sha, mu_span_of(members[i]));
    d = mu_sha_end(&sha);
    mu_id_format(mu_id_derive(rig.task.task_id, &d), id);
    CHECK_TEXT(mu_json_text(f, "finding_id"), id);
    const char *const print[] = {"sample", "S.ISIN", "sample", "2"};
    mu_sha_init(&sha);
    for (size_t i = 0; i < MU_COUNT(print); i++)
        mu_sha_member(&sha, mu_span_of(print[i]));
    d = mu_sha_end(&sha);
    mu_digest_format(&d, want);
    CHECK_TEXT(mu_json_text(f, "fingerprint"), want);
    json_decref(doc);
    rig_close(&rig);
}

/* Stops after record k, in chunks of one size, and goes on in another run, in chunks of another size. */
static void stop_and_go_on(struct rig *rig, struct mu_span bytes, int64_t k, size_t before, size_t after,
                           struct mu_text *findings, struct mu_text *summary, struct mu_text *state)
{
    struct mu_error err = {0};
    struct mu_run *first = NULL, *second = NULL;
    MU_AUTO(mu_text_free) struct mu_text again = MU_TEXT(0);
    const size_t end = rig->task.has_shard ? (size_t)rig->task.shard.to : bytes.len;
    json_t *saved = NULL;
    if (!rig_start(rig, &first, bytes, before, &err) ||
        (k && !rig_feed(first, bytes, end, before, k, findings, &err)) || !mu_run_save(first, state, &err) ||
        !mu_json_parse(&saved, mu_text_span(state), 1 << 20, &err) ||
        !rig_start(rig, &second, bytes, after, &err) || !mu_run_restore(second, saved, &err) ||
        !mu_run_save(second, &again, &err) || !rig_feed(second, bytes, end, after, 0, findings, &err) ||
        !mu_run_finish(second, &err))
        TAP_FAIL("stop at %lld: %s", (long long)k, err.text);
    else
        rig_summary(second, summary);
    CHECK_SPAN(mu_text_span(&again), mu_text_span(state));
    json_decref(saved);
    mu_run_free(first);
    mu_run_free(second);
}

static void same_at_every_cut(struct rig *rig, struct mu_span bytes, int64_t records)
{
    static const size_t chunks[] = {SIZE_MAX, 1, 5, 64};
    MU_AUTO(mu_text_free) struct mu_text want = MU_TEXT(0), want_summary = MU_TEXT(0);
    rig_run(rig, bytes, SIZE_MAX, &want, &want_summary);
    for (int64_t k = 0; k <= records; k++) {
        MU_AUTO(mu_text_free) struct mu_text first_state = MU_TEXT(0);
        for (size_t c = 0; c < MU_COUNT(chunks); c++) {
            MU_AUTO(mu_text_free) struct mu_text got = MU_TEXT(0), summary = MU_TEXT(0), state = MU_TEXT(0);
            stop_and_go_on(rig, bytes, k, chunks[c], chunks[(c + 1) % MU_COUNT(chunks)], &got, &summary,
                           &state);
            CHECK_SPAN(mu_text_span(&got), mu_text_span(&want));
            CHECK_SPAN(mu_text_span(&summary), mu_text_span(&want_summary));
            if (!c)
                mu_text_add(&first_state, mu_text_span(&state));
            CHECK_SPAN(mu_text_span(&state), mu_text_span(&first_state));
        }
    }
}

TAP_TEST(a_run_stopped_after_any_record_goes_on_to_the_same_findings_and_outcome)
{
    struct rig rig;
    struct mu_error err = {0};
    CHECK(rig_open(&rig, pack_text, source_text, &err));
    same_at_every_cut(&rig, sample_bytes(), 10);
    rig_close(&rig);
}

TAP_TEST(records_in_the_message_are_stopped_and_resumed_likewise)
{
    static const char records[] = "[{\"id\":\"1\",\"isin\":\"US0378331004\",\"amount\":\"1\\u0030\\n\"}, "
                                  "{\"isin\":null,\"side\":true},\n"
                                  "{\"amount\":\"101\",\"unknown\":\"x\\\"]}\",\"id\":\"caf\\u00e9 "
                                  "\\ud834\\udd1e\"} ,{}, {\"lei\":\"\"}]";
    struct rig rig;
    struct mu_error err = {0};
    const struct mu_span bytes = mu_span(records, sizeof(records) - 1);
    MU_AUTO(mu_text_free) struct mu_text findings = MU_TEXT(0), summary = MU_TEXT(0);
    CHECK(rig_open(&rig, pack_text, NULL, &err));
    rig_run(&rig, bytes, SIZE_MAX, &findings, &summary);
    CHECK(strstr(summary.at, "result 2 records 5 bad 0 bytes 164 findings 3\n"
                             "A.RANGE medium p0 w0 f1 e1 n3 o0\n"
                             "S.ISIN high p0 w0 f1 e0 n4 o0\n") == summary.at);
    CHECK(strstr(findings.at, "\"record_no\":1,\"byte_off\":1,\"length\":53,"));
    same_at_every_cut(&rig, bytes, 5);
    rig_close(&rig);
}

TAP_TEST(a_value_that_is_no_text_boolean_or_null_is_a_bad_record)
{
    struct rig rig;
    struct mu_error err = {0};
    MU_AUTO(mu_text_free) struct mu_text findings = MU_TEXT(0), summary = MU_TEXT(0);
    CHECK(rig_open(&rig, pack_text, NULL, &err));
    rig_run(&rig, mu_span_of("[{\"amount\":1},7,{\"id\":\"\\ud800\"},[]]"), SIZE_MAX, &findings, &summary);
    CHECK(strncmp(summary.at, "result 2 records 4 bad 4 ", 25) == 0);
    CHECK(strstr(findings.at, "the value of \\\"amount\\\" is no text, boolean or null (line 1, byte 11)"));
    CHECK(strstr(findings.at, "not an object (line 1, byte 14)"));
    CHECK(strstr(findings.at, "a text that is no Unicode"));
    rig_close(&rig);
}

TAP_TEST(nothing_evaluated_is_never_a_pass)
{
    static const char *const inputs[] = {"", "\xef\xbb\xbf", "id,isin,lei,amount,side\n", "x,y\n1,2\n",
                                         "id,isin,lei,amount,side\n,,,,\n"};
    struct rig rig;
    struct mu_error err = {0};
    CHECK(rig_open(&rig, pack_text, source_text, &err));
    for (size_t i = 0; i < MU_COUNT(inputs); i++) {
        MU_AUTO(mu_text_free) struct mu_text findings = MU_TEXT(0), summary = MU_TEXT(0);
        rig_run(&rig, mu_span_of(inputs[i]), SIZE_MAX, &findings, &summary);
        char want[40];
        (void)snprintf(want, sizeof(want), "result %d ", (int)MU_NOT_EVALUATED);
        CHECK(strncmp(summary.at, want, strlen(want)) == 0);
        CHECK_INT(findings.len, 0);
    }
    rig_close(&rig);
}

TAP_TEST(a_checkpoint_of_something_else_is_refused)
{
    static const char *const keys[] = {"format",   "key",     "input", "from",  "header",
                                       "byte_off", "records", "rules", "checks"};
    struct rig rig;
    struct mu_error err = {0};
    struct mu_run *run = NULL;
    MU_AUTO(mu_text_free) struct mu_text state = MU_TEXT(0);
    json_t *saved = NULL;
    CHECK(rig_open(&rig, pack_text, source_text, &err));
    CHECK(rig_start(&rig, &run, sample_bytes(), SIZE_MAX, &err) && mu_run_save(run, &state, &err));
    mu_run_free(run);
    CHECK(mu_json_parse(&saved, mu_text_span(&state), 1 << 20, &err));
    for (size_t i = 0; i < MU_COUNT(keys); i++) {
        json_t *other = json_deep_copy(saved);
        struct mu_error refusal = {0};
        json_object_del(other, keys[i]);
        CHECK(rig_start(&rig, &run, sample_bytes(), SIZE_MAX, &err));
        CHECK(!mu_run_restore(run, other, &refusal));
        CHECK_INT(refusal.fault, MU_REJECTED);
        mu_run_free(run);
        json_decref(other);
    }
    json_decref(saved);
    rig_close(&rig);
}

static void refused_pack(const char *rule, const char *pointer, const char *text)
{
    struct mu_pack *pack = NULL;
    struct mu_error err = {0};
    MU_AUTO(mu_text_free) struct mu_text doc = MU_TEXT(0);
    mu_text_addf(&doc,
                 "{\"muster_pack\":1,\"pack\":\"p\",\"version\":\"1.0.0\",\"title\":\"t\",\"columns\":{\"a\":"
                 "{\"type\":"
                 "\"text\"}},\"rules\":[{\"id\":\"R\",\"severity\":\"high\",%s}]}",
                 rule);
    if (mu_pack_parse(&pack, mu_text_span(&doc), &err)) {
        struct mu_ready *ready = NULL;
        const struct mu_ready_setup setup = {.pack = pack};
        CHECK(!mu_ready_new(&ready, &setup, &err));
        mu_ready_free(ready);
    }
    mu_pack_free(pack);
    CHECK_TEXT(err.pointer, pointer);
    if (text[0])
        CHECK(strstr(err.text, text));
}

TAP_TEST(what_a_pack_may_not_say_is_refused_with_its_place)
{
    refused_pack("\"mostly\":\"0.5\"", "/rules/0", "expected one of expr, having, value and check, found none");
    refused_pack("\"expr\":\"a = 'x'\",\"check\":\"lei\"", "/rules/0/check", "found \"check\" beside \"expr\"");
    refused_pack("\"expr\":\"a\"", "/rules/0/expr", "expected an expression that is bool, found one that is text");
    refused_pack("\"expr\":\"is_missing(b)\"", "/rules/0/expr", "character 12, at \"b\": expected a column");
    refused_pack("\"expr\":\"a = 'x'\",\"where\":\"1 = '1'\"", "/rules/0/where", "expected decimal as before");
    refused_pack("\"expr\":\"a = 'x'\",\"evidence\":{\"n\":\"len(1)\"}", "/rules/0/evidence/n", "expected text");
    refused_pack("\"expr\":\"a = 'x'\",\"evidence\":{\"n\":\"count()\"}", "/rules/0/evidence/n", "an aggregate stands in");
    refused_pack("\"expr\":\"a = 'x'\",\"message\":\"it is {n}\"", "/rules/0/message", "{n} is no column");
    refused_pack("\"expr\":\"a = 'x'\",\"group_by\":{\"k\":\"a\"}", "/rules/0/group_by", "is for a rule with having or value");
    refused_pack("\"expr\":\"a = 'x'\",\"with\":{}", "/rules/0/with", "is for a rule with check");
    refused_pack("\"expr\":\"a = 'x'\",\"mostly\":\"1.5\"", "/rules/0/mostly", "expected a decimal from 0 to 1");
    refused_pack("\"having\":\"count() > 1\",\"mostly\":\"0.5\"", "/rules/0/mostly", "judge single records");
    refused_pack("\"having\":\"a = 'x'\",\"group_by\":{\"k\":\"a\"}", "/rules/0/having", "expected a key of the group");
    refused_pack("\"having\":\"sum(count()) > 1\"", "/rules/0/having", "an aggregate stands in having");
    refused_pack("\"having\":\"sum(len(b)) > 1\"", "/rules/0/having", "expected a column");
    refused_pack("\"having\":\"k = 'x'\",\"group_by\":{\"k\":\"1d\"}", "/rules/0/group_by/k", "found duration");
    refused_pack("\"value\":\"count()\"", "/rules/0/bands/0", "expected 2 to 16 bands");
    refused_pack("\"value\":\"count()\",\"bands\":[{\"lt\":\"2\",\"outcome\":\"pass\"},{\"lt\":\"3\",\"outcome\":\"fail\"}]",
                 "/rules/0/bands/1", "no \"lt\" in the last band");
    refused_pack("\"value\":\"count()\",\"bands\":[{\"lt\":\"3\",\"outcome\":\"pass\"},{\"lt\":\"2\",\"outcome\":\"warn\"},{\"outcome\":\"fail\"}]",
                 "/rules/0/bands/1", "bounds that rise");
    refused_pack("\"having\":\"count() > 1\",\"bands\":[{\"lt\":\"2\",\"outcome\":\"pass\"},{\"outcome\":\"fail\"}]", "/rules/0/bands",
                 "is for a rule with value");
    refused_pack("\"having\":\"count() > 1\",\"group_by\":{\"k\":\"a\"},\"window\":{\"on\":\"k\",\"size\":\"7\"}", "/rules/0/window/on",
                 "a date or a whole number");
    refused_pack("\"having\":\"count() > 1\",\"group_by\":{\"k\":\"len(a)\"},\"window\":{\"on\":\"k\",\"size\":\"7d\"}", "/rules/0/window/size",
                 "expected a whole number");
    refused_pack("\"having\":\"count() > 1\",\"group_by\":{\"k\":\"to_date(a)\"},\"window\":{\"on\":\"k\",\"size\":\"7\"}", "/rules/0/window/size",
                 "expected a number of days");
    refused_pack("\"having\":\"count() > 1\",\"group_by\":{\"k\":\"a\"},\"window\":{\"on\":\"a\",\"size\":\"7d\"}", "/rules/0/window/on",
                 "windows over the times of single records come with a later version");
    refused_pack("\"check\":\"unique\",\"with\":{\"columns\":[\"b\"]}", "/rules/0/with/columns/0", "expected a column of the pack");
    refused_pack("\"check\":\"unique\",\"with\":{\"columns\":[\"a\",\"a\"]}", "/rules/0/with/columns/1", "once");
    refused_pack("\"check\":\"lie\",\"with\":{\"column\":\"a\"}", "/rules/0/check",
                 "there is no check \"lie\"");
    refused_pack("\"check\":\"lei\",\"with\":{\"column\":\"b\"}", "/rules/0/with/column", "");
    refused_pack("\"check\":\"lei\",\"with\":{\"column\":\"a\",\"x\":1}", "/rules/0/with/x", "");
    refused_pack("\"check\":\"isin\",\"with\":{\"column\":\"a\"}", "/rules/0/with/registry", "");
    refused_pack("\"check\":\"lei\",\"with\":{\"column\":\"a\"},\"min_coverage\":\"1.1\"",
                 "/rules/0/min_coverage", "");
    refused_pack("\"check\":\"lei\",\"with\":{\"column\":\"a\"},\"effective\":[\"2026-02-30\",null]",
                 "/rules/0/effective/0", "");
    refused_pack(
        "\"check\":\"lei\",\"with\":{\"column\":\"a\"},\"effective\":[\"2026-02-03\",\"2026-02-03\"]",
        "/rules/0/effective", "");
    refused_pack(
        "\"check\":\"lei\",\"with\":{\"column\":\"a\"}},{\"id\":\"R\",\"severity\":\"low\",\"check\":\"lei\","
        "\"with\":{\"column\":\"a\"}",
        "/rules/1/id", "");
}

TAP_TEST(ready_packs_have_the_same_digest_only_if_all_pins_are_equal)
{
    struct rig rig;
    struct mu_error err = {0};
    CHECK(rig_open(&rig, pack_text, source_text, &err));
    const struct mu_digest first = *mu_ready_digest(rig.ready);
    mu_ready_free(rig.ready);
    CHECK(rig_ready(&rig, &err));
    CHECK(mu_digest_equal(&first, mu_ready_digest(rig.ready)));
    mu_ready_free(rig.ready);
    rig.terms.as_of++;
    CHECK(rig_ready(&rig, &err));
    CHECK(!mu_digest_equal(&first, mu_ready_digest(rig.ready)));
    mu_ready_free(rig.ready);
    rig.terms.as_of--;
    rig.params = json_pack("{s:s}", "most", "7");
    CHECK(rig_ready(&rig, &err));
    CHECK(!mu_digest_equal(&first, mu_ready_digest(rig.ready)));
    rig_close(&rig);
}

TAP_TEST(findings_and_outcomes_are_as_the_schemas_say)
{
    struct rig rig;
    struct mu_error err = {0};
    struct mu_run *run = NULL;
    MU_AUTO(mu_text_free) struct mu_text findings = MU_TEXT(0), array = MU_TEXT(0), text = MU_TEXT(0);
    json_t *doc = NULL;
    CHECK(rig_open(&rig, pack_text, source_text, &err));
    CHECK(rig_start(&rig, &run, sample_bytes(), SIZE_MAX, &err) &&
          rig_feed(run, sample_bytes(), sizeof(sample) - 1, SIZE_MAX, 0, &findings, &err) &&
          mu_run_finish(run, &err));
    mu_text_addf(&array, "[%s]", findings.at);
    struct mu_outcome outcome = {.task = &rig.task,
                                 .n = 1,
                                 .delivery = 1,
                                 .result = mu_run_result(run),
                                 .input_digest = mu_digest_of(sample_bytes()),
                                 .has_input_digest = true,
                                 .counts = mu_run_counts(run),
                                 .findings = mu_text_span(&array),
                                 .findings_total = mu_run_findings_total(run)};
    mu_outcome_write(&text, &outcome);
    CHECK(mu_json_parse(&doc, mu_text_span(&text), 1 << 20, &err));
    if (!mu_schema_check(mu_schema_builtin("outcome"), doc, &err))
        TAP_FAIL("%s: %s: %s", err.pointer, err.text, text.at);
    mu_text_reset(&text);
    size_t rules;
    const struct mu_rule_counts *counts = mu_run_rules(run, &rules);
    mu_tally_write(&text, counts, rules);
    MU_AUTO(mu_json_free) json_t *tally = NULL;
    CHECK(mu_json_parse(&tally, mu_text_span(&text), 1 << 20, &err));
    if (!mu_schema_check(mu_schema_builtin("tally"), tally, &err))
        TAP_FAIL("%s: %s: %s", err.pointer, err.text, text.at);
    size_t i;
    json_t *finding;
    json_array_foreach(json_object_get(doc, "findings"), i,
                       finding) if (!mu_schema_check(mu_schema_builtin("finding"), finding, &err))
        TAP_FAIL("finding %zu: %s: %s", i, err.pointer, err.text);
    CHECK_INT(i, mu_run_findings_total(run));
    json_decref(doc);
    mu_run_free(run);
    rig_close(&rig);
    mu_schema_fini();
}

static void refused_source(const char *source, const char *pointer, const char *text)
{
    struct rig rig;
    struct mu_error err = {0};
    json_t *doc = json_loads(source, 0, NULL);
    CHECK(rig_open(&rig, pack_text, source_text, &err));
    CHECK(!mu_description_check(doc, rig.pack, &err));
    CHECK_TEXT(err.code, "invalid");
    CHECK_TEXT(err.pointer, pointer);
    CHECK(strstr(err.text, text));
    json_decref(doc);
    rig_close(&rig);
}

TAP_TEST(a_source_that_the_pack_or_the_reader_cannot_use_is_refused_before_it_is_opened)
{
    refused_source("{\"format\":\"csv\",\"columns\":{\"isn\":\"ISIN\"}}", "/source/columns/isn",
                   "the pack has no column \"isn\"");
    refused_source("{\"format\":\"csv\",\"encoding\":\"ebcdic\"}", "/source/encoding", "ebcdic");
    refused_source("{\"format\":\"csv\",\"zone\":\"Europe/Paris\"}", "/source/zone", "no fixed offset");
    refused_source("{\"format\":\"parquet\"}", "/source/format", "\"parquet\" is not known");
    refused_source("{\"format\":\"xml\"}", "/source/record", "names no element");
    refused_source("{\"format\":\"xml\",\"record\":\"a:Tx\"}", "/source/record", "names no element");
    refused_source("{\"format\":\"xml\",\"record\":\"Tx\",\"columns\":{\"isin\":\"/a\"}}",
                   "/source/columns/isin", "want names below the record");
    refused_source("{\"format\":\"json\",\"record\":\"data\"}", "/source/record", "want a JSON Pointer");
    refused_source("{\"format\":\"jsonl\",\"columns\":{\"isin\":2}}", "/source/columns/isin", "want a path");
    refused_source("{\"format\":\"ndjson\",\"header\":true}", "/source/header",
                   "means nothing for JSON Lines");
    refused_source("{\"format\":\"csv\",\"names\":[\"a\",\"a\"]}", "/source/names/1", "stands there twice");
    refused_source("{\"format\":\"csv\",\"trailer\":\"\\n\"}", "/source/trailer", "printable ASCII");
    refused_source("{\"format\":\"csv\",\"formats\":{\"isin\":\"DD.MM\"}}", "/source/formats/isin",
                   "a date needs YYYY, MM and DD");
    refused_source("{\"format\":\"records\"}", "/source/format", "stand in a message");
    refused_source("{}", "/source/format", "is not known");
}

TAP_TEST(a_run_says_by_the_words_of_the_protocol_why_it_cannot_be)
{
    static const char *const cases[][3] = {
        {"{\"format\":\"parquet\"}", "id\n1\n", "unknown_format"},
        {"{\"format\":\"csv\",\"delimiter\":\"ab\"}", "id\n1\n", "bad_task"},
        {"{\"format\":\"csv\"}", "id,id\n1,2\n", "source_unreadable"},
        {"{\"format\":\"csv\"}", "id\n12345678901234567890\n", "limit_record_bytes"},
        {"{\"format\":\"csv\"}", "a,b,c,d\n", "limit_fields"},
    };
    struct rig rig;
    struct mu_error err = {0};
    CHECK(rig_open(&rig, pack_text, source_text, &err));
    rig.limits = (struct mu_reader_limits){16, 3};
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        MU_AUTO(mu_text_free) struct mu_text findings = MU_TEXT(0), summary = MU_TEXT(0);
        json_t *source = json_loads(cases[i][0], 0, NULL);
        rig.task.source = source;
        rig_run(&rig, mu_span_of(cases[i][1]), SIZE_MAX, &findings, &summary);
        char want[60];
        (void)snprintf(want, sizeof(want), "%s: %s ", mu_fault_name(MU_REJECTED), cases[i][2]);
        if (strncmp(summary.at, want, strlen(want)) != 0)
            TAP_FAIL("case %zu: %s", i, summary.at);
        json_decref(source);
    }
    rig_close(&rig);
}

/* One rule over the column v, and what the records come to. */
static enum mu_result result_of(const char *rule, const char *rows)
{
    struct rig rig;
    struct mu_error err = {0};
    struct mu_run *run = NULL;
    enum mu_result result = MU_EXHAUSTED;
    MU_AUTO(mu_text_free) struct mu_text pack = MU_TEXT(0), findings = MU_TEXT(0);
    const struct mu_span bytes = mu_span_of(rows);
    mu_text_addf(&pack,
                 "{\"muster_pack\":1,\"pack\":\"p\",\"version\":\"1.0.0\",\"title\":\"t\",\"columns\":{\"v\":"
                 "{\"type\":"
                 "\"decimal\"}},\"rules\":[{\"id\":\"R\",\"severity\":\"low\",%s\"check\":\"range\",\"with\":"
                 "{\"column\":\"v\",\"max\":\"5\"}}]}",
                 rule);
    if (rig_open(&rig, pack.at, source_text, &err) && rig_start(&rig, &run, bytes, SIZE_MAX, &err) &&
        rig_feed(run, bytes, bytes.len, SIZE_MAX, 0, &findings, &err) && mu_run_finish(run, &err))
        result = mu_run_result(run);
    CHECK_TEXT(err.text, "");
    mu_run_free(run);
    rig_close(&rig);
    return result;
}

TAP_TEST(the_result_is_the_first_of_fail_error_warn_pass_and_coverage_counts)
{
    CHECK_INT(result_of("", "v\n1\n2\n"), MU_PASS);
    CHECK_INT(result_of("", "v\n1\n\n"),
              MU_NOT_EVALUATED); /* coverage 1 is asked unless the rule says less */
    CHECK_INT(result_of("\"min_coverage\":\"0.5\",", "v\n1\n\n"), MU_PASS);
    CHECK_INT(result_of("\"min_coverage\":\"0.51\",", "v\n1\n\n"), MU_NOT_EVALUATED);
    CHECK_INT(result_of("\"min_coverage\":\"0\",", "v\n\n\n"),
              MU_NOT_EVALUATED); /* of nothing nothing follows */
    CHECK_INT(result_of("", "v\n1\nx\n"), MU_ERROR);
    CHECK_INT(result_of("", "v\n1\nx\n6\n"), MU_FAIL);
    CHECK_INT(result_of("", "v\n1\n\"2\"3\n"), MU_FAIL); /* a bad record */
    CHECK_INT(result_of("\"mode\":\"shadow\",", "v\n6\n"), MU_NOT_EVALUATED);
    CHECK_INT(result_of("\"mode\":\"off\",", "v\n6\n"), MU_NOT_EVALUATED);
}

TAP_TEST(a_rule_holds_from_its_first_day_to_the_day_before_its_end)
{
    CHECK_INT(result_of("\"effective\":[\"2025-09-30\",\"2025-10-01\"],", "v\n1\n"),
              MU_PASS); /* as_of is 09-30 */
    CHECK_INT(result_of("\"effective\":[\"2025-10-01\",null],", "v\n1\n"), MU_NOT_EVALUATED);
    CHECK_INT(result_of("\"effective\":[null,\"2025-09-30\"],", "v\n1\n"), MU_NOT_EVALUATED);
    CHECK_INT(result_of("\"effective\":[null,null],", "v\n1\n"), MU_PASS);
}

static uint32_t draw(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* Not what arrives (the task has been validated), but nothing may make the reader step beyond its bytes. */
TAP_TEST(any_bytes_as_records_are_read_without_harm_and_the_same_in_any_chunks)
{
    static const char *const words[] = {"{",
                                        "}",
                                        "[",
                                        "]",
                                        ",",
                                        ":",
                                        "\"",
                                        "\"id\"",
                                        "\"amount\":",
                                        "\\",
                                        "\\u00e9",
                                        "\\ud834\\udd1e",
                                        "\\ud834",
                                        "null",
                                        "true",
                                        "1",
                                        " ",
                                        "\"x\"",
                                        "{\"isin\":\"",
                                        "\"}",
                                        "\xc3\xa9",
                                        "{},"};
    struct rig rig;
    struct mu_error err = {0};
    uint32_t seed = 4711;
    CHECK(rig_open(&rig, pack_text, NULL, &err));
    for (int round = 0; round < 2000; round++) {
        MU_AUTO(mu_text_free)
        struct mu_text t = MU_TEXT(0), want = MU_TEXT(0), got = MU_TEXT(0), summary = MU_TEXT(0),
                       again = MU_TEXT(0);
        mu_text_putc(&t, '[');
        for (uint32_t i = draw(&seed) % 40; i > 0; i--)
            mu_text_puts(&t, words[draw(&seed) % MU_COUNT(words)]);
        rig_run(&rig, mu_text_span(&t), SIZE_MAX, &want, &summary);
        rig_run(&rig, mu_text_span(&t), 1 + draw(&seed) % 9, &got, &again);
        CHECK_SPAN(mu_text_span(&got), mu_text_span(&want));
        CHECK_SPAN(mu_text_span(&again), mu_text_span(&summary));
    }
    rig_close(&rig);
}

TAP_TEST(a_pack_with_any_byte_changed_is_taken_or_refused_without_harm)
{
    uint32_t seed = 99;
    for (int round = 0; round < 3000; round++) {
        struct mu_error err = {0};
        struct mu_pack *pack = NULL;
        struct mu_ready *ready = NULL;
        char *bytes = malloc(sizeof(pack_text)); /* the exact size, for the sanitizer */
        memcpy(bytes, pack_text, sizeof(pack_text));
        bytes[draw(&seed) % (sizeof(pack_text) - 1)] = "{}[]\",:1ax"[draw(&seed) % 11];
        if (mu_pack_parse(&pack, mu_span(bytes, sizeof(pack_text) - 1), &err)) {
            const struct mu_list_data *lists[MU_RULES_MAX] = {NULL};
            const struct mu_ready_setup setup = {.pack = pack, .lists = lists};
            CHECK(!mu_ready_new(&ready, &setup, &err)); /* the list is not there */
        }
        CHECK_INT(err.fault, MU_REJECTED);
        mu_pack_free(pack);
        free(bytes);
    }
}

int main(void)
{
    return tap_run();
}
