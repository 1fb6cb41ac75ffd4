/* SPDX-License-Identifier: Apache-2.0 */
/* Which statement of the programs is which function of the model: a row per statement. The beginning of its SQL is
 * part of the row, so that a statement that changes its columns or its function fails loudly until the model has
 * followed. What a statement does that no promise of the simulation needs (partitions) is `nothing`. */
#include "statements.h"

/* muster.lock_holder: beside the tables, since a beat waits for nobody and is undone by nobody. */
static struct holder {
    const char *name;
    int pid;
    int64_t beat_us;
} holders[2] = {{.name = "leader"}, {.name = "recorder"}};

static void lock(struct session *s, struct reply *out, struct holder *h)
{
    bool held = database_lock(s, h->name);
    reply_columns(out, "t");
    reply_row(out);
    reply_bool(out, 0, held);
    if (held) {
        h->pid = s->pid;
        h->beat_us = database_now();
    }
}

static STATEMENT(lead)
{
    (void)t;
    (void)a;
    lock(s, out, &holders[0]);
}

static STATEMENT(record)
{
    (void)t;
    (void)a;
    lock(s, out, &holders[1]);
}

static STATEMENT(lead_no_more)
{
    (void)t;
    (void)a;
    (void)out;
    database_unlock(s, "leader");
}

static STATEMENT(record_no_more)
{
    (void)t;
    (void)a;
    (void)out;
    database_unlock(s, "recorder");
}

static void beat(struct holder *h, const struct mu_args *a)
{
    if (h->pid == (int)arg_i64(a, 0))
        h->beat_us = database_now();
}

static void stale(const struct holder *h, const struct mu_args *a, struct reply *out)
{
    reply_columns(out, "i");
    if (!h->pid || h->beat_us >= database_now() - arg_i64(a, 0) * 1000)
        return;
    reply_row(out);
    reply_i64(out, 0, h->pid);
}

/* Only a session that holds this very lock. */
static void end(const struct holder *h, const struct mu_args *a, struct reply *out)
{
    struct session *of = database_session((int)arg_i64(a, 0));
    bool holds = of && database_holder(h->name) == of;
    reply_columns(out, "t");
    reply_row(out);
    reply_bool(out, 0, holds);
    if (holds) {
        trace("session %d, which holds lock %s without a beat, is ended", of->pid, h->name);
        database_end_session(of);
    }
}

static STATEMENT(leader_beat)
{
    (void)s;
    (void)t;
    (void)out;
    beat(&holders[0], a);
}

static STATEMENT(leader_stale)
{
    (void)s;
    (void)t;
    stale(&holders[0], a, out);
}

static STATEMENT(leader_end)
{
    (void)s;
    (void)t;
    end(&holders[0], a, out);
}

static STATEMENT(recorder_beat)
{
    (void)s;
    (void)t;
    (void)out;
    beat(&holders[1], a);
}

static STATEMENT(recorder_stale)
{
    (void)s;
    (void)t;
    stale(&holders[1], a, out);
}

static STATEMENT(recorder_end)
{
    (void)s;
    (void)t;
    end(&holders[1], a, out);
}

static STATEMENT(nothing)
{
    (void)s;
    (void)t;
    (void)a;
    reply_columns(out, "t");
    reply_row(out);
    reply_i64(out, 0, 0);
}

/* There are no policies and no deadlines in the simulation: no rows. */
static STATEMENT(none)
{
    (void)s;
    (void)t;
    (void)a;
    reply_columns(out, "ttttt");
}

static const struct model models[] = {
    {"deadlines due", "select ride_id, n, subject, sequence, stream_created from muster.deadlines_due(", MODE_READ, none},
    {"policy missing", "select muster.policy_missing(", MODE_READ, nothing},
    {"policy unwritten", "select key, value from muster.policy_unwritten(", MODE_READ, none},
    {"audit head", "select seq, encode(hash, 'hex'), at from muster.audit_head_publish(", MODE_READ, none},
    {"drop next", "select muster.drop_next(", MODE_READ, none},
    {"retention set", "select muster.retention_set(", MODE_READ, none},
    {"retire events", "select muster.retire_events(", MODE_READ, none},
    {"retire next", "select muster.retire_next(", MODE_READ, none},
    {"accept jobs", "select muster.accept_jobs(", MODE_WRITE, sql_accept_jobs},
    {"claim keys", "select i, job_id, state from muster.claim_keys(", MODE_WRITE, sql_claim_keys},
    {"counts", "select name, value from muster.counts(", MODE_READ, sql_counts},
    {"done tasks", "select muster.done_tasks(", MODE_READ, sql_done_tasks},
    {"intake absent", "select muster.intake_absent(", MODE_WRITE, sql_intake_absent},
    {"intake lost", "select muster.intake_lost(", MODE_WRITE, sql_intake_lost},
    {"intake note", "select muster.intake_note(", MODE_WRITE, sql_intake_note},
    {"intake noted", "select created, sequence, (extract(epoch from stored_at) * 1000000)::bigint, "
                     "(extract(epoch from noted_at) * 1000000)::bigint from muster.intake_noted(", MODE_READ, sql_intake_noted},
    {"intake settle", "select muster.intake_settle(", MODE_WRITE, sql_intake_settle},
    {"intake tell", "select muster.intake_tell(", MODE_WRITE, sql_intake_tell},
    {"intake went back", "select muster.intake_went_back(", MODE_WRITE, sql_intake_went_back},
    {"job status", "select muster.job_status(", MODE_READ, sql_job_status},
    {"known tasks", "select muster.known_tasks(", MODE_READ, sql_known_tasks},
    {"lead", "select muster.lock_take('leader', ", MODE_ASIDE, lead},
    {"lead no more", "select pg_advisory_unlock(muster.lock_key('leader'))", MODE_ASIDE, lead_no_more},
    {"ledger advance", "select muster.ledger_advance(", MODE_READ, nothing},
    {"lock", "select muster.lock_take('recorder', ", MODE_ASIDE, record},
    {"lock beat", "select muster.lock_beat('leader', ", MODE_ASIDE, leader_beat},
    {"lock beat", "select muster.lock_beat('recorder', ", MODE_ASIDE, recorder_beat},
    {"lock end", "select muster.lock_end('leader', ", MODE_ASIDE, leader_end},
    {"lock end", "select muster.lock_end('recorder', ", MODE_ASIDE, recorder_end},
    {"lock stale", "select muster.lock_stale('leader', ", MODE_ASIDE, leader_stale},
    {"lock stale", "select muster.lock_stale('recorder', ", MODE_ASIDE, recorder_stale},
    {"maintain", "select muster.maintain(", MODE_ASIDE, nothing},
    {"open tasks", "select muster.open_tasks(", MODE_READ, sql_open_tasks},
    {"outbox event done", "select muster.outbox_event_done(", MODE_WRITE, sql_outbox_event_done},
    {"outbox pending", "select kind, ride_id, n, subject, message_id, bytes, trace_id from muster.outbox_pending(", MODE_READ, sql_outbox_pending},
    {"outbox published", "select muster.outbox_published(", MODE_WRITE, sql_outbox_published},
    {"outbox settled", "select muster.outbox_settled(", MODE_WRITE, sql_outbox_settled},
    {"pack put", "select muster.pack_put(", MODE_WRITE, sql_pack_put},
    {"pack refused", "select muster.pack_refused(", MODE_WRITE, nothing},
    {"pack resolve", "select name, version, digest, document from muster.pack_resolve(", MODE_READ, sql_pack_resolve},
    {"packs", "select name, version, digest, document from muster.packs(", MODE_READ, sql_packs},
    {"position note", "select muster.position_note(", MODE_WRITE, sql_position_note},
    {"positions", "select created, sequence from muster.positions() limit 1", MODE_READ, sql_positions_short},
    {"positions", "select created, sequence, (extract(epoch from stored_at) * 1000000)::bigint from muster.positions()", MODE_READ, sql_positions},
    {"positions thin", "select muster.positions_thin(", MODE_WRITE, sql_positions_thin},
    {"reconcile candidates", "select ride_id, n, subject, sequence, stream_created, array_to_string(members, ' '), array_to_string(open_members, "
                             "' '), missing_ms from muster.reconcile_candidates(", MODE_READ, sql_candidates},
    {"reconcile note", "select muster.reconcile_note(", MODE_WRITE, sql_reconcile_note},
    {"record batch", "select outcomes, findings, repeats, late, conflicts, quarantined, incomplete, deferred, planned, finished from "
                     "muster.record_batch(", MODE_WRITE, sql_record_batch},
    {"recount stages", "select muster.recount_stages(", MODE_WRITE, sql_recount_stages},
    {"reject", "select muster.reject(", MODE_WRITE, sql_reject},
    {"repaired", "select muster.repaired(", MODE_WRITE, sql_repaired},
    {"replay known", "select muster.replay_known(", MODE_WRITE, nothing},
    {"republish", "select muster.republish_missing(", MODE_WRITE, sql_republish_missing},
    {"retry due", "select muster.retry_due(", MODE_WRITE, sql_retry_due},
    {"rides needed", "select muster.rides_needed(", MODE_READ, sql_rides_needed},
    {"unlock", "select pg_advisory_unlock(muster.lock_key('recorder'))", MODE_ASIDE, record_no_more},
};

const struct model *model_find(const struct mu_statement *statement)
{
    for (size_t i = 0; i < MU_COUNT(models); i++)
        if (strcmp(models[i].name, statement->name) == 0 && strncmp(models[i].begins, statement->sql, strlen(models[i].begins)) == 0)
            return &models[i];
    return NULL;
}
