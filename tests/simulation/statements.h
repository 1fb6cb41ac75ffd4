/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of the schema as statements call them; the table of statements.c says which statement is which. */
#ifndef SIM_STATEMENTS_H
#define SIM_STATEMENTS_H

#include "database.h"

#define STATEMENT(name) void name(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)

/* accept.c */
STATEMENT(sql_claim_keys);
STATEMENT(sql_accept_jobs);
STATEMENT(sql_reject);
STATEMENT(sql_outbox_pending);
STATEMENT(sql_outbox_published);
STATEMENT(sql_outbox_event_done);
STATEMENT(sql_outbox_settled);
STATEMENT(sql_pack_put);
STATEMENT(sql_pack_resolve);
STATEMENT(sql_packs);
STATEMENT(sql_job_status);
STATEMENT(sql_known_tasks);
STATEMENT(sql_open_tasks);
STATEMENT(sql_done_tasks);
/* record.c */
STATEMENT(sql_record_batch);
STATEMENT(sql_position_note);
STATEMENT(sql_positions);
STATEMENT(sql_positions_short);
STATEMENT(sql_positions_thin);
/* repair.c */
STATEMENT(sql_candidates);
STATEMENT(sql_reconcile_note);
STATEMENT(sql_republish_missing);
STATEMENT(sql_repaired);
STATEMENT(sql_counts);
STATEMENT(sql_retry_due);
STATEMENT(sql_recount_stages);
STATEMENT(sql_rides_needed);
STATEMENT(sql_intake_noted);
STATEMENT(sql_intake_note);
STATEMENT(sql_intake_settle);
STATEMENT(sql_intake_lost);
STATEMENT(sql_intake_absent);
STATEMENT(sql_intake_went_back);
STATEMENT(sql_intake_tell);

#endif
