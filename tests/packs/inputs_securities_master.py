# SPDX-License-Identifier: Apache-2.0
"""A securities master: shares and bonds of made-up issuers."""
import datetime

import inputs_identifiers
from inputs import Fault, altered, other_digit, setting, spoil

COLUMNS = ["symbol", "name", "currency", "mic", "isin", "cusip", "sedol", "figi", "composite_figi", "shareclass_figi",
           "issuer_lei", "cfi", "market_cap", "delisted",
           "website", "lot_size", "coupon", "issue_date", "maturity_date", "price_low", "price_high"]
NAMES = ("Nordwind Capital", "Harrow, Finch & Co", 'The "Blue" Fund', "Ostsee Anleihe", "Übersee Handel")


def good(world, number):
    draw, out = world.draw, inputs_identifiers.good(world, number)
    issued = datetime.date(2001, 1, 1) + datetime.timedelta(draw.below(8000))
    low = draw.between(1, 90000)
    record = {c: out[c] for c in COLUMNS if c in out}
    record.update({"symbol": "S%06d.L" % number, "name": draw.one(NAMES), "issuer_lei": draw.lei(),
                   "delisted": draw.one(("true", "false", "True")),
                   "market_cap": draw.one(("Nano Cap", "Mid Cap", "Mega Cap")),
                   "website": "https://www.example.org/%d" % number, "lot_size": draw.amount(1, 500, 0),
                   "coupon": draw.amount(0, 15, 3), "issue_date": issued.isoformat(),
                   "maturity_date": (issued + datetime.timedelta(draw.between(1, 9000))).isoformat(),
                   "price_low": "%d.%02d" % (low // 100, low % 100),
                   "price_high": "%d.%02d" % ((low + 7) // 100, (low + 7) % 100)})
    for column in ("market_cap", "website", "lot_size", "coupon", "price_low", "issuer_lei"):
        if draw.chance(15):
            del record[column]
    return record


def has(column):
    return lambda record: column in record


def same_symbol(world, at):
    world.records[at]["symbol"] = world.untouched(has("symbol"))["symbol"]
    return {"SM.SYMBOL.UNIQUE": [world.records[at]["symbol"]]}


def same_isin(world, at):
    """On one market: that is what the rule is about."""
    record = world.records[at]
    first = world.untouched(lambda r: "isin" in r and "cusip" not in r)
    record["isin"], record["mic"] = first["isin"], first["mic"]
    record.pop("cusip", None)
    return {"SM.ISIN.REPEATED": [record["isin"], record["mic"]]}


R = lambda text: ["SM." + rule for rule in text.split()]
FAULTS = [
    setting("no symbol", R("SYMBOL.GIVEN"), symbol=None),
    altered("symbol in lower case", R("SYMBOL.FORM"), "symbol", lambda draw, r: r["symbol"].lower()),
    Fault("symbol of another", same_symbol),
    setting("no name", R("NAME.GIVEN"), name=None), setting("name of one letter", R("NAME.LENGTH"), name="A"),
    setting("no currency", R("CCY.GIVEN"), currency=None),
    setting("currency unknown", R("CCY"), currency="XQQ"), setting("no market", R("MIC.GIVEN"), mic=None),
    setting("market unknown", R("MIC"), mic="XQQQ"),
    other_digit("isin check digit", R("ISIN"), "isin"), Fault("isin of another", same_isin),
    other_digit("cusip check digit", R("CUSIP CUSIP.AGREES"), "cusip"),
    altered("another cusip", R("CUSIP.AGREES"), "cusip", lambda draw, r: draw.cusip(), has("cusip")),
    other_digit("sedol check digit", R("SEDOL"), "sedol"),
    other_digit("figi check digit", R("FIGI"), "figi"),
    other_digit("composite check digit", R("FIGI.COMPOSITE"), "composite_figi"),
    other_digit("share class check digit", R("FIGI.SHARECLASS"), "shareclass_figi"),
    altered("composite is the figi", R("FIGI.LEVELS"), "composite_figi", lambda draw, r: r["figi"],
          has("figi")), other_digit("lei check digit", R("LEI"), "issuer_lei"),
    setting("classification unknown", R("CFI"), cfi="ESQUFR"),
    setting("class of size unknown", R("CAP"), market_cap="Giant Cap"),
    setting("delisted unknown", R("DELISTED"), delisted="no"),
    setting("website without scheme", R("WEBSITE"), website="www.example.org"),
    setting("half a lot", R("LOT"), lot_size="0.5"), setting("coupon of 100", R("COUPON"), coupon="100"),
    setting("issued tomorrow", R("ISSUED"), issue_date="2026-11-21", maturity_date="2036-11-21"),
    altered("matures when issued", R("MATURES"), "maturity_date", lambda draw, r: r["issue_date"]),
    setting("low above high", R("PRICES"), price_low="2.01", price_high="2"),
]
