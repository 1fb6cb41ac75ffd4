-- SPDX-License-Identifier: Apache-2.0
-- Waivers: who answers for leaving exceptions as they are, why and until when; and what people see and ask of the ledger.
-- The requests are schemas/{exceptions,waive,revoke}.json, checked before they come here; the answers are made here, so
-- that `nats req`, `muster` and psql see the same. What a waiver covers is followed on beneath it.
set role muster_owner;

create table muster.waiver (
    waiver_id uuid primary key,
    digest bytea not null,
    pack text,
    source text,
    rule text,
    owner text not null,
    reason text not null check (reason <> ''),
    placed_by text not null,
    placed_at timestamptz not null default now(),
    expires_at timestamptz not null,
    check (expires_at > placed_at),
    check (rule is not null or pack is null and source is null)
);
create index on muster.waiver (digest);
create index on muster.waiver (rule, expires_at) where rule is not null;
comment on table muster.waiver is 'Append-only: who answers for leaving exceptions as they are, why and until when. Of the exceptions in muster.waiver_exception, or of all of a rule (of a source, of a pack).';
comment on column muster.waiver.digest is 'SHA-256 of what was asked for: the same once more, while it is in force, is the same waiver.';

create table muster.waiver_exception (
    waiver_id uuid not null,
    exception_id uuid not null,
    primary key (exception_id, waiver_id)
);
create index on muster.waiver_exception (waiver_id);
comment on table muster.waiver_exception is 'Append-only: the exceptions that a waiver names.';

create table muster.waiver_revocation (
    waiver_id uuid primary key,
    reason text not null check (reason <> ''),
    revoked_by text not null,
    revoked_at timestamptz not null default now()
);
comment on table muster.waiver_revocation is 'Append-only: waivers that were taken back before they expired.';

create function muster.seal(r muster.waiver) returns bytea
    language sql stable set search_path = pg_catalog, muster
    as $$
    select sha256(record_send(row(r.waiver_id, r.digest, r.pack, r.source, r.rule, r.owner, r.reason, r.placed_by, r.placed_at, r.expires_at,
        (select array_agg(x.exception_id order by x.exception_id) from muster.waiver_exception x where x.waiver_id = r.waiver_id))))
    $$;
comment on function muster.seal(muster.waiver) is 'Digest of a waiver with the exceptions that it names.';

create function muster.seal(r muster.waiver_revocation) returns bytea
    language sql stable parallel safe
    as $$ select sha256(record_send(row(r.waiver_id, r.reason, r.revoked_by, r.revoked_at))) $$;
comment on function muster.seal(muster.waiver_revocation) is 'Digest of the end of a waiver.';

do $$
declare
    name text;
begin
    foreach name in array array['waiver', 'waiver_exception', 'waiver_revocation'] loop
        execute format('create trigger only_grows before update or delete on muster.%I for each row execute function muster.only_grows()', name);
        execute format('create trigger not_emptied before truncate on muster.%I for each statement execute function muster.only_grows()', name);
    end loop;
end
$$;

-- ---- what people see ----

create view report.exception as
select e.exception_id, e.fingerprint, e.pack, e.rule, e.severity, e.shadow, e.source, e.subject, e.part, e.record_no, e.state, e.message,
       e.first_seen_at, e.last_seen_at, e.first_job_id, e.last_job_id, e.last_finding_id, e.runs_seen, e.times_reopened, e.resolved_at,
       e.resolved_by_job_id, w.waiver_id is not null as is_waived, w.waiver_id, w.expires_at as waived_until, w.owner as waiver_owner,
       w.reason as waiver_reason
from muster.exception e
left join lateral (
    select v.waiver_id, v.expires_at, v.owner, v.reason
    from (select y.* from muster.waiver_exception x join muster.waiver y on y.waiver_id = x.waiver_id where x.exception_id = e.exception_id
          union all
          select y.* from muster.waiver y where y.rule = e.rule and (y.source is null or y.source = e.source) and (y.pack is null or y.pack = e.pack)) as v
    where v.expires_at > now() and not exists (select from muster.waiver_revocation r where r.waiver_id = v.waiver_id)
    order by v.expires_at desc, v.waiver_id limit 1) as w on true;
comment on view report.exception is 'The exceptions ledger: one row per finding that came up in some run, by its fingerprint, and what has become of it. A waiver hides nothing: the state goes on beneath.';
comment on column report.exception.exception_id is 'Follows from the fingerprint: the same over runs and deliveries.';
comment on column report.exception.fingerprint is 'Fingerprint of its findings: pack, rule, source and business key.';
comment on column report.exception.pack is 'Rule pack, without version.';
comment on column report.exception.rule is 'Id of the rule.';
comment on column report.exception.severity is 'info, low, medium, high, critical; when last seen.';
comment on column report.exception.shadow is 'The rule was in shadow mode when it was last seen.';
comment on column report.exception.source is 'Name of the source.';
comment on column report.exception.subject is 'Key of a group finding; null if it is of a record.';
comment on column report.exception.part is 'Tells findings of one subject apart.';
comment on column report.exception.record_no is 'Number of the record when last seen; null if it is of a group.';
comment on column report.exception.state is 'new: seen in one run; persisting: in more; resolved: a later run looked and did not find it; reopened: found again after that, once.';
comment on column report.exception.message is 'What is wrong, for people; when last seen.';
comment on column report.exception.first_seen_at is 'When the first run that saw it had ended. Runs are in the order of the day that they go by, then of submission.';
comment on column report.exception.last_seen_at is 'When the last run that saw it had ended.';
comment on column report.exception.first_job_id is 'The first run that saw it.';
comment on column report.exception.last_job_id is 'The last run that saw it.';
comment on column report.exception.last_finding_id is 'Its finding in that run, with the evidence: report.finding.';
comment on column report.exception.runs_seen is 'In how many runs it was seen.';
comment on column report.exception.times_reopened is 'How often it came up again after it was resolved.';
comment on column report.exception.resolved_at is 'When the run had ended that looked and did not find it; null while it is open.';
comment on column report.exception.resolved_by_job_id is 'That run.';
comment on column report.exception.is_waived is 'A waiver that has neither expired nor been revoked covers it.';
comment on column report.exception.waiver_id is 'That waiver; of several the one that lasts longest.';
comment on column report.exception.waived_until is 'When it expires.';
comment on column report.exception.waiver_owner is 'Who answers for it.';
comment on column report.exception.waiver_reason is 'Why.';

create view report.waiver as
select w.waiver_id, e.exception_id, w.pack, w.source, w.rule, w.owner, w.reason, w.placed_by, w.placed_at, w.expires_at,
       r.revoked_at, r.revoked_by, r.reason as revoked_reason,
       case when r.waiver_id is not null then 'revoked' when w.expires_at <= now() then 'expired' else 'active' end as state
from muster.waiver w
left join muster.waiver_exception x on x.waiver_id = w.waiver_id
left join muster.exception e on e.exception_id = x.exception_id
left join muster.waiver_revocation r on r.waiver_id = w.waiver_id
left join muster.whole a on w.rule is not null -- of a rule, for those who see all tenants
where a.one or e.exception_id is not null;
comment on view report.waiver is 'Waivers: one row for each exception that one names, or one for a rule. They stay for ever.';
comment on column report.waiver.waiver_id is 'The waiver.';
comment on column report.waiver.exception_id is 'The exception that it names; null if it is of a rule.';
comment on column report.waiver.pack is 'Of a rule: only in this pack; null: in all.';
comment on column report.waiver.source is 'Of a rule: only in this source; null: in all.';
comment on column report.waiver.rule is 'All exceptions of this rule; null if it names exceptions.';
comment on column report.waiver.owner is 'Who answers for it.';
comment on column report.waiver.reason is 'Why.';
comment on column report.waiver.placed_by is 'Who placed it.';
comment on column report.waiver.placed_at is 'When.';
comment on column report.waiver.expires_at is 'Until when it is in force.';
comment on column report.waiver.revoked_at is 'When it was taken back; null if it was not.';
comment on column report.waiver.revoked_by is 'Who took it back.';
comment on column report.waiver.revoked_reason is 'Why.';
comment on column report.waiver.state is 'active, expired or revoked.';

-- ---- what people ask for ----

create function muster.exceptions(request text) returns text
    language plpgsql stable security definer set search_path = pg_catalog, muster
    set plan_cache_mode = force_custom_plan -- what is not asked for goes out of the plan
    set jit = off
    as $$
declare
    q jsonb := request::jsonb;
    f jsonb := coalesce(q -> 'filter', '{}');
    lim int := coalesce((q ->> 'limit')::int, 100);
    one uuid := (q ->> 'exception_id')::uuid;
    behind muster.exception;
    found_ones json;
begin
    if one is not null then
        select json_agg(to_jsonb(x) || jsonb_build_object(
            'history', (select coalesce(jsonb_agg(to_jsonb(c) - 'change_id' - 'exception_id' order by c.change_id), '[]')
                        from muster.exception_change c where c.exception_id = one),
            'waivers', (select coalesce(jsonb_agg(to_jsonb(w) - 'exception_id' order by w.placed_at, w.waiver_id), '[]') from report.waiver w
                        where w.exception_id = one or w.rule = x.rule and (w.source is null or w.source = x.source) and (w.pack is null or w.pack = x.pack))))
        into found_ones from report.exception x where x.exception_id = one;
        if found_ones is null then
            return muster.refusal('not_found', 'there is no exception with this id', '/exception_id');
        end if;
        return json_build_object('ok', true, 'exceptions', found_ones, 'more', false)::text;
    end if;
    if q ->> 'after' is not null then
        select * into behind from muster.exception e where e.exception_id = (q ->> 'after')::uuid;
        if not found then
            return muster.refusal('not_found', 'there is no exception with this id', '/after');
        end if;
    end if;
    select coalesce(json_agg(y.doc order by y.source, y.pack, y.rule, y.exception_id), '[]') into found_ones
    from (
        select x.source, x.pack, x.rule, x.exception_id, to_jsonb(x) as doc from report.exception x
        where (f ->> 'state' is not null or x.resolved_at is null) and (f ->> 'state' is null or x.state = f ->> 'state')
          and (f ->> 'source' is null or x.source = f ->> 'source') and (f ->> 'pack' is null or x.pack = f ->> 'pack')
          and (f ->> 'rule' is null or x.rule = f ->> 'rule') and (f ->> 'severity' is null or x.severity = f ->> 'severity')
          and (f ->> 'waived' is null or x.is_waived = (f ->> 'waived' = 'yes'))
          and (q ->> 'after' is null or (x.source, x.pack, x.rule, x.exception_id) > (behind.source, behind.pack, behind.rule, behind.exception_id))
        order by x.source, x.pack, x.rule, x.exception_id limit lim
    ) as y;
    return json_build_object('ok', true, 'exceptions', found_ones, 'more', json_array_length(found_ones) = lim)::text;
end
$$;
comment on function muster.exceptions is 'The answer of muster.api.exceptions: one with its history and waivers, or those that a filter means (those that are open, unless it names a state), by source, pack and rule.';

create function muster.waive(request text, default_actor text) returns text
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    q jsonb := request::jsonb;
    who text := coalesce(q ->> 'actor', default_actor);
    ids uuid[] := array(select distinct x::uuid from jsonb_array_elements_text(q -> 'exception_ids') as x order by 1);
    until timestamptz;
    until_text text;
    digest_of bytea;
    made uuid;
    missing text;
    covered bigint;
    is_dry boolean := coalesce((q ->> 'dry_run')::boolean, false);
    is_known boolean;
begin
    begin -- a day counts to its end
        until := case when length(q ->> 'until') = 10 then ((q ->> 'until')::date + 1)::timestamp at time zone 'UTC' else (q ->> 'until')::timestamptz end;
    exception when data_exception then
        return muster.refusal('invalid', 'want a day (2027-03-31) or a time (2027-03-31T18:00:00Z)', '/until');
    end;
    if until <= now() then
        return muster.refusal('invalid', 'a waiver must expire in the future', '/until');
    elsif until > now() + interval '3 years' then
        return muster.refusal('invalid', 'a waiver may last three years at most: place it again then', '/until');
    end if;
    until_text := to_char(until at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
    select '/exception_ids/' || (o - 1) into missing from jsonb_array_elements_text(q -> 'exception_ids') with ordinality as x(id, o)
    where not exists (select from muster.exception e where e.exception_id = x.id::uuid) order by o limit 1;
    if missing is not null then
        return muster.refusal('not_found', 'there is no exception with this id', missing);
    end if;
    select count(*) into covered from muster.exception e
    where case when ids <> '{}' then e.exception_id = any (ids)
               else e.rule = q ->> 'rule' and (q ->> 'source' is null or e.source = q ->> 'source') and (q ->> 'pack' is null or e.pack = q ->> 'pack') end
      and e.resolved_at is null;
    digest_of := sha256(convert_to(jsonb_build_object('exception_ids', to_jsonb(ids), 'rule', q -> 'rule', 'source', q -> 'source', 'pack', q -> 'pack',
        'owner', q -> 'owner', 'reason', q -> 'reason', 'expires_at', until_text)::text, 'UTF8'));
    perform pg_advisory_xact_lock(muster.lock_key('waive'));
    select w.waiver_id into made from muster.waiver w
    where w.digest = digest_of and not exists (select from muster.waiver_revocation r where r.waiver_id = w.waiver_id);
    is_known := found;
    if not is_known and not is_dry then
        made := muster.fresh_id();
        insert into muster.waiver (waiver_id, digest, pack, source, rule, owner, reason, placed_by, expires_at)
        values (made, digest_of, q ->> 'pack', q ->> 'source', q ->> 'rule', q ->> 'owner', q ->> 'reason', who, until);
        insert into muster.waiver_exception (waiver_id, exception_id) select made, x from unnest(ids) as x;
        perform muster.event_row('operator.waived', muster.event_json('operator_waived', null, null, ',"waiver_id":"' || made || '","actor":'
            || to_json(who)::text || ',"owner":' || to_json(q ->> 'owner')::text || ',"expires_at":' || to_json(until_text)::text
            || case when ids <> '{}' then ',"exceptions":' || cardinality(ids) else ',"rule":' || (q -> 'rule')::text end));
        perform pg_notify('muster_outbox', '');
        perform muster.audit_append(who, 'waive', w.reason, '[' || muster.sealed('waiver', made::text, muster.seal(w)) || ']') from muster.waiver w where w.waiver_id = made;
    end if;
    return json_strip_nulls(json_build_object('ok', true, 'dry_run', is_dry, 'waiver_id', made, 'duplicate', is_known, 'matched', covered,
        'expires_at', until_text))::text;
end
$$;
comment on function muster.waive is 'The answer of muster.api.waive: places a waiver, whose exceptions go on being followed beneath. The same once more, while it stands, is the same waiver.';

create function muster.waiver_revoke(request text, default_actor text) returns text
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    q jsonb := request::jsonb;
    who text := coalesce(q ->> 'actor', default_actor);
    w muster.waiver;
begin
    select * into w from muster.waiver where waiver_id = (q ->> 'waiver_id')::uuid;
    if not found then
        return muster.refusal('not_found', 'there is no waiver with this id', '/waiver_id');
    end if;
    insert into muster.waiver_revocation (waiver_id, reason, revoked_by) values (w.waiver_id, q ->> 'reason', who) on conflict do nothing;
    if not found then
        return json_build_object('ok', true, 'waiver_id', w.waiver_id, 'duplicate', true)::text;
    end if;
    perform muster.event_row('operator.waiver_revoked', muster.event_json('operator_waiver_revoked', null, null, ',"waiver_id":"' || w.waiver_id
        || '","actor":' || to_json(who)::text));
    perform pg_notify('muster_outbox', '');
    perform muster.audit_append(who, 'revoke waiver', r.reason, '[' || muster.sealed('waiver_revocation', r.waiver_id::text, muster.seal(r)) || ']')
    from muster.waiver_revocation r where r.waiver_id = w.waiver_id;
    return json_build_object('ok', true, 'waiver_id', w.waiver_id, 'duplicate', false)::text;
end
$$;
comment on function muster.waiver_revoke is 'The answer of muster.api.revoke: takes a waiver back. The waiver stays, with a row that says who, when and why; twice is once.';

-- ---- who may what ----

revoke all on all tables in schema muster from public;
revoke all on all functions in schema muster from public;
grant select on report.exception, report.waiver to muster_reporter, muster_auditor;
grant select on muster.waiver, muster.waiver_exception, muster.waiver_revocation to muster_auditor;
grant execute on function muster.exceptions, muster.waive, muster.waiver_revoke to muster_dispatcher;

insert into muster.schema_migration (version, name) values (17, 'waiver');
reset role;
