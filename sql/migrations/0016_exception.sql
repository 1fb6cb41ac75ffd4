-- SPDX-License-Identifier: Apache-2.0
-- The exceptions ledger: what becomes of a finding over the runs of its source.
--
-- An exception is all findings of one fingerprint (pack, rule, source, business key). A run is a job that ended with a
-- verdict; those of one pack and source stand in the order of (as_of, job_id), whatever order they are recorded in.
--   * A run sees what it has findings of. First time: new; again: persisting; after it was resolved: reopened.
--   * A run resolves what it looked for and did not find: only a job that opened a source (whoever sends records inline
--     sends some, never all), and only rules that it has looked at whole: as much was evaluated as a pass would take, with
--     failures counted as evaluated; nothing met an error; no finding was withheld. A record that could not be evaluated
--     may be the one that failed before: "not evaluated" never looks like mended. A rule in shadow mode resolves only
--     what was last found in shadow mode.
--   * muster.rule_look keeps the newest run that looked at a rule whole. So whether something is open does not depend on
--     the order in which runs are recorded: a run that comes late closes nothing that a newer one has seen, and what it
--     sees is entered, but resolved, if a newer one has looked and not found it.
-- It is not done where results are recorded: jobs that matter are put in muster.ledger_due, and the leader enters them.
set role muster_owner;

create table muster.exception (
    exception_id uuid primary key,
    fingerprint bytea not null,
    pack text not null,
    source text not null,
    rule text not null,
    severity text not null,
    shadow boolean not null,
    subject text,
    part text,
    record_no bigint,
    message text not null,
    state text not null check (state in ('new', 'persisting', 'resolved', 'reopened')),
    first_job_id uuid not null,
    first_as_of date not null,
    first_seen_at timestamptz not null,
    last_job_id uuid not null,
    last_as_of date not null,
    last_seen_at timestamptz not null,
    last_finding_id uuid not null,
    counted_job_id uuid not null,
    runs_seen int not null,
    times_reopened int not null default 0,
    resolved_at timestamptz,
    resolved_by_job_id uuid,
    tenant text,
    check ((state = 'resolved') = (resolved_at is not null))
) with (fillfactor = 80); -- what persists is updated at each run, in place: no index has what changes then
create index exception_open on muster.exception (source, pack, rule, exception_id) where resolved_at is null;
comment on table muster.exception is 'One row per fingerprint that was ever found. Rows are never deleted.';
comment on column muster.exception.pack is 'Name of the pack, without its version.';
comment on column muster.exception.shadow is 'When last seen, its rule was in shadow mode.';
comment on column muster.exception.last_job_id is 'The newest run that saw it, by (as_of, job_id); subject, part, record_no, message and tenant are of that one.';
comment on column muster.exception.counted_job_id is 'The run that was entered last: one that comes in slices, or once more, counts once.';
comment on column muster.exception.tenant is 'Label "tenant" of the last job.';

create table muster.rule_look (
    pack text not null,
    source text not null,
    rule text not null,
    as_of date not null,
    job_id uuid not null,
    at timestamptz not null,
    primary key (source, pack, rule)
) with (fillfactor = 80);
comment on table muster.rule_look is 'The newest run that has looked at the whole of a rule in a source: what an older one found and this did not is resolved.';

create table muster.exception_change (
    change_id bigint generated always as identity primary key,
    exception_id uuid not null,
    at timestamptz not null,
    job_id uuid not null,
    state text not null check (state in ('new', 'resolved', 'reopened')),
    previous text
);
create index on muster.exception_change (exception_id);
comment on table muster.exception_change is 'Append-only: each time that an exception came up, was resolved, or came up again. That it persists is no row: runs_seen counts.';
comment on column muster.exception_change.at is 'When the run ended that showed it.';

create function muster.only_grows() returns trigger
    language plpgsql as $$ begin raise exception '% is append-only', tg_relid::regclass; end $$;
comment on function muster.only_grows is 'Refuses changes of tables that are only added to.';

create trigger only_grows before update or delete on muster.exception_change for each row execute function muster.only_grows();
create trigger not_emptied before truncate on muster.exception_change for each statement execute function muster.only_grows();
create trigger not_deleted before delete on muster.exception for each row execute function muster.only_grows();
create trigger not_emptied before truncate on muster.exception for each statement execute function muster.only_grows();

-- ---- entering runs ----

create function muster.exception_id(fingerprint bytea) returns uuid
    language sql immutable strict parallel safe
    as $$
    select encode(set_byte(set_byte(substring(fingerprint from 1 for 16), 6, (get_byte(fingerprint, 6) & 15) | 128),
                           8, (get_byte(fingerprint, 8) & 63) | 128), 'hex')::uuid
    $$;
comment on function muster.exception_id is 'Id of the exception with a fingerprint: UUID version 8 of its first bytes.';

create function muster.ledger_advance(lim int) returns int
    language plpgsql volatile security definer set search_path = pg_catalog, muster, pg_temp
    set client_min_messages = warning
    -- slices meet large tables by key, whatever statistics say
    set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set max_parallel_workers_per_gather = 0
    set plan_cache_mode = force_generic_plan set jit = off
    as $$
#variable_conflict use_column
declare
    w record;
    room int := lim;
    step int;
    taken int;
    looked int := 0;
    last_rule text;
    last_id uuid;
    ended uuid[] := '{}';
begin
    if not exists (select from muster.ledger_due) or not pg_try_advisory_xact_lock(muster.lock_key('ledger')) then
        return 0;
    end if;
    create temp table if not exists ledger_wave (
        job_id uuid, started boolean, closing boolean, at_rule text, at_id uuid, pack text, source text, as_of date, tenant text,
        opens boolean, ended_at timestamptz, staged boolean, retried uuid[]) on commit delete rows;
    create temp table if not exists ledger_slice (
        job_id uuid, as_of date, ended_at timestamptz, pack text, source text, tenant text, finding_id uuid, fingerprint bytea, rule text,
        severity text, shadow boolean, record_no bigint, subject text, part text, message text, counts boolean) on commit delete rows;
    create temp table if not exists ledger_seen (
        exception_id uuid, fingerprint bytea, pack text, source text, rule text, severity text, shadow boolean, subject text, part text,
        record_no bigint, message text, first_job uuid, first_as_of date, first_at timestamptz, last_job uuid, last_as_of date,
        last_at timestamptz, finding_id uuid, runs int, tenant text, opens boolean, look_job uuid, look_at timestamptz, was text,
        is_first boolean, is_last boolean) on commit delete rows;
    create temp table if not exists ledger_look (job_id uuid, active text[], shadowed text[]) on commit delete rows;
    delete from ledger_wave;
    delete from ledger_slice;
    delete from ledger_seen;
    delete from ledger_look;

    -- Of each pack and source the oldest run, one at a time; of those that only add, all that come before the next one
    -- that closes. As many as have lim findings together; a larger one is taken alone, a slice of lim at a time
    insert into ledger_wave
    select x.job_id, x.started, x.closing, x.at_rule, x.at_id, x.pack, x.source, x.as_of, x.tenant, x.opens, x.ended_at, x.staged,
           case when x.staged then array(select t.retry_of from muster.task t where t.job_id = x.job_id and t.retry_of is not null
                                         and t.task_id between muster.id_floor(x.job_id) and muster.id_ceiling(x.job_id)) else '{}' end
    from (
        select y.*, sum(y.stated) over (order by y.started desc, y.job_id rows between unbounded preceding and 1 preceding) as before
        from (
            select d.*, split_part(j.pack, '@', 1) as pack, j.source_name as source, j.as_of, j.labels ->> 'tenant' as tenant,
                   j.stage = 'plan' as opens, coalesce(p.finished_at, o.recorded_at) as ended_at, p.job_id is not null as staged,
                   case when p.job_id is null then o.findings_total
                        else (select sum(s.findings_total)::bigint from muster.outcome s where s.job_id = d.job_id and s.task_id <> s.job_id
                              and s.task_id between muster.id_floor(d.job_id) and muster.id_ceiling(d.job_id)) end as stated,
                   count(*) filter (where j.stage = 'plan') over line as opened, row_number() over line as place
            from (select * from muster.ledger_due order by started desc, job_id limit 500) as d
            join muster.job j on j.job_id = d.job_id
            left join muster.job_progress p on p.job_id = d.job_id
            left join muster.outcome o on o.task_id = d.job_id
            window line as (partition by split_part(j.pack, '@', 1), j.source_name order by d.started desc, d.job_id)
        ) as y
        where y.opened = 0 or (y.opens and y.place = 1)
    ) as x
    where coalesce(x.before, 0) = 0 or x.before + x.stated <= lim;
    get diagnostics looked = row_count;

    -- their findings, in the order of their ids; what counts is what report.finding shows of tasks with a verdict
    insert into ledger_slice
    select w.job_id, w.as_of, w.ended_at, w.pack, w.source, w.tenant, f.finding_id, f.fingerprint, f.rule, f.severity, f.shadow, f.record_no,
           f.subject, f.part, f.message,
           (select true from muster.outcome o where o.task_id = f.task_id and o.input_digest = f.input_digest
               and o.result in ('pass', 'warn', 'fail', 'not_evaluated')) is not null
    from ledger_wave w
    cross join lateral (
        select * from muster.finding f
        where f.job_id = w.job_id and f.finding_id > coalesce(w.at_id, muster.id_floor(w.job_id)) and f.finding_id <= muster.id_ceiling(w.job_id)
        order by f.finding_id limit lim) as f
    where not w.closing;
    update ledger_wave w set closing = true, at_id = null
    where not w.closing and not exists (select from (select l.job_id from ledger_slice l group by l.job_id having count(*) >= lim) as s where s.job_id = w.job_id);
    update ledger_wave w set at_id = s.last
    from (select l.job_id, max(l.finding_id::text)::uuid as last from ledger_slice l group by l.job_id having count(*) >= lim) as s
    where s.job_id = w.job_id and not w.closing;

    insert into ledger_seen
    select x.id, x.fingerprint, x.pack, x.source, x.rule, x.severity, x.shadow, x.subject, x.part, x.record_no, x.message, x.first_job,
           x.first_as_of, x.first_at, x.job_id, x.as_of, x.ended_at, x.finding_id, x.runs, x.tenant,
           l.job_id is null or (x.as_of, x.job_id) >= (l.as_of, l.job_id), l.job_id, l.at, e.state,
           (x.first_as_of, x.first_job) < (e.first_as_of, e.first_job_id), (x.as_of, x.job_id) > (e.last_as_of, e.last_job_id)
    from (
        select u.*, muster.exception_id(u.fingerprint) as id, (count(*) over (partition by u.fingerprint))::int as runs,
               row_number() over (partition by u.fingerprint order by u.as_of desc, u.job_id desc) as back,
               first_value(u.job_id) over f as first_job, first_value(u.as_of) over f as first_as_of, first_value(u.ended_at) over f as first_at
        from (select distinct on (fingerprint, job_id) * from ledger_slice where counts
              order by fingerprint, job_id, record_no, finding_id) as u
        window f as (partition by u.fingerprint order by u.as_of, u.job_id)
    ) as x
    left join muster.exception e on e.exception_id = x.id
    left join muster.rule_look l on l.source = x.source and l.pack = x.pack and l.rule = x.rule
    where x.back = 1 and e.counted_job_id is distinct from x.job_id;

    update muster.exception e
    set state = case when e.resolved_at is null then 'persisting' when not s.opens then 'resolved' when s.runs > 1 then 'persisting' else 'reopened' end,
        times_reopened = e.times_reopened + (e.resolved_at is not null and s.opens)::int,
        resolved_at = case when not s.opens then e.resolved_at end,
        resolved_by_job_id = case when not s.opens then e.resolved_by_job_id end,
        runs_seen = e.runs_seen + s.runs, counted_job_id = s.last_job,
        first_job_id = case when s.is_first then s.first_job else e.first_job_id end,
        first_as_of = case when s.is_first then s.first_as_of else e.first_as_of end,
        first_seen_at = case when s.is_first then s.first_at else e.first_seen_at end,
        last_job_id = case when s.is_last then s.last_job else e.last_job_id end,
        last_as_of = case when s.is_last then s.last_as_of else e.last_as_of end,
        last_seen_at = case when s.is_last then s.last_at else e.last_seen_at end,
        last_finding_id = case when s.is_last then s.finding_id else e.last_finding_id end,
        severity = case when s.is_last then s.severity else e.severity end, shadow = case when s.is_last then s.shadow else e.shadow end,
        subject = case when s.is_last then s.subject else e.subject end, part = case when s.is_last then s.part else e.part end,
        record_no = case when s.is_last then s.record_no else e.record_no end, message = case when s.is_last then s.message else e.message end,
        tenant = case when s.is_last then s.tenant else e.tenant end
    from ledger_seen s where e.exception_id = s.exception_id and s.was is not null;

    insert into muster.exception (exception_id, fingerprint, pack, source, rule, severity, shadow, subject, part, record_no, message, state,
        first_job_id, first_as_of, first_seen_at, last_job_id, last_as_of, last_seen_at, last_finding_id, counted_job_id, runs_seen,
        resolved_at, resolved_by_job_id, tenant)
    select exception_id, fingerprint, pack, source, rule, severity, shadow, subject, part, record_no, message,
           case when not opens then 'resolved' when runs > 1 then 'persisting' else 'new' end,
           first_job, first_as_of, first_at, last_job, last_as_of, last_at, finding_id, last_job, runs,
           case when not opens then look_at end, case when not opens then look_job end, tenant
    from ledger_seen where was is null;

    insert into muster.exception_change (exception_id, at, job_id, state, previous)
    select exception_id, first_at, first_job, 'new', null from ledger_seen where was is null
    union all
    select exception_id, look_at, look_job, 'resolved', 'new' from ledger_seen where was is null and not opens
    union all
    select exception_id, last_at, last_job, 'reopened', 'resolved' from ledger_seen where was = 'resolved' and opens;

    -- the rules that each has looked at whole (as muster.rule_total, of those jobs alone)
    insert into ledger_look
    select v.job_id, array_agg(x.rule) filter (where not x.shadow), array_agg(x.rule) filter (where x.shadow)
    from ledger_wave v
    cross join lateral (
        with told as (
            select o.tally_id, o.records from muster.outcome o where not v.staged and o.task_id = v.job_id
            union all
            select o.tally_id, o.records from muster.outcome o
            where v.staged and o.job_id = v.job_id and o.task_id <> o.job_id and o.result <> 'planned' and not o.task_id = any (v.retried)
              and o.task_id between muster.id_floor(v.job_id) and muster.id_ceiling(v.job_id)
        )
        select r.rule, coalesce(max(r.mode), 'active') <> 'active' as shadow
        from told t join muster.tally y on y.tally_id = t.tally_id
        cross join lateral jsonb_to_recordset(y.rules) as r(rule text, mode text, min_coverage numeric, pass bigint, warn bigint, fail bigint,
            error bigint, not_evaluated bigint, withheld bigint)
        where r.rule <> 'DQ.RECORD'
        group by r.rule
        having coalesce(sum(r.withheld), 0) = 0
           and muster.rule_status(coalesce(sum(r.pass), 0) + coalesce(sum(r.warn), 0) + coalesce(sum(r.fail), 0), 0, 0, coalesce(sum(r.error), 0),
                                  coalesce(sum(r.not_evaluated), 0), coalesce(max(r.min_coverage), 1)) = 'pass'
        union all -- it has counters only where it failed
        select 'DQ.RECORD', false from told t having sum(t.records) > 0
    ) as x
    where v.closing and v.opens group by v.job_id;
    for w in select v.*, coalesce(l.active, '{}') as active, coalesce(l.shadowed, '{}') as shadowed
             from ledger_wave v left join ledger_look l on l.job_id = v.job_id
             where v.closing and v.opens order by v.started desc, v.job_id loop
        exit when room <= 0;
        step := room;
        with candidate as materialized (
            select e.exception_id, e.rule, e.shadow, e.state, e.last_as_of, e.last_job_id from muster.exception e
            where e.source = w.source and e.pack = w.pack and e.resolved_at is null
              and (e.rule, e.exception_id) > (coalesce(w.at_rule, ''), coalesce(w.at_id, '00000000-0000-0000-0000-000000000000'))
            order by e.rule, e.exception_id limit step
        ), closed as (
            update muster.exception e set state = 'resolved', resolved_at = w.ended_at, resolved_by_job_id = w.job_id
            from candidate c
            where e.exception_id = c.exception_id and (c.rule = any (w.active) or c.shadow and c.rule = any (w.shadowed))
              and (c.last_as_of, c.last_job_id) < (w.as_of, w.job_id)
            returning e.exception_id, c.state
        ), noted as (
            insert into muster.exception_change (exception_id, at, job_id, state, previous)
            select c.exception_id, w.ended_at, w.job_id, 'resolved', c.state from closed c
        )
        select count(*), max(c.rule), (array_agg(c.exception_id order by c.rule desc, c.exception_id desc))[1]
        into taken, last_rule, last_id from candidate c;
        room := room - taken - 2; -- a run costs a little, however little it has to say
        if taken = step then
            update ledger_wave v set at_rule = last_rule, at_id = last_id where v.job_id = w.job_id;
            exit;
        end if;
        ended := ended || w.job_id;
    end loop;

    insert into muster.rule_look as l (pack, source, rule, as_of, job_id, at)
    select v.pack, v.source, r, v.as_of, v.job_id, v.ended_at
    from ledger_wave v join ledger_look k on k.job_id = v.job_id cross join unnest(k.active) as r where v.job_id = any (ended)
    on conflict (source, pack, rule) do update set as_of = excluded.as_of, job_id = excluded.job_id, at = excluded.at
        where (excluded.as_of, excluded.job_id) > (l.as_of, l.job_id);
    ended := ended || array(select v.job_id from ledger_wave v where v.closing and not v.opens);
    delete from muster.ledger_due d where d.job_id = any (ended);
    update muster.ledger_due d set started = true, closing = v.closing, at_rule = v.at_rule, at_id = v.at_id
    from ledger_wave v where d.job_id = v.job_id and not v.job_id = any (ended);
    return looked;
end
$$;
comment on function muster.ledger_advance is 'Enters runs that are due, about lim findings and as many exceptions at a time; how many runs were looked at, 0 if none are due.';

create view report.exception_history as
select c.exception_id, c.at, c.job_id, c.state, c.previous as previous_state
from muster.exception_change c join muster.exception e on e.exception_id = c.exception_id;
comment on view report.exception_history is 'Each time that an exception came up, was resolved or came up again, in the order in which it was entered.';
comment on column report.exception_history.exception_id is 'The exception.';
comment on column report.exception_history.at is 'When the run had ended that showed it.';
comment on column report.exception_history.job_id is 'That run.';
comment on column report.exception_history.state is 'new, resolved or reopened.';
comment on column report.exception_history.previous_state is 'State before; null of a new one.';

revoke all on all tables in schema muster from public;
revoke all on all functions in schema muster from public;
grant select on report.exception_history to muster_reporter, muster_auditor;
grant select on muster.exception_change to muster_auditor;
grant execute on function muster.ledger_advance to muster_dispatcher;

insert into muster.schema_migration (version, name) values (16, 'exception');
reset role;
