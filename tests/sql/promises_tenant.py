# SPDX-License-Identifier: Apache-2.0
"""Tenancy: while it is on, a reporter sees in every view of schema report what is of tenants granted to them, and nothing else."""
from calls import FAIL, Job, Stream, accept, array, plan_of, sha, tasks_of

TENANTS = ("a", "b")
ON_THE_WHOLE = {"alert", "legal_hold", "partition", "purge"}  # of all tenants: for those who see all


def _tenant_jobs(world, tenant):
    """A job of every kind: done with a finding, planned, dead, waiting for a source that is down, with a deadline."""
    def job(**more):
        return Job(labels=f'{{"tenant":"{tenant}"}}', queue=f"queue-{tenant}", key=None, pack=f"pack-{tenant}@1.0.0", **more)

    stream = Stream(f"2026-11-2{TENANTS.index(tenant)}T00:00:00Z")
    done, planned, dead, waits, due = accept(world.db, job(), job(stage="plan"), job(), job(), job())
    world.db.rows(f"select muster.pack_put('pack-{tenant}', v, sha256(v::bytea), 'x', 'test') from unnest(array['1.0.0', '1.1.0']) as v")
    world.db.rows(f"update muster.job set source_name = 'source-{tenant}', job_key = 'key-{tenant}-' || job_id where queue = 'queue-{tenant}'")
    world.db.rows(f"update muster.job set source_name = 'source-down-{tenant}' where job_id = '{waits.id}'")
    world.db.rows(f"update muster.job set deadline = now() + interval '1 hour' where job_id = '{due.id}'")
    stream.record(world.db, [
        stream.outcome(done, result="fail", rules=FAIL, findings=1, agent=f"agent-{tenant}", delivery=2,
                       resumes=[{"agent": f"agent-{tenant}", "from_agent": f"old-{tenant}", "record_no": 1, "byte_off": 1}]),
        stream.outcome(planned, result="planned", rules=[], plan=plan_of(2), agent=f"agent-{tenant}"),
        stream.outcome(dead, result="error", reason="source_missing", message=f"secret of {tenant}", rules=[], input_digest=None,
                       agent=f"agent-{tenant}")],
        [stream.finding(done, message=f"secret of {tenant}", fingerprint=sha(f"fp {tenant}"))],
        deferred=[{"task": waits.id, "n": 1, "class": "dependency", "reason": "source_down", "message": f"secret of {tenant}"}])
    for task in tasks_of(world.db, planned):
        stream.record(world.db, [stream.outcome(task, ride=task.id, records=10, agent=f"agent-{tenant}")])
    while world.db.one("select muster.ledger_advance(100)") != "0":
        pass
    exception = world.db.one(f"select exception_id from muster.exception where tenant = '{tenant}'")
    day = world.db.one("select (now() + interval '1 day')::date")
    world.db.rows(f"""select muster.waive('{{"exception_ids":["{exception}"],"owner":"o","reason":"secret of {tenant}","until":"{day}"}}', 'test')""")
    world.db.rows(f"""select muster.audit_append('test', 'cancel', 'secret of {tenant}', '[["cancelled","{waits.id}","operator"]]')""")
    return [j.id for j in (done, planned, dead, waits, due)]


def _world_of_two(world):
    ids = {tenant: _tenant_jobs(world, tenant) for tenant in TENANTS}
    for member in (*TENANTS, "nobody", "both"):
        world.db.rows(f"create role member_{member}_{world.name} login in role muster_reporter")
    for tenant in TENANTS:
        world.db.rows(f"select muster.tenant_grant('member_{tenant}_{world.name}', '{tenant}'), muster.tenant_grant('member_both_{world.name}', '{tenant}')")
    return ids


def _views(world):
    return [r[0] for r in world.db.rows("select viewname from pg_views where schemaname = 'report' order by 1")]


def _text(session, view):
    """All rows, in each column of each."""
    return [r[0] for r in session.rows(f"select row_to_json(x)::text from report.{view} as x")]


def every_view_shows_what_is_of_ones_own_tenant_and_nothing_else(world):
    ids = _world_of_two(world)
    world.db.rows("select muster.tenancy_on()")
    for own, other in (TENANTS, TENANTS[::-1]):
        session = world.session(f"member_{own}_{world.name}")
        strange = ids[other] + [f"{word}-{other}" for word in ("source", "source-down", "queue", "agent", "old", "pack", "key")] + [f"secret of {other}"]
        for view in _views(world):
            rows = _text(session, view)
            assert view in ON_THE_WHOLE or rows, f"{view} shows nothing to {own}"
            for row in rows:
                assert not [s for s in strange if s in row], f"{view} shows to {own}: {row}"
        for view, count in (("agent_activity", "sum(tasks)"), ("throughput", "sum(tasks)"), ("queue_latency", "sum(tasks)"),
                            ("daily_summary", "sum(jobs)"), ("rule_summary", "sum(jobs)"), ("breaker", "sum(waiting)")):
            half = int(session.one(f"select {count} from report.{view}"))
            whole = int(world.db.one(f"select {count} from report.{view}"))
            assert 2 * half == whole, (view, half, whole)
    both = world.session(f"member_both_{world.name}")
    assert both.one("select count(*) from report.job_status") == world.db.one("select count(*) from report.job_status")


def a_key_tells_nothing_of_a_job_of_another_tenant(world):
    ids = _world_of_two(world)
    world.db.rows("select muster.tenancy_on()")
    key = {tenant: f"key-{tenant}-{ids[tenant][0]}" for tenant in TENANTS}
    session = world.session(f"member_a_{world.name}")
    assert session.one(f"select report.job_of('{key['a']}')") == ids["a"][0]
    assert session.one(f"select report.job_of('{key['b']}')") is None


def who_is_granted_nothing_sees_nothing_in_any_view(world):
    _world_of_two(world)
    accept(world.db, Job())  # without the label
    accept(world.db, Job(ms=4102444800000))  # and an alert
    world.db.rows("select muster.tenancy_on()")
    nobody, auditor = world.session(f"member_nobody_{world.name}"), "inspector_" + world.name
    for view in _views(world):
        assert _text(nobody, view) == [], f"{view} hides nothing"
        assert nobody.one(f"select count(*) from (select 1 from report.{view} offset 0) as x") == "0", view
    world.db.rows(f"create role {auditor} login in role muster_auditor")
    sees = world.session(auditor)
    for view in _views(world):
        assert _text(sees, view) or view in ("legal_hold", "purge"), f"{view} hides from an auditor"
    world.db.rows(f"select muster.tenant_grant('member_nobody_{world.name}', '*')")
    assert nobody.one("select count(*) from report.job_status") == "12"
    world.db.rows(f"select muster.tenant_revoke('member_nobody_{world.name}', '*')")
    assert nobody.one("select count(*) from report.job_status") == "0"


def a_condition_that_tells_what_it_was_given_is_not_tried_on_hidden_rows(world):
    _world_of_two(world)
    world.db.rows("select muster.tenancy_on()")
    spy = world.session(f"member_a_{world.name}")
    spy.rows("set client_min_messages = notice")
    spy.rows("""create function pg_temp.tell(text) returns boolean language plpgsql cost 0.0000001
                as $$ begin raise notice 'told %', $1; return true; end $$""")
    for view in _views(world):
        told = str(spy.rows(f"select 1 from report.{view} as x where pg_temp.tell(row_to_json(x)::text)"))
        assert "secret of b" not in told and "source-b" not in told, (view, told)
    told = str(spy.rows("select 1 from report.finding where pg_temp.tell(message)"))
    assert "secret of a" in told and "secret of b" not in told, told


def the_programs_work_on_while_tenancy_is_on(world):
    world.db.rows("select muster.tenancy_on()")
    for program in ("dispatcher", "recorder"):
        world.db.rows(f"create role {program}_{world.name} login in role muster_{program}")
    dispatcher, recorder = world.session(f"dispatcher_{world.name}"), world.session(f"recorder_{world.name}")
    job, stream = accept(dispatcher, Job(stage="plan", labels='{"tenant":"a"}')), Stream()
    recorder.rows(stream.call([stream.outcome(job, result="planned", rules=[], plan=plan_of(2))]))
    for task in tasks_of(world.db, job):
        recorder.rows(stream.call([stream.outcome(task, ride=task.id, result="fail", rules=FAIL, records=10)]))
    assert world.db.rows("select state, result, records from report.job_status") == [["completed", "fail", "20"]]
    assert dispatcher.rows(f"select * from muster.open_tasks({array('uuid', [job.id])})") is not None


def tenancy_that_was_turned_off_again_changes_no_plan(world):
    _world_of_two(world)
    analyst = world.session(f"member_nobody_{world.name}")
    plans = {view: world.db.rows(f"explain (costs off) select * from report.{view}") for view in _views(world)}
    assert all(_text(analyst, view) for view in _views(world) if view not in ON_THE_WHOLE), "it is off until somebody turns it on"
    world.db.rows("select muster.tenancy_on(), muster.tenancy_off()")
    for view, plan in plans.items():
        assert world.db.rows(f"explain (costs off) select * from report.{view}") == plan, view
    assert all(_text(analyst, view) for view in _views(world) if view not in ON_THE_WHOLE)


def every_view_belongs_to_the_role_that_tables_hide_rows_from(world):
    foreign = """select viewname from pg_views where schemaname = 'report' and viewowner <> 'muster_views'"""
    assert world.db.rows(foreign) == []
    assert world.db.rows("""select c.relname from pg_class c where pg_get_userbyid(c.relowner) = 'muster_views' and c.relkind <> 'v'""") == []
    assert world.db.rows("select rolname from pg_roles where rolname = 'muster_views' and (rolsuper or rolbypassrls or rolcanlogin)") == []
    # one that is added is covered by the call that its migration ends with
    world.db.rows("set role muster_owner")
    world.db.rows("create view report.later as select job_id from muster.rule_total union all select task_id from muster.any_task")
    assert world.db.rows(foreign) == [["later"]]
    world.db.rows("select muster.seal_report()")
    world.db.rows("reset role")
    assert world.db.rows(foreign) == []
    assert world.db.one("select viewowner from pg_views where viewname = 'any_task'") == "muster_views"


def what_is_granted_is_in_the_trail_and_is_checked(world):
    world.db.rows(f"create role m_{world.name} login in role muster_reporter")
    assert world.db.fails("select muster.tenant_grant('nosuch', 'a')") == "42704"
    assert world.db.fails(f"select muster.tenant_revoke('m_{world.name}', 'a')") == "02000"
    world.db.rows(f"select muster.tenant_grant('m_{world.name}', 'a')")
    world.db.rows(f"select muster.tenant_revoke('m_{world.name}', 'a')")
    world.db.rows("select muster.tenancy_on(), muster.tenancy_off()")
    assert world.db.rows("select actor, action from muster.audit order by seq") == [
        ["postgres", what] for what in ("tenant grant", "tenant revoke", "tenancy on", "tenancy off")]
    member = world.session(f"m_{world.name}")
    for sql in ("select muster.tenancy_off()", f"select muster.tenant_grant('m_{world.name}', '*')", "select * from muster.tenant_access",
                "select muster.seal_report()", "set role muster_views"):
        assert member.fails(sql) == "42501", sql
