-- SPDX-License-Identifier: Apache-2.0
-- What ends tasks before they are done: cancelling and deadlines (PROTOCOL.md §7). The request is schemas/cancel.json,
-- checked before it comes here; the answer is made here, so that `nats req`, `muster` and psql see the same.
set role muster_owner;

create function muster.open_jobs(f jsonb) returns uuid[]
    language sql stable security definer set search_path = pg_catalog, muster
    as $$
    select coalesce(array_agg(job_id order by job_id), '{}') from (
        select distinct j.job_id
        from (select m as task_id from muster.outbox o cross join unnest(o.members) as m where o.kind = 'task'
              union select t.task_id from muster.retry t) as open
        left join muster.task t on t.task_id = open.task_id
        join muster.job j on j.job_id = coalesce(t.job_id, open.task_id)
        left join muster.retry w on w.task_id = open.task_id
        where (select true from muster.outcome p where p.task_id = open.task_id) is null
          and muster.job_matches(f, j.queue, j.pack, j.source_name, j.labels, j.submitted_at)
          and (f ->> 'reason' is null or w.reason = f ->> 'reason') and (f ->> 'class' is null or w.class = f ->> 'class')) as x
    $$;
comment on function muster.open_jobs is 'Jobs with open tasks that a filter means. Whatever is open has a queue message or waits for a retry: history is not looked at. Reason and class speak of what a task waits for.';

create function muster.end_jobs(jobs uuid[], with_result text, why_code text, why text, who text, what text, words text default null)
    returns table (ride_id uuid, n int, subject text, sequence bigint, stream_created text)
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
#variable_conflict use_column
declare
    ended uuid[];
    touched uuid[];
    over uuid[];
begin
    ended := muster.end_tasks(array(select a.task_id from muster.any_task a where a.job_id = any (jobs)
                                    and (select true from muster.outcome p where p.task_id = a.task_id) is null),
                              with_result, why_code, why, who, what, words);
    -- a bundle is younger than its tasks by no more than a commit; what is not found here the reconciler finds
    touched := array(
        select o.ride_id from muster.outbox o where o.kind = 'task' and o.ride_id = any (ended)
        union
        select o.ride_id from muster.outbox o cross join unnest(o.members) as m join unnest(ended) as e on e = m
        where o.kind = 'task' and o.ride_id >= muster.id_floor((select min(e::text)::uuid from unnest(ended) as e))
          and o.ride_id < muster.id_at(muster.time_of((select max(e::text)::uuid from unnest(ended) as e)) + interval '30 seconds'));
    over := array(
        select o.ride_id from muster.outbox o where o.ride_id = any (touched) and not exists (
            select from unnest(o.members) as m
            where (select true from muster.outcome p where p.task_id = m) is null
              and o.n = coalesce((select j.n from muster.job j where j.job_id = m), (select t.n from muster.task t where t.task_id = m))));
    -- agents are told of jobs that may be running for long, and of those that share a message with others
    insert into muster.policy as p (key, value, actor, reason)
    select 'job.' || j.job_id, jsonb_build_object('v', 1, 'stop', with_result, 'reason', why_code), who, why
    from muster.job j
    where j.job_id = any (jobs) and (j.stage = 'plan' or exists (
        select from muster.outbox o where o.ride_id = any (touched) and not o.ride_id = any (over) and j.job_id = any (o.members)))
      and exists (select from unnest(ended) as e where e between muster.id_floor(j.job_id) and muster.id_ceiling(j.job_id))
    on conflict (key) do update set value = excluded.value, actor = excluded.actor, reason = excluded.reason, changed_at = now(), sequence = null;
    -- what is young and not noted as published may be on its way: noted, it is the reconciler's
    delete from muster.outbox o where o.ride_id = any (over) and o.published_at is null and o.created_at < now() - interval '10 seconds';
    return query select o.ride_id, o.n, o.subject, o.sequence, o.stream_created from muster.outbox o
                 where o.ride_id = any (over) and o.published_at is not null;
end
$$;
comment on function muster.end_jobs is 'Ends all open tasks of jobs. Returns the queue messages that nobody needs any more: to be deleted, then settled; the reconciler does what is left undone.';

create function muster.cancel(request text, default_actor text)
    returns table (answer text, ride_id uuid, n int, subject text, sequence bigint, stream_created text)
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
#variable_conflict use_column
declare
    q jsonb := request::jsonb;
    who text := coalesce(q ->> 'actor', default_actor);
    lim int := coalesce((q ->> 'limit')::int, 1000);
    matched uuid[];
    wanted uuid[];
    fresh uuid[];
begin
    if q -> 'filter' is not null then
        matched := muster.open_jobs(q -> 'filter');
    else
        matched := array(select x from muster.named_job(q) as x where x is not null);
        if matched = '{}' then
            answer := muster.refusal('not_found', 'there is no such job', case when q ->> 'job_id' is null then '/id' else '/job_id' end);
            return next;
            return;
        end if;
    end if;
    wanted := matched[1:lim];
    if not coalesce((q ->> 'dry_run')::boolean, false) then
        perform muster.lock_jobs(wanted);
    end if;
    fresh := array(
        select j.job_id from muster.job j left join muster.job_progress p on p.job_id = j.job_id
        where j.job_id = any (wanted) and not j.cancelled
          and case when p.job_id is null
                   then not exists (select from muster.outcome o where o.task_id = j.job_id and o.result <> 'planned')
                   else p.finished_at is null end
        order by j.job_id);
    answer := json_build_object('ok', true, 'dry_run', coalesce((q ->> 'dry_run')::boolean, false), 'matched', cardinality(matched),
        'done', case when (q ->> 'dry_run')::boolean then 0 else cardinality(fresh) end,
        'already_done', cardinality(wanted) - cardinality(fresh), 'more', cardinality(matched) > lim, 'ids', to_json(fresh[1:20]))::text;
    return next;
    if fresh = '{}' or coalesce((q ->> 'dry_run')::boolean, false) then
        return;
    end if;
    update muster.job set cancelled = true where job_id = any (fresh);
    answer := null;
    return query select null::text, x.* from muster.end_jobs(fresh, 'cancelled', 'operator', q ->> 'reason', who, 'cancel',
        (select string_agg(muster.noted('cancelled', id, coalesce(q ->> 'reason', 'operator')), ',') from unnest(fresh) as id)) as x;
end
$$;
comment on function muster.cancel is 'The answer of muster.api.cancel in the first row; in the others queue messages to delete (muster.end_jobs). Twice is once.';

create table muster.deadline (
    at timestamptz not null,
    job_id uuid not null,
    primary key (at, job_id)
);
comment on table muster.deadline is 'When jobs must be done, of those that say so; a row goes when its time has come.';

create function muster.deadlines_due(lim int)
    returns table (ride_id uuid, n int, subject text, sequence bigint, stream_created text)
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
#variable_conflict use_column
declare
    jobs uuid[];
begin
    with due as (
        delete from muster.deadline where (at, job_id) in (select d.at, d.job_id from muster.deadline d where d.at <= now() order by d.at limit lim)
        returning job_id)
    select array_agg(job_id) into jobs from due;
    if jobs is null then
        return;
    end if;
    return query select x.* from muster.end_jobs(jobs, 'error', 'deadline', 'the deadline of the job has passed', 'deadline', 'deadline') as x;
end
$$;
comment on function muster.deadlines_due is 'Ends what is open of jobs whose deadline has passed: result error, reason deadline. Returns queue messages as muster.end_jobs.';

revoke all on all tables in schema muster from public;
revoke all on all functions in schema muster from public;
grant execute on function muster.cancel, muster.deadlines_due to muster_dispatcher;

insert into muster.schema_migration (version, name) values (13, 'cancel');
reset role;
