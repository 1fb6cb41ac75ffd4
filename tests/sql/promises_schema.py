# SPDX-License-Identifier: Apache-2.0
"""What the schema itself is promised: comments, rights, partitions, the audit chain, locks."""
import json
import os
import re

from calls import FAIL, Job, Stream, accept, link_hash, plan_of, trail
from cluster import ROOT


def every_table_view_and_function_has_a_comment(world):
    assert world.db.rows("""
        select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('muster', 'report') and c.relkind in ('r', 'p', 'v') and not c.relispartition
          and obj_description(c.oid, 'pg_class') is null
        union all
        select p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname in ('muster', 'report') and obj_description(p.oid, 'pg_proc') is null""") == []


def every_column_of_a_report_has_a_comment(world):
    assert world.db.rows("""
        select c.relname || '.' || a.attname from pg_class c join pg_namespace n on n.oid = c.relnamespace
        join pg_attribute a on a.attrelid = c.oid
        where n.nspname = 'report' and c.relkind = 'v' and a.attnum > 0 and col_description(c.oid, a.attnum) is null""") == []


def writers_run_as_their_owner_with_a_fixed_search_path(world):
    assert world.db.rows("""
        select p.proname from pg_proc p where p.pronamespace = 'muster'::regnamespace and p.prosecdef
          and not exists (select from unnest(p.proconfig) as c where c like 'search_path=pg_catalog, muster%')""") == []


def nothing_in_the_schema_is_open_to_everybody(world):
    world.db.rows("create role somebody login")
    somebody = world.session("somebody")
    for sql in ("select * from muster.job", "select muster.maintain()", "select * from report.job_status",
                "select muster.end_task(gen_random_uuid(), 'cancelled', 'x', 'y')"):
        assert somebody.fails(sql) == "42501", sql
    assert world.db.rows("""select p.proname from pg_proc p where p.pronamespace = 'muster'::regnamespace
                            and has_function_privilege('somebody', p.oid, 'execute')""") == []


def programs_work_through_functions_and_cannot_touch_tables(world):
    for program in ("dispatcher", "recorder"):
        world.db.rows(f"create role {program}1 login in role muster_{program}")
    dispatcher, recorder = world.session("dispatcher1"), world.session("recorder1")
    job, stream = accept(dispatcher, Job(stage="plan")), Stream()
    recorder.rows(stream.call([stream.outcome(job, result="planned", rules=[], plan=plan_of(2))]))
    dispatcher.rows("select * from muster.outbox_pending(10, 0, '{}')")
    dispatcher.rows("select muster.maintain(), muster.retry_due(1), muster.recount_stages()")
    for session in (dispatcher, recorder):
        for table in ("outcome", "audit", "finding", "job", "quarantine"):
            for sql in (f"delete from muster.{table}", f"truncate muster.{table}", f"update muster.{table} set ctid = ctid"):
                assert session.fails(sql) in ("42501", "0A000"), sql
        assert session.fails("insert into muster.audit values (1, now(), now(), 'x', 'y', 'z', '[]', '', 'p', 'h')") == "42501"
    assert recorder.fails("select muster.republish(gen_random_uuid(), 1, false, 'x')") == "42501"
    assert dispatcher.fails(stream.call()) == "42501"


# `muster db resubmit` and `muster db maintain` want a dispatcher's login
BY_DISPATCHER = {"resubmit", "replay_quarantine", "positions", "maintain", "retention_set", "retire_due", "retire_next", "retire_events", "drop_next"}


def every_function_that_a_program_calls_is_granted_to_its_role(world):
    for program, role in (("dispatcher", "dispatcher"), ("recorder", "recorder"), ("cli", "auditor")):
        with open(os.path.join(ROOT, program, "statements.c")) as file:
            called = sorted(set(re.findall(r"\bmuster\.(\w+)\(", file.read())))
        assert called
        for name in called:
            whose = "dispatcher" if program == "cli" and name in BY_DISPATCHER else role
            assert world.db.rows(f"""select has_function_privilege('muster_{whose}', p.oid, 'execute') from pg_proc p
                where p.pronamespace = 'muster'::regnamespace and p.proname = '{name}'""") == [["t"]], (program, name)


def a_reporter_reads_every_view_and_nothing_else(world):
    world.db.rows("create role analyst login in role muster_reporter")
    analyst = world.session("analyst")
    job, stream = accept(world.db, Job()), Stream()
    stream.record(world.db, [stream.outcome(job, result="fail", rules=FAIL, findings=1)], [stream.finding(job)])
    world.db.rows("select muster.pack_put('identifiers', v, sha256(v::bytea), 'x', 'test') from unnest(array['1.0.0', '1.1.0']) as v")
    world.db.rows(f"update muster.job set deadline = now() where job_id = '{job.id}'")
    waits, dead = accept(world.db, Job(), Job())
    stream.record(world.db, [stream.outcome(dead, result="error", reason="source_missing", rules=[], input_digest=None)], deferred=[
        {"task": waits.id, "n": 1, "class": "dependency", "reason": "source_down", "message": "the root is gone"}])
    world.db.rows("select muster.ledger_advance(100)")
    world.db.rows("""select muster.waive('{"rule":"ISIN","owner":"o","reason":"r","until":"' || (now() + interval '1 day')::date || '"}', 'test')""")
    views = [r[0] for r in world.db.rows("select viewname from pg_views where schemaname = 'report'")]
    assert len(views) >= 6
    for view in views:
        if view in ("legal_hold", "purge"):
            assert analyst.rows(f"select * from report.{view}") == [], "nobody did anything"
            continue
        if view == "alert":
            assert analyst.rows("select * from report.alert") == [], "nothing is wrong"
            continue
        assert analyst.rows(f"select * from report.{view}"), view
    assert analyst.fails("select * from muster.outcome") == "42501"
    assert analyst.fails("delete from report.finding") in ("42501", "55000")


def an_auditor_reads_the_trail_and_cannot_change_it(world):
    world.db.rows("create role inspector login in role muster_auditor")
    inspector = world.session("inspector")
    accept(world.db, Job())
    assert inspector.rows("select seq from muster.audit") == [["1"]]
    assert inspector.one("select min(seq) from report.audit_verify()") is None
    assert inspector.fails("delete from muster.audit") == "42501"


def not_even_an_owner_changes_the_audit_trail(world):
    accept(world.db, Job())
    for sql in ("update muster.audit set actor = 'x'", "delete from muster.audit", "truncate muster.audit"):
        assert world.db.fails(sql) == "P0001", sql


def the_audit_chain_links_every_change_by_its_hash(world):
    jobs, stream = accept(world.db, Job(), Job()), Stream()
    stream.record(world.db, [stream.outcome(j) for j in jobs])
    world.db.rows("select muster.pack_put('p', '1.0.0', sha256('x'), 'x', 'test')")
    previous, actions = b"", []
    for link in trail(world.db):
        assert link["previous"] == previous
        previous = link_hash(previous, link)
        assert link["hash"] == previous
        actions.append(link["action"])
    assert actions == ["accept", "record", "pack load"]
    assert world.db.one("select min(seq) from report.audit_verify()") is None


def the_tasks_of_a_plan_are_in_the_trail(world):
    job, stream = accept(world.db, Job(stage="plan")), Stream()
    stream.record(world.db, [stream.outcome(job, result="planned", rules=[], plan=plan_of(2))])
    body = json.loads(world.db.one("select body from muster.audit where action = 'record'"))
    stored = world.db.rows("select task_id, encode(muster.seal(t), 'hex') from muster.task t")
    assert sorted(map(tuple, [b[1:] for b in body if b[0] == "task"])) == sorted(map(tuple, stored)) and len(stored) == 2


def rows_lie_in_the_partition_of_their_ids_quarter(world):
    job, stream = accept(world.db, Job()), Stream()
    stream.record(world.db, [stream.outcome(job, result="fail", rules=FAIL, findings=1)], [stream.finding(job)])
    quarter = world.db.one(f"""select to_char(muster.time_of('{job.id}') at time zone 'UTC', 'YYYY"q"Q')""")
    for table in ("job", "outcome", "finding"):
        assert world.db.rows(f"select tableoid::regclass from muster.{table}") == [[f"muster.{table}_{quarter}"]]


def rows_of_a_quarter_without_a_partition_go_to_the_default_and_are_moved(world):
    job = accept(world.db, Job(ms=4102444800000))  # 2100-01-01
    assert world.db.rows("select tableoid::regclass from muster.job") == [["muster.job_default"]]
    assert world.db.one("select value from muster.counts() where name = 'default_rows'") == "1"
    assert int(world.db.one("select muster.maintain('2100-01-01')")) > 0
    assert world.db.rows(f"select tableoid::regclass from muster.job where job_id = '{job.id}'") == [["muster.job_2100q1"]]
    assert world.db.one("select value from muster.counts() where name = 'default_rows'") == "0"


def partitions_are_made_ahead_once(world):
    assert world.db.one("select muster.maintain()") == "0"
    assert int(world.db.one("select muster.maintain(now() + interval '3 months')")) == 6


def what_should_never_be_is_an_alert(world):
    accept(world.db, Job(ms=4102444800000))
    stream = Stream()
    stream.record(world.db, [stream.outcome(Job())])
    assert world.db.rows("select name, value from report.alert order by name") == [["default_rows", "1"], ["quarantine", "1"]]


def a_plain_owner_who_may_create_roles_can_migrate(world):
    world.db.rows("create role plain login createrole")
    world.db.rows("grant muster_owner to plain with admin option")
    world.db.rows("create database plain_db owner plain")
    try:
        world.cluster.migrate("plain_db", "plain")
        plain = world.cluster.session("plain_db", "plain")
        job, stream = accept(plain, Job()), Stream()
        assert stream.record(plain, [stream.outcome(job)]) == {"outcomes": 1, "finished": 1}
        assert plain.rows("select distinct tableowner from pg_tables where schemaname = 'muster'") == [["muster_owner"]]
        plain.close()
        world.cluster.sessions.remove(plain)
    finally:
        world.db.rows("drop database plain_db with (force)")


def a_holder_without_a_beat_can_be_ended(world):
    holder = world.session()
    pid = holder.one("select pg_backend_pid() where muster.lock_take('recorder', 'host:1')")
    world.db.rows(f"select muster.lock_beat('recorder', {pid})")
    assert world.db.one("select muster.lock_stale('recorder', 5000)") is None
    assert world.db.one("select muster.lock_stale('recorder', -1)") == pid
    assert world.db.one(f"select muster.lock_end('leader', {pid})") == "f", "it holds another lock"
    assert world.db.one(f"select muster.lock_end('recorder', {pid})") == "t"
    world.db.rows("select pg_advisory_lock(muster.lock_key('recorder'))")


def a_stand_by_of_the_same_role_may_end_a_stopped_holder(world):
    world.db.rows("create role r1 login in role muster_recorder")
    holder, standby = world.session("r1"), world.session("r1")
    pid = holder.one("select pg_backend_pid() where muster.lock_take('recorder', 'host:1')")
    standby.rows(f"select muster.lock_beat('recorder', {pid})")
    assert standby.one(f"select muster.lock_end('recorder', {pid})") == "t"


def who_takes_a_lock_is_its_holder_at_once_and_a_former_one_has_no_beat(world):
    former, holder = world.session(), world.session()
    old = former.one("select pg_backend_pid() where muster.lock_take('recorder', 'host:1')")
    assert holder.one("select muster.lock_take('recorder', 'host:2')") == "f"
    former.rows("select pg_advisory_unlock(muster.lock_key('recorder'))")
    new = holder.one("select pg_backend_pid() where muster.lock_take('recorder', 'host:2')")
    world.db.rows("update muster.lock_holder set beat_at = now() - interval '6 seconds'")
    world.db.rows(f"select muster.lock_beat('recorder', {old})")
    assert world.db.one("select muster.lock_stale('recorder', 5000)") == new, "the late beat hides nothing"
    assert world.db.one("select holder from muster.lock_holder") == "host:2"


def a_lock_that_cannot_be_noted_is_not_held(world):
    world.db.rows("alter table muster.lock_holder add check (holder <> 'host:1')")
    assert world.session().fails("select muster.lock_take('recorder', 'host:1')") == "23514"
    assert world.db.one("select muster.lock_take('recorder', 'host:2')") == "t"


def ids_of_one_time_lie_between_floor_and_ceiling(world):
    job = Job()
    low, high = world.db.rows(f"select muster.id_floor('{job.id}'), muster.id_ceiling('{job.id}')")[0]
    assert low == job.id[:13] + "-0000-0000-000000000000" and high == job.id[:13] + "-ffff-ffff-ffffffffffff"


def every_migration_is_noted(world):
    versions = [int(r[0]) for r in world.db.rows("select version from muster.schema_migration order by 1")]
    assert versions == list(range(1, len(versions) + 1)) and versions
