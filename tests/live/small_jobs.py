# SPDX-License-Identifier: Apache-2.0
"""Small jobs by request and by the stream door, and what must hold when all is quiet again: for stories of databases that
come back or are in trouble."""
import json
import os

from harness import wait_until

SITE = {"task__ack_wait": "1s", "dispatcher__reconcile": "200ms", "worker__heartbeat": "500ms", "task__shard_bytes": "64KiB"}
GOOD, BAD = "US0378331005", "US0378331006"


def a_job(key=None, isin=GOOD, **more):
    return dict({"id": key} if key else {}, pack="identifiers@1.0.0", records=[{"isin": isin}], **more)


def many_jobs(site, tag, count, isin=GOOD):
    """Submitted by request, one body; their ids."""
    answer = site.api("submit", "\n".join(json.dumps(a_job(f"{tag}-{i}", isin)) for i in range(count)))
    assert answer["ok"] and answer["accepted"] == count, answer
    return answer["job_ids"]


def by_intake(site, key=None, isin=GOOD):
    return site.nats.publish_stream("muster.intake", json.dumps(a_job(key, isin)))


def wait_done(site, count, timeout=60):
    wait_until(lambda: site.value("select count(*) from report.job_status where result is not null") == str(count), timeout, f"{count} results")


def data_of(site):
    return os.path.join(site.dir, "pg", "data")


def log_of(program):
    with open(program.log_path, encoding="utf-8", errors="replace") as log:
        return log.read()


def check_sound(site):
    """Nothing contradicts, nothing is out of balance, nothing waits."""
    assert site.value("select count(*) from muster.outcome_conflict") == "0"
    assert site.value("select min(seq) from report.audit_verify()") == ""
    assert site.sql("select job_id from report.reconciliation where not balanced") == []
    wait_until(lambda: site.nats.stream("MUSTER_TASKS")["messages"] == 0 and
               site.value("select count(*) from muster.outbox where kind = 'task'") == "0", 30, "an empty queue")


def postgres_processes(site):
    with open(os.path.join(data_of(site), "postmaster.pid"), encoding="ascii") as f:
        master = int(f.readline())
    found = [master]
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and int(open(f"/proc/{name}/stat").read().rsplit(")", 1)[1].split()[1]) == master:
                found.append(int(name))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found
