-- SPDX-License-Identifier: Apache-2.0
-- Pure functions of the schema, by cases. Expected values are those of the documents, or computed by another program.
\set ECHO none
\pset format unaligned
\pset tuples_only on
\pset pager off
begin;
select no_plan();

-- ids
select is(muster.id_at('2026-11-24 10:00:00Z'), '01a20cff-7d00-0000-0000-000000000000'::uuid, 'id_at: milliseconds in the first 48 bits');
select is(muster.time_of(muster.id_at(t)), t, 'time_of gives back ' || t)
from unnest(array['1970-01-01Z', '2026-11-24 10:00:00.123Z', '2100-02-28 23:59:59.999Z']::timestamptz[]) as t;
select is(report.id_at(t), muster.id_at(t), 'report.id_at is muster.id_at at ' || t) from unnest(array['1970-01-01Z', now()]) as t;
select is(muster.id_floor('019ab567-6300-7abc-9def-0123456789ab'), '019ab567-6300-0000-0000-000000000000'::uuid, 'id_floor clears what is behind the time');
select is(muster.id_ceiling('019ab567-6300-7abc-9def-0123456789ab'), '019ab567-6300-ffff-ffff-ffffffffffff'::uuid, 'id_ceiling fills it');
select is(muster.derive_id('019ab567-6300-7abc-9def-0123456789ab', sha256('x')), '019ab567-6300-8d71-9642-b726b0440162'::uuid,
          'derive_id: time of the origin, version 8, bits of the digest');
select is(get_byte(uuid_send(muster.derive_id(muster.id_at(now()), sha256(i::text::bytea))), 6) >> 4, 8, 'derive_id: version 8, ' || i)
from generate_series(1, 3) as i;
select is(muster.derive_id(null, sha256('x')), null, 'derive_id of nothing is nothing');
select is(muster.member('äb'), '\x333ac3a462'::bytea, 'member: length in bytes, colon, bytes');
select isnt(muster.lock_key('leader'), muster.lock_key('recorder'), 'each duty has its own lock');
select cmp_ok(muster.lock_key(d), '>=', 0::bigint, 'the lock of ' || d || ' is a positive key') from unnest(array['leader', 'recorder', 'audit']) as d;

-- recent
select is(muster.is_recent(noted, '2026-11-24 10:00:00Z', 5000), expected, 'is_recent: ' || says) from (values
    ('2026-11-24 09:59:56Z'::timestamptz, true, 'four seconds ago'), ('2026-11-24 09:59:54Z', false, 'six seconds ago'),
    ('2026-11-24 10:00:04Z', true, 'a clock that is four seconds ahead'), ('2026-11-24 10:01:00Z', false, 'a clock that was set back')) as c(noted, expected, says);

-- results
select is(muster.rule_status(pass, warn, fail, error, missing, coverage), expected, 'rule_status: ' || says) from (values
    (10, 0, 0, 0, 0, 1.0, 'pass', 'all passed'), (10, 0, 1, 0, 0, 1.0, 'fail', 'one failed'), (10, 1, 1, 1, 1, 1.0, 'fail', 'fail comes before all'),
    (10, 1, 0, 1, 0, 1.0, 'error', 'error comes before warn'), (10, 1, 0, 0, 0, 1.0, 'warn', 'one in a band'),
    (0, 0, 0, 0, 0, 1.0, 'not_evaluated', 'nothing evaluated is no pass'), (0, 0, 0, 0, 5, 0.0, 'not_evaluated', 'nor is it without a demand'),
    (9, 0, 0, 0, 1, 1.0, 'not_evaluated', 'one missing and all demanded'), (9, 0, 0, 0, 1, 0.9, 'pass', 'as much as is demanded'),
    (8, 0, 0, 0, 2, 0.9, 'not_evaluated', 'less than is demanded')) as c(pass, warn, fail, error, missing, coverage, expected, says);
select is(muster.result_of_counts(f, e, w, p), expected, 'result_of_counts: ' || expected) from (values
    (true, true, true, true, 'fail'), (false, true, true, true, 'error'), (false, false, true, true, 'warn'), (false, false, false, true, 'pass'),
    (false, false, false, false, 'not_evaluated')) as c(f, e, w, p, expected);
select is(muster.failure_class(result, reason), expected, 'failure_class: ' || result || ' ' || coalesce(reason, '-')) from (values
    ('pass', null, null), ('cancelled', 'cancelled', null), ('error', 'deadline', 'deadline'), ('error', 'incomplete_stage', 'incomplete_stage'),
    ('exhausted', 'crashed', 'crash'), ('exhausted', 'retries', 'transient'), ('error', 'stalled', 'transient'), ('error', 'run_limit', 'transient'),
    ('error', 'source_down', 'dependency'), ('error', 'list_missing', 'dependency'), ('error', 'source_missing', 'bad_input'),
    ('rejected', 'path_refused', 'bad_configuration'), ('rejected', 'pack_unknown', 'bad_configuration'), ('error', 'source_changed', 'bad_input'),
    ('error', null, 'bad_input')) as c(result, reason, expected);

-- pauses: doubled up to the cap, less up to a quarter by lot
select ok(muster.retry_pause('transient', n, muster.queue_policy('none')) between 0.75 * top and top, 'retry_pause: try ' || n || ' waits up to ' || top)
from (values (1, interval '1 second'), (2, interval '2 seconds'), (5, interval '16 seconds'), (20, interval '300 seconds'), (1000, interval '300 seconds')) as c(n, top);
select ok(muster.retry_pause('dependency', n, muster.queue_policy('none')) between 0.75 * top and top, 'retry_pause: a dependency, try ' || n)
from (values (1, interval '5 seconds'), (10, interval '60 seconds')) as c(n, top);

-- versions
select is((muster.version_order(low) collate "C" < muster.version_order(high) collate "C"), true, 'version_order: ' || low || ' < ' || high) from (values
    ('9.1', '10.0'), ('1.0.9', '1.0.10'), ('2025-12-31', '2026-01-01'), ('2026.11.09', '2026.11.16'), ('1.2', '1.2.1'), ('4.15.0', '4.16')) as c(low, high);
select is(muster.version_order('007'), muster.version_order('7'), 'version_order: zeros in front count nothing');

-- bytes of a queue message: as C writes them (tests/unit/test_ride.c)
select is(convert_from(muster.ride_bytes('019ab567-6300-7abc-9def-0123456789ab', 2, true, 'default', 'high', '{"t":1}', array['{"a":1}', '{"b":2}']::bytea[]), 'UTF8'),
    '{"v":1,"ride_id":"019ab567-6300-7abc-9def-0123456789ab","n":2,"fresh":true,"queue":"default","priority":"high","terms":{"t":1},"tasks":[{"a":1},{"b":2}]}',
    'ride_bytes: exact bytes of terms and tasks');
select * from finish();
rollback;
