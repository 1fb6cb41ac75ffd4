-- SPDX-License-Identifier: Apache-2.0
-- Tasks and the stages of their jobs: where a task stands, what comes of it, when a job has ended (PROTOCOL.md §6).
set role muster_owner;

-- ---- a task, wherever it stands ----

create view muster.any_task as
    select job_id as task_id, job_id, stage, 1 as attempt, null::int as shard_index, body, task_digest, queue, priority, n,
           pack, source_name, cancelled, trace_id, terms_digest, submitted_at as created_at, null::uuid as retry_of from muster.job
    union all
    select t.task_id, t.job_id, t.stage, t.attempt, t.shard_index, t.body, t.task_digest, t.queue, t.priority, t.n,
           j.pack, j.source_name, j.cancelled, j.trace_id, j.terms_digest, t.created_at, t.retry_of
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
    select x.* from (
        select job_id, task_id, result, records, bad, skipped, findings_total, bytes, tally_id, started_at from muster.outcome
        where task_id = job_id
        union all
        select job_id, task_id, result, records, bad, skipped, findings_total, bytes, tally_id, started_at from muster.outcome
        where task_id <> job_id
    ) as x
    where x.result <> 'planned'
      -- only these are ever retried; what retries them has the same time bits, so one partition is looked at
      and (x.result not in ('error', 'rejected', 'exhausted') or (
          select true from muster.task t
          where t.retry_of = x.task_id and t.task_id between muster.id_floor(x.task_id) and muster.id_ceiling(x.task_id)
          limit 1) is null);
comment on view muster.verdict is 'Outcomes that say something of records: of jobs of one task, and of the tasks of stages; of a chain of retries the last. In two halves, so that each finds its index by the job.';

create view muster.rule_total as
    select s.*, case when s.mode = 'active'
                     then muster.rule_status(s.pass, s.warn, s.fail, s.error, s.not_evaluated, s.min_coverage) end as status
    from (
        -- a job of one task: its counters are those of the task
        select false as staged, j.job_id, j.pack, j.source_name, j.as_of, j.submitted_at, r.rule, r.severity, coalesce(r.mode, 'active') as mode,
               r.reason, coalesce(r.per, 'record') as per, coalesce(r.min_coverage, 1) as min_coverage,
               coalesce(r.pass, 0)::numeric as pass, coalesce(r.warn, 0)::numeric as warn, coalesce(r.fail, 0)::numeric as fail,
               coalesce(r.error, 0)::numeric as error, coalesce(r.not_evaluated, 0)::numeric as not_evaluated,
               coalesce(r.out_of_scope, 0)::numeric as out_of_scope, coalesce(r.withheld, 0)::numeric as withheld
        from muster.job j
        join muster.outcome o on o.task_id = j.job_id
        left join muster.job_progress p on p.job_id = j.job_id
        cross join lateral (select w.rules from muster.tally w where w.tally_id = o.tally_id limit 1) as w
        cross join lateral jsonb_to_recordset(w.rules) as r(rule text, severity text, mode text, reason text, per text,
            min_coverage numeric, pass bigint, warn bigint, fail bigint, error bigint, not_evaluated bigint, out_of_scope bigint,
            withheld bigint)
        where p.job_id is null and o.result <> 'planned'
        union all
        -- of several
        select true, j.job_id, j.pack, j.source_name, j.as_of, j.submitted_at, r.*
        from muster.job j
        join muster.job_progress p on p.job_id = j.job_id
        cross join lateral (
            select r.rule, max(r.severity), coalesce(max(r.mode), 'active'), max(r.reason), coalesce(max(r.per), 'record'),
                   coalesce(max(r.min_coverage), 1), coalesce(sum(r.pass), 0), coalesce(sum(r.warn), 0), coalesce(sum(r.fail), 0),
                   coalesce(sum(r.error), 0), coalesce(sum(r.not_evaluated), 0), coalesce(sum(r.out_of_scope), 0),
                   coalesce(sum(r.withheld), 0)
            from muster.verdict v
            cross join lateral (select w.rules from muster.tally w where w.tally_id = v.tally_id limit 1) as w
            cross join lateral jsonb_to_recordset(w.rules) as r(rule text, severity text, mode text, reason text, per text,
                min_coverage numeric, pass bigint, warn bigint, fail bigint, error bigint, not_evaluated bigint,
                out_of_scope bigint, withheld bigint)
            -- the bounds leave one partition to look at
            where v.job_id = p.job_id and v.task_id between muster.id_floor(p.job_id) and muster.id_ceiling(p.job_id)
            group by r.rule
        ) as r
    ) as s;
comment on view muster.rule_total is 'Summed counters and status per job and rule; rules in shadow mode have no status.';

create function muster.job_result(of_job uuid) returns text
    language plpgsql stable security definer set search_path = pg_catalog, muster
    -- planned once in a session: over years of partitions that takes longer than the answer
    set plan_cache_mode = force_generic_plan
    as $$
begin
    return (
        select muster.result_of_counts(coalesce(bool_or(status = 'fail'), false), coalesce(bool_or(status = 'error'), false),
                                       coalesce(bool_or(status = 'warn'), false), coalesce(bool_or(status = 'pass'), false))
        from muster.rule_total where job_id = of_job);
end
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

create function muster.stage_sealed(jobs uuid[]) returns text
    language sql stable security definer set search_path = pg_catalog, muster
    as $$
    select string_agg(entry, ',') from (
        select muster.sealed('task', t.task_id::text, muster.seal(t)) as entry
        from unnest(jobs) as j(id)
        join muster.task t on t.job_id = j.id and t.created_at = now() and t.task_id between muster.id_floor(j.id) and muster.id_ceiling(j.id)
        union all
        select muster.noted('finished', p.job_id, p.result) from muster.job_progress p where p.job_id = any (jobs) and p.finished_at = now()
    ) as x
    $$;
comment on function muster.stage_sealed is 'What the audit trail says of jobs of several tasks: the tasks made, and the jobs ended, in this transaction.';

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

create function muster.progress_result(p muster.job_progress, result out text, reason out text)
    language plpgsql stable security definer set search_path = pg_catalog, muster
    set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan set jit = off
    as $$
begin
    select case when j.cancelled then 'cancelled' when p.bad = 0 then muster.job_result(p.job_id)
                when p.stage = 'first' then o.result else 'error' end,
           case when j.cancelled then 'operator' when p.bad = 0 then null
                when p.stage = 'first' then o.reason
                when (select true from muster.outcome d where d.job_id = p.job_id and d.task_id <> d.job_id
                      and d.result = 'error' and d.reason = 'deadline' limit 1) then 'deadline'
                else 'incomplete_stage' end
    into result, reason
    from muster.job j
    left join lateral (
        select o.result, o.reason from muster.outcome o
        where p.stage = 'first' and o.job_id = p.job_id and o.task_id <> o.job_id
          and (select true from muster.task t where t.retry_of = o.task_id limit 1) is null limit 1) as o on true
    where j.job_id = p.job_id;
end
$$;
comment on function muster.progress_result is 'What comes of a job whose last task has its outcome: the result from the summed counters, incomplete_stage, that of the one task that was retried, or cancelled.';

-- ---- the exceptions ledger is told (0016_exception) ----

create table muster.ledger_due (
    job_id uuid primary key,
    started boolean not null default false,
    closing boolean not null default false,
    at_rule text,
    at_id uuid,
    due_at timestamptz not null default now()
);
create index on muster.ledger_due (started desc, job_id);
comment on table muster.ledger_due is 'Runs that ended and are not in the ledger yet. A large one is entered in slices.';
comment on column muster.ledger_due.closing is 'Its findings are entered; what it did not find is being resolved.';
comment on column muster.ledger_due.at_id is 'The last finding that was entered, or exception (behind at_rule) that was looked at.';

create function muster.stage_finish(jobs uuid[]) returns setof uuid
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
begin
    return query with ended as (
        update muster.job_progress p
        set finished_at = now(), (result, reason) = (select r.result, r.reason from muster.progress_result(p) as r)
        where p.job_id = any (jobs) and p.done >= p.expected and p.finished_at is null
        returning p.job_id, p.result
    ), due as ( -- to the exceptions ledger
        insert into muster.ledger_due (job_id)
        select e.job_id from ended e where e.result in ('pass', 'warn', 'fail', 'not_evaluated') on conflict do nothing
    )
    select e.job_id from ended e;
end
$$;
comment on function muster.stage_finish is 'Ends the jobs whose last task has its outcome (muster.progress_result); which they were.';

insert into muster.schema_migration (version, name) values (6, 'stages');
reset role;
