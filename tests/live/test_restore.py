# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL that comes back at an older state, or is in trouble of every kind: what was promised is kept or can be
brought back under its old id, nothing is done twice that was recorded, and whoever asks meanwhile is answered."""
import json
import os
import shutil
import signal
import subprocess
import time

from harness import wait_until
from marks import own_site
from natsclient import Nats

SITE = {"task__ack_wait": "1s", "dispatcher__reconcile": "200ms", "worker__heartbeat": "500ms", "task__shard_bytes": "64KiB"}
GOOD, BAD = "US0378331005", "US0378331006"


def _job(key=None, isin=GOOD, **more):
    return dict({"id": key} if key else {}, pack="identifiers@1.0.0", records=[{"isin": isin}], **more)


def _many(site, tag, count, isin=GOOD):
    """Submitted by request, one body; their ids."""
    answer = site.api("submit", "\n".join(json.dumps(_job(f"{tag}-{i}", isin)) for i in range(count)))
    assert answer["ok"] and answer["accepted"] == count, answer
    return answer["job_ids"]


def _intake(site, key=None, isin=GOOD):
    return site.nats.publish_stream("muster.intake", json.dumps(_job(key, isin)))


def _done(site, count, timeout=60):
    wait_until(lambda: site.value("select count(*) from report.job_status where result is not null") == str(count), timeout, f"{count} results")


def _caught_up(site):
    wait_until(site.caught_up, 60, "a recorder that has caught up")


def _data(site):
    return os.path.join(site.dir, "pg", "data")


def _served(site):
    """A dispatcher has found the database again."""
    wait_until(lambda: site.api("status", {"id": "nobody's"})["error"]["code"] == "not_found", 30, "a dispatcher with a database")


def _back_up(site):
    site.halt("postgres")
    subprocess.run(["cp", "-a", _data(site), _data(site) + ".backup"], check=True)
    site.start("postgres")
    _served(site)


def _put_back(site):
    """The database of the backup, under programs that run."""
    site.crash("postgres")
    wait_until(site.database_is_gone, 30, "the end of the database's processes")
    shutil.rmtree(_data(site))
    subprocess.run(["cp", "-a", _data(site) + ".backup", _data(site)], check=True)
    site.start("postgres")
    _served(site)


def _log(program):
    with open(program.log_path, encoding="utf-8", errors="replace") as log:
        return log.read()


def _resubmit(site, *words, status=0):
    got = site.cli("db", "resubmit", "-o", "json", *words)
    assert got.returncode == status, (got.returncode, got.stdout, got.stderr)
    return json.loads(got.stdout), got.stderr


# when a worker finished a task: the same again means that it was recorded again, not run again
FINISHED = "select task_id, result, finished_at, findings_total from muster.outcome order by task_id"
FINDINGS = "select finding_id, task_id, rule, record_no, message from muster.finding order by finding_id"


def _sound(site):
    assert site.value("select count(*) from muster.outcome_conflict") == "0"
    assert site.value("select muster.audit_broken()") == ""
    assert site.sql("select job_id from report.reconciliation where not balanced") == []
    wait_until(lambda: site.nats.stream("MUSTER_TASKS")["messages"] == 0 and
               site.value("select count(*) from muster.outbox where kind = 'task'") == "0", 30, "an empty queue")


@own_site
def a_restored_database_gets_back_what_was_accepted_after_its_backup(site):
    site.all(workers=1)
    _many(site, "before", 20)
    _intake(site, "before-door")
    _done(site, 21)
    _back_up(site)
    small = _many(site, "after", 50, BAD)
    site.write("trades.csv", "symbol,isin\n" + "".join(f"S{i},{BAD if i % 97 == 0 else GOOD}\n" for i in range(12000)))
    large = site.submit({"pack": "identifiers@1.0.0", "source": {"uri": "file:trades.csv"}, "labels": {"desk": "ρ"}, "queue": "default",
                         "priority": "high", "deadline": "2031-01-01T00:00:00Z"})["job_id"]
    _done(site, 72)
    jobs = "select job_id, job_key, encode(task_digest, 'hex'), queue, priority, pack, as_of, deadline, labels, source_name, actor, date_trunc('milliseconds', submitted_at) from muster.job order by 1"
    finished, findings, known = site.sql(FINISHED), site.sql(FINDINGS), site.sql(jobs)
    _put_back(site)
    wait_until(lambda: site.value("select count(*) from muster.job") == "21", 30, "the older database")
    _caught_up(site)
    assert site.value("select count(*) from muster.quarantine where reason = 'unknown_task'") == site.value("select count(*) from muster.quarantine")
    assert site.api("status", {"job_id": large})["error"]["code"] == "not_found"
    look, _ = _resubmit(site, "--dry-run")
    assert (look["known"], look["missing"], look["resubmitted"]) == (21, 51, 0) and look["replayed"] > 51, look
    assert site.value("select count(*) from muster.job") == "21", "a dry run changes nothing"
    did, _ = _resubmit(site)
    assert (did["known"], did["resubmitted"], did["replayed"], did["conflicts"]) == (21, 51, look["replayed"], []), did
    _done(site, 72)
    assert site.sql(FINISHED) == finished, "recorded again, not run again"
    assert site.sql(FINDINGS) == findings
    for is_now, was in zip(site.sql(jobs), known, strict=True):
        assert is_now[:11] == was[:11], (is_now, was)
    assert site.value("select count(*) from muster.quarantine") == "0"
    again, _ = _resubmit(site)
    assert (again["known"], again["missing"], again["resubmitted"], again["replayed"]) == (72, 0, 0, 0), again
    assert site.api("submit", _job("after-7", BAD)) == {"ok": True, "job_id": small[7], "state": "queued", "tasks": 1, "duplicate": True}
    _sound(site)


@own_site
def who_resubmits_too_early_is_told_what_is_still_on_its_way(site):
    site.dispatcher()
    recorder = site.recorder()
    worker = site.worker("a1")
    _many(site, "done", 20)
    _done(site, 20)
    wait_until(lambda: site.nats.stream("MUSTER_TASKS")["messages"] == 0, 30, "an empty queue")
    _caught_up(site)
    assert _resubmit(site)[1] == ""
    assert recorder.stop() == 0
    _many(site, "unrecorded", 20)
    wait_until(lambda: site.nats.stream("MUSTER_TASKS")["messages"] == 0 and not site.caught_up(), 30, "results that nobody records")
    assert "once the recorder has caught up" in _resubmit(site)[1]
    assert worker.stop() == 0
    _many(site, "queued", 20)
    wait_until(lambda: site.nats.stream("MUSTER_TASKS")["messages"] > 0, 30, "a queue")
    assert "once the queue is empty" in _resubmit(site)[1]


@own_site
def a_key_that_belongs_to_another_job_meanwhile_is_told_and_kept(site):
    site.all(workers=1)
    _back_up(site)
    lost = [site.submit(_job(f"key-{i}"))["job_id"] for i in range(3)]
    _done(site, 3)
    _put_back(site)
    wait_until(lambda: site.value("select count(*) from muster.job") == "0", 30, "the older database")
    same = wait_until(lambda: site.api("submit", _job("key-0")).get("job_id"), 20, "a receipt")
    other = site.submit(_job("key-1", BAD))["job_id"]
    did, said = _resubmit(site, status=8)
    assert (did["resubmitted"], did["replaced"]) == (1, 1) and [(c["job_id"], c["state"], c["belongs_to"]) for c in did["conflicts"]] == \
        [(lost[1], "conflict", other)], did
    assert f"key-1 belongs to job {other}" in said
    _done(site, 3)
    assert {r[0] for r in site.sql("select job_id from muster.job")} == {same, other, lost[2]}
    assert site.status(other)["result"] == "fail"


@own_site
def what_cannot_be_replayed_is_run_again_under_its_old_id(site):
    site.all(workers=1)
    _back_up(site)
    lost = _many(site, "lost", 30, BAD)
    _done(site, 30)
    findings = site.sql(FINDINGS)
    _put_back(site)
    wait_until(lambda: site.value("select count(*) from muster.job") == "0", 30, "the older database")
    _caught_up(site)
    assert site.value("select count(distinct job_id) from muster.quarantine") == "30"
    site.sql(f"update muster.quarantine set bytes = replace(convert_from(bytes, 'UTF8'), '\"n\" :', '\"m\" :')::bytea where job_id = '{lost[0]}'")
    did, _ = _resubmit(site)
    assert did["resubmitted"] == 30, did
    _done(site, 30)
    assert site.sql(FINDINGS) == findings
    assert {r[0] for r in site.sql("select job_id from report.job_status where result = 'fail'")} == set(lost)
    _sound(site)


@own_site
def an_intake_that_acknowledged_what_the_database_lost_starts_over(site):
    site.all(workers=1)
    for i in range(5):
        _intake(site, f"before-{i}")
    _done(site, 5)
    _back_up(site)
    for i in range(20):
        _intake(site, f"after-{i}" if i % 2 else None)
    wait_until(lambda: site.nats.publish_stream("muster.intake", "{}"), what="a PubAck")  # refused: a row, not a job
    _done(site, 25)
    wait_until(lambda: site.value("select sequences from muster.intake_settled") == "{[1,27)}", 20, "all are settled")
    _put_back(site)
    # at once and among what is new: the loss must not be covered by it
    wait_until(lambda: site.nats.publish_stream("muster.intake", json.dumps(_job("new"))), what="a PubAck")
    _done(site, 26)
    wait_until(lambda: site.value("select sequences from muster.intake_settled") == "{[1,28)}", 20, "all are settled again")
    assert site.value("select count(*) from muster.rejection") == "1"
    assert site.value("select count(*) from report.job_status where job_key like 'after-%' and result = 'pass'") == "10"
    log = _log(site.programs[0])
    assert log.count("a consumer starts over") == 1 and "it has gone back" in log, log
    told = [json.loads(m)["events"][0] for s, m in _events(site) if s == "muster.event.operator.database_went_back"]
    assert [e["sequence"] for e in told] == [6], told


def _events(site):
    import base64
    found = []
    for seq in range(1, site.nats.stream("MUSTER_EVENTS")["last_seq"] + 1):
        m = site.nats.request("$JS.API.STREAM.MSG.GET.MUSTER_EVENTS", json.dumps({"seq": seq})).json()["message"]
        found.append((m["subject"], base64.b64decode(m["data"])))
    return found


@own_site
def dispatchers_side_by_side_settle_each_message_once_and_see_no_loss(site):
    dispatchers = [site.dispatcher("d1"), site.dispatcher("d2")]
    site.recorder()
    site.worker("a1")
    for i in range(300):
        _intake(site, f"many-{i}")
    _done(site, 300)
    wait_until(lambda: site.value("select sequences from muster.intake_settled") == "{[1,301)}", 20, "all are settled")
    dispatchers[0].kill9()
    for i in range(50):
        _intake(site, f"more-{i}")
    _done(site, 350)
    site.dispatcher("d3")
    site.halt("postgres")
    site.start("postgres")
    _intake(site, "last")
    _done(site, 351)
    for program in site.programs:
        assert "starts over" not in _log(program), program.name


@own_site
def nothing_starts_over_for_an_upgrade_a_purge_or_a_consumer_made_anew(site):
    first = site.dispatcher("first")
    for i in range(30):
        _intake(site, f"early-{i}")
    noted = "select sequences from muster.intake_settled"
    wait_until(lambda: site.value(noted) == "{[1,31)}", 20, "all are settled")
    wait_until(lambda: site.nats.api("CONSUMER.INFO.MUSTER_INTAKE.intake")["ack_floor"]["stream_seq"] == 30, 20, "all are acknowledged")
    assert first.stop() == 0
    site.sql("update muster.intake_settled set sequences = null")  # as the migration of a running site leaves it
    upgraded = site.dispatcher("upgraded")
    wait_until(lambda: site.value(noted) == "{[1,31)}", 20, "what was acknowledged counts as settled")
    assert upgraded.stop() == 0
    for i in range(5):
        _intake(site, f"unread-{i}")
    # by hand: five that nobody had read, and their numbers with them
    assert site.nats.api("STREAM.PURGE.MUSTER_INTAKE")["success"]
    purged = site.dispatcher("purged")
    _intake(site, "late")
    wait_until(lambda: site.value("select count(*) from muster.job where job_key = 'late'") == "1", 20, "the job")
    assert site.nats.api("CONSUMER.DELETE.MUSTER_INTAKE.intake")["success"]
    wait_until(lambda: "config" in site.nats.api("CONSUMER.INFO.MUSTER_INTAKE.intake"), 20, "the consumer")
    _intake(site, "later")
    wait_until(lambda: site.value("select count(*) from muster.job where job_key = 'later'") == "1", 20, "the job")
    wait_until(lambda: site.value(noted) == "{[1,38)}", 30, "gaps are closed")
    for program in (first, upgraded, purged):
        assert "starts over" not in _log(program), program.tail()


@own_site(dispatcher__provision="false")
def without_leave_the_loss_is_told_until_the_consumer_has_been_made_anew(site):
    assert site.cli("setup").returncode == 0
    site.all(workers=1)
    _back_up(site)
    for i in range(10):
        _intake(site, f"lost-{i}")
    _done(site, 10)
    _put_back(site)
    dispatcher = site.programs[0]
    wait_until(lambda: "a consumer must start over" in _log(dispatcher), 30, "the alarm")
    _intake(site, "after")  # goes on meanwhile, and does not hide it
    _done(site, 1)
    said = _log(dispatcher).count("a consumer must start over")
    wait_until(lambda: _log(dispatcher).count("a consumer must start over") > said, 30, "the alarm again")
    assert site.nats.api("CONSUMER.DELETE.MUSTER_INTAKE.intake")["success"]
    assert site.cli("setup").returncode == 0
    _done(site, 11)
    said = _log(dispatcher).count("a consumer must start over")
    wait_until(lambda: site.value("select sequences from muster.intake_settled") == "{[1,12)}", 20, "all are settled")
    _intake(site, "last")
    _done(site, 12)
    assert _log(dispatcher).count("a consumer must start over") == said


@own_site
def a_stand_by_that_lagged_is_promoted_under_programs_that_run(site):
    stand_by = _StandBy(site)
    try:
        site.settings["postgres.conninfo"] = site.conninfo.replace(f"host={site.dir}/pg", f"host={site.dir}/pg,{stand_by.dir}")
        site.all(workers=1)
        _many(site, "before", 20)
        _intake(site, "before-door")
        _done(site, 21)
        stand_by.lag()
        lost = _many(site, "lost", 40, BAD)
        for i in range(5):
            _intake(site, f"lost-door-{i}")
        _done(site, 66)
        findings = site.sql(FINDINGS)
        site.crash("postgres")
        site.conninfo = site.conninfo.replace(f"host={site.dir}/pg", f"host={stand_by.dir}")
        site.sql("select pg_promote()")
        _served(site)
        _done(site, 26)  # the intake started over by itself
        _caught_up(site)
        got = site.cli("db", "resubmit", "--since", "1h", "-o", "json", env={"MUSTER_POSTGRES_CONNINFO": site.settings["postgres.conninfo"]})
        assert got.returncode == 0, got
        did = json.loads(got.stdout)
        # what came by the intake has its own way back: under its key, as another job
        assert (did["resubmitted"], did["replaced"], did["conflicts"]) == (40, 5, []), did
        _done(site, 66)
        assert {r[0] for r in site.sql("select job_id from report.job_status where result = 'fail'")} == set(lost)
        assert site.sql(FINDINGS) == findings
        assert site.value("select count(*) from muster.quarantine") == "0"
        _sound(site)
    finally:
        stand_by.close()


class _StandBy:
    """Another PostgreSQL that follows the site's."""

    def __init__(self, site):
        self.dir = os.path.join(site.dir, "pg-stand-by")
        subprocess.run(["install", "-d", "-m", "700", self.dir], check=True)
        shutil.chown(self.dir, os.stat(_data(site)).st_uid, os.stat(_data(site)).st_gid)
        owner = os.stat(_data(site)).st_uid
        as_owner = {"user": owner, "group": os.stat(_data(site)).st_gid, "extra_groups": []} if os.getuid() != owner else {}
        with open(f"/proc/{_postgres_processes(site)[0]}/exe", "rb"):
            program = os.readlink(f"/proc/{_postgres_processes(site)[0]}/exe")
        data = os.path.join(self.dir, "data")
        subprocess.run([os.path.join(os.path.dirname(program), "pg_basebackup"), "-h", os.path.join(site.dir, "pg"), "-U", "muster", "-R",
                        "-c", "fast", "-D", data], check=True, cwd=self.dir, **as_owner)
        self.process = subprocess.Popen([program, "-D", data, "-c", f"unix_socket_directories={self.dir}", "-c", "listen_addresses="],
                                        cwd=self.dir, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **as_owner)
        wait_until(lambda: self.value("select count(*) from pg_stat_wal_receiver where status = 'streaming'") == "1", 30, "a stand-by that follows")

    def value(self, query):
        got = subprocess.run(["psql", f"host={self.dir} user=muster dbname=postgres", "-XqtAc", query], capture_output=True, text=True)
        return got.stdout.strip() if got.returncode == 0 else None

    def lag(self):
        """It gets nothing more."""
        self.value("alter system set primary_conninfo = ''")
        self.value("select pg_reload_conf()")
        wait_until(lambda: self.value("select count(*) from pg_stat_wal_receiver") == "0", 30, "a stand-by that is cut off")

    def close(self):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(20)


# ---- a database in trouble ----

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
        job = site.submit(_job(f"result-{state}"))["job_id"]
        wait_until(lambda: f"({state})" in _log(site.programs[1]), 20, f"a recorder in trouble with {state}")
        _raising(site, "job", state)
        began = time.monotonic()
        answer = site.api("submit", _job(f"door-{state}"))
        assert answer["error"]["code"] == "unavailable" and time.monotonic() - began < 2, answer
        _intake(site, f"intake-{state}")
        wait_until(lambda: site.nats.api("CONSUMER.INFO.MUSTER_INTAKE.intake")["delivered"]["consumer_seq"] > expected, 20, "a delivery")
        assert site.value("select count(*) from muster.outcome") == str(expected)
        _calm(site, "job", "outcome")
        expected += 2
        assert site.done(job)["result"] == "pass"
        _done(site, expected)
    _sound(site)


@own_site(dispatcher__bundle_tasks="1")
def a_batch_that_takes_too_long_is_recorded_in_parts(site):
    site.dispatcher()
    site.worker("a1")
    _many(site, "slow", 100)
    wait_until(lambda: site.nats.stream("MUSTER_RESULTS")["messages"] == 100, 30, "the results")
    _raising(site, "outcome", "57014", "(select count(*) from batch_outcome) > 8")
    recorder = site.recorder()
    _done(site, 100)
    assert 1 <= _log(recorder).count("(57014)") < 12, "halved, not tried again and again"
    assert site.value("select count(*) from muster.quarantine") == "0"


@own_site(dispatcher__bundle_tasks="1")
def a_message_that_the_database_does_not_take_blocks_no_other(site):
    site.dispatcher()
    site.worker("a1")
    jobs = _many(site, "mixed", 60)
    wait_until(lambda: site.nats.stream("MUSTER_RESULTS")["messages"] == 60, 30, "the results")
    _raising(site, "outcome", "XX000", f"new.task_id = '{jobs[17]}'")
    _raising(site, "quarantine", "XX000")
    recorder = site.recorder()
    wait_until(lambda: "standing by" in _log(recorder), 20, "a recorder that cannot even put it aside")
    assert recorder.alive()
    _calm(site, "quarantine")
    _done(site, 59)
    assert site.sql("select distinct reason from muster.quarantine") == [["refused_by_database"]]  # it is run again, and refused again

def _postgres_processes(site):
    with open(os.path.join(_data(site), "postmaster.pid"), encoding="ascii") as f:
        master = int(f.readline())
    found = [master]
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and int(open(f"/proc/{name}/stat").read().rsplit(")", 1)[1].split()[1]) == master:
                found.append(int(name))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


class _Killed:
    """Not there: connections are refused."""

    def begin(self, site):
        site.crash("postgres")

    def end(self, site):
        site.start("postgres")


class _Stopped:
    """Every process of it: sockets are open, connections are taken by the kernel, nothing is answered."""

    def begin(self, site):
        self.pids = _postgres_processes(site)
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
        self.rules = os.path.join(_data(site), "pg_hba.conf")
        with open(self.rules, encoding="utf-8") as f:
            self.kept = f.read()
        with open(self.rules, "w", encoding="utf-8") as f:
            f.write("local all all reject\n")
        master = _postgres_processes(site)[0]
        os.kill(master, signal.SIGHUP)
        site.sql_end = site.conninfo

        def rejected():
            return subprocess.run(["psql", site.conninfo, "-Xc", "select 1"], capture_output=True).returncode != 0
        wait_until(rejected, 10, "a database that refuses")
        for pid in _postgres_processes(site)[1:]:
            if b"muster" in open(f"/proc/{pid}/cmdline", "rb").read():
                os.kill(pid, signal.SIGTERM)

    def end(self, site):
        with open(self.rules, "w", encoding="utf-8") as f:
            f.write(self.kept)
        os.kill(_postgres_processes(site)[0], signal.SIGHUP)


class _Recovering:
    """A stand-by that nobody has promoted yet: it can be read, not written."""

    def begin(self, site):
        site.halt("postgres")
        self.signal = os.path.join(_data(site), "standby.signal")
        subprocess.run(["cp", "-a", os.path.join(_data(site), "PG_VERSION"), self.signal], check=True)  # with its owner
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
        for verb, body in (("submit", json.dumps(_job(f"{during}-api-{number}"))), ("submit", "\n".join(json.dumps(_job(f"{during}-many-{number}-{i}")) for i in range(200))),
                           ("status", json.dumps({"id": "before-0"}))):
            began = time.monotonic()
            answer = nats.request("muster.api." + verb, body, None, 10).json()
            slowest = max(slowest, time.monotonic() - began)
            if not answer["ok"]:
                assert answer["error"]["code"] == "unavailable", answer
                refused += 1
        nats.publish_stream("muster.intake", json.dumps(_job(f"{during}-door-{number}")))
        stored += 1
        number += 1
    nats.close()
    return slowest, refused, stored


def _trouble(site, kind, seconds=6):
    site.all(workers=1)
    _many(site, "before", 100)
    _done(site, 100)
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
    wait_until(lambda: site.api("submit", _job("back"), timeout=20)["ok"], 60, "a database that takes jobs")
    doors = "select count(*) from report.job_status where job_key like 'during-door-%' and result = 'pass'"
    wait_until(lambda: site.value(doors) == str(stored), 60, "what came by the intake")
    for job in running:
        assert site.done(job)["result"] == "pass"
    # what was refused is nowhere, or it is a job like others (nobody knew); nothing is half there
    wait_until(lambda: site.value("select count(*) from report.job_status where result is null") == "0", 60, "no open job")
    grown = {name: after[name] - before[name] for name in before}
    assert max(grown.values()) < 32 * 1024, grown
    _sound(site)


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
