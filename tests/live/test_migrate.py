# SPDX-License-Identifier: Apache-2.0
"""The schema and the programs that know it: `muster db migrate` applies what is missing once, refuses what was changed, and a
program that meets another schema stops and says what to run."""
import json
import os
import shutil
import subprocess

from harness import BUILD

SHIPPED = os.path.join(BUILD, "sql", "migrations")


def _database(site, name):
    site.sql(f"create database {name}")
    return site.conninfo.replace("dbname=postgres", f"dbname={name}")


def _migrate(site, conninfo, folder=SHIPPED, verb="migrate"):
    return site.cli("db", verb, "-o", "json", env={"MUSTER_POSTGRES_CONNINFO": conninfo, "MUSTER_DATA_MIGRATIONS": folder})


def _copy(site, name, upto=None):
    folder = os.path.join(site.dir, name)
    os.mkdir(folder)
    for file in sorted(f for f in os.listdir(SHIPPED) if f.endswith(".sql"))[:upto]:
        shutil.copy(os.path.join(SHIPPED, file), folder)
    return folder


def _psql(site, conninfo, sql):
    got = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", conninfo, "-c", sql], capture_output=True, text=True)
    assert got.returncode == 0, got
    return got.stdout.strip()


def an_empty_database_is_migrated_once(site):
    conninfo = _database(site, "fresh")
    rows = json.loads(_migrate(site, conninfo, verb="status").stdout)
    assert {r["state"] for r in rows} == {"pending"}, rows
    got = _migrate(site, conninfo)
    assert got.returncode == 0 and {r["state"] for r in json.loads(got.stdout)} == {"applied now"}, got
    got = _migrate(site, conninfo)
    assert got.returncode == 0 and {r["state"] for r in json.loads(got.stdout)} == {"applied"}, got
    assert _psql(site, conninfo, "select bool_and(sha256 is not null) from muster.schema_migration") == "t"


def files_that_were_applied_by_psql_are_known_and_the_rest_follows(site):
    conninfo = _database(site, "by_hand")
    files = sorted(f for f in os.listdir(SHIPPED) if f.endswith(".sql"))
    for file in files[:7]:
        subprocess.run(["psql", "-Xq1", "-v", "ON_ERROR_STOP=1", "-d", conninfo, "-f", os.path.join(SHIPPED, file)], check=True, capture_output=True)
    states = [r["state"] for r in json.loads(_migrate(site, conninfo).stdout)]
    assert states == ["applied"] * 7 + ["applied now"] * (len(files) - 7), states


def a_migration_that_was_changed_after_it_was_applied_is_refused(site):
    conninfo, folder = _database(site, "changed"), _copy(site, "first-ten", 10)
    assert _migrate(site, conninfo, folder).returncode == 0
    whole = _copy(site, "whole")
    name = next(f for f in sorted(os.listdir(whole)) if f.startswith("0005"))
    with open(os.path.join(whole, name), "a") as f:
        f.write("-- only a comment\n")
    got = _migrate(site, conninfo, whole)
    assert got.returncode == 4 and name[:-4] in got.stderr and "changed after it was applied" in got.stderr, got
    assert _psql(site, conninfo, "select max(version) from muster.schema_migration") == "10", "nothing is applied then"
    got = _migrate(site, conninfo, whole, verb="status")
    assert got.returncode == 1 and [r["version"] for r in json.loads(got.stdout) if r["state"].startswith("changed")] == ["0005"], got


def a_folder_with_a_gap_is_refused(site):
    conninfo, folder = _database(site, "gap"), _copy(site, "with-a-gap")
    os.unlink(next(os.path.join(folder, f) for f in os.listdir(folder) if f.startswith("0003")))
    got = _migrate(site, conninfo, folder)
    assert got.returncode != 0 and "migration 0003 is missing" in got.stderr, got
    assert _psql(site, conninfo, "select to_regnamespace('muster') is null") == "t"


def programs_stop_at_an_older_or_a_newer_schema_and_say_what_to_run(site):
    older, newer = _database(site, "older"), _database(site, "newer")
    assert _migrate(site, older, _copy(site, "all-but-one", -1)).returncode == 0
    assert _migrate(site, newer).returncode == 0
    _psql(site, newer, "insert into muster.schema_migration (version, name) values (9999, 'of_the_future')")
    for conninfo, wanted in ((older, "muster db migrate"), (newer, "muster db status")):
        for program in ("dispatcher", "recorder"):
            p = getattr(site, program)(program + "-x", ready=False, postgres__conninfo=conninfo)
            assert p.ended() == 1, p.tail()
            assert "the database schema is version" in p.tail() and wanted in p.tail(), p.tail()
    got = _migrate(site, newer)
    assert got.returncode == 4 and "of_the_future" in got.stderr and "install a newer muster" in got.stderr, got
    got = site.cli("audit", "verify", env={"MUSTER_POSTGRES_CONNINFO": older})
    assert got.returncode != 0 and "muster db migrate" in got.stderr, got
