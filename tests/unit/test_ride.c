/* SPDX-License-Identifier: Apache-2.0 */
/* Queue messages: what a dispatcher writes is read whole, and whatever was changed on the way is refused or does not
 * matter. */
#include "domain/task.h"
#include "format/schema.h"
#include "tap.h"

#define RIDE "0192f000-0000-7000-8000-00000000000f"
#define ID(last) "0192f000-0000-7000-8000-00000000000" last
#define SUBJECT "muster.task.default.normal." RIDE
#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define TERMS                                                                                                  \
    "{\"pack\":{\"name\":\"p\",\"version\":\"1\",\"digest\":\"" HEX "\"},\"lists\":{},\"params\":{},"          \
    "\"as_of\":\"2026-11-24\",\"shard_bytes\":1024,\"buckets\":1,\"limits\":{\"record_bytes\":1024,\"fields\":16}}"

struct made { /* a message and what it was made of */
    struct mu_text body, tasks[3];
};

static void make(struct made *m, const char *terms)
{
    static const char *const records[] = {"[{\"a\":\"x\"}]", "[{\"a\":null},{\"a\":\"]},{\"}]", "[{\"b\":true}]"};
    static const char *const ids[] = {ID("1"), ID("2"), ID("3")};
    const struct mu_digest digest = mu_digest_of(mu_span_of(terms));
    struct mu_span spans[3];
    char hex[MU_DIGEST_HEX];
    mu_digest_format(&digest, hex);
    *m = (struct made){.body = MU_TEXT(0)};
    for (size_t i = 0; i < 3; i++) {
        mu_text_addf(&m->tasks[i],
                     "{\"v\":1,\"task_id\":\"%s\",\"stage\":\"scan\",\"terms\":\"%s\",\"records\":%s}", ids[i], hex, records[i]);
        spans[i] = mu_text_span(&m->tasks[i]);
    }
    mu_ride_write(&m->body, RIDE, 2, false, "default", MU_NORMAL, mu_span_of(terms), spans, 3);
}

static void unmake(struct made *m)
{
    mu_text_free(&m->body);
    for (size_t i = 0; i < 3; i++)
        mu_text_free(&m->tasks[i]);
}

TAP_TEST(a_bundle_is_read_as_it_was_written)
{
    MU_AUTO(mu_ride_fini) struct mu_ride r = {.n = 0};
    struct mu_error err = {0};
    struct made m;
    make(&m, TERMS);
    CHECK(mu_ride_parse(&r, SUBJECT, mu_text_span(&m.body), NULL, &err));
    CHECK_INT(r.count, 3);
    CHECK_INT(r.n, 2);
    CHECK(!r.fresh);
    CHECK_TEXT(r.queue, "default");
    for (size_t i = 0; i < r.count; i++) {
        struct mu_digest digest = mu_digest_of(mu_text_span(&m.tasks[i]));
        CHECK(mu_digest_equal(&digest, &r.tasks[i].digest));
        CHECK(r.tasks[i].terms == r.terms);
    }
    CHECK_TEXT(r.tasks[1].id_text, ID("2"));
    CHECK_TEXT(r.tasks[1].job_text, ID("2"));
    CHECK_SPAN(r.tasks[1].records, mu_span_of("[{\"a\":null},{\"a\":\"]},{\"}]"));
    CHECK_INT(r.terms->record_bytes, 1024);
    unmake(&m);
}

/* Every byte changed to each of a few others: a message is refused, or says the same of each task's terms and bytes
 * as its digests do. */
TAP_TEST(no_change_of_a_byte_gives_a_task_other_terms)
{
    static const char others[] = "\"{}[],:x0 \\\n";
    struct made m;
    int accepted = 0;
    make(&m, TERMS);
    const size_t terms_at = (size_t)((char *)memmem(m.body.at, m.body.len, "\"terms\":{", 9) - m.body.at) + 8;
    for (size_t i = 0; i < m.body.len; i++) {
        const char was = m.body.at[i];
        for (const char *c = others; *c; c++) {
            MU_AUTO(mu_ride_fini) struct mu_ride r = {.n = 0};
            struct mu_error err = {0};
            m.body.at[i] = *c;
            bool read = mu_ride_parse(&r, SUBJECT, mu_text_span(&m.body), NULL, &err);
            accepted += read;
            if (!read && err.fault != MU_REJECTED)
                TAP_FAIL("byte %zu as %c: fault %d", i, *c, (int)err.fault);
            if (read && *c != was && i >= terms_at && i < terms_at + strlen(TERMS))
                TAP_FAIL("byte %zu of the terms as %c was taken", i - terms_at, *c);
        }
        m.body.at[i] = was;
    }
    CHECK(accepted > 20);
    unmake(&m);
}

TAP_TEST(a_cut_message_is_refused)
{
    struct made m;
    make(&m, TERMS);
    for (size_t len = 0; len < m.body.len; len++) {
        struct mu_ride r = {.n = 0};
        struct mu_error err = {0};
        CHECK(!mu_ride_parse(&r, SUBJECT, mu_span(m.body.at, len), NULL, &err));
        CHECK_INT(err.fault, MU_REJECTED);
    }
    unmake(&m);
}

TAP_TEST(what_is_refused_says_where)
{
    static const struct { const char *terms, *from, *to, *pointer; } cases[] = {
        {TERMS, "\"buckets\":1", "\"buckets\":0", "/terms/buckets"},
        {TERMS, "\"stage\":\"scan\"", "\"stage\":\"look\"", "/tasks/0/stage"},
        {TERMS, "\"as_of\":\"2026-11-24\"", "\"as_of\":\"2026-11-25\"", "/tasks/0/terms"},
        {TERMS, "\"n\":2", "\"n\":0", "/n"},
        {TERMS, "\"queue\":\"default\"", "\"queue\":\"another\"", ""},
        {TERMS, "f\",\"n\"", "1\",\"n\"", ""}};
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        struct mu_ride r = {.n = 0};
        struct mu_error err = {0};
        struct made m;
        make(&m, cases[i].terms);
        char *at = memmem(m.body.at, m.body.len, cases[i].from, strlen(cases[i].from));
        CHECK(at != NULL && strlen(cases[i].from) == strlen(cases[i].to));
        memcpy(at, cases[i].to, strlen(cases[i].to));
        CHECK(!mu_ride_parse(&r, SUBJECT, mu_text_span(&m.body), NULL, &err));
        CHECK_TEXT(err.pointer, cases[i].pointer);
        CHECK_TEXT(err.code, "bad_task");
        unmake(&m);
    }
}

int main(void)
{
    int status = tap_run();
    mu_schema_fini();
    return status;
}
