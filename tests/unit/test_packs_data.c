/* SPDX-License-Identifier: Apache-2.0 */
/* The shipped packs as a worker runs them: over public files with the numbers that were counted elsewhere,
 * and over single records in the message. MUSTER_TEST_DATA says where the files are; they are no part of the
 * tree. */
#include "run_rig.h"

struct want {
    const char *rule;
    int pass, fail, not_evaluated;
};

static void shipped_pack(const char *name, struct mu_text *out)
{
    char path[600];
    const char *source = getenv("MUSTER_SOURCE");
    snprintf(path, sizeof path, "%s/workers/packs/%s.json", source ? source : ".", name);
    if (!rig_slurp(path, out))
        TAP_FAIL("%s cannot be read", path);
}

static bool data_file(const char *name, struct mu_text *out)
{
    char path[700];
    const char *given = getenv("MUSTER_TEST_DATA"), *source = getenv("MUSTER_SOURCE");
    if (given)
        snprintf(path, sizeof path, "%s/%s", given, name);
    else
        snprintf(path, sizeof path, "%s/../shared/data/%s", source ? source : ".", name);
    return rig_slurp(path, out);
}

static void run_over(const char *pack, const char *source, struct mu_span bytes, struct mu_text *summary)
{
    struct rig rig;
    struct mu_error err = {0};
    MU_AUTO(mu_text_free) struct mu_text document = MU_TEXT(0);
    MU_AUTO(mu_text_free) struct mu_text findings = MU_TEXT(0);
    shipped_pack(pack, &document);
    if (!rig_open(&rig, mu_text_span(&document).at, source, &err))
        TAP_FAIL("%s: %s %s", pack, err.pointer, err.text);
    else
        rig_run(&rig, bytes, 65536, &findings, summary);
    rig_close(&rig);
}

static void expect(const char *summary, const char *what, const char *head, const struct want *wants,
                   size_t count)
{
    char line[200];
    if (strncmp(summary, head, strlen(head)) != 0)
        TAP_FAIL("%s: %.120s, want %s", what, summary, head);
    for (size_t i = 0; i < count; i++) {
        const char *at = strstr(summary, wants[i].rule), *counts = at ? strstr(at, " p") : NULL;
        snprintf(line, sizeof line, " p%d w0 f%d e0 n%d o0", wants[i].pass, wants[i].fail,
                 wants[i].not_evaluated);
        if (!counts || strncmp(counts, line, strlen(line)) != 0)
            TAP_FAIL("%s, %s: %.60s, want%s", what, wants[i].rule, counts ? counts : "no such rule", line);
    }
}

static void run_file(const char *pack, const char *name, const char *head, const struct want *wants,
                     size_t count)
{
    MU_AUTO(mu_text_free) struct mu_text bytes = MU_TEXT(0);
    MU_AUTO(mu_text_free) struct mu_text summary = MU_TEXT(0);
    char source[200];
    if (!data_file(name, &bytes))
        TAP_SKIP("the folder of test data is not there (MUSTER_TEST_DATA)");
    snprintf(source, sizeof source, "{\"uri\": \"file:%s\", \"name\": \"instruments\", \"format\": \"csv\"}",
             name);
    run_over(pack, source, mu_text_span(&bytes), &summary);
    expect(mu_text_span(&summary).at, name, head, wants, count);
}
#define RUN_FILE(pack, name, head, ...)                                                                      \
    run_file(pack, name, head, (const struct want[]){__VA_ARGS__},                                           \
             MU_COUNT(((const struct want[]){__VA_ARGS__})))

TAP_TEST(identifiers_of_london_are_valid_as_counted)
{
    RUN_FILE("identifiers@1.0.0", "financedatabase_equities_LSE.csv", "result 0 records 3391 bad 0",
             {"ID.ISIN ", 1016, 0, 2375}, {"ID.CUSIP ", 587, 0, 2804}, {"ID.FIGI ", 759, 0, 2632},
             {"ID.FIGI.COMPOSITE ", 851, 0, 2540}, {"ID.FIGI.SHARECLASS ", 2023, 0, 1368},
             {"ID.CCY ", 3364, 0, 27}, {"ID.MIC ", 3391, 0, 0}, {"ID.LEI ", 0, 0, 3391},
             {"ID.COUNTRY ", 0, 0, 3391});
}

TAP_TEST(identifiers_of_paris_are_valid_as_counted)
{
    RUN_FILE("identifiers@1.0.0", "financedatabase_equities_PAR.csv", "result 0 records 976 bad 0",
             {"ID.ISIN ", 245, 0, 731}, {"ID.CUSIP ", 39, 0, 937}, {"ID.FIGI ", 530, 0, 446},
             {"ID.FIGI.COMPOSITE ", 536, 0, 440}, {"ID.FIGI.SHARECLASS ", 542, 0, 434},
             {"ID.CCY ", 960, 0, 16}, {"ID.MIC ", 976, 0, 0});
}

TAP_TEST(identifiers_of_funds_are_valid_as_counted)
{
    RUN_FILE("identifiers@1.0.0", "financedatabase_etfs_LSE.csv", "result 0 records 2068 bad 0",
             {"ID.ISIN ", 1478, 0, 590}, {"ID.CUSIP ", 0, 0, 2068});
}

TAP_TEST(the_securities_master_finds_the_missing_names_and_currencies)
{
    RUN_FILE("securities-master@1.0.0", "financedatabase_equities_LSE.csv", "result 2 records 3391 bad 0",
             {"SM.SYMBOL.GIVEN ", 3391, 0, 0}, {"SM.SYMBOL.FORM ", 3391, 0, 0},
             {"SM.NAME.GIVEN ", 3337, 54, 0}, {"SM.NAME.LENGTH ", 3337, 0, 54},
             {"SM.CCY.GIVEN ", 3364, 27, 0}, {"SM.CCY ", 3364, 0, 27}, {"SM.MIC ", 3391, 0, 0},
             {"SM.CAP ", 1729, 0, 1662}, {"SM.DELISTED ", 3391, 0, 0}, {"SM.LOT ", 0, 0, 3391},
             {"SM.ISIN ", 1016, 0, 2375});
    RUN_FILE("securities-master@1.0.0", "financedatabase_equities_PAR.csv", "result 2 records 976 bad 0",
             {"SM.NAME.GIVEN ", 974, 2, 0}, {"SM.CCY.GIVEN ", 960, 16, 0}, {"SM.CAP ", 784, 0, 192});
}

static void records(const char *bytes, const char *head, struct want want)
{
    MU_AUTO(mu_text_free) struct mu_text summary = MU_TEXT(0);
    run_over("identifiers@1.0.0", NULL, mu_span_of(bytes), &summary);
    expect(mu_text_span(&summary).at, bytes, head, &want, 1);
}

TAP_TEST(a_record_in_the_message_passes_or_fails_by_what_it_has)
{
    records("[{\"isin\":\"US0378331005\"}]", "result 0 records 1", (struct want){"ID.ISIN ", 1, 0, 0});
    records("[{\"isin\":\"US0378331006\"}]", "result 2 records 1", (struct want){"ID.ISIN ", 0, 1, 0});
    records("[{\"isin\":null}]", "result 3 records 1", (struct want){"ID.ISIN ", 0, 0, 1});
    records("[{\"isin\":\"US0378331005\",\"lei\":\"x\"}]", "result 2 records 1",
            (struct want){"ID.LEI ", 0, 1, 0});
}

int main(void)
{
    return tap_run();
}
