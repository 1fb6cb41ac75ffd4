#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Is the simulation's model of the database true? The same calls by chance go to it and to PostgreSQL with the real
migrations; answers and final tables must be equal, line by line. Exit 77 if no PostgreSQL server is installed."""
import difflib
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "sql"))
from cluster import Cluster, server_programs  # noqa: E402

SEEDS = [int(s) for s in os.environ.get("MUSTER_SEEDS", "").split()] or range(1, 17)
STEPS = 60  # few enough that nothing that is put off becomes due on the way


def calls(*arguments):
    program = os.path.join(os.environ.get("MUSTER_BUILD", os.path.join(ROOT, "build")), "tests", "simulation", arguments[0])
    done = subprocess.run([program, *arguments[1:]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout.splitlines() + ([f"status {done.returncode}"] if done.returncode else [])


def main():
    if not server_programs():
        print("no PostgreSQL server is installed")
        return 77
    print(f"1..{len(SEEDS)}", flush=True)
    failed = 0
    cluster = Cluster()
    try:
        admin = cluster.session()
        admin.rows("create database template_muster")
        cluster.migrate("template_muster")
        for number, seed in enumerate(SEEDS, 1):
            admin.rows(f"create database c{seed} template template_muster")
            real = calls("simulation-calls-real", f"host={cluster.socket} user=postgres dbname=c{seed}", str(seed), str(STEPS))
            model = calls("simulation-calls-model", str(seed), str(STEPS))
            admin.rows(f"drop database c{seed} with (force)")
            good = real == model and len(real) > STEPS
            failed += not good
            for line in list(difflib.unified_diff(real, model, "PostgreSQL", "the model", lineterm="", n=3))[:40]:
                print("# " + line[:300])
            print(f"{'ok' if good else 'not ok'} {number} - the model answers as PostgreSQL does, seed {seed}", flush=True)
    finally:
        cluster.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
