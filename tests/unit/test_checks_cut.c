/* SPDX-License-Identifier: Apache-2.0 */
/* What every check must keep, so that a task may be cut and resumed anywhere: run(0..n) = save and restore at
 * k and go on = merge(run(0..k), run(k..n)), in verdicts and in saved bytes. */
#include "check_rig.h"

#define RECORDS_MAX 12

struct sample {
    const char *check, *columns, *params;
    const char *records[RECORDS_MAX][3]; /* ends with a record whose first value is "end" */
};

static const struct sample samples[] = {
    {"bic",
     "x",
     "{\"column\": \"x\"}",
     {{"DEUTDEFF"}, {"DEUTQQFF"}, {NULL}, {"DEUTDEFF500"}, {"x"}, {"end"}}},
    {"cfi", "x", "{\"column\": \"x\"}", {{"ESVUFR"}, {"ESQUFR"}, {NULL}, {"OCASPS"}, {"end"}}},
    {"compare",
     "a b",
     "{\"column\": \"a\", \"op\": \"<\", \"other\": \"b\", \"type\": \"decimal\"}",
     {{"1", "2"}, {"2", "1"}, {NULL, "1"}, {"1", "x"}, {"-1", "1.5"}, {"end"}}},
    {"country", "x", "{\"column\": \"x\"}", {{"DE"}, {"AN"}, {"UK"}, {NULL}, {"NA"}, {"end"}}},
    {"currency",
     "x a",
     "{\"column\": \"x\", \"amount\": \"a\"}",
     {{"EUR", "1.00"}, {"EUR", "1.001"}, {"DEM", "1"}, {NULL, "1"}, {"EUR", NULL}, {"JPY", "z"}, {"end"}}},
    {"cusip",
     "x",
     "{\"column\": \"x\"}",
     {{"037833100"}, {"037833101"}, {NULL}, {"x"}, {"38259P508"}, {"end"}}},
    {"figi",
     "x",
     "{\"column\": \"x\"}",
     {{"BBG000BLNQ16"}, {"BBG000BLNQ14"}, {NULL}, {"NRG92C84SB39"}, {"end"}}},
    {"iban",
     "x",
     "{\"column\": \"x\", \"separators\": \"strip\"}",
     {{"DE89 3704 0044 0532 0130 00"}, {"DE88370400440532013000"}, {NULL}, {"ZZ"}, {RIG_INVALID}, {"end"}}},
    {"in_set",
     "x",
     "{\"column\": \"x\", \"values\": [\"a\", \"b\"]}",
     {{"a"}, {"c"}, {NULL}, {"b"}, {"end"}}},
    {"isin",
     "x",
     "{\"column\": \"x\"}",
     {{"US0378331005"}, {"US0378331006"}, {NULL}, {"XS0000000009"}, {"end"}}},
    {"lei",
     "x",
     "{\"column\": \"x\"}",
     {{"5493000IBP32UQZ0KL24"}, {"5493000IBP32UQZ0KL25"}, {NULL}, {"x"}, {"end"}}},
    {"length", "x", "{\"column\": \"x\", \"max\": 2}", {{"ab"}, {"abc"}, {NULL}, {"\xff"}, {"end"}}},
    {"mic", "x", "{\"column\": \"x\"}", {{"XLON"}, {"XMCE"}, {NULL}, {"QQQQ"}, {"XPAR"}, {"end"}}},
    {"not_null", "x", "{\"column\": \"x\"}", {{"a"}, {NULL}, {RIG_INVALID}, {"b"}, {"end"}}},
    {"range", "x", "{\"column\": \"x\", \"min\": \"1\"}", {{"1"}, {"0"}, {NULL}, {"z"}, {"2"}, {"end"}}},
    {"regex",
     "x",
     "{\"column\": \"x\", \"pattern\": \"(a|b)*c\"}",
     {{"abc"}, {"ab"}, {NULL}, {"abababababababababababababababababc"}, {"c"}, {"\xff"}, {"end"}}},
    {"sedol", "x", "{\"column\": \"x\"}", {{"B15KXQ8"}, {"B15KXQ9"}, {NULL}, {"0263494"}, {"end"}}},
    {"uti", "x", "{\"column\": \"x\"}", {{"5493001KJTIIGC8Y1R12ABC"}, {"5493001KJTIIGC8Y1R13ABC"}, {NULL}, {"A-B"}, {"end"}}},
};

static size_t record_count(const struct sample *s)
{
    size_t n = 0;
    while (!s->records[n][0] || strcmp(s->records[n][0], "end") != 0)
        n++;
    return n;
}

static void *begin(struct rig *r)
{
    void *state = NULL;
    if (!r->check->begin(&state, &r->env, r->conf, &r->err))
        TAP_FAIL("%s: begin: %s", r->check->name, r->err.text);
    return state;
}

static void run(struct rig *r, void *state, const struct sample *s, size_t from, size_t to,
                struct mu_text *verdicts)
{
    for (size_t i = from; i < to; i++)
        mu_text_addf(verdicts, "%zu %s\n", i, rig_record_in(r, state, s->records[i]));
}

static void save(struct rig *r, const void *state, struct mu_text *out)
{
    if (!r->check->save(state, out, &r->err))
        TAP_FAIL("%s: save: %s", r->check->name, r->err.text);
}

static void check_cut(struct rig *r, const struct sample *s, size_t n, size_t k, struct mu_span verdicts,
                      struct mu_span saved)
{
    MU_AUTO(mu_text_free) struct mu_text got = MU_TEXT(0);
    MU_AUTO(mu_text_free) struct mu_text middle = MU_TEXT(0);
    MU_AUTO(mu_text_free) struct mu_text end = MU_TEXT(0);
    MU_AUTO(mu_text_free) struct mu_text merged = MU_TEXT(0);
    void *first = begin(r), *resumed = begin(r), *second = begin(r);

    run(r, first, s, 0, k, &got);
    save(r, first, &middle);
    if (!r->check->restore(resumed, mu_text_span(&middle), &r->err))
        TAP_FAIL("%s: restore at %zu: %s", s->check, k, r->err.text);
    run(r, resumed, s, k, n, &got);
    save(r, resumed, &end);
    CHECK_SPAN(mu_text_span(&got), verdicts);
    CHECK_SPAN(mu_text_span(&end), saved);

    if (!r->check->merge)
        return;
    mu_text_reset(&got);
    run(r, second, s, k, n, &got);
    if (!r->check->merge(first, second, &r->err))
        TAP_FAIL("%s: merge at %zu: %s", s->check, k, r->err.text);
    save(r, first, &merged);
    CHECK_SPAN(mu_text_span(&merged), saved);
}

TAP_TEST(every_check_may_be_cut_saved_restored_and_merged_at_every_record)
{
    for (size_t i = 0; mu_check_at(i); i++) {
        const char *name = mu_check_at(i)->name;
        const struct sample *s = NULL;
        for (size_t j = 0; j < MU_COUNT(samples); j++)
            s = strcmp(samples[j].check, name) == 0 ? &samples[j] : s;
        struct rig r;
        if (!s) {
            TAP_FAIL("no sample for the check %s", name);
            continue;
        }
        if (!rig_open(&r, name, s->columns, s->params, "2026-11-24"))
            TAP_FAIL("%s: %s %s", name, r.err.pointer, r.err.text);
        MU_AUTO(mu_text_free) struct mu_text verdicts = MU_TEXT(0);
        MU_AUTO(mu_text_free) struct mu_text saved = MU_TEXT(0);
        size_t n = record_count(s);
        void *whole = r.state ? begin(&r) : NULL;
        if (whole) {
            run(&r, whole, s, 0, n, &verdicts);
            save(&r, whole, &saved);
            for (size_t k = 0; k <= n; k++)
                check_cut(&r, s, n, k, mu_text_span(&verdicts), mu_text_span(&saved));
            CHECK(r.check->finish(whole, &r.sink, &r.err));
        }
        rig_close(&r);
    }
}

TAP_TEST(checks_are_found_by_name_in_alphabetical_order)
{
    const struct mu_check *before = NULL, *check;
    size_t i = 0;
    for (; (check = mu_check_at(i)); i++) {
        CHECK(mu_check_find(mu_span_of(check->name)) == check);
        CHECK(!before || strcmp(before->name, check->name) < 0);
        CHECK(check->title[0] && check->version == 1 && check->shape == MU_SHAPE_MAP);
        before = check;
    }
    CHECK_INT(i, 18);
    CHECK(!mu_check_find(mu_span_of("isi")) && !mu_check_find(mu_span_of("isinn")) &&
          !mu_check_find(mu_span("", 0)));
}

TAP_TEST(a_saved_form_that_is_not_its_own_is_refused)
{
    struct rig r;
    CHECK(rig_open(&r, "lei", "x", "{\"column\": \"x\"}", "2026-11-24"));
    CHECK(!r.check->restore(r.state, mu_span_of("{}"), &r.err));
    CHECK_INT(r.err.fault, MU_REJECTED);
    rig_close(&r);
}

TAP_TEST(a_pool_that_runs_out_is_a_fault_and_no_crash)
{
    for (size_t i = 0; i < MU_COUNT(samples); i++) {
        for (size_t ceiling = 0; ceiling < 6000; ceiling += 64) {
            struct rig r;
            rig_open(&r, samples[i].check, samples[i].columns, samples[i].params, "2026-11-24");
            mu_pool_free(r.env.pool);
            r.env.pool = mu_pool_new(ceiling);
            r.err = (struct mu_error){0};
            bool good = r.check->configure(&r.conf, &r.env, r.params, &r.err) &&
                        r.check->begin(&r.state, &r.env, r.conf, &r.err);
            if (!good && r.err.fault != MU_BROKEN)
                TAP_FAIL("%s with %zu bytes: %s", samples[i].check, ceiling, r.err.text);
            rig_close(&r);
        }
    }
}

/* Bytes of all kinds, with a liking for those that identifiers are made of. */
static size_t random_value(uint64_t *seed, const char *good, char out[200])
{
    static const char often[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ -.*@#az";
    size_t len = 0;
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    unsigned kind = (unsigned)(*seed >> 60);
    size_t want = kind == 0 ? 199 : (size_t)(*seed >> 40) % 40;
    if (kind > 8 && good) {
        len = strlen(good) < 190 ? strlen(good) : 190;
        memcpy(out, good, len);
        want = len;
    }
    for (size_t i = 0; i < want; i++) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        if (i < len && (*seed >> 33) % 8 != 0)
            continue;
        out[i] = kind < 3 ? (char)(*seed >> 50) : often[(*seed >> 33) % (sizeof often - 1)];
    }
    return want;
}

TAP_TEST(any_bytes_get_one_verdict)
{
    uint64_t seed = 1;
    for (size_t i = 0; i < MU_COUNT(samples); i++) {
        const struct sample *s = &samples[i];
        struct rig r;
        CHECK(rig_open(&r, s->check, s->columns, s->params, "2026-11-24"));
        for (int k = 0; r.state && k < 20000; k++) {
            char text[RIG_COLUMNS][200];
            struct mu_value value[RIG_COLUMNS];
            for (size_t c = 0; c < r.column_count; c++)
                value[c] = (struct mu_value){
                    MU_VALUE_TEXT, mu_span(text[c], random_value(&seed, s->records[0][c], text[c]))};
            struct mu_record rec = {.values = value, .count = r.column_count};
            r.verdicts = 0;
            if (!r.check->record(r.state, &rec, &r.sink, &r.err) || r.verdicts != 1)
                TAP_FAIL("%s: %d verdicts, %s", s->check, r.verdicts, r.err.text);
        }
        rig_close(&r);
    }
}

int main(void)
{
    rig_load_lists();
    int status = tap_run();
    rig_free_lists();
    return status;
}
