-- SPDX-License-Identifier: Apache-2.0
-- Schemas, roles, ids, locks. Each migration file is one transaction: `muster db migrate` wraps it, and by hand it is
-- `psql -1 -v ON_ERROR_STOP=1 -f`. Each begins as muster_owner, who owns whatever there is, notes itself in
-- muster.schema_migration (the SHA-256 is filled in by `muster db migrate`), and ends with `reset role`. The migrating
-- user is a superuser, or owns the database and may create roles. Forward only: once released, a file is never changed;
-- a change is a new file that also moves what is stored, and programs refuse a schema of another version.

do $$
declare
    role text;
begin
    foreach role in array array['muster_owner', 'muster_views', 'muster_dispatcher', 'muster_recorder', 'muster_reporter',
                               'muster_auditor'] loop
        if not exists (select from pg_catalog.pg_roles where rolname = role) then
            execute format('create role %I nologin', role);
        end if;
    end loop;
    if not pg_has_role(current_user, 'muster_owner', 'member') then
        execute format('grant muster_owner to %I', current_user);
    end if;
    -- who owns the views of report, and is not the owner of what they read, so that row-level security holds (0020_tenant.sql)
    if not pg_has_role('muster_owner', 'muster_views', 'member') then
        grant muster_views to muster_owner;
    end if;
    -- for the batches of muster.record_batch
    execute format('grant temporary on database %I to muster_owner', current_database());
    -- a report over a year of weekly partitions is compiled for seconds and runs for milliseconds
    execute format('alter database %I set jit = off', current_database());
    -- jobs and outcomes are cut at the same times: joined piece by piece, a filter on one leaves little of the other to read
    execute format('alter database %I set enable_partitionwise_join = on', current_database());
end
$$;

create schema muster authorization muster_owner;
create schema report authorization muster_owner;
set role muster_owner;
comment on schema muster is 'Internal tables and functions of muster; may change between versions.';
comment on schema report is 'Views for people and tools: a stable contract.';
grant usage on schema muster to muster_dispatcher, muster_recorder;
grant usage on schema report to muster_reporter, muster_auditor;

create table muster.schema_migration (
    version int primary key,
    name text not null,
    sha256 bytea,
    applied_at timestamptz not null default now(),
    applied_by text not null default session_user
);
comment on table muster.schema_migration is 'Migrations that have been applied; sha256 is that of the file, filled in by muster db migrate.';
comment on column muster.schema_migration.sha256 is 'Null when the file was applied by psql and not verified yet.';

-- ---- ids: the first 48 bits are milliseconds since 1970 and decide the partition ----

create function muster.id_at(moment timestamptz) returns uuid
    language sql immutable strict parallel safe
    as $$ select (lpad(to_hex(floor(extract(epoch from moment) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid $$;
comment on function muster.id_at is 'The smallest id of a moment: lower bound of a partition.';

create function muster.time_of(id uuid) returns timestamptz
    language sql immutable strict parallel safe
    as $$ select to_timestamp(('x0000' || left(replace(id::text, '-', ''), 12))::bit(64)::bigint / 1000.0) $$;
comment on function muster.time_of is 'The moment in an id''s first 48 bits.';

create function muster.id_floor(id uuid) returns uuid
    language sql immutable strict parallel safe
    as $$ select (left(id::text, 13) || '-0000-0000-000000000000')::uuid $$;
comment on function muster.id_floor is 'The smallest id with the same time bits: all that follows from a job lies between its floor and its ceiling.';

create function muster.id_ceiling(id uuid) returns uuid
    language sql immutable strict parallel safe
    as $$ select (left(id::text, 13) || '-ffff-ffff-ffffffffffff')::uuid $$;
comment on function muster.id_ceiling is 'The largest id with the same time bits.';

create function muster.derive_id(origin uuid, digest bytea) returns uuid
    language sql immutable strict parallel safe
    as $$
    select encode(set_byte(set_byte(
        substring(uuid_send(origin) from 1 for 6) || substring(digest from 1 for 10),
        6, (get_byte(digest, 0) & 15) | 128), 8, (get_byte(digest, 2) & 63) | 128), 'hex')::uuid
    $$;
comment on function muster.derive_id is 'UUID version 8: time bits of the origin, then bits of the digest; the same as mu_id_derive in C.';

create function muster.fresh_id() returns uuid
    language sql volatile
    as $$ select muster.derive_id(muster.id_at(clock_timestamp()), sha256(convert_to(gen_random_uuid()::text, 'UTF8'))) $$;
comment on function muster.fresh_id is 'A new id, whose first bits are the time.';

create function muster.member(value text) returns bytea
    language sql immutable strict parallel safe
    as $$ select convert_to(octet_length(convert_to(value, 'UTF8'))::text || ':' || value, 'UTF8') $$;
comment on function muster.member is 'One member of a digest over several: length, colon, bytes.';

-- ---- locks ----

create function muster.lock_key(name text) returns bigint
    language sql immutable strict parallel safe
    as $$ select ('x' || substring(encode(sha256(convert_to('muster.' || name, 'UTF8')), 'hex') from 1 for 15))::bit(60)::bigint $$;
comment on function muster.lock_key is 'Key of the advisory lock of a duty: leader, recorder, audit.';

create table muster.lock_holder (
    name text primary key,
    backend_pid int not null,
    holder text not null,
    beat_at timestamptz not null
);
comment on table muster.lock_holder is 'Who holds a duty''s advisory lock, and when its loop last moved; a stand-by ends a holder without a beat.';

create function muster.lock_take(lock_name text, who text) returns boolean
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
begin
    if not pg_try_advisory_lock(muster.lock_key(lock_name)) then
        return false;
    end if;
    insert into muster.lock_holder values (lock_name, pg_backend_pid(), who, clock_timestamp())
    on conflict (name) do update set backend_pid = excluded.backend_pid, holder = excluded.holder, beat_at = excluded.beat_at;
    return true;
exception when query_canceled or others then -- a lock that its session does not know of would never be let go
    perform pg_advisory_unlock(muster.lock_key(lock_name));
    raise;
end
$$;
comment on function muster.lock_take is 'Takes the lock of a duty for this session, if it is free, and notes it as the holder in the same step: one that stops right then must be found, too.';

create function muster.lock_beat(lock_name text, pid int) returns void
    language sql volatile security definer set search_path = pg_catalog, muster
    as $$ update muster.lock_holder set beat_at = clock_timestamp() where name = lock_name and backend_pid = pid $$;
comment on function muster.lock_beat is 'Notes that the holder of a duty is alive, from a connection other than the one that holds the lock. A former holder, who woke up late, changes nothing.';

create function muster.is_recent(noted timestamptz, moment timestamptz, ms int) returns boolean
    language sql immutable parallel safe
    as $$ select noted > moment - ms * interval '1 millisecond' and noted < moment + ms * interval '1 millisecond' $$;
comment on function muster.is_recent is 'Was it noted within so many milliseconds? What lies farther in the future was noted before the clock was set back, and nobody knows how long ago.';

create function muster.lock_stale(lock_name text, older_ms int) returns int
    language sql stable security definer set search_path = pg_catalog, muster
    as $$
    select backend_pid from muster.lock_holder
    where name = lock_name and not muster.is_recent(beat_at, clock_timestamp(), older_ms)
    $$;
comment on function muster.lock_stale is 'Backend of a holder whose last beat is too old, or null.';

create function muster.lock_end(lock_name text, pid int) returns boolean
    language plpgsql volatile set search_path = pg_catalog, muster -- of its caller: a role may end its own sessions
    as $$
begin
    -- only a backend that holds this very lock: pids are reused
    if not exists (select from pg_locks where locktype = 'advisory' and pg_locks.pid = lock_end.pid and granted
                   and (classid::bigint << 32 | objid::bigint) = muster.lock_key(lock_name)) then
        return false;
    end if;
    return pg_terminate_backend(pid);
end
$$;
comment on function muster.lock_end is 'Ends the session of a stopped holder, so that a stand-by can take the lock.';

insert into muster.schema_migration (version, name) values (1, 'ground');
reset role;
