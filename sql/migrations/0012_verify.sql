-- SPDX-License-Identifier: Apache-2.0
-- Looking whether things are as they were written (the audit chain, link by link), and telling what was mended.
set role muster_owner;

create function muster.audit_verify(from_seq bigint, to_seq bigint, lim int)
    returns table (seq bigint, fault text, detail text, links bigint, head bytea)
    language sql stable security definer set search_path = pg_catalog, muster set jit = off
    as $$
    with slice as materialized (
        select a.seq, a.previous, a.hash, a.hash = sha256(a.previous || int8send(a.seq) || convert_to(a.body, 'UTF8')) as own
        from muster.audit a where a.seq >= from_seq and a.seq <= to_seq order by a.seq limit lim
    ), lead as materialized ( -- the two before it: what the first of the slice is held against
        select a.seq, a.previous, a.hash, a.hash = sha256(a.previous || int8send(a.seq) || convert_to(a.body, 'UTF8')) as own
        from muster.audit a where a.seq < from_seq order by a.seq desc limit 2
    ), link as materialized (
        select x.*, lag(x.seq, 1, 0::bigint) over w as last_seq, lag(x.hash, 1, ''::bytea) over w as last_hash,
               lag(x.hash, 2, ''::bytea) over w as hash_before, lag(x.own, 1, true) over w as last_own
        from (select * from lead union all select * from slice) as x window w as (order by x.seq)
    ), wrong as materialized (
        select * from link where link.seq >= from_seq and (not own or link.seq <> last_seq + 1 or previous <> last_hash)
    ), placed as ( -- a link that holds under another number than the one that it stands at
        select w.*, (
            select min(n.seq) from (
                select v.seq from wrong v where not v.own and (select count(*) from wrong) <= 300
                union select l.seq + 1 from link l where l.hash = w.previous
                union select w.seq - 1 union select w.seq + 1) as n
            where not w.own and n.seq <> w.seq and w.hash = (
                select sha256(w.previous || int8send(n.seq) || convert_to(a.body, 'UTF8')) from muster.audit a where a.seq = w.seq)
        ) as place
        from wrong w
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
        select p.seq, 'altered', 'its hash is not that of its number, its body and the hash before it', 2
        from placed p where not p.own and p.place is null
    )
    (select t.seq, t.fault, t.detail, null::bigint, null::bytea from told t order by t.seq, t.part)
    union all
    select (select s.seq from slice s order by s.seq desc limit 1), null, null, (select count(*) from slice),
           (select s.hash from slice s order by s.seq desc limit 1)
    $$;
comment on function muster.audit_verify is 'Up to lim links of the audit chain from a number on, held against their own hash and the link before: a row for each that is wrong (altered, removed, inserted, reordered), then one without fault: the last link read, how many were read, and its hash. Read on behind that link.';

-- ---- what the leader has mended ----

create function muster.repaired(whats text[], counts bigint[]) returns void
    language sql volatile security definer set search_path = pg_catalog, muster
    as $$
    select muster.event_row('operator.repaired', string_agg(muster.event_json('operator_repaired', null, null,
               ',"what":' || to_json(x.w) || ',"count":' || x.c), ',' order by x.i)), pg_notify('muster_outbox', '')
    from unnest(whats, counts) with ordinality as x(w, c, i) having count(*) > 0
    $$;
comment on function muster.repaired is 'Tells of repairs: one message with an event for each kind.';

create function muster.republish_missing(tasks uuid[], ns int[]) returns setof uuid
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    r record;
    digest bytea;
    ids text[] := '{}';
    rows text[] := '{}';
begin
    -- the link of the chain comes last, for all: with it held, a wait for a row that the recorder has would be a deadlock
    for r in select distinct on (x.t) x.t, x.n from unnest(tasks, ns) as x(t, n) order by x.t loop
        digest := muster.requeue(r.t, r.n, false);
        continue when digest is null;
        ids := ids || ('"' || r.t || '"');
        rows := rows || ('["task","' || r.t || '","' || encode(digest, 'hex') || '"]');
        return next r.t;
    end loop;
    if cardinality(ids) > 0 then
        perform muster.event_row('operator.repaired', muster.event_json('operator_repaired', null, null,
            ',"what":"task_republished","count":' || cardinality(ids) || ',"task_ids":[' || array_to_string(ids, ',') || ']'));
        perform pg_notify('muster_outbox', '');
        perform muster.audit_append('reconciler', 'republish', '[' || array_to_string(rows, ',') || ']');
    end if;
end
$$;
comment on function muster.republish_missing is 'Queues open tasks again, each alone, that have neither a message nor an agent; those that were. One event and one link of the audit chain for all.';

revoke all on all functions in schema muster from public;
grant execute on function muster.audit_verify to muster_auditor;
grant execute on function muster.repaired, muster.republish_missing to muster_dispatcher;
grant select on muster.schema_migration to muster_auditor;

insert into muster.schema_migration (version, name) values (12, 'verify');
reset role;
