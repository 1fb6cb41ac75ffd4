# SPDX-License-Identifier: Apache-2.0
"""What a database that has come back at an older state is promised: jobs under their old ids, results that were put
aside, and an intake whose acknowledgements it can be held against."""
import json

from calls import FAIL, Job, Stream, accept, array, literal, plan_of, sha, tasks_of, uuid7

KEYED = sha("the submission")


def _event(*jobs, **more):
    """A message of job.accepted events, as the dispatcher writes it."""
    events = []
    for job in jobs:
        event = {"event_id": uuid7(), "type": "io.muster.event.v1.job_accepted", "timestamp": "2026-11-24T10:00:00.5Z",
                 "job_id": job.id, "actor": "submitter", "queue": job.queue, "priority": job.priority}
        if job.key:
            event.update(id=job.key, body_digest=KEYED.hex())
        event.update(more)
        text = json.dumps(event)[:-1]
        events.append(text + ', "task": ' + job.body.decode() + "}" if "task" not in more else text + "}")
    terms = {sha(j.terms).hex(): j.terms.decode() for j in jobs}
    return ('{"v":1,"events":[' + ",".join(events) + '],"terms":{' + ",".join(f'"{d}": {t}' for d, t in terms.items()) + "}}").encode()


def _resubmit(db, message, dry=False):
    rows = db.rows(f"select job_id, state, other_job from muster.resubmit({literal(message)}::bytea, {literal(dry)})")
    return {r[0]: r[1:] if r[2] else r[1] for r in rows}


def _replay(db, *jobs, dry=False):
    said = db.one(f"select muster.replay_quarantine({array('uuid', [j.id for j in jobs])}, {literal(dry)})")
    return int(said.split("\n")[-1])  # behind a warning, if there is one


def _lose(db, *jobs):
    """As if the backup had been made before them."""
    ids = array("uuid", [j.id for j in jobs])
    db.rows(f"delete from muster.job where job_id = any ({ids}); delete from muster.request where job_id = any ({ids}); "
            f"delete from muster.outbox where ride_id = any ({ids})")


def what_was_put_aside_while_its_job_was_stored_again_is_recorded(world):
    job, unknown, stream = accept(world.db, Job()), Job(), Stream()
    event, outcomes = _event(job), [stream.outcome(job), stream.outcome(unknown)]
    _lose(world.db, job)
    assert stream.record(world.db, outcomes) == {"quarantined": 2}
    replay = "select muster.replay_known(10)"
    assert world.db.one(replay) == "0", "it is not known yet"
    _resubmit(world.db, event)
    assert world.db.one(replay).split("\n")[-1] == "1"
    assert world.db.rows("select task_id, result from muster.outcome") == [[job.id, "pass"]]
    assert world.db.rows("select job_id from muster.quarantine") == [[unknown.id]]
    assert world.db.one(replay) == "0"


def a_lost_job_is_stored_again_bit_by_bit(world):
    job = accept(world.db, Job(key="eod", labels='{"desk": "fx"}'))
    kept = "select job_id, job_key, body, task_digest, stage, queue, priority, pack, terms_digest, as_of, labels, n, actor from muster.job"
    message = "select ride_id, n, subject, message_id, members, bytes from muster.outbox where kind = 'task'"
    before, queued = world.db.rows(kept.replace("actor", "'submitter'")), world.db.rows(message)
    event = _event(job, labels={"desk": "fx"})
    assert _resubmit(world.db, event) == {job.id: "known"}
    _lose(world.db, job)
    assert _resubmit(world.db, event, dry=True) == {job.id: "missing"}
    assert world.db.rows(kept) == []
    assert _resubmit(world.db, event) == {job.id: "resubmitted"}
    assert world.db.rows(kept) == before and world.db.rows(message) == queued
    assert world.db.one("select submitted_at at time zone 'UTC' from muster.job") == "2026-11-24 10:00:00.5"
    assert world.db.rows("select key, job_id, body_digest from muster.request") == [["eod", job.id, "\\x" + KEYED.hex()]]
    assert _resubmit(world.db, event) == {job.id: "known"}
    assert world.db.rows("select actor, action, reason from muster.audit order by seq") == \
        [["test", "accept", None], ["submitter", "resubmit", "by postgres"]]
    lost = world.db.rows("select seq, fault, kind, id from report.audit_verify()")
    assert lost == [["1", "altered", "job", job.id]], "the row that a restored database would not have had a link for"


def a_key_of_another_job_is_told_and_not_taken(world):
    same, other, free = Job(key="same"), Job(key="other"), Job(key="free")
    new = [Job(key="same"), Job(key="other")]
    world.db.rows(f"select muster.claim_keys(array['same', 'other'], {array('uuid', [j.id for j in new])}, "
                  f"{array('bytea', [KEYED, sha('another submission')])})")
    accept(world.db, *new)
    stream = Stream()
    stream.record(world.db, [stream.outcome(same), stream.outcome(other)])
    expected = {same.id: ["replaced", new[0].id], other.id: ["conflict", new[1].id], free.id: "missing"}
    assert _resubmit(world.db, _event(same, other, free), dry=True) == expected
    expected[free.id] = "resubmitted"
    assert _resubmit(world.db, _event(same, other, free)) == expected
    assert sorted(r[0] for r in world.db.rows("select job_id from muster.job")) == sorted([new[0].id, new[1].id, free.id])
    assert world.db.rows("select job_id from muster.quarantine") == [[other.id]], "the replaced one's results are of no use"
    assert world.db.one("select action from muster.audit order by seq desc limit 1") == "drop replaced"
    assert world.db.one("select min(seq) from report.audit_verify()") is None


def an_event_that_does_not_carry_its_task_or_other_terms_stores_nothing(world):
    bare, bent, strange = Job(), Job(), Job()
    message = _event(bare, bent).replace(b', "task": ' + bare.body, b"")
    message = message.replace(b'"as_of": "2026-11-24"', b'"as_of": "2026-11-25"').replace(b'"as_of":"2026-11-24"', b'"as_of":"2026-11-25"')
    assert _resubmit(world.db, message) == {bare.id: "without_task", bent.id: "damaged"}
    message = _event(strange).replace(f'"job_id": "{strange.id}"'.encode(), f'"job_id": "{bare.id}"'.encode(), 1)
    assert _resubmit(world.db, message) == {bare.id: "damaged"}
    assert world.db.one("select count(*) from muster.job") == "0"


def results_that_were_put_aside_are_recorded_once_their_job_is_known(world):
    job, other, stream = Job(), Job(), Stream()
    outcome = stream.outcome(job, result="fail", rules=FAIL, findings=1, n=2)
    assert stream.record(world.db, [outcome], [stream.finding(job)]) == {"quarantined": 2}
    assert stream.record(world.db, [stream.outcome(other)]) == {"quarantined": 1}
    position = world.db.rows("select created, sequence from muster.positions()")
    assert _replay(world.db, job, other) == 0 and _replay(world.db, job, other, dry=True) == 3
    _resubmit(world.db, _event(job))
    assert _replay(world.db, job, other) == 2
    assert world.db.rows("select task_id, result, n, findings_total, encode(determined, 'hex') = '" + outcome["determined"].hex() +
                         "', finished_at at time zone 'UTC', agent from muster.outcome") == \
        [[job.id, "fail", "2", "1", "t", "2026-11-24 10:00:00", "a1"]]
    assert world.db.one("select count(*) from report.finding") == "1"
    assert world.db.one("select fail from report.check_result") == "1"
    assert world.db.rows("select job_id from muster.quarantine") == [[other.id]]
    assert world.db.rows("select kind from muster.outbox where kind = 'task'") == [], "it is not run again"
    assert world.db.rows("select created, sequence from muster.positions()") == position, "it is the recorder's alone"
    assert _replay(world.db, job) == 0


def a_plan_that_was_put_aside_makes_its_scans_and_finds_their_results(world):
    job, stream = accept(world.db, Job(stage="plan")), Stream()
    stream.record(world.db, [stream.outcome(job, result="planned", rules=[], plan=plan_of(3))])
    scans = tasks_of(world.db, job)
    results = [stream.outcome(job, result="planned", rules=[], plan=plan_of(3))]
    results += [stream.outcome(s, records=10, findings=1, result="fail", rules=[dict(FAIL[0], **{"pass": 9})]) for s in scans]
    findings = [stream.finding(s) for s in scans]
    world.db.rows("truncate muster.job, muster.task, muster.outcome, muster.job_progress, muster.outbox")
    assert stream.record(world.db, results, findings) == {"quarantined": 7}
    _resubmit(world.db, _event(job))
    assert _replay(world.db, job) == 7
    assert world.db.rows("select state, result, tasks_done, findings from report.job_status") == [["completed", "fail", "4", "3"]]
    assert world.db.rows("select 1 from muster.quarantine union all select 1 from muster.outbox where kind = 'task'") == []


def what_cannot_be_replayed_stays_and_its_job_is_run_again(world):
    job, stream = Job(), Stream()
    stream.record(world.db, [stream.outcome(job)])
    world.db.rows("update muster.quarantine set bytes = convert_to(replace(convert_from(bytes, 'UTF8'), 'determined', 'x'), 'UTF8')")
    _resubmit(world.db, _event(job))
    assert _replay(world.db, job) == 0
    assert world.db.rows("select reason from muster.quarantine") == [["unknown_task"]]
    assert world.db.rows("select ride_id from muster.outbox where kind = 'task'") == [[job.id]]


def _settle(db, *sequences, stream="c1"):
    db.rows(f"select muster.intake_settle('{stream}', {array('bigint', sequences)}, {max(sequences)}, now())")


def _lost(db, first, acknowledged, stream="c1"):
    got = db.one(f"select muster.intake_lost('{stream}', {first}, {acknowledged})")
    return got and int(got)


def what_is_acknowledged_and_not_settled_is_lost(world):
    assert _lost(world.db, 0, 0) is None and _lost(world.db, 1, 0) is None
    _settle(world.db, 1, 2, 3)
    _settle(world.db, 7, 5)  # another dispatcher is ahead
    assert _lost(world.db, 1, 3) is None and _lost(world.db, 1, 7) == 4
    _settle(world.db, 4, 6, 6)
    assert _lost(world.db, 1, 7) is None and _lost(world.db, 1, 8) == 8
    assert world.db.one("select sequences from muster.intake_settled") == "{[1,8)}"
    assert _lost(world.db, 1, 2, stream="c2") == 1, "a stream that this database has never seen"


def what_the_stream_no_longer_has_is_not_missed(world):
    _settle(world.db, 1, 2)
    assert _lost(world.db, 6, 5) is None, "3 to 5 are gone"
    assert world.db.one("select sequences from muster.intake_settled") == "{[1,6)}"
    _settle(world.db, 8)
    assert _lost(world.db, 6, 8) == 6
    for gone in (6, 7):
        world.db.rows(f"select muster.intake_absent('c1', {gone})")
    assert _lost(world.db, 6, 8) is None


def a_stream_older_than_the_table_begins_with_what_is_acknowledged(world):
    world.db.rows("insert into muster.intake_settled (created) values ('c1')")
    _settle(world.db, 21)
    assert _lost(world.db, 1, 21) is None
    assert _lost(world.db, 1, 22) == 22


def a_stream_that_went_back_forgets_what_was_beyond_its_end(world):
    _settle(world.db, *range(1, 11))
    world.db.rows("select muster.intake_went_back('c1', 6)")
    assert _lost(world.db, 1, 6) is None and _lost(world.db, 1, 7) == 7


def a_loss_is_told_by_one_event(world):
    _settle(world.db, 1)
    assert [world.db.one(f"select muster.intake_tell('c1', {n})") for n in (2, 2, 3)] == ["t", "f", "t"]
    assert world.db.rows("select subject from muster.outbox") == [["muster.event.operator.database_went_back"]] * 2


def a_rejection_settles_its_message(world):
    for n in (1, 2, 1):
        world.db.rows(f"select muster.reject('intake', 'muster.intake', 'c1', {n}, '2026-11-24T10:00:00Z', 'invalid', 'no pack', '/pack', '{{}}'::bytea)")
    assert world.db.one("select sequences from muster.intake_settled") == "{[1,3)}"
