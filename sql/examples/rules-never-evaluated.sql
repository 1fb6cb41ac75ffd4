-- SPDX-License-Identifier: Apache-2.0
-- title: Rules that were never evaluated
-- question: Which rules of which packs ran over a source and could not be evaluated for a single record, so
--   that nothing is known of what they ask?
-- parameter: since  day  default 30 days ago  first day of submission, UTC
-- chart: bar x=rule y=not_evaluated  Records that the rule wanted to look at
--
-- "Not evaluated" is a value that was missing, "out of scope" a record that the rule does not speak of. A rule that had
-- only the latter is listed, too: nobody should take it for a control that works.
select split_part(c.pack, '@', 1) as pack, c.source, c.rule, (array_agg(c.severity order by c.job_id desc))[1] as severity, count(*) as jobs,
       sum(c.not_evaluated)::bigint as not_evaluated, sum(c.error)::bigint as unreadable, sum(c.out_of_scope)::bigint as out_of_scope,
       case when sum(c.error) > 0 then 'values that cannot be read as their type'
            when sum(c.not_evaluated) > 0 then 'its columns are empty or missing'
            when sum(c.out_of_scope) > 0 then 'no record in its scope' else 'no records' end as why
from report.check_result c
join report.job_status j on j.job_id = c.job_id
where j.submitted_at >= report.day('since', '30 days ago')::timestamp at time zone 'UTC' and c.rule <> 'DQ.RECORD'
group by split_part(c.pack, '@', 1), c.source, c.rule
having sum(c.pass + c.warn + c.fail) = 0
order by not_evaluated desc, pack, c.source, c.rule;
