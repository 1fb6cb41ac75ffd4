#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Suite `sql`: the promises of the schema, on a scratch cluster. Each function of the modules promises_*.py whose name is a
sentence is one test and gets a fresh world: `tests/sql/run.py [MODULE|TEST...]`. It speaks TAP. Exit 77 if no PostgreSQL server is
installed."""
import glob
import importlib
import os
import shutil
import sys
import traceback

from cluster import Cluster, server_programs


class World:
    """What one test gets: a database with the schema, and sessions in it."""

    def __init__(self, cluster, name):
        self.cluster, self.name = cluster, name
        self.db = cluster.session(name)

    def session(self, user="postgres"):
        return self.cluster.session(self.name, user)


def main():
    if not server_programs() or not shutil.which("psql"):
        print("no PostgreSQL server is installed")
        return 77
    here = os.path.dirname(os.path.abspath(__file__))
    modules = [importlib.import_module(os.path.basename(path)[:-3]) for path in sorted(glob.glob(os.path.join(here, "promises_*.py")))]
    tests = [(name, f) for module in modules
             for name, f in vars(module).items()
             if callable(f) and name.islower() and getattr(f, "__module__", "") == module.__name__ and not name.startswith("_")]
    if sys.argv[1:]:  # some of them, by name or module
        tests = [(name, f) for name, f in tests if name in sys.argv[1:] or f.__module__ in sys.argv[1:]]
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    cluster = Cluster()
    try:
        admin = cluster.session()
        admin.rows("create database template_muster")
        cluster.migrate("template_muster")
        for number, (name, test) in enumerate(tests, 1):
            database = f"t{number}"
            admin.rows(f"create database {database} template template_muster")
            world = World(cluster, database)
            try:
                test(world)
                verdict = "ok"
            except Exception:
                verdict, failed = "not ok", failed + 1
                print("".join("# " + line + "\n" for line in traceback.format_exc().splitlines()[-12:]), end="")
            print(f"{verdict} {number} - {name.replace('_', ' ')}", flush=True)
            for session in cluster.sessions[1:]:
                session.close()
            del cluster.sessions[1:]
            admin.rows(f"drop database {database} with (force)")
    finally:
        cluster.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
