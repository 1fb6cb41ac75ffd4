# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL in trouble of every kind: refused, slow, killed, stopped, in recovery. What was promised is kept, and whoever
asks meanwhile is answered."""
import json
import os
import signal
import subprocess
import time

from harness import wait_until
from marks import own_site
from natsclient import Nats
from small_jobs import SITE, GOOD, a_job, by_intake, check_sound, data_of, log_of, many_jobs, postgres_processes, wait_done  # noqa: F401 (SITE is for the runner)


def _raising(site, table, state, when="true"):
    """Whoever inserts there gets this SQLSTATE."""
    body = f"begin if {when} then raise exception 'trouble as asked' using errcode = '{state}'; end if; return new; end"
    site.sql(f"create or replace function muster.trouble_{table}() returns trigger language plpgsql as $$ {body} $$")

    def placed():
        try:  # it may meet the lock of a program that works
            site.sql(f"""do $$ begin if not exists (select from pg_trigger where tgrelid = 'muster.{table}'::regclass and tgname = 'trouble') then
                create trigger trouble before insert on muster.{table} for each row execute function muster.trouble_{table}(); end if; end $$""")
            return True
        except AssertionError:
            return False
    wait_until(placed, 20, "a trigger")


def _calm(site, *tables):
    for table in tables:
        site.sql(f"create or replace function muster.trouble_{table}() returns trigger language plpgsql as $$ begin return new; end $$")


@own_site(dispatcher__bundle_tasks="1")
def trouble_of_every_code_is_refused_at_the_door_and_loses_no_result(site):
    site.all(workers=1)
    expected = 0
    for state in ("53100", "40001", "40P01", "55P03", "57014", "57P01", "25006"):
        _raising(site, "outcome", state)
        job = site.submit(a_job(f"result-{state}"))["job_id"]
        wait_until(lambda: f"({state})" in log_of(site.programs[1]), 20, f"a recorder in trouble with {state}")
        _raising(site, "job", state)
        began = time.monotonic()
        answer = site.api("submit", a_job(f"door-{state}"))
        assert answer["error"]["code"] == "unavailable" and time.monotonic() - began < 2, answer
        by_intake(site, f"intake-{state}")
        wait_until(lambda: site.nats.api("CONSUMER.INFO.MUSTER_INTAKE.intake")["delivered"]["consumer_seq"] > expected, 20, "a delivery")
        assert site.value("select count(*) from muster.outcome") == str(expected)
        _calm(site, "job", "outcome")
        expected += 2
        assert site.done(job)["result"] == "pass"
        wait_done(site, expected)
    check_sound(site)


@own_site(dispatcher__bundle_tasks="1")
def a_batch_that_takes_too_long_is_recorded_in_parts(site):
    site.dispatcher()
    site.worker("a1")
    many_jobs(site, "slow", 100)
    wait_until(lambda: site.nats.stream("MUSTER_RESULTS")["messages"] == 100, 30, "the results")
    _raising(site, "outcome", "57014", "(select count(*) from batch_outcome) > 8")
    recorder = site.recorder()
    wait_done(site, 100)
    assert 1 <= log_of(recorder).count("(57014)") < 12, "halved, not tried again and again"
    assert site.value("select count(*) from muster.quarantine") == "0"


@own_site(dispatcher__bundle_tasks="1")
def a_message_that_the_database_does_not_take_blocks_no_other(site):
    site.dispatcher()
    site.worker("a1")
    jobs = many_jobs(site, "mixed", 60)
    wait_until(lambda: site.nats.stream("MUSTER_RESULTS")["messages"] == 60, 30, "the results")
    _raising(site, "outcome", "XX000", f"new.task_id = '{jobs[17]}'")
    _raising(site, "quarantine", "XX000")
    recorder = site.recorder()
    wait_until(lambda: "standing by" in log_of(recorder), 20, "a recorder that cannot even put it aside")
    assert recorder.alive()
    _calm(site, "quarantine")
    wait_done(site, 59)
    assert site.sql("select distinct reason from muster.quarantine") == [["refused_by_database"]]  # it is run again, and refused again

class _Killed:
    """Not there: connections are refused."""

    def begin(self, site):
        site.crash("postgres")

    def end(self, site):
        site.start("postgres")


class _Stopped:
    """Every process of it: sockets are open, connections are taken by the kernel, nothing is answered."""

    def begin(self, site):
        self.pids = postgres_processes(site)
        for pid in self.pids:
            os.kill(pid, signal.SIGSTOP)

    def end(self, site):
        for pid in self.pids:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass


class _Refusing:
    """It lives, and lets nobody in."""

    def begin(self, site):
        self.rules = os.path.join(data_of(site), "pg_hba.conf")
        with open(self.rules, encoding="utf-8") as f:
            self.kept = f.read()
        with open(self.rules, "w", encoding="utf-8") as f:
            f.write("local all all reject\n")
        master = postgres_processes(site)[0]
        os.kill(master, signal.SIGHUP)
        site.sql_end = site.conninfo

        def rejected():
            return subprocess.run(["psql", site.conninfo, "-Xc", "select 1"], capture_output=True).returncode != 0
        wait_until(rejected, 10, "a database that refuses")
        for pid in postgres_processes(site)[1:]:
            if b"muster" in open(f"/proc/{pid}/cmdline", "rb").read():
                os.kill(pid, signal.SIGTERM)

    def end(self, site):
        with open(self.rules, "w", encoding="utf-8") as f:
            f.write(self.kept)
        os.kill(postgres_processes(site)[0], signal.SIGHUP)


class _Recovering:
    """A stand-by that nobody has promoted yet: it can be read, not written."""

    def begin(self, site):
        site.halt("postgres")
        self.signal = os.path.join(data_of(site), "standby.signal")
        subprocess.run(["cp", "-a", os.path.join(data_of(site), "PG_VERSION"), self.signal], check=True)  # with its owner
        site.start("postgres")

    def end(self, site):
        site.sql("select pg_promote()")


def _memory(site):
    def resident(pid):
        with open(f"/proc/{pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))
    return {p.name: resident(p.pid) for p in site.programs}


def _asks(site, seconds, during):
    """Load by both doors for so long; the slowest answer in seconds, refusals, PubAcks of the intake."""
    nats, slowest, refused, stored = Nats(site.url), 0.0, 0, 0
    until = time.monotonic() + seconds
    number = 0
    while time.monotonic() < until:
        for verb, body in (("submit", json.dumps(a_job(f"{during}-api-{number}"))), ("submit", "\n".join(json.dumps(a_job(f"{during}-many-{number}-{i}")) for i in range(200))),
                           ("status", json.dumps({"id": "before-0"}))):
            began = time.monotonic()
            answer = nats.request("muster.api." + verb, body, None, 10).json()
            slowest = max(slowest, time.monotonic() - began)
            if not answer["ok"]:
                assert answer["error"]["code"] == "unavailable", answer
                refused += 1
        nats.publish_stream("muster.intake", json.dumps(a_job(f"{during}-door-{number}")))
        stored += 1
        number += 1
    nats.close()
    return slowest, refused, stored


def _trouble(site, kind, seconds=6):
    site.all(workers=1)
    many_jobs(site, "before", 100)
    wait_done(site, 100)
    slow = site.write("slow.csv", "symbol,isin\n" + "".join(f"S{i},{GOOD}\n" for i in range(5000)))
    assert os.path.exists(slow)
    running = [site.submit({"id": f"running-{i}", "pack": "identifiers@1.0.0", "source": {"uri": "file:slow.csv"}})["job_id"] for i in range(3)]
    trouble = kind()
    before = _memory(site)
    trouble.begin(site)
    slowest, refused, stored = _asks(site, seconds, "during")
    after = _memory(site)
    assert slowest < 2, slowest
    assert refused >= 3 and stored >= 1, (refused, stored)
    trouble.end(site)
    wait_until(lambda: site.api("submit", a_job("back"), timeout=20)["ok"], 60, "a database that takes jobs")
    doors = "select count(*) from report.job_status where job_key like 'during-door-%' and result = 'pass'"
    wait_until(lambda: site.value(doors) == str(stored), 60, "what came by the intake")
    for job in running:
        assert site.done(job)["result"] == "pass"
    # what was refused is nowhere, or it is a job like others (nobody knew); nothing is half there
    wait_until(lambda: site.value("select count(*) from report.job_status where result is null") == "0", 60, "no open job")
    grown = {name: after[name] - before[name] for name in before}
    assert max(grown.values()) < 32 * 1024, grown
    check_sound(site)


@own_site
def a_database_that_is_killed_costs_nobody_an_answer(site):
    _trouble(site, _Killed)


@own_site
def a_database_that_is_stopped_costs_nobody_an_answer(site):
    _trouble(site, _Stopped, 12)


@own_site
def a_database_that_refuses_costs_nobody_an_answer(site):
    _trouble(site, _Refusing)


@own_site
def a_database_in_recovery_costs_nobody_an_answer(site):
    _trouble(site, _Recovering)
