# SPDX-License-Identifier: Apache-2.0
"""What operators are promised: dead letters and their retry, cancelling, deadlines, breakers, policies."""
import json

from calls import Job, Stream, accept, array, derive, literal, plan_of, sha, tasks_of

ZERO = "00000000-0000-0000-0000-000000000000"
ERROR = dict(result="error", reason="source_missing", message="there is no such file", rules=[], records=0, input_digest=None)
TEN = [{"rule": "ISIN", "severity": "high", "pass": 10}]


def _ask(world, verb, **request):
    function = {"retry": "muster.retry_by_hand({}, 'test')", "dead": "muster.dead_letters({})"}[verb]
    return json.loads(world.db.one("select " + function.format(literal(json.dumps(request)))))


def _cancel(world, **request):
    """The answer, and the queue messages that nobody needs any more."""
    rows = world.db.rows(f"select * from muster.cancel({literal(json.dumps(dict({'reason': 'wrong file'}, **request)))}, 'test')")
    return json.loads(rows[0][0]), [r[1:] for r in rows[1:]]


def _deadlines(world):
    return world.db.rows("select * from muster.deadlines_due(100)")


def _status(world, job):
    return json.loads(world.db.one(f"select muster.job_status('{job.id}', null)"))


def _report(world, job):
    return world.db.rows(f"select state, result, reason, tasks, tasks_done, records from report.job_status where job_id = '{job.id}'")[0]


def _planned(world, shards=3, **more):
    job, stream = accept(world.db, Job(stage="plan", **more)), Stream()
    stream.record(world.db, [stream.outcome(job, result="planned", rules=[], records=0, input_digest=sha("whole"), plan=plan_of(shards))])
    return job, stream


def _published(world, created="c1"):
    world.db.rows(f"select muster.outbox_published(array_agg(ride_id), array_agg(n), '{created}', array_agg(7::bigint)) from muster.outbox")


def _events(world, what):
    return [e for (b,) in world.db.rows(f"select bytes from muster.outbox where subject = 'muster.event.{what}'")
            for e in json.loads(bytes.fromhex(b[2:]))["events"]]


class Retried:
    """A task that a retry made, as a worker knows it."""

    def __init__(self, world, task):
        row = world.db.rows(f"select task_id, job_id, queue, body, n from muster.task where retry_of = '{task.id}'")[0]
        self.id, self.job, self.queue, self.n = row[0], row[1], row[2], int(row[4])
        self.body = bytes.fromhex(row[3][2:])
        self.digest = sha(self.body)


# ---- classes and dead letters ----

def every_failure_has_a_class(world):
    cases = {("exhausted", "retries"): "transient", ("error", "stalled"): "transient", ("error", "run_limit"): "transient",
             ("exhausted", "unrecordable"): "transient", ("error", "source_missing"): "bad_input", ("error", "source_changed"): "bad_input",
             ("error", "limit_fields"): "bad_input", ("error", "too_large"): "bad_input", ("rejected", "unknown_format"): "bad_input",
             ("error", ""): "bad_input", ("rejected", "bad_task"): "bad_configuration", ("rejected", "path_refused"): "bad_configuration",
             ("error", "list_unreadable"): "bad_configuration", ("exhausted", "crashed"): "crash", ("error", "deadline"): "deadline",
             ("error", "incomplete_stage"): "incomplete_stage", ("error", "source_down"): "dependency",
             ("error", "list_missing"): "dependency", ("pass", None): None, ("cancelled", "operator"): None}
    got = {c: world.db.one(f"select muster.failure_class({literal(c[0])}, {literal(c[1])})") for c in cases}
    assert got == cases, got


def a_task_that_ended_without_a_verdict_is_a_dead_letter(world):
    jobs, stream = accept(world.db, *[Job(key=f"k{i}", labels='{"desk":"fx"}') for i in range(4)]), Stream()
    stream.record(world.db, [stream.outcome(jobs[0]), stream.outcome(jobs[1], **ERROR),
                             stream.outcome(jobs[2], **dict(ERROR, result="rejected", reason="path_refused"))])
    world.db.rows(f"select muster.end_task('{jobs[3].id}', 'exhausted', 'retries', 'eight times')")
    assert world.db.rows("select job_key, class, result, reason, message, source, queue, attempt, agent, retried_by from report.dead_letter order by 1") == [
        ["k1", "bad_input", "error", "source_missing", "there is no such file", "trades", "default", "1", "a1", None],
        ["k2", "bad_configuration", "rejected", "path_refused", "there is no such file", "trades", "default", "1", "a1", None],
        ["k3", "transient", "exhausted", "retries", "eight times", "trades", "default", "1", None, None]]
    dead = lambda **q: sorted(d["job_key"] for d in _ask(world, "dead", **q)["dead"])
    assert dead() == ["k1", "k2", "k3"]
    assert dead(filter={"class": "transient"}) == ["k3"] and dead(filter={"result": "rejected"}) == ["k2"]
    assert dead(filter={"reason": "source_missing", "label": {"desk": "fx"}}) == ["k1"]
    assert dead(filter={"label": {"desk": "rates"}}) == [] and dead(filter={"queue": "aml"}) == []
    assert dead(filter={"pack": "identifiers"}) == dead(filter={"pack": "identifiers@1"}) == dead(filter={"pack": "identifiers@1.0.0"}) == dead()
    assert dead(filter={"pack": "ident"}) == [] and dead(filter={"submitted_before": "2020-01-01T00:00:00Z"}) == []
    assert dead(filter={"submitted_after": "2020-01-01T00:00:00Z"}) == dead() and dead(job_id=jobs[2].id) == ["k2"]
    first = _ask(world, "dead", limit=2)
    assert first["more"] and len(first["dead"]) == 2
    rest = _ask(world, "dead", limit=2, after=first["dead"][-1]["task_id"])
    assert not rest["more"] and sorted(d["job_key"] for d in first["dead"] + rest["dead"]) == dead()
    assert _ask(world, "dead", task_id=jobs[0].id)["error"]["code"] == "not_found"


# ---- retry by hand ----

def a_retry_is_a_new_task_of_the_same_job_with_the_same_pins(world):
    job, stream = Job(), Stream()
    document = json.loads(job.body)
    del document["job_id"], document["attempt"]  # as the dispatcher writes a first task
    job.body = json.dumps(document, separators=(",", ":")).encode()
    job.digest = sha(job.body)
    accept(world.db, job)
    stream.record(world.db, [stream.outcome(job, **ERROR)])
    answer = _ask(world, "retry", task_id=job.id, reason="the file is there now")
    task = Retried(world, job)
    assert (answer["ok"], answer["matched"], answer["done"], answer["ids"]) == (True, 1, 1, [task.id])
    assert task.id == derive(job.id, job.id, "", "scan", "", "2")
    assert json.loads(task.body) == dict(document, task_id=task.id, job_id=job.id)
    ride = bytes.fromhex(world.db.one(f"select bytes from muster.outbox where ride_id = '{task.id}'")[2:])
    assert ride == (f'{{"v":1,"ride_id":"{task.id}","n":1,"queue":"default","priority":"normal","terms":'.encode() + job.terms
                    + b',"tasks":[' + task.body + b"]}")
    assert world.db.rows("select attempt, n, retry_of from muster.task") == [["2", "1", job.id]]
    assert [(e["job_id"], e["task_id"], e["retry_of"]) for e in _events(world, "job.retried")] == [(job.id, task.id, job.id)]
    assert world.db.rows("select actor, action, reason from muster.audit order by seq desc limit 1") == [["test", "retry", "the file is there now"]]
    assert world.db.one("select min(seq) from report.audit_verify()") is None


def a_job_of_one_task_counts_its_retry_and_not_what_it_replaced(world):
    job, stream = accept(world.db, Job()), Stream()
    error = [{"rule": "ISIN", "severity": "high", "error": 1}]
    stream.record(world.db, [stream.outcome(job, result="error", rules=error, records=1)])
    assert world.db.rows("select status, error from report.check_result") == [["error", "1"]]
    _ask(world, "retry", job_id=job.id, reason="again")
    assert world.db.rows("select status from report.check_result") == []
    assert (_status(world, job)["state"], _status(world, job)["tasks"], _status(world, job)["done"]) == ("queued", 1, 0)
    assert _report(world, job) == ["queued", None, None, "1", "0", "0"]
    task = Retried(world, job)
    assert stream.record(world.db, [stream.outcome(task, records=1)]) == {"outcomes": 1, "finished": 1}
    status = _status(world, job)
    assert (status["state"], status["result"], status["tasks"], status["done"], status["records"]) == ("completed", "pass", 1, 1, 1)
    assert _report(world, job) == ["completed", "pass", None, "1", "1", "1"]
    assert world.db.rows("select status, pass, error from report.check_result") == [["pass", "1", "0"]]
    assert world.db.rows("select balanced, records_read, tasks_done from report.reconciliation") == [["t", "1", "1"]]
    assert world.db.rows("select result from muster.outcome order by result") == [["error"], ["pass"]], "the old one stays"
    assert world.db.rows("select retried_by from report.dead_letter") == [[task.id]]
    assert world.db.one("select muster.recount_stages()") == "0"
    assert [(e["job_id"], e["result"]) for e in _events(world, "job.completed")] == [(job.id, "pass")]


def a_chain_of_retries_ends_with_the_last(world):
    job, stream = accept(world.db, Job()), Stream()
    stream.record(world.db, [stream.outcome(job, **ERROR)])
    last = job
    for attempt in range(2, 5):
        assert _ask(world, "retry", task_id=last.id, reason="again")["done"] == 1
        again = _ask(world, "retry", task_id=last.id, reason="again")
        assert again["error"]["code"] == "conflict" and "retried already" in again["error"]["message"], again
        last = Retried(world, last)
        assert world.db.one(f"select attempt from muster.task where task_id = '{last.id}'") == str(attempt)
        if attempt < 4:
            stream.record(world.db, [stream.outcome(last, **dict(ERROR, reason="source_changed"))])
            assert _report(world, job) == ["failed", "error", "source_changed", "1", "1", "0"]
            assert (_status(world, job)["state"], _status(world, job)["reason"]) == ("failed", "source_changed")
            assert world.db.rows("select task_id from report.dead_letter where retried_by is null") == [[last.id]]
    stream.record(world.db, [stream.outcome(last, records=1)])
    assert _report(world, job) == ["completed", "pass", None, "1", "1", "1"]
    assert world.db.rows("select task_id from report.dead_letter where retried_by is null") == []
    assert world.db.rows("select balanced from report.reconciliation") == [["t"]]


def a_plan_that_failed_is_planned_again(world):
    job, stream = accept(world.db, Job(stage="plan")), Stream()
    stream.record(world.db, [stream.outcome(job, **ERROR)])
    _ask(world, "retry", id=None, job_id=job.id, reason="again")
    task = Retried(world, job)
    plan = plan_of(2)
    got = stream.record(world.db, [stream.outcome(task, result="planned", rules=[], records=0, input_digest=sha("whole"), plan=plan)])
    assert got == {"outcomes": 1, "planned": 1}
    scans = [t for t in tasks_of(world.db, job) if t.id != task.id]
    assert [t.id for t in scans] == [derive(job.id, task.id, plan["digest"], "scan", str(i), "1") for i in range(2)]
    assert _report(world, job)[:5] == ["running", None, None, "3", "1"]
    assert stream.record(world.db, [stream.outcome(t, records=10, rules=TEN) for t in scans]) == {"outcomes": 2, "finished": 1}
    assert _report(world, job) == ["completed", "pass", None, "3", "3", "20"]
    assert world.db.rows("select balanced, records_planned from report.reconciliation") == [["t", "20"]]
    assert world.db.one("select muster.recount_stages()") == "0"


def a_plan_that_failed_may_be_a_small_file_now(world):
    job, stream = accept(world.db, Job(stage="plan")), Stream()
    stream.record(world.db, [stream.outcome(job, **ERROR)])
    _ask(world, "retry", job_id=job.id, reason="again")
    stream.record(world.db, [stream.outcome(Retried(world, job), records=1)])
    assert _report(world, job) == ["completed", "pass", None, "1", "1", "1"]
    assert world.db.rows("select balanced from report.reconciliation") == [["t"]]


def a_shard_is_retried_as_that_shard(world):
    job, stream = _planned(world)
    tasks = tasks_of(world.db, job)
    bad = [{"rule": "ISIN", "severity": "high", "fail": 3}]
    stream.record(world.db, [stream.outcome(t, records=10, rules=TEN) for t in tasks[:2]]
                  + [stream.outcome(tasks[2], result="error", reason="source_changed", rules=bad, records=3)])
    assert _report(world, job) == ["failed", "error", "incomplete_stage", "4", "4", "23"]
    assert _ask(world, "retry", filter={"reason": "source_changed"}, reason="put back")["done"] == 1
    task = Retried(world, tasks[2])
    old, new = json.loads(tasks[2].body), json.loads(task.body)
    assert new == dict(old, task_id=task.id) and task.body == json.dumps(new, separators=(",", ":")).encode(), "no key twice"
    assert task.id == derive(job.id, job.id, plan_of(3)["digest"], "scan", "2", "2")
    assert world.db.rows("select done, bad, finished_at, result from muster.job_progress") == [["2", "0", None, None]]
    assert _report(world, job) == ["running", None, None, "4", "3", "20"]
    assert stream.record(world.db, [stream.outcome(task, records=10, rules=TEN)]) == {"outcomes": 1, "finished": 1}
    assert _report(world, job) == ["completed", "pass", None, "4", "4", "30"]
    assert (_status(world, job)["records"], _status(world, job)["done"]) == (30, 4)
    assert world.db.rows("select rule, pass, fail from report.check_result") == [["ISIN", "30", "0"]]
    assert world.db.rows("select balanced, records_read from report.reconciliation") == [["t", "30"]]
    world.db.rows("update muster.job_progress set done = 1, finished_at = null, result = null")
    assert world.db.one("select muster.recount_stages()") == "1" and _report(world, job)[1] == "pass"


def a_shard_is_retried_while_others_run(world):
    job, stream = _planned(world)
    tasks = tasks_of(world.db, job)
    stream.record(world.db, [stream.outcome(tasks[0], result="error", reason="run_limit", rules=[], records=0)])
    _ask(world, "retry", task_id=tasks[0].id, reason="more time")
    stream.record(world.db, [stream.outcome(Retried(world, tasks[0]), records=10, rules=TEN)])
    assert stream.record(world.db, [stream.outcome(t, records=10, rules=TEN) for t in tasks[1:]]) == {"outcomes": 2, "finished": 1}
    assert _report(world, job) == ["completed", "pass", None, "4", "4", "30"]


def findings_of_what_was_replaced_are_not_reported(world):
    job, stream = accept(world.db, Job()), Stream()
    stream.record(world.db, [stream.outcome(job, **dict(ERROR, reason="source_changed"))], [stream.finding(job, 3)])
    _ask(world, "retry", job_id=job.id, reason="again")
    task = Retried(world, job)
    stream.record(world.db, [stream.outcome(task, result="fail", findings=1, records=1, rules=[{"rule": "ISIN", "severity": "high", "fail": 1}])],
                  [stream.finding(task, 5)])
    assert world.db.rows("select task_id, record_no, is_partial from report.finding") == [[task.id, "5", "f"]]
    assert world.db.rows("select balanced, findings_stored from report.reconciliation") == [["t", "1"]]


def a_late_message_of_the_old_task_does_not_reach_the_new_one(world):
    job, stream = accept(world.db, Job()), Stream()
    stream.record(world.db, [stream.outcome(job, **dict(ERROR, reason="stalled"))])
    _ask(world, "retry", job_id=job.id, reason="again")
    assert stream.record(world.db, [stream.outcome(job)]) == {"late": 1}
    assert _report(world, job)[0] == "queued"


def a_dry_run_changes_nothing(world):
    jobs, stream = accept(world.db, Job(), Job()), Stream()
    stream.record(world.db, [stream.outcome(jobs[0], **ERROR)])
    before = world.db.one("select count(*) from muster.audit")
    answer = _ask(world, "retry", filter={"queue": "default"}, reason="again", dry_run=True)
    assert (answer["matched"], answer["done"], answer["ids"]) == (1, 0, [jobs[0].id])
    assert _cancel(world, filter={"queue": "default"}, dry_run=True)[0]["matched"] == 1
    assert world.db.one("select count(*) from muster.task") == "0" and world.db.one("select count(*) from muster.audit") == before
    assert _status(world, jobs[1])["state"] == "queued"


def retries_at_a_rate_are_spread_over_time(world):
    jobs, stream = accept(world.db, *[Job() for _ in range(5)]), Stream()
    stream.record(world.db, [stream.outcome(j, **ERROR) for j in jobs])
    assert _ask(world, "retry", filter={"class": "bad_input"}, reason="again", rate=2)["done"] == 5
    assert world.db.rows("select round(extract(epoch from next_at - now() + now() - created_at) * 10) from muster.retry order by next_at") == \
        [["0"], ["5"], ["10"], ["15"], ["20"]]
    assert world.db.one("select count(*) from muster.outbox where kind = 'task'") == "0"
    more = accept(world.db, Job())
    stream.record(world.db, [stream.outcome(more, **ERROR)])
    assert _ask(world, "retry", job_id=more.id, reason="again", rate=2)["done"] == 1
    assert world.db.one("select round(extract(epoch from max(next_at) - min(next_at)) * 10) from muster.retry") == "25", "behind the others"
    _cancel(world, job_id=more.id)
    world.db.rows("update muster.retry set next_at = now() + interval '1 hour' where next_at > (select min(next_at) from muster.retry)")
    assert world.db.one("select muster.retry_due(10)") == "1"
    assert world.db.rows("select n, message_id = ride_id || ':1' from muster.outbox where kind = 'task'") == [["1", "t"]]
    world.db.rows("update muster.retry set next_at = now() where next_at < 'infinity'")
    assert world.db.one("select muster.retry_due(10)") == "4"
    assert stream.record(world.db, [stream.outcome(Retried(world, j)) for j in jobs]) == {"outcomes": 5, "finished": 5}
    assert world.db.one("select count(*) from muster.retry") == "0"


def what_an_operator_or_a_policy_puts_off_for_long_is_not_taken_for_a_clock_set_back(world):
    jobs, waits, stream = accept(world.db, *[Job() for _ in range(2)]), accept(world.db, Job(queue="aml")), Stream()
    world.db.rows("select muster.policy_seen('queue.aml', '{\"retry\":{\"transient\":{\"first_ms\":7200000,\"cap_ms\":7200000}}}', true, true, 1)")
    stream.record(world.db, [stream.outcome(j, **ERROR) for j in jobs],
                  deferred=[{"task": waits.id, "n": 1, "class": "transient", "reason": "odd", "message": "x"}])
    _ask(world, "retry", filter={"class": "bad_input"}, reason="slowly", rate=0.001)
    assert world.db.one("select count(*) from muster.retry where next_at > now() + interval '11 minutes'") == "2"
    assert world.db.one("select muster.retry_due(10)") == "1", "only the first of the slow ones"
    world.db.rows("update muster.retry set next_at = next_at + interval '1 day', created_at = created_at + interval '1 day' where next_at < 'infinity'")
    assert world.db.one("select muster.retry_due(10)") == "2", "as after the clock was set back a day"


def a_probe_that_the_clock_has_moved_away_is_made(world):
    job, stream = accept(world.db, Job()), Stream()
    _defer(world, stream, job)
    world.db.rows("update muster.breaker set probe_at = probe_at + interval '1 day'")
    world.db.rows("select muster.retry_due(10)")
    assert world.db.rows("select count(*) from muster.retry where next_at = 'infinity'") == [["1"]]


def what_is_no_dead_letter_is_not_retried(world):
    job, stream = accept(world.db, Job()), Stream()
    assert _ask(world, "retry", task_id=job.id, reason="x")["error"]["code"] == "conflict"
    stream.record(world.db, [stream.outcome(job)])
    assert _ask(world, "retry", task_id=job.id, reason="x")["error"]["code"] == "conflict"
    assert _ask(world, "retry", task_id=Job().id, reason="x")["error"]["code"] == "not_found"
    assert _ask(world, "retry", job_id=Job().id, reason="x")["error"]["code"] == "not_found"
    assert _ask(world, "retry", id="no such key", reason="x")["error"] == \
        {"code": "not_found", "message": "there is no such job", "pointer": "/id"}
    assert _ask(world, "retry", job_id=job.id, reason="x")["matched"] == 0


def a_retry_in_a_cancelled_job_is_refused(world):
    job, stream = _planned(world)
    tasks = tasks_of(world.db, job)
    stream.record(world.db, [stream.outcome(tasks[0], **ERROR)])
    _cancel(world, job_id=job.id)
    assert _ask(world, "retry", task_id=tasks[0].id, reason="x")["error"]["code"] == "conflict"
    answer = _ask(world, "retry", job_id=job.id, reason="x")
    assert (answer["matched"], answer["done"], answer["refused"]) == (1, 0, 1)
    assert _ask(world, "retry", filter={"queue": "default"}, reason="x")["matched"] == 0
    assert len(_ask(world, "dead", filter={"queue": "default"})["dead"]) == 1


# ---- cancel ----

def a_cancelled_job_of_one_task_is_done(world):
    job, stream = accept(world.db, Job(key="eod")), Stream()
    world.db.rows(f"select muster.claim_keys(array['eod'], array['{job.id}']::uuid[], array[sha256('x')])")
    _published(world)
    answer, rides = _cancel(world, id="eod", actor="anna")
    assert (answer["matched"], answer["done"], answer["already_done"], answer["ids"]) == (1, 1, 0, [job.id])
    assert rides == [[job.id, "1", job.subject(), "7", "c1"]]
    assert world.db.rows("select result, reason, message from muster.outcome") == [["cancelled", "operator", "wrong file"]]
    assert _report(world, job)[:3] == ["cancelled", "cancelled", "operator"]
    assert [(e["job_id"], e["result"], e["type"]) for e in _events(world, "job.cancelled")] == \
        [(job.id, "cancelled", "io.muster.event.v1.job_cancelled")]
    assert world.db.rows("select actor, action, reason from muster.audit order by seq desc limit 1") == [["anna", "cancel", "wrong file"]]
    assert stream.record(world.db, [stream.outcome(job)]) == {"late": 1}
    assert world.db.rows("select result from muster.outcome") == [["cancelled"]]


def cancelling_twice_is_once(world):
    job, stream = accept(world.db, Job()), Stream()
    _cancel(world, job_id=job.id)
    before = world.db.one("select count(*) from muster.audit")
    answer, _ = _cancel(world, job_id=job.id)
    assert (answer["done"], answer["already_done"]) == (0, 1)
    done = accept(world.db, Job())
    stream.record(world.db, [stream.outcome(done)])
    answer, rides = _cancel(world, job_id=done.id)
    assert (answer["ok"], answer["done"], answer["already_done"], rides) == (True, 0, 1, [])
    assert _status(world, done)["state"] == "completed"
    assert int(world.db.one("select count(*) from muster.audit")) == int(before) + 2, "accept and record of the second job"
    assert _cancel(world, job_id=Job().id)[0]["error"]["code"] == "not_found"


def a_plan_that_comes_after_the_cancel_makes_nothing(world):
    job, stream = accept(world.db, Job(stage="plan")), Stream()
    _cancel(world, job_id=job.id)
    planned = stream.outcome(job, result="planned", rules=[], records=0, input_digest=sha("whole"), plan=plan_of(3))
    assert stream.record(world.db, [planned]) == {"late": 1}
    assert tasks_of(world.db, job) == [] and _report(world, job)[:2] == ["cancelled", "cancelled"]


def a_job_in_its_scans_is_cancelled_whole(world):
    job, stream = _planned(world)
    _published(world)
    tasks = tasks_of(world.db, job)
    stream.record(world.db, [stream.outcome(tasks[0], records=10, rules=TEN)])
    answer, rides = _cancel(world, job_id=job.id)
    assert answer["done"] == 1 and sorted(r[0] for r in rides) == sorted(t.id for t in tasks[1:])
    assert world.db.rows("select done, expected, result, reason from muster.job_progress") == [["3", "3", "cancelled", "operator"]]
    assert _report(world, job) == ["cancelled", "cancelled", "operator", "4", "4", "10"]
    assert len(_events(world, "job.cancelled")) == 1
    assert stream.record(world.db, [stream.outcome(t, records=10, rules=TEN) for t in tasks[1:]]) == {"late": 2}
    assert world.db.rows("select balanced from report.reconciliation") == [["t"]]


def a_retried_job_can_be_cancelled(world):
    job, stream = accept(world.db, Job()), Stream()
    stream.record(world.db, [stream.outcome(job, **ERROR)])
    _ask(world, "retry", job_id=job.id, reason="again", rate=1)
    assert _cancel(world, filter={"source": "trades"})[0]["done"] == 1
    assert _report(world, job)[:2] == ["cancelled", "cancelled"]
    assert world.db.one("select muster.retry_due(10)") == "0" and world.db.one("select count(*) from muster.retry") == "0"


def what_was_not_published_yet_never_is(world):
    job, young = accept(world.db, Job()), accept(world.db, Job())
    world.db.rows(f"update muster.outbox set created_at = now() - interval '11 seconds' where ride_id = '{job.id}'")
    assert _cancel(world, filter={"queue": "default"})[1] == []
    assert world.db.rows("select ride_id from muster.outbox where kind = 'task'") == [[young.id]], "this one may be on its way"


def a_member_of_a_bundle_is_cancelled_and_the_others_run(world):
    jobs, stream, bundle = [Job() for _ in range(3)], Stream(), Job().id
    accept(world.db, *jobs, bundle=bundle)
    _published(world)
    assert _cancel(world, job_id=jobs[1].id)[1] == [], "the message is needed"
    assert world.db.rows("select key, value from muster.policy") == \
        [["job." + jobs[1].id, '{"v": 1, "stop": "cancelled", "reason": "operator"}']], "agents skip it"
    assert stream.record(world.db, [stream.outcome(jobs[i], ride=bundle) for i in (0, 2)]) == {"outcomes": 2, "finished": 2}
    assert world.db.rows("select ride_id from muster.outbox where kind = 'task'") == []
    more, other = [Job() for _ in range(2)], Job().id
    accept(world.db, *more, bundle=other)
    _published(world)
    _cancel(world, job_id=more[0].id)
    assert [r[0] for r in _cancel(world, job_id=more[1].id)[1]] == [other], "and now nobody needs it"


def a_filter_cancels_what_is_open_and_matches(world):
    fx, rates = Job(labels='{"desk":"fx"}'), Job(labels='{"desk":"rates"}')
    done, aml, staged, waiting = Job(labels='{"desk":"fx"}'), Job(queue="aml"), Job(stage="plan"), Job()
    stream = Stream()
    for job in (fx, rates, done, aml, staged, waiting):
        accept(world.db, job)
    stream.record(world.db, [stream.outcome(done), stream.outcome(staged, result="planned", rules=[], records=0, input_digest=sha("whole"), plan=plan_of(2))],
                  deferred=[{"task": waiting.id, "n": 1, "class": "dependency", "reason": "list_missing", "message": "y"}])
    dry = lambda **f: sorted(_cancel(world, filter=f, dry_run=True)[0]["ids"])
    assert dry(label={"desk": "fx"}) == [fx.id] and dry(queue="aml") == [aml.id]
    assert dry(reason="list_missing") == dry(**{"class": "dependency"}) == [waiting.id]
    assert dry(pack="identifiers") == sorted(j.id for j in (fx, rates, aml, staged, waiting))
    assert dry(submitted_before="2020-01-01T00:00:00Z") == []
    answer, _ = _cancel(world, filter={"queue": "default"}, limit=2)
    assert (answer["matched"], answer["done"], answer["more"]) == (4, 2, True)
    answer, _ = _cancel(world, filter={"queue": "default"}, limit=2)
    assert (answer["matched"], answer["done"], answer["more"]) == (2, 2, False)
    assert _cancel(world, filter={"queue": "default"})[0]["matched"] == 0
    assert _status(world, done)["state"] == "completed" and _status(world, aml)["state"] == "queued"


def new_findings_after_an_administrative_end_are_late_and_no_alarm(world):
    job, stream = accept(world.db, Job(stage="plan")), Stream()
    _cancel(world, job_id=job.id)
    findings = [stream.finding(job, i, seq=5, index=i) for i in range(1, 4)]
    assert stream.record(world.db, [], findings) == {"late": 1}
    assert stream.record(world.db, [], findings) == {}, "a replay adds nothing"
    assert world.db.rows("select result, body ->> 'findings' from muster.late_result") == [["findings", "3"]]
    assert world.db.rows("select * from muster.finding") == [] and world.db.rows("select * from muster.quarantine") == []


def a_batch_waits_for_who_ends_tasks_of_its_job_and_never_in_a_circle(world):
    job, stream = _planned(world)
    tasks = tasks_of(world.db, job)
    other, look = world.session(), world.session()
    other.rows("begin")
    other.rows(f"select muster.end_task('{tasks[2].id}', 'exhausted', 'crashed', 'x')")
    world.db.send(stream.call([stream.outcome(t, records=10, rules=TEN) for t in tasks]))
    while look.one("select count(*) from pg_locks where not granted") == "0":
        pass
    other.rows(f"select * from muster.cancel({literal(json.dumps({'job_id': job.id, 'reason': 'x'}))}, 'test')")
    other.rows("commit")
    assert world.db.answer()[0][3] == "3", "all late"
    assert world.db.rows("select done, bad, result from muster.job_progress") == [["3", "3", "cancelled"]]


# ---- deadlines ----

def _with_deadline(world, job, at="now() - interval '1 second'"):
    world.db.rows(f"insert into muster.deadline select {at}, '{job.id}'")


def only_jobs_with_a_deadline_are_noted(world):
    accept(world.db, Job(), Job())
    assert world.db.rows("select * from muster.deadline") == []
    job = Job()
    world.db.rows(f"""select muster.accept_jobs(array['{job.id}']::uuid[], array[null]::text[], array[{literal(job.body)}]::bytea[],
        array[{literal(job.digest)}]::bytea[], array['scan'], array['default'], array['normal'], array['p@1'], array[{literal(sha(job.terms))}]::bytea[],
        array['trades'], array['2026-11-24'], array['2026-11-26T18:00:00Z']::timestamptz[], array[null]::text[], array[null]::text[], array[1],
        array['{job.id}']::uuid[], array['{job.subject()}'], array[{literal(job.ride())}]::bytea[], array[{literal(sha(job.terms))}]::bytea[],
        array[{literal(job.terms)}]::bytea[], null, null, null, 'test')""")
    assert world.db.rows("select at, job_id from muster.deadline") == [["2026-11-26 18:00:00+00", job.id]]


def what_is_open_at_its_deadline_ends_in_error(world):
    job, other, stream = accept(world.db, Job()), accept(world.db, Job()), Stream()
    _published(world)
    _with_deadline(world, job)
    _with_deadline(world, other, "now() + interval '1 hour'")
    assert [r[0] for r in _deadlines(world)] == [job.id]
    assert _report(world, job)[:3] == ["failed", "error", "deadline"] and _report(world, other)[0] == "queued"
    assert world.db.rows("select class from report.dead_letter") == [["deadline"]]
    assert [e["reason"] for e in _events(world, "job.failed")] == ["deadline"]
    assert stream.record(world.db, [stream.outcome(job)]) == {"late": 1}
    assert _deadlines(world) == [] and world.db.one("select count(*) from muster.deadline") == "1"


def a_deadline_ends_a_job_in_its_scans(world):
    job, stream = _planned(world)
    tasks = tasks_of(world.db, job)
    stream.record(world.db, [stream.outcome(tasks[0], records=10, rules=TEN)])
    _with_deadline(world, job)
    _deadlines(world)
    assert _report(world, job) == ["failed", "error", "deadline", "4", "4", "10"]
    assert world.db.rows("select key, value from muster.policy") == \
        [["job." + job.id, '{"v": 1, "stop": "error", "reason": "deadline"}']], "agents stop"


def a_deadline_does_nothing_to_a_job_that_is_done(world):
    job, stream = accept(world.db, Job(stage="plan")), Stream()
    stream.record(world.db, [stream.outcome(job, records=1)])
    _with_deadline(world, job)
    assert _deadlines(world) == [] and _report(world, job)[:2] == ["completed", "pass"]
    assert world.db.one("select count(*) from muster.deadline") == "0" and world.db.rows("select * from muster.policy") == []


def after_its_deadline_a_task_can_be_retried_once_agents_have_heard(world):
    job, stream = accept(world.db, Job(stage="plan")), Stream()
    _with_deadline(world, job)
    _deadlines(world)
    world.db.rows("update muster.policy set sequence = 4")
    assert _ask(world, "retry", job_id=job.id, reason="it matters all the same")["done"] == 1
    assert world.db.rows("select key, value, sequence from muster.policy") == [["job." + job.id, None, None]], "to be purged"
    assert world.db.rows("select next_at > now() from muster.retry") == [["t"]]
    world.db.rows("update muster.retry set next_at = now()")
    assert world.db.one("select muster.retry_due(1)") == "1"
    stream.record(world.db, [stream.outcome(Retried(world, job), records=1)])
    assert _report(world, job)[:3] == ["completed", "pass", None]


# ---- policies and breakers ----

def _defer(world, stream, *jobs, n=1, reason="source_down", kind="dependency"):
    return stream.record(world.db, deferred=[{"task": j.id, "n": n, "class": kind, "reason": reason, "message": "the root is gone"} for j in jobs])


def the_policy_of_a_queue_rules_its_retries(world):
    world.db.rows("""select muster.policy_seen('queue.aml', '{"retry":{"transient":{"first_ms":60000,"cap_ms":90000,"attempts":2}}}', true, true, 1)""")
    job, stream = accept(world.db, Job(queue="aml")), Stream()
    wait = "select extract(epoch from next_at - now()) from muster.retry"
    _defer(world, stream, job, reason="odd", kind="transient")
    assert 44 < float(world.db.one(wait)) < 61
    world.db.rows("update muster.retry set next_at = now()")
    world.db.rows("select muster.retry_due(1)")
    _defer(world, stream, job, n=2, reason="odd", kind="transient")
    assert 66 < float(world.db.one(wait)) < 91, "doubled, and capped"
    world.db.rows("update muster.retry set next_at = now()")
    world.db.rows("select muster.retry_due(1)")
    assert world.db.rows("select result, reason from muster.outcome") == [["exhausted", "retries"]]
    assert json.loads(world.db.one("select muster.queue_policy('aml')"))["retry"]["dependency"] == {"first_ms": 5000, "cap_ms": 60000}


def pauses_grow_to_their_cap_and_are_spread(world):
    bounds = [(r[0], float(r[1]), float(r[2])) for r in world.db.rows("""
        select k, min(s), max(s) from (select k, extract(epoch from muster.retry_pause(c, k, muster.queue_policy('q'))) as s, c
        from generate_series(1, 200) as i, (values ('dependency', 1), ('dependency', 3), ('dependency', 40)) as v(c, k)) as x group by k order by k""")]
    for (k, low, high), want in zip(bounds, (5, 20, 60)):
        assert 0.75 * want <= low < high <= want, (k, low, high)
        assert high - low > 0.1 * want, "by lot"


def a_source_that_is_down_opens_its_breaker_and_burns_no_attempt(world):
    jobs, stream = accept(world.db, *[Job() for _ in range(5)]), Stream()
    assert _defer(world, stream, *jobs) == {"deferred": 5}
    assert world.db.rows("select source, reason, failures, waiting from report.breaker") == [["trades", "source_down", "1", "5"]]
    assert [e["source"] for e in _events(world, "operator.breaker_opened")] == ["trades"]
    assert world.db.rows("select sum(transient), sum(dependency) from muster.retry") == [["0", "5"]]
    world.db.rows("update muster.retry set next_at = now() - interval '1 minute'")
    assert world.db.one("select muster.retry_due(10)") == "0", "the probe is not due"
    for turn in range(3):
        world.db.rows("update muster.breaker set probe_at = now()")
        world.db.rows("select muster.retry_due(10)")
        assert world.db.rows("select count(*) from muster.retry where next_at = 'infinity'") == [["1"]], "one probe"
        probe = world.db.one("select task_id from muster.retry where next_at = 'infinity'")
        n = int(world.db.one(f"select n from muster.job where job_id = '{probe}'"))
        _defer(world, stream, next(j for j in jobs if j.id == probe), n=n)
    assert world.db.rows("select failures, probes, probe_at > now() + interval '14 seconds' from muster.breaker") == [["4", "3", "t"]]
    assert world.db.rows("select * from muster.outcome") == [] and len(_events(world, "operator.breaker_opened")) == 1


def who_has_read_its_input_closes_the_breaker_and_frees_what_waits(world):
    jobs, stream = accept(world.db, *[Job() for _ in range(4)]), Stream()
    _defer(world, stream, *jobs[:3])
    world.db.rows("update muster.retry set next_at = now() + interval '1 hour'")
    other = accept(world.db, Job())
    stream.record(world.db, [stream.outcome(other, **ERROR)])
    assert world.db.one("select count(*) from muster.breaker") == "1", "this one has read nothing"
    stream.record(world.db, [stream.outcome(jobs[3])])
    assert world.db.rows("select * from muster.breaker") == []
    assert [(e["source"], e["waiting"]) for e in _events(world, "operator.breaker_closed")] == [("trades", 3)]
    assert world.db.rows("select max(next_at) < now() + interval '1 second' from muster.retry") == [["t"]]


def a_list_that_is_missing_opens_no_breaker(world):
    job, stream = accept(world.db, Job()), Stream()
    _defer(world, stream, job, reason="list_missing")
    assert world.db.rows("select * from muster.breaker") == []


def a_breaker_that_nobody_waits_for_closes(world):
    job, stream = accept(world.db, Job()), Stream()
    _defer(world, stream, job)
    _cancel(world, job_id=job.id)
    world.db.rows("select muster.retry_due(10)")
    assert world.db.rows("select * from muster.breaker") == []


def _seen(world, key, value, sequence, present=True, valid=True):
    return world.db.one(f"select muster.policy_seen({literal(key)}, {literal(value)}, {literal(present)}, {literal(valid)}, {sequence})")


def an_edit_of_the_bucket_comes_into_force(world):
    assert _seen(world, "queue.aml", '{"a":1}', 3) == "taken"
    assert _seen(world, "queue.aml", '{"a":1}', 3) == "same"
    assert _seen(world, "queue.aml", '{"a":2}', 5) == "taken"
    assert world.db.rows("select value, actor, sequence from muster.policy") == [['{"a": 2}', "bucket", "5"]]
    assert _seen(world, "queue.aml", '{"actor":"ann","reason":"a slow share"}', 6) == "taken"
    assert world.db.rows("select actor, action, reason from muster.audit order by seq") == [
        ["bucket", "policy", None], ["bucket", "policy", None], ["ann", "policy", "a slow share"]]
    assert _seen(world, "queue.aml", None, 7, present=False) == "taken" and world.db.rows("select * from muster.policy") == []


def what_is_wrong_or_old_is_put_back(world):
    _seen(world, "queue.aml", '{"a":1}', 3)
    unwritten = lambda: world.db.rows("select * from muster.policy_unwritten(10)")
    assert _seen(world, "queue.aml", "no JSON", 4, valid=False) == "put_back"
    assert unwritten() == [["queue.aml", '{"a": 1}']]
    world.db.rows("select muster.policy_written('queue.aml', '{\"a\": 1}', 5)")
    assert unwritten() == [] and _seen(world, "queue.aml", '{"a":0}', 2) == "put_back", "an older store"
    assert _seen(world, "queue.new", "{}", 9, valid=False) == "foreign"
    assert _seen(world, "job.x", "{}", 9) == "foreign", "only muster cancels"
    assert world.db.rows("select key, value from muster.policy") == [["queue.aml", '{"a": 1}']]


def what_a_wiped_bucket_lacks_is_written_again_and_old_stops_go(world):
    _seen(world, "queue.aml", '{"a":1}', 3)
    world.db.rows("insert into muster.policy (key, value, actor, sequence, changed_at) values ('job.old', '{}', 'x', 4, now() - interval '25 hours')")
    assert world.db.one("select muster.policy_missing(array['job.old'])") == "1"
    assert sorted(world.db.rows("select * from muster.policy_unwritten(10)")) == [["job.old", None], ["queue.aml", '{"a": 1}']]
    world.db.rows("select muster.policy_written('job.old', null, 0), muster.policy_written('queue.aml', '{\"a\": 1}', 1)")
    assert world.db.rows("select key, sequence from muster.policy") == [["queue.aml", "1"]]
    assert world.db.rows("select * from muster.policy_unwritten(10)") == []
