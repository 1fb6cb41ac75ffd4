-- SPDX-License-Identifier: Apache-2.0
-- Views that count and time: summaries, latency, deadlines, evidence, staleness. The rules of 0009_report.sql hold here too.
set role muster_owner;

-- ---- what they are found by ----

-- Deliveries of a source, the newest last. Jobs with records in the message are many, have no source, and are left out
create index job_of_source on muster.job (source_name, (split_part(pack, '@', 1)), job_id) where source_name <> 'records';
-- few values, each many times: the index keeps them once
create index job_terms on muster.job (terms_digest);

create function muster.version_order(version text) returns text
    language sql immutable strict parallel safe
    as $$
    select string_agg(case when part[1] ~ '^[0-9]' then lpad(ltrim(part[1], '0'), 31, '0') else part[1] end, '' order by place)
    from regexp_matches(version, '[0-9]+|[^0-9]+', 'g') with ordinality as x(part, place)
    $$;
comment on function muster.version_order is 'Sorts versions by the numbers in them, in collation "C": 10.0 comes after 9.1.';

create table muster.pin (
    terms_digest bytea not null, kind text not null check (kind in ('pack', 'list')), name text not null, version text not null,
    digest text not null,
    primary key (terms_digest, kind, name, version, digest)
);
create index pin_of_version on muster.pin (kind, name, version);
comment on table muster.pin is 'What terms are pinned to: the pack, and each edition of a list; so that what has been superseded is found without reading documents.';

create function muster.pins_taken() returns trigger
    language plpgsql security definer set search_path = pg_catalog, muster
    as $$
declare
    d json;
begin
    d := convert_from(new.document, 'UTF8');
    insert into muster.pin (terms_digest, kind, name, version, digest)
    select new.terms_digest, 'pack', d #>> '{pack,name}', d #>> '{pack,version}', d #>> '{pack,digest}'
    union all
    select new.terms_digest, 'list', l.value ->> 'name', l.value ->> 'version', l.value ->> 'digest' from json_each(d -> 'lists') as l
    on conflict do nothing;
    insert into muster.list_version (name, version, digest)
    select p.name, p.version, decode(p.digest, 'hex') from muster.pin p
    where p.terms_digest = new.terms_digest and p.kind = 'list' order by p.name, p.version
    on conflict do nothing;
    return null;
exception when data_exception or integrity_constraint_violation then
    return null; -- not for here to judge: jobs are accepted, and nothing is said of what they rest on
end
$$;
comment on function muster.pins_taken is 'Notes what new terms are pinned to, and editions of lists that nobody knew.';
create trigger pins_taken after insert on muster.terms for each row execute function muster.pins_taken();

create function muster.stale_terms()
    returns table (terms_digest bytea, kind text, name text, used text, current text, superseded_at timestamptz)
    language sql stable security definer set search_path = pg_catalog, muster
    -- so few are left by a filter on superseded_at that their jobs are found by an index; by a day, jobs are read first
    rows 200
    as $$
    select t.terms_digest, v.kind, v.name, v.version, v.current, v.superseded_at
    from (
        select 'pack', k.name, k.version,
               first_value(k.version) over (partition by k.name order by k.major desc, k.minor desc, k.patch desc),
               min(k.loaded_at) over (partition by k.name order by k.major, k.minor, k.patch
                                      rows between 1 following and unbounded following)
        from muster.pack k
        union all
        select 'list', l.name, l.version,
               first_value(l.version) over (partition by l.name order by muster.version_order(l.version) collate "C" desc),
               min(l.noted_at) over (partition by l.name order by muster.version_order(l.version) collate "C"
                                     rows between 1 following and unbounded following)
        from (select n.name, n.version, min(n.noted_at) as noted_at from muster.list_version n group by n.name, n.version) as l
    ) as v(kind, name, version, current, superseded_at)
    join muster.pin t on t.kind = v.kind and t.name = v.name and t.version = v.version
    where v.superseded_at is not null
    $$;
comment on function muster.stale_terms is 'Terms with a pack or an edition of a list that there is a higher one of: the highest, and when the first higher one was loaded or noted.';

-- ---- counting ----

create view report.rule_summary as
select x.day, x.pack, x.source, x.rule, x.severity, sum(x.jobs)::bigint as jobs,
       sum(x.pass)::bigint as pass, sum(x.warn)::bigint as warn, sum(x.fail)::bigint as fail, sum(x.error)::bigint as error,
       sum(x.not_evaluated)::bigint as not_evaluated, sum(x.out_of_scope)::bigint as out_of_scope,
       round(sum(x.fail) / nullif(sum(x.pass + x.warn + x.fail), 0), 6) as fail_rate, x.mode, x.per,
       coalesce(sum(x.jobs) filter (where x.fail > 0), 0)::bigint as jobs_failing, sum(x.withheld)::bigint as withheld
from (
    -- small jobs mostly end with equal counters, which are looked at once
    select s.day, s.pack, s.source, r.rule, r.severity, coalesce(r.mode, 'active') as mode, coalesce(r.per, 'record') as per, s.jobs,
           coalesce(r.pass, 0) * s.jobs as pass, coalesce(r.warn, 0) * s.jobs as warn, coalesce(r.fail, 0) * s.jobs as fail,
           coalesce(r.error, 0) * s.jobs as error, coalesce(r.not_evaluated, 0) * s.jobs as not_evaluated,
           coalesce(r.out_of_scope, 0) * s.jobs as out_of_scope, coalesce(r.withheld, 0) * s.jobs as withheld
    from (
        select (j.submitted_at at time zone interval '0')::date as day, j.pack, j.source_name as source, o.tally_id, count(*) as jobs
        from muster.job j
        join muster.outcome o on o.task_id = j.job_id
        left join muster.job_progress p on p.job_id = j.job_id
        where p.job_id is null and o.result <> 'planned' and o.tally_id is not null
        group by (j.submitted_at at time zone interval '0')::date, j.pack, j.source_name, o.tally_id
    ) as s
    cross join lateral (select w.rules from muster.tally w where w.tally_id = s.tally_id limit 1) as w
    cross join lateral jsonb_to_recordset(w.rules) as r(rule text, severity text, mode text, per text, pass bigint, warn bigint,
        fail bigint, error bigint, not_evaluated bigint, out_of_scope bigint, withheld bigint)
    union all
    select (t.submitted_at at time zone interval '0')::date, t.pack, t.source_name, t.rule, t.severity, t.mode, t.per, 1,
           t.pass, t.warn, t.fail, t.error, t.not_evaluated, t.out_of_scope, t.withheld
    from muster.rule_total t where t.staged
) as x
group by x.day, x.pack, x.source, x.rule, x.severity, x.mode, x.per;
comment on view report.rule_summary is 'What each rule came to, by day of submission (UTC), pack and source.';
comment on column report.rule_summary.day is 'Day of submission, UTC.';
comment on column report.rule_summary.pack is 'Rule pack and version.';
comment on column report.rule_summary.source is 'Name of the source.';
comment on column report.rule_summary.rule is 'Id of the rule; DQ.RECORD counts records that could not be read.';
comment on column report.rule_summary.severity is 'info, low, medium, high, critical.';
comment on column report.rule_summary.jobs is 'Jobs in which it ran.';
comment on column report.rule_summary.pass is 'Records (see per) that passed.';
comment on column report.rule_summary.warn is 'In a warning band.';
comment on column report.rule_summary.fail is 'That failed. Exact, also where max_findings keeps fewer findings.';
comment on column report.rule_summary.error is 'Whose values could not be read as their type.';
comment on column report.rule_summary.not_evaluated is 'With a value missing; never counted as passed.';
comment on column report.rule_summary.out_of_scope is 'That the rule does not speak of.';
comment on column report.rule_summary.fail_rate is 'Share of what was evaluated that failed, from 0 to 1; null if nothing was.';
comment on column report.rule_summary.mode is 'active, shadow (no effect on results), or off.';
comment on column report.rule_summary.per is 'What the counters count: record, group, or rule.';
comment on column report.rule_summary.jobs_failing is 'Jobs in which something failed by it.';
comment on column report.rule_summary.withheld is 'Of fail and warn: counted, their findings not kept (max_findings).';

create view report.agent_activity as
select x.day, x.agent, count(*) as tasks, count(distinct x.job_id) as jobs,
       count(*) filter (where x.result = 'planned') as plans,
       count(*) filter (where x.result in ('pass', 'warn', 'fail', 'not_evaluated')) as verdicts,
       count(*) filter (where x.result in ('error', 'rejected', 'exhausted', 'cancelled')) as without_verdict,
       count(*) filter (where x.taken_over) as resumed, count(*) filter (where x.delivery > 1) as redelivered,
       coalesce(sum(x.crashes), 0)::bigint as crashes,
       coalesce(sum(x.records) filter (where x.result <> 'planned'), 0)::bigint as records,
       sum(x.bytes)::bigint as bytes, sum(x.findings_total)::bigint as findings,
       sum(x.seconds) as busy_seconds,
       round(coalesce(sum(x.records) filter (where x.result <> 'planned'), 0) / nullif(sum(x.seconds), 0), 1) as records_per_second,
       array_agg(distinct x.queue) as queues, min(x.started_at) as first_started_at, max(x.finished_at) as last_finished_at
from (
    select (o.recorded_at at time zone interval '0')::date as day, o.agent, o.job_id, o.result, (o.resumes -> -1) ->> 'agent' = o.agent as taken_over,
           o.delivery, o.crashes, o.records, o.bytes, o.findings_total, extract(epoch from o.finished_at - o.started_at) as seconds,
           j.queue, o.started_at, o.finished_at
    from muster.outcome o cross join lateral (select j.queue from muster.job j where j.job_id = o.job_id limit 1) as j
    where o.agent is not null
) as x
group by x.day, x.agent;
comment on view report.agent_activity is 'What each agent ended, by day of recording (UTC).';
comment on column report.agent_activity.day is 'Day on which outcomes were recorded, UTC.';
comment on column report.agent_activity.agent is 'Name of the agent.';
comment on column report.agent_activity.tasks is 'Tasks that it ended.';
comment on column report.agent_activity.jobs is 'Jobs that they are of.';
comment on column report.agent_activity.plans is 'Of these tasks, plans.';
comment on column report.agent_activity.verdicts is 'Tasks that ended in pass, warn, fail or not_evaluated.';
comment on column report.agent_activity.without_verdict is 'Tasks that ended in error, rejected, exhausted or cancelled.';
comment on column report.agent_activity.resumed is 'Tasks in which it went on from another agent''s checkpoint.';
comment on column report.agent_activity.redelivered is 'Tasks that the broker had delivered before.';
comment on column report.agent_activity.crashes is 'Agents that had died on these tasks at their last checkpoint.';
comment on column report.agent_activity.records is 'Records read.';
comment on column report.agent_activity.bytes is 'Bytes of input.';
comment on column report.agent_activity.findings is 'Findings.';
comment on column report.agent_activity.busy_seconds is 'Seconds from begin to end of its tasks, summed; more than a day''s if bundles overlap.';
comment on column report.agent_activity.records_per_second is 'Records for each busy second; null if its tasks took no time.';
comment on column report.agent_activity.queues is 'Queues that its tasks came from.';
comment on column report.agent_activity.first_started_at is 'When it began the first of these tasks (by its clock).';
comment on column report.agent_activity.last_finished_at is 'When it ended the last (by its clock).';

-- ---- timing ----

create view report.queue_latency as
select x.hour, x.queue, x.priority, count(*) as tasks, count(x.wait) as tasks_run,
       percentile_cont(0.5) within group (order by x.wait) as wait_p50_seconds,
       percentile_cont(0.95) within group (order by x.wait) as wait_p95_seconds,
       percentile_cont(0.99) within group (order by x.wait) as wait_p99_seconds,
       percentile_cont(0.5) within group (order by x.run) as run_p50_seconds,
       percentile_cont(0.95) within group (order by x.run) as run_p95_seconds,
       percentile_cont(0.99) within group (order by x.run) as run_p99_seconds,
       max(x.wait) as wait_max_seconds, max(x.run) as run_max_seconds, count(*) filter (where x.is_open) as tasks_open
from (
    select date_bin('1 hour', j.submitted_at, '2000-01-01 00:00Z') as hour, j.queue, j.priority, o.task_id is null as is_open,
           case when o.agent is not null then greatest(extract(epoch from o.started_at - j.submitted_at), 0) end as wait,
           case when o.agent is not null then extract(epoch from o.finished_at - o.started_at) end as run
    from muster.job j
    left join lateral (select * from muster.outcome o where o.task_id = j.job_id limit 1) as o on true
    union all
    select date_bin('1 hour', t.created_at, '2000-01-01 00:00Z'), j.queue, j.priority, o.task_id is null,
           case when o.agent is not null then greatest(extract(epoch from o.started_at - t.created_at), 0) end,
           case when o.agent is not null then extract(epoch from o.finished_at - o.started_at) end
    from muster.task t
    left join lateral (select * from muster.outcome o where o.task_id = t.task_id limit 1) as o on true
    cross join lateral (select j.queue, j.priority from muster.job j where j.job_id = t.job_id limit 1) as j
) as x
group by x.hour, x.queue, x.priority;
comment on view report.queue_latency is 'How long tasks waited and ran, by hour of their creation, queue and priority.';
comment on column report.queue_latency.hour is 'Hour in which tasks were created (its begin).';
comment on column report.queue_latency.queue is 'Lane of the tasks.';
comment on column report.queue_latency.priority is 'high, normal or low.';
comment on column report.queue_latency.tasks is 'Tasks created in it.';
comment on column report.queue_latency.tasks_run is 'Of these, tasks that an agent has ended: the times are of these.';
comment on column report.queue_latency.wait_p50_seconds is 'Half of the tasks waited no longer, in seconds, from creation until the agent that ended it began; null if none has run.';
comment on column report.queue_latency.wait_p95_seconds is 'Nineteen of twenty waited no longer, in seconds, from creation until the agent that ended it began; null if none has run.';
comment on column report.queue_latency.wait_p99_seconds is 'Ninety-nine of a hundred waited no longer, in seconds, from creation until the agent that ended it began; null if none has run.';
comment on column report.queue_latency.run_p50_seconds is 'Half of the tasks took no longer, in seconds, from begin to end; null if none has run.';
comment on column report.queue_latency.run_p95_seconds is 'Nineteen of twenty took no longer, in seconds, from begin to end; null if none has run.';
comment on column report.queue_latency.run_p99_seconds is 'Ninety-nine of a hundred took no longer, in seconds, from begin to end; null if none has run.';
comment on column report.queue_latency.wait_max_seconds is 'The longest wait in seconds; null if none has run.';
comment on column report.queue_latency.run_max_seconds is 'The longest run in seconds; null if none has run.';
comment on column report.queue_latency.tasks_open is 'Of these, tasks without an outcome.';

create view report.throughput as
select x.hour, x.queue, count(*) as tasks, count(*) filter (where x.result in ('pass', 'warn', 'fail', 'not_evaluated')) as verdicts,
       count(*) filter (where x.result in ('error', 'rejected', 'exhausted', 'cancelled')) as without_verdict,
       coalesce(sum(x.records) filter (where x.result <> 'planned'), 0)::bigint as records, sum(x.bytes)::bigint as bytes,
       sum(x.findings_total)::bigint as findings, count(distinct x.agent) as agents, sum(x.seconds) as busy_seconds,
       round(count(*) / least(3600, greatest(1, extract(epoch from now() - x.hour))), 3) as tasks_per_second,
       round(coalesce(sum(x.records) filter (where x.result <> 'planned'), 0)
             / least(3600, greatest(1, extract(epoch from now() - x.hour))), 3) as records_per_second
from (
    select date_bin('1 hour', o.recorded_at, '2000-01-01 00:00Z') as hour, j.queue, o.result, o.records, o.bytes,
           o.findings_total, o.agent, extract(epoch from o.finished_at - o.started_at) as seconds
    from muster.outcome o cross join lateral (select j.queue from muster.job j where j.job_id = o.job_id limit 1) as j
) as x
group by x.hour, x.queue;
comment on view report.throughput is 'What was done, by hour of recording and queue.';
comment on column report.throughput.hour is 'Hour in which outcomes were recorded (its begin).';
comment on column report.throughput.queue is 'Lane of the tasks.';
comment on column report.throughput.tasks is 'Tasks that ended.';
comment on column report.throughput.verdicts is 'Of these, in pass, warn, fail or not_evaluated.';
comment on column report.throughput.without_verdict is 'Of these, in error, rejected, exhausted or cancelled; the rest are plans.';
comment on column report.throughput.records is 'Records read.';
comment on column report.throughput.bytes is 'Bytes of input.';
comment on column report.throughput.findings is 'Findings.';
comment on column report.throughput.agents is 'Agents that ended some.';
comment on column report.throughput.busy_seconds is 'Seconds from begin to end of the tasks, summed.';
comment on column report.throughput.tasks_per_second is 'Tasks a second over the hour, or its part until now.';
comment on column report.throughput.records_per_second is 'Records a second over the hour, or its part until now.';

create view report.sla as
select s.job_id, s.job_key, s.pack, s.source, s.queue, s.priority, s.submitted_at, s.deadline,
       s.state, s.result, s.finished_at, s.tasks, s.tasks_done, e.expected_at, extract(epoch from s.deadline - coalesce(s.finished_at, e.expected_at)) as margin_seconds,
       case when s.state = 'cancelled' then null
            when s.result in ('pass', 'warn', 'fail', 'not_evaluated') and s.finished_at <= s.deadline then 'met'
            when s.result is not null or s.deadline < now() then 'missed'
            when e.expected_at is null then 'unknown'
            when e.expected_at > s.deadline or e.is_slow then 'at_risk'
            else 'on_track' end as outlook,
       e.basis, u.runs as usual_runs, u.seconds as usual_seconds, s.labels, s.day
from report.job_status s
left join lateral (
    select percentile_cont(0.95) within group (order by e.total_seconds) as seconds, count(*) as runs
    from (
        select h.job_id from muster.job h
        where s.result is null and s.source <> 'records' and h.source_name <> 'records' and h.source_name = s.source
          and split_part(h.pack, '@', 1) = split_part(s.pack, '@', 1)
          and h.job_id < s.job_id and h.job_id >= report.id_at(s.submitted_at - interval '100 days')
        order by h.job_id desc limit 20
    ) as h
    cross join lateral (
        select d.total_seconds from report.job_status d
        where d.job_id = h.job_id and d.result in ('pass', 'warn', 'fail', 'not_evaluated') limit 1) as e
) as u on s.result is null
cross join lateral (
    select case when s.result is not null or s.state = 'cancelled' then null
                when s.tasks_done > 1 and s.started_at < now()
                then s.started_at + (now() - s.started_at) * (s.tasks::float8 / s.tasks_done)
                when u.seconds is not null then greatest(s.submitted_at + u.seconds * interval '1 second', now()) end as expected_at,
           case when s.result is not null or s.state = 'cancelled' then null
                when s.tasks_done > 1 and s.started_at < now() then 'tasks' when u.seconds is not null then 'history' end as basis,
           s.tasks_done <= 1 and now() > s.submitted_at + u.seconds * interval '1 second' as is_slow
) as e
where s.deadline is not null;
comment on view report.sla is 'Jobs with a deadline: met or missed; of open ones, what is to be expected.';
comment on column report.sla.job_id is 'The job.';
comment on column report.sla.job_key is 'Idempotency key that the submitter chose; null if none.';
comment on column report.sla.pack is 'Rule pack and version.';
comment on column report.sla.source is 'Name of the source.';
comment on column report.sla.queue is 'Lane of the job''s tasks.';
comment on column report.sla.priority is 'high, normal or low.';
comment on column report.sla.submitted_at is 'When the submission was committed.';
comment on column report.sla.deadline is 'When it should be done.';
comment on column report.sla.state is 'queued, running, completed (with a verdict), failed (without one), cancelled.';
comment on column report.sla.result is 'Its result; null while open.';
comment on column report.sla.finished_at is 'When the last outcome was recorded; null while open.';
comment on column report.sla.tasks is 'Tasks that it has so far.';
comment on column report.sla.tasks_done is 'How many of them have an outcome.';
comment on column report.sla.expected_at is 'When it should be done, going by basis; null: it is done, or nobody can say.';
comment on column report.sla.margin_seconds is 'Seconds from its end, or its expected end, to the deadline; negative: too late; null: neither is known.';
comment on column report.sla.outlook is 'met, missed; of open jobs on_track, at_risk (expected after the deadline, or slower than usual already), unknown; null: cancelled. Ended without a verdict is missed.';
comment on column report.sla.basis is 'What expected_at goes by: tasks (its tasks done so far); history (nineteen of twenty of the last runs of its pack and source, in 100 days, took no longer); null: nothing.';
comment on column report.sla.usual_runs is 'Runs that usual_seconds goes by, at most 20; null: it is done.';
comment on column report.sla.usual_seconds is 'Nineteen of twenty of them took no longer, in seconds; null: it is done, or there are none.';
comment on column report.sla.labels is 'Labels given at submission; null if none.';
comment on column report.sla.day is 'Day of submission, UTC.';

create view report.source_summary as
with recursive feed as (
    (select j.source_name, split_part(j.pack, '@', 1) as pack from muster.job j
     where j.source_name <> 'records' and j.job_id >= report.id_at(now() - interval '400 days')
     order by j.source_name, split_part(j.pack, '@', 1) limit 1)
    union all
    select n.source_name, n.pack from feed f cross join lateral (
        select j.source_name, split_part(j.pack, '@', 1) as pack from muster.job j
        where j.source_name <> 'records' and j.job_id >= report.id_at(now() - interval '400 days')
          and (j.source_name, split_part(j.pack, '@', 1)) > (f.source_name, f.pack)
        order by j.source_name, split_part(j.pack, '@', 1) limit 1) as n
)
select f.source_name as source, f.pack, l.job_id as last_job_id, l.submitted_at as last_submitted_at, l.state as last_state,
       l.result as last_result, l.records as last_records, l.findings as last_findings, d.deliveries,
       d.usual_records, round((l.records / nullif(d.usual_records, 0))::numeric, 3) as records_ratio,
       time '00:00' + d.usual_second * interval '1 second' as usual_time, d.usual_gap_hours, x.expected_at,
       x.expected_at < now() as is_late, case when l.result is not null then l.records = 0 end as is_empty
from feed f
cross join lateral (
    select s.job_id, s.submitted_at, s.state, s.result, s.records, s.findings
    from (select j.job_id from muster.job j
          where j.source_name <> 'records' and j.source_name = f.source_name and split_part(j.pack, '@', 1) = f.pack
            and j.job_id >= report.id_at(now() - interval '400 days')
          order by j.job_id desc limit 1) as j
    cross join lateral (select * from report.job_status s where s.job_id = j.job_id limit 1) as s
) as l
cross join lateral (
    select count(*) as deliveries,
           percentile_cont(0.5) within group (order by s.records)
               filter (where s.result in ('pass', 'warn', 'fail', 'not_evaluated')) as usual_records,
           percentile_cont(0.5) within group (order by extract(epoch from (s.submitted_at at time zone 'UTC')::time)) as usual_second,
           percentile_cont(0.95) within group (order by extract(epoch from (s.submitted_at at time zone 'UTC')::time)) as late_second,
           round((percentile_cont(0.5) within group (order by s.gap) / 3600)::numeric, 1) as usual_gap_hours, max(s.gap) as longest_gap,
           array_agg(distinct extract(isodow from s.submitted_at at time zone 'UTC')::int)
               filter (where s.submitted_at > now() - interval '22 days') as weekdays
    from (
        select s.submitted_at, s.records, s.result,
               extract(epoch from lag(s.submitted_at, 1, l.submitted_at) over (order by s.submitted_at desc) - s.submitted_at) as gap
        from (select j.job_id from muster.job j
              where j.source_name <> 'records' and j.source_name = f.source_name and split_part(j.pack, '@', 1) = f.pack
            and j.job_id >= report.id_at(now() - interval '400 days')
                and j.job_id < l.job_id order by j.job_id desc limit 20) as j
        cross join lateral (select * from report.job_status s where s.job_id = j.job_id limit 1) as s
    ) as s
) as d
cross join lateral (
    -- the next day of the week on which it came lately, a little after it usually is there; else after the longest gap
    select case when d.deliveries < 4 or d.usual_gap_hours < 12 then null
                when d.usual_gap_hours <= 180 and cardinality(d.weekdays) > 0 then (
                    select min(t.due) from (
                        select (date_trunc('day', l.submitted_at at time zone 'UTC') + g * interval '1 day'
                                + (d.late_second + 900) * interval '1 second') at time zone 'UTC' as due
                        from generate_series(1, 14) as g
                        where extract(isodow from (l.submitted_at at time zone 'UTC') + g * interval '1 day')::int = any (d.weekdays)) as t)
                else l.submitted_at + 1.25 * d.longest_gap * interval '1 second' end as expected_at
) as x;
comment on view report.source_summary is 'One row per source and pack: the last delivery, held against the twenty before it. Of the last 400 days; records in messages have no source and are not here.';
comment on column report.source_summary.source is 'Name of the source.';
comment on column report.source_summary.pack is 'Name of the rule pack, without its version: it outlives versions.';
comment on column report.source_summary.last_job_id is 'The last delivery.';
comment on column report.source_summary.last_submitted_at is 'When it was submitted.';
comment on column report.source_summary.last_state is 'Where it stands: as report.job_status.state.';
comment on column report.source_summary.last_result is 'Its result; null while open.';
comment on column report.source_summary.last_records is 'Records that it read.';
comment on column report.source_summary.last_findings is 'Its findings.';
comment on column report.source_summary.deliveries is 'Deliveries before it that it is held against, at most 20.';
comment on column report.source_summary.usual_records is 'Half of them had no more records; null: none has a verdict.';
comment on column report.source_summary.records_ratio is 'last_records for each usual record; null: nothing is usual.';
comment on column report.source_summary.usual_time is 'Time of day at which half of them were there, UTC; null: there are none.';
comment on column report.source_summary.usual_gap_hours is 'Half of them came no more than so many hours before the next; null: there are none.';
comment on column report.source_summary.expected_at is 'By when the next should be there: on the next weekday on which it came within three weeks, when nineteen of twenty were there and a quarter of an hour; of rarer ones, after the longest gap and a quarter. Null: fewer than four before it, or several a day.';
comment on column report.source_summary.is_late is 'It is later than expected_at and nothing has come; null: nobody can say.';
comment on column report.source_summary.is_empty is 'The last delivery had no records; null while open.';

-- ---- proving ----

create view report.evidence as
select j.job_id, j.job_key, j.pack,
       (select k.digest from muster.pin k where k.terms_digest = j.terms_digest and k.kind = 'pack') as pack_digest,
       coalesce((select jsonb_agg(jsonb_build_object('name', k.name, 'version', k.version, 'digest', k.digest) order by k.name, k.version)
                 from muster.pin k where k.terms_digest = j.terms_digest and k.kind = 'list'), '[]') as lists,
       j.source_name as source, j.as_of, encode(j.terms_digest, 'hex') as terms_digest,
       nullif(convert_from(d.document, 'UTF8')::json ->> 'params', '{}') as params,
       encode(j.task_digest, 'hex') as task_digest, x.input_digests, x.input_bytes, x.records, x.bytes,
       x.findings, x.outcomes, x.agents, x.deliveries, x.crashes,
       x.resumes, x.handovers, j.n + coalesce(t.published, 0) as published, coalesce(t.retries, 0) as retries,
       case when p.job_id is not null then p.result else x.first_result end as result,
       j.actor as submitted_by, j.submitted_at, x.started_at,
       case when p.job_id is not null then p.finished_at when x.first_result is not null then x.recorded_at end as finished_at,
       (j.submitted_at at time zone interval '0')::date as day, j.trace_id
from muster.job j
join muster.terms d on d.terms_digest = j.terms_digest
left join muster.job_progress p on p.job_id = j.job_id
cross join lateral (
    with o as materialized (
        select o.* from muster.outcome o where o.task_id = j.job_id
        union all
        select o.* from muster.outcome o
        where p.job_id is not null and o.job_id = j.job_id and o.task_id <> o.job_id
          and o.task_id between muster.id_floor(j.job_id) and muster.id_ceiling(j.job_id)
    )
    select array(select distinct encode(o.input_digest, 'hex') from o where o.input_digest is not null order by 1) as input_digests,
           coalesce(max((o.plan ->> 'size')::bigint), max(o.bytes)) as input_bytes,
           coalesce(sum(o.records) filter (where o.result <> 'planned'), 0)::bigint as records,
           coalesce(sum(o.bytes), 0)::bigint as bytes, coalesce(sum(o.findings_total), 0)::bigint as findings, count(*) as outcomes,
           array(select distinct a.agent from o, lateral (
                     select o.agent union all select r ->> 'agent' from jsonb_array_elements(o.resumes) as r
                     union all select r ->> 'from_agent' from jsonb_array_elements(o.resumes) as r) as a(agent)
                 where a.agent is not null order by 1) as agents,
           coalesce(sum(o.delivery), 0)::bigint as deliveries, coalesce(sum(o.crashes), 0)::bigint as crashes,
           coalesce(sum(jsonb_array_length(o.resumes)), 0)::bigint as resumes,
           (select jsonb_agg(jsonb_build_object('task_id', o.task_id) || r.value order by o.task_id, r.ordinality)
            from o, jsonb_array_elements(o.resumes) with ordinality as r) as handovers,
           max(o.result) filter (where o.task_id = j.job_id and o.result <> 'planned') as first_result,
           min(o.started_at) as started_at, max(o.recorded_at) as recorded_at
    from o
) as x
left join lateral (
    select sum(t.n) as published, count(t.retry_of) as retries from muster.task t
    where p.job_id is not null and t.job_id = j.job_id
      and t.task_id between muster.id_floor(j.job_id) and muster.id_ceiling(j.job_id)
) as t on true;
comment on view report.evidence is 'What ran: one row per job with all that its result rests on.';
comment on column report.evidence.job_id is 'The job.';
comment on column report.evidence.job_key is 'Idempotency key that the submitter chose; null if none.';
comment on column report.evidence.pack is 'Rule pack and version; inline@0: rules in the submission.';
comment on column report.evidence.pack_digest is 'SHA-256 of the pack''s document, hex.';
comment on column report.evidence.lists is 'Editions of reference lists: name, version and digest of each; [] if the pack uses none.';
comment on column report.evidence.source is 'Name of the source.';
comment on column report.evidence.as_of is 'The day that the rules went by.';
comment on column report.evidence.terms_digest is 'SHA-256, hex, of all that influences the result beside the input: pins, parameters, day, limits.';
comment on column report.evidence.params is 'Parameters of the pack as JSON; null if none.';
comment on column report.evidence.task_digest is 'SHA-256 of the exact bytes of its first task, hex.';
comment on column report.evidence.input_digests is 'SHA-256 of the input as agents read it, hex: mostly one; empty before a task has read it.';
comment on column report.evidence.input_bytes is 'Bytes of the source, if it was planned, else of what was read; null before.';
comment on column report.evidence.records is 'Records that its tasks read, those of retried tasks too.';
comment on column report.evidence.bytes is 'Bytes that its tasks read, those of plan and retries too.';
comment on column report.evidence.findings is 'Findings of all its tasks, those of retried ones too.';
comment on column report.evidence.outcomes is 'Tasks with an outcome, plan and retried ones too.';
comment on column report.evidence.agents is 'All that worked on it, those whose checkpoint another took over too.';
comment on column report.evidence.deliveries is 'How often the broker delivered its tasks.';
comment on column report.evidence.crashes is 'Agents that died on its tasks at their last checkpoint.';
comment on column report.evidence.resumes is 'How often an agent went on from another''s checkpoint.';
comment on column report.evidence.handovers is 'Who went on where: task_id, from_agent, agent, record_no, byte_off of each; null if nobody had to.';
comment on column report.evidence.published is 'How often its tasks were put in the queue.';
comment on column report.evidence.retries is 'Tasks that were retried by hand.';
comment on column report.evidence.result is 'Its result; null while open.';
comment on column report.evidence.submitted_by is 'Who submitted it, as it was said.';
comment on column report.evidence.submitted_at is 'When the submission was committed.';
comment on column report.evidence.started_at is 'When the first of its tasks with an outcome began; null before.';
comment on column report.evidence.finished_at is 'When the last outcome was recorded; null while open.';
comment on column report.evidence.day is 'Day of submission, UTC.';
comment on column report.evidence.trace_id is 'Trace that the submission belonged to; null if it named none.';

create view report.stale_result as
select j.job_id, j.pack, j.source_name as source, j.as_of, j.submitted_at, r.result, v.kind, v.name, v.used, v.current, v.superseded_at,
       (j.submitted_at at time zone interval '0')::date as day
from muster.stale_terms() as v
join muster.job j on j.terms_digest = v.terms_digest
left join muster.job_progress p on p.job_id = j.job_id
cross join lateral (select coalesce(p.result, o.result) as result from muster.outcome o where o.task_id = j.job_id limit 1) as r
where r.result in ('pass', 'warn', 'fail', 'not_evaluated');
comment on view report.stale_result is 'Results whose pack, or an edition of a list, has been superseded since: one row for each. Filter by superseded_at, day or job.';
comment on column report.stale_result.job_id is 'The job.';
comment on column report.stale_result.pack is 'Rule pack and version that it was pinned to.';
comment on column report.stale_result.source is 'Name of the source.';
comment on column report.stale_result.as_of is 'The day that the rules went by.';
comment on column report.stale_result.submitted_at is 'When the submission was committed.';
comment on column report.stale_result.result is 'Its result: pass, warn, fail or not_evaluated.';
comment on column report.stale_result.kind is 'pack or list: what has been superseded.';
comment on column report.stale_result.name is 'Name of the pack or list.';
comment on column report.stale_result.used is 'Version that the result rests on.';
comment on column report.stale_result.current is 'The highest version that is known.';
comment on column report.stale_result.superseded_at is 'When the first higher version was loaded, or first noted.';
comment on column report.stale_result.day is 'Day of submission, UTC.';

revoke all on all functions in schema muster from public;
grant execute on function muster.stale_terms to muster_reporter, muster_auditor;

insert into muster.schema_migration (version, name) values (18, 'summary');
reset role;
