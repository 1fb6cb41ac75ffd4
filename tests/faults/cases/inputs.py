# SPDX-License-Identifier: Apache-2.0
"""Poison tasks, sources that change or vanish, forged messages, repeated publications, herds: cases 19 to 21, 24, 25."""
import json
import os
import time

from natsclient import Nats
from rounds import Broken, case, last, wait_until
from workload import BAD, GOOD, PACK

SECOND = 10**9


def _poison(r, kind):
    """A job under a key of its own, outside the load's; returns its id."""
    return r.site.submit({"id": f"poison{r.number}-{kind}-{r.seed}", "pack": PACK, "source": {"uri": "file:poison.csv"}})["job_id"]


@case(19, "a task crashes every agent that opens it")
def poison_crashes_agents(r):
    """It ends `exhausted` after five crashes at one place, and small tasks keep flowing meanwhile."""
    r.site.write("poison.csv", "symbol,isin\nS,US0378331005\n")
    for i in (1, 2, 3):
        r.site.named(f"a{i}").stop()
    mortal = "worker.opened=crash"  # only a task with a source passes there
    agents = [r.site.worker(f"m{r.number}-{i}", fail=mortal) for i in range(2)]
    r.begin(files=0)
    r.fault()
    job = _poison(r, "crash")
    deaths = 0

    def ended():
        nonlocal deaths
        for i, agent in enumerate(agents):
            if not agent.alive():
                deaths += 1
                agents[i] = r.site.worker(f"m{r.number}-{i}-{deaths}", fail=mortal, ready=False)
        return r.site.status(job).get("result")
    result = wait_until(ended, 90, "the end of the poison task")
    status = r.site.status(job)
    if (result, status["reason"]) != ("exhausted", "crashed") or not 5 <= deaths <= 6:
        raise Broken(f"I5: the poison task ended {result} ({status.get('reason')}) after {deaths} crashes")
    r.count_kill("a")
    r.figures["crashes"] = deaths
    for agent in agents:
        agent.stop()
    r.site.ensure()
    r.over()
    r.finish()


@case(19, "a task hangs every agent that opens it", worker__stall_limit="3s", short=False)
def poison_hangs_agents(r):
    """Each hung agent ends itself; the task ends in `error` (stalled) or `exhausted`."""
    r.site.write("poison.csv", "symbol,isin\nS,US0378331005\n")
    for i in (1, 2, 3):
        r.site.named(f"a{i}").stop()
    agents = [r.site.worker(f"h{r.number}-{i}", fail="worker.opened=hang") for i in range(2)]
    r.begin(files=0)
    r.fault()
    job = _poison(r, "hang")
    ends = 0

    def ended():
        nonlocal ends
        for i, agent in enumerate(agents):
            if not agent.alive():
                ends += 1
                agents[i] = r.site.worker(f"h{r.number}-{i}-{ends}", fail="worker.opened=hang", ready=False)
        return r.site.status(job).get("result")
    result = wait_until(ended, 120, "the end of the hanging task")
    reason = r.site.status(job)["reason"]
    if (result, reason) not in (("error", "stalled"), ("exhausted", "crashed")):
        raise Broken(f"the hanging task ended {result} ({reason})")
    r.figures["ended"] = f"{result} ({reason}) after {ends} agents"
    for agent in agents:
        if agent.alive():
            agent.kill9()
    r.site.ensure()
    r.over()
    r.finish()


@case(19, "hostile inputs: an endless line, NUL, broken UTF-8, a truncated file", short=False)
def poison_inputs(r):
    """Each ends with an outcome that says why; agents stay alive and small."""
    hostile = {"line": b"symbol,isin\nS," + b"x" * (48 << 20), "nul": b"symbol,isin\nS,\0\n" * 2000, "utf8": b"symbol,isin\nS,\xff\xfe\n" * 2000,
               "cut": b'symbol,isin\nS,"US03783', "empty": b"", "binary": os.urandom(300000)}
    r.begin(files=0.3)
    r.fault()
    jobs = {}
    for name, data in hostile.items():
        r.site.write(f"hostile-{name}.csv", data)
        body = {"id": f"hostile{r.number}-{name}-{r.seed}", "pack": PACK, "source": {"uri": f"file:hostile-{name}.csv"}}
        jobs[name] = r.site.submit(body)["job_id"]
    r.site.named("a1").stop()
    r.site.worker(f"f{r.number}", worker__read_limit="0")
    said = {}
    for name, job in jobs.items():
        status = r.site.done(job, 200)
        said[name] = f"{status['result']}{'/' + status['reason'] if status.get('reason') else ''}"
        if status["result"] == "pass":
            raise Broken(f"I10: the hostile input {name} passed: {status}")
    r.figures["ended"] = ", ".join(f"{name} {what}" for name, what in said.items())
    large = max(r.site.rss(p) for p in r.site.ours() if p.name[0] in "af")
    r.figures["largest agent"] = f"{large // 1024} MiB"
    if large > 64 * 1024:
        raise Broken(f"an agent has {large} KiB")
    r.site.named(f"f{r.number}").stop()
    r.over()
    r.finish()


@case(20, "a source changes in the middle of a check", short=False)
def source_changes(r):
    """The job ends in `error` with that reason; never a mix of two versions."""
    rows = 200000
    text = "symbol,isin\n" + "".join(f"S{i},{GOOD}\n" for i in range(rows))
    r.begin(files=0.3)
    for how in ("same size", "longer", "shorter")[: 3 if r.long else 1]:
        r.site.write("moving.csv", text)
        r.fault()
        job = r.site.submit({"id": f"moving{r.number}-{how[:4]}-{r.seed}", "pack": PACK, "source": {"uri": "file:moving.csv"}})["job_id"]
        scans = f"select count(*) from report.task_history where job_id = '{job}' and stage = 'scan' and result is not null"
        wait_until(lambda: int(r.site.value(scans)) > 0, 60, "the first shard")
        changed = {"same size": text.replace(GOOD, BAD), "longer": text + "S,X\n", "shorter": text[:-100]}[how]
        temporary = os.path.join(r.site.sources, ".moving")
        with open(temporary, "w") as f:
            f.write(changed)
        os.rename(temporary, os.path.join(r.site.sources, "moving.csv"))
        status = r.site.done(job, 90)
        reasons = {reason for reason, in r.site.sql(f"select distinct reason from report.task_history where job_id = '{job}' and result = 'error'")}
        if status["state"] != "failed" or reasons != {"source_changed"}:
            raise Broken(f"I10: {how}: the job ended {status}, its tasks for {reasons}")
        if r.site.value(f"select count(*) from report.finding where job_id = '{job}' and not is_partial and rule = 'ID.ISIN'") != "0":
            raise Broken(f"I10: {how}: findings of the new version stand beside passes of the old")
    r.over()
    r.finish()


@case(20, "a source is missing; a whole data root is missing, and comes back")
def source_missing(r):
    """A missing file is an outcome. A missing root is not: its tasks wait, and end well when it is back."""
    r.begin(files=0.5)
    r.fault()
    job = r.site.submit({"id": f"nofile{r.number}-x-{r.seed}", "pack": PACK, "source": {"uri": "file:no-such-file.csv"}})["job_id"]
    status = r.site.done(job)
    if (status["result"], status["reason"]) != ("error", "source_missing"):
        raise Broken(f"a missing file ended {status}")
    away = r.site.sources + ".away"
    os.rename(r.site.sources, away)
    last(4 if r.long else 2)
    os.rename(away, r.site.sources)
    r.over()
    r.finish(timeout=150)
    bad = r.site.value(f"select count(*) from report.job_status where split_part(job_key, '-', 1) = '{r.tag}' and state = 'failed'")
    if bad != "0":
        raise Broken(f"I1: {bad} jobs failed because a data root was away for seconds")


@case(21, "forged and broken messages in the queue and among the results", fresh=True)
def forged(r):
    """Quarantined with bytes and reason; nothing is invented, open tasks keep their rights."""
    nats = r.site.nats
    before = int(r.site.value("select count(*) from muster.quarantine"))
    r.begin()
    r.fault()
    task = "01890000-0000-7000-8000-" + os.urandom(6).hex()
    digest, now = "0" * 64, "2026-11-20T10:00:00.000000Z"
    outcome = {"task_id": task, "task_digest": digest, "input_digest": digest, "result": "pass", "records": 1, "bytes": 1,
               "started_at": now, "finished_at": now}
    (known, known_digest), = r.site.sql("select job_id, encode(task_digest, 'hex') from muster.job order by job_id desc limit 1")
    ride = task
    made = 0

    def result(body, subject=f"muster.result.default.{ride}"):
        nonlocal made
        nats.publish_stream(subject, body if isinstance(body, (str, bytes)) else json.dumps(body))
        made += 1
    envelope = {"v": 1, "ride_id": ride, "queue": "default", "agent": "evil", "incarnation": task, "outcomes": [outcome]}
    result("no json at all")
    result({"v": 1})
    result(b"\xff\x00\xfe")
    result(envelope)                                                  # of nobody's task
    result(dict(envelope, outcomes=[dict(outcome, task_id=known)]))  # of a task of ours, which was not run as it stands
    result(dict(envelope, queue="nobody", outcomes=[dict(outcome, task_id=known, task_digest=known_digest)]),
           f"muster.result.nobody.{ride}")                           # as if from another queue
    finding = {"finding_id": task, "rule": "ID.ISIN", "severity": "high", "outcome": "fail", "record_no": 1, "message": "forged",
               "evidence": {}, "fingerprint": digest}
    result({"v": 1, "task_id": task, "job_id": task, "task_digest": digest, "input_digest": digest, "pack": PACK, "source": "records",
            "findings": [finding]}, f"muster.finding.default.{task}")
    # the reply deputy: a pull whose reply is a subject of ours stores a task among the results
    inbox = "muster.result.default.forged-" + r.tag
    nats.publish("$JS.API.CONSUMER.MSG.NEXT.MUSTER_TASKS.w-default-low", json.dumps({"batch": 1, "no_wait": True}), reply=inbox)
    # a task of ours with other records: run as it came, its outcome has another digest than the row
    altered = _alter_one(r)
    # a message of no task of ours
    lonely = {"v": 1, "ride_id": task, "n": 1, "queue": "default", "priority": "low", "terms": {}, "tasks": []}
    nats.publish_stream(f"muster.task.default.low.{task}", json.dumps(lonely), {"Nats-Msg-Id": task + ":1"})

    def quarantined():
        return int(r.site.value("select count(*) from muster.quarantine")) - before
    wait_until(lambda: quarantined() >= made, 60, "the quarantine")
    last(2)
    r.over()
    r.figures["forged"] = f"{made} results, {altered} altered task, 1 deputy, 1 task of nobody"
    rows = r.site.sql("select reason, count(*) from muster.quarantine group by 1 order by 1")
    r.figures["quarantined"] = ", ".join(f"{n} {reason}" for reason, n in rows)
    if r.site.value("select count(*) from muster.quarantine where bytes is null or reason is null") != "0":
        raise Broken("a quarantined message has no bytes or no reason")
    if r.site.sql(f"select 1 from muster.outcome where agent = 'evil' or task_id = '{task}'"):
        raise Broken("I3: a forged outcome was recorded")
    r.finish(forged=int(r.site.value("select count(*) from muster.quarantine")))
    if r.site.sql(f"select 1 from muster.outcome where agent = 'evil' or task_id = '{task}'"):
        raise Broken("I3: a forged outcome was recorded")


def _alter_one(r):
    """Takes a queue message away and puts another with other records in its place, under its subject."""
    nats = r.site.nats
    for i in (1, 2, 3):
        r.site.named(f"a{i}").pause()
    job = r.site.submit({"id": f"altered{r.number}-x-{r.seed}", "pack": PACK, "priority": "low", "records": [{"isin": GOOD}]})["job_id"]
    wait_until(lambda: r.site.value(f"select sequence from muster.outbox where '{job}' = any (members)"), 20, "its message")
    got = nats.api("STREAM.MSG.GET.MUSTER_TASKS", {"last_by_subj": f"muster.task.default.low.{job}"})
    for i in (1, 2, 3):
        r.site.named(f"a{i}").resume()
    if "message" not in got:
        return 0  # it rode with others
    import base64
    body = base64.b64decode(got["message"]["data"]).decode().replace(GOOD, BAD)
    nats.publish_stream(f"muster.task.default.low.{job}", body, {"Nats-Msg-Id": f"{job}:altered-{r.tag}"})
    return 1


@case(24, "a task is published again and again within the window in which the broker drops repeats", start={"workers": 0}, short=False)
def republished_in_window(r):
    """Each publication has a number of its own, so that none is taken for a repeat: the task is really queued."""
    site = r.site
    r.fault()
    job = site.submit({"id": f"again{r.number}-x-{r.seed}", "pack": PACK, "records": [{"isin": BAD}]})["job_id"]
    numbers = []
    for n in range(1, 5 if r.long else 3):
        row = f"select sequence from muster.outbox where '{job}' = any (members) and n = {n} and published_at is not null"
        sequence = wait_until(lambda q=row: site.value(q), 60, f"publication {n}")
        numbers.append(sequence)
        if "message" not in site.nats.api("STREAM.MSG.GET.MUSTER_TASKS", {"seq": int(sequence)}):
            raise Broken(f"publication {n} was answered with a PubAck and is not in the queue")
        site.nats.api("STREAM.MSG.DELETE.MUSTER_TASKS", {"seq": int(sequence)})
    if len(set(numbers)) != len(numbers):
        raise Broken(f"two publications stand at one place: {numbers}")
    site.worker("last")
    status = site.done(job, 60)
    if status["result"] != "fail":
        raise Broken(f"I10: {status}")
    if site.named("last").stop() != 0:
        raise Broken(site.named("last").tail())
    r.figures["publications"] = len(numbers) + 1
    r.checker.nothing_left()


@case(25, "a thousand leases end at once; all reconnect at once", dispatcher__bundle_tasks="1", short=False)
def herd(r):
    """A thousand tasks in the hands of somebody who never answers come back together; then the broker restarts under all."""
    extra = 30 if r.long else 6
    agents = [r.site.worker(f"n{r.number}-{i}", ready=False) for i in range(extra)]
    for agent in agents:
        agent.ready(60)
    for p in r.site.ours():
        if p.name[0] in "an":
            p.pause()
    last(0.1)
    jobs = [{"id": f"{r.tag}-good-{800000 + i}", "pack": PACK, "records": [{"isin": GOOD}]} for i in range(1000)]
    got = r.site.api("submit", "\n".join(map(json.dumps, jobs)), timeout=20)
    assert got["accepted"] == 1000, got
    wait_until(lambda: r.site.nats.stream("MUSTER_TASKS")["messages"] >= 1000, 60, "a thousand queue messages")
    with Nats(r.site.url) as thief:
        sid = thief.subscribe("_INBOX.thief")
        thief.publish("$JS.API.CONSUMER.MSG.NEXT.MUSTER_TASKS.w-default-normal", json.dumps({"batch": 1000, "no_wait": True, "expires": 5 * SECOND}),
                      reply="_INBOX.thief")
        taken = 0
        try:
            while taken < 1000:
                m = thief.next(sid, 3)
                taken += m.subject.startswith("muster.task.")
                if m.status:
                    break
        except TimeoutError:
            pass
    for p in r.site.ours():
        if p.name[0] in "an":
            p.resume()
    r.figures["leases that end together"] = taken
    if taken < 500:
        raise Broken(f"the case got only {taken} tasks into its hands")
    began = time.monotonic()
    r.begin(steady=0.5)
    r.load.answers.acknowledged.update({job["id"]: "good" for job in jobs})
    ended = f"select count(*) from report.job_status where job_key like '{r.tag}-good-8_____' and result = 'pass'"
    wait_until(lambda: r.site.value(ended) == "1000", 60, "the thousand outcomes")
    r.figures["done again within"] = f"{time.monotonic() - began:.1f} s"
    last(1.5)
    r.crash("nats")
    r.site.start("nats")
    r.over()
    storms = sum(r.site.log_of(p.name).count("Exceeded MaxWaiting") for p in r.site.ours())
    if storms:
        raise Broken(f"I8: {storms} pulls were refused for too many waiting")
    r.finish(back=10)
    for agent in agents:
        if agent.stop() != 0:
            raise Broken(agent.tail())
