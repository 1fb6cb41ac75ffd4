-- SPDX-License-Identifier: Apache-2.0
-- title: Waiting times by queue and hour
-- question: How long do checks wait in each queue until an agent begins, and how long do they run?
-- parameter: since  day  default 2 days ago  first day, UTC
-- parameter: until  day  default today  last day
-- parameter: queue  text  default %  only queues like this; % is any text
-- chart: line x=hour y=wait_p95_seconds series=lane  Seconds that nineteen of twenty checks waited at most
-- chart: line x=hour y=tasks series=lane  Checks that came in
select l.hour, l.queue || case when l.priority <> 'normal' then ', ' || l.priority else '' end as lane, l.tasks, l.tasks_open,
       round(l.wait_p50_seconds::numeric, 1) as wait_p50_seconds, round(l.wait_p95_seconds::numeric, 1) as wait_p95_seconds,
       round(l.wait_p99_seconds::numeric, 1) as wait_p99_seconds, round(l.wait_max_seconds::numeric, 1) as wait_max_seconds,
       round(l.run_p50_seconds::numeric, 1) as run_p50_seconds, round(l.run_p95_seconds::numeric, 1) as run_p95_seconds
from report.queue_latency l
where l.hour >= report.day('since', '2 days ago')::timestamp at time zone 'UTC'
  and l.hour < (report.day('until', 'today') + 1)::timestamp at time zone 'UTC' and l.queue like report.parameter('queue', '%')
order by l.hour, lane;
