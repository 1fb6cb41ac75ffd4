# SPDX-License-Identifier: Apache-2.0
"""nats-server restarts, stands still, loses or regains its store, its disk or its streams are full: cases 6 to 11 and 26."""
import os
import time

from rounds import Broken, case, last, wait_until

STREAMS = ["MUSTER_TASKS", "MUSTER_RESULTS", "MUSTER_INTAKE", "KV_muster_state"]


@case(6, "nats-server restarts under load, by SIGTERM and by kill -9", start={"dispatchers": 2})
def broker_restarts(r):
    """No client is restarted by hand; the queue is empty in the end."""
    pids = {p.name: p.pid for p in r.site.ours()}
    r.begin()
    for _ in range(20 if r.long else 3):
        if r.rng.random() < 0.5:
            r.crash("nats")
        else:
            r.fault()
            r.site.halt("nats")
        r.site.start("nats")
        r.over()
        last(r.rng.uniform(0.3, 1.0))
    r.finish(back=10)
    if pids != {p.name: p.pid for p in r.site.ours()}:
        raise Broken("a program ended while the broker restarted")


@case(7, "nats-server is stopped for 5, 30 or 120 seconds", short=False)
def broker_stopped(r):
    """Noticed within 30 seconds, no program grows, no burst of what is stale when it goes on."""
    seconds = {0: 120, 1: 30}.get(r.number % 10, 5) if r.long else 5
    r.begin()
    before = {p.name: r.site.rss(p) for p in r.site.ours()}
    logs = {p.name: len(r.site.log_of(p.name)) for p in r.site.ours()}
    r.fault()
    r.site.pause("nats")
    if seconds >= 30:
        last(30)
        silent = [name for name, size in logs.items() if len(r.site.log_of(name)) == size]
        if silent:
            raise Broken(f"I8: {silent} said nothing within 30 s of a broker that stands still")
        last(seconds - 30)
    else:
        last(seconds)
    r.site.proceed("nats")
    r.over()
    r.figures["stopped for"] = f"{seconds} s"
    r.finish(back=15, timeout=120)
    grown = {p.name: r.site.rss(p) - before[p.name] for p in r.site.ours() if p.name in before}
    r.figures["largest growth"] = f"{max(grown.values()) // 1024} MiB"
    if max(grown.values()) > 32 * 1024:
        raise Broken(f"memory grew, in KiB: {grown}")


@case(8, "power cut of the broker: an older copy of its store is put back")
def broker_store_older(r):
    """A copy taken while it ran comes back after a second of further work: nothing that had a receipt is lost, what it costs in
    work done again is printed."""
    r.begin()
    copy = r.site.copy_store()
    r.fault()
    last(r.rng.uniform(0.5, 2.0))
    before = int(r.site.value("select coalesce(sum(n + delivery), 0) from muster.outcome"))
    r.site.put_store_back(copy)
    r.watch.store_changed()
    r.over()
    r.count_kill("brokers")
    r.finish(lost_doors=True, timeout=120)
    again = r.site.value("select count(*) from muster.outcome where n > 1 or delivery > 1")
    r.figures["outcomes with more than one run"] = again
    assert before >= 0


@case(9, "the broker's store is wiped")
def broker_store_wiped(r):
    r.begin()
    r.fault()
    r.site.wipe_broker(kill=r.rng.random() < 0.5)
    r.over()
    r.finish(lost_doors=True, timeout=120, back=None)


@case(10, "the broker's disk is full, and freed later", fresh=True, short=False)
def broker_disk_full(r):
    """Submissions by request are taken (they stand in the outbox), the intake refuses, an alarm is in the log within 30 s; all goes
    on once there is room. (2.11 and later: nats-server must be restarted after it; muster need not.)"""
    folder = r.site.small_disk("nats", 256)
    r.begin()
    r.fault()
    r.figures["store before"] = f"{sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(folder) for f in fs) // 1024} KiB"
    said = {p.name: len(r.site.log_of(p.name)) for p in r.site.ours()}
    ballast = r.site.fill_disk(folder)
    began = time.monotonic()
    words = ("no space", "insufficient", "no answer", "no puback", "refused it")

    def alarmed():
        return any(word in r.site.log_of(name)[size:].lower() for name, size in said.items() for word in words)
    wait_until(alarmed, 30, "an alarm in a log")
    r.figures["alarm after"] = f"{time.monotonic() - began:.1f} s"
    last(5 if r.long else 2)
    os.unlink(ballast)
    if not r.site.stream_takes():
        r.site.restart("nats", kill=False)
        r.figures["broker"] = "had to be restarted"
    r.over()
    r.finish(timeout=120)


@case(11, "streams and buckets reach their limits", fresh=True, stream__tasks_bytes="1MiB", stream__results_bytes="2MiB",
      stream__intake_bytes="1MiB", stream__events_bytes="1MiB", bucket__state_bytes="1MiB", worker__read_limit="128KiB", short=False)
def stream_limits(r):
    """Back-pressure and no loss: what finds no room waits in the outbox, with the agents, with the submitter."""
    r.begin(rate=400, files=3, door=40)
    r.fault()
    for p in r.site.ours():
        if p.name[0] == "r":
            p.pause()  # nothing leaves MUSTER_RESULTS
    last(8 if r.long else 4)
    for p in r.site.ours():
        if p.name[0] == "r":
            p.resume()
    r.over()
    r.finish(timeout=180)


@case(11, "all streams together reach max_file_store", fresh=True, short=False)
def store_limit(r):
    """max_file_store is smaller than what the streams may have: the broker refuses whatever it is asked to store."""
    r.site.broker_setting("max_file_store: 16GB", "max_file_store: 15GB")
    r.begin()
    r.fault()
    r.site.broker_setting("max_file_store: 15GB", "max_file_store: 4MB")
    last(6 if r.long else 3)
    r.site.broker_setting("max_file_store: 4MB", "max_file_store: 16GB")
    r.over()
    r.finish(timeout=120)


@case(26, "consumers, keys and messages are deleted or changed by hand", short=False)
def topology_changed_by_hand(r):
    """Each is told with its cure or mended; open tasks are published again."""
    r.begin()
    api = r.site.nats.api
    deeds = ["consumer", "purge", "filter", "state", "message"]
    r.rng.shuffle(deeds)
    for deed in deeds if r.long else deeds[:3]:
        r.fault()
        _by_hand(r, api, deed)
        last(1)
        r.over()
    r.finish(timeout=120)


def _by_hand(r, api, deed):
    if deed == "consumer":
        for name in ("w-default-normal", "w-default-high"):
            api(f"CONSUMER.DELETE.MUSTER_TASKS.{name}")
        api("CONSUMER.DELETE.MUSTER_RESULTS.recorder")
    elif deed == "purge":  # deny_purge stands in the way: whoever wants to edits the stream first
        config = api("STREAM.INFO.MUSTER_TASKS")["config"]
        for sequence in range(*(lambda s: (s["first_seq"], s["last_seq"] + 1))(r.site.nats.stream("MUSTER_TASKS"))):
            api("STREAM.MSG.DELETE.MUSTER_TASKS", {"seq": sequence})
        assert config["deny_purge"]
    elif deed == "filter":
        config = api("CONSUMER.INFO.MUSTER_TASKS.w-default-low")["config"]
        config["filter_subject"] = "muster.task.default.low.nobody"
        api("CONSUMER.DURABLE.CREATE.MUSTER_TASKS.w-default-low", {"stream_name": "MUSTER_TASKS", "config": config})
        wait_until(lambda: "config" in api("CONSUMER.DELETE.MUSTER_TASKS.w-default-low") or True, 5)
    elif deed == "state":
        state = api("STREAM.INFO.KV_muster_state", {"subjects_filter": "$KV.muster_state.>"})["state"]
        for subject in list(state.get("subjects", {}))[:20]:
            r.site.nats.publish_stream(subject, b"", {"KV-Operation": "PURGE", "Nats-Rollup": "sub"})
        r.watch.store_changed()
    else:
        config = api("STREAM.INFO.MUSTER_RESULTS")
        assert "state" in config
        api("STREAM.MSG.DELETE.MUSTER_TASKS", {"seq": r.site.nats.stream("MUSTER_TASKS")["first_seq"]})
