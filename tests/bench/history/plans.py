# SPDX-License-Identifier: Apache-2.0
"""The questions that people ask of each view, how long they take, and what PostgreSQL does for them: which partitions are looked
at, by which index. Used by `./run bench history` and by the promises of tests/sql/promises_plans.py."""
import json
import time

BIG = ("job", "task", "outcome", "tally", "finding")
SMALL_ROWS = 1000  # of a partition: no more than the last pages, which its block range index does not sum up yet


class Case:
    """most: partitions of one table that may be looked at. A question that names ids must leave the others out altogether; one
    that names times may ask the small index of each for whether there is anything, and then read many rows of so many. whole:
    each partition is asked, by an index, and none may give many rows: over all time, or because a plan begins with a job's rows."""

    def __init__(self, view, asks, sql, most=2, whole=False):
        self.view, self.asks, self.sql, self.most, self.whole = view, asks, sql, most, whole
        self.by_id = "job_id" in asks or "task_id" in asks or "recent" in asks


BY_JOB = "where job_id = '{job}'"
AHEAD = 6  # partitions from some days ago on: those made ahead have no rows yet, but nobody can know that
RECENT = "where job_id >= report.id_at('{recent}')"
CASES = [
    Case("job_status", "job_id", "select * from report.job_status " + BY_JOB, 1),
    Case("job_status", "job_key", "select * from report.job_status where job_key = '{key}'", whole=True),
    Case("job_status", "day", "select state, count(*) from report.job_status where day = '{day}' group by state"),
    Case("job_status", "time", "select count(*), max(total_seconds) from report.job_status where submitted_at >= '{from}' and submitted_at < '{to}'"),
    Case("job_status", "day, source", "select * from report.job_status where day between '{monday}' and '{day}' and source = '{source}'"),
    Case("job_status", "recent, not passed", "select * from report.job_status " + RECENT + " and result in ('fail', 'error') and source <> 'records'", AHEAD),
    Case("task_history", "job_id", "select * from report.task_history " + BY_JOB, whole=True),
    Case("task_history", "task_id", "select * from report.task_history where task_id = '{task}'", 1),
    Case("task_history", "time", "select agent, count(*) from report.task_history where created_at >= '{from}' and created_at < '{to}' group by agent"),
    Case("check_result", "job_id", "select * from report.check_result " + BY_JOB, 1),
    Case("check_result", "day, source", "select * from report.check_result where day = '{day}' and source = '{source}'"),
    Case("finding", "job_id", "select * from report.finding " + BY_JOB, whole=True),
    Case("finding", "time", "select rule, count(*) from report.finding where recorded_at >= '{day}' and recorded_at < '{next_day}' group by rule", 3),
    Case("finding", "newest, rule", "select * from report.finding where recorded_at >= '{recent}' and rule = '{rule}'", AHEAD),
    Case("finding", "day, source", "select * from report.finding where recorded_at >= '{monday}' and recorded_at < '{next_day}' and source = '{source}'", 3),
    Case("daily_summary", "day", "select * from report.daily_summary where day = '{day}'"),
    Case("daily_summary", "days, source", "select * from report.daily_summary where day between '{monday}' and '{day}' and source = '{source}'"),
    Case("reconciliation", "job_id", "select * from report.reconciliation " + BY_JOB, 1),
    Case("reconciliation", "recent", "select count(*) from report.reconciliation " + RECENT + " and not balanced", AHEAD),
    Case("dead_letter", "newest", "select * from report.dead_letter order by task_id desc limit 20", whole=True),
    Case("dead_letter", "job_id", "select * from report.dead_letter where job_id = '{dead_job}'", whole=True),
    Case("dead_letter", "class", "select class, count(*) from report.dead_letter where recorded_at >= '{from_month}' group by class", 3),
    Case("breaker", "all", "select * from report.breaker"),
    Case("alert", "all", "select * from report.alert"),
    Case("rule_summary", "day", "select * from report.rule_summary where day = '{day}'"),
    Case("rule_summary", "days, rule", "select day, sum(fail) from report.rule_summary where day between '{monday}' and '{day}' and rule = '{rule}' group by day"),
    Case("rule_summary", "month, top", "select rule, sum(fail) from report.rule_summary where day between '{from_month}' and '{day}' group by rule order by 2 desc limit 10"),
    Case("source_summary", "all", "select * from report.source_summary order by source", whole=True),
    Case("source_summary", "source", "select * from report.source_summary where source = '{source}'", whole=True),
    Case("agent_activity", "day", "select * from report.agent_activity where day = '{day}'"),
    Case("queue_latency", "hour, queue", "select * from report.queue_latency where hour = '{hour}' and queue = '{queue}'"),
    Case("queue_latency", "days", "select * from report.queue_latency where hour >= '{monday}' and hour < '{next_day}' order by hour"),
    Case("throughput", "hour, queue", "select * from report.throughput where hour = '{hour}' and queue = '{queue}'"),
    Case("throughput", "days", "select * from report.throughput where hour >= '{monday}' and hour < '{next_day}' order by hour"),
    Case("sla", "job_id", "select * from report.sla where job_id = '{deadline_job}'", 2),
    Case("sla", "day", "select outlook, count(*) from report.sla where day between '{monday}' and '{day}' group by outlook"),
    Case("sla", "recent, open", "select * from report.sla " + RECENT + " and state in ('queued', 'running')", whole=True),
    Case("evidence", "job_id", "select * from report.evidence " + BY_JOB, 1),
    Case("evidence", "day, source", "select * from report.evidence where day = '{day}' and source = '{source}'"),
    Case("stale_result", "job_id", "select * from report.stale_result " + BY_JOB, 1),
    Case("stale_result", "recent, list", "select count(*) from report.stale_result " + RECENT + " and kind = 'list' and name = 'sanctions'", AHEAD),
    Case("exception", "open, source", "select * from report.exception where source = '{source}' and state <> 'resolved'", whole=True),
    Case("exception", "open, rule", "select * from report.exception where rule = '{rule}' and state <> 'resolved' limit 100", whole=True),
    Case("exception_history", "exception_id", "select * from report.exception_history where exception_id = '{exception}'", whole=True),
    Case("waiver", "all", "select * from report.waiver", whole=True),
    Case("operator_action", "newest", "select * from report.operator_action order by at desc limit 50", whole=True),
    Case("operator_action", "time, action", "select * from report.operator_action where at >= '{day}' and at < '{next_day}' and action = 'cancel'", whole=True),
    Case("legal_hold", "all", "select * from report.legal_hold"),
    Case("purge", "all", "select * from report.purge"),
    Case("partition", "all", "select * from report.partition", whole=True),
]


def present(ask):
    """The cases of those views that the database has."""
    views = {r[0] for r in ask("select table_name from information_schema.views where table_schema = 'report'")}
    return [c for c in CASES if c.view in views]


def samples(ask):
    """What the questions are about, from the database itself. ask: SQL text to rows."""
    job, key, source = ask("""select j.job_id, j.job_key, j.source_name from muster.job_progress p join muster.job j using (job_id)
        where p.stage = 'scan' and p.result = 'fail' order by 1 offset (select count(*) / 2 from muster.job_progress where stage = 'scan' and result = 'fail') limit 1""")[0]
    task = ask(f"select task_id from muster.task where job_id = '{job}' order by 1 limit 1")[0][0]
    rule = ask(f"select rule from muster.finding where job_id = '{job}' limit 1")[0][0]
    dead = ask("select job_id from muster.outcome where result = 'exhausted' order by task_id offset 3 limit 1")[0][0]
    day, next_day, monday, month = ask(f"""select d::date, d::date + 1, d::date - 6, d::date - 30 from (select (submitted_at at time zone 'UTC')::date as d
        from muster.job where job_id = '{job}') as x""")[0]
    recent = ask("""select to_char(muster.time_of((select job_id from muster.job order by job_id desc limit 1)) - interval '2 days', 'YYYY-MM-DD')""")[0][0]
    queue = ask(f"select queue from muster.job where job_id = '{job}'")[0][0]
    deadline_job = ask("select job_id from muster.job where deadline is not null order by job_id desc offset 20 limit 1")[0][0]
    exception = "00000000-0000-8000-8000-000000000000"
    if ask("select 1 from pg_class where oid = to_regclass('muster.exception')"):
        exception = (ask(f"select exception_id from muster.exception where source = '{source}' limit 1") or [[exception]])[0][0]
    return {"deadline_job": deadline_job, "exception": exception, "job": job, "key": key, "source": source, "task": task, "rule": rule, "dead_job": dead, "day": day, "next_day": next_day, "monday": monday,
            "from_month": month, "from": f"{day} 09:00+00", "to": f"{day} 10:00+00", "hour": f"{day} 09:00+00", "recent": recent, "queue": queue}


class Plan:
    """What EXPLAIN (analyze, format json) says: which partitions were looked at, of which rows were read, and how many were
    left out."""

    def __init__(self, document):
        self.looked, self.read, self.read_whole, self.indexes, self.never = {}, {}, {}, set(), 0
        self.planning, self.execution = document["Planning Time"], document["Execution Time"]
        self._walk(document["Plan"])

    def _walk(self, node):
        relation, ran = node.get("Relation Name"), node["Actual Loops"] > 0
        if relation:
            self.never += not ran
            table, _, quarter = relation.rpartition("_")
            if ran and table in BIG and quarter[4:5] == "q":
                self._partition(node, table, relation)
        if node.get("Index Name") and ran:
            self.indexes.add(node["Index Name"])
        for child in node.get("Plans", ()):
            self._walk(child)

    def _partition(self, node, table, relation):
        rows = sum(node.get(k, 0) for k in ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")) * node["Actual Loops"]
        self.looked.setdefault(table, set()).add(relation)
        if rows > SMALL_ROWS:
            self.read.setdefault(table, set()).add(relation)
        if node["Node Type"] == "Seq Scan":
            self.read_whole[relation] = max(rows, self.read_whole.get(relation, 0))

    def most(self, by_id):
        return max(map(len, (self.looked if by_id else self.read).values()), default=0)

    def shape(self):
        """One line for people."""
        text = ", ".join(f"{t} {len(p)}" + (f" ({len(self.read.get(t, ()))} with many rows)" if len(p) > 1 else "")
                         for t, p in sorted(self.looked.items()))
        whole = sorted(((n, t) for t, n in self.read_whole.items() if n > SMALL_ROWS), reverse=True)
        return (text or "no large table") + f"; left out {self.never}" + "".join(
            f"; READ WHOLE {len(whole)}, as {t} ({int(n):,} rows)" for n, t in whole[:1])


def explain(ask, sql, settings=""):
    text = "\n".join(row[0] for row in ask(f"{settings}explain (analyze, timing off, format json) {sql}"))
    return Plan(json.loads(text)[0])


def complaints(case, plan):
    """What is wrong with a plan, in words; nothing on a good day."""
    most = plan.most(case.by_id and not case.whole)
    if case.whole:
        return [f"no index serves: many rows are read of {most} partitions: {plan.shape()}"] if most else []
    return [f"{most} partitions of a table are {'looked at' if case.by_id else 'read'}, {case.most} would do: {plan.shape()}"] if most > case.most else []


def timed(ask, sql, times=3):
    """Seconds of the first run and the median of those after it."""
    took = []
    for _ in range(times + 1):
        began = time.monotonic()
        ask(sql)
        took.append(time.monotonic() - began)
    return took[0], sorted(took[1:])[times // 2]
