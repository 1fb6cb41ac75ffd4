-- SPDX-License-Identifier: Apache-2.0
-- What is needed when this database comes back at an older state (a backup, a stand-by that lagged): which messages of
-- the intake it has settled, and how jobs that it does not know any more are submitted again under their old ids.
set role muster_owner;

-- ---- the intake ----
--
-- A message of MUSTER_INTAKE is acknowledged after the commit that settled it, so the database always has what the
-- consumer's acknowledgements stand for; unless it has gone back. A set of ranges says it exactly, however several
-- dispatchers settle and acknowledge side by side; all in order, it is one range.

create table muster.intake_settled (
    created text primary key,
    sequences int8multirange,
    told bigint,
    noted_at timestamptz not null default now()
);
comment on table muster.intake_settled is 'Which messages of MUSTER_INTAKE have become jobs or rejections, per identity of the stream: written in that very transaction, before the acknowledgement. What is acknowledged and not in here was settled in a state that this database has lost.';
comment on column muster.intake_settled.sequences is 'Their sequences, mostly one range. Null: the stream is older than this table, what is acknowledged counts as settled.';
comment on column muster.intake_settled.told is 'The first lost sequence that an event has told of.';
-- an upgrade of a running site
insert into muster.intake_settled (created) select created from muster.intake_mark;

create function muster.intake_settle(stream text, settled bigint[], newest bigint, newest_stored timestamptz) returns void
    language sql volatile security definer set search_path = pg_catalog, muster
    as $$
    insert into muster.intake_mark as m (created, sequence, stored_at, noted_at) values (stream, newest, newest_stored, newest_stored)
    on conflict (one) do update set created = excluded.created, sequence = excluded.sequence, stored_at = excluded.stored_at,
        noted_at = greatest(m.noted_at, excluded.noted_at) -- by the broker's clock
    where m.created <> excluded.created or m.sequence < excluded.sequence;
    insert into muster.intake_settled as m (created, sequences)
    select stream, coalesce(range_agg(int8range(s, s + 1)), '{}') from unnest(settled) as x(s)
    on conflict (created) do update set sequences = m.sequences + excluded.sequences, noted_at = now()
    $$;
comment on function muster.intake_settle is 'Notes messages of the intake as settled, in the transaction that settles them, and the newest of them with its time stamp: should the stream go back behind it, another message under its number would be taken for it. Serialises: call it last.';

create function muster.intake_lost(stream text, first_sequence bigint, acknowledged bigint) returns bigint
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    known int8multirange;
    lost int8multirange;
begin
    insert into muster.intake_settled (created, sequences) values (stream, '{}') on conflict do nothing;
    select sequences into known from muster.intake_settled where created = stream;
    if acknowledged < 1 then
        return null;
    end if;
    if known is null then
        update muster.intake_settled set sequences = int8multirange(int8range(1, acknowledged + 1)) where created = stream and sequences is null;
        return null;
    end if;
    if first_sequence <= acknowledged then
        lost := int8multirange(int8range(greatest(first_sequence, 1), acknowledged + 1)) - known;
        if not isempty(lost) then
            return lower(lost);
        end if;
    end if;
    -- what the stream has not any more cannot come again: its gaps are closed
    if not known @> int8range(1, acknowledged + 1) then
        update muster.intake_settled set sequences = sequences + int8range(1, acknowledged + 1)::int8multirange where created = stream;
    end if;
    return null;
end
$$;
comment on function muster.intake_lost is 'The first message of the intake that is acknowledged, may still be in the stream, and is not known here as settled; null if there is none.';

create function muster.intake_absent(stream text, at_sequence bigint) returns void
    language sql volatile security definer set search_path = pg_catalog, muster
    as $$
    update muster.intake_settled set sequences = sequences + int8range(at_sequence, at_sequence + 1)::int8multirange where created = stream
    $$;
comment on function muster.intake_absent is 'A message of the intake has been deleted: nobody waits for it.';

create function muster.intake_went_back(stream text, last_sequence bigint) returns void
    language sql volatile security definer set search_path = pg_catalog, muster
    as $$
    update muster.intake_settled set sequences = sequences * int8range(null, last_sequence + 1)::int8multirange where created = stream
    $$;
comment on function muster.intake_went_back is 'The stream has gone back: what was beyond its end now says nothing of the messages that will stand there.';

create function muster.intake_tell(stream text, at_sequence bigint) returns boolean
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
begin
    update muster.intake_settled set told = at_sequence where created = stream and told is distinct from at_sequence;
    if found then
        perform muster.event_row('operator.database_went_back', muster.event_json('database_went_back', null, null,
            ',"message":' || to_json('intake message ' || at_sequence || ' is acknowledged and not known to the database, which has gone back')::text
            || ',"stream_created":' || to_json(stream)::text || ',"sequence":' || at_sequence));
        perform pg_notify('muster_outbox', '');
    end if;
    return found;
end
$$;
comment on function muster.intake_tell is 'An event that the database has gone back behind the intake, once per loss.';

-- ---- results that came for jobs that were not known ----

create function muster.replay_quarantine(jobs uuid[], dry_run boolean default false) returns int
    language plpgsql volatile security definer set search_path = pg_catalog, muster, pg_temp
    set client_min_messages = warning set enable_hashjoin = off set enable_mergejoin = off set jit = off
    as $$
declare
    stream text;
    taken int;
    replayed int := 0;
begin
    if dry_run then
        return (select count(*) from muster.quarantine q where q.reason = 'unknown_task' and q.job_id = any (jobs));
    end if;
    create temp table if not exists replay_row (ord bigint, index int, sequence bigint, stored_at timestamptz, queue text, j json) on commit delete rows;
    -- a plan makes tasks, whose own results are known only then; a stream after the other, since their keys are apart
    loop
        select q.created into stream from muster.quarantine q
        where q.reason = 'unknown_task' and q.job_id = any (jobs)
          and cardinality(array(select muster.known_tasks(array[(convert_from(q.bytes, 'UTF8')::json ->> 'task_id')::uuid]))) > 0
        limit 1;
        exit when not found;
        begin
            delete from replay_row;
            with known as (
                select q.sequence, q.stored_at, q.index from muster.quarantine q
                where q.reason = 'unknown_task' and q.job_id = any (jobs) and q.created = stream
                  and cardinality(array(select muster.known_tasks(array[(convert_from(q.bytes, 'UTF8')::json ->> 'task_id')::uuid]))) > 0
                order by q.sequence, q.index limit 20000
            ), gone as (
                delete from muster.quarantine q using known k
                where q.created = stream and q.sequence = k.sequence and q.stored_at = k.stored_at and q.index = k.index
                returning q.*
            )
            insert into replay_row
            select row_number() over (partition by index >= 1000000 order by sequence, index), index, sequence, stored_at,
                   split_part(subject, '.', 3), convert_from(bytes, 'UTF8')::json
            from gone;
            get diagnostics taken = row_count;
            perform b.outcomes from (
                select array_agg((j ->> 'task_id')::uuid order by ord) as task, array_agg((j ->> 'job_id')::uuid order by ord) as job,
                       array_agg((j ->> 'n')::int order by ord) as n, array_agg((j ->> 'delivery')::int order by ord) as delivery,
                       array_agg(queue order by ord) as queue, array_agg(decode(j ->> 'task_digest', 'hex') order by ord) as task_digest,
                       array_agg(decode(j ->> 'input_digest', 'hex') order by ord) as input_digest,
                       array_agg(j ->> 'result' order by ord) as result, array_agg(j ->> 'reason' order by ord) as reason,
                       array_agg(j ->> 'message' order by ord) as message, array_agg((j ->> 'records')::bigint order by ord) as records,
                       array_agg((j ->> 'bad')::bigint order by ord) as bad, array_agg((j ->> 'skipped')::bigint order by ord) as skipped,
                       array_agg((j ->> 'bytes')::bigint order by ord) as bytes,
                       array_agg((j ->> 'findings_total')::bigint order by ord) as findings,
                       array_agg(j ->> 'plan' order by ord) as plan, array_agg(j ->> 'resumes' order by ord) as resumes,
                       array_agg((j ->> 'crashes')::int order by ord) as crashes, array_agg(j ->> 'agent' order by ord) as agent,
                       array_agg((j ->> 'incarnation')::uuid order by ord) as incarnation,
                       array_agg((j ->> 'started_at')::timestamptz order by ord) as started,
                       array_agg((j ->> 'finished_at')::timestamptz order by ord) as finished,
                       array_agg(decode(j ->> 'determined', 'hex') order by ord) as determined,
                       array_agg((j ->> 'computed')::boolean order by ord) as computed, array_agg(sequence order by ord) as seq,
                       array_agg(stored_at order by ord) as at, array_agg(index order by ord) as index,
                       array_agg(tally order by ord) as tally
                from (select *, case when j ->> 'tally_id' is not null then (dense_rank() over (order by j ->> 'tally_id'))::int end as tally
                      from replay_row where index < 1000000) as x
            ) as o, (
                select array_agg(id order by id::text) as id, array_agg(rules order by id::text) as rules
                from (select distinct on (j ->> 'tally_id') (j ->> 'tally_id')::uuid as id, j ->> 'rules' as rules from replay_row
                      where index < 1000000 and j ->> 'tally_id' is not null order by j ->> 'tally_id', ord) as x
            ) as t, (
                select array_agg((j ->> 'finding_id')::uuid order by ord) as id, array_agg((j ->> 'task_id')::uuid order by ord) as task,
                       array_agg((j ->> 'job_id')::uuid order by ord) as job, array_agg(queue order by ord) as queue,
                       array_agg(decode(j ->> 'task_digest', 'hex') order by ord) as task_digest,
                       array_agg(decode(j ->> 'input_digest', 'hex') order by ord) as input_digest,
                       array_agg(decode(j ->> 'fingerprint', 'hex') order by ord) as fingerprint, array_agg(j ->> 'rule' order by ord) as rule,
                       array_agg(j ->> 'severity' order by ord) as severity, array_agg(j ->> 'outcome' order by ord) as outcome,
                       array_agg((j ->> 'shadow')::boolean order by ord) as shadow, array_agg((j ->> 'record_no')::bigint order by ord) as record,
                       array_agg((j ->> 'byte_off')::bigint order by ord) as byte, array_agg((j ->> 'length')::bigint order by ord) as length,
                       array_agg((j ->> 'line')::bigint order by ord) as line, array_agg(j ->> 'subject' order by ord) as subject,
                       array_agg(j ->> 'part' order by ord) as part, array_agg(j ->> 'message' order by ord) as message,
                       array_agg(j ->> 'evidence' order by ord) as evidence, array_agg(sequence order by ord) as seq,
                       array_agg(stored_at order by ord) as at, array_agg(index - 1000000 order by ord) as index
                from replay_row where index >= 1000000
            ) as f, lateral muster.record_batch(
                stream, null, null, o.task, o.job, o.task, o.n, o.delivery, o.queue, o.task_digest, o.input_digest, o.result, o.reason,
                o.message, o.records, o.bad, o.skipped, o.bytes, o.findings, o.findings, o.plan, o.resumes, o.crashes, o.agent,
                o.incarnation, o.started, o.finished, o.determined, o.computed, o.seq, o.at, o.index, o.tally, t.id, t.rules,
                f.id, f.task, f.job, f.queue, f.task_digest, f.input_digest, f.fingerprint, f.rule, f.severity, f.outcome, f.shadow,
                f.record, f.byte, f.length, f.line, f.subject, f.part, f.message, f.evidence, f.seq, f.at, f.index,
                null, null, null, null, null, null, null, null, null, null, null) as b;
            replayed := replayed + taken;
        exception when others then
            -- what cannot be replayed is run again; its rows stay
            raise warning 'results in quarantine could not be replayed: %', sqlerrm;
            exit;
        end;
    end loop;
    return replayed;
end
$$;
comment on function muster.replay_quarantine is 'Records what was put aside because its job was not known, now that it is; those rows leave the quarantine. How many; with dry_run how many may.';

create function muster.replay_known(lim int) returns int
    language sql volatile security definer set search_path = pg_catalog, muster set enable_hashjoin = off set enable_mergejoin = off set jit = off
    as $$
    select muster.replay_quarantine(array(
        select distinct q.job_id from muster.quarantine q
        where q.reason = 'unknown_task' and (select true from muster.job j where j.job_id = q.job_id) limit lim))
    $$;
comment on function muster.replay_known is 'muster.replay_quarantine for all jobs that are known by now, so many of them at once: a batch may have been put aside while its jobs were being stored again. How many results were recorded.';

-- ---- jobs ----

create function muster.resubmit(message bytea, dry_run boolean)
    returns table (job_id uuid, job_key text, state text, other_job uuid)
    language plpgsql volatile security definer set search_path = pg_catalog, muster, pg_temp
    set client_min_messages = warning set enable_hashjoin = off set enable_mergejoin = off set jit = off
    as $$
#variable_conflict use_column
declare
    doc json := convert_from(message, 'UTF8')::json;
    who text;
    dropped text;
begin
    create temp table if not exists resubmit_row (
        o bigint, job uuid, key text, body_digest bytea, task bytea, terms_digest text, terms bytea, queue text, priority text,
        deadline timestamptz, labels text, trace_id text, actor text, at timestamptz, state text, other uuid) on commit delete rows;
    delete from resubmit_row;
    insert into resubmit_row
    select distinct on (x.job) x.o, x.job, x.e ->> 'id', decode(x.e ->> 'body_digest', 'hex'), convert_to((x.e -> 'task')::text, 'UTF8'),
           x.e -> 'task' ->> 'terms', convert_to((doc -> 'terms' -> (x.e -> 'task' ->> 'terms'))::text, 'UTF8'), x.e ->> 'queue',
           x.e ->> 'priority', (x.e ->> 'deadline')::timestamptz, (x.e -> 'labels')::text, x.e ->> 'trace_id',
           coalesce(x.e ->> 'actor', 'submitter'), (x.e ->> 'timestamp')::timestamptz,
           case when exists (select from muster.job k where k.job_id = x.job) then 'known'
                when x.e -> 'task' is null then 'without_task' else 'missing' end
    from (select o, e, (e ->> 'job_id')::uuid as job from json_array_elements(doc -> 'events') with ordinality as y(e, o)
          where e ->> 'type' like '%.job_accepted' and e ->> 'job_id' is not null) as x
    order by x.job, x.o;
    update resubmit_row set state = 'damaged'
    where state = 'missing' and (terms is null or encode(sha256(terms), 'hex') <> terms_digest or queue is null or priority is null
                                 or convert_from(task, 'UTF8')::json ->> 'task_id' <> job::text or (key is null) <> (body_digest is null));
    if not dry_run then
        perform muster.claim_keys(array_agg(key order by o), array_agg(job order by o), array_agg(body_digest order by o))
        from resubmit_row where state = 'missing' and key is not null;
    end if;
    update resubmit_row x set other = r.job_id,
        state = case when r.body_digest = x.body_digest then 'replaced' else 'conflict' end
    from muster.request r where x.state = 'missing' and r.key = x.key and r.job_id <> x.job;

    for who in select distinct actor from resubmit_row where state = 'missing' and not dry_run order by 1 loop
        perform muster.accept_jobs(
            array_agg(job order by o), array_agg(key order by o), array_agg(task order by o), array_agg(sha256(task) order by o),
            array_agg(convert_from(task, 'UTF8')::json ->> 'stage' order by o), array_agg(queue order by o),
            array_agg(priority order by o),
            array_agg((t -> 'pack' ->> 'name') || '@' || (t -> 'pack' ->> 'version') order by o),
            array_agg(sha256(terms) order by o),
            array_agg(coalesce(convert_from(task, 'UTF8')::json -> 'source' ->> 'name', 'records') order by o),
            array_agg(t ->> 'as_of' order by o), array_agg(deadline order by o), array_agg(labels order by o),
            array_agg(trace_id order by o), array_agg(no::int order by o), array_agg(job order by o),
            array_agg('muster.task.' || queue || '.' || priority || '.' || job order by o),
            array_agg(muster.ride_bytes(job, 1, false, queue, priority, terms, array[task]) order by o),
            array_agg(sha256(terms) order by o), array_agg(terms order by o), '{}', null, '{}', who, '{}', 'resubmit', array_agg(at order by o))
        from (select r.*, convert_from(terms, 'UTF8')::json as t, row_number() over (order by o) as no
              from resubmit_row r where r.state = 'missing' and r.actor = who) as x;
    end loop;
    if not dry_run and exists (select from resubmit_row where state = 'missing') then
        update resubmit_row set state = 'resubmitted' where state = 'missing';
        perform muster.event_row('operator.resubmitted', muster.event_json('jobs_resubmitted', null, null, ',"jobs":' || count(*)))
        from resubmit_row where state = 'resubmitted';
        perform pg_notify('muster_outbox', '');
    end if;
    -- whose submission lives on as another job is of no use to anybody: that one computes its own results
    if not dry_run and exists (select from resubmit_row where state = 'replaced') then
        with gone as (
            delete from muster.quarantine q where q.reason = 'unknown_task' and q.job_id in (select job from resubmit_row where state = 'replaced')
            returning q.created, q.sequence, q.index, q.bytes)
        select string_agg('["quarantine","' || created || '/' || sequence || '/' || index || '","' || encode(sha256(bytes), 'hex') || '"]', ',' order by created, sequence, index)
        into dropped from gone;
        if dropped is not null then
            perform muster.audit_append('operator', 'drop replaced', null, '[' || dropped || ']');
        end if;
    end if;
    return query select x.job, x.key, x.state, x.other from resubmit_row x order by x.o;
end
$$;
comment on function muster.resubmit is 'Takes one message of job.accepted events and stores again, under their old ids, those jobs that are not known. Per job: known, missing (dry run), resubmitted; replaced or conflict: its key belongs to another job, of equal or of another body (results that were put aside for a replaced one are dropped, with a line in the audit trail); without_task, damaged: the event does not carry what is needed.';

revoke all on function muster.intake_settle, muster.intake_lost, muster.intake_absent, muster.intake_went_back, muster.intake_tell,
    muster.replay_quarantine, muster.replay_known, muster.resubmit from public;
revoke all on muster.intake_settled from public;
grant execute on function muster.intake_settle, muster.intake_lost, muster.intake_absent, muster.intake_went_back, muster.intake_tell,
    muster.replay_quarantine, muster.replay_known, muster.resubmit to muster_dispatcher;

insert into muster.schema_migration (version, name) values (11, 'restore');
reset role;
