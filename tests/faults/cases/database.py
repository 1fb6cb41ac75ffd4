# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL is down, killed, stands still, is full, locks, goes back: cases 12 to 14."""
import json
import os
import subprocess
import threading
import time

from rounds import Broken, case, last, wait_until


def _memory(r):
    return {p.name: r.site.rss(p) for p in r.site.ours()}


def _judge_bounds(r):
    """However much comes: agents stay small, the recorder holds two batches and what they are taken apart to."""
    sizes = {p.name: r.site.rss(p) // 1024 for p in r.site.ours()}
    r.figures["memory"] = ", ".join(f"{name} {size} MiB" for name, size in sorted(sizes.items()))
    large = {name: size for name, size in sizes.items() if size > (64 if name[0] in "af" else 192)}
    if large:
        raise Broken(f"memory in MiB: {large}")


def _judge_memory(r, before):
    grown = {p.name: r.site.rss(p) - before[p.name] for p in r.site.ours() if p.name in before}
    r.figures["largest growth"] = f"{max(grown.values()) / 1024:.0f} MiB"
    if max(grown.values()) > 32 * 1024:
        raise Broken(f"memory grew, in KiB: {grown}")


def _judge_refusals(r):
    a = r.answers
    if not a.refused.get("unavailable"):
        raise Broken(f"nobody was told that the database is away: {a.refused}")
    if a.slowest_refusal > 2:
        raise Broken(f"I6: a refusal took {a.slowest_refusal:.1f} s, wanted 2")


@case(12, "PostgreSQL is killed and stays away for a while", start={"dispatchers": 2, "recorders": 2})
def database_away(r):
    """Submissions by request are refused clearly within two seconds, the intake goes on taking, agents work on, results wait."""
    seconds = (60 if r.number % 5 == 0 else 10) if r.long else 4
    r.begin()
    before = _memory(r)
    r.crash("postgres")
    doors = len(r.load.answers.door)
    settled = _settled(r)
    last(seconds)
    if len(r.load.answers.door) <= doors:
        raise Broken("the intake took nothing while the database was away")
    r.figures["settled by agents meanwhile"] = _settled(r) - settled
    r.site.start("postgres")
    r.over()
    r.figures["away for"] = f"{seconds} s"
    r.finish(back=10, timeout=120)
    _judge_refusals(r)
    _judge_memory(r, before)


def _settled(r):
    """Messages that the agents have acknowledged: the work queue's first sequence moves."""
    return r.site.nats.stream("MUSTER_TASKS")["first_seq"]


@case(12, "PostgreSQL is away for ten minutes of load", short=False, once=True, fresh=True)
def database_away_ten_minutes(r):
    """As above; and no program has grown by more than 32 MiB once everything has landed."""
    r.begin(steady=20, rate=150, files=1)
    before = _memory(r)
    r.crash("postgres")
    last(600)
    r.site.start("postgres")
    r.over()
    r.finish(back=10, timeout=400)
    _judge_refusals(r)
    _judge_memory(r, before)


@case(12, "PostgreSQL is restarted again and again under load", short=False)
def database_restarts(r):
    r.begin()
    for _ in range(6 if r.long else 2):
        if r.rng.random() < 0.5:
            r.crash("postgres")
        else:
            r.fault()
            r.site.halt("postgres")
        r.site.start("postgres")
        r.over()
        last(r.rng.uniform(0.5, 1.5))
    r.finish(back=10)


@case(12, "PostgreSQL stands still: its connections stay open and nobody answers", short=False)
def database_stopped(r):
    """All of its processes are stopped; who submits is refused in time all the same."""
    r.begin()
    r.fault()
    pids = _tree(r.site.pids["postgres"], r.site)
    for pid in pids:
        os.kill(pid, 19)
    last(8 if r.long else 4)
    for pid in pids:
        os.kill(pid, 18)
    r.over()
    r.finish(timeout=120)
    r.figures["unanswered"] = r.answers.unanswered


def _tree(pid, site):
    """The postmaster of now and its children."""
    with open(os.path.join(site.database, "postmaster.pid")) as f:
        pid = int(f.readline())
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [pid, *map(int, f.read().split())]


@case(13, "PostgreSQL comes back at an older state", fresh=True, short=False)
def database_older(r):
    """A base backup is put back while everything runs: what MUSTER_RESULTS and MUSTER_INTAKE hold is recorded again. What was
    submitted by request after the backup is unknown to the database, and comes back by `muster db resubmit`."""
    r.begin()
    backup = r.site.base_backup()
    last(2)
    r.load.pause_requests()
    last(1)
    known = int(r.site.value(f"select count(*) from muster.request where split_part(key, '-', 1) = '{r.tag}'"))
    r.fault()
    r.site.put_database_back(backup)
    r.over()
    left = int(r.site.value(f"select count(*) from muster.request where split_part(key, '-', 1) = '{r.tag}'"))
    r.figures["jobs forgotten"] = known - left
    wait_until(lambda: r.site.api("ping", {})["ok"], 30, "a dispatcher")
    wait_until(lambda: r.site.nats.stream("MUSTER_TASKS")["messages"] == 0 and r.site.caught_up(), 60, "an empty queue, all of it recorded")
    got = wait_until(lambda: (lambda c: c if c.returncode == 0 else None)(r.site.cli("db", "resubmit", "-o", "json")), 60, "muster db resubmit")
    r.load.resume_requests()
    r.figures["resubmitted"] = " ".join(f"{name} {json.loads(got.stdout)[name]}" for name in ("known", "missing", "replaced", "replayed"))
    r.finish(timeout=120)


@case(14, "a session holds locks on the tables; sessions are ended; statements are cancelled")
def database_locks(r):
    """Lock waits, deadlocks, terminated and cancelled sessions: tried again, nothing acknowledged before its COMMIT."""
    r.begin()
    r.fault()
    for _ in range(4 if r.long else 2):
        deed = r.rng.choice(["lock", "terminate", "cancel", "deadlock"])
        if deed == "lock":
            table = r.rng.choice(["outcome", "job", "outbox", "audit", "recorder_position"])
            r.site.sql(f"begin; lock table muster.{table} in access exclusive mode; select pg_sleep({r.rng.choice([1, 3])}); commit")
        elif deed == "terminate":
            for _ in range(5):
                r.site.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'muster-%' and random() < 0.5")
                last(0.3)
        elif deed == "cancel":
            for _ in range(20):
                r.site.sql("select pg_cancel_backend(pid) from pg_stat_activity where application_name like 'muster-%' and state = 'active'")
                last(0.05)
        else:
            _deadlock(r)
        last(0.5)
    r.over()
    r.finish(timeout=120, back=10)


def _deadlock(r):
    """A second session takes locks in the wrong order for a while: one of the two is chosen as the victim."""
    def cross():
        subprocess.run(["psql", r.site.conninfo, "-Xqc", "set deadlock_timeout = '100ms'", "-c",
                        "begin; lock table muster.recorder_position in exclusive mode; select pg_sleep(0.3); "
                        "lock table muster.outcome in exclusive mode; rollback"], capture_output=True, check=False)
    threads = [threading.Thread(target=cross) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


@case(14, "the database's disk is full, and freed later", fresh=True, short=False)
def database_disk_full(r):
    folder = r.site.small_disk("postgres", 400)
    r.begin()
    r.fault()
    ballast = r.site.fill_disk(folder)
    last(6 if r.long else 3)
    os.unlink(ballast)
    if r.site.database_is_down():
        r.site.start_again("postgres")
        r.figures["database"] = "had stopped itself"
    r.over()
    r.finish(timeout=120)


@case(14, "the partition of this quarter is missing: rows go to the default one, and an alert is raised", fresh=True, short=False)
def database_without_partition(r):
    """Nothing blocks a batch; muster.maintain() of the leader moves the rows when it makes the partition."""
    r.fault()
    parents = {"job": "job_id", "task": "task_id", "outcome": "task_id", "tally": "tally_id", "finding": "finding_id"}
    quarter = r.site.value("select to_char(now() at time zone 'UTC', 'YYYY\"q\"Q')")
    r.site.sql("; ".join(f"alter table muster.{t} detach partition muster.{t}_{quarter}; alter table muster.{t}_{quarter} rename to kept_{t}" for t in parents))
    r.begin()
    outside = int(r.site.value("select value from muster.counts() where name = 'default_rows'"))
    if not outside or not r.site.sql("select 1 from report.alert where name = 'default_rows'"):
        raise Broken("rows outside all partitions raise no alert")
    r.figures["rows outside"] = outside
    r.load.pause_requests()
    last(0.5)
    wait_until(lambda: r.site.attempt("select muster.maintain()"), 30, "the partitions")
    # the rows of before, which the case had taken away, come back too
    for t in parents:
        r.site.sql(f"insert into muster.{t} select * from muster.kept_{t} on conflict do nothing; drop table muster.kept_{t}")
    r.load.resume_requests()
    r.over()
    r.finish()


@case(23, "the same keys at once, later, after restarts, with another body", start={"dispatchers": 2})
def duplicates(r):
    """The same job and `duplicate`: true; another body under the key is refused."""
    import json
    from natsclient import Nats
    from workload import BAD, GOOD, PACK
    r.begin()
    jobs = [{"id": f"{r.tag}-good-{900000 + i}", "pack": PACK, "records": [{"isin": GOOD}]} for i in range(30 if r.long else 10)]
    answers = []

    def submit_all(order):
        with Nats(r.site.url) as nats:
            for job in order:
                answers.append((job["id"], nats.request("muster.api.submit", json.dumps(job), timeout=10).json()))
    threads = [threading.Thread(target=submit_all, args=(r.rng.sample(jobs, len(jobs)),)) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    ids = {}
    fresh = 0
    for key, answer in answers:
        assert answer["ok"], answer
        ids.setdefault(key, set()).add(answer["job_id"])
        fresh += not answer["duplicate"]
    if any(len(found) != 1 for found in ids.values()) or fresh != len(jobs):
        raise Broken(f"I2: {fresh} of {len(answers)} answers were no duplicates for {len(jobs)} keys; ids per key: {set(map(len, ids.values()))}")
    r.kill(r.site.named("d1"))
    r.site.restart("nats", kill=True)
    r.site.ensure(dispatchers=2)
    for job in jobs:
        again = wait_until(lambda j=job: _try(r, "submit", j), 20, "an answer")
        if again["job_id"] not in ids[job["id"]] or not again["duplicate"]:
            raise Broken(f"I2: after restarts key {job['id']} is another job: {again}")
        other = r.site.api("submit", dict(job, records=[{"isin": BAD}]))
        if other.get("error", {}).get("code") != "conflict":
            raise Broken(f"I6: another body under a known key was answered {other}")
        r.site.nats.publish_stream("muster.intake", json.dumps(job), {"Nats-Msg-Id": job["id"]})
    r.load.answers.acknowledged.update({job["id"]: "good" for job in jobs})
    r.finish()


def _try(r, verb, body):
    try:
        return r.site.api(verb, body, timeout=2)
    except (TimeoutError, OSError, RuntimeError):
        r.site._forget_nats()
        return None


@case(18, "the recorder is slow", fresh=True, short=False)
def recorder_slow(r):
    """Results wait in the stream, nobody's memory grows; all is recorded in the end."""
    r.site.named("r1").stop()
    r.site.recorder("slow", fail="recorder.before_commit=delay:1500")
    r.begin(rate=300, files=2)
    r.fault()
    last(8 if r.long else 4)
    r.site.named("slow").stop(20)
    r.over()
    r.finish(timeout=120)
    _judge_bounds(r)


@case(18, "a hundred thousand findings of one file", short=False)
def huge_results(r):
    """Batches are split below max_payload, memory stays bounded, every finding is stored."""
    rows = 100000 if r.long else 20000
    r.site.write("huge.csv", "symbol,isin\n" + "".join(f"S{i},US03783310{i % 7}X\n" for i in range(rows)))
    r.begin(rate=20, files=0.2)
    r.fault()
    r.site.named("a1").stop()
    r.site.worker("fast", worker__read_limit="0")
    began = time.monotonic()
    job = r.site.submit({"pack": "identifiers@1.0.0", "source": {"uri": "file:huge.csv"}})["job_id"]
    status = r.site.done(job, 240)
    r.figures["findings"] = f"{status['findings']:,} in {time.monotonic() - began:.1f} s"
    if status["result"] != "fail" or status["findings"] != rows:
        raise Broken(f"I10: {status}")
    r.site.named("fast").stop()
    r.over()
    r.finish(timeout=120)
    _judge_bounds(r)
