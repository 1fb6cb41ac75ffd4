#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stories of sources that are not files below a root, told by agents alone: `tests/live/worker_sources.py [STORY...]`. Prints
TAP."""
import gzip
import hashlib
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from marks import Skip  # noqa: E402
from objects import delete_object, describe, drop_chunks, encoded, make_bucket, put_object, replace_object  # noqa: E402
from web import Web  # noqa: E402
from worker_rig import agrees, determined, rows, sha, tell, undisturbed, wait_until  # noqa: E402

BUCKET = "muster_sources"
SLOW = {"worker__read_limit": "2MiB"}  # so that half a megabyte lasts for some checkpoints


def zstd(data):
    if not shutil.which("zstd"):
        raise Skip("zstd is not installed")
    return subprocess.run(["zstd", "-q", "-c"], input=data, capture_output=True, check=True).stdout


def planned(rig, uri, **more):
    task = rig.task(uri=uri, shard_bytes=65536, **more)
    rig.publish(task)
    return task, rig.outcome(task)


def run_shards(rig, plan_task, plan):
    scans = [rig.task(uri=plan_task["source"]["uri"], job_id=plan_task["task_id"], stage="scan", shard_bytes=65536,
                      input={"size": plan["size"], "digest": plan["digest"]}, plan_task_id=plan_task["task_id"],
                      shard=dict(shard, index=index, count=len(plan["shards"]))) for index, shard in enumerate(plan["shards"])]
    for scan in scans:
        rig.publish(scan)
    return scans, [rig.outcome(scan) for scan in scans]


def reason(rig, uri, **more):
    task = rig.task(uri=uri, **more)
    rig.publish(task)
    outcome = rig.outcome(task)
    return outcome["result"], outcome.get("reason")


def the_same_bytes_find_the_same_wherever_they_lie(rig):
    data, web = rows(), Web()
    want = undisturbed(rig, data)
    make_bucket(rig.nats, BUCKET)
    rig.agent(**web.settings)
    packed = {"sample.csv": data, "sample.csv.gz": gzip.compress(data[:200000]) + gzip.compress(data[200000:])}
    if shutil.which("zstd"):
        packed["sample.csv.zst"] = zstd(data)
    for name, content in packed.items():
        put_object(rig.nats, BUCKET, "2026/11/" + name, content)
        for uri in (rig.source(name, content), f"object:{BUCKET}/2026/11/{name}", web.put(name, content)):
            task = rig.task(uri=uri)
            rig.publish(task)
            rig.outcome(task)
            agrees(rig, task, want)
    web.parts = False
    for name in packed:
        task = rig.task(uri=web.put(name, packed[name]))
        rig.publish(task)
        rig.outcome(task)
        agrees(rig, task, want)
    web.close()


def what_the_stock_command_line_puts_is_read(rig):
    if not shutil.which("nats"):
        raise Skip("the nats command line is not on PATH")
    data = rows()
    want = undisturbed(rig, data)

    def nats(*words, **more):
        got = subprocess.run(["nats", "-s", rig.url, *words], capture_output=True, timeout=60, env=dict(os.environ, HOME=rig.dir), **more)
        assert got.returncode == 0, got
    nats("object", "add", BUCKET, "--storage", "file", stdin=subprocess.DEVNULL)
    rig.source("a b.csv", data)
    nats("object", "put", BUCKET, os.path.join(rig.sources, "a b.csv"), "--name", "a b.csv", "-f", "--no-progress", stdin=subprocess.DEVNULL)
    nats("object", "put", BUCKET, "--name", "piped.csv", "-f", "--no-progress", input=data)
    rig.agent()
    for name in ("a b.csv", "piped.csv"):
        task = rig.task(uri=f"object:{BUCKET}/{name}")
        rig.publish(task)
        rig.outcome(task)
        agrees(rig, task, want)
    task, outcome = planned(rig, f"object:{BUCKET}/a b.csv")
    assert outcome["result"] == "planned" and outcome["plan"]["digest"] == sha(data), outcome


def objects_and_web_pages_are_planned_as_files_are(rig):
    data, web = rows(), Web()
    want = undisturbed(rig, data)
    make_bucket(rig.nats, BUCKET)
    put_object(rig.nats, BUCKET, "large.csv", data)
    rig.agent("a1", **web.settings)
    rig.agent("a2", **web.settings)
    plans = [planned(rig, uri) for uri in (rig.source("large.csv", data), f"object:{BUCKET}/large.csv", web.put("large.csv", data))]
    assert [o["result"] for _, o in plans] == ["planned"] * 3, plans
    assert plans[0][1]["plan"] == plans[1][1]["plan"] == plans[2][1]["plan"]
    assert len(plans[0][1]["plan"]["shards"]) > 4
    for task, outcome in plans:
        scans, outcomes = run_shards(rig, task, outcome["plan"])
        assert sum(o["records"] for o in outcomes) == 20000, outcomes
        got = sorted(f for s in scans for f in [(x[0], x[1], x[3], x[4]) for x in rig.findings(s)])
        assert got == sorted((x[0], x[1], x[3], x[4]) for x in want[1])
    web.close()


def what_cannot_be_read_anywhere_is_one_task(rig):
    data, web = rows(), Web()
    want = undisturbed(rig, data)
    make_bucket(rig.nats, BUCKET)
    other = lambda: rig.nats.publish_stream(f"$O.{BUCKET}.C.other", b"x")  # somebody else puts at the same time
    put_object(rig.nats, BUCKET, "among-others.csv", data, between=other)
    put_object(rig.nats, BUCKET, "uneven.csv", data, sizes=[131072, 100000, 131072, 90000])
    # number of chunks and last one as of even ones, and the author does not say how large they may be
    put_object(rig.nats, BUCKET, "unsaid.csv", data, sizes=[150000, 112144], options={})
    put_object(rig.nats, BUCKET, "small-chunks.csv", data, sizes=[65536] * 9)
    web.parts = False
    rig.agent(**web.settings)
    for uri in (f"object:{BUCKET}/among-others.csv", f"object:{BUCKET}/uneven.csv", f"object:{BUCKET}/small-chunks.csv",
                f"object:{BUCKET}/unsaid.csv",
                web.put("large.csv", data), rig.source("large.csv.gz", gzip.compress(data))):
        task, outcome = planned(rig, uri)
        assert outcome["result"] == "fail" and outcome["records"] == 20000, outcome
        agrees(rig, task, want)
    web.close()


def an_object_that_is_another_one_at_its_scan_is_source_changed(rig):
    data, other = rows(), rows(wrong=96)
    assert len(data) == len(other)
    make_bucket(rig.nats, BUCKET)
    first = put_object(rig.nats, BUCKET, "a.csv", data)
    rig.agent()
    task, outcome = planned(rig, f"object:{BUCKET}/a.csv")
    again = replace_object(rig.nats, BUCKET, "a.csv", first, data)  # the same bytes: nothing has changed
    _, outcomes = run_shards(rig, task, outcome["plan"])
    assert sum(o["records"] for o in outcomes) == 20000
    replace_object(rig.nats, BUCKET, "a.csv", again, other)
    _, outcomes = run_shards(rig, task, outcome["plan"])
    assert {(o["result"], o["reason"]) for o in outcomes} == {("error", "source_changed")}, outcomes
    assert not any("bytes read" in o["message"] for o in outcomes), outcomes  # seen before anything was read


def an_object_that_is_replaced_while_it_is_read_is_source_changed(rig):
    for index, others in enumerate((rows(wrong=96), rows(count=10))):
        if not index:
            make_bucket(rig.nats, BUCKET)
        name = f"a{index}.csv"
        nuid = put_object(rig.nats, BUCKET, name, rows())
        rig.agent(f"a{index}", worker__read_limit="200KiB")
        task = rig.task(uri=f"object:{BUCKET}/{name}")
        rig.publish(task)
        wait_until(lambda: (rig.state(task) or {}).get("checkpoint"), what="a checkpoint")
        replace_object(rig.nats, BUCKET, name, nuid, others)
        outcome = rig.outcome(task)
        assert (outcome["result"], outcome["reason"]) == ("error", "source_changed"), outcome


def reasons_of_objects_are_those_of_the_protocol(rig):
    data, nats = rows(), rig.nats
    rig.agent(source__buckets=BUCKET + ",absent")
    assert reason(rig, "object:absent/a.csv") == ("error", "source_missing")
    make_bucket(nats, BUCKET)
    make_bucket(nats, "secret")
    put_object(nats, "secret", "a.csv", data)
    assert reason(rig, f"object:{BUCKET}/a.csv") == ("error", "source_missing")
    for uri in ("object:secret/a.csv", "object:a.csv", "object:/a.csv", f"object:{BUCKET}/", f"object:{BUCKET}", "object:b.c/a.csv",
                f"object:{BUCKET}/" + "x" * 600):
        assert reason(rig, uri) == ("rejected", "path_refused"), uri
    delete_object(nats, BUCKET, "gone.csv", put_object(nats, BUCKET, "gone.csv", data))
    assert reason(rig, f"object:{BUCKET}/gone.csv") == ("error", "source_missing")
    describe(nats, BUCKET, "link.csv", nuid="x", options={"link": {"bucket": "secret", "name": "a.csv"}})
    assert reason(rig, f"object:{BUCKET}/link.csv") == ("error", "source_not_file")
    put_object(nats, BUCKET, "digest.csv", data, digest="SHA-256=" + encoded(bytes(32)))
    assert reason(rig, f"object:{BUCKET}/digest.csv") == ("error", "source_unreadable")
    drop_chunks(nats, BUCKET, put_object(nats, BUCKET, "lost.csv", data))
    assert reason(rig, f"object:{BUCKET}/lost.csv") == ("error", "source_unreadable")
    put_object(nats, BUCKET, "short.csv", data[:-5000], size=len(data), digest="SHA-256=" + encoded(hashlib.sha256(data).digest()))
    assert reason(rig, f"object:{BUCKET}/short.csv") == ("error", "source_unreadable")
    for index, lie in enumerate(({"size": 1}, {"size": -1}, {"chunks": 0}, {"chunks": 1 << 62}, {"digest": "MD5=x"}, {"nuid": "a.b"}, {"nuid": "*"},
                                 {"options": {"max_chunk_size": 0}}, {"options": {"max_chunk_size": 1}}, {"size": 1 << 62})):
        put_object(nats, BUCKET, f"lie{index}.csv", data, **lie)
        got = reason(rig, f"object:{BUCKET}/lie{index}.csv")
        # a false chunk size only costs the shards
        assert got == (("fail", None) if lie == {"options": {"max_chunk_size": 1}} else ("error", "source_unreadable")), (lie, got)
    nats.publish_stream(f"$O.{BUCKET}.M.{encoded(b'broken.csv')}", "{")
    assert reason(rig, f"object:{BUCKET}/broken.csv") == ("error", "source_unreadable")
    put_object(nats, BUCKET, "empty.csv", b"")
    assert reason(rig, f"object:{BUCKET}/empty.csv")[0] == "not_evaluated"
    put_object(nats, BUCKET, "unpinned.csv", data, options={})
    assert reason(rig, f"object:{BUCKET}/unpinned.csv") == ("fail", None)


def a_bucket_without_direct_gets_is_read_from_its_leader(rig):
    data = rows()
    want = undisturbed(rig, data)
    make_bucket(rig.nats, BUCKET, allow_direct=False)
    put_object(rig.nats, BUCKET, "a.csv", data)
    rig.agent()
    assert reason(rig, f"object:{BUCKET}/b.csv") == ("error", "source_missing")
    task = rig.task(uri=f"object:{BUCKET}/a.csv")
    rig.publish(task)
    rig.outcome(task)
    agrees(rig, task, want)


def a_killed_agents_task_goes_on_wherever_its_source_lies(rig):
    data, web = rows(), Web()
    want = undisturbed(rig, data)
    make_bucket(rig.nats, BUCKET)
    put_object(rig.nats, BUCKET, "a.csv", data)
    put_object(rig.nats, BUCKET, "uneven.csv", data, sizes=[131072, 100000, 131072, 90000])
    uris = [f"object:{BUCKET}/a.csv", f"object:{BUCKET}/uneven.csv", web.put("a.csv", data), web.put("a.csv.gz", gzip.compress(data)),
            rig.source("a.csv.gz", gzip.compress(data))]
    for index, uri in enumerate(uris):
        task = rig.task(uri=uri)
        first = rig.agent(f"v{index}", **web.settings, **SLOW)
        rig.publish(task)
        state = wait_until(lambda: (rig.state(task) or {}).get("checkpoint"), what="a checkpoint")
        first.process.kill()
        second = rig.agent(f"h{index}", **web.settings)
        outcome = rig.outcome(task)
        assert outcome["resumes"][0]["record_no"] >= state["record_no"] > 1, (uri, outcome)
        agrees(rig, task, want)
        wait_until(rig.queue_empty)
        second.stop()
    web.close()


def an_object_waits_out_a_broker_that_was_killed(rig):
    data = rows()
    want = undisturbed(rig, data)
    make_bucket(rig.nats, BUCKET)
    put_object(rig.nats, BUCKET, "a.csv", data)
    task = rig.task(uri=f"object:{BUCKET}/a.csv")
    rig.agent(worker__read_limit="200KiB")
    rig.publish(task)
    wait_until(lambda: (rig.state(task) or {}).get("checkpoint"), what="a checkpoint")
    rig.restart_broker()
    # either it was read on before anything was missed, or the task was put off and comes again
    wait_until(lambda: rig.outcomes(task) or rig.results()[2], 40, "an outcome or a deferral")
    if not rig.outcomes(task):
        assert rig.results()[2][0]["reason"] == "source_down", rig.results()[2]
        rig.publish(task, n=2)
    assert determined(rig.outcome(task, 40)) == want[0]


def a_server_that_is_down_defers_and_holds_nobody_up(rig):
    web = Web()
    uri = web.put("a.csv", rows())
    web.status = 503
    agent = rig.agent(**web.settings)
    task = rig.task(uri=uri)
    rig.publish(task)
    deferred = wait_until(lambda: rig.results()[2], what="a deferral")[0]
    assert deferred["task_id"] == task["task_id"] and deferred["class"] == "dependency" and deferred["reason"] == "source_down", deferred
    assert reason(rig, rig.source("b.csv", rows()))[0] == "fail"
    web.status = None
    rig.publish(task, n=2)
    assert rig.outcome(task)["result"] == "fail"
    assert "data root" not in agent.tail(), agent.tail()
    web.close()


def an_agent_that_waits_for_a_server_ends_when_it_is_asked_to(rig):
    data, web = rows(count=60000), Web()
    uri = web.put("a.csv", data)
    web.held.set()
    agent = rig.agent("a1", **web.settings)
    task = rig.task(uri=uri)
    rig.publish(task)
    wait_until(lambda: web.requests, what="a request")
    assert agent.stop() == 0, agent.tail()
    assert rig.results()[0] == [] and rig.results()[2] == []
    web.held.clear()
    rig.agent("a2", **web.settings)
    assert rig.outcome(task)["result"] == "fail"
    web.close()


def http_is_off_unless_a_host_is_named(rig):
    web = Web()
    uri = web.put("a.csv", rows(10))
    agent = rig.agent("a1")
    assert reason(rig, uri) == ("rejected", "path_refused")
    agent.stop()
    agent = rig.agent("a2", http__hosts=f"127.0.0.1:{web.port}")
    assert reason(rig, uri) == ("rejected", "path_refused")
    agent.stop()
    assert web.requests == 0
    rig.agent("a3", **web.settings)
    assert reason(rig, uri)[0] == "fail"
    web.close()


if __name__ == "__main__":
    sys.exit(tell(globals(), sys.argv[1:]))
