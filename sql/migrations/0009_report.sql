-- SPDX-License-Identifier: Apache-2.0
-- The report schema: views with a comment on every view and column; names and types are a contract (tests/sql/report_contract.txt).
-- How they stay fast over years of partitions: jobs and outcomes are joined by the key that both are cut by, and so
-- piece by piece, where many are counted. Elsewhere what belongs to a job is fetched row by row, by a lateral query with a
-- limit or a sum, which looks into one partition at a time: it lies between the floor and the ceiling of the job's id. Left
-- to itself, the planner would take each such look for one into every partition, and read them whole instead.
set role muster_owner;

create function report.id_at(moment timestamptz) returns uuid
    language sql immutable strict parallel safe
    -- as muster.id_at, which reporters have no way to: a function that is inlined needs their rights
    as $$ select (lpad(to_hex(floor(extract(epoch from moment) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid $$;
comment on function report.id_at is 'The smallest id of a moment. A filter job_id >= report.id_at(''2026-11-01'') leaves out the partitions before it.';

-- Filters on times, days and hours (UTC; an interval of 0 says so, too, and needs no zone to be looked up by its name at each
-- insert). A block range index costs inserts next to nothing, and rows lie in the order of time
create index job_time on muster.job using brin (submitted_at, ((submitted_at at time zone interval '0')::date),
    date_bin('1 hour', submitted_at, '2000-01-01 00:00Z'), deadline) with (pages_per_range = 32);
create index job_by_key on muster.job (job_key) where job_key is not null;
create index outcome_time on muster.outcome using brin (recorded_at, ((recorded_at at time zone interval '0')::date),
    (date_bin('1 hour', recorded_at, '2000-01-01 00:00Z'))) with (pages_per_range = 32);
create index task_time on muster.task using brin (created_at,
    (date_bin('1 hour', created_at, '2000-01-01 00:00Z'))) with (pages_per_range = 32);
create index finding_time on muster.finding using brin (recorded_at) with (pages_per_range = 32);

create view report.job_status as
select j.job_id, j.job_key,
       case when j.cancelled then 'cancelled'
            when r.result in ('pass', 'warn', 'fail', 'not_evaluated') then 'completed'
            when r.result is not null then 'failed'
            when first.task_id is not null and p.stage is distinct from 'first' then 'running' else 'queued' end as state,
       r.result, r.reason, j.pack, j.source_name as source, j.queue, j.priority, j.as_of, j.labels, j.submitted_at,
       first.started_at, r.finished_at, extract(epoch from first.started_at - j.submitted_at) as wait_seconds,
       extract(epoch from r.finished_at - j.submitted_at) as total_seconds, coalesce(p.expected + (p.stage <> 'first')::int, 1) as tasks,
       coalesce(p.done + (p.stage <> 'first')::int, (first.task_id is not null)::int) as tasks_done,
       coalesce(t.records, case when p.job_id is null then first.records end, 0)::bigint as records,
       coalesce(t.bad, case when p.job_id is null then first.bad end, 0)::bigint as records_bad,
       coalesce(t.findings, case when p.job_id is null then first.findings_total end, 0)::bigint as findings,
       j.deadline, j.trace_id,
       coalesce(t.bytes, case when p.job_id is null then first.bytes end, 0)::bigint as bytes,
       (j.submitted_at at time zone interval '0')::date as day
from muster.job j
left join lateral (select o.* from muster.outcome o where o.task_id = j.job_id limit 1) as first on true
left join muster.job_progress p on p.job_id = j.job_id
left join lateral (
    select sum(v.records) as records, sum(v.bad) as bad, sum(v.findings_total) as findings, sum(v.bytes) as bytes
    from muster.verdict v
    where p.job_id is not null and v.job_id = j.job_id
      and v.task_id between muster.id_floor(j.job_id) and muster.id_ceiling(j.job_id)
) as t on true
cross join lateral (
    select case when p.job_id is not null then p.result when first.result <> 'planned' then first.result end as result,
           case when p.job_id is not null then p.reason else first.reason end as reason,
           case when p.job_id is not null then p.finished_at when first.result <> 'planned' then first.recorded_at end as finished_at
) as r;
comment on view report.job_status is 'One row per job: where it stands and what came out.';
comment on column report.job_status.job_id is 'Id of the job (UUIDv7: begins with the time of submission).';
comment on column report.job_status.job_key is 'Idempotency key that the submitter chose; null if none.';
comment on column report.job_status.state is 'queued, running, completed (with a verdict), failed (without one), cancelled.';
comment on column report.job_status.result is 'pass, warn, fail, not_evaluated; error, rejected, exhausted or cancelled when there is no verdict; null while open.';
comment on column report.job_status.reason is 'Why there is no verdict: a word of the documented list; null if there is one.';
comment on column report.job_status.pack is 'Rule pack and version that the job was pinned to.';
comment on column report.job_status.source is 'Name of the source.';
comment on column report.job_status.queue is 'Lane of the job''s tasks.';
comment on column report.job_status.priority is 'high, normal or low.';
comment on column report.job_status.as_of is 'The day that the rules went by.';
comment on column report.job_status.labels is 'Labels given at submission; null if none.';
comment on column report.job_status.submitted_at is 'When the submission was committed.';
comment on column report.job_status.started_at is 'When its first task was begun; null before.';
comment on column report.job_status.finished_at is 'When the last outcome was recorded; null while open.';
comment on column report.job_status.wait_seconds is 'Seconds from submission until an agent began (by that agent''s clock); null before.';
comment on column report.job_status.total_seconds is 'Seconds from submission until the last outcome was recorded; null while open.';
comment on column report.job_status.tasks is 'How many tasks the job has (so far: a plan may add some).';
comment on column report.job_status.tasks_done is 'How many of them have an outcome.';
comment on column report.job_status.records is 'Records read.';
comment on column report.job_status.records_bad is 'Records that could not be read as records (rule DQ.RECORD).';
comment on column report.job_status.findings is 'Findings of all tasks.';
comment on column report.job_status.deadline is 'When it should be done; null if the submitter did not say.';
comment on column report.job_status.trace_id is 'Trace that the submission belonged to; null if it named none.';
comment on column report.job_status.bytes is 'Bytes of input that its tasks read.';
comment on column report.job_status.day is 'Day of submission, UTC.';

create view report.task_history as
select j.job_id as task_id, j.job_id, j.stage, 1 as attempt, null::int as shard_index, j.queue, j.priority, j.n as published,
       j.submitted_at as created_at, o.result, o.reason, o.message, o.agent, o.delivery as deliveries,
       o.crashes, coalesce(jsonb_array_length(o.resumes), 0) as resumes, (o.resumes -> -1) ->> 'agent' as resumed_by,
       (o.resumes -> -1) ->> 'from_agent' as resumed_from, ((o.resumes -> -1) ->> 'record_no')::bigint as resumed_at_record,
       o.records, o.bytes, o.findings_total as findings, o.started_at, o.finished_at, o.recorded_at, j.source_name as source, j.pack,
       null::uuid as retry_of, extract(epoch from o.started_at - j.submitted_at) as wait_seconds,
       extract(epoch from o.finished_at - o.started_at) as run_seconds
from muster.job j left join muster.outcome o on o.task_id = j.job_id
union all
select t.task_id, j.job_id, t.stage, t.attempt, t.shard_index, t.queue, t.priority, t.n,
       t.created_at, o.result, o.reason, o.message, o.agent, o.delivery,
       o.crashes, coalesce(jsonb_array_length(o.resumes), 0), (o.resumes -> -1) ->> 'agent',
       (o.resumes -> -1) ->> 'from_agent', ((o.resumes -> -1) ->> 'record_no')::bigint,
       o.records, o.bytes, o.findings_total, o.started_at, o.finished_at, o.recorded_at, j.source_name, j.pack,
       t.retry_of, extract(epoch from o.started_at - t.created_at), extract(epoch from o.finished_at - o.started_at)
from muster.task t
left join muster.outcome o on o.task_id = t.task_id
join muster.job j on j.job_id = t.job_id and t.task_id between muster.id_floor(j.job_id) and muster.id_ceiling(j.job_id);
comment on view report.task_history is 'One row per task: who ran it, how often it was handed over, and what came out.';
comment on column report.task_history.task_id is 'Id of the task; a job''s first task has the job''s id.';
comment on column report.task_history.job_id is 'Its job.';
comment on column report.task_history.stage is 'plan (opens the source), scan, or merge.';
comment on column report.task_history.attempt is 'Counts retries by hand.';
comment on column report.task_history.shard_index is 'Which part of a planned source, from 0; null: it is no part.';
comment on column report.task_history.queue is 'Lane of the task.';
comment on column report.task_history.priority is 'high, normal or low.';
comment on column report.task_history.published is 'How often it has been put in the queue.';
comment on column report.task_history.created_at is 'When it was committed.';
comment on column report.task_history.result is 'Its outcome; planned for a plan; null while open.';
comment on column report.task_history.reason is 'Why there is no verdict; null if there is one.';
comment on column report.task_history.message is 'The same in a sentence; null if there is none.';
comment on column report.task_history.agent is 'Who ended it; null while open, or if no agent did.';
comment on column report.task_history.deliveries is 'How often the broker had delivered the message then; null while open.';
comment on column report.task_history.crashes is 'Agents that died on it at its last checkpoint.';
comment on column report.task_history.resumes is 'How often another agent went on from a checkpoint.';
comment on column report.task_history.resumed_by is 'The agent that went on last; null: nobody had to.';
comment on column report.task_history.resumed_from is 'The agent whose checkpoint it was; null: as above.';
comment on column report.task_history.resumed_at_record is 'Record at which it went on; null: as above.';
comment on column report.task_history.records is 'Records read.';
comment on column report.task_history.bytes is 'Bytes of input.';
comment on column report.task_history.findings is 'Findings.';
comment on column report.task_history.started_at is 'When the agent that ended it began; null while open.';
comment on column report.task_history.finished_at is 'When it was done; null while open.';
comment on column report.task_history.recorded_at is 'When the outcome was committed; null while open.';
comment on column report.task_history.source is 'Name of the source.';
comment on column report.task_history.pack is 'Rule pack and version.';
comment on column report.task_history.retry_of is 'The dead task whose place it takes; null if it is the first.';
comment on column report.task_history.wait_seconds is 'Seconds from its commit until the agent that ended it began (by that agent''s clock); null while open.';
comment on column report.task_history.run_seconds is 'Seconds that this agent took; null while open.';

create view report.check_result as
select r.job_id, r.pack, r.source_name as source, r.as_of, r.rule, r.severity, r.mode, r.status, r.pass::bigint as pass,
       r.warn::bigint as warn, r.fail::bigint as fail, r.error::bigint as error, r.not_evaluated::bigint as not_evaluated,
       r.out_of_scope::bigint as out_of_scope, r.per, r.withheld::bigint as withheld, r.reason, r.min_coverage,
       round(r.fail / nullif(r.pass + r.warn + r.fail, 0), 6) as fail_rate,
       r.submitted_at, (r.submitted_at at time zone interval '0')::date as day
from muster.rule_total r;
comment on view report.check_result is 'One row per job and rule: status and counters. Those of a rule over records add up to the records read; a rule over groups counts groups, one with mostly its one verdict.';
comment on column report.check_result.job_id is 'The job.';
comment on column report.check_result.pack is 'Rule pack and version.';
comment on column report.check_result.source is 'Name of the source.';
comment on column report.check_result.as_of is 'The day that the rule went by.';
comment on column report.check_result.rule is 'Id of the rule; DQ.RECORD counts records that could not be read.';
comment on column report.check_result.severity is 'info, low, medium, high, critical.';
comment on column report.check_result.mode is 'active; shadow (findings marked, no status); off (nothing was evaluated, see reason).';
comment on column report.check_result.status is 'fail, error, warn, not_evaluated or pass, over the whole job; null in shadow mode.';
comment on column report.check_result.pass is 'Records that passed; of a rule over groups, groups.';
comment on column report.check_result.warn is 'Records, or groups, in a warning band.';
comment on column report.check_result.fail is 'Records that failed; of a rule over groups, groups. Exact, also where max_findings keeps fewer findings.';
comment on column report.check_result.error is 'Records whose values could not be read as their type.';
comment on column report.check_result.not_evaluated is 'Records with a value missing; never counted as passed.';
comment on column report.check_result.out_of_scope is 'Records that the rule does not speak of.';
comment on column report.check_result.per is 'What the counters count: record; group (of group_by); rule (one verdict of a rule with mostly).';
comment on column report.check_result.withheld is 'Of fail and warn: counted, their findings not kept (max_findings).';
comment on column report.check_result.reason is 'Why nothing was evaluated: not effective (the day lies outside of the rule''s days); else null.';
comment on column report.check_result.min_coverage is 'Share of what is in scope that must be evaluated for a pass, from 0 to 1.';
comment on column report.check_result.fail_rate is 'Share of what was evaluated that failed, from 0 to 1; null if nothing was.';
comment on column report.check_result.submitted_at is 'When the submission was committed.';
comment on column report.check_result.day is 'Day of submission, UTC.';

create view muster.finding_standing as
    select f.*, o.result
    from muster.finding f
    cross join lateral (
        select o.result from muster.outcome o
        where o.task_id = f.task_id
          and (o.input_digest = f.input_digest or (o.input_digest is null and o.result in ('cancelled', 'exhausted', 'error')))
        limit 1
    ) as o
    where o.result not in ('error', 'rejected', 'exhausted') or (
        select true from muster.task t
        where t.retry_of = f.task_id and t.task_id between muster.id_floor(f.task_id) and muster.id_ceiling(f.task_id) limit 1) is null;
comment on view muster.finding_standing is 'Findings of outcomes that are recorded: of the input that the outcome speaks of, and of a chain of retries the last.';

create view report.finding as
select f.finding_id, f.fingerprint, j.job_id, f.task_id, j.pack, j.source_name as source, f.rule, f.severity, f.outcome, f.shadow,
       f.result in ('cancelled', 'exhausted', 'error') as is_partial,
       f.record_no, f.byte_off, f.length, f.line, f.subject, f.part, f.message, f.evidence, f.recorded_at, j.as_of
from muster.job j
join muster.finding_standing f on f.job_id = j.job_id and f.finding_id between muster.id_floor(j.job_id) and muster.id_ceiling(j.job_id);
comment on view report.finding is 'One row per failed rule at one place, of outcomes that are recorded.';
comment on column report.finding.finding_id is 'Follows from task, rule and place: the same work gives the same id.';
comment on column report.finding.fingerprint is 'Follows from pack, rule, source and business key: equal over days and deliveries.';
comment on column report.finding.job_id is 'The job.';
comment on column report.finding.task_id is 'The task.';
comment on column report.finding.pack is 'Rule pack and version.';
comment on column report.finding.source is 'Name of the source.';
comment on column report.finding.rule is 'Id of the rule.';
comment on column report.finding.severity is 'info, low, medium, high, critical.';
comment on column report.finding.outcome is 'fail or warn.';
comment on column report.finding.shadow is 'From a rule in shadow mode: without effect on results.';
comment on column report.finding.is_partial is 'The task did not come to its end: there may be more.';
comment on column report.finding.record_no is 'Number of the record in its source, from 1, header not counted; null: it is of a group.';
comment on column report.finding.byte_off is 'Offset of the record''s first byte in the source; null: as above.';
comment on column report.finding.length is 'Bytes of the record; null: as above.';
comment on column report.finding.line is 'Line of the record''s first byte, from 1; null: as above.';
comment on column report.finding.subject is 'Key of the group, of a rule over groups; null: it is of a record.';
comment on column report.finding.part is 'Tells findings of one subject apart; null: there is one.';
comment on column report.finding.message is 'What is wrong, for people.';
comment on column report.finding.evidence is 'Values that the rule read (masked as declared), lists and editions used.';
comment on column report.finding.recorded_at is 'When it was committed.';
comment on column report.finding.as_of is 'The day that the rules went by.';

create view report.daily_summary as
select s.day, s.pack, s.source, count(*) as jobs,
       count(*) filter (where s.result = 'pass') as passed, count(*) filter (where s.result = 'warn') as warned,
       count(*) filter (where s.result = 'fail') as failed, count(*) filter (where s.result = 'not_evaluated') as not_evaluated,
       count(*) filter (where s.state = 'failed') as without_verdict, count(*) filter (where s.state in ('queued', 'running')) as open,
       sum(s.records)::bigint as records, sum(s.findings)::bigint as findings,
       percentile_cont(0.5) within group (order by s.total_seconds) as median_seconds,
       percentile_cont(0.95) within group (order by s.total_seconds) as p95_seconds,
       count(*) filter (where s.state = 'cancelled') as cancelled, sum(s.records_bad)::bigint as records_bad,
       sum(s.bytes)::bigint as bytes
from report.job_status s
group by s.day, s.pack, s.source;
comment on view report.daily_summary is 'Jobs by day of submission (UTC), pack and source.';
comment on column report.daily_summary.day is 'Day of submission, UTC.';
comment on column report.daily_summary.pack is 'Rule pack and version.';
comment on column report.daily_summary.source is 'Name of the source.';
comment on column report.daily_summary.jobs is 'Jobs submitted.';
comment on column report.daily_summary.passed is 'Jobs with the result pass.';
comment on column report.daily_summary.warned is 'Jobs with the result warn.';
comment on column report.daily_summary.failed is 'Jobs with the result fail.';
comment on column report.daily_summary.not_evaluated is 'Jobs in which nothing could be evaluated.';
comment on column report.daily_summary.without_verdict is 'Jobs that ended in error, rejected, exhausted.';
comment on column report.daily_summary.open is 'Jobs that are not done.';
comment on column report.daily_summary.records is 'Records read.';
comment on column report.daily_summary.median_seconds is 'Half of the jobs took no longer, in seconds, from submission to their result; null if none has one.';
comment on column report.daily_summary.p95_seconds is 'Nineteen of twenty jobs took no longer, in seconds, from submission to their result; null if none has one.';
comment on column report.daily_summary.findings is 'Findings.';
comment on column report.daily_summary.cancelled is 'Jobs that were cancelled.';
comment on column report.daily_summary.records_bad is 'Records that could not be read as records.';
comment on column report.daily_summary.bytes is 'Bytes of input that was read.';

create view report.reconciliation as
select s.job_id, s.result, s.tasks, s.tasks_done, p.records_expected as records_planned, s.records as records_read,
       f.stored as findings_stored, s.findings as findings_stated, c.rules_unequal,
       (s.result is null or s.state in ('failed', 'cancelled')
        or (s.tasks = s.tasks_done and (f.stored = s.findings or muster.is_purged('finding', s.job_id))
            and coalesce(p.records_expected, s.records) = s.records and c.rules_unequal = 0)) as balanced,
       s.pack, s.source, s.submitted_at, s.day
from report.job_status s
left join muster.job_progress p on p.job_id = s.job_id
cross join lateral (
    select count(*) as stored from muster.finding_standing f
    where f.job_id = s.job_id and f.finding_id between muster.id_floor(s.job_id) and muster.id_ceiling(s.job_id)
) as f
cross join lateral (
    select count(*) as rules_unequal
    from muster.verdict v
    cross join lateral (select w.rules from muster.tally w where w.tally_id = v.tally_id limit 1) as w
    cross join lateral jsonb_to_recordset(w.rules) as r(rule text, per text, pass bigint, warn bigint, fail bigint, error bigint,
        not_evaluated bigint, out_of_scope bigint)
    where v.job_id = s.job_id and v.task_id between muster.id_floor(s.job_id) and muster.id_ceiling(s.job_id)
      and v.result in ('pass', 'warn', 'fail', 'not_evaluated') and r.rule <> 'DQ.RECORD' and r.per is null
      and coalesce(r.pass, 0) + coalesce(r.warn, 0) + coalesce(r.fail, 0) + coalesce(r.error, 0)
        + coalesce(r.not_evaluated, 0) + coalesce(r.out_of_scope, 0) <> v.records - v.skipped
) as c;
comment on view report.reconciliation is 'Control totals per job: what was planned was read, what was found is stored, and each rule over records accounts for every one.';
comment on column report.reconciliation.job_id is 'The job.';
comment on column report.reconciliation.result is 'Its result; null while open.';
comment on column report.reconciliation.tasks is 'Tasks that it has.';
comment on column report.reconciliation.tasks_done is 'Tasks with an outcome.';
comment on column report.reconciliation.records_planned is 'Records that the plan counted; null for jobs of one task.';
comment on column report.reconciliation.records_read is 'Records that its tasks read.';
comment on column report.reconciliation.findings_stored is 'Findings that stand in the database.';
comment on column report.reconciliation.findings_stated is 'Findings that the outcomes state.';
comment on column report.reconciliation.rules_unequal is 'Counters of rules over records that do not add up to the records read.';
comment on column report.reconciliation.balanced is 'True if all agree, or the job has no verdict yet. There must be no false. Findings that the retention policy took out are not missed.';
comment on column report.reconciliation.pack is 'Rule pack and version.';
comment on column report.reconciliation.source is 'Name of the source.';
comment on column report.reconciliation.submitted_at is 'When the submission was committed.';
comment on column report.reconciliation.day is 'Day of submission, UTC.';

create table muster.whole (one boolean primary key default true check (one));
insert into muster.whole values (true);
comment on table muster.whole is 'One row, which only those see who see all tenants: a view that counts over all of them is joined with it.';

create view report.alert as
select c.name, c.value, a.hint
from muster.whole cross join muster.counts() as c
join (values ('outcome_conflict', 'two agents computed different outcomes from equal input: compare their versions'),
             ('quarantine', 'results that belong to no task of ours: look at muster.quarantine'),
             ('default_rows', 'rows outside all partitions: is the leader running muster.maintain()?')) as a (name, hint) using (name)
where c.value > 0;
comment on view report.alert is 'What should never be, if it is: one row per kind. Empty on a good day.';
comment on column report.alert.name is 'Kind: outcome_conflict, quarantine, default_rows.';
comment on column report.alert.value is 'How many there are.';
comment on column report.alert.hint is 'What it means and what to do.';

-- ---- parameters of a question: `set report.since = '2026-11-01'` in psql, since=2026-11-01 behind `muster report NAME` ----

create function report.parameter(name text, fallback text default null) returns text
    language sql stable parallel safe
    as $$ select coalesce(nullif(current_setting('report.' || name, true), ''), fallback) $$;
comment on function report.parameter is 'The setting report.<name> of this session, or the fallback: parameters of the questions in sql/examples.';

create function report.day(name text, fallback text default null) returns date
    language sql stable parallel safe
    as $$
    select case when p.v ~ '^\d{4}-\d\d-\d\d$' then p.v::date
                when lower(p.v) = 'today' then p.today when lower(p.v) = 'yesterday' then p.today - 1
                when lower(p.v) = 'tomorrow' then p.today + 1 else (p.today + p.v::interval)::date end
    from (select report.parameter(name, fallback) as v, (now() at time zone 'UTC')::date as today) as p
    $$;
comment on function report.day is 'A parameter that is a day, of UTC whatever the session''s zone is: 2026-11-24, today, yesterday, 30 days ago.';

create function report.job_of(word text) returns uuid
    language sql stable parallel safe -- of its caller: who may not see a job learns nothing of its key
    as $$
    select case when word ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then word::uuid
                else (select s.job_id from report.job_status s where s.job_key = word limit 1) end
    $$;
comment on function report.job_of is 'The id of a job by its id or its key; null if there is no such key, or its job is not one that may be seen.';

revoke all on function report.parameter, report.day, report.job_of from public;
grant execute on function report.parameter, report.day, report.job_of to muster_reporter, muster_auditor;

-- ---- who may what ----

revoke all on all tables in schema muster from public;
revoke all on all functions in schema muster from public;
grant select on all tables in schema report to muster_reporter, muster_auditor;
alter default privileges in schema report grant select on tables to muster_reporter, muster_auditor;
grant usage on schema muster to muster_auditor;
-- a function of a view runs with the rights of who asks
grant execute on function muster.rule_status, muster.counts, muster.id_floor, muster.id_ceiling to muster_reporter, muster_auditor;
revoke all on function report.id_at from public;
grant execute on function report.id_at to muster_reporter, muster_auditor;
grant select on muster.audit, muster.quarantine, muster.outcome_conflict, muster.late_result, muster.rejection to muster_auditor;
grant execute on function muster.lock_key, muster.lock_take, muster.lock_beat, muster.lock_stale, muster.lock_end to muster_dispatcher, muster_recorder;
grant execute on function muster.claim_keys, muster.accept_jobs, muster.outbox_pending, muster.outbox_published,
    muster.outbox_event_done, muster.reject, muster.pack_put, muster.pack_resolve, muster.packs,
    muster.open_tasks, muster.known_tasks, muster.rides_needed, muster.republish, muster.reconcile_candidates, muster.reconcile_note,
    muster.outbox_settled, muster.retry_due, muster.recount_stages, muster.counts, muster.job_status, muster.maintain,
    muster.positions, muster.done_tasks, muster.intake_noted, muster.intake_note to muster_dispatcher;
grant execute on function muster.record_batch, muster.position_note, muster.positions, muster.positions_thin, muster.counts to muster_recorder;
grant select on muster.schema_migration to muster_dispatcher, muster_recorder;

insert into muster.schema_migration (version, name) values (9, 'report');
reset role;
