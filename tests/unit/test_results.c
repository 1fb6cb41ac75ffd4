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
    CHECK_INT(r.tallies.count, 1);
    CHECK_SPAN(r.tallies.rows[r.outcomes[0].tally].rules, mu_span_of(RULES));
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
    CHECK_INT(r.tallies.count, 3);
    for (size_t i = 0; i < r.outcome_count; i++) {
        const struct outcome_row *o = &r.outcomes[i];
        CHECK_INT(o->tally, r.outcomes[i % 3].tally);
        CHECK_SPAN(r.tallies.rows[o->tally].rules, mu_span_of(i % 3 == 1 ? OTHER : RULES));
        CHECK_INT(mu_id_time_ms(r.tallies.rows[o->tally].id) % 86400000, 0);
        CHECK_INT(mu_id_time_ms(r.tallies.rows[o->tally].id) / 86400000, mu_id_time_ms(o->task) / 86400000);
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

/* ---- outcomes that are read from their bytes, and by their document ---- */

#define PLAIN(task, tally, result)                                                                                 \
    "{\"tally\":" tally ",\"task_id\":\"" task "\",\"task_digest\":\"" HEX "\",\"input_digest\":\"" HEX "\",\"result\":\"" result \
    "\",\"records\":12,\"bytes\":340,\"started_at\":\"2026-11-24T09:00:00.000001Z\",\"finished_at\":\"2026-11-24T09:00:01.500000Z\"}"

static bool same_rows(const struct results *a, const struct results *b)
{
    bool same = a->outcome_count == b->outcome_count && a->quarantine_count == b->quarantine_count &&
                a->deferred_count == b->deferred_count;
    for (size_t i = 0; same && i < a->outcome_count; i++) {
        const struct outcome_row *x = &a->outcomes[i], *y = &b->outcomes[i];
        same = mu_id_equal(x->task, y->task) && mu_id_equal(x->job, y->job) && mu_id_equal(x->ride, y->ride) &&
               mu_id_equal(x->incarnation, y->incarnation) && mu_digest_equal(&x->task_digest, &y->task_digest) &&
               mu_digest_equal(&x->input_digest, &y->input_digest) && mu_digest_equal(&x->determined, &y->determined) &&
               x->has_input_digest == y->has_input_digest && x->computed == y->computed && mu_span_equal(x->queue, y->queue) &&
               mu_span_equal(x->result, y->result) && mu_span_equal(x->reason, y->reason) && mu_span_equal(x->message, y->message) &&
               mu_span_equal(x->plan, y->plan) && mu_span_equal(x->resumes, y->resumes) && mu_span_equal(x->agent, y->agent) &&
               (x->tally < 0) == (y->tally < 0) && x->n == y->n && x->delivery == y->delivery && x->records == y->records &&
               x->bad == y->bad && x->skipped == y->skipped && x->bytes == y->bytes && x->findings == y->findings &&
               x->riding == y->riding && x->crashes == y->crashes && x->started_us == y->started_us &&
               x->finished_us == y->finished_us && x->index == y->index;
        if (same && x->tally >= 0)
            same = mu_id_equal(a->tallies.rows[x->tally].id, b->tallies.rows[y->tally].id);
    }
    for (size_t i = 0; same && i < a->quarantine_count; i++)
        same = strcmp(a->quarantine[i].reason, b->quarantine[i].reason) == 0;
    return same;
}

/* The same message with a blank that makes nothing in it plain. */
static bool add_by_document(struct results *r, const char *body, size_t len)
{
    MU_AUTO(mu_text_free) struct mu_text t = MU_TEXT(0);
    const char *at = memmem(body, len, "\"outcomes\":", 11);
    static char kept[4][8192];
    static size_t next;
    char *copy = kept[next++ % 4];
    size_t head = at ? (size_t)(at - body) : 0;
    mu_text_add(&t, mu_span(body, head));
    mu_text_putc(&t, ' ');
    mu_text_add(&t, mu_span(body + head, len - head));
    memcpy(copy, t.at, t.len + 1);
    return add(r, subject, copy);
}

TAP_TEST(plain_outcomes_and_others_keep_their_order)
{
    static const char body[] = HEAD(RULES "," OTHER) PLAIN(TASK, "0", "pass") "," OUTCOME(NEXT_DAY, ",\"tally\":1") "," PLAIN(
        NEXT_DAY, "1", "not_evaluated") "],\"deferred\":[]}";
    struct results r = {0}, by_document = {0};
    CHECK(add(&r, subject, body));
    CHECK(r.split.count == 3 && r.split.is_plain[0] && !r.split.is_plain[1] && r.split.is_plain[2]);
    CHECK(add_by_document(&by_document, body, sizeof(body) - 1));
    CHECK_INT(by_document.split.count, 0);
    CHECK_INT(r.outcome_count, 3);
    CHECK_INT(r.outcomes[2].records, 12);
    CHECK(same_rows(&r, &by_document));
    results_free(&r);
    results_free(&by_document);
}

TAP_TEST(whatever_byte_is_changed_both_ways_of_reading_say_the_same)
{
    static const char others[] = "\"{}[],:xAf019 \\\n-.";
    static const char body[] = HEAD(RULES) PLAIN(TASK, "0", "pass") "," PLAIN(NEXT_DAY, "0", "fail") "],\"deferred\":[]}";
    int accepted = 0, differ = 0;
    for (size_t i = 0; i < sizeof(body) - 1; i++) {
        for (const char *c = others; *c; c++) {
            struct results r = {0}, by_document = {0};
            char changed[sizeof(body)];
            memcpy(changed, body, sizeof(body));
            changed[i] = *c;
            CHECK(add(&r, subject, changed) && add_by_document(&by_document, changed, sizeof(body) - 1));
            accepted += r.quarantine_count == 0;
            if (!same_rows(&r, &by_document) && differ++ < 5)
                TAP_FAIL("byte %zu as %c: %zu and %zu rows, %s and %s", i, *c, r.outcome_count, by_document.outcome_count,
                         r.quarantine_count ? r.quarantine[0].reason : "taken",
                         by_document.quarantine_count ? by_document.quarantine[0].reason : "taken");
            results_free(&r);
            results_free(&by_document);
        }
    }
    CHECK_INT(differ, 0);
    CHECK(accepted > 500);
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
