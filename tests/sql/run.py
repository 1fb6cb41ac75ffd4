#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Suite `sql`: the promises of the schema, on a scratch cluster. Each function of the promises modules whose name is a
sentence is one test and gets a fresh world: `tests/sql/run.py [MODULE|TEST...]`. It speaks TAP. Exit 77 if no PostgreSQL server is
installed."""
import shutil
import sys
import traceback

import promises_accept
import promises_clock
import promises_migrate
import promises_operate
import promises_reads
import promises_record
import promises_restore
import promises_schema
import promises_retention
import promises_space
import promises_stages
import promises_tampering
import promises_verify
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
    modules = (promises_schema, promises_accept, promises_clock, promises_migrate, promises_operate, promises_reads, promises_record, promises_retention, promises_space, promises_stages,
               promises_restore, promises_tampering, promises_verify)
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
