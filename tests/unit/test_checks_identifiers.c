/* SPDX-License-Identifier: Apache-2.0 */
#include "check_rig.h"

#define PLAIN "{\"column\": \"x\"}"
#define LENIENT "{\"column\": \"x\", \"case\": \"fold\", \"separators\": \"strip\"}"

TAP_TEST(isins)
{
    RIG_CASES("isin", PLAIN, {"US0378331005", "pass"}, {"US0378331006", "fail: check digit 6, expected 5"},
              {"DE000BAY0017", "pass"}, {"GB0002634946", "pass"}, {"XS0000000009", "pass"},
              {"AU0000XVGZA3", "pass"}, {"US037833100", "fail: 11 characters, expected 12"},
              {"", "fail: 0 characters, expected 12"}, {"US03783310050", "fail: 13 characters, expected 12"},
              {"us0378331005", "fail: character 1 is no capital letter or digit"},
              {"US 378331005", "fail: character 3 is no capital letter or digit"},
              {"US037833\xc2\xa0"
               "05",
               "fail: character 9 is no capital letter or digit"},
              {"0S0378331005", "fail: does not begin with two letters"},
              {"US037833100A", "fail: does not end in a check digit"},
              {"ZZ0378331005", "fail: prefix ZZ is not known"}, {"AN8068571086", "pass"},
              {NULL, "not_evaluated"}, {RIG_INVALID, "error: the value is not readable as its type"});
    RIG_CASES("isin", LENIENT, {"us 0378 33100 5", "pass"}, {" US0378331005 ", "pass"},
              {"us0378331004", "fail: check digit 4, expected 5"},
              {"US0378-331005", "fail: 13 characters, expected 12"});
}

TAP_TEST(leis)
{
    RIG_CASES("lei", PLAIN, {"5493000IBP32UQZ0KL24", "pass"}, {"213800KUD8LAJWSQ9D15", "pass"},
              {"5493000IBP32UQZ0KL25", "fail: check digits 25, expected 24"},
              {"213800KUD8LAJWSQ9D1", "fail: 19 characters, expected 20"},
              {"213800KUD8LAJWSQ9DA5", "fail: does not end in two check digits"},
              {"213800kUD8LAJWSQ9D15", "fail: character 7 is no capital letter or digit"},
              {NULL, "not_evaluated"});
    RIG_CASES("lei", LENIENT, {"213800kud8lajwsq9d15", "pass"}, {"2138 00KU D8LA JWSQ 9D15", "pass"});
}

TAP_TEST(ibans)
{
    RIG_CASES("iban", PLAIN, {"DE89370400440532013000", "pass"}, {"GB29NWBK60161331926819", "pass"},
              {"BE68539007547034", "pass"}, {"NO9386011117947", "pass"},
              {"MT84MALT011000012345MTLCAST001S", "pass"},
              {"DE88370400440532013000", "fail: check digits 88, expected 89"},
              {"DE8937040044053201300", "fail: structure: 21 characters, expected 22 for DE"},
              {"DE8937040044053201300A", "fail: structure: character 22 is no digit"},
              {"GB29NWB160161331926819", "fail: structure: character 8 is no letter"},
              {"ZZ89370400440532013000", "fail: country ZZ has no IBAN"},
              {"DE89 3704 0044 0532 0130 00", "fail: character 5 is no capital letter or digit"},
              {"DE8", "fail: structure: does not begin with a country and check digits"},
              {"AX2112345600000785", "fail: country AX has no IBAN"}, {NULL, "not_evaluated"});
    RIG_CASES("iban", LENIENT, {"de89 3704 0044 0532 0130 00", "pass"},
              {"-DE89370400440532013000", "fail: character 1 is no capital letter or digit"});
    RIG_CASES("iban", "{\"column\": \"x\", \"territories\": \"parent\"}", {"FI2112345600000785", "pass"},
              {"AX2112345600000785", "pass"}, {"AX2212345600000785", "fail: check digits 22, expected 21"},
              {"AX211234560000078A", "fail: structure: character 18 is no digit"});
}

TAP_TEST(bics)
{
    RIG_CASES("bic", PLAIN, {"DEUTDEFF", "pass"}, {"DEUTDEFF500", "pass"}, {"E097AEXX", "pass"},
              {"NLPRXKPR", "pass"}, {"DEUTDEF", "fail: 7 characters, expected 8 or 11"},
              {"DEUTDEFF5", "fail: 9 characters, expected 8 or 11"},
              {"DEUTQQFF", "fail: country QQ is not known"},
              {"DEUT1EFF", "fail: characters 5 and 6 are no country"},
              {"DEUTANFF", "fail: country AN is not known"},
              {"deutdeff", "fail: character 1 is no capital letter or digit"}, {NULL, "not_evaluated"});
    RIG_CASES("bic", LENIENT, {"deut de ff 500", "pass"});
}

TAP_TEST(cusips)
{
    RIG_CASES("cusip", PLAIN, {"037833100", "pass"}, {"DUS0421C5", "pass"}, {"38259P508", "pass"},
              {"037833101", "fail: check digit 1, expected 0"},
              {"03783310", "fail: 8 characters, expected 9"},
              {"03783310A", "fail: does not end in a check digit"},
              {"99999*991", "fail: check digit 1, expected 8"},
              {"0378 3100", "fail: character 5 is no capital letter, digit, '*', '@' or '#'"},
              {NULL, "not_evaluated"});
    RIG_CASES("cusip", LENIENT, {"dus 0421c5", "pass"});
}

TAP_TEST(sedols)
{
    RIG_CASES("sedol", PLAIN, {"B15KXQ8", "pass"}, {"0263494", "pass"}, {"B0YBKJ7", "pass"},
              {"B15KXQ9", "fail: check digit 9, expected 8"},
              {"A15KXQ8", "fail: character 1 is no capital consonant or digit"},
              {"B15EXQ8", "fail: character 4 is no capital consonant or digit"},
              {"026B494", "fail: begins with a digit, but character 4 is a letter"},
              {"026349", "fail: 6 characters, expected 7"},
              {"B15KXQB", "fail: does not end in a check digit"}, {NULL, "not_evaluated"});
}

TAP_TEST(figis)
{
    RIG_CASES("figi", PLAIN, {"BBG000BLNQ16", "pass"}, {"NRG92C84SB39", "pass"},
              {"BBG000BLNQ14", "fail: check digit 4, expected 6"},
              {"BBG000BLNQ1", "fail: 11 characters, expected 12"},
              {"BBG000BLAQ16", "fail: character 9 is no capital consonant or digit"},
              {"GBG000BLNQ16", "fail: prefix GB is not given to any FIGI"},
              {"KYG000BLNQ16", "fail: prefix KY is not given to any FIGI"},
              {"BBH000BLNQ16", "fail: character 3 is not G"},
              {"B1G000BLNQ16", "fail: does not begin with two letters"},
              {"BBG000BLNQ1B", "fail: does not end in a check digit"}, {NULL, "not_evaluated"});
}

TAP_TEST(cfis)
{
    RIG_CASES("cfi", PLAIN, {"ESVUFR", "pass"}, {"ESXXXX", "pass"}, {"OCASPS", "pass"}, {"KCXXXX", "pass"},
              {"ESVUF", "fail: 5 characters, expected 6"},
              {"ESVUF1", "fail: character 6 is no capital letter"},
              {"ASVUFR", "fail: category A is not known"}, {"EAVUFR", "fail: category E has no group A"},
              {"ESQUFR", "fail: attribute 1 of group ES cannot be Q"},
              {"KCAXXX", "fail: attribute 1 of group KC cannot be A"}, {NULL, "not_evaluated"});
    RIG_CASES("cfi", LENIENT, {"esvufr", "pass"});
}

static const char *on_day(const char *check, const char *params, const char *as_of, const char *value)
{
    static char got[RIG_TEXT];
    struct rig r;
    if (!rig_open(&r, check, "x", params, as_of))
        TAP_FAIL("%s: %s", check, r.err.text);
    snprintf(got, sizeof got, "%s", r.state ? rig_value(&r, value) : "refused");
    rig_close(&r);
    return got;
}

TAP_TEST(market_identifiers)
{
    RIG_CASES("mic", PLAIN, {"XLON", "pass"}, {"XTKS", "pass"}, {"XOFF", "pass"},
              {"XMCE", "fail: expired on 2018-02-26"}, {"xlon", "fail: not in the list mic@2025.10.0"},
              {"QQQQ", "fail: not in the list mic@2025.10.0"}, {NULL, "not_evaluated"});
    CHECK_TEXT(on_day("mic", PLAIN, "2018-02-25", "XMCE"), "pass");
    CHECK_TEXT(on_day("mic", PLAIN, "2018-02-26", "XMCE"), "fail: expired on 2018-02-26");
    CHECK_TEXT(on_day("mic", "{\"column\": \"x\", \"on\": \"2018-02-25\"}", "2026-01-01", "XMCE"), "pass");
}

TAP_TEST(a_segment_needs_a_listed_operator_and_the_day_may_stand_in_the_record)
{
    struct mu_list_data *list = NULL;
    struct mu_error err = {0};
    struct rig r;
    CHECK(mu_list_parse(&list,
                        mu_span_of("# muster-list 1 own 1 key=mic\nmic,operating,status,expiry\n"
                                   "AAAA,AAAA,UPDATED,\nBBBB,GONE,ACTIVE,\nCCCC,AAAA,EXPIRED,2020-05-01\n"),
                        &err));
    rig_add_list("mine", list);
    CHECK(rig_open(&r, "mic", "x day", "{\"column\": \"x\", \"registry\": \"mine\", \"on\": \"day\"}",
                   "2026-11-24"));
    CHECK_TEXT(rig_record(&r, (const char *[]){"AAAA", NULL}), "pass");
    CHECK_TEXT(rig_record(&r, (const char *[]){"BBBB", NULL}),
               "fail: its operating market is not in the list own@1");
    CHECK_TEXT(rig_record(&r, (const char *[]){"CCCC", NULL}), "not_evaluated");
    CHECK_TEXT(rig_record(&r, (const char *[]){"CCCC", "2020-04-30"}), "pass");
    CHECK_TEXT(rig_record(&r, (const char *[]){"CCCC", "2020-05-01"}), "fail: expired on 2020-05-01");
    CHECK_TEXT(rig_record(&r, (const char *[]){"CCCC", "01/05/2020"}),
               "error: the day of the record is no date");
    rig_close(&r);
}

TAP_TEST(currencies_and_countries)
{
    struct rig r;
    CHECK_TEXT(on_day("currency", PLAIN, "2026-11-24", "EUR"), "pass");
    CHECK_TEXT(on_day("currency", PLAIN, "2026-11-24", "XXX"), "pass");
    CHECK(strncmp(on_day("currency", PLAIN, "2026-11-24", "GBp"), "fail: not in the list iso4217@", 30) == 0);
    CHECK(strncmp(on_day("currency", PLAIN, "2026-11-24", "DEM"), "fail: not in force on that day", 30) == 0);
    CHECK_TEXT(on_day("currency", PLAIN, "2002-02-28", "DEM"), "pass");
    CHECK(strncmp(on_day("currency", PLAIN, "2002-03-01", "DEM"), "fail: not in force", 18) == 0);
    CHECK(strncmp(on_day("currency", PLAIN, "2025-03-30", "XCG"), "fail: not in force", 18) == 0);
    CHECK_TEXT(on_day("currency", PLAIN, "2025-03-31", "XCG"), "pass");
    CHECK_TEXT(on_day("currency", LENIENT, "2026-11-24", "eur"), "pass");
    CHECK_TEXT(on_day("country", PLAIN, "2026-11-24", "NA"), "pass");
    CHECK(strncmp(on_day("country", PLAIN, "2026-11-24", "UK"), "fail: not in the list iso3166@", 30) == 0);
    CHECK(strncmp(on_day("country", PLAIN, "2026-11-24", "AN"), "fail: not in force", 18) == 0);
    CHECK_TEXT(on_day("country", PLAIN, "2010-12-14", "AN"), "pass");
    CHECK_TEXT(on_day("country", PLAIN, "2026-11-24", "AI"), "pass");

    CHECK(rig_open(&r, "currency", "ccy amount", "{\"column\": \"ccy\", \"amount\": \"amount\"}",
                   "2026-11-24"));
    CHECK_TEXT(rig_record(&r, (const char *[]){"EUR", "10.00"}), "pass");
    CHECK_TEXT(rig_record(&r, (const char *[]){"EUR", "10.001"}),
               "fail: an amount with 3 decimals, the currency has 2");
    CHECK_TEXT(rig_record(&r, (const char *[]){"JPY", "10.0"}),
               "fail: an amount with 1 decimals, the currency has 0");
    CHECK_TEXT(rig_record(&r, (const char *[]){"JPY", "10"}), "pass");
    CHECK_TEXT(rig_record(&r, (const char *[]){"BHD", "10.001"}), "pass");
    CHECK_TEXT(rig_record(&r, (const char *[]){"XAU", "10.00123"}), "pass");
    CHECK_TEXT(rig_record(&r, (const char *[]){"EUR", NULL}), "not_evaluated");
    CHECK_TEXT(rig_record(&r, (const char *[]){NULL, "1"}), "not_evaluated");
    CHECK_TEXT(rig_record(&r, (const char *[]){"EUR", "1e3"}), "error: the amount is no decimal number");
    rig_close(&r);
}

TAP_TEST(wrong_parameters_are_refused_with_their_place)
{
    CHECK_TEXT(rig_refusal("isin", "x", "{}"),
               "/column parameter column is missing: it names a column of the pack");
    CHECK_TEXT(rig_refusal("isin", "x", "{\"column\": \"y\"}"), "/column the pack has no column y");
    CHECK_TEXT(rig_refusal("isin", "x", "{\"column\": null}"), "/column parameter column is to be a text, found null");
    CHECK_TEXT(rig_refusal("isin", "x", "{\"column\": \"x\", \"colour\": 1}"),
               "/colour parameter colour is not known to this check; known are column, case, separators, registry");
    CHECK_TEXT(rig_refusal("isin", "x", "{\"column\": \"x\", \"a/b~c\": 1}"),
               "/a~1b~0c parameter a/b~c is not known to this check; known are column, case, separators, registry");
    CHECK_TEXT(rig_refusal("lei", "x", "{\"column\": \"x\", \"case\": \"upper\"}"),
               "/case parameter case is to be one of strict, fold; found \"upper\"");
    CHECK_TEXT(rig_refusal("lei", "x", "{\"column\": \"x\", \"registry\": \"isin\"}"),
               "/registry parameter registry is not known to this check; known are column, case, separators");
    CHECK_TEXT(rig_refusal("iban", "x", "{\"column\": \"x\", \"territories\": true}"),
               "/territories parameter territories is to be a text, found true");
    CHECK_TEXT(rig_refusal("bic", "x", "{\"column\": \"x\", \"registry\": \"nowhere\"}"),
               "/registry the pack names no list nowhere, which this check looks into");
    CHECK(strncmp(rig_refusal("mic", "x", "{\"column\": \"x\", \"registry\": \"country\"}"),
                  "/registry the list iso3166@", 27) == 0);
    CHECK(strncmp(rig_refusal("isin", "x", "{\"column\": \"x\", \"registry\": \"currency\"}"),
                  "/registry list iso4217@", 23) == 0);
    CHECK_TEXT(rig_refusal("mic", "x", "{\"column\": \"x\", \"on\": \"2026-02-30\"}"),
               "/on 2026-02-30 is neither a date nor a column of the pack");
    CHECK_TEXT(rig_refusal("currency", "x", "{\"column\": \"x\", \"amount\": \"y\"}"),
               "/amount the pack has no column y");
    CHECK_TEXT(rig_refusal("iban", "x", "{\"column\": \"x\", \"registry\": \"iban\"}"), "accepted");
}

int main(void)
{
    rig_load_lists();
    int status = tap_run();
    rig_free_lists();
    return status;
}
