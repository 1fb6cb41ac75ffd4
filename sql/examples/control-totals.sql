-- SPDX-License-Identifier: Apache-2.0
-- title: Control totals that differ
-- question: For which jobs do the control totals not agree: tasks, records planned and read, findings stated and
--   stored, counters of rules? There must be none.
-- parameter: since  day  default 30 days ago  first day of submission, UTC
select j.source, r.result, r.tasks, r.tasks_done, r.records_planned, r.records_read, r.findings_stated, r.findings_stored, r.rules_unequal,
       j.submitted_at, r.job_id,
       concat_ws('; ', case when r.tasks <> r.tasks_done then 'tasks without an outcome' end,
                 case when r.records_planned <> r.records_read then 'records planned are not those read' end,
                 case when r.findings_stated <> r.findings_stored then 'findings stated are not those stored' end,
                 case when r.rules_unequal > 0 then 'counters of rules do not add up to the records' end) as what_differs
from report.reconciliation r
join report.job_status j on j.job_id = r.job_id
where not r.balanced and j.submitted_at >= report.day('since', '30 days ago')::timestamp at time zone 'UTC'
order by j.submitted_at, r.job_id;
