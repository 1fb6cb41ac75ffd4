-- SPDX-License-Identifier: Apache-2.0
-- title: Feeds that are late, empty or short
-- question: Which feeds have not come by when they usually have, came without a record, or with far fewer than
--   usual?
-- parameter: percent  whole  default 50  fewer records than so many percent of the usual are few
-- chart: bar x=source y=hours_late  Hours since they should have been there
select s.source, s.pack,
       concat_ws(', ', case when s.is_late then 'late' end,
                 case when s.is_empty then 'empty' when s.records_ratio * 100 < report.parameter('percent', '50')::int then 'few records' end) as what,
       case when s.is_late then round((extract(epoch from now() - s.expected_at) / 3600)::numeric, 1) end as hours_late, s.expected_at,
       s.last_submitted_at, s.last_records, s.usual_records::bigint as usual_records, s.last_result, s.deliveries as compared_with, s.last_job_id
from report.source_summary s
where s.is_late or s.is_empty or (s.last_state = 'completed' and s.records_ratio * 100 < report.parameter('percent', '50')::int)
order by s.is_late desc nulls last, s.expected_at, s.source, s.pack;
