-- SPDX-License-Identifier: Apache-2.0
-- What the recorder calls: one function per batch of result messages (PROTOCOL.md §5, §6).
set role muster_owner;

-- ---- a task, wherever it stands ----

create view muster.any_task as
    select job_id as task_id, job_id, stage, 1 as attempt, null::int as shard_index, body, task_digest, queue, priority, n,
           pack, source_name, cancelled, trace_id, terms_digest, submitted_at as created_at from muster.job
    union all
    select t.task_id, t.job_id, t.stage, t.attempt, t.shard_index, t.body, t.task_digest, t.queue, t.priority, t.n,
           j.pack, j.source_name, j.cancelled, j.trace_id, j.terms_digest, t.created_at
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

create view muster.verdict as
    select job_id, task_id, result, records, bad, skipped, findings_total, tally_id, started_at from muster.outcome o
    where task_id = job_id and result <> 'planned' and not exists (select from muster.task t where t.retry_of = o.task_id)
    union all
    select job_id, task_id, result, records, bad, skipped, findings_total, tally_id, started_at from muster.outcome o
    where task_id <> job_id and result <> 'planned' and not exists (select from muster.task t where t.retry_of = o.task_id);
comment on view muster.verdict is 'Outcomes that say something of records: of jobs of one task, and of the tasks of stages; of a chain of retries the last. In two halves, so that each finds its index by the job.';

create view muster.rule_total as
    select s.*, case when s.mode = 'active'
                     then muster.rule_status(s.pass, s.warn, s.fail, s.error, s.not_evaluated, s.min_coverage) end as status
    from (
        select v.job_id, r.rule, max(r.severity) as severity, coalesce(max(r.mode), 'active') as mode,
               coalesce(max(r.min_coverage), 1) as min_coverage, coalesce(sum(r.pass), 0) as pass, coalesce(sum(r.warn), 0) as warn,
               coalesce(sum(r.fail), 0) as fail, coalesce(sum(r.error), 0) as error,
               coalesce(sum(r.not_evaluated), 0) as not_evaluated, coalesce(sum(r.out_of_scope), 0) as out_of_scope
        from muster.verdict v
        join muster.tally w on w.tally_id = v.tally_id
        cross join lateral jsonb_to_recordset(w.rules) as r(rule text, severity text, mode text, min_coverage numeric, pass bigint,
            warn bigint, fail bigint, error bigint, not_evaluated bigint, out_of_scope bigint)
        group by v.job_id, r.rule
    ) as s;
comment on view muster.rule_total is 'Summed counters and status per job and rule; rules in shadow mode have no status.';

create function muster.job_result(of_job uuid) returns text
    language sql stable security definer set search_path = pg_catalog, muster
    as $$
    select muster.result_of_counts(coalesce(bool_or(status = 'fail'), false), coalesce(bool_or(status = 'error'), false),
                                   coalesce(bool_or(status = 'warn'), false), coalesce(bool_or(status = 'pass'), false))
    from muster.rule_total where job_id = of_job
    $$;
comment on function muster.job_result is 'Result of a job from its summed counters.';

-- ---- stages ----

create function muster.make_scans(plan_task uuid, of_job uuid, plan jsonb) returns int
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    j muster.job;
    b json;
    terms bytea;
    made int;
begin
    select * into j from muster.job where job_id = of_job for update;
    if j.cancelled then
        return 0;
    end if;
    b := convert_from(j.body, 'UTF8')::json;
    select document into strict terms from muster.terms where terms_digest = j.terms_digest;
    with shard as (
        select (o - 1)::int as i, s,
               muster.derive_id(of_job, sha256(muster.member(plan_task::text) || muster.member(plan ->> 'digest')
                   || muster.member('scan') || muster.member((o - 1)::text) || muster.member('1'))) as id
        from jsonb_array_elements(plan -> 'shards') with ordinality as x(s, o)
    ), text_of as (
        -- the source as it stands in the plan's own task, so that it is pinned and not written anew
        select i, id, convert_to('{"v":1,"task_id":"' || id || '","job_id":"' || of_job || '","stage":"scan","terms":"'
            || encode(j.terms_digest, 'hex') || '","source":' || (b -> 'source')::text
            || ',"input":{"size":' || (plan ->> 'size') || ',"digest":"' || (plan ->> 'digest') || '"},"shard":{"index":' || i
            || ',"count":' || jsonb_array_length(plan -> 'shards') || ',"from":' || (s ->> 'from') || ',"to":' || (s ->> 'to')
            || ',"first_record":' || (s ->> 'first_record') || ',"first_line":' || (s ->> 'first_line') || ',"records":' || (s ->> 'records') || ',"digest":"'
            || (s ->> 'digest') || '"},"plan_task_id":"' || plan_task || '"}', 'UTF8') as body
        from shard
    ), stored as (
        insert into muster.task (task_id, job_id, stage, attempt, shard_index, body, task_digest, queue, priority)
        select id, of_job, 'scan', 1, i, body, sha256(body), j.queue, j.priority from text_of
        on conflict do nothing returning task_id, body
    )
    insert into muster.outbox (ride_id, n, kind, subject, message_id, members, bytes, trace_id)
    select task_id, 1, 'task', 'muster.task.' || j.queue || '.' || j.priority || '.' || task_id, task_id || ':1',
           array[task_id], muster.ride_bytes(task_id, 1, false, j.queue, j.priority, terms, array[body]), j.trace_id
    from stored on conflict do nothing;
    get diagnostics made = row_count;
    insert into muster.job_progress (job_id, stage, expected, records_expected)
    values (of_job, 'scan', jsonb_array_length(plan -> 'shards'), (plan ->> 'records')::bigint)
    on conflict (job_id) do update set stage = 'scan', expected = excluded.expected, done = 0, bad = 0,
        records_expected = excluded.records_expected
        where muster.job_progress.stage = 'first'; -- the plan was a retry
    return made;
end
$$;
comment on function muster.make_scans is 'The scan tasks of a plan with their queue messages; the ids follow from the plan, so that a replay makes none twice.';

create function muster.second_outcome(stood muster.outcome, determined bytea, computed boolean, input_digest bytea) returns text
    language sql immutable parallel safe
    as $$
    select case when stood.determined = determined then 'repeat'
                when computed and stood.input_digest is not distinct from input_digest
                     and (stood.result in ('pass', 'warn', 'fail', 'not_evaluated', 'planned') or stood.reason like 'limit\_%') then 'conflict'
                else 'late' end
    $$;
comment on function muster.second_outcome is 'What a further outcome of a task is: a repeat, a conflict (both computed from equal input, and they differ), or late.';

create function muster.retry_pause(class text, attempts int, policy jsonb) returns interval
    language sql volatile parallel safe
    as $$
    select least(first_ms * power(2, least(attempts, 31) - 1), cap_ms) * (0.75 + random() / 4) * interval '1 millisecond'
    from (select (p ->> 'first_ms')::float8 as first_ms, (p ->> 'cap_ms')::float8 as cap_ms
          from (select policy -> 'retry' -> case class when 'dependency' then class else 'transient' end as p) as x) as y
    $$;
comment on function muster.retry_pause is 'How long a deferred task waits: doubled each time up to the cap of its queue''s policy (muster.queue_policy), less up to a quarter of it by lot.';

create function muster.lock_jobs(jobs uuid[]) returns void
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    set enable_seqscan = off set plan_cache_mode = force_generic_plan set jit = off
    as $$
begin
    perform from muster.job j where j.job_id = any (jobs) order by j.job_id for no key update;
end
$$;
comment on function muster.lock_jobs is 'Whoever changes jobs of several tasks locks them first, in one order: none waits for another in a circle.';

-- plpgsql keeps plans, language sql makes them anew at each call
create function muster.rides_done(rides uuid[]) returns void
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan set jit = off
    as $$
begin
    delete from muster.outbox o
    where o.ride_id = any (rides) and o.kind = 'task'
      and not exists (
          select from unnest(o.members) as m
          where (select true from muster.outcome p where p.task_id = m) is null
            and o.n = coalesce((select j.n from muster.job j where j.job_id = m), (select t.n from muster.task t where t.task_id = m)));
end
$$;
comment on function muster.rides_done is 'Outbox rows go when no member has them as its current publication and is open.';

create function muster.stage_count(jobs uuid[], ended_jobs uuid[], ended_results text[]) returns void
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
begin
    perform from muster.job_progress p where p.job_id = any (jobs) order by p.job_id for update;
    update muster.job_progress p set done = p.done + x.done, bad = p.bad + x.bad
    from (select j, count(*)::int as done, (count(*) filter (where r not in ('pass', 'warn', 'fail', 'not_evaluated')))::int as bad
          from unnest(ended_jobs, ended_results) as y(j, r) group by j) as x
    where p.job_id = x.j and p.finished_at is null;
    perform muster.stage_finish(jobs);
end
$$;
comment on function muster.stage_count is 'Counts outcomes of tasks of stages, under the locks of their progress rows, and ends the jobs that are complete.';

create function muster.stage_finish(jobs uuid[]) returns setof uuid
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan set jit = off
    as $$
begin
    return query update muster.job_progress p
    set finished_at = now(), (result, reason) = (
        select case when j.cancelled then 'cancelled' when p.bad = 0 then muster.job_result(p.job_id)
                    when p.stage = 'first' then o.result else 'error' end,
               case when j.cancelled then 'operator' when p.bad = 0 then null
                    when p.stage = 'first' then o.reason
                    when (select true from muster.outcome d where d.job_id = p.job_id and d.task_id <> d.job_id
                          and d.result = 'error' and d.reason = 'deadline' limit 1) then 'deadline'
                    else 'incomplete_stage' end
        from muster.job j
        left join lateral (
            select o.result, o.reason from muster.outcome o
            where p.stage = 'first' and o.job_id = p.job_id and o.task_id <> o.job_id
              and (select true from muster.task t where t.retry_of = o.task_id limit 1) is null limit 1) as o on true
        where j.job_id = p.job_id)
    where p.job_id = any (jobs) and p.done >= p.expected and p.finished_at is null
    returning p.job_id;
end
$$;
comment on function muster.stage_finish is 'Ends the jobs whose last task has its outcome: the result from the summed counters, incomplete_stage, that of the one task that was retried, or cancelled.';

-- ---- the batch ----
--
-- record_batch(stream_created, last_sequence, last_stored, …) records what has arrived, in the order of the stream, in
-- one transaction with the position. Arrays are unnested by position; those of one letter are equally long:
--   o_*  outcomes: ids, n, queue of the subject, digests, result, totals; plan, resumes as JSON text or null;
--        o_tally: place of its counters in t_*, from 1, or null;
--        o_determined: SHA-256 over what is determined; o_computed: pass, warn, fail, not_evaluated, planned, limit_*;
--        o_riding: findings of the same message (a hint: what counts is what stands in the table);
--        o_seq, o_at, o_index: where it stood in the stream
--   t_*  counters per rule as JSON text, each once, and their ids
--   f_*  findings, those that rode with an outcome and those of messages of their own
--   d_*  deferrals
--   q_*  what C could not read, with its bytes; q_index must be unique within a message
-- last_sequence is null when what stood in quarantine is recorded: the position stays then.
-- Findings that come after an administrative outcome (cancelled, exhausted, deadline) are noted as late, once per message.
-- The answer is one row of counters: outcomes and findings that are new, repeats dropped, late, conflicts, quarantined,
-- incomplete and deferred (retry rows), planned, finished (jobs). 40001 means that an outcome was recorded elsewhere in
-- the same moment: the same call again finds it. Calling twice with the same arrays changes nothing but the position.
-- Nothing is updated or looped over for a small task: its cost is one probe of job, one insert, its share of the rest.

create function muster.record_batch(
    stream_created text, last_sequence bigint, last_stored timestamptz,
    o_task uuid[], o_job uuid[], o_ride uuid[], o_n int[], o_delivery int[], o_queue text[], o_task_digest bytea[],
    o_input_digest bytea[], o_result text[], o_reason text[], o_message text[], o_records bigint[], o_bad bigint[],
    o_skipped bigint[], o_bytes bigint[], o_findings bigint[], o_riding bigint[], o_plan text[],
    o_resumes text[], o_crashes int[], o_agent text[], o_incarnation uuid[], o_started timestamptz[],
    o_finished timestamptz[], o_determined bytea[], o_computed boolean[], o_seq bigint[], o_at timestamptz[], o_index int[],
    o_tally int[], t_id uuid[], t_rules text[],
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
    -- batches meet large tables by key, whatever the statistics of a new partition say; so there is no EXISTS in an
    -- expression either, which may be answered by reading the whole table into a hash table: a scalar subquery is not
    set enable_hashjoin = off set enable_mergejoin = off
    -- a custom plan would fold arrays of thousands into constants at each call: ten times the work
    set plan_cache_mode = force_generic_plan
    -- and compiling those plans costs more than running them
    set jit = off
    -- a batch's arrays stay in memory: below this each unnest would write them to a temporary file and read them back
    set work_mem = '64MB'
    as $$
#variable_conflict use_column
declare
    r record;
    skipped_ones int[];
    fresh_ones int;
    staged boolean;
    stamp text := to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
    outbox_made int := 0;
    tries int := 0;
    rides uuid[];
    late_findings int := 0;
begin
    outcomes := 0; findings := 0; repeats := 0; late := 0; conflicts := 0; quarantined := 0; incomplete := 0; deferred := 0;
    planned := 0; finished := 0;
    create temp table if not exists batch_outcome (
        o int, task uuid, job uuid, ride uuid, n int, current_n int, result text, reason text, stated bigint, stored bigint,
        determined bytea, wrong text, state text) on commit delete rows;
    create temp table if not exists batch_finding (o int, wrong text) on commit delete rows;
    delete from batch_outcome;
    delete from batch_finding;

    -- findings first: of a task of ours, with its digest; new ones after the outcome are not taken, known ones are repeats
    if cardinality(f_id) > 0 then
        insert into batch_finding (o, wrong)
        select x.ord,
               case when t.job_id is null then 'unknown_task' when t.task_digest <> x.task_digest then 'wrong_task_digest'
                    when t.queue <> x.queue then 'wrong_queue' when t.job_id <> x.job then 'wrong_job'
                    when p.task_id is null or k.finding_id is not null then null
                    when coalesce(p.reason, '') = '' or p.reason like 'limit\_%' then 'finding_after_outcome'
                    else 'late' end
        from unnest(f_id, f_task, f_job, f_queue, f_task_digest) with ordinality as x(id, task, job, queue, task_digest, ord)
        left join lateral (
            select j.job_id, j.task_digest, j.queue from muster.job j where j.job_id = x.task
            union all
            select t.job_id, t.task_digest, t.queue from muster.task t where t.task_id = x.task and x.task <> x.job) as t on true
        left join muster.outcome p on p.task_id = x.task
        left join muster.finding k on k.finding_id = x.id and k.task_id = x.task;

        insert into muster.finding (finding_id, task_id, job_id, task_digest, input_digest, fingerprint, rule, severity, outcome,
            shadow, record_no, byte_off, length, line, subject, part, message, evidence)
        select x.id, x.task, x.job, x.task_digest, x.input_digest, x.fingerprint, x.rule, x.severity, x.outcome, x.shadow,
               x.record_no, x.byte_off, x.length, x.line, x.subject, x.part, x.message, x.evidence::jsonb
        from unnest(f_id, f_task, f_job, f_task_digest, f_input_digest, f_fingerprint, f_rule, f_severity, f_outcome, f_shadow,
                    f_record, f_byte, f_length, f_line, f_subject, f_part, f_message, f_evidence)
             with ordinality as x(id, task, job, task_digest, input_digest, fingerprint, rule, severity, outcome, shadow, record_no,
                    byte_off, length, line, subject, part, message, evidence, ord)
        where not x.ord = any (coalesce((select array_agg(o) from batch_finding where wrong is not null), '{}'))
        on conflict do nothing;
        get diagnostics findings = row_count;
        if exists (select from batch_finding where wrong = 'late') then
            insert into muster.late_result (created, sequence, stored_at, index, task_id, n, result, body)
            select stream_created, f_seq[b.o], f_at[b.o], 1000000 + min(f_index[b.o]), f_task[b.o], 0, 'findings',
                   jsonb_build_object('findings', count(*))
            from batch_finding b where b.wrong = 'late' group by f_seq[b.o], f_at[b.o], f_task[b.o]
            on conflict do nothing;
            get diagnostics late_findings = row_count;
        end if;
    end if;

    -- every outcome beside its task and its findings that are stored. On the first delivery of the first publication
    -- nobody else can have sent findings or an outcome: none to count, none to look for; should there be one after all (a
    -- replay of the stream), the insert below finds it
    insert into batch_outcome (o, task, job, ride, n, current_n, result, reason, stated, stored, determined, wrong, state)
    select y.ord, y.task, y.job, y.ride, y.n, y.current_n, y.result, y.reason, y.stated, y.stored, y.determined, y.wrong,
           case when y.wrong is not null then 'wrong' when y.stands then 'again' when y.stored < y.stated then 'incomplete' else 'new' end
    from (
        select x.ord, x.task, x.job, x.ride, x.n, t.n as current_n, x.result, x.reason, x.findings as stated,
               case when x.findings > 0 or x.n > 1 or x.delivery > 1 then (
                   select count(*) from muster.finding f
                   where f.job_id = x.job and f.task_id = x.task and f.finding_id between muster.id_floor(x.task) and muster.id_ceiling(x.task)
                     and f.task_digest = x.task_digest and f.input_digest is not distinct from x.input_digest) end as stored,
               (x.findings > 0 or x.n > 1 or x.delivery > 1) and (select true from muster.outcome p where p.task_id = x.task) is not null as stands,
               x.determined,
               case when t.job_id is null then 'unknown_task' when t.task_digest <> x.task_digest then 'wrong_task_digest'
                    when t.queue <> x.queue then 'wrong_queue' when t.job_id <> x.job then 'wrong_job'
                    when x.result = 'planned' and not coalesce(t.stage = 'plan'
                        and jsonb_array_length(o_plan[x.ord]::jsonb -> 'shards') between 1 and 4096, false) then 'bad_plan' end as wrong
        from unnest(o_task, o_job, o_ride, o_n, o_delivery, o_queue, o_task_digest, o_input_digest, o_result, o_reason,
                    o_findings, o_determined)
             with ordinality as x(task, job, ride, n, delivery, queue, task_digest, input_digest, result, reason, findings,
                    determined, ord)
        left join lateral (
            select j.job_id, j.task_digest, j.queue, j.n, j.stage from muster.job j where j.job_id = x.task
            union all
            select t.job_id, t.task_digest, t.queue, t.n, t.stage from muster.task t where t.task_id = x.task and x.task <> x.job) as t on true
        offset 0 -- computed once
    ) as y;

    -- first recorded wins, also within a batch
    if (select count(*) <> count(distinct task) from batch_outcome) then
        update batch_outcome b set state = 'again'
        from (select o, row_number() over (partition by task order by o) as k from batch_outcome where state = 'new') as x
        where x.o = b.o and x.k > 1;
    end if;

    loop
        select coalesce(array_agg(o) filter (where state <> 'new'), '{}'), count(*) filter (where state = 'new'),
               coalesce(bool_or(task <> job or result = 'planned') filter (where state = 'new'), false)
        into skipped_ones, fresh_ones, staged from batch_outcome;
        exit when fresh_ones = 0;
        if staged then
            perform muster.lock_jobs(array(select distinct job from batch_outcome where state = 'new' and (task <> job or result = 'planned')));
        end if;
        begin
            insert into muster.tally (tally_id, rules)
            select id, rules::jsonb from unnest(t_id, t_rules) as x(id, rules)
            where not exists (select from muster.tally w where w.tally_id = x.id)
            on conflict do nothing;
            insert into muster.outcome (task_id, job_id, n, delivery, task_digest, input_digest, result, reason, message, records,
                bad, skipped, bytes, findings_total, tally_id, plan, resumes, crashes, agent, incarnation, determined, started_at,
                finished_at)
            select task, job, n, delivery, task_digest, input_digest, result, reason, message, records, bad, skipped, bytes,
                   findings, t_id[tally], plan::jsonb, resumes::jsonb, crashes, agent, incarnation, determined, started, finished
            from unnest(o_task, o_job, o_n, o_delivery, o_task_digest, o_input_digest, o_result, o_reason, o_message, o_records,
                        o_bad, o_skipped, o_bytes, o_findings, o_tally, o_plan, o_resumes, o_crashes, o_agent, o_incarnation,
                        o_started, o_finished, o_determined)
                 with ordinality as x(task, job, n, delivery, task_digest, input_digest, result, reason, message, records, bad,
                        skipped, bytes, findings, tally, plan, resumes, crashes, agent, incarnation, started, finished,
                        determined, ord)
            where not x.ord = any (skipped_ones);
            outcomes := fresh_ones;
            exit;
        exception when unique_violation then
            tries := tries + 1;
            if tries > 1 then -- an administrative outcome of the very moment
                raise exception 'an outcome was recorded elsewhere meanwhile' using errcode = '40001';
            end if;
            update batch_outcome b set state = 'again'
            where b.state = 'new' and (select true from muster.outcome p where p.task_id = b.task);
        end;
    end loop;

    if cardinality(skipped_ones) > 0 then
        update batch_outcome b set state = coalesce(
            (select muster.second_outcome(p, o_determined[b.o], o_computed[b.o], o_input_digest[b.o])
             from muster.outcome p where p.task_id = b.task), 'repeat')
        where state = 'again';
        insert into muster.late_result (created, sequence, stored_at, index, task_id, n, result, body)
        select stream_created, o_seq[b.o], o_at[b.o], o_index[b.o], b.task, b.n, b.result,
               jsonb_build_object('reason', b.reason, 'records', o_records[b.o], 'findings_total', b.stated, 'agent', o_agent[b.o],
                   'input_digest', encode(o_input_digest[b.o], 'hex'), 'rules', t_rules[o_tally[b.o]]::jsonb)
        from batch_outcome b where b.state = 'late'
        on conflict do nothing;
        get diagnostics late = row_count;
        late := late + late_findings;
        late_findings := 0;
        select count(*) into repeats from batch_outcome where state = 'repeat';

        -- published again with `fresh`; five such and the task ends. Told twice of one publication, it counts once
        insert into muster.retry as t (task_id, n, class, reason, message, incomplete, next_at)
        select distinct on (b.task) b.task, b.n, 'incomplete', 'incomplete', 'fewer findings are stored than the outcome states', 1, now()
        from batch_outcome b where b.state = 'incomplete' and b.n = b.current_n
        order by b.task
        on conflict (task_id) do update set n = excluded.n, class = 'incomplete', reason = excluded.reason,
            message = excluded.message, incomplete = t.incomplete + 1, next_at = excluded.next_at
            where excluded.n > t.n;
        get diagnostics incomplete = row_count;
        outbox_made := outbox_made + incomplete;
    end if;

    late := late + late_findings;

    -- computed outcomes that differ, and verdicts with more findings than they state
    insert into muster.outcome_conflict (created, sequence, stored_at, index, task_id, n, body)
    select stream_created, o_seq[b.o], o_at[b.o], o_index[b.o], b.task, b.n,
           jsonb_build_object('result', b.result, 'reason', b.reason, 'records', o_records[b.o], 'findings_total', b.stated,
               'findings_stored', b.stored, 'agent', o_agent[b.o], 'rules', t_rules[o_tally[b.o]]::jsonb)
    from batch_outcome b
    where b.state = 'conflict'
       or (b.state = 'new' and b.stored > b.stated and b.result in ('pass', 'warn', 'fail', 'not_evaluated'))
    on conflict do nothing;
    get diagnostics conflicts = row_count;

    if cardinality(d_task) > 0 then
        insert into muster.retry as t (task_id, n, class, reason, message, dependency, transient, queue, source, next_at)
        select distinct on (x.task) x.task, x.n, x.class, x.reason, x.message,
               (x.class = 'dependency')::int, (x.class = 'transient')::int, a.queue,
               case when x.class = 'dependency' and x.reason = 'source_down' then a.source_name end,
               now() + muster.retry_pause(x.class, 1, muster.queue_policy(a.queue))
        from unnest(d_task, d_n, d_class, d_reason, d_message) as x(task, n, class, reason, message)
        join lateral (select a.n, a.queue, a.source_name from muster.job a where a.job_id = x.task
                      union all select a.n, a.queue, j.source_name from muster.task a join muster.job j using (job_id)
                      where a.task_id = x.task) as a on a.n = x.n
        where (select true from muster.outcome p where p.task_id = x.task) is null
        order by x.task, x.n desc
        on conflict (task_id) do update set n = excluded.n, class = excluded.class, reason = excluded.reason,
            message = excluded.message, dependency = t.dependency + excluded.dependency,
            transient = t.transient + excluded.transient, queue = excluded.queue, source = excluded.source,
            next_at = now() + muster.retry_pause(excluded.class, case excluded.class when 'dependency' then t.dependency
                                                                    else t.transient end + 1, muster.queue_policy(excluded.queue))
            where excluded.n > t.n;
        get diagnostics deferred = row_count;
        if deferred > 0 then
            perform muster.breaker_open(d_task);
        end if;
    end if;

    if exists (select from muster.retry) then
        if exists (select from muster.breaker) then -- who has read its input shows that the source is there
            perform muster.breaker_close(array(select distinct j.source_name from batch_outcome b join muster.job j on j.job_id = b.job
                                               where b.state = 'new' and o_input_digest[b.o] is not null));
        end if;
        delete from muster.retry t using batch_outcome b where b.state = 'new' and t.task_id = b.task;
    end if;

    if cardinality(q_subject) > 0 or exists (select from batch_outcome where state = 'wrong')
       or exists (select from batch_finding where wrong <> 'late') then
        -- all that a replay needs (muster.replay_quarantine), should the task be known again one day
        insert into muster.quarantine (created, sequence, stored_at, index, subject, reason, bytes, job_id)
        select stream_created, o_seq[b.o], o_at[b.o], o_index[b.o], 'muster.result.' || o_queue[b.o] || '.' || b.ride, b.wrong,
               convert_to(json_build_object('task_id', b.task, 'job_id', b.job, 'n', b.n, 'delivery', o_delivery[b.o],
                   'task_digest', encode(o_task_digest[b.o], 'hex'), 'input_digest', encode(o_input_digest[b.o], 'hex'),
                   'result', b.result, 'reason', b.reason, 'message', o_message[b.o], 'records', o_records[b.o], 'bad', o_bad[b.o],
                   'skipped', o_skipped[b.o], 'bytes', o_bytes[b.o], 'findings_total', b.stated, 'rules', t_rules[o_tally[b.o]]::json,
                   'plan', o_plan[b.o]::json, 'agent', o_agent[b.o], 'incarnation', o_incarnation[b.o],
                   'resumes', o_resumes[b.o]::json, 'crashes', o_crashes[b.o], 'started_at', o_started[b.o],
                   'finished_at', o_finished[b.o], 'determined', encode(o_determined[b.o], 'hex'), 'computed', o_computed[b.o],
                   'tally_id', t_id[o_tally[b.o]])::text, 'UTF8'), b.job
        from batch_outcome b where b.state = 'wrong'
        union all
        select stream_created, f_seq[b.o], f_at[b.o], 1000000 + f_index[b.o], 'muster.finding.' || f_queue[b.o] || '.' || f_task[b.o],
               b.wrong, convert_to(json_build_object('finding_id', f_id[b.o], 'task_id', f_task[b.o], 'job_id', f_job[b.o],
                   'task_digest', encode(f_task_digest[b.o], 'hex'), 'input_digest', encode(f_input_digest[b.o], 'hex'),
                   'fingerprint', encode(f_fingerprint[b.o], 'hex'), 'rule', f_rule[b.o], 'severity', f_severity[b.o],
                   'outcome', f_outcome[b.o], 'shadow', f_shadow[b.o], 'record_no', f_record[b.o], 'byte_off', f_byte[b.o], 'length', f_length[b.o],
                   'line', f_line[b.o], 'subject', f_subject[b.o], 'part', f_part[b.o], 'message', f_message[b.o],
                   'evidence', f_evidence[b.o]::json)::text, 'UTF8'), f_job[b.o]
        from batch_finding b where b.wrong <> 'late'
        union all
        select stream_created, x.seq, x.at, x.index, x.subject, x.reason, x.bytes, null
        from unnest(q_subject, q_reason, q_bytes, q_seq, q_at, q_index) as x(subject, reason, bytes, seq, at, index)
        on conflict do nothing;
        get diagnostics quarantined = row_count;
    end if;

    -- stages: the progress rows are locked in one order
    if staged then
        for r in select b.task, b.job, o_plan[b.o]::jsonb as plan from batch_outcome b
                 where b.state = 'new' and b.result = 'planned' order by b.job loop
            outbox_made := outbox_made + muster.make_scans(r.task, r.job, r.plan);
            planned := planned + 1;
        end loop;
        perform muster.stage_count((select array_agg(distinct job) from batch_outcome where state = 'new' and (task <> job or result = 'planned')),
                                   (select array_agg(job) from batch_outcome where state = 'new' and result <> 'planned' and task <> job),
                                   (select array_agg(result) from batch_outcome where state = 'new' and result <> 'planned' and task <> job));
    end if;

    -- queue messages whose members are all done; of a task that was published again its own message, else the one it rode
    -- in. Mostly all members are in this batch, and need not be looked up
    select array_agg(distinct ride) || coalesce(array_agg(task) filter (where current_n > 1), '{}') into rides
    from batch_outcome where state not in ('wrong', 'incomplete');
    if rides is not null then
        delete from muster.outbox o where o.ride_id = any (rides) and o.kind = 'task'
            and not exists (select from unnest(o.members) as m
                            where m not in (select task from batch_outcome where state not in ('wrong', 'incomplete')));
        rides := array(select o.ride_id from muster.outbox o where o.ride_id = any (rides));
        if cardinality(rides) > 0 then
            perform muster.rides_done(rides);
        end if;
    end if;

    -- jobs that ended here: those of one task, and those whose last shard came. One event message for up to 2000 of a kind;
    -- the id of a job's event is the job's with version 8
    if outcomes > 0 then
        for r in
            select state, count(*)::int as jobs, string_agg(
                       '{"event_id":"' || overlay(job::text placing '8' from 15) || '","type":"io.muster.event.v1.job_' || state
                       || '","timestamp":"' || stamp || '","job_id":"' || job || '","result":"' || result || '"'
                       || case when reason is null then '' else ',"reason":"' || reason || '"' end || '}', ',') as text
            from (
                select e.job, e.result, e.reason, row_number() over () as k,
                       case when e.result in ('pass', 'warn', 'fail', 'not_evaluated') then 'completed' else 'failed' end as state
                from (
                    select b.job, b.result, nullif(b.reason, '') as reason from batch_outcome b
                    where b.state = 'new' and b.task = b.job and b.result <> 'planned'
                    union all
                    select p.job_id, p.result, p.reason from muster.job_progress p
                    where staged and p.finished_at = now()
                      and p.job_id in (select b.job from batch_outcome b where b.state = 'new' and b.task <> b.job)
                ) as e
            ) as numbered
            group by state, k / 2000
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
    select date_trunc('minute', now()), stream_created, last_sequence, last_stored, clock_timestamp() where last_sequence is not null
    on conflict (minute) do update set created = excluded.created, sequence = excluded.sequence, stored_at = excluded.stored_at,
        noted_at = excluded.noted_at, ordinal = excluded.ordinal;
    if outcomes > 0 then
        perform muster.audit_append('recorder', 'record', '[' || string_agg(text, ',') || ']')
        from (select '["outcome","' || task || '","' || encode(determined, 'hex') || '"]' as text from batch_outcome where state = 'new'
              union all
              select '["task","' || t.task_id || '","' || encode(t.task_digest, 'hex') || '"]' from muster.task t
              where planned > 0 and t.job_id in (select job from batch_outcome where state = 'new' and result = 'planned')) as changed;
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
        noted_at = excluded.noted_at, ordinal = excluded.ordinal
    $$;
comment on function muster.position_note is 'Sets the position, in a commit of its own: the stream has gone back or is new.';

create function muster.positions() returns table (created text, sequence bigint, stored_at timestamptz)
    language sql stable security definer set search_path = pg_catalog, muster
    as $$ select created, sequence, stored_at from muster.recorder_position order by ordinal desc $$;
comment on function muster.positions is 'Kept positions, the newest first; the first is the one that rules.';

create function muster.positions_thin() returns void
    language sql volatile security definer set search_path = pg_catalog, muster
    as $$
    delete from muster.recorder_position p
    where noted_at < now() - interval '1 hour'
      and exists (select from muster.recorder_position q where q.ordinal > p.ordinal and date_trunc('day', q.noted_at) = date_trunc('day', p.noted_at))
    $$;
comment on function muster.positions_thin is 'Keeps one position per minute for an hour, then one per day.';

insert into muster.schema_migration (version, name) values (4, 'record');
reset role;
