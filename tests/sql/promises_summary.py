# SPDX-License-Identifier: Apache-2.0
"""What the views that count, time and prove are promised to say."""
import json
import os
import re
import time

from calls import FAIL, Job, Stream, accept, plan_of, sha, tasks_of
from cluster import ROOT

DAY_MS = 86_400_000


def _ran(world, job, seconds=10, wait=2, **more):
    """Its outcome, as of a job that was submitted at the time in its id."""
    stream = Stream(job.id)
    world.db.rows(f"""update muster.job set submitted_at = muster.time_of(job_id), deadline = deadline where job_id = '{job.id}'""")
    stream.record(world.db, [stream.outcome(job, **more)])
    world.db.rows(f"""update muster.outcome set recorded_at = muster.time_of(job_id) + interval '{seconds} seconds',
        started_at = muster.time_of(job_id) + interval '{wait} seconds', finished_at = muster.time_of(job_id) + interval '{seconds} seconds'
        where task_id = '{job.id}'""")


def a_rule_is_summed_over_the_jobs_of_a_day(world):
    some = [{"rule": "ISIN", "severity": "high", "pass": 7, "fail": 2, "not_evaluated": 1},
            {"rule": "SUM", "severity": "low", "per": "group", "fail": 3, "withheld": 2}]
    jobs, stream = accept(world.db, Job(), Job(), Job(), Job(stage="plan")), Stream()
    stream.record(world.db, [stream.outcome(j, result="fail", rules=some, records=10) for j in jobs[:2]] + [stream.outcome(jobs[2])])
    stream.record(world.db, [stream.outcome(jobs[3], result="planned", rules=[], plan=plan_of(2))])
    for task in tasks_of(world.db, jobs[3]):
        stream.record(world.db, [stream.outcome(task, ride=task.id, result="fail", rules=some, records=10)])
    columns = "rule, per, jobs, jobs_failing, pass, fail, not_evaluated, withheld, fail_rate"
    assert world.db.rows(f"select {columns} from report.rule_summary where day = (now() at time zone 'UTC')::date order by rule") == [
        ["ISIN", "record", "4", "3", "29", "8", "4", "0", "0.216216"], ["SUM", "group", "3", "3", "0", "12", "0", "8", "1.000000"]]
    # the same from the jobs' own counters
    assert world.db.rows("""select rule, per, count(*), count(*) filter (where fail > 0), sum(pass), sum(fail), sum(not_evaluated), sum(withheld)
                            from report.check_result group by 1, 2 order by 1""") == [
        r[:8] for r in world.db.rows(f"select {columns} from report.rule_summary order by rule")]


def a_deadline_is_met_or_missed_and_an_open_one_is_forecast(world):
    now = time.time_ns() // 1_000_000
    for day in range(1, 9):
        _ran(world, accept(world.db, Job(ms=now - day * DAY_MS)), seconds=600)
    met, late, slow, fine, foreign = accept(world.db, *(Job(ms=now - 700_000 - i) for i in range(2)), Job(ms=now - 700_000 - 3), Job(ms=now - 60_000),
                                            Job(ms=now - 1000, pack="other@1.0.0"))
    for job, seconds in ((met, 900), (late, 100), (slow, 3600), (fine, 3600), (foreign, 3600)):
        world.db.rows(f"update muster.job set submitted_at = muster.time_of(job_id), deadline = muster.time_of(job_id) + interval '{seconds} seconds' where job_id = '{job.id}'")
    _ran(world, met, seconds=600)
    _ran(world, late, seconds=600)
    got = {r[0]: r[1:] for r in world.db.rows("select job_id, outlook, basis, usual_runs, round(margin_seconds) from report.sla")}
    assert got[met.id] == ["met", None, None, "300"] and got[late.id] == ["missed", None, None, "-500"], got
    assert got[slow.id][:3] == ["at_risk", "history", "8"] and got[fine.id] == ["on_track", "history", "10", "3000"], got
    assert got[foreign.id][:2] == ["unknown", None] and got[foreign.id][3] is None, got


def a_feed_is_late_and_empty_when_it_usually_is_neither(world):
    now = time.time_ns() // 1_000_000
    for day in range(22, 2, -1):
        _ran(world, accept(world.db, Job(ms=now - day * DAY_MS - 3_600_000)), records=100)
    columns = "source, pack, deliveries, last_records, usual_records, is_late, is_empty"
    assert world.db.rows(f"select {columns} from report.source_summary") == [["trades", "identifiers", "19", "100", "100", "t", "f"]]
    _ran(world, accept(world.db, Job(ms=now - 60_000, pack="identifiers@1.1.0")), records=0, result="not_evaluated", rules=[])
    assert world.db.rows(f"select {columns} from report.source_summary") == [["trades", "identifiers", "20", "0", "100", "f", "t"]]


def evidence_says_what_ran_where_and_on_what(world):
    job, stream = accept(world.db, Job(stage="plan")), Stream()
    stream.record(world.db, [stream.outcome(job, result="planned", rules=[], plan=plan_of(2))])
    first, second = tasks_of(world.db, job)
    stream.record(world.db, [
        stream.outcome(first, ride=first.id, records=10, agent="a2", delivery=2, crashes=1,
                       resumes=[{"agent": "a2", "from_agent": "a9", "record_no": 5, "byte_off": 50}]),
        stream.outcome(second, ride=second.id, records=10, agent="a3")])
    row = dict(zip(("pack", "digest", "input", "size", "records", "agents", "deliveries", "crashes", "resumes", "handovers", "result", "terms"),
                   world.db.rows("""select pack, pack_digest, input_digests, input_bytes, records, agents, deliveries, crashes, resumes, handovers,
                                    result, terms_digest from report.evidence""")[0]))
    assert row["pack"] == "identifiers@1.0.0" and row["digest"] == sha("identifiers@1.0.0").hex() and row["terms"] == sha(job.terms).hex()
    assert row["input"] == "{" + sha("the input").hex() + "}" and row["size"] == "200" and row["records"] == "20"
    assert row["agents"] == "{a1,a2,a3,a9}" and (row["deliveries"], row["crashes"], row["resumes"], row["result"]) == ("4", "1", "1", "pass")
    assert json.loads(row["handovers"]) == [{"task_id": first.id, "agent": "a2", "from_agent": "a9", "record_no": 5, "byte_off": 50}]


def a_result_is_stale_once_its_pack_or_list_has_a_higher_version(world):
    def with_list(version):
        job = Job()
        terms = json.loads(job.terms)
        terms["lists"] = {"s": {"name": "sanctions", "version": version, "digest": sha(version).hex()}}
        job.terms = json.dumps(terms, separators=(",", ":")).encode()
        return job

    stream = Stream()
    world.db.rows("select muster.pack_put('identifiers', '1.0.0', sha256('x'), 'x', 'test')")
    old, waits = accept(world.db, with_list("9"), with_list("9"))
    stream.record(world.db, [stream.outcome(old)])
    assert world.db.rows("select * from report.stale_result") == []
    accept(world.db, with_list("10"))
    columns = "job_id, kind, name, used, current"
    assert world.db.rows(f"select {columns} from report.stale_result") == [[old.id, "list", "sanctions", "9", "10"]]
    world.db.rows("select muster.pack_put('identifiers', '1.0.10', sha256('y'), 'y', 'test')")
    assert world.db.rows(f"select {columns} from report.stale_result order by kind") == [
        [old.id, "list", "sanctions", "9", "10"], [old.id, "pack", "identifiers", "1.0.0", "1.0.10"]]


def times_of_queues_and_agents_add_up(world):
    jobs, stream = accept(world.db, *(Job() for _ in range(3))), Stream()
    for job, seconds in zip(jobs[:2], (10, 30)):
        _ran(world, job, seconds=seconds, wait=5, agent="a7", records=100)
    assert world.db.rows("select queue, tasks, tasks_run, tasks_open, wait_p50_seconds, run_p50_seconds, run_max_seconds from report.queue_latency") == [
        ["default", "3", "2", "1", "5", "15", "25.000000"]] or world.db.one("select count(*) from report.queue_latency") == "2", "an hour may end meanwhile"
    assert world.db.rows("select agent, sum(tasks), sum(records), sum(busy_seconds) from report.agent_activity group by 1") == [["a7", "2", "200", "30.000000"]]
    assert world.db.rows("select queue, sum(tasks), sum(records) from report.throughput group by 1") == [["default", "2", "200"]]


def a_counter_says_what_it_counts_and_what_was_withheld(world):
    rules = [{"rule": "SUM", "severity": "low", "per": "group", "fail": 3, "withheld": 2}, {"rule": "OFF", "severity": "low", "mode": "off", "reason": "not effective", "not_evaluated": 1}]
    job, stream = accept(world.db, Job()), Stream()
    stream.record(world.db, [stream.outcome(job, result="fail", rules=rules)])
    assert world.db.rows("select rule, per, withheld, mode, reason, status, fail_rate from report.check_result order by rule") == [
        ["OFF", "record", "0", "off", "not effective", None, None], ["SUM", "group", "2", "active", None, "fail", "1.000000"]]


def readme_tells_of_each_view_what_its_comment_says(world):
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        told = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", file.read().split("### The report schema")[1].split("\n\n")[1], re.M))
    assert told == dict(map(tuple, world.db.rows("""select relname, obj_description(oid, 'pg_class') from pg_class
                                                    where relnamespace = 'report'::regnamespace and relkind = 'v'""")))


PRUNED = ("job_status", "task_history", "check_result", "reconciliation", "evidence")


def a_filter_by_job_reads_few_partitions_and_one_by_day_an_index(world):
    job, stream = accept(world.db, Job()), Stream()
    stream.record(world.db, [stream.outcome(job, result="fail", rules=FAIL, findings=1)], [stream.finding(job)])
    world.db.rows("select muster.maintain(now() - interval '100 days'), muster.maintain(now() - interval '50 days')")
    for view in PRUNED:
        plan = "\n".join(r[0] for r in world.db.rows(f"explain (analyze, costs off, timing off) select * from report.{view} where job_id = '{job.id}'"))
        read = {w for line in plan.splitlines() if "never executed" not in line for w in re.findall(r" on (job_\d+q\d)", line)}
        assert len(read) == 1, (view, plan)
    world.db.rows("set enable_seqscan = off")
    for view, condition, index in (("job_status", "day = '2026-11-24'", "timezone"), ("job_status", "submitted_at > now()", "submitted_at"),
                                   ("sla", "deadline > now()", "deadline"),
                                   ("queue_latency", "hour = '2026-11-24 10:00Z'", "date_bin"), ("throughput", "hour = '2026-11-24 10:00Z'", "date_bin"),
                                   ("agent_activity", "day = '2026-11-24'", "timezone"), ("daily_summary", "day = '2026-11-24'", "timezone"),
                                   ("rule_summary", "day = '2026-11-24'", "timezone"), ("finding", "recorded_at > now()", "recorded_at")):
        plan = "\n".join(r[0] for r in world.db.rows(f"explain (costs off) select * from report.{view} where {condition}"))
        assert "Bitmap Index Scan" in plan and index in plan, (view, condition, plan)
