-- SPDX-License-Identifier: Apache-2.0
-- What the recorder calls: one function per batch of result messages (PROTOCOL.md §5).
--
-- record_batch(stream_created, last_sequence, last_stored, …) records what has arrived, in the order of the stream, in
-- one transaction with the position. Arrays are unnested by position; those of one letter are equally long:
--   o_*  outcomes: ids, n, queue of the subject, digests, result, totals; plan, resumes as JSON text or null;
--        o_tally: place of its counters in t_*, from 1, or null;
--        o_determined: SHA-256 over what is determined; o_computed: pass, warn, fail, not_evaluated, planned, limit_*;
--        o_riding: findings of the same message (a hint: what counts is what stands in the table);
--        o_seq, o_at, o_index: where it stood in the stream
--        o_seal (the last of all): what muster.seal would say of the row, computed by who sends it; null: it is asked
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
set role muster_owner;

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
    q_subject text[], q_reason text[], q_bytes bytea[], q_seq bigint[], q_at timestamptz[], q_index int[],
    o_seal bytea[] default '{}')
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
    -- what the audit trail says of the batch: in words, and the seals of rows
    words text;
    packed bytea := '';
    more bytea;
    said text;
    -- between which ids this batch's rows lie: probes leave all other partitions out when a statement begins, and need not
    -- open those of seven years
    low uuid := (select muster.id_floor(x) from unnest(o_task || f_task || f_id) as x order by x limit 1);
    high uuid := (select muster.id_ceiling(x) from unnest(o_task || f_task || f_id) as x order by x desc limit 1);
begin
    outcomes := 0; findings := 0; repeats := 0; late := 0; conflicts := 0; quarantined := 0; incomplete := 0; deferred := 0;
    planned := 0; finished := 0;
    create temp table if not exists batch_outcome (
        o int, task uuid, job uuid, ride uuid, n int, current_n int, result text, reason text, stated bigint, stored bigint,
        determined bytea, wrong text, state text, opens boolean) on commit delete rows;
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
            select j.job_id, j.task_digest, j.queue from muster.job j where j.job_id = x.task and j.job_id between low and high
            union all
            select t.job_id, t.task_digest, t.queue from muster.task t
            where t.task_id = x.task and x.task <> x.job and t.task_id between low and high) as t on true
        left join muster.outcome p on p.task_id = x.task and p.task_id between low and high
        left join muster.finding k on k.finding_id = x.id and k.task_id = x.task and k.finding_id between low and high;

        with made as (
        insert into muster.finding (finding_id, task_id, job_id, task_digest, input_digest, fingerprint, rule, severity, outcome,
            shadow, record_no, byte_off, length, line, subject, part, message, evidence)
        select x.id, x.task, x.job, x.task_digest, x.input_digest, x.fingerprint, x.rule, x.severity, x.outcome, x.shadow,
               x.record_no, x.byte_off, x.length, x.line, x.subject, x.part, x.message, x.evidence::jsonb
        from unnest(f_id, f_task, f_job, f_task_digest, f_input_digest, f_fingerprint, f_rule, f_severity, f_outcome, f_shadow,
                    f_record, f_byte, f_length, f_line, f_subject, f_part, f_message, f_evidence)
             with ordinality as x(id, task, job, task_digest, input_digest, fingerprint, rule, severity, outcome, shadow, record_no,
                    byte_off, length, line, subject, part, message, evidence, ord)
        where not x.ord = any (coalesce((select array_agg(o) from batch_finding where wrong is not null), '{}'))
        on conflict do nothing returning finding_id, muster.seal(finding) as seal)
        select count(*), coalesce(string_agg(muster.packed('f', finding_id, seal), ''::bytea), '') into findings, packed from made;
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
    insert into batch_outcome (o, task, job, ride, n, current_n, result, reason, stated, stored, determined, wrong, state, opens)
    select y.ord, y.task, y.job, y.ride, y.n, y.current_n, y.result, y.reason, y.stated, y.stored, y.determined, y.wrong,
           case when y.wrong is not null then 'wrong' when y.stands then 'again' when y.stored < y.stated then 'incomplete' else 'new' end, y.opens
    from (
        select x.ord, x.task, x.job, x.ride, x.n, t.n as current_n, x.result, x.reason, x.findings as stated,
               case when x.findings > 0 or x.n > 1 or x.delivery > 1 then (
                   select count(*) from muster.finding f
                   where f.job_id = x.job and f.task_id = x.task and f.finding_id between muster.id_floor(x.task) and muster.id_ceiling(x.task)
                     and f.finding_id between low and high
                     and f.task_digest = x.task_digest and f.input_digest is not distinct from x.input_digest) end as stored,
               (x.findings > 0 or x.n > 1 or x.delivery > 1) and (select true from muster.outcome p where p.task_id = x.task and p.task_id between low and high) is not null as stands,
               x.determined, t.stage = 'plan' as opens,
               case when t.job_id is null then 'unknown_task' when t.task_digest <> x.task_digest then 'wrong_task_digest'
                    when t.queue <> x.queue then 'wrong_queue' when t.job_id <> x.job then 'wrong_job'
                    when x.result = 'planned' and not coalesce(t.stage = 'plan'
                        and jsonb_array_length(o_plan[x.ord]::jsonb -> 'shards') between 1 and 4096, false) then 'bad_plan' end as wrong
        from unnest(o_task, o_job, o_ride, o_n, o_delivery, o_queue, o_task_digest, o_input_digest, o_result, o_reason,
                    o_findings, o_determined)
             with ordinality as x(task, job, ride, n, delivery, queue, task_digest, input_digest, result, reason, findings,
                    determined, ord)
        left join lateral (
            select j.job_id, j.task_digest, j.queue, j.n, j.stage from muster.job j where j.job_id = x.task and j.job_id between low and high
            union all
            select t.job_id, t.task_digest, t.queue, t.n, t.stage from muster.task t
            where t.task_id = x.task and x.task <> x.job and t.task_id between low and high) as t on true
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
            with counted as (
            insert into muster.tally (tally_id, rules)
            select id, rules::jsonb from unnest(t_id, t_rules) as x(id, rules)
            where not exists (select from muster.tally w where w.tally_id = x.id)
            on conflict do nothing returning tally_id, muster.seal(tally) as seal
            ), ended as (
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
            where not x.ord = any (skipped_ones))
            select coalesce(string_agg(muster.packed('y', tally_id, seal), ''::bytea), '') into more from counted;
            packed := packed || more || (
                select string_agg(muster.packed('o', x.task, coalesce(x.seal, (
                           select muster.seal(p) from muster.outcome p where p.task_id = x.task and p.task_id between low and high))), ''::bytea)
                from unnest(o_task, o_seal) with ordinality as x(task, seal, ord) where not x.ord = any (skipped_ones));
            outcomes := fresh_ones;
            exit;
        exception when unique_violation then
            tries := tries + 1;
            if tries > 1 then -- an administrative outcome of the very moment
                raise exception 'an outcome was recorded elsewhere meanwhile' using errcode = '40001';
            end if;
            update batch_outcome b set state = 'again'
            where b.state = 'new' and (select true from muster.outcome p where p.task_id = b.task and p.task_id between low and high);
        end;
    end loop;

    if cardinality(skipped_ones) > 0 then
        update batch_outcome b set state = coalesce(
            (select muster.second_outcome(p, o_determined[b.o], o_computed[b.o], o_input_digest[b.o])
             from muster.outcome p where p.task_id = b.task and p.task_id between low and high), 'repeat')
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
        with put as (
        insert into muster.retry as t (task_id, n, class, reason, message, incomplete, next_at)
        select distinct on (b.task) b.task, b.n, 'incomplete', 'incomplete', 'fewer findings are stored than the outcome states', 1, now()
        from batch_outcome b where b.state = 'incomplete' and b.n = b.current_n
        order by b.task
        on conflict (task_id) do update set n = excluded.n, class = 'incomplete', reason = excluded.reason,
            message = excluded.message, incomplete = t.incomplete + 1, next_at = excluded.next_at
            where excluded.n > t.n
        returning t.task_id)
        select count(*), string_agg(muster.noted('deferred', task_id, 'incomplete'), ',') into incomplete, words from put;
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
        with put as (
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
            where excluded.n > t.n
        returning t.task_id, t.class, t.reason)
        select count(*), string_agg(muster.noted('deferred', task_id, class || coalesce(': ' || reason, '')), ',') into deferred, said from put;
        words := concat_ws(',', words, said);
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

    -- what the exceptions ledger is to look at; jobs of several tasks end in muster.stage_finish
    insert into muster.ledger_due (job_id)
    select b.job from batch_outcome b
    where b.state = 'new' and b.task = b.job and b.result in ('pass', 'warn', 'fail', 'not_evaluated') and (b.opens or b.stated > 0)
    on conflict do nothing;

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
    if staged then
        words := concat_ws(',', words, muster.stage_sealed(array(
            select distinct job from batch_outcome where state = 'new' and (task <> job or result = 'planned'))));
    end if;
    if coalesce(words, '') <> '' or packed <> '' then
        perform muster.audit_append('recorder', 'record', null, '[' || words || ']', packed);
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

insert into muster.schema_migration (version, name) values (7, 'record');
reset role;
