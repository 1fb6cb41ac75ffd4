# SPDX-License-Identifier: Apache-2.0
"""What the recording of results is promised: once, completely, from our own tasks only."""
from calls import COUNTERS, FAIL, Job, Stream, accept, derive, plan_of, sha, uuid7
from cluster import SqlError


def an_outcome_is_recorded_once_however_often_it_comes(world):
    job, stream = accept(world.db, Job()), Stream()
    outcome = stream.outcome(job)
    assert stream.record(world.db, [outcome]) == {"outcomes": 1, "finished": 1}
    assert stream.record(world.db, [outcome]) == {"repeats": 1}
    assert stream.record(world.db, [stream.outcome(job, delivery=2, agent="a2")]) == {"repeats": 1}
    assert world.db.rows("select task_id, result, agent from muster.outcome") == [[job.id, "pass", "a1"]]


def within_a_batch_the_first_outcome_wins_too(world):
    job, stream = accept(world.db, Job()), Stream()
    assert stream.record(world.db, [stream.outcome(job), stream.outcome(job, agent="a2")]) == \
        {"outcomes": 1, "finished": 1, "repeats": 1}
    assert world.db.one("select agent from muster.outcome") == "a1"


def a_repeated_batch_changes_nothing(world):
    jobs, stream = accept(world.db, *[Job() for _ in range(20)]), Stream()
    outcomes = [stream.outcome(j, result="fail", rules=FAIL, findings=1) for j in jobs]
    findings = [stream.finding(j) for j in jobs]
    assert stream.record(world.db, outcomes, findings) == {"outcomes": 20, "findings": 20, "finished": 20}
    assert stream.record(world.db, outcomes, findings) == {"repeats": 20}
    assert world.db.rows("select count(*) from muster.finding") == [["20"]]
    assert world.db.rows("select count(*) from muster.quarantine") == [["0"]]


def the_position_is_that_of_the_last_batch(world):
    job, stream = accept(world.db, Job()), Stream("created-1")
    stream.record(world.db, [stream.outcome(job)])
    stream.next()
    stream.record(world.db)
    assert world.db.rows("select created, sequence from muster.positions()") == [["created-1", "2"]]


def a_noted_change_of_the_stream_rules_at_once(world):
    job, stream = accept(world.db, Job()), Stream("created-1")
    stream.record(world.db, [stream.outcome(job)])
    world.db.rows("select muster.position_note('created-2', 0, '2026-11-24T11:00:00Z')")
    assert world.db.rows("select created, sequence from muster.positions() limit 1") == [["created-2", "0"]]


def positions_are_kept_per_minute_for_an_hour_and_then_per_day(world):
    world.db.rows("""insert into muster.recorder_position
        select t, 'c', extract(epoch from t)::bigint, t, t
        from generate_series(date_trunc('minute', now()) - interval '3 days', now(), interval '1 minute') as t""")
    world.db.rows("select muster.positions_thin()")
    last_hour, older, days, all_days = map(int, world.db.rows("""
        select count(*) filter (where noted_at >= now() - interval '1 hour'),
               count(*) filter (where noted_at < now() - interval '1 hour'),
               count(distinct (noted_at at time zone 'UTC')::date) filter (where noted_at < now() - interval '1 hour'),
               count(distinct (noted_at at time zone 'UTC')::date)
        from muster.recorder_position""")[0])
    # in the first hour of a day yesterday's one is among those of the last hour
    assert last_hour in (60, 61) and older == days and all_days == 4, (last_hour, older, days, all_days)


def an_outcome_short_of_findings_is_not_recorded_but_published_again_fresh(world):
    job, stream = accept(world.db, Job()), Stream()
    short = stream.outcome(job, result="fail", rules=FAIL, findings=2)
    assert stream.record(world.db, [short], [stream.finding(job, 1)]) == {"findings": 1, "incomplete": 1}
    assert stream.record(world.db, [short]) == {}
    assert world.db.rows("select class, n, incomplete from muster.retry") == [["incomplete", "1", "1"]]
    assert world.db.one("select muster.retry_due(10)") == "1"
    ride = bytes.fromhex(world.db.one("select bytes from muster.outbox where n = 2")[2:])
    assert ride.startswith(f'{{"v":1,"ride_id":"{job.id}","n":2,"fresh":true,'.encode()) and job.body in ride
    complete = stream.outcome(job, n=2, result="fail", rules=FAIL, findings=2)
    assert stream.record(world.db, [complete], [stream.finding(job, 1), stream.finding(job, 2)]) == \
        {"outcomes": 1, "findings": 1, "finished": 1}
    assert world.db.rows("select * from muster.retry") == [] and world.db.rows("select * from muster.outbox where kind = 'task'") == []


def findings_of_another_input_do_not_make_an_outcome_complete(world):
    job, stream = accept(world.db, Job()), Stream()
    other = stream.finding(job, 1, input_digest=sha("another input"))
    assert stream.record(world.db, [stream.outcome(job, result="fail", rules=FAIL, findings=1)], [other]) == \
        {"findings": 1, "incomplete": 1}


def an_old_incomplete_outcome_is_dropped(world):
    job, stream = accept(world.db, Job()), Stream()
    world.db.rows(f"select muster.republish('{job.id}', 1, false, 'test')")
    assert stream.record(world.db, [stream.outcome(job, findings=2)]) == {}
    assert world.db.rows("select * from muster.retry") == []


def the_fifth_incomplete_outcome_exhausts_the_task(world):
    job, stream = accept(world.db, Job()), Stream()
    for n in range(1, 6):
        assert stream.record(world.db, [stream.outcome(job, n=n, findings=1)]) == {"incomplete": 1}
        world.db.rows("select muster.retry_due(10)")
    assert world.db.rows("select result, reason from muster.outcome") == [["exhausted", "unrecordable"]]
    assert world.db.rows("select * from muster.retry") == []


def a_complete_outcome_wins_over_an_incomplete_one_of_the_same_batch(world):
    job, stream = accept(world.db, Job()), Stream()
    both = [stream.outcome(job, result="fail", rules=FAIL, findings=2), stream.outcome(job, result="fail", rules=FAIL, findings=1)]
    assert stream.record(world.db, both, [stream.finding(job)]) == {"outcomes": 1, "findings": 1, "finished": 1, "incomplete": 1}
    assert world.db.one("select findings_total from muster.outcome") == "1"
    assert world.db.one("select muster.retry_due(10)") == "0"


def more_findings_than_stated_are_a_conflict_of_a_verdict(world):
    job, stream = accept(world.db, Job()), Stream()
    got = stream.record(world.db, [stream.outcome(job, result="fail", rules=FAIL, findings=1)],
                        [stream.finding(job, 1), stream.finding(job, 2)])
    assert got == {"outcomes": 1, "findings": 2, "conflicts": 1, "finished": 1}


def more_findings_than_stated_are_none_of_an_error(world):
    job, stream = accept(world.db, Job()), Stream()
    got = stream.record(world.db, [stream.outcome(job, result="error", reason="source_changed", rules=FAIL, findings=1)],
                        [stream.finding(job, 1), stream.finding(job, 2)])
    assert got == {"outcomes": 1, "findings": 2, "finished": 1}


def two_computed_outcomes_that_differ_are_a_conflict(world):
    job, stream = accept(world.db, Job()), Stream()
    stream.record(world.db, [stream.outcome(job)])
    other = stream.outcome(job, records=2)
    assert stream.record(world.db, [other]) == {"conflicts": 1}
    assert stream.record(world.db, [other]) == {}
    assert world.db.rows("select n, body ->> 'records' from muster.outcome_conflict") == [["1", "2"]]


def two_computed_outcomes_of_different_input_are_no_conflict(world):
    job, stream = accept(world.db, Job()), Stream()
    stream.record(world.db, [stream.outcome(job)])
    assert stream.record(world.db, [stream.outcome(job, records=2, input_digest=sha("changed"))]) == {"late": 1}
    assert world.db.one("select count(*) from muster.outcome_conflict") == "0"


def a_limit_that_was_hit_is_a_computed_outcome(world):
    job, stream = accept(world.db, Job()), Stream()
    stream.record(world.db, [stream.outcome(job, result="error", reason="limit_record_bytes")])
    assert stream.record(world.db, [stream.outcome(job)]) == {"conflicts": 1}


def after_an_administrative_outcome_a_computed_one_is_late(world):
    job, stream = accept(world.db, Job()), Stream()
    assert world.db.one(f"select muster.end_task('{job.id}', 'exhausted', 'retries', 'eight times')") == "t"
    outcome = stream.outcome(job)
    assert stream.record(world.db, [outcome]) == {"late": 1}
    assert stream.record(world.db, [outcome]) == {}
    assert world.db.rows("select result from muster.outcome") == [["exhausted"]]


def a_batch_that_meets_an_outcome_of_the_same_moment_records_the_rest(world):
    job, other = accept(world.db, Job(), Job())
    stream, leader = Stream(), world.session()
    leader.rows("begin")
    leader.rows(f"select muster.end_task('{job.id}', 'exhausted', 'crashed', 'five agents')")
    world.db.send(stream.call([stream.outcome(other), stream.outcome(job)]))
    wait = world.session()
    while wait.one("select count(*) from pg_locks where not granted") == "0":
        pass
    leader.rows("commit")
    row = world.db.answer()[0]
    assert {k: int(v) for k, v in zip(COUNTERS, row) if int(v)} == {"outcomes": 1, "late": 1, "finished": 1}
    assert world.db.rows("select result from muster.outcome order by result") == [["exhausted"], ["pass"]]


def a_replayed_batch_with_something_new_in_it_records_the_new(world):
    jobs, stream = accept(world.db, *[Job() for _ in range(5)]), Stream()
    first = [stream.outcome(j) for j in jobs[:4]]
    assert stream.record(world.db, first) == {"outcomes": 4, "finished": 4}
    assert stream.record(world.db, [*first[1:], stream.outcome(jobs[4]), first[0]]) == {"outcomes": 1, "repeats": 4, "finished": 1}
    assert world.db.one("select count(*) from muster.outbox where kind = 'task'") == "0"


def _quarantined(world, stream, outcomes=(), findings=(), quarantine=()):
    assert stream.record(world.db, outcomes, findings, (), quarantine) == {"quarantined": 1}
    assert stream.record(world.db, outcomes, findings, (), quarantine) == {}, "a replay adds nothing"
    assert world.db.one("select count(*) from muster.outcome") == "0" and world.db.one("select count(*) from muster.finding") == "0"
    return world.db.one("select reason from muster.quarantine")


def an_outcome_of_an_unknown_task_is_quarantined(world):
    stream = Stream()
    assert _quarantined(world, stream, [stream.outcome(Job())]) == "unknown_task"


def an_outcome_with_another_task_digest_is_quarantined(world):
    job, stream = accept(world.db, Job()), Stream()
    assert _quarantined(world, stream, [stream.outcome(job, task_digest=sha("forged"))]) == "wrong_task_digest"


def an_outcome_on_another_queues_subject_is_quarantined(world):
    job, stream = accept(world.db, Job()), Stream()
    assert _quarantined(world, stream, [stream.outcome(job, queue="aml")]) == "wrong_queue"


def an_outcome_that_names_another_job_is_quarantined(world):
    job, stream = accept(world.db, Job()), Stream()
    assert _quarantined(world, stream, [stream.outcome(job, job=uuid7())]) == "wrong_job"


def a_finding_of_an_unknown_task_is_quarantined(world):
    stream = Stream()
    assert _quarantined(world, stream, [], [stream.finding(Job())]) == "unknown_task"


def a_finding_with_another_task_digest_is_quarantined(world):
    job, stream = accept(world.db, Job()), Stream()
    assert _quarantined(world, stream, [], [stream.finding(job, task_digest=sha("forged"))]) == "wrong_task_digest"


def a_finding_on_another_queues_subject_is_quarantined(world):
    job, stream = accept(world.db, Job()), Stream()
    assert _quarantined(world, stream, [], [stream.finding(job, queue="aml")]) == "wrong_queue"


def a_plan_of_a_task_that_plans_nothing_is_quarantined(world):
    job, stream = accept(world.db, Job()), Stream()
    assert _quarantined(world, stream, [stream.outcome(job, result="planned", plan=plan_of(2))]) == "bad_plan"


def a_plan_without_shards_is_quarantined(world):
    job, stream = accept(world.db, Job(stage="plan")), Stream()
    assert _quarantined(world, stream, [stream.outcome(job, result="planned", plan=plan_of(0))]) == "bad_plan"


def a_plan_that_is_no_plan_is_quarantined(world):
    job, stream = accept(world.db, Job(stage="plan")), Stream()
    assert _quarantined(world, stream, [stream.outcome(job, result="planned")]) == "bad_plan"


def what_c_could_not_read_is_quarantined_with_its_bytes(world):
    stream = Stream()
    seq = stream.next()
    bad = dict(subject="muster.result.default.x", reason="bad_schema", bytes=b"\xff\x00{", seq=seq, at=stream.at(seq), index=0)
    assert _quarantined(world, stream, [], [], [bad]) == "bad_schema"
    assert world.db.one("select bytes from muster.quarantine") == "\\xff007b"


def a_new_finding_after_the_outcome_is_quarantined_and_a_known_one_dropped(world):
    job, stream = accept(world.db, Job()), Stream()
    known = stream.finding(job, 1)
    stream.record(world.db, [stream.outcome(job, result="fail", rules=FAIL, findings=1)], [known])
    assert stream.record(world.db, [], [known, stream.finding(job, 1)]) == {}
    assert stream.record(world.db, [], [stream.finding(job, 2)]) == {"quarantined": 1}
    assert world.db.one("select reason from muster.quarantine") == "finding_after_outcome"


def quarantine_does_not_block_the_rest_of_a_batch(world):
    jobs, stream = accept(world.db, *[Job() for _ in range(3)]), Stream()
    batch = [stream.outcome(jobs[0]), stream.outcome(Job()), stream.outcome(jobs[1], queue="no"), stream.outcome(jobs[2])]
    assert stream.record(world.db, batch) == {"outcomes": 2, "quarantined": 2, "finished": 2}


def a_deferral_becomes_a_retry_that_is_published_when_due(world):
    job, stream = accept(world.db, Job()), Stream()
    deferred = {"task": job.id, "n": 1, "class": "dependency", "reason": "source_unavailable", "message": "no mount"}
    assert stream.record(world.db, deferred=[deferred]) == {"deferred": 1}
    assert stream.record(world.db, deferred=[deferred]) == {}, "told twice of one publication it counts once"
    assert world.db.one("select muster.retry_due(10)") == "0", "it is not due yet"
    world.db.rows("update muster.retry set next_at = now()")
    assert world.db.one("select muster.retry_due(10)") == "1"
    assert world.db.rows(f"select n, published_at from muster.outbox where ride_id = '{job.id}'") == [["2", None]]
    assert stream.record(world.db, deferred=[deferred]) == {}, "an old publication's deferral says nothing"
    assert stream.record(world.db, deferred=[dict(deferred, n=2)]) == {"deferred": 1}
    assert world.db.rows("select dependency, transient from muster.retry") == [["2", "0"]]


def dependencies_burn_no_attempts_and_transient_trouble_does(world):
    job, stream = accept(world.db, Job()), Stream()
    for n in range(1, 20):
        kind = "transient" if n > 11 else "dependency"
        stream.record(world.db, deferred=[{"task": job.id, "n": n, "class": kind, "reason": "x", "message": "y"}])
        world.db.rows("update muster.retry set next_at = now()")
        world.db.rows("select muster.retry_due(10)")
        if n < 19:
            assert world.db.one("select count(*) from muster.outcome") == "0", n
    assert world.db.rows("select result, reason from muster.outcome") == [["exhausted", "retries"]]


def a_deferral_of_a_settled_task_is_nothing(world):
    job, stream = accept(world.db, Job()), Stream()
    stream.record(world.db, [stream.outcome(job)])
    assert stream.record(world.db, deferred=[{"task": job.id, "n": 1, "class": "transient", "reason": "x", "message": "y"}]) == {}


def a_message_leaves_the_outbox_when_all_its_members_are_settled(world):
    jobs, bundle, stream = [Job() for _ in range(3)], uuid7(), Stream()
    accept(world.db, *jobs, bundle=bundle)
    stream.record(world.db, [stream.outcome(jobs[0], ride=bundle), stream.outcome(jobs[1], ride=bundle)])
    assert world.db.one("select count(*) from muster.outbox where kind = 'task'") == "1"
    stream.record(world.db, [stream.outcome(jobs[2], ride=bundle)])
    assert world.db.one("select count(*) from muster.outbox where kind = 'task'") == "0"


def a_member_published_alone_does_not_take_the_others_message_away(world):
    jobs, bundle, stream = [Job() for _ in range(2)], uuid7(), Stream()
    accept(world.db, *jobs, bundle=bundle)
    assert world.db.one(f"select muster.republish('{jobs[0].id}', 1, false, 'test')") == "2"
    # the outcome still comes from the bundle, and it is the lone message that is no longer needed
    stream.record(world.db, [stream.outcome(jobs[0], ride=bundle)])
    assert world.db.rows("select ride_id from muster.outbox where kind = 'task'") == [[bundle]]
    stream.record(world.db, [stream.outcome(jobs[1], ride=bundle)])
    assert world.db.rows("select ride_id from muster.outbox where kind = 'task'") == []


def a_finding_id_follows_from_its_task(world):
    job = Job()
    assert world.db.one(f"select muster.derive_id('{job.id}', sha256(muster.member('a') || muster.member('é')))") == \
        derive(job.id, "a", "é")
