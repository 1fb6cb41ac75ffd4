# SPDX-License-Identifier: Apache-2.0
"""`muster audit verify`: an auditor sees that the trail and the rows that it names are as they were written, what was done
to them if they are not, and by heads that were noted outside that the whole trail was made anew."""
import json
import os

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


def the_trail_of_a_working_site_holds(site):
    seq, head = _head(site)
    got = _verify(site)
    assert got.returncode == 0 and "the trail holds" in got.stdout and f"from 1 to {seq}; head {head}" in got.stdout, got
    got = _verify(site, "-o", "json")
    doc = json.loads(got.stdout)
    assert got.returncode == 0 and doc == {"intact": True, "links": int(seq), "faults": 0, "first_broken": None, "from": 1,
                                           "to": int(seq), "head": head, "heads_compared": 0}, doc


def the_head_of_an_earlier_link_can_be_printed_again(site):
    earlier = site.value("select encode(hash, 'hex') from muster.audit where seq = 4")
    doc = json.loads(_verify(site, "--from", "2", "--to", "4", "-o", "json").stdout)
    assert (doc["links"], doc["to"], doc["head"]) == (3, 4, earlier), doc


def a_trail_longer_than_a_slice_is_walked_to_its_end(site):
    site.sql("select muster.audit_append('test', 'test', null, '[' || i || ']') from generate_series(1, 4500) as i")
    seq, head = _head(site)
    doc = json.loads(_verify(site, "-o", "json").stdout)
    assert doc["intact"] and doc["links"] == int(seq) > 4500 and doc["head"] == head, doc


def what_was_done_to_it_is_told_and_ends_with_status_1(site):
    job = site.value("select job_id from muster.job order by 1 limit 1")
    site.sql("set session_replication_role = replica; update muster.audit set action = 'x' where seq = 3; "
             "delete from muster.audit where seq = 2500; "
             f"update muster.outcome set result = 'fail' where task_id = '{job}'")
    got = _verify(site)
    assert got.returncode == 1 and "the first at link" in got.stdout, got
    assert "link 3  altered" in got.stdout and "link 2501  removed    link 2500 is missing" in got.stdout, got
    assert f"outcome {job}  altered " in got.stdout, got
    lines = [json.loads(line) for line in _verify(site, "-o", "json").stdout.splitlines()]
    assert {(x["fault"], x["kind"], x["id"]) for x in lines[:-1]} >= {
        ("altered", "audit", "3"), ("removed", "audit", "2501"), ("altered", "outcome", job)}, lines
    assert lines[-1]["intact"] is False and lines[-1]["faults"] == len(lines) - 1, lines
    assert _verify(site, "--from", "100", "--to", "2400").returncode == 0


def what_keeps_it_from_reading_is_no_verdict(site):
    got = _verify(site, user="stranger")
    assert got.returncode == 7 and "permission denied" in got.stderr, got
    got = site.cli("audit", "verify", env={"MUSTER_POSTGRES_CONNINFO": "host=/nowhere user=x"})
    assert got.returncode == 5, got
    for words in (("verify", "--from", "0"), ("verify", "--from", "7", "--to", "6"), ("verify", "--since", "1"), ("rewrite",), ()):
        assert site.cli("audit", *words, env=_as(site, "auditor1")).returncode == 2, words
    assert _verify(site, "--heads", "/nowhere/heads").returncode == 3
    got = site.cli("audit", "--help")
    assert got.returncode == 0 and "noted outside" in got.stdout, got


@own_site
def a_database_that_is_away_is_status_5(site):
    site.halt("postgres")
    got = site.cli("audit", "verify")
    assert got.returncode == 5 and "could not connect" in got.stderr, got
    site.start("postgres")
    wait_until(lambda: site.cli("audit", "verify").returncode == 0, what="an empty trail that holds")


FORGE = """
set session_replication_role = replica;
do $$
declare
    a muster.audit;
    last bytea := '';
begin -- what a forger would do who may write everything: one word changed, and the whole trail made anew
    for a in select * from muster.audit order by seq loop
        a.actor := case when a.seq = 1 then 'nobody' else a.actor end;
        a.hash := muster.audit_hash(last, a.seq, a.at, a.began_at, a.actor, a.action, a.reason, a.body, a.packed);
        update muster.audit set actor = a.actor, previous = last, hash = a.hash where seq = a.seq;
        update muster.audit_tail set hash = a.hash where seq = a.seq;
        last := a.hash;
    end loop;
end
$$"""


@own_site
def a_trail_that_was_made_anew_is_found_by_heads_that_were_noted_outside(site):
    path = os.path.join(site.dir, "heads.jsonl")
    dispatcher = site.dispatcher(audit__head_file=path, audit__head_every="1s")
    site.recorder()
    site.worker("a1")
    site.done(site.submit({"pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]})["job_id"])
    top = int(_head(site)[0])
    noted = lambda: [json.loads(line) for line in open(path)] if os.path.exists(path) else []
    wait_until(lambda: noted() and noted()[-1]["seq"] >= top, 30, "a head in the file")
    wait_until(lambda: site.value("select count(*) from muster.outbox where kind = 'event'") == "0", 30, "events that are out")
    got = site.cli("audit", "verify", "--heads", path, "--events", "-o", "json")
    doc = json.loads(got.stdout)
    assert got.returncode == 0 and doc["intact"] and doc["heads_compared"] >= 2 * len(noted()) > 0, got
    assert [h["seq"] for h in noted()] == sorted({h["seq"] for h in noted()}), "each head once"
    dispatcher.stop()
    site.sql(FORGE)
    assert site.cli("audit", "verify").returncode == 0, "it holds in itself"
    for words in (("--heads", path), ("--events",)):
        got = site.cli("audit", "verify", *words, "-o", "json")
        faults = [json.loads(line) for line in got.stdout.splitlines()][:-1]
        assert got.returncode == 1 and {f["fault"] for f in faults} == {"rewritten"}, got


@own_site
def a_file_that_cannot_be_written_stops_nothing(site):
    dispatcher = site.dispatcher(audit__head_file="/nowhere/heads.jsonl", audit__head_every="1s")
    site.recorder()
    site.worker("a1")
    site.done(site.submit({"pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]})["job_id"])
    wait_until(lambda: "could not note the head" in dispatcher.tail(1000), 30, "a complaint")
