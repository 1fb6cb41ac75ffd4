# SPDX-License-Identifier: Apache-2.0
"""Types and values of expressions: what names mean is the caller's (columns, let, params, keys), functions are here."""
import datetime
import decimal
import re

import language
import reference_data as data
from language import INVALID, MISSING, Duration, Wrong, no_value, worst

AGGREGATES = {"count", "count_if", "count_distinct", "sum", "sum_if", "min", "max", "avg", "first", "last"}
D = decimal.Decimal


def digits_of(n):
    """(digits before the point without leading zeros, digits behind it as written)."""
    sign, digits, exponent = n.as_tuple()
    before = "".join(map(str, digits)) + "0" * max(exponent, 0)
    behind = max(-exponent, 0)
    whole = before[:len(before) - behind] if len(before) > behind else ""
    return len(whole.lstrip("0")), behind


def fits(n, total, decimals):
    whole, behind = digits_of(n)
    return behind <= int(decimals) and behind + whole <= int(total)


def add_bizdays(day, n, calendar):
    return calendar.step(day, int(n)) if calendar.covers(day) and n == n.to_integral_value() else INVALID


def bizdays_between(a, b, calendar):
    if not (calendar.covers(a) and calendar.covers(b)):
        return INVALID
    low, high, sign = (a, b, 1) if a <= b else (b, a, -1)
    days = (low + datetime.timedelta(i) for i in range(1, (high - low).days + 1))
    return D(sign * sum(calendar.open_on(day) for day in days))


def local_date(instant, calendar):
    at = calendar.local(instant)
    return at if at is INVALID else at[0]


def rounded(n, places):
    return language.EXACT.quantize(n, D(1).scaleb(-int(places)))


def listed(text, name, column=None):
    column = column or data.table(name)[0][0]
    at = data.table(name)[0].index(column)
    return any(row[at] == text for row in data.table(name)[1]) if at else text in data.by_key(name)


def list_value(text, name, column):
    rows = data.by_key(name).get(text)
    return (rows[0][column] or MISSING) if rows else MISSING


T, N, DT, TS, B, LIST, CAL = "text", "decimal", "date", "timestamp", "bool", "list", "calendar"
# name -> (kinds of the arguments, how many may be left out, kind of the result, what it does with values)
FUNCTIONS = {
    "abs": ([N], 0, N, abs), "round": ([N, N], 0, N, rounded), "scale": ([N], 0, N, lambda n: D(digits_of(n)[1])),
    "fits": ([N, N, N], 0, B, fits),
    "upper": ([T], 0, T, lambda t: re.sub("[a-z]", lambda m: m[0].upper(), t)),
    "lower": ([T], 0, T, lambda t: re.sub("[A-Z]", lambda m: m[0].lower(), t)),
    "trim": ([T], 0, T, lambda t: t.strip(" ")),
    "strip": ([T, T], 0, T, lambda t, u: "".join(c for c in t if c not in u)),
    "substr": ([T, N, N], 0, T, lambda t, a, n: t[int(a) - 1:int(a) - 1 + int(n)]),
    "len": ([T], 0, N, lambda t: D(len(t))), "starts_with": ([T, T], 0, B, str.startswith),
    "ends_with": ([T, T], 0, B, str.endswith), "contains": ([T, T], 0, B, lambda t, u: u in t),
    "matches": ([T, T], 0, B, lambda t, p: bool(re.fullmatch(p, t, re.A))),
    "to_decimal": ([T], 0, N, lambda t: language.read("decimal", t)),
    "to_date": ([T], 0, DT, lambda t: language.read("date", t)),
    "date_of": ([TS, CAL], 0, DT, local_date),
    "bizday": ([TS, CAL, T], 1, DT, lambda ts, c, cutoff="24:00": c.bizday(ts, cutoff)),
    "is_bizday": ([DT, CAL], 0, B, lambda day, c: c.open_on(day) if c.covers(day) else INVALID),
    "add_bizdays": ([DT, N, CAL], 0, DT, add_bizdays), "bizdays_between": ([DT, DT, CAL], 0, N, bizdays_between),
    "weekday": ([DT], 0, N, lambda day: D(day.isoweekday())), "in_list": ([T, LIST, T], 1, B, listed),
    "list_value": ([T, LIST, T], 0, T, list_value), "active_on": ([T, LIST, DT], 0, B, data.active_on),
}
FUNCTIONS.update({name + "_valid": ([T], 0, B, test) for name, test in data.IDENTIFIERS.items()})


class Scope:
    """What an expression sees: kinds of its names and params, lists by alias, and whether aggregates are at home."""

    def __init__(self, names, params, lists, grouped=None):
        self.names, self.params, self.lists, self.grouped = names, params, lists, grouped

    def kind(self, node):
        head = node[0]
        if head == "literal":
            return node[1]
        if head in ("name", "param"):
            known = self.names if head == "name" else self.params
            if node[1] not in known:
                raise Wrong("no %s %s" % (head, node[1]))
            return known[node[1]]
        if head == "negative":
            kind = self.kind(node[1])
            return kind if kind == "duration" else language.operator_type("-", ["decimal", kind])
        if head == "call":
            return self.call_kind(node[1], node[2:])
        return language.operator_type(head, [self.kind(n) for n in node[1:]])

    def call_kind(self, name, arguments):
        if name in AGGREGATES and self.grouped is not None:
            kinds = [self.grouped.kind(n) for n in arguments]
            wanted = {"count_if": ["bool"], "sum": ["decimal"], "avg": ["decimal"],
                      "sum_if": ["decimal", "bool"]}.get(name)
            if (wanted and kinds != wanted) or len(kinds) > 2 or (not kinds and name != "count"):
                raise Wrong("%s(%s)" % (name, ", ".join(kinds)))
            return kinds[0] if name in ("min", "max", "first", "last") else "decimal"
        if name == "as_of" and not arguments:
            return "date"
        if name in ("is_missing", "is_invalid") and len(arguments) == 1:
            self.kind(arguments[0])
            return "bool"
        if name in ("coalesce", "least", "greatest") and arguments:
            return language.same_type([self.kind(n) for n in arguments])
        if name == "if" and len(arguments) == 3:
            language.operator_type("not", [self.kind(arguments[0])])
            return language.same_type([self.kind(n) for n in arguments[1:]])
        if name not in FUNCTIONS:
            raise Wrong("no function %s here" % name)
        kinds, optional, result, _ = FUNCTIONS[name]
        if not len(kinds) - optional <= len(arguments) <= len(kinds):
            raise Wrong("%s takes %d arguments" % (name, len(kinds)))
        for node, kind in zip(arguments, kinds):
            if kind in (LIST, CAL):
                if node[0] != "literal" or node[2] not in self.lists:
                    raise Wrong("%s names no list of the pack: %s" % (name, node))
            elif self.kind(node) not in (kind, "any"):
                raise Wrong("%s wants %s, not %s" % (name, kind, self.kind(node)))
        return result


class Context:
    """Values of names for one record (or group), values of params, the day, lists by alias."""

    def __init__(self, names, params, as_of, lists, aggregate=None):
        self.names, self.params, self.as_of, self.lists, self.aggregate = names, params, as_of, lists, aggregate

    def value(self, node):
        head = node[0]
        if head == "literal":
            return node[2]
        if head == "name":
            return self.names(node[1])
        if head == "param":
            return self.params[node[1]]
        if head in ("and", "or"):
            return language.logic(head, [self.value(n) for n in node[1:]])
        if head == "call":
            return self.call(node[1], node[2:])
        values = [self.value(n) for n in node[1:]]
        bad = worst(values)
        if bad is not None:
            return bad
        if head == "not":
            return not values[0]
        if head == "negative":
            return Duration(-values[0]) if isinstance(values[0], Duration) else -values[0]
        if head == "in":
            return values[0] in values[1:]
        if head in ("=", "!=", "<", "<=", ">", ">="):
            return language.compare(head, *values)
        return language.arithmetic(head, *values)

    def call(self, name, arguments):
        if name in AGGREGATES and self.aggregate:
            return self.aggregate(name, arguments)
        if name == "as_of":
            return self.as_of
        if name == "is_missing":
            return self.value(arguments[0]) is MISSING
        if name == "is_invalid":
            return self.value(arguments[0]) is INVALID
        if name == "if":
            chosen = self.value(arguments[0])
            return chosen if no_value(chosen) else self.value(arguments[1 if chosen else 2])
        if name == "coalesce":
            return next((v for v in map(self.value, arguments) if v is not MISSING), MISSING)
        if name in ("least", "greatest"):
            values = [self.value(n) for n in arguments]
            bad = worst(values)
            return bad if bad is not None else (min if name == "least" else max)(values)
        kinds, _, _, act = FUNCTIONS[name]
        values = [self.value(n) for n in arguments]
        bad = worst(values)
        if bad is not None:
            return bad
        for i, kind in enumerate(kinds[:len(values)]):
            if kind == LIST:
                values[i] = self.lists[values[i]]
            elif kind == CAL:
                values[i] = data.calendar(self.lists[values[i]])
        return act(*values)
