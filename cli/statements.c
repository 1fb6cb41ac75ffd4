/* SPDX-License-Identifier: Apache-2.0 */
#include "statements.h"

const struct mu_statement cli_statements[SQL_COUNT] = {
    [SQL_AUDIT_VERIFY] = {"audit verify", "select seq, fault, detail, links, encode(head, 'hex') "
                                          "from muster.audit_verify($1::bigint, $2::bigint, $3::int)"},
    [SQL_RESUBMIT] = {"resubmit", "select job_id, job_key, state, other_job from muster.resubmit($1, $2)"},
    [SQL_POSITION] = {"position", "select created, sequence from muster.positions() limit 1"},
    [SQL_REPLAY_QUARANTINE] = {"replay quarantine", "select muster.replay_quarantine($1, $2)"},
};
