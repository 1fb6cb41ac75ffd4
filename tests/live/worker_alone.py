#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stories of agents without dispatcher and recorder: `tests/live/worker_alone.py [STORY...]`. Prints TAP."""
import json
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from worker_rig import agrees, check_schema, determined, new_id, rows, run_in_shards, sha, tell, undisturbed, wait_until  # noqa: E402

SLOW = {"worker__read_limit": "2MiB"}  # so that a file of half a megabyte lasts for some checkpoints
POINTS = ["pulled", "marked", "opened", "findings_sent", "checkpoint", "before_outcome", "after_outcome", "after_ack",
          "after_purge"]


def one_record_is_one_outcome(rig):
    agent = rig.agent().ready()
    good, bad = rig.task(records=[{"id": "1", "v": "a"}]), rig.task(records=[{"id": "1", "v": "x"}])
    rig.publish(good)
    rig.publish(bad)
    assert rig.outcome(good)["result"] == "pass"
    outcome = rig.outcome(bad)
    assert outcome["result"] == "fail" and outcome["findings_total"] == 1 and outcome["n"] == 1, outcome
    assert outcome["findings"][0]["rule"] == "S.V", outcome
    wait_until(rig.queue_empty)
    assert rig.nats.stream("KV_muster_state")["last_seq"] == 0  # a first delivery costs no word to the store
    assert agent.stop() == 0, agent.tail()
    assert rig.nats.kv("muster_agents", "a1") is None


def a_bundle_has_an_outcome_for_each_of_its_tasks(rig):
    rig.agent()
    tasks = [rig.task(records=[{"id": str(i), "v": "x" if i % 10 == 0 else "a"}]) for i in range(150)]
    rig.publish(tasks)
    wait_until(rig.queue_empty)
    outcomes = rig.results()[0]
    assert sorted(o["task_id"] for o in outcomes) == sorted(t["task_id"] for t in tasks)
    assert sum(o["result"] == "fail" for o in outcomes) == 15
    assert rig.nats.stream("MUSTER_RESULTS")["messages"] == 1


def high_goes_before_low(rig):
    rig.agent(fail="worker.pulled:1=delay:700", worker__fetch=8)
    lanes = [f"MUSTER_TASKS.w-default-{p}" for p in ("high", "normal", "low")]
    wait_until(lambda: all(rig.nats.api("CONSUMER.INFO." + lane)["num_waiting"] for lane in lanes), what="open requests")
    starter, *tasks = [rig.task(records=[{"id": "1", "v": "a"}]) for _ in range(7)]
    rig.publish(starter)  # while it is held up, the others arrive
    for task in tasks[:3]:
        rig.publish(task, priority="low")
    for task in tasks[3:]:
        rig.publish(task, priority="high")
    wait_until(rig.queue_empty)
    ids = [o["task_id"] for o in rig.results()[0]]
    first_low = min(ids.index(t["task_id"]) for t in tasks[:3])
    assert ids.index(tasks[3]["task_id"]) < first_low, ids


def a_file_is_read_through_the_rules(rig):
    rig.agent()
    data = rows(1000)
    task = rig.task(uri=rig.source("a.csv", data))
    rig.publish(task)
    outcome = rig.outcome(task)
    assert outcome["result"] == "fail" and outcome["records"] == 1000 and outcome["bytes"] == len(data), outcome
    assert outcome["input_digest"] == sha(data) and outcome["findings_total"] == 11, outcome


def a_large_file_is_planned_and_its_shards_find_the_same(rig):
    data = rows(5000)
    want = undisturbed(rig, data)
    rig.agent("a1")
    rig.agent("a2")
    source = {"uri": rig.source("large.csv", data), "name": "sample", "format": "csv"}
    plan, outcomes, found = run_in_shards(rig, data, source, 16384)
    assert plan["records"] == sum(o["records"] for o in outcomes) == 5000
    assert sum(o["findings_total"] for o in outcomes) == want[0]["findings_total"]
    assert found == want[1]


def whatever_the_step_it_dies_at_the_outcome_is_the_same(rig):
    data = rows()
    want = undisturbed(rig, data)
    assert want[0]["findings_total"] == 207, want[0]
    for point in POINTS:
        # only another delivery is marked, and only it purges a mark; a short first one has nothing stored
        first = point not in ("marked",)
        task = rig.task(uri=rig.source(f"{point}.csv", data))
        victim = rig.agent(f"v-{point}", fail=f"worker.{point}=crash", **SLOW)
        ride = rig.publish(task, n=1 if first else 2)
        assert victim.ended() != 0, point
        rig.agent(f"h-{point}")
        rig.outcome(task)
        wait_until(rig.queue_empty, what=f"an empty queue after {point}")
        wait_until(lambda: rig.state(task) is None or point in ("after_ack", "after_purge"), what=f"a purged state after {point}")
        agrees(rig, task, want)
        outcome = rig.outcomes(task)[-1]
        if point == "checkpoint":
            assert outcome["resumes"][0]["from_agent"] == f"v-{point}" and outcome["resumes"][0]["record_no"] > 1, outcome
        assert ride == task["task_id"]
        rig.agents[-1].stop()


def a_killed_agents_task_goes_on_from_its_checkpoint(rig):
    data = rows()
    want = undisturbed(rig, data)
    task = rig.task(uri=rig.source("b.csv", data))
    first = rig.agent("a1", **SLOW)
    rig.publish(task)
    state = wait_until(lambda: (rig.state(task) or {}).get("checkpoint"), what="a checkpoint")
    check_schema("state", rig.state(task))
    first.process.kill()
    before = time.monotonic()
    rig.agent("a2", worker__fetch=1)
    outcome = rig.outcome(task)
    took = time.monotonic() - before
    assert outcome["resumes"][0]["record_no"] >= state["record_no"] > 1, outcome
    assert outcome["delivery"] == 2 and took < 2.1 + 1.5 * rig.ack_wait, (outcome, took)
    agrees(rig, task, want)


def a_task_that_saves_often_keeps_its_lease(rig):
    """A checkpoint proves that the task is ours; only +WPI renews what the broker counts."""
    task = rig.task(uri=rig.source("long.csv", rows()))
    rig.agent("a1", worker__read_limit="200KiB")
    rig.publish(task)
    wait_until(lambda: rig.state(task), what="a checkpoint")
    rig.agent("idle").ready()  # would take it at once
    outcome = rig.outcome(task)
    assert outcome["delivery"] == 1 and "resumes" not in outcome, outcome


def a_stopped_agent_that_comes_back_changes_nothing(rig):
    data = rows()
    want = undisturbed(rig, data)
    task = rig.task(uri=rig.source("c.csv", data))
    zombie = rig.agent("a1", **SLOW)
    rig.publish(task)
    wait_until(lambda: (rig.state(task) or {}).get("checkpoint"), what="a checkpoint")
    zombie.signal(signal.SIGSTOP)
    rig.agent("a2")
    outcome = rig.outcome(task)
    assert outcome["resumes"][0]["agent"] == "a2", outcome
    wait_until(rig.queue_empty)
    count = len(rig.outcomes(task))
    zombie.signal(signal.SIGCONT)
    other = rig.task(records=[{"id": "1", "v": "a"}])
    rig.publish(other)
    rig.outcome(other)
    wait_until(lambda: rig.nats.kv("muster_agents", "a1"), what="the zombie's entry")
    assert zombie.stop() == 0, zombie.tail()
    assert len(rig.outcomes(task)) == count
    agrees(rig, task, want)


def a_drained_agent_hands_back_without_burning_an_attempt(rig):
    data = rows()
    want = undisturbed(rig, data)
    task = rig.task(uri=rig.source("d.csv", data))
    rig.publish(task)

    def checkpoint_owner():
        return ((rig.state(task) or {}).get("checkpoint") or {}).get("owner")
    for i in range(7):  # more often than crashes are allowed
        agent = rig.agent(f"a{i}", worker__read_limit="600KiB")
        wait_until(lambda: checkpoint_owner() == agent.name or rig.outcomes(task), what="a checkpoint")
        assert agent.stop() == 0, agent.tail()
        if rig.outcomes(task):
            break
        state = rig.state(task)
        assert state["released"] and state["crashes"] == 0, state
        check_schema("state", state)
        assert rig.nats.kv("muster_agents", agent.name) is None
    rig.agent("last")
    outcome = rig.outcome(task)
    assert "crashes" not in outcome and len(outcome["resumes"]) >= 3, outcome
    agrees(rig, task, want)


def a_task_that_kills_its_agents_ends_exhausted(rig):
    task = rig.task(uri=rig.source("poison.csv", rows(100)))
    rig.publish(task)
    runs = 0
    while not rig.outcomes(task):
        agent = rig.agent(f"p{runs}", fail="worker.opened=crash")
        wait_until(lambda: not agent.alive() or rig.outcomes(task))
        runs += not agent.alive()
        assert runs <= 6, runs
    outcome = rig.outcome(task)
    assert (outcome["result"], outcome["reason"], outcome["crashes"]) == ("exhausted", "crashed", 5), outcome
    wait_until(rig.queue_empty)
    assert runs == 6, runs


def a_poison_task_takes_no_companion_with_it(rig):
    tasks = [rig.task(records=[{"id": str(i), "v": "a"}]) for i in range(5)]
    rig.publish(tasks)
    victim = rig.agent("a1", fail="worker.before_outcome=crash")
    assert victim.ended() != 0
    rig.agent("a2")
    wait_until(rig.queue_empty)
    outcomes = rig.results()[0]
    assert sorted(o["task_id"] for o in outcomes) == sorted(t["task_id"] for t in tasks)
    assert all(o["delivery"] == 2 for o in outcomes)
    assert not any(rig.state(t) for t in tasks)


def a_bundle_whose_agent_dies_before_the_ack_says_nothing_else_later(rig):
    tasks = [rig.task(records=[{"id": str(i), "v": "x"}]) for i in range(5)]
    rig.publish(tasks)
    assert rig.agent("a1", fail="worker.after_outcome=crash").ended() != 0
    rig.agent("a2")
    wait_until(rig.queue_empty)
    for task in tasks:
        first, second = rig.outcomes(task)
        assert determined(first) == determined(second) and (first["delivery"], second["delivery"]) == (1, 2)
        assert len(rig.findings(task)) == 1 and first["findings"] == second["findings"]


def many_findings_leave_in_messages_of_their_own(rig):
    rig.agent()
    data = rows(6000, wrong=1)
    file_task = rig.task(uri=rig.source("wrong.csv", data))
    inline = rig.task(records=[{"id": f"r{i}", "v": "wrong"} for i in range(3000)])
    rig.publish(file_task)
    rig.publish(inline)
    for task, count in ((file_task, 6000), (inline, 3000)):
        outcome = rig.outcome(task)
        assert outcome["findings_total"] == count and "findings" not in outcome, (count, outcome["findings_total"])
        assert len(rig.findings(task)) == count
    sizes = [len(body) for _, _, _, body in rig.nats.messages("MUSTER_RESULTS")]
    assert max(sizes) <= 512 * 1024, max(sizes)


def an_agent_that_hangs_in_a_drain_ends_all_the_same(rig):
    task = rig.task(uri=rig.source("hang.csv", rows(100)))
    agent = rig.agent(fail="worker.opened=hang", worker__drain="200ms")
    rig.publish(task)
    wait_until(lambda: (rig.nats.kv("muster_agents", "a1") or {}).get("tasks"), what="a task in the registry")
    assert agent.stop() == 1, agent.tail()
    rig.agent("a2")
    assert rig.outcome(task)["records"] == 100


def an_old_publication_is_dropped(rig):
    task = rig.task(uri=rig.source("old.csv", rows(100)))
    state = {"v": 1, "task_id": task["task_id"], "task_digest": "0" * 64, "n": 3, "owner": "x", "incarnation": new_id(),
             "crashes": 0, "released": False, "checkpoint": None, "updated_at": "2026-11-24T00:00:00Z"}
    state["task_digest"] = sha(json.dumps(task, separators=(",", ":")).encode())
    rig.nats.publish_stream(f"$KV.muster_state.{task['task_id']}", json.dumps(state))
    rig.publish(task, n=2)
    rig.agent()
    wait_until(rig.queue_empty)
    assert not rig.outcomes(task) and rig.state(task)["n"] == 3


def a_fresh_publication_goes_to_no_checkpoint(rig):
    data = rows()
    want = undisturbed(rig, data)
    task = rig.task(uri=rig.source("e.csv", data))
    first = rig.agent("a1", **SLOW)
    rig.publish(task)
    wait_until(lambda: (rig.state(task) or {}).get("checkpoint"), what="a checkpoint")
    first.process.kill()
    first.ended()
    rig.publish(task, n=2, fresh=True)
    rig.agent("a2")
    outcome = wait_until(lambda: [o for o in rig.outcomes(task) if o["n"] == 2], what="the fresh outcome")[0]
    assert "resumes" not in outcome and determined(outcome) == want[0], outcome


def reasons_are_those_of_the_protocol(rig):
    os.mkdir(os.path.join(rig.sources, "folder"))
    os.symlink("/etc/passwd", os.path.join(rig.sources, "out.csv"))
    os.symlink("inside.csv", os.path.join(rig.sources, "link.csv"))
    os.mkfifo(os.path.join(rig.sources, "fifo.csv"))
    rig.source("inside.csv", rows(10))
    long = b"id,v\n" + b"1," + b"a" * 5000 + b"\n"
    cases = {"file:nothere.csv": ("error", "source_missing"), "file:folder": ("error", "source_not_file"),
             "file:fifo.csv": ("error", "source_not_file"), "file:out.csv": ("rejected", "path_refused"),
             "file:../x.csv": ("rejected", "path_refused"), "file:/etc/passwd": ("rejected", "path_refused"),
             "http://127.0.0.1/x.csv": ("rejected", "path_refused"), "file:link.csv": ("pass", None),
             f"file://{rig.sources}/inside.csv": ("pass", None), "file:folder/../inside.csv": ("pass", None)}
    rig.source("inside.csv", rows(10, wrong=11).replace(b",x", b",a"))
    tasks = {uri: rig.task(uri=uri) for uri in cases}
    tasks["long"] = rig.task(uri=rig.source("long.csv", long), limits={"record_bytes": 1024, "fields": 16})
    cases["long"] = ("error", "limit_record_bytes")
    tasks["format"] = rig.task(uri="file:inside.csv", source={"uri": "file:inside.csv", "name": "sample", "format": "parquet"})
    cases["format"] = ("rejected", "unknown_format")
    for task in tasks.values():
        rig.publish(task)
    rig.agent()
    for case, want in cases.items():
        outcome = rig.outcome(tasks[case])
        assert (outcome["result"], outcome.get("reason")) == want, (case, outcome)


def a_file_that_is_changed_while_it_is_read_is_source_changed(rig):
    data = rows()
    task = rig.task(uri=rig.source("changing.csv", data))
    rig.agent(**SLOW)
    rig.publish(task)
    wait_until(lambda: rig.state(task), what="a checkpoint")
    with open(os.path.join(rig.sources, "changing.csv"), "r+b") as f:
        f.seek(len(data) - 3)
        f.write(b"b")
    outcome = rig.outcome(task)
    assert (outcome["result"], outcome["reason"]) == ("error", "source_changed"), outcome
    wait_until(lambda: not rig.state(task), what="a purged state")


def a_missing_root_defers_and_pulls_no_more_until_it_is_back(rig):
    agent = rig.agent().ready()
    away = rig.sources + ".away"
    os.rename(rig.sources, away)
    task = rig.task(uri="file:a.csv")
    rig.publish(task)
    deferred = wait_until(lambda: rig.results()[2], what="a deferral")
    assert (deferred[0]["task_id"], deferred[0]["class"], deferred[0]["reason"]) == (task["task_id"], "dependency",
                                                                                    "source_down"), deferred
    wait_until(rig.queue_empty)
    assert not rig.results()[0]
    os.rename(away, rig.sources)
    again = rig.task(uri=rig.source("a.csv", rows(10)))
    rig.publish(again)
    assert rig.outcome(again)["records"] == 10
    assert agent.alive()


def a_pack_that_is_not_in_force_defers(rig):
    rig.agent()
    task = rig.task(records=[{"id": "1", "v": "a"}], pack={"name": "nosuch", "version": "1.0.0", "digest": "0" * 64})
    rig.publish(task)
    deferred = wait_until(lambda: rig.results()[2], what="a deferral")
    assert deferred[0]["reason"] == "pack_missing", deferred
    wait_until(rig.queue_empty)


def what_is_no_task_is_refused(rig):
    rig.agent()
    bad = rig.task(records=[{"id": "1", "v": "a"}])
    bad["attempt"] = "one"
    rig.publish(bad)
    outcome = rig.outcome(bad)
    assert (outcome["result"], outcome["reason"]) == ("rejected", "bad_task"), outcome
    for wrong in ({"as_of": 7}, {"as_of": "2026-11-25"}):  # terms that are none, and others than the tasks name
        pair = [rig.task(records=[{"id": "1", "v": "a"}]) for _ in range(2)]
        rig.publish(pair, terms=dict(rig.terms[pair[0]["terms"]], **wrong))
        for task in pair:
            outcome = rig.outcome(task)
            assert (outcome["result"], outcome["reason"]) == ("rejected", "bad_task"), outcome
    rig.nats.publish_stream(f"muster.task.default.normal.{new_id()}", b"no task at all")
    stray = rig.task(records=[{"id": "1", "v": "a"}])
    rig.publish(stray, ride_id=new_id())
    wait_until(rig.queue_empty)
    assert not rig.outcomes(stray)


def a_task_that_hangs_loses_its_agent_and_ends_with_a_reason(rig):
    task = rig.task(uri=rig.source("hang.csv", rows(100)))
    agent = rig.agent(fail="worker.opened=hang", worker__stall_limit="300ms")
    rig.publish(task)
    assert agent.ended() == 1, agent.tail()
    outcome = rig.outcome(task)
    assert (outcome["result"], outcome["reason"]) == ("error", "stalled"), outcome
    wait_until(rig.queue_empty)


def an_agent_id_belongs_to_one_living_process(rig):
    first = rig.agent("same").ready()
    second = rig.agent("same")
    assert second.ended() == 1
    assert "is held by a living process" in second.tail(), second.tail()
    assert first.alive()
    first.process.kill()
    first.ended()
    third = rig.agent("same")
    wait_until(lambda: rig.nats.kv("muster_agents", "same")["pid"] == third.process.pid, what="the successor's entry")
    check_schema("agent", rig.nats.kv("muster_agents", "same"))


def orders_are_obeyed(rig):
    agent = rig.agent().ready()
    answer = wait_until(lambda: rig.nats.request("muster.control.a1", b"ping"), what="an answer").json()
    assert answer["ok"] and answer["agent"] == "a1", answer
    assert rig.nats.request("muster.control.a1", b"dance").json()["ok"] is False
    assert rig.nats.request("muster.control.all", b'{"command":"log","level":"debug"}').json()["ok"]
    assert rig.nats.request("muster.control.a1", b"drain").json()["ok"]
    assert agent.ended() == 0, agent.tail()


def results_wait_out_a_broker_that_was_killed(rig):
    data = rows()
    want = undisturbed(rig, data)
    task = rig.task(uri=rig.source("f.csv", data))
    agent = rig.agent(**SLOW)
    rig.publish(task)
    wait_until(lambda: (rig.state(task) or {}).get("checkpoint"), what="a checkpoint")
    rig.restart_broker()
    outcome = rig.outcome(task, 40)
    assert determined(outcome) == want[0], outcome
    wait_until(rig.queue_empty)
    agrees(rig, task, want)
    assert agent.alive(), agent.tail()


def an_idle_agent_says_that_the_broker_stands_still(rig):
    agent = rig.agent()
    wait_until(lambda: "ready" in agent.tail(), what="an agent that is ready")
    os.kill(rig.broker.pid, signal.SIGSTOP)
    try:
        wait_until(lambda: "signs of life are not taken" in agent.tail(), 30, "a word of it")
    finally:
        os.kill(rig.broker.pid, signal.SIGCONT)
    assert agent.alive(), agent.tail()


if __name__ == "__main__":
    sys.exit(tell(globals(), sys.argv[1:]))
