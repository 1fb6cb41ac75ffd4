/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests in TAP: each TAP_TEST is a sentence that the code keeps; tap_run() in main runs them in the order of
 * the file. A failed CHECK says where, what was got and what was wanted; the test goes on, so that one run shows
 * all. */
#ifndef MU_TAP_H
#define MU_TAP_H

#include "base/base.h"

#define TAP_TESTS_MAX 400

struct tap_test {
    const char *name;
    void (*run)(void);
};
static struct tap_test tap_tests[TAP_TESTS_MAX];
static int tap_count, tap_failures;
static const char *tap_skipped;

#define TAP_TEST(sentence)                                                                                         \
    static void sentence(void);                                                                                    \
    __attribute__((constructor)) static void tap_add_##sentence(void)                                             \
    {                                                                                                              \
        if (tap_count < TAP_TESTS_MAX)                                                                             \
            tap_tests[tap_count++] = (struct tap_test){#sentence, sentence};                                       \
    }                                                                                                              \
    static void sentence(void)

#define TAP_SKIP(reason)                                                                                           \
    do {                                                                                                           \
        tap_skipped = (reason);                                                                                    \
        return;                                                                                                    \
    } while (0)

#define TAP_FAIL(...)                                                                                              \
    do {                                                                                                           \
        tap_failures++;                                                                                            \
        printf("# %s:%d: ", __FILE__, __LINE__);                                                                   \
        printf(__VA_ARGS__);                                                                                       \
        printf("\n");                                                                                              \
    } while (0)

#define CHECK(condition)                                                                                           \
    do {                                                                                                           \
        if (!(condition))                                                                                          \
            TAP_FAIL("%s does not hold", #condition);                                                              \
    } while (0)
#define CHECK_INT(got, want)                                                                                       \
    do {                                                                                                           \
        long long tap_got = (long long)(got), tap_want = (long long)(want);                                        \
        if (tap_got != tap_want)                                                                                   \
            TAP_FAIL("%s is %lld, want %lld", #got, tap_got, tap_want);                                            \
    } while (0)
#define CHECK_SPAN(got, want)                                                                                      \
    do {                                                                                                           \
        struct mu_span tap_got = (got), tap_want = (want);                                                         \
        if (!mu_span_equal(tap_got, tap_want))                                                                     \
            TAP_FAIL("%s is \"%.*s\", want \"%.*s\"", #got, (int)tap_got.len, tap_got.at, (int)tap_want.len,       \
                     tap_want.at);                                                                                 \
    } while (0)
#define CHECK_TEXT(got, want)                                                                                      \
    do {                                                                                                           \
        const char *tap_text = (got);                                                                              \
        if (!tap_text)                                                                                             \
            TAP_FAIL("%s is NULL, want \"%s\"", #got, (want));                                                     \
        else                                                                                                       \
            CHECK_SPAN(mu_span_of(tap_text), mu_span_of(want));                                                    \
    } while (0)

__attribute__((unused)) static int tap_run(void)
{
    int failed = 0;
    printf("1..%d\n", tap_count);
    for (int i = 0; i < tap_count; i++) {
        tap_failures = 0;
        tap_skipped = NULL;
        tap_tests[i].run();
        printf("%s %d - %s%s%s\n", tap_failures ? "not ok" : "ok", i + 1, tap_tests[i].name,
               tap_skipped ? " # SKIP " : "", tap_skipped ? tap_skipped : "");
        fflush(stdout);
        failed += tap_failures != 0;
    }
    return failed ? 1 : 0;
}

#endif
