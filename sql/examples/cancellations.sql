-- SPDX-License-Identifier: Apache-2.0
-- title: Who cancelled what, and why
-- question: Which jobs were cancelled, by whom and with which reason?
-- parameter: since  day  default 30 days ago  first day of the cancellations, UTC
-- parameter: until  day  default today  last day of them
-- chart: bar x=actor y=*  Jobs cancelled, by who asked
--
-- Who asks names himself; the audit trail keeps it as it was said (report.operator_action).
select a.at, a.actor, a.reason, j.source, j.pack, j.queue, j.submitted_at, j.tasks, j.tasks_done, j.findings, j.job_key, j.job_id
from report.operator_action a
join report.job_status j on j.job_id = a.job_id
where a.action = 'cancel' and a.object_kind = 'cancelled'
  and a.at >= report.day('since', '30 days ago')::timestamp at time zone 'UTC'
  and a.at < (report.day('until', 'today') + 1)::timestamp at time zone 'UTC'
order by a.at, a.seq, j.job_id;
