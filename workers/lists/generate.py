# SPDX-License-Identifier: Apache-2.0
"""Makes the lists iso3166 and iso4217 out of the iso-codes package, at build time:
generate.py <list> <version> <folder of iso-codes' JSON> <facts.csv or -> <output>

iso-codes knows no minor units and only current currencies; what it lacks stands in the facts. A row is in force from
`from` on and until the day before `to`; empty is without bound."""
import csv
import json
import os
import sys


def entries(folder, part):
    with open(os.path.join(folder, "iso_%s.json" % part), encoding="utf-8") as f:
        return json.load(f)[part]


def first_day_after(withdrawn):
    """"2010-12-15" is a day, "1997" a year of which it is not known when it ended: the code counts until its end."""
    return withdrawn if len(withdrawn) == 10 else "%d-01-01" % (int(withdrawn) + 1)


def countries(folder):
    rows = [(c["alpha_2"], c["alpha_3"], c["numeric"], "", "", c["name"]) for c in entries(folder, "3166-1")]
    rows += [(c["alpha_2"], c["alpha_3"], c.get("numeric", ""), "", first_day_after(c["withdrawal_date"]), c["name"])
             for c in entries(folder, "3166-3") if "alpha_2" in c]
    return ["code", "alpha_3", "numeric", "from", "to", "name"], rows


def currencies(folder, facts):
    known = {c["alpha_3"]: (c.get("numeric", ""), c["name"]) for c in entries(folder, "4217")}
    with open(facts, encoding="utf-8", newline="") as f:
        special = {row["code"]: row for row in csv.DictReader(f)}
    rows = []
    for code in sorted(set(known) | set(special)):
        fact = special.get(code, {"minor_units": "", "from": "", "to": "", "name": ""})
        numeric, name = known.get(code, ("", fact["name"]))
        if not name:
            continue  # a fact about a code that this edition does not have
        minor = {"": "2", "none": ""}.get(fact["minor_units"], fact["minor_units"])
        rows.append((code, numeric, minor, fact["from"], fact["to"], name))
    return ["code", "numeric", "minor_units", "from", "to", "name"], rows


def main():
    name, version, folder, facts, output = sys.argv[1:]
    header, rows = countries(folder) if name == "iso3166" else currencies(folder, facts)
    rows.sort(key=lambda row: tuple(value.encode() for value in row))
    with open(output, "w", encoding="utf-8", newline="") as f:
        f.write("# muster-list 1 %s %s key=%s\n" % (name, version, header[0]))
        f.write("# Made from iso-codes %s. In force from the day `from` until the day before `to`.\n" % version)
        out = csv.writer(f, lineterminator="\n")
        out.writerow(header)
        out.writerows(rows)


main()
