-- SPDX-License-Identifier: Apache-2.0
-- The trail only grows, whoever tries: grants refuse the roles, triggers even the owner and a superuser.
\set ECHO none
\pset format unaligned
\pset tuples_only on
\pset pager off
begin;
select no_plan();
select muster.audit_append('test', 'cancel', 'why', '[["job","1","aa"]]');
select muster.audit_append('test', 'cancel', null, '[["job","2","bb"]]');
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
    select c.oid::regclass::text as name, exists (select from muster.audit a where a.tableoid = c.oid) or c.oid = 'muster.audit'::regclass as has_rows
    from pg_class c
    where c.oid = 'muster.audit'::regclass or c.oid in (select relid from pg_partition_tree('muster.audit'));
select throws_ok(format(c, name), 'P0001', null, 'a superuser must not: ' || format(c, name)) from trail,
    unnest(array['update %s set actor = ''x''', 'delete from %s', 'delete from %s where seq = 2', 'truncate %s']) as c where has_rows or c like 'truncate%';
select is(pg_temp.as_owner(c), 'P0001', 'the owner must not: ' || c)
from unnest(array['update muster.audit set body = ''x''', 'delete from muster.audit', 'truncate muster.audit']) as c;
select is(count(*), 2::bigint, 'both links stand') from muster.audit;
select is(array_agg(a.reason order by seq), array['why', null], 'with why, if somebody said it') from muster.audit a;
select is(second.previous, first.hash, 'a link names the hash of the one before') from muster.audit first, muster.audit second where second.seq = first.seq + 1;
select is(a.hash, muster.audit_hash(a.previous, a.seq, a.at, a.began_at, a.actor, a.action, a.reason, a.body, a.packed), 'its own hash is over all of it, link ' || a.seq) from muster.audit a;
select has_trigger('muster', 'audit', t, 'the trail has its trigger ' || t) from unnest(array['audit_frozen', 'audit_not_emptied']) as t;
select * from finish();
rollback;
