# SPDX-License-Identifier: Apache-2.0
"""Agents die at each step, stop, or are killed under load; what PostgreSQL says in the end is what an undisturbed run
says, and every task has one outcome."""
import json
import os
import signal
import subprocess

from harness import BUILD, wait_until

SITE = {"task__ack_wait": "1s", "task__shard_bytes": "128KiB", "worker__checkpoint": "50ms", "worker__heartbeat": "500ms"}
GOOD, BAD = "US0378331005", "US0378331006"
POINTS = ["pulled", "marked", "opened", "findings_sent", "checkpoint", "before_outcome", "after_outcome", "after_ack",
          "after_purge"]
FINDINGS = "select record_no, rule, fingerprint, message, evidence::text from report.finding where job_id = '%s' order by 1, 2"
SLOW = {"worker__read_limit": "1MiB"}
undisturbed = {}


def prepare(site):
    site.dispatcher()
    site.recorder()
    subprocess.run([os.path.join(BUILD, "tests", "muster-generate"), "--rows", "3000", "--seed", "11", "--faults", "200",
                    os.path.join(site.sources, "trades.csv"), os.path.join(site.dir, "truth.csv")], check=True)
    calm = site.worker("calm")
    job = _submit(site)
    assert site.done(job)["result"] == "fail"
    undisturbed["findings"] = site.sql(FINDINGS % job)
    assert len(undisturbed["findings"]) > 20
    assert calm.stop() == 0


def _submit(site):
    return site.submit({"pack": "identifiers@1.0.0", "source": {"uri": "file:trades.csv"}})["job_id"]


def _as_undisturbed(site, job):
    status = site.done(job)
    assert status["result"] == "fail", status
    got = site.sql(FINDINGS % job)
    assert got == undisturbed["findings"], (len(got), len(undisturbed["findings"]))
    assert site.sql(f"select task_id, count(*) from muster.outcome where job_id = '{job}' group by 1 having count(*) <> 1") == []


def an_agent_that_dies_at_any_step_changes_nothing(site):
    for point in POINTS:
        victim = site.worker(f"v-{point}", fail=f"worker.{point}=crash", ready=False, **SLOW)
        job = _submit(site)
        if point == "marked":  # only a second delivery is marked
            first = site.worker("first", fail="worker.opened=crash", ready=False)
            first.ended()
        victim.ended()
        helper = site.worker(f"h-{point}")
        _as_undisturbed(site, job)
        assert helper.stop() == 0, helper.tail()


def a_stopped_agent_that_comes_back_changes_nothing(site):
    zombie = site.worker("zombie", **SLOW)
    before = site.nats.stream("KV_muster_state")["last_seq"]
    job = _submit(site)
    wait_until(lambda: site.nats.stream("KV_muster_state")["last_seq"] > before, what="a checkpoint")
    zombie.pause()
    helper = site.worker("helper")
    _as_undisturbed(site, job)
    zombie.resume()
    _as_undisturbed(site, _submit(site))
    _as_undisturbed(site, job)
    assert helper.stop() == 0 and zombie.stop() == 0


def agents_killed_under_load_lose_and_double_nothing(site):
    lines = [{"id": f"load-{i}", "pack": "identifiers@1.0.0", "records": [{"isin": BAD if i % 7 == 0 else GOOD}]}
             for i in range(6000)]
    agents = [site.worker(f"load-{i}") for i in range(2)]
    for at in range(0, len(lines), 1000):
        answer = site.api("submit", "\n".join(map(json.dumps, lines[at:at + 1000])), timeout=30)
        assert answer["accepted"] == 1000, answer
        agents[0].signal(signal.SIGKILL)
        agents = [agents[1], site.worker(f"load-{at}-next", ready=False)]
    count = "select count(*) from report.job_status where job_key like 'load-%' and result is not null"
    wait_until(lambda: site.value(count) == "6000", 60, "6000 outcomes")
    rows = site.sql("select result, count(*) from report.job_status where job_key like 'load-%' group by 1 order by 1")
    assert rows == [["fail", "858"], ["pass", "5142"]], rows
    for agent in agents:
        assert agent.stop() == 0, agent.tail()


def no_invariant_is_broken_in_the_end(site):
    assert site.value("select count(*) from muster.outcome_conflict") == "0"
    assert site.value("select count(*) from muster.quarantine") == "0"
    assert site.sql("select * from report.reconciliation where not balanced") == []
