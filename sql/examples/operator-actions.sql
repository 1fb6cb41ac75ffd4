-- SPDX-License-Identifier: Apache-2.0
-- title: Actions of operators
-- question: What did people, and the programs' own repairs, do in a period beside the daily work: cancel, retry,
--   waive, change policies, load packs; who, when, to what and why?
-- parameter: since  day  default 30 days ago  first day, UTC
-- parameter: until  day  default today  last day
-- chart: bar x=day y=* series=action  Things that were touched, by day and action
--
-- link is the number in the audit trail: what was done at once has one. `muster audit verify` tells whether the trail holds.
select a.seq as link, a.at, (a.at at time zone 'UTC')::date as day, a.actor, a.action, a.reason, a.object_kind, a.object_id, a.detail,
       j.source, a.job_id
from report.operator_action a
left join report.job_status j on j.job_id = a.job_id
where a.at >= report.day('since', '30 days ago')::timestamp at time zone 'UTC'
  and a.at < (report.day('until', 'today') + 1)::timestamp at time zone 'UTC'
order by a.seq, a.object_kind, a.object_id;
