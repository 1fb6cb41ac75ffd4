/* SPDX-License-Identifier: Apache-2.0 */
/* So many a second, whatever the steps in which time is looked at. */
#include "rate.h"
#include "tap.h"

static int64_t take_all(struct rate *r, int64_t now_ms)
{
    int64_t taken = 0;
    while (rate_take(r, now_ms))
        taken++;
    return taken;
}

TAP_TEST(a_new_bucket_holds_a_seconds_worth_and_no_more)
{
    struct rate r = {.per_second = 7};
    CHECK_INT(take_all(&r, 1000000), 7);
    CHECK_INT(take_all(&r, 1000000), 0);
    CHECK_INT(take_all(&r, 1060000), 7); /* an idle minute has not filled it further */
}

TAP_TEST(over_ten_seconds_the_rate_is_kept_to_one)
{
    static const int64_t rates[] = {1, 3, 10, 999, 5000, 1000000}, steps[] = {1, 7, 100, 333, 1000};
    for (size_t i = 0; i < MU_COUNT(rates); i++) {
        for (size_t k = 0; k < MU_COUNT(steps); k++) {
            struct rate r = {.per_second = rates[i]};
            int64_t taken = take_all(&r, 5000) - rates[i], last = 5000;
            CHECK_INT(taken, 0);
            for (int64_t now = 5000 + steps[k]; now <= 15000; now += steps[k]) {
                taken += take_all(&r, now);
                last = now;
            }
            int64_t want = rates[i] * (last - 5000) / 1000;
            CHECK(taken <= want && taken >= want - 1);
        }
    }
}

TAP_TEST(who_waits_as_long_as_it_says_finds_some)
{
    static const int64_t rates[] = {1, 9, 100, 1000000};
    for (size_t i = 0; i < MU_COUNT(rates); i++) {
        struct rate r = {.per_second = rates[i]};
        int64_t now = 77;
        take_all(&r, now);
        int64_t wait = rate_wait_ms(&r);
        CHECK(wait > 0 && wait <= 1000);
        CHECK(take_all(&r, now + wait) >= (rates[i] / 10 > 1 ? rates[i] / 10 : 1));
    }
}

TAP_TEST(a_clock_that_stands_still_gives_nothing)
{
    struct rate r = {.per_second = 5};
    take_all(&r, 3000);
    CHECK_INT(take_all(&r, 3000), 0);
    CHECK_INT(take_all(&r, 3200), 1);
}

int main(void)
{
    return tap_run();
}
