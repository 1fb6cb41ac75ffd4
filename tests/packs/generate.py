# SPDX-License-Identifier: Apache-2.0
"""Writes labelled inputs for a pack: generate.py PACK RECORDS SEED FOLDER

PACK.csv, PACK.jsonl, PACK.xml hold the same records, one in a hundred of them spoilt; PACK.truth.csv says what that breaks:
rule, record_no, key (a JSON array; one of the two is empty), and PACK.labels.csv which fault was put where. For rts22-core
PACK.xml is auth.016, with files of its own beside it (PACK-xml.csv, ..): some faults cannot be said in that form."""
import csv
import json
import os
import sys

import forms
import inputs


def write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8", newline="") as f:
        f.write(text)


def write_rows(folder, name, rows):
    with open(os.path.join(folder, name), "w", encoding="utf-8", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows(rows)


def write_truth(folder, name, world):
    rows = [("rule", "record_no", "key")]
    for rule in sorted(world.truth):
        rows += [(rule, s, "") if isinstance(s, int) else (rule, "", json.dumps(s)) for s in world.truth[rule]]
    write_rows(folder, name + ".truth.csv", rows)
    write_rows(folder, name + ".labels.csv", [("record_no", "fault", "rules")] + [(n, fault, " ".join(broken)) for n,
                                                                                  fault, broken in world.labels])


def main(pack, count, seed, folder):
    os.makedirs(folder, exist_ok=True)
    world = inputs.make(pack, int(count), int(seed))
    for form, render in forms.FORMS.items():
        if form != "xml" or pack != "rts22-core":
            write(folder, "%s.%s" % (pack, form), render(world.records, world.columns))
    write_truth(folder, pack, world)
    if pack == "rts22-core":
        world = inputs.make(pack, int(count), int(seed), in_xml=True)
        write(folder, pack + ".xml", forms.as_auth016(world.records, world.columns))
        for form in ("csv", "jsonl"):
            write(folder, "%s-xml.%s" % (pack, form), forms.FORMS[form](world.records, world.columns))
        write_truth(folder, pack + "-xml", world)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
