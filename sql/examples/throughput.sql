-- SPDX-License-Identifier: Apache-2.0
-- title: What was done, hour by hour
-- question: How many checks, records and bytes went through each queue in an hour, with how many agents?
-- parameter: since  day  default 2 days ago  first day, UTC
-- parameter: until  day  default today  last day
-- parameter: queue  text  default %  only queues like this; % is any text
-- chart: line x=hour y=tasks series=queue  Checks done
-- chart: line x=hour y=records series=queue  Records read
select t.hour, t.queue, t.tasks, t.verdicts, t.without_verdict, t.records, t.bytes, t.findings, t.agents,
       t.tasks_per_second, t.records_per_second
from report.throughput t
where t.hour >= report.day('since', '2 days ago')::timestamp at time zone 'UTC'
  and t.hour < (report.day('until', 'today') + 1)::timestamp at time zone 'UTC' and t.queue like report.parameter('queue', '%')
order by t.hour, t.queue;
