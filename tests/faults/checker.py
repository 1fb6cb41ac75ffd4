# SPDX-License-Identifier: Apache-2.0
"""After the faults: waits until nothing moves, then reads PostgreSQL and judges the invariants of the matrix, in the manner
of a total-queue checker: what was acknowledged is there, once, with the right answer, and nothing else is."""
import statistics
import time

from harness import wait_until
from fault_site import ACK_WAIT

#: what a job comes to, without ids, agents, times: equal jobs must be equal in it, byte for byte
FACES = """
set enable_nestloop = off; -- the planner takes the jobs of a tag for few
with mine as materialized (select job_id from muster.job where split_part(job_key, '-', 1) = '{tag}'),
     f as (select job_id, count(*) as n, md5(string_agg(concat_ws('|', pack, source, rule, severity, outcome, shadow, is_partial, record_no,
               byte_off, length, line, subject, part, message, evidence, encode(fingerprint, 'hex')), E'\\n'
               order by record_no, rule, subject, part)) as face from report.finding
           where job_id in (select job_id from mine) group by job_id),
     c as (select job_id, md5(string_agg(concat_ws('|', rule, severity, mode, status, pass, warn, fail, error, not_evaluated,
               out_of_scope), E'\\n' order by rule)) as face from report.check_result
           where job_id in (select job_id from mine) group by job_id)
select split_part(s.job_key, '-', 2) as kind, concat_ws('|', s.state, s.result, s.reason, s.tasks, s.tasks_done, s.records,
       s.records_bad, s.findings, f.n, f.face, c.face) as face, count(*), min(s.job_key)
from report.job_status s left join f using (job_id) left join c using (job_id)
where s.job_id in (select job_id from mine) group by 1, 2;
reset enable_nestloop
"""
ENDED = """
select count(*) filter (where ended and (split_part(key, '-', 2) <> 'door' or not {lost})), count(*) filter (where not ended)
from (select r.key, case when p.job_id is null then o.task_id is not null and o.result <> 'planned' else p.finished_at is not null end as ended
      from muster.request r left join muster.job_progress p using (job_id) left join muster.outcome o on o.task_id = r.job_id
      where split_part(r.key, '-', 1) = '{tag}') as x
"""
RATES = """select floor(extract(epoch from recorded_at) * 2) / 2 as at, count(*) from muster.outcome
where recorded_at >= to_timestamp({since}) group by 1 order by 1"""


class Broken(AssertionError):
    """An invariant does not hold; the message names it."""


def faces(site, tag):
    found = {}
    for kind, face, count, key in site.sql(FACES.format(tag=tag)):
        found.setdefault(kind, {})[face] = (int(count), key)
    return found


def reference(site, tag="reference"):
    """One job of each kind, one after the other, undisturbed: what all others must equal."""
    from workload import FILES, SMALL, body_of, file_bytes
    for kind in FILES:
        site.write(kind + ".csv", file_bytes(kind))
    for kind in [*SMALL, "door", *FILES]:
        job = site.submit(dict(body_of(kind), id=f"{tag}-{kind}-0"))["job_id"]
        site.done(job)
    want = {}
    for kind, by_face in faces(site, tag).items():
        (want[kind], _), = by_face.items()
    return want


class Checker:
    def __init__(self, site, want):
        self.site, self.want = site, want

    def await_outcomes(self, answers, tag, timeout, lost_doors=False):
        """I1: every acknowledged submission has come to its end. With `lost_doors` what the intake had taken and nobody had
        drained may be gone with the store (the broker's promise, not ours); how many are."""
        expected = len(answers.acknowledged) + (0 if lost_doors else len(answers.door))
        query = ENDED.format(tag=tag, lost="true" if lost_doors else "false")

        def all_ended():
            (ended, still_open), = self.site.sql(query)
            return int(ended) >= expected and int(still_open) == 0
        try:
            wait_until(all_ended, timeout, f"the outcomes of {expected} submissions")
        except AssertionError:
            raise Broken("I1: " + self.who_is_open(answers, tag)) from None
        try:
            wait_until(self._intake_is_drained, timeout, "an intake that has been taken")
        except AssertionError as error:
            raise Broken(f"I1: {error}") from None
        if not lost_doors:
            return 0
        there = int(self.site.value(f"select count(*) from muster.request where split_part(key, '-', 1) = '{tag}' and split_part(key, '-', 2) = 'door'"))
        return len(answers.door) - there

    def _intake_is_drained(self):
        """What it holds has been taken, right or wrong: only then can be said what was lost, and what was refused."""
        try:
            consumer = self.site.nats.api("CONSUMER.INFO.MUSTER_INTAKE.intake")
        except (OSError, TimeoutError):
            return False  # the broker is coming back
        return "error" not in consumer and consumer["num_pending"] == 0 and consumer["num_ack_pending"] == 0

    def who_is_open(self, answers, tag):
        rows = self.site.sql(f"select job_key, state, tasks, tasks_done from report.job_status where split_part(job_key, '-', 1) = '{tag}' and result is null limit 5")
        known = {key for key, in self.site.sql(f"select key from muster.request where split_part(key, '-', 1) = '{tag}'")}
        gone = [key for key in [*answers.acknowledged, *answers.door] if key not in known]
        return f"{len(rows)} or more jobs are open: {rows}; {len(gone)} acknowledged submissions are unknown: {gone[:5]}"

    def judge(self, answers, tag, watch=None, forged=0, kills=0):
        """I2 to I7, I9, I10. `forged`: how many quarantine rows the case itself has caused."""
        site = self.site
        self._nothing_doubled_or_invented(answers, tag)
        self._right_answers(tag)
        rows = site.sql("select reason, count(*) from muster.quarantine group by 1")
        if sum(int(n) for _, n in rows) != forged:
            raise Broken(f"I3: quarantine has {rows}, wanted {forged} rows")
        if watch and watch.gone_back():
            raise Broken(f"I4: {watch.gone_back()[:3]}")
        runs = site.sql("select task_id, crashes from muster.outcome where crashes > 5")
        if runs:
            raise Broken(f"I5: more than five crashes at one place: {runs[:3]}")
        refused = int(site.value("select count(*) from muster.rejection"))
        if refused < answers.rejected_doors:
            raise Broken(f"I6: the intake took {answers.rejected_doors} wrong submissions in this round, {refused} rejections are noted in all")
        verified = site.cli("audit", "verify")
        if verified.returncode != 0:
            raise Broken(f"I7: the audit trail does not hold: {verified.stdout[-500:]}{verified.stderr[-500:]}")
        self.nothing_left()

    def _nothing_doubled_or_invented(self, answers, tag):
        site = self.site
        doubled = site.sql("select task_id, n from muster.outcome_conflict limit 3")
        if doubled:
            raise Broken(f"I2: outcomes that contradict each other: {doubled}")
        known = {key for key, in site.sql(f"select key from muster.request where split_part(key, '-', 1) = '{tag}'")}
        sent = {*answers.acknowledged, *answers.door, *answers.open}
        if known - sent:
            raise Broken(f"I3: jobs that nobody submitted: {list(known - sent)[:3]}")
        (jobs, keys), = site.sql(f"select count(*), count(distinct job_key) from muster.job where split_part(job_key, '-', 1) = '{tag}'")
        if jobs != keys:
            raise Broken(f"I2: {jobs} jobs under {keys} keys")
        stray = site.sql("select task_id from muster.outcome o where not exists (select from muster.any_task t where t.task_id = o.task_id) limit 3")
        if stray:
            raise Broken(f"I3: outcomes of no task: {stray}")
        uneven = site.sql("select job_id, records_planned, records_read, findings_stored, findings_stated from report.reconciliation where not balanced limit 3")
        if uneven:
            raise Broken(f"I10: control totals differ: {uneven}")
        outside = site.sql("select name, value from report.alert")
        if [row for row in outside if row[0] != "quarantine"]:
            raise Broken(f"alerts: {outside}")

    def _right_answers(self, tag):
        for kind, by_face in faces(self.site, tag).items():
            for face, (count, key) in by_face.items():
                if face != self.want[kind]:
                    raise Broken(f"I10: {count} jobs of the kind {kind} (first {key}) came to\n  {face}\nundisturbed it is\n  {self.want[kind]}")

    def nothing_left(self, timeout=40):
        """I9: no message without an open task, nothing in the outbox, no checkpoint of a task that is done."""
        site = self.site
        left = {}

        def clean():
            left["queue"] = site.nats.stream("MUSTER_TASKS")["messages"]
            left["outbox"] = int(site.value("select count(*) from muster.outbox"))
            left["retry"] = int(site.value("select count(*) from muster.retry"))
            return not any(left.values())
        try:
            wait_until(clean, timeout, "an empty queue and outbox")
        except (AssertionError, OSError, TimeoutError):
            raise Broken(f"I9: left over: {left}") from None
        try:
            wait_until(lambda: not self._state_keys(), timeout, "no checkpoints of tasks that are done")
        except AssertionError:
            raise Broken(f"I9: checkpoints are left: {self._state_keys()[:3]}") from None
        for stream, consumer in self._consumers():
            info, state = site.nats.api(f"CONSUMER.INFO.{stream}.{consumer}"), site.nats.stream(stream)
            if info["delivered"]["stream_seq"] > state["last_seq"]:
                raise Broken(f"I9: consumer {consumer} is ahead of its stream")

    @staticmethod
    def _consumers():
        yield "MUSTER_INTAKE", "intake"
        for priority in ("high", "normal", "low"):
            yield "MUSTER_TASKS", "w-default-" + priority

    def _state_keys(self):
        """Keys that hold a state, not a marker."""
        got = self.site.nats.api("STREAM.INFO.KV_muster_state", {"subjects_filter": "$KV.muster_state.>"})
        keys = [subject.rsplit(".", 1)[1] for subject in got["state"].get("subjects", {})]
        return [key for key in keys if self.site.nats.kv("muster_state", key) is not None]

    def back_after(self, began, fault, end):
        """I8: seconds from `end` of the fault until outcomes come at 80 % of the rate that they had between `began` and `fault`
        (wall moments); None if there was too little to compare."""
        rows = [(float(at), int(n)) for at, n in self.site.sql(RATES.format(since=began))]
        before = [n for at, n in rows if began + 0.5 <= at < fault - 0.5]
        if len(before) < 2:
            return None
        usual = statistics.median(before)
        after = [at for at, n in rows if at >= end - 0.5 and n >= 0.8 * usual]
        return max(0.0, after[0] - end) if after else time.time() - end


def spread(values):
    """A distribution in a few words."""
    if not values:
        return "none"
    values = sorted(values)
    return f"p50 {statistics.median(values):.2f} s, max {values[-1]:.2f} s of {len(values)}"


__all__ = ["ACK_WAIT", "Broken", "Checker", "faces", "reference", "spread"]
