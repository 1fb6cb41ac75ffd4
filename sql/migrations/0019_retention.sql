-- SPDX-License-Identifier: Apache-2.0
-- How long what is kept. A partition whose time is over is detached, moved into schema muster_retired, and dropped after a
-- grace: until then it can be put back. What is gone has a purge certificate, which the audit trail seals: that a row is
-- missing is then no fault. Jobs under a legal hold keep their partitions.
create schema muster_retired authorization muster_owner;
set role muster_owner;

comment on schema muster_retired is 'Partitions that were taken out by the retention policy and wait to be dropped: a last chance to archive them, or to put them back (muster.unretire).';

alter table muster.partitioned add column class text;
update muster.partitioned set class = case parent when 'audit' then 'audit' when 'finding' then 'findings' else 'outcomes' end;
alter table muster.partitioned alter class set not null;
comment on column muster.partitioned.class is 'The setting that says how long it is kept: retention.<class>.';

create table muster.retention (
    class text primary key,
    keep interval,
    changed_at timestamptz not null default now()
);
comment on table muster.retention is 'The retention policy in force, as the dispatcher''s configuration says it.';
comment on column muster.retention.keep is 'Null: for ever. Of class grace: how long what was taken out waits before it is dropped.';

create table muster.legal_hold (
    hold_id uuid primary key,
    label text not null,
    value text,
    owner text not null,
    reason text not null,
    placed_by text not null default session_user,
    placed_at timestamptz not null default now(),
    released_by text,
    released_at timestamptz,
    release_reason text
);
comment on table muster.legal_hold is 'Labels whose jobs must not be purged, whatever the policy says.';
comment on column muster.legal_hold.value is 'Null: any value of the label.';

create function muster.audit_purged(last_seq out bigint, last_hash out bytea)
    language sql stable parallel safe security definer set search_path = pg_catalog, muster
    as $$
    select p.last_seq, p.last_hash from muster.purge p where p.parent = 'audit' and p.last_seq is not null order by p.last_seq desc limit 1
    $$;
comment on function muster.audit_purged is 'The last link of the audit trail that was taken out by policy, and its hash; nulls if none was.';

-- ---- legal holds ----

create function muster.hold(of_label text, of_value text, whose text, why text) returns uuid
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    id uuid := muster.fresh_id();
begin
    if coalesce(of_label, '') = '' or coalesce(whose, '') = '' or coalesce(why, '') = '' then
        raise exception 'a hold needs a label, an owner and a reason' using errcode = '22023';
    end if;
    insert into muster.legal_hold (hold_id, label, value, owner, reason) values (id, of_label, of_value, whose, why);
    perform muster.audit_append(session_user, 'hold', why, '[' || muster.noted('hold', id, of_label || coalesce('=' || of_value, '')) || ']');
    return id;
end
$$;
comment on function muster.hold is 'Places a legal hold on all jobs with a label (null: of any value): their partitions are kept until it is released. Its id.';

create function muster.hold_release(of_hold uuid, why text) returns void
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
begin
    if coalesce(why, '') = '' then
        raise exception 'releasing a hold needs a reason' using errcode = '22023';
    end if;
    update muster.legal_hold set released_by = session_user, released_at = now(), release_reason = why
    where hold_id = of_hold and released_at is null;
    if not found then
        raise exception 'there is no hold % in force', of_hold using errcode = '02000', hint = 'select * from report.legal_hold';
    end if;
    perform muster.audit_append(session_user, 'hold release', why, '[' || muster.noted('hold', of_hold, 'released') || ']');
end
$$;
comment on function muster.hold_release is 'Releases a legal hold. Its row stays.';

create function muster.held_by(jobs regclass, low uuid, high uuid) returns text
    language plpgsql stable security definer set search_path = pg_catalog, muster
    as $$
declare
    found_one text;
begin
    if not exists (select from muster.legal_hold where released_at is null) then
        return null;
    end if;
    execute format('select h.label || coalesce(''='' || h.value, '''') from muster.legal_hold h
        where h.released_at is null and exists (select from %s j where j.job_id >= $1 and j.job_id < $2 and j.labels ? h.label
              and (h.value is null or j.labels ->> h.label = h.value)) order by h.placed_at limit 1', jobs)
    into found_one using low, high;
    return found_one;
end
$$;
comment on function muster.held_by is 'The hold under which jobs of a table and a range of ids are; null: none.';

-- ---- taking out ----

create view muster.partition as
    select p.parent, p.key, p.class, p.is_id, c.relname::text as name, c.oid, case when p.is_id then (b.bound)[1]::uuid end as low,
           case when p.is_id then (b.bound)[2]::uuid end as high,
           case when p.is_id then muster.time_of((b.bound)[1]::uuid) else (b.bound)[1]::timestamptz end as from_at,
           case when p.is_id then muster.time_of((b.bound)[2]::uuid) else (b.bound)[2]::timestamptz end as to_at
    from muster.partitioned p
    join pg_inherits i on i.inhparent = p.relation
    join pg_class c on c.oid = i.inhrelid
    cross join lateral (select regexp_match(pg_get_expr(c.relpartbound, c.oid), $re$FROM \('([^']+)'\) TO \('([^']+)'\)$re$) as bound) as b
    where b.bound is not null;
comment on view muster.partition is 'The partitions that there are, without the default ones.';

create function muster.retention_set(outcomes_ms bigint, findings_ms bigint, audit_ms bigint, events_ms bigint, grace_ms bigint) returns boolean
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    changed text;
begin
    with wanted as (
        select x.class, case when x.class = 'grace' or x.ms > 0 then x.ms * interval '1 millisecond' end as keep
        from (values ('outcomes', outcomes_ms), ('findings', findings_ms), ('audit', audit_ms), ('events', events_ms), ('grace', grace_ms)) as x (class, ms)
    ), made as (
        insert into muster.retention as r (class, keep) select class, keep from wanted
        on conflict (class) do update set keep = excluded.keep, changed_at = now() where r.keep is distinct from excluded.keep
        returning class, keep)
    select string_agg('["retention","' || class || '","' || coalesce((extract(epoch from keep) / 86400)::numeric(12, 2) || ' days', 'for ever') || '"]', ',' order by class)
    into changed from made;
    if changed is not null then
        perform muster.audit_append('dispatcher', 'retention', 'configuration', '[' || changed || ']');
    end if;
    return changed is not null;
end
$$;
comment on function muster.retention_set is 'Puts the retention policy of the configuration in force (milliseconds; 0: for ever); did it change?';

create function muster.retention_keep(of_class text) returns interval
    language sql stable security definer set search_path = pg_catalog, muster
    as $$
    select keep from muster.retention where class = of_class
    $$;
comment on function muster.retention_keep is 'How long a class is kept; null: for ever, or no policy is in force yet.';

create function muster.why_kept(p muster.partition) returns text
    language plpgsql stable security definer set search_path = pg_catalog, muster
    as $$
declare
    keep interval := muster.retention_keep(p.class);
    held text;
begin
    if keep is null then
        return 'for ever';
    elsif p.to_at > now() - keep then
        return 'until ' || to_char((p.to_at + keep) at time zone 'UTC', 'YYYY-MM-DD');
    end if;
    if not p.is_id then -- rows whose links are gone would be strangers
        return (select 'it speaks of ' || o.name || ', which is kept' from muster.partition o where o.is_id and o.from_at < p.to_at order by o.from_at, o.name limit 1);
    end if;
    held := muster.held_by('muster.job', p.low, p.high);
    if held is not null then
        return 'legal hold ' || held;
    elsif p.parent <> 'finding' and not muster.is_purged('outcome', p.low) and exists (
            select from muster.job j where j.job_id >= p.low and j.job_id < p.high
              and not exists (select from muster.outcome o where o.task_id = j.job_id)
            union all
            select from muster.job_progress g where g.job_id >= p.low and g.job_id < p.high and g.finished_at is null) then
        return 'a job in it is open';
    end if;
    return null;
end
$$;
comment on function muster.why_kept is 'Why a partition stays; null: its time is over.';

create function muster.retire_due() returns table (partition text, parent text, to_at timestamptz, bytes bigint)
    language sql stable security definer set search_path = pg_catalog, muster
    as $$
    select p.name, p.parent, p.to_at, pg_total_relation_size(p.oid) from muster.partition p where muster.why_kept(p) is null
    order by p.from_at, p.parent = 'audit', p.parent = 'job', p.parent <> 'finding'
    $$;
comment on function muster.retire_due is 'The partitions whose time is over, in the order in which they go.';

create function muster.retire_next(who text) returns text
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    set lock_timeout = '2s' -- who reads goes first; the next turn tries again
    as $$
declare
    p muster.partition;
    c muster.purge;
begin
    perform pg_advisory_xact_lock(muster.lock_key('maintain'));
    select x.* into p from muster.partition x where x.name = (select d.partition from muster.retire_due() as d limit 1);
    if p.name is not null then
        c.purge_id := muster.fresh_id();
        c.partition := p.name;
        c.parent := p.parent;
        c.low := p.low;
        c.high := p.high;
        execute format('select count(*) from muster.%I', p.name) into c.row_count;
        c.byte_count := pg_total_relation_size(p.oid);
        c.policy := 'retention.' || p.class || ' = ' || muster.retention_keep(p.class);
        if p.parent = 'audit' then
            execute format('select seq, hash from muster.%I order by at desc limit 1', p.name) into c.last_seq, c.last_hash;
        end if;
        execute format('alter table muster.%I detach partition muster.%I', p.parent, p.name);
        execute format('alter table muster.%I set schema muster_retired', p.name);
        insert into muster.purge (purge_id, partition, parent, low, high, last_seq, last_hash, row_count, byte_count, policy)
        values (c.purge_id, c.partition, c.parent, c.low, c.high, c.last_seq, c.last_hash, c.row_count, c.byte_count, c.policy)
        returning * into c;
        if p.parent = 'job' then -- what is not cut and belongs to its jobs; keys are free again
            delete from muster.job_progress where job_id >= p.low and job_id < p.high;
            delete from muster.request where job_id >= p.low and job_id < p.high;
            delete from muster.deadline where job_id >= p.low and job_id < p.high;
        end if;
        perform muster.audit_append(who, 'purge', c.policy, '[' || muster.sealed('purge', c.purge_id::text, muster.seal(c)) || ']');
    end if;
    return p.name;
end
$$;
comment on function muster.retire_next is 'Takes out one partition whose time is over: its name, with a purge certificate; null: there is none. It is moved to schema muster_retired.';

create function muster.retire_events(who text, lim int) returns bigint
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    before timestamptz := now() - muster.retention_keep('events');
    c muster.purge;
    took bigint;
begin
    if before is null then
        return 0;
    end if;
    delete from muster.late_result where ctid = any (array(select ctid from muster.late_result where noted_at < before limit lim));
    get diagnostics took = row_count;
    c.row_count := took;
    delete from muster.agent_event where ctid = any (array(select ctid from muster.agent_event where at < before limit lim));
    get diagnostics took = row_count;
    c.row_count := c.row_count + took;
    with gone as (
        delete from muster.rejection where rejection_id = any (array(
            select rejection_id from muster.rejection where rejection_id < muster.id_at(before) order by 1 limit lim))
        returning rejection_id, octet_length(body) as bytes)
    select count(*), coalesce(sum(bytes), 0), min(rejection_id::text)::uuid, max(rejection_id::text)::uuid
    into took, c.byte_count, c.low, c.high from gone;
    if took > 0 then -- the trail names them
        insert into muster.purge (purge_id, partition, parent, low, high, row_count, byte_count, policy)
        values (muster.fresh_id(), 'rejection', 'rejection', c.low, muster.id_ceiling(c.high), took, c.byte_count, 'retention.events = ' || muster.retention_keep('events'))
        returning * into c;
        update muster.purge set dropped_at = now() where purge_id = c.purge_id;
        perform muster.audit_append(who, 'purge', c.policy, '[' || muster.sealed('purge', c.purge_id::text, muster.seal(c)) || ']');
    end if;
    return coalesce(c.row_count, 0) + took;
end
$$;
comment on function muster.retire_events is 'Deletes old refused submissions (with a purge certificate), late results and events of agents, so many of each; how many.';

create function muster.drop_next(who text) returns text
    language plpgsql volatile security definer set search_path = pg_catalog, muster set lock_timeout = '2s'
    as $$
declare
    c muster.purge;
    grace interval := (select keep from muster.retention where class = 'grace');
    jobs regclass;
begin
    for c in select * from muster.purge where dropped_at is null and restored_at is null and purged_at <= now() - grace order by purged_at loop
        -- a hold may have come meanwhile; jobs go last
        jobs := to_regclass('muster_retired.' || replace(c.partition, c.parent || '_', 'job_'));
        continue when jobs is not null and muster.held_by(jobs, '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff') is not null;
        continue when c.parent = 'job' and exists (
            select from muster.purge o where o.low = c.low and o.parent in ('task', 'outcome', 'tally') and o.dropped_at is null and o.restored_at is null);
        execute format('drop table if exists muster_retired.%I', c.partition);
        update muster.purge set dropped_at = now() where purge_id = c.purge_id;
        perform muster.audit_append(who, 'purge', 'the grace is over', '[' || muster.noted('dropped', c.purge_id, c.partition) || ']');
        return c.partition;
    end loop;
    return null;
end
$$;
comment on function muster.drop_next is 'Drops one partition that was taken out longer ago than the grace: its name; null: there is none.';

create function muster.unretire(of_partition text, why text) returns void
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    c muster.purge;
begin
    select * into c from muster.purge where partition = of_partition and dropped_at is null and restored_at is null;
    if not found then
        raise exception 'there is no partition % that was taken out and is not dropped', of_partition using errcode = '02000',
            hint = 'select partition from report.purge where dropped_at is null';
    end if;
    if c.parent = 'audit' then
        raise exception 'the beginning of the audit trail is not put back: read it where it is, muster_retired.%', of_partition using errcode = '0A000';
    end if;
    execute format('alter table muster_retired.%I set schema muster', c.partition);
    execute format('alter table muster.%I attach partition muster.%I for values from (%L) to (%L)', c.parent, c.partition, c.low, c.high);
    update muster.purge set restored_at = now() where purge_id = c.purge_id;
    perform muster.audit_append(session_user, 'purge undone', why, '[' || muster.noted('restored', c.purge_id, c.partition) || ']');
end
$$;
comment on function muster.unretire is 'Puts back a partition that was taken out and is not dropped yet. (Keys and the progress of its jobs do not come back.) Without a hold or another policy it is taken out again.';

-- ---- for people ----

create view report.partition as
select p.name as partition, p.parent as table_name, p.from_at, p.to_at, pg_total_relation_size(p.oid) as bytes, muster.why_kept(p) as kept
from muster.partition p cross join muster.whole;
comment on view report.partition is 'The partitions of the big tables, and why each is kept.';
comment on column report.partition.partition is 'Name of the partition.';
comment on column report.partition.table_name is 'The table that it is part of.';
comment on column report.partition.from_at is 'Of jobs submitted from then on (of the audit trail: links of that time).';
comment on column report.partition.to_at is 'Up to then.';
comment on column report.partition.bytes is 'Bytes, indexes included.';
comment on column report.partition.kept is 'until a day, for ever, or what keeps it beyond its time: a legal hold, an open job, rows that a part of the audit trail speaks of; null: it is to be taken out.';

create view report.legal_hold as
select hold_id, label, value, owner, reason, placed_by, placed_at, released_by, released_at, release_reason
from muster.legal_hold cross join muster.whole;
comment on view report.legal_hold is 'Legal holds, also those that were released.';
comment on column report.legal_hold.hold_id is 'Id of the hold.';
comment on column report.legal_hold.label is 'Jobs with this label are kept.';
comment on column report.legal_hold.value is 'With this value; null: with any.';
comment on column report.legal_hold.owner is 'Whose hold it is.';
comment on column report.legal_hold.reason is 'Why.';
comment on column report.legal_hold.placed_by is 'Login that placed it.';
comment on column report.legal_hold.placed_at is 'When.';
comment on column report.legal_hold.released_by is 'Login that released it; null: it is in force.';
comment on column report.legal_hold.released_at is 'When.';
comment on column report.legal_hold.release_reason is 'Why.';

create view report.purge as
select purge_id, partition, parent as table_name, muster.time_of(low) as from_at, muster.time_of(high) as to_at, last_seq, row_count, byte_count, policy,
       purged_by, purged_at, dropped_at, restored_at
from muster.purge cross join muster.whole;
comment on view report.purge is 'Purge certificates: what the retention policy took out.';
comment on column report.purge.purge_id is 'Id of the certificate; the audit trail seals it.';
comment on column report.purge.partition is 'The partition; rejection: rows of that table.';
comment on column report.purge.table_name is 'The table that it was part of.';
comment on column report.purge.from_at is 'Of jobs submitted from then on; null of the audit trail.';
comment on column report.purge.to_at is 'Up to then.';
comment on column report.purge.last_seq is 'Of the audit trail: the last link that is gone; else null.';
comment on column report.purge.row_count is 'Rows that it had.';
comment on column report.purge.byte_count is 'Bytes that it took, indexes included.';
comment on column report.purge.policy is 'The setting by which it went.';
comment on column report.purge.purged_by is 'Login that took it out.';
comment on column report.purge.purged_at is 'When.';
comment on column report.purge.dropped_at is 'When its rows went for good; null: they wait in schema muster_retired.';
comment on column report.purge.restored_at is 'When it was put back; null: it was not.';

revoke all on all tables in schema muster from public;
revoke all on all functions in schema muster from public;
grant select on report.partition, report.legal_hold, report.purge to muster_reporter, muster_auditor;
grant execute on function muster.is_purged, muster.time_of to muster_reporter, muster_auditor;
grant execute on function muster.why_kept(muster.partition) to muster_reporter, muster_auditor;
grant execute on function muster.hold, muster.hold_release, muster.unretire to muster_auditor;
grant execute on function muster.retention_set, muster.retire_due, muster.retire_next, muster.retire_events, muster.drop_next to muster_dispatcher;

insert into muster.schema_migration (version, name) values (19, 'retention');
reset role;
