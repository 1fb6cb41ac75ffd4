/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/id.h"
#include "base/text.h"
#include "domain/names.h"
#include "tap.h"

TAP_TEST(the_first_failure_wins_and_context_goes_before_it)
{
    struct mu_error err = {0};
    CHECK(!mu_reject(&err, "invalid", "/a", "first %d", 1));
    CHECK(!mu_fail(&err, MU_BROKEN, "second"));
    CHECK(!mu_while(&err, "reading %s", "x"));
    CHECK(!mu_under(&err, "/records/3"));
    CHECK_INT(err.fault, MU_REJECTED);
    CHECK_TEXT(err.text, "reading x: first 1");
    CHECK_TEXT(err.pointer, "/records/3/a");
    mu_error_clear(&err);
    CHECK(!mu_while(&err, "nothing has failed"));
    CHECK_INT(err.fault, MU_OK);
}

TAP_TEST(a_cut_error_text_ends_in_an_ellipsis)
{
    struct mu_error err = {0};
    mu_fail(&err, MU_BROKEN, "%0500d", 1);
    CHECK_INT(strlen(err.text), sizeof(err.text) - 1);
    CHECK_TEXT(err.text + sizeof(err.text) - 4, "\xe2\x80\xa6");
}

TAP_TEST(a_text_does_not_pass_its_ceiling)
{
    MU_AUTO(mu_text_free) struct mu_text t = MU_TEXT(4);
    mu_text_puts(&t, "abcd");
    CHECK(mu_text_ok(&t, NULL));
    mu_text_putc(&t, 'e');
    CHECK(!mu_text_ok(&t, NULL));
    CHECK_SPAN(mu_text_span(&t), mu_span_of("abcd"));
    mu_text_reset(&t);
    CHECK(mu_text_ok(&t, NULL));
}

TAP_TEST(utf8_is_checked_strictly)
{
    static const struct { const char *bytes; int bad; } cases[] = {
        {"plain ascii of some length", -1}, {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", -1}, {"12345678\xc0\x80", 8},
        {"a\xed\xa0\x80", 1}, {"\xf4\x90\x80\x80", 0}, {"\xe2\x82", 0}, {"ab\x80", 2}, {"\xe0\x80\xaf", 0},
    };
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        size_t bad = 999;
        bool valid = mu_utf8_valid(mu_span_of(cases[i].bytes), &bad);
        CHECK_INT(valid, cases[i].bad < 0);
        if (cases[i].bad >= 0)
            CHECK_INT(bad, cases[i].bad);
    }
}

TAP_TEST(numbers_are_read_whole_or_not_at_all)
{
    int64_t v = 0;
    CHECK(mu_parse_i64(mu_span_of("-9223372036854775808"), INT64_MIN, INT64_MAX, &v));
    CHECK_INT(v, INT64_MIN);
    CHECK(mu_parse_i64(mu_span_of("9223372036854775807"), INT64_MIN, INT64_MAX, &v));
    static const char *const wrong[] = {"", "-", "9223372036854775808", " 1", "1 ", "+1", "1e3", "0x1"};
    for (size_t i = 0; i < MU_COUNT(wrong); i++)
        CHECK(!mu_parse_i64(mu_span_of(wrong[i]), INT64_MIN, INT64_MAX, &v));
    CHECK(!mu_parse_i64(mu_span_of("11"), 0, 10, &v));
}

TAP_TEST(timestamps_and_dates_keep_their_meaning)
{
    int64_t us;
    char out[MU_RFC3339_MAX];
    CHECK(mu_rfc3339_parse(mu_span_of("2026-11-24T09:48:08.5+01:30"), &us));
    mu_rfc3339_format(us, out);
    CHECK_TEXT(out, "2026-11-24T08:18:08.500000Z");
    CHECK(mu_rfc3339_parse(mu_span_of("1969-12-31T23:59:59Z"), &us));
    CHECK_INT(us, -1000000);
    mu_rfc3339_format(us, out);
    CHECK_TEXT(out, "1969-12-31T23:59:59.000000Z");
    static const char *const wrong[] = {"2026-11-24T09:48:08", "2026-02-30T00:00:00Z", "2026-11-24T23:59:60Z",
                                        "2026-11-24T09:48:08.1234567Z", "2026-11-24 09:48:08Z", "0000-01-01T00:00:00Z",
                                        /* its form in UTC would be of a year that is none */
                                        "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
                                        "2026-11-24T09:48:08.12345678901234567890123456789Z"};
    for (size_t i = 0; i < MU_COUNT(wrong); i++)
        CHECK(!mu_rfc3339_parse(mu_span_of(wrong[i]), &us));
    int32_t days;
    CHECK(mu_date_parse(mu_span_of("2024-02-29"), &days));
    CHECK_INT(days, 19782);
    CHECK(mu_date_parse(mu_span_of("0001-01-01"), &days));
    CHECK_INT(days, -719162);
    CHECK(!mu_date_parse(mu_span_of("2023-02-29"), &days));
    char date[MU_DATE_MAX];
    for (int32_t d = -719162; d <= 2932896; d += 997) {
        int32_t again = 0;
        mu_date_format(d, date);
        CHECK(mu_date_parse(mu_span_of(date), &again) && again == d);
    }
}

TAP_TEST(new_ids_ascend_and_survive_their_text_form)
{
    struct mu_id last = mu_id_new();
    for (int i = 0; i < 100000; i++) {
        struct mu_id id = mu_id_new();
        CHECK(memcmp(last.b, id.b, sizeof(id.b)) < 0);
        last = id;
    }
    char text[MU_ID_MAX];
    struct mu_id again;
    mu_id_format(last, text);
    CHECK_INT(text[14], '7');
    CHECK(mu_id_parse(mu_span_of(text), &again) && mu_id_equal(last, again));
    text[14] = '4';
    CHECK(!mu_id_parse(mu_span_of(text), &again));
}

TAP_TEST(a_derived_id_keeps_the_time_and_depends_on_the_digest_alone)
{
    struct mu_id origin = mu_id_new();
    struct mu_digest d = mu_digest_of(mu_span_of("x"));
    struct mu_id a = mu_id_derive(origin, &d);
    CHECK_INT(mu_id_time_ms(a), mu_id_time_ms(origin));
    CHECK_INT(a.b[6] >> 4, 8);
    CHECK_INT(a.b[8] >> 6, 2);
    CHECK(mu_id_equal(a, mu_id_derive(a, &d)));
}

TAP_TEST(a_saved_hash_goes_on_as_if_nothing_had_happened)
{
    char data[300], saved[MU_SHA_STATE_MAX];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i * 7);
    struct mu_digest whole = mu_digest_of(mu_span(data, sizeof(data)));
    for (size_t cut = 0; cut <= sizeof(data); cut++) {
        struct mu_sha a, b;
        mu_sha_init(&a);
        mu_sha_add(&a, mu_span(data, cut));
        mu_sha_save(&a, saved);
        CHECK(mu_sha_restore(&b, mu_span_of(saved)));
        mu_sha_add(&b, mu_span(data + cut, sizeof(data) - cut));
        struct mu_digest got = mu_sha_end(&b);
        CHECK(mu_digest_equal(&got, &whole));
    }
    struct mu_sha s;
    CHECK(!mu_sha_restore(&s, mu_span_of("00")));
    char hex[MU_DIGEST_HEX];
    struct mu_digest abc = mu_digest_of(mu_span_of("abc")); /* FIPS 180-4 example */
    mu_digest_format(&abc, hex);
    CHECK_TEXT(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TAP_TEST(subjects_are_taken_apart_only_if_they_are_ours)
{
    char subject[MU_SUBJECT_MAX];
    struct mu_task_subject t;
    struct mu_result_subject r;
    mu_subject_task(subject, "aml", MU_LOW, "0192f0c1");
    CHECK_TEXT(subject, "muster.task.aml.low.0192f0c1");
    CHECK(mu_subject_parse_task(subject, &t));
    CHECK_TEXT(t.queue, "aml");
    CHECK_INT(t.priority, MU_LOW);
    CHECK(!mu_subject_parse_task("muster.task.aml.urgent.x", &t));
    CHECK(!mu_subject_parse_task("muster.task.aml.low.x.y", &t));
    CHECK(!mu_subject_parse_task("muster.task..low.x", &t));
    CHECK(mu_subject_parse_result("muster.finding.q.t", &r) && r.finding);
    CHECK(mu_subject_parse_result("muster.result.q.t", &r) && !r.finding);
    CHECK(!mu_subject_parse_result("muster.task.q.t", &r));
    char token[MU_TOKEN_MAX];
    mu_token_from("vm-1.example@3", token);
    CHECK_TEXT(token, "vm-1_example_3");
}

TAP_TEST(an_error_shows_characters_whole)
{
    struct mu_error err = {0};
    mu_reject(&err, "invalid", "/a", "\"%.4s\" is %.2s", "ab\xe2\x82\xac", "\xff\xe4");
    CHECK_TEXT(err.text, "\"ab\" is ");
    mu_error_clear(&err);
    mu_reject(&err, "invalid", "", "%.5s", "ab\xe2\x82\xac");
    CHECK_TEXT(err.text, "ab\xe2\x82\xac");
}

int main(void)
{
    return tap_run();
}
