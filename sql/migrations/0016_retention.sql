-- SPDX-License-Identifier: Apache-2.0
-- How long what is kept: partitions made ahead and taken out, legal holds, purge certificates.
set role muster_owner;

create table muster.purge (
    purge_id uuid primary key,
    partition text not null,
    parent text not null,
    low uuid,
    high uuid,
    last_seq bigint,
    last_hash bytea,
    row_count bigint not null,
    byte_count bigint not null,
    policy text not null,
    purged_by text not null,
    purged_at timestamptz not null default now()
);
comment on table muster.purge is 'Purge certificates: what was taken out, by which policy, when. Its row is sealed in the audit trail.';
comment on column muster.purge.low is 'Of tables that are cut by id: the first id of the partition, and the first behind it.';
comment on column muster.purge.last_seq is 'Of the audit trail: the last link that is gone, and its hash, which the next one names.';

create function muster.seal(r muster.purge) returns bytea
    language sql stable parallel safe
    as $$
    select sha256(record_send(row(r.purge_id, r.partition, r.parent, r.low, r.high, r.last_seq, r.last_hash, r.row_count, r.byte_count,
                                  r.policy, r.purged_by, r.purged_at)))
    $$;
comment on function muster.seal(muster.purge) is 'Digest of a purge certificate.';

create function muster.is_purged(kind text, id uuid) returns boolean
    language sql stable parallel safe security definer set search_path = pg_catalog, muster
    as $$ select exists (select from muster.purge p where p.parent = kind and id >= p.low and id < p.high) $$;
comment on function muster.is_purged is 'Was a row taken out by policy?';

create function muster.audit_purged(last_seq out bigint, last_hash out bytea)
    language sql stable parallel safe security definer set search_path = pg_catalog, muster
    as $$ select p.last_seq, p.last_hash from muster.purge p where p.parent = 'audit' order by p.last_seq desc limit 1 $$;
comment on function muster.audit_purged is 'The last link of the audit trail that was taken out by policy, and its hash; nulls if none was.';

insert into muster.schema_migration (version, name) values (16, 'retention');
reset role;
