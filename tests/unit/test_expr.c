/* SPDX-License-Identifier: Apache-2.0 */
/* The language of rules: what expressions come to. Expected values are worked out by hand from CHECKS.md part 4. */
#include "expr_rig.h"

TAP_TEST(operators_bind_as_the_grammar_says)
{
    RIG_CASES({"1 + 2 * 3", "7"}, {"(1 + 2) * 3", "9"}, {"10 - 4 - 3", "3"}, {"2 * 3 % 4", "2"}, {"- 2 * 3", "-6"},
              {"--2", "2"}, {"not true or true", "true"}, {"not (true or true)", "false"},
              {"true or false and false", "true"}, {"1 + 1 = 2 and 'a' || 'b' = 'ab'", "true"},
              {"not 1 = 2", "true"}, {"1 in (2, 1)", "true"}, {"1 not in (2, 3)", "true"},
              {"not 1 in (1)", "false"}, {"1<2", "true"}, {"2>=2.0", "true"}, {"'it''s'", "it's"},
              {"\t1\n+\r 1 ", "2"});
}

TAP_TEST(truth_has_three_values_and_invalid_besides)
{
    RIG_CASES({"true and no_b", "missing"}, {"false and no_b", "false"}, {"no_b and false", "false"},
              {"bad_b and false", "false"}, {"bad_b and no_b", "invalid"}, {"no_b and bad_b", "invalid"},
              {"true or no_b", "true"}, {"no_b or true", "true"}, {"bad_b or true", "true"},
              {"false or no_b", "missing"}, {"no_b or bad_b", "invalid"}, {"not no_b", "missing"},
              {"not bad_b", "invalid"}, {"no_b", "missing"}, {"bad_b", "invalid"}, {"b", "true"});
}

TAP_TEST(an_invalid_operand_makes_the_result_invalid_else_a_missing_one_missing)
{
    RIG_CASES({"n + no_n", "missing"}, {"bad_n + no_n", "invalid"}, {"no_n + bad_n", "invalid"}, {"n = no_n", "missing"},
              {"n in (no_n, 12.5)", "missing"}, {"n in (bad_n, 12.5)", "invalid"}, {"least(n, no_n)", "missing"},
              {"no_t || 'x'", "missing"}, {"upper(no_t)", "missing"}, {"matches(no_t, 'x')", "missing"},
              {"is_missing(no_n)", "true"}, {"is_missing(bad_n)", "false"}, {"is_invalid(bad_n)", "true"},
              {"is_invalid(no_n)", "false"}, {"is_missing(missing)", "true"}, {"missing = 'x'", "missing"},
              {"coalesce(no_n, missing, n)", "12.5"}, {"coalesce(bad_n, n)", "invalid"}, {"coalesce(no_n)", "missing"},
              {"if(no_b, 1, 2)", "missing"}, {"if(bad_b, 1, 2)", "invalid"}, {"if(b, 1, bad_n)", "1"},
              {"if(not b, bad_n, missing)", "missing"}, {"isin_valid(no_t)", "missing"}, {"in_list(no_t, 'ccy')", "missing"});
}

TAP_TEST(decimals_are_exact_or_invalid)
{
    RIG_CASES({"0.1 + 0.2 = 0.3", "true"}, {"n * 2", "25"}, {"m * m", "9"}, {"7 % m", "1"}, {"m % 2", "-1"},
              {"1 / 3", "0.333333333333333333"}, {"2 / 3", "0.666666666666666667"}, {"-2 / 3", "-0.666666666666666667"},
              {"1 / 0", "invalid"}, {"1 % 0", "invalid"}, {"bad_n", "invalid"},
              {"99999999999999999999999999999999999999 + 1", "invalid"},
              {"99999999999999999999999999999999999999 + 0", "99999999999999999999999999999999999999"},
              {"round(2.5, 0)", "3"}, {"round(-2.5, 0)", "-3"}, {"round(1.005, 2)", "1.01"}, {"round(1.2, 5)", "1.2"},
              {"round(1.2, 0.5)", "invalid"}, {"abs(m)", "3"}, {"-n", "-12.5"}, {"scale(n)", "2"}, {"scale(12.5)", "1"},
              {"fits(12.50, 4, 2)", "true"}, {"fits(12.50, 3, 2)", "false"}, {"fits(12.50, 4, 1)", "false"},
              {"fits(0.12345, 5, 5)", "true"}, {"fits(0.123456, 18, 5)", "false"}, {"fits(123, 2, 0)", "false"},
              {"least(3, 1, 2)", "1"}, {"greatest(3, 1, 2)", "3"}, {"to_decimal('-0.50')", "-0.5"},
              {"to_decimal('1,000')", "invalid"}, {"n > :limit", "false"}, {"1.0 = 1", "true"});
}

TAP_TEST(texts_are_counted_in_code_points_and_compared_by_bytes)
{
    RIG_CASES({"len(t)", "6"}, {"substr(t, 5, 2)", "ße"}, {"substr(t, 7, 2)", ""}, {"substr(t, 1, 0)", ""},
              {"substr(t, 0, 2)", "invalid"}, {"substr(t, 1.5, 2)", "invalid"}, {"upper(t)", "STRAßE"},
              {"lower(u)", "eur"}, {"trim(' \t a b ')", "a b"}, {"strip('DE-12 34', ' -')", "DE1234"},
              {"strip(t, 'ß')", "Strae"}, {"starts_with(t, 'Str')", "true"}, {"starts_with('', 'x')", "false"},
              {"ends_with(t, 'ße')", "true"}, {"contains(t, 'raß')", "true"}, {"contains(t, '')", "true"},
              {"contains(t, 'x')", "false"}, {"matches(t, '[A-Za-z]+ße')", "true"}, {"matches(t, 'Stra')", "false"},
              {"matches(t, 'Stra.*')", "true"}, {"u || '-' || t", "EUR-Straße"}, {"'a' = 'A'", "false"},
              {"u in ('USD', 'EUR')", "true"}, {"u not in ('USD', 'EUR')", "false"}, {":word", "it's"},
              {"is_missing(e)", "false"}, {"e = ''", "true"}, {"len(e)", "0"});
}

TAP_TEST(a_likeness_is_a_fraction_of_whole_numbers)
{
    RIG_CASES({"jaro_winkler('MARTHA', 'MARHTA')", "0.961111"}, {"jaro_winkler('DIXON', 'DICKSONX')", "0.813333"},
              {"jaro_winkler('', 'X')", "0"}, {"jaro_winkler('A', 'A')", "1"},
              {"jaro_winkler('geir olsen', 'elmir sene') = 0.8", "true"});
}

TAP_TEST(days_and_moments_are_reckoned_without_a_clock)
{
    RIG_CASES({"d + 1d", "2026-03-07"}, {"d - 6d", "2026-02-28"}, {"d + 36h", "invalid"}, {"d + 48h", "2026-03-08"},
              {"d - date '2026-03-01'", "5d"}, {"d - date '2026-03-01' = 5d", "true"}, {"d - date '2026-03-01' >= 120h", "true"},
              {"ts + 30min", "2026-03-06T21:30:00Z"}, {"ts - timestamp '2026-03-06T20:59:59.5Z'", "0.5s"},
              {"timestamp '2026-03-06T21:00:00+01:00'", "2026-03-06T20:00:00Z"}, {"1d + 12h = 36h", "true"},
              {"as_of()", "2026-03-02"}, {"as_of() = :day", "true"}, {"weekday(d)", "5"}, {"weekday(date '1969-12-29')", "1"},
              {"to_date('2026-02-29')", "invalid"}, {"to_date('2024-02-29')", "2024-02-29"}, {"bad_d", "invalid"},
              {"date '9999-12-31' + 1d", "invalid"}, {"date '0001-01-01' - 1d", "invalid"}, {"d > no_d", "missing"},
              {"least(d, as_of())", "2026-03-02"});
}

TAP_TEST(a_calendar_tells_the_local_day_and_whether_it_is_one_of_business)
{
    RIG_CASES({"date_of(ts, 'cal')", "2026-03-06"}, {"date_of(timestamp '2026-03-06T04:59:59Z', 'cal')", "2026-03-05"},
              {"date_of(timestamp '2026-03-08T06:59:59Z', 'cal')", "2026-03-08"},
              {"date_of(timestamp '2026-07-01T03:59:59Z', 'cal')", "2026-06-30"},
              {"bizday(ts, 'cal')", "2026-03-06"}, {"bizday(ts, 'cal', '16:00')", "2026-03-09"},
              {"bizday(timestamp '2026-03-06T20:59:59.999999Z', 'cal', '16:00')", "2026-03-06"},
              {"bizday(timestamp '2026-03-07T23:00:00Z', 'cal', '16:00')", "2026-03-09"},
              {"is_bizday(date '2026-05-25', 'cal')", "false"}, {"is_bizday(date '2026-05-26', 'cal')", "true"},
              {"add_bizdays(date '2026-05-22', 1, 'cal')", "2026-05-26"}, {"add_bizdays(date '2026-05-23', 1, 'cal')", "2026-05-26"},
              {"add_bizdays(date '2026-05-26', -1, 'cal')", "2026-05-22"}, {"add_bizdays(date '2026-05-23', 0, 'cal')", "2026-05-23"},
              {"bizdays_between(date '2026-05-22', date '2026-05-26', 'cal')", "1"},
              {"bizdays_between(date '2026-05-26', date '2026-05-22', 'cal')", "-1"},
              {"bizdays_between(d, d, 'cal')", "0"}, {"is_bizday(date '2027-01-01', 'cal')", "invalid"},
              {"date_of(timestamp '2026-01-01T04:59:59Z', 'cal')", "invalid"},
              {"date_of(timestamp '2026-01-01T05:00:00Z', 'cal')", "2026-01-01"},
              {"add_bizdays(date '2026-12-31', 1, 'cal')", "invalid"}, {"add_bizdays(d, 0.5, 'cal')", "invalid"});
}

TAP_TEST(lists_answer_by_key_by_column_and_by_day)
{
    RIG_CASES({"in_list(u, 'ccy')", "true"}, {"in_list('ZZZ', 'ccy')", "false"}, {"in_list('DE', 'ccy', 'country')", "true"},
              {"in_list('EUR', 'ccy', 'country')", "false"}, {"list_value(u, 'ccy', 'country')", "EU"},
              {"list_value('ZZZ', 'ccy', 'country')", "missing"}, {"list_value('USD', 'ccy', 'from')", "missing"},
              {"active_on('DEM', 'ccy', date '2002-02-28')", "true"}, {"active_on('DEM', 'ccy', date '2002-03-01')", "false"},
              {"active_on('EUR', 'ccy', date '1998-12-31')", "false"}, {"active_on('OLD', 'ccy', date '2019-12-31')", "true"},
              {"active_on('OLD', 'ccy', date '2020-01-01')", "false"}, {"active_on('USD', 'ccy', as_of())", "true"},
              {"active_on('ZZZ', 'ccy', as_of())", "false"});
}

TAP_TEST(every_check_of_an_identifier_is_a_function)
{
    RIG_CASES({"isin_valid('US0378331005')", "true"}, {"isin_valid('US0378331004')", "false"}, {"isin_valid('us0378331005')", "false"},
              {"lei_valid('5493001KJTIIGC8Y1R12')", "true"}, {"lei_valid('5493001KJTIIGC8Y1R13')", "false"},
              {"iban_valid('DE89370400440532013000')", "true"}, {"iban_valid('DE89 3704 0044 0532 0130 00')", "false"},
              {"iban_valid(strip('DE89 3704 0044 0532 0130 00', ' '))", "true"}, {"bic_valid('DEUTDEFF')", "true"},
              {"bic_valid('DEUTZZFF')", "false"}, {"cusip_valid('037833100')", "true"}, {"sedol_valid('0263494')", "true"},
              {"figi_valid('BBG000B9XRY4')", "true"}, {"cfi_valid('ESVUFR')", "true"}, {"cfi_valid('ZZZZZZ')", "false"},
              {"uti_valid('5493001KJTIIGC8Y1R12ABC123')", "true"}, {"uti_valid('5493001KJTIIGC8Y1R13ABC123')", "false"},
              {"uti_valid('5493001KJTIIGC8Y1R12-1')", "false"});
}

TAP_TEST(a_name_under_let_is_used_like_a_column)
{
    RIG_CASES({"big", "false"}, {"nothing and not big", "true"});
}

TAP_TEST(what_makes_no_sense_is_refused_where_it_stands_with_an_example)
{
    RIG_CASES({"1 = '1'", "refused: character 5, at \"'1'\": expected decimal as before, found text; it is x = x, of one type; example: side = 'BUY'"},
              {"n + t", "refused: character 5, at \"t\": expected decimal, found text; it is decimal + decimal; example: amount + fee"},
              {"t < u", "refused: character 1, at \"t\": expected decimal, date, timestamp or duration, found text; it is x < x, both decimal, date, timestamp or duration; example: amount < 10000.00"},
              {"a < b < c", "refused: character 7, at \"<\": comparisons do not chain; example: low <= price and price <= high"},
              {"round(n)", "refused: character 1, at \"round(n)\": an operand is missing; it is round(decimal, digits); example: round(amount, 2)"},
              {"len(t, u)", "refused: character 8, at \"u\": one operand too many; it is len(text); example: len(name) <= 140"},
              {"amuont > 1", "refused: character 1, at \"amuont\": expected a column of the pack or a name under \"let\"; example: not is_missing(t); names: t u n m d ts b no_t no_n no_d no_b bad_n bad_d bad_b e big nothing"},
              {"len", "refused: character 1, at \"len\": expected a column of the pack or a name under \"let\"; a function has brackets: len(text)"},
              {"length(t)", "refused: character 1, at \"length(t)\": there is no function of this name; the functions are those of the manual, muster-pack(7); example: isin_valid(isin)"},
              {"in_list(t, u)", "refused: character 12, at \"u\": expected a literal text: what it names is looked up before anything runs; example: in_list(currency, 'ccy')"},
              {"in_list(t, 'mic')", "refused: character 12, at \"'mic'\": expected the alias of a list of the pack; example: in_list(currency, 'ccy') with \"lists\": {\"ccy\": \"iso4217\"}"},
              {"list_value(t, 'ccy', 'x')", "refused: list rig-ccy@1 has no column \"x\"; "},
              {"date_of(ts, 'ccy')", "refused: list rig-ccy@1 is no calendar: it lacks a column from, to or value; "},
              {"matches(t, '(a')", "refused: character 12, at \"'(a'\": pattern, at byte 2: a group is not closed; example: matches(ref, '[A-Z0-9]{1,52}')"},
              {"bizday(ts, 'cal', '24:00')", "refused: character 19, at \"'24:00'\": expected a time of day; example: bizday(ts, 'us', '16:00')"},
              {"sum(n) > 1", "refused: character 1, at \"sum(n)\": an aggregate stands in having, value or evidence of a group rule, and in no other one; example: \"group_by\": {\"isin\": \"isin\"}, \"having\": \"count() > 1\""},
              {":limt", "refused: character 1, at \":limt\": the pack has no parameter of this name; example: \"params\": {\"limit\": {\"type\": \"decimal\", \"default\": \"10000.00\"}}"},
              {"date '2026-02-30'", "refused: character 1, at \"date '2026-02-30'\": there is no such day; example: date '2026-03-02'"},
              {"", "refused: at the end of the expression: expected a value; example: amount > 10.00"},
              {"(1", "refused: at the end of the expression: expected the closing bracket; example: (a or b) and c"},
              {"1 2", "refused: character 3, at \"2\": expected an operator or the end; example: isin_valid(isin) and not is_missing(mic)"},
              {"'x", "refused: character 1, at \"'x\": a text whose closing quote is missing; example: amount > 10.00"},
              {"1.", "refused: character 1, at \"1.\": a number that ends in its point; example: amount > 10.00"},
              {"30days", "refused: character 1, at \"30days\": neither a number nor a duration (30d, 24h, 5min, 10s); example: amount > 10.00"},
              {"n == 1", "refused: character 4, at \"=\": expected a value; example: amount > 10.00"},
              {"Amount", "refused: character 1, at \"A\": a capital letter; names are lower case, texts stand in quotes; example: amount > 10.00"},
              {"\"x\"", "refused: character 1, at \"\"\": a double quote; texts stand in single quotes; example: amount > 10.00"},
              {"t not like 'x'", "refused: character 7, at \"like\": expected \"in\" behind \"not\"; example: side not in ('BUY', 'SELL')"},
              {"123456789012345678901234567890123456789", "refused: character 1, at \"123456789012345678901234567890123456789\": a number of more than 38 digits; example: 10000.00"});
}

/* A text of `count` times `part`, between `before` and `after`. */
static const char *repeated(const char *before, const char *part, size_t count, const char *after)
{
    static char text[8192];
    size_t len = (size_t)snprintf(text, sizeof(text), "%s", before);
    while (count-- > 0)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", part);
    (void)snprintf(text + len, sizeof(text) - len, "%s", after);
    return text;
}

TAP_TEST(depth_and_length_have_limits)
{
    struct rig r;
    if (!rig_open(&r))
        return;
    CHECK_TEXT(rig_compute(&r, repeated("", "(", 63, "1)))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))")), "1");
    CHECK(strstr(rig_compute(&r, repeated("", "(", 64, "1")), "nested more than 64 levels deep") != NULL);
    CHECK(strstr(rig_compute(&r, repeated("", "not ", 100, "b")), "nested more than 64 levels deep") != NULL);
    CHECK(strstr(rig_compute(&r, repeated("", "-", 100, "1")), "nested more than 64 levels deep") != NULL);
    CHECK_TEXT(rig_compute(&r, repeated("1", "+1", 2047, " ")), "2048");
    CHECK(strstr(rig_compute(&r, repeated("1", "+1", 2048, "")), "expected at most 4096 bytes, found 4097") != NULL);
    rig_close(&r);
}

TAP_TEST(equal_parts_are_computed_once_for_a_record)
{
    struct rig r;
    if (!rig_open(&r))
        return;
    CHECK_TEXT(rig_compute(&r, "n * 2 > 10 and len(t) = 6"), "true");
    const size_t before = mu_linker_slots(r.linker);
    CHECK_TEXT(rig_compute(&r, "n * 2 > 10 and len(t) = 6"), "true");
    CHECK_INT(mu_linker_slots(r.linker), before);
    CHECK_TEXT(rig_compute(&r, "n * 2 > 10 or len(t) = 6"), "true");
    CHECK_INT(mu_linker_slots(r.linker), before + 1);
    rig_close(&r);
}

int main(void)
{
    int status = tap_run();
    return status;
}
