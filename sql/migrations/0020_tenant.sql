-- SPDX-License-Identifier: Apache-2.0
-- Who sees whose rows: reporters by the label tenant of jobs, once it is configured (muster.tenancy_on).
--
-- A view reads with the rights of its owner. So muster_views owns the views of schema report and what they rest on, and
-- the policies of the tables are for it; `current_user` in a policy is who asks. What is not of a job that may be seen
-- is hidden because every view joins muster.job (or what has a policy as well). While tenancy is on, views are also
-- barriers: a condition with a function that tells what it was given is not tried on rows before they are hidden.
set role muster_owner;

create table muster.tenant_access (
    member name not null,
    tenant text not null check (tenant <> ''),
    granted_by text not null default session_user,
    granted_at timestamptz not null default now(),
    primary key (member, tenant)
);
comment on table muster.tenant_access is 'Roles, and the tenants whose rows they and their members see; * is all. Counts only while tenancy is on.';
comment on column muster.tenant_access.member is 'A login, or a group that logins inherit from.';
comment on column muster.tenant_access.tenant is 'Value of the label tenant; * is all, also of jobs without that label.';
comment on column muster.tenant_access.granted_by is 'The login that granted it last.';
grant select on muster.tenant_access to muster_auditor;

create view muster.tenant_seen as
    select a.tenant from muster.tenant_access a join pg_catalog.pg_roles r on r.rolname = a.member
    where pg_has_role(current_user, r.oid, 'usage')
    union all
    select '*' where pg_has_role(current_user, 'muster_auditor', 'usage') or pg_has_role(current_user, 'muster_owner', 'usage');
comment on view muster.tenant_seen is 'Tenants whose rows the current user sees. Auditors, and the functions of the programs, see all.';

create policy tenant on muster.job for select to muster_views using (
    (select exists (select from muster.tenant_seen s where s.tenant = '*'))
    or labels ->> 'tenant' = any (array(select s.tenant from muster.tenant_seen s)));
-- a row of the ledger is of the tenant whose run saw it last
create policy tenant on muster.exception for select to muster_views using (
    (select exists (select from muster.tenant_seen s where s.tenant = '*'))
    or tenant = any (array(select s.tenant from muster.tenant_seen s)));
create policy tenant on muster.whole for select to muster_views using (
    (select exists (select from muster.tenant_seen s where s.tenant = '*')));

create function muster.tenancy_is_on() returns boolean
    language sql stable security definer set search_path = pg_catalog, muster
    as $$ select relrowsecurity from pg_class where oid = 'muster.job'::regclass $$;
comment on function muster.tenancy_is_on is 'Do reporters see the rows of their tenants only?';

create function muster.seal_report() returns void
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    r record;
    is_on boolean := muster.tenancy_is_on();
begin
    grant create on schema report, muster to muster_views;
    for r in
        with recursive read as (
            select c.oid, c.relkind from pg_class c where c.relnamespace = 'report'::regnamespace and c.relkind = 'v'
            union
            select c.oid, c.relkind
            from read v
            join pg_rewrite w on w.ev_class = v.oid
            join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid and d.refclassid = 'pg_class'::regclass
            join pg_class c on c.oid = d.refobjid and c.relnamespace in ('report'::regnamespace, 'muster'::regnamespace)
            where v.relkind = 'v'
        )
        select x.oid::regclass as name, c.relkind, c.relnamespace = 'report'::regnamespace as is_report,
               pg_get_userbyid(c.relowner) <> 'muster_views' as is_foreign
        from read x join pg_class c on c.oid = x.oid
    loop
        if r.relkind <> 'v' then
            execute format('grant select on %s to muster_views', r.name);
            continue;
        end if;
        if r.is_foreign then
            execute format('alter view %s owner to muster_views', r.name);
        end if;
        if r.is_report then
            execute format('grant select on %s to muster_reporter, muster_auditor', r.name);
            execute format('alter view %s set (security_barrier = %s)', r.name, is_on);
        end if;
    end loop;
    revoke create on schema report, muster from muster_views;
    execute format('alter table muster.exception %s row level security', case when is_on then 'enable' else 'disable' end);
end
$$;
comment on function muster.seal_report is 'Gives all views of report, and what they rest on, to muster_views. To be called by whatever adds a view there.';

create function muster.tenancy_set(switch text, why text) returns void
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
begin
    execute format('alter table muster.job %s row level security', case switch when 'on' then 'enable' else 'disable' end);
    execute format('alter table muster.whole %s row level security', case switch when 'on' then 'enable' else 'disable' end);
    perform muster.seal_report();
    perform muster.audit_append(session_user, 'tenancy ' || switch, why, json_build_array(json_build_array('tenancy', 'report', switch))::text);
end
$$;
comment on function muster.tenancy_set is 'Turns tenancy on or off, with a link of the audit trail. Waits for running queries on jobs, and holds up new ones meanwhile.';

create function muster.tenancy_on(why text default null) returns void
    language sql volatile security definer set search_path = pg_catalog, muster
    as $$ select muster.tenancy_set('on', why) $$;
comment on function muster.tenancy_on is 'From now on reporters see the rows of the tenants in muster.tenant_access, and whoever is not in it sees none.';

create function muster.tenancy_off(why text default null) returns void
    language sql volatile security definer set search_path = pg_catalog, muster
    as $$ select muster.tenancy_set('off', why) $$;
comment on function muster.tenancy_off is 'Reporters see all rows again. What was granted stays.';

create function muster.tenant_grant(of_member name, of_tenant text, why text default null) returns void
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
begin
    if not exists (select from pg_roles where rolname = of_member) then
        raise exception 'there is no role "%"', of_member using errcode = '42704',
            hint = 'create it first: create role … in role muster_reporter';
    end if;
    insert into muster.tenant_access (member, tenant) values (of_member, of_tenant)
    on conflict (member, tenant) do update set granted_by = excluded.granted_by, granted_at = excluded.granted_at;
    perform muster.audit_append(session_user, 'tenant grant', why,
                                json_build_array(json_build_array('tenant_access', of_member, of_tenant))::text);
end
$$;
comment on function muster.tenant_grant is 'A role and its members see the rows of a tenant; of all with *.';

create function muster.tenant_revoke(of_member name, of_tenant text, why text default null) returns void
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
begin
    delete from muster.tenant_access where member = of_member and tenant = of_tenant;
    if not found then
        raise exception '"%" was not granted tenant "%"', of_member, of_tenant using errcode = '02000', hint = 'see muster.tenant_access';
    end if;
    perform muster.audit_append(session_user, 'tenant revoke', why,
                                json_build_array(json_build_array('tenant_access', of_member, of_tenant))::text);
end
$$;
comment on function muster.tenant_revoke is 'Ends what muster.tenant_grant gave.';

-- whoever grants tenants is a member of muster_owner: no other role has any of these
revoke all on all functions in schema muster from public;
grant usage on schema muster to muster_views;
grant select on muster.tenant_seen, muster.tenant_access to muster_views;
select muster.seal_report();

insert into muster.schema_migration (version, name) values (20, 'tenant');
reset role;
