# SPDX-License-Identifier: Apache-2.0
"""Transaction reports: shares, bonds, options and swaps, on venues and off, and cancellations."""
import datetime

import draw as drawing
import reference_data as data
from inputs import Fault, altered, other_digit, setting, spoil

COLUMNS = [c for n in range(1, 66) for c in ("f%02d" % n, "f%02d_kind" % n) if not c.endswith("_kind")
           or n in (7, 16, 30, 33, 57, 59)]
COLUMNS.append("received_at")
ZONE, CALENDAR = "Europe/London", data.calendar("gb@2026.1")
FIRST, LAST = datetime.date(2026, 1, 5), datetime.date(2026, 9, 30)
VENUES, CURRENCIES = ("XLON", "XPAR", "XETR", "XAMS", "XMIL", "XSTO"), ("EUR", "GBP", "USD", "SEK", "CHF")


def party(draw, record, first):
    """Columns of buyer (7) or seller (16)."""
    name = lambda n: "f%02d" % (first + n)
    kind = draw.one(("LEI",) * 14 + ("NAT",) * 4 + ("MIC", "INTC"))
    record[name(0) + "_kind"] = kind
    if kind == "NAT":
        born = datetime.date(1950, 1, 1) + datetime.timedelta(draw.below(18000))
        record[name(0)] = "GB" + born.strftime("%Y%m%d") + draw.some(drawing.LETTERS, 5) + draw.some(drawing.LETTERS, 5)
        record[name(1)] = "GB"
        record[name(2)], record[name(3)] = draw.one(drawing.FIRST_NAMES), draw.one(drawing.SURNAMES)
        record[name(4)] = born.isoformat()
        if draw.chance(30):
            record[name(5)] = draw.lei()
    else:
        record[name(0)] = {"LEI": draw.lei, "MIC": lambda: draw.one(VENUES), "INTC": lambda: "INTC"}[kind]()


def times(draw, record):
    day = draw.business_day(CALENDAR, FIRST, LAST)
    traded = drawing.local(ZONE, day, draw.between(7, 22), draw.below(60),
                           draw.below(60)) + datetime.timedelta(microseconds=draw.below(1000000))
    if draw.chance(10):  # received in the last second that is in time
        received = drawing.midnight_after(ZONE, CALENDAR.step(day, 1))
        received -= datetime.timedelta(microseconds=draw.between(1, 1000000))
    else:
        received = traded + datetime.timedelta(minutes=draw.between(1, 600))
    record["f28"], record["received_at"] = drawing.stamp(traded), drawing.stamp(received)
    record["_day"] = day


def share(draw, record):
    record.update({"f30_kind": "UNIT", "f30": draw.amount(1, 50000, draw.one((0, 0, 0, 4))), "f33_kind": "MONE",
                   "f33": draw.amount(1, 900, 4),
                   "f34": draw.one(CURRENCIES), "f41": draw.isin()})
    record["f36"] = draw.one(VENUES) if draw.chance(80) else "XOFF"
    if draw.chance(20):
        record["f62"] = draw.one(("SESH", "SSEX", "SELL", "UNDI"))
    if draw.chance(3):
        record["f33_kind"] = draw.one(("PNDG", "NOAP"))
        del record["f33"], record["f34"]


def bond(draw, record):
    record.update({"f30_kind": "NOML", "f30": draw.amount(1000, 5000000, 2), "f31": draw.one(CURRENCIES),
                   "f33_kind": "PCTG", "f33": draw.amount(80, 120, 5),
                   "f35": draw.amount(1000, 6000000, 2), "f36": draw.one(VENUES), "f41": draw.isin("XS")})
    if draw.chance(30):
        record.update({"f33_kind": "YIEL", "f33": draw.amount(0, 9, 6)})
    if draw.chance(30):
        del record["f41"]
        record.update({"f36": "XXXX", "f42": "Made bond", "f43": "DBFUFR",
                       "f54": (record["_day"] + datetime.timedelta(900)).isoformat()})


def option(draw, record):
    ccy = draw.one(CURRENCIES)
    record.update({"f30_kind": "UNIT", "f30": draw.amount(1, 500, 0), "f33_kind": "MONE", "f33": draw.amount(1, 90, 2),
                   "f34": ccy, "f36": "XXXX",
                   "f42": "Made option", "f43": "OCASPS", "f44": ccy, "f46": draw.one(("1", "10", "100", "0.5")),
                   "f47": draw.isin(), "f50": draw.one(("CALL", "PUTO", "OTHR")),
                   "f51": draw.amount(1, 900, 2), "f52": ccy, "f53": draw.one(("EURO", "AMER", "ASIA", "BERM", "OTHR")),
                   "f56": draw.one(("PHYS", "CASH", "OPTL")),
                   "f55": (record["_day"] + datetime.timedelta(draw.between(0, 400))).isoformat()})


def swap(draw, record):
    record.update({"f30_kind": "MONE", "f30": draw.amount(100000, 90000000, 2), "f31": draw.one(CURRENCIES),
                   "f33_kind": "BPNT", "f33": draw.amount(1, 400, 3),
                   "f36": draw.one(("XXXX", "XOFF")), "f42": "Made swap", "f43": "SRCCSD", "f44": draw.one(CURRENCIES),
                   "f45": draw.one(CURRENCIES), "f46": "1",
                   "f55": (record["_day"] + datetime.timedelta(draw.between(30, 4000))).isoformat(), "f56": "CASH"})
    if draw.chance(40):
        record["f32"] = draw.one(("INCR", "DECR"))
    if draw.chance(40):
        record.update({"f38": draw.amount(1, 99999, 2), "f39": draw.one(CURRENCIES)})
    if draw.chance(40):
        record["f63"] = draw.one(("BENC", "ACTX", "LRGS", "TPAC"))


def responsible(draw, record, first):
    name = "f%02d" % first
    if draw.chance(60):
        record.update({name + "_kind": "ALGO", name: "ALGO%02d" % draw.between(1, 40)})
    else:
        record.update({name + "_kind": "NAT", name: "GB19800229" + draw.some(drawing.LETTERS, 10),
                       "f%02d" % (first + 1): draw.one(("GB", "DE", "FR"))})


def good(world, number):
    draw, record = world.draw, {}
    times(draw, record)
    record.update({"f01": "NEWT", "f02": "TRN%09d" % number + draw.some(drawing.LETTERS, 4), "f04": draw.lei(),
                   "f06": draw.lei()})
    if draw.chance(8):
        record["f01"] = "CANC"
        del record["f28"]
        return record
    record.update({"f05": draw.one(("true", "false")), "f25": draw.one(("true", "false")),
                   "f29": draw.one(("DEAL", "MTCH", "AOTC")), "f65": "false"})
    party(draw, record, 7)
    party(draw, record, 16)
    while record["f07"] == record["f16"] != "INTC":
        record["f16"] = draw.one(VENUES)
    if draw.chance(25):
        record.update({"f25": "true", "f26": draw.lei(), "f27": draw.lei()})
    draw.one((share, share, bond, option, swap))(draw, record)
    if record["f36"] not in ("XOFF", "XXXX"):
        record["f03"] = "V%010d" % number
        if draw.chance(20):
            record["f37"] = draw.one(("GB", "DE", "FR", "NL"))
        if draw.chance(20):
            record["f61"] = draw.one(("RFPT", "NLIQ", "OILQ", "PRIC", "SIZE", "ILQD"))
    responsible(draw, record, 57)
    responsible(draw, record, 59)
    return record


def is_new(record):
    return record["f01"] == "NEWT"


def has(column, value=None):
    return lambda record: is_new(record) and column in record and value in (None, record[column])


def given_twice(world, at):
    record, first = world.records[at], world.untouched(is_new)
    record["f02"], record["f04"] = first["f02"], first["f04"]
    return {"RTS22.F02.DUP": [first["f04"], first["f02"]]}


def late(world, at):
    record = world.records[at]
    record["received_at"] = drawing.stamp(drawing.midnight_after(ZONE, CALENDAR.step(record["_day"], 1)))
    return {"RTS22.F28.LATE": None}


def on_a_closed_day(world, at):
    """Traded on Good Friday: due on the Tuesday after Easter, received as that ends."""
    record = world.records[at]
    record["f28"] = drawing.stamp(drawing.local(ZONE, datetime.date(2026, 4, 3), 12))
    record["received_at"] = drawing.stamp(drawing.midnight_after(ZONE, datetime.date(2026, 4, 7)))
    return {"RTS22.F28.LATE": None}


def before_it_was_traded(draw, record):
    record["received_at"], record["f28"] = record["f28"], drawing.stamp(
        datetime.datetime.fromisoformat(record["f28"].replace("Z", "+00:00")) + datetime.timedelta(microseconds=1))


def dated(name, rules, column, days, applies):
    """A fault that gives a column the day of the trade, or one so many days from it."""
    return altered(name, rules, column, lambda draw, r: (r["_day"] + datetime.timedelta(days)).isoformat(), applies)


def both_lei(record):
    return is_new(record) and record["f07_kind"] == record["f16_kind"] == "LEI"


def side_faults(first, who):
    name = lambda n: "f%02d" % (first + n)
    rule = lambda n, kind: "RTS22.F%02d.%s" % (first + n, kind)
    kind = name(0) + "_kind"
    none = {name(0): None, kind: None}
    return [setting(who + " missing", [rule(0, "GIVEN")], has(kind, "LEI"), **none),
            setting(who + " of no kind", [rule(0, "KIND")], has(kind, "LEI"), in_xml=False, **{kind: "OTHER"}),
            other_digit(who + " check digit", [rule(0, "LEI")], name(0), has(kind, "LEI")),
            setting(who + " unknown venue", [rule(0, "MIC")], has(kind, "MIC"), **{name(0): "XQQQ"}),
            setting(who + " without birth date", [rule(2, "PERSON")], has(kind, "NAT"), **{name(4): None}),
            setting(who + " firm with a name", [rule(2, "ENTITY")], has(kind, "LEI"), **{name(2): "ANNA"}),
            dated(who + " born on the day", [rule(4, "PAST")], name(4), 0, has(kind, "NAT"))]


R = lambda text: ["RTS22." + rule for rule in text.split()]
FAULTS = [
    setting("status unknown", R("F01.ENUM"), is_new, in_xml=False, f01="AMND"),
    setting("cancellation with a quantity", R("F01.CANC"), lambda r: r["f01"] == "CANC", in_xml=False, f30="10"),
    altered("reference with a hyphen", R("F02.FORMAT"), "f02", lambda draw, r: r["f02"] + "-1"),
    Fault("reference used twice", given_twice, is_new),
    setting("venue reference off exchange", R("F03.EMPTY"), lambda r: r.get("f36") in ("XOFF", "XXXX"), f03="V1"),
    other_digit("executing entity check digit", R("F04.LEI"), "f04"),
    other_digit("submitting entity check digit", R("F06.LEI"), "f06"),
    setting("no word on the investment firm", R("F05.GIVEN"), is_new, f05=None),
    altered("buyer sells to itself", R("F07.SAME"), "f16", lambda draw, r: r["f07"], both_lei),
    *side_faults(7, "buyer"), *side_faults(16, "seller"),
    setting("no word on transmission", R("F25.GIVEN"), is_new, f25=None),
    other_digit("transmitter for the buyer check digit", R("F26.LEI"), "f26"),
    other_digit("transmitter for the seller check digit", R("F27.LEI"), "f27"),
    spoil("received before the trade", R("F28.PAST"), before_it_was_traded, is_new),
    Fault("received a day late", late, is_new),
    Fault("late over Easter", on_a_closed_day, lambda r: is_new(r) and "f55" not in r),
    setting("capacity unknown", R("F29.ENUM"), is_new, f29="PRIN"),
    setting("nominal with six decimals", R("F30.DECIMAL"), has("f30_kind", "NOML"), f30="1000.123456"),
    setting("quantity of no kind", R("F30.KIND"), has("f30_kind", "NOML"), in_xml=False, f30_kind="LOTS"),
    setting("nominal without currency", R("F31.IFF"), has("f30_kind", "NOML"), f31=None),
    setting("quantity currency unknown", R("F31.CCY"), has("f31"), f31="XQQ"),
    setting("change unknown", R("F32.ENUM"), has("f32"), f32="UPUP"),
    setting("amount with fourteen decimals", R("F33.MONEY"), has("f33_kind", "MONE"), f33="1.12345678901234"),
    setting("per cent with twelve digits", R("F33.PERCENT"), has("f33_kind", "PCTG"), f33="10.1234567890"),
    setting("yield with twelve digits", R("F33.YIELD"), has("f33_kind", "YIEL"), f33="10.1234567890"),
    setting("basis points with nineteen digits", R("F33.BASIS"), has("f33_kind", "BPNT"), f33="10.12345678901234567"),
    setting("pending, and yet a price", R("F33.NONE"), lambda r: r.get("f33_kind") in ("PNDG", "NOAP"), in_xml=False,
            f33="1"),
    setting("price of no kind", R("F33.KIND"), has("f33_kind", "PCTG"), in_xml=False, f33_kind="PERC"),
    setting("price without currency", R("F34.IFF"), has("f33_kind", "MONE"), f34=None),
    setting("price currency unknown", R("F34.CCY"), has("f34"), f34="XQQ"),
    setting("net amount with six decimals", R("F35.DECIMAL"), has("f35"), f35="1.123456"),
    setting("venue unknown", R("F36.MIC"), lambda r: r.get("f36") in VENUES, f36="XQQQ"),
    setting("branch country unknown", R("F37.COUNTRY"), has("f37"), f37="QQ"),
    setting("payment with six decimals", R("F38.DECIMAL"), has("f38"), f38="1.123456"),
    setting("payment without currency", R("F39.IFF"), has("f38"), f39=None),
    setting("payment currency unknown", R("F39.CCY"), has("f39"), f39="XQQ"),
    other_digit("instrument check digit", R("F41.ISIN"), "f41"),
    altered("classification unknown", R("F43.CFI"), "f43", lambda draw, r: r["f43"][0] + "Q" + r["f43"][2:],
          has("f43")),
    setting("notional currency unknown", R("F44.CCY"), has("f44"), f44="XQQ"),
    setting("second notional currency unknown", R("F45.CCY"), has("f45"), f45="XQQ"),
    setting("multiplier of nothing", R("F46.DECIMAL"), has("f46"), f46="0"),
    other_digit("underlying check digit", R("F47.ISIN"), "f47"),
    setting("option type unknown", R("F50.ENUM"), has("f50"), f50="PUTT"),
    setting("option without type", R("F50.IFF"), has("f50"), f50=None),
    setting("strike currency unknown", R("F52.CCY"), has("f52"), f52="XQQ"),
    setting("style unknown", R("F53.ENUM"), has("f53"), f53="EURP"),
    dated("maturity beside expiry", R("F54.ONE"), "f54", 900, has("f55")),
    dated("expired yesterday", R("F55.AFTER"), "f55", -1, has("f55")),
    setting("delivery unknown", R("F56.ENUM"), has("f56"), f56="PHYC"),
    setting("branch of an algorithm that decides", R("F58.ALGO"), has("f57_kind", "ALGO"), f58="DE"),
    setting("nobody executes", R("F59.GIVEN"), has("f59_kind", "ALGO"), f59=None, f59_kind=None),
    setting("branch of an algorithm that executes", R("F60.ALGO"), has("f59_kind", "ALGO"), f60="DE"),
    setting("waiver unknown", R("F61.ENUM"), has("f61"), f61="RFPX"),
    setting("short selling unknown", R("F62.ENUM"), has("f62"), f62="SHRT"),
    setting("indicator unknown", R("F63.ENUM"), has("f63"), f63="BENX"),
    setting("no word on financing", R("F65.GIVEN"), is_new, f65=None),
]
