-- SPDX-License-Identifier: Apache-2.0
-- title: Results that have gone stale
-- question: Which results rest on a list or pack that was superseded since a day, so that they may be different
--   now: say, since the sanctions list changed?
-- parameter: name  text  default %  only lists and packs like this; % is any text
-- parameter: since  day  default 7 days ago  superseded since this day, UTC
-- parameter: submitted  day  default 90 days ago  only results of jobs submitted since
-- chart: bar x=source y=* series=result  Results to be looked at again, by source
select s.kind, s.name, s.used, s.current, s.superseded_at, s.source, s.result, s.pack, s.as_of, s.submitted_at, s.job_id
from report.stale_result s
where s.name like report.parameter('name', '%') and s.superseded_at >= report.day('since', '7 days ago')::timestamp at time zone 'UTC'
  and s.submitted_at >= report.day('submitted', '90 days ago')::timestamp at time zone 'UTC'
order by s.superseded_at desc, s.name, s.source, s.submitted_at, s.job_id;
