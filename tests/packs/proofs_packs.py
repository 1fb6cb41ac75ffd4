# SPDX-License-Identifier: Apache-2.0
"""The shipped packs as the second implementation of the language reads them, and the forms of the made inputs."""
import json
import os
import xml.etree.ElementTree as tree

import forms
import inputs
import reference_data as data
import rules
from proof import PACKS, Skip

# rules of the whole file, on which one record in a hundred has no bearing, and one whose fault depends on the list
OF_THE_WHOLE = {"DQ.PRICE.KNOWN", "DQ.VOLUME.KNOWN", "DQ.ROWS", "DQ.TOTAL", "DQ.FRESH", "DQ.LIMITS", "ID.ISIN.KNOWN",
                "ID.ISIN.PREFIX", "LATE.SHARE"}


def packs():
    return [rules.load(rules.newest(pack)) for pack in PACKS]


def every_pack_fits_its_schema():
    try:
        import jsonschema
    except ImportError:
        raise Skip("python3-jsonschema is not installed") from None
    with open(os.path.join(data.ROOT, "schemas", "pack.json"), encoding="utf-8") as f:
        schema = json.load(f)
    for pack in packs():
        jsonschema.Draft7Validator(schema).validate(pack.doc)


def every_rule_has_a_title_and_cases_that_pass_and_fail():
    for pack in packs():
        for rule in pack.doc["rules"]:
            expected = {outcome for case in rule["cases"] for outcome in case["expect"]}
            assert rule.get("title") and "pass" in expected and expected & {"fail", "warn"}, rule["id"]


def every_case_comes_out_as_expected():
    wrong = [line for pack in packs() for rule in pack.doc["rules"] for line in rules.differences(pack, rule)]
    assert not wrong, "\n".join(wrong)


def an_older_version_keeps_the_ids_that_its_users_know():
    for pack in ("identifiers", "securities-master"):
        with open(os.path.join(rules.PACK_FOLDER, pack + "@1.0.0.json"), encoding="utf-8") as f:
            before = {rule["id"] for rule in json.load(f)["rules"]}
        assert before <= set(rules.load(rules.newest(pack)).rules), pack


def packs_find_in_made_inputs_what_was_put_in():
    for name, count in PACKS.items():
        pack, world = rules.load(rules.newest(name)), inputs.make(name, count, 3)
        found = pack.run(world.records)
        for rule in pack.rules:
            truth = world.truth.get(rule, [])
            assert sorted(found[rule]["findings"]) == truth, "%s: only found %s, only labelled %s" % (
                rule, [s for s in found[rule]["findings"] if s not in truth][:5],
                [s for s in truth if s not in found[rule]["findings"]][:5])
            assert truth or rule in OF_THE_WHOLE, "no fault breaks %s" % rule


def the_same_seed_makes_the_same_bytes():
    for name in PACKS:
        first, again, other = (inputs.make(name, 300, seed) for seed in (7, 7, 8))
        assert forms.as_csv(first.records, first.columns) == forms.as_csv(again.records,
                                                                          again.columns) and first.truth == again.truth
        assert first.records != other.records


def mapped(element, mapping):
    """A value by a mapping of a source description: paths, [n], @attributes, `P => constant`, alternatives by |."""
    for alternative in mapping.split(" | "):
        path, _, constant = alternative.partition(" => ")
        steps, _, attribute = path.partition("/@")
        at = element.find(steps)
        if at is None:
            continue
        value = constant or (at.get(attribute) if attribute else (at.text or "").strip())
        if value:
            return value
    return None


def transaction_reports_read_from_auth016_are_those_that_were_made():
    with open(os.path.join(rules.PACK_FOLDER, "rts22-core.auth016.json"), encoding="utf-8") as f:
        description = json.load(f)
    assert set(description["columns"]) == set(rules.load(rules.newest("rts22-core")).columns)
    world = inputs.make("rts22-core", PACKS["rts22-core"], 1, in_xml=True)
    text = forms.as_auth016(world.records,
                            world.columns).replace(' xmlns="urn:iso:std:iso:20022:tech:xsd:auth.016.001.01"', "")
    elements = tree.fromstring(text).find("FinInstrmRptgTxRpt").findall(description["record"])
    assert len(elements) == len(world.records)
    for number, (record, element) in enumerate(zip(world.records, elements), 1):
        for column, mapping in description["columns"].items():
            got = mapped(element, mapping)
            assert got == record.get(column), "record %d, %s: %r, not %r" % (number, column, got, record.get(column))


TESTS = [every_pack_fits_its_schema, every_rule_has_a_title_and_cases_that_pass_and_fail,
         every_case_comes_out_as_expected,
         an_older_version_keeps_the_ids_that_its_users_know, packs_find_in_made_inputs_what_was_put_in,
         the_same_seed_makes_the_same_bytes,
         transaction_reports_read_from_auth016_are_those_that_were_made]
