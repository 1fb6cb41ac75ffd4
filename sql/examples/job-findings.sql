-- SPDX-License-Identifier: Apache-2.0
-- title: Findings of a job, with their place in the file
-- question: What did a job find, and where in its source does each finding stand?
-- parameter: job  job  required  id or key of the job
-- parameter: rule  text  default %  only rules like this; % is any text
-- chart: bar x=rule y=*  Findings by rule
--
-- byte_off and length cut the record out of the file: tail -c +$((byte_off + 1)) FILE | head -c LENGTH
select f.rule, f.severity, f.outcome, f.record_no, f.line, f.byte_off, f.length, f.subject, f.message, f.evidence
from report.finding f
where f.job_id = report.job_of(report.parameter('job')) and f.rule like report.parameter('rule', '%')
order by case f.severity when 'critical' then 1 when 'high' then 2 when 'medium' then 3 when 'low' then 4 else 5 end,
         f.rule, f.record_no, f.finding_id;
