/* SPDX-License-Identifier: Apache-2.0 */
#include "tap.h"

#include "base/decimal.h"

static const char *canonical(const char *text)
{
    static char out[MU_DECIMAL_MAX];
    struct mu_decimal d;
    if (!mu_decimal_parse(mu_span_of(text), &d))
        return "refused";
    mu_decimal_format(d, out);
    return out;
}

TAP_TEST(what_xs_decimal_allows_is_read)
{
    CHECK_TEXT(canonical("0"), "0");
    CHECK_TEXT(canonical("-0"), "0");
    CHECK_TEXT(canonical("-0.00"), "0");
    CHECK_TEXT(canonical("+1"), "1");
    CHECK_TEXT(canonical(".5"), "0.5");
    CHECK_TEXT(canonical("5."), "5");
    CHECK_TEXT(canonical("-1.50"), "-1.5");
    CHECK_TEXT(canonical("007.250"), "7.25");
    CHECK_TEXT(canonical("1000"), "1000");
}

TAP_TEST(what_is_no_decimal_is_refused)
{
    static const char *const wrong[] = {"",    ".",     "-",        "+",  "1e3", "1E3", "1,000.00",
                                        "NaN", "1.2.3", " 1",       "1 ", "--1", "+-1", "0x10",
                                        "inf", "1_0",   "\xd9\xa1", "-.", "..",  "1-"};
    for (size_t i = 0; i < MU_COUNT(wrong); i++)
        CHECK_TEXT(canonical(wrong[i]), "refused");
    struct mu_decimal d;
    CHECK(!mu_decimal_parse(mu_span("1\0", 2), &d));
}

TAP_TEST(thirty_eight_digits_fit_and_thirty_nine_do_not)
{
    CHECK_TEXT(canonical("99999999999999999999999999999999999999"), "99999999999999999999999999999999999999");
    CHECK_TEXT(canonical("-9.9999999999999999999999999999999999999"),
               "-9.9999999999999999999999999999999999999");
    CHECK_TEXT(canonical("100000000000000000000000000000000000000"), "refused");
    CHECK_TEXT(canonical("0.0000000000000000000000000000000000001"),
               "0.0000000000000000000000000000000000001");
    CHECK_TEXT(canonical("0.00000000000000000000000000000000000001"), "refused");
    /* zeros that say nothing do not count */
    CHECK_TEXT(canonical("00000000000000000000000000000000000000000001.5"), "1.5");
    CHECK_TEXT(canonical("1.500000000000000000000000000000000000000000000000"), "1.5");
    CHECK_TEXT(canonical("99999999999999999999999999999999999999.000"),
               "99999999999999999999999999999999999999");
}

/* A digit more than fits would go beyond 128 bits for some of these, and come out as a small number. */
TAP_TEST(whatever_the_first_digit_is_thirty_nine_do_not_fit)
{
    for (char digit = '1'; digit <= '9'; digit++) {
        char text[96] = "0", want[48];
        memset(text + 1, digit, 39);
        CHECK_TEXT(canonical(text), "refused");
        (void)snprintf(text, sizeof(text), "%c7615.%060d", digit, 0);
        (void)snprintf(want, sizeof(want), "%c7615", digit);
        CHECK_TEXT(canonical(text), want);
    }
}

TAP_TEST(the_scale_is_as_written)
{
    struct mu_decimal d;
    CHECK(mu_decimal_parse(mu_span_of("10.00"), &d) && d.scale == 2);
    CHECK(mu_decimal_parse(mu_span_of("10."), &d) && d.scale == 0);
    CHECK(mu_decimal_parse(mu_span_of("0.500"), &d) && d.scale == 3);
    CHECK(mu_decimal_normal(d).scale == 1);
}

static struct mu_decimal parsed(const char *text)
{
    struct mu_decimal d = {0};
    if (!mu_decimal_parse(mu_span_of(text), &d))
        TAP_FAIL("%s is not read", text);
    return d;
}

static void check_case(const char *op, const char *a, const char *b, const char *want)
{
    struct mu_decimal x = parsed(a), y = parsed(b), result = {0};
    char got[MU_DECIMAL_MAX] = "refused";
    bool done = false;
    if (strcmp(op, "compare") == 0) {
        snprintf(got, sizeof got, "%d", mu_decimal_compare(x, y));
    } else {
        if (strcmp(op, "add") == 0)
            done = mu_decimal_add(x, y, &result);
        else if (strcmp(op, "subtract") == 0)
            done = mu_decimal_subtract(x, y, &result);
        else if (strcmp(op, "multiply") == 0)
            done = mu_decimal_multiply(x, y, &result);
        else if (strcmp(op, "divide") == 0)
            done = mu_decimal_divide(x, y, &result);
        else
            done = mu_decimal_remainder(x, y, &result);
        if (done)
            mu_decimal_format(result, got);
    }
    if (strcmp(got, want) != 0)
        TAP_FAIL("%s %s %s is %s, want %s", op, a, b, got, want);
}

TAP_TEST(division_rounds_half_away_from_zero_at_eighteen_decimals)
{
    check_case("divide", "1", "3", "0.333333333333333333");
    check_case("divide", "2", "3", "0.666666666666666667");
    check_case("divide", "-2", "3", "-0.666666666666666667");
    check_case("divide", "0.0000000000000000005", "1", "0.000000000000000001");
    check_case("divide", "-0.0000000000000000005", "1", "-0.000000000000000001");
    check_case("divide", "0.0000000000000000004999", "1", "0");
    check_case("remainder", "-7", "3", "-1");
    check_case("remainder", "7", "-3", "1");
}

TAP_TEST(arithmetic_agrees_with_exact_fractions)
{
    const char *source = getenv("MUSTER_SOURCE");
    char command[600], line[300];
    if (!source)
        TAP_SKIP("MUSTER_SOURCE is not set");
    snprintf(command, sizeof command, "python3 '%s/tests/unit/decimal_cases.py'", source);
    FILE *cases = popen(command, "r");
    int count = 0;
    while (cases && fgets(line, sizeof line, cases)) {
        char op[16], a[64], b[64], want[64];
        if (sscanf(line, "%15s %63s %63s %63s", op, a, b, want) != 4)
            TAP_FAIL("not a case: %s", line);
        else
            check_case(op, a, b, want);
        count++;
    }
    CHECK(cases && pclose(cases) == 0);
    CHECK_INT(count, 48000);
}

int main(void)
{
    return tap_run();
}
