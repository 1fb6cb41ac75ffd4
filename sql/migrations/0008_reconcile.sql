-- SPDX-License-Identifier: Apache-2.0
-- What the leader calls: republishing, retries, stages that lost a count, and the state of a job for the API.
set role muster_owner;

-- plpgsql keeps plans, language sql makes them anew at each call; and with bounds of the ids as parameters a plan leaves out
-- all other partitions when it begins
create function muster.open_tasks(ids uuid[]) returns setof uuid
    language plpgsql stable security definer set search_path = pg_catalog, muster
    set enable_hashjoin = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan set jit = off
    as $$
declare
    low uuid := (select x from unnest(ids) as x order by x limit 1);
    high uuid := (select x from unnest(ids) as x order by x desc limit 1);
begin
    return query
    select x.id from unnest(ids) as x(id)
    where (select true from muster.outcome o where o.task_id = x.id and o.task_id between low and high) is null
      and coalesce((select true from muster.job j where j.job_id = x.id and j.job_id between low and high),
                   (select true from muster.task t where t.task_id = x.id and t.task_id between low and high));
end
$$;
comment on function muster.open_tasks is 'Those of the ids that are tasks of ours without an outcome.';

create function muster.known_tasks(ids uuid[]) returns setof uuid
    language plpgsql stable security definer set search_path = pg_catalog, muster
    set enable_hashjoin = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan set jit = off
    as $$
declare
    low uuid := (select x from unnest(ids) as x order by x limit 1);
    high uuid := (select x from unnest(ids) as x order by x desc limit 1);
begin
    return query
    select x.id from unnest(ids) as x(id)
    where coalesce((select true from muster.job j where j.job_id = x.id and j.job_id between low and high),
                   (select true from muster.task t where t.task_id = x.id and t.task_id between low and high));
end
$$;
comment on function muster.known_tasks is 'Those of the ids that are tasks of ours.';

create function muster.done_tasks(ids uuid[]) returns setof uuid
    language plpgsql stable security definer set search_path = pg_catalog, muster
    set enable_hashjoin = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan set jit = off
    as $$
declare
    low uuid := (select x from unnest(ids) as x order by x limit 1);
    high uuid := (select x from unnest(ids) as x order by x desc limit 1);
begin
    return query
    select x.id from unnest(ids) as x(id)
    where (select true from muster.outcome o where o.task_id = x.id and o.task_id between low and high);
end
$$;
comment on function muster.done_tasks is 'Those of the ids that have their outcome.';

create function muster.intake_noted() returns table (created text, sequence bigint, stored_at timestamptz, noted_at timestamptz)
    language sql stable security definer set search_path = pg_catalog, muster
    as $$ select created, sequence, stored_at, noted_at from muster.intake_mark $$;
comment on function muster.intake_noted is 'The newest intake message that a leader has noted; no row if none has.';

create function muster.intake_note(stream text, at_sequence bigint, at_stored timestamptz, broker_time timestamptz) returns void
    language sql volatile security definer set search_path = pg_catalog, muster
    as $$
    insert into muster.intake_mark as m (created, sequence, stored_at, noted_at) values (stream, at_sequence, at_stored, broker_time)
    on conflict (one) do update set created = excluded.created, sequence = excluded.sequence, stored_at = excluded.stored_at,
        noted_at = excluded.noted_at
    $$;
comment on function muster.intake_note is 'Notes the newest message of the intake, and when by the broker''s clock, which also says how old a consumer is.';

create function muster.rides_needed(rides uuid[], ns int[]) returns setof uuid
    language sql stable security definer set search_path = pg_catalog, muster set enable_hashjoin = off set enable_mergejoin = off
    as $$
    select x.r from unnest(rides, ns) as x(r, n)
    where (select true from muster.outbox o where o.ride_id = x.r and o.n = x.n and o.kind = 'task')
    $$;
comment on function muster.rides_needed is 'Those of the queue messages that an open task still has as its current one: their rows stand in the outbox.';

create function muster.requeue(of_task uuid, expected_n int, is_fresh boolean) returns bytea
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    t record;
    next_n int := expected_n + 1;
begin
    update muster.job set n = next_n where job_id = of_task and n = expected_n
        and not exists (select from muster.outcome o where o.task_id = of_task);
    if not found then
        update muster.task set n = next_n where task_id = of_task and n = expected_n
            and not exists (select from muster.outcome o where o.task_id = of_task);
    end if;
    if not found then
        return null;
    end if;
    select a.*, d.document as terms into strict t from muster.any_task a join muster.terms d using (terms_digest) where a.task_id = of_task;
    -- a bundle that it rode in keeps its row for the others; with n moved on it is no longer this task's
    delete from muster.outbox where kind = 'task' and ride_id = of_task and n < next_n;
    insert into muster.outbox (ride_id, n, kind, subject, message_id, members, bytes, trace_id)
    values (of_task, next_n, 'task', 'muster.task.' || t.queue || '.' || t.priority || '.' || of_task, of_task || ':' || next_n,
            array[of_task], muster.ride_bytes(of_task, next_n, is_fresh, t.queue, t.priority, t.terms, array[t.body]), t.trace_id);
    return t.task_digest;
end
$$;
comment on function muster.requeue is 'The rows of muster.republish without its audit link: the digest of the task, or null if it has an outcome or another n meanwhile.';

create function muster.republish(of_task uuid, expected_n int, is_fresh boolean, who text) returns int
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    digest bytea := muster.requeue(of_task, expected_n, is_fresh);
begin
    if digest is null then
        return null;
    end if;
    perform pg_notify('muster_outbox', '');
    perform muster.audit_append(who, 'republish', null, '[' || muster.noted('republished', of_task, 'n = ' || expected_n + 1) || ']');
    return expected_n + 1;
end
$$;
comment on function muster.republish is 'Queues an open task again, alone, as n + 1; null if it has an outcome or another n meanwhile.';

create function muster.priority_rank(subject text) returns int
    language sql immutable parallel safe
    as $$ select case split_part(subject, '.', 4) when 'high' then 0 when 'normal' then 1 else 2 end $$;
comment on function muster.priority_rank is 'The order in which queue messages are made good again: 0 for those of priority high, 1 normal, 2 low.';
create index outbox_priority on muster.outbox (muster.priority_rank(subject), ride_id) where kind = 'task';

create function muster.reconcile_candidates(after_rank int, after_ride uuid, older_ms int, lim int)
    returns table (ride_id uuid, n int, subject text, sequence bigint, stream_created text, members uuid[], open_members uuid[],
                   missing_ms bigint)
    language sql stable security definer set search_path = pg_catalog, muster set enable_hashjoin = off set enable_mergejoin = off set jit = off
    as $$
    select o.ride_id, o.n, o.subject, o.sequence, o.stream_created, o.members, w.open_members,
           case when o.seen_missing_at is null then 0
                else (extract(epoch from clock_timestamp() - o.seen_missing_at) * 1000)::bigint end
    from muster.outbox o
    cross join lateral (
        select coalesce(array_agg(x.m order by x.i) filter (where not x.waits), '{}') as open_members, count(*) as open
        from (select m, i, (select true from muster.retry r where r.task_id = m and r.next_at < 'infinity') is not null as waits
              from unnest(o.members) with ordinality as u(m, i)
              where (select true from muster.outcome p where p.task_id = m) is null
                and o.n = coalesce((select j.n from muster.job j where j.job_id = m), (select t.n from muster.task t where t.task_id = m))) as x
    ) as w
    where o.kind = 'task' and (muster.priority_rank(o.subject), o.ride_id) > (after_rank, after_ride) and not muster.is_recent(o.published_at, now(), older_ms)
      and (cardinality(w.open_members) > 0 or w.open = 0)
    order by muster.priority_rank(o.subject), o.ride_id limit lim
    $$;
comment on function muster.reconcile_candidates is 'Messages published long enough ago, the urgent ones first and then in id order after a cursor, with those members that are open, have it as their current publication and wait for no retry; none, if nobody needs the message any more.';

create function muster.reconcile_note(rides uuid[], missing boolean[]) returns void
    language sql volatile security definer set search_path = pg_catalog, muster
    as $$
    update muster.outbox o set seen_missing_at = case when x.m then least(o.seen_missing_at, clock_timestamp()) end
    from unnest(rides, missing) as x(r, m) where o.ride_id = x.r and o.kind = 'task'
      and ((o.seen_missing_at is not null) <> x.m or o.seen_missing_at > clock_timestamp())
    $$;
comment on function muster.reconcile_note is 'Notes since when a message has been found neither queued nor held.';

create function muster.outbox_settled(rides uuid[]) returns void
    language sql volatile security definer set search_path = pg_catalog, muster
    as $$ select muster.rides_done(rides) $$;
comment on function muster.outbox_settled is 'Removes rows of messages that no open member needs.';

create function muster.retry_due(lim int) returns int
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    r record;
    made int := 0;
begin
    perform muster.breaker_probe();
    for r in select * from muster.retry t
             where (next_at <= now()
                    -- farther away than any pause: it was put off before the clock was set back
                    or (next_at > now() + interval '10 minutes' and next_at < 'infinity'
                        and (class <> 'by_hand' or created_at > now() + interval '1 minute')
                        and next_at > now() + coalesce(muster.retry_cap(t.class, t.queue), interval '0')))
               and not exists (select from muster.breaker b where b.source = t.source)
             order by next_at limit lim for update skip locked loop
        if r.class = 'incomplete' and r.incomplete >= 5 then
            perform muster.end_task(r.task_id, 'exhausted', 'unrecordable', 'its findings could not be recorded completely five times');
            delete from muster.retry where task_id = r.task_id;
        elsif r.class = 'transient' and r.transient >= (muster.queue_policy(r.queue) -> 'retry' -> 'transient' ->> 'attempts')::int then
            perform muster.end_task(r.task_id, 'exhausted', 'retries', coalesce(r.message, r.reason));
            delete from muster.retry where task_id = r.task_id;
        elsif muster.republish(r.task_id, r.n, r.class = 'incomplete', 'retry') is not null then
            -- the row stays, so that attempts are counted over publications; it is due again only when the task says so
            update muster.retry set next_at = 'infinity' where task_id = r.task_id;
            made := made + 1;
        else
            delete from muster.retry where task_id = r.task_id;
        end if;
    end loop;
    return made;
end
$$;
comment on function muster.retry_due is 'Queues again what is due; how many. Of a source whose breaker is open only the probe.';

create function muster.stage_events(jobs uuid[]) returns void
    language sql volatile security definer set search_path = pg_catalog, muster
    as $$
    select muster.event_row('job.' || state, text), pg_notify('muster_outbox', '')
    from (
        select state, string_agg(muster.event_json('job_' || state, job_id, null, ',"result":"' || result || '"'
                   || coalesce(',"reason":"' || reason || '"', '')), ',') as text
        from (select p.*, case when p.result in ('pass', 'warn', 'fail', 'not_evaluated') then 'completed'
                               when p.result = 'cancelled' then 'cancelled' else 'failed' end as state from muster.job_progress p
              where p.job_id = any (jobs) and p.finished_at = now()) as ended
        group by state
    ) as x
    $$;
comment on function muster.stage_events is 'Tells of those jobs that ended in this transaction.';

create function muster.end_tasks(tasks uuid[], with_result text, why_code text, why text, who text, what text,
                                 words text default null) returns uuid[]
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    ended uuid[];
    sealed text;
    staged uuid[];
    r record;
begin
    -- jobs first, in one order: so does whoever records outcomes of stages
    perform muster.lock_jobs(array(select a.job_id from muster.any_task a where a.task_id = any (tasks)));
    with made as (
        insert into muster.outcome (task_id, job_id, n, delivery, task_digest, result, reason, message, records, bad, skipped, bytes,
            findings_total, determined, started_at, finished_at)
        select a.task_id, a.job_id, a.n, 1, a.task_digest, with_result, why_code, why, 0, 0, 0, 0, 0,
               sha256(convert_to(with_result || ':' || why_code, 'UTF8')), now(), now()
        from muster.any_task a where a.task_id = any (tasks) order by a.task_id
        on conflict do nothing returning task_id, muster.seal(outcome) as seal)
    select coalesce(array_agg(task_id order by task_id), '{}'),
           string_agg(muster.sealed('outcome', task_id::text, seal), ',' order by task_id) into ended, sealed from made;
    if ended = '{}' then
        if words is not null then
            perform muster.audit_append(who, what, coalesce(why, why_code), '[' || words || ']');
        end if;
        return ended;
    end if;
    delete from muster.retry where task_id = any (ended);
    select array_agg(t.job_id) into staged from muster.task t where t.task_id = any (ended);
    if staged is not null then
        perform muster.stage_count(array(select distinct x from unnest(staged) as x), staged,
                                   array_fill(with_result, array[cardinality(staged)]));
        perform muster.stage_events(array(select distinct x from unnest(staged) as x));
    end if;
    -- jobs of one task end here; one event message for up to 2000
    for r in select string_agg(muster.event_json(case with_result when 'cancelled' then 'job_cancelled' else 'job_failed' end, id, null,
                                                 ',"result":"' || with_result || '","reason":"' || why_code || '"'), ',') as text
             from (select x.id, row_number() over () / 2000 as part from unnest(ended) as x(id)
                   where exists (select from muster.job j where j.job_id = x.id)) as y group by part loop
        perform muster.event_row(case with_result when 'cancelled' then 'job.cancelled' else 'job.failed' end, r.text);
    end loop;
    perform pg_notify('muster_outbox', '');
    if staged is not null then
        sealed := concat_ws(',', sealed, muster.stage_sealed(array(select distinct x from unnest(staged) as x)));
    end if;
    perform muster.audit_append(who, what, coalesce(why, why_code), '[' || concat_ws(',', sealed, words) || ']');
    return ended;
end
$$;
comment on function muster.end_tasks is 'Administrative outcomes (exhausted, cancelled, error by deadline) of those of the tasks that have none; which they were. what: the action of the audit link; words: what else it says, even if no task was open (muster.noted). Their queue messages are the caller''s to clear.';

create function muster.end_task(of_task uuid, with_result text, why_code text, why text) returns boolean
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
begin
    if muster.end_tasks(array[of_task], with_result, why_code, why, 'dispatcher', 'give up') = '{}' then
        return false;
    end if;
    perform muster.rides_done(array[of_task]);
    return true;
end
$$;
comment on function muster.end_task is 'An administrative outcome of one task, which was published alone; false if it has one already.';

create function muster.recount_stages() returns int
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    mended int;
    ended uuid[];
begin
    perform from muster.job_progress where finished_at is null order by job_id for update; -- what is counted below stands still
    with truth as (
        select p.job_id, count(o.task_id)::int as done,
               (count(o.task_id) filter (where o.result not in ('pass', 'warn', 'fail', 'not_evaluated')))::int as bad
        from muster.job_progress p
        join muster.task t on t.job_id = p.job_id and (t.stage = p.stage or p.stage = 'first')
            and not exists (select from muster.task r where r.retry_of = t.task_id)
        left join muster.outcome o on o.task_id = t.task_id
        where p.finished_at is null group by p.job_id
    )
    update muster.job_progress p set done = x.done, bad = x.bad
    from truth x where p.job_id = x.job_id and p.finished_at is null and (p.done, p.bad) is distinct from (x.done, x.bad);
    get diagnostics mended = row_count;
    ended := array(select muster.stage_finish(array(select job_id from muster.job_progress where finished_at is null)));
    if ended <> '{}' then
        perform muster.stage_events(ended);
        perform muster.audit_append('dispatcher', 'recount', null, '[' || muster.stage_sealed(ended) || ']');
    end if;
    if mended > 0 then
        perform muster.repaired(array['stage_recounted'], array[mended]);
    end if;
    return mended;
end
$$;
comment on function muster.recount_stages is 'Counts unfinished stages anew, of a chain of retries the last; how many were wrong (there should be none).';

create function muster.counts() returns table (name text, value bigint)
    language sql stable security definer set search_path = pg_catalog, muster
    as $$
    select 'outbox_unpublished', count(*) from muster.outbox where published_at is null
    union all select 'default_rows', (select count(*) from muster.job_default) + (select count(*) from muster.task_default)
        + (select count(*) from muster.outcome_default) + (select count(*) from muster.finding_default)
        + (select count(*) from muster.tally_default) + (select count(*) from muster.audit_default)
    union all select 'outcome_conflict', count(*) from muster.outcome_conflict
    union all select 'late_result', count(*) from muster.late_result
    union all select 'quarantine', count(*) from muster.quarantine
    union all select 'rejection', count(*) from muster.rejection
    union all select 'retry', count(*) from muster.retry
    $$;
comment on function muster.counts is 'Small numbers that operators look at.';

create function muster.job_status(by_id uuid, by_key text) returns text
    language plpgsql stable security definer set search_path = pg_catalog, muster
    as $$
declare
    j muster.job;
    p muster.job_progress;
    o muster.outcome;
    done int;
    state text;
    result text;
    records bigint;
    findings bigint;
    started boolean;
    alone boolean; -- one task says it all: the job's first, or the last of its retries
begin
    if by_id is null then
        select job_id into by_id from muster.request where key = by_key;
    end if;
    select * into j from muster.job where job_id = by_id;
    if not found then
        return null;
    end if;
    select * into o from muster.outcome where task_id = j.job_id;
    select * into p from muster.job_progress where job_id = j.job_id;
    alone := p.job_id is null or p.stage = 'first';
    if p.stage = 'first' then
        select x.* into o from muster.outcome x where x.job_id = j.job_id and x.task_id <> x.job_id
            and not exists (select from muster.task t where t.retry_of = x.task_id);
    end if;
    if alone then
        done := case when o.task_id is null then 0 else 1 end;
        result := nullif(o.result, 'planned');
        records := coalesce(o.records, 0);
        findings := coalesce(o.findings_total, 0);
    else
        done := p.done + 1;
        result := p.result;
        select coalesce(sum(x.records), 0), coalesce(sum(x.findings_total), 0) into records, findings
        from muster.outcome x where x.job_id = j.job_id and x.task_id <> x.job_id
            and not exists (select from muster.task t where t.retry_of = x.task_id);
    end if;
    started := o.task_id is not null;
    state := case when j.cancelled then 'cancelled'
                  when result in ('pass', 'warn', 'fail', 'not_evaluated') then 'completed'
                  when result is not null then 'failed'
                  when started then 'running' else 'queued' end;
    return (select json_strip_nulls(json_build_object('ok', true, 'job_id', j.job_id, 'id', j.job_key, 'state', state, 'result', result,
        'reason', coalesce(p.reason, case when alone then o.reason end),
        'message', case when alone then o.message end,
        'tasks', case when alone then 1 else p.expected + 1 end, 'done', done, 'records', records,
        'records_total', p.records_expected, 'findings', findings, 'pack', j.pack, 'source', j.source_name, 'queue', j.queue,
        'priority', j.priority, 'as_of', j.as_of, 'labels', j.labels, 'submitted_at', j.submitted_at,
        'deadline', j.deadline, 'finished_at', coalesce(p.finished_at, case when alone then o.recorded_at end)))::text);
end
$$;
comment on function muster.job_status is 'The answer of muster.api.status, by id or key; null if there is no such job.';

insert into muster.schema_migration (version, name) values (8, 'reconcile');
reset role;
