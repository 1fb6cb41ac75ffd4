#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fuzz targets: `./run fuzz [TARGET…] [SECONDS]`, all of them for 30 seconds each if none is named; --list shows them.

What a target learns stays in .cache/fuzz/<target> and is where the next run begins, beside the seeds of tests/corpus. An
input that breaks something is kept in tests/fuzz/found/, and the command that shows it again is printed; when it is
mended the input belongs into tests/corpus/hostile/<target>/ under a name that says what it is."""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PROGRAMS = os.path.join(ROOT, "build-fuzz", "tests", "fuzz")
FOUND = os.path.join(HERE, "found")
DICTIONARIES = {"records": "json", "jsonl": "json", "job": "pack", "list": "csv"}  # where it is not the target's own
SEEDS = {"csv": ["csv"], "json": ["json"], "jsonl": ["jsonl"], "xml": ["xml"], "job": ["schemas/job"]}
SETTINGS = {"ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:quarantine_size_mb=16",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
            "MUSTER_SOURCE": ROOT, "MUSTER_BUILD": os.path.join(ROOT, "build")}


def targets():
    return sorted(name[5:] for name in os.listdir(PROGRAMS) if re.fullmatch(r"fuzz-[a-z]+", name))


def command(target, seconds):
    learned = os.path.join(ROOT, ".cache", "fuzz", target)
    os.makedirs(learned, exist_ok=True)
    os.makedirs(FOUND, exist_ok=True)
    dictionary = os.path.join(HERE, DICTIONARIES.get(target, target) + ".dict")
    seeds = [os.path.join(ROOT, "tests", "corpus", folder) for folder in SEEDS.get(target, []) + ["hostile/" + target]]
    return [os.path.join(PROGRAMS, "fuzz-" + target), f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=2048", "-max_len=4096",
            f"-artifact_prefix={FOUND}/{target}-", "-verbosity=1", "-print_final_stats=1",
            *[f"-dict={dictionary}" for _ in "x" if os.path.exists(dictionary)], learned, *filter(os.path.isdir, seeds)]


def fuzz(target, seconds):
    """Shows what broke, if anything did."""
    before = set(os.listdir(FOUND)) if os.path.isdir(FOUND) else set()
    got = subprocess.run(command(target, seconds), env=dict(os.environ, **SETTINGS), capture_output=True, text=True, errors="replace",
                         cwd=ROOT)
    inputs = sorted(set(os.listdir(FOUND)) - before)
    runs = re.search(r"number_of_executed_units:\s*(\d+)", got.stderr)
    covered = re.findall(r"\bcov: (\d+)", got.stderr)
    if got.returncode == 0 and not inputs:
        print(f"{target}: nothing found in {runs.group(1) if runs else '?'} inputs, {covered[-1] if covered else '?'} places reached", flush=True)
        return True
    shown = [line for line in got.stderr.split("\n") if not re.match(r"#\d+\s|INFO:|stat::", line)]
    print("\n".join(shown[-80:]))
    for name in inputs:
        settings = " ".join(f"{key}={os.path.relpath(value, ROOT) if value.startswith('/') else value}" for key, value in SETTINGS.items())
        print(f"{target}: found; again with\n  {settings} \\\n  build-fuzz/tests/fuzz/fuzz-{target} tests/fuzz/found/{name}", flush=True)
    if not inputs:
        print(f"{target}: ended with status {got.returncode}", flush=True)
    return False


def main(words):
    known = targets()
    seconds = 30
    if words == ["--list"]:
        print("\n".join(known))
        return 0
    if words and words[-1].isdigit():
        seconds = int(words.pop())
    unknown = [word for word in words if word not in known]
    if unknown or not seconds:
        print(f"fuzz: there is no target {unknown[0]}; one of {', '.join(known)}" if unknown else "fuzz: at least a second",
              file=sys.stderr)
        return 2
    held = [fuzz(target, seconds) for target in words or known]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
