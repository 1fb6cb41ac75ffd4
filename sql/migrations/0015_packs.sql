-- SPDX-License-Identifier: Apache-2.0
-- Packs that somebody puts into the bucket by hand: what is refused there has nobody who waits for an answer.
set role muster_owner;

create function muster.pack_refused(of_key text, on_subject text, why_code text, why text, place text, bytes bytea) returns void
    language plpgsql volatile security definer set search_path = pg_catalog, muster
    as $$
declare
    id uuid := muster.fresh_id();
begin
    insert into muster.rejection (rejection_id, source, subject, code, message, pointer, body)
    values (id, 'packs', on_subject, why_code, why, nullif(place, ''), bytes);
    perform muster.event_row('operator.pack_refused', muster.event_json('operator_pack_refused', null, null,
        ',"key":' || to_json(of_key)::text || ',"code":' || to_json(why_code)::text || ',"message":' || to_json(why)::text));
    perform pg_notify('muster_outbox', '');
    perform muster.audit_append('dispatcher', 'pack refuse', why_code, '[' || muster.sealed('rejection', id::text, sha256(bytes)) || ']');
end
$$;
comment on function muster.pack_refused is 'A pack in the bucket that is not taken: a row with its bytes, an event, a link of the audit trail.';
comment on table muster.rejection is 'What came by the stream door, or into the bucket of packs, and was refused: nobody waited for an answer, so the answer is here.';

revoke all on all functions in schema muster from public;
grant execute on function muster.pack_refused to muster_dispatcher;

insert into muster.schema_migration (version, name) values (15, 'packs');
reset role;
