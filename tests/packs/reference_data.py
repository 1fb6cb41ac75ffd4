# SPDX-License-Identifier: Apache-2.0
"""Lists and calendars as packs name them, read from the files that are shipped, and the check digits of identifiers, by
another hand than the engine's."""
import csv
import datetime
import functools
import glob
import os
import re

import language
from language import INVALID

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = [os.path.join(os.environ.get("MUSTER_BUILD", os.path.join(ROOT, "build")), "workers", "lists"),
           os.path.join(ROOT, "workers", "lists")]
EPOCH = datetime.date(1970, 1, 1)
DAY_US = 86400 * 1000000


def find(name):
    """The file of `name` or `name@version`; of several versions the last by name. None: there is none."""
    pattern = name + ".csv" if "@" in name else name + "@*.csv"
    for folder in FOLDERS:
        found = sorted(glob.glob(os.path.join(folder, pattern)))
        if found:
            return found[-1]
    return None


@functools.lru_cache(None)
def table(name):
    """(header, rows) of a list; the first column is its key in all that are shipped."""
    with open(find(name), encoding="utf-8", newline="") as f:
        rows = list(csv.reader(line for line in f if not line.startswith("#")))
    return rows[0], rows[1:]


@functools.lru_cache(None)
def by_key(name):
    out = {}
    for row in table(name)[1]:
        out.setdefault(row[0], []).append(dict(zip(table(name)[0], row)))
    return out


def active_on(key, name, day):
    for row in by_key(name).get(key, []):
        begun = not row.get("from") or datetime.date.fromisoformat(row["from"]) <= day
        gone = row.get("to") and datetime.date.fromisoformat(row["to"]) <= day
        last = row.get("expiry") if row.get("status") == "EXPIRED" else None
        expired = last is not None and not (last and datetime.date.fromisoformat(last) > day)
        if begun and not gone and not expired:
            return True
    return False


class Calendar:
    def __init__(self, name):
        rows = table(name)[1]
        of = lambda kind: [row for row in rows if row[0] == kind]
        self.holidays = {datetime.date.fromisoformat(row[1]) for row in of("holiday")}
        self.weekend = {int(row[3]) for row in of("weekend")}
        self.first, self.end = (datetime.date.fromisoformat(v) for v in of("valid")[0][1:3])
        self.offsets = []
        for row in of("offset"):
            sign, hours, minutes = row[3][0], int(row[3][1:3]), int(row[3][4:6])
            far = (hours * 60 + minutes) * (-1 if sign == "-" else 1)
            self.offsets.append((int(language.read("timestamp", row[1])), far * 60000000))

    def covers(self, day):
        return self.first <= day < self.end

    def local(self, instant):
        """(date, microseconds since midnight), or INVALID."""
        far = [away for begin, away in self.offsets if begin <= instant]
        if not far:
            return INVALID
        days, rest = divmod(int(instant) + far[-1], DAY_US)
        day = EPOCH + datetime.timedelta(days)
        return (day, rest) if self.covers(day) else INVALID

    def open_on(self, day):
        return day.isoweekday() not in self.weekend and day not in self.holidays

    def step(self, day, n):
        """The n-th business day after (before, if n < 0) the day; for 0 the day itself."""
        while n and self.covers(day):
            day += datetime.timedelta(1 if n > 0 else -1)
            if self.covers(day) and self.open_on(day):
                n -= 1 if n > 0 else -1
        return day if self.covers(day) else INVALID

    def bizday(self, instant, cutoff):
        at = self.local(instant)
        if at is INVALID:
            return INVALID
        day, rest = at
        hour, minute = (int(v) for v in cutoff.split(":"))
        if rest >= (hour * 60 + minute) * 60000000:
            day += datetime.timedelta(1)
        while self.covers(day) and not self.open_on(day):
            day += datetime.timedelta(1)
        return day if self.covers(day) else INVALID


@functools.lru_cache(None)
def calendar(name):
    return Calendar(name)


# --- identifiers -----------------------------------------------------------------------------------------------------

def spelled(text):
    return "".join(str(int(c, 36)) for c in text)


def luhn_sum(digits):
    """Every second digit doubled, from the right, where the check digit would stand behind them."""
    total = 0
    for i, c in enumerate(reversed(digits)):
        twice = int(c) * (2 if i % 2 == 0 else 1)
        total += twice // 10 + twice % 10
    return total


def isin(t):
    return bool(re.fullmatch("[A-Z]{2}[A-Z0-9]{9}[0-9]", t)) and -luhn_sum(spelled(t[:-1])) % 10 == int(t[-1])


def lei(t):
    return bool(re.fullmatch("[A-Z0-9]{18}[0-9]{2}", t)) and int(spelled(t)) % 97 == 1


def doubled(text, value):
    total = 0
    for i, c in enumerate(text):
        v = value(c) * (2 if i % 2 else 1)
        total += v // 10 + v % 10
    return -total % 10


def cusip(t):
    value = lambda c: 36 + "*@#".index(c) if c in "*@#" else int(c, 36)
    return bool(re.fullmatch("[A-Z0-9*@#]{8}[0-9]", t)) and doubled(t[:8], value) == int(t[8])


def figi(t):
    shape = re.fullmatch("[B-DF-HJ-NP-TV-Z]{2}G[B-DF-HJ-NP-TV-Z0-9]{8}[0-9]", t)
    if not shape or t[:2] in ("BS", "BM", "GG", "GB", "VG", "GH", "KY"):
        return False
    return doubled(t[:11], lambda c: int(c, 36)) == int(t[11])


def sedol(t):
    if not re.fullmatch("([0-9]{6}|[B-DF-HJ-NP-TV-Z][0-9B-DF-HJ-NP-TV-Z]{5})[0-9]", t):
        return False
    return -sum(w * int(c, 36) for w, c in zip((1, 3, 1, 7, 3, 9), t)) % 10 == int(t[6])


def iban(t):
    row = by_key("iban-registry").get(t[:2])
    if not row:
        return False
    kinds = {"n": "[0-9]", "a": "[A-Z]", "c": "[A-Za-z0-9]"}
    shape = re.sub(r"(\d+)!([nac])", lambda m: kinds[m[2]] + "{%s}" % m[1], row[0]["structure"])
    return bool(re.fullmatch(shape, t)) and int(spelled(t[4:] + t[:4])) % 97 == 1


def bic(t):
    shape = re.fullmatch("[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?", t)
    return bool(shape) and (t[4:6] == "XK" or t[4:6] in by_key("iso3166"))


def cfi(t):
    rows = by_key("cfi").get(t[:2]) if re.fullmatch("[A-Z]{6}", t) else None
    attributes = zip(t[2:], ("first", "second", "third", "fourth"))
    return bool(rows) and all(c == "X" or c in rows[0][name] for c, name in attributes)


def uti(t):
    return bool(re.fullmatch("[A-Z0-9]{1,52}", t)) and lei(t[:20])


IDENTIFIERS = {f.__name__: f for f in (isin, lei, cusip, figi, sedol, iban, bic, cfi, uti)}
