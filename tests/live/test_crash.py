# SPDX-License-Identifier: Apache-2.0
"""kill -9 at every step, of every program, broker and database included: each submitted task ends with exactly one outcome,
with the findings of an undisturbed run, and the control totals are equal."""
import json
import shutil

from harness import wait_until
from marks import own_site

SITE = {"task__ack_wait": "1s", "task__shard_bytes": "64KiB", "worker__checkpoint": "50ms", "worker__read_limit": "1MiB",
        "worker__heartbeat": "1s", "dispatcher__reconcile": "300ms"}
GOOD, BAD = "US0378331005", "US0378331006"
ROWS = 12000


def _file(site):
    site.write("trades.csv", "symbol,isin\n" + "".join(f"S{i},{BAD if i % 97 == 0 else GOOD}\n" for i in range(ROWS)))


def _wanted():
    return sorted(str(i + 1) for i in range(ROWS) if i % 97 == 0)


def _submit_mix(site, tag, small=60):
    """Keyed small jobs in one batch (they share rides) and a planned file; asked again until somebody answers."""
    lines = "\n".join(json.dumps({"id": f"{tag}-{i}", "pack": "identifiers@1.0.0", "records": [{"isin": BAD if i % 3 == 0 else GOOD}]})
                      for i in range(small))
    file = {"id": f"{tag}-file", "pack": "identifiers@1.0.0", "source": {"uri": "file:trades.csv"}}
    for body in (lines, json.dumps(file)):
        def accepted(body=body):
            try:
                answer = site.api("submit", body, timeout=2)
            except (TimeoutError, OSError, ValueError):
                return False  # nobody answers yet: the same keys are sent again
            return answer["ok"] and not answer.get("rejected")
        wait_until(accepted, 30, "a receipt")
    return small


def _check(site, tag, small=60):
    done = f"select count(*) from report.job_status where job_key like '{tag}-%' and result is not null"
    wait_until(lambda: site.value(done) == str(small + 1), 60, f"the outcomes of {tag}")
    assert site.sql(f"select result, count(*) from report.job_status where job_key like '{tag}-%' and source = 'records' group by 1 order by 1") \
        == [["fail", str(small // 3)], ["pass", str(small - small // 3)]]
    job = site.value(f"select job_id from report.job_status where job_key = '{tag}-file'")
    found = site.sql(f"select record_no from report.finding where job_id = '{job}' order by record_no::text collate \"C\"")
    assert sorted(r[0] for r in found) == _wanted(), (len(found), len(_wanted()))
    assert site.sql("select job_id from report.reconciliation where not balanced") == []
    assert site.value("select count(*) from muster.outcome_conflict") == "0"
    assert site.sql("select reason, count(*) from muster.quarantine group by 1") == []
    assert site.value(f"select count(*) from muster.request where key like '{tag}-%'") == str(small + 1)


def _queue_is_empty(site):
    wait_until(lambda: site.nats.stream("MUSTER_TASKS")["messages"] == 0, 30, "an empty queue")
    wait_until(lambda: site.value("select count(*) from muster.outbox where kind = 'task'") == "0", 30, "an empty outbox")


@own_site
def a_worker_killed_at_every_step_loses_and_doubles_nothing(site):
    _file(site)
    site.dispatcher()
    site.recorder()
    for point in ("worker.pulled", "worker.marked", "worker.opened", "worker.findings_sent", "worker.checkpoint:2",
                  "worker.before_outcome:3", "worker.after_outcome:3", "worker.after_ack:2", "worker.after_purge"):
        tag = "w-" + point.split(".")[1].replace(":", "-")
        victims = []
        if point == "worker.marked":  # only what another agent has left is marked
            victims.append(site.worker("first-" + tag, fail="worker.opened=crash"))
            _submit_mix(site, tag)
            assert victims[0].ended() == -9
        victims.append(site.worker("victim-" + tag, fail=f"{point}=crash", ready=point != "worker.marked"))
        if point != "worker.marked":
            _submit_mix(site, tag)
        assert victims[-1].ended(60) == -9, point
        victims.append(site.worker("heir-" + tag))
        _check(site, tag)
        for p in victims:
            p.close()
    _queue_is_empty(site)


@own_site
def a_dispatcher_killed_at_every_step_loses_and_doubles_nothing(site):
    _file(site)
    site.dispatcher("first").stop()  # makes the streams
    site.recorder()
    site.worker("d1")
    site.worker("d2")
    for point in ("before_commit", "after_commit", "after_publish", "after_mark", "after_answer"):
        victim = site.dispatcher("victim-" + point, fail=f"dispatcher.{point}=crash")
        site.nats.publish("muster.api.submit", json.dumps({"pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]}), reply="_INBOX.x")
        assert victim.ended() == -9
        heir = site.dispatcher("heir-" + point)
        _submit_mix(site, "d-" + point)
        _check(site, "d-" + point)
        assert heir.stop() == 0
    site.dispatcher("last")
    _queue_is_empty(site)
    lost = "select count(*) from report.job_status where result is null"
    wait_until(lambda: site.value(lost) == "0", what="an outcome of every job, of those that were not answered too")


@own_site
def an_intake_message_survives_a_dispatcher_that_dies_before_its_ack(site):
    site.dispatcher("first").stop()
    site.recorder()
    site.worker("a1")
    victim = site.dispatcher("victim", fail="dispatcher.before_intake_ack=crash")
    site.nats.publish_stream("muster.intake", json.dumps({"pack": "identifiers@1.0.0", "records": [{"isin": BAD}], "id": "door"}))
    assert victim.ended() == -9
    site.dispatcher("heir")
    wait_until(lambda: site.value("select result from report.job_status where job_key = 'door'") == "fail")
    intake = lambda: site.nats.api("CONSUMER.INFO.MUSTER_INTAKE.intake")["num_ack_pending"] == 0
    wait_until(intake, 60, "the acknowledgement of its redelivery")
    assert site.value("select count(*) from muster.job where job_key = 'door'") == "1"


@own_site
def a_recorder_killed_at_every_step_loses_and_doubles_nothing(site):
    _file(site)
    site.dispatcher()
    site.worker("a1")
    site.worker("a2")
    for point in ("pulled", "before_commit", "after_commit", "after_ack"):
        victim = site.recorder("victim-" + point, fail=f"recorder.{point}:2=crash")
        _submit_mix(site, "r-" + point)
        assert victim.ended() == -9
        heir = site.recorder("heir-" + point)
        _check(site, "r-" + point)
        assert heir.stop() == 0
    site.recorder("last")
    _queue_is_empty(site)


@own_site
def a_stopped_recorder_is_replaced(site):
    _file(site)
    site.dispatcher()
    site.worker("a1")
    active = site.recorder("active")
    wait_until(lambda: b"recording" in open(active.log_path, "rb").read(), what="an active recorder")
    site.recorder("stand-by")
    active.pause()
    _submit_mix(site, "standby")
    _check(site, "standby")
    active.resume()
    _submit_mix(site, "resumed")
    _check(site, "resumed")
    assert active.alive()


@own_site
def a_stopped_leader_is_replaced(site):
    _file(site)
    leader = site.dispatcher("leader")
    wait_until(lambda: site.holder_of("leader") == str(leader.pid), what="a leader")
    heir = site.dispatcher("heir")
    leader.pause()
    wait_until(lambda: site.holder_of("leader") == str(heir.pid), 30, "another leader")
    leader.resume()
    wait_until(lambda: b"went with its database session" in open(leader.log_path, "rb").read(), what="its standing by")
    assert heir.stop() == 0
    wait_until(lambda: site.holder_of("leader") == str(leader.pid), what="the first one leading again")
    site.recorder()
    site.worker("a1")
    _submit_mix(site, "led")
    _check(site, "led")


@own_site
def a_leader_without_a_broker_leaves_the_duty_to_others(site):
    _file(site)
    leader = site.dispatcher("leader")
    wait_until(lambda: site.holder_of("leader") == str(leader.pid), what="a leader")
    site.crash("nats")
    wait_until(lambda: site.holder_of("leader") is None, 30, "the lock let go")
    site.start("nats")
    wait_until(lambda: site.holder_of("leader") == str(leader.pid), 30, "the duty taken up again")
    site.recorder()
    site.worker("a1")
    _submit_mix(site, "again")
    _check(site, "again")


@own_site
def a_zombie_agent_changes_nothing(site):
    _file(site)
    site.dispatcher()
    site.recorder()
    zombie = site.worker("zombie")
    _submit_mix(site, "z")
    wait_until(lambda: site.sql("select 1 from report.task_history where stage = 'scan' limit 1"), 30)
    zombie.pause()
    site.worker("heir")
    _check(site, "z")
    zombie.resume()
    _submit_mix(site, "after")
    _check(site, "after")
    assert zombie.alive()
    _queue_is_empty(site)


@own_site
def a_drained_agent_hands_back_without_burning_an_attempt(site):
    _file(site)
    site.dispatcher()
    site.recorder()
    first = site.worker("first")
    _submit_mix(site, "drain")
    wait_until(lambda: site.sql("select 1 from report.task_history where stage = 'scan' and result is not null limit 1"), 30)
    assert first.stop(10) == 0
    site.worker("second")
    _check(site, "drain")
    assert site.value("select coalesce(max(crashes), 0) from report.task_history") == "0"


@own_site
def a_broker_killed_under_load_loses_nothing(site):
    _file(site)
    site.all(workers=2)
    for turn in range(3):
        _submit_mix(site, f"b{turn}")
        site.crash("nats")
        site.start("nats")
    for turn in range(3):
        _check(site, f"b{turn}")
    _queue_is_empty(site)


@own_site
def a_database_killed_under_load_loses_nothing(site):
    _file(site)
    site.all(workers=2)

    def refused():  # what the killed server's processes had in hand they may still commit
        answer = site.api("submit", {"pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]})
        return not answer["ok"] and answer
    for turn in range(3):
        _submit_mix(site, f"p{turn}")
        site.crash("postgres")
        assert wait_until(refused, 10, "a refusal")["error"]["code"] == "unavailable"
        site.start("postgres")
    for turn in range(3):
        _check(site, f"p{turn}")
    _queue_is_empty(site)


@own_site
def a_wiped_broker_is_filled_again_from_the_database(site):
    _file(site)
    site.dispatcher()
    site.recorder()
    _submit_mix(site, "wiped")
    wait_until(lambda: site.value("select count(*) from muster.outbox where kind = 'task' and published_at is null") == "0")
    site.halt("nats")
    shutil.rmtree(site.dir + "/nats/jetstream")
    site.start("nats")
    site.worker("a1")
    _check(site, "wiped")
