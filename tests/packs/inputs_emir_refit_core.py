# SPDX-License-Identifier: Apache-2.0
"""Derivative reports: new trades, some of them from both sides, and what follows them."""
import datetime

import draw as drawing
import reference_data as data
from inputs import Fault, altered, other_digit, setting, spoil

COLUMNS = ["reporting_at", "submitter", "responsible", "party1", "nature1", "party2_is_lei", "party2", "direction",
           "direction_leg1", "direction_leg2", "uti", "prior_uti", "isin",
           "upi", "cfi", "contract_type", "asset_class", "settlement_ccy", "valuation_amount", "valuation_ccy",
           "valuation_at", "valuation_method", "confirmed", "cleared",
           "cleared_at", "ccp", "venue", "executed_at", "effective_date", "expiration_date", "early_termination_date",
           "settlement_date", "delivery", "price_ccy", "notional1",
           "notional1_ccy", "notional2", "notional2_ccy", "action", "event", "event_date", "level"]
ZONE, CALENDAR = "Europe/Berlin", data.calendar("target@2026.1")
FIRST, LAST = datetime.date(2026, 1, 5), datetime.date(2026, 9, 30)
CURRENCIES = ("EUR", "USD", "GBP", "CHF")


def times(draw, record):
    day = draw.business_day(CALENDAR, FIRST, LAST)
    executed = drawing.local(ZONE, day, draw.between(7, 22), draw.below(60), draw.below(60))
    if draw.chance(15):
        reported = drawing.midnight_after(ZONE, CALENDAR.step(day, 1)) - datetime.timedelta(seconds=1)
    else:
        reported = executed + datetime.timedelta(minutes=draw.between(0, 600))
    effective = day + datetime.timedelta(draw.between(0, 3))
    expires = effective + datetime.timedelta(draw.between(0, 4000))
    record.update({"executed_at": drawing.stamp(executed), "reporting_at": drawing.stamp(reported),
                   "effective_date": effective.isoformat(),
                   "expiration_date": expires.isoformat(),
                   "settlement_date": (expires + datetime.timedelta(draw.below(4))).isoformat(),
                   "event_date": day.isoformat(), "_day": day})


def trade(draw, record):
    kind = draw.one(("SWAP", "FORW", "OPTN"))
    ccy = draw.one(CURRENCIES)
    record.update({"contract_type": kind, "settlement_ccy": ccy,
                   "notional1": draw.amount(1000, 90000000, draw.one((0, 2, 5))), "notional1_ccy": ccy,
                   "venue": draw.one(("XXXX", "XOFF", "XETR", "XPAR")), "delivery": draw.one(("CASH", "PHYS", "OPTL")),
                   "upi": "QZ" + draw.some(drawing.DIGITS, 10), "level": "TCTN"})
    if kind == "SWAP":
        record.update({"asset_class": "INTR", "cfi": "SRCCSD", "direction_leg1": "MAKE", "direction_leg2": "TAKE",
                       "notional2": record["notional1"], "notional2_ccy": ccy})
    else:
        record.update({"asset_class": "CURR" if kind == "FORW" else "EQUI",
                       "cfi": "JFTXFC" if kind == "FORW" else "OCASPS", "direction": draw.one(("BYER", "SLLR")),
                       "price_ccy": ccy})
        if draw.chance(50):
            record["isin"] = draw.isin()
    record["cleared"] = draw.one(("Y", "N", "N", "I"))
    if record["cleared"] == "Y":
        record.update({"cleared_at": record["executed_at"], "ccp": draw.lei()})
    if draw.chance(40):
        record["confirmed"] = draw.one(("NCNF", "ECNF", "YCNF"))


def other_side(first):
    """The same trade as the other counterparty reports it."""
    record = dict(first)
    record.update({"party1": first["party2"], "party2": first["party1"], "submitter": first["party2"],
                   "responsible": first["party2"], "_pair": True})
    if "direction" in first:
        record["direction"] = {"BYER": "SLLR", "SLLR": "BYER"}[first["direction"]]
    else:
        record.update({"direction_leg1": first["direction_leg2"], "direction_leg2": first["direction_leg1"]})
    return record


def good(world, number):
    draw, record = world.draw, {}
    if number % 12 == 0 and world.records[-1]["action"] == "NEWT" and world.records[-1]["party2_is_lei"] == "true":
        world.records[-1]["_pair"] = True
        return other_side(world.records[-1])
    record.update({"party1": draw.lei(), "nature1": draw.one(("F", "N", "C", "O")), "party2_is_lei": "true",
                   "party2": draw.lei()})
    record["submitter"] = record["responsible"] = record["party1"]
    if draw.chance(10):
        record.update({"party2_is_lei": "false", "party2": "CLIENT%06d" % number})
    record["uti"] = record["party1"] + "T%09d" % number
    times(draw, record)
    record["action"] = draw.one(("NEWT",) * 7 + ("MODI", "VALU", "TERM", "CORR"))
    if record["action"] in ("NEWT", "MODI", "CORR"):
        trade(draw, record)
    if record["action"] in ("NEWT", "MODI"):
        record["event"] = draw.one(("TRAD", "NOVA", "CORP"))
        if draw.chance(20):
            record["prior_uti"] = draw.lei() + "OLD%06d" % number
    if record["action"] == "TERM":
        record.update({"event": "ETRM", "early_termination_date": record["event_date"]})
    if record["action"] == "VALU":
        record.update({"valuation_amount": draw.one(("", "-")) + draw.amount(1, 900000, 2),
                       "valuation_ccy": draw.one(CURRENCIES), "valuation_at": record["reporting_at"],
                       "valuation_method": draw.one(("MTMA", "MTMO", "CCPV"))})
    return record


def single(record):
    """The other side of a trade is not in the file: what is spoilt breaks nothing there."""
    return "_pair" not in record


def has(column, value=None, action="NEWT"):
    return lambda r: single(r) and r["action"] == action and column in r and value in (None, r[column])


def is_new(record):
    return single(record) and record["action"] == "NEWT"


def reported_again(world, at):
    record, first = world.records[at], world.untouched(is_new)
    helper = record["_day"]
    record.clear()
    record.update(first, _day=helper)
    return {"EMIR.T2.F01.DUP": [first["party1"], first["uti"]]}


def sides_differ(world, at):
    """The other side's report has another amount, or another currency."""
    first = world.records[at]
    record = world.records[world.take(1)[0]]
    record.clear()
    record.update(other_side(first))
    if world.draw.chance(50):
        record["notional1"] = first["notional1"] + ("1" if "." in first["notional1"] else ".01")
    else:
        record["notional1_ccy"] = "JPY"
    return {"EMIR.T2.F55.PAIR": [first["uti"]]}


def late(world, at):
    record = world.records[at]
    record["reporting_at"] = drawing.stamp(drawing.midnight_after(ZONE, CALENDAR.step(record["_day"], 1)))
    return {"EMIR.T1.F01.LATE": None}


def before_execution(draw, record):
    moment = datetime.datetime.fromisoformat(record["executed_at"].replace("Z", "+00:00")) - datetime.timedelta(seconds=1)
    record["reporting_at"] = drawing.stamp(moment)


def beside(name, rules, column, of, applies):
    """A fault that gives a column the day before another one."""
    def day_before(draw, record):
        return (datetime.date.fromisoformat(record[of]) - datetime.timedelta(1)).isoformat()
    return altered(name, rules, column, day_before, applies)


E = lambda text: ["EMIR." + rule for rule in text.split()]
FAULTS = [
    setting("no time of report", E("T1.F01.GIVEN"), has("uti"), reporting_at=None),
    spoil("reported before it was executed", E("T1.F01.ORDER"), before_execution, has("uti")),
    Fault("a day late", late, is_new), other_digit("submitter check digit", E("T1.F02.LEI"), "submitter", is_new),
    other_digit("responsible check digit", E("T1.F03.LEI"), "responsible", is_new),
    other_digit("party check digit", E("T1.F04.LEI"), "party1", is_new),
    setting("nature unknown", E("T1.F05.ENUM"), is_new, nature1="X"),
    other_digit("other party check digit", E("T1.F09.LEI"), "party2", has("party2_is_lei", "true")),
    altered("trades with itself", E("T1.F09.SAME"), "party2", lambda draw, r: r["party1"],
          has("party2_is_lei", "true")),
    setting("direction unknown", E("T1.F17.ENUM"), has("direction"), direction="BUYI"),
    setting("no direction", E("T1.F17.IFF"), has("direction"), direction=None),
    setting("both legs made", E("T1.F18.OPPOSITE"), has("direction_leg1"), direction_leg2="MAKE"),
    altered("identifier without a lei", E("T2.F01.UTI"), "uti", lambda draw, r: "X" + r["uti"][1:],
          lambda r: is_new(r) and r["uti"][0] != "X"),
    Fault("reported as new twice", reported_again, is_new),
    setting("prior identifier in lower case", E("T2.F03.UTI"), has("prior_uti"), prior_uti="abc"),
    other_digit("isin check digit", E("T2.F07.ISIN"), "isin", has("isin")),
    setting("upi too short", E("T2.F08.UPI"), has("upi"), upi="QZ012345678"),
    setting("no classification", E("T2.F09.CFI"), is_new, cfi=None),
    setting("contract type unknown", E("T2.F10.ENUM"), has("contract_type", "OPTN"), contract_type="OPTI"),
    setting("asset class unknown", E("T2.F11.ENUM"), has("asset_class"), asset_class="RATE"),
    setting("settlement currency unknown", E("T2.F19.CCY"), is_new, settlement_ccy="XQQ"),
    setting("valuation without method", E("T2.F21.IFF"), has("valuation_amount", action="VALU"), valuation_method=None),
    setting("valuation with six decimals", E("T2.F21.DECIMAL"), has("valuation_amount", action="VALU"),
            valuation_amount="1.123456"),
    setting("valuation currency unknown", E("T2.F22.CCY"), has("valuation_ccy", action="VALU"), valuation_ccy="XQQ"),
    setting("valued next year", E("T2.F23.PAST"), has("valuation_at", action="VALU"),
            valuation_at="2027-01-04T10:00:00Z"),
    setting("method unknown", E("T2.F24.ENUM"), has("valuation_method", action="VALU"), valuation_method="MARK"),
    setting("confirmation unknown", E("T2.F29.ENUM"), has("confirmed"), confirmed="YES"),
    setting("clearing unknown", E("T2.F31.ENUM"), has("cleared", "I"), cleared="X"),
    setting("cleared, but when", E("T2.F32.ORDER"), has("cleared", "Y"), cleared_at=None),
    other_digit("ccp check digit", E("T2.F33.CCP"), "ccp", has("cleared", "Y")),
    altered("ccp of an uncleared trade", E("T2.F33.NONE"), "ccp", lambda draw, r: draw.lei(),
          has("cleared", "N")),
    setting("venue unknown", E("T2.F41.MIC"), is_new, venue="XQQQ"),
    setting("no time of execution", E("T2.F42.GIVEN"), has("cleared", "N"), executed_at=None),
    setting("no effective date", E("T2.F43.GIVEN"), is_new, effective_date=None),
    beside("expires before it begins", E("T2.F44.ORDER"), "expiration_date", "effective_date", is_new),
    beside("terminated before it was executed", E("T2.F45.ORDER"), "early_termination_date", "event_date",
           has("early_termination_date", action="TERM")),
    setting("terminated, but when", E("T2.F45.GIVEN"), has("event", action="TERM"), early_termination_date=None),
    beside("settles before it begins", E("T2.F46.ORDER"), "settlement_date", "effective_date", is_new),
    setting("delivery unknown", E("T2.F47.ENUM"), is_new, delivery="SHIP"),
    setting("price currency unknown", E("T2.F49.CCY"), has("price_ccy"), price_ccy="XQQ"),
    setting("no notional amount", E("T2.F55.GIVEN T2.F56.IFF"), has("direction"), notional1=None),
    setting("notional with six decimals", E("T2.F55.DECIMAL"), has("direction"), notional1="1.123456"),
    Fault("sides report different amounts", sides_differ, lambda r: has("direction")(r) and r["party2_is_lei"] == "true"),
    setting("notional currency unknown", E("T2.F56.CCY"), has("direction"), notional1_ccy="XQQ"),
    setting("notional of leg 2 below 0", E("T2.F64.DECIMAL"), has("direction"), notional2="-1", notional2_ccy="EUR"),
    setting("legs of a swap differ", E("T2.F64.EQUAL"), has("notional2"), notional1="100", notional2="101"),
    setting("leg 2 without currency", E("T2.F65.IFF"), has("notional2"), notional2_ccy=None),
    setting("leg 2 currency unknown", E("T2.F65.CCY"), has("notional2"), notional2_ccy="XQQ"),
    setting("action unknown", E("T2.F151.ENUM"), is_new, action="NEWX"),
    setting("event unknown", E("T2.F152.ENUM"), has("event"), event="TRDE"),
    setting("no event", E("T2.F152.GIVEN"), is_new, event=None),
    setting("valuation with an event", E("T2.F152.NONE"), has("valuation_amount", action="VALU"), event="TRAD"),
    setting("event of next year", E("T2.F153.PAST"), is_new, event_date="2027-01-04"),
    setting("level unknown", E("T2.F154.ENUM"), is_new, level="TRAD"),
]
