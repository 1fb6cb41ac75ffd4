-- SPDX-License-Identifier: Apache-2.0
-- What the recorder calls: one function per batch of result messages (PROTOCOL.md §5, §6).

-- ---- a task, wherever it stands ----

create view muster.any_task as
    select job_id as task_id, job_id, stage, 1 as attempt, null::int as shard_index, body, task_digest, queue, priority, n,
           pack, source_name, cancelled, trace_id, submitted_at as created_at from muster.job
    union all
    select t.task_id, t.job_id, t.stage, t.attempt, t.shard_index, t.body, t.task_digest, t.queue, t.priority, t.n,
           j.pack, j.source_name, j.cancelled, j.trace_id, t.created_at
    from muster.task t join muster.job j using (job_id);
comment on view muster.any_task is 'First tasks of jobs and tasks made later, in one form.';

create function muster.result_of_counts(has_fail boolean, has_error boolean, has_warn boolean, has_pass boolean) returns text
    language sql immutable parallel safe
    as $$ select case when has_fail then 'fail' when has_error then 'error' when has_warn then 'warn' when has_pass then 'pass'
                 else 'not_evaluated' end $$;
comment on function muster.result_of_counts is 'First that occurs of fail, error, warn, pass; else not_evaluated.';

create function muster.rule_status(pass numeric, warn numeric, fail numeric, error numeric, not_evaluated numeric, min_coverage numeric)
    returns text
    language sql immutable parallel safe
    as $$
    select case when fail > 0 then 'fail' when error > 0 then 'error' when warn > 0 then 'warn'
                when pass = 0 then 'not_evaluated'
                when (pass + fail + warn) < min_coverage * (pass + fail + warn + error + not_evaluated) then 'not_evaluated'
                else 'pass' end
    $$;
comment on function muster.rule_status is 'Status of a rule over a job (CHECKS.md, part 1).';

create function muster.pack_document(job uuid) returns jsonb
    language sql stable security definer set search_path = pg_catalog, muster
    as $$
    select coalesce(convert_from(j.body, 'UTF8')::jsonb #> '{pack,document}', convert_from(p.document, 'UTF8')::jsonb)
    from muster.job j left join muster.pack p on p.name || '@' || p.version = j.pack
    where j.job_id = job
    $$;
comment on function muster.pack_document is 'The rules that a job goes by: in its task, or of the pack that it was pinned to.';

create function muster.job_rules(job uuid)
    returns table (rule text, severity text, mode text, min_coverage numeric, pass numeric, warn numeric, fail numeric,
                   error numeric, not_evaluated numeric, out_of_scope numeric, status text)
    language sql stable security definer set search_path = pg_catalog, muster
    as $$
    with meta as (
        select r ->> 'id' as rule, coalesce(r ->> 'mode', 'active') as mode, coalesce((r ->> 'min_coverage')::numeric, 1) as min_coverage
        from jsonb_array_elements(muster.pack_document(job) -> 'rules') as r
    ), sums as (
        select r ->> 'rule' as rule, max(r ->> 'severity') as severity,
               sum(coalesce((r ->> 'pass')::numeric, 0)) as pass, sum(coalesce((r ->> 'warn')::numeric, 0)) as warn,
               sum(coalesce((r ->> 'fail')::numeric, 0)) as fail, sum(coalesce((r ->> 'error')::numeric, 0)) as error,
               sum(coalesce((r ->> 'not_evaluated')::numeric, 0)) as not_evaluated,
               sum(coalesce((r ->> 'out_of_scope')::numeric, 0)) as out_of_scope
        from muster.outcome o, jsonb_array_elements(o.rules) as r
        where o.job_id = job and o.result <> 'planned'
        group by 1
    )
    select s.rule, s.severity, coalesce(m.mode, 'active'), coalesce(m.min_coverage, 1), s.pass, s.warn, s.fail, s.error,
           s.not_evaluated, s.out_of_scope,
           case when coalesce(m.mode, 'active') = 'active'
                then muster.rule_status(s.pass, s.warn, s.fail, s.error, s.not_evaluated, coalesce(m.min_coverage, 1)) end
    from sums s left join meta m using (rule)
    $$;
comment on function muster.job_rules is 'Summed counters and status per rule; rules in shadow mode have no status.';

create function muster.job_result(job uuid) returns text
    language sql stable security definer set search_path = pg_catalog, muster
    as $$
    select muster.result_of_counts(coalesce(bool_or(status = 'fail'), false), coalesce(bool_or(status = 'error'), false),
                                   coalesce(bool_or(status = 'warn'), false), coalesce(bool_or(status = 'pass'), false))
    from muster.job_rules(job)
    $$;
comment on function muster.job_result is 'Result of a job from its summed counters.';

-- ---- stages ----

create function muster.make_scans(plan_task uuid, job uuid, plan jsonb) returns int
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    j muster.job;
    b json;
    made int;
begin
    select * into j from muster.job where job_id = job for update;
    if j.cancelled then
        return 0;
    end if;
    b := convert_from(j.body, 'UTF8')::json;
    with shard as (
        select (o - 1)::int as i, s,
               muster.derive_id(job, sha256(muster.member(plan_task::text) || muster.member(plan ->> 'digest')
                   || muster.member('scan') || muster.member((o - 1)::text) || muster.member('1'))) as id
        from jsonb_array_elements(plan -> 'shards') with ordinality as x(s, o)
    ), text_of as (
        select i, id, convert_to((json_build_object(
            'v', 1, 'task_id', id, 'job_id', job, 'stage', 'scan', 'attempt', 1, 'pack', b -> 'pack', 'lists', b -> 'lists',
            'params', b -> 'params', 'as_of', b -> 'as_of', 'shard_bytes', b -> 'shard_bytes', 'buckets', b -> 'buckets',
            'limits', b -> 'limits', 'source', b -> 'source',
            'input', json_build_object('size', plan -> 'size', 'digest', plan -> 'digest'),
            'shard', json_build_object('index', i, 'count', jsonb_array_length(plan -> 'shards'), 'from', s -> 'from', 'to', s -> 'to',
                'first_record', s -> 'first_record', 'first_line', s -> 'first_line', 'records', s -> 'records',
                'digest', s -> 'digest'),
            'plan_task_id', plan_task))::text, 'UTF8') as body
        from shard
    ), stored as (
        insert into muster.task (task_id, job_id, stage, attempt, shard_index, body, task_digest, queue, priority)
        select id, job, 'scan', 1, i, body, sha256(body), j.queue, j.priority from text_of
        on conflict do nothing returning task_id, body
    )
    insert into muster.outbox (ride_id, n, kind, subject, message_id, members, open, bytes, trace_id)
    select task_id, 1, 'task', 'muster.task.' || j.queue || '.' || j.priority || '.' || task_id, task_id || ':1',
           array[task_id], 1, muster.ride_bytes(task_id, 1, false, j.queue, j.priority, array[body]), j.trace_id
    from stored on conflict do nothing;
    get diagnostics made = row_count;
    insert into muster.job_progress (job_id, stage, expected, records_expected)
    values (job, 'scan', jsonb_array_length(plan -> 'shards'), (plan ->> 'records')::bigint)
    on conflict do nothing;
    return made;
end
$$;
comment on function muster.make_scans is 'The scan tasks of a plan with their queue messages; the ids follow from the plan, so that a replay makes none twice.';

create function muster.task_cleared(rides uuid[], settled uuid[]) returns void
    language sql volatile security definer set search_path = pg_catalog, muster
    as $$
    with per_ride as (
        select r, count(*)::int as k from unnest(rides, settled) as x(r, t) group by 1
    ), gone as (
        delete from muster.outbox o using per_ride p where o.ride_id = p.r and o.kind = 'task' and o.open <= p.k returning o.ride_id
    )
    update muster.outbox o set open = o.open - p.k from per_ride p
    where o.ride_id = p.r and o.kind = 'task' and o.open > p.k
    $$;
comment on function muster.task_cleared is 'Outbox rows go when their last member has an outcome.';

-- ---- the batch ----
--
-- record_batch(stream_created, last_sequence, last_stored, …) takes arrays, unnested by position:
--   o_*  outcomes in the order of the stream: ids, n, queue of the subject, digests, result, totals, rules/plan/resumes/
--        findings-free body as JSON text; o_riding: distinct findings that came in the same message; o_determined:
--        SHA-256 over what is determined; o_computed: pass, warn, fail, not_evaluated, planned, limit_*; o_seq, o_at,
--        o_index: where it stood in the stream
--   f_*  findings, riding or in messages of their own
--   d_*  deferrals
--   q_*  what was found unreadable in C, with its bytes
-- It returns one row of counters. Everything is one transaction with the position.

create function muster.record_batch(
    stream_created text, last_sequence bigint, last_stored timestamptz,
    o_task uuid[], o_job uuid[], o_ride uuid[], o_n int[], o_delivery int[], o_queue text[], o_task_digest bytea[],
    o_input_digest bytea[], o_result text[], o_reason text[], o_message text[], o_records bigint[], o_bad bigint[],
    o_skipped bigint[], o_bytes bigint[], o_findings bigint[], o_riding bigint[], o_rules text[], o_plan text[],
    o_resumes text[], o_crashes int[], o_agent text[], o_incarnation uuid[], o_started timestamptz[],
    o_finished timestamptz[], o_determined bytea[], o_computed boolean[], o_seq bigint[], o_at timestamptz[], o_index int[],
    f_id uuid[], f_task uuid[], f_job uuid[], f_queue text[], f_task_digest bytea[], f_input_digest bytea[],
    f_fingerprint bytea[], f_rule text[], f_severity text[], f_outcome text[], f_shadow boolean[], f_record bigint[],
    f_byte bigint[], f_length bigint[], f_line bigint[], f_subject text[], f_part text[], f_message text[],
    f_evidence text[], f_seq bigint[], f_at timestamptz[], f_index int[],
    d_task uuid[], d_n int[], d_class text[], d_reason text[], d_message text[],
    q_subject text[], q_reason text[], q_bytes bytea[], q_seq bigint[], q_at timestamptz[], q_index int[])
    returns table (outcomes int, findings int, repeats int, late int, conflicts int, quarantined int, incomplete int,
                   deferred int, planned int, finished int)
    language plpgsql volatile security definer
    set search_path = pg_catalog, muster, pg_temp
    set client_min_messages = warning
    -- batches are joined to large tables by key, whatever the statistics of an empty one say
    set enable_hashjoin = off set enable_mergejoin = off
    as $$
#variable_conflict use_column
declare
    r record;
    outbox_made int := 0;
begin
    outcomes := 0; findings := 0; repeats := 0; late := 0; conflicts := 0; quarantined := 0; incomplete := 0; deferred := 0;
    planned := 0; finished := 0;
    create temp table if not exists batch_outcome (
        o int primary key, task uuid, job uuid, ride uuid, n int, delivery int, queue text, task_digest bytea, input_digest bytea,
        result text, reason text, message text, records bigint, bad bigint, skipped bigint, bytes bigint, findings bigint,
        riding bigint, rules text, plan text, resumes text, crashes int, agent text, incarnation uuid, started timestamptz,
        finished timestamptz, determined bytea, computed boolean, seq bigint, at timestamptz, index int,
        wrong text, current_n int, is_first boolean default true, state text) on commit delete rows;
    create temp table if not exists batch_finding (
        o int primary key, id uuid, task uuid, job uuid, task_digest bytea, input_digest bytea, seq bigint, at timestamptz,
        index int, wrong text) on commit delete rows;
    delete from batch_outcome;
    delete from batch_finding;

    -- every outcome beside its task: unknown ones, other digests and other queues are not ours
    insert into batch_outcome (o, task, job, ride, n, delivery, queue, task_digest, input_digest, result, reason, message, records,
        bad, skipped, bytes, findings, riding, rules, plan, resumes, crashes, agent, incarnation, started, finished, determined,
        computed, seq, at, index, wrong, current_n)
    select x.ord, x.task, x.job, x.ride, x.n, x.delivery, x.queue, x.task_digest, x.input_digest, x.result, x.reason, x.message,
           x.records, x.bad, x.skipped, x.bytes, x.findings, x.riding, x.rules, x.plan, x.resumes, x.crashes, x.agent,
           x.incarnation, x.started, x.finished, x.determined, x.computed, x.seq, x.at, x.index,
           case when t.task_id is null then 'unknown_task' when t.task_digest <> x.task_digest then 'wrong_task_digest'
                when t.queue <> x.queue then 'wrong_queue' when t.job_id <> x.job then 'wrong_job' end, t.n
    from unnest(o_task, o_job, o_ride, o_n, o_delivery, o_queue, o_task_digest, o_input_digest, o_result, o_reason, o_message,
                o_records, o_bad, o_skipped, o_bytes, o_findings, o_riding, o_rules, o_plan, o_resumes, o_crashes, o_agent,
                o_incarnation, o_started, o_finished, o_determined, o_computed, o_seq, o_at, o_index)
         with ordinality as x(task, job, ride, n, delivery, queue, task_digest, input_digest, result, reason, message, records,
                bad, skipped, bytes, findings, riding, rules, plan, resumes, crashes, agent, incarnation, started, finished,
                determined, computed, seq, at, index, ord)
    left join lateral (
        select j.job_id as task_id, j.job_id, j.task_digest, j.queue, j.n from muster.job j where j.job_id = x.task
        union all
        select k.task_id, k.job_id, k.task_digest, k.queue, k.n from muster.task k where k.task_id = x.task) as t on true;

    -- first recorded wins, also within a batch
    update batch_outcome b set is_first = false
    from (select o, row_number() over (partition by task order by o) as k from batch_outcome where wrong is null) as x
    where x.o = b.o and x.k > 1;

    -- findings: of a task of ours, with its digest; new ones after the outcome are not taken
    if cardinality(f_id) > 0 then
        insert into batch_finding (o, id, task, job, task_digest, input_digest, seq, at, index, wrong)
        select x.ord, x.id, x.task, x.job, x.task_digest, x.input_digest, x.seq, x.at, x.index,
               case when t.task_id is null then 'unknown_task' when t.task_digest <> x.task_digest then 'wrong_task_digest'
                    when t.queue <> x.queue then 'wrong_queue' when t.job_id <> x.job then 'wrong_job'
                    when exists (select from muster.outcome p where p.task_id = x.task)
                         and not exists (select from muster.finding f where f.finding_id = x.id)
                         and not exists (select from muster.outcome p where p.task_id = x.task and p.input_digest is distinct from x.input_digest)
                         then 'finding_after_outcome' end
        from unnest(f_id, f_task, f_job, f_queue, f_task_digest, f_input_digest, f_seq, f_at, f_index)
             with ordinality as x(id, task, job, queue, task_digest, input_digest, seq, at, index, ord)
        left join lateral (
            select j.job_id as task_id, j.job_id, j.task_digest, j.queue from muster.job j where j.job_id = x.task
            union all
            select k.task_id, k.job_id, k.task_digest, k.queue from muster.task k where k.task_id = x.task) as t on true;

        insert into muster.finding (finding_id, task_id, job_id, task_digest, input_digest, fingerprint, rule, severity, outcome,
            shadow, record_no, byte_off, length, line, subject, part, message, evidence)
        select x.id, x.task, x.job, x.task_digest, x.input_digest, x.fingerprint, x.rule, x.severity, x.outcome, x.shadow,
               x.record_no, x.byte_off, x.length, x.line, x.subject, x.part, x.message, x.evidence::jsonb
        from unnest(f_id, f_task, f_job, f_task_digest, f_input_digest, f_fingerprint, f_rule, f_severity, f_outcome, f_shadow,
                    f_record, f_byte, f_length, f_line, f_subject, f_part, f_message, f_evidence)
             with ordinality as x(id, task, job, task_digest, input_digest, fingerprint, rule, severity, outcome, shadow, record_no,
                    byte_off, length, line, subject, part, message, evidence, ord)
        join batch_finding b on b.o = x.ord and b.wrong is null
        on conflict do nothing;
        get diagnostics findings = row_count;
    end if;

    -- complete or not recorded: what did not ride with the outcome must stand in the table
    update batch_outcome b set state = 'incomplete'
    where wrong is null and is_first and b.findings > b.riding
      and b.findings > (select count(*) from muster.finding f
                        where f.job_id = b.job and f.task_id = b.task and f.task_digest = b.task_digest
                          and f.input_digest is not distinct from b.input_digest)
      and not exists (select from muster.outcome p where p.task_id = b.task);

    with made as (
        insert into muster.outcome (task_id, job_id, n, delivery, task_digest, input_digest, result, reason, message, records, bad,
            skipped, bytes, findings_total, rules, plan, resumes, crashes, agent, incarnation, determined, started_at, finished_at)
        select task, job, n, delivery, task_digest, input_digest, result, reason, message, records, bad, skipped, bytes, b.findings,
               b.rules::jsonb, b.plan::jsonb, b.resumes::jsonb, crashes, agent, incarnation, determined, started, finished
        from batch_outcome b where wrong is null and is_first and state is null order by o
        on conflict do nothing returning task_id
    )
    update batch_outcome b set state = 'recorded' from made where b.task = made.task_id and b.is_first and b.wrong is null;
    get diagnostics outcomes = row_count;

    -- the others met an outcome: equal ones are repeats; computed ones that differ are a conflict; the rest is late
    insert into muster.outcome_conflict (created, sequence, stored_at, index, task_id, n, body)
    select stream_created, b.seq, b.at, b.index, b.task, b.n,
           jsonb_build_object('result', b.result, 'reason', b.reason, 'records', b.records, 'findings_total', b.findings, 'rules', b.rules::jsonb)
    from batch_outcome b join muster.outcome p on p.task_id = b.task
    where b.wrong is null and b.state is null and b.computed and b.determined <> p.determined
      and p.result in ('pass', 'warn', 'fail', 'not_evaluated', 'planned') and p.input_digest is not distinct from b.input_digest
    on conflict do nothing;
    get diagnostics conflicts = row_count;
    insert into muster.late_result (created, sequence, stored_at, index, task_id, n, result, body)
    select stream_created, b.seq, b.at, b.index, b.task, b.n, b.result,
           jsonb_build_object('reason', b.reason, 'records', b.records, 'findings_total', b.findings, 'agent', b.agent)
    from batch_outcome b join muster.outcome p on p.task_id = b.task
    where b.wrong is null and b.state is null and b.determined <> p.determined
      and not (b.computed and p.result in ('pass', 'warn', 'fail', 'not_evaluated', 'planned')
               and p.input_digest is not distinct from b.input_digest)
    on conflict do nothing;
    get diagnostics late = row_count;
    select count(*) - late - conflicts into repeats from batch_outcome b where b.wrong is null and b.state is null;

    -- published again with `fresh`; five such and the task ends
    insert into muster.retry as t (task_id, n, class, reason, message, next_at)
    select b.task, b.n, 'incomplete', 'incomplete', 'fewer findings are stored than the outcome states', now()
    from batch_outcome b where b.state = 'incomplete' and b.n = b.current_n
    on conflict (task_id) do update set n = excluded.n, class = excluded.class, next_at = excluded.next_at,
        attempts = case when t.class = 'incomplete' then t.attempts + 1 else 1 end, reason = excluded.reason, message = excluded.message;
    get diagnostics incomplete = row_count;

    if cardinality(d_task) > 0 then
        insert into muster.retry as t (task_id, n, class, reason, message, next_at)
        select distinct on (x.task) x.task, x.n, x.class, x.reason, x.message,
               now() + case x.class when 'dependency' then interval '5 seconds' else interval '1 second' end
        from unnest(d_task, d_n, d_class, d_reason, d_message) as x(task, n, class, reason, message)
        join lateral (select a.n from muster.job a where a.job_id = x.task union all select a.n from muster.task a where a.task_id = x.task) as a on a.n = x.n
        where not exists (select from muster.outcome p where p.task_id = x.task)
        order by x.task, x.n desc
        on conflict (task_id) do update set n = excluded.n, class = excluded.class, reason = excluded.reason, message = excluded.message,
            attempts = case when t.class = excluded.class and excluded.n > t.n then t.attempts + 1 else t.attempts end,
            next_at = case when excluded.n > t.n
                then now() + least(interval '5 minutes', power(2, least(t.attempts, 8)) * interval '1 second') * (0.5 + random() / 2)
                else t.next_at end;
        get diagnostics deferred = row_count;
    end if;
    if outcomes > 0 then
        delete from muster.retry t using batch_outcome b where b.state = 'recorded' and t.task_id = b.task;
    end if;

    insert into muster.quarantine (created, sequence, stored_at, index, subject, reason, bytes)
    select stream_created, b.seq, b.at, b.index, 'result', b.wrong,
           convert_to(jsonb_build_object('task_id', b.task, 'job_id', b.job, 'n', b.n, 'result', b.result, 'agent', b.agent,
               'task_digest', encode(b.task_digest, 'hex'), 'rules', b.rules, 'findings_total', b.findings)::text, 'UTF8')
    from batch_outcome b where b.wrong is not null
    union all
    select stream_created, b.seq, b.at, 1000 + b.index, 'finding', b.wrong,
           convert_to(jsonb_build_object('finding_id', b.id, 'task_id', b.task, 'job_id', b.job, 'task_digest', encode(b.task_digest, 'hex'))::text, 'UTF8')
    from batch_finding b where b.wrong is not null
    union all
    select stream_created, x.seq, x.at, x.index, x.subject, x.reason, x.bytes
    from unnest(q_subject, q_reason, q_bytes, q_seq, q_at, q_index) as x(subject, reason, bytes, seq, at, index)
    on conflict do nothing;
    get diagnostics quarantined = row_count;

    -- stages: the progress rows are locked in one order
    for r in select b.task, b.job, b.plan::jsonb as plan from batch_outcome b where b.state = 'recorded' and b.result = 'planned' order by b.job loop
        outbox_made := outbox_made + muster.make_scans(r.task, r.job, r.plan);
        planned := planned + 1;
    end loop;
    perform 1 from muster.job_progress p join (select distinct job from batch_outcome where state = 'recorded') as b on b.job = p.job_id
    order by p.job_id for update of p;
    update muster.job_progress p set done = p.done + x.done, bad = p.bad + x.bad
    from (select job, count(*)::int as done,
                 (count(*) filter (where b.result not in ('pass', 'warn', 'fail', 'not_evaluated')))::int as bad
          from batch_outcome b where state = 'recorded' and b.result <> 'planned' group by job) as x
    where p.job_id = x.job and p.finished_at is null;
    update muster.job_progress p
    set finished_at = now(), result = case when p.bad = 0 then muster.job_result(p.job_id) else 'error' end,
        reason = case when p.bad > 0 then 'incomplete_stage' end
    from (select distinct job from batch_outcome where state = 'recorded') as b
    where p.job_id = b.job and p.done >= p.expected and p.finished_at is null;

    -- jobs that ended here: those of one task, and those whose last shard came
    if outcomes > 0 then
        perform muster.task_cleared(array_agg(ride), array_agg(task)) from batch_outcome where state = 'recorded';
        for r in
            with ended as (
                select b.job, b.result, coalesce(b.reason, '') as reason, b.records, b.findings from batch_outcome b
                where b.state = 'recorded' and b.task = b.job and b.result <> 'planned'
                union all
                select p.job_id, p.result, coalesce(p.reason, ''), p.records_expected, null from muster.job_progress p
                join (select distinct job from batch_outcome where state = 'recorded' and task <> job) as b on b.job = p.job_id
                where p.finished_at = now()
            ), numbered as (
                select e.*, case when e.result in ('pass', 'warn', 'fail', 'not_evaluated') then 'completed' else 'failed' end as state,
                       row_number() over () as k from ended e
            )
            select state, count(*)::int as jobs, string_agg(muster.event_json('job_' || state, job, null,
                       ',"result":"' || result || '"' || case when reason <> '' then ',"reason":"' || reason || '"' else '' end), ',') as text
            from numbered group by state, k / 2000
        loop
            perform muster.event_row('job.' || r.state, r.text);
            finished := finished + r.jobs;
            outbox_made := outbox_made + 1;
        end loop;
    end if;
    if outbox_made > 0 then
        perform pg_notify('muster_outbox', '');
    end if;

    insert into muster.recorder_position as p (minute, created, sequence, stored_at, noted_at)
    values (date_trunc('minute', now()), stream_created, last_sequence, last_stored, clock_timestamp())
    on conflict (minute) do update set created = excluded.created, sequence = excluded.sequence, stored_at = excluded.stored_at,
        noted_at = excluded.noted_at;
    if outcomes + quarantined + conflicts + late > 0 then
        perform muster.audit_append('recorder', 'record', coalesce((
            select '[' || string_agg('["outcome","' || task || '","' || encode(determined, 'hex') || '"]', ',' order by o) || ']'
            from batch_outcome where state = 'recorded'), '[]'));
    end if;
    return next;
end
$$;
comment on function muster.record_batch is 'Records one batch of result messages; see the head of its migration for the arrays.';

create function muster.position_note(stream_created text, at_sequence bigint, at_stored timestamptz) returns void
    language sql volatile security definer set search_path = pg_catalog, muster
    as $$
    insert into muster.recorder_position values (date_trunc('minute', clock_timestamp()), stream_created, at_sequence, at_stored, clock_timestamp())
    on conflict (minute) do update set created = excluded.created, sequence = excluded.sequence, stored_at = excluded.stored_at,
        noted_at = excluded.noted_at
    $$;
comment on function muster.position_note is 'Sets the position, in a commit of its own: the stream has gone back or is new.';

create function muster.positions() returns table (created text, sequence bigint, stored_at timestamptz)
    language sql stable security definer set search_path = pg_catalog, muster
    as $$ select created, sequence, stored_at from muster.recorder_position order by noted_at desc $$;
comment on function muster.positions is 'Kept positions, the newest first; the first is the one that rules.';

create function muster.positions_thin() returns void
    language sql volatile security definer set search_path = pg_catalog, muster
    as $$
    delete from muster.recorder_position p
    where noted_at < now() - interval '1 hour'
      and exists (select from muster.recorder_position q where q.noted_at > p.noted_at and date_trunc('day', q.noted_at) = date_trunc('day', p.noted_at))
    $$;
comment on function muster.positions_thin is 'Keeps one position per minute for an hour, then one per day.';
