-- SPDX-License-Identifier: Apache-2.0
-- title: Deadlines missed, and jobs at risk
-- question: Which jobs missed their deadline since a day, and which open ones will not make it, or may not?
-- parameter: since  day  default yesterday  deadlines from this day on, UTC
-- chart: bar x=source y=* series=outlook  Jobs by source
--
-- expected_at is a forecast: by the tasks that are done, or by how long the last runs of the pack and source took. A job that
-- ended without a verdict has missed its deadline.
select s.outlook, s.deadline, coalesce(s.finished_at, s.expected_at) as done_or_expected_at, round(s.margin_seconds::numeric / 60, 1) as margin_minutes,
       s.source, s.pack, s.queue, s.priority, s.state, s.result, s.tasks, s.tasks_done, s.basis as forecast_by, s.job_key, s.job_id
from report.sla s
where s.deadline >= report.day('since', 'yesterday')::timestamp at time zone 'UTC' and s.outlook in ('missed', 'at_risk', 'unknown')
order by s.result is not null, s.deadline, s.job_id;
