-- SPDX-License-Identifier: Apache-2.0
-- title: The oldest open exceptions
-- question: What is open, for how long, in which source; and is it waived? The oldest of each source come first.
-- parameter: days  whole  default 0  only what has been open for so many days at least
-- parameter: source  text  default %  only sources like this; % is any text
-- chart: bar x=source y=* series=age  Open exceptions, by source and age
--
-- Sources come in the order of their oldest one. What is waived is open all the same, until its run no longer finds it.
select e.source, (now() at time zone 'UTC')::date - (e.first_seen_at at time zone 'UTC')::date as days_open,
       case when e.first_seen_at > now() - interval '7 days' then 'up to a week' when e.first_seen_at > now() - interval '30 days' then 'up to 30 days'
            when e.first_seen_at > now() - interval '90 days' then 'up to 90 days' else 'older' end as age,
       e.severity, e.rule, e.subject, e.message, e.state, e.runs_seen, e.times_reopened, e.is_waived, e.waived_until, e.waiver_owner,
       e.first_seen_at, e.last_job_id, e.exception_id
from report.exception e
where e.state <> 'resolved' and not e.shadow and e.source like report.parameter('source', '%')
  and (now() at time zone 'UTC')::date - (e.first_seen_at at time zone 'UTC')::date >= report.parameter('days', '0')::int
order by min(e.first_seen_at) over (partition by e.source), e.source, e.first_seen_at, e.rule, e.exception_id;
