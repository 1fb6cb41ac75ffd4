# SPDX-License-Identifier: Apache-2.0
"""The questions of sql/examples, each over a small world whose answer is known beforehand. A file without an expected answer
here fails; so does one that psql does not run as it is, or whose header says another default than its query."""
import glob
import json
import os
import re
import subprocess
from datetime import datetime, timedelta, timezone

from calls import INPUT, Job, Stream, accept, literal, plan_of, sha, tasks_of
from cluster import ROOT

FOLDER = os.path.join(ROOT, "sql", "examples")
NAMES = sorted(os.path.basename(path)[:-4] for path in glob.glob(os.path.join(FOLDER, "*.sql")))
D = datetime(2026, 3, 10, tzinfo=timezone.utc)  # a Tuesday; nothing here depends on the clock unless it says so
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ANSWERED = {}


def _answers(name):
    """The test that follows knows the answer of this example."""
    def note(test):
        ANSWERED[name] = test
        return test
    return note


def _text(name):
    with open(os.path.join(FOLDER, name + ".sql"), encoding="utf-8") as f:
        return f.read()


def _parameters(name):
    """name -> (kind, default, required or optional) of the header, read by another hand than C's."""
    found = {}
    for line in re.findall(r"^-- parameter: (.*)$", _text(name).split("\n--\n")[0], re.M):
        word, kind, otherwise = re.split(r"  +", line)[:3]
        found[word] = (kind, otherwise.removeprefix("default ") if otherwise.startswith("default ") else None, otherwise)
    return found


def _reporter(world):
    """A login that may read reports and nothing else. Roles are of the cluster: another test may have made it."""
    if not world.db.rows("select 1 from pg_roles where rolname = 'asker'"):
        world.db.rows("create role asker login in role muster_reporter")
    return "asker"


def _ask(world, example, /, **parameters):
    """The answer that a reporter gets: rows as dictionaries; numbers are numbers, times texts."""
    if not hasattr(world, "asker"):
        world.asker = world.session(_reporter(world))
    assert not set(parameters) - set(_parameters(example)), "a parameter that the header does not name"
    for word in _parameters(example):
        world.asker.rows(f"set report.{word} = {literal(parameters.get(word, ''))}")
    query = _text(example).strip().rstrip(";")
    return [json.loads(r[0]) for r in world.asker.rows(f"select row_to_json(x) from (\n{query}\n) as x")]


def _only(rows, *columns):
    return [tuple(row[c] for c in columns) for row in rows]


def _at(text):
    return datetime.fromisoformat(text)


def _rule(rule="ISIN", severity="high", **counters):
    return dict(rule=rule, severity=severity, **counters)


class Past:
    """Jobs that ran at times of our choosing."""

    def __init__(self, world):
        self.world, self.db, self.stream = world, world.db, Stream()

    def submit(self, at, **more):
        job = Job(ms=int(at.timestamp() * 1000), **more)
        if job.key:
            self.db.rows(f"select * from muster.claim_keys(array[{literal(job.key)}], array['{job.id}']::uuid[], array[{literal(job.digest)}::bytea])")
        accept(self.db, job)
        self.db.rows(f"update muster.job set submitted_at = '{at.isoformat()}' where job_id = '{job.id}'")
        job.at = at
        return job

    def end(self, task, at, findings=(), **more):
        """findings: (record, more…) each."""
        made = [self.stream.finding(task, **dict({"record": f[0]}, **f[1])) for f in findings]
        outcome = dict(started=(at - timedelta(seconds=2)).isoformat(), finished=at.isoformat(), findings=len(made), **more)
        self.stream.record(self.db, [self.stream.outcome(task, **outcome)], made)
        self.db.rows(f"update muster.outcome set recorded_at = finished_at where task_id = '{task.id}'")
        self.db.rows(f"update muster.job_progress set finished_at = '{at.isoformat()}' where result is not null and job_id = '{getattr(task, 'job', task.id)}'")
        return task

    def job(self, at, findings=(), end=HOUR, outcome=None, **more):
        return self.end(self.submit(at, **more), at + end, findings, **(outcome or {}))


ISIN_FAILS = {"result": "fail", "rules": [_rule(fail=1)]}
MISSING = dict(result="error", reason="source_missing", message="there is no such file", rules=[], records=0, input_digest=None)


# ---- of the files themselves ----

def every_example_has_a_test_that_knows_its_answer(world):
    assert NAMES and sorted(ANSWERED) == NAMES, set(ANSWERED) ^ set(NAMES)


def every_example_is_installed_by_its_name(world):
    with open(os.path.join(FOLDER, "meson.build"), encoding="utf-8") as f:
        assert re.findall(r"^  '([^']+)',$", f.read(), re.M) == NAMES


def psql_runs_every_example_as_it_is(world):
    asker, job = _reporter(world), Past(world).job(D)
    for name in NAMES:
        sets = "".join(f" -c report.{word}={job.id}" for word, (kind, _, how) in _parameters(name).items() if kind == "job" and how == "required")
        done = subprocess.run(["psql", "-X", "-q", "-A", "-v", "ON_ERROR_STOP=1", "-h", world.cluster.socket, "-U", asker, "-d", world.name,
                               "-f", os.path.join(FOLDER, name + ".sql")], capture_output=True, text=True,
                              env=dict(os.environ, PGOPTIONS="-c timezone=Pacific/Auckland" + sets))
        assert done.returncode == 0 and not done.stderr and re.search(r"\(\d+ rows?\)$", done.stdout), (name, done)


def a_header_names_what_its_query_reads_and_the_same_defaults(world):
    for name in NAMES:
        head, query = _text(name), re.sub(r"^--.*$", "", _text(name), flags=re.M)
        assert re.match(r"-- SPDX[^\n]+\n-- title: \S[^\n]+\n-- question: \S", head), name
        assert not re.search(r"\bmuster\.", query), (name, "only the schema report")
        read = {(word, fallback) for word, _, fallback in re.findall(r"report\.(?:day|parameter)\('(\w+)'(, '([^']*)')?\)", query)}
        assert read == {(word, default or "") for word, (_, default, _) in _parameters(name).items()}, (name, read)


def days_are_of_utc_and_may_be_told_from_today(world):
    world.db.rows("set timezone = 'Pacific/Kiritimati'")  # a day ahead for 14 hours
    today = world.db.one("select (now() at time zone 'UTC')::date")
    for word, days in (("today", 0), ("Yesterday", -1), ("tomorrow", 1), ("30 days ago", -30), ("2 weeks ago", -14), ("-7 days", -7)):
        assert world.db.one(f"select report.day('x', '{word}') - '{today}'::date") == str(days), word
    world.db.rows("set report.x = '2026-02-28'")
    assert world.db.one("select report.day('x', 'yesterday')") == "2026-02-28"
    for wrong in ("2026-02-30", "soon", "2026-13-01"):
        world.db.rows(f"set report.x = '{wrong}'")
        assert world.db.fails("select report.day('x', 'yesterday')") in ("22007", "22008"), wrong
    assert world.db.one("select report.parameter('not_set') is null and report.parameter('not_set', 'a') = 'a'") == "t"


def a_job_is_named_by_id_or_key(world):
    job = Past(world).submit(D, key="eod-1")
    assert world.db.rows(f"select report.job_of('eod-1'), report.job_of(upper('{job.id}')), report.job_of('none') is null") == [[job.id, job.id, "t"]]


# ---- answers ----

@_answers("open-failures")
def what_failed_on_a_day_and_is_still_open(world):
    past = Past(world)
    bad = [past.job(D + 9 * HOUR, [(1, {}), (2, {})], source="fx", outcome=ISIN_FAILS, key="fx-1"),
           past.job(D + 10 * HOUR, source="rates", outcome=MISSING)]
    made_good = past.job(D + 11 * HOUR, [(1, {})], source="eq", outcome=ISIN_FAILS)
    past.job(D + 12 * HOUR, source="eq", pack="identifiers@1.1.0")
    tried = past.job(D + 13 * HOUR, [(1, {})], source="bonds", outcome=ISIN_FAILS)
    past.job(D + DAY, source="bonds", as_of="2026-11-23")  # a pass of an earlier day makes nothing good
    past.job(D + DAY, source="bonds", pack="other@1.0.0")  # nor one of another pack
    past.job(D + 23 * HOUR, source="good")
    past.job(D - timedelta(seconds=1), [(1, {})], source="eve", outcome=ISIN_FAILS)
    past.job(D + DAY, [(1, {})], source="morrow", outcome=ISIN_FAILS)
    rows = _ask(world, "open-failures", day="2026-03-10")
    assert _only(rows, "job_id", "source", "result", "reason", "findings", "tried_since") == [
        (bad[0].id, "fx", "fail", None, 2, 0), (tried.id, "bonds", "fail", None, 1, 1), (bad[1].id, "rates", "error", "source_missing", 0, 0)], rows
    assert made_good.id not in json.dumps(rows)
    assert (rows[0]["job_key"], rows[0]["pack"], _at(rows[0]["submitted_at"])) == ("fx-1", "identifiers", D + 9 * HOUR)


@_answers("job-findings")
def findings_of_a_job_with_their_place_in_the_file(world):
    past = Past(world)
    past.job(D, [(9, {})], outcome=ISIN_FAILS)
    rules = [_rule(fail=2), _rule("LEI", "critical", fail=1)]
    past.job(D, [(7, {"line": 8, "byte": 700, "length": 31, "subject": "T7"}), (3, {"line": 4, "byte": 300, "length": 29, "subject": "T3"}),
                 (5, {"rule": "LEI", "severity": "critical", "line": 6, "byte": 500, "length": 30, "subject": "T5"})],
             key="eod", outcome={"result": "fail", "rules": rules, "records": 10})
    rows = _ask(world, "job-findings", job="eod")
    assert _only(rows, "rule", "severity", "record_no", "line", "byte_off", "length", "subject") == [
        ("LEI", "critical", 5, 6, 500, 30, "T5"), ("ISIN", "high", 3, 4, 300, 29, "T3"), ("ISIN", "high", 7, 8, 700, 31, "T7")]
    assert rows[1]["message"] == "check digit 6, expected 5" and rows[1]["evidence"]["columns"] == {"isin": "US0378331006"}
    assert _only(_ask(world, "job-findings", job="eod", rule="L%"), "rule") == [("LEI",)]
    assert _ask(world, "job-findings", job="no such key") == []


@_answers("dead-letters")
def dead_letters_by_kind_and_what_to_do(world):
    past = Past(world)
    missing = [past.job(D + i * HOUR, source=f"s{i}", outcome=MISSING) for i in range(3)]
    past.job(D, outcome=dict(MISSING, result="exhausted", reason="crashed", message="agents died", crashes=5))
    past.job(D - DAY, outcome=MISSING)
    world.db.rows(f"""select muster.retry_by_hand('{{"job_id":"{missing[2].id}","reason":"again"}}', 'ann')""")
    rows = _ask(world, "dead-letters", since="2026-03-10")
    assert _only(rows, "class", "reason", "tasks", "jobs", "sources", "for_example") == [
        ("bad_input", "source_missing", 2, 2, 2, "there is no such file"), ("crash", "crashed", 1, 1, 1, "agents died")], rows
    assert "delivered again" in rows[0]["what_to_do"] and "logs" in rows[1]["what_to_do"]
    assert (_at(rows[0]["first_at"]), _at(rows[0]["last_at"])) == (D + HOUR, D + 2 * HOUR)


@_answers("resumed-tasks")
def tasks_that_another_agent_went_on_with(world):
    past = Past(world)
    hand = {"agent": "a2", "from_agent": "a1", "record_no": 250}
    job = past.job(D, outcome={"agent": "a2", "resumes": [dict(hand, agent="a3", record_no=10), hand], "records": 1000, "delivery": 3, "crashes": 0,
                               "rules": [_rule(**{"pass": 1000})]})
    past.job(D)
    past.job(D - DAY, outcome={"resumes": [hand]})
    rows = _ask(world, "resumed-tasks", since="2026-03-10")
    assert _only(rows, "task_id", "resumed_from", "resumed_by", "resumed_at_record", "records", "percent_kept", "resumes", "deliveries", "result") == [
        (job.id, "a1", "a2", 250, 1000, 25.0, 2, 3, "pass")], rows


@_answers("rules-never-evaluated")
def rules_that_were_never_evaluated(world):
    past = Past(world)

    def ran(at, pack, *rules):
        past.job(at, pack=pack, outcome={"records": 10, "rules": list(rules)})
    ran(D, "p@1.0.0", _rule("A", **{"pass": 10}), _rule("B", not_evaluated=10), _rule("C", out_of_scope=10), _rule("E", error=4, not_evaluated=6))
    ran(D + HOUR, "p@1.1.0", _rule("A", not_evaluated=10), _rule("B", not_evaluated=7, out_of_scope=3), _rule("C", out_of_scope=10))
    ran(D - DAY, "p@1.0.0", _rule("F", not_evaluated=10))
    rows = _ask(world, "rules-never-evaluated", since="2026-03-10")
    assert _only(rows, "pack", "source", "rule", "jobs", "not_evaluated", "unreadable", "out_of_scope", "why") == [
        ("p", "trades", "B", 2, 17, 0, 3, "its columns are empty or missing"),
        ("p", "trades", "E", 1, 6, 4, 0, "values that cannot be read as their type"),
        ("p", "trades", "C", 2, 0, 0, 20, "no record in its scope")], rows


@_answers("run-difference")
def what_changed_between_two_runs(world):
    past = Past(world)

    def found(*subjects, rule="ISIN", **more):
        return [(i, dict({"subject": s, "rule": rule, "fingerprint": sha(rule + s)}, **more)) for i, s in enumerate(subjects, 1)]
    first = past.job(D, found("T1", "T2", "T3"), key="first", outcome={"result": "fail", "rules": [_rule(fail=3)], "records": 3})
    past.job(D + HOUR, found("T9"), source="other", outcome=ISIN_FAILS)
    past.job(D + 2 * HOUR, found("T1", "T2"), key="second", outcome={"result": "fail", "rules": [_rule(fail=2)], "records": 3})
    later = past.job(D + 3 * HOUR, found("T2", "T4") + found("T5", rule="SHADE", shadow=True), key="third", pack="identifiers@1.1.0",
                     outcome={"result": "fail", "rules": [_rule(fail=2)], "records": 3})
    assert _only(_ask(world, "run-difference", job="third"), "change", "rule", "subject") == [("new", "ISIN", "T4"), ("gone", "ISIN", "T1")]
    rows = _ask(world, "run-difference", job="third", before=first.id)
    assert _only(rows, "change", "subject", "job_id") == [("new", "T4", later.id), ("gone", "T1", first.id), ("gone", "T3", first.id)], rows
    assert _ask(world, "run-difference", job="first", before="first") == []


@_answers("control-totals")
def control_totals_that_differ(world):
    past = Past(world)
    past.job(D, [(1, {})], outcome=ISIN_FAILS)
    lost = past.job(D + HOUR, [(1, {}), (2, {})], source="lost", outcome=dict(ISIN_FAILS, records=2, rules=[_rule(fail=2)]))
    odd = past.job(D + 2 * HOUR, source="odd", outcome={"records": 10, "rules": [_rule(**{"pass": 9})]})
    planned = past.submit(D + 3 * HOUR, source="planned", stage="plan")
    past.end(planned, D + 4 * HOUR, result="planned", rules=[], records=0, input_digest=sha("whole"), plan=plan_of(2))
    for task in tasks_of(world.db, planned):
        past.end(task, D + 5 * HOUR, records=10, rules=[_rule(**{"pass": 10})])
    past.job(D - DAY, source="before", outcome={"records": 10, "rules": [_rule(**{"pass": 9})]})
    assert _only(_ask(world, "control-totals", since="2026-03-10"), "source") == [("odd",)], "as the programs write it"
    world.db.rows(f"update muster.outcome set records = 9 where task_id = '{task.id}'")
    world.db.rows(f"delete from muster.finding where job_id = '{lost.id}' and record_no = 1")
    rows = _ask(world, "control-totals", since="2026-03-10")
    assert _only(rows, "job_id", "records_planned", "records_read", "findings_stated", "findings_stored", "rules_unequal", "what_differs") == [
        (lost.id, None, 2, 2, 1, 0, "findings stated are not those stored"),
        (odd.id, None, 10, 0, 0, 1, "counters of rules do not add up to the records"),
        (planned.id, 20, 19, 0, 0, 1, "records planned are not those read; counters of rules do not add up to the records")], rows


def _cancel(world, actor, reason, **what):
    world.db.rows(f"select * from muster.cancel({literal(json.dumps(dict({'reason': reason}, **what)))}, {literal(actor)})")


@_answers("cancellations")
def who_cancelled_what_and_why(world):
    past = Past(world)
    one, two, three = (past.submit(D + i * HOUR, source=f"s{i}", key=f"k{i}") for i in range(3))
    past.submit(D)
    _cancel(world, "ann", "feed 'withdrawn'", job_id=one.id)
    _cancel(world, "bob", "wrong file", job_id=three.id)
    rows = _ask(world, "cancellations", since="yesterday", until="tomorrow")
    assert _only(rows, "actor", "reason", "source", "job_key", "job_id", "tasks_done") == [
        ("ann", "feed 'withdrawn'", "s0", "k0", one.id, 1), ("bob", "wrong file", "s2", "k2", three.id, 1)], rows
    assert _ask(world, "cancellations", since="2026-03-01", until="2026-03-31") == [] and two


@_answers("operator-actions")
def actions_of_operators(world):
    past = Past(world)
    job, dead = past.submit(D, source="fx"), past.job(D, source="rates", outcome=MISSING)
    _cancel(world, "ann", "feed withdrawn", job_id=job.id)
    world.db.rows(f"""select muster.retry_by_hand('{{"job_id":"{dead.id}","reason":"delivered again"}}', 'bob')""")
    world.db.rows("select muster.pack_put('p', '1.0.0', sha256('x'), 'x', 'carol')")
    rows = _ask(world, "operator-actions", since="yesterday", until="tomorrow")
    got = _only(rows, "actor", "action", "reason", "object_kind", "source", "job_id")
    assert ("ann", "cancel", "feed withdrawn", "cancelled", "fx", job.id) in got, got
    assert ("bob", "retry", "delivered again", "task", "rates", dead.id) in got, got
    assert ("carol", "pack load", None, "pack", None, None) in got, got
    assert {r[0] for r in got} == {"ann", "bob", "carol"} and [r["link"] for r in rows] == sorted(r["link"] for r in rows)
    assert _ask(world, "operator-actions", since="2026-03-01", until="2026-03-31") == []


# ---- the ledger ----

def _entered(world):
    for _ in range(1000):
        if world.db.one("select muster.ledger_advance(1000)") == "0":
            return


def _keyed(*subjects, **more):
    return [(i, dict({"subject": s, "fingerprint": sha(json.dumps([s, more], default=str))}, **more)) for i, s in enumerate(subjects, 1)]


def _run(past, at, *subjects, source="fx", **more):
    """A run of a source that finds these, and looks at ten records."""
    fails = {"result": "fail" if subjects else "pass", "records": 10, "rules": [_rule(fail=len(subjects), **{"pass": 10 - len(subjects)})]}
    return past.job(at, _keyed(*subjects), stage="plan", source=source, as_of=str(at.date()), outcome=fails, **more)


@_answers("new-exceptions")
def new_and_reopened_exceptions(world):
    past = Past(world)
    _run(past, D - 2 * DAY, "T1", "T2")
    _run(past, D - DAY, "T2")
    late = _run(past, D, "T1", "T2", "T3")
    _run(past, D + DAY, "T1", "T2")
    _entered(world)
    rows = _ask(world, "new-exceptions", since="2026-03-10")
    assert sorted(_only(rows, "change", "rule", "source", "subject", "state", "times_reopened", "job_id")) == [
        ("new", "ISIN", "fx", "T3", "resolved", 0, late.id), ("reopened", "ISIN", "fx", "T1", "persisting", 1, late.id)], rows
    assert {_at(r["at"]) for r in rows} == {D + HOUR}


@_answers("oldest-exceptions")
def the_oldest_open_exceptions_by_source(world):
    past, now = Past(world), datetime.now(timezone.utc)
    _run(past, now - 100 * DAY, "A1", "A2", source="a")
    _run(past, now - 20 * DAY, "A2", "A3", source="a")
    _run(past, now - 120 * DAY, "B1", source="b")
    _run(past, now - 2 * DAY, "C1", source="c")
    _entered(world)
    rows = _ask(world, "oldest-exceptions")
    assert _only(rows, "source", "subject", "age", "state", "runs_seen") == [
        ("b", "B1", "older", "new", 1), ("a", "A2", "older", "persisting", 2), ("a", "A3", "up to 30 days", "new", 1), ("c", "C1", "up to a week", "new", 1)], rows
    assert [r["days_open"] for r in rows][1] in (99, 100) and not rows[0]["is_waived"]
    assert _only(_ask(world, "oldest-exceptions", days="50", source="a%"), "subject") == [("A2",)]


@_answers("expiring-waivers")
def waivers_that_expire_soon(world):
    past, now = Past(world), datetime.now(timezone.utc)
    _run(past, now - 3 * DAY, "A1", "A2", "A3", source="a")
    _run(past, now - 3 * DAY, "B1", source="b")
    _entered(world)
    ids = [r[0] for r in world.db.rows("select exception_id from report.exception where source = 'a' order by subject limit 2")]

    def waive(days, **more):
        request = dict({"owner": "ops", "reason": "known", "until": (now + timedelta(days=days)).isoformat()}, **more)
        assert json.loads(world.db.one(f"select muster.waive({literal(json.dumps(request))}, 'ann')"))["ok"]
    waive(10, exception_ids=ids)
    waive(20, rule="ISIN", source="b", owner="desk")
    waive(40, rule="ISIN", source="c")
    rows = _ask(world, "expiring-waivers")
    assert _only(rows, "owner", "reason", "what", "open_exceptions", "placed_by") == [
        ("ops", "known", "2 exceptions by name", 2, "ann"), ("desk", "known", "rule ISIN, source b", 1, "ann")], rows
    assert abs(rows[0]["days_left"] - 10) <= 1
    assert len(_ask(world, "expiring-waivers", days="50")) == 3 and _ask(world, "expiring-waivers", days="5") == []


# ---- counting and timing ----

@_answers("rules-by-quarter")
def top_rules_of_this_quarter_against_last(world):
    past = Past(world)

    def ran(day, pack, *rules, source="fx"):
        past.job(datetime.fromisoformat(day + "T10:00:00+00:00"), source=source, pack=pack, outcome={"records": 10, "rules": list(rules)})
    ran("2026-03-31", "p@1.0.0", _rule("A", fail=4, **{"pass": 6}), _rule("B", fail=1, **{"pass": 9}))
    ran("2026-01-01", "p@1.0.0", _rule("A", fail=1, **{"pass": 9}), _rule("C", **{"pass": 10}))
    ran("2025-12-31", "p@1.0.0", _rule("A", fail=10))
    ran("2026-04-01", "p@1.1.0", _rule("A", fail=2, warn=1, **{"pass": 7}), _rule("D", fail=7, **{"pass": 3}))
    ran("2026-06-30", "p@1.1.0", _rule("A", fail=5, **{"pass": 5}), _rule("S", fail=10, mode="shadow"), source="rates")
    ran("2026-07-01", "p@1.1.0", _rule("A", fail=10))
    rows = _ask(world, "rules-by-quarter", day="2026-05-05")
    assert _only(rows, "rule", "pack", "this_quarter", "last_quarter", "change", "change_percent", "jobs", "sources") == [
        ("A", "p", 8, 5, 3, 60.0, 2, 2), ("D", "p", 7, 0, 7, None, 1, 1), ("B", "p", 0, 1, -1, -100.0, 0, 1)], rows
    assert _only(_ask(world, "rules-by-quarter", day="2026-04-01", most="1"), "rule") == [("A",)]


@_answers("rule-trend")
def failure_rates_of_rules_by_week(world):
    past = Past(world)

    def ran(at, **rules):
        past.job(at, outcome={"records": 10, "rules": [_rule(name, fail=fails, **{"pass": 10 - fails}) for name, fails in rules.items()]})
    ran(D - 8 * DAY, A=5, B=0, C=1)   # Monday, 2 March
    ran(D - 2 * DAY, A=0, B=0, C=0)   # Sunday, 8 March
    ran(D - DAY, A=1, B=0, C=9)       # Monday, 9 March
    ran(D - 9 * DAY, A=10, B=10, C=10)
    rows = _ask(world, "rule-trend", until="2026-03-10", weeks="2")
    assert _only(rows, "week", "rule", "jobs", "evaluated", "failed", "fail_percent", "points_since_before") == [
        ("2026-03-02", "A", 2, 20, 5, 25.0, None), ("2026-03-02", "C", 2, 20, 1, 5.0, None),
        ("2026-03-09", "A", 1, 10, 1, 10.0, -15.0), ("2026-03-09", "C", 1, 10, 9, 90.0, 85.0)], rows
    assert {r["rule"] for r in _ask(world, "rule-trend", until="2026-03-10", weeks="2", most="1")} == {"C"}
    assert len(_ask(world, "rule-trend", until="2026-03-10", weeks="3", rule="B")) == 3


@_answers("late-feeds")
def feeds_that_are_late_empty_or_short(world):
    past, now = Past(world), datetime.now(timezone.utc)

    def daily(source, hours, last=None):
        """A delivery of 100 records a day, so many hours before this time of day; and the last one."""
        for days in range(9, 0, -1):
            past.job(now - days * DAY - hours * HOUR, source=source, end=timedelta(minutes=5), outcome={"records": 100, "rules": [_rule(**{"pass": 100})]})
        if last is not None:
            past.job(now - hours * HOUR, source=source, end=timedelta(minutes=5),
                     outcome={"records": last, "rules": [_rule(**{"pass": last})] if last else [], "result": "pass" if last else "not_evaluated"})
    daily("late", 3)
    daily("good", 2, 90)
    daily("empty", 2, 0)
    daily("short", 2, 20)
    rows = _ask(world, "late-feeds")
    assert sorted(_only(rows, "source", "what", "last_records", "usual_records", "compared_with")) == [
        ("empty", "empty", 0, 100, 9), ("late", "late", 100, 100, 8), ("short", "few records", 20, 100, 9)], rows
    assert rows[0]["source"] == "late" and 2.4 < rows[0]["hours_late"] < 3 and rows[1]["hours_late"] is None, rows
    assert sorted(_only(_ask(world, "late-feeds", percent="95"), "source")) == [("empty",), ("good",), ("late",), ("short",)]


@_answers("stale-results")
def results_that_rest_on_what_was_superseded(world):
    past, now = Past(world), datetime.now(timezone.utc)

    def lists(version):
        return {"sanctions": {"name": "sanctions", "version": version, "digest": sha(version).hex()}}

    def noted(version, at):
        world.db.rows(f"insert into muster.list_version values ('sanctions', '{version}', {literal(sha(version))}, '{at.isoformat()}')")
    noted("2026-9", now - 9 * DAY)
    old = past.job(now - 3 * DAY, source="wires", lists=lists("2026-9"), end=timedelta(minutes=1))
    bad = past.job(now - 3 * DAY, [(1, {})], source="cash", lists=lists("2026-9"), outcome=ISIN_FAILS, end=timedelta(minutes=1))
    past.job(now - 3 * DAY, source="cash", lists=lists("2026-9"), outcome=MISSING, end=timedelta(minutes=1))
    past.job(now - 200 * DAY, source="wires", lists=lists("2026-9"))
    assert _ask(world, "stale-results") == []
    noted("2026-10", now - DAY)
    past.job(now - timedelta(hours=2), source="wires", lists=lists("2026-10"))
    rows = _ask(world, "stale-results", name="sanctions")
    assert _only(rows, "kind", "name", "used", "current", "source", "result", "job_id") == [
        ("list", "sanctions", "2026-9", "2026-10", "cash", "fail", bad.id), ("list", "sanctions", "2026-9", "2026-10", "wires", "pass", old.id)], rows
    assert abs(_at(rows[0]["superseded_at"]) - (now - DAY)) < timedelta(seconds=1)
    assert _ask(world, "stale-results", since="today") == [] and _ask(world, "stale-results", name="pep") == []
    assert len(_ask(world, "stale-results", submitted="365 days ago")) == 3


@_answers("queue-wait")
def waiting_times_by_queue_and_hour(world):
    past = Past(world)
    for seconds in range(1, 101):  # an agent begins two seconds before the end
        past.job(D + 10 * HOUR + timedelta(seconds=seconds), queue="aml", end=timedelta(seconds=seconds + 2))
    past.job(D + 11 * HOUR, queue="aml", priority="high", end=timedelta(seconds=32))
    past.submit(D + 11 * HOUR, queue="aml", priority="high")
    past.job(D + DAY, queue="aml", end=timedelta(seconds=3))
    past.job(D + 10 * HOUR, end=timedelta(seconds=3))
    rows = _ask(world, "queue-wait", since="2026-03-10", until="2026-03-10", queue="a%")
    assert [(_at(r["hour"]) - D, r["lane"], r["tasks"], r["tasks_open"], r["wait_p50_seconds"], r["wait_p95_seconds"], r["wait_max_seconds"], r["run_p95_seconds"])
            for r in rows] == [(10 * HOUR, "aml", 100, 0, 50.5, 95.1, 100.0, 2.0), (11 * HOUR, "aml, high", 2, 1, 30.0, 30.0, 30.0, 2.0)], rows
    assert len(_ask(world, "queue-wait", since="2026-03-10", until="2026-03-11")) == 4


@_answers("throughput")
def what_was_done_by_hour(world):
    past = Past(world)
    for minutes, agent in ((5, "a1"), (20, "a2"), (59, "a1")):
        past.job(D, queue="aml", end=timedelta(minutes=minutes), outcome={"records": 1200, "bytes": 5000, "agent": agent, "rules": [_rule(**{"pass": 1200})]})
    past.job(D, queue="aml", end=timedelta(minutes=60), outcome=MISSING)
    past.job(D, end=timedelta(minutes=1))
    past.job(D - HOUR, end=timedelta(minutes=59))
    rows = _ask(world, "throughput", since="2026-03-10", until="2026-03-10", queue="aml")
    assert [(_at(r["hour"]) - D, r["queue"], r["tasks"], r["verdicts"], r["without_verdict"], r["records"], r["bytes"], r["agents"]) for r in rows] == [
        (0 * HOUR, "aml", 3, 3, 0, 3600, 15000, 2), (HOUR, "aml", 1, 0, 1, 0, 10, 1)], rows
    assert float(rows[0]["records_per_second"]) == 1.0
    assert [r["queue"] for r in _ask(world, "throughput", since="2026-03-10", until="2026-03-10")] == ["aml", "default", "aml"]


@_answers("agent-work")
def work_and_hand_overs_of_agents(world):
    past = Past(world)
    hand = {"agent": "a2", "from_agent": "a1", "record_no": 5}
    past.job(D, outcome={"agent": "a1", "records": 100, "rules": [_rule(**{"pass": 100})]})
    past.job(D, outcome={"agent": "a2", "records": 50, "resumes": [hand], "crashes": 1, "delivery": 2, "rules": [_rule(**{"pass": 50})]})
    past.job(D + DAY, outcome={"agent": "a2", "records": 10, "resumes": [dict(hand, from_agent="a3")], "rules": [_rule(**{"pass": 10})]})
    past.job(D + DAY, outcome=dict(MISSING, agent="a2"))
    past.job(D + 3 * DAY, outcome={"agent": "a9"})
    rows = _ask(world, "agent-work", since="2026-03-10", until="2026-03-11")
    assert _only(rows, "agent", "days", "tasks", "verdicts", "without_verdict", "went_on", "was_relieved", "crashes", "records", "records_per_second") == [
        ("a2", 2, 3, 2, 1, 2, 0, 1, 60, 10), ("a1", 1, 1, 1, 0, 0, 1, 0, 100, 50), ("a3", 0, 0, 0, 0, 0, 1, 0, 0, None)], rows


@_answers("deadlines")
def deadlines_missed_and_jobs_at_risk(world):
    past, now = Past(world), datetime.now(timezone.utc)

    def due(job, at):
        world.db.rows(f"update muster.job set deadline = '{at.isoformat()}' where job_id = '{job.id}'")
        return job
    for days in range(1, 6):  # it usually takes two hours
        past.job(now - days * DAY, source="slow", end=2 * HOUR)
    missed = due(past.job(now - 3 * HOUR, source="a", end=2 * HOUR), now - 2 * HOUR)
    due(past.job(now - 3 * HOUR, source="b", end=HOUR), now - HOUR)
    broken = due(past.job(now - 3 * HOUR, source="c", end=HOUR, outcome=MISSING), now + HOUR)
    risk = due(past.submit(now - HOUR, source="slow"), now + timedelta(minutes=30))
    due(past.submit(now - HOUR, source="slow"), now + 5 * HOUR)
    unknown = due(past.submit(now - HOUR, source="first"), now + 2 * HOUR)
    due(past.job(now - 9 * DAY, source="a", end=2 * HOUR), now - 9 * DAY + HOUR)
    rows = _ask(world, "deadlines", since="2 days ago")
    assert _only(rows, "outlook", "source", "state", "job_id") == [
        ("at_risk", "slow", "queued", risk.id), ("unknown", "first", "queued", unknown.id), ("missed", "a", "completed", missed.id),
        ("missed", "c", "failed", broken.id)], rows
    assert rows[0]["forecast_by"] == "history" and -31 < rows[0]["margin_minutes"] < -29 and rows[2]["margin_minutes"] == -60.0, rows


@_answers("job-proof")
def proof_that_a_job_is_complete(world):
    past = Past(world)
    edition = {"name": "mic", "version": "3", "digest": sha("mic").hex()}
    job = past.submit(D, stage="plan", source="trades", key="eod", lists={"mic": edition})
    past.end(job, D + HOUR, result="planned", rules=[], records=0, input_digest=INPUT, plan=plan_of(2, digest="the input"), agent="a0")
    one, two = tasks_of(world.db, job)
    past.end(one, D + HOUR, [(1, {})], result="fail", records=10, rules=[_rule(fail=1, **{"pass": 9})], agent="a1")
    past.end(two, D + 2 * HOUR, records=10, rules=[_rule(not_evaluated=1, **{"pass": 9})], agent="a3", delivery=2, crashes=1,
             resumes=[{"agent": "a3", "from_agent": "a2", "record_no": 14}])
    rows = [tuple(r.values()) for r in _ask(world, "job-proof", job="eod")]
    for want in (("job", "id", None, job.id, None), ("job", "result", None, "fail", None), ("job", "submitted by", None, "test", None),
                 ("totals", "tasks, and those with an outcome", "3", "3", True), ("totals", "records planned, and read", "20", "20", True),
                 ("totals", "findings stated, and stored", "1", "1", True), ("totals", "counters of rules that do not add up", "0", "0", True),
                 ("rule", "ISIN fail", None, "18 pass, 1 fail, 1 not evaluated", None), ("rests on", "pack", "identifiers@1.0.0", sha("identifiers@1.0.0").hex(), None),
                 ("rests on", "list", "mic@3", sha("mic").hex(), None), ("rests on", "input", "200 bytes", INPUT.hex(), None),
                 ("rests on", "terms (pins, parameters, day, limits)", None, sha(job.terms).hex(), None), ("rests on", "first task", None, job.digest.hex(), None),
                 ("work", "agents", None, "a0, a1, a2, a3", None), ("work", "hand-over", "a2 to a3", "at record 14", None), ("work", "agents that died", None, "1", None)):
        assert want in rows, (want, rows)
    assert not [r for r in rows if r[4] is False] and _ask(world, "job-proof", job="none") == []
    world.db.rows("delete from muster.finding")
    assert [tuple(r.values()) for r in _ask(world, "job-proof", job="eod") if r["agrees"] is False] == [
        ("totals", "findings stated, and stored", "1", "0", False)]
