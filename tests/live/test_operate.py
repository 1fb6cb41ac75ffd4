# SPDX-License-Identifier: Apache-2.0
"""What operators do to tasks: cancel, retry, deadlines, policies; by request and by command, whatever dies meanwhile."""
import json
import os
import shutil
import time

from harness import wait_until
from marks import own_site

SITE = {"task__ack_wait": "1s", "task__shard_bytes": "256KiB", "worker__checkpoint": "50ms", "worker__heartbeat": "500ms",
        "dispatcher__reconcile": "300ms"}
GOOD, BAD = "US0378331005", "US0378331006"
ROWS = 6000  # about 100 KB: one task
SLOW = {"worker__read_limit": "8KiB"}  # and ten seconds of reading


def _write(site, name="trades.csv", rows=ROWS):
    site.write(name, "symbol,isin\n" + "".join(f"S{i},{BAD if i % 97 == 0 else GOOD}\n" for i in range(rows)))


def _file(name="trades.csv", **more):
    return dict({"pack": "identifiers@1.0.0", "source": {"uri": "file:" + name}}, **more)


def _small(**more):
    return dict({"pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]}, **more)


def _messages(site):
    return site.nats.stream("MUSTER_TASKS")["messages"]


def _calm(site):
    """Nothing is queued, held or waited for, and no alarm is up."""
    wait_until(lambda: _messages(site) == 0, 30, "an empty queue")
    wait_until(lambda: site.value("select count(*) from muster.outbox where kind = 'task'") == "0", 30, "an empty outbox")
    assert site.sql("select name, value from report.alert") == []
    assert site.sql("select job_id from report.reconciliation where not balanced") == []
    assert site.value("select min(seq) from report.audit_verify()") == ""


def _checkpointed(site, job):
    return wait_until(lambda: site.nats.kv("muster_state", job), 30, "a checkpoint")


def _report(site, job):
    return site.sql(f"select state, result, reason from report.job_status where job_id = '{job}'")[0]


def _in_log(program, text):
    return text.encode() in open(program.log_path, "rb").read()


# ---- cancel ----

@own_site
def what_is_queued_is_withdrawn(site):
    site.dispatcher()
    site.recorder()
    jobs = [site.submit(_small(id=f"q{i}"))["job_id"] for i in range(3)]
    wait_until(lambda: _messages(site) == 3, what="queued messages")
    answer = site.api("cancel", {"job_id": jobs[0], "reason": "wrong day"})
    assert (answer["ok"], answer["done"], answer["ids"]) == (True, 1, [jobs[0]]), answer
    got = site.cli("cancel", "q1", "--reason", "wrong day")
    assert (got.returncode, got.stdout) == (0, "1 jobs cancelled\n"), got
    wait_until(lambda: _messages(site) == 1, 10, "their messages gone")
    assert _report(site, jobs[1]) == ["cancelled", "cancelled", "operator"]
    assert site.status(jobs[0])["state"] == "cancelled" and site.status(jobs[0])["message"] == "wrong day"
    assert site.cli("cancel", "no-such-key", "--reason", "x").returncode == 3
    assert site.cli("cancel", "q1").returncode == 2, "without a reason"
    again = json.loads(site.cli("-o", "json", "cancel", "q1", "--reason", "twice").stdout)
    assert (again["done"], again["already_done"]) == (0, 1), again
    site.worker("a1")
    assert site.done(jobs[2])["result"] == "pass"
    assert site.sql("select result from muster.late_result") == [], "nobody ran them"
    _calm(site)


@own_site
def a_running_file_stops_within_a_second(site):
    _write(site)
    site.dispatcher()
    site.recorder()
    agent = site.worker("a1", **SLOW)
    job = site.submit(_file())["job_id"]
    _checkpointed(site, job)
    began = time.monotonic()
    assert site.api("cancel", {"job_id": job, "reason": "wrong file"})["done"] == 1
    wait_until(lambda: _in_log(agent, "the job was cancelled"), 10, "its stop")
    took = time.monotonic() - began
    print(f"# stopped {took * 1000:.0f} ms after the request")
    assert took < 1, took
    after = site.submit(_small())["job_id"]
    assert site.done(after)["result"] == "pass", "the agent goes on with others"
    wait_until(lambda: site.nats.kv("muster_state", job) is None, 30, "its checkpoint purged")
    assert _report(site, job) == ["cancelled", "cancelled", "operator"]
    _calm(site)


@own_site
def a_planned_job_is_cancelled_in_its_scans_by_filter(site):
    _write(site, rows=60000)
    site.dispatcher()
    site.recorder()
    planner = site.worker("planner", fail="worker.after_ack=crash")  # it leaves the scans to the slow ones
    job = site.submit(_file(labels={"desk": "fx"}))["job_id"]
    wait_until(lambda: site.value(f"select count(*) from muster.task where job_id = '{job}'") != "0", 60, "a plan")
    planner.ended()
    agents = [site.worker(f"a{i}", worker__read_limit="64KiB") for i in (1, 2)]
    other = site.submit(_small(labels={"desk": "rates"}))["job_id"]
    wait_until(lambda: site.nats.stream("KV_muster_agents")["messages"] >= 2)
    dry = json.loads(site.cli("-o", "json", "cancel", "--filter", "label.desk=fx", "--reason", "x", "--dry-run").stdout)
    assert (dry["matched"], dry["done"]) == (1, 0), dry
    got = site.cli("cancel", "--filter", "label.desk=fx", "--filter", "source=trades", "--reason", "desk closed")
    assert got.stdout == "1 jobs cancelled\n", got
    assert site.done(job)["state"] == "cancelled" and site.done(other)["result"] == "pass"
    _calm(site)
    assert site.value("select count(*) from muster.audit where action = 'cancel' and reason = 'desk closed'") == "1"
    for agent in agents:
        assert agent.stop() == 0


@own_site
def a_result_that_comes_after_the_cancel_is_late(site):
    _write(site, rows=300)
    site.dispatcher()
    site.recorder()
    zombie = site.worker("zombie", fail="worker.before_outcome=stop")
    job = site.submit(_file())["job_id"]
    wait_until(lambda: open(f"/proc/{zombie.pid}/stat").read().split()[2] == "T", what="an agent stopped before its outcome")
    assert site.api("cancel", {"job_id": job, "reason": "too late"})["done"] == 1
    zombie.resume()
    wait_until(lambda: site.value("select count(*) from muster.late_result") != "0", 30, "the late result")
    assert site.sql("select distinct task_id from muster.late_result") == [[job]]
    assert _report(site, job) == ["cancelled", "cancelled", "operator"]
    assert site.sql(f"select result from muster.outcome where task_id = '{job}'") == [["cancelled"]]
    _calm(site)


@own_site
def a_member_of_a_bundle_is_skipped_and_its_companions_run(site):
    site.dispatcher()
    site.recorder()
    lines = "\n".join(json.dumps(_small(id=f"b{i}")) for i in range(10))
    assert site.api("submit", lines)["accepted"] == 10
    wait_until(lambda: _messages(site) == 1, what="one message")
    assert site.api("cancel", {"id": "b3", "reason": "x"})["done"] == 1
    site.worker("a1")
    done = "select result, count(*) from report.job_status where result is not null group by 1 order by 1"
    wait_until(lambda: site.sql(done) == [["cancelled", "1"], ["pass", "9"]], 30, "nine outcomes")
    assert site.sql("select result from muster.late_result") == [], "it was not run"
    _calm(site)


@own_site
def a_dispatcher_killed_while_it_cancels_leaves_nothing_undone(site):
    _write(site)
    site.dispatcher("first").stop()
    site.recorder()
    for point in ("after_cancel", "after_policy"):
        victim = site.dispatcher("victim-" + point, fail=f"dispatcher.{point}=crash")
        running = site.submit(_file())["job_id"]
        agent = site.worker("a-" + point, **SLOW)
        _checkpointed(site, running)
        queued = [site.submit(_file())["job_id"] for _ in range(3)]
        wait_until(lambda: _messages(site) == 4, what="queued messages")
        site.nats.publish("muster.api.cancel", json.dumps({"filter": {"source": "trades"}, "reason": "x"}), reply="_INBOX.x")
        assert victim.ended() == -9
        assert site.value("select count(*) from muster.job where cancelled and not exists (select from muster.outcome o where o.task_id = job_id)") == "0"
        site.dispatcher("heir-" + point)
        wait_until(lambda: _in_log(agent, "the job was cancelled"), 20, "the running task's stop")
        for job in (running, *queued):
            assert _report(site, job) == ["cancelled", "cancelled", "operator"]
        _calm(site)
        assert site.sql("select * from muster.policy where sequence is null") == []
        assert agent.stop() == 0
        for p in site.programs:
            if p.name.startswith("heir"):
                p.stop()


# ---- dead letters ----

@own_site
def a_dead_letter_is_retried_once_its_source_is_there(site):
    site.all(workers=1)
    job = site.submit(_file(id="eod"))["job_id"]
    assert site.done(job)["reason"] == "source_missing"
    assert "source_missing" in site.cli("dead", "ls").stdout
    assert site.cli("-q", "dead", "ls", "--filter", "class=bad_input").stdout == job + "\n"
    assert json.loads(site.cli("-o", "json", "dead", "show", job).stdout)["class"] == "bad_input"
    assert site.cli("dead", "ls", "--filter", "colour=red").returncode == 4
    _write(site)
    assert site.cli("dead", "retry", job, "--reason", "delivered", "--dry-run").stdout == "1 tasks would be retried\n"
    got = site.cli("dead", "retry", job, "--reason", "delivered")
    assert got.stdout == "1 tasks retried\n", got
    status = site.done(job)
    assert (status["state"], status["result"], status["records"], status["tasks"]) == ("completed", "fail", ROWS, 1), status
    again = site.api("retry", {"task_id": job, "reason": "twice"})
    assert again["error"]["code"] == "conflict", again
    assert site.cli("dead", "ls").stdout == "" and site.value("select count(*) from report.dead_letter") == "1"
    assert site.value(f"select count(*) from report.finding where job_id = '{job}'") == str(len(range(0, ROWS, 97)))
    assert site.sql(f"select balanced, records_read from report.reconciliation where job_id = '{job}'") == [["t", str(ROWS)]]
    _calm(site)


@own_site
def a_shard_that_failed_is_retried_and_the_job_is_whole(site):
    _write(site, rows=60000)
    path = os.path.join(site.sources, "trades.csv")
    whole = open(path, "rb").read()
    site.dispatcher()
    site.recorder()
    planner = site.worker("planner", fail="worker.after_ack=crash")  # it plans, and runs no shard
    job = site.submit(_file())["job_id"]
    assert planner.ended() == -9
    wait_until(lambda: site.value(f"select count(*) from muster.task where job_id = '{job}'") != "0", 60, "a plan")
    site.write("trades.csv", whole[:-20])  # for a while it is another file
    agent = site.worker("a1")
    status = site.done(job)
    assert (status["state"], status["reason"]) == ("failed", "incomplete_stage"), status
    dead = site.api("dead", {"job_id": job})["dead"]
    assert dead and {d["reason"] for d in dead} == {"source_changed"}, dead
    site.write("trades.csv", whole)
    answer = site.api("retry", {"job_id": job, "reason": "put back", "rate": 50})
    assert answer["done"] == len(dead), answer
    def completed():
        got = site.status(job)
        return got if got["state"] == "completed" else None
    status = wait_until(completed, 60, "the completed job")
    assert (status["result"], status["records"], status["done"]) == ("fail", 60000, status["tasks"]), status
    assert site.value(f"select count(*) from report.finding where job_id = '{job}'") == str(len(range(0, 60000, 97)))
    assert site.sql(f"select balanced from report.reconciliation where job_id = '{job}'") == [["t"]]
    assert agent.alive()
    _calm(site)


@own_site
def what_waits_for_a_source_goes_on_when_it_is_back(site):
    _write(site)
    root, away = site.sources, site.sources + ".away"
    site.dispatcher()
    site.recorder()
    site.nats.publish_stream("$KV.muster_policy.queue.default", json.dumps({"retry": {"dependency": {"first_ms": 200, "cap_ms": 500}}}))
    wait_until(lambda: site.value("select actor from muster.policy where key = 'queue.default'") == "bucket", 20, "the policy")
    agent = site.worker("a1")
    assert site.done(site.submit(_small())["job_id"])["result"] == "pass"
    os.rename(root, away)
    jobs = [site.submit(_file())["job_id"]]
    wait_until(lambda: site.sql("select source, reason, waiting from report.breaker") == [["trades", "source_down", "1"]], 30, "a breaker")
    os.rename(away, root)
    assert site.done(jobs[0])["result"] == "fail"
    wait_until(lambda: site.sql("select * from report.breaker") == [], 30, "a closed breaker")
    assert site.value("select count(*) from report.dead_letter") == "0" and agent.alive()
    _calm(site)


# ---- deadlines and limits ----

def _soon(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


@own_site
def a_deadline_passes_in_the_queue_and_while_it_runs(site):
    _write(site)
    site.dispatcher()
    site.recorder()
    queued = site.submit(_small(deadline=_soon(2)))["job_id"]
    assert site.done(queued)["reason"] == "deadline"
    wait_until(lambda: _messages(site) == 0, 10, "its message gone")
    agent = site.worker("a1", **SLOW)
    running = site.submit(_file(deadline=_soon(6)))["job_id"]
    wait_until(lambda: running in [t["task_id"] for t in site.nats.kv("muster_agents", "a1")["tasks"]], what="an agent that runs it")
    assert site.done(running)["reason"] == "deadline"
    assert _report(site, running) == ["failed", "error", "deadline"]
    wait_until(lambda: _in_log(agent, "the job was cancelled"), 10, "its stop")
    assert site.sql("select distinct class from report.dead_letter") == [["deadline"]]
    assert agent.stop() == 0
    site.worker("a2")
    assert site.api("retry", {"filter": {"class": "deadline"}, "reason": "late is better"})["done"] == 2
    for job, want in ((queued, "pass"), (running, "fail")):
        wait_until(lambda: site.status(job)["state"] == "completed", 30, "the retried job")
        assert site.status(job)["result"] == want
    _calm(site)


@own_site
def each_limit_has_its_own_reason(site):
    _write(site)
    site.dispatcher()
    site.recorder()
    long = site.worker("long", worker__run_limit="1s", **SLOW)
    job = site.submit(_file())["job_id"]
    assert site.done(job)["reason"] == "run_limit"
    assert long.ended() == 1
    still = site.worker("still", fail="worker.opened=hang", worker__stall_limit="500ms")
    job = site.submit(_file())["job_id"]
    assert site.done(job)["reason"] == "stalled"
    assert still.ended() == 1
    assert site.sql("select reason, class from report.dead_letter order by 1") == [["run_limit", "transient"], ["stalled", "transient"]]
    _calm(site)


# ---- policies ----

def _edit(site, key, value):
    body = value if isinstance(value, str) else json.dumps(value)
    site.nats.publish_stream(f"$KV.muster_policy.{key}", body)


@own_site
def policies_are_edited_in_the_bucket_and_kept_in_the_database(site):
    leader = site.dispatcher()
    good = {"retry": {"transient": {"attempts": 3}}}
    table = lambda: site.sql("select key, value->'retry'->'transient'->>'attempts' from muster.policy order by 1")
    _edit(site, "queue.aml", good)
    wait_until(lambda: table() == [["queue.aml", "3"]], 20, "the edit in force")
    _edit(site, "queue.aml", {"retry": {"transient": {"attempts": "many"}}})
    wait_until(lambda: site.nats.kv("muster_policy", "queue.aml") == good, 20, "what was wrong put back")
    _edit(site, "colour.red", {})
    _edit(site, "job.0192f0c1-7c3a-7000-8000-000000000000", {"v": 1})
    wait_until(lambda: site.nats.kv("muster_policy", "colour.red") is None, 20, "what is no policy purged")
    wait_until(lambda: site.nats.kv("muster_policy", "job.0192f0c1-7c3a-7000-8000-000000000000") is None, 20, "a forged stop purged")
    assert _in_log(leader, "an edit of a policy is not taken") and table() == [["queue.aml", "3"]]
    wait_until(lambda: site.value("select count(*) from muster.outbox where kind = 'event' and published_at is null") == "0")
    site.halt("nats")
    shutil.rmtree(site.dir + "/nats/jetstream")
    site.start("nats")
    wait_until(lambda: site.nats.kv("muster_policy", "queue.aml") == good, 30, "the bucket made equal to the table")
    site.nats.publish_stream("$KV.muster_policy.queue.aml", "", {"KV-Operation": "DEL"})
    wait_until(lambda: table() == [], 20, "what was deleted there gone here")
