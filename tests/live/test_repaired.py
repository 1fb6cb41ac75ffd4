# SPDX-License-Identifier: Apache-2.0
"""What the leader repairs it says: as events, and in its service's statistics. And it publishes no faster than it may."""
import json
import os
import shutil
import subprocess

from harness import ROOT, wait_until
from marks import Skip, own_site
from natsclient import Background

SITE = {"task__ack_wait": "500ms", "dispatcher__reconcile": "200ms", "worker__heartbeat": "500ms"}
GOOD = "US0378331005"
EVENT = "muster.event.operator.repaired"


def _submit(site, tag, count):
    body = "\n".join(json.dumps({"id": f"{tag}-{i}", "pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]}) for i in range(count))
    assert site.api("submit", body)["accepted"] == count


def _queued(site, count):
    wait_until(lambda: site.nats.stream("MUSTER_TASKS")["messages"] == count, 30, f"{count} messages in the queue")
    wait_until(lambda: site.value("select count(*) from muster.outbox where published_at is null") == "0", 30, "all noted")


def _done(site, count):
    wait_until(lambda: site.value("select count(*) from report.job_status where result = 'pass'") == str(count), 60, "all outcomes")


def _stats(site):
    """`data` of the service's statistics."""
    def answer():
        try:
            got = site.nats.request("$SRV.STATS.muster")
        except (TimeoutError, OSError):
            return None  # the broker is coming back
        return got.json()["endpoints"] if got.body else None
    return next(e["data"] for e in wait_until(answer, 30, "statistics") if e["name"] == "status")


def _told(events, what):
    """How many the events of a kind have told of."""
    found = [e for m in events.messages for e in m.json()["events"] if e["what"] == what]
    assert all(e["type"] == "io.muster.event.v1.operator_repaired" for e in found), found
    return sum(e["count"] for e in found)


def _is_valid(messages):
    try:
        import jsonschema
    except ImportError:
        return
    with open(os.path.join(ROOT, "schemas", "event.json")) as f:
        schema = json.load(f)
    for m in messages:
        jsonschema.validate(m.json(), schema)


def _lose_queue(site):
    """Messages of open tasks vanish from the queue, as after a power cut."""
    for sequence in [m[0] for m in site.nats.messages("MUSTER_TASKS")]:
        assert site.nats.api("STREAM.MSG.DELETE.MUSTER_TASKS", {"seq": sequence})["success"]


@own_site(dispatcher__bundle_tasks="1")
def tasks_that_are_published_again_are_told_with_their_ids(site):
    site.dispatcher()
    site.recorder()
    events = Background(site.url, EVENT)
    _submit(site, "lost", 30)
    _queued(site, 30)
    _lose_queue(site)
    wait_until(lambda: _told(events, "task_republished") == 30, 30, "the events")
    ids = [i for m in events.messages for e in m.json()["events"] for i in e["task_ids"]]
    assert sorted(ids) == sorted(r[0] for r in site.sql("select job_id from muster.job")), ids
    assert len(events.messages) < 30, "they are told in batches"
    _is_valid(events.messages)
    data = _stats(site)
    assert data["leading"] and data["repairs"]["tasks_republished"] == 30 and data["repairs"]["packs_written"] == 0, data
    assert data["database"]["outcome_conflict"] == 0 and "outbox_unpublished" in data["database"], data
    links = site.sql("select body from muster.audit where action = 'republish'")
    assert sum(len(json.loads(r[0])) for r in links) == 30 and site.value("select min(seq) from report.audit_verify()") == "", links
    site.worker("a1")
    _done(site, 30)
    events.close()


@own_site(dispatcher__bundle_tasks="20", dispatcher__republish_rate="10")
def no_more_is_published_again_in_a_second_than_may_be(site):
    site.dispatcher()
    site.recorder()
    _submit(site, "slow", 60)
    _queued(site, 3)
    _lose_queue(site)
    _queued(site, 60)  # alone, whatever they rode in before
    rows = site.sql("select extract(epoch from at - min(at) over ()), body from muster.audit where action = 'republish' order by seq")
    sofar = 0
    for at, body in rows:
        sofar += len(json.loads(body))
        # a commit comes later than what it counts, by up to a second on a busy machine
        assert sofar <= 10 + 10 * (float(at) + 1), (sofar, at)
    assert sofar == 60 and float(rows[-1][0]) > 4, (sofar, rows[-1][0])
    assert _stats(site)["repairs"]["republish_pauses"] >= 4
    site.worker("a1")
    _done(site, 60)


@own_site
def a_store_that_was_wiped_is_told_with_all_that_was_made_again(site):
    site.dispatcher()
    site.recorder()
    _submit(site, "wiped", 5)
    _queued(site, 1)
    site.halt("nats")
    shutil.rmtree(os.path.join(site.dir, "nats"))
    os.mkdir(os.path.join(site.dir, "nats"))
    site.start("nats")
    wait_until(lambda: _stats(site)["repairs"]["topology_made"] > 9, 30, "streams, buckets and consumers")
    repairs = _stats(site)["repairs"]
    assert repairs["packs_written"] >= 2, repairs
    wait_until(lambda: site.nats.stream("MUSTER_EVENTS"), 30)
    told = lambda: "".join(b.decode() for _, s, _, b in site.nats.messages("MUSTER_EVENTS") if s == EVENT)
    wait_until(lambda: '"what":"topology_made"' in told() and '"what":"pack_written"' in told(), 30, "the events")
    site.worker("a1")
    _done(site, 5)


@own_site
def other_repairs_are_told_once_a_pass(site):
    site.all(workers=1)
    events = Background(site.url, EVENT)
    done = site.submit({"pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]})["job_id"]
    site.done(done)
    wait_until(lambda: site.nats.stream("MUSTER_TASKS")["messages"] == 0, 30, "an empty queue")
    site.nats.publish_stream(f"$KV.muster_state.{done}", json.dumps({"v": 1, "task_id": done}))
    assert site.nats.api("CONSUMER.DELETE.MUSTER_TASKS.w-default-low")["success"]
    wait_until(lambda: _told(events, "checkpoint_purged") == 1 and _told(events, "topology_made") == 1, 30, "the events")
    site.sql("insert into muster.job_progress (job_id, stage, expected, done, bad, records_expected) "
             f"values ('{done}', 'scan', 2, 7, 0, 0)")
    site.sql("insert into muster.task (task_id, job_id, stage, attempt, body, task_digest, queue, priority) "
             f"select '{done}', '{done}', 'scan', 1, body, task_digest, queue, priority from muster.job where job_id = '{done}'")
    wait_until(lambda: _told(events, "stage_recounted") == 1, 45, "a stage that was recounted")
    _is_valid(events.messages)
    repairs = _stats(site)["repairs"]
    assert [repairs[k] for k in ("checkpoints_purged", "topology_made", "stages_recounted")] == [1, 1, 1], repairs
    events.close()


@own_site
def repairs_wait_for_the_broker_and_pile_up_no_rows(site):
    dispatcher = site.dispatcher()
    site.recorder()
    _submit(site, "away", 40)
    wait_until(lambda: site.nats.stream("MUSTER_TASKS")["messages"] > 0, 30, "a queue")
    assert site.nats.api("STREAM.DELETE.MUSTER_EVENTS")["success"]  # nobody takes events
    _lose_queue(site)
    wait_until(lambda: _stats(site)["repairs"]["tasks_republished"] == 40, 30, "repairs")
    passes = int(site.value("select count(*) from muster.audit where action = 'republish'"))
    rows = lambda: int(site.value("select count(*) from muster.outbox where subject = 'muster.event.operator.repaired'"))
    assert rows() <= passes, (rows(), passes)
    site.halt("nats")
    before = rows()
    wait_until(lambda: "leading is left to others" in dispatcher.tail(), 20, "a leader that lets go")
    assert rows() == before


def the_nats_command_line_shows_them(site):
    if not shutil.which("nats"):
        raise Skip("the nats command line is not installed")
    site.dispatcher()
    wait_until(lambda: _stats(site)["leading"], 10, "a leader")
    for verb, wanted in (("info", "tasks_republished"), ("stats", "status"), ("ls", "muster")):
        got = subprocess.run(["nats", "-s", site.url, "service", verb, *(["muster"] if verb != "ls" else [])], capture_output=True,
                             text=True, timeout=30, stdin=subprocess.DEVNULL, env=dict(os.environ, HOME=site.dir))
        assert got.returncode == 0 and wanted in got.stdout, got
