# SPDX-License-Identifier: Apache-2.0
"""Reports of firms, most in time: single late ones, firms with a bad day, firms with a bad week."""
import datetime

import draw as drawing
import reference_data as data
from inputs import Fault, setting

COLUMNS = ["report_id", "firm", "executed_at", "reported_at"]
ZONE, CALENDAR = "Europe/London", data.calendar("gb@2026.1")
FIRST, LAST = datetime.date(2026, 3, 16), datetime.date(2026, 4, 17)  # over the change of summer time and Easter
LEAST = 20  # reports of a week below which nothing is said of it


def timely(draw, record, day):
    executed = drawing.local(ZONE, day, draw.between(0, 23), draw.below(60), draw.below(60))
    due = CALENDAR.step(day, 1)
    if draw.chance(20):
        reported = drawing.midnight_after(ZONE, due) - datetime.timedelta(microseconds=draw.between(1, 1000000))
    else:
        reported = executed + datetime.timedelta(minutes=draw.between(0, 600))
    record.update({"executed_at": drawing.stamp(executed), "reported_at": drawing.stamp(reported), "_day": day})


def good(world, number):
    record = {"report_id": "R%08d" % number, "firm": "F%d" % world.draw.between(1, 5)}
    timely(world.draw, record, world.draw.business_day(CALENDAR, FIRST, LAST))
    return record


def delay(record, days):
    """Reported as the due day, or one so many business days behind it, ends."""
    due = CALENDAR.step(record["_day"], 1)
    record["reported_at"] = drawing.stamp(drawing.midnight_after(ZONE, CALENDAR.step(due, days) if days else due))


def of_day(record):
    return {"LATE.FIRM": [record["_day"].isoformat(), record["firm"]]}


def late(days, *more):
    def put(world, at):
        record = world.records[at]
        delay(record, days)
        return dict({rule: None for rule in ("LATE.T1",) + more}, **of_day(record))
    return put


def rewrite(world, at, firm, count, lates):
    """So many reports of one firm for one day, the first of them late."""
    day = world.draw.business_day(CALENDAR, FIRST, LAST)
    for i, place in enumerate([at] + world.take(count - 1)):
        record = world.records[place]
        record["firm"] = firm
        timely(world.draw, record, day)
        if i < lates:
            delay(record, 0)
            world.expect("LATE.T1", place + 1)
    return of_day(world.records[at])


def bad_day(world, at):
    return rewrite(world, at, world.fresh("D"), LEAST - 1, 10)


def bad_week(world, at):
    broken = rewrite(world, at, world.fresh("W"), LEAST, 2)
    return dict(broken, **{"LATE.WEEK": broken["LATE.FIRM"]})


def on_saturday(world, at):
    record = world.records[at]
    record["executed_at"] = drawing.stamp(drawing.local(ZONE, datetime.date(2026, 3, 28), 12))
    record["reported_at"] = drawing.stamp(drawing.local(ZONE, datetime.date(2026, 3, 30), 23, 59, 59))
    return {"LATE.CLOSED": None}


def before_execution(world, at):
    record = world.records[at]
    executed = drawing.local(ZONE, record["_day"], 12)
    record["executed_at"] = drawing.stamp(executed)
    record["reported_at"] = drawing.stamp(executed - datetime.timedelta(microseconds=1))
    return {"LATE.ORDER": None}


def sent_twice(world, at):
    record, first = world.records[at], world.untouched(lambda r: True)
    record["report_id"], record["firm"] = first["report_id"], first["firm"]
    return {"LATE.TWICE": [record["firm"], record["report_id"]]}


FAULTS = [
    Fault("a day late", late(0)), Fault("a week late", late(6, "LATE.BACKLOG")),
    Fault("reported before it was executed", before_execution),
    Fault("executed on a Saturday", on_saturday), Fault("a firm's bad day", bad_day),
    Fault("a firm's bad week", bad_week), Fault("sent twice", sent_twice),
    setting("no report id", ["LATE.GIVEN"], report_id=None), setting("no firm", ["LATE.GIVEN"], firm=None),
    setting("no time of execution", ["LATE.GIVEN"], executed_at=None),
    setting("no time of report", ["LATE.GIVEN"], reported_at=None),
    setting("time without T", ["LATE.READABLE"], executed_at="2026-03-20 10:00:00Z"),
    setting("time without offset", ["LATE.READABLE"], reported_at="2026-03-20T10:00:00"),
    setting("no such day", ["LATE.READABLE"], executed_at="2026-02-30T10:00:00Z"),
]


def finish(world):
    """More than one in a hundred late: the share of the whole fails, too. What cannot be judged does not count."""
    judged = sum(1 for r in world.records if "T" in r.get("executed_at", "")
                 and r["executed_at"] != "2026-02-30T10:00:00Z" and r.get("reported_at", "").endswith("Z"))
    if len(world.truth.get("LATE.T1", [])) * 100 > judged:
        world.expect("LATE.SHARE", [])
