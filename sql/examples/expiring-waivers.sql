-- SPDX-License-Identifier: Apache-2.0
-- title: Waivers that expire soon
-- question: Which waivers run out in the next days, who answers for them, and how many open exceptions do they
--   cover?
-- parameter: days  whole  default 30  so many days ahead
-- chart: bar x=owner y=open_exceptions  Open exceptions that are waived no longer then, by owner
select w.expires_at, (w.expires_at at time zone 'UTC')::date - (now() at time zone 'UTC')::date as days_left, w.owner, w.reason,
       case when w.rule is not null then concat_ws(', ', 'rule ' || w.rule, 'source ' || w.source, 'pack ' || w.pack)
            else count(w.exception_id) || ' exceptions by name' end as what,
       (select count(*) from report.exception e where e.waiver_id = w.waiver_id and e.state <> 'resolved') as open_exceptions,
       w.placed_by, w.placed_at, w.waiver_id
from report.waiver w
where w.state = 'active' and w.expires_at < now() + report.parameter('days', '30')::int * interval '1 day'
group by w.waiver_id, w.expires_at, w.owner, w.reason, w.rule, w.source, w.pack, w.placed_by, w.placed_at
order by w.expires_at, w.waiver_id;
