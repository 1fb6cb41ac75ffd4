#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./run bench [CASE...]: measures, as ratios in one run. Cases: bare (the yardstick: the broker and database moves of a
queue without muster's code), pipeline (small tasks submitted by one client until every outcome is in PostgreSQL), latency
(single submissions at low load, to the visible row), scan (every format under rules, in one process: tests/bench/scan.py), idle
(an agent with nothing to do); if asked for: audit (the pipeline beside one whose trail says nothing), million (a million tasks of every kind through the real programs; then every
control total balances and the audit trail holds: tests/bench/million.py), history (years of history in a database, and what
reports over it take: tests/bench/history). Prints a table and writes bench.json beside the programs."""
import json
import os
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.setdefault("MUSTER_BUILD", os.path.join(ROOT, "build-release"))
sys.path.insert(0, os.path.join(ROOT, "tests", "live"))

import scan as scan_case  # noqa: E402
from harness import Site, wait_until  # noqa: E402

TASKS = int(os.environ.get("MUSTER_BENCH_TASKS", "200000"))
ROUNDS = int(os.environ.get("MUSTER_BENCH_ROUNDS", "3"))
YEARS = int(os.environ.get("MUSTER_BENCH_YEARS", "0"))  # partitions of so many years stand behind those of today
RECORD = {"isin": "US0378331005", "lei": "5493001KJTIIGC8Y1R12", "currency": "EUR"}
results = []


def note(case, what, value, unit, against=None):
    results.append({"case": case, "what": what, "value": value, "unit": unit, "ratio": against})
    ratio = f"{against:8.2f}" if against is not None else ""
    print(f"{case:10} {what:46} {value:>14,.2f} {unit:10} {ratio}", flush=True)


def run_bare(site):
    got = subprocess.run([os.path.join(BUILD, "tests", "bench-bare"), site.url, site.conninfo, str(TASKS)],
                         capture_output=True, text=True, check=True)
    return json.loads(got.stdout)["rate"]


def run_pipeline(site, tag):
    """From the first submission to the last visible outcome."""
    line = json.dumps({"pack": "identifiers@1.0.0", "records": [RECORD]}, separators=(",", ":"))
    body = "\n".join([line] * 2000)
    count = lambda: int(site.value("select count(*) from muster.outcome"))
    before = count()
    last_jobs = []
    began = time.monotonic()
    nats, left, asked = site.nats, TASKS, 0
    sid = nats.subscribe(f"_INBOX.bench.{tag}")
    under_way = 0
    while left or under_way:
        while left and under_way < 4: # a client that does not wait for each answer
            nats.publish("muster.api.submit", body, reply=f"_INBOX.bench.{tag}")
            left -= 2000
            under_way += 1
        answer = nats.next(sid, 60).json()
        assert answer["ok"] and answer["accepted"] == 2000, answer
        last_jobs = (last_jobs + [answer["job_ids"][-1]])[-4:]
        asked += 2000
        under_way -= 1
    submitted = time.monotonic() - began
    # the last ones by their keys, since counting all again and again would cost more than recording them; then all
    some = ", ".join(f"'{job}'" for job in last_jobs)
    wait_until(lambda: site.value(f"select count(*) from muster.outcome where task_id in ({some})") == str(len(last_jobs)), 300,
               "the last outcomes")
    wait_until(lambda: count() >= before + TASKS, 300, "every outcome")
    took = time.monotonic() - began
    return TASKS / took, TASKS / submitted


def on_broker(tag, work):
    site = Site(**{f"retention__{what}": "100y" for what in ("findings", "outcomes", "audit")} if YEARS else {})
    try:
        if YEARS:
            site.sql("; ".join(f"select muster.maintain(now() - interval '{3 * i} months')" for i in range(4 * YEARS + 1)) + "; checkpoint")
        return work(site)
    finally:
        site.close()


def bare_and_pipeline(cases):
    bare, pipeline, submit = [], [], []
    for turn in range(ROUNDS): # in turn, so that a change of the machine's speed meets both
        if "bare" in cases:
            bare.append(on_broker("bare", run_bare))
        if "pipeline" in cases:
            def work(site):
                site.all(workers=2)
                return run_pipeline(site, turn)
            rate, submitted = on_broker("pipeline", work)
            pipeline.append(rate)
            submit.append(submitted)
    if bare:
        note("bare", f"{TASKS:,} tasks, one message each", statistics.median(bare), "tasks/s", 1.0 if pipeline else None)
    if pipeline:
        yardstick = statistics.median(bare) if bare else None
        note("pipeline", f"{TASKS:,} tasks, submission to visible outcome", statistics.median(pipeline), "tasks/s",
             statistics.median(pipeline) / yardstick if yardstick else None)
        note("pipeline", "of these, submission to receipt", statistics.median(submit), "jobs/s")


# the trail as if there were none: no seal is computed, no link written
WITHOUT_TRAIL = """
create or replace function muster.audit_append(who text, what text, why text, rows text, packed_rows bytea default '') returns void language plpgsql as 'begin end';
create or replace function muster.packed(letter bytea, id uuid, seal bytea) returns bytea language sql immutable as 'select null::bytea';
do $$
declare
    kind text;
begin
    foreach kind in array array['job', 'task', 'outcome', 'tally', 'finding'] loop
        execute format('create or replace function muster.seal(r muster.%I) returns bytea language sql stable as $f$ select null::bytea $f$', kind);
    end loop;
end
$$"""


def audit(_):
    rates = {True: [], False: []}
    for turn in range(ROUNDS):
        for trail in (True, False) if turn % 2 else (False, True):
            def work(site):
                if not trail:
                    site.sql(WITHOUT_TRAIL)
                site.all(workers=2)
                rate = run_pipeline(site, turn)[0]
                assert (int(site.value("select count(*) from muster.audit")) > 0) == trail, "nothing is compared"
                return rate
            rates[trail].append(on_broker("audit", work))
    note("audit", f"{TASKS:,} tasks, without the trail", statistics.median(rates[False]), "tasks/s", 1.0)
    note("audit", "with it", statistics.median(rates[True]), "tasks/s", statistics.median(rates[True]) / statistics.median(rates[False]))


def latency(_):
    def work(site):
        site.all(workers=1)
        took = []
        def visible(job):
            return site.value(f"select count(*) from muster.outcome where task_id = '{job}'") == "1"
        for i in range(520):
            began = time.monotonic()
            job = site.submit({"pack": "identifiers@1.0.0", "records": [RECORD]})["job_id"]
            while not visible(job):
                pass
            if i >= 20:
                took.append((time.monotonic() - began) * 1000)
        return took
    took = sorted(on_broker("latency", work))
    note("latency", "submission to visible row, p50", took[len(took) // 2], "ms")
    note("latency", "p99", took[len(took) * 99 // 100], "ms")


def scan(_):
    scan_case.scan(BUILD, note)


def idle(_):
    site = Site()
    try:
        agent = site.all(workers=1)[0]
        cpu = lambda: sum(int(x) for x in open(f"/proc/{agent.pid}/stat").read().rsplit(")", 1)[1].split()[11:13]) / os.sysconf("SC_CLK_TCK")
        began, before = time.monotonic(), cpu()
        wait_until(lambda: time.monotonic() - began > 30, 40)
        note("idle", "an idle agent's share of a core", (cpu() - before) / (time.monotonic() - began) * 100, "%")
        pages = int(open(f"/proc/{agent.pid}/statm").read().split()[1])
        note("idle", "its resident memory", pages * os.sysconf("SC_PAGE_SIZE") / 2 ** 20, "MiB")
    finally:
        site.close()


def main(words):
    if words and words[0] in ("million", "history"):  # they say more than a line, and take options
        script = {"million": "million.py", "history": os.path.join("history", "main.py")}[words[0]]
        return subprocess.run([sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), script), *words[1:]], check=False).returncode
    cases = words or ["bare", "pipeline", "latency", "scan", "idle"]
    unknown = [c for c in cases if c not in ("audit", "bare", "pipeline", "latency", "scan", "idle")]
    if unknown:
        print(f"unknown case {unknown[0]}", file=sys.stderr)
        return 2
    print(f"{'case':10} {'what':46} {'value':>14} {'unit':10} {'ratio':>8}")
    if "bare" in cases or "pipeline" in cases:
        bare_and_pipeline(cases)
    for case in ("audit", "latency", "scan", "idle"):
        if case in cases:
            globals()[case](case)
    with open(os.path.join(BUILD, "bench.json"), "w") as f:
        json.dump({"cores": os.cpu_count(), "tasks": TASKS, "bytes": scan_case.BYTES, "results": results}, f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
