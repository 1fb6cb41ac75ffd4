-- SPDX-License-Identifier: Apache-2.0
-- Looking whether things are as they were written: each link of the audit chain against its hash and the link before,
-- each row that a link names against its seal (muster.seal), and each row against the links: is there one that names it?
-- What follows from sealed rows (the result of a job of several tasks, that a job is cancelled) is computed again.
set role muster_owner;

create function muster.audit_entries(body text, packed bytea) returns table (kind text, id text, word text)
    language plpgsql immutable
    as $$
begin
    return query select e ->> 0, e ->> 1, e ->> 2 from jsonb_array_elements(body::jsonb) as e;
    return query
    select case get_byte(x.entry, 0) when 106 then 'job' when 116 then 'task' when 111 then 'outcome' when 121 then 'tally' when 102 then 'finding' end,
           encode(substring(x.entry from 2 for 16), 'hex')::uuid::text, encode(substring(x.entry from 18), 'hex')
    from (select substring(packed from i * 49 + 1 for 49) as entry from generate_series(0, octet_length(packed) / 49 - 1) as i) as x;
exception when others then -- no link of ours: its hash tells
    return;
end
$$;
comment on function muster.audit_entries is 'What a link names; nothing if it is not of our form.';

create function muster.uuid_or_null(word text) returns uuid
    language sql immutable parallel safe
    as $$ select case when word ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then word::uuid end $$;
comment on function muster.uuid_or_null is 'An id as it stands in a link; null if it is none.';

-- ---- the chain ----

create function muster.audit_chain(from_seq bigint, to_seq bigint, lim int)
    returns table (seq bigint, fault text, detail text, links bigint, head bytea)
    language sql stable security definer set search_path = pg_catalog, muster set jit = off
    as $$
    with slice as materialized (
        select x.* from (
            select a.*, row_number() over w as no, sum(octet_length(a.body) + octet_length(a.packed)) over w as body_bytes
            from (select * from muster.audit a where a.seq >= from_seq and a.seq <= to_seq order by a.seq limit lim) as a
            window w as (order by a.seq)) as x
        where x.no = 1 or x.body_bytes <= 8000000
    ), hashed as materialized (
        select a.seq, a.at, a.previous, a.hash,
               a.hash = muster.audit_hash(a.previous, a.seq, a.at, a.began_at, a.actor, a.action, a.reason, a.body, a.packed) as own
        from slice a
        union all -- the two before it: what the first of the slice is held against
        (select a.seq, a.at, a.previous, a.hash,
                a.hash = muster.audit_hash(a.previous, a.seq, a.at, a.began_at, a.actor, a.action, a.reason, a.body, a.packed)
         from muster.audit a where a.seq < from_seq order by a.seq desc limit 2)
    ), link as materialized (
        select h.*, coalesce(lag(h.seq) over w, b.last_seq, 0) as last_seq, coalesce(lag(h.hash) over w, b.last_hash, '') as last_hash,
               lag(h.hash, 2, ''::bytea) over w as hash_before, lag(h.own, 1, true) over w as last_own
        from hashed h left join muster.audit_purged() as b on h.seq > b.last_seq window w as (order by h.seq)
    ), wrong as materialized (
        select * from link where link.seq >= from_seq and (not own or link.seq <> last_seq + 1 or previous <> last_hash)
    ), placed as ( -- a link that holds under another number than the one that it stands at
        select w.*, (
            select min(n.seq) from (
                select v.seq, v.at from wrong v where not v.own and (select count(*) from wrong) <= 300
                union select v.seq, w.at from wrong v where not v.own and (select count(*) from wrong) <= 300
                union select l.seq + 1, w.at from link l where l.hash = w.previous
                union select w.seq - 1, w.at union select w.seq + 1, w.at) as n (seq, at)
            where not w.own and n.seq <> w.seq and w.hash = (
                select muster.audit_hash(w.previous, n.seq, n.at, a.began_at, a.actor, a.action, a.reason, a.body, a.packed)
                from muster.audit a where a.seq = w.seq limit 1)
        ) as place
        from wrong w
    ), read as (
        select max(s.seq) as last, count(*) as links from slice s
    ), told as (
        select p.seq, 'removed' as fault, case when p.seq = p.last_seq + 2 then 'link ' || p.seq - 1 || ' is missing'
            else 'links ' || p.last_seq + 1 || ' to ' || p.seq - 1 || ' are missing' end as detail, 0 as part
        from placed p where p.seq > p.last_seq + 1
        union all
        select p.seq - 1, 'inserted', 'it was put before link ' || p.seq || ', which follows link ' || p.seq - 2, 1
        from placed p where p.place = p.seq - 1 and p.seq = p.last_seq + 1 and p.last_own and p.previous = p.hash_before
        union all
        select p.seq - 1, 'inserted', 'it holds in itself, but is not the link that ' || p.seq || ' follows: inserted or rewritten', 1
        from placed p where p.own and p.seq = p.last_seq + 1 and p.previous <> p.last_hash and p.last_own
        union all
        select p.seq, 'reordered', 'it is link ' || p.place || ', and stands at ' || p.seq, 2 from placed p where p.place is not null
        union all
        select p.seq, 'altered', 'its hash is not that of what it says and the hash before it', 2
        from placed p where not p.own and p.place is null
        union all
        select p.seq, 'inserted', 'there are two links of this number', 2 from placed p where p.own and p.seq = p.last_seq
        union all -- behind the end of the chain: what was appended last is noted beside it
        select t.seq, case when t.seq >= from_seq then 'removed' else 'altered' end,
               case when t.seq >= from_seq then 'the trail ends at link ' || from_seq - 1 || ', the last one appended was ' || t.seq
                    else 'it is not the link that was appended last' end, 3
        from read r, (select x.seq, x.hash from muster.audit_tail x order by x.seq desc limit 1) as t
        where to_seq = 9223372036854775807 and r.links = 0 and t.seq >= from_seq - 1
          and (t.seq >= from_seq or exists (select from link l where l.seq = t.seq and l.own and l.hash <> t.hash))
    )
    (select t.seq, t.fault, t.detail, null::bigint, null::bytea from told t order by t.seq, t.part)
    union all
    select r.last, null, null, r.links, (select s.hash from slice s where s.seq = r.last limit 1) from read r
    $$;
comment on function muster.audit_chain is 'Up to lim links of the audit chain (and 8 MB) from a number on, held against their own hash and the link before: a row for each that is wrong (altered, removed, inserted, reordered), then one without fault: the last link read, how many were read, and its hash. Read on behind that link, until none is read.';

-- ---- what links say, and rows ----

create function muster.audit_rows(from_seq bigint, to_seq bigint)
    returns table (seq bigint, fault text, kind text, id text, detail text)
    language sql stable security definer set search_path = pg_catalog, muster
    set jit = off set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
    as $$
    with entry as materialized (
        select a.seq, a.began_at, a.action, e.kind, e.id, e.word, muster.uuid_or_null(e.id) as key
        from muster.audit a cross join lateral muster.audit_entries(a.body, a.packed) as e
        where a.seq >= from_seq and a.seq <= to_seq
          and a.hash = muster.audit_hash(a.previous, a.seq, a.at, a.began_at, a.actor, a.action, a.reason, a.body, a.packed)
    ), held as (
        select e.*, 'the job''s' as whose, r.job_id is null as gone, encode(muster.seal(r), 'hex') = e.word as same,
               sha256(r.body) = r.task_digest and (r.submitted_at = e.began_at or e.action = 'resubmit') as whole
        from entry e left join muster.job r on r.job_id = e.key where e.kind = 'job'
        union all
        select e.*, 'the task''s', r.task_id is null, encode(muster.seal(r), 'hex') = e.word, sha256(r.body) = r.task_digest
        from entry e left join muster.task r on r.task_id = e.key where e.kind = 'task'
        union all
        select e.*, null, r.task_id is null, encode(muster.seal(r), 'hex') = e.word, r.recorded_at = e.began_at
        from entry e left join muster.outcome r on r.task_id = e.key where e.kind = 'outcome'
        union all
        select e.*, null, r.tally_id is null, encode(muster.seal(r), 'hex') = e.word, true
        from entry e left join muster.tally r on r.tally_id = e.key where e.kind = 'tally'
        union all
        select e.*, null, r.finding_id is null, encode(muster.seal(r), 'hex') = e.word, true
        from entry e left join muster.finding r on r.finding_id = e.key where e.kind = 'finding'
        union all
        select e.*, null, r.rejection_id is null, encode(sha256(r.body), 'hex') = e.word, true
        from entry e left join muster.rejection r on r.rejection_id = e.key where e.kind = 'rejection'
        union all
        select e.*, null, r.name is null, encode(r.digest, 'hex') = e.word, sha256(r.document) = r.digest
        from entry e left join muster.pack r on r.name = split_part(e.id, '@', 1) and r.version = split_part(e.id, '@', 2)
        where e.kind = 'pack'
        union all
        select e.*, null, r.purge_id is null, encode(muster.seal(r), 'hex') = e.word, true
        from entry e left join muster.purge r on r.purge_id = e.key where e.kind = 'purge'
        union all
        select e.*, null, r.waiver_id is null, encode(muster.seal(r), 'hex') = e.word, true
        from entry e left join muster.waiver r on r.waiver_id = e.key where e.kind = 'waiver'
        union all
        select e.*, null, r.waiver_id is null, encode(muster.seal(r), 'hex') = e.word, true
        from entry e left join muster.waiver_revocation r on r.waiver_id = e.key where e.kind = 'waiver_revocation'
        union all
        select e.*, null, j.job_id is null, coalesce(j.cancelled, true), true
        from entry e left join muster.job j on j.job_id = e.key where e.kind = 'cancelled'
        union all
        select e.*, null, p.job_id is null, true, true
        from entry e left join muster.job_progress p on p.job_id = e.key where e.kind = 'finished'
    )
    select h.seq, case when h.gone then 'removed' else 'altered' end, h.kind, h.id,
           case when h.gone then 'link ' || h.seq || ' names it, and there is no such row'
                when not h.same then case h.kind when 'cancelled' then 'link ' || h.seq || ' cancelled the job, which says that it is not'
                                                 else 'it is not the row that link ' || h.seq || ' sealed' end
                else 'its body or its time is another one' end
    from held h
    where (h.gone and not muster.is_purged(case h.kind when 'cancelled' then 'job' when 'finished' then 'job' else h.kind end, h.key))
       or (not h.gone and not (h.same and h.whole))
    union all
    select t.seq, 'altered', 'terms', encode(t.terms_digest, 'hex'), 'its document is not that of its digest'
    from (select min(e.seq) as seq, d.terms_digest, d.document
          from entry e join muster.job j on j.job_id = e.key join muster.terms d on d.terms_digest = j.terms_digest
          where e.kind = 'job' group by d.terms_digest, d.document) as t
    where sha256(t.document) <> t.terms_digest
    order by 1, 3, 4
    $$;
comment on function muster.audit_rows is 'Rows that the links of a range name, and that are not as these sealed them: altered, or removed without a purge certificate. Links that do not hold themselves are passed over: muster.audit_chain tells them.';

create function muster.audit_strays(of_kind text, low uuid, high uuid, since timestamptz, until timestamptz)
    returns table (fault text, kind text, id text, detail text)
    language plpgsql stable security definer set search_path = pg_catalog, muster set jit = off
    as $$
#variable_conflict use_column
declare
    in_default constant boolean := low is null;
    source text := case of_kind
        when 'job' then 'select job_id as id, submitted_at as at from muster.job'
        when 'task' then 'select task_id as id, created_at as at from muster.task'
        when 'outcome' then 'select task_id as id, recorded_at as at from muster.outcome'
        when 'finding' then 'select finding_id as id, recorded_at as at from muster.finding' end;
begin
    if source is null then
        return;
    end if;
    if in_default then
        source := source || '_default';
        low := '00000000-0000-0000-0000-000000000000';
        high := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
    end if;
    return query execute format($sql$
        with r as materialized (select x.id, x.at from (%s) as x where x.id >= $1 and x.id < $2 and x.at between $3 and $4),
        l as materialized (
            select a.body, a.packed from muster.audit a where a.at >= (select min(at) from r) and a.began_at in (select distinct at from r)
            union all
            select a.body, a.packed from muster.audit a where a.action = 'resubmit' and $5 = 'job'),
        e as materialized (select x.id from l cross join lateral muster.audit_entries(l.body, l.packed) as x where x.kind = $5)
        select 'inserted', $5, r.id::text, 'no link of the trail names it' from r
        where not exists (select from e where e.id = r.id::text)
        order by r.id$sql$, source) using low, high, since, until, of_kind;
    if of_kind <> 'job' or in_default then
        return;
    end if;
    return query
    select 'altered', 'job', j.job_id::text, 'it says that it was cancelled, and no link says so'
    from muster.job j
    where j.job_id >= low and j.job_id < high and j.cancelled and j.submitted_at between since and until
      and not exists (select from muster.audit a cross join lateral muster.audit_entries(a.body, a.packed) as e
                      where a.action = 'cancel' and e.kind = 'cancelled' and e.id = j.job_id::text)
    union all
    select 'altered', 'job_progress', p.job_id::text,
           'it says ' || coalesce(p.result, 'nothing') || ', its outcomes say ' || coalesce(r.result, 'nothing')
    from muster.job_progress p cross join lateral muster.progress_result(p) as r
    where p.job_id >= low and p.job_id < high and p.finished_at between since and until
      and (p.result is distinct from r.result or p.reason is distinct from r.reason)
      and not muster.is_purged('outcome', p.job_id);
end
$$;
comment on function muster.audit_strays is 'Rows of one kind (job, task, outcome, finding) and range of ids (null: of the default partition), written in a time, that no link names: inserted by another hand. Of jobs also: cancelled without a link, and results that do not follow from the outcomes.';

create function muster.audit_ranges() returns table (kind text, low uuid, high uuid)
    language sql stable security definer set search_path = pg_catalog, muster
    as $$
    select p.parent, (x.bound)[1]::uuid, (x.bound)[2]::uuid
    from muster.partitioned p
    join pg_inherits i on i.inhparent = p.relation
    join pg_class c on c.oid = i.inhrelid
    cross join lateral (
        select coalesce(regexp_match(pg_get_expr(c.relpartbound, c.oid), $re$FROM \('([^']+)'\) TO \('([^']+)'\)$re$),
                        array['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff']) as bound) as x
    where p.is_id and p.parent <> 'tally' and c.relname not like '%\_default'
    union all
    select p.parent, null, null from muster.partitioned p where p.is_id and p.parent <> 'tally'
    order by 1, 2
    $$;
comment on function muster.audit_ranges is 'What muster.audit_strays is to be called for: a row per partition; without bounds: what lies in none of them.';

create function muster.audit_times(from_seq bigint, to_seq bigint, since out timestamptz, until out timestamptz)
    language sql stable security definer set search_path = pg_catalog, muster
    as $$
    select coalesce((select a.began_at from muster.audit a where a.seq = from_seq and from_seq > 1), '-infinity'),
           coalesce((select a.at from muster.audit a where a.seq = to_seq), 'infinity')
    $$;
comment on function muster.audit_times is 'The time that a range of links is of: rows that were written in it must be named by them.';

create function report.audit_verify(from_seq bigint default 1, to_seq bigint default null)
    returns table (seq bigint, fault text, kind text, id text, detail text)
    language plpgsql stable security definer set search_path = pg_catalog, muster set jit = off
    as $$
#variable_conflict use_column
declare
    top bigint := coalesce(to_seq, 9223372036854775807);
    here bigint := from_seq;
    c record;
    r record;
    span record;
begin
    loop
        for c in select * from muster.audit_chain(here, top, 2000) loop
            if c.fault is not null then
                seq := c.seq; fault := c.fault; kind := 'audit'; id := c.seq::text; detail := c.detail;
                return next;
            end if;
        end loop; -- the last row says what was read
        exit when c.links = 0;
        return query select * from muster.audit_rows(here, c.seq);
        here := c.seq + 1;
    end loop;
    select * into span from muster.audit_times(from_seq, top);
    for r in select * from muster.audit_ranges() loop
        return query select null::bigint, s.* from muster.audit_strays(r.kind, r.low, r.high, span.since, span.until) as s;
    end loop;
end
$$;
comment on function report.audit_verify is 'What was altered, removed, inserted or reordered behind the programs'' back, of the audit trail and of the rows that it names: one row each, none if all is as it was written. kind audit: a link of the trail, else the table, with the id of the row.';

-- ---- heads, noted outside ----

create function muster.audit_head() returns table (seq bigint, hash bytea, at timestamptz)
    language sql stable security definer set search_path = pg_catalog, muster
    as $$ select t.seq, t.hash, t.at from muster.audit_tail t order by t.seq desc limit 1 $$;
comment on function muster.audit_head is 'The last link of the audit trail; no row while there is none.';

create function muster.audit_head_publish(told_seq bigint) returns table (seq bigint, hash bytea, at text)
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
begin
    select h.seq, h.hash, to_char(h.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') into seq, hash, at from muster.audit_head() as h;
    if seq is null or seq = told_seq then
        return;
    end if;
    perform muster.event_row('operator.audit_head', muster.event_json('operator_audit_head', null, null,
        ',"seq":' || seq || ',"hash":"' || encode(hash, 'hex') || '","at":"' || at || '"'));
    perform pg_notify('muster_outbox', '');
    return next;
end
$$;
comment on function muster.audit_head_publish is 'Tells the head of the audit trail by an event, and the caller, who notes it in a file: a trail that is made anew in this database is found out by heads that were noted outside of it. Nothing, if it is the one that was told last.';

create function muster.audit_hashes(seqs bigint[]) returns table (seq bigint, hash text)
    language sql stable security definer set search_path = pg_catalog, muster
    as $$ select a.seq, encode(a.hash, 'hex') from muster.audit a where a.seq = any (seqs) order by a.seq $$;
comment on function muster.audit_hashes is 'Hashes of links, to be compared with heads that were noted outside.';

-- ---- operations, for people ----

create view report.operator_action as
select a.seq, a.at, a.actor, a.action, a.reason, e.kind as object_kind, e.id as object_id, j.job_id,
       case when e.word !~ '^[0-9a-f]{64}$' then e.word end as detail
from muster.audit a
cross join lateral muster.audit_entries(a.body, a.packed) as e
left join lateral (
    select coalesce(t.job_id, x.id) as job_id
    from (select muster.uuid_or_null(e.id) as id) as x left join muster.task t on t.task_id = x.id
    where e.kind in ('job', 'cancelled', 'finished', 'task', 'outcome', 'republished', 'deferred')) as o on true
left join muster.job j on j.job_id = o.job_id
left join muster.whole w on o.job_id is null -- what is of no job is for those who see all tenants
where a.action not in ('accept', 'record') and (w.one or j.job_id is not null);
comment on view report.operator_action is 'What people and the programs'' own repairs did, beside the daily work: one row per action and object, from the audit trail.';
comment on column report.operator_action.seq is 'Number of the link in the audit trail: what was done at once has one.';
comment on column report.operator_action.at is 'When.';
comment on column report.operator_action.actor is 'Who: as the request named himself, or the program.';
comment on column report.operator_action.action is 'What: cancel, retry, waive, policy, pack load, hold, purge, resubmit, deadline, give up, republish …';
comment on column report.operator_action.reason is 'Why, in the words of who asked; null if nobody gave one.';
comment on column report.operator_action.object_kind is 'To what: cancelled (a job), task (a new one), outcome (of a task that was ended), pack, policy, waiver …';
comment on column report.operator_action.object_id is 'Which.';
comment on column report.operator_action.job_id is 'The job that it belongs to; null for what is of no job.';
comment on column report.operator_action.detail is 'What became of it, where the trail says so in a word: how long a class is kept, which label is held, which publication it was; else null.';

revoke all on all functions in schema muster from public;
revoke all on function report.audit_verify from public;
grant execute on function muster.audit_chain, muster.audit_rows, muster.audit_strays, muster.audit_ranges, muster.audit_times, muster.audit_hashes,
    report.audit_verify to muster_auditor;
grant execute on function muster.audit_entries, muster.uuid_or_null to muster_reporter, muster_auditor;
grant select on report.operator_action to muster_reporter, muster_auditor;
grant execute on function muster.audit_head_publish to muster_dispatcher;
grant select on muster.schema_migration to muster_auditor;
select muster.seal_report();

insert into muster.schema_migration (version, name) values (21, 'verify');
reset role;
