-- SPDX-License-Identifier: Apache-2.0
-- Partitions of the big tables, made ahead; how long they stay is 0019_retention.
set role muster_owner;

create table muster.job_default partition of muster.job default;
create table muster.task_default partition of muster.task default;
create table muster.outcome_default partition of muster.outcome default;
create table muster.tally_default partition of muster.tally default;
create table muster.finding_default partition of muster.finding default;
create table muster.audit_default partition of muster.audit default;
create trigger audit_not_emptied before truncate on muster.audit_default for each statement execute function muster.audit_frozen();

create table muster.partitioned (
    parent text primary key,
    relation regclass not null,
    key text not null,
    is_id boolean not null
);
comment on table muster.partitioned is 'The tables that are cut by time, into quarters: a statement that cannot tell which partition it needs takes a lock on each, and seven years of weeks would fill the lock table of a server as it comes.';
comment on column muster.partitioned.is_id is 'The key is an id, whose first bits are a time; else a time.';
insert into muster.partitioned (parent, relation, key, is_id) values
    ('job', 'muster.job', 'job_id', true), ('task', 'muster.task', 'task_id', true), ('outcome', 'muster.outcome', 'task_id', true),
    ('tally', 'muster.tally', 'tally_id', true), ('finding', 'muster.finding', 'finding_id', true), ('audit', 'muster.audit', 'at', false);

create function muster.partition_make(p muster.partitioned, low_at timestamptz, high_at timestamptz) returns boolean
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    name text := p.parent || '_' || to_char(low_at at time zone 'UTC', 'YYYY"q"Q');
    low text := case when p.is_id then muster.id_at(low_at)::text else low_at::text end;
    high text := case when p.is_id then muster.id_at(high_at)::text else high_at::text end;
begin
    if to_regclass('muster.' || name) is not null then
        return false;
    end if;
    execute format('create table muster.%I (like muster.%I including defaults including constraints including storage including compression)', name, p.parent);
    if p.parent = 'audit' then
        execute format('create trigger audit_not_emptied before truncate on muster.%I for each statement execute function muster.audit_frozen()', name);
        execute format('insert into muster.%I select * from muster.audit_default where at >= %L and at < %L', name, low, high);
        alter table muster.audit_default disable trigger user;
        execute format('delete from muster.audit_default where at >= %L and at < %L', low, high);
        alter table muster.audit_default enable trigger user;
    else
        -- rows of that time in the default partition would block the new one
        execute format('with moved as (delete from muster.%I where %I >= %L and %I < %L returning *)
                        insert into muster.%I select * from moved', p.parent || '_default', p.key, low, p.key, high, name);
    end if;
    execute format('alter table muster.%I attach partition muster.%I for values from (%L) to (%L)', p.parent, name, low, high);
    return true;
end
$$;
comment on function muster.partition_make is 'Makes one partition, with what lay in the default partition for its time; false if it is there already.';

create function muster.maintain(moment timestamptz default now()) returns int
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    p muster.partitioned;
    made int := 0;
    low timestamp;
begin
    perform pg_advisory_xact_lock(muster.lock_key('maintain'));
    for p in select * from muster.partitioned order by parent loop
        for i in -1..2 loop
            low := date_trunc('quarter', moment at time zone 'UTC') + i * interval '3 months';
            made := made + muster.partition_make(p, low at time zone 'UTC', (low + interval '3 months') at time zone 'UTC')::int;
        end loop;
    end loop;
    delete from muster.audit_tail where seq < (select max(seq) from muster.audit_tail) - 100;
    return made;
end
$$;
comment on function muster.maintain is 'Makes the partitions of this quarter, the one before and two ahead; how many were made.';
select muster.maintain();

insert into muster.schema_migration (version, name) values (4, 'partitions');
reset role;
