# SPDX-License-Identifier: Apache-2.0
"""How long what is kept: what the policy takes out has a certificate and is no fault, what must stay stays."""
import json

from calls import FAIL, Job, Stream, accept, plan_of, tasks_of

OLD = 1_425_000_000_000  # 2015-02-27
YEAR = 366 * 86_400_000
CLEAN = "select * from report.audit_verify()"


def _policy(world, outcomes=7 * YEAR, findings=2 * YEAR, audit=7 * YEAR, events=90 * 86_400_000, grace=30 * 86_400_000):
    return world.db.one(f"select muster.retention_set({outcomes}, {findings}, {audit}, {events}, {grace})")


def _old_world(world, **job):
    """A job of 2015 with a finding, one of several tasks, and a job of today."""
    world.db.rows("select muster.maintain('2015-02-01')")
    stream = Stream()
    failed, planned = accept(world.db, Job(ms=OLD, key="eod", **job), Job(ms=OLD + 1, stage="plan"))
    new = accept(world.db, Job())
    world.db.rows(f"insert into muster.request (key, job_id, body_digest) values ('eod', '{failed.id}', 'x')")
    stream.record(world.db, [stream.outcome(failed, result="fail", rules=FAIL, findings=1, riding=1), stream.outcome(new),
                             stream.outcome(planned, result="planned", rules=[], plan=plan_of(1))], [stream.finding(failed)])
    for task in tasks_of(world.db, planned):
        stream.record(world.db, [stream.outcome(task, records=10, rules=[{"rule": "ISIN", "severity": "high", "pass": 10}])])
    world.db.rows("delete from muster.recorder_position")
    return failed, planned, new


def _retire(world):
    names = []
    while name := world.db.one("select muster.retire_next('test')"):
        names.append(name)
    return names


def _drop(world):
    names = []
    while name := world.db.one("select muster.drop_next('test')"):
        names.append(name)
    return names


def nothing_goes_before_a_policy_is_in_force(world):
    _old_world(world)
    assert _retire(world) == [] and _drop(world) == [] and world.db.one("select muster.retire_events('test', 10)") == "0"
    assert {r[0] for r in world.db.rows("select kept from report.partition")} == {"for ever"}


def a_policy_is_in_the_trail_when_it_changes(world):
    assert (_policy(world), _policy(world), _policy(world, findings=0)) == ("t", "f", "t")
    bodies = [json.loads(r[0]) for r in world.db.rows("select body from muster.audit where action = 'retention' order by seq")]
    assert world.db.rows("select detail from report.operator_action where action = 'retention' and object_id = 'findings' order by seq") == \
        [["732.00 days"], ["for ever"]]
    assert [len(b) for b in bodies] == [5, 1] and bodies[1] == [["retention", "findings", "for ever"]], bodies


def what_is_over_is_taken_out_with_a_certificate_and_is_no_fault(world):
    _, _, new = _old_world(world)
    _policy(world)
    old = [f"{t}_{q}" for q in ("2014q4", "2015q1", "2015q2", "2015q3") for t in ("finding", "outcome", "tally", "task", "job", "audit")]
    gone = _retire(world)
    assert sorted(gone) == sorted(old), gone
    assert gone.index("finding_2015q1") < gone.index("outcome_2015q1") < gone.index("job_2015q1") < gone.index("audit_2015q1"), gone
    assert world.db.rows("select job_id from report.job_status") == [[new.id]]
    assert world.db.rows("select * from muster.job_progress") == [] and world.db.rows("select * from muster.request") == []
    assert world.db.rows(CLEAN) == []
    rows = dict(world.db.rows("select partition, row_count from report.purge"))
    assert (rows["job_2015q1"], rows["outcome_2015q1"], rows["finding_2015q1"], rows["task_2015q1"]) == ("2", "3", "1", "1"), rows
    assert world.db.one("select count(*) from muster_retired.outcome_2015q1") == "3", "a last chance"
    assert world.db.one("select count(*) from report.operator_action where action = 'purge'") == str(len(old))
    assert _drop(world) == [], "the grace is not over"
    world.db.rows("update muster.retention set keep = '0' where class = 'grace'")
    assert sorted(_drop(world)) == sorted(old) and world.db.rows("select * from pg_tables where schemaname = 'muster_retired'") == []
    assert world.db.rows(CLEAN) == []
    assert world.db.rows("select partition from report.purge where dropped_at is null") == []


def a_row_that_is_gone_without_a_certificate_is_found_beside_those_that_have_one(world):
    failed, planned, new = _old_world(world)
    _policy(world)
    _retire(world)
    world.db.rows(f"delete from muster.outcome where task_id = '{new.id}'")
    assert [r[1:4] for r in world.db.rows(CLEAN)] == [["removed", "outcome", new.id]]


def a_certificate_that_was_changed_is_found(world):
    _old_world(world)
    _policy(world)
    _retire(world)
    world.db.rows("update muster.purge set high = 'ffffffff-ffff-ffff-ffff-ffffffffffff' where partition = 'job_2015q1'")
    assert {tuple(r[1:3]) for r in world.db.rows(CLEAN)} == {("altered", "purge")}


def findings_may_go_before_their_outcomes_and_totals_still_balance(world):
    failed, _, _ = _old_world(world)
    _policy(world, outcomes=100 * YEAR)
    assert [n for n in _retire(world) if not n.startswith("finding_201")] == []
    assert world.db.rows("select * from report.finding") == []
    assert world.db.one(f"select findings from report.job_status where job_id = '{failed.id}'") == "1"
    unequal = world.db.rows("select * from report.reconciliation where not balanced")
    assert unequal == [], unequal
    assert world.db.rows(CLEAN) == []


def a_legal_hold_keeps_the_partitions_of_its_jobs(world):
    _old_world(world, labels='{"case":"2026-14"}')
    _policy(world)
    hold = world.db.one("select muster.hold('case', '2026-14', 'legal', 'a complaint')")
    other = world.db.one("select muster.hold('case', '2026-15', 'legal', 'another')")
    assert {n[-6:] for n in _retire(world) if not n.startswith("audit")} == {"2014q4", "2015q2", "2015q3"}
    kept = {r[0] for r in world.db.rows("select kept from report.partition where partition like '%2015q1'")}
    assert kept == {"legal hold case=2026-14", "it speaks of finding_2015q1, which is kept"}, kept
    assert world.db.fails(f"select muster.hold_release('{hold}', '')") == "22023"
    world.db.rows(f"select muster.hold_release('{hold}', 'settled')")
    assert world.db.fails(f"select muster.hold_release('{hold}', 'again')") == "02000"
    assert set(_retire(world)) >= {f"{t}_2015q1" for t in ("finding", "outcome", "tally", "task", "job", "audit")}
    assert world.db.rows("select actor, action, reason from muster.audit where action like 'hold%' order by seq") == [
        ["postgres", "hold", "a complaint"], ["postgres", "hold", "another"], ["postgres", "hold release", "settled"]]
    assert world.db.one(f"select released_at is null from report.legal_hold where hold_id = '{other}'") == "t"


def a_hold_that_comes_in_the_grace_keeps_what_was_taken_out(world):
    failed, _, _ = _old_world(world, labels='{"case":"2026-14"}')
    _policy(world, grace=0)
    _retire(world)
    world.db.rows("select muster.hold('case', null, 'legal', 'a complaint')")
    assert {n[-6:] for n in _drop(world) if not n.startswith("audit")} == {"2014q4", "2015q2", "2015q3"}
    for name in ("job", "task", "outcome", "tally", "finding"):
        world.db.rows(f"select muster.unretire('{name}_2015q1', 'a complaint')")
    assert world.db.one(f"select result from report.job_status where job_id = '{failed.id}'") == "fail"
    assert world.db.rows("select rule from report.finding") == [["ISIN"]]
    assert _retire(world) == [], "it is held"
    assert [r for r in world.db.rows(CLEAN) if r[2] not in ("finished", "job_progress")] == []
    assert world.db.fails("select muster.unretire('job_1999q1', 'x')") == "02000"


def a_job_that_is_open_keeps_its_partitions(world):
    world.db.rows("select muster.maintain('2015-02-01')")
    accept(world.db, Job(ms=OLD))
    _policy(world)
    assert {n for n in _retire(world) if "2015q1" in n} == {"finding_2015q1"}
    assert world.db.one("select kept from report.partition where partition = 'audit_2015q1'").startswith("it speaks of ")
    assert {r[0] for r in world.db.rows("select kept from report.partition where partition = 'job_2015q1'")} == {"a job in it is open"}


AGE = """
set session_replication_role = replica;
do $$
declare
    a muster.audit;
    last bytea := '';
begin -- the same trail, of 2015
    for a in delete from muster.audit where seq <= 1 returning * loop
        a.at := '2015-02-01'::timestamptz + a.seq * interval '1 second';
        insert into muster.audit values (a.*);
    end loop;
    for a in select * from muster.audit order by seq loop
        a.hash := muster.audit_hash(last, a.seq, a.at, a.began_at, a.actor, a.action, a.reason, a.body, a.packed);
        update muster.audit set previous = last, hash = a.hash where seq = a.seq;
        update muster.audit_tail set hash = a.hash where seq = a.seq;
        last := a.hash;
    end loop;
end
$$;
set session_replication_role = origin"""


def the_trail_goes_with_what_it_names_and_what_is_left_still_holds(world):
    _old_world(world)
    world.db.rows(AGE)
    _policy(world, outcomes=7 * YEAR, findings=0, audit=YEAR)
    assert [n for n in _retire(world) if n.startswith("audit")] == [], "findings are kept for ever, and with them what speaks of them"
    _policy(world, audit=YEAR)
    assert "audit_2015q1" in _retire(world)
    assert world.db.one("select min(seq) from muster.audit") == "2"
    assert world.db.one("select last_seq from report.purge where partition = 'audit_2015q1'") == "1"
    assert world.db.rows(CLEAN) == []
    world.db.rows("set session_replication_role = replica; delete from muster.audit where seq = 2")
    assert ["3", "removed", "audit", "3", "link 2 is missing"] in world.db.rows(CLEAN)


def a_new_trail_behind_a_purged_beginning_is_found(world):
    _old_world(world)
    world.db.rows(AGE)
    _policy(world, audit=YEAR)
    _retire(world)
    world.db.rows("""set session_replication_role = replica; update muster.audit set previous = 'x',
        hash = muster.audit_hash('x', seq, at, began_at, actor, action, reason, body, packed) where seq = 2""")
    assert ["1", "inserted"] in [r[:2] for r in world.db.rows(CLEAN) if r[2] == "audit"]


def refused_submissions_and_late_results_go_after_their_time(world):
    world.db.rows("select muster.reject('intake', 'muster.intake', '2026-11-24T00:00:00Z', 7, now(), 'invalid', 'x', '/x', '{}')")
    old = Job(ms=OLD).id
    world.db.rows(f"update muster.rejection set rejection_id = '{old}'")
    world.db.rows("set session_replication_role = replica")
    world.db.rows(f"""update muster.audit set body = replace(body, split_part(body, '"', 4), '{old}')""")
    world.db.rows("update muster.audit set hash = muster.audit_hash(previous, seq, at, began_at, actor, action, reason, body, packed)")
    world.db.rows("update muster.audit_tail t set hash = a.hash from muster.audit a where a.seq = t.seq")
    world.db.rows("set session_replication_role = origin")
    world.db.rows(f"insert into muster.late_result values ('x', 1, now(), 0, '{old}', 1, 'pass', '{{}}', '2015-01-01'), ('x', 2, now(), 0, '{old}', 1, 'pass', '{{}}', now())")
    assert world.db.rows(CLEAN) == []
    _policy(world)
    assert world.db.one("select muster.retire_events('test', 10)") == "2"
    assert world.db.rows("select * from muster.rejection") == [] and world.db.one("select count(*) from muster.late_result") == "1"
    assert world.db.rows(CLEAN) == []
    assert world.db.one("select muster.retire_events('test', 10)") == "0"


def programs_maintain_and_auditors_hold_and_nobody_else(world):
    for role in ("dispatcher", "recorder", "reporter", "auditor"):
        world.db.rows(f"create role {role}3 login in role muster_{role}")
    maintain = ("select muster.retire_next('x')", "select muster.drop_next('x')", "select muster.retire_events('x', 1)", "select muster.retention_set(1, 1, 1, 1, 1)")
    hold = ("select muster.hold('a', 'b', 'c', 'd')", "select muster.unretire('job_1999q1', 'x')")
    for role, may in (("dispatcher", maintain), ("recorder", ()), ("reporter", ()), ("auditor", hold)):
        session = world.session(role + "3")
        for sql in maintain + hold:
            code = session.fails(sql)
            assert (code == "42501") == (sql not in may), (role, sql, code)
        assert session.fails("drop table muster.job_2026q4") == "42501" and session.fails("delete from muster.purge") == "42501"
        assert session.fails("create table muster_retired.x ()") == "42501"
