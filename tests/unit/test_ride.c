/* SPDX-License-Identifier: Apache-2.0 */
/* Queue messages: a bundle is read by what its members have in common, and the long way; both must say the
 * same. */
#include "domain/task.h"
#include "format/schema.h"
#include "tap.h"

#define SUBJECT "muster.task.default.normal.0192f000-0000-7000-8000-00000000000f"
#define TASK(id, records)                                                                                    \
    "{\"v\":1,\"task_id\":\"0192f000-0000-7000-8000-00000000000" id                                          \
    "\",\"job_id\":\"0192f000-0000-7000-8000-00000000000" id                                                 \
    "\",\"stage\":\"scan\",\"attempt\":1,\"pack\":{\"name\":\"p\",\"version\":\"1\",\"digest\":\"" HEX       \
    "\"},\"lists\":{},"                                                                                      \
    "\"params\":{},\"as_of\":\"2026-11-24\",\"shard_bytes\":1024,\"buckets\":1,\"limits\":{\"record_"        \
    "bytes\":1024,"                                                                                          \
    "\"fields\":16},\"records\":" records "}"
#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HEAD                                                                                                 \
    "{\"v\":1,\"ride_id\":\"0192f000-0000-7000-8000-00000000000f\",\"n\":2,\"queue\":\"default\","           \
    "\"priority\":\"normal\","                                                                               \
    "\"tasks\":["

static const char bundle[] = HEAD TASK("1", "[{\"a\":\"x\"}]") "," TASK(
    "2", "[{\"a\":null},{\"a\":\"]},{\"}]") "," TASK("3", "[{\"b\":true}]") "]}";

/* The same message with a blank before its last brace: then nothing is alike. */
static void write_long(struct mu_text *t, struct mu_span body)
{
    mu_text_reset(t);
    mu_text_add(t, mu_span(body.at, body.len - 1));
    mu_text_putc(t, ' ');
    mu_text_putc(t, body.at[body.len - 1]);
}

static bool same_ride(const struct mu_ride *a, const struct mu_ride *b)
{
    bool same = a->n == b->n && a->fresh == b->fresh && a->count == b->count &&
                strcmp(a->queue, b->queue) == 0 && a->priority == b->priority &&
                mu_id_equal(a->ride_id, b->ride_id);
    for (size_t i = 0; same && i < a->count; i++) {
        const struct mu_task *x = &a->tasks[i], *y = &b->tasks[i];
        same = mu_id_equal(x->task_id, y->task_id) && mu_id_equal(x->job_id, y->job_id) &&
               strcmp(x->id_text, y->id_text) == 0 && strcmp(x->job_text, y->job_text) == 0 &&
               mu_digest_equal(&x->digest, &y->digest) && mu_span_equal(x->raw, y->raw) &&
               mu_span_equal(x->records, y->records) &&
               json_equal((json_t *)(uintptr_t)x->doc, (json_t *)(uintptr_t)y->doc) &&
               json_equal((json_t *)(uintptr_t)x->records_doc, (json_t *)(uintptr_t)y->records_doc) &&
               x->as_of == y->as_of && x->stage == y->stage;
    }
    return same;
}

TAP_TEST(a_bundle_is_read_whole)
{
    MU_AUTO(mu_ride_fini) struct mu_ride r = {.n = 0};
    struct mu_error err = {0};
    CHECK(mu_ride_parse(&r, SUBJECT, mu_span_of(bundle), &err));
    CHECK_INT(r.count, 3);
    CHECK_INT(r.n, 2);
    CHECK_TEXT(r.tasks[1].id_text, "0192f000-0000-7000-8000-000000000002");
    CHECK(mu_span_is(r.tasks[1].records, "[{\"a\":null},{\"a\":\"]},{\"}]"));
    struct mu_digest digest = mu_digest_of(mu_span_of(TASK("3", "[{\"b\":true}]")));
    CHECK(mu_digest_equal(&digest, &r.tasks[2].digest));
}

/* Every byte changed to each of a few others: what is refused, what is read, and as what, does not depend on
 * the way. */
TAP_TEST(both_ways_say_the_same_of_any_change_of_a_byte)
{
    static const char others[] = "\"{}[],:x0 \\\n";
    MU_AUTO(mu_text_free) struct mu_text t = MU_TEXT(0), longer = MU_TEXT(0);
    int differ = 0, accepted = 0;
    for (size_t i = 0; i < sizeof(bundle) - 1; i++) {
        for (const char *c = others; *c; c++) {
            MU_AUTO(mu_ride_fini) struct mu_ride a = {.n = 0}, b = {.n = 0};
            struct mu_error err = {0}, other = {0};
            mu_text_reset(&t);
            mu_text_add(&t, mu_span_of(bundle));
            t.at[i] = *c;
            write_long(&longer, mu_text_span(&t));
            bool read = mu_ride_parse(&a, SUBJECT, mu_text_span(&t), &err);
            bool long_read = mu_ride_parse(&b, SUBJECT, mu_text_span(&longer), &other);
            accepted += read;
            if (read != long_read || (read && !same_ride(&a, &b))) {
                differ++;
                TAP_FAIL("byte %zu as %c: %d and %d (%s%s)", i, *c, read, long_read, err.text, other.text);
            }
        }
    }
    CHECK_INT(differ, 0);
    CHECK(accepted > 20);
}

TAP_TEST(a_cut_bundle_is_refused)
{
    for (size_t len = 0; len < sizeof(bundle) - 1; len++) {
        struct mu_ride r = {.n = 0};
        struct mu_error err = {0};
        CHECK(!mu_ride_parse(&r, SUBJECT, mu_span(bundle, len), &err));
        CHECK_INT(err.fault, MU_REJECTED);
    }
}

int main(void)
{
    int status = tap_run();
    mu_schema_fini();
    return status;
}
