# SPDX-License-Identifier: Apache-2.0
"""A broker whose store goes back, whole or in parts, and what is left over in it: nothing is lost, nothing is doubled,
and what nobody needs is cleared away."""
import json
import os
import shutil

import clocks
from harness import wait_until
from marks import Skip, own_site
from natsclient import Background

SITE = {"task__ack_wait": "1s", "dispatcher__reconcile": "200ms", "worker__heartbeat": "500ms"}
GOOD, BAD = "US0378331005", "US0378331006"
STREAMS = "nats/jetstream/$G/streams"


def _job(key, isin=GOOD):
    return {"id": key, "pack": "identifiers@1.0.0", "records": [{"isin": isin}]}


def _submit(site, tag, count=20):
    body = "\n".join(json.dumps(_job(f"{tag}-{i}")) for i in range(count))

    def accepted():
        try:
            return site.api("submit", body, timeout=2)["ok"]
        except (TimeoutError, OSError, ValueError):
            return False  # the broker is coming back: the same keys are sent again
    wait_until(accepted, 30, "a receipt")


def _intake(site, key):
    def stored():
        try:
            return site.nats.publish_stream("muster.intake", json.dumps(_job(key)), timeout=2)
        except (TimeoutError, OSError, RuntimeError):
            return False
    wait_until(stored, 30, "a PubAck of the intake")


def _done(site, tag, count):
    query = f"select count(*) from report.job_status where job_key like '{tag}-%' and result = 'pass'"
    wait_until(lambda: site.value(query) == str(count), 60, f"the outcomes of {tag}")


def _nothing_doubled(site):
    assert site.value("select count(*) from muster.outcome") == site.value("select count(*) from muster.job")
    assert site.value("select count(*) from muster.outcome_conflict") == "0"
    assert site.value("select count(*) from muster.quarantine") == "0"
    wait_until(lambda: site.nats.stream("MUSTER_TASKS")["messages"] == 0, 30, "an empty queue")


def _calm(site):
    wait_until(lambda: site.nats.stream("MUSTER_TASKS")["messages"] == 0 and
               site.value("select count(*) from muster.outbox where published_at is null") == "0", 30, "calm")


@own_site
def an_older_copy_of_the_whole_store_loses_and_doubles_nothing(site):
    site.all(workers=1)
    _submit(site, "before")
    _intake(site, "before-door")
    _done(site, "before", 21)
    site.halt("nats")
    shutil.copytree(os.path.join(site.dir, "nats"), os.path.join(site.dir, "copy"))
    site.start("nats")
    _submit(site, "forgotten")
    _intake(site, "forgotten-door")
    _done(site, "forgotten", 21)
    site.crash("nats")
    shutil.rmtree(os.path.join(site.dir, "nats"))
    shutil.copytree(os.path.join(site.dir, "copy"), os.path.join(site.dir, "nats"))
    site.start("nats")
    _intake(site, "after-door")  # under the sequence that a forgotten message had
    _submit(site, "after")
    _done(site, "after", 21)
    _nothing_doubled(site)


@own_site
def a_recorder_that_has_recorded_nothing_yet_stays_ready(site):
    site.dispatcher("first").stop()  # makes the streams
    asked = Background(site.url, "$JS.API.STREAM.INFO.MUSTER_RESULTS")
    recorder = site.recorder()
    wait_until(lambda: b"recording" in open(recorder.log_path, "rb").read(), what="an active recorder")
    before = len(asked.messages)
    wait_until(lambda: len(asked.messages) > before, 20, "its look at the stream, every ten seconds")
    asked.close()
    site.dispatcher()
    site.worker("a1")
    _submit(site, "late")
    _done(site, "late", 20)
    assert b"standing by" not in open(recorder.log_path, "rb").read()


@own_site
def streams_that_go_back_under_their_consumers_deliver_again(site):
    site.all(workers=1)
    _calm(site)
    site.halt("nats")
    kept = os.path.join(site.dir, "kept")
    names = ["MUSTER_TASKS", "MUSTER_INTAKE", "MUSTER_RESULTS"]
    for name in names:
        shutil.copytree(os.path.join(site.dir, STREAMS, name, "msgs"), os.path.join(kept, name))
    site.start("nats")
    _submit(site, "before")
    for i in range(5):
        _intake(site, f"before-{20 + i}")
    _done(site, "before", 25)
    _calm(site)
    # what the leader has not noted yet when the store goes back cannot be missed by it (PROTOCOL.md §8: every ten seconds)
    last = site.nats.stream("MUSTER_INTAKE")["last_seq"]
    wait_until(lambda: site.value("select sequence from muster.intake_mark") == str(last), 30, "the note")
    site.halt("nats")
    for name in names:  # the messages of an hour ago, the consumers of now
        msgs = os.path.join(site.dir, STREAMS, name, "msgs")
        shutil.rmtree(msgs)
        shutil.copytree(os.path.join(kept, name), msgs)
    site.start("nats")
    _submit(site, "after")
    for i in range(5):
        _intake(site, f"after-{20 + i}")
    _done(site, "after", 25)
    _nothing_doubled(site)


def a_checkpoint_of_a_task_that_is_done_is_purged_and_that_of_an_open_one_stays(site):
    site.dispatcher()
    site.recorder()
    worker = site.worker("a1")
    done = site.submit(_job("done"))["job_id"]
    site.done(done)
    assert worker.stop() == 0
    still_open = site.submit(_job("open"))["job_id"]
    stranger = done[:-4] + "ffff"
    for task in (done, still_open, stranger):
        site.nats.publish_stream(f"$KV.muster_state.{task}", json.dumps({"v": 1, "task_id": task}))
    wait_until(lambda: site.nats.kv("muster_state", done) is None, 30, "a purge")
    assert site.nats.kv("muster_state", still_open) and site.nats.kv("muster_state", stranger)
    worker = site.worker("a2")
    assert site.done(still_open)["result"] == "pass"


@own_site
def a_leader_whose_clock_is_a_day_behind_clears_up_all_the_same(site):
    if clocks.missing():
        raise Skip(clocks.missing())
    clock = os.path.join(site.dir, "clock")
    clocks.step(clock, -86400)
    site.run("dispatcher", "muster-dispatcher", env=clocks.environment(clock))
    site.recorder()
    worker = site.worker("a1")
    done = site.submit(_job("done"))["job_id"]
    site.done(done)
    assert worker.stop() == 0
    site.nats.publish_stream(f"$KV.muster_state.{done}", json.dumps({"v": 1, "task_id": done}))
    ride = {"v": 1, "ride_id": done, "n": 1, "queue": "default", "priority": "normal", "terms": {}, "tasks": [{"task_id": done}]}
    _calm(site)
    site.nats.publish_stream(f"muster.task.default.normal.{done}", json.dumps(ride), {"Nats-Msg-Id": f"{done}:again"})
    site.nats.request("$JS.API.CONSUMER.MSG.NEXT.MUSTER_TASKS.w-default-normal", b'{"batch":1}')  # delivered, never acknowledged
    wait_until(lambda: site.nats.kv("muster_state", done) is None, 30, "a purge of its checkpoint")
    wait_until(lambda: site.nats.stream("MUSTER_TASKS")["messages"] == 0, 30, "a deletion of its message")


@own_site
def a_consumer_that_is_gone_is_made_again(site):
    site.all(workers=1)
    gone = [("MUSTER_TASKS", "w-default-normal"), ("MUSTER_INTAKE", "intake")]
    for stream, consumer in gone:
        assert site.nats.api(f"CONSUMER.DELETE.{stream}.{consumer}")["success"]
    for stream, consumer in gone:
        wait_until(lambda: "config" in site.nats.api(f"CONSUMER.INFO.{stream}.{consumer}"), 20, consumer)
    _submit(site, "served")
    _intake(site, "served-door")
    _done(site, "served", 21)


def the_newest_intake_message_is_noted(site):
    _intake(site, "noted")
    last = site.nats.stream("MUSTER_INTAKE")["last_seq"]
    wait_until(lambda: site.value("select sequence from muster.intake_mark") == str(last), 30, "the note")


@own_site(task__shard_bytes="64KiB")
def results_that_the_database_has_lost_are_recorded_again_from_the_stream(site):
    site.dispatcher()
    recorder = site.recorder()
    site.worker("a1")
    site.write("trades.csv", "symbol,isin\n" + "".join(f"S{i},{BAD if i % 97 == 0 else GOOD}\n" for i in range(12000)))
    _submit(site, "small")
    job = site.submit({"pack": "identifiers@1.0.0", "source": {"uri": "file:trades.csv"}})["job_id"]
    status = site.done(job)
    assert status["tasks"] > 3 and status["findings"] == 124, status
    _done(site, "small", 20)
    assert recorder.stop() == 0
    site.sql("truncate muster.outcome, muster.tally, muster.finding, muster.task, muster.job_progress, muster.recorder_position")
    site.recorder("again")
    again = site.done(job)
    assert (again["tasks"], again["findings"], again["result"]) == (status["tasks"], 124, "fail"), again
    _done(site, "small", 20)
    assert site.sql("select reason from muster.quarantine") == []
    assert site.sql("select job_id from report.reconciliation where not balanced") == []


@own_site(stream__results_bytes="1MiB", stream__intake_bytes="1MiB", dispatcher__bundle_tasks="1")
def streams_that_fill_with_what_is_done_are_given_room_and_what_is_not_recorded_stays(site):
    site.dispatcher()
    site.worker("a1")
    recorder = site.recorder()
    state = lambda: site.nats.stream("MUSTER_RESULTS")
    done = 0
    while state()["first_seq"] <= 1:  # the oldest goes by itself, before the stream is full
        _submit(site, f"fill{done}", 200)
        _done(site, f"fill{done}", 200)
        if state()["bytes"] > 0.72 * 2**20:
            wait_until(lambda: state()["first_seq"] > 1, 30, "room")
        done += 1
        assert done < 40, state()
    assert b"maximum bytes" not in open(site.programs[1].log_path, "rb").read()
    assert recorder.stop() == 0
    first = state()["first_seq"]
    position = int(site.value("select max(sequence) from muster.recorder_position"))
    for turn in range(12):  # nothing records: the stream fills, the agents wait
        _submit(site, f"wait{turn}", 200)
    wait_until(lambda: b"maximum bytes" in open(site.programs[1].log_path, "rb").read(), 60, "back-pressure")
    assert first <= state()["first_seq"] <= position + 1, "what is not recorded is never purged"
    site.recorder("again")
    for turn in range(12):
        _done(site, f"wait{turn}", 200)
    _nothing_doubled(site)
