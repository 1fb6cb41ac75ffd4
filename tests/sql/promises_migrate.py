# SPDX-License-Identifier: Apache-2.0
"""Migrations apply from empty (every test of this suite begins so) and from each earlier version with data in it: what was
stored stays, is what the reports say, and the work goes on."""
import os
import subprocess

from calls import FAIL, Job, Stream, accept, plan_of, tasks_of
from cluster import MIGRATIONS


def _apply(world, database, paths):
    for path in paths:
        done = subprocess.run(["psql", "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-h", world.cluster.socket, "-U", "postgres", "-d", database,
                               "-f", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, (os.path.basename(path), done.stdout)


def _at(name):
    """How many migrations there are up to the one of this name."""
    return 1 + next(i for i, p in enumerate(MIGRATIONS) if p.endswith(f"_{name}.sql"))


def _fill(db, version):
    """What can be stored at a version: nothing before there are tables, open jobs before there is a recorder, then results."""
    if version < _at("accept"):
        return [], None
    stream = Stream()
    jobs = list(accept(db, Job(key="a"), Job(), Job(stage="plan"), Job()))
    if version >= _at("record"):
        stream.record(db, [stream.outcome(jobs[0]), stream.outcome(jobs[1], result="fail", rules=FAIL, findings=1, riding=1),
                           stream.outcome(jobs[2], result="planned", rules=[], plan=plan_of(2))], [stream.finding(jobs[1])])
        first = tasks_of(db, jobs[2])[0]
        stream.record(db, [stream.outcome(first, records=10, rules=[{"rule": "ISIN", "severity": "high", "pass": 10}])])
    return jobs, stream


def every_earlier_version_with_data_comes_up_to_date(world):
    for version in range(1, len(MIGRATIONS)):
        database = f"from_{version}"
        world.db.rows(f"create database {database}")
        try:
            _apply(world, database, MIGRATIONS[:version])
            db = world.cluster.session(database)
            jobs, stream = _fill(db, version)
            before = db.rows("select job_id, body, submitted_at from muster.job order by 1") if jobs else []
            _apply(world, database, MIGRATIONS[version:])
            assert db.one("select max(version) from muster.schema_migration") == str(len(MIGRATIONS))
            if jobs:
                assert db.rows("select job_id, body, submitted_at from muster.job order by 1") == before, version
                states = dict(db.rows("select job_id, state from report.job_status"))
                assert len(states) == 4 and states[jobs[3].id] == "queued", (version, states)
            else:
                stream = Stream()
                jobs = list(accept(db, Job(), Job(), Job(stage="plan"), Job()))
            # the work that was open goes on
            open_ones = [j for j in jobs if j.stage == "scan" and db.one(f"select result from report.job_status where job_id = '{j.id}'") is None]
            stream.record(db, [stream.outcome(j) for j in open_ones])
            if db.rows(f"select * from muster.task where job_id = '{jobs[2].id}'"):
                rest = tasks_of(db, jobs[2])[1]
                stream.record(db, [stream.outcome(rest, records=10, rules=[{"rule": "ISIN", "severity": "high", "pass": 10}])])
                assert db.one(f"select result from report.job_status where job_id = '{jobs[2].id}'") == "pass", version
            assert db.rows("select * from report.reconciliation where not balanced") == [], version
            assert db.rows("select * from report.audit_verify()") == [], version
            assert db.rows("select * from report.alert") == [], version
            db.close()
            world.cluster.sessions.remove(db)
        finally:
            world.db.rows(f"drop database {database} with (force)")


def a_migration_that_fails_leaves_nothing(world):
    world.db.rows("create database torn")
    try:
        _apply(world, "torn", MIGRATIONS[:2])
        session = world.cluster.session("torn")
        session.rows("set role muster_owner; create table muster.legal_hold (); reset role")  # in the way of one of them
        before = _at("retention") - 1
        _apply(world, "torn", MIGRATIONS[2:before])
        done = subprocess.run(["psql", "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-h", world.cluster.socket, "-U", "postgres", "-d", "torn", "-f",
                               MIGRATIONS[before]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode and "legal_hold" in done.stdout, done
        assert session.one("select max(version) from muster.schema_migration") == str(before)
        assert session.one("select to_regclass('muster.retention')") is None
        session.rows("drop table muster.legal_hold")
        _apply(world, "torn", MIGRATIONS[before:])
        session.close()
        world.cluster.sessions.remove(session)
    finally:
        world.db.rows("drop database torn with (force)")
