#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The pgTAP suites of tests/sql/tap/, each in a database of its own: `tests/sql/tap.py [SUITE...]`. Their lines are passed on with
new numbers. Exit 77 without a server or without the extension (Debian: postgresql-<major>-pgtap)."""
import glob
import os
import re
import shutil
import subprocess
import sys

from cluster import ROOT, Cluster, server_programs

HERE = os.path.join(ROOT, "tests", "sql")
LINE = re.compile(r"^\s*(ok|not ok) \d+(.*)$")


def main():
    if not server_programs() or not shutil.which("psql"):
        print("no PostgreSQL server is installed")
        return 77
    suites = sorted(glob.glob(os.path.join(HERE, "tap", "*.sql")))
    if sys.argv[1:]:
        suites = [s for s in suites if os.path.basename(s)[:-4] in sys.argv[1:]]
    cluster, number, failed = Cluster(), 0, 0
    try:
        admin = cluster.session()
        if not admin.rows("select name from pg_available_extensions where name = 'pgtap'"):
            print(f"pgTAP is not installed (Debian: postgresql-{admin.one('show server_version_num')[:2]}-pgtap)")
            return 77
        admin.rows("create database template_muster")
        cluster.migrate("template_muster")
        for suite in suites:
            name = os.path.basename(suite)[:-4]
            admin.rows(f"create database tap_{name} template template_muster")
            cluster.session(f"tap_{name}").rows("create schema tap; create extension pgtap schema tap")
            run = subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", cluster.socket, "-U", "postgres", "-d", f"tap_{name}",
                                  "-f", suite], cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                 env=dict(os.environ, PGOPTIONS="-c client_min_messages=warning -c timezone=UTC -c search_path=public,tap"))
            lines = run.stdout.splitlines()
            seen = [LINE.match(line) for line in lines]
            for line, match in zip(lines, seen):
                if match:
                    number += 1
                    failed += match.group(1) != "ok"
                    print(f"{match.group(1)} {number} - {name}: {match.group(2).strip(' -')}")
                elif line.strip().startswith("#"):
                    print(line.strip())
            if run.returncode or not any(seen):
                number, failed = number + 1, failed + 1
                print("".join(f"# {line}\n" for line in lines[-5:]) + f"not ok {number} - {name} came to its end", flush=True)
    finally:
        cluster.close()
    print(f"1..{number}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
