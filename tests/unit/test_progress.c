/* SPDX-License-Identifier: Apache-2.0 */
/* What a delivery means, given what stands in muster_state: PROTOCOL §4, row 2, as a table. */
#include "progress.h"
#include "tap.h"

#define ME "0192f000-0000-7000-8000-000000000001"
#define OTHER "0192f000-0000-7000-8000-000000000002"
#define DIGEST "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ALIEN "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

struct row {
    const char *what;
    bool stored;
    int64_t stored_n, stored_crashes;
    bool released;
    const char *incarnation, *digest, *checkpoint; /* JSON of the checkpoint */
    int64_t n;
    bool fresh;
    enum mu_decision want;
    int64_t want_crashes;
};

#define CP "{\"format\":1}"
static const struct row table[] = {
    {"nothing stored", false, 0, 0, false, "", "", "null", 1, false, MU_START, 0},
    {"my own mark", true, 1, 2, false, ME, DIGEST, "null", 1, false, MU_START, 2},
    {"another's mark: one crash more", true, 1, 0, false, OTHER, DIGEST, "null", 1, false, MU_START, 1},
    {"another's released mark", true, 1, 3, true, OTHER, DIGEST, "null", 1, false, MU_START, 3},
    {"a checkpoint", true, 1, 0, false, OTHER, DIGEST, CP, 1, false, MU_RESUME, 1},
    {"a released checkpoint", true, 1, 0, true, OTHER, DIGEST, CP, 1, false, MU_RESUME, 0},
    {"the fourth crash", true, 1, 3, false, OTHER, DIGEST, CP, 1, false, MU_RESUME, 4},
    {"the fifth crash", true, 1, 4, false, OTHER, DIGEST, CP, 1, false, MU_GIVE_UP, 5},
    {"the fifth crash of a later publication", true, 1, 4, false, OTHER, DIGEST, CP, 2, false, MU_GIVE_UP, 5},
    {"four crashes, then handed back", true, 1, 4, true, OTHER, DIGEST, CP, 1, false, MU_RESUME, 4},
    {"five crashes, found by the agent that noted them", true, 1, 5, false, ME, DIGEST, CP, 1, false,
     MU_GIVE_UP, 5},
    {"a later publication is under way", true, 3, 0, false, OTHER, DIGEST, CP, 2, false, MU_SUPERSEDED, 0},
    {"a later publication goes on", true, 1, 0, true, OTHER, DIGEST, CP, 2, false, MU_RESUME, 0},
    {"a fresh publication goes to no checkpoint", true, 1, 4, false, OTHER, DIGEST, CP, 2, true, MU_START, 0},
    {"a fresh publication's own checkpoint", true, 2, 0, true, OTHER, DIGEST, CP, 2, true, MU_RESUME, 0},
    {"a fresh publication's own crash", true, 2, 0, false, OTHER, DIGEST, CP, 2, true, MU_RESUME, 1},
    {"another task's state under this id", true, 9, 4, false, OTHER, ALIEN, CP, 1, false, MU_START, 0},
    {"a checkpoint of a form that nobody reads", true, 1, 0, true, OTHER, DIGEST, "{\"format\":2}", 1, false,
     MU_START, 0},
};

static void write_state(const struct row *r, struct mu_text *t)
{
    mu_text_addf(
        t,
        "{\"v\":1,\"task_id\":\"" ME
        "\",\"task_digest\":\"%s\",\"n\":%lld,\"owner\":\"a1\",\"incarnation\":\"%s\","
        "\"crashes\":%lld,\"released\":%s,\"checkpoint\":%s,\"updated_at\":\"2026-11-24T00:00:00Z\"}",
        r->digest, (long long)r->stored_n, r->incarnation, (long long)r->stored_crashes,
        r->released ? "true" : "false", r->checkpoint);
}

TAP_TEST(each_state_and_delivery_has_its_decision)
{
    for (size_t i = 0; i < MU_COUNT(table); i++) {
        const struct row *r = &table[i];
        MU_AUTO(mu_text_free) struct mu_text t = MU_TEXT(0);
        MU_AUTO(mu_mark_fini) struct mu_mark mark = {0};
        struct mu_error err = {0};
        const struct mu_claim claim = {
            .n = r->n, .fresh = r->fresh, .incarnation = ME, .task_digest = DIGEST};
        int64_t crashes = -1;
        write_state(r, &t);
        if (r->stored)
            CHECK(mu_mark_parse(&mark, mu_text_span(&t), &err));
        enum mu_decision got = mu_progress_decide(r->stored ? &mark : NULL, &claim, &crashes);
        if (got != r->want || crashes != r->want_crashes)
            TAP_FAIL("%s: decision %d, crashes %lld", r->what, (int)got, (long long)crashes);
    }
}

TAP_TEST(what_is_no_state_is_refused)
{
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "{\"v\":2}",
        "{\"v\":1,\"n\":0,\"crashes\":0,\"owner\":\"a\",\"incarnation\":\"x\",\"task_digest\":\"d\"}",
        "{\"v\":1,\"n\":1,\"crashes\":-1,\"owner\":\"a\",\"incarnation\":\"x\",\"task_digest\":\"d\"}",
        "{\"v\":1,\"n\":1,\"crashes\":0,\"owner\":\"a\",\"incarnation\":\"longer than an identifier could "
        "ever be\","
        "\"task_digest\":\"d\"}",
    };
    for (size_t i = 0; i < MU_COUNT(bad); i++) {
        struct mu_mark mark = {0};
        struct mu_error err = {0};
        CHECK(!mu_mark_parse(&mark, mu_span_of(bad[i]), &err));
        CHECK_INT(err.fault, MU_REJECTED);
        CHECK(mark.doc == NULL);
    }
}

int main(void)
{
    return tap_run();
}
