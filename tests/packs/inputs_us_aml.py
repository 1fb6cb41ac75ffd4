# SPDX-License-Identifier: Apache-2.0
"""Transactions of persons: small cash and wires of many, and persons who do what the rules look for."""
import datetime

import draw as drawing
import reference_data as data
from inputs import Fault, setting

COLUMNS = ["txn_id", "person", "other", "ts", "amount", "direction", "instrument"]
ZONE, CALENDAR = "America/New_York", data.calendar("us-fed@2026.1")
FIRST, LAST = datetime.date(2026, 1, 5), datetime.date(2026, 6, 30)


def good(world, number):
    draw = world.draw
    cash = draw.chance(50)
    day = FIRST + datetime.timedelta(draw.below((LAST - FIRST).days))
    return {"txn_id": "X%09d" % number, "person": "P%05d" % draw.between(1, 300),
            "other": "C%05d" % draw.between(1, 4000),
            "ts": drawing.stamp(drawing.local(ZONE, day, draw.between(0, 23), draw.below(60), draw.below(60))),
            "amount": draw.amount(1, 900) if cash else draw.amount(1, 50000), "direction": draw.one(("in", "out")),
            "instrument": "CASH" if cash else "WIRE"}


def rewrite(world, at, rows):
    """As many records as rows, one person's: (instant, amount, direction, instrument, other)."""
    person = world.fresh("Q")
    for place, (moment, amount, direction, instrument, other) in zip([at] + world.take(len(rows) - 1), rows):
        world.records[place].update({"person": person, "ts": drawing.stamp(moment), "amount": amount,
                                     "direction": direction, "instrument": instrument, "other": other})
    return person


def open_day(world):
    """A business day after a business day, far enough from both ends for windows."""
    return world.draw.business_day(CALENDAR, FIRST + datetime.timedelta(40), LAST - datetime.timedelta(40))


def cash_in(moment, amount):
    return (moment, amount, "in", "CASH", "C00001")


def adds_up(world, at):
    day = open_day(world)
    person = rewrite(world, at, [cash_in(drawing.local(ZONE, day, 9), "9999.99"),
                                 cash_in(drawing.local(ZONE, day, 15, 59, 59), "0.02")])
    return {"AML.CTR": [day.isoformat(), "in", person]}


def over_the_weekend(world, at):
    """Friday from 16:00 on and Saturday count for the next business day."""
    friday = datetime.date(2026, 2, 13)  # before Washington's birthday
    person = rewrite(world, at, [cash_in(drawing.local(ZONE, friday, 16), "9000.00"),
                                 cash_in(drawing.local(ZONE, friday + datetime.timedelta(1), 12), "1000.01")])
    return {"AML.CTR": ["2026-02-17", "in", person]}


def exactly_the_limit(world, at):
    """No finding: 10,000 is not more than 10,000; in and out are not netted, nor added."""
    day = open_day(world)
    rewrite(world, at, [cash_in(drawing.local(ZONE, day, 9), "9000.00"), cash_in(drawing.local(ZONE, day, 10), "1000.00"),
                        (drawing.local(ZONE, day, 11), "10000.00", "out", "CASH", "C00002")])
    return {}


def structured(world, at):
    day = CALENDAR.bizday(data.language.read("timestamp", drawing.stamp(drawing.local(ZONE, open_day(world), 12))),
                          "24:00")
    last = day + datetime.timedelta(29)
    while not CALENDAR.open_on(last):
        last -= datetime.timedelta(1)
    person = rewrite(world, at, [cash_in(drawing.local(ZONE, when, 12), "4000.00")
                                 for when in (day, CALENDAR.step(day, 5), last)])
    return {"AML.STRUCT": [last.isoformat(), person]}


def structured_too_slowly(world, at):
    """No finding: the third is 30 days after the first."""
    day = next(d for d in (FIRST + datetime.timedelta(i) for i in range(40, 90))
               if CALENDAR.open_on(d) and CALENDAR.open_on(d + datetime.timedelta(30)))
    rewrite(world, at, [cash_in(drawing.local(ZONE, when, 12), "4000.00")
                        for when in (day, CALENDAR.step(day, 5), day + datetime.timedelta(30))])
    return {}


def busy(count):
    def put(world, at):
        day = open_day(world)
        person = rewrite(world, at, [(drawing.local(ZONE, day, 8 + i // 10, i % 10), "10.00", "out", "WIRE", "C00003")
                                     for i in range(count)])
        return {"AML.VELOCITY": [day.isoformat(), person]}
    return put


def paid_by(payers):
    def put(world, at):
        day = open_day(world)
        person = rewrite(world, at, [(drawing.local(ZONE, day, 23, 59, i), "100.00", "in", "WIRE", "C%05d" % (i + 10))
                                     for i in range(payers)])
        return {"AML.FANIN": [day.isoformat(), person]} if payers >= 5 else {}
    return put


FAULTS = [
    Fault("cash adds up", adds_up), Fault("cash over the week-end", over_the_weekend),
    Fault("exactly the limit", exactly_the_limit), Fault("structured", structured),
    Fault("structured too slowly", structured_too_slowly), Fault("twenty in a week", busy(20)),
    Fault("nineteen in a week", lambda world, at: busy(19)(world, at) and {}),
    Fault("fifty in a week", busy(50)), Fault("paid by five", paid_by(5)), Fault("paid by four", paid_by(4)),
    setting("nobody", ["AML.GIVEN"], person=None), setting("no time", ["AML.GIVEN"], ts=None),
    setting("no instrument", ["AML.GIVEN"], instrument=None), setting("amount of nothing", ["AML.AMOUNT"], amount="0.00"),
    setting("half a cent", ["AML.AMOUNT"], amount="1.005"),
    setting("direction in capitals", ["AML.DIRECTION"], direction="IN"),
]
