/* SPDX-License-Identifier: Apache-2.0 */
#include "check_rig.h"

#include "engine/checks/pattern.h"

TAP_TEST(not_null_fails_what_is_missing)
{
    RIG_CASES("not_null", "{\"column\": \"x\"}", {"a", "pass"}, {NULL, "fail: no value"}, {"", "pass"},
              {RIG_INVALID, "error: the value is not readable as its type"});
    CHECK_TEXT(rig_refusal("not_null", "x", "{\"column\": \"x\", \"case\": \"fold\"}"),
               "/case parameter case is not known to this check; known are column");
}

TAP_TEST(in_set_knows_its_values)
{
    RIG_CASES("in_set", "{\"column\": \"x\", \"values\": [\"DEAL\", \"MTCH\", \"AOTC\"]}", {"DEAL", "pass"},
              {"AOTC", "pass"}, {"deal", "fail: none of the 3 values allowed"},
              {"DEA", "fail: none of the 3 values allowed"}, {"DEALS", "fail: none of the 3 values allowed"},
              {"DEAL ", "fail: none of the 3 values allowed"}, {NULL, "not_evaluated"});
    RIG_CASES(
        "in_set",
        "{\"column\": \"x\", \"values\": [\"Ja\", \"nein\"], \"case\": \"fold\", \"separators\": \"strip\"}",
        {"JA", "pass"}, {"n e i n", "pass"}, {"no", "fail: none of the 2 values allowed"});
    RIG_CASES("in_set", "{\"column\": \"x\", \"registry\": \"cfi\"}", {"ES", "pass"},
              {"QQ", "fail: not in the list cfi@2021.1"});
    CHECK_TEXT(rig_refusal("in_set", "x", "{\"column\": \"x\"}"),
               " a set is given by values or by registry, one of the two");
    CHECK_TEXT(rig_refusal("in_set", "x", "{\"column\": \"x\", \"values\": [\"a\"], \"registry\": \"cfi\"}"),
               " a set is given by values or by registry, one of the two");
    CHECK_TEXT(rig_refusal("in_set", "x", "{\"column\": \"x\", \"values\": []}"),
               "/values parameter values is to be an array of 1 to 10000 texts");
    CHECK_TEXT(rig_refusal("in_set", "x", "{\"column\": \"x\", \"values\": [\"a\", 1]}"),
               "/values/1 a value of the set is to be a text");
    CHECK_TEXT(rig_refusal("in_set", "x", "{\"column\": \"x\", \"values\": [\"a\", \"b\", \"a\"]}"),
               "/values a occurs twice in the set");
    CHECK_TEXT(rig_refusal("in_set", "x", "{\"column\": \"x\", \"values\": [\"\"]}"),
               "/values/0 a value of the set has 1 to 127 bytes");
    CHECK_TEXT(rig_refusal("in_set", "x", "{\"column\": \"x\", \"values\": [\"a\"], \"on\": \"2026-01-01\"}"),
               "/on a day is for the rows of a registry");
}

TAP_TEST(a_range_of_numbers_has_inclusive_and_exclusive_bounds)
{
    RIG_CASES("range", "{\"column\": \"x\", \"min\": \"0.01\", \"below\": \"1000\"}", {"0.01", "pass"},
              {"0.010", "pass"}, {"999.999999999999999999999999", "pass"}, {"0.00999", "fail: below 0.01"},
              {"1000.0", "fail: not below 1000"}, {"-5", "fail: below 0.01"},
              {"1e2", "error: the value is no decimal"}, {"1,0", "error: the value is no decimal"},
              {"100000000000000000000000000000000000000", "error: the value is no decimal"},
              {NULL, "not_evaluated"});
    RIG_CASES("range", "{\"column\": \"x\", \"type\": \"decimal\", \"above\": \"-1\", \"max\": \"1\"}",
              {"-1", "fail: not above -1"}, {"-0.9", "pass"}, {"1.000", "pass"}, {"1.001", "fail: above 1"});
    /* one more than a double can tell from its neighbour */
    RIG_CASES("range", "{\"column\": \"x\", \"max\": \"9007199254740992\"}", {"9007199254740992", "pass"},
              {"9007199254740993", "fail: above 9007199254740992"});
}

TAP_TEST(a_range_of_dates_may_end_with_the_day_of_the_job)
{
    RIG_CASES("range", "{\"column\": \"x\", \"type\": \"date\", \"min\": \"2020-02-29\", \"max\": \"as_of\"}",
              {"2020-02-29", "pass"}, {"2020-02-28", "fail: below 2020-02-29"}, {"2026-11-24", "pass"},
              {"2026-11-25", "fail: above 2026-11-24"}, {"2026-02-30", "error: the value is no date"},
              {"24.11.2026", "error: the value is no date"});
    RIG_CASES("range", "{\"column\": \"x\", \"type\": \"timestamp\", \"above\": \"2026-03-02T14:00:00Z\"}",
              {"2026-03-02T14:00:00.000001Z", "pass"},
              {"2026-03-02T15:00:00+01:00", "fail: not above 2026-03-02T14:00:00Z"},
              {"2026-03-02T15:00:00", "error: the value is no timestamp"});
}

TAP_TEST(a_range_without_sense_is_refused)
{
    CHECK_TEXT(rig_refusal("range", "x", "{\"column\": \"x\"}"),
               " a range needs a bound: min, above, max or below");
    CHECK_TEXT(rig_refusal("range", "x", "{\"column\": \"x\", \"min\": \"1\", \"above\": \"0\"}"),
               "/above two bounds on the same side");
    CHECK_TEXT(rig_refusal("range", "x", "{\"column\": \"x\", \"min\": 1}"),
               "/min parameter min is to be a text, found 1");
    CHECK_TEXT(rig_refusal("range", "x", "{\"column\": \"x\", \"max\": \"ten\"}"),
               "/max parameter max is no decimal");
    CHECK_TEXT(rig_refusal("range", "x", "{\"column\": \"x\", \"type\": \"date\", \"max\": \"10\"}"),
               "/max parameter max is no date");
    CHECK_TEXT(rig_refusal("range", "x", "{\"column\": \"x\", \"max\": \"as_of\"}"),
               "/max parameter max is no decimal");
    CHECK_TEXT(rig_refusal("range", "x", "{\"column\": \"x\", \"min\": \"2\", \"max\": \"1\"}"),
               " nothing lies between these bounds");
    CHECK_TEXT(rig_refusal("range", "x", "{\"column\": \"x\", \"min\": \"1\", \"below\": \"1.0\"}"),
               " nothing lies between these bounds");
    CHECK_TEXT(rig_refusal("range", "x", "{\"column\": \"x\", \"min\": \"1\", \"max\": \"1.0\"}"),
               "accepted");
    CHECK_TEXT(rig_refusal("range", "x", "{\"column\": \"x\", \"type\": \"text\", \"min\": \"a\"}"),
               "/type a range is for decimal, date or timestamp");
}

TAP_TEST(length_counts_code_points)
{
    RIG_CASES("length", "{\"column\": \"x\", \"min\": 2, \"max\": 3}", {"ab", "pass"}, {"abc", "pass"},
              {"a", "fail: 1 characters, expected at least 2"},
              {"abcd", "fail: 4 characters, expected at most 3"}, {"\xc3\xa4\xc3\xb6\xc3\xbc", "pass"},
              {"\xf0\x9f\x98\x80\xf0\x9f\x98\x80", "pass"}, {"e\xcc\x81", "pass"},
              {"a\xff"
               "b",
               "error: the value is not UTF-8 at byte 1"},
              {NULL, "not_evaluated"});
    CHECK_TEXT(rig_refusal("length", "x", "{\"column\": \"x\"}"), " a length needs a bound: min or max");
    CHECK_TEXT(rig_refusal("length", "x", "{\"column\": \"x\", \"min\": \"2\"}"),
               "/min parameter min is to be a whole number, found \"2\"");
    CHECK_TEXT(rig_refusal("length", "x", "{\"column\": \"x\", \"min\": 4, \"max\": 3}"),
               "/min parameter min is greater than max");
    CHECK_TEXT(rig_refusal("length", "x", "{\"column\": \"x\", \"max\": -1}"),
               "/max parameter max is to lie between 0 and 1073741824, found -1");
}

static void compared(const char *type, const char *op, const char *a, const char *b, const char *want)
{
    char params[200];
    struct rig r;
    snprintf(params, sizeof params, "{\"column\": \"a\", \"op\": \"%s\", \"other\": \"b\", \"type\": \"%s\"}",
             op, type);
    if (!rig_open(&r, "compare", "a b", params, "2026-11-24"))
        TAP_FAIL("%s: %s", params, r.err.text);
    const char *got = r.state ? rig_record(&r, (const char *[]){a, b}) : "refused";
    if (strcmp(got, want) != 0)
        TAP_FAIL("%s %s %s as %s: \"%s\", want \"%s\"", a ? a : "-", op, b ? b : "-", type, got, want);
    rig_close(&r);
}

TAP_TEST(two_columns_are_compared_by_their_type)
{
    compared("decimal", "=", "1.0", "1", "pass");
    compared("decimal", "!=", "1.0", "1", "fail: a != b does not hold");
    compared("decimal", "<", "9", "10", "pass");
    compared("decimal", "<", "10", "10.0", "fail: a < b does not hold");
    compared("decimal", "<=", "10", "10.0", "pass");
    compared("decimal", ">", "-1", "-2", "pass");
    compared("decimal", ">=", "-2", "-1", "fail: a >= b does not hold");
    compared("text", "=", "1.0", "1", "fail: a = b does not hold");
    compared("text", "!=", "a", "A", "pass");
    compared("date", "<=", "2026-09-30", "2026-10-01", "pass");
    compared("date", "<", "2026-10-01", "2026-09-30", "fail: a < b does not hold");
    compared("timestamp", "=", "2026-03-02T14:00:00Z", "2026-03-02T15:00:00+01:00", "pass");
    compared("decimal", "=", NULL, "1", "not_evaluated");
    compared("decimal", "=", "1", NULL, "not_evaluated");
    compared("decimal", "=", "x", NULL, "error: a is no decimal");
    compared("decimal", "=", NULL, "x", "error: b is no decimal");
    compared("date", "=", RIG_INVALID, "2026-01-01", "error: a is no date");
}

TAP_TEST(a_comparison_without_sense_is_refused)
{
    CHECK_TEXT(rig_refusal("compare", "a b",
                           "{\"column\": \"a\", \"op\": \"<\", \"other\": \"b\", \"type\": \"text\"}"),
               "/op texts are equal or not, they have no order");
    CHECK_TEXT(rig_refusal("compare", "a b",
                           "{\"column\": \"a\", \"op\": \"==\", \"other\": \"b\", \"type\": \"text\"}"),
               "/op parameter op is to be one of =, !=, <, <=, >, >=; found \"==\"");
    CHECK_TEXT(rig_refusal("compare", "a b", "{\"column\": \"a\", \"other\": \"b\", \"type\": \"text\"}"),
               "/op parameter op is missing: one of = != < <= > >=");
    CHECK_TEXT(rig_refusal("compare", "a b", "{\"column\": \"a\", \"op\": \"=\", \"other\": \"b\"}"),
               "/type parameter type is missing: text, decimal, date or timestamp");
    CHECK_TEXT(rig_refusal("compare", "a b", "{\"column\": \"a\", \"op\": \"=\", \"type\": \"text\"}"),
               "/other parameter other is missing: it names a column of the pack");
}

TAP_TEST(a_pattern_matches_the_whole_text)
{
    RIG_CASES("regex", "{\"column\": \"x\", \"pattern\": \"[A-Z0-9]{1,52}\"}", {"ABC123", "pass"},
              {"ABC123 ", "fail: does not match the pattern"}, {"abc", "fail: does not match the pattern"},
              {"ABC\n", "fail: does not match the pattern"}, {NULL, "not_evaluated"});
    RIG_CASES("regex", "{\"column\": \"x\", \"pattern\": \"a|b\"}", {"a", "pass"}, {"b", "pass"},
              {"ab", "fail: does not match the pattern"});
    RIG_CASES("regex", "{\"column\": \"x\", \"pattern\": \".\"}", {"\xc3\xa4", "pass"}, {"\n", "pass"},
              {"ab", "fail: does not match the pattern"}, {"\xff", "error: the value is not UTF-8"});
    RIG_CASES("regex", "{\"column\": \"x\", \"pattern\": \"(\\\\.[^\\\\]\\\\-]\\\\^)+\"}", {".a^", "pass"},
              {".a^.b^", "pass"}, {".-^", "fail: does not match the pattern"});
    RIG_CASES("regex", "{\"column\": \"x\", \"pattern\": \"[\xc3\xa4-\xc3\xbc]+\"}", {"\xc3\xb6", "pass"},
              {"o", "fail: does not match the pattern"});
}

TAP_TEST(a_pattern_that_runs_wild_is_an_error_and_never_a_pass)
{
    char bs[64], long_text[200001];
    memset(bs, 'a', sizeof bs - 1);
    bs[sizeof bs - 1] = '\0';
    RIG_CASES("regex", "{\"column\": \"x\", \"pattern\": \"(a*)*b\"}", {"aab", "pass"},
              {bs, "error: the pattern needs more attempts than are allowed"}, {"b", "pass"});
    memset(long_text, 'a', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    RIG_CASES("regex", "{\"column\": \"x\", \"pattern\": \"(aa|a.)*\"}",
              {long_text, "error: the pattern needs more attempts than are allowed"}, {"aaaa", "pass"});
    RIG_CASES("regex", "{\"column\": \"x\", \"pattern\": \"a*\"}", {long_text, "pass"});
}

TAP_TEST(only_the_subset_of_patterns_is_taken)
{
    static const char *const good[] = {"a",    "",       "a|",       "()",   "(a|b)*c+d?", "[a-z]{0,512}",
                                       "[^a]", "\\$\\^", "[\\[\\]]", "a{3}", "((a))",      "\\\\",
                                       "\\_",  "a b",    "[a\\-z]",  ".*",   "(){2}",      "\xe2\x82\xac{2}"};
    static const struct {
        const char *pattern;
        size_t at;
    } bad[] = {{"a**", 2},   {"a*?", 2},         {"a++", 2},    {"*a", 0},     {"(?:a)", 1}, {"(*UTF)a", 1},
               {"a{2,}", 4}, {"a{,2}", 2},       {"a{513}", 5}, {"a{3,2}", 5}, {"a{2", 3},   {"(a", 2},
               {"a)", 1},    {"[a", 2},          {"[]", 1},     {"[]a]", 1},   {"[^]", 2},   {"[z-a]", 4},
               {"[a-]", 3},  {"[[:alpha:]]", 1}, {"\\d", 1},    {"\\1", 1},    {"\\", 1},    {"\\Qa\\E", 1},
               {"^a", 0},    {"a$", 1},          {"a}", 1},     {"a]", 1},     {"a|*", 2},   {"a{2}{3}", 4},
               {"a\tb", 1},  {"a\xff", 1},       {"(+a)", 1},   {"[a-z-9]", 4}};
    size_t at = 99;
    const char *what = NULL;
    for (size_t i = 0; i < MU_COUNT(good); i++) {
        if (!mu_pattern_check(mu_span_of(good[i]), &at, &what))
            TAP_FAIL("%s: %s at %zu", good[i], what, at);
    }
    for (size_t i = 0; i < MU_COUNT(bad); i++) {
        if (mu_pattern_check(mu_span_of(bad[i].pattern), &at, &what))
            TAP_FAIL("%s is taken", bad[i].pattern);
        else
            CHECK_INT(at, bad[i].at);
    }
    CHECK_TEXT(rig_refusal("regex", "x", "{\"column\": \"x\"}"), "/pattern parameter pattern is missing");
    CHECK_TEXT(
        rig_refusal("regex", "x", "{\"column\": \"x\", \"pattern\": \"^a\"}"),
        "/pattern pattern, at byte 0: '^' and '$' need a backslash: a pattern matches the whole text anyway");
    CHECK_TEXT(rig_refusal("regex", "x", "{\"column\": \"x\", \"pattern\": \"(((a{512}){512}){512}){512}\"}"),
               "/pattern the pattern is too large at its character 28");
}

/* Every text of `length` of these signs: whatever passes our syntax check must compile. */
static size_t compile_all(const char *signs, size_t length)
{
    size_t base = strlen(signs), total = 1, accepted = 0;
    for (size_t i = 0; i < length; i++)
        total *= base;
    for (size_t n = 0; n < total; n++) {
        char text[8] = "";
        size_t rest = n, at;
        const char *what;
        struct mu_error err = {0};
        struct mu_pattern *p = NULL;
        for (size_t i = 0; i < length; i++, rest /= base)
            text[i] = signs[rest % base];
        if (!mu_pattern_check(mu_span(text, length), &at, &what))
            continue;
        MU_AUTO(mu_pool_free) struct mu_pool *pool = mu_pool_new(1 << 20);
        if (!mu_pattern_new(&p, pool, mu_span(text, length), "", &err))
            TAP_FAIL("%s: %s", text, err.text);
        accepted++;
    }
    return accepted;
}

TAP_TEST(what_the_subset_takes_pcre2_compiles)
{
    CHECK(compile_all("ab()[]{}|*+?\\^-.,12", 4) > 1000);
    CHECK(compile_all("a[].:=\\^-", 6) > 1000);
}

int main(void)
{
    rig_load_lists();
    int status = tap_run();
    rig_free_lists();
    return status;
}
