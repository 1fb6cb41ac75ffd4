-- SPDX-License-Identifier: Apache-2.0
-- title: Failure rates of rules, week by week
-- question: Which share of what the rules looked at failed, and does it rise or fall?
-- parameter: until  day  default today  a day of the last week, UTC
-- parameter: weeks  whole  default 12  so many weeks
-- parameter: rule  text  default %  only rules like this; % is any text
-- parameter: most  whole  default 6  so many rules, those that failed most
-- chart: line x=week y=fail_percent series=rule  Percent of what was evaluated that failed
--
-- Weeks begin on Monday. Rules in shadow mode do not count; a rule that evaluated nothing in a week has no rate then.
with weekly as (
    select date_trunc('week', r.day::timestamp)::date as week, r.rule, split_part(r.pack, '@', 1) as pack, sum(r.jobs)::bigint as jobs,
           sum(r.pass + r.warn + r.fail)::bigint as evaluated, sum(r.fail)::bigint as failed, sum(r.not_evaluated)::bigint as not_evaluated
    from report.rule_summary r
    where r.mode = 'active' and r.rule like report.parameter('rule', '%')
      and r.day >= date_trunc('week', report.day('until', 'today')::timestamp)::date - 7 * (report.parameter('weeks', '12')::int - 1)
      and r.day < date_trunc('week', report.day('until', 'today')::timestamp)::date + 7
    group by date_trunc('week', r.day::timestamp), r.rule, split_part(r.pack, '@', 1)
), most as (
    select w.rule, w.pack from weekly w group by w.rule, w.pack having sum(w.failed) > 0
    order by sum(w.failed) desc, w.rule, w.pack limit report.parameter('most', '6')::int
), rated as (
    select w.*, round(100.0 * w.failed / nullif(w.evaluated, 0), 4) as fail_percent from weekly w join most m using (rule, pack)
)
select r.week, r.rule, r.pack, r.jobs, r.evaluated, r.failed, r.not_evaluated, r.fail_percent,
       r.fail_percent - lag(r.fail_percent) over (partition by r.rule, r.pack order by r.week) as points_since_before
from rated r
order by r.week, r.rule, r.pack;
