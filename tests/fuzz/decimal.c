/* SPDX-License-Identifier: Apache-2.0 */
/* Two decimals and a number of places, in three lines of text: every operation comes to what it comes to on
 * paper, or is refused exactly where that does not fit into 38 digits. */
#include "fuzz.h"
#include "schoolbook.h"

#include "base/decimal.h"

static struct paper paper_of(struct mu_decimal d)
{
    char text[MU_DECIMAL_MAX];
    struct paper p;
    mu_decimal_format(d, text);
    FUZZ_HOLDS(paper_read(mu_span_of(text), &p), "%s is no decimal", text);
    return p;
}

static bool fits(const struct paper *p)
{
    return paper_places(p) <= 37 && paper_digits(p) <= 38;
}

/* What came of an operation is `want`, or was refused if that does not fit. */
static void check(bool done, struct mu_decimal got, struct paper want, const char *what)
{
    FUZZ_HOLDS(done == fits(&want), "%s is %s", what, done ? "taken, and does not fit" : "refused, and fits");
    if (!done)
        return;
    const struct paper p = paper_of(got);
    FUZZ_HOLDS(got.scale >= 0 && got.scale <= 37, "%s has %d places", what, got.scale);
    FUZZ_HOLDS(paper_compare(&p, &want) == 0, "%s is wrong", what);
}

/* Reads one operand and checks all that concerns it alone. */
static bool operand(struct mu_span text, struct mu_decimal *d)
{
    struct paper p;
    char once[MU_DECIMAL_MAX], twice[MU_DECIMAL_MAX];
    struct mu_decimal again;
    if (!mu_decimal_parse(text, d)) {
        FUZZ_HOLDS(!paper_read(text, &p) || !fits(&p), "\"%.*s\" is refused", FUZZ_SHOW(text));
        return false;
    }
    if (paper_read(text, &p))
        check(true, *d, p, "what was read");
    mu_decimal_format(*d, once);
    FUZZ_HOLDS(mu_decimal_parse(mu_span_of(once), &again), "the canonical form \"%s\" is refused", once);
    mu_decimal_format(again, twice);
    FUZZ_HOLDS(strcmp(once, twice) == 0 && mu_decimal_compare(*d, again) == 0, "\"%s\" comes back as \"%s\"",
               once, twice);
    const struct mu_decimal normal = mu_decimal_normal(*d);
    FUZZ_HOLDS(mu_decimal_compare(normal, *d) == 0 && normal.coefficient == again.coefficient &&
                   normal.scale == again.scale,
               "the normal form of \"%s\"", once);
    FUZZ_HOLDS(strcmp(once, "-0") != 0, "minus zero");
    return true;
}

static void check_quotient(struct mu_decimal a, struct mu_decimal b)
{
    struct mu_decimal got = {0};
    struct paper rest;
    const struct paper x = paper_of(a), y = paper_of(b);
    const bool divided = mu_decimal_divide(a, b, &got);
    if (paper_is_zero(&y)) {
        FUZZ_HOLDS(!divided && !mu_decimal_remainder(a, b, &got), "a division by zero");
        return;
    }
    check(divided, got, paper_round(paper_divide(x, y, 20, &rest), 18), "a / b");
    (void)paper_divide(x, y, 0, &rest);
    const bool done = mu_decimal_remainder(a, b, &got);
    check(done, got, rest, "a % b");
}

static void check_both(struct mu_decimal a, struct mu_decimal b)
{
    struct mu_decimal got = {0}, back = {0};
    const struct paper x = paper_of(a), y = paper_of(b);
    struct paper minus_y = y;
    minus_y.negative = !y.negative;
    FUZZ_HOLDS(mu_decimal_compare(a, b) == paper_compare(&x, &y), "a against b");
    FUZZ_HOLDS(mu_decimal_compare(b, a) == -mu_decimal_compare(a, b), "b against a");
    bool done = mu_decimal_add(a, b, &got);
    check(done, got, paper_add(x, y), "a + b");
    if (done && mu_decimal_subtract(got, b, &back))
        FUZZ_HOLDS(mu_decimal_compare(back, a) == 0, "a + b - b is not a");
    done = mu_decimal_subtract(a, b, &got);
    check(done, got, paper_add(x, minus_y), "a - b");
    done = mu_decimal_multiply(a, b, &got);
    check(done, got, paper_multiply(x, y), "a * b");
    check_quotient(a, b);
    check_quotient(b, a);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mu_span lines[3] = {{0}}, rest = mu_span((const char *)data, size);
    struct mu_decimal a, b;
    for (size_t i = 0; i < MU_COUNT(lines); i++) {
        const char *end = rest.len ? memchr(rest.at, '\n', rest.len) : NULL;
        lines[i] = mu_span(rest.at, end ? (size_t)(end - rest.at) : rest.len);
        rest = end ? mu_span(end + 1, rest.len - lines[i].len - 1) : mu_span("", 0);
    }
    const bool first = operand(lines[0], &a), second = operand(lines[1], &b);
    if (first) {
        const int places = lines[2].len ? (uint8_t)lines[2].at[0] % 38 : 2;
        check(true, mu_decimal_round(a, places), paper_round(paper_of(a), places), "round(a)");
        check_both(a, a);
    }
    if (first && second)
        check_both(a, b);
    return 0;
}

const char *fuzz_make(size_t index, struct mu_text *out)
{
    if (index > 0)
        return NULL;
    for (int i = 0; i < 200000; i++)
        mu_text_puts(out, i == 100000 ? "." : "0");
    return "a hundred thousand zeros on both sides of the point";
}
