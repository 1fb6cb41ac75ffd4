# SPDX-License-Identifier: Apache-2.0
"""What jobs of several tasks and the reconciler are promised."""
import json

from calls import FAIL, Job, Stream, accept, array, derive, plan_of, sha, tasks_of


def _planned(world, shards=3, **more):
    job, stream = accept(world.db, Job(stage="plan", **more)), Stream()
    plan = plan_of(shards)
    got = stream.record(world.db, [stream.outcome(job, result="planned", rules=[], records=0, input_digest=sha("whole"), plan=plan)])
    assert got == {"outcomes": 1, "planned": 1}, got
    return job, stream, plan


def _scanned(stream, tasks, **more):
    return [stream.outcome(t, **{"records": 10, "rules": [{"rule": "ISIN", "severity": "high", "pass": 10}], **more}) for t in tasks]


def a_plan_becomes_scan_tasks_with_exact_bytes(world):
    job, _, plan = _planned(world)
    tasks = tasks_of(world.db, job)
    base = json.loads(job.body)
    for i, task in enumerate(tasks):
        assert task.id == derive(job.id, job.id, plan["digest"], "scan", str(i), "1")
        document = json.loads(task.body)
        assert task.body == json.dumps(document, separators=(",", ":")).encode(), "compact"
        assert list(document) == ["v", "task_id", "job_id", "stage", "terms", "source", "input", "shard", "plan_task_id"]
        assert document["shard"] == dict(plan["shards"][i], index=i, count=3)
        assert document["input"] == {"size": plan["size"], "digest": plan["digest"]}
        assert all(document[k] == base[k] for k in ("terms", "source"))
        subject, body = world.db.rows(f"select subject, bytes from muster.outbox where ride_id = '{task.id}'")[0]
        assert subject == f"muster.task.default.normal.{task.id}"
        assert bytes.fromhex(body[2:]) == (f'{{"v":1,"ride_id":"{task.id}","n":1,"queue":"default","priority":"normal",'
                                           f'"terms":').encode() + job.terms + b',"tasks":[' + task.body + b"]}"
    assert len(tasks) == 3


def a_replayed_plan_makes_no_task_twice(world):
    job, stream, plan = _planned(world)
    again = stream.outcome(job, result="planned", rules=[], records=0, input_digest=sha("whole"), plan=plan)
    assert stream.record(world.db, [again]) == {"repeats": 1}
    assert len(tasks_of(world.db, job)) == 3


def a_job_ends_with_its_last_shard_and_the_summed_result(world):
    job, stream, _ = _planned(world)
    tasks = tasks_of(world.db, job)
    bad = [{"rule": "ISIN", "severity": "high", "pass": 9, "fail": 1}]
    assert stream.record(world.db, _scanned(stream, tasks[:2])) == {"outcomes": 2}
    status = json.loads(world.db.one(f"select muster.job_status('{job.id}', null)"))
    assert (status["state"], status["tasks"], status["done"]) == ("running", 4, 3)
    assert stream.record(world.db, _scanned(stream, tasks[2:], result="fail", rules=bad, findings=1),
                         [stream.finding(tasks[2], 21)]) == {"outcomes": 1, "findings": 1, "finished": 1}
    assert world.db.rows(f"select state, result, records, findings from report.job_status where job_id = '{job.id}'") == \
        [["completed", "fail", "30", "1"]]
    assert world.db.rows("select rule, status, pass, fail from report.check_result") == [["ISIN", "fail", "29", "1"]]
    assert world.db.rows("select balanced, records_planned, records_read from report.reconciliation") == [["t", "30", "30"]]
    event = json.loads(bytes.fromhex(world.db.one("select bytes from muster.outbox where subject = 'muster.event.job.completed'")[2:]))
    assert [(e["job_id"], e["result"], e["type"]) for e in event["events"]] == \
        [(job.id, "fail", "io.muster.event.v1.job_completed")]


def repeats_do_not_count_twice_towards_a_stage(world):
    job, stream, _ = _planned(world)
    first = _scanned(stream, tasks_of(world.db, job)[:1])
    for _ in range(3):
        stream.record(world.db, first + first)
    assert world.db.rows("select done, expected, finished_at from muster.job_progress") == [["1", "3", None]]


def a_stage_with_a_task_without_verdict_is_incomplete(world):
    job, stream, _ = _planned(world)
    tasks = tasks_of(world.db, job)
    stream.record(world.db, _scanned(stream, tasks[:2]))
    got = stream.record(world.db, _scanned(stream, tasks[2:], result="error", reason="source_changed", rules=[], records=0))
    assert got == {"outcomes": 1, "finished": 1}
    assert world.db.rows("select state, result, reason from report.job_status") == [["failed", "error", "incomplete_stage"]]
    assert world.db.rows("select subject from muster.outbox where kind = 'event'") == [["muster.event.job.failed"]]


def an_administrative_end_of_the_last_task_ends_the_job(world):
    job, stream, _ = _planned(world, 2)
    tasks = tasks_of(world.db, job)
    stream.record(world.db, _scanned(stream, tasks[:1]))
    world.db.rows(f"select muster.end_task('{tasks[1].id}', 'exhausted', 'crashed', 'five agents')")
    assert world.db.rows("select state, result, reason from report.job_status") == [["failed", "error", "incomplete_stage"]]
    assert world.db.one("select count(*) from muster.outbox where subject = 'muster.event.job.failed'") == "1"


def coverage_below_its_minimum_is_no_pass(world):
    status = "select muster.rule_status({}, {}, {}, {}, {}, {})"
    cases = {(5, 0, 0, 0, 0, 1): "pass", (5, 0, 0, 0, 1, 1): "not_evaluated", (5, 0, 0, 0, 5, 0.5): "pass",
             (4, 0, 0, 0, 5, 0.5): "not_evaluated", (0, 0, 0, 0, 0, 1): "not_evaluated", (0, 0, 0, 0, 0, 0): "not_evaluated",
             (5, 1, 0, 0, 0, 1): "warn", (5, 1, 0, 1, 0, 1): "error", (5, 1, 1, 1, 9, 1): "fail", (5, 1, 0, 0, 9, 1): "warn"}
    got = {case: world.db.one(status.format(*case)) for case in cases}
    assert got == cases, got


def a_stages_lost_count_is_mended(world):
    job, stream, _ = _planned(world, 2)
    stream.record(world.db, _scanned(stream, tasks_of(world.db, job)))
    world.db.rows("update muster.job_progress set done = 1, finished_at = null, result = null")
    assert world.db.one("select muster.recount_stages()") == "1"
    assert world.db.rows("select done, result from muster.job_progress") == [["2", "pass"]]
    assert world.db.one("select muster.recount_stages()") == "0"


def an_open_task_is_published_again_as_the_next_number(world):
    job = accept(world.db, Job())
    assert world.db.one(f"select muster.republish('{job.id}', 1, false, 'test')") == "2"
    assert world.db.one(f"select muster.republish('{job.id}', 1, false, 'test')") is None, "another was faster"
    row = world.db.rows("select n, message_id, bytes from muster.outbox")
    assert row == [["2", f"{job.id}:2", "\\x" + job.ride().replace(b'"n":1', b'"n":2').hex()]]


def a_settled_task_is_not_published_again(world):
    job, stream = accept(world.db, Job()), Stream()
    stream.record(world.db, [stream.outcome(job)])
    assert world.db.one(f"select muster.republish('{job.id}', 1, false, 'test')") is None


def candidates_name_the_members_that_are_open_and_current(world):
    jobs, stream = [Job() for _ in range(3)], Stream()
    bundle = Job().id
    accept(world.db, *jobs, bundle=bundle)
    world.db.rows(f"select muster.outbox_published(array['{bundle}']::uuid[], array[1], 'c1', array[5]::bigint[])")
    look = "select ride_id, sequence, stream_created, open_members from muster.reconcile_candidates({}, '{}', {}, 10)"
    zero = "00000000-0000-0000-0000-000000000000"
    assert world.db.rows(look.format(0, zero, 60000)) == [], "too young"
    stream.record(world.db, [stream.outcome(jobs[0], ride=bundle)])
    world.db.rows(f"select muster.republish('{jobs[1].id}', 1, false, 'test')")
    assert world.db.rows(look.format(0, zero, -1)) == [[bundle, "5", "c1", "{" + jobs[2].id + "}"]]
    assert world.db.rows(look.format(1, bundle, -1)) == [], "after the cursor"


def urgent_candidates_come_first(world):
    jobs = [Job(priority=p, ms=1764000000000 + i) for i, p in enumerate(("low", "normal", "high", "normal", "high"))]
    accept(world.db, *jobs)
    ids = "{" + ",".join(j.id for j in jobs) + "}"
    world.db.rows(f"select muster.outbox_published('{ids}'::uuid[], array[1,1,1,1,1], 'c1', array[1,2,3,4,5]::bigint[])")
    look = "select string_agg(sequence::text, '') from muster.reconcile_candidates({}, '{}', -1, {})"
    assert world.db.one(look.format(0, "00000000-0000-0000-0000-000000000000", 10)) == "35241"
    assert world.db.one(look.format(0, jobs[2].id, 3)) == "524", "after the cursor"
    assert world.db.one(look.format(1, jobs[3].id, 10)) == "1", "after the cursor"


def a_task_that_waits_for_its_retry_is_no_candidate(world):
    job, stream = accept(world.db, Job()), Stream()
    world.db.rows(f"select muster.outbox_published(array['{job.id}']::uuid[], array[1], 'c1', array[5]::bigint[])")
    look = "select open_members from muster.reconcile_candidates(0, '00000000-0000-0000-0000-000000000000', -1, 10)"
    assert world.db.one(look) == "{" + job.id + "}"
    stream.record(world.db, deferred=[{"task": job.id, "n": 1, "class": "dependency", "reason": "x", "message": "y"}])
    assert world.db.rows(look) == [], "nobody may take its message for settled"
    world.db.rows("update muster.retry set next_at = now()")
    world.db.rows("select muster.retry_due(10)")
    world.db.rows(f"select muster.outbox_published(array['{job.id}']::uuid[], array[2], 'c1', array[6]::bigint[])")
    assert world.db.one(look) == "{" + job.id + "}", "it was published and may be lost"


def a_missing_message_is_noted_until_it_is_seen(world):
    job = accept(world.db, Job())
    world.db.rows(f"select muster.outbox_published(array['{job.id}']::uuid[], array[1], 'c1', array[5]::bigint[])")
    look = "select missing_ms >= 0, (select seen_missing_at from muster.outbox) is null from muster.reconcile_candidates(0, '00000000-0000-0000-0000-000000000000', -1, 10)"
    note = f"select muster.reconcile_note(array['{job.id}']::uuid[], array[{{}}])"
    assert world.db.rows(look) == [["t", "t"]]
    world.db.rows(note.format("true"))
    first = world.db.one("select seen_missing_at from muster.outbox")
    world.db.rows(note.format("true"))
    assert first and world.db.one("select seen_missing_at from muster.outbox") == first, "since the first time"
    world.db.rows(note.format("false"))
    assert world.db.rows(look) == [["t", "t"]]


def only_settled_messages_are_removed(world):
    jobs, stream = accept(world.db, Job(), Job()), Stream()
    world.db.rows(f"""insert into muster.outcome select '{jobs[0].id}', '{jobs[0].id}', 1, 1, 'd', null, 'cancelled', 'x', 'y', 0, 0, 0, 0, 0,
        null, null, null, 0, null, null, 'd', now(), now()""")
    world.db.rows("select muster.outbox_settled(array(select ride_id from muster.outbox))")
    assert world.db.rows("select ride_id from muster.outbox") == [[jobs[1].id]]
    assert stream.record(world.db, [stream.outcome(jobs[0])]) == {"late": 1}


def a_message_that_nobody_needs_any_more_is_a_candidate_without_members(world):
    jobs, stream, bundle = [Job() for _ in range(2)], Stream(), Job().id
    accept(world.db, *jobs, bundle=bundle)
    world.db.rows(f"select muster.outbox_published(array['{bundle}']::uuid[], array[1], 'c1', array[5]::bigint[])")
    stream.record(world.db, [stream.outcome(jobs[0], ride=bundle)])
    world.db.rows(f"select muster.republish('{jobs[1].id}', 1, false, 'test')")
    look = "select ride_id, open_members from muster.reconcile_candidates(0, '00000000-0000-0000-0000-000000000000', -1, 10)"
    assert world.db.rows(look) == [[bundle, "{}"]]
    world.db.rows(f"select muster.outbox_settled(array['{bundle}']::uuid[])")
    assert world.db.rows("select ride_id from muster.outbox where kind = 'task'") == [[jobs[1].id]]


def what_is_open_is_what_has_no_outcome(world):
    jobs, stream = accept(world.db, Job(), Job()), Stream()
    stream.record(world.db, [stream.outcome(jobs[0])])
    ids = ",".join(f"'{i}'" for i in (jobs[0].id, jobs[1].id, Job().id))
    assert world.db.rows(f"select * from muster.open_tasks(array[{ids}]::uuid[])") == [[jobs[1].id]]
    assert len(world.db.rows(f"select * from muster.known_tasks(array[{ids}]::uuid[])")) == 2


def findings_are_reported_through_an_outcome_of_the_same_input(world):
    job, stream = accept(world.db, Job()), Stream()
    old = stream.finding(job, 7, input_digest=sha("before the change"))
    stream.record(world.db, [], [old])
    assert world.db.rows("select * from report.finding") == [], "no outcome yet"
    stream.record(world.db, [stream.outcome(job, result="fail", rules=FAIL, findings=1)], [stream.finding(job, 1)])
    assert world.db.rows("select record_no, is_partial from report.finding") == [["1", "f"]]


def findings_of_a_task_that_was_ended_are_reported_as_partial(world):
    job, stream = accept(world.db, Job()), Stream()
    stream.record(world.db, [], [stream.finding(job, 3)])
    world.db.rows(f"select muster.end_task('{job.id}', 'exhausted', 'crashed', 'five agents')")
    assert world.db.rows("select record_no, is_partial from report.finding") == [["3", "t"]]


def the_status_of_a_job_is_found_by_id_and_by_key(world):
    job, stream = accept(world.db, Job(key="eod-1")), Stream()
    world.db.rows(f"select muster.claim_keys(array['eod-1'], array['{job.id}']::uuid[], array[sha256('x')])")
    assert json.loads(world.db.one("select muster.job_status(null, 'eod-1')"))["state"] == "queued"
    stream.record(world.db, [stream.outcome(job)])
    got = json.loads(world.db.one(f"select muster.job_status('{job.id}', null)"))
    assert (got["ok"], got["state"], got["result"], got["tasks"], got["done"]) == (True, "completed", "pass", 1, 1)
    assert world.db.one(f"select muster.job_status('{Job().id}', null)") is None


def missing_tasks_are_queued_again_with_one_event_and_one_link_for_all(world):
    jobs, stream = accept(world.db, *[Job() for _ in range(4)]), Stream()
    stream.record(world.db, [stream.outcome(jobs[0])])
    world.db.rows(f"select muster.republish('{jobs[1].id}', 1, false, 'test')")
    ids, ns = array("uuid", [j.id for j in jobs] + [jobs[2].id]), array("int", [1] * 5)
    links = int(world.db.one("select count(*) from muster.audit"))
    again = {r[0] for r in world.db.rows(f"select muster.republish_missing({ids}, {ns})")}
    assert again == {jobs[2].id, jobs[3].id}, "not those with an outcome or another n, and none twice"
    rows = world.db.rows("select ride_id, n from muster.outbox where kind = 'task' and published_at is null and n = 2 order by 1")
    assert rows == [[i, "2"] for i in sorted([jobs[1].id, jobs[2].id, jobs[3].id])], rows
    events = world.db.rows("select convert_from(bytes, 'UTF8') from muster.outbox where subject = 'muster.event.operator.repaired'")
    event = json.loads(events[0][0])["events"]
    assert len(events) == len(event) == 1 and event[0]["what"] == "task_republished" and event[0]["count"] == 2, event
    assert set(event[0]["task_ids"]) == again
    assert int(world.db.one("select count(*) from muster.audit")) == links + 1 and world.db.one("select min(seq) from report.audit_verify()") is None
    assert world.db.rows(f"select muster.republish_missing({ids}, {ns})") == []
    assert int(world.db.one("select count(*) from muster.audit")) == links + 1


def what_was_repaired_is_one_message_with_an_event_for_each_kind(world):
    world.db.rows("select muster.repaired(array['checkpoint_purged', 'pack_written'], array[3, 1])")
    rows = world.db.rows("select subject, convert_from(bytes, 'UTF8') from muster.outbox")
    assert [r[0] for r in rows] == ["muster.event.operator.repaired"], rows
    events = json.loads(rows[0][1])["events"]
    assert [(e["type"], e["what"], e["count"]) for e in events] == [
        ("io.muster.event.v1.operator_repaired", "checkpoint_purged", 3), ("io.muster.event.v1.operator_repaired", "pack_written", 1)]
    world.db.rows("select muster.repaired('{}', '{}')")
    assert world.db.one("select count(*) from muster.outbox") == "1", "nothing to tell is no message"
