-- SPDX-License-Identifier: Apache-2.0
-- Schema report is what tests/sql/report_contract.txt says: views, columns, types, places. Whoever changes one changes the other,
-- and only by adding at the end.
\set ECHO none
\pset format unaligned
\pset tuples_only on
\pset pager off
begin;
create temp table contract (view_name text, place int, column_name text, type_name text);
\copy contract from 'report_contract.txt'
create temp view actual as
    select c.relname::text as view_name, a.attnum::int as place, a.attname::text as column_name, format_type(a.atttypid, a.atttypmod) as type_name,
           col_description(c.oid, a.attnum) as said
    from pg_class c join pg_attribute a on a.attrelid = c.oid
    where c.relnamespace = 'report'::regnamespace and c.relkind = 'v' and a.attnum > 0 and not a.attisdropped;

select plan((5 + 2 * count(distinct view_name))::int) from contract;
select is_empty('select distinct view_name from actual except select view_name from contract', 'each view is in the list');
select is_empty('select distinct view_name from contract except select view_name from actual', 'each view of the list is there');
select is(array(select place || ' ' || column_name || ' ' || type_name from actual a where a.view_name = v.view_name order by place),
          array(select place || ' ' || column_name || ' ' || type_name from contract c where c.view_name = v.view_name order by place),
          'columns of report.' || v.view_name)
from (select distinct view_name from contract) as v order by v.view_name;
select isnt(obj_description(('report.' || v.view_name)::regclass, 'pg_class'), null, 'report.' || v.view_name || ' says what it is')
from (select distinct view_name from contract) as v order by v.view_name;
select is_empty($$select view_name, column_name from actual where said is null$$, 'each column says what it is');
select is_empty($$select view_name, column_name from actual where column_name like '%\_at' and type_name <> 'timestamp with time zone'$$,
                'what ends in _at is a time with its zone');
select is_empty($$select view_name, column_name from actual where column_name like 'is\_%' and type_name <> 'boolean'$$, 'what begins with is_ is true or false');
select * from finish();
rollback;
