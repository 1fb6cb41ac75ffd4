-- SPDX-License-Identifier: Apache-2.0
-- Tables. Big ones are range-partitioned on their UUIDv7 key: the id alone is the primary key, on conflict holds
-- everywhere, and one id touches one partition.
set role muster_owner;

create table muster.job (
    job_id uuid primary key,
    job_key text,
    body bytea not null,
    task_digest bytea not null,
    stage text not null check (stage in ('plan', 'scan')),
    queue text not null,
    priority text not null check (priority in ('high', 'normal', 'low')),
    pack text not null,
    terms_digest bytea not null,
    source_name text not null,
    as_of date not null,
    deadline timestamptz,
    labels jsonb,
    trace_id text,
    n int not null default 1,
    cancelled boolean not null default false,
    actor text not null,
    submitted_at timestamptz not null default now()
) partition by range (job_id);
comment on table muster.job is 'One submission. A job of one task has no task row: its first task has the job''s id and these bytes.';
comment on column muster.job.body is 'Exact bytes of the first task, fixed at commit; task_digest is their SHA-256.';
comment on column muster.job.terms_digest is 'The terms that body names: all that influences the result beside the input.';
comment on column muster.job.n is 'How often the first task has been published; counts up at each republish.';

create table muster.terms (
    terms_digest bytea primary key,
    document bytea not null,
    first_at timestamptz not null default now()
);
comment on table muster.terms is 'What tasks have in common: pins of pack and lists, parameters, day, limits. Tasks name them by the SHA-256 of these exact bytes; a queue message carries them.';

create table muster.request (
    key text primary key,
    job_id uuid not null,
    body_digest bytea not null,
    created_at timestamptz not null default now()
);
comment on table muster.request is 'Idempotency keys: the same key again is the same job. Not partitioned, so that a key is unique among all that are kept.';

create table muster.task (
    task_id uuid primary key,
    job_id uuid not null,
    stage text not null check (stage in ('plan', 'scan', 'merge')),
    attempt int not null,
    shard_index int,
    body bytea not null,
    task_digest bytea not null,
    queue text not null,
    priority text not null,
    n int not null default 1,
    retry_of uuid,
    created_at timestamptz not null default now()
) partition by range (task_id);
create index on muster.task (job_id);
comment on table muster.task is 'Tasks that a plan, a merge or a retry has made; the first task of a job stands in muster.job.';

create table muster.job_progress (
    job_id uuid primary key,
    stage text not null,
    expected int not null,
    done int not null default 0,
    bad int not null default 0,
    records_expected bigint not null,
    result text,
    reason text,
    finished_at timestamptz
);
comment on table muster.job_progress is 'Stage and counts of jobs with several tasks; jobs of one task have no row here.';
comment on column muster.job_progress.bad is 'Tasks of the stage that ended without a verdict (error, rejected, exhausted, cancelled).';

create table muster.outbox (
    ride_id uuid not null,
    n int not null,
    kind text not null check (kind in ('task', 'event')),
    subject text not null,
    message_id text not null,
    members uuid[] not null default '{}',
    bytes bytea not null,
    trace_id text,
    created_at timestamptz not null default now(),
    published_at timestamptz,
    stream_created text,
    sequence bigint,
    seen_missing_at timestamptz,
    primary key (ride_id, n)
) with (fillfactor = 70);
-- members of a bundle are much alike, and so are events: packed they are a fifth, in heap and WAL. pglz would take longer
-- than writing them does; a server built without lz4 keeps them as they are;
-- ids do not pack
do $$
begin
    alter table muster.outbox alter bytes set compression lz4, alter members set storage external;
exception when feature_not_supported then
    alter table muster.outbox alter bytes set storage external, alter members set storage external;
end
$$;
create index outbox_unpublished on muster.outbox (created_at) where published_at is null;
comment on table muster.outbox is 'One row per queue or event message with its exact bytes, from the commit that made it until no member needs it.';
comment on column muster.outbox.seen_missing_at is 'When the reconciler first found the message neither queued nor held.';

create table muster.outcome (
    task_id uuid primary key,
    job_id uuid not null,
    n int not null,
    delivery int not null,
    task_digest bytea not null,
    input_digest bytea,
    result text not null check (result in ('pass', 'warn', 'fail', 'not_evaluated', 'error', 'rejected', 'cancelled', 'exhausted', 'planned')),
    reason text,
    message text,
    records bigint not null,
    bad bigint not null,
    skipped bigint not null,
    bytes bigint not null,
    findings_total bigint not null,
    tally_id uuid,
    plan jsonb,
    resumes jsonb,
    crashes int not null default 0,
    agent text,
    incarnation uuid,
    determined bytea not null,
    started_at timestamptz not null,
    finished_at timestamptz not null,
    recorded_at timestamptz not null default now()
) partition by range (task_id);
create index outcome_of_stage on muster.outcome (job_id) where task_id <> job_id;
comment on table muster.outcome is 'The single terminal record of a task. The first one recorded stands.';
comment on column muster.outcome.determined is 'SHA-256 over all that the input, the rules and the day determine: two computed outcomes must agree in it.';

comment on column muster.outcome.tally_id is 'Its counters per rule, in muster.tally; null if nothing was counted.';

create table muster.tally (
    tally_id uuid primary key,
    rules jsonb not null
) partition by range (tally_id);
comment on table muster.tally is 'Counters per rule. Small tasks mostly end with equal ones, which stand here once a day: the id follows from day and counters, and falls in the partition of the outcomes.';

create table muster.finding (
    finding_id uuid primary key,
    task_id uuid not null,
    job_id uuid not null,
    task_digest bytea not null,
    input_digest bytea not null,
    fingerprint bytea not null,
    rule text not null,
    severity text not null,
    outcome text not null check (outcome in ('fail', 'warn')),
    shadow boolean not null default false,
    record_no bigint,
    byte_off bigint,
    length bigint,
    line bigint,
    subject text,
    part text,
    message text not null,
    evidence jsonb not null,
    recorded_at timestamptz not null default now()
) partition by range (finding_id);
create index on muster.finding (job_id, task_id);
comment on table muster.finding is 'One failed rule at one place. The id follows from task, rule and place, so that a repeat meets itself.';

create table muster.retry (
    task_id uuid primary key,
    n int not null,
    class text not null,
    reason text,
    message text,
    incomplete int not null default 0,
    dependency int not null default 0,
    transient int not null default 0,
    next_at timestamptz not null,
    created_at timestamptz not null default now()
);
create index on muster.retry (next_at);
comment on column muster.retry.incomplete is 'How often its findings were short; five such and the task ends.';
comment on column muster.retry.transient is 'How often it was deferred for trouble of its own; dependencies that are down burn none of these.';
comment on table muster.retry is 'Tasks that are to be published again at a time: deferred, or recorded incompletely.';

create table muster.late_result (
    created text not null, sequence bigint not null, stored_at timestamptz not null, index int not null,
    task_id uuid not null, n int not null, result text not null, body jsonb not null,
    noted_at timestamptz not null default now(),
    primary key (created, sequence, stored_at, index)
);
comment on table muster.late_result is 'Outcomes that came after the task had one and may differ from it (cancelled, exhausted, deadline, another input).';

create table muster.outcome_conflict (
    created text not null, sequence bigint not null, stored_at timestamptz not null, index int not null,
    task_id uuid not null, n int not null, body jsonb not null,
    noted_at timestamptz not null default now(),
    primary key (created, sequence, stored_at, index)
);
comment on table muster.outcome_conflict is 'Two computed outcomes of one task with equal input that differ. Stays empty; a row is an alarm.';

create table muster.quarantine (
    created text not null, sequence bigint not null, stored_at timestamptz not null, index int not null,
    subject text not null, reason text not null, bytes bytea, job_id uuid,
    noted_at timestamptz not null default now(),
    primary key (created, sequence, stored_at, index)
);
create index quarantine_of_job on muster.quarantine (job_id) where job_id is not null;
comment on column muster.quarantine.job_id is 'The job that the result says it is of; null if it cannot be read.';
comment on table muster.quarantine is 'Result messages, or members of them, that belong to no task of ours or break the contract, with their bytes.';

create table muster.rejection (
    rejection_id uuid primary key,
    source text not null, subject text not null, created text, sequence bigint, stored_at timestamptz,
    code text not null, message text not null, pointer text, body bytea,
    noted_at timestamptz not null default now(),
    unique (created, sequence, stored_at) -- a stream that went back gives its sequences to others
);
comment on table muster.rejection is 'Submissions by the stream door that were refused: nobody waited for an answer, so the answer is here.';

create table muster.pack (
    name text not null, version text not null, digest bytea not null, document bytea not null,
    major int not null, minor int not null, patch int not null,
    actor text not null, loaded_at timestamptz not null default now(),
    primary key (name, version)
);
comment on table muster.pack is 'Rule packs that may be used; immutable per version. The bucket muster_packs is made equal to it.';

create table muster.list_version (
    name text not null, version text not null, digest bytea not null, noted_at timestamptz not null default now(),
    primary key (name, version, digest)
);
comment on table muster.list_version is 'Reference lists that jobs were pinned to.';

create table muster.policy (key text primary key, value jsonb not null, actor text not null, changed_at timestamptz not null default now());
comment on table muster.policy is 'Pauses, limits and cancellations; the bucket muster_policy is made equal to it.';

create table muster.schedule (
    name text primary key, job jsonb not null, every text not null, zone text not null default 'UTC', next_at timestamptz,
    actor text not null, changed_at timestamptz not null default now()
);
comment on table muster.schedule is 'Jobs that are submitted by the clock.';

create table muster.agent_event (
    event_id uuid primary key, agent text not null, what text not null, body jsonb, at timestamptz not null default now()
);
comment on table muster.agent_event is 'Registrations and ends of agents.';

create table muster.recorder_position (
    minute timestamptz primary key,
    created text not null, sequence bigint not null, stored_at timestamptz not null,
    noted_at timestamptz not null,
    ordinal bigint not null generated by default as identity
);
comment on table muster.recorder_position is 'How far MUSTER_RESULTS has been recorded: the row written last rules; one is kept per minute for an hour, then per day.';
comment on column muster.recorder_position.ordinal is 'Grows with each write, so that the row written last is known even if the clock was set back.';

create table muster.intake_mark (
    one boolean primary key default true check (one),
    created text not null, sequence bigint not null, stored_at timestamptz not null,
    noted_at timestamptz not null default now()
);
comment on table muster.intake_mark is 'The newest message of MUSTER_INTAKE that the leader has seen: one row. If the stream holds another one there, its store has gone back.';

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

-- ---- partitions, made ahead ----

create table muster.job_default partition of muster.job default;
create table muster.task_default partition of muster.task default;
create table muster.outcome_default partition of muster.outcome default;
create table muster.tally_default partition of muster.tally default;
create table muster.finding_default partition of muster.finding default;
create table muster.audit_default partition of muster.audit default;

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

-- ---- audit ----

create function muster.audit_frozen() returns trigger
    language plpgsql as $$ begin raise exception 'muster.audit is append-only'; end $$;
comment on function muster.audit_frozen is 'Refuses changes of the audit trail.';
create trigger audit_frozen before update or delete on muster.audit for each row execute function muster.audit_frozen();
create trigger audit_not_emptied before truncate on muster.audit for each statement execute function muster.audit_frozen();
create trigger audit_not_emptied before truncate on muster.audit_default for each statement execute function muster.audit_frozen();
select muster.maintain();

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

insert into muster.schema_migration (version, name) values (2, 'tables');
reset role;
