-- SPDX-License-Identifier: Apache-2.0
-- title: New and reopened exceptions
-- question: Which exceptions came up since a day, for the first time or again, and what has become of them?
-- parameter: since  day  default yesterday  first day, UTC
-- chart: bar x=rule y=* series=change  Exceptions that came up, by rule
--
-- An exception is a finding over its runs: the same as long as pack, rule, source and business key are. change is what
-- happened then, state how it stands now. Rules in shadow mode do not count.
select h.at, h.state as change, e.severity, e.rule, e.source, e.subject, e.message, e.state, e.times_reopened,
       e.is_waived, e.waiver_owner, e.pack, h.job_id, e.exception_id
from report.exception_history h
join report.exception e on e.exception_id = h.exception_id
where h.state in ('new', 'reopened') and not e.shadow and h.at >= report.day('since', 'yesterday')::timestamp at time zone 'UTC'
order by h.at, e.rule, e.exception_id;
