# SPDX-License-Identifier: Apache-2.0
"""Takes the identifiers out of public files: checks_data.py <data folder> values prints label, check and value, a
tab between; ... distinct prints check and value of each different ISIN of the instrument files and LEI of the markets;
... mics <file.xml> <version> prints the MIC list in muster's own form."""
import csv
import os
import sys
import xml.etree.ElementTree as ET

MIC_FILES = ("ISO10383_MIC_2025-09-08.xml", "ISO10383_MIC_2025-10-13.xml")
NPORT, NPORT_FILE = "{http://www.sec.gov/edgar/nport}", "nport_GS_bond_fund_2023-03-31.xml"


def show(label, check, value):
    value = value.strip()
    if value:
        print(label, check, value, sep="\t")


def equities(folder, name, columns):
    with open(os.path.join(folder, "financedatabase_%s.csv" % name), encoding="utf-8", newline="") as f:
        for row in csv.DictReader(f):
            for column, check in columns.items():
                show("%s %s" % (name, column), check, row[column])


def markets(path):
    for row in ET.parse(path).getroot().iter("ISO10383_MIC"):
        yield {cell.tag: (cell.text or "").strip() for cell in row}


def local(tag):
    return tag.rsplit("}", 1)[-1]


def holdings(folder):
    for holding in ET.parse(os.path.join(folder, NPORT_FILE)).getroot().iter(NPORT + "invstOrSec"):
        lei, cusip = holding.findtext(NPORT + "lei"), holding.findtext(NPORT + "cusip")
        if lei != "N/A":
            show("nport lei", "lei", lei or "")
        for isin in holding.iter(NPORT + "isin"):
            show("nport isin", "isin", isin.get("value") or "")
        placeholder = cusip in ("N/A", "000000000")
        show("nport cusip placeholder" if placeholder else "nport cusip", "cusip", cusip or "")
    with open(os.path.join(folder, "sec_13F-HR.infotable.xml"), "rb") as f:
        root = ET.fromstring(f.read().strip())
    for cell in root.iter():
        if local(cell.tag) == "cusip":
            show("13f cusip", "cusip", cell.text or "")


def values(folder):
    full = {"isin": "isin", "cusip": "cusip", "figi": "figi", "composite_figi": "figi", "shareclass_figi": "figi",
            "currency": "currency", "mic": "mic"}
    equities(folder, "equities_LSE", full)
    equities(folder, "equities_PAR", full)
    equities(folder, "etfs_LSE", {"isin": "isin"})
    for name in MIC_FILES:
        for market in markets(os.path.join(folder, name)):
            show(name[13:20] + " lei", "lei", market.get("LEI", ""))
    holdings(folder)
    with open(os.path.join(folder, "IBANtests.txt"), encoding="ascii") as f:
        for line in f:
            line = line.rstrip("\r\n")
            if line and not line.startswith("#"):
                print("ibans", "iban", line, sep="\t")
    with open(os.path.join(folder, "iban_registry_v99.txt"), encoding="cp1252", newline="") as f:
        rows = {row[0].strip(): row for row in csv.reader(f, delimiter="\t")}
    for value in rows["IBAN electronic format example"][1:]:
        show("iban registry", "iban", value)


def distinct(folder):
    seen = set()
    for name in ("equities_LSE", "equities_PAR", "etfs_LSE"):
        with open(os.path.join(folder, "financedatabase_%s.csv" % name), encoding="utf-8", newline="") as f:
            seen |= {("isin", row["isin"]) for row in csv.DictReader(f) if row["isin"]}
    seen |= {("lei", m["LEI"]) for m in markets(os.path.join(folder, MIC_FILES[0])) if m.get("LEI")}
    for check, value in sorted(seen):
        print(check, value, "-", sep="\t")


def mics(folder, name, version):
    print("# muster-list 1 mic %s key=mic" % version)
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["mic", "operating", "status", "expiry"])
    rows = []
    for m in markets(os.path.join(folder, name)):
        day = m.get("EXPIRY_x0020_DATE", "")
        rows.append((m["MIC"], m["OPERATING_x0020_MIC"], m["STATUS"], "-".join((day[:4], day[4:6], day[6:])) if day else ""))
    out.writerows(sorted(rows))


if sys.argv[2] == "values":
    values(sys.argv[1])
elif sys.argv[2] == "distinct":
    distinct(sys.argv[1])
else:
    mics(sys.argv[1], sys.argv[3], sys.argv[4])
