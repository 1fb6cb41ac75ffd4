#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the test suites and counts: `./run test [SUITE...]`, SUITE one of unit, thread, sql, simulation, live, faults,
lint (all if none is named).

Every suite speaks TAP. Unit tests come from build-sanitize (AddressSanitizer and UndefinedBehaviorSanitizer always on), the
suite `thread` from build-thread (ThreadSanitizer); the suites `simulation` and those with real servers use build, and
their programs run two at a time, since they mostly wait. The last line is `N passed, N failed, N skipped`."""
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SUITES = ("unit", "thread", "sql", "simulation", "live", "faults", "lint")
WAITING = ("sql", "simulation", "live", "faults")  # their programs run two at a time
TAP_LINE = re.compile(r"^(ok|not ok)\b(?:\s+\d+)?\s*-?\s*(.*?)(?:\s*#\s*(SKIP)\b\s*(.*))?$", re.I)


class Counts:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []
        self.lock = threading.Lock()

    def fail(self, origin, why):
        with self.lock:
            self.failed += 1
            self.failures.append(f"{origin}: {why}")
        return f"FAILED   {origin}: {why}"

    def skip(self, origin, why):
        with self.lock:
            self.skipped += 1
        return f"skipped  {origin}: {why}"

    def take(self, origin, line):
        found = TAP_LINE.match(line)
        if not found:
            return None
        state, name, skip, reason = found.groups()
        if skip:
            return self.skip(origin, f"{name}: {reason}")
        if state.lower() != "ok":
            return self.fail(origin, name)
        with self.lock:
            self.passed += 1
        return None


def run_tap(counts, origin, command, env, timeout):
    """Runs one TAP program; what it says of failures is shown, the rest only counted."""
    began = time.monotonic()
    full_env = dict(os.environ, **env)
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=full_env, cwd=ROOT,
                                   text=True, errors="replace")
    except OSError as error:
        print(counts.fail(origin, f"could not start: {error}"), flush=True)
        return
    timer = threading.Timer(timeout, process.kill)
    timer.start()
    lines, tail, seen, planned = 0, [], 0, None
    for line in process.stdout:
        line = line.rstrip("\n")
        plan = re.match(r"^1\.\.(\d+)", line)
        if plan:
            planned = int(plan.group(1))
        said = counts.take(origin, line)
        if TAP_LINE.match(line):
            seen += 1
        if said:
            print("\n".join(tail[-30:] * said.startswith("FAILED") + [said]), flush=True)
        tail.append(line)
        lines += 1
    status = process.wait()
    timed_out = not timer.is_alive()
    timer.cancel()
    took = time.monotonic() - began
    if status == 77:
        print(counts.skip(origin, tail[-1] if tail else "no reason given"), flush=True)
    elif status != 0 or (planned is not None and seen < planned) or (planned is None and not seen):
        if timed_out:
            why = f"took longer than {timeout} s"
        elif planned is not None and seen < planned:
            why = f"ended after {seen} of {planned} tests, status {status}"
        else:
            why = f"status {status}"
        if not any(f.startswith(origin + ":") for f in counts.failures):
            print("\n".join(tail[-60:] + [counts.fail(origin, why)]), flush=True)
    print(f"{origin}: {seen} tests, {took:.1f} s", flush=True)


def meson_tests(build, suite):
    text = subprocess.run(["meson", "introspect", "--tests", os.path.join(ROOT, build)], check=True,
                          capture_output=True, text=True).stdout
    for test in json.loads(text):
        if any(s.split(":")[-1] == suite for s in test["suite"]):
            yield test


def main(names):
    unknown = [n for n in names if n not in SUITES]
    if unknown:
        print(f"unknown suite {unknown[0]}; one of {', '.join(SUITES)}", file=sys.stderr)
        return 2
    counts = Counts()
    wanted = names or SUITES
    data = os.environ.setdefault("MUSTER_TEST_DATA", os.path.join(os.path.dirname(ROOT), "shared", "data"))
    if not os.path.isdir(data):
        print(f"note: no test data in MUSTER_TEST_DATA ({data}); the cases that need it are skipped")
    sanitizer = {"ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:halt_on_error=1",
                 "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}
    builds = {"unit": ["build-sanitize"], "thread": ["build-thread"], "simulation": ["build"]}
    # a killed program of the simulation gives no memory back
    unleaking = dict(sanitizer, ASAN_OPTIONS="detect_leaks=0:strict_string_checks=1:halt_on_error=1")
    options = {"unit": sanitizer, "thread": {"TSAN_OPTIONS": "atexit_sleep_ms=100"}, "simulation": unleaking}
    alone, waiting = [], []
    for suite in wanted:
        for build in builds.get(suite, ["build"]):
            for test in meson_tests(build, suite):
                env = dict(test["env"], **options.get(suite, {}))
                plan = test["priority"], (counts, f"{suite}/{test['name']}", test["cmd"], env, test["timeout"])
                (waiting if suite in WAITING else alone).append(plan)
    for _, arguments in alone:
        run_tap(*arguments)
    waiting.sort(key=lambda plan: -plan[0])  # those that take long have a priority: none is left for the end
    with concurrent.futures.ThreadPoolExecutor(2) as two:
        list(two.map(lambda plan: run_tap(*plan[1]), waiting))
    for failure in counts.failures:
        print(f"failed: {failure}")
    print(f"{counts.passed} passed, {counts.failed} failed, {counts.skipped} skipped")
    return 1 if counts.failed or not counts.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
