-- SPDX-License-Identifier: Apache-2.0
-- title: Agents: work, crashes, hand-overs
-- question: What did each agent do in a period, with whose work did it go on, and how often did others have to go
--   on with its own?
-- parameter: since  day  default 7 days ago  first day, UTC
-- parameter: until  day  default today  last day
-- chart: bar x=agent y=tasks  Tasks that each agent ended
-- chart: bar x=agent y=went_on,was_relieved  Tasks that it went on with for others, and that others went on with for it
--
-- crashes are agents that had died on these tasks before; was_relieved counts a task by its last hand-over.
with worked as (
    select a.agent, count(*) as days, sum(a.tasks)::bigint as tasks, sum(a.verdicts)::bigint as verdicts,
           sum(a.without_verdict)::bigint as without_verdict, sum(a.resumed)::bigint as went_on, sum(a.crashes)::bigint as crashes,
           sum(a.records)::bigint as records, sum(a.findings)::bigint as findings, sum(a.busy_seconds) as busy_seconds,
           max(a.last_finished_at) as last_finished_at
    from report.agent_activity a
    where a.day >= report.day('since', '7 days ago') and a.day <= report.day('until', 'today')
    group by a.agent
), relieved as (
    select t.resumed_from as agent, count(*) as was_relieved
    from report.task_history t
    where t.resumes > 0 and t.recorded_at >= report.day('since', '7 days ago')::timestamp at time zone 'UTC'
      and t.recorded_at < (report.day('until', 'today') + 1)::timestamp at time zone 'UTC'
    group by t.resumed_from
)
select agent, coalesce(w.days, 0) as days, coalesce(w.tasks, 0) as tasks, coalesce(w.verdicts, 0) as verdicts,
       coalesce(w.without_verdict, 0) as without_verdict, coalesce(w.went_on, 0) as went_on, coalesce(r.was_relieved, 0) as was_relieved,
       coalesce(w.crashes, 0) as crashes, coalesce(w.records, 0) as records, coalesce(w.findings, 0) as findings,
       round(w.busy_seconds / 3600, 1) as busy_hours, round(w.records / nullif(w.busy_seconds, 0)) as records_per_second, w.last_finished_at
from worked w full join relieved r using (agent)
order by tasks desc, agent;
