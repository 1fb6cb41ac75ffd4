/* SPDX-License-Identifier: Apache-2.0 */
#include "statements.h"

const struct mu_statement dispatcher_statements[SQL_COUNT] = {
    [SQL_CLAIM_KEYS] = {"claim keys", "select i, job_id, state from muster.claim_keys($1, $2, $3)"},
    [SQL_ACCEPT_JOBS] = {"accept jobs", "select muster.accept_jobs($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, "
                                        "$16, $17, $18, $19, $20, $21, $22::text, $23, $24::text)"},
    [SQL_KNOWN_TASKS] = {"known tasks", "select muster.known_tasks($1)"},
    [SQL_OPEN_TASKS] = {"open tasks", "select muster.open_tasks($1)"},
    [SQL_OUTBOX_PENDING] = {"outbox pending", "select kind, ride_id, n, subject, message_id, bytes, trace_id "
                                              "from muster.outbox_pending($1::int, $2::int, $3)", .binary = true},
    [SQL_OUTBOX_PUBLISHED] = {"outbox published", "select muster.outbox_published($1, $2, $3::text, $4)"},
    [SQL_OUTBOX_EVENT_DONE] = {"outbox event done", "select muster.outbox_event_done($1)"},
    [SQL_OUTBOX_SETTLED] = {"outbox settled", "select muster.outbox_settled($1)"},
    [SQL_REJECT] = {"reject", "select muster.reject($1::text, $2::text, $3::text, $4::bigint, $5, $6::text, $7::text, $8::text, $9::bytea)"},
    [SQL_JOB_STATUS] = {"job status", "select muster.job_status($1::uuid, $2::text)"},
    [SQL_PACK_PUT] = {"pack put", "select muster.pack_put($1::text, $2::text, $3::bytea, $4::bytea, $5::text)"},
    [SQL_PACK_RESOLVE] = {"pack resolve", "select name, version, digest, document from muster.pack_resolve($1::text, $2::text)"},
    [SQL_PACKS] = {"packs", "select name, version, digest, document from muster.packs()"},
    [SQL_LISTS_PINNED] = {"lists pinned", "select muster.lists_pinned($1, $2, $3)"},
    [SQL_LEAD] = {"lead", "select pg_try_advisory_lock(muster.lock_key('leader'))"},
    [SQL_LEAD_NO_MORE] = {"lead no more", "select pg_advisory_unlock(muster.lock_key('leader'))"},
    [SQL_LOCK_BEAT] = {"lock beat", "select muster.lock_beat('leader', $1::int, $2::text)"},
    [SQL_LOCK_STALE] = {"lock stale", "select muster.lock_stale('leader', $1::int)"},
    [SQL_LOCK_END] = {"lock end", "select muster.lock_end('leader', $1::int)"},
    [SQL_CANDIDATES] = {"reconcile candidates", "select ride_id, n, subject, sequence, stream_created, array_to_string(members, ' '), "
                        "array_to_string(open_members, ' '), missing_ms from muster.reconcile_candidates($1::uuid, $2::int, $3::int)"},
    [SQL_RECONCILE_NOTE] = {"reconcile note", "select muster.reconcile_note($1, $2)"},
    [SQL_REPUBLISH] = {"republish", "select muster.republish_missing($1, $2)"},
    [SQL_REPAIRED] = {"repaired", "select muster.repaired($1, $2)"},
    [SQL_COUNTS] = {"counts", "select name, value from muster.counts()"},
    [SQL_RETRY_DUE] = {"retry due", "select muster.retry_due($1::int)"},
    [SQL_RECOUNT] = {"recount stages", "select muster.recount_stages()"},
    [SQL_MAINTAIN] = {"maintain", "select muster.maintain(now())"},
    [SQL_RIDES_NEEDED] = {"rides needed", "select muster.rides_needed($1, $2)"},
    [SQL_DONE_TASKS] = {"done tasks", "select muster.done_tasks($1)"},
    [SQL_INTAKE_NOTED] = {"intake noted", "select created, sequence, (extract(epoch from stored_at) * 1000000)::bigint, "
                                              "(extract(epoch from noted_at) * 1000000)::bigint from muster.intake_noted()"},
    [SQL_INTAKE_NOTE] = {"intake note", "select muster.intake_note($1::text, $2::bigint, $3)"},
    [SQL_SPACE_BOUNDS] = {"space bounds", "select kind, created, sequence, (extract(epoch from stored_at) * 1000000)::bigint "
                                              "from muster.space_bounds()"},
    [SQL_INTAKE_SETTLE] = {"intake settle", "select muster.intake_settle($1::text, $2, $3::bigint, $4)"},
    [SQL_INTAKE_LOST] = {"intake lost", "select muster.intake_lost($1::text, $2::bigint, $3::bigint)"},
    [SQL_INTAKE_ABSENT] = {"intake absent", "select muster.intake_absent($1::text, $2::bigint)"},
    [SQL_INTAKE_WENT_BACK] = {"intake went back", "select muster.intake_went_back($1::text, $2::bigint)"},
    [SQL_INTAKE_TELL] = {"intake tell", "select muster.intake_tell($1::text, $2::bigint)"},
    [SQL_POSITIONS] = {"positions", "select created, sequence from muster.positions() limit 1"},
};
