# SPDX-License-Identifier: Apache-2.0
"""The engine, as `muster check` runs it, finds what the oracles find and what was put in, in every format, with the same
fingerprints; and in public files what was counted there by other means."""
import hashlib
import json
import os
import re
import subprocess
import tempfile

import forms
import inputs
import oracle
import proofs_oracles
import rules
from proof import PACKS, public

BUILD = os.environ["MUSTER_BUILD"]
HERE = os.path.dirname(os.path.abspath(__file__))
SHIPPED = os.path.join(os.path.dirname(os.path.dirname(HERE)), "workers", "packs")
done = proofs_oracles.done


def check(data, pack, *options):
    """(findings as objects, the summary: rule -> counters)."""
    command = [os.path.join(BUILD, "cli", "muster"), "check", data, "--pack", pack, "--lists", os.path.join(BUILD, "workers", "lists"),
               "--as-of", oracle.AS_OF, "-o", "jsonl", *options]
    got = subprocess.run(command, capture_output=True, text=True)
    assert got.returncode in (0, 1), got.stderr
    summary = {}
    for line in got.stderr.splitlines():
        row = re.match(r"([A-Z][A-Z0-9._]*)  +[a-z, ]+?  +([0-9, ]+)$", line)
        if row:
            summary[row.group(1)] = [int(n.replace(",", "")) for n in row.group(2).split()]
    return [json.loads(line) for line in got.stdout.splitlines()], summary


def masked(document, rule, name, value):
    """A key as a finding tells it: a column whose values must not be told stands there by its digest."""
    column = rule["group_by"][name]
    if document["columns"].get(column, {}).get("mask") == "hash":
        return "sha256:" + hashlib.sha256(value.encode()).hexdigest()
    return value


def subjects(findings, document):
    """rule -> record numbers, or keys in the order of their names; [] for a rule as a whole."""
    out = {rule["id"]: [] for rule in document["rules"]}
    for f in findings:
        key = f["evidence"].get("key", {})
        out.setdefault(f["rule"], []).append(f["record_no"] if "record_no" in f else [key[name] for name in sorted(key)])
    return {rule: sorted(found) for rule, found in out.items()}


def wanted(found, document):
    """What an oracle found, with keys masked as the pack says."""
    by_id = {rule["id"]: rule for rule in document["rules"]}
    return {rule: sorted([masked(document, by_id[rule], name, value) for name, value in zip(sorted(by_id[rule].get("group_by", {})), s)]
                         if isinstance(s, list) else s for s in all_of_it) for rule, all_of_it in found.items()}


def same(got, want, what):
    for rule in sorted(set(got) | set(want)):
        mine, theirs = got.get(rule, []), want.get(rule, [])
        assert mine == theirs, "%s, %s: only the engine %s, only the other %s" % (
            what, rule, [s for s in mine if s not in theirs][:5], [s for s in theirs if s not in mine][:5])


def document_of(pack):
    path = os.path.join(SHIPPED, rules.newest(pack) + ".json") if not os.path.exists(pack) else pack
    with open(path, encoding="utf-8") as f:
        return path, json.load(f)


def by_fingerprint(findings):
    """Without what follows from where a record stands."""
    return sorted((f["rule"], f["fingerprint"] if "record_no" not in f or f["rule"] != "DQ.RECORD" else "") for f in findings)


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8", newline="") as f:
        f.write(text)
    return path


def renderings(pack, world, folder):
    """(file, options of `check`) of the same records in every form."""
    named = '{"name": "made"}'
    yield write(folder, "made.csv", forms.as_csv(world.records, world.columns)), ["--source", named]
    yield write(folder, "made.jsonl", forms.as_json_lines(world.records, world.columns)), ["--source", named]
    array = "[" + ",\n".join(forms.as_json_lines(world.records, world.columns).splitlines()) + "]"
    yield write(folder, "made.json", array), ["--source", named]
    if pack != "rts22-core":
        yield write(folder, "made.xml", forms.as_xml(world.records, world.columns)), ["--source", '{"name": "made", "record": "record"}']
        return
    with open(os.path.join(SHIPPED, "rts22-core.auth016.json"), encoding="utf-8") as f:
        source = dict(json.load(f), name="made")
    yield write(folder, "made.xml", forms.as_auth016(world.records, world.columns)), ["--source", json.dumps(source)]


def agree(pack, seed):
    path, document = document_of(pack)
    world = inputs.make(pack, PACKS[pack], seed, in_xml=pack == "rts22-core")
    found = oracle.identifiers(world.records) if pack == "identifiers" else proofs_oracles.found_in(world.records, world.columns, pack)
    prints = None
    with tempfile.TemporaryDirectory() as folder:
        for data, options in renderings(pack, world, folder):
            findings, _ = check(data, path, *options)
            got, name = subjects(findings, document), os.path.basename(data)
            same(got, wanted(world.truth, document), name + " against what was put in")
            if found is not None:
                same(got, wanted(found, document), name + " against the oracle")
            if "identity" not in document:
                continue
            prints = prints or by_fingerprint(findings)
            assert by_fingerprint(findings) == prints, "%s has other fingerprints than the CSV" % name


def proof_of(pack):
    def test():
        agree(pack, 2)
    test.__name__ = "the_engine_finds_in_%s_what_the_oracle_does_in_every_format" % pack.replace("-", "_")
    return test


def the_engine_counts_the_simulated_transfers():
    pack, document = document_of(os.path.join(HERE, "amlsim@1.0.0.json"))
    data = public("amlsim_20K_fanin200_transactions.csv")
    findings, summary = check(data, pack, "--source", json.dumps({"columns": TRANSFERS}))
    got = subjects(findings, document)
    assert len(got["SIM.CASH"]) == 456 and summary["SIM.CASH"][0] == 109110 - 456, summary
    largest = max((f for f in findings if f["rule"] == "SIM.CASH"), key=lambda f: float(f["evidence"]["values"]["total"]))
    assert largest["evidence"]["key"] == {"day": "50", "receiver": "19970"} and largest["evidence"]["records"] == 6, largest
    assert largest["evidence"]["values"]["total"] == "2410.79" and len(largest["evidence"]["first"]) == 6
    assert len(got["SIM.STRUCT.WEEK"]) == 5462 and len({key[1] for key in got["SIM.STRUCT.WEEK"]}) == 718
    assert len(got["SIM.STRUCT.MONTH"]) == 3307
    assert summary["SIM.VELOCITY"][:3] == [111792, 4241, 421], summary["SIM.VELOCITY"]
    assert len(got["SIM.FANIN"]) == 54 and len({key[1] for key in got["SIM.FANIN"]}) == 31
    assert len(got["SIM.REPEATED"]) == 110 and len(got["SIM.SELF"]) == 14
    assert sum(f["evidence"]["records"] - 1 for f in findings if f["rule"] == "SIM.REPEATED") == 254


TRANSFERS = {"sender": "sourceNodeId", "receiver": "targetNodeId", "value": "value", "day": "time"}
ACTIVE = {"severity": "info", "group_by": {"day": "day", "sender": "sender"}}


def the_engine_counts_what_else_is_known_of_the_transfers():
    data, nodes = public("amlsim_20K_fanin200_transactions.csv"), public("amlsim_20K_fanin200_nodes.csv")
    dormant = lambda days: dict(ACTIVE, id="T.%s" % days, window={"on": "day", "size": str(days)}, having="min(day) = day")  # noqa: E731
    document = {"muster_pack": 1, "pack": "transfers", "version": "1.0.0", "title": "t", "lists": {"nodes": "nodes@1"},
                "columns": {c: {"type": "text" if c in ("sender", "receiver") else "decimal"} for c in TRANSFERS},
                "rules": [dormant(60), dormant(90), dormant(133), dormant(132), dormant(36600),  # the last one: the first day of all
                          dict(ACTIVE, id="T.MOST", having="count() >= 7", evidence={"n": "count()"}),
                          {"id": "T.WEEK", "severity": "info", "group_by": {"day": "day", "sender": "sender"}, "having": "count() >= 19",
                           "window": {"on": "day", "size": "7"}, "evidence": {"n": "count()"}},
                          {"id": "T.FANIN", "severity": "info", "group_by": {"day": "day", "receiver": "receiver"},
                           "having": "count_distinct(sender) >= 9", "evidence": {"n": "count_distinct(sender)"}},
                          {"id": "T.NODES", "severity": "info", "expr": "in_list(sender, 'nodes') and in_list(receiver, 'nodes')"}]}
    with tempfile.TemporaryDirectory() as folder:
        with open(nodes, encoding="utf-8") as f:
            ids = sorted({line.split(",")[0] for line in f.read().splitlines()[1:]})
        write(folder, "nodes@1.csv", "# muster-list 1 nodes 1 key=id\nid\n" + "".join(i + "\n" for i in ids))
        findings, summary = check(data, write(folder, "transfers.json", json.dumps(document)), "--lists", folder,
                                  "--source", json.dumps({"columns": TRANSFERS}))
    count = {rule: len(found) for rule, found in subjects(findings, document).items()}
    most = lambda rule: {f["evidence"]["values"]["n"] for f in findings if f["rule"] == rule}  # noqa: E731
    # a day without another one in the window before it, but for the first of each sender, ends a gap
    assert count["T.90"] - count["T.36600"] == 28 and count["T.60"] - count["T.36600"] == 810, count
    assert count["T.132"] > count["T.36600"] and count["T.133"] == count["T.36600"], count  # the longest has 132 days
    assert most("T.MOST") == {"7"} and most("T.WEEK") == {"19"} and most("T.FANIN") == {"9"}
    assert summary["T.NODES"][0] == 118250 and not count["T.NODES"], summary


def the_engine_counts_the_index():
    path, document = document_of("data-quality")
    columns = {"day": 1, "price_open": 2, "price_high": 3, "price_low": 4, "price_close": 5}
    findings, _ = check(public("vix-daily.csv"), path, "--source", json.dumps({"columns": columns}))
    got = subjects(findings, document)
    assert len(got["DQ.PRICE.RANGE"]) == 47 and len(got["DQ.PRICE.FLAT"]) == 506, {r: len(s) for r, s in got.items()}
    days = [f["evidence"]["columns"] for f in findings if f["rule"] == "DQ.PRICE.RANGE"]
    assert len(days) == 47
    rule = {"muster_pack": 1, "pack": "vix", "version": "1.0.0", "title": "t", "columns": {"price_close": {"type": "decimal"}},
            "rules": [{"id": "V.ALL", "severity": "info", "having": "count() > 0", "evidence": {
                "n": "count()", "sum": "sum(price_close)", "least": "min(price_close)", "most": "max(price_close)"}}]}
    with tempfile.TemporaryDirectory() as folder:
        all_of_it, _ = check(public("vix-daily.csv"), write(folder, "vix.json", json.dumps(rule)), "--source", '{"columns": {"price_close": 5}}')
    assert all_of_it[0]["evidence"]["values"] == {"n": "9235", "sum": "179550.59", "least": "9.14", "most": "82.69"}, all_of_it


def the_engine_counts_the_share_lists():
    path, _ = document_of("identifiers")
    for name, records, repeated, isin, agrees, ccy, known in (("LSE", 3391, (980, 18), 1016, (434, 2381, 576), (3364, 27), 1),
                                                              ("PAR", 976, (233, 5), 245, (23, 731, 222), (960, 16), 1)):
        findings, s = check(public("financedatabase_equities_%s.csv" % name), path)
        # pass, warn, fail, error, not evaluated, out of scope
        assert s["DQ.ISIN.REPEATED"] == [repeated[0], 0, repeated[1], 0, 0, records - isin], s
        assert s["ID.ISIN"] == [isin, 0, 0, 0, 0, records - isin], s
        assert s["ID.ISIN.KNOWN"] == [0, 0, known, 0, 0, 0], s
        assert s["ID.CUSIP.AGREES"] == [agrees[0], 0, 0, 0, agrees[1], agrees[2]], s
        assert s["ID.CCY"] == [ccy[0], 0, 0, 0, ccy[1], 0] and s["ID.MIC"][0] == records, s
        share = [f for f in findings if f["rule"] == "ID.ISIN.KNOWN"][0]["evidence"]
        assert (share["pass"], share["fail"]) == (isin, records - isin), share


def identifiers_that_occur_more_than_once_are_counted():
    document = {"muster_pack": 1, "pack": "again", "version": "1.0.0", "title": "t",
                "columns": {"symbol": {"type": "text"}, "isin": {"type": "text"}},
                "rules": [{"id": "A.ISIN", "severity": "low", "where": "not is_missing(isin)", "check": "unique", "with": {"columns": ["isin"]}},
                          {"id": "A.SYMBOL", "severity": "low", "check": "unique", "with": {"columns": ["symbol"]}}]}
    with tempfile.TemporaryDirectory() as folder:
        pack = write(folder, "again.json", json.dumps(document))
        for name, again, all_of_it in (("equities_LSE", 18, 998), ("equities_PAR", 5, 238), ("etfs_LSE", 389, 938)):
            findings, s = check(public("financedatabase_%s.csv" % name), pack)
            assert (s["A.ISIN"][2], s["A.ISIN"][0] + s["A.ISIN"][2]) == (again, all_of_it) and s["A.SYMBOL"][2] == 0, s


TESTS = [proof_of(pack) for pack in PACKS] + [
    the_engine_counts_the_simulated_transfers, the_engine_counts_what_else_is_known_of_the_transfers, the_engine_counts_the_index,
    the_engine_counts_the_share_lists, identifiers_that_occur_more_than_once_are_counted]
