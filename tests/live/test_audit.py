# SPDX-License-Identifier: Apache-2.0
"""`muster audit verify`: an auditor sees that the trail holds, and what was done to it if it does not."""
import json

from harness import wait_until
from marks import own_site

GOOD = "US0378331005"


def prepare(site):
    site.all()
    site.sql("create role auditor1 login in role muster_auditor")
    site.sql("create role stranger login")
    for i in range(6):
        site.done(site.submit({"id": f"link-{i}", "pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]})["job_id"])


def _as(site, user):
    return {"MUSTER_POSTGRES_CONNINFO": site.conninfo.replace("user=muster", "user=" + user)}


def _verify(site, *words, user="auditor1"):
    return site.cli("audit", "verify", *words, env=_as(site, user))


def _head(site):
    return site.sql("select seq, encode(hash, 'hex') from muster.audit order by seq desc limit 1")[0]


def the_chain_of_a_working_site_holds(site):
    seq, head = _head(site)
    got = _verify(site)
    assert got.returncode == 0 and "the chain holds" in got.stdout and f"from 1 to {seq}; head {head}" in got.stdout, got
    got = _verify(site, "-o", "json")
    doc = json.loads(got.stdout)
    assert got.returncode == 0 and doc == {"intact": True, "links": int(seq), "broken": 0, "first_broken": None, "from": 1,
                                           "to": int(seq), "head": head}, doc


def the_head_of_an_earlier_link_can_be_printed_again(site):
    earlier = site.value("select encode(hash, 'hex') from muster.audit where seq = 4")
    doc = json.loads(_verify(site, "--from", "2", "--to", "4", "-o", "json").stdout)
    assert (doc["links"], doc["to"], doc["head"]) == (3, 4, earlier), doc


def a_chain_longer_than_a_slice_is_walked_to_its_end(site):
    site.sql("select muster.audit_append('test', 'test', '[' || i || ']') from generate_series(1, 4500) as i")
    seq, head = _head(site)
    doc = json.loads(_verify(site, "-o", "json").stdout)
    assert doc["intact"] and doc["links"] == int(seq) > 4500 and doc["head"] == head, doc


def what_was_done_to_it_is_told_and_ends_with_status_1(site):
    site.sql("alter table muster.audit disable trigger all; update muster.audit set body = '[]' where seq = 3; "
             "delete from muster.audit where seq = 2500; alter table muster.audit enable trigger all")
    got = _verify(site)
    assert got.returncode == 1 and "BROKEN at link 3, 2 in all" in got.stdout, got
    assert "link 3  altered" in got.stdout and "link 2501  removed    link 2500 is missing" in got.stdout, got
    lines = [json.loads(line) for line in _verify(site, "-o", "json").stdout.splitlines()]
    assert [(x["seq"], x["fault"]) for x in lines[:-1]] == [(3, "altered"), (2501, "removed")], lines
    assert lines[-1]["intact"] is False and lines[-1]["first_broken"] == 3 and lines[-1]["broken"] == 2, lines
    assert _verify(site, "--from", "4", "--to", "2400").returncode == 0


def what_keeps_it_from_reading_is_no_verdict(site):
    got = _verify(site, user="stranger")
    assert got.returncode == 7 and "permission denied" in got.stderr, got
    got = site.cli("audit", "verify", env={"MUSTER_POSTGRES_CONNINFO": "host=/nowhere user=x"})
    assert got.returncode == 5, got
    for words in (("verify", "--from", "0"), ("verify", "--from", "7", "--to", "6"), ("verify", "--since", "1"), ("rewrite",), ()):
        assert site.cli("audit", *words, env=_as(site, "auditor1")).returncode == 2, words
    got = site.cli("audit", "--help")
    assert got.returncode == 0 and "cut off" in got.stdout, got


@own_site
def a_database_that_is_away_is_status_5(site):
    site.halt("postgres")
    got = site.cli("audit", "verify")
    assert got.returncode == 5 and "could not connect" in got.stderr, got
    site.start("postgres")
    wait_until(lambda: site.cli("audit", "verify").returncode == 0, what="an empty trail that holds")
