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

insert into muster.schema_migration (version, name) values (2, 'tables');
reset role;
