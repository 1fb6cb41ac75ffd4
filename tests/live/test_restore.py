# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL that comes back at an older state: what was promised is kept or can be brought back under its old id, and
nothing is done twice that was recorded."""
import json
import os
import shutil
import signal
import subprocess

from harness import wait_until
from marks import own_site
from small_jobs import SITE, BAD, GOOD, a_job, by_intake, check_sound, data_of, log_of, many_jobs, postgres_processes, wait_done  # noqa: F401 (SITE is for the runner)


def _caught_up(site):
    wait_until(site.caught_up, 60, "a recorder that has caught up")


def _served(site):
    """A dispatcher has found the database again."""
    wait_until(lambda: site.api("status", {"id": "nobody's"})["error"]["code"] == "not_found", 30, "a dispatcher with a database")


def _back_up(site):
    site.halt("postgres")
    subprocess.run(["cp", "-a", data_of(site), data_of(site) + ".backup"], check=True)
    site.start("postgres")
    _served(site)


def _put_back(site):
    """The database of the backup, under programs that run."""
    site.crash("postgres")
    wait_until(site.database_is_gone, 30, "the end of the database's processes")
    shutil.rmtree(data_of(site))
    subprocess.run(["cp", "-a", data_of(site) + ".backup", data_of(site)], check=True)
    site.start("postgres")
    _served(site)


def _resubmit(site, *words, status=0):
    got = site.cli("db", "resubmit", "-o", "json", *words)
    assert got.returncode == status, (got.returncode, got.stdout, got.stderr)
    return json.loads(got.stdout), got.stderr


# when a worker finished a task: the same again means that it was recorded again, not run again
FINISHED = "select task_id, result, finished_at, findings_total from muster.outcome order by task_id"
FINDINGS = "select finding_id, task_id, rule, record_no, message from muster.finding order by finding_id"


@own_site
def a_restored_database_gets_back_what_was_accepted_after_its_backup(site):
    site.all(workers=1)
    many_jobs(site, "before", 20)
    by_intake(site, "before-door")
    wait_done(site, 21)
    _back_up(site)
    small = many_jobs(site, "after", 50, BAD)
    site.write("trades.csv", "symbol,isin\n" + "".join(f"S{i},{BAD if i % 97 == 0 else GOOD}\n" for i in range(12000)))
    large = site.submit({"pack": "identifiers@1.0.0", "source": {"uri": "file:trades.csv"}, "labels": {"desk": "ρ"}, "queue": "default",
                         "priority": "high", "deadline": "2031-01-01T00:00:00Z"})["job_id"]
    wait_done(site, 72)
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
    wait_done(site, 72)
    assert site.sql(FINISHED) == finished, "recorded again, not run again"
    assert site.sql(FINDINGS) == findings
    for is_now, was in zip(site.sql(jobs), known, strict=True):
        assert is_now[:11] == was[:11], (is_now, was)
    assert site.value("select count(*) from muster.quarantine") == "0"
    again, _ = _resubmit(site)
    assert (again["known"], again["missing"], again["resubmitted"], again["replayed"]) == (72, 0, 0, 0), again
    assert site.api("submit", a_job("after-7", BAD)) == {"ok": True, "job_id": small[7], "state": "queued", "tasks": 1, "duplicate": True}
    check_sound(site)


@own_site
def who_resubmits_too_early_is_told_what_is_still_on_its_way(site):
    site.dispatcher()
    recorder = site.recorder()
    worker = site.worker("a1")
    many_jobs(site, "done", 20)
    wait_done(site, 20)
    wait_until(lambda: site.nats.stream("MUSTER_TASKS")["messages"] == 0, 30, "an empty queue")
    _caught_up(site)
    assert _resubmit(site)[1] == ""
    assert recorder.stop() == 0
    many_jobs(site, "unrecorded", 20)
    wait_until(lambda: site.nats.stream("MUSTER_TASKS")["messages"] == 0 and not site.caught_up(), 30, "results that nobody records")
    assert "once the recorder has caught up" in _resubmit(site)[1]
    assert worker.stop() == 0
    many_jobs(site, "queued", 20)
    wait_until(lambda: site.nats.stream("MUSTER_TASKS")["messages"] > 0, 30, "a queue")
    assert "once the queue is empty" in _resubmit(site)[1]


@own_site
def a_key_that_belongs_to_another_job_meanwhile_is_told_and_kept(site):
    site.all(workers=1)
    _back_up(site)
    lost = [site.submit(a_job(f"key-{i}"))["job_id"] for i in range(3)]
    wait_done(site, 3)
    _put_back(site)
    wait_until(lambda: site.value("select count(*) from muster.job") == "0", 30, "the older database")
    same = wait_until(lambda: site.api("submit", a_job("key-0")).get("job_id"), 20, "a receipt")
    other = site.submit(a_job("key-1", BAD))["job_id"]
    did, said = _resubmit(site, status=8)
    assert (did["resubmitted"], did["replaced"]) == (1, 1) and [(c["job_id"], c["state"], c["belongs_to"]) for c in did["conflicts"]] == \
        [(lost[1], "conflict", other)], did
    assert f"key-1 belongs to job {other}" in said
    wait_done(site, 3)
    assert {r[0] for r in site.sql("select job_id from muster.job")} == {same, other, lost[2]}
    assert site.status(other)["result"] == "fail"


@own_site
def what_cannot_be_replayed_is_run_again_under_its_old_id(site):
    site.all(workers=1)
    _back_up(site)
    lost = many_jobs(site, "lost", 30, BAD)
    wait_done(site, 30)
    findings = site.sql(FINDINGS)
    _put_back(site)
    wait_until(lambda: site.value("select count(*) from muster.job") == "0", 30, "the older database")
    _caught_up(site)
    assert site.value("select count(distinct job_id) from muster.quarantine") == "30"
    site.sql(f"update muster.quarantine set bytes = replace(convert_from(bytes, 'UTF8'), '\"n\" :', '\"m\" :')::bytea where job_id = '{lost[0]}'")
    did, _ = _resubmit(site)
    assert did["resubmitted"] == 30, did
    wait_done(site, 30)
    assert site.sql(FINDINGS) == findings
    assert {r[0] for r in site.sql("select job_id from report.job_status where result = 'fail'")} == set(lost)
    check_sound(site)


@own_site
def an_intake_that_acknowledged_what_the_database_lost_starts_over(site):
    site.all(workers=1)
    for i in range(5):
        by_intake(site, f"before-{i}")
    wait_done(site, 5)
    _back_up(site)
    for i in range(20):
        by_intake(site, f"after-{i}" if i % 2 else None)
    wait_until(lambda: site.nats.publish_stream("muster.intake", "{}"), what="a PubAck")  # refused: a row, not a job
    wait_done(site, 25)
    wait_until(lambda: site.value("select sequences from muster.intake_settled") == "{[1,27)}", 20, "all are settled")
    _put_back(site)
    # at once and among what is new: the loss must not be covered by it
    wait_until(lambda: site.nats.publish_stream("muster.intake", json.dumps(a_job("new"))), what="a PubAck")
    wait_done(site, 26)
    wait_until(lambda: site.value("select sequences from muster.intake_settled") == "{[1,28)}", 20, "all are settled again")
    assert site.value("select count(*) from muster.rejection") == "1"
    assert site.value("select count(*) from report.job_status where job_key like 'after-%' and result = 'pass'") == "10"
    log = log_of(site.programs[0])
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
        by_intake(site, f"many-{i}")
    wait_done(site, 300)
    wait_until(lambda: site.value("select sequences from muster.intake_settled") == "{[1,301)}", 20, "all are settled")
    dispatchers[0].kill9()
    for i in range(50):
        by_intake(site, f"more-{i}")
    wait_done(site, 350)
    site.dispatcher("d3")
    site.halt("postgres")
    site.start("postgres")
    by_intake(site, "last")
    wait_done(site, 351)
    for program in site.programs:
        assert "starts over" not in log_of(program), program.name


@own_site
def nothing_starts_over_for_an_upgrade_a_purge_or_a_consumer_made_anew(site):
    first = site.dispatcher("first")
    for i in range(30):
        by_intake(site, f"early-{i}")
    noted = "select sequences from muster.intake_settled"
    wait_until(lambda: site.value(noted) == "{[1,31)}", 20, "all are settled")
    wait_until(lambda: site.nats.api("CONSUMER.INFO.MUSTER_INTAKE.intake")["ack_floor"]["stream_seq"] == 30, 20, "all are acknowledged")
    assert first.stop() == 0
    site.sql("update muster.intake_settled set sequences = null")  # as the migration of a running site leaves it
    upgraded = site.dispatcher("upgraded")
    wait_until(lambda: site.value(noted) == "{[1,31)}", 20, "what was acknowledged counts as settled")
    assert upgraded.stop() == 0
    for i in range(5):
        by_intake(site, f"unread-{i}")
    # by hand: five that nobody had read, and their numbers with them
    assert site.nats.api("STREAM.PURGE.MUSTER_INTAKE")["success"]
    purged = site.dispatcher("purged")
    by_intake(site, "late")
    wait_until(lambda: site.value("select count(*) from muster.job where job_key = 'late'") == "1", 20, "the job")
    assert site.nats.api("CONSUMER.DELETE.MUSTER_INTAKE.intake")["success"]
    wait_until(lambda: "config" in site.nats.api("CONSUMER.INFO.MUSTER_INTAKE.intake"), 20, "the consumer")
    by_intake(site, "later")
    wait_until(lambda: site.value("select count(*) from muster.job where job_key = 'later'") == "1", 20, "the job")
    wait_until(lambda: site.value(noted) == "{[1,38)}", 30, "gaps are closed")
    for program in (first, upgraded, purged):
        assert "starts over" not in log_of(program), program.tail()


@own_site(dispatcher__provision="false")
def without_leave_the_loss_is_told_until_the_consumer_has_been_made_anew(site):
    assert site.cli("setup").returncode == 0
    site.all(workers=1)
    _back_up(site)
    for i in range(10):
        by_intake(site, f"lost-{i}")
    wait_done(site, 10)
    _put_back(site)
    dispatcher = site.programs[0]
    wait_until(lambda: "a consumer must start over" in log_of(dispatcher), 30, "the alarm")
    by_intake(site, "after")  # goes on meanwhile, and does not hide it
    wait_done(site, 1)
    said = log_of(dispatcher).count("a consumer must start over")
    wait_until(lambda: log_of(dispatcher).count("a consumer must start over") > said, 30, "the alarm again")
    assert site.nats.api("CONSUMER.DELETE.MUSTER_INTAKE.intake")["success"]
    assert site.cli("setup").returncode == 0
    wait_done(site, 11)
    said = log_of(dispatcher).count("a consumer must start over")
    wait_until(lambda: site.value("select sequences from muster.intake_settled") == "{[1,12)}", 20, "all are settled")
    by_intake(site, "last")
    wait_done(site, 12)
    assert log_of(dispatcher).count("a consumer must start over") == said


@own_site
def a_stand_by_that_lagged_is_promoted_under_programs_that_run(site):
    stand_by = _StandBy(site)
    try:
        site.settings["postgres.conninfo"] = site.conninfo.replace(f"host={site.dir}/pg", f"host={site.dir}/pg,{stand_by.dir}")
        site.all(workers=1)
        many_jobs(site, "before", 20)
        by_intake(site, "before-door")
        wait_done(site, 21)
        stand_by.lag()
        lost = many_jobs(site, "lost", 40, BAD)
        for i in range(5):
            by_intake(site, f"lost-door-{i}")
        wait_done(site, 66)
        findings = site.sql(FINDINGS)
        site.crash("postgres")
        site.conninfo = site.conninfo.replace(f"host={site.dir}/pg", f"host={stand_by.dir}")
        site.sql("select pg_promote()")
        _served(site)
        wait_done(site, 26)  # the intake started over by itself
        _caught_up(site)
        got = site.cli("db", "resubmit", "--since", "1h", "-o", "json", env={"MUSTER_POSTGRES_CONNINFO": site.settings["postgres.conninfo"]})
        assert got.returncode == 0, got
        did = json.loads(got.stdout)
        # what came by the intake has its own way back: under its key, as another job
        assert (did["resubmitted"], did["replaced"], did["conflicts"]) == (40, 5, []), did
        wait_done(site, 66)
        assert {r[0] for r in site.sql("select job_id from report.job_status where result = 'fail'")} == set(lost)
        assert site.sql(FINDINGS) == findings
        assert site.value("select count(*) from muster.quarantine") == "0"
        check_sound(site)
    finally:
        stand_by.close()


class _StandBy:
    """Another PostgreSQL that follows the site's."""

    def __init__(self, site):
        self.dir = os.path.join(site.dir, "pg-stand-by")
        subprocess.run(["install", "-d", "-m", "700", self.dir], check=True)
        shutil.chown(self.dir, os.stat(data_of(site)).st_uid, os.stat(data_of(site)).st_gid)
        owner = os.stat(data_of(site)).st_uid
        as_owner = {"user": owner, "group": os.stat(data_of(site)).st_gid, "extra_groups": []} if os.getuid() != owner else {}
        with open(f"/proc/{postgres_processes(site)[0]}/exe", "rb"):
            program = os.readlink(f"/proc/{postgres_processes(site)[0]}/exe")
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
