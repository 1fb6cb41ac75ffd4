-- SPDX-License-Identifier: Apache-2.0
-- What the leader has mended, and telling of it.
set role muster_owner;

create function muster.repaired(whats text[], counts bigint[]) returns void
    language sql volatile security definer set search_path = pg_catalog, muster
    as $$
    select muster.event_row('operator.repaired', string_agg(muster.event_json('operator_repaired', null, null,
               ',"what":' || to_json(x.w) || ',"count":' || x.c), ',' order by x.i)), pg_notify('muster_outbox', '')
    from unnest(whats, counts) with ordinality as x(w, c, i) having count(*) > 0
    $$;
comment on function muster.repaired is 'Tells of repairs: one message with an event for each kind.';

create function muster.republish_missing(tasks uuid[], ns int[]) returns setof uuid
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    r record;
    digest bytea;
    ids text[] := '{}';
    rows text[] := '{}';
begin
    -- the link of the chain comes last, for all: with it held, a wait for a row that the recorder has would be a deadlock
    for r in select distinct on (x.t) x.t, x.n from unnest(tasks, ns) as x(t, n) order by x.t loop
        digest := muster.requeue(r.t, r.n, false);
        continue when digest is null;
        ids := ids || ('"' || r.t || '"');
        rows := rows || muster.noted('republished', r.t, 'n = ' || r.n + 1);
        return next r.t;
    end loop;
    if cardinality(ids) > 0 then
        perform muster.event_row('operator.repaired', muster.event_json('operator_repaired', null, null,
            ',"what":"task_republished","count":' || cardinality(ids) || ',"task_ids":[' || array_to_string(ids, ',') || ']'));
        perform pg_notify('muster_outbox', '');
        perform muster.audit_append('reconciler', 'republish', null, '[' || array_to_string(rows, ',') || ']');
    end if;
end
$$;
comment on function muster.republish_missing is 'Queues open tasks again, each alone, that have neither a message nor an agent; those that were. One event and one link of the audit chain for all.';

revoke all on all functions in schema muster from public;
grant execute on function muster.repaired, muster.republish_missing to muster_dispatcher;
grant select on muster.schema_migration to muster_auditor;

insert into muster.schema_migration (version, name) values (14, 'repair');
reset role;
