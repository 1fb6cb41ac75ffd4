# SPDX-License-Identifier: Apache-2.0
"""The calendars that are shipped: made by their script, and right where they were published."""
import csv
import datetime
import io
import os
import runpy
import zoneinfo

import reference_data as data
from proof import Skip

MADE = runpy.run_path(os.path.join(data.ROOT, "workers", "lists", "calendars.py"))
EASTER = ("2020-04-12 2021-04-04 2022-04-17 2023-04-09 2024-03-31 2025-04-20 2026-04-05 2027-03-28 2028-04-16 2029-04-01 "
          "2030-04-21").split()
PUBLISHED = {  # as the publishers' own pages list them
    ("gb", 2020): "01-01 04-10 04-13 05-08 05-25 08-31 12-25 12-28",
    ("gb", 2021): "01-01 04-02 04-05 05-03 05-31 08-30 12-27 12-28",
    ("gb", 2022): "01-03 04-15 04-18 05-02 06-02 06-03 08-29 09-19 12-26 12-27",
    ("gb", 2023): "01-02 04-07 04-10 05-01 05-08 05-29 08-28 12-25 12-26",
    ("gb", 2026): "01-01 04-03 04-06 05-04 05-25 08-31 12-25 12-28",
    ("gb", 2027): "01-01 03-26 03-29 05-03 05-31 08-30 12-27 12-28",
    ("target", 2025): "01-01 04-18 04-21 05-01 12-25 12-26",
    ("target", 2026): "01-01 04-03 04-06 05-01 12-25",
    ("us-fed", 2021): "01-01 01-18 02-15 05-31 07-05 09-06 10-11 11-11 11-25",
    ("us-fed", 2023): "01-02 01-16 02-20 05-29 06-19 07-04 09-04 10-09 11-23 12-25",
    ("us-fed", 2026): "01-01 01-19 02-16 05-25 06-19 09-07 10-12 11-11 11-26 12-25",
}


def made_text(name):
    out = io.StringIO()
    MADE["write"](name, out)
    return out.getvalue()


def committed(name):
    path = os.path.join(data.ROOT, "workers", "lists", "%s@%s.csv" % (name, MADE["VERSION"]))
    with open(path, encoding="utf-8", newline="") as f:
        return f.read()


def the_committed_days_are_those_that_the_script_makes():
    for name in MADE["CALENDARS"]:
        rest = lambda text: [line for line in text.split("\n") if not line.startswith("offset,")]
        assert rest(committed(name)) == rest(made_text(name)), name


def the_committed_offsets_are_those_of_the_time_zones_here():
    for name in MADE["CALENDARS"]:
        if committed(name) != made_text(name):
            raise Skip("the time zone data of this machine say otherwise of %s; a new version of the list is due" % name)


def easter_falls_on_the_published_days():
    assert [MADE["easter"](year).isoformat() for year in range(2020, 2031)] == EASTER


def holidays_are_those_that_were_published():
    for (name, year), days in PUBLISHED.items():
        calendar = data.calendar("%s@%s" % (name, MADE["VERSION"]))
        got = " ".join(sorted(d.isoformat()[5:] for d in calendar.holidays if d.year == year))
        assert got == days, (name, year, got)


def local_days_follow_the_zone_through_every_change():
    utc = datetime.timezone.utc
    for name in MADE["CALENDARS"]:
        calendar, zone = data.calendar("%s@%s" % (name, MADE["VERSION"])), zoneinfo.ZoneInfo(MADE["CALENDARS"][name][1])
        at, end = datetime.datetime(2020, 1, 2, tzinfo=utc), datetime.datetime(2030, 12, 30, tzinfo=utc)
        while at < end:
            there = at.astimezone(zone)
            micros = ((there.hour * 60 + there.minute) * 60 + there.second) * 1000000
            assert calendar.local(int(at.timestamp()) * 1000000) == (there.date(), micros), (name, at)
            at += datetime.timedelta(hours=7, minutes=31)


def rows_are_sorted_and_none_is_twice():
    for name in MADE["CALENDARS"]:
        rows = list(csv.reader(committed(name).split("\n")[3:-1]))
        keys = [tuple(v.encode() for v in row) for row in rows]
        assert keys == sorted(set(keys)), name


TESTS = [the_committed_days_are_those_that_the_script_makes, the_committed_offsets_are_those_of_the_time_zones_here,
         easter_falls_on_the_published_days, holidays_are_those_that_were_published,
         local_days_follow_the_zone_through_every_change, rows_are_sorted_and_none_is_twice]
