/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/expr/function.h"

#define AGGREGATE(name, takes, gives, kind, form, example)                                                   \
    {name, takes, gives, NULL, form, example, kind, NULL, NULL, NULL}
#define PLAIN(name, takes, gives, run, form, example)                                                        \
    {name, takes, gives, run, form, example, MU_AGG_NONE, NULL, NULL, NULL}
#define VALID(check, alias, list, example)                                                                   \
    {check "_valid", "t", 'b', mu_run_check, check "_valid(text)", example, MU_AGG_NONE, check, alias, list}

static const struct mu_function table[] = {
    /* operators */
    PLAIN("or", "bb", 'b', mu_run_or, "bool or bool", "side = 'BUY' or side = 'SELL'"),
    PLAIN("and", "bb", 'b', mu_run_and, "bool and bool", "low <= price and price <= high"),
    PLAIN("not", "b", 'b', mu_run_not, "not bool", "not is_missing(isin)"),
    PLAIN("=", "xx", 'b', mu_run_equal, "x = x, of one type", "side = 'BUY'"),
    PLAIN("!=", "xx", 'b', mu_run_unequal, "x != x, of one type", "buyer != seller"),
    PLAIN("<", "oo", 'b', mu_run_less, "x < x, both decimal, date, timestamp or duration", "amount < 10000.00"),
    PLAIN("<=", "oo", 'b', mu_run_less_equal, "x <= x, both decimal, date, timestamp or duration",
          "issued <= as_of()"),
    PLAIN(">", "oo", 'b', mu_run_greater, "x > x, both decimal, date, timestamp or duration", "amount > 0"),
    PLAIN(">=", "oo", 'b', mu_run_greater_equal, "x >= x, both decimal, date, timestamp or duration",
          "amount >= :floor"),
    PLAIN("in", "xx+", 'b', mu_run_in, "x in (x, ..), all of one type", "side in ('BUY', 'SELL')"),
    PLAIN("+", "nn", 'n', mu_run_add, "decimal + decimal", "amount + fee"),
    PLAIN("+", "du", 'd', mu_run_date_add, "date + duration", "traded + 2d"),
    PLAIN("+", "su", 's', mu_run_time_add, "timestamp + duration", "ts + 30min"),
    PLAIN("+", "uu", 'u', mu_run_time_add, "duration + duration", "1d + 12h"),
    PLAIN("-", "nn", 'n', mu_run_subtract, "decimal - decimal", "amount - fee"),
    PLAIN("-", "du", 'd', mu_run_date_subtract, "date - duration", "as_of() - 30d"),
    PLAIN("-", "dd", 'u', mu_run_date_difference, "date - date", "matures - issued >= 365d"),
    PLAIN("-", "su", 's', mu_run_time_subtract, "timestamp - duration", "ts - 30min"),
    PLAIN("-", "ss", 'u', mu_run_time_difference, "timestamp - timestamp", "received_at - ts <= 15min"),
    PLAIN("-", "uu", 'u', mu_run_time_subtract, "duration - duration", "(a - b) - 1h"),
    PLAIN("||", "tt", 't', mu_run_join, "text || text", "country || number"),
    PLAIN("*", "nn", 'n', mu_run_multiply, "decimal * decimal", "price * quantity"),
    PLAIN("/", "nn", 'n', mu_run_divide, "decimal / decimal", "round(amount / quantity, 2)"),
    PLAIN("%", "nn", 'n', mu_run_remainder, "decimal % decimal", "quantity % lot_size = 0"),
    PLAIN("neg", "n", 'n', mu_run_negate, "- decimal", "-amount"),
    /* functions, by name */
    PLAIN("abs", "n", 'n', mu_run_abs, "abs(decimal)", "abs(a - b) <= 0.01"),
    PLAIN("active_on", "tLd", 'b', mu_run_active_on, "active_on(text, 'list', date)",
          "active_on(mic, 'mic', as_of())"),
    PLAIN("add_bizdays", "dnC", 'd', mu_run_add_bizdays, "add_bizdays(date, count, 'calendar')",
          "add_bizdays(traded, 1, 'cal')"),
    PLAIN("as_of", "", 'd', mu_run_as_of, "as_of()", "issued <= as_of()"),
    AGGREGATE("avg", "n", 'n', MU_AGG_AVG, "avg(decimal)", "avg(amount) > 100"),
    VALID("bic", "country", "iso3166", "bic_valid(bic)"),
    PLAIN("bizday", "sC?H", 'd', mu_run_bizday, "bizday(timestamp, 'calendar', 'hh:mm')",
          "bizday(ts, 'us', '16:00')"),
    PLAIN("bizdays_between", "ddC", 'n', mu_run_bizdays_between, "bizdays_between(date, date, 'calendar')",
          "bizdays_between(traded, settled, 'cal') <= 2"),
    VALID("cfi", "cfi", "cfi", "cfi_valid(cfi)"),
    PLAIN("coalesce", "x+", 'x', mu_run_coalesce, "coalesce(x, ..), all of one type", "coalesce(figi, isin)"),
    PLAIN("contains", "tt", 'b', mu_run_contains, "contains(text, part)", "contains(name, 'TEST')"),
    AGGREGATE("count", "", 'n', MU_AGG_COUNT, "count()", "count() > 1"),
    AGGREGATE("count", "x", 'n', MU_AGG_COUNT, "count(x)", "count(isin) >= 3"),
    AGGREGATE("count_distinct", "x", 'n', MU_AGG_COUNT_DISTINCT, "count_distinct(x)",
              "count_distinct(other) >= 5"),
    AGGREGATE("count_if", "b", 'n', MU_AGG_COUNT_IF, "count_if(bool)", "count_if(amount > 0) = 0"),
    VALID("cusip", NULL, NULL, "cusip_valid(cusip)"),
    PLAIN("date_of", "sC", 'd', mu_run_date_of, "date_of(timestamp, 'calendar')", "date_of(ts, 'us')"),
    PLAIN("ends_with", "tt", 'b', mu_run_ends_with, "ends_with(text, part)", "ends_with(symbol, '.L')"),
    VALID("figi", NULL, NULL, "figi_valid(figi)"),
    AGGREGATE("first", "x", 'x', MU_AGG_FIRST, "first(x)", "first(symbol)"),
    PLAIN("fits", "nnn", 'b', mu_run_fits, "fits(decimal, total, decimals)", "fits(price, 18, 5)"),
    PLAIN("greatest", "o+", 'o', mu_run_greatest, "greatest(x, ..), all of one type that has an order",
          "greatest(bid, ask)"),
    VALID("iban", "iban", "iban-registry", "iban_valid(iban)"),
    PLAIN("if", "bxx", 'x', mu_run_if, "if(bool, x, x)", "if(kind = 'UNIT', 17, 5)"),
    PLAIN("in_list", "tL?K", 'b', mu_run_in_list, "in_list(text, 'list', 'column')", "in_list(currency, 'ccy')"),
    PLAIN("is_bizday", "dC", 'b', mu_run_is_bizday, "is_bizday(date, 'calendar')", "is_bizday(settled, 'cal')"),
    PLAIN("is_invalid", "x", 'b', mu_run_is_invalid, "is_invalid(x)", "not is_invalid(amount)"),
    PLAIN("is_missing", "x", 'b', mu_run_is_missing, "is_missing(x)", "not is_missing(isin)"),
    VALID("isin", "isin", "isin-prefix", "isin_valid(isin)"),
    PLAIN("jaro_winkler", "tt", 'n', mu_run_jaro_winkler, "jaro_winkler(text, text)",
          "jaro_winkler(name, holder) >= 0.90"),
    AGGREGATE("last", "x", 'x', MU_AGG_LAST, "last(x)", "last(price)"),
    PLAIN("least", "o+", 'o', mu_run_least, "least(x, ..), all of one type that has an order",
          "low <= least(open, close)"),
    VALID("lei", NULL, NULL, "lei_valid(lei)"),
    PLAIN("len", "t", 'n', mu_run_len, "len(text)", "len(name) <= 140"),
    PLAIN("list_value", "tLK", 't', mu_run_list_value, "list_value(text, 'list', 'column')",
          "list_value(mic, 'mic', 'country') = 'GB'"),
    PLAIN("lower", "t", 't', mu_run_lower, "lower(text)", "lower(side) = 'buy'"),
    PLAIN("matches", "tP", 'b', mu_run_matches, "matches(text, 'pattern')", "matches(ref, '[A-Z0-9]{1,52}')"),
    AGGREGATE("max", "o", 'o', MU_AGG_MAX, "max(x)", "max(amount) < 1000"),
    AGGREGATE("min", "o", 'o', MU_AGG_MIN, "min(x)", "min(amount) >= 0"),
    PLAIN("round", "nn", 'n', mu_run_round, "round(decimal, digits)", "round(amount, 2)"),
    PLAIN("scale", "n", 'n', mu_run_scale, "scale(decimal)", "scale(amount) <= 2"),
    VALID("sedol", NULL, NULL, "sedol_valid(sedol)"),
    PLAIN("starts_with", "tt", 'b', mu_run_starts_with, "starts_with(text, part)", "starts_with(isin, 'US')"),
    PLAIN("strip", "tt", 't', mu_run_strip, "strip(text, characters)", "strip(iban, ' -')"),
    PLAIN("substr", "tnn", 't', mu_run_substr, "substr(text, from, count)", "substr(isin, 3, 9)"),
    AGGREGATE("sum", "n", 'n', MU_AGG_SUM, "sum(decimal)", "sum(amount) > :limit"),
    AGGREGATE("sum_if", "nb", 'n', MU_AGG_SUM_IF, "sum_if(decimal, bool)", "sum_if(amount, side = 'BUY') > 0"),
    PLAIN("to_date", "t", 'd', mu_run_to_date, "to_date(text)", "to_date(substr(ref, 1, 10)) <= as_of()"),
    PLAIN("to_decimal", "t", 'n', mu_run_to_decimal, "to_decimal(text)", "to_decimal(share) <= 1"),
    PLAIN("trim", "t", 't', mu_run_trim, "trim(text)", "trim(name) = name"),
    PLAIN("upper", "t", 't', mu_run_upper, "upper(text)", "upper(side) = 'BUY'"),
    VALID("uti", NULL, NULL, "uti_valid(uti)"),
    PLAIN("weekday", "d", 'n', mu_run_weekday, "weekday(date)", "weekday(settled) <= 5"),
    {.name = NULL}, /* so that there is always a row behind those of a name */
};
#define TABLE_ROWS (MU_COUNT(table) - 1)

const struct mu_function *mu_function_find(struct mu_span name)
{
    for (size_t i = 0; i < TABLE_ROWS; i++)
        if (mu_span_is(name, table[i].name))
            return &table[i];
    return NULL;
}

const struct mu_function *mu_function_at(size_t index)
{
    return index < TABLE_ROWS ? &table[index] : NULL;
}
