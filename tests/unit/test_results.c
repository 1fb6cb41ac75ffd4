/* SPDX-License-Identifier: Apache-2.0 */
/* Result messages taken apart: what is as it must be becomes rows, all else is put aside with its bytes. */
#include "results.h"
#include "tap.h"

#define TASK "01a20d3b-93f8-719a-a511-824a620ddd17"
#define RIDE "01a20d3b-93fd-74db-80a5-95eff9f1dee3"
#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define HEAD(tallies)                                                                                              \
    "{\"v\":1,\"ride_id\":\"" RIDE "\",\"queue\":\"default\",\"agent\":\"a1\",\"incarnation\":\"" RIDE "\",\"tallies\":[" tallies \
    "],\"outcomes\":["
#define OUTCOME(task, more)                                                                                        \
    "{\"task_id\":\"" task "\",\"job_id\":\"" task "\",\"n\":1,\"delivery\":1,\"task_digest\":\"" HEX                  \
    "\",\"result\":\"pass\",\"records\":1,\"bad\":0,\"skipped\":0,\"bytes\":9,\"findings_total\":0" more                 \
    ",\"started_at\":\"2026-11-24T09:00:00Z\",\"finished_at\":\"2026-11-24T09:00:01Z\"}"
#define RULES "[{\"rule\":\"ID.ISIN\",\"severity\":\"high\",\"pass\":1}]"
#define OTHER "[{\"rule\":\"ID.ISIN\",\"severity\":\"high\",\"not_evaluated\":1}]"
#define NEXT_DAY "01a21261-eff8-719a-a511-824a620ddd17"

static char subject[] = "muster.result.default." RIDE;

/* Not from a broker: results_add reads subject and body only, and the test frees what it made. */
static bool add(struct results *r, const char *on, const char *body)
{
    struct mu_error err = {0};
    struct mu_message *m = calloc(1, sizeof(*m));
    m->subject = on;
    m->reply = "";
    m->body = mu_span_of(body);
    m->stream_sequence = 1;
    return results_add(r, m, &err);
}

TAP_TEST(an_outcome_becomes_a_row)
{
    struct results r = {0};
    CHECK(add(&r, subject, HEAD(RULES) OUTCOME(TASK, ",\"tally\":0") "," OUTCOME(TASK, "") "]}"));
    CHECK_INT(r.outcome_count, 2);
    CHECK_INT(r.quarantine_count, 0);
    CHECK_INT(r.tally_count, 1);
    CHECK_SPAN(r.tallies[r.outcomes[0].tally].rules, mu_span_of(RULES));
    CHECK_INT(r.outcomes[1].tally, -1);
    CHECK(r.outcomes[0].computed);
    results_free(&r);
}

TAP_TEST(equal_counters_of_a_day_are_kept_once)
{
    struct results r = {0};
    for (int i = 0; i < 3; i++)
        CHECK(add(&r, subject, HEAD(RULES "," OTHER) OUTCOME(TASK, ",\"tally\":0") "," OUTCOME(TASK, ",\"tally\":1") "," OUTCOME(
                                   NEXT_DAY, ",\"tally\":0") "]}"));
    CHECK_INT(r.outcome_count, 9);
    CHECK_INT(r.tally_count, 3);
    for (size_t i = 0; i < r.outcome_count; i++) {
        const struct outcome_row *o = &r.outcomes[i];
        CHECK_INT(o->tally, r.outcomes[i % 3].tally);
        CHECK_SPAN(r.tallies[o->tally].rules, mu_span_of(i % 3 == 1 ? OTHER : RULES));
        CHECK_INT(mu_id_time_ms(r.tallies[o->tally].id) % 86400000, 0);
        CHECK_INT(mu_id_time_ms(r.tallies[o->tally].id) / 86400000, mu_id_time_ms(o->task) / 86400000);
        CHECK(mu_digest_equal(&o->determined, &r.outcomes[i % 3].determined));
    }
    CHECK(mu_digest_equal(&r.outcomes[0].determined, &r.outcomes[2].determined));
    CHECK(!mu_digest_equal(&r.outcomes[0].determined, &r.outcomes[1].determined));
    results_free(&r);
}

TAP_TEST(a_message_that_contradicts_itself_is_put_aside_whole)
{
    static const char *const wrong[] = {
        HEAD(RULES) OUTCOME(TASK, ",\"tally\":1") "]}",   HEAD(RULES) OUTCOME(TASK, ",\"tally\":-1") "]}",
        HEAD("") OUTCOME(TASK, ",\"tally\":0") "]}",      HEAD("[]") OUTCOME(TASK, ",\"tally\":0") "]}",
        HEAD(RULES) OUTCOME(TASK, ",\"surplus\":1") "]}", HEAD(RULES) OUTCOME(TASK, ",\"rules\":[]") "]}",
        HEAD("[" RULES "]") OUTCOME(TASK, "") "]}",       HEAD(RULES) OUTCOME(TASK, ",\"tally\":0") "]"};
    for (size_t i = 0; i < MU_COUNT(wrong); i++) {
        struct results r = {0};
        CHECK(add(&r, subject, HEAD(RULES) OUTCOME(TASK, ",\"tally\":0") "]}"));
        CHECK(add(&r, subject, wrong[i]));
        if (r.outcome_count != 1 || r.quarantine_count != 1)
            TAP_FAIL("case %zu: %zu outcomes, %zu put aside", i, r.outcome_count, r.quarantine_count);
        results_free(&r);
    }
}

TAP_TEST(a_plan_ends_its_batch)
{
    static const char plan[] = ",\"plan\":{\"size\":9,\"digest\":\"" HEX "\",\"records\":1,\"shard_bytes\":9,\"shards\":[{\"from\":0,\"to\":9,"
                               "\"first_record\":1,\"first_line\":1,\"records\":1,\"digest\":\"" HEX "\"}]}";
    MU_AUTO(mu_text_free) struct mu_text body = MU_TEXT(0);
    struct results r = {0};
    CHECK(add(&r, subject, HEAD(RULES) OUTCOME(TASK, "") "]}"));
    CHECK(!r.planned);
    mu_text_addf(&body, "%s{\"task_id\":\"" TASK "\",\"task_digest\":\"" HEX "\",\"result\":\"planned\",\"records\":0,\"bytes\":0%s,"
                        "\"started_at\":\"2026-11-24T09:00:00Z\",\"finished_at\":\"2026-11-24T09:00:01Z\"}]}", HEAD(""), plan);
    CHECK(add(&r, subject, body.at));
    CHECK_INT(r.outcome_count, 2);
    CHECK(r.planned);
    results_reset(&r);
    CHECK(!r.planned);
    results_free(&r);
}

TAP_TEST(what_is_not_ours_is_put_aside_with_its_reason)
{
    static const struct { const char *subject, *body, *reason; } cases[] = {
        {"muster.task.default.high.x", "{}", "foreign_subject"}, {subject, "{", "malformed"}, {subject, "{}", "bad_schema"},
        {subject, "\xff\xfe", "malformed"}, {"muster.result.other." RIDE, HEAD(RULES) OUTCOME(TASK, "") "]}", "contradiction"},
        {"muster.result.default." TASK, HEAD(RULES) OUTCOME(TASK, "") "]}", "contradiction"},
        {"muster.finding.default." TASK, HEAD(RULES) OUTCOME(TASK, "") "]}", "bad_schema"}};
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        struct results r = {0};
        CHECK(add(&r, cases[i].subject, cases[i].body));
        CHECK_INT(r.outcome_count, 0);
        CHECK_INT(r.quarantine_count, 1);
        if (r.quarantine_count)
            CHECK_TEXT(r.quarantine[0].reason, cases[i].reason);
        results_free(&r);
    }
}

int main(void)
{
    return tap_run();
}
