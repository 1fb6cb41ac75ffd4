-- SPDX-License-Identifier: Apache-2.0
-- Whether and when a task is tried again: policies, breakers, dead letters and their retry by hand (PROTOCOL.md §7).
-- The requests are schemas/{retry,dead}.json, checked before they come here; the answers are made here, so that
-- `nats req`, `muster` and psql see the same.
set role muster_owner;

alter table muster.job_progress alter records_expected drop not null;
comment on column muster.job_progress.stage is 'scan; or first: the job''s first task, retried by hand (its plan, or all there is).';
comment on column muster.job_progress.records_expected is 'What the plan counted; null without a plan.';
create index retry_of on muster.task (retry_of) where retry_of is not null;
create index dead_letter on muster.outcome (task_id) where result in ('error', 'exhausted', 'rejected');
comment on column muster.task.n is 'How often it has been published; 0: it waits in muster.retry for its turn.';

-- ---- policies ----

alter table muster.policy alter value drop not null, add column sequence bigint, add column reason text;
create index policy_unwritten on muster.policy (key) where sequence is null;
comment on column muster.policy.value is 'Null: the key is to be taken out of the bucket, then the row goes.';
comment on column muster.policy.sequence is 'Of the bucket''s entry that has this value; null: it is still to be written there.';

create function muster.queue_policy(of_queue text) returns jsonb
    language sql stable security definer set search_path = pg_catalog, muster
    as $$
    select jsonb_build_object('retry', jsonb_build_object(
        'transient', '{"first_ms":1000,"cap_ms":300000,"attempts":8}'::jsonb || coalesce(p.value #> '{retry,transient}', '{}'),
        'dependency', '{"first_ms":5000,"cap_ms":60000}'::jsonb || coalesce(p.value #> '{retry,dependency}', '{}')))
    from (select 1) as one left join muster.policy p on p.key = 'queue.' || of_queue
    $$;
comment on function muster.queue_policy is 'Policy of a queue over the defaults, which stand here and nowhere else.';

create function muster.retry_cap(class text, of_queue text) returns interval
    language sql stable security definer set search_path = pg_catalog, muster
    as $$ select (muster.queue_policy(of_queue) #>> array['retry', class, 'cap_ms'])::bigint * interval '1 millisecond' $$;
comment on function muster.retry_cap is 'The longest pause of a class in a queue; null for those that wait for no pause.';

create function muster.policy_seen(of_key text, of_value text, is_present boolean, is_valid boolean, at_sequence bigint) returns text
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    p muster.policy;
    document jsonb := case when is_present and is_valid then of_value::jsonb end;
begin
    select * into p from muster.policy where key = of_key for update;
    if p.key is not null and ((p.value is not null and p.value = document) or (p.value is null and not is_present)) then
        if p.value is null then
            delete from muster.policy where key = of_key;
        else
            update muster.policy set sequence = at_sequence where key = of_key and sequence is distinct from at_sequence;
        end if;
        return 'same';
    elsif p.key is null and not is_present then
        return 'same';
    elsif p.key is not null and p.sequence is null then
        return 'same'; -- what stands here is about to be written there
    elsif p.key is null and (of_key like 'job.%' or not is_valid) then
        return 'foreign'; -- only muster cancels jobs, and what is wrong is in force nowhere
    elsif of_key like 'job.%' or not is_valid or at_sequence <= p.sequence then
        update muster.policy set sequence = null where key = of_key; -- an older one came back, or nobody may change it
        return 'put_back';
    elsif is_present then
        insert into muster.policy as x (key, value, actor, sequence, reason) values (of_key, document, 'bucket', at_sequence, null)
        on conflict (key) do update set value = excluded.value, actor = excluded.actor, changed_at = now(),
            sequence = excluded.sequence, reason = null;
    else
        delete from muster.policy where key = of_key;
    end if;
    perform muster.event_row('operator.policy_changed', muster.event_json('operator_policy_changed', null, null,
        ',"key":' || to_json(of_key)::text));
    perform pg_notify('muster_outbox', '');
    perform muster.audit_append(coalesce(document ->> 'actor', 'bucket'), 'policy', document ->> 'reason', '[["policy",'
        || to_json(of_key)::text || ',"' || encode(sha256(convert_to(coalesce(document::text, ''), 'UTF8')), 'hex') || '"]]');
    return 'taken';
end
$$;
comment on function muster.policy_seen is 'An entry (or marker) of the bucket: same; taken (an edit, now in force); put_back (the table''s is to be written); foreign (to be purged).';

create function muster.policy_refused(of_key text, why text) returns void
    language sql volatile security definer set search_path = pg_catalog, muster
    as $$
    select muster.event_row('operator.policy_refused', muster.event_json('operator_policy_refused', null, null,
        ',"key":' || to_json(of_key)::text || ',"message":' || to_json(why)::text)), pg_notify('muster_outbox', '')
    $$;
comment on function muster.policy_refused is 'Tells that an edit of a policy was not taken.';

create function muster.policy_missing(seen text[]) returns int
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    missing int;
begin
    update muster.policy set sequence = null where sequence is not null and not key = any (seen);
    get diagnostics missing = row_count;
    return missing;
end
$$;
comment on function muster.policy_missing is 'After a walk of the whole bucket: what was not in it is to be written again; how many.';

create function muster.policy_unwritten(lim int) returns table (key text, value text)
    language sql volatile security definer set search_path = pg_catalog, muster
    as $$
    with aged as ( -- nobody can be running what was cancelled a day ago
        update muster.policy p set value = null, sequence = null
        where p.key like 'job.%' and p.value is not null and p.changed_at < now() - interval '1 day' returning p.key
    )
    select key, null from aged
    union all
    (select p.key, p.value::text from muster.policy p where p.sequence is null and p.key not in (select key from aged) order by p.key limit lim)
    $$;
comment on function muster.policy_unwritten is 'What the bucket does not have yet; null: the key is to be purged.';

create function muster.policy_written(of_key text, of_value text, at_sequence bigint) returns void
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
begin
    if of_value is null then
        delete from muster.policy where key = of_key and value is null;
    else
        update muster.policy set sequence = at_sequence where key = of_key and value = of_value::jsonb;
    end if;
end
$$;
comment on function muster.policy_written is 'The bucket has it now; unless it has changed here meanwhile.';

-- ---- breakers ----

alter table muster.retry add column queue text, add column source text;
create index on muster.retry (source, next_at) where source is not null;
comment on column muster.retry.class is 'dependency, transient, incomplete; by_hand: a retry that waits for its turn.';
comment on column muster.retry.source is 'The source that was down, if that is what it waits for.';

create table muster.breaker (
    source text primary key,
    queue text not null,
    reason text not null,
    message text,
    failures int not null default 1,
    probes int not null default 0,
    opened_at timestamptz not null default now(),
    probe_at timestamptz not null
);
comment on table muster.breaker is 'Sources that are down: what waits for one is not published but for one probe at a time.';
comment on column muster.breaker.failures is 'How often one of its tasks found it down.';
comment on column muster.breaker.probe_at is 'When one task that waits for it is published, to see whether it is back.';

create function muster.breaker_open(tasks uuid[]) returns void
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    r record;
    opened text;
begin
    for r in
        insert into muster.breaker as b (source, queue, reason, message, probe_at)
        select t.source, min(t.queue), min(t.reason), min(t.message),
               now() + muster.retry_pause('dependency', 1, muster.queue_policy(min(t.queue)))
        from muster.retry t where t.task_id = any (tasks) and t.source is not null and t.next_at < 'infinity'
        group by t.source order by t.source
        on conflict (source) do update set failures = b.failures + 1, reason = excluded.reason, message = excluded.message
        returning b.source, b.reason, b.message, b.failures
    loop
        continue when r.failures > 1;
        opened := concat_ws(',', opened, muster.event_json('operator_breaker_opened', null, null, ',"source":' || to_json(r.source)::text
            || ',"reason":' || to_json(r.reason)::text || coalesce(',"message":' || to_json(r.message)::text, '')));
    end loop;
    if opened is not null then
        perform muster.event_row('operator.breaker_opened', opened);
        perform pg_notify('muster_outbox', '');
    end if;
end
$$;
comment on function muster.breaker_open is 'Of those of the tasks that wait for a source that is down: its breaker opens, or has failed once more.';

create function muster.breaker_close(sources text[]) returns void
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    r record;
    waiting int;
    closed text;
begin
    for r in delete from muster.breaker b where b.source = any (sources) returning b.source, b.opened_at loop
        select count(*) into waiting from muster.retry t where t.source = r.source and t.next_at < 'infinity';
        -- two hundred a second, in no order: what comes back is not run over
        update muster.retry t set next_at = now() + random() * waiting * interval '5 milliseconds'
        where t.source = r.source and t.next_at < 'infinity';
        closed := concat_ws(',', closed, muster.event_json('operator_breaker_closed', null, null, ',"source":' || to_json(r.source)::text
            || ',"waiting":' || waiting || ',"open_seconds":' || round(extract(epoch from now() - r.opened_at))));
    end loop;
    if closed is not null then
        perform muster.event_row('operator.breaker_closed', closed);
        perform pg_notify('muster_outbox', '');
    end if;
end
$$;
comment on function muster.breaker_close is 'The sources are there: what waits for them becomes due, spread over time.';

create function muster.breaker_probe() returns void
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    b record;
    probe muster.retry;
begin
    for b in select * from muster.breaker order by source for update skip locked loop
        if not exists (select from muster.retry t where t.source = b.source) then
            perform muster.breaker_close(array[b.source]); -- nothing waits any more
            continue;
        end if;
        continue when b.probe_at > now() -- farther off than any pause: the clock was set back
            and b.probe_at < now() + greatest(interval '10 minutes', muster.retry_cap('dependency', b.queue));
        select * into probe from muster.retry t where t.source = b.source and t.next_at < 'infinity'
            order by t.next_at limit 1 for update skip locked;
        continue when not found; -- the last probe is under way
        if muster.republish(probe.task_id, probe.n, false, 'probe') is not null then
            update muster.retry set next_at = 'infinity' where task_id = probe.task_id;
        else
            delete from muster.retry where task_id = probe.task_id;
        end if;
        update muster.breaker set probes = b.probes + 1,
            probe_at = now() + muster.retry_pause('dependency', b.probes + 2, muster.queue_policy(b.queue))
            where source = b.source;
    end loop;
end
$$;
comment on function muster.breaker_probe is 'Publishes one waiting task of each source whose probe is due. It burns no attempt.';

create view report.breaker as
select b.source, b.queue, b.reason, b.message, b.failures, b.opened_at, b.probe_at,
       (select count(*) from muster.retry t
        where t.source = b.source and exists (
            select from muster.job j
            where j.job_id = coalesce((select k.job_id from muster.task k where k.task_id = t.task_id limit 1), t.task_id))) as waiting
from muster.breaker b
where exists (select from muster.job j where j.source_name = b.source limit 1); -- of a source of one's own tenant
comment on view report.breaker is 'Sources that are down. Their tasks wait and burn no attempt; one at a time is tried.';
comment on column report.breaker.source is 'Name of the source.';
comment on column report.breaker.queue is 'A queue whose tasks read it.';
comment on column report.breaker.reason is 'Why: a word of the documented list.';
comment on column report.breaker.message is 'The same in a sentence, of the last failure.';
comment on column report.breaker.failures is 'How often it has been found down since.';
comment on column report.breaker.opened_at is 'Since when.';
comment on column report.breaker.probe_at is 'When the next task is tried.';
comment on column report.breaker.waiting is 'Tasks that wait for it.';

-- ---- dead letters ----

create function muster.failure_class(result text, reason text) returns text
    language sql immutable parallel safe
    as $$
    select case when result not in ('error', 'rejected', 'exhausted') then null
                when reason in ('deadline', 'incomplete_stage') then reason
                when reason = 'crashed' then 'crash'
                when reason in ('retries', 'stalled', 'run_limit', 'unrecordable') then 'transient'
                when reason like '%\_down' or reason like '%\_missing' and reason <> 'source_missing' then 'dependency'
                when reason in ('bad_task', 'path_refused') or reason ~ '^(pack|list|queue|rule)_' then 'bad_configuration'
                else 'bad_input' end
    $$;
comment on function muster.failure_class is 'Why a task ended without a verdict: transient, dependency, bad_input, bad_configuration, crash, deadline, incomplete_stage.';

create view muster.dead as
    select o.task_id, j.job_id, j.job_key, muster.failure_class(o.result, o.reason) as class, o.result, nullif(o.reason, '') as reason,
           o.message, j.source_name as source, j.cancelled, j.pack, j.queue, j.labels, o.agent, o.recorded_at, j.submitted_at,
           (select t.task_id from muster.task t where t.retry_of = o.task_id) as retried_by
    from muster.outcome o join muster.job j on j.job_id = o.job_id
    where o.result in ('error', 'exhausted', 'rejected');
comment on view muster.dead is 'Tasks that ended without a verdict, retried ones too.';

create view report.dead_letter as
select o.task_id, j.job_id, j.job_key, muster.failure_class(o.result, o.reason) as class, o.result, nullif(o.reason, '') as reason,
       o.message, j.source_name as source, j.pack, j.queue, j.labels, coalesce(t.stage, j.stage) as stage, t.shard_index,
       coalesce(t.attempt, 1) as attempt, coalesce(t.n, j.n) as published, o.agent, o.recorded_at,
       (select r.task_id from muster.task r
        where r.retry_of = o.task_id and r.task_id between muster.id_floor(o.task_id) and muster.id_ceiling(o.task_id)
        limit 1) as retried_by, j.submitted_at
from muster.job j
join muster.outcome o on o.job_id = j.job_id and o.task_id between muster.id_floor(j.job_id) and muster.id_ceiling(j.job_id)
left join lateral (
    select t.stage, t.shard_index, t.attempt, t.n from muster.task t
    where o.task_id <> o.job_id and t.task_id = o.task_id limit 1) as t on true
where o.result in ('error', 'exhausted', 'rejected');
comment on view report.dead_letter is 'Tasks that ended in error, exhausted or rejected. They stay as long as outcomes do; retried_by is null while one is dead.';
comment on column report.dead_letter.task_id is 'The task.';
comment on column report.dead_letter.job_id is 'Its job.';
comment on column report.dead_letter.job_key is 'Key of the job; null if the submitter chose none.';
comment on column report.dead_letter.class is 'transient, dependency, bad_input, bad_configuration, crash or deadline.';
comment on column report.dead_letter.result is 'error, exhausted or rejected.';
comment on column report.dead_letter.reason is 'Why: a word of the documented list; null if values could not be read as their type.';
comment on column report.dead_letter.message is 'The same in a sentence.';
comment on column report.dead_letter.source is 'Name of the source.';
comment on column report.dead_letter.pack is 'Rule pack and version.';
comment on column report.dead_letter.queue is 'Lane of the task.';
comment on column report.dead_letter.labels is 'Labels of the job.';
comment on column report.dead_letter.stage is 'plan (opens the source) or scan.';
comment on column report.dead_letter.shard_index is 'Which part of a planned source, from 0; null: it is no part.';
comment on column report.dead_letter.attempt is 'Counts retries by hand.';
comment on column report.dead_letter.published is 'How often it was put in the queue.';
comment on column report.dead_letter.agent is 'Who ended it; null if no agent did.';
comment on column report.dead_letter.recorded_at is 'When it ended.';
comment on column report.dead_letter.retried_by is 'The task that took its place; null while it is dead.';
comment on column report.dead_letter.submitted_at is 'When its job''s submission was committed.';

create function muster.job_matches(f jsonb, queue text, pack text, source text, labels jsonb, submitted_at timestamptz) returns boolean
    language sql stable parallel safe
    as $$
    select (f ->> 'queue' is null or queue = f ->> 'queue')
       and (f ->> 'pack' is null or pack = f ->> 'pack' or pack like (f ->> 'pack') || '@%' or pack like (f ->> 'pack') || '.%')
       and (f ->> 'source' is null or source = f ->> 'source')
       and (f -> 'label' is null or labels @> (f -> 'label'))
       and (f ->> 'submitted_after' is null or submitted_at >= (f ->> 'submitted_after')::timestamptz)
       and (f ->> 'submitted_before' is null or submitted_at < (f ->> 'submitted_before')::timestamptz)
    $$;
comment on function muster.job_matches is 'The part of a filter that speaks of jobs.';

create function muster.dead_tasks(q jsonb, after_task uuid, lim int, living boolean) returns setof uuid
    language plpgsql stable security definer set search_path = pg_catalog, muster
    set plan_cache_mode = force_custom_plan -- what is not asked for goes out of the plan
    as $$
declare
    f jsonb := q -> 'filter';
    of_job uuid := coalesce((q ->> 'job_id')::uuid, (select r.job_id from muster.request r where r.key = q ->> 'id'));
begin
    return query
    select d.task_id from muster.dead d
    where d.retried_by is null and (after_task is null or d.task_id < after_task)
      and (q ->> 'task_id' is null or d.task_id = (q ->> 'task_id')::uuid)
      and (of_job is null or d.job_id = of_job and d.task_id between muster.id_floor(of_job) and muster.id_ceiling(of_job))
      and (f is null or not living or not d.cancelled)
      and (f is null or (f ->> 'class' is null or d.class = f ->> 'class') and (f ->> 'reason' is null or d.reason = f ->> 'reason')
           and (f ->> 'result' is null or d.result = f ->> 'result')
           and (f ->> 'submitted_after' is null or d.task_id >= muster.id_at((f ->> 'submitted_after')::timestamptz - interval '1 day'))
           and muster.job_matches(f, d.queue, d.pack, d.source, d.labels, d.submitted_at))
    order by d.task_id desc limit lim;
end
$$;
comment on function muster.dead_tasks is 'The dead letters that a request means (task_id, job_id, id or filter), the newest first, before a task. living: a filter leaves out jobs that were cancelled.';

create function muster.named_job(q jsonb) returns uuid
    language sql stable security definer set search_path = pg_catalog, muster
    as $$
    select j.job_id from muster.job j
    where j.job_id = coalesce((q ->> 'job_id')::uuid, (select r.job_id from muster.request r where r.key = q ->> 'id'))
    $$;
comment on function muster.named_job is 'The job that a request names by id or key; null: there is none.';

create function muster.refusal(code text, message text, pointer text) returns text
    language sql immutable parallel safe
    as $$ select json_build_object('ok', false, 'error', json_build_object('code', code, 'message', message, 'pointer', pointer))::text $$;
comment on function muster.refusal is 'An answer that says no.';

create function muster.dead_letters(request text) returns text
    language plpgsql stable security definer set search_path = pg_catalog, muster
    as $$
declare
    q jsonb := request::jsonb;
    lim int := coalesce((q ->> 'limit')::int, 100);
    found_ones json;
begin
    if q ->> 'task_id' is not null then -- one task, retried or not
        select json_agg(to_jsonb(d)) into found_ones from report.dead_letter d where d.task_id = (q ->> 'task_id')::uuid;
        if found_ones is null then
            return muster.refusal('not_found', 'there is no dead letter with this id', '/task_id');
        end if;
        return json_build_object('ok', true, 'dead', found_ones, 'more', false)::text;
    end if;
    if (q ->> 'job_id' is not null or q ->> 'id' is not null) and muster.named_job(q) is null then
        return muster.refusal('not_found', 'there is no such job', case when q ->> 'job_id' is null then '/id' else '/job_id' end);
    end if;
    select coalesce(json_agg(to_jsonb(d) order by d.task_id desc), '[]') into found_ones from report.dead_letter d
    where d.task_id in (select muster.dead_tasks(q, (q ->> 'after')::uuid, lim, false));
    return json_build_object('ok', true, 'dead', found_ones, 'more', json_array_length(found_ones) = lim)::text;
end
$$;
comment on function muster.dead_letters is 'The answer of muster.api.dead.';

create function muster.retried_body(body bytea, old uuid, new uuid, job uuid) returns bytea
    language plpgsql immutable
    as $$
declare
    text_of text := convert_from(body, 'UTF8');
    head text := '{"v":1,"task_id":"' || old || '"';
    rest text;
begin
    if left(text_of, length(head)) <> head then
        raise exception 'the body of task % does not begin with its id', old;
    end if;
    rest := substr(text_of, length(head) + 1);
    if rest like ',"job_id":"%' then
        rest := substr(rest, length(',"job_id":""') + 37);
    end if;
    return convert_to('{"v":1,"task_id":"' || new || '","job_id":"' || job || '"' || rest, 'UTF8');
end
$$;
comment on function muster.retried_body is 'The bytes of a task under another id; all pins stay.';

create function muster.retry_by_hand(request text, default_actor text) returns text
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    q jsonb := request::jsonb;
    who text := coalesce(q ->> 'actor', default_actor);
    lim int := coalesce((q ->> 'limit')::int, 1000);
    rate float8 := (q ->> 'rate')::float8;
    one uuid := (q ->> 'task_id')::uuid;
    dead uuid[];
    jobs uuid[];
    more boolean;
    refused int := 0;
    made uuid[] := '{}';
    r record;
    next_id uuid;
    next_body bytea;
    plan json;
    held boolean;
    first_at timestamptz := now();
    events text;
    rows text;
begin
    if (q ->> 'job_id' is not null or q ->> 'id' is not null) and muster.named_job(q) is null then
        return muster.refusal('not_found', 'there is no such job', case when q ->> 'job_id' is null then '/id' else '/job_id' end);
    end if;
    select coalesce(array_agg(x), '{}') into dead from muster.dead_tasks(q, null, lim + 1, true) as x;
    if one is not null and dead = '{}' then
        return case when exists (select from muster.task t where t.retry_of = one)
                    then muster.refusal('conflict', 'the task has been retried already, by ' || (select t.task_id from muster.task t where t.retry_of = one), '/task_id')
                    when exists (select from muster.any_task a where a.task_id = one)
                    then muster.refusal('conflict', 'the task is no dead letter: it is open, or ended otherwise', '/task_id')
                    else muster.refusal('not_found', 'there is no such task', '/task_id') end;
    end if;
    more := cardinality(dead) > lim;
    dead := dead[1:lim];
    if coalesce((q ->> 'dry_run')::boolean, false) then
        return json_build_object('ok', true, 'dry_run', true, 'matched', cardinality(dead), 'done', 0, 'refused', 0, 'more', more,
                                 'ids', to_json(dead[1:20]))::text;
    end if;
    jobs := array(select distinct o.job_id from muster.outcome o where o.task_id = any (dead));
    if rate is not null then -- behind what others, or the same in parts, have asked for
        select greatest(first_at, max(t.next_at) + interval '1 second' / rate) into first_at
        from muster.retry t where t.class = 'by_hand' and t.next_at < 'infinity';
    end if;
    perform muster.lock_jobs(jobs);
    for r in
        select a.*, d.document as terms, row_number() over (order by a.created_at, a.task_id) - 1 as place
        from muster.any_task a join muster.terms d using (terms_digest)
        where a.task_id = any (dead) and not exists (select from muster.task t where t.retry_of = a.task_id) -- by now
        order by a.created_at, a.task_id
    loop
        if r.cancelled then
            refused := refused + 1;
            continue;
        end if;
        plan := convert_from(r.body, 'UTF8')::json;
        -- agents were told to stop what the deadline ended: they have a moment to hear otherwise
        held := exists (select from muster.policy p where p.key = 'job.' || r.job_id);
        next_id := muster.derive_id(r.job_id, sha256(
            muster.member(coalesce(plan ->> 'plan_task_id', r.job_id::text)) || muster.member(coalesce(plan #>> '{input,digest}', ''))
            || muster.member(r.stage) || muster.member(coalesce(r.shard_index::text, '')) || muster.member((r.attempt + 1)::text)));
        next_body := muster.retried_body(r.body, r.task_id, next_id, r.job_id);
        insert into muster.task (task_id, job_id, stage, attempt, shard_index, body, task_digest, queue, priority, n, retry_of)
        values (next_id, r.job_id, r.stage, r.attempt + 1, r.shard_index, next_body, sha256(next_body), r.queue, r.priority,
                (rate is null and not held)::int, r.task_id)
        returning concat_ws(',', rows, muster.sealed('task', task_id::text, muster.seal(task))) into rows;
        if rate is null and not held then
            insert into muster.outbox (ride_id, n, kind, subject, message_id, members, bytes, trace_id)
            values (next_id, 1, 'task', 'muster.task.' || r.queue || '.' || r.priority || '.' || next_id, next_id || ':1', array[next_id],
                    muster.ride_bytes(next_id, 1, false, r.queue, r.priority, r.terms, array[next_body]), r.trace_id);
        else
            insert into muster.retry (task_id, n, class, reason, queue, next_at)
            values (next_id, 0, 'by_hand', left(q ->> 'reason', 100), r.queue, first_at + coalesce(r.place / rate, 0) * interval '1 second' + held::int * interval '2 seconds');
        end if;
        -- its counters go out of the job's sums with it (muster.verdict); here it is counted as open again
        insert into muster.job_progress as p (job_id, stage, expected) values (r.job_id, 'first', 1)
        on conflict (job_id) do update set done = p.done - 1, bad = p.bad - 1, finished_at = null, result = null, reason = null;
        made := made || next_id;
        events := concat_ws(',', events, muster.event_json('job_retried', r.job_id, next_id, ',"retry_of":"' || r.task_id || '"'));
    end loop;
    if one is not null and refused > 0 then
        return muster.refusal('conflict', 'the job was cancelled: submit it again', '/task_id');
    end if;
    if made <> '{}' then
        update muster.policy set value = null, sequence = null, changed_at = now()
        where key = any (array(select 'job.' || j.job_id from muster.job j where j.job_id = any (jobs) and not j.cancelled));
        perform muster.event_row('job.retried', events);
        perform pg_notify('muster_outbox', '');
        perform muster.audit_append(who, 'retry', q ->> 'reason', '[' || rows || ']');
    end if;
    return json_build_object('ok', true, 'dry_run', false, 'matched', cardinality(dead), 'done', cardinality(made), 'refused', refused,
                             'more', more, 'ids', to_json(made[1:20]))::text;
end
$$;
comment on function muster.retry_by_hand is 'The answer of muster.api.retry: dead letters get a new task each, in the same job. The old outcome stays; the job counts the last of each chain.';

-- ---- who may what ----

revoke all on all tables in schema muster from public;
revoke all on all functions in schema muster from public;
grant select on all tables in schema report to muster_reporter, muster_auditor;
grant execute on function muster.failure_class to muster_reporter, muster_auditor;
grant select on muster.policy to muster_auditor;
grant execute on function muster.policy_seen, muster.policy_refused, muster.policy_missing, muster.policy_unwritten, muster.policy_written,
    muster.dead_letters, muster.retry_by_hand to muster_dispatcher;

insert into muster.schema_migration (version, name) values (12, 'retry');
reset role;
