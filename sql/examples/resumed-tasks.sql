-- SPDX-License-Identifier: Apache-2.0
-- title: Tasks that another agent went on with
-- question: Which tasks changed hands, from whom to whom, and at which record did the next agent go on?
-- parameter: since  day  default 7 days ago  first day on which they ended, UTC
-- chart: bar x=resumed_from y=resumes  Hand-overs by the agent that was relieved
select t.resumed_from, t.resumed_by, t.resumed_at_record, t.records, round(100.0 * t.resumed_at_record / nullif(t.records, 0), 1) as percent_kept,
       t.resumes, t.crashes, t.deliveries, t.result, t.stage, t.shard_index, t.finished_at, t.job_id, t.task_id
from report.task_history t
where t.resumes > 0 and t.recorded_at >= report.day('since', '7 days ago')::timestamp at time zone 'UTC'
order by t.finished_at, t.task_id;
