-- SPDX-License-Identifier: Apache-2.0
-- The audit trail: its links, what they say of rows (seals), and the certificates of what a policy took out.
set role muster_owner;

create table muster.audit (
    seq bigint not null,
    at timestamptz primary key,
    began_at timestamptz not null,
    actor text not null,
    action text not null,
    reason text,
    body text not null,
    packed bytea not null,
    previous bytea not null,
    hash bytea not null
) partition by range (at);
alter table muster.audit alter packed set storage external; -- digests do not pack
create index on muster.audit (seq);
create index on muster.audit (began_at);
create index audit_by_people on muster.audit (action, at) where action not in ('accept', 'record');
do $$
begin
    alter table muster.audit alter body set compression lz4;
exception when feature_not_supported then
    alter table muster.audit alter body set storage external;
end
$$;
comment on table muster.audit is 'The audit trail: append-only, a link per batch of changes, chained by SHA-256 over all that the link says.';
comment on column muster.audit.seq is 'Number of the link: 1, 2, 3, without a gap.';
comment on column muster.audit.at is 'When it was appended; later than that of the link before, even if the clock was set back.';
comment on column muster.audit.began_at is 'When its transaction began: the time that the rows themselves have (recorded_at, submitted_at).';
comment on column muster.audit.actor is 'Who: a program, or whom the request named.';
comment on column muster.audit.action is 'What: accept and record are the daily work, all others are operations.';
comment on column muster.audit.reason is 'Why, in the words of who asked for it; null if nobody asked.';
comment on column muster.audit.body is 'JSON: per changed row ["table", "id", "SHA-256 of its canonical bytes (muster.seal)"]; of what is no row a word instead of the digest.';
comment on column muster.audit.packed is 'The same of the many rows of the daily work, 49 bytes each: a letter (j job, t task, o outcome, y tally, f finding), the id, the digest. muster.audit_entries reads both.';
comment on column muster.audit.hash is 'muster.audit_hash of all other columns.';

create table muster.audit_tail (
    seq bigint primary key,
    at timestamptz not null,
    hash bytea not null
);
comment on table muster.audit_tail is 'The last links of muster.audit, so that the next one is appended without a look into its partitions. Older rows go.';

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
    purged_by text not null default session_user,
    purged_at timestamptz not null default now(),
    dropped_at timestamptz,
    restored_at timestamptz
);
comment on table muster.purge is 'Purge certificates: what was taken out, by which policy, when. The audit trail seals them.';
comment on column muster.purge.low is 'Of tables that are cut by id: the first id of what is gone, and the first behind it.';
comment on column muster.purge.last_seq is 'Of the audit trail: the last link that is gone, and its hash, which the next one names.';
comment on column muster.purge.restored_at is 'When the partition was put back; null: it was not.';

create function muster.audit_frozen() returns trigger
    language plpgsql as $$ begin raise exception 'muster.audit is append-only'; end $$;
comment on function muster.audit_frozen is 'Refuses changes of the audit trail.';
create trigger audit_frozen before update or delete on muster.audit for each row execute function muster.audit_frozen();
create trigger audit_not_emptied before truncate on muster.audit for each statement execute function muster.audit_frozen();

create function muster.audit_hash(previous bytea, seq bigint, at timestamptz, began_at timestamptz, actor text, action text, reason text,
                                  body text, packed bytea) returns bytea
    language sql immutable parallel safe
    as $$
    select sha256(previous || int8send(seq) || timestamptz_send(at) || timestamptz_send(began_at) || muster.member(actor)
                  || muster.member(action) || coalesce(muster.member(reason), '') || muster.member(body) || packed)
    $$;
comment on function muster.audit_hash is 'Hash of a link: SHA-256 over the hash before it, its number and times (8 bytes each, big-endian; microseconds since 2000), then actor, action, reason and body (each its length, a colon, its bytes; no reason, nothing), then the packed rows.';

create function muster.audit_append(who text, what text, why text, rows text, packed_rows bytea default '') returns void
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    last muster.audit_tail;
    link muster.audit;
begin
    perform pg_advisory_xact_lock(muster.lock_key('audit'));
    select * into last from muster.audit_tail order by seq desc limit 1;
    link.seq := coalesce(last.seq, 0) + 1;
    link.at := greatest(clock_timestamp(), last.at + interval '1 microsecond');
    link.began_at := now();
    link.actor := who;
    link.action := what;
    link.reason := why;
    link.body := coalesce(rows, '[]');
    link.packed := packed_rows;
    link.previous := coalesce(last.hash, '');
    link.hash := muster.audit_hash(link.previous, link.seq, link.at, link.began_at, who, what, why, link.body, link.packed);
    insert into muster.audit values (link.*);
    insert into muster.audit_tail (seq, at, hash) values (link.seq, link.at, link.hash);
end
$$;
comment on function muster.audit_append is 'Appends one link to the chain: who did what, why, and to which rows (as JSON, packed, or both). Serialises: call it last in a transaction.';

-- The canonical bytes of a row. What may change later (how often a task was published, whether its job was cancelled) is not
-- sealed; the time of recording is that of the link. Jobs and outcomes are sealed by the program that sends them
-- (lib/domain/seal.h): fixed parts as they are in binary, then fields, each its length, a colon and its bytes, or "-" for
-- null. All others are PostgreSQL's binary form of a record, which is that of its protocol and does not change.

create function muster.field(value bytea) returns bytea
    language sql immutable parallel safe
    as $$ select coalesce(convert_to(octet_length(value) || ':', 'UTF8') || value, '-') $$;
comment on function muster.field(bytea) is 'One field of a seal.';

create function muster.field(value text) returns bytea
    language sql immutable parallel safe
    as $$ select coalesce(muster.member(value), '-') $$;
comment on function muster.field(text) is 'One field of a seal.';

create function muster.seal(r muster.job) returns bytea
    language sql stable parallel safe
    as $$
    select sha256(uuid_send(r.job_id) || muster.field(r.job_key) || muster.field(r.task_digest) || muster.field(r.stage) || muster.field(r.queue)
        || muster.field(r.priority) || muster.field(r.pack) || muster.field(r.terms_digest) || muster.field(r.source_name)
        || muster.field(to_char(r.as_of, 'YYYY-MM-DD')) || muster.field(timestamptz_send(r.deadline)) || muster.field(r.labels::text)
        || muster.field(r.trace_id) || muster.field(r.actor))
    $$;
comment on function muster.seal(muster.job) is 'Digest of a job as it was accepted, without the time; task_digest stands for its body.';

create function muster.seal(r muster.task) returns bytea
    language sql stable parallel safe
    as $$
    select sha256(record_send(row(r.task_id, r.job_id, r.stage, r.attempt, r.shard_index, r.task_digest, r.queue, r.priority, r.retry_of,
                                  r.created_at)))
    $$;
comment on function muster.seal(muster.task) is 'Digest of a task as it was made; task_digest stands for its body.';

create function muster.seal(r muster.outcome) returns bytea
    language sql stable parallel safe
    as $$
    select sha256(uuid_send(r.task_id) || uuid_send(r.job_id) || int8send(r.n) || int8send(r.delivery) || int8send(r.records) || int8send(r.bad)
        || int8send(r.skipped) || int8send(r.bytes) || int8send(r.findings_total) || int8send(r.crashes) || timestamptz_send(r.started_at)
        || timestamptz_send(r.finished_at) || muster.field(r.task_digest) || muster.field(r.input_digest) || muster.field(r.result)
        || muster.field(r.reason) || muster.field(r.message) || muster.field(uuid_send(r.tally_id)) || muster.field(r.plan::text)
        || muster.field(r.resumes::text) || muster.field(r.agent) || muster.field(uuid_send(r.incarnation)) || muster.field(r.determined))
    $$;
comment on function muster.seal(muster.outcome) is 'Digest of an outcome: all of it but the time of recording.';

create function muster.seal(r muster.tally) returns bytea
    language sql stable parallel safe
    as $$ select sha256(record_send(row(r.tally_id, r.rules))) $$;
comment on function muster.seal(muster.tally) is 'Digest of the counters of rules.';

create function muster.seal(r muster.finding) returns bytea
    language sql stable parallel safe
    as $$
    select sha256(record_send(row(r.finding_id, r.task_id, r.job_id, r.task_digest, r.input_digest, r.fingerprint, r.rule, r.severity,
                                  r.outcome, r.shadow, r.record_no, r.byte_off, r.length, r.line, r.subject, r.part, r.message, r.evidence,
                                  r.recorded_at)))
    $$;
comment on function muster.seal(muster.finding) is 'Digest of a finding: all of it.';

create function muster.seal(r muster.purge) returns bytea
    language sql stable parallel safe
    as $$
    select sha256(record_send(row(r.purge_id, r.partition, r.parent, r.low, r.high, r.last_seq, r.last_hash, r.row_count, r.byte_count,
                                  r.policy, r.purged_by, r.purged_at)))
    $$;
comment on function muster.seal(muster.purge) is 'Digest of a purge certificate.';

create function muster.is_purged(kind text, id uuid) returns boolean
    language sql stable parallel safe security definer set search_path = pg_catalog, muster
    as $$ select exists (select from muster.purge p where p.parent = kind and id >= p.low and id < p.high and p.restored_at is null) $$;
comment on function muster.is_purged is 'Was a row taken out by policy?';

create function muster.sealed(kind text, id text, seal bytea) returns text
    language sql immutable parallel safe
    as $$ select '["' || kind || '","' || id || '","' || encode(seal, 'hex') || '"]' $$;
comment on function muster.sealed is 'One row in the body of a link.';

create function muster.packed(letter bytea, id uuid, seal bytea) returns bytea
    language sql immutable parallel safe
    as $$ select letter || uuid_send(id) || seal $$;
comment on function muster.packed is 'One row among the packed ones of a link.';

create function muster.noted(kind text, id uuid, word text) returns text
    language sql immutable parallel safe
    as $$ select '["' || kind || '","' || id || '",' || to_json(word)::text || ']' $$;
comment on function muster.noted is 'What happened to one job or task, in the body of a link, where that is no row.';

insert into muster.schema_migration (version, name) values (3, 'audit');
reset role;
