# SPDX-License-Identifier: Apache-2.0
"""Fills an empty migrated database with years of history: COPY, a quarter at a time, in as many processes as there are cores."""
import datetime
import multiprocessing
import os
import subprocess
import time

from rows import COLUMNS, PARTITIONED, Quarter
from world import DAY, LIST_EVERY, UTC, World

LOADED = ("job", "task", "outcome", "tally", "finding", "terms", "request", "job_progress", "deadline", "outbox")


def psql(conninfo, script, tuples=True):
    """Rows of a script, as text lines."""
    done = subprocess.run(["psql", "-X", "-q", "-A", "-v", "ON_ERROR_STOP=1", *(["-t"] if tuples else []), "-d", conninfo], input=script,
                          text=True, capture_output=True, env=dict(os.environ, PGOPTIONS="-c client_min_messages=warning -c timezone=UTC"))
    if done.returncode:
        raise RuntimeError(f"psql: {done.stderr.strip()[-2000:]}")
    return done.stdout.splitlines()


def copy_quarter(conninfo, world, name, days):
    """One transaction. Its partitions are emptied in it: the server need not log what it copies into them (wal_level = minimal)
    and may mark rows as seen by all at once (freeze)."""
    quarter = Quarter(world, name, days)
    process = subprocess.Popen(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", conninfo], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, env=dict(os.environ, PGOPTIONS="-c client_min_messages=warning"))
    try:
        put = process.stdin.write
        put(b"begin;\nset local role muster_owner;\n")
        put(("truncate " + ", ".join(f"muster.{t}_{name}" for t in PARTITIONED) + ";\n").encode())
        for lines in quarter.batches():
            for table in LOADED:
                if lines[table]:
                    where, how = (f"{table}_{name}", " with (freeze)") if table in PARTITIONED else (table, "")
                    put(f"copy muster.{where} ({COLUMNS[table]}) from stdin{how};\n".encode())
                    put("".join(lines[table]).encode())
                    put(b"\\.\n")
        put(b"commit;\n")
        process.stdin.close()
    except BrokenPipeError:
        pass  # what it says follows
    said = process.stderr.read().decode()
    if process.wait() or said:
        raise RuntimeError(f"{name}: {said[-2000:]}")
    return quarter.counts


def _work(job):
    try:
        return job[2], copy_quarter(*job), None
    except Exception as error:
        return job[2], {}, str(error)


def world_of(seed=1, outcomes=10_000_000, findings=1_000_000, years=7, sources=60, packs=6, queues=4, until=None):
    until = until or datetime.datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return World(seed, outcomes, findings, years, sources, packs, queues, until)


def load(conninfo, world, say=lambda text: None, processes=None):
    """Fills the database; rows by table. The audit trail stays as it is: a history has no chain (see digests())."""
    if psql(conninfo, "select exists (select from muster.job) or exists (select from muster.outcome);") != ["f"]:
        raise RuntimeError("this database has jobs already; a history goes into an empty one")
    quarters = world.quarters()
    moments = [days[0].isoformat() for _, days in quarters]
    psql(conninfo, "".join(f"select muster.maintain('{m}');\n" for m in moments))
    small = []
    for editions in world.editions.values():
        for e in editions:
            numbers = e.version.split(".")
            small.append(f"{e.pack}\t{e.version}\t\\\\x{e.digest}\t{e.document}\t" + "\t".join(numbers) + f"\tloader\t{e.since.isoformat()}\n")
    lists = [f"{name}\t{version}\t\\\\x{digest}\t{at.isoformat()}\n" for name in LIST_EVERY for at, version, digest in world.lists[name]]
    psql(conninfo, "set role muster_owner;\ncopy muster.pack (name, version, digest, document, major, minor, patch, actor, loaded_at) from stdin;\n" + "".join(small)
         + "\\.\ncopy muster.list_version (name, version, digest, noted_at) from stdin;\n" + "".join(lists) + "\\.\n")
    totals = dict.fromkeys(COLUMNS, 0)
    began = time.monotonic()
    with multiprocessing.get_context("fork").Pool(processes or os.cpu_count()) as pool:
        # the largest quarters are the last ones: they are begun first, so that no process is left alone at the end
        jobs = [(conninfo, world, name, days) for name, days in reversed(quarters)]
        for done, (name, counts, error) in enumerate(pool.imap_unordered(_work, jobs), 1):
            if error:
                raise RuntimeError(error)
            for table, count in counts.items():
                totals[table] += count
            say(f"{done} of {len(jobs)} quarters, {totals['outcome']:,} outcomes after {time.monotonic() - began:.0f} s")
    if psql(conninfo, "select to_regclass('muster.exception_change') is not null;") == ["t"]:
        fill_ledger(conninfo)
    return totals


def digests(conninfo, low, high):
    """What a link of the audit chain would say of the rows of some time: [table, id, SHA-256 in hex] in the order of ids. Whoever
    wants a history with a chain calls muster.audit_append with these, batch by batch; the loader does not."""
    return [row.split("|") for row in psql(conninfo, f"""
        select 'job', job_id, encode(task_digest, 'hex') from muster.job where job_id >= muster.id_at('{low}') and job_id < muster.id_at('{high}')
        union all
        select 'outcome', task_id, encode(determined, 'hex') from muster.outcome
        where task_id >= muster.id_at('{low}') and task_id < muster.id_at('{high}') order by 2, 1;""")]


def fill_ledger(conninfo):
    """The exceptions ledger, as it would stand now: from the findings, by fingerprint. What has not been seen in the last five days of
    the history is resolved; whoever sends records inline resolves nothing. Every thirtieth that is open is waived."""
    psql(conninfo, """
        set role muster_owner;
        set work_mem = '256MB';
        create temp table seen as
        select muster.exception_id(f.fingerprint) as id, f.fingerprint, split_part(max(j.pack), '@', 1) as pack, max(j.source_name) as source, max(f.rule) as rule,
               max(f.severity) as severity, bool_or(f.shadow) as shadow, max(f.subject) as subject, max(f.message) as message,
               count(distinct f.job_id)::int as runs, min(f.job_id::text)::uuid as first_job, max(f.job_id::text)::uuid as last_job, min(j.as_of) as first_as_of,
               max(j.as_of) as last_as_of, min(f.recorded_at) as first_at, max(f.recorded_at) as last_at, max(f.finding_id::text)::uuid as last_finding,
               max(j.labels ->> 'tenant') as tenant
        from muster.finding f join muster.job j on j.job_id = f.job_id group by f.fingerprint;
        create temp table standing as
        select s.*, s.source <> 'records' and s.last_as_of < (select max(last_as_of) from seen) - 5 as over from seen s;
        insert into muster.exception (exception_id, fingerprint, pack, source, rule, severity, shadow, subject, message, state, first_job_id, first_as_of,
            first_seen_at, last_job_id, last_as_of, last_seen_at, last_finding_id, counted_job_id, runs_seen, resolved_at, resolved_by_job_id, tenant)
        select id, fingerprint, pack, source, rule, severity, shadow, subject, message,
               case when over then 'resolved' when runs > 1 then 'persisting' else 'new' end, first_job, first_as_of, first_at, last_job, last_as_of, last_at,
               last_finding, last_job, runs, case when over then last_at + interval '1 day' end, case when over then last_job end, tenant
        from standing;
        insert into muster.exception_change (exception_id, at, job_id, state, previous)
        select id, first_at, first_job, 'new', null from standing
        union all
        select id, last_at + interval '1 day', last_job, 'resolved', case when runs > 1 then 'persisting' else 'new' end from standing where over order by 2;
        insert into muster.waiver (waiver_id, digest, rule, source, pack, owner, reason, placed_by, placed_at, expires_at)
        select muster.derive_id(first_job, sha256(fingerprint)), sha256(fingerprint), null, null, null, 'risk', 'accepted until the feed is mended', 'loader', last_at,
               last_at + interval '90 days'
        from standing where not over and source <> 'records' and get_byte(fingerprint, 0) % 30 = 0;
        insert into muster.waiver_exception (waiver_id, exception_id)
        select muster.derive_id(first_job, sha256(fingerprint)), id from standing where not over and source <> 'records' and get_byte(fingerprint, 0) % 30 = 0;
        """)


def settle(conninfo):
    """As autovacuum leaves it in time, and statistics of the parents, which it never makes."""
    psql(conninfo, "vacuum (analyze);\n")


def sizes(conninfo):
    """(table, rows by the statistics, bytes of heap, bytes of indexes), partitions added up."""
    return [row.split("|") for row in psql(conninfo, """
        select t, sum(greatest(reltuples, 0))::bigint, sum(pg_table_size(oid)), sum(pg_indexes_size(oid)), count(*)
        from (select c.oid, c.reltuples, coalesce(p.relname, c.relname) as t
              from pg_class c left join pg_inherits i on i.inhrelid = c.oid left join pg_class p on p.oid = i.inhparent
              where c.relnamespace = 'muster'::regnamespace and c.relkind = 'r') as x
        group by t having sum(pg_total_relation_size(oid)) > 100000 order by sum(pg_total_relation_size(oid)) desc;""")]
