# SPDX-License-Identifier: Apache-2.0
"""Makes the calendars out of the rules by which their days are closed: calendars.py [FOLDER] (default: its own).

A calendar is a list whose rows are of five kinds: `holiday` (from: the day, never one of the week-end), `offset` (from:
the instant from which local time is that far from UTC; the first one is at or before the beginning), `valid` (the first
day, and the first one that is no longer covered), `weekend` (the number of the day, Monday 1) and `zone`. The files are
committed, so that a build gives the same bytes whatever its time zone data; a test compares them with this script.

Sources of the rules:
  us-fed  Federal Reserve Financial Services, "Holiday schedules": the days of 5 U.S.C. 6103(a); one on a Sunday is kept on
          Monday, for one on a Saturday the banks are open the Friday before. Juneteenth since its first listing in 2022.
  target  ECB, press release of 14 December 2000, days on which TARGET is closed from 2002 on: 1 January, Good Friday and
          Easter Monday (by the calendar at the seat of the ECB), 1 May, 25 and 26 December. T2 has kept them.
  gb      England and Wales: Banking and Financial Dealings Act 1971, schedule 1; Good Friday and Christmas Day by common
          law; New Year's Day, the first Monday in May, substitutes and single days by proclamation, as published at
          gov.uk/bank-holidays: VE Day 2020, the jubilee and the funeral of 2022, the coronation of 2023."""
import csv
import datetime
import os
import sys
import zoneinfo

FIRST, END = datetime.date(2020, 1, 1), datetime.date(2031, 1, 1)
MONDAY, THURSDAY, SATURDAY, SUNDAY = 0, 3, 5, 6
day = datetime.date


def easter(year):
    """Easter Sunday of the Gregorian calendar, after Meeus, Astronomical Algorithms, chapter 8."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    ll = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * ll) // 451
    month, before = divmod(h + ll - 7 * m + 114, 31)
    return day(year, month, before + 1)


def shifted(date, days):
    return date + datetime.timedelta(days)


def nth(year, month, weekday, n):
    """The n-th such weekday of the month; the last one for n = -1."""
    if n < 0:
        last = shifted(day(year + month // 12, month % 12 + 1, 1), -1)
        return shifted(last, -((last.weekday() - weekday) % 7))
    first = day(year, month, 1)
    return shifted(first, (weekday - first.weekday()) % 7 + 7 * (n - 1))


def us_fed(year):
    fixed = [(day(year, 1, 1), "New Year's Day"), (day(year, 7, 4), "Independence Day"),
             (day(year, 11, 11), "Veterans Day"), (day(year, 12, 25), "Christmas Day")]
    if year >= 2022:
        fixed.append((day(year, 6, 19), "Juneteenth"))
    for date, title in fixed:
        if date.weekday() == SUNDAY:
            yield shifted(date, 1), title + " (observed)"
        elif date.weekday() != SATURDAY:
            yield date, title
    yield nth(year, 1, MONDAY, 3), "Birthday of Martin Luther King"
    yield nth(year, 2, MONDAY, 3), "Washington's Birthday"
    yield nth(year, 5, MONDAY, -1), "Memorial Day"
    yield nth(year, 9, MONDAY, 1), "Labor Day"
    yield nth(year, 10, MONDAY, 2), "Columbus Day"
    yield nth(year, 11, THURSDAY, 4), "Thanksgiving Day"


def target(year):
    sunday = easter(year)
    for date, title in ((day(year, 1, 1), "New Year's Day"), (shifted(sunday, -2), "Good Friday"),
                        (shifted(sunday, 1), "Easter Monday"), (day(year, 5, 1), "Labour Day"),
                        (day(year, 12, 25), "Christmas Day"), (day(year, 12, 26), "Christmas Holiday")):
        if date.weekday() < SATURDAY:
            yield date, title


GB_MOVED = {(2020, "Early May bank holiday"): (day(2020, 5, 8), "Early May bank holiday (VE Day)"),
            (2022, "Spring bank holiday"): (day(2022, 6, 2), "Spring bank holiday")}
GB_SINGLE = {2022: [(day(2022, 6, 3), "Platinum Jubilee bank holiday"), (day(2022, 9, 19), "State funeral of Elizabeth II")],
             2023: [(day(2023, 5, 8), "Coronation of Charles III")]}


def gb(year):
    sunday, taken = easter(year), set()
    days = [(day(year, 1, 1), "New Year's Day"), (shifted(sunday, -2), "Good Friday"),
            (shifted(sunday, 1), "Easter Monday"), (nth(year, 5, MONDAY, 1), "Early May bank holiday"),
            (nth(year, 5, MONDAY, -1), "Spring bank holiday"), (nth(year, 8, MONDAY, -1), "Summer bank holiday"),
            (day(year, 12, 25), "Christmas Day"), (day(year, 12, 26), "Boxing Day")]
    days = [GB_MOVED.get((year, title), (date, title)) for date, title in days] + GB_SINGLE.get(year, [])
    taken.update(date for date, _ in days)
    for date, title in days:
        if date.weekday() < SATURDAY:
            yield date, title
            continue
        while date.weekday() >= SATURDAY or date in taken:
            date = shifted(date, 1)
        taken.add(date)
        yield date, title + " (substitute)"


def instant(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def offsets(zone):
    """(instant, offset) of the change at or before the beginning, then of each one until the end. Found by halving: the
    offset of a zone changes at most once within half a month."""
    tz, utc, step = zoneinfo.ZoneInfo(zone), datetime.timezone.utc, datetime.timedelta(15)

    def offset(moment):
        return moment.astimezone(tz).utcoffset()

    begin = datetime.datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=tz).astimezone(utc)
    end = datetime.datetime(END.year, END.month, END.day, tzinfo=tz).astimezone(utc)
    found, at = [], begin - datetime.timedelta(400)
    while at < end:
        low, high = at, at + step
        if offset(low) != offset(high):
            while high - low > datetime.timedelta(seconds=1):
                middle = low + datetime.timedelta(seconds=(high - low).total_seconds() // 2)
                low, high = (middle, high) if offset(middle) == offset(low) else (low, middle)
            found.append((high, offset(high)))
        at += step
    last = max((i for i, (moment, _) in enumerate(found) if moment <= begin), default=0)
    for moment, far in found[last:]:
        if moment < end:
            minutes = int(far.total_seconds() // 60)
            yield instant(moment), "%s%02d:%02d" % ("-" if minutes < 0 else "+", abs(minutes) // 60, abs(minutes) % 60)


CALENDARS = {"gb": (gb, "Europe/London", "bank holidays of England and Wales"),
             "target": (target, "Europe/Berlin", "closing days of T2"),
             "us-fed": (us_fed, "America/New_York", "holidays of the Federal Reserve Banks")}
VERSION = "2026.1"


def rows(name):
    rule, zone, _ = CALENDARS[name]
    out = [("holiday", date.isoformat(), "", "", title) for year in range(FIRST.year, END.year) for date, title in rule(year)]
    out += [("offset", moment, "", far, "") for moment, far in offsets(zone)]
    out += [("valid", FIRST.isoformat(), END.isoformat(), "", ""), ("weekend", "", "", "6", "Saturday"),
            ("weekend", "", "", "7", "Sunday"), ("zone", "", "", zone, "")]
    return sorted(out, key=lambda row: tuple(value.encode() for value in row))


def write(name, f):
    f.write("# muster-list 1 %s %s key=kind\n" % (name, VERSION))
    f.write("# Calendar: %s, with the offsets of %s. Made by calendars.py.\n" % (CALENDARS[name][2], CALENDARS[name][1]))
    out = csv.writer(f, lineterminator="\n")
    out.writerow(("kind", "from", "to", "value", "title"))
    out.writerows(rows(name))


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    for name in CALENDARS:
        with open(os.path.join(folder, "%s@%s.csv" % (name, VERSION)), "w", encoding="utf-8", newline="") as f:
            write(name, f)


if __name__ == "__main__":
    main()
