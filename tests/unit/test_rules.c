/* SPDX-License-Identifier: Apache-2.0 */
/* Rules made of expressions over whole files: verdicts and counters of CHECKS.md part 1 and 4, findings about
 * groups, and that it makes no difference where a run is cut, resumed or merged. */
#include "run_rig.h"

#include "format/schema.h"

static const char source_text[] = "{\"format\":\"csv\",\"name\":\"trades\"}";
static const char csv_text[] = "id,person,day,amount,side,symbol\n"
                               "1,P1,2026-03-02,9999.99,BUY,A\n"
                               "2,P1,2026-03-02,0.02,BUY,B\n"
                               "3,P2,2026-03-02,100,SELL,A\n"
                               "4,,2026-03-03,5,BUY,A\n"
                               "5,P1,2026-03-04,x,BUY,A\n"
                               "6,P2,2026-03-05,,SELL,C\n"
                               "7,P2,2026-03-05,7,HOLD,C\n"
                               "8,P1,2026-03-31,8,BUY,\n"
                               "9,P1,2026-02-30,1,BUY,A\n"
                               "ragged,line\n"
                               "10,P3,2026-03-06,1,BUY,A\n"
                               "11,P3,2026-03-07,1,BUY,B\n"
                               "12,P3,2026-03-09,1,BUY,C\n";

#define COLUMNS                                                                                              \
    "{\"muster_pack\":1,\"pack\":\"trades\",\"version\":\"1.0.0\",\"title\":\"t\",\"columns\":{\"id\":{\"type\":"  \
    "\"text\"},"                                                                                             \
    "\"person\":{\"type\":\"text\",\"mask\":\"hash\"},\"day\":{\"type\":\"date\"},\"amount\":{\"type\":"     \
    "\"decimal\"},\"side\":{\"type\":\"text\"},\"symbol\":{\"type\":\"text\"}},"                             \
    "\"params\":{\"limit\":{\"type\":\"decimal\",\"default\":\"10000.00\"}},\"rules\":["

static struct mu_span bytes(void)
{
    return mu_span(csv_text, sizeof(csv_text) - 1);
}

/* Runs the rules over the sample; *findings is an array, the caller's. */
static void run_rules(const char *rules, json_t **findings, struct mu_text *summary)
{
    MU_AUTO(mu_text_free) struct mu_text pack = MU_TEXT(0), found = MU_TEXT(0), array = MU_TEXT(0);
    struct rig rig;
    struct mu_error err = {0};
    mu_text_addf(&pack, COLUMNS "%s]}", rules);
    *findings = NULL;
    if (!rig_open(&rig, pack.at, source_text, &err)) {
        TAP_FAIL("%s: %s", err.pointer, err.text);
        return;
    }
    rig_run(&rig, bytes(), SIZE_MAX, &found, summary);
    mu_text_addf(&array, "[%s]", found.len ? found.at : "");
    *findings = json_loads(array.at, JSON_REJECT_DUPLICATES, NULL);
    CHECK(*findings != NULL);
    rig_close(&rig);
}

/* The counters of a rule as rig_summary writes them. */
static void check_counts(const struct mu_text *summary, const char *line)
{
    if (!strstr(summary->at, line))
        TAP_FAIL("\"%s\" is not in\n# %s", line, summary->at);
}

static const json_t *finding_of(const json_t *findings, const char *rule, size_t nth)
{
    for (size_t i = 0; i < json_array_size(findings); i++) {
        const json_t *f = json_array_get(findings, i);
        if (strcmp(mu_json_text(f, "rule"), rule) == 0 && nth-- == 0)
            return f;
    }
    TAP_FAIL("no such finding of %s", rule);
    return NULL;
}

static size_t count_of(const json_t *findings, const char *rule)
{
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(findings); i++)
        count += strcmp(mu_json_text(json_array_get(findings, i), "rule"), rule) == 0;
    return count;
}

static const char *evidence(const json_t *finding, const char *part, const char *name)
{
    return mu_json_text(json_object_get(json_object_get(finding, "evidence"), part), name);
}

TAP_TEST(a_row_rule_passes_fails_errs_or_is_not_evaluated_and_out_of_scope_is_neither)
{
    MU_AUTO(mu_text_free) struct mu_text summary = MU_TEXT(0);
    MU_AUTO(mu_json_free) json_t *found = NULL;
    run_rules("{\"id\":\"R.SMALL\",\"severity\":\"low\",\"where\":\"side = 'BUY'\",\"expr\":\"amount < 10\"},"
              "{\"id\":\"R.DAY\",\"severity\":\"low\",\"where\":\"day < date '2026-03-05'\",\"expr\":\"true\"}",
              &found, &summary);
    /* 13 records: 1 bad; SELL, SELL, HOLD out of scope; x errs; 9999.99 fails; the rest passes */
    check_counts(&summary, "R.SMALL low p7 w0 f1 e1 n1 o3");
    /* the invalid day errs */
    check_counts(&summary, "R.DAY low p5 w0 f0 e1 n1 o6");
    const json_t *f = finding_of(found, "R.SMALL", 0);
    CHECK_INT(mu_json_int(f, "record_no", 0), 1);
    CHECK_TEXT(mu_json_text(f, "message"), "expected: amount < 10");
    CHECK_TEXT(evidence(f, "columns", "amount"), "9999.99");
    CHECK_TEXT(evidence(f, "columns", "side"), "BUY");
    CHECK(!json_object_get(json_object_get(json_object_get(f, "evidence"), "columns"), "symbol"));
}

TAP_TEST(a_finding_tells_computed_values_and_its_message_names_them)
{
    MU_AUTO(mu_text_free) struct mu_text summary = MU_TEXT(0);
    MU_AUTO(mu_json_free) json_t *found = NULL;
    run_rules("{\"id\":\"R\",\"severity\":\"low\",\"expr\":\"amount < :limit / 100 or is_missing(amount)\","
              "\"evidence\":{\"over\":\"amount - 100\",\"who\":\"person || '!'\",\"none\":\"coalesce(symbol, missing)\"},"
              "\"message\":\"{over} over by {who} {person} of {limit}\"}",
              &found, &summary);
    const json_t *f = finding_of(found, "R", 0);
    CHECK_TEXT(evidence(f, "values", "over"), "9899.99");
    CHECK(strncmp(evidence(f, "values", "who"), "sha256:", 7) == 0); /* made of a column that must not be told */
    CHECK(strncmp(mu_json_text(f, "message"), "9899.99 over by sha256:", 23) == 0);
    CHECK(!strstr(mu_json_text(f, "message"), "P1"));
    CHECK(strstr(mu_json_text(f, "message"), "of 10000.00") != NULL);
}

TAP_TEST(mostly_makes_one_verdict_of_all_records)
{
    MU_AUTO(mu_text_free) struct mu_text summary = MU_TEXT(0);
    MU_AUTO(mu_json_free) json_t *found = NULL;
    run_rules("{\"id\":\"M.FAIL\",\"severity\":\"low\",\"expr\":\"side = 'BUY'\",\"mostly\":\"0.80\",\"min_coverage\":\"0\"},"
              "{\"id\":\"M.EDGE\",\"severity\":\"low\",\"expr\":\"side = 'BUY'\",\"mostly\":\"0.75\",\"min_coverage\":\"0.9\"},"
              "{\"id\":\"M.COVER\",\"severity\":\"low\",\"expr\":\"side = 'BUY'\",\"mostly\":\"0.75\"},"
              "{\"id\":\"M.ERROR\",\"severity\":\"low\",\"expr\":\"amount > 0\",\"mostly\":\"0.1\",\"min_coverage\":\"0\"},"
              "{\"id\":\"M.NONE\",\"severity\":\"low\",\"where\":\"false\",\"expr\":\"true\",\"mostly\":\"0\"}",
              &found, &summary);
    check_counts(&summary, "M.FAIL low p0 w0 f1 e0 n0 o0"); /* 9 of 12 */
    check_counts(&summary, "M.EDGE low p1 w0 f0 e0 n0 o0");
    check_counts(&summary, "M.COVER low p0 w0 f0 e0 n1 o0"); /* one bad record of 13 */
    check_counts(&summary, "M.ERROR low p0 w0 f0 e1 n0 o0");
    check_counts(&summary, "M.NONE low p0 w0 f0 e0 n1 o0");
    CHECK_INT(count_of(found, "M.FAIL"), 1);
    CHECK_INT(count_of(found, "M.EDGE"), 0);
    const json_t *f = finding_of(found, "M.FAIL", 0), *e = json_object_get(f, "evidence");
    CHECK_INT(mu_json_int(e, "pass", 0), 9);
    CHECK_INT(mu_json_int(e, "fail", 0), 3);
    CHECK_INT(json_array_size(json_object_get(e, "first")), 3);
    CHECK_INT(mu_json_int(json_array_get(json_object_get(e, "first"), 0), "record_no", 0), 3);
    CHECK(!json_object_get(f, "record_no"));
    CHECK_TEXT(mu_json_text(f, "message"), "9 of 12 records pass, at least 0.80 of them should: side = 'BUY'");
}

TAP_TEST(beyond_its_limit_a_rule_counts_findings_without_telling_them)
{
    MU_AUTO(mu_text_free) struct mu_text summary = MU_TEXT(0);
    MU_AUTO(mu_json_free) json_t *found = NULL;
    run_rules("{\"id\":\"R\",\"severity\":\"low\",\"expr\":\"side = 'SELL'\",\"max_findings\":2}", &found, &summary);
    check_counts(&summary, "R low p2 w0 f10 e0 n1 o0");
    check_counts(&summary, "findings 3"); /* two, and that of the bad record */
    CHECK_INT(count_of(found, "R"), 2);
    CHECK_INT(mu_json_int(finding_of(found, "R", 1), "record_no", 0), 2);
}

TAP_TEST(a_group_is_judged_when_all_of_its_records_are_known)
{
    MU_AUTO(mu_text_free) struct mu_text summary = MU_TEXT(0);
    MU_AUTO(mu_json_free) json_t *found = NULL;
    run_rules("{\"id\":\"G.SUM\",\"severity\":\"high\",\"group_by\":{\"person\":\"person\",\"day\":\"day\"},\"having\":\"sum(amount) > :limit\","
              "\"evidence\":{\"total\":\"sum(amount)\",\"first\":\"first(symbol)\"},\"message\":\"{total} on {day} by {person}\"}",
              &found, &summary);
    /* keys: P1/02 flagged; P1/04 has an invalid amount; P2/02, P1/31, P3 x3 pass; P2/05 skipped a missing one; no person: not evaluated; invalid day: error */
    check_counts(&summary, "G.SUM high p5 w0 f1 e2 n3 o0");
    CHECK_INT(count_of(found, "G.SUM"), 1);
    const json_t *f = finding_of(found, "G.SUM", 0);
    CHECK_TEXT(evidence(f, "key", "day"), "2026-03-02");
    CHECK(strncmp(evidence(f, "key", "person"), "sha256:", 7) == 0);
    CHECK(strncmp(mu_json_text(f, "subject"), "sha256:", 7) == 0);
    CHECK_TEXT(evidence(f, "values", "total"), "10000.01");
    CHECK_TEXT(evidence(f, "values", "first"), "A");
    CHECK_INT(mu_json_int(json_object_get(f, "evidence"), "records", 0), 2);
    CHECK_INT(json_array_size(json_object_get(json_object_get(f, "evidence"), "first")), 2);
    CHECK(strncmp(mu_json_text(f, "message"), "10000.01 on 2026-03-02 by sha256:", 33) == 0);
}

TAP_TEST(every_aggregate_is_what_it_says)
{
    MU_AUTO(mu_text_free) struct mu_text summary = MU_TEXT(0);
    MU_AUTO(mu_json_free) json_t *found = NULL;
    run_rules("{\"id\":\"G\",\"severity\":\"low\",\"where\":\"not is_invalid(amount)\",\"group_by\":{\"side\":\"side\"},\"having\":\"count() > 0\",\"evidence\":{"
              "\"n\":\"count()\",\"amounts\":\"count(amount)\",\"small\":\"count_if(amount < 8)\",\"symbols\":\"count_distinct(symbol)\","
              "\"sum\":\"sum(amount)\",\"sum_a\":\"sum_if(amount, symbol = 'A')\",\"least\":\"min(amount)\",\"last_day\":\"max(day)\","
              "\"mean\":\"round(avg(amount), 2)\",\"first\":\"first(symbol)\",\"last\":\"last(symbol)\",\"last_id\":\"last(id)\"}}",
              &found, &summary);
    const json_t *f = finding_of(found, "G", 0); /* BUY: 1 2 4 8 9 10 11 12 */
    CHECK_TEXT(mu_json_text(f, "subject"), "[\"BUY\"]");
    CHECK_TEXT(evidence(f, "values", "n"), "8");
    CHECK_TEXT(evidence(f, "values", "small"), "6");
    CHECK_TEXT(evidence(f, "values", "symbols"), "3");
    CHECK_TEXT(evidence(f, "values", "sum"), "10017.01");
    CHECK_TEXT(evidence(f, "values", "sum_a"), "10006.99");
    CHECK_TEXT(evidence(f, "values", "least"), "0.02");
    CHECK_TEXT(evidence(f, "values", "last_day"), "2026-03-31");
    CHECK_TEXT(evidence(f, "values", "mean"), "1252.13");
    CHECK_TEXT(evidence(f, "values", "first"), "A");
    CHECK_TEXT(evidence(f, "values", "last"), "C");
    CHECK_TEXT(evidence(f, "values", "last_id"), "12");
    f = finding_of(found, "G", 2); /* SELL: 3 6 */
    CHECK_TEXT(evidence(f, "values", "n"), "2");
    CHECK_TEXT(evidence(f, "values", "amounts"), "1");
}

TAP_TEST(bands_give_each_group_its_outcome_and_severity)
{
    MU_AUTO(mu_text_free) struct mu_text summary = MU_TEXT(0);
    MU_AUTO(mu_json_free) json_t *found = NULL;
    run_rules("{\"id\":\"G\",\"severity\":\"low\",\"group_by\":{\"person\":\"person\"},\"value\":\"count()\","
              "\"bands\":[{\"lt\":\"3\",\"outcome\":\"pass\"},{\"lt\":\"4\",\"outcome\":\"warn\",\"severity\":\"medium\"},{\"outcome\":\"fail\"}]}",
              &found, &summary);
    check_counts(&summary, "G low p0 w2 f1 e0 n2 o0"); /* P1 5, P2 3, P3 3; nobody and the bad record */
    CHECK_TEXT(mu_json_text(finding_of(found, "G", 0), "outcome"), "fail");
    CHECK_TEXT(mu_json_text(finding_of(found, "G", 0), "severity"), "low");
    CHECK_TEXT(mu_json_text(finding_of(found, "G", 1), "outcome"), "warn");
    CHECK_TEXT(mu_json_text(finding_of(found, "G", 1), "severity"), "medium");
}

TAP_TEST(a_window_ends_at_each_day_that_has_records)
{
    MU_AUTO(mu_text_free) struct mu_text summary = MU_TEXT(0);
    MU_AUTO(mu_json_free) json_t *found = NULL;
    run_rules("{\"id\":\"W.EACH\",\"severity\":\"low\",\"where\":\"not is_invalid(day)\",\"group_by\":{\"p\":\"person\",\"day\":\"day\"},\"window\":{\"on\":\"day\",\"size\":\"3d\"},\"having\":\"count() >= 2\"},"
              "{\"id\":\"W.RUNS\",\"severity\":\"low\",\"where\":\"not is_invalid(day)\",\"group_by\":{\"p\":\"person\",\"day\":\"day\"},\"window\":{\"on\":\"day\",\"size\":\"3d\",\"emit\":\"runs\"},\"having\":\"count() >= 2\"},"
              "{\"id\":\"W.NUM\",\"severity\":\"low\",\"where\":\"not is_invalid(day)\",\"group_by\":{\"n\":\"to_decimal(id)\"},\"window\":{\"on\":\"n\",\"size\":\"3\"},\"having\":\"count() >= 3\"}",
              &found, &summary);
    /* P1: 02 (2) flagged, 04 (2+1) flagged, 31 (1); P2: 02 (1), 05 (2) flagged; P3: 06 (1), 07 (2) flagged, 09 (1+1: 07 08 09) flagged */
    check_counts(&summary, "W.EACH low p3 w0 f5 e0 n2 o1");
    check_counts(&summary, "W.RUNS low p3 w0 f3 e0 n2 o1");
    const json_t *f = finding_of(found, "W.EACH", 1);
    CHECK_TEXT(evidence(f, "key", "day"), "2026-03-04");
    CHECK_TEXT(evidence(f, "window", "from"), "2026-03-02");
    CHECK_TEXT(evidence(f, "window", "to"), "2026-03-04");
    CHECK_INT(mu_json_int(json_object_get(f, "evidence"), "records", 0), 3);
    /* 1..8, 10, 11, 12: 3 4 5 6 7 8 have three in a row; 10 has 8 and itself, 11 two, 12 three */
    check_counts(&summary, "W.NUM low p4 w0 f7 e0 n1 o1");
    CHECK_TEXT(evidence(finding_of(found, "W.NUM", 0), "window", "from"), "1");
}

TAP_TEST(without_keys_there_is_one_group_and_of_no_records_nothing_passes)
{
    MU_AUTO(mu_text_free) struct mu_text summary = MU_TEXT(0), none = MU_TEXT(0), findings = MU_TEXT(0);
    MU_AUTO(mu_json_free) json_t *found = NULL;
    static const char rules[] = "{\"id\":\"S.ROWS\",\"severity\":\"low\",\"having\":\"count() < 12\"},"
                                "{\"id\":\"S.FEW\",\"severity\":\"low\",\"having\":\"count() < 13\"}";
    run_rules(rules, &found, &summary);
    check_counts(&summary, "S.ROWS low p1 w0 f0 e0 n1 o0");
    check_counts(&summary, "S.FEW low p0 w0 f1 e0 n1 o0");
    struct rig rig;
    struct mu_error err = {0};
    CHECK(rig_open(&rig, COLUMNS "{\"id\":\"S.MANY\",\"severity\":\"low\",\"having\":\"count() > 5\"},"
                                 "{\"id\":\"S.NONE\",\"severity\":\"low\",\"having\":\"count() = 0\"}]}",
                   source_text, &err));
    rig_run(&rig, mu_span_of("id,person,day,amount,side,symbol\n"), SIZE_MAX, &findings, &none);
    check_counts(&none, "S.MANY low p0 w0 f0 e0 n1 o0");
    check_counts(&none, "S.NONE low p0 w0 f1 e0 n0 o0");
    rig_close(&rig);
}

TAP_TEST(unique_tells_each_key_that_occurs_more_than_once)
{
    MU_AUTO(mu_text_free) struct mu_text summary = MU_TEXT(0);
    MU_AUTO(mu_json_free) json_t *found = NULL;
    run_rules("{\"id\":\"U\",\"severity\":\"low\",\"check\":\"unique\",\"with\":{\"columns\":[\"symbol\",\"side\"]}}", &found, &summary);
    check_counts(&summary, "U low p4 w0 f2 e0 n2 o0"); /* BUY A, BUY B; SELL A, SELL C, HOLD C, BUY C; no symbol, bad */
    CHECK_TEXT(mu_json_text(finding_of(found, "U", 0), "subject"), "[\"BUY\",\"A\"]");
}

/* All kinds of rules that keep something beside counters. */
static const char stateful[] =
    COLUMNS "{\"id\":\"A\",\"severity\":\"low\",\"group_by\":{\"person\":\"person\",\"day\":\"day\"},\"having\":\"sum(amount) > 1\","
            "\"evidence\":{\"d\":\"count_distinct(symbol)\",\"f\":\"first(symbol)\",\"l\":\"last(id)\",\"m\":\"avg(amount)\",\"x\":\"max(day)\"}},"
            "{\"id\":\"B\",\"severity\":\"low\",\"group_by\":{\"day\":\"day\"},\"window\":{\"on\":\"day\",\"size\":\"3d\",\"emit\":\"runs\"},\"value\":\"count()\",\"bands\":[{\"lt\":\"2\",\"outcome\":\"pass\"},{\"outcome\":\"warn\"}]},"
            "{\"id\":\"C\",\"severity\":\"low\",\"expr\":\"side = 'BUY'\",\"mostly\":\"0.9\"},"
            "{\"id\":\"D\",\"severity\":\"low\",\"expr\":\"amount < 5\",\"max_findings\":1},"
            "{\"id\":\"E\",\"severity\":\"low\",\"check\":\"unique\",\"with\":{\"columns\":[\"symbol\"]}},"
            "{\"id\":\"F\",\"severity\":\"low\",\"having\":\"min(amount) < 1\"}]}";

TAP_TEST(where_a_run_is_stopped_and_resumed_makes_no_difference)
{
    struct rig rig;
    struct mu_error err = {0};
    MU_AUTO(mu_text_free) struct mu_text whole = MU_TEXT(0), whole_summary = MU_TEXT(0);
    CHECK(rig_open(&rig, stateful, source_text, &err));
    rig_run(&rig, bytes(), SIZE_MAX, &whole, &whole_summary);
    for (int64_t k = 1; k <= 13; k++) {
        MU_AUTO(mu_text_free) struct mu_text findings = MU_TEXT(0), summary = MU_TEXT(0), state = MU_TEXT(0), again = MU_TEXT(0);
        struct mu_run *run = NULL;
        json_t *saved = NULL;
        CHECK(rig_start(&rig, &run, bytes(), SIZE_MAX, &err) && rig_feed(run, bytes(), bytes().len, SIZE_MAX, k, &findings, &err) &&
              mu_run_save(run, &state, &err));
        mu_run_free(run);
        CHECK(mu_json_parse(&saved, mu_text_span(&state), 1 << 20, &err));
        CHECK(rig_start(&rig, &run, bytes(), SIZE_MAX, &err) && mu_run_restore(run, saved, &err) && mu_run_save(run, &again, &err));
        CHECK_TEXT(again.at, state.at);
        CHECK(rig_feed(run, bytes(), bytes().len, 7, 0, &findings, &err) && mu_run_finish(run, &err));
        int64_t count;
        const struct mu_span rest = mu_run_findings(run, &count);
        if (count && findings.len)
            mu_text_putc(&findings, ',');
        mu_text_add(&findings, rest);
        rig_summary(run, &summary);
        CHECK_TEXT(findings.at, whole.at);
        CHECK_TEXT(summary.at, whole_summary.at);
        mu_run_free(run);
        json_decref(saved);
    }
    rig_close(&rig);
}

/* A run over the records [from, to) of the sample. */
static struct mu_run *part(struct rig *rig, int64_t from, int64_t to, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text ignored = MU_TEXT(0), state = MU_TEXT(0);
    struct mu_run *run = NULL, *before = NULL;
    json_t *saved = NULL, *fresh = NULL;
    CHECK(rig_start(rig, &run, bytes(), SIZE_MAX, err));
    if (from > 0) { /* the position of one that has read so far, and nothing else of it */
        CHECK(rig_start(rig, &before, bytes(), SIZE_MAX, err) && mu_run_save(before, &state, err));
        CHECK(mu_json_parse(&fresh, mu_text_span(&state), 1 << 20, err));
        CHECK(rig_feed(before, bytes(), bytes().len, SIZE_MAX, from, &ignored, err));
        mu_text_reset(&state);
        CHECK(mu_run_save(before, &state, err) && mu_json_parse(&saved, mu_text_span(&state), 1 << 20, err));
        static const char *const where[] = {"byte_off", "record_no", "line"};
        for (size_t i = 0; i < MU_COUNT(where); i++)
            json_object_set(fresh, where[i], json_object_get(saved, where[i]));
        CHECK(mu_run_restore(run, fresh, err));
        mu_run_free(before);
    }
    if (to > from)
        CHECK(rig_feed(run, bytes(), bytes().len, SIZE_MAX, to - from, &ignored, err));
    json_decref(saved);
    json_decref(fresh);
    return run;
}

TAP_TEST(the_states_of_two_parts_merge_into_that_of_the_whole)
{
    struct rig rig;
    struct mu_error err = {0};
    CHECK(rig_open(&rig, stateful, source_text, &err));
    MU_AUTO(mu_text_free) struct mu_text want = MU_TEXT(0);
    struct mu_run *whole = part(&rig, 0, 13, &err);
    CHECK(mu_run_save(whole, &want, &err));
    const char *checks = strstr(want.at, "\"rules\":");
    for (int64_t k = 0; k <= 13; k++) {
        MU_AUTO(mu_text_free) struct mu_text got = MU_TEXT(0), reverse = MU_TEXT(0);
        struct mu_run *a = part(&rig, 0, k, &err), *b = part(&rig, k, 13, &err);
        CHECK(mu_run_merge(a, b, &err) && mu_run_save(a, &got, &err));
        CHECK_TEXT(strstr(got.at, "\"rules\":"), checks);
        mu_run_free(a);
        a = part(&rig, 0, k, &err);
        CHECK(mu_run_merge(b, a, &err) && mu_run_save(b, &reverse, &err));
        CHECK_TEXT(strstr(reverse.at, "\"rules\":"), checks); /* in any order of the parts */
        mu_run_free(a);
        mu_run_free(b);
    }
    mu_run_free(whole);
    rig_close(&rig);
}

TAP_TEST(more_different_values_than_are_kept_are_at_least_so_many)
{
    MU_AUTO(mu_text_free) struct mu_text csv = MU_TEXT(0), findings = MU_TEXT(0), summary = MU_TEXT(0), array = MU_TEXT(0);
    struct rig rig;
    struct mu_error err = {0};
    mu_text_puts(&csv, "id,person\n");
    for (int i = 0; i < 4096; i++)
        mu_text_addf(&csv, "%d,P\n", i);
    mu_text_addf(&csv, "1,Q\n");
    for (int i = 0; i < 4097; i++)
        mu_text_addf(&csv, "%d,R\n", i);
    CHECK(rig_open(&rig, COLUMNS "{\"id\":\"G\",\"severity\":\"low\",\"group_by\":{\"p\":\"person\"},\"having\":\"count_distinct(id) >= 4096\","
                                 "\"evidence\":{\"n\":\"count_distinct(id)\"}}]}", source_text, &err));
    rig_run(&rig, mu_text_span(&csv), 1000, &findings, &summary);
    check_counts(&summary, "G low p1 w0 f2 e0 n0 o0");
    mu_text_addf(&array, "[%s]", findings.at);
    MU_AUTO(mu_json_free) json_t *found = json_loads(array.at, 0, NULL);
    CHECK_TEXT(evidence(finding_of(found, "G", 0), "values", "n"), "4096");
    CHECK(!json_object_get(json_object_get(finding_of(found, "G", 0), "evidence"), "at_least"));
    CHECK(json_is_true(json_object_get(json_object_get(finding_of(found, "G", 1), "evidence"), "at_least")));
    rig_close(&rig);
}

/* One group too many is told with the rule and the key, whatever the machine has. */
TAP_TEST(groups_that_take_too_much_end_the_run_with_rule_and_key)
{
    struct rig rig;
    struct mu_error err = {0};
    MU_AUTO(mu_text_free) struct mu_text csv = MU_TEXT(0), findings = MU_TEXT(0), at_the_limit = MU_TEXT(0), beyond = MU_TEXT(0);
    CHECK(rig_open(&rig, COLUMNS "{\"id\":\"G.MANY\",\"severity\":\"low\",\"group_by\":{\"s\":\"symbol\"},\"having\":\"count() > 1\"}]}",
                   source_text, &err));
    mu_ready_free(rig.ready);
    rig.ready = NULL;
    const struct mu_ready_setup setup = {.pack = rig.pack, .as_of = rig.terms.as_of, .group_state_max = 100 * 168};
    CHECK(mu_ready_new(&rig.ready, &setup, &err));
    mu_text_puts(&csv, "id,person,day,amount,side,symbol\n");
    for (int i = 0; i < 100; i++) /* 64, "5:k0001," of the key, 64 of count() and 32 of a sample */
        mu_text_addf(&csv, ",,,,,k%04d\n", i);
    rig_run(&rig, mu_text_span(&csv), SIZE_MAX, &findings, &at_the_limit);
    check_counts(&at_the_limit, "G.MANY low p100 w0 f0 e0 n0 o0");
    mu_text_puts(&csv, ",,,,,k0100\n");
    rig_run(&rig, mu_text_span(&csv), SIZE_MAX, &findings, &beyond);
    CHECK_TEXT(beyond.at, "rejected: limit_group_state rule G.MANY, record 101: groups take more than 16800 bytes, at the group [\"k0100\"]");
    rig_close(&rig);
}

TAP_TEST(a_finding_tells_where_in_the_tree_its_record_stands)
{
    MU_AUTO(mu_text_free) struct mu_text findings = MU_TEXT(0), summary = MU_TEXT(0), array = MU_TEXT(0);
    struct rig rig;
    struct mu_error err = {0};
    CHECK(rig_open(&rig, COLUMNS "{\"id\":\"R\",\"severity\":\"low\",\"expr\":\"side = 'BUY'\"}]}",
                   "{\"format\":\"json\",\"name\":\"trades\",\"record\":\"/data/trades\"}", &err));
    rig_run(&rig, mu_span_of("{\"data\":{\"trades\":[{\"side\":\"BUY\"},{\"side\":\"SELL\"}]}}"), SIZE_MAX, &findings, &summary);
    mu_text_addf(&array, "[%s]", findings.at);
    MU_AUTO(mu_json_free) json_t *found = json_loads(array.at, 0, NULL);
    CHECK_TEXT(mu_json_text(json_object_get(finding_of(found, "R", 0), "evidence"), "path"), "/data/trades/1");
    rig_close(&rig);
}

TAP_TEST(a_source_that_is_cut_off_is_seen_even_where_a_run_pauses)
{
    static const char whole[] = "[{\"side\":\"BUY\"},{\"side\":\"SELL\"}]";
    struct rig rig;
    struct mu_error err = {0};
    CHECK(rig_open(&rig, COLUMNS "{\"id\":\"R\",\"severity\":\"low\",\"expr\":\"side = 'BUY'\"}]}",
                   "{\"format\":\"json\",\"name\":\"trades\"}", &err));
    for (size_t cut = 0; cut < 2; cut++) {
        MU_AUTO(mu_text_free) struct mu_text findings = MU_TEXT(0);
        const struct mu_span bytes_of = mu_span(whole, sizeof(whole) - 1 - cut);
        struct mu_run *run = NULL;
        struct mu_error why = {0};
        CHECK(rig_start(&rig, &run, bytes_of, SIZE_MAX, &err));
        CHECK(rig_feed(run, bytes_of, bytes_of.len, SIZE_MAX, 2, &findings, &why) == (cut == 0));
        CHECK_TEXT(why.code, cut ? "source_unreadable" : "");
        mu_run_free(run);
    }
    rig_close(&rig);
}

int main(void)
{
    int status = tap_run();
    mu_schema_fini();
    return status;
}
