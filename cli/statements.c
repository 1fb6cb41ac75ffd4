/* SPDX-License-Identifier: Apache-2.0 */
#include "statements.h"

const struct mu_statement cli_statements[SQL_COUNT] = {
    [SQL_AUDIT_CHAIN] = {"audit chain", "select seq, fault, detail, links, encode(head, 'hex') from muster.audit_chain($1::bigint, $2::bigint, $3::int)"},
    [SQL_AUDIT_HASHES] = {"audit hashes", "select seq, hash from muster.audit_hashes($1)"},
    [SQL_AUDIT_RANGES] = {"audit ranges", "select kind, low, high from muster.audit_ranges()"},
    [SQL_AUDIT_ROWS] = {"audit rows", "select seq, fault, kind, id, detail from muster.audit_rows($1::bigint, $2::bigint)"},
    [SQL_AUDIT_STRAYS] = {"audit strays", "select null, fault, kind, id, detail from muster.audit_strays($1::text, nullif($2::text, '')::uuid, "
                                          "nullif($3::text, '')::uuid, $4::text::timestamptz, $5::text::timestamptz)"},
    [SQL_AUDIT_TIMES] = {"audit times", "select since, until from muster.audit_times($1::bigint, $2::bigint)"},
    [SQL_DROP_NEXT] = {"drop next", "select muster.drop_next(session_user)"},
    [SQL_MAINTAIN] = {"maintain", "select muster.maintain(now())"},
    [SQL_POSITION] = {"position", "select created, sequence from muster.positions() limit 1"},
    [SQL_REPLAY_QUARANTINE] = {"replay quarantine", "select muster.replay_quarantine($1, $2)"},
    [SQL_REPORT_BEGIN] = {"report settings", "select current_database(), to_char(now() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'), "
                                             "set_config('statement_timeout', $1, true), set_config('datestyle', 'ISO, YMD', true), "
                                             "set_config('intervalstyle', 'postgres', true), set_config('bytea_output', 'hex', true), "
                                             "set_config('extra_float_digits', '1', true), set_config('client_encoding', 'UTF8', true)"},
    [SQL_REPORT_SET] = {"report parameter", "select set_config('report.' || $1, $2, true)"},
    /* as the query will see it */
    [SQL_REPORT_VALUE] = {"report value", "select case $2::text when 'day' then report.day($1::text, $3::text)::text "
                                          "when 'whole' then report.parameter($1, $3)::bigint::text "
                                          "when 'job' then report.job_of(report.parameter($1, $3))::text else report.parameter($1, $3) end"},
    [SQL_RESUBMIT] = {"resubmit", "select job_id, job_key, state, other_job from muster.resubmit($1, $2)"},
    [SQL_RETENTION_SET] = {"retention set", "select muster.retention_set($1::bigint, $2::bigint, $3::bigint, $4::bigint, $5::bigint)"},
    [SQL_RETIRE_DUE] = {"retire due", "select partition, to_at, bytes from muster.retire_due()"},
    [SQL_RETIRE_EVENTS] = {"retire events", "select muster.retire_events(session_user, $1::int)"},
    [SQL_RETIRE_NEXT] = {"retire next", "select muster.retire_next(session_user)"},
    [SQL_TAKE_TIME] = {"take time", "select set_config('statement_timeout', '0', false)"},
};
