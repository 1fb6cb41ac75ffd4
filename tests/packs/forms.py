# SPDX-License-Identifier: Apache-2.0
"""The same records in every form: CSV, JSON Lines, XML with an element for each column, and ISO 20022 auth.016 for
transaction reports. A missing value is an empty cell, a member or an element that is not there."""
import csv
import io
import json
from xml.sax.saxutils import escape, quoteattr


def as_csv(records, columns):
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(columns)
    rows.writerows([record.get(c, "") for c in columns] for record in records)
    return out.getvalue()


def as_json_lines(records, columns):
    return "".join(json.dumps({c: r[c] for c in columns if c in r}, ensure_ascii=False) + "\n" for r in records)


def as_xml(records, columns):
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<records>"]
    for record in records:
        lines.append("<record>" + "".join("<%s>%s</%s>" % (c, escape(record[c]), c) for c in columns
                                          if c in record) + "</record>")
    return "\n".join(lines + ["</records>", ""])


# --- auth.016 --------------------------------------------------------------------------------------------------------

class Element:
    """An element under construction: children in order, text, attributes; what stays empty is not written."""

    def __init__(self, name):
        self.name, self.children, self.text, self.attributes = name, [], None, {}

    def at(self, path):
        element = self
        for name in path.split("/"):
            found = next((c for c in element.children if c.name == name), None)
            if not found:
                found = Element(name)
                element.children.append(found)
            element = found
        return element

    def put(self, path, value, **attributes):
        if value is None and not any(v is not None for v in attributes.values()):
            return
        element = self.at(path)
        element.text = value if value is not None else element.text
        element.attributes.update({k: v for k, v in attributes.items() if v is not None})

    def write(self):
        start = self.name + "".join(" %s=%s" % (k, quoteattr(v)) for k, v in self.attributes.items())
        inside = escape(self.text or "") + "".join(c.write() for c in self.children)
        return "<%s>%s</%s>" % (start, inside, self.name) if inside else "<%s/>" % start


def put_party(new, get, side, first):
    name = lambda n: get("f%02d" % (first + n))
    owner = side + "/AcctOwnr/"
    where = {"LEI": "Id/LEI", "MIC": "Id/MIC", "NAT": "Id/Prsn/Othr/Id", "INTC": "Id/Intl"}.get(get("f%02d_kind" % first))
    for n, path in ((2, "Id/Prsn/FrstNm"), (3, "Id/Prsn/Nm"), (4, "Id/Prsn/BirthDt")):
        new.put(owner + path, name(n))
    if where:
        new.put(owner + where, name(0))
    new.put(owner + "CtryOfBrnch", name(1))
    maker = side + "/DcsnMakr/"
    person = any(name(n) for n in (6, 7, 8))
    for n, path in ((6, "Prsn/FrstNm"), (7, "Prsn/Nm"), (8, "Prsn/BirthDt")):
        new.put(maker + path, name(n))
    new.put(maker + ("Prsn/Othr/Id" if person else "LEI"), name(5))


def put_trade(new, get):
    for path, column in (("OrdrTrnsmssn/TrnsmssnInd", 25), ("OrdrTrnsmssn/TrnsmttgBuyr", 26),
                         ("OrdrTrnsmssn/TrnsmttgSellr", 27),
                         ("Tx/TradDt", 28), ("Tx/TradgCpcty", 29)):
        new.put(path, get("f%02d" % column))
    quantity = {"UNIT": "Unit", "NOML": "NmnlVal", "MONE": "MntryVal"}.get(get("f30_kind"))
    if quantity:
        new.put("Tx/Qty/" + quantity, get("f30"), Ccy=get("f31"))
    new.put("Tx/DerivNtnlChng", get("f32"))
    kind = get("f33_kind")
    if kind in ("PNDG", "NOAP"):
        new.put("Tx/Pric/NoPric/Pdg", kind)
    elif kind:
        new.put("Tx/Pric/Pric/" + {"MONE": "MntryVal/Amt", "PCTG": "Pctg", "YIEL": "Yld", "BPNT": "BsisPts"}[kind],
                get("f33"), Ccy=get("f34"))
    for path, column in (("Tx/NetAmt", 35), ("Tx/TradVn", 36), ("Tx/CtryOfBrnch", 37)):
        new.put(path, get("f%02d" % column))
    new.put("Tx/UpFrntPmt/Amt", get("f38"), Ccy=get("f39"))
    new.put("Tx/TradPlcMtchgId", get("f03"))
    new.put("Tx/CmplxTradCmpntId", get("f40"))


def put_instrument(new, get):
    if not get("f43"):
        return new.put("FinInstrm/Id", get("f41"))
    general, deriv = "FinInstrm/Othr/FinInstrmGnlAttrbts/", "FinInstrm/Othr/DerivInstrmAttrbts/"
    for path, column in ((general + "Id", 41), (general + "FullNm", 42), (general + "ClssfctnTp", 43),
                         (general + "NtnlCcy", 44),
                         ("FinInstrm/Othr/DebtInstrmAttrbts/MtrtyDt", 54), (deriv + "XpryDt", 55),
                         (deriv + "PricMltplr", 46),
                         (deriv + "UndrlygInstrm/Othr/Sngl/ISIN", 47), (deriv + "OptnTp", 50)):
        new.put(path, get("f%02d" % column))
    new.put(deriv + "StrkPric/Pric/MntryVal/Amt", get("f51"), Ccy=get("f52"))
    for path, column in (("OptnExrcStyle", 53), ("DlvryTp", 56), ("AsstClssSpcfcAttrbts/Intrst/OthrNtnlCcy", 45)):
        new.put(deriv + path, get("f%02d" % column))


def put_new(tx, get):
    new = tx.at("New")
    for path, column in (("TxId", 2), ("ExctgPty", 4), ("InvstmtPtyInd", 5), ("SubmitgPty", 6)):
        new.put(path, get("f%02d" % column))
    put_party(new, get, "Buyr", 7)
    put_party(new, get, "Sellr", 16)
    put_trade(new, get)
    put_instrument(new, get)
    for first, element in ((57, "InvstmtDcsnPrsn"), (59, "ExctgPrsn")):
        new.put(element + "/Prsn/CtryOfBrnch", get("f%d" % (first + 1)))
        new.put(element + ("/Algo" if get("f%d_kind" % first) == "ALGO" else "/Prsn/Othr/Id"), get("f%d" % first))
    for path, column in (("WvrInd", 61), ("ShrtSellgInd", 62), ("OTCPstTradInd", 63), ("RskRdcgTx", 64),
                         ("SctiesFincgTxInd", 65)):
        new.put("AddtlAttrbts/" + path, get("f%d" % column))
    new.put("TechAttrbts/RctDtTm", get("received_at"))


def as_auth016(records, columns):
    lines = ['<?xml version="1.0" encoding="UTF-8"?>',
             '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:auth.016.001.01">', "<FinInstrmRptgTxRpt>"]
    for record in records:
        tx = Element("Tx")
        if record["f01"] == "CANC":
            for path, column in (("TxId", "f02"), ("ExctgPty", "f04"), ("SubmitgPty", "f06"),
                                 ("TechAttrbts/RctDtTm", "received_at")):
                tx.put("Cxl/" + path, record.get(column))
        else:
            put_new(tx, record.get)
        lines.append(tx.write())
    return "\n".join(lines + ["</FinInstrmRptgTxRpt>", "</Document>", ""])


FORMS = {"csv": as_csv, "jsonl": as_json_lines, "xml": as_xml}
