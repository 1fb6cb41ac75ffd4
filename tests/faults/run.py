#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The fault matrix: `./run faults [CASE…] [--seed S] [--rounds N] [--nats PROGRAM] [--sync-always] [--short] [--minutes M]
[--table] [--list]`.

CASE is a name or a number of the matrix (tests/faults/README.md). Each round prints its seed, its figures and a verdict; a
round that fails keeps its directory and says where. --short: one round of each case that fits into the test run. --table:
writes what this run saw into tests/faults/README.md. Output is TAP."""
import argparse
import importlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "live"))

from checker import Broken, reference  # noqa: E402
from marks import Skip  # noqa: E402
from rounds import CASES, Round  # noqa: E402
from watch import Watch  # noqa: E402

RESULTS = os.path.join(HERE, "results.json")
README = os.path.join(HERE, "README.md")
BEGIN, END = "<!-- results: made by `./run faults --table` -->", "<!-- end of results -->"


def load_cases():
    for name in sorted(os.listdir(os.path.join(HERE, "cases"))):
        if name.endswith(".py") and not name.startswith("_"):
            importlib.import_module("cases." + name[:-3])
    return sorted(CASES.values(), key=lambda c: c.number)


def choose(cases, words, short):
    if not words:
        return [c for c in cases if c.short or not short]
    chosen = [c for c in cases if c.name in words or str(c.number) in words]
    unknown = [w for w in words if not any(w in (c.name, str(c.number)) for c in cases)]
    if unknown:
        sys.exit(f"faults: there is no case {unknown[0]}; --list shows them")
    return chosen


def server_version(program):
    got = subprocess.run([program or shutil.which("nats-server") or "/usr/sbin/nats-server", "--version"], capture_output=True, text=True)
    found = re.search(r"(\d+\.\d+\.\d+)", got.stdout)
    return found.group(1) if found else "unknown"


class Bench:
    """Where the rounds of a case take place: opened when needed, thrown away after a failure."""

    def __init__(self, options):
        self.options = options
        self.site = self.watch = self.want = self.settings = None

    def open(self, case):
        """A case that needs no site of its own takes over that of the case before it, if it is set up alike."""
        if self.site and not case.fresh and self.settings == (case.site, case.settings):
            self.site.arrange(**(case.start or {}))
            return
        self.close()
        self.site = case.site(self.options.nats, self.options.sync_always, **case.settings)
        self.site.arrange()
        self.want = reference(self.site)
        self.site.arrange(**(case.start or {}))
        self.watch = Watch(self.site)
        self.settings = None if case.fresh else (case.site, case.settings)

    def close(self, keep=False):
        if self.watch:
            self.watch.close()
        if self.site:
            if keep:
                os.environ["MUSTER_KEEP"] = "1"
            self.site.close()
            os.environ.pop("MUSTER_KEEP", None) if keep else None
        self.site = self.watch = self.want = self.settings = None


def run_round(bench, case, number, seed, long):
    """(verdict, figures): "ok", "skipped", or "not ok"."""
    figures, began = {}, time.monotonic()
    try:
        bench.open(case)
        round_ = Round(bench.site, case, number, seed, long, bench.want, bench.watch, bench.options.minutes)
        figures = round_.figures
        case.function(round_)
        verdict, why = "ok", None
    except Skip as reason:
        verdict, why = "skipped", str(reason)
    except Exception as error:  # a case may fail in any way; the others go on
        verdict = "not ok"
        why = str(error) if isinstance(error, Broken) else traceback.format_exc()
        for line in why.splitlines():
            print("# " + line)
        if bench.site:
            print(f"# logs, stores and database are kept in {bench.site.dir}")
            for program in bench.site.programs[-6:]:
                print(f"# --- {program.name}")
                for line in program.tail(8).splitlines():
                    print("# " + line)
        try:
            bench.close(keep=True)
        except Exception as trouble:
            print(f"# closing: {trouble}")
            bench.site = bench.watch = None
    figures["seconds"] = round(time.monotonic() - began, 1)
    return verdict, why, figures


def say_figures(figures):
    return "; ".join(f"{name} {value}" for name, value in figures.items())


def note(results, case, column, passed, of, figures):
    row = results.setdefault(case.name, {"number": case.number, "title": case.title, "columns": {}})
    row["number"], row["title"] = case.number, case.title
    row["columns"][column] = {"passed": passed, "of": of, "figures": say_figures({k: v for k, v in figures.items() if k != "seconds"})}


def write_table(results):
    columns = sorted({c for row in results.values() for c in row["columns"]})
    lines = ["| # | case | " + " | ".join(columns) + " | figures of a round (the first column's last one) |", "|---|---|" + "---|" * (len(columns) + 1)]
    for row in sorted(results.values(), key=lambda r: (r["number"], r["title"])):
        cells = [f"{row['columns'][c]['passed']} of {row['columns'][c]['of']}" if c in row["columns"] else "–" for c in columns]
        figures = next((row["columns"][c]["figures"] for c in columns if c in row["columns"]), "")
        lines.append(f"| {row['number']} | {row['title']} | " + " | ".join(cells) + f" | {figures} |")
    with open(README) as f:
        text = f.read()
    head, rest = text.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    with open(README, "w") as f:
        f.write(head + BEGIN + "\n" + "\n".join(lines) + "\n" + END + tail)
    with open(RESULTS, "w") as f:
        json.dump(results, f, indent=1, ensure_ascii=False, sort_keys=True)
        f.write("\n")


def main(words):
    parser = argparse.ArgumentParser(prog="./run faults", description=__doc__.split("\n")[0])
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--nats", metavar="PROGRAM", help="another nats-server")
    parser.add_argument("--sync-always", action="store_true")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--minutes", type=float, default=60, help="of the soak")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args(words)
    cases = choose(load_cases(), options.cases, options.short)
    if options.list:
        for case in cases:
            print(f"{case.number:>3}  {case.name:<44} {case.title}")
        return 0
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 31)
    column = "nats-server " + server_version(options.nats) + (", sync always" if options.sync_always else "")
    results = {}
    if os.path.exists(RESULTS):
        with open(RESULTS) as f:
            results = json.load(f)
    print(f"1..{len(cases)}\n# seed {seed}, {options.rounds} round(s) each, {column}", flush=True)
    bench, failed, total_kills = Bench(options), 0, {}
    for place, case in enumerate(cases, 1):
        passed, figures, why = 0, {}, None
        rounds = 1 if case.once else options.rounds
        skip = case.needs() if case.needs else None
        for number in range(1, rounds + 1) if not skip else ():
            verdict, why, figures = run_round(bench, case, number, seed + number, not options.short)
            if verdict == "skipped":
                skip = why
                break
            passed += verdict == "ok"
            for count in re.findall(r"(\d+) (agents|dispatchers|recorders|brokers|databases)", figures.get("killed", "")):
                total_kills[count[1]] = total_kills.get(count[1], 0) + int(count[0])
            print(f"# {case.number} {case.name}, round {number}, seed {seed + number}: {verdict}; {say_figures(figures)}", flush=True)
        if skip:
            print(f"ok {place} - {case.number} {case.name} # SKIP {skip}", flush=True)
            continue
        failed += passed != rounds
        note(results, case, column, passed, rounds, figures)
        if options.table:
            write_table(results)
        print(f"{'ok' if passed == rounds else 'not ok'} {place} - {case.number} {case.name}: {passed} of {rounds}", flush=True)
    bench.close()
    print(f"# kill -9 in all: {sum(total_kills.values())} ({', '.join(f'{n} {what}' for what, n in sorted(total_kills.items())) or 'none'})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
