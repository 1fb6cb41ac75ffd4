# SPDX-License-Identifier: Apache-2.0
"""Every command and query of README.md is run as it stands there, in order, by a new user: one that is changed or added
runs by itself, and one that this file does not know fails. What is not run here is named, with where it is."""
import json
import os
import re
import select
import shutil
import signal
import subprocess
import time

from harness import BUILD, FOLDERS, ROOT, wait_until
from marks import Skip

ELSEWHERE = {"./run demo": "a story of its own below", "./run test": "this is part of it"}
GOOD, BAD = "US0378331005", "US0378331006"
SITE = {"worker__checkpoint": "50ms"}


def _blocks(language):
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
        return re.findall(rf"^```{language}\n(.*?)^```", f.read(), re.S | re.M)


def _commands():
    for block in _blocks("sh"):
        for line in block.splitlines():
            command = re.sub(r"\s+#\s.*$", "", line).strip()
            if command:
                yield command


def _environment(site):
    folders = [os.path.join(BUILD, f) for f in FOLDERS.values()]
    return dict(os.environ, PATH=os.pathsep.join(folders + [os.environ["PATH"]]), NATS_URL=site.url, MUSTER_NATS_URL=site.url,
                MUSTER_POSTGRES_CONNINFO=site.conninfo, XDG_CONFIG_HOME=site.dir,
                MUSTER_DATA_MIGRATIONS=os.path.join(BUILD, "sql", "migrations"),  # where `meson install` puts them is elsewhere
                MUSTER_DATA_LISTS=os.path.join(BUILD, "workers", "lists"), MUSTER_DATA_PACKS=os.path.join(BUILD, "workers", "packs"),
                MUSTER_DATA_EXAMPLES=os.path.join(BUILD, "sql", "examples"))


def prepare(site):
    site.dispatcher()
    site.recorder()
    site.worker("worker-1")
    site.worker("worker-2")
    site.write("trades.csv", "symbol,isin\n" + "".join(f"S{i},{BAD if i == 700 else GOOD}\n" for i in range(1000)))
    shutil.copy(os.path.join(site.sources, "trades.csv"), site.dir)
    with open(os.path.join(site.dir, "my-rules.json"), "w", encoding="utf-8") as f:
        f.write(next(b for b in _blocks("json") if "my-rules" in b))
    job = {"pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]}
    site.done(site.submit({"pack": "identifiers@1.0.0", "source": {"uri": "file:missing.csv", "name": "trades"}})["job_id"])
    with open(os.path.join(site.dir, "jobs.jsonl"), "w") as f:
        f.write(json.dumps(job) + "\n" + json.dumps(dict(job, pack="nosuch@1")) + "\n")
    with open(os.path.join(site.dir, "eod.json"), "w") as f:
        json.dump(job, f)


def _shell(site, command):
    return subprocess.run(["sh", "-c", command], cwd=site.dir, env=_environment(site), capture_output=True, text=True, timeout=60)


def _watched(site, command, cause, wanted):
    """A command that goes on until it is stopped: what it shows after something has happened."""
    process = subprocess.Popen(["sh", "-c", "exec " + command], cwd=site.dir, env=_environment(site), stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, start_new_session=True)
    seen, until, next_cause = "", time.monotonic() + 30, 0
    try:
        while wanted not in seen:
            assert time.monotonic() < until, (command, seen)
            if time.monotonic() >= next_cause:  # it may not have subscribed yet at the first
                cause()
                next_cause = time.monotonic() + 2
            if select.select([process.stdout], [], [], 0.2)[0]:
                got = os.read(process.stdout.fileno(), 65536).decode(errors="replace")
                assert got, (command, seen)
                seen += got
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)


def _submit_small(site):
    site.submit({"pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]})


def _long_task(site):
    """A task with a checkpoint: a planned agent's worth of work."""
    site.nats.publish_stream("$KV.muster_state.readme", json.dumps({"v": 1}))


def _is_json(text, **wanted):
    document = json.loads(text[text.index("{"):text.rindex("}") + 1])
    return all(document.get(key) == value for key, value in wanted.items())


# command (its beginning) -> (exit status, what its output must show)
EXPECTED = {
    "muster submit --wait": (1, lambda out: "fail" in out),
    "muster submit --pack": (1, lambda out: "fail" in out),
    "muster submit -f": (8, lambda out: "unknown_pack" in out or "nosuch" in out),
    "muster pack lint": (0, lambda out: "0 mistakes, 0 warnings; 2 of 2 cases hold" in out),
    "muster pack test": (0, lambda out: "ok      MY.ISIN: check digit" in out and "2 of 2 cases hold" in out),
    "muster check trades.csv --pack my-rules.json --max 3": (1, lambda out: "MY.ISIN" in out and "1,000 records, 1 findings: fail" in out),
    "muster check trades.csv --pack my-rules.json -o jsonl": (1, lambda out: True),
    "muster check trades.csv --pack my-rules.json --rule": (0, lambda out: "1,000 records, 0 findings: pass" in out),
    "muster pack load": (0, lambda out: "my-rules@1.0.0  loaded" in out),
    "muster pack show": (0, lambda out: "isin_valid(isin)" in out and "case 1: check digit" in out),
    "muster pack diff": (0, lambda out: "no difference" in out),
    "nats req muster.api.load": (0, lambda out: _is_json(out, ok=True, duplicate=True, dry_run=True)),
    "nats kv put muster_packs": (0, lambda out: "my-rules" in out),
    "muster status": (0, lambda out: "completed, result fail" in out and "1,000 records" in out),
    "muster cancel eod-2026-11-20": (0, lambda out: "1 were done already" in out),
    "muster cancel --filter": (0, lambda out: "0 jobs would be cancelled" in out),
    "muster dead ls": (0, lambda out: "source_missing" in out),
    "muster dead retry": (0, lambda out: "1 tasks would be retried" in out),
    "nats req muster.api.cancel": (0, lambda out: _is_json(out, ok=True, dry_run=True, matched=0)),
    "nats req muster.api.retry": (0, lambda out: _is_json(out, ok=True, dry_run=True, matched=1)),
    "nats req muster.api.dead": (0, lambda out: _is_json(out, ok=True, more=False)),
    "muster exception ls": (0, lambda out: "ID.ISIN" in out and "record 701" in out),
    "muster exception waive": (0, lambda out: "open exceptions would be waived until" in out),
    "nats req muster.api.exceptions": (0, lambda out: _is_json(out, ok=True, more=False)),
    "nats req muster.api.waive": (0, lambda out: _is_json(out, ok=True, dry_run=True)),
    "nats kv put muster_policy": (0, lambda out: "cap_ms" in out),
    "muster agents": (0, lambda out: "worker-1" in out and "worker-2" in out),
    "nats req muster.api.submit": (0, lambda out: _is_json(out, ok=True, state="queued")),
    "nats req muster.api.status": (0, lambda out: _is_json(out, ok=True, state="completed", result="fail")),
    "nats pub -J muster.intake": (0, lambda out: "MUSTER_INTAKE" in out),
    "nats object add muster_sources": (0, lambda out: "OBJ_muster_sources" in out),
    "nats object put muster_sources": (0, lambda out: "Digest: SHA-256" in out),
    "nats kv get": (0, lambda out: "worker-1" in out),
    "nats service info": (0, lambda out: "muster.api.submit" in out),
    "muster db migrate": (0, lambda out: True),
    "muster db status": (0, lambda out: out.count("applied") >= 6 and "pending" not in out),
    "muster db resubmit --dry-run": (0, lambda out: "0" in out),
    "muster db resubmit -o json": (0, lambda out: _is_json(out)),
    "muster audit verify": (0, lambda out: "the trail holds" in out),
    "muster db maintain --dry-run": (0, lambda out: "nothing is due" in out),
    "muster report": (0, lambda out: "open-failures" in out and "run-difference" in out),
    "muster report open-failures --help": (0, lambda out: "default: yesterday" in out),
    "muster report open-failures day=today": (0, lambda out: "source_missing" in out),
    "muster report job-findings": (0, lambda out: True),
    "muster report run-difference": (0, lambda out: True),
    "muster setup --check": (0, lambda out: "MUSTER_TASKS" in out),
    "muster setup": (0, lambda out: "MUSTER_TASKS" in out),
}
WATCHED = {"nats kv watch": (_long_task, "readme"), "nats sub": (_submit_small, "job_accepted")}


def every_command_does_what_it_says(site):
    unknown, ran = [], 0
    for command in _commands():
        if command in ELSEWHERE or " dev " in command:
            continue
        if command.startswith("nats ") and not shutil.which("nats"):
            continue
        watched = next((WATCHED[k] for k in WATCHED if command.startswith(k)), None)
        expected = next((EXPECTED[k] for k in sorted(EXPECTED, key=len, reverse=True) if command.startswith(k)), None)
        if watched:
            _watched(site, command, lambda w=watched: w[0](site), watched[1])
        elif expected:
            got = _shell(site, command)
            assert got.returncode == expected[0], (command, got)
            assert expected[1](got.stdout + got.stderr), (command, got)
        else:
            unknown.append(command)
        ran += 1
    assert not unknown, unknown
    assert ran >= 12, ran
    if not shutil.which("nats"):
        raise Skip("the nats command line is not on PATH: its commands were not run")


def what_came_by_the_stream_door_is_done(site):
    if not shutil.which("nats"):
        raise Skip("the nats command line is not on PATH")
    wait_until(lambda: site.value("select result from report.job_status where job_key = 'eod-2026-11-21'") == "pass")


# query (what it contains) -> what its rows must be
ANSWERS = {
    "from report.job_status where job_key": lambda rows: rows == [["completed", "fail", "1000", "2"]],  # a wrong ISIN, and one that occurs again
    "from report.check_result": lambda rows: [r for r in rows if r[0] == "ID.ISIN"] == [["ID.ISIN", "fail", "999", "1", "0"]],
    "from report.finding": lambda rows: ["ID.ISIN", "701", "702"] in [r[:3] for r in rows] and len(rows) == 2,
    "from report.task_history": lambda rows: len(rows) >= 1,
    "from report.reconciliation where not balanced": lambda rows: rows == [],
    "from report.audit_verify()": lambda rows: rows == [],
    "select muster.hold(": lambda rows: len(rows) == 1,
    "from report.partition where kept": lambda rows: rows == [],
    "select muster.hold_release": lambda rows: len(rows) == 1,
    "from report.rule_summary": lambda rows: len(rows) > 1 and all(int(r[1]) >= int(r[2]) for r in rows),
    "from report.source_summary": lambda rows: all(len(r) == 6 for r in rows),
    "from report.sla": lambda rows: rows == [],
    "from report.stale_result": lambda rows: all(r[1] != r[2] for r in rows),
    "from report.dead_letter": lambda rows: [r[1:3] for r in rows] == [["bad_input", "source_missing"]],
    "from report.exception where": lambda rows: ["high", "ID.ISIN", "trades"] in [r[1:4] for r in rows],
    "from report.exception_history": lambda rows: rows == [],
    "from report.waiver": lambda rows: rows == [],
}


def every_query_answers(site):
    wait_until(lambda: site.value("select count(*) from report.job_status where finished_at is null") == "0", 60, "all jobs")
    wait_until(lambda: site.value("select count(*) from muster.ledger_due") == "0", 30, "the ledger")
    job = site.value("select job_id from report.job_status where job_key = 'eod-2026-11-20'")
    queries = [q.strip() for block in _blocks("sql") for q in re.sub(r"--.*", "", block).split(";") if q.strip()]
    for query in queries:
        check = next((ANSWERS[k] for k in ANSWERS if k in query), None)
        assert check, f"no answer is known to {query}"
        rows = site.sql(query.replace("…", job))
        assert check(rows), (query, rows)
    assert len(queries) >= len(ANSWERS)


def the_demo_shows_that_all_held(site):
    if os.path.realpath(BUILD) != os.path.join(os.path.realpath(ROOT), "build"):
        raise Skip("the demo runs the programs of build/")
    got = subprocess.run(["./run", "demo"], cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert got.returncode == 0 and "All held" in got.stdout, got.stdout[-3000:] + got.stderr[-2000:]


def the_playground_says_what_to_export_and_leaves_nothing(site):
    command = next(c for c in _commands() if " dev " in c)
    words = command.replace("build/cli/muster", os.path.join(BUILD, "cli", "muster")).split()
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    seen, until = "", time.monotonic() + 40
    while "export" not in seen or "NATS_URL" not in seen:
        assert time.monotonic() < until and process.poll() is None, seen
        if select.select([process.stdout], [], [], 0.2)[0]:
            seen += os.read(process.stdout.fileno(), 65536).decode(errors="replace")
    os.kill(process.pid, signal.SIGINT)
    rest, _ = process.communicate(timeout=30)
    assert process.returncode == 0, seen + rest
    for folder in re.findall(r"(/\S+?)/(?:sources|run|muster\.conf)", seen):
        assert not os.path.exists(folder), folder
