# SPDX-License-Identifier: Apache-2.0
"""An instrument list with every kind of identifier."""
from inputs import Fault, altered, other_digit, setting, spoil

COLUMNS = ["symbol", "isin", "cusip", "sedol", "figi", "composite_figi", "shareclass_figi", "lei", "iban", "bic", "mic",
           "cfi", "currency", "country_code"]


def good(world, number):
    draw = world.draw
    record = {"symbol": "S%06d" % number, "sedol": draw.sedol(), "figi": draw.figi(), "composite_figi": draw.figi(),
              "shareclass_figi": draw.figi(), "lei": draw.lei(),
              "iban": draw.iban(), "bic": draw.bic(), "mic": draw.one(("XLON", "XPAR", "XETR", "XNYS")),
              "cfi": draw.one(("ESVUFR", "EPNRAR", "DBFUFR", "OCASPS")),
              "currency": draw.one(("EUR", "USD", "GBP", "JPY")), "country_code": draw.one(("DE", "GB", "FR", "NA"))}
    if draw.chance(30):
        record["cusip"] = draw.cusip()
        record["isin"] = draw.isin_of(record["cusip"])
    elif draw.chance(80):
        record["isin"] = draw.isin()
    for column in ("sedol", "figi", "composite_figi", "shareclass_figi", "lei", "iban", "bic", "cfi", "country_code"):
        if draw.chance(10):
            del record[column]
    return record


def repeated(rules):
    def put(world, at):
        record, first = world.records[at], world.untouched(lambda r: "isin" in r)
        record["isin"] = first["isin"]
        record.pop("cusip", None)
        if "cusip" in first:
            record["cusip"] = first["cusip"]
        return rules(world, record)
    return put


FAULTS = [
    other_digit("isin check digit", ["ID.ISIN"], "isin"),
    other_digit("cusip check digit", ["ID.CUSIP", "ID.CUSIP.AGREES"], "cusip"),
    altered("another cusip", ["ID.CUSIP.AGREES"], "cusip", lambda draw, r: draw.cusip(),
          lambda r: "cusip" in r),
    other_digit("sedol check digit", ["ID.SEDOL"], "sedol"), other_digit("figi check digit", ["ID.FIGI"], "figi"),
    other_digit("composite check digit", ["ID.FIGI.COMPOSITE"], "composite_figi"),
    other_digit("share class check digit", ["ID.FIGI.SHARECLASS"], "shareclass_figi"),
    other_digit("lei check digit", ["ID.LEI"], "lei"), other_digit("iban digit", ["ID.IBAN"], "iban"),
    altered("bic of no country", ["ID.BIC"], "bic", lambda draw, r: r["bic"][:4] + "ZZ" + r["bic"][6:],
          lambda r: "bic" in r),
    setting("mic unknown", ["ID.MIC"], mic="XQQQ"), setting("classification unknown", ["ID.CFI"], cfi="ESQUFR"),
    setting("currency unknown", ["ID.CCY"], currency="XQQ"),
    setting("country unknown", ["ID.COUNTRY"], country_code="QQ"),
    Fault("isin repeated", repeated(lambda world, record: {"DQ.ISIN.REPEATED": [record["isin"]]})),
]
