# SPDX-License-Identifier: Apache-2.0
"""What PostgreSQL does for the questions that people ask of `report`, over years of made-up history (tests/bench/history): it leaves
partitions out, and reads no large one row by row. The history is loaded once, for all tests here."""
import datetime
import os
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench", "history"))

import load  # noqa: E402
import plans  # noqa: E402
from cluster import SqlError  # noqa: E402
from rows import Quarter  # noqa: E402

DATABASE = "plans_history"
UNTIL = datetime.datetime(2026, 7, 1, tzinfo=datetime.timezone.utc)
SIZES = {"outcomes": 100_000, "findings": 20_000, "years": 3, "sources": 12, "until": UNTIL}


def _history(world):
    """A session in the database with the history."""
    admin = world.session()
    if not admin.rows(f"select 1 from pg_database where datname = '{DATABASE}'"):
        admin.rows(f"create database {DATABASE} template template_muster")
        for (setting,) in admin.rows("select unnest(setconfig) from pg_db_role_setting join pg_database d on d.oid = setdatabase "
                                     "where datname = 'template_muster' and setrole = 0"):  # a copy has none of them
            admin.rows(f"alter database {DATABASE} set {setting.replace('=', ' = ')}")
        conninfo = f"host={world.cluster.socket} user=postgres dbname={DATABASE}"
        load.load(conninfo, load.world_of(**SIZES))
        load.settle(conninfo)
    return world.cluster.session(DATABASE)


def every_view_has_a_question(world):
    views = {r[0] for r in world.db.rows("select table_name from information_schema.views where table_schema = 'report'")}
    assert views - {c.view for c in plans.CASES} == set(), "views without a case in tests/bench/history/plans.py"


def questions_leave_partitions_out_and_find_an_index(world):
    db = _history(world)
    about = plans.samples(db.rows)
    wrong = []
    for case in plans.present(db.rows):
        sql = case.sql.format(**about)
        try:
            told = plans.complaints(case, plans.explain(db.rows, sql))
            if told:  # partitions are small here, and reading them whole may be the better plan: it must not be the only one
                db.rows("set enable_seqscan = off")
                told = plans.complaints(case, plans.explain(db.rows, sql))
                db.rows("reset enable_seqscan")
        except SqlError as error:
            told = [str(error)]
        wrong += [f"{case.view} by {case.asks}: {text}" for text in told]
    assert not wrong, "\n" + "\n".join(wrong)


def a_history_is_as_the_programs_would_have_left_it(world):
    db = _history(world)
    assert db.rows("select * from report.reconciliation where not balanced limit 3") == []
    assert db.rows("select * from report.alert") == []
    assert db.rows("select j.job_id from muster.job j where not exists (select from muster.terms t where t.terms_digest = j.terms_digest) limit 1") == []
    assert db.rows("select o.task_id from muster.outcome o where o.tally_id is not null and not exists (select from muster.tally t where t.tally_id = o.tally_id) limit 1") == []
    assert db.rows("select job_id from muster.job where task_digest <> sha256(body) limit 1") == []
    classes = {r[0] for r in db.rows("select distinct class from report.dead_letter")}
    assert classes == {"transient", "dependency", "bad_input", "bad_configuration", "crash", "deadline"}, classes
    # what SQL says of one job is what the API says
    for (job,) in db.rows("select job_id from muster.job_progress order by job_id limit 200"):
        state, result, tasks = db.rows(f"select state, result, tasks from report.job_status where job_id = '{job}'")[0]
        said = db.rows(f"select s ->> 'state', s ->> 'result', s ->> 'tasks' from (select muster.job_status('{job}', null)::json as s) as x")[0]
        assert said == [state, result, tasks], job


def the_same_seed_makes_the_same_history(world):
    def text(seed):
        made = load.world_of(seed=seed, outcomes=3000, findings=300, years=1, sources=3, until=UNTIL)
        return [lines for lines in Quarter(made, *made.quarters()[1]).batches()]
    assert text(1) == text(1) and text(1) != text(2)
