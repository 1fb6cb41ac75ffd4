-- SPDX-License-Identifier: Apache-2.0
-- How much of MUSTER_RESULTS may go (PROTOCOL.md §9): up to the oldest position that is kept, and to the last backup, as
-- long as there is room; then those are given up, with an alarm; what has not been recorded is never purged.
set role muster_owner;

create table muster.backup_mark (
    marked_at timestamptz primary key default clock_timestamp(),
    label text not null,
    created text not null, sequence bigint not null, stored_at timestamptz not null
);
comment on table muster.backup_mark is 'Where the recorder stood when a backup of this database was begun: a database that is restored from it replays MUSTER_RESULTS from there.';

create function muster.backup_taken(called text) returns bigint
    language sql volatile security definer set search_path = pg_catalog, muster
    as $$
    insert into muster.backup_mark (label, created, sequence, stored_at)
    select called, created, sequence, stored_at from muster.positions() limit 1
    returning sequence
    $$;
comment on function muster.backup_taken is 'To be called before each backup (a hook of the backup tool): results from here on are kept in MUSTER_RESULTS while there is room. The sequence; null if nothing has been recorded yet.';

create function muster.space_bounds() returns table (kind text, created text, sequence bigint, stored_at timestamptz)
    language sql stable security definer set search_path = pg_catalog, muster
    as $$
    select x.* from (
        select case when row_number() over (order by ordinal desc) = 1 then 'current' else 'kept' end, created, sequence, stored_at
        from muster.recorder_position
        union all
        (select 'backup', created, sequence, stored_at from muster.backup_mark order by marked_at desc limit 1)
    ) as x (kind, created, sequence, stored_at)
    where sequence > 0 order by sequence, kind
    $$;
comment on function muster.space_bounds is 'Places up to which MUSTER_RESULTS may be purged, the lowest first: kept positions, the last backup, the current position.';

revoke all on muster.backup_mark from public;
revoke all on function muster.backup_taken, muster.space_bounds from public;
grant execute on function muster.space_bounds to muster_dispatcher;
grant execute on function muster.backup_taken to muster_auditor;

insert into muster.schema_migration (version, name) values (10, 'space');
reset role;
