# SPDX-License-Identifier: Apache-2.0
"""Labels, packs (as the second implementation reads them) and oracles find the same; and the oracles find in public
files what was counted there by other means. MUSTER_TEST_DATA says where these are; they are no part of the tree."""
import csv
import shutil
import tempfile

import cluster
import forms
import inputs
import oracle
import rules
from proof import PACKS, Skip, public

BY_STDNUM = "identifiers"
running = None


def the_oracle():
    """One server for all proofs here; `done` ends it."""
    global running
    if not cluster.server_programs() or not shutil.which("psql"):
        raise Skip("no PostgreSQL server is installed")
    running = running or oracle.Oracle().__enter__()
    return running


def done():
    if running:
        running.__exit__()


def found_in(records, columns, name):
    with tempfile.NamedTemporaryFile("w", suffix=".csv", encoding="utf-8", newline="") as f:
        f.write(forms.as_csv(records, columns))
        f.flush()
        return the_oracle().findings(name, f.name)


def agree(pack, seed):
    world = inputs.make(pack, PACKS[pack], seed)
    if pack == BY_STDNUM:
        found = oracle.identifiers(world.records)
        if found is None:
            raise Skip("python3-stdnum is not installed")
    else:
        found = found_in(world.records, world.columns, pack)
    wanted = rules.load(rules.newest(pack)).rules
    assert set(found) == set(wanted), "rules without a query, queries without a rule: %s" % sorted(set(found) ^ set(wanted))
    for rule in wanted:
        truth = world.truth.get(rule, [])
        assert found[rule] == truth, "%s: only found %s, only labelled %s" % (
            rule, [s for s in found[rule] if s not in truth][:5], [s for s in truth if s not in found[rule]][:5])


def proof_of(pack):
    def test():
        agree(pack, 1)
    test.__name__ = "the_oracle_of_%s_finds_what_was_put_in" % pack.replace("-", "_")
    return test


def the_simulated_transfers_hold_the_flows_that_were_counted():
    found = the_oracle().findings("amlsim", public("amlsim_20K_fanin200_transactions.csv"))
    ask = the_oracle().last.rows
    assert ask("select count(*), sum(value), min(value), max(value) from transfer") == [["118250", "33039037.18", "2.52", "599.91"]]
    assert ask("select receiver, day, sum(value), count(*) from transfer group by receiver, day order by 3 desc limit 1") == [
        ["19970", "50", "2410.79", "6"]]
    assert len(found["SIM.CASH"]) == 456 and ["50", "19970"] in found["SIM.CASH"]
    assert len(found["SIM.STRUCT.WEEK"]) == 5462 and len({key[1] for key in found["SIM.STRUCT.WEEK"]}) == 718
    assert len(found["SIM.STRUCT.MONTH"]) == 3307
    assert len(found["SIM.VELOCITY"]) == 4241 + 421 and len(found["SIM.VELOCITY.MANY"]) == 421
    assert len(found["SIM.FANIN"]) == 54 and len({key[1] for key in found["SIM.FANIN"]}) == 31
    assert len(found["SIM.REPEATED"]) == 110 and len(found["SIM.SELF"]) == 14


PRICES = ["day", "price_open", "price_high", "price_low", "price_close"]


def the_index_holds_the_breaks_that_were_counted():
    with open(public("vix-daily.csv"), encoding="utf-8", newline="") as f:
        rows = list(csv.reader(f))[1:]
    empty = [c for c in inputs.importlib.import_module("inputs_data_quality").COLUMNS if c not in PRICES]
    records = [dict(zip(PRICES, row)) for row in rows]
    found = found_in(records, PRICES + empty, "data-quality")
    assert len(records) == 9235 and len(found["DQ.PRICE.RANGE"]) == 47 and len(found["DQ.PRICE.FLAT"]) == 506
    assert the_oracle().last.rows("select sum(c), min(c), max(c) from price") == [["179550.590000", "9.140000", "82.690000"]]
    breaks = [records[n - 1]["day"] for n in found["DQ.PRICE.RANGE"]]
    assert (breaks[0], breaks[-1]) == ("1992-02-11", "2006-02-08")


def the_share_lists_hold_the_identifiers_that_were_counted():
    for name, repeated, counts in (("LSE", 18, (1016, 587, 759, 851, 2023)), ("PAR", 5, (245, 39, 530, 536, 542))):
        with open(public("financedatabase_equities_%s.csv" % name), encoding="utf-8", newline="") as f:
            records = list(csv.DictReader(f))
        found = oracle.identifiers(records)
        if found is None:
            raise Skip("python3-stdnum is not installed")
        assert len(found["DQ.ISIN.REPEATED"]) == repeated and found["ID.ISIN.KNOWN"] == [[]]
        wrong = {rule: subjects for rule, subjects in found.items() if subjects and rule not in ("DQ.ISIN.REPEATED",
                                                                                                 "ID.ISIN.KNOWN",
                                                                                                 "ID.ISIN")}
        assert not wrong, wrong
        for column, count in zip(("isin", "cusip", "figi", "composite_figi", "shareclass_figi"), counts):
            assert sum(1 for r in records if r[column]) == count, column


def the_share_lists_miss_the_names_that_were_counted():
    columns = inputs.importlib.import_module("inputs_securities_master").COLUMNS
    for name, names, currencies, repeated in (("LSE", 54, 27, 18), ("PAR", 2, 16, 5)):
        with open(public("financedatabase_equities_%s.csv" % name), encoding="utf-8", newline="") as f:
            records = [{c: row[c] for c in columns if c in row} for row in csv.DictReader(f)]
        found = {rule: subjects for rule, subjects in found_in(records, columns, "securities-master").items() if subjects}
        assert {rule: len(subjects) for rule, subjects in found.items()} == {
            "SM.NAME.GIVEN": names, "SM.CCY.GIVEN": currencies, "SM.ISIN.REPEATED": repeated}, found


TESTS = [proof_of(pack) for pack in PACKS] + [the_simulated_transfers_hold_the_flows_that_were_counted,
                                              the_index_holds_the_breaks_that_were_counted,
                                              the_share_lists_hold_the_identifiers_that_were_counted,
                                              the_share_lists_miss_the_names_that_were_counted]
