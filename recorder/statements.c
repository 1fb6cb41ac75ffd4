/* SPDX-License-Identifier: Apache-2.0 */
#include "statements.h"

const struct mu_statement recorder_statements[SQL_COUNT] = {
    [SQL_RECORD] = {"record batch", "select outcomes, findings, repeats, late, conflicts, quarantined, incomplete, deferred, planned, "
        "finished from muster.record_batch($1::text, $2::bigint, $3, "
        "$4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $2"
        "4, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43"
        ", $44, $45, $46, $47, $48, $49, $50, $51, $52, $53, $54, $55, $56, $57, $58, $59, $60, $61, $62,"
        " $63, $64, $65, $66, $67, $68, $69"
        ")"},
    [SQL_POSITIONS] = {"positions", "select created, sequence, (extract(epoch from stored_at) * 1000000)::bigint from muster.positions()"},
    [SQL_POSITION_NOTE] = {"position note", "select muster.position_note($1::text, $2::bigint, $3)"},
    [SQL_POSITIONS_THIN] = {"positions thin", "select muster.positions_thin()"},
    [SQL_LOCK] = {"lock", "select muster.lock_take('recorder', $1::text)"},
    [SQL_LOCK_BEAT] = {"lock beat", "select muster.lock_beat('recorder', $1::int)"},
    [SQL_LOCK_STALE] = {"lock stale", "select muster.lock_stale('recorder', $1::int)"},
    [SQL_LOCK_END] = {"lock end", "select muster.lock_end('recorder', $1::int)"},
    [SQL_UNLOCK] = {"unlock", "select pg_advisory_unlock(muster.lock_key('recorder'))"},
};
