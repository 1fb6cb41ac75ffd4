#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stories of agents and rules over groups: `tests/live/worker_groups.py [STORY...]`. Prints TAP."""
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from worker_rig import determined, tell, wait_until  # noqa: E402

ROWS = 40000
KEYS = 30000  # so that the state of the groups goes beyond a key's value
SLOW = {"worker__read_limit": "2MiB"}
PACK = {"muster_pack": 1, "pack": "groups", "version": "1.0.0", "title": "t",
        "columns": {"id": {"type": "text"}, "person": {"type": "text"}, "amount": {"type": "decimal"}},
        "rules": [{"id": "G.SUM", "severity": "high", "group_by": {"person": "person"}, "having": "sum(amount) > 3",
                   "evidence": {"total": "sum(amount)", "first": "first(id)", "last": "last(id)"}},
                  {"id": "G.MOSTLY", "severity": "low", "expr": "amount < 2", "mostly": "0.9"}]}


def rows():
    return ("id,person,amount\n" + "".join(f"row-{i:06d},person-{i * 7919 % KEYS:06d},{i % 5}.{i % 10}\n" for i in range(ROWS))).encode()


def expected():
    """Flagged persons and their totals, computed apart."""
    sums = {}
    for i in range(ROWS):
        key = f"person-{i * 7919 % KEYS:06d}"
        sums[key] = sums.get(key, 0) + i % 5 * 10 + i % 10
    return {key: total for key, total in sums.items() if total > 30}


def totals(rig, task):
    """What the findings say, each finding once."""
    found = {f["finding_id"]: f for f in rig.results()[1] if f["task_id"] == task["task_id"] and f["rule"] == "G.SUM"}
    got = {f["evidence"]["key"]["person"]: f["evidence"]["values"]["total"] for f in found.values()}
    assert len(got) == len(found)
    return {key: round(float(total) * 10) for key, total in got.items()}


def content(rig, task):
    """Findings without what names the task."""
    found = {f["finding_id"]: f for f in rig.results()[1] if f["task_id"] == task["task_id"]}
    return sorted((f["rule"], f.get("subject", ""), f["fingerprint"], f["message"], str(f["evidence"])) for f in found.values())


def grouped(rig, shard_bytes=64 << 20):
    rig.pack = rig.put_pack(PACK)
    return rig.task(uri=rig.source("groups.csv", rows()), shard_bytes=shard_bytes)


def a_source_that_rules_must_see_whole_is_not_cut(rig):
    task = grouped(rig, shard_bytes=64 << 10)
    rig.agent("a1")
    rig.publish(task)
    outcome = rig.outcome(task)
    assert outcome["result"] == "fail" and "plan" not in outcome and outcome["records"] == ROWS, outcome
    rules = {r["rule"]: r for r in outcome["rules"]}
    want = expected()
    assert totals(rig, task) == want
    assert rules["G.SUM"]["fail"] == len(want) and rules["G.SUM"]["pass"] == KEYS - len(want), rules
    assert rules["G.MOSTLY"] == {"rule": "G.MOSTLY", "severity": "low", "per": "rule", "fail": 1}, rules
    assert outcome["findings_total"] == len(want) + 1, outcome


def undisturbed(rig, name="calm"):
    task = grouped(rig)
    agent = rig.agent(name)
    rig.publish(task)
    outcome = rig.outcome(task)
    wait_until(rig.queue_empty)
    assert agent.stop() == 0, agent.tail()
    return determined(outcome), content(rig, task)


def parts(rig, task):
    """The reference of the task's checkpoint to its state, once it is too large for the key."""
    checkpoint = (rig.state(task) or {}).get("checkpoint")
    return checkpoint and checkpoint["run"].get("parts") and checkpoint["run"]


def the_state_of_many_groups_survives_its_agent(rig):
    want = undisturbed(rig)
    task = grouped(rig)
    first = rig.agent("a1", **SLOW)
    rig.publish(task)
    stored = wait_until(lambda: parts(rig, task), what="a state in parts")
    assert stored["bytes"] > 256 << 10 and len(stored["parts"]) == -(-stored["bytes"] // (512 << 10)), stored
    first.process.kill()
    rig.agent("a2")
    outcome = rig.outcome(task)
    assert outcome["resumes"][0]["record_no"] > 1, outcome
    assert (determined(outcome), content(rig, task)) == want
    # nothing is left of it but the marks that emptied its places
    wait_until(lambda: rig.nats.stream("MUSTER_PARTIALS")["bytes"] < 1000, what="the parts' end")


def an_agent_that_dies_between_two_parts_leaves_the_last_checkpoint_whole(rig):
    want = undisturbed(rig)
    task = grouped(rig)
    first = rig.agent("a1", fail="worker.state_part:4=crash", worker__read_limit="400KiB")
    rig.publish(task)
    wait_until(lambda: not first.alive(), what="a crash")
    rig.agent("a2")
    outcome = rig.outcome(task)
    assert (determined(outcome), content(rig, task)) == want and "resumes" in outcome, outcome


def a_state_whose_parts_are_gone_starts_the_task_afresh(rig):
    want = undisturbed(rig)
    task = grouped(rig)
    first = rig.agent("a1", **SLOW)
    rig.publish(task)
    wait_until(lambda: parts(rig, task), what="a state in parts")
    first.signal(signal.SIGSTOP)
    assert "error" not in rig.nats.api("STREAM.PURGE.MUSTER_PARTIALS", {})
    first.process.kill()
    second = rig.agent("a2")
    outcome = rig.outcome(task)
    assert (determined(outcome), content(rig, task)) == want and "resumes" not in outcome, outcome
    assert "not in MUSTER_PARTIALS any more" in second.tail(), second.tail()


if __name__ == "__main__":
    sys.exit(tell(globals(), sys.argv[1:]))
