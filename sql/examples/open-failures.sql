-- SPDX-License-Identifier: Apache-2.0
-- title: What failed and is still open
-- question: Which jobs of a day ended without a pass, and have not been made good since by a later
--   job of the same source and pack?
-- parameter: day  day  default yesterday  day of submission, UTC
-- chart: bar x=source y=findings  Findings of what is open, by source
--
-- A job makes an earlier one good if it is of the same source and pack, whatever its version, goes by the same day or a
-- later one, and ends with pass or warn. tried_since counts the others that came later.
with failed as (
    select j.*, split_part(j.pack, '@', 1) as pack_name
    from report.job_status j
    where j.submitted_at >= report.day('day', 'yesterday')::timestamp at time zone 'UTC'
      and j.submitted_at < (report.day('day', 'yesterday') + 1)::timestamp at time zone 'UTC'
      and j.result in ('fail', 'not_evaluated', 'error', 'rejected', 'exhausted')
)
select f.source, f.pack_name as pack, f.result, f.reason, f.findings, f.as_of, f.submitted_at, f.job_key, f.job_id,
       (select count(*) from report.job_status l
        where l.source = f.source and split_part(l.pack, '@', 1) = f.pack_name and l.submitted_at > f.submitted_at) as tried_since
from failed f
where not exists (
    select from report.job_status l
    where l.source = f.source and split_part(l.pack, '@', 1) = f.pack_name and l.submitted_at > f.submitted_at
      and l.as_of >= f.as_of and l.result in ('pass', 'warn'))
order by f.findings desc, f.submitted_at, f.job_id;
