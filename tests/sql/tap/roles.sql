-- SPDX-License-Identifier: Apache-2.0
-- Least privilege, by trying what must fail: each role against each kind of thing that is not its own.
\set ECHO none
\pset format unaligned
\pset tuples_only on
\pset pager off
begin;
select no_plan();
create temp table ours as
    select c.relname::text as name from pg_class c
    where c.relnamespace = 'muster'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition;
create temp table theirs (member text, call text);
insert into theirs values
    ('muster_recorder', 'select muster.republish(gen_random_uuid(), 1, false, ''x'')'), ('muster_recorder', 'select muster.maintain()'),
    ('muster_recorder', 'select muster.pack_put(''p'', ''1.0.0'', ''x'', ''x'', ''x'')'), ('muster_recorder', 'select * from muster.outbox_pending(1, 0, ''{}'')'),
    ('muster_recorder', 'select muster.waive(''{}'', ''x'')'), ('muster_reporter', 'select * from report.audit_verify()'),
    ('muster_dispatcher', 'select muster.position_note(''x'', 1, now())'), ('muster_dispatcher', 'select muster.positions_thin()');
insert into theirs select m, c from unnest(array['muster_reporter', 'muster_auditor']) as m, unnest(array[
    'select muster.maintain()', 'select muster.position_note(''x'', 1, now())', 'select muster.lock_take(''leader'', ''x'')',
    'select muster.event_row(''x'', ''x'')']) as c;
insert into theirs select m, c from unnest(array['muster_dispatcher', 'muster_recorder', 'muster_reporter', 'muster_auditor']) as m, unnest(array[
    'select muster.audit_append(''x'', ''x'', null, ''[]'')', 'select muster.end_task(gen_random_uuid(), ''cancelled'', ''x'', ''y'')',
    'select muster.tenancy_on()', 'select muster.tenancy_off()', 'select muster.tenant_grant(''muster_reporter'', ''*'')', 'select muster.seal_report()',
    'create table public.x ()', 'create table report.x ()', 'create table muster.x ()', 'create view report.x as select 1', 'create function muster.x() returns int language sql as ''select 1''',
    'create schema x', 'create role x', 'alter role postgres password ''x''', 'drop view report.job_status', 'alter table muster.audit disable trigger all',
    'alter table muster.job disable row level security', 'alter view report.job_status set (security_barrier = false)', 'drop policy tenant on muster.job',
    'select pg_read_file(''postgresql.conf'')', 'select * from pg_authid', 'copy (select 1) to program ''true''', 'copy muster.job to ''/tmp/x''',
    'select lo_import(''/etc/passwd'')', 'select pg_reload_conf()',
    'set role postgres', 'set role muster_owner', 'set role muster_views', 'create extension pgcrypto schema report']) as c;
insert into theirs select m, 'set role ' || r from unnest(array['muster_dispatcher', 'muster_recorder', 'muster_reporter', 'muster_auditor']) as m,
    unnest(array['muster_dispatcher', 'muster_recorder', 'muster_reporter', 'muster_auditor']) as r where m <> r;
-- tables: nobody writes; readers read what is theirs
insert into theirs select m, format(c, name) from ours, unnest(array['muster_dispatcher', 'muster_recorder', 'muster_reporter', 'muster_auditor']) as m,
    unnest(array['delete from muster.%I', 'insert into muster.%I default values', 'truncate muster.%I']) as c
    where not (c like 'truncate%' and name in (select relname from pg_class where relnamespace = 'muster'::regnamespace and relkind = 'v'));
insert into theirs select 'muster_reporter', format('select from muster.%I', name) from ours;
insert into theirs select m, format('select from muster.%I', name) from ours, unnest(array['muster_dispatcher', 'muster_recorder']) as m where name <> 'schema_migration';
insert into theirs select 'muster_auditor', format('select from muster.%I', t) from unnest(array['job', 'task', 'outcome', 'finding', 'outbox', 'request', 'terms']) as t;
insert into theirs select m, format('delete from report.%I', c.relname) from pg_class c, unnest(array['muster_reporter', 'muster_auditor']) as m
    where c.relnamespace = 'report'::regnamespace and c.relkind = 'v';
insert into theirs select m, format('select from report.%I', c.relname) from pg_class c, unnest(array['muster_dispatcher', 'muster_recorder']) as m
    where c.relnamespace = 'report'::regnamespace and c.relkind = 'v';

create function pg_temp.refused(member text, call text) returns text language plpgsql as $$
begin
    perform set_config('session_authorization', 'tap_' || member, true);
    begin
        execute call;
    exception when others then
        execute 'reset session authorization';
        return sqlstate;
    end;
    execute 'reset session authorization';
    return null;
end
$$;
select format('create role %I login in role %I', 'tap_' || m, m)
from unnest(array['muster_dispatcher', 'muster_recorder', 'muster_reporter', 'muster_auditor']) as m \gexec

-- 55000: a view of this kind is written by nobody
select ok(code = '42501' or code = '55000' and call ~ '^(delete|insert)', member || ' must not: ' || call || coalesce(nullif(', but: ' || code, ', but: 42501'), ''))
from theirs, lateral (select coalesce(pg_temp.refused(member, call), 'done') as code) as x;

select is(pg_temp.refused('muster_reporter', format('select from report.%I', relname)), null, 'muster_reporter reads report.' || relname)
from pg_class where relnamespace = 'report'::regnamespace and relkind = 'v';
select is(pg_temp.refused('muster_auditor', c), null, 'muster_auditor may: ' || c)
from unnest(array['select from muster.audit', 'select from report.job_status', 'select from muster.tenant_access']) as c;
select is(pg_temp.refused('muster_dispatcher', 'select muster.maintain()'), null, 'muster_dispatcher may: select muster.maintain()');
select is(pg_temp.refused('muster_recorder', 'select muster.positions_thin()'), null, 'muster_recorder may: select muster.positions_thin()');

select is_empty($$select rolname from pg_roles where rolname like 'muster\_%' and (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls or rolcanlogin)$$,
                'no role of muster has rights over the server, or logs in');
select is_empty($$select proname from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                  where p.pronamespace in ('muster'::regnamespace, 'report'::regnamespace) and a.grantee = 0$$, 'no function is open to everybody');
select is_empty($$select relname from pg_class c, aclexplode(c.relacl) a where c.relnamespace in ('muster'::regnamespace, 'report'::regnamespace) and a.grantee = 0$$,
                'no table or view is open to everybody');
select * from finish();
rollback;
