# SPDX-License-Identifier: Apache-2.0
"""Daily prices and holdings of a few instruments."""
import datetime

from inputs import Fault, altered, setting, spoil

COLUMNS = ["instrument", "day", "price_open", "price_high", "price_low", "price_close", "volume", "currency", "quantity",
           "market_value", "source_ref"]
FIRST, INSTRUMENTS = datetime.date(2026, 11, 19), 40
CURRENCIES = ("EUR", "USD", "GBP")


def weekday_before(day, n):
    """The n-th Monday to Friday before the day."""
    weeks, rest = divmod(n, 5)
    day -= datetime.timedelta(7 * weeks)
    while rest:
        day -= datetime.timedelta(1)
        rest -= day.isoweekday() <= 5
    return day


def text(number, decimals):
    return "%d.%0*d" % (number // 10 ** decimals, decimals, number % 10 ** decimals)


def valued(record):
    """Market value, to the cent below."""
    whole, _, part = record["price_close"].partition(".")
    micro = int(whole) * 10 ** 7 + int(part.ljust(7, "0"))
    record["market_value"] = text(int(record["quantity"]) * micro // 10 ** 5, 2)


def good(world, number):
    draw = world.draw
    instrument = (number - 1) % INSTRUMENTS
    low = draw.between(100000, 90000000)
    opened, closed = low + draw.below(9000), low + draw.below(9000)
    record = {"instrument": "I%03d" % instrument, "day": weekday_before(FIRST, (number - 1) // INSTRUMENTS).isoformat(),
              "price_open": text(opened, 4),
              "price_high": text(max(opened, closed) + draw.below(50) + 1, 4), "price_low": text(low, 4),
              "price_close": text(closed, 4), "volume": draw.amount(0, 9000000, 0),
              "currency": CURRENCIES[instrument % 3], "quantity": draw.amount(1, 900, 0),
              "source_ref": "REF%08d" % number}
    valued(record)
    if draw.chance(3):
        del record["volume"]
    return record


def same_key(world, at):
    record, first = world.records[at], world.untouched(lambda r: True)
    for column in ("instrument", "day", "currency"):
        record[column] = first[column]
    return {"DQ.KEY.UNIQUE": [record["day"], record["instrument"]]}


def same_reference(world, at):
    world.records[at]["source_ref"] = world.untouched(lambda r: True)["source_ref"]
    return {"DQ.REF.UNIQUE": [world.records[at]["source_ref"]]}


def currency(value, *rules):
    def put(world, at):
        record = world.records[at]
        record["currency"] = value(record)
        return dict({rule: None for rule in rules}, **{"DQ.CCY.ONE": [record["instrument"]]})
    return put


def no_close(world, at):
    record = world.records[at]
    del record["price_close"]
    return {"DQ.DAY.GAPS": [record["day"]]}


def saturday(draw, record):
    day = datetime.date.fromisoformat(record["day"])
    record["day"] = (day + datetime.timedelta(6 - day.isoweekday())).isoformat()


def above_the_high(draw, record):
    record["price_close"] = text(int(record["price_high"].replace(".", "")) + 1, 4)
    valued(record)


def flat(draw, record):
    record["price_high"] = record["price_low"] = record["price_close"] = record["price_open"]
    valued(record)


def seven_decimals(draw, record):
    record["price_close"] = record["price_low"] + "001"
    valued(record)


FAULTS = [
    setting("no instrument", ["DQ.KEY.GIVEN"], instrument=None), setting("no day", ["DQ.KEY.GIVEN"], day=None),
    altered("instrument in lower case", ["DQ.KEY.FORM"], "instrument", lambda draw, r: r["instrument"].lower()),
    Fault("key of another", same_key), setting("no such day", ["DQ.DAY.READABLE"], day="2026-02-30"),
    setting("day of next year", ["DQ.DAY.PAST"], day="2027-01-04"),
    spoil("a Saturday", ["DQ.DAY.WEEKDAY"], saturday, lambda r: r["day"] < "2026-11-16"),
    setting("open with comma", ["DQ.PRICE.READABLE"], price_open="1,000.00"),
    setting("low of nothing", ["DQ.PRICE.POSITIVE"], price_low="0"),
    spoil("close above the high", ["DQ.PRICE.RANGE"], above_the_high), spoil("flat", ["DQ.PRICE.FLAT"], flat),
    spoil("seven decimals", ["DQ.PRICE.DIGITS"], seven_decimals), Fault("no close", no_close),
    setting("volume below 0", ["DQ.VOLUME.WHOLE"], volume="-1"),
    setting("half a share", ["DQ.VOLUME.WHOLE"], volume="0.5"),
    Fault("currency unknown", currency(lambda r: "XQQ", "DQ.CCY.LISTED")),
    Fault("another currency", currency(lambda r: "CHF")),
    setting("value off by two cents", ["DQ.HOLDING.ADDS"], lambda r: "price_close" in r, quantity="3",
            price_close="33.3330", price_low="33.0000",
            price_high="34.0000", price_open="33.5000", market_value="100.0191"),
    setting("no reference", ["DQ.REF.GIVEN"], source_ref=None), Fault("reference of another", same_reference),
]


def finish(world):
    for rule, column, per_mille in (("DQ.PRICE.KNOWN", "price_close", 999), ("DQ.VOLUME.KNOWN", "volume", 950)):
        if sum(1 for r in world.records if column in r) * 1000 < per_mille * len(world.records):
            world.expect(rule, [])
