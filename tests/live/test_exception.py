# SPDX-License-Identifier: Apache-2.0
"""The exceptions ledger through the real programs: deliveries of a file that is mended in part, waivers by request and by command."""
import json
import os
import shutil
import subprocess
import time

from harness import wait_until
from marks import Skip, own_site

SITE = {"task__shard_bytes": "256KiB", "worker__checkpoint": "50ms"}
GOOD, BAD = "US0378331005", "US0378331006"


def _deliver(site, bad, rows=1000):
    """A delivery of trades.csv with these symbols wrong, checked and entered in the ledger."""
    site.write("trades.csv", "symbol,isin\n" + "".join(f"S{i},{BAD if i in bad else GOOD}\n" for i in range(rows)))
    job = site.submit({"pack": "identifiers@1.0.0", "source": {"uri": "file:trades.csv"}})["job_id"]
    assert site.done(job)["result"] == ("fail" if bad else "pass")
    wait_until(lambda: site.value("select count(*) from muster.ledger_due") == "0", 20, "the run in the ledger")
    return job


def _states(site):
    """Symbol -> state."""
    rows = site.sql("select f.evidence->'columns'->>'isin', e.record_no, e.state from report.exception e "
                    "join report.finding f on f.finding_id = e.last_finding_id")
    assert all(isin == BAD for isin, _, _ in rows)
    return {f"S{int(record) - 1}": state for _, record, state in rows}


def _nats(site, subject, request):
    if not shutil.which("nats"):
        raise Skip("the nats command line is not installed")
    got = subprocess.run(["nats", "req", subject, json.dumps(request), "--raw"], capture_output=True, text=True, timeout=30,
                         env=dict(os.environ, NATS_URL=site.url, XDG_CONFIG_HOME=site.dir))
    assert got.returncode == 0, got
    return json.loads(got.stdout)


def _in(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


@own_site
def a_file_delivered_again_tells_what_is_new_mended_and_back(site):
    site.all(workers=1)
    first = _deliver(site, {1, 2, 3})
    assert _states(site) == {"S1": "new", "S2": "new", "S3": "new"}
    second = _deliver(site, {2, 3, 4})
    assert _states(site) == {"S1": "resolved", "S2": "persisting", "S3": "persisting", "S4": "new"}
    third = _deliver(site, {1, 3})
    assert _states(site) == {"S1": "reopened", "S2": "resolved", "S3": "persisting", "S4": "resolved"}
    listed = [json.loads(line) for line in site.cli("-o", "json", "exception", "ls").stdout.splitlines()]
    assert sorted(e["state"] for e in listed) == ["persisting", "reopened"] and {e["rule"] for e in listed} == {"ID.ISIN"}
    back = next(e["exception_id"] for e in listed if e["state"] == "reopened")
    shown = json.loads(site.cli("-o", "json", "exception", "show", back).stdout)
    assert [(h["state"], h["job_id"]) for h in shown["history"]] == [("new", first), ("resolved", second), ("reopened", third)]
    assert site.cli("-q", "exception", "ls", "--filter", "state=resolved", "--filter", "rule=ID.ISIN").stdout.count("\n") == 2
    assert site.cli("exception", "ls", "--filter", "colour=red").returncode == 4
    assert site.cli("exception", "show", first).returncode == 3
    assert "reopened" in site.cli("exception", "show", back).stdout and "RULE" in site.cli("exception", "ls").stdout
    for words in (("waive", back, "--owner", "x", "--until", "2027-01-01"), ("revoke", back), ("show",), ("mend", back), ()):
        assert site.cli("exception", *words).returncode == 2, words


@own_site
def a_large_file_in_shards_is_one_run(site):
    site.all(workers=2)
    _deliver(site, {7, 59000}, rows=60000)
    assert int(site.value("select count(*) from muster.task")) > 1, "it was cut"
    assert _states(site) == {"S7": "new", "S59000": "new"}
    _deliver(site, {59000}, rows=60000)
    assert _states(site) == {"S7": "resolved", "S59000": "persisting"}
    site.submit({"pack": "identifiers@1.0.0", "records": [{"symbol": "S1", "isin": BAD}]})
    wait_until(lambda: site.value("select count(*) from report.exception where source = 'records'") == "1", 20, "what was sent inline")


@own_site
def exceptions_are_waived_by_request_and_the_ledger_goes_on_beneath(site):
    site.all(workers=1)
    events = site.nats.subscribe("muster.event.operator.waived")
    _deliver(site, {1, 2})
    ids = {e["record_no"] - 1: e["exception_id"] for e in _nats(site, "muster.api.exceptions", {})["exceptions"]}
    answer = _nats(site, "muster.api.waive", {"exception_ids": [ids[1]], "owner": "trade support", "reason": "vendor ticket 4711", "until": _in(6),
                                              "actor": "anna"})
    assert (answer["ok"], answer["matched"]) == (True, 1), answer
    told = site.nats.next(events).json()["events"][0]
    assert (told["type"], told["waiver_id"]) == ("io.muster.event.v1.operator_waived", answer["waiver_id"])
    waived = lambda: site.sql("select record_no - 1, waiver_owner, waiver_reason from report.exception where is_waived order by 1")
    assert waived() == [["1", "trade support", "vendor ticket 4711"]]
    assert site.sql("select actor, action, reason, object_id from report.operator_action order by seq desc limit 1") == [
        ["anna", "waive", "vendor ticket 4711", answer["waiver_id"]]]
    assert [e["exception_id"] for e in _nats(site, "muster.api.exceptions", {"filter": {"waived": "no"}})["exceptions"]] == [ids[2]]
    refused = _nats(site, "muster.api.waive", {"exception_ids": [ids[1]], "owner": "x", "reason": "y", "until": "2020-01-01"})
    assert (refused["ok"], refused["error"]["pointer"]) == (False, "/until")
    assert _nats(site, "muster.api.waive", {"rule": "ID.ISIN", "owner": "x", "until": "2027-01-01"})["error"]["code"] == "invalid"

    dry = site.cli("exception", "waive", "--rule", "ID.ISIN", "--source", "trades", "--owner", "ops", "--reason", "all of it", "--until", _in(86400)[:10], "--dry-run")
    assert dry.stdout.startswith("2 open exceptions would be waived until "), dry
    got = site.cli("-q", "exception", "waive", "--rule", "ID.ISIN", "--source", "trades", "--owner", "ops", "--reason", "all of it", "--until", _in(86400)[:10])
    waiver = got.stdout.strip()
    _deliver(site, {2, 3})
    assert [row[:2] for row in waived()] == [["1", "ops"], ["2", "ops"], ["3", "ops"]], "what comes later, too"
    assert _states(site) == {"S1": "resolved", "S2": "persisting", "S3": "new"}
    assert site.cli("exception", "revoke", waiver, "--reason", "too wide").stdout == f"waiver {waiver} revoked\n"
    assert site.cli("exception", "revoke", waiver, "--reason", "too wide").stdout == f"waiver {waiver} was revoked already\n"
    wait_until(lambda: waived() == [], 20, "the first one expired")
    assert site.sql("select state, coalesce(revoked_reason, '') from report.waiver order by placed_at") == [["expired", ""], ["revoked", "too wide"]]
    assert site.sql("select * from report.audit_verify()") == []
    assert site.sql("select name from report.alert") == []


@own_site
def a_leader_that_was_away_catches_up(site):
    site.all(workers=1)
    _deliver(site, {1, 2})
    leader, recorder = (next(p for p in site.programs if p.name == name) for name in ("dispatcher", "recorder"))
    recorder.pause()
    site.write("trades.csv", f"symbol,isin\nS0,{GOOD}\nS1,{GOOD}\nS2,{BAD}\n")
    job = site.submit({"pack": "identifiers@1.0.0", "source": {"uri": "file:trades.csv"}})["job_id"]
    wait_until(lambda: site.value("select count(*) from muster.outbox where published_at is null") == "0", 20, "its message in the queue")
    leader.kill9()
    recorder.resume()
    wait_until(lambda: site.value("select job_id from muster.ledger_due") == job, 30, "a run that nobody enters")
    site.dispatcher("heir")
    wait_until(lambda: site.value("select count(*) from muster.ledger_due") == "0", 30, "the run in the ledger")
    assert _states(site) == {"S1": "resolved", "S2": "persisting"}
