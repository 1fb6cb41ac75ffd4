-- SPDX-License-Identifier: Apache-2.0
-- title: Top rules, this quarter against last
-- question: Which rules found the most in a quarter, and how does that compare with the quarter before?
-- parameter: day  day  default today  a day of the quarter, UTC
-- parameter: most  whole  default 20  so many rules
-- chart: bar x=rule y=this_quarter,last_quarter  Records and groups that a rule failed or warned of
--
-- Counted are records (or groups) that failed or warned, by day of submission, also where their findings were not kept.
-- Rules in shadow mode do not count. If the quarter is not over, it is compared with all of the last one.
with quarter as (
    select date_trunc('quarter', report.day('day', 'today')::timestamp)::date as first_day
), found as (
    select r.rule, split_part(r.pack, '@', 1) as pack, (array_agg(r.severity order by r.day desc, r.pack desc))[1] as severity,
           coalesce(sum(r.fail + r.warn) filter (where r.day >= q.first_day), 0)::bigint as this_quarter,
           coalesce(sum(r.fail + r.warn) filter (where r.day < q.first_day), 0)::bigint as last_quarter,
           coalesce(sum(r.jobs) filter (where r.day >= q.first_day), 0)::bigint as jobs, count(distinct r.source) as sources
    from report.rule_summary r, quarter q
    where r.mode = 'active' and r.day >= (q.first_day - interval '3 months')::date and r.day < (q.first_day + interval '3 months')::date
    group by r.rule, split_part(r.pack, '@', 1)
)
select f.rule, f.pack, f.severity, f.this_quarter, f.last_quarter, f.this_quarter - f.last_quarter as change,
       round(100.0 * (f.this_quarter - f.last_quarter) / nullif(f.last_quarter, 0), 1) as change_percent, f.jobs, f.sources
from found f
where f.this_quarter + f.last_quarter > 0
order by f.this_quarter desc, f.last_quarter desc, f.rule, f.pack
limit report.parameter('most', '20')::int;
