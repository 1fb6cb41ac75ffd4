-- SPDX-License-Identifier: Apache-2.0
-- title: Proof that a job is complete
-- question: Was everything of a job done and counted, what does its result rest on, and who worked on it?
-- parameter: job  job  required  id or key of the job
--
-- totals must agree: what was planned was read, what outcomes state is stored, each rule over records accounts for all.
-- Findings may be fewer than stated where the retention policy took them out, and only there. The digests are SHA-256: that
-- of the input is `sha256sum` of the (unpacked) file, that of the pack of its document.
with proof as (
    select e.*, s.state, s.reason, r.tasks, r.tasks_done, r.records_planned, r.records_read, r.findings_stated, r.findings_stored,
           r.rules_unequal, r.balanced
    from report.evidence e
    join report.job_status s on s.job_id = e.job_id
    join report.reconciliation r on r.job_id = e.job_id
    where e.job_id = report.job_of(report.parameter('job'))
)
select x.part, x.item, x.stated, x.found, x.agrees
from proof p
cross join lateral (
    select 1 as section, 'job' as part, v.n, v.item, null::text as stated, v.found, null::boolean as agrees
    from (values (1, 'id', p.job_id::text), (2, 'key', p.job_key), (3, 'state', p.state), (4, 'result', nullif(concat_ws(', ', p.result, p.reason), '')),
                 (5, 'submitted by', p.submitted_by), (6, 'submitted at', to_char(p.submitted_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')),
                 (7, 'finished at', to_char(p.finished_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')), (8, 'source', p.source),
                 (9, 'rules went by the day', p.as_of::text)) as v (n, item, found)
    union all
    select 2, 'totals', v.n, v.item, v.stated::text, v.found::text, v.stated = v.found or (v.n = 3 and p.balanced and p.state = 'completed')
    from (values (1, 'tasks, and those with an outcome', p.tasks::bigint, p.tasks_done::bigint),
                 (2, 'records planned, and read', coalesce(p.records_planned, p.records_read), p.records_read),
                 (3, 'findings stated, and stored', p.findings_stated, p.findings_stored),
                 (4, 'counters of rules that do not add up', 0, p.rules_unequal)) as v (n, item, stated, found)
    union all
    select 3, 'rule', row_number() over (order by c.rule), c.rule || ' ' || c.status, null,
           concat_ws(', ', c.pass || ' pass', nullif(c.warn, 0) || ' warn', c.fail || ' fail', nullif(c.error, 0) || ' unreadable',
                     nullif(c.not_evaluated, 0) || ' not evaluated', nullif(c.out_of_scope, 0) || ' out of scope'), null
    from report.check_result c where c.job_id = p.job_id
    union all
    select 4, 'rests on', v.n, v.item, v.stated, v.found, null
    from (values (1, 'pack', p.pack, p.pack_digest), (2, 'terms (pins, parameters, day, limits)', null, p.terms_digest),
                 (3, 'first task', null, p.task_digest), (4, 'parameters', null, p.params)) as v (n, item, stated, found) where v.found is not null
    union all
    select 4, 'rests on', 5, 'list', (l ->> 'name') || '@' || (l ->> 'version'), l ->> 'digest', null from jsonb_array_elements(p.lists) as l
    union all
    select 4, 'rests on', 6, 'input', p.input_bytes || ' bytes', d, null from unnest(p.input_digests) as d
    union all
    select 5, 'work', v.n, v.item, null, v.found, null
    from (values (1, 'agents', array_to_string(p.agents, ', ')), (2, 'deliveries of tasks', p.deliveries::text), (3, 'agents that died', p.crashes::text),
                 (4, 'retries by hand', p.retries::text), (5, 'hand-overs', p.resumes::text)) as v (n, item, found)
    union all
    select 5, 'work', 6, 'hand-over', (h ->> 'from_agent') || ' to ' || (h ->> 'agent'), 'at record ' || (h ->> 'record_no'), null
    from jsonb_array_elements(p.handovers) as h
) as x
order by x.section, x.n, x.stated, x.found;
