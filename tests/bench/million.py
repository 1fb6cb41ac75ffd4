#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./run bench million: a million tasks through dispatcher, broker, agents and recorder, of every kind: jobs of records that pass and
that fail, files in one task and in shards, files that are not there, jobs that are cancelled. Afterwards every job has ended, every
control total of report.reconciliation balances, nothing is an alert, and the audit trail holds. Prints figures; status 1 if not."""
import argparse
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ.setdefault("MUSTER_BUILD", os.path.join(HERE, "..", "..", "build-release"))
sys.path.insert(0, os.path.join(HERE, "..", "live"))

from harness import Site, wait_until  # noqa: E402

GOOD, BAD = "US0378331005", "US0378331006"
BATCH = 2000
UNDER_WAY = 4
EACH = {"bad": 25, "file": 400, "sharded": 10000, "missing": 2500, "cancelled": 5000}  # one job in so many


class Figures:
    def __init__(self):
        self.failed = []

    def note(self, what, value, is_right=True):
        print(f"{'' if is_right else 'WRONG  '}{what:52} {value}", flush=True)
        if not is_right:
            self.failed.append(what)


def write_sources(site, shards):
    rows = f"{GOOD},5493001KJTIIGC8Y1R12,EUR\n"
    head = "isin,lei,currency\n"
    site.write("small.csv", head + rows * 40 + rows.replace(GOOD, BAD) * 2)
    site.write("large.csv", head + (rows * 199 + rows.replace(GOOD, BAD)) * (shards * 64 * 1024 // (len(rows) * 200)))


def line_of(i):
    """The i-th job. Its kind follows from i, so that what should come of all is known."""
    if i % EACH["sharded"] == EACH["sharded"] - 1:
        return {"pack": "identifiers@1.0.0", "source": {"uri": "file:large.csv"}, "id": f"large-{i}"}  # 1.1.0 has rules over groups: no shards
    if i % EACH["missing"] == EACH["missing"] - 1:
        return {"pack": "identifiers@1", "source": {"uri": "file:not-there.csv"}}
    if i % EACH["file"] == EACH["file"] - 1:
        return {"pack": "identifiers@1", "source": {"uri": "file:small.csv"}, "id": f"small-{i}", "labels": {"desk": "fx"}}
    record = {"isin": BAD if i % EACH["bad"] == 0 else GOOD, "lei": "5493001KJTIIGC8Y1R12", "currency": "EUR"}
    return {"pack": "identifiers@1", "records": [record]}


def submit(site, jobs):
    """All of them; every 5000th is cancelled at once, whether it has run by then or not."""
    nats, inbox = site.nats, "_INBOX.million"
    sid = nats.subscribe(inbox)
    at = under_way = accepted = cancelled = 0
    while at < jobs or under_way:
        while at < jobs and under_way < UNDER_WAY:
            lines = [json.dumps(line_of(i), separators=(",", ":")) for i in range(at, min(at + BATCH, jobs))]
            nats.publish("muster.api.submit", "\n".join(lines), reply=inbox)
            at += len(lines)
            under_way += 1
        answer = nats.next(sid, 120).json()
        assert answer["ok"], answer
        accepted += answer["accepted"]
        under_way -= 1
        if accepted // EACH["cancelled"] > cancelled:
            cancelled += 1
            site.api("cancel", {"job_id": answer["job_ids"][0], "reason": "a test of a million"}, timeout=60)
    return accepted


def check(site, jobs, figures):
    value = site.value
    states = {r[0]: int(r[1]) for r in site.sql("select state, count(*) from report.job_status group by state")}
    figures.note("jobs by state", states, sum(states.values()) == jobs and not states.get("queued") and not states.get("running"))
    results = {r[0]: int(r[1]) for r in site.sql("select result, count(*) from muster.outcome group by result order by 2 desc")}
    figures.note("outcomes by result", results)
    figures.note("tasks", f"{sum(results.values()):,}", sum(results.values()) >= jobs)
    figures.note("  plans and their shards", results.get("planned", 0), bool(results.get("planned")) or jobs < EACH["sharded"])
    figures.note("findings", f"{int(value('select count(*) from report.finding')):,}")
    began = time.monotonic()
    uneven = site.sql("select job_id, tasks, tasks_done, records_planned, records_read, findings_stored, findings_stated, rules_unequal "
                      "from report.reconciliation where not balanced limit 3")
    figures.note("control totals that do not balance (first three)", uneven or 0, not uneven)
    figures.note("  asked over all jobs in", f"{time.monotonic() - began:.1f} s")
    missing = jobs // EACH["missing"] - jobs // EACH["sharded"]
    figures.note("jobs without a verdict, by reason", site.sql("select reason, count(*) from report.job_status where state = 'failed' group by 1"),
                 int(value("select count(*) from report.job_status where reason = 'source_missing'")) == missing)
    figures.note("alerts", site.sql("select * from report.alert") or 0, not site.sql("select 1 from report.alert"))
    began = time.monotonic()
    site.sql("do $$ begin if not exists (select from pg_roles where rolname = 'auditor1') then create role auditor1 login in role muster_auditor; end if; end $$")
    got = site.cli("audit", "verify", env={"MUSTER_POSTGRES_CONNINFO": f"{site.conninfo} user=auditor1"}, timeout=600)
    figures.note("audit trail", f"{got.stdout.strip() or got.stderr.strip()} ({time.monotonic() - began:.1f} s)", got.returncode == 0)
    figures.note("size of the database", value("select pg_size_pretty(pg_database_size(current_database()))"))


def main(words):
    parser = argparse.ArgumentParser(prog="./run bench million", description=__doc__)
    parser.add_argument("--tasks", type=int, default=1_000_000, help="about so many (default: 1000000)")
    parser.add_argument("--workers", type=int, default=2, help="agents (default: 2)")
    parser.add_argument("--shards", type=int, default=12, help="of each large file (default: 12)")
    o = parser.parse_args(words)
    # a large file gives a plan and its shards; all others one task
    jobs = int(o.tasks / (1 + o.shards / EACH["sharded"])) // BATCH * BATCH + BATCH
    figures = Figures()
    site = Site(task__shard_bytes="64KiB")
    try:
        write_sources(site, o.shards)
        site.all(workers=o.workers)
        began = time.monotonic()
        accepted = submit(site, jobs)
        submitted = time.monotonic() - began
        figures.note("jobs accepted", f"{accepted:,} in {submitted:.1f} s", accepted == jobs)
        # what is open has a row in the outbox or waits for a retry; then the results that were published are recorded
        wait_until(lambda: site.sql("select 1 from muster.outbox where kind = 'task' limit 1") == [] and site.sql("select 1 from muster.retry limit 1") == []
                   and site.caught_up(), 1800, "the end of every task")
        took = time.monotonic() - began
        tasks = int(site.value("select count(*) from muster.outcome"))
        figures.note("until every outcome was in PostgreSQL", f"{took:.1f} s: {tasks / took:,.0f} tasks/s")
        check(site, jobs, figures)
    finally:
        site.close()
    if figures.failed:
        print(f"not as it should be: {', '.join(figures.failed)}")
    return 1 if figures.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
