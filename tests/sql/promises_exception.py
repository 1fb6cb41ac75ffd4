# SPDX-License-Identifier: Apache-2.0
"""What the exceptions ledger is promised: the life of a finding over the runs of its source, and waivers."""
import itertools
import json
import random

from calls import Job, Stream, accept, literal, plan_of, sha, tasks_of

NOT_LOOKED = {"error": dict(error=1), "not evaluated": dict(not_evaluated=1), "withheld": dict(withheld=1)}


def _rules(looked, failed, **more):
    """Counters of one rule: as many pass that something did, and so many fail."""
    return [dict({"rule": "ISIN", "severity": "high", "pass": 10, "fail": failed}, **more)] if looked else []


class Line:
    """Runs of one pack over one source, one after the other; `records` are the keys of the findings."""

    def __init__(self, world, **more):
        self.db, self.more, self.stream, self.ms = world.db, more, Stream(), itertools.count(1764000000000, 1000)

    def submit(self, stage="plan", **more):
        return accept(self.db, Job(stage=stage, ms=next(self.ms), **dict(self.more, **more)))

    def end(self, job, records=(), result=None, enter=True, rules=None, shadow=False, **counters):
        if shadow:
            counters["mode"] = "shadow"
        rules = _rules(True, len(records), **counters) if rules is None else rules
        findings = [self.stream.finding(job, r, shadow=shadow) for r in records]
        done = self.stream.record(self.db, [self.stream.outcome(job, result=result or ("fail" if records else "pass"), findings=len(records),
                                                               records=10, rules=rules)], findings)
        assert done["outcomes"] == 1 and done.get("findings", 0) == len(records), done
        if enter:
            _enter(self.db)
        return job

    def run(self, *records, **more):
        submit = {k: more.pop(k) for k in ("stage", "as_of", "pack", "labels") if k in more}
        return self.end(self.submit(**submit), records, **more)

    def states(self):
        return _states(self.db)


def _enter(db, lim=1000):
    for _ in range(1000):
        if db.one(f"select muster.ledger_advance({lim})") == "0":
            break
    assert db.rows("select job_id from muster.ledger_due") == []


def _states(db):
    """Record -> state; each test's records are its business keys."""
    return {int(r): s for r, s in db.rows("select record_no, state from report.exception")}


def _history(db, record):
    return [tuple(r) for r in db.rows(f"""select h.state, h.previous_state, h.job_id from report.exception_history h
        join muster.exception_change c using (exception_id, job_id, state) join report.exception e using (exception_id)
        where e.record_no = {record} order by c.change_id""")]


def _row(db, record, columns):
    return db.rows(f"select {columns} from report.exception where record_no = {record}")[0]


def _id(db, record):
    return _row(db, record, "exception_id")[0]


def _ask(world, function, **request):
    return json.loads(world.db.one(f"select muster.{function}({literal(json.dumps(request))}" + (")" if function == "exceptions" else ", 'test')")))


def _waive(world, **more):
    return _ask(world, "waive", **dict({"owner": "ops@example.org", "reason": "known", "until": _in(world, "30 days")}, **more))


def _in(world, interval):
    return world.db.one(f"""select to_char((now() + interval '{interval}') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')""")


# ---- a finding's life ----

def a_finding_is_new_then_persisting_then_resolved_then_reopened(world):
    line = Line(world)
    jobs = [line.run(1, 2)]
    assert line.states() == {1: "new", 2: "new"}
    jobs.append(line.run(1, 2))
    assert line.states() == {1: "persisting", 2: "persisting"}
    jobs.append(line.run(2))
    assert line.states() == {1: "resolved", 2: "persisting"}
    jobs.append(line.run(1, 2))
    assert line.states() == {1: "reopened", 2: "persisting"}
    jobs.append(line.run(1))
    assert line.states() == {1: "persisting", 2: "resolved"}
    assert _history(world.db, 1) == [("new", None, jobs[0].id), ("resolved", "persisting", jobs[2].id), ("reopened", "resolved", jobs[3].id)]
    assert _history(world.db, 2) == [("new", None, jobs[0].id), ("resolved", "persisting", jobs[4].id)]
    assert _row(world.db, 1, "first_job_id, last_job_id, runs_seen, times_reopened, resolved_at, resolved_by_job_id, pack, rule, severity, source, message") == [
        jobs[0].id, jobs[4].id, "4", "1", None, None, "identifiers", "ISIN", "high", "trades", "check digit 6, expected 5"]
    assert _row(world.db, 2, "last_job_id, runs_seen, resolved_by_job_id, resolved_at >= last_seen_at") == [jobs[3].id, "4", jobs[4].id, "t"]


def its_identity_is_the_fingerprint_whatever_the_version_of_the_pack(world):
    line = Line(world)
    line.run(1)
    line.run(1, pack="identifiers@2.0.0")
    assert line.states() == {1: "persisting"}
    got = world.db.rows("select exception_id, fingerprint, pack from report.exception")
    digest = bytearray(sha("fp 1")[:16])
    digest[6], digest[8] = digest[6] & 15 | 0x80, digest[8] & 63 | 0x80
    assert got[0][0].replace("-", "") == digest.hex() and got[0][1:] == ["\\x" + sha("fp 1").hex(), "identifiers"]


def sources_and_packs_are_lines_of_their_own(world):
    trades, quotes, other = Line(world), Line(world, source="quotes"), Line(world, pack="dates@1.0.0")
    trades.run(1)
    quotes.run()
    other.run()
    assert trades.states() == {1: "new"}
    trades.run()
    assert trades.states() == {1: "resolved"}


def one_finding_twice_in_a_run_is_one_exception(world):
    line, stream = Line(world), Stream()
    job = line.submit()
    twice = [line.stream.finding(job, r, fingerprint=sha("fp 1")) for r in (1, 2)]
    line.stream.record(world.db, [line.stream.outcome(job, result="fail", findings=2, rules=_rules(True, 2))], twice)
    _enter(world.db, lim=1)  # in slices of one
    assert world.db.rows("select state, runs_seen, record_no is not null from report.exception") == [["new", "1", "t"]]
    line.run(1)
    assert world.db.rows("select state, runs_seen from report.exception") == [["persisting", "2"]]


def the_last_sighting_is_what_is_told(world):
    line = Line(world)
    line.run(1, labels='{"tenant":"north"}')
    job = line.submit(labels='{"tenant":"south"}')
    again = line.stream.finding(job, 1, message="another sentence", severity="low", subject="ACME", part="col")
    line.stream.record(world.db, [line.stream.outcome(job, result="fail", findings=1, rules=_rules(True, 1))], [again])
    _enter(world.db)
    assert _row(world.db, 1, "message, severity, subject, part, last_finding_id") == ["another sentence", "low", "ACME", "col", again["id"]]
    assert world.db.one("select tenant from muster.exception") == "south"


# ---- what a run may close ----

def a_run_closes_nothing_of_a_rule_that_it_did_not_look_at_whole(world):
    for name, counters in NOT_LOOKED.items():
        line = Line(world, source=name.replace(" ", "-"))
        for failed in (1, 0):  # something else failed; nothing did
            key = len(name) * 10 + failed
            line.run(key)
            line.run(*([key + 100] * failed), result="fail" if failed else "not_evaluated", **counters)
            assert line.states()[key] == "new", (name, failed)
        line.run()
        assert line.states()[key] == "resolved", name


def a_run_without_the_rule_closes_nothing_of_it(world):
    line = Line(world)
    line.run(1)
    line.run(rules=[{"rule": "LEI", "severity": "high", "pass": 10}])
    line.run(rules=[{"rule": "ISIN", "severity": "high", "mode": "off"}, {"rule": "LEI", "severity": "high", "pass": 10}])
    line.run(rules=[], result="not_evaluated")
    assert line.states() == {1: "new"}


def coverage_that_is_enough_for_a_pass_is_enough_to_close(world):
    line = Line(world)
    line.run(1)
    line.run(not_evaluated=1, min_coverage="0.95")
    assert line.states() == {1: "new"}
    line.run(not_evaluated=1, min_coverage="0.9")
    assert line.states() == {1: "resolved"}


def a_rule_in_shadow_mode_closes_only_what_it_found_in_shadow_mode(world):
    line = Line(world)
    line.run(1)
    line.run(2, shadow=True, result="pass")
    assert line.states() == {1: "new", 2: "new"}
    assert world.db.rows("select record_no, shadow from report.exception order by 1") == [["1", "f"], ["2", "t"]]
    line.run(shadow=True, result="pass")
    assert line.states() == {1: "new", 2: "resolved"}
    line.run()
    assert line.states() == {1: "resolved", 2: "resolved"}


def broken_records_are_closed_by_a_run_that_could_read_all(world):
    line = Line(world)
    job = line.submit()
    broken = line.stream.finding(job, 1, rule="DQ.RECORD", fingerprint=sha("a broken record"))
    line.stream.record(world.db, [line.stream.outcome(job, result="fail", findings=1, records=10, bad=1, rules=[
        {"rule": "DQ.RECORD", "severity": "high", "fail": 1}, {"rule": "ISIN", "severity": "high", "pass": 9, "not_evaluated": 1}])], [broken])
    _enter(world.db)
    empty = line.submit()
    line.stream.record(world.db, [line.stream.outcome(empty, result="not_evaluated", records=0, rules=[{"rule": "ISIN", "severity": "high"}])])
    _enter(world.db)
    assert line.states() == {1: "new"}, "an empty file shows nothing"
    line.run()
    assert line.states() == {1: "resolved"}


def records_sent_inline_add_and_never_close(world):
    line = Line(world)
    line.run(1, stage="scan")
    line.run(2, stage="scan")
    assert line.states() == {1: "new", 2: "new"}
    line.run(stage="scan")
    assert line.states() == {1: "new", 2: "new"} and world.db.rows("select * from muster.rule_look") == []
    line.run(1, stage="scan")
    assert line.states() == {1: "persisting", 2: "new"}


def many_inline_jobs_at_once_are_entered_as_if_one_by_one(world):
    line = Line(world)
    jobs = [line.run(*keys, stage="scan", enter=False) for keys in ((1,), (1, 2), (3, 1), (2,))]
    assert world.db.one("select muster.ledger_advance(1000)") == "4" and world.db.rows("select * from muster.ledger_due") == []
    assert line.states() == {1: "persisting", 2: "persisting", 3: "new"}
    assert _row(world.db, 1, "runs_seen, first_job_id, last_job_id") == ["3", jobs[0].id, jobs[2].id]
    assert [_history(world.db, k) for k in (1, 2, 3)] == [[("new", None, jobs[i].id)] for i in (0, 1, 2)]


def a_run_without_a_verdict_is_no_run(world):
    line = Line(world)
    line.run(1)
    for result, reason in (("error", "source_changed"), ("rejected", "bad_task"), ("exhausted", "retries")):
        job = line.submit()
        line.stream.record(world.db, [line.stream.outcome(job, result=result, reason=reason, rules=_rules(True, 0))])
    cancelled, partial = line.submit(), line.submit()
    world.db.rows(f"select muster.cancel('{{\"job_id\":\"{cancelled.id}\",\"reason\":\"x\"}}', 'test')")
    line.stream.record(world.db, [line.stream.outcome(partial, result="error", reason="stalled", findings=1, rules=_rules(True, 1))],
                       [line.stream.finding(partial, 2)])
    assert world.db.rows("select * from muster.ledger_due") == []
    assert line.states() == {1: "new"}


def small_records_that_pass_leave_nothing_to_do(world):
    line = Line(world)
    line.run(stage="scan", enter=False)
    assert world.db.rows("select * from muster.ledger_due") == [] and world.db.one("select muster.ledger_advance(1000)") == "0"


# ---- order ----

def runs_stand_in_the_order_of_their_day_then_of_submission(world):
    line = Line(world)
    tomorrow = line.run(1, 2, as_of="2026-11-25")
    line.run(as_of="2026-11-24")
    assert line.states() == {1: "new", 2: "new"}, "an older run closes nothing that a newer one has seen"
    line.run(2, as_of="2026-11-25")
    assert line.states() == {1: "resolved", 2: "persisting"}
    line.run(1, as_of="2026-11-24")
    assert line.states() == {1: "resolved", 2: "persisting"}, "the newer one has looked already"
    assert _row(world.db, 1, "runs_seen, last_job_id, times_reopened") == ["2", tomorrow.id, "0"]


def what_a_late_run_finds_and_a_newer_one_did_not_is_entered_as_resolved(world):
    line = Line(world)
    late = line.submit()
    newer = line.run()
    line.end(late, (1,))
    assert line.states() == {1: "resolved"}
    assert _history(world.db, 1) == [("new", None, late.id), ("resolved", "new", newer.id)]
    assert _row(world.db, 1, "resolved_by_job_id, first_job_id, runs_seen") == [newer.id, late.id, "1"]


def what_a_late_run_finds_and_no_newer_one_has_looked_for_is_open(world):
    line = Line(world)
    late, later = line.submit(), line.submit()
    line.run(not_evaluated=1, result="not_evaluated")
    line.end(late, (1,))
    assert line.states() == {1: "new"}
    line.end(later, (1,))
    assert line.states() == {1: "persisting"}


def a_late_run_that_saw_it_first_is_its_first(world):
    line = Line(world)
    first = line.submit()
    last = line.run(1)
    line.end(first, (1,))
    assert _row(world.db, 1, "state, first_job_id, last_job_id, runs_seen") == ["persisting", first.id, last.id, "2"]


# ---- jobs of several tasks, retries ----

def a_job_of_several_tasks_is_one_run(world):
    line = Line(world)
    for run, keys in enumerate((((1,), (2,), (2, 3)), ((1,), (), ()))):
        job = line.submit()
        line.stream.record(world.db, [line.stream.outcome(job, result="planned", rules=[], records=0, plan=plan_of(3))])
        for task, records in zip(tasks_of(world.db, job), keys):
            assert world.db.rows("select * from muster.ledger_due") == []
            line.stream.record(world.db, [line.stream.outcome(task, result="fail" if records else "pass", records=10, findings=len(records),
                                                              rules=_rules(True, len(records)))], [line.stream.finding(task, r) for r in records])
        _enter(world.db, lim=2)
        assert line.states() == [{1: "new", 2: "new", 3: "new"}, {1: "persisting", 2: "resolved", 3: "resolved"}][run]
    assert _row(world.db, 2, "runs_seen") == ["1"]


def a_task_retried_by_hand_is_the_same_run(world):
    line = Line(world)
    line.run(1, 9)
    job = line.submit()
    line.stream.record(world.db, [line.stream.outcome(job, result="planned", rules=[], records=0, plan=plan_of(2))])
    good, bad = tasks_of(world.db, job)
    line.stream.record(world.db, [
        line.stream.outcome(good, result="fail", records=10, findings=1, rules=_rules(True, 1)),
        line.stream.outcome(bad, result="error", reason="stalled", records=10, findings=1, rules=_rules(True, 1, error=1))],
        [line.stream.finding(good, 1), line.stream.finding(bad, 5)])
    assert world.db.one("select muster.ledger_advance(1000)") == "0", "the job has no verdict"
    world.db.rows(f"select muster.retry_by_hand('{{\"task_id\":\"{bad.id}\",\"reason\":\"again\"}}', 'test')")
    again = next(t for t in tasks_of(world.db, job) if t.id not in (good.id, bad.id))
    line.stream.record(world.db, [line.stream.outcome(again, result="fail", records=10, findings=1, rules=_rules(True, 1))],
                       [line.stream.finding(again, 2)])
    _enter(world.db)
    assert line.states() == {1: "persisting", 2: "new", 9: "resolved"}, "what the dead task found and counted is not"


def a_small_job_retried_by_hand_is_a_run(world):
    line = Line(world)
    job = line.submit()
    line.stream.record(world.db, [line.stream.outcome(job, result="error", reason="source_missing", rules=[], input_digest=None)])
    world.db.rows(f"select muster.retry_by_hand('{{\"task_id\":\"{job.id}\",\"reason\":\"again\"}}', 'test')")
    again = tasks_of(world.db, job)[0]
    line.stream.record(world.db, [line.stream.outcome(again, result="fail", findings=1, rules=_rules(True, 1))], [line.stream.finding(again, 1)])
    _enter(world.db)
    assert line.states() == {1: "new"}
    assert _row(world.db, 1, "first_job_id") == [job.id]


def a_run_entered_once_more_changes_nothing(world):
    line = Line(world)
    line.run(1, 2)
    older = line.run(2, 3)
    last = line.run(2, 3, 4)
    tables = lambda columns="*": (world.db.rows(f"select {columns} from muster.exception order by exception_id"),
                                  world.db.rows("select * from muster.exception_change order by change_id"))
    before, states = tables(), tables("record_no, state, times_reopened, last_job_id, first_job_id, resolved_by_job_id")
    world.db.rows(f"insert into muster.ledger_due (job_id) values ('{last.id}')")
    _enter(world.db)
    assert tables() == before
    world.db.rows(f"insert into muster.ledger_due (job_id) values ('{older.id}')")
    _enter(world.db)
    assert tables("record_no, state, times_reopened, last_job_id, first_job_id, resolved_by_job_id") == states


# ---- slices ----

def a_large_run_is_entered_in_slices_with_the_same_end(world):
    line = Line(world)
    line.run(*range(1, 41), enter=False)
    _enter(world.db, lim=7)
    assert set(line.states().values()) == {"new"} and len(line.states()) == 40
    line.run(*range(31, 51), enter=False)
    calls = 0
    while world.db.one("select muster.ledger_advance(7)") != "0":
        calls += 1
    assert 5 <= calls <= 40, calls
    assert line.states() == {k: "resolved" if k <= 30 else "persisting" if k <= 40 else "new" for k in range(1, 51)}
    assert world.db.one("select max(runs_seen) from muster.exception") == "2"


def the_next_run_of_a_line_waits_until_the_one_before_is_entered(world):
    line, other = Line(world), Line(world, source="quotes")
    line.run(*range(1, 20), enter=False)
    line.run(1, enter=False)
    other.run(100, enter=False)
    for _ in range(3):
        world.db.rows("select muster.ledger_advance(5)")
    assert set(line.states().values()) <= {"new"}
    _enter(world.db, lim=5)
    assert line.states() == {1: "persisting", 100: "new", **{k: "resolved" for k in range(2, 20)}}


def only_one_enters_runs_at_a_time(world):
    line, other = Line(world), world.session()
    line.run(1, enter=False)
    world.db.rows("begin")
    assert world.db.one("select muster.ledger_advance(100)") == "1"
    assert other.one("select muster.ledger_advance(100)") == "0"
    world.db.rows("rollback")
    assert other.one("select muster.ledger_advance(100)") == "1", "what was rolled back is due as before"
    assert line.states() == {1: "new"}


# ---- by chance, against another hand ----

class Oracle:
    """The ledger as CHECKS.md would tell it to somebody with a pencil: all runs so far, sorted, read from the beginning."""

    def __init__(self):
        self.runs = []

    def add(self, line, order, found, looked, opens):
        self.runs.append((line, order, frozenset(found), frozenset(looked if opens else ())))

    def open(self):
        """(line, rule, key) -> is it open, and in how many runs was it seen."""
        result = {}
        for line, _, found, looked in sorted(self.runs, key=lambda r: r[1]):
            for key in [k for k in result if k[0] == line and k[1] in looked and k[1:] not in found]:
                result[key] = (False, result[key][1])
            for rule, key in found:
                result[line, rule, key] = (True, result.get((line, rule, key), (False, 0))[1] + 1)
        return result


def whatever_comes_in_whatever_order_what_is_open_is_what_the_runs_say(world):
    for seed in range(6):
        _by_chance(world, random.Random(seed), f"s{seed}")


def _by_chance(world, luck, name):
    db, stream, oracle, pending = world.db, Stream(), Oracle(), []
    lines = [(f"{name}-{i}", f"pack{i}@1.0.0") for i in range(3)]
    for step in range(60):
        if pending and (luck.random() < 0.5 or step > 50):
            line, job = pending.pop(luck.randrange(len(pending)))
            rules, findings, found, looked = [], [], set(), set()
            for rule in ("ISIN", "LEI"):
                keys = [k for k in range(1, 7) if luck.random() < 0.3]
                flaw = luck.choice([None, None, None, "error", "not_evaluated", "withheld", "absent"])
                if flaw == "absent":
                    continue
                rules.append(dict({"rule": rule, "severity": "high", "pass": 5, "fail": len(keys)}, **({flaw: 1} if flaw else {})))
                if not flaw:
                    looked.add(rule)
                for k in keys:
                    found.add((rule, k))
                    findings.append(stream.finding(job, k, rule=rule, fingerprint=sha(f"{line} {rule} {k}"), subject=f"{rule} {k}"))
            stream.record(db, [stream.outcome(job, result="fail", findings=len(findings), records=10, rules=rules)], findings)
            oracle.add(line, (job.as_of, job.id), found, looked, job.stage == "plan")
        else:
            source, pack = luck.choice(lines)
            job = Job(stage=luck.choice(["plan", "plan", "scan"]), source=source, pack=pack, as_of=f"2026-11-2{luck.randrange(3)}",
                      ms=1764000000000 + step * 1000)
            accept(db, job)
            pending.append((source, job))
        if luck.random() < 0.3:
            db.rows(f"select muster.ledger_advance({luck.choice([1, 3, 1000])})")
    _enter(db, luck.choice([1, 2, 5, 1000]))
    got = {(source, *subject.split(" ")): (state, int(runs)) for source, subject, state, runs in db.rows(
        f"select source, subject, state, runs_seen from report.exception where source like '{name}-%'")}
    want = oracle.open()
    assert set(got) == {(s, r, str(k)) for s, r, k in want}
    for (source, rule, key), (is_open, runs) in want.items():
        state, seen = got[source, rule, str(key)]
        assert (state != "resolved", seen) == (is_open, runs), (name, source, rule, key, state, seen, is_open, runs)
        assert state != "new" or runs == 1
    last = db.rows(f"""select e.state <> 'resolved', (select c.state <> 'resolved' from muster.exception_change c
        where c.exception_id = e.exception_id order by change_id desc limit 1) from report.exception e where e.source like '{name}-%'""")
    assert all(now == told for now, told in last), "the last change says the same"


# ---- waivers ----

def a_waiver_covers_what_it_names_until_it_expires_and_the_state_goes_on_beneath(world):
    line = Line(world)
    line.run(1, 2)
    answer = _waive(world, exception_ids=[_id(world.db, 1)], actor="anna")
    assert (answer["ok"], answer["matched"], answer["duplicate"], answer["dry_run"]) == (True, 1, False, False), answer
    assert _row(world.db, 1, "is_waived, waiver_id, waiver_owner, waiver_reason, waived_until > now()") == [
        "t", answer["waiver_id"], "ops@example.org", "known", "t"]
    assert _row(world.db, 2, "is_waived, waiver_id, waived_until, waiver_owner, waiver_reason") == ["f", None, None, None, None]
    line.run(2)
    assert _row(world.db, 1, "state, is_waived") == ["resolved", "t"]
    line.run(1)
    assert _row(world.db, 1, "state, is_waived") == ["reopened", "t"]
    assert world.db.rows("select exception_id, rule, owner, reason, placed_by, revoked_at, state from report.waiver") == [
        [_id(world.db, 1), None, "ops@example.org", "known", "anna", None, "active"]]
    world.db.rows("alter table muster.waiver disable trigger all")  # time passes
    world.db.rows("update muster.waiver set placed_at = now() - interval '2 days', expires_at = now() - interval '1 second'")
    assert _row(world.db, 1, "state, is_waived, waiver_owner") == ["reopened", "f", None]
    assert world.db.rows("select state from report.waiver") == [["expired"]]


def a_waiver_of_a_rule_covers_what_comes_later_in_its_source_and_pack(world):
    trades, quotes = Line(world), Line(world, source="quotes")
    assert _waive(world, rule="ISIN", source="trades", pack="identifiers")["matched"] == 0
    trades.run(1)
    quotes.run(11)
    waived = lambda: {int(r) for (r,) in world.db.rows("select record_no from report.exception where is_waived")}
    assert waived() == {1}
    assert _waive(world, rule="LEI")["ok"] and _waive(world, rule="ISIN", pack="dates")["ok"] and waived() == {1}
    assert _waive(world, rule="ISIN", reason="all of it")["matched"] == 2 and waived() == {1, 11}
    assert world.db.rows("select count(*) from report.waiver where exception_id is null and rule is not null") == [["4"]]


def a_waiver_is_revoked_with_a_reason_and_stays(world):
    line = Line(world)
    line.run(1)
    waiver = _waive(world, exception_ids=[_id(world.db, 1)])["waiver_id"]
    answer = _ask(world, "waiver_revoke", waiver_id=waiver, reason="mended", actor="ben")
    assert answer == {"ok": True, "waiver_id": waiver, "duplicate": False}
    assert _row(world.db, 1, "is_waived") == ["f"]
    assert world.db.rows("select state, revoked_by, revoked_reason, revoked_at is not null from report.waiver") == [["revoked", "ben", "mended", "t"]]
    assert _ask(world, "waiver_revoke", waiver_id=waiver, reason="twice")["duplicate"] is True
    assert world.db.rows("select revoked_reason from report.waiver") == [["mended"]], "twice is once"
    assert _ask(world, "waiver_revoke", waiver_id=line.submit().id, reason="x")["error"]["code"] == "not_found"
    again = _waive(world, exception_ids=[_id(world.db, 1)])
    assert again["waiver_id"] != waiver and _row(world.db, 1, "is_waived") == ["t"]


def of_several_waivers_the_one_that_lasts_longest_is_told(world):
    line = Line(world)
    line.run(1)
    for days, owner in ((10, "anna"), (90, "ben"), (40, "carl")):
        _waive(world, exception_ids=[_id(world.db, 1)], owner=owner, until=_in(world, f"{days} days"))
    assert _row(world.db, 1, "waiver_owner") == ["ben"] and world.db.one("select count(*) from report.exception") == "1"
    _ask(world, "waiver_revoke", waiver_id=_row(world.db, 1, "waiver_id")[0], reason="x")
    assert _row(world.db, 1, "waiver_owner") == ["carl"]


def a_waiver_says_until_when_and_that_lies_ahead(world):
    line = Line(world)
    line.run(1)
    one = [_id(world.db, 1)]
    for until, words in (("2020-01-01", "in the future"), ("2099-01-01T00:00:00Z", "three years"), ("2027-02-30", "want a day"),
                         ("2027-01-01Tnoon", "want a day")):
        error = _waive(world, exception_ids=one, until=until)["error"]
        assert (error["code"], error["pointer"]) == ("invalid", "/until") and words in error["message"], error
    tomorrow = _in(world, "1 day")[:10]
    assert _waive(world, exception_ids=one, until=tomorrow)["expires_at"] > tomorrow + "T23:59", "a day counts to its end"
    error = _waive(world, exception_ids=one + [line.submit().id])["error"]
    assert (error["code"], error["pointer"]) == ("not_found", "/exception_ids/1")
    assert world.db.one("select count(*) from muster.waiver") == "1", "what was refused left nothing"


def a_dry_run_only_counts_and_the_same_once_more_is_the_same_waiver(world):
    line = Line(world)
    line.run(1, 2, 3)
    until = _in(world, "30 days")
    dry = _waive(world, rule="ISIN", until=until, dry_run=True)
    assert (dry["matched"], dry["dry_run"], "waiver_id" in dry) == (3, True, False), dry
    assert world.db.rows("select * from muster.waiver") == []
    first, again = _waive(world, rule="ISIN", until=until), _waive(world, rule="ISIN", until=until)
    assert again["waiver_id"] == first["waiver_id"] and again["duplicate"] is True
    ids = [_id(world.db, k) for k in (1, 2)]
    first, again = _waive(world, exception_ids=ids, until=until), _waive(world, exception_ids=ids[::-1], until=until)
    assert again["waiver_id"] == first["waiver_id"] and first["duplicate"] is False
    assert world.db.one("select count(*) from report.waiver") == "3"


def every_waiver_and_its_end_are_told_and_in_the_audit_trail(world):
    line = Line(world)
    line.run(1)
    waiver = _waive(world, exception_ids=[_id(world.db, 1)], actor="anna", reason="until the vendor mends it")["waiver_id"]
    _ask(world, "waiver_revoke", waiver_id=waiver, reason="mended", actor="ben")
    assert world.db.rows("select actor, action, reason, object_kind, object_id from report.operator_action order by seq desc limit 2") == [
        ["ben", "revoke waiver", "mended", "waiver_revocation", waiver], ["anna", "waive", "until the vendor mends it", "waiver", waiver]]
    assert world.db.rows("select * from report.audit_verify()") == []
    events = {s: json.loads(bytes.fromhex(b[2:]))["events"][0] for s, b in world.db.rows(
        "select subject, bytes from muster.outbox where subject like 'muster.event.operator.%'")}
    told = events["muster.event.operator.waived"]
    assert (told["type"], told["waiver_id"], told["actor"], told["exceptions"]) == ("io.muster.event.v1.operator_waived", waiver, "anna", 1)
    assert events["muster.event.operator.waiver_revoked"]["waiver_id"] == waiver


def a_waiver_that_was_altered_behind_the_programs_back_is_found(world):
    line = Line(world)
    line.run(1, 2)
    waiver = _waive(world, exception_ids=[_id(world.db, 1)])["waiver_id"]
    _ask(world, "waiver_revoke", waiver_id=waiver, reason="mended")
    for table in ("waiver", "waiver_exception", "waiver_revocation"):
        world.db.rows(f"alter table muster.{table} disable trigger all")
    for change, kind in (("update muster.waiver set expires_at = expires_at + interval '1 year'", "waiver"),
                         (f"insert into muster.waiver_exception values ('{waiver}', '{_id(world.db, 2)}')", "waiver"),
                         ("update muster.waiver_revocation set revoked_by = 'somebody'", "waiver_revocation")):
        world.db.rows("begin")
        world.db.rows(change)
        assert world.db.rows("select fault, kind, id from report.audit_verify()") == [["altered", kind, waiver]], change
        world.db.rows("rollback")


# ---- nothing goes ----

def nothing_of_the_ledger_is_deleted_and_its_history_not_overwritten_not_even_by_an_owner(world):
    line = Line(world)
    line.run(1)
    _ask(world, "waiver_revoke", waiver_id=_waive(world, exception_ids=[_id(world.db, 1)])["waiver_id"], reason="x")
    for table, column in (("waiver", "owner = 'x'"), ("waiver_exception", "waiver_id = waiver_id"), ("waiver_revocation", "reason = 'x'"),
                          ("exception_change", "state = 'new'")):
        for sql in (f"update muster.{table} set {column}", f"delete from muster.{table}", f"truncate muster.{table}"):
            assert world.db.fails(sql) == "P0001", sql
    for sql in ("delete from muster.exception", "truncate muster.exception"):
        assert world.db.fails(sql) == "P0001", sql


def programs_enter_and_waive_through_functions_only(world):
    for role in ("dispatcher", "recorder", "reporter", "auditor"):
        world.db.rows(f"create role ledger_{role} login in role muster_{role}")
    dispatcher, recorder, reporter = (world.session("ledger_" + r) for r in ("dispatcher", "recorder", "reporter"))
    line = Line(world)
    line.run(1, enter=False)
    assert recorder.fails("select muster.ledger_advance(10)") == "42501" == reporter.fails("select muster.ledger_advance(10)")
    assert dispatcher.one("select muster.ledger_advance(10)") == "1"
    for session in (dispatcher, recorder, reporter, world.session("ledger_auditor")):
        for sql in ("insert into muster.waiver select * from muster.waiver", "update muster.exception set state = 'resolved'",
                    "delete from muster.ledger_due"):
            assert session.fails(sql) == "42501", sql
    assert reporter.fails("select muster.waive('{}', 'x')") == "42501" == recorder.fails("select muster.waiver_revoke('{}', 'x')")
    assert reporter.rows("select state, is_waived from report.exception") == [["new", "f"]]
    assert reporter.fails("select * from muster.exception") == "42501"


# ---- questions ----

def open_exceptions_are_listed_page_by_page(world):
    trades, quotes = Line(world), Line(world, source="quotes")
    trades.run(1, 2, 3, 4)
    trades.run(2, 3, 4)
    quotes.run(11, 12)
    _waive(world, exception_ids=[_id(world.db, 11)])
    listed = lambda **f: sorted(e["record_no"] for e in _ask(world, "exceptions", **({"filter": f} if f else {}))["exceptions"])
    assert listed() == [2, 3, 4, 11, 12], "what is resolved is listed only if asked for"
    assert listed(state="resolved") == [1] and listed(state="persisting") == [2, 3, 4]
    assert listed(source="quotes") == [11, 12] and listed(source="quotes", waived="yes") == [11] and listed(waived="no") == [2, 3, 4, 12]
    assert listed(pack="identifiers", rule="ISIN", severity="high") == [2, 3, 4, 11, 12] and listed(rule="LEI") == listed(severity="low") == []
    seen, after = [], {}
    while True:
        page = _ask(world, "exceptions", limit=2, **after)
        seen += [e["record_no"] for e in page["exceptions"]]
        if not page["more"]:
            break
        after = {"after": page["exceptions"][-1]["exception_id"]}
    assert sorted(seen) == [2, 3, 4, 11, 12] and len(seen) == 5
    assert _ask(world, "exceptions", after=trades.submit().id)["error"]["code"] == "not_found"


def one_exception_is_shown_with_its_history_and_its_waivers(world):
    line = Line(world)
    line.run(1)
    line.run()
    named = _waive(world, exception_ids=[_id(world.db, 1)])["waiver_id"]
    of_rule = _waive(world, rule="ISIN")["waiver_id"]
    _waive(world, rule="LEI")
    got = _ask(world, "exceptions", exception_id=_id(world.db, 1))["exceptions"][0]
    assert [h["state"] for h in got["history"]] == ["new", "resolved"] and got["state"] == "resolved"
    assert {w["waiver_id"] for w in got["waivers"]} == {named, of_rule}
    assert _ask(world, "exceptions", exception_id=line.submit().id)["error"]["code"] == "not_found"


# ---- plans ----

def entering_and_listing_go_by_keys_and_not_over_the_whole_ledger(world):
    Line(world).run(1)
    world.db.rows("set enable_seqscan = off")
    plan = "\n".join(r[0] for r in world.db.rows("""explain select * from report.exception where resolved_at is null
        order by source, pack, rule, exception_id limit 100"""))
    assert "exception_open" in plan and "Sort Key: e" not in plan, plan
