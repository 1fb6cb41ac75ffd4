# SPDX-License-Identifier: Apache-2.0
"""What report.audit_verify promises of the rows: what a superuser altered, removed or inserted in the tables, beside all
functions, is found and named, and nothing else is."""
import json

from calls import FAIL, Job, Stream, accept, plan_of, tasks_of


def _world(world):
    """Every kind of row that the trail names: jobs, bundles of outcomes, findings, a plan with its tasks, one of which fails and
    is retried by hand, a cancelled job, a deferral, a rejection, a pack."""
    db, stream = world.db, Stream()
    small, failing, odd, waiting = accept(db, Job(), Job(), Job(), Job())
    planned = accept(db, Job(stage="plan"))
    stream.record(db, [stream.outcome(small), stream.outcome(failing, result="fail", rules=FAIL, findings=1, riding=1)],
                  [stream.finding(failing)])
    stream.record(db, [stream.outcome(planned, result="planned", rules=[], plan=plan_of(2))],
                  deferred=[{"task": waiting.id, "n": 1, "class": "transient", "reason": "list_missing", "message": "not there"}])
    one, two = tasks_of(db, planned)
    stream.record(db, [stream.outcome(one, records=10), stream.outcome(two, result="error", reason="source_unreadable", rules=[])])
    assert json.loads(db.one(f"""select muster.retry_by_hand('{{"task_id":"{two.id}","reason":"the disk is back"}}', 'anna')"""))["done"] == 1
    again = [t for t in tasks_of(db, planned) if t.id not in (one.id, two.id)][0]
    stream.record(db, [stream.outcome(again, records=10)])
    db.rows(f"""select muster.cancel('{{"job_id":"{odd.id}","reason":"wrong day"}}', 'ben')""")
    db.rows("select muster.reject('intake', 'muster.intake', '2026-11-24T00:00:00Z', 7, now(), 'invalid', 'no pack', '/pack', '{}')")
    db.rows("select muster.pack_put('p', '1.0.0', sha256('{}'), '{}', 'carla')")
    return {"small": small, "failing": failing, "cancelled": odd, "waiting": waiting, "planned": planned, "one": one, "two": two, "again": again}


def _found(world):
    return sorted((r[1], r[2], r[3]) for r in world.db.rows("select * from report.audit_verify()"))


def _after(world, *statements):
    """What is found after a superuser's statements, which are undone again."""
    world.db.rows("begin")
    for sql in statements:
        world.db.rows(sql)
    found = _found(world)
    world.db.rows("rollback")
    return found


def nothing_is_found_where_nothing_was_touched(world):
    _world(world)
    assert _found(world) == []
    actions = [r[0] for r in world.db.rows("select action from muster.audit order by seq")]
    assert actions == ["accept", "accept", "record", "record", "record", "retry", "record", "cancel", "reject", "pack load"], actions
    kinds = {r[0] for r in world.db.rows("select e.kind from muster.audit a, muster.audit_entries(a.body, a.packed) as e")}
    assert kinds == {"job", "task", "outcome", "tally", "finding", "rejection", "pack", "cancelled", "finished", "deferred"}, kinds


def every_column_of_a_sealed_row_is_guarded(world):
    _world(world)
    ids = {"job": "job_id", "task": "task_id", "outcome": "task_id", "tally": "tally_id", "finding": "finding_id"}
    free = {"job": {"n", "cancelled"}, "task": {"n"}, "outcome": set(), "tally": set(), "finding": set()}
    changed = {"text": "coalesce({c}, '') || 'x'", "uuid": "gen_random_uuid()", "bytea": "sha256(coalesce({c}, ''))", "integer": "coalesce({c}, 0) + 1",
               "bigint": "coalesce({c}, 0) + 1", "jsonb": "'{{\"x\":1}}'", "boolean": "not {c}", "date": "{c} - 1",
               "timestamp with time zone": "coalesce({c}, now()) + interval '1 microsecond'"}
    for table, key in ids.items():
        id_ = world.db.one(f"select {key} from muster.{table} order by 1 limit 1")
        world.db.rows("alter table muster.outcome drop constraint outcome_result_check; alter table muster.job drop constraint job_stage_check, "
                      "drop constraint job_priority_check; alter table muster.task drop constraint task_stage_check; "
                      "alter table muster.finding drop constraint finding_outcome_check" if table == "job" else "select 1")
        for column, kind in world.db.rows(f"""select column_name, data_type from information_schema.columns
                where table_schema = 'muster' and table_name = '{table}' and column_name <> '{key}'"""):
            if column in free[table]:
                continue
            found = _after(world, f"update muster.{table} set {column} = {changed[kind].format(c=column)} where {key} = '{id_}'")
            assert ("altered", table, id_) in found, (table, column, found)


def a_verdict_that_was_changed_is_named_and_nothing_else(world):
    w = _world(world)
    assert _after(world, f"update muster.outcome set result = 'pass' where task_id = '{w['failing'].id}'") == \
        [("altered", "outcome", w["failing"].id)]
    finding = world.db.one("select finding_id from muster.finding")
    assert _after(world, "update muster.finding set message = 'all is well'") == [("altered", "finding", finding)]
    assert _after(world, f"update muster.job set body = '{{}}' where job_id = '{w['small'].id}'") == [("altered", "job", w["small"].id)]
    terms = world.db.one("select encode(terms_digest, 'hex') from muster.terms limit 1")
    assert ("altered", "terms", terms) in _after(world, f"update muster.terms set document = '{{}}' where terms_digest = '\\x{terms}'")
    assert _after(world, "update muster.pack set document = '[]'") == [("altered", "pack", "p@1.0.0")]


def rows_that_were_removed_are_named(world):
    w = _world(world)
    finding = world.db.one("select finding_id from muster.finding")
    assert _after(world, "delete from muster.finding") == [("removed", "finding", finding)]
    assert _after(world, f"delete from muster.outcome where task_id = '{w['failing'].id}'") == [("removed", "outcome", w["failing"].id)]
    assert ("removed", "job", w["small"].id) in _after(world, f"delete from muster.job where job_id = '{w['small'].id}'")
    rejection = world.db.one("select rejection_id from muster.rejection")
    assert _after(world, "delete from muster.rejection") == [("removed", "rejection", rejection)]


def rows_that_were_inserted_are_named(world):
    w = _world(world)
    copy = "insert into muster.{t} select (jsonb_populate_record(x, '{{{c}}}'::jsonb)).* from muster.{t} x where {k} = '{i}'"
    new = Job().id
    for when in ("", ',"recorded_at":"2026-01-01T00:00:00Z"'):  # in a transaction that the trail knows, and in one that it does not
        assert _after(world, copy.format(t="outcome", c=f'"task_id":"{new}"' + when, k="task_id", i=w["small"].id)) == \
            [("inserted", "outcome", new)]
    assert _after(world, copy.format(t="finding", c=f'"finding_id":"{new}"', k="task_id", i=w["failing"].id)) == [("inserted", "finding", new)]
    assert _after(world, copy.format(t="job", c=f'"job_id":"{new}"', k="job_id", i=w["small"].id)) == [("inserted", "job", new)]
    assert _after(world, copy.format(t="task", c=f'"task_id":"{new}"', k="task_id", i=w["one"].id)) == [("inserted", "task", new)]
    far = Job(ms=4102444800000).id  # outside of all partitions
    assert _after(world, copy.format(t="outcome", c=f'"task_id":"{far}"', k="task_id", i=w["small"].id)) == [("inserted", "outcome", far)]


def rows_that_changed_places_are_named(world):
    w = _world(world)
    one, two, spare = w["small"].id, w["failing"].id, Job().id
    swap = [f"update muster.outcome set task_id = '{b}' where task_id = '{a}'" for a, b in ((one, spare), (two, one), (spare, two))]
    assert _after(world, *swap) == sorted([("altered", "outcome", one), ("altered", "outcome", two)])


def a_partition_that_was_emptied_is_found_row_by_row(world):
    w = _world(world)
    for table, key in (("outcome", "task_id"), ("finding", "finding_id"), ("task", "task_id")):
        partition = world.db.one(f"select tableoid::regclass from muster.{table} limit 1")
        gone = [("removed", table, r[0]) for r in world.db.rows(f"select {key} from muster.{table}")]
        found = _after(world, f"truncate {partition}")
        assert gone and set(gone) <= set(found), (table, found)
        assert {f for f in found if f[1] == table} == set(gone), found
    partition = world.db.one("select tableoid::regclass from muster.audit limit 1")
    world.db.rows("set session_replication_role = replica")
    last = world.db.one("select max(seq) from muster.audit")
    found = _after(world, f"truncate {partition}")
    assert ("removed", "audit", last) in found and ("inserted", "job", w["small"].id) in found, found


def what_follows_from_sealed_rows_is_computed_again(world):
    w = _world(world)
    job = w["planned"].id
    assert _after(world, f"update muster.job_progress set result = 'fail' where job_id = '{job}'") == [("altered", "job_progress", job)]
    assert _after(world, f"delete from muster.job_progress where job_id = '{job}'") == [("removed", "finished", job)] * 2, "it ended twice"
    assert _after(world, f"update muster.job set cancelled = true where job_id = '{w['small'].id}'") == [("altered", "job", w["small"].id)]
    assert _after(world, f"update muster.job set cancelled = false where job_id = '{w['cancelled'].id}'") == \
        [("altered", "cancelled", w["cancelled"].id)]


def a_forged_link_does_not_hide_a_forged_row(world):
    w = _world(world)
    world.db.rows("set session_replication_role = replica")  # no triggers: what a superuser can do
    found = _after(world, f"update muster.outcome set result = 'pass' where task_id = '{w['failing'].id}'",
                   "update muster.audit set body = 'no JSON at all' where action = 'record'")
    assert [f for f in found if f[1] == "audit"] == [("altered", "audit", s) for s in ("3", "4", "5", "7")], found
    assert ("inserted", "outcome", w["failing"].id) in found, "no link that holds names it"


def a_range_says_nothing_of_the_rest(world):
    w = _world(world)
    world.db.rows(f"update muster.outcome set result = 'pass' where task_id = '{w['failing'].id}'")
    assert world.db.rows("select seq, id from report.audit_verify(1, 2)") == []
    assert world.db.rows("select seq, id from report.audit_verify(3, 3)") == [["3", w["failing"].id]]
    assert world.db.rows("select seq, id from report.audit_verify(4)") == []


def a_cancel_that_finds_nothing_open_any_more_is_in_the_trail_too(world):
    job = _world(world)["planned"].id
    world.db.rows(f"update muster.job_progress set finished_at = null, result = null where job_id = '{job}'")  # not counted yet
    world.db.rows(f"""select muster.cancel('{{"job_id":"{job}","reason":"too late"}}', 'ben')""")
    assert world.db.one(f"select cancelled from muster.job where job_id = '{job}'") == "t" and _found(world) == []


def a_job_that_ends_in_an_open_stage_says_so_in_the_trail_of_its_batch_alone(world):
    w = _world(world)
    said = [json.loads(r[0]) for r in world.db.rows("select body from muster.audit where action = 'record' order by seq")]
    kinds = [sorted(e[0] for e in body) for body in said]
    assert kinds == [[], ["deferred", "task", "task"], ["finished"], ["finished"]], kinds
    assert [e for e in said[1] if e[0] == "deferred"] == [["deferred", w["waiting"].id, "transient: list_missing"]]
