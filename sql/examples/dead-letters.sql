-- SPDX-License-Identifier: Apache-2.0
-- title: Dead letters, and what to do
-- question: Which tasks ended without a verdict and have not been retried, by kind of trouble, and what is to
--   be done about each kind?
-- parameter: since  day  default 30 days ago  first day on which they ended, UTC
-- chart: bar x=class y=tasks  Dead tasks by kind of trouble
select d.class, coalesce(d.reason, 'value') as reason, count(*) as tasks, count(distinct d.job_id) as jobs, count(distinct d.source) as sources,
       min(d.recorded_at) as first_at, max(d.recorded_at) as last_at, min(d.message) as for_example,
       case d.class
           when 'transient' then 'retry: muster dead retry --filter class=transient --reason …'
           when 'dependency' then 'see that the source or list is there, then: muster dead retry --filter reason=' || coalesce(d.reason, '…') || ' --reason …'
           when 'bad_input' then 'have it delivered again, then submit a new job: a retry reads the same input'
           when 'bad_configuration' then 'correct pack, list or limit, then submit a new job: a retry has the same pins'
           when 'crash' then 'agents died of it: look at their logs before anybody retries it'
           when 'deadline' then 'it came too late to be done; retry it if the result still matters'
       end as what_to_do
from report.dead_letter d
where d.retried_by is null and d.recorded_at >= report.day('since', '30 days ago')::timestamp at time zone 'UTC'
group by d.class, d.reason
order by tasks desc, d.class, d.reason;
