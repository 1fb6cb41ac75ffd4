-- SPDX-License-Identifier: Apache-2.0
-- title: What changed between two runs
-- question: Which findings of a job are new since the run before it of the same source and pack, and which are
--   gone?
-- parameter: job  job  required  id or key of the later job
-- parameter: before  job  optional  id or key of the earlier one; else the latest before it
-- chart: bar x=rule y=* series=change  Findings that are new, and that are gone
--
-- Findings are the same if pack, rule, source and business key are: their fingerprint. Those of rules in shadow mode do not
-- count.
with later as (
    select j.* from report.job_status j where j.job_id = report.job_of(report.parameter('job'))
), earlier as (
    select j.* from report.job_status j
    where j.job_id = coalesce(report.job_of(report.parameter('before')), (
        select p.job_id from report.job_status p, later l
        where p.source = l.source and split_part(p.pack, '@', 1) = split_part(l.pack, '@', 1) and p.job_id < l.job_id
          and p.state = 'completed'
        order by p.job_id desc limit 1))
), now as (
    select f.* from report.finding f join later l on l.job_id = f.job_id where not f.shadow
), then_ as (
    select f.* from report.finding f join earlier e on e.job_id = f.job_id where not f.shadow
), difference as (
    select 'new' as change, n.* from now n where not exists (select from then_ t where t.fingerprint = n.fingerprint)
    union all
    select 'gone', t.* from then_ t where not exists (select from now n where n.fingerprint = t.fingerprint)
)
select d.change, d.rule, d.severity, d.subject, d.message, d.record_no, d.line, d.job_id
from difference d
order by d.change desc, d.rule, d.record_no, d.finding_id;
