# SPDX-License-Identifier: Apache-2.0
"""The main job: submit, check, record, read in SQL; with the stock `nats` command line where it is installed."""
import csv
import json
import os
import shutil
import subprocess

from harness import BUILD, wait_until
from marks import Skip, own_site

SITE = {"task__ack_wait": "2s"}
GOOD, BAD = "US0378331005", "US0378331006"


def prepare(site):
    site.all(workers=2)


def _nats(site, *words, **kwargs):
    if not shutil.which("nats"):
        raise Skip("the nats command line is not installed")
    got = subprocess.run(["nats", "-s", site.url, *words], capture_output=True, text=True, timeout=60,
                         stdin=subprocess.DEVNULL, env=dict(os.environ, HOME=site.dir), **kwargs)
    return got.returncode, got.stdout, got.stderr


def one_wrong_isin_is_one_finding_in_sql(site):
    receipt = site.submit({"pack": "identifiers@1.0.0", "records": [{"isin": BAD}, {"isin": GOOD}]})
    assert receipt["state"] == "queued" and receipt["tasks"] == 1 and receipt["duplicate"] is False, receipt
    status = site.done(receipt["job_id"])
    assert status["result"] == "fail" and status["state"] == "completed", status
    rows = site.sql(f"select rule, record_no, outcome from report.finding where job_id = '{receipt['job_id']}'")
    assert rows == [["ID.ISIN", "1", "fail"]], rows


def a_right_record_passes(site):
    status = site.done(site.submit({"pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]})["job_id"])
    assert status["result"] == "pass", status


def missing_values_are_never_a_pass(site):
    status = site.done(site.submit({"pack": "identifiers@1.0.0", "records": [{"isin": None}]})["job_id"])
    assert status["result"] == "not_evaluated", status


def the_same_key_gives_the_same_job(site):
    job = {"id": "twice", "pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]}
    first, second = site.submit(job), site.submit(job)
    assert second["duplicate"] and first["job_id"] == second["job_id"], (first, second)
    third = site.submit({"pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]}, {"Nats-Msg-Id": "header-key"})
    again = site.submit({"pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]}, {"Nats-Msg-Id": "header-key"})
    assert again["duplicate"] and third["job_id"] == again["job_id"]
    assert site.value("select count(*) from muster.request where key in ('twice', 'header-key')") == "2"


def the_same_key_with_another_body_is_a_conflict(site):
    site.submit({"id": "conflict", "pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]})
    answer = site.api("submit", {"id": "conflict", "pack": "identifiers@1.0.0", "records": [{"isin": BAD}]})
    assert answer["ok"] is False and answer["error"]["code"] == "conflict", answer


def a_batch_counts_accepted_duplicate_and_rejected_with_lines(site):
    lines = [{"id": "b1", "pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]},
             {"id": "b2", "pack": "nosuch@1", "records": [{"isin": GOOD}]},
             {"id": "b1", "pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]},
             {"id": "b3", "pack": "identifiers@1.0.0", "records": [{"isin": BAD}]}]
    for body in ("\n".join(map(json.dumps, lines)), json.dumps(lines).replace("b1", "c1").replace("b3", "c3")):
        answer = site.api("submit", body)
        assert (answer["accepted"], answer["duplicate"], answer["rejected"]) == (2, 1, 1), answer
        assert answer["errors"][0]["line"] == 2 and answer["errors"][0]["error"]["code"] == "unknown_pack", answer
        assert len(answer["job_ids"]) == 3, answer


def a_thousand_small_jobs_ride_in_bundles_and_each_has_its_own_outcome(site):
    lines = [{"id": f"bundle-{i}", "pack": "identifiers@1.0.0", "records": [{"isin": BAD if i % 10 == 0 else GOOD}]}
             for i in range(1000)]
    answer = site.api("submit", "\n".join(map(json.dumps, lines)))
    assert answer["accepted"] == 1000, answer
    count = lambda: site.value("select count(*) from report.job_status where job_key like 'bundle-%' and result is not null") == "1000"
    wait_until(count, 60, "1000 outcomes")
    rows = site.sql("select result, count(*) from report.job_status where job_key like 'bundle-%' group by 1 order by 1")
    assert rows == [["fail", "100"], ["pass", "900"]], rows


def a_large_file_is_planned_and_every_injected_fault_is_found(site):
    data, truth = os.path.join(site.sources, "trades.csv"), os.path.join(site.dir, "truth.csv")
    subprocess.run([os.path.join(BUILD, "tests", "muster-generate"), "--rows", "20000", "--seed", "7", "--faults", "100",
                    data, truth], check=True)
    job = site.submit({"pack": "identifiers@1.0.0", "source": {"uri": "file:trades.csv"}})["job_id"]
    status = site.done(job)
    assert status["tasks"] == 1 and status["result"] == "fail", status
    rules = {"isin": "ID.ISIN", "lei": "ID.LEI", "iban": "ID.IBAN", "bic": "ID.BIC", "mic": "ID.MIC",
             "currency": "ID.CCY", "country": "ID.COUNTRY", "ragged": "DQ.RECORD"}
    with open(truth, newline="") as f:
        want = {(row["record_no"], rules[row["fault"]]) for row in csv.DictReader(f)}
    got = {tuple(row) for row in site.sql(f"select record_no, rule from report.finding where job_id = '{job}'")}
    assert got == want, (sorted(want - got)[:5], sorted(got - want)[:5])


@own_site(task__shard_bytes="64KiB", task__ack_wait="2s")
def shards_find_what_one_task_finds(site):
    site.all(workers=2)
    data = os.path.join(site.sources, "trades.csv")
    subprocess.run([os.path.join(BUILD, "tests", "muster-generate"), "--rows", "5000", "--seed", "9", "--faults", "200", data,
                    os.path.join(site.dir, "truth.csv")], check=True)
    shards = site.submit({"pack": "identifiers@1.0.0", "source": {"uri": "file:trades.csv"}})["job_id"]
    status = site.done(shards)
    assert status["tasks"] > 5, status
    site.settings["task.shard_bytes"] = "64MiB"
    site.dispatcher("second")
    for program in site.programs:
        if program.name == "dispatcher":
            program.stop()
    whole = site.submit({"pack": "identifiers@1.0.0", "source": {"uri": "file:trades.csv"}})["job_id"]
    assert site.done(whole)["tasks"] == 1
    findings = "select record_no, rule, fingerprint, message, evidence::text from report.finding where job_id = '%s' order by 1, 2"
    assert site.sql(findings % shards) == site.sql(findings % whole)
    assert site.sql("select * from report.reconciliation where not balanced") == []


def a_dead_data_source_is_an_outcome_with_its_reason(site):
    job = site.submit({"pack": "identifiers@1.0.0", "source": {"uri": "file:nothere.csv"}})["job_id"]
    status = site.done(job)
    assert status["result"] == "error" and status["state"] == "failed", status
    assert site.value(f"select reason from report.task_history where job_id = '{job}'") == "source_missing"


def the_nats_command_line_submits_and_gets_a_receipt(site):
    _, out, _ = _nats(site, "req", "muster.api.submit", "--raw",
                      json.dumps({"pack": "identifiers@1.0.0", "records": [{"isin": BAD}]}))
    receipt = json.loads(out.strip())
    assert receipt["ok"] and site.done(receipt["job_id"])["result"] == "fail"


def the_nats_command_line_uses_the_durable_door(site):
    status, out, err = _nats(site, "pub", "-J", "muster.intake", "-H", "Nats-Msg-Id:door-1",
                             json.dumps({"pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]}))
    assert status == 0 and "MUSTER_INTAKE" in out + err, (out, err)
    wait_until(lambda: site.value("select result from report.job_status where job_key = 'door-1'") == "pass")
    _nats(site, "pub", "-J", "muster.intake", "-H", "Nats-Msg-Id:door-2", '{"pack":')
    wait_until(lambda: site.value("select code from muster.rejection where source = 'intake' limit 1") == "malformed")


def the_nats_command_line_sees_agents_and_services(site):
    _, out, _ = _nats(site, "kv", "get", "muster_agents", "a1", "--raw")
    agent = json.loads(out)
    assert agent["agent"] == "a1" and "csv" in agent["formats"] and any(c["name"] == "isin" for c in agent["checks"]), agent
    _, out, err = _nats(site, "service", "ls")
    assert "muster" in out, (out, err)
    _, out, err = _nats(site, "service", "info", "muster")
    assert "muster.api.submit" in out, (out, err)
    status, out, err = _nats(site, "service", "stats", "muster")
    assert status == 0 and "submit" in out, (out, err)


def muster_submits_waits_and_shows(site):
    got = site.cli("submit", "--wait", json.dumps({"pack": "identifiers@1.0.0", "records": [{"isin": BAD}]}))
    assert got.returncode == 1 and "result fail" in got.stdout, got
    got = site.cli("submit", "-o", "json", json.dumps({"pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]}))
    receipt = json.loads(got.stdout)
    assert got.returncode == 0 and receipt["ok"], got
    got = site.cli("wait", receipt["job_id"], "--timeout", "20s")
    assert got.returncode == 0 and "result pass" in got.stdout, got
    got = site.cli("status", receipt["job_id"], "-o", "json")
    assert json.loads(got.stdout)["result"] == "pass", got
    got = site.cli("submit", '{"pack":"nosuch@1","records":[{"isin":"x"}]}')
    assert got.returncode == 4 and "unknown_pack" in got.stderr, got
    got = site.cli("status", "0192f0c1-7c3a-7000-8000-000000000000")
    assert got.returncode == 3, got
    got = site.cli("-s", "nats://127.0.0.1:1", "status", receipt["job_id"])
    assert got.returncode == 5, got
    assert site.cli("frobnicate").returncode == 2


def muster_submits_a_file_of_jobs_and_says_which_lines_are_wrong(site):
    path = site.write("jobs.jsonl", "".join(json.dumps(j) + "\n" for j in [
        {"id": "f1", "pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]},
        {"id": "f2", "pack": "identifiers@1.0.0"},
        {"id": "f3", "pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]}]))
    got = site.cli("submit", "-f", path)
    assert got.returncode == 8 and "line 2" in got.stderr and "2 new" in got.stdout, got


def muster_lists_agents_and_the_schema(site):
    got = site.cli("agents", "-o", "json")
    assert {json.loads(line)["agent"] for line in got.stdout.splitlines()} >= {"a1", "a2"}, got
    got = site.cli("db", "status")
    assert got.returncode == 0 and "pending" not in got.stdout, got
    got = site.cli("--set", "task.ack_wait=2s", "setup", "--check")
    assert got.returncode == 0, got


def an_agent_appears_and_signs_off(site):
    extra = site.worker("shortlived")
    assert site.nats.kv("muster_agents", "shortlived")["state"] in ("idle", "busy")
    assert extra.stop() == 0
    wait_until(lambda: site.nats.kv("muster_agents", "shortlived") is None)


def no_invariant_is_broken_in_the_end(site):
    assert site.value("select count(*) from muster.outcome_conflict") == "0"
    assert site.sql("select * from report.reconciliation where not balanced") == []
    wait_until(lambda: site.nats.stream("MUSTER_TASKS")["messages"] == 0, what="an empty queue")
