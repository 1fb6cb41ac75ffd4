#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./run bench history: fills a database with years of history, then asks of each view of `report` what people ask of it. Prints how
long the load took, how large each table is, and for each question: planning, first run, median of three more, and the plan's shape.
With --into CONNINFO the history goes into that (migrated, empty) database and stays there; else into a private one."""
import argparse
import csv
import datetime
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "sql"), os.path.join(HERE, "..", "..", "live")]

import plans  # noqa: E402
from cluster import Cluster  # noqa: E402
from load import load, psql, settle, sizes, world_of  # noqa: E402
from psql import Ended, Psql  # noqa: E402

# what is set by a person who has years of history; nothing of it has to survive a power cut here
SETTINGS = ("shared_buffers = 2GB", "maintenance_work_mem = 512MB", "work_mem = 16MB", "max_wal_size = 16GB", "checkpoint_timeout = 30min",
            "wal_level = minimal", "max_wal_senders = 0", "random_page_cost = 1.1", "effective_cache_size = 8GB")

PATIENCE = 60  # seconds for one question
csv.field_size_limit(1 << 30)  # the plan of a question over all partitions is long


def options(words):
    parser = argparse.ArgumentParser(prog="./run bench history", description=__doc__.split("\n\n", maxsplit=1)[0])
    for name, default, text in (("outcomes", 10_000_000, "about so many, and nearly as many jobs"), ("findings", 1_000_000, "about so many"),
                                ("years", 7, "back from --until"), ("sources", 60, "files that come every working day"), ("packs", 6, "of 8 at most"),
                                ("queues", 4, "of 6 at most"), ("seed", 1, "the same seed and sizes make the same history")):
        parser.add_argument("--" + name, type=int, default=default, help=f"{text} (default: {default})")
    parser.add_argument("--until", type=lambda t: datetime.datetime.fromisoformat(t).replace(tzinfo=datetime.timezone.utc), help="a day; the history ends with its beginning (default: today)")
    parser.add_argument("--balance-days", type=int, default=90, help="of so many days the control totals are checked (default: 90)")
    parser.add_argument("--into", metavar="CONNINFO", help="load into this database and leave it")
    parser.add_argument("--only-ask", action="store_true", help="the database of --into is loaded already")
    return parser.parse_args(words)


class Asker:
    """A session that stays, so that what is measured is the question and not a connection; after an error there is another."""

    def __init__(self, conninfo):
        self.conninfo, self.session = conninfo, None

    def __call__(self, sql):
        if not self.session:
            self.session = Psql(self.conninfo)
            self.session.rows(f"set statement_timeout = '{PATIENCE}s'")
        try:
            return self.session.rows(sql)
        except Ended:
            self.session = None
            raise


def ask_all(ask):
    about, cases, slow = plans.samples(ask), plans.present(ask), 0
    print(f"\n{'view':16} {'asked by':20} {'plan ms':>8} {'first ms':>9} {'then ms':>9}  partitions")
    for case in cases:
        sql = case.sql.format(**about)
        try:
            first, then = plans.timed(ask, sql)
            plan = plans.explain(ask, sql)
        except Exception as error:  # one that fails is one line, too
            print(f"{case.view:16} {case.asks:20} {str(error).splitlines()[0][:120]}")
            slow += 1
            continue
        slow += then >= 1
        print(f"{case.view:16} {case.asks:20} {plan.planning:8.1f} {first * 1000:9.1f} {then * 1000:9.1f}  {plan.shape()}{'   SLOW' if then >= 1 else ''}", flush=True)
    print(f"\n{slow} of {len(cases)} questions take a second or more" if slow else f"\nall {len(cases)} questions take less than a second")
    return slow


def main(words):
    o = options(words)
    os.environ["PGTZ"] = "UTC"
    cluster = None if o.into else Cluster(*SETTINGS)
    try:
        if cluster:
            cluster.session().rows("create database history")
            cluster.migrate("history")
        conninfo = o.into or f"host={cluster.socket} user=postgres dbname=history"
        if not o.only_ask:
            world = world_of(o.seed, o.outcomes, o.findings, o.years, o.sources, o.packs, o.queues, o.until)
            began = time.monotonic()
            totals = load(conninfo, world, lambda text: print(text, file=sys.stderr, flush=True))
            loaded = time.monotonic() - began
            settle(conninfo)
            print(f"loaded in {loaded:.0f} s ({totals['outcome'] / loaded:,.0f} outcomes a second), vacuum and statistics {time.monotonic() - began - loaded:.0f} s: "
                  + ", ".join(f"{n:,} {t}" for t, n in totals.items() if n))
        print(f"\n{'table':16} {'rows':>12} {'heap MB':>9} {'index MB':>9} {'parts':>6}")
        for table, rows, heap, index, parts in sizes(conninfo):
            print(f"{table:16} {int(rows):12,} {int(heap) / 1e6:9,.1f} {int(index) / 1e6:9,.1f} {parts:>6}")
        began = time.monotonic()
        uneven = psql(conninfo, f"""set statement_timeout = '{PATIENCE}s';
            select count(*) from report.reconciliation where not balanced and job_id >= report.id_at(
                muster.time_of((select job_id from muster.job order by job_id desc limit 1)) - interval '{o.balance_days} days');""")[0]
        print(f"jobs of the last {o.balance_days} days whose control totals do not balance: {uneven} (asked in {time.monotonic() - began:.1f} s)")
        slow = ask_all(Asker(conninfo))
        return 1 if slow or uneven != "0" else 0
    finally:
        if cluster:
            cluster.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
