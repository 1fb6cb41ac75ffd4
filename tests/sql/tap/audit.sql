-- SPDX-License-Identifier: Apache-2.0
-- The trail only grows, whoever tries: grants refuse the roles, triggers even the owner and a superuser.
\set ECHO none
\pset format unaligned
\pset tuples_only on
\pset pager off
begin;
select no_plan();
select muster.audit_append('test', 'one', '[["job","1","aa"]]');
select muster.audit_append('test', 'two', '[["job","2","bb"]]');
create function pg_temp.as_owner(call text) returns text language plpgsql as $$
begin
    perform set_config('role', 'muster_owner', true);
    begin
        execute call;
    exception when others then
        perform set_config('role', 'none', true);
        return sqlstate;
    end;
    perform set_config('role', 'none', true);
    return null;
end
$$;
create temp table trail as -- the table, and its partitions if it has any
    select c.oid::regclass::text as name from pg_class c
    where c.oid = 'muster.audit'::regclass or c.oid in (select relid from pg_partition_tree('muster.audit'));
select throws_ok(format(c, name), 'P0001', null, 'a superuser must not: ' || format(c, name)) from trail,
    unnest(array['update %s set actor = ''x''', 'delete from %s', 'delete from %s where seq = 2', 'truncate %s']) as c;
select is(pg_temp.as_owner(c), 'P0001', 'the owner must not: ' || c)
from unnest(array['update muster.audit set body = ''x''', 'delete from muster.audit', 'truncate muster.audit']) as c;
select is(count(*), 2::bigint, 'both links stand') from muster.audit;
select has_trigger('muster', 'audit', t, 'the trail has its trigger ' || t) from unnest(array['audit_frozen', 'audit_not_emptied']) as t;
select * from finish();
rollback;
