# SPDX-License-Identifier: Apache-2.0
"""The expression language of rule packs, written a second time and only for tests: what the engine says of a pack is
compared with it, and packs are proven with it on a machine without a compiler. It prefers plainness to speed.

An expression is parsed into tuples, its types are found (nothing converts by itself), then it is evaluated for a record.
A value is a Decimal, str, date, Instant, bool or Duration, or one of the two that are no value: MISSING and INVALID."""
import datetime
import decimal
import re

MISSING, INVALID = "<missing>", "<invalid>"  # compared by identity only: a text may look the same
RESERVED = {"or", "and", "not", "in", "true", "false", "missing", "date", "timestamp", "d", "h", "min", "s"}
SECONDS = {"d": 86400, "h": 3600, "min": 60, "s": 1}
TOKEN = re.compile(r"""\s*(?:(?P<duration>\d+(?:d|h|min|s)(?![a-z0-9_]))|(?P<decimal>\d+(?:\.\d+)?)|(?P<text>'(?:[^']|'')*')
    |(?P<param>:[a-z][a-z0-9_]*)|(?P<name>[a-z][a-z0-9_]*)|(?P<sign>\|\||!=|<=|>=|[=<>+\-*/%(),]))""", re.X)
EXACT = decimal.Context(prec=200, rounding=decimal.ROUND_HALF_UP)


class Wrong(Exception):
    """The expression is no expression, or its types do not fit."""


class Instant(int):
    """Microseconds since 1970, UTC."""


class Duration(int):
    """Microseconds."""


def no_value(v):
    return v is MISSING or v is INVALID


def worst(values):
    """INVALID before MISSING before None (all are values)."""
    values = list(values)
    return INVALID if any(v is INVALID for v in values) else MISSING if any(v is MISSING for v in values) else None


# --- reading ---------------------------------------------------------------------------------------------------------

class Parser:
    def __init__(self, text):
        self.tokens, at = [], 0
        text = text.rstrip()
        while at < len(text):
            found = TOKEN.match(text, at)
            if not found:
                raise Wrong("byte %d of %r: no token begins here" % (at, text))
            self.tokens.append((found.lastgroup, found.group(found.lastgroup)))
            at = found.end()
        self.tokens.append(("end", ""))
        self.at = 0

    def peek(self, *values):
        return self.tokens[self.at][0] in ("sign", "name") and self.tokens[self.at][1] in values

    def take(self, *values):
        if values and not self.peek(*values):
            raise Wrong("expected %s, found %r" % (" or ".join(values), self.tokens[self.at][1]))
        self.at += 1
        return self.tokens[self.at - 1]

    def whole(self):
        out = self.expression()
        if self.tokens[self.at][0] != "end":
            raise Wrong("%r is left over" % self.tokens[self.at][1])
        return out

    def chain(self, below, *operators):
        left = below()
        while self.peek(*operators):
            operator = self.take()[1]
            left = (operator, left, below())
        return left

    def expression(self):
        return self.chain(lambda: self.chain(self.negation, "and"), "or")

    def negation(self):
        if self.peek("not"):
            self.take()
            return ("not", self.negation())
        return self.comparison()

    def comparison(self):
        left = self.sum()
        if self.peek("=", "!=", "<", "<=", ">", ">="):
            return (self.take()[1], left, self.sum())
        inverted = self.peek("not")
        if inverted:
            self.take()
        if inverted or self.peek("in"):
            self.take("in")
            self.take("(")
            choices = [self.sum()]
            while self.peek(","):
                self.take()
                choices.append(self.sum())
            self.take(")")
            inside = ("in", left, *choices)
            return ("not", inside) if inverted else inside
        return left

    def sum(self):
        return self.chain(lambda: self.chain(self.unary, "*", "/", "%"), "+", "-", "||")

    def unary(self):
        if self.peek("-"):
            self.take()
            return ("negative", self.unary())
        return self.primary()

    def primary(self):
        kind, text = self.take()
        if kind == "decimal":
            return ("literal", "decimal", decimal.Decimal(text))
        if kind == "duration":
            number, unit = re.fullmatch(r"(\d+)([a-z]+)", text).groups()
            return ("literal", "duration", Duration(int(number) * SECONDS[unit] * 1000000))
        if kind == "text":
            return ("literal", "text", text[1:-1].replace("''", "'"))
        if kind == "param":
            return ("param", text[1:])
        if text == "(":
            out = self.expression()
            self.take(")")
            return out
        if text in ("true", "false"):
            return ("literal", "bool", text == "true")
        if text == "missing":
            return ("literal", "any", MISSING)
        if text in ("date", "timestamp") and self.tokens[self.at][0] == "text":
            value = read(text, self.take()[1][1:-1])
            if value is INVALID:
                raise Wrong("no %s" % text)
            return ("literal", text, value)
        if kind != "name" or (text in RESERVED and not (text == "min" and self.peek("("))):
            raise Wrong("%r is no operand" % text)
        if not self.peek("("):
            return ("name", text)
        self.take()
        arguments = []
        while not self.peek(")"):
            if arguments:
                self.take(",")
            arguments.append(self.expression())
        self.take(")")
        return ("call", text, *arguments)


def parse(text):
    return Parser(text).whole()


# --- values of the outside -------------------------------------------------------------------------------------------

STAMP = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)")
EPOCH = datetime.date(1970, 1, 1)


def read(kind, text):
    """A text as a value of the column's type."""
    if text is None or text == "":
        return MISSING
    try:
        if kind == "text":
            return text
        if kind == "bool":
            return {"true": True, "false": False}.get(text, INVALID)
        if kind == "decimal":
            if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)", text, re.A):
                return INVALID
            digits = text.lstrip("+-0").replace(".", "").rstrip("0") if "." in text else text.lstrip("+-0")
            return decimal.Decimal(text) if len(digits) <= 38 else INVALID
        if kind == "date":
            return datetime.date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.A) else INVALID
        found = STAMP.fullmatch(text)
        if not found:
            return INVALID
        day, hour, minute, second = datetime.date.fromisoformat(found[1]), int(found[2]), int(found[3]), int(found[4])
        if hour > 23 or minute > 59 or second > 59:
            return INVALID
        zone = found[6]
        away = 0 if zone == "Z" else int(zone[0] + "1") * (int(zone[1:3]) * 60 + int(zone[4:6]))
        seconds = (day - EPOCH).days * 86400 + hour * 3600 + (minute - away) * 60 + second
        return Instant(seconds * 1000000 + int((found[5] or "0").ljust(6, "0")))
    except ValueError:
        return INVALID


def canonical(v):
    """As keys and evidence are written: decimals without exponent and trailing zeros, instants in UTC."""
    if v is MISSING:
        return None
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, decimal.Decimal):
        text = format(v, "f")
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return "0" if text in ("-0", "") else text
    if isinstance(v, Instant):
        seconds, part = divmod(int(v), 1000000)
        stamp = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
        return stamp.strftime("%Y-%m-%dT%H:%M:%S") + (".%06d" % part).rstrip("0").rstrip(".") + "Z"
    return v.isoformat() if isinstance(v, datetime.date) else v


# --- operators -------------------------------------------------------------------------------------------------------

ORDERED = ("decimal", "date", "timestamp", "duration")
ADDING = {("decimal", "decimal"): "decimal", ("date", "duration"): "date", ("timestamp", "duration"): "timestamp",
          ("duration", "duration"): "duration"}
TAKING = {**ADDING, ("date", "date"): "decimal", ("timestamp", "timestamp"): "duration"}


def same_type(kinds):
    named = {k for k in kinds if k != "any"}
    if len(named) > 1:
        raise Wrong("types differ: %s" % ", ".join(sorted(named)))
    return named.pop() if named else "any"


def operator_type(operator, kinds):
    if operator in ("and", "or", "not"):
        if same_type(kinds) not in ("bool", "any"):
            raise Wrong("%s wants conditions" % operator)
        return "bool"
    if operator in ("=", "!=", "in"):
        same_type(kinds)
        return "bool"
    if operator in ("<", "<=", ">", ">="):
        if same_type(kinds) not in ORDERED + ("any",):
            raise Wrong("%s has no order" % same_type(kinds))
        return "bool"
    if operator in ("+", "-"):
        found = (ADDING if operator == "+" else TAKING).get(tuple(kinds))
        if not found:
            raise Wrong("%s %s %s is refused" % (kinds[0], operator, kinds[1]))
        return found
    wanted = "text" if operator == "||" else "decimal"
    if any(k not in (wanted, "any") for k in kinds):
        raise Wrong("%s wants %s" % (operator, wanted))
    return wanted


def within_38(v):
    if isinstance(v, decimal.Decimal) and len(canonical(v).lstrip("-").replace(".", "").lstrip("0")) > 38:
        return INVALID
    return v


def arithmetic(operator, a, b):
    if operator == "||":
        return a + b
    if isinstance(a, datetime.date):
        if isinstance(b, datetime.date):
            return decimal.Decimal((a - b).days)
        days, rest = divmod(int(b), 86400 * 1000000)
        try:
            return INVALID if rest else a + datetime.timedelta(days if operator == "+" else -days)
        except OverflowError:
            return INVALID
    if isinstance(a, (Instant, Duration)):
        kind = Duration if isinstance(a, Duration) or isinstance(b, Instant) else Instant
        return kind(int(a) + int(b) if operator == "+" else int(a) - int(b))
    if operator in ("/", "%") and b == 0:
        return INVALID
    if operator == "/":
        return within_38(EXACT.quantize(EXACT.divide(a, b), decimal.Decimal(1).scaleb(-18)))
    act = {"+": EXACT.add, "-": EXACT.subtract, "*": EXACT.multiply, "%": EXACT.remainder}[operator]
    return within_38(act(a, b))


def compare(operator, a, b):
    if operator in ("=", "!="):
        return (a == b) == (operator == "=")
    return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[operator]


def logic(operator, values):
    """`and` is false if one is, else invalid, else missing, else true; `or` is its dual."""
    decides = operator == "or"
    if any(v is decides for v in values):
        return decides
    bad = worst(values)
    return bad if bad is not None else not decides
