#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./run demo: the main job, seen. A private broker, database, dispatcher, recorder and three agents; one wrong ISIN; half
a million trades as a sharded job, in the middle of which an agent is killed with -9; then what came out, in SQL, and
whether it is the truth. The exit status says whether all of it held."""
import csv
import json
import os
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "live"))

from natsclient import Nats  # noqa: E402

BUILD = os.environ.get("MUSTER_BUILD", os.path.join(ROOT, "build"))
MUSTER = os.path.join(BUILD, "cli", "muster")
ROWS, AGENTS = 500000, 3
SETTINGS = ["task.shard_bytes=8MiB", "task.ack_wait=2s", "worker.checkpoint=100ms", "worker.read_limit=10MiB",
            "worker.heartbeat=1s"]
RULES = {"isin": "ID.ISIN", "lei": "ID.LEI", "iban": "ID.IBAN", "bic": "ID.BIC", "mic": "ID.MIC", "currency": "ID.CCY",
         "country": "ID.COUNTRY", "ragged": "DQ.RECORD"}
held = True


def say(text):
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


def verdict(what, good, detail=""):
    global held
    held = held and good
    print(f"  {'held   ' if good else 'BROKEN '} {what}{': ' + detail if detail else ''}", flush=True)


class Sandbox:
    def __init__(self):
        command = [MUSTER, "dev", "--control", "--no-restart", "--workers", str(AGENTS)]
        for setting in SETTINGS:
            command += ["--with", setting]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.__dict__.update(self.event("ready"))

    def event(self, wanted):
        for line in self.process.stdout:
            event = json.loads(line)
            if event["event"] == wanted:
                return event
            if event["event"] in ("failed", "error"):
                sys.exit(f"demo: {event.get('text')}")
        sys.exit("demo: muster dev ended")

    def muster(self, *words, **kwargs):
        return subprocess.run([MUSTER, "--config", self.config, *words], text=True, **kwargs)

    def rows(self, query):
        got = subprocess.run(["psql", self.conninfo, "-XqtA", "--csv", "-c", query], capture_output=True, text=True, check=True)
        return list(csv.reader(got.stdout.splitlines()))

    def show(self, query):
        print(f"  # {query}")
        sys.stdout.flush()
        subprocess.run(["psql", self.conninfo, "-Xq", "-P", "pager=off", "-P", "footer=off", "-c", query], check=True)

    def close(self):
        self.process.stdin.close()
        self.process.wait(60)


def kill_an_agent(box, job):
    """Waits until a scan has saved a checkpoint, then kills the agent that owns it. Who, and where it was."""
    nats = Nats(box.nats_url)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for (task,) in box.rows(f"select task_id from report.task_history where job_id = '{job}' and stage = 'scan' "
                                "and result is null order by shard_index limit 3"):
            state = nats.kv("muster_state", task)
            if state and state["checkpoint"]:
                os.kill(box.pids[state["owner"]], signal.SIGKILL)
                nats.close()
                return state["owner"], task, state["checkpoint"]["record_no"]
    sys.exit("demo: no checkpoint within a minute")


def check_truth(box, job, truth):
    with open(truth, newline="") as f:
        want = {(row["record_no"], RULES[row["fault"]]) for row in csv.DictReader(f)}
    got = {tuple(row) for row in box.rows(f"select record_no, rule from report.finding where job_id = '{job}'")}
    verdict("every injected fault was found", not want - got, f"{len(want & got):,} of {len(want):,}")
    verdict("none was invented", not got - want, f"{len(got - want)} more")


def run(box):
    say("One record with a wrong ISIN")
    sys.stdout.flush()
    box.muster("submit", "--wait", '{"pack":"identifiers@1.0.0","records":[{"isin":"US0378331006"}]}')
    box.show("select rule, record_no, message from report.finding")

    say(f"A file of {ROWS:,} trades, in shards of 8 MiB; one of {AGENTS} agents is killed on the way")
    data, truth = os.path.join(box.dir, "sources", "trades.csv"), os.path.join(box.dir, "truth.csv")
    subprocess.run([os.path.join(BUILD, "tests", "muster-generate"), "--rows", str(ROWS), "--seed", "2026", data, truth], check=True)
    got = box.muster("submit", "-q", "--pack", "identifiers@1.0.0", "--source", "file:trades.csv", "--label", "demo=yes",
                     stdout=subprocess.PIPE, check=True)
    job = got.stdout.strip()
    print(f"  job {job}", flush=True)
    began = time.monotonic()
    waiting = subprocess.Popen([MUSTER, "--config", box.config, "wait", job, "--timeout", "60s"])
    victim, task, record = kill_an_agent(box, job)
    print(f"\n  kill -9 {victim}, which had saved a checkpoint of task {task} at record {record:,}", flush=True)
    status = waiting.wait()
    verdict("the job came to its end", status == 1, f"{time.monotonic() - began:.1f} s, with findings")

    say("What came out")
    box.show(f"select state, result, tasks, tasks_done, records, records_bad, findings from report.job_status where job_id = '{job}'")
    box.show(f"select rule, status, pass, fail, not_evaluated from report.check_result where job_id = '{job}' and pass + fail > 0 order by rule")
    box.show("select stage, shard_index, agent, resumed_from, resumed_by, resumed_at_record, records, findings, result "
             f"from report.task_history where job_id = '{job}' order by stage, shard_index")

    say("Is it the truth?")
    check_truth(box, job, truth)
    resumed = box.rows("select resumed_from, resumed_by, resumed_at_record from report.task_history where resumes > 0 "
                       f"and task_id = '{task}'")
    good = len(resumed) == 1 and resumed[0][0] == victim and resumed[0][1] != victim and int(resumed[0][2]) >= record
    verdict("the dead agent's task went on elsewhere from its checkpoint", good,
            f"{resumed[0][1]} went on at record {int(resumed[0][2]):,}" if resumed else "nobody resumed it")
    totals = box.rows(f"select records_planned, records_read, findings_stored, findings_stated, balanced from report.reconciliation where job_id = '{job}'")
    verdict("the control totals are equal", totals[0][4] == "t" and totals[0][0] == totals[0][1] == str(ROWS),
            "planned {}, read {}, findings stored {}, stated {}".format(*totals[0][:4]))
    differing = box.rows("select count(*) from report.reconciliation where not balanced")
    verdict("no two outcomes contradict each other, no totals differ",
            box.rows("select count(*) from muster.outcome_conflict") == [["0"]] and differing == [["0"]])
    trail = box.muster("audit", "verify", stdout=subprocess.PIPE)
    verdict("every row is as the audit trail sealed it", trail.returncode == 0, trail.stdout.split(";")[0])


def main():
    began = time.monotonic()
    say("Starting a private broker, database, dispatcher, recorder and agents")
    box = Sandbox()
    print(f"  in {box.dir}, {time.monotonic() - began:.1f} s")
    try:
        run(box)
    finally:
        pids = list(box.pids.values())
        box.close()
    alive = [pid for pid in pids if os.path.exists(f"/proc/{pid}")]
    verdict("nothing is left running, nothing is left on disk", not alive and not os.path.exists(box.dir))
    say(f"{'All held' if held else 'Something did not hold'}, in {time.monotonic() - began:.0f} s")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
