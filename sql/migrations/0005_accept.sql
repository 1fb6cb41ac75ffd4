-- SPDX-License-Identifier: Apache-2.0
-- What the dispatcher calls: keys, jobs, the outbox, packs, rejections, the state of a job. Arrays are unnested by
-- position; a call is part of the dispatcher's transaction.
set role muster_owner;

create function muster.ride_bytes(ride uuid, n int, fresh boolean, queue text, priority text, terms bytea, tasks bytea[]) returns bytea
    language sql immutable parallel safe
    as $$
    select convert_to('{"v":1,"ride_id":"' || ride || '","n":' || n || case when fresh then ',"fresh":true' else '' end
        || ',"queue":"' || queue || '","priority":"' || priority || '","terms":', 'UTF8')
        || terms || ',"tasks":['::bytea
        || (select string_agg(t, ','::bytea order by i) from unnest(tasks) with ordinality as x(t, i))
        || ']}'::bytea
    $$;
comment on function muster.ride_bytes is 'A queue message around the exact bytes of terms and tasks; the same form as mu_ride_write in C.';

create function muster.claim_keys(keys text[], job_ids uuid[], body_digests bytea[])
    returns table (i int, job_id uuid, state text)
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set jit = off
    as $$
begin
    -- sorted, so that two dispatchers with the same keys wait for each other and do not lock each other out
    insert into muster.request (key, job_id, body_digest)
    select distinct on (k) k, j, d from unnest(keys, job_ids, body_digests) with ordinality as x(k, j, d, o) order by k, o
    on conflict (key) do nothing;
    -- a statement of its own: it sees what a concurrent claim has committed while the insert waited for it
    return query
    select o::int, r.job_id,
           case when r.job_id = j then 'new' when r.body_digest = d then 'duplicate' else 'conflict' end
    from unnest(keys, job_ids, body_digests) with ordinality as x(k, j, d, o)
    join muster.request r on r.key = k order by o;
end
$$;
comment on function muster.claim_keys is 'Takes idempotency keys: new, duplicate (same body, its job id), or conflict (another body). Waits for a concurrent claim of the same key.';

create function muster.accept_jobs(
    ids uuid[], keys text[], bodies bytea[], digests bytea[], stages text[], queues text[], priorities text[], packs text[],
    terms_digests bytea[], source_names text[], as_ofs text[], deadlines timestamptz[], label_texts text[], trace_ids text[],
    ride_nos int[], ride_ids uuid[], ride_subjects text[], ride_bodies bytea[],
    new_digests bytea[], new_documents bytea[], event_ids uuid[], event_subject text, event_bytes bytea[], who text,
    seals bytea[] default '{}', what text default 'accept', submitted timestamptz[] default '{}') returns void
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    -- a batch's arrays stay in memory: below this each unnest would write them to a temporary file and read them back
    set work_mem = '64MB'
    as $$
declare
    jobs bytea;
begin
    -- in one order, so that two dispatchers with the same terms wait for each other and do not lock each other out
    insert into muster.terms (terms_digest, document)
    select distinct on (d) d, b from unnest(new_digests, new_documents) as x(d, b)
    where not exists (select from muster.terms t where t.terms_digest = d) order by d
    on conflict do nothing;

    insert into muster.job (job_id, job_key, body, task_digest, stage, queue, priority, pack, terms_digest, source_name, as_of,
                            deadline, labels, trace_id, actor, submitted_at)
    select id, k, b, d, s, q, p, pk, pd, sn, ao::date, dl, l::jsonb, t, who, coalesce(at, now())
    from unnest(ids, keys, bodies, digests, stages, queues, priorities, packs, terms_digests, source_names, as_ofs, deadlines,
                label_texts, trace_ids, submitted) as x(id, k, b, d, s, q, p, pk, pd, sn, ao, dl, l, t, at);
    select string_agg(muster.packed('j', x.id, coalesce(x.seal, (select muster.seal(j) from muster.job j where j.job_id = x.id))), ''::bytea) into jobs
    from unnest(ids, seals) as x(id, seal);

    insert into muster.outbox (ride_id, n, kind, subject, message_id, members, bytes, trace_id)
    select r.id, 1, 'task', r.subject, r.id || ':1', m.members, r.body, m.trace_id
    from unnest(ride_ids, ride_subjects, ride_bodies) with ordinality as r(id, subject, body, no)
    join (select no, array_agg(id order by o) as members, max(t) as trace_id
          from unnest(ids, ride_nos, trace_ids) with ordinality as x(id, no, t, o) group by no) as m on m.no = r.no;

    if cardinality(array_remove(deadlines, null)) > 0 then
        insert into muster.deadline (at, job_id) select dl, id from unnest(deadlines, ids) as x(dl, id) where dl is not null;
    end if;

    insert into muster.outbox (ride_id, n, kind, subject, message_id, bytes)
    select id, 1, 'event', event_subject, id || ':1', b from unnest(event_ids, event_bytes) as x(id, b);
    perform muster.audit_append(who, what, case what when 'resubmit' then 'by ' || session_user end, null, jobs);
end
$$;
comment on function muster.accept_jobs is 'Stores jobs with their terms, queue messages, event messages and one audit row. ride_nos: 1-based index of a job''s message. seals: what muster.seal would say of each, computed by who sends them; null: it is asked. what and submitted: of jobs that are stored again, when they were submitted first.';

create function muster.outbox_pending(lim int, older_ms int, under_way uuid[])
    returns table (kind text, ride_id uuid, n int, subject text, message_id text, bytes bytea, trace_id text)
    language sql stable security definer set search_path = pg_catalog, muster
    as $$
    select kind, ride_id, n, subject, message_id, bytes, trace_id from muster.outbox
    where published_at is null and not muster.is_recent(created_at, now(), older_ms) and ride_id <> all (under_way)
    order by created_at limit lim
    $$;
comment on function muster.outbox_pending is 'Messages that nobody has noted as published, oldest first, without those that the caller has sent already.';

create function muster.outbox_published(rides uuid[], ns int[], created text, sequences bigint[]) returns void
    language sql volatile security definer set search_path = pg_catalog, muster
    as $$
    update muster.outbox o set published_at = now(), stream_created = created, sequence = x.s, seen_missing_at = null
    from unnest(rides, ns, sequences) as x(r, n, s) where o.ride_id = x.r and o.n = x.n
    $$;
comment on function muster.outbox_published is 'Notes where messages stand in the stream, after their PubAcks.';

create function muster.outbox_event_done(events uuid[]) returns void
    language sql volatile security definer set search_path = pg_catalog, muster
    as $$ delete from muster.outbox where ride_id = any (events) and kind = 'event' $$;
comment on function muster.outbox_event_done is 'An event''s row goes after its PubAck.';

create function muster.event_row(what text, events text) returns void
    language sql volatile security definer set search_path = pg_catalog, muster
    as $$
    insert into muster.outbox (ride_id, n, kind, subject, message_id, bytes)
    select id, 1, 'event', 'muster.event.' || what, id || ':1', convert_to('{"v":1,"events":[' || events || ']}', 'UTF8')
    from (select muster.fresh_id() as id) as x
    $$;
comment on function muster.event_row is 'Puts an event message in the outbox.';

create function muster.event_json(kind text, job uuid, task uuid, more text) returns text
    language sql volatile set search_path = pg_catalog, muster
    as $$
    select '{"event_id":"' || muster.fresh_id()
        || '","type":"io.muster.event.v1.' || kind || '","timestamp":"'
        || to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '"'
        || coalesce(',"job_id":"' || job || '"', '') || coalesce(',"task_id":"' || task || '"', '') || coalesce(more, '') || '}'
    $$;
comment on function muster.event_json is 'One event of an event message.';

create function muster.reject(origin text, on_subject text, stream text, at_sequence bigint, at_stored timestamptz, why_code text, why text,
                              place text, bytes bytea) returns uuid
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    id uuid := muster.fresh_id();
begin
    insert into muster.rejection (rejection_id, source, subject, created, sequence, stored_at, code, message, pointer, body)
    values (id, origin, on_subject, stream, at_sequence, at_stored, why_code, why, nullif(place, ''), bytes)
    on conflict (created, sequence, stored_at) do nothing;
    if found then
        perform muster.event_row('job.rejected', muster.event_json('job_rejected', null, null,
            ',"code":' || to_json(why_code)::text || ',"message":' || to_json(why)::text));
        perform muster.audit_append('dispatcher', 'reject', why_code, '[' || muster.sealed('rejection', id::text, sha256(bytes)) || ']');
    else
        select rejection_id into id from muster.rejection where created = stream and sequence = at_sequence and stored_at = at_stored;
    end if;
    if stream is not null then
        perform muster.intake_settle(stream, array[at_sequence], at_sequence, at_stored);
    end if;
    return id;
end
$$;
comment on function muster.reject is 'A refused submission of the stream door: a row and an event, once per message.';

-- ---- packs ----

create function muster.pack_put(pack_name text, pack_version text, pack_digest bytea, doc bytea, who text, why text default null) returns text
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    known bytea;
begin
    insert into muster.pack (name, version, digest, document, major, minor, patch, actor)
    values (pack_name, pack_version, pack_digest, doc, split_part(pack_version, '.', 1)::int,
            split_part(pack_version, '.', 2)::int, split_part(pack_version, '.', 3)::int, who)
    on conflict (name, version) do nothing;
    if found then
        perform muster.audit_append(who, 'pack load', why, '[' || muster.sealed('pack', pack_name || '@' || pack_version, pack_digest) || ']');
        return 'new';
    end if;
    select digest into known from muster.pack where name = pack_name and version = pack_version;
    return case when known = pack_digest then 'same' else 'different' end;
end
$$;
comment on function muster.pack_put is 'Loads a pack: new, same, or different (a version cannot be changed, only superseded).';

create function muster.pack_resolve(pack_name text, prefix text)
    returns table (name text, version text, digest bytea, document bytea)
    language sql stable security definer set search_path = pg_catalog, muster
    as $$
    select name, version, digest, document from muster.pack
    where name = pack_name and (prefix = '' or version = prefix or version like prefix || '.%')
    order by major desc, minor desc, patch desc limit 1
    $$;
comment on function muster.pack_resolve is 'The highest version that begins with the prefix ("1", "1.0", "1.0.0", "").';

create function muster.packs() returns table (name text, version text, digest bytea, document bytea)
    language sql stable security definer set search_path = pg_catalog, muster
    as $$ select name, version, digest, document from muster.pack order by 1, major, minor, patch $$;
comment on function muster.packs is 'All packs, for making the bucket equal.';

insert into muster.schema_migration (version, name) values (5, 'accept');
reset role;
