/* SPDX-License-Identifier: Apache-2.0 */
#include "leader.h"
#include "base/clock.h"
#include "base/log.h"
#include "heads.h"
#include "leftovers.h"
#include "operate.h"
#include "outside/lock.h"
#include "outside/topology.h"
#include "packs.h"
#include "policy.h"
#include "publish.h"
#include "reconcile.h"
#include "resolve.h"
#include "retention.h"
#include "setback.h"
#include "space.h"
#include "statements.h"
#include "stray.h"

#define BEAT_MS 1000
#define TRY_MS 2000
#define SWEEP_MS 2000       /* rows of the outbox that nobody has published */
#define POLICY_MS 1000
#define RECOUNT_MS 30000
#define PACKS_MS 60000
#define RARELY 2             /* what is looked at once in so many passes of the reconciler */
#define MAINTAIN_MS 3600000
#define RETIRE_MS 5000      /* between two partitions that are taken out */
#define BROKER_LOST_MS 5000
#define RETRIES_AT_ONCE 500
#define REPLAYS_AT_ONCE 1000 /* jobs */
#define LEDGER_MS 1000
#define LEDGER_AT_ONCE 2000 /* findings: some fifty milliseconds, in which nobody is answered */

static const struct mu_duty duty = {
    .program = "muster-dispatcher", .take = SQL_LEAD,
    .let_go = SQL_LEAD_NO_MORE, .beat = SQL_LOCK_BEAT, .stale = SQL_LOCK_STALE, .end = SQL_LOCK_END};

struct leader {
    struct dispatcher *d;
    struct mu_lock lock;
    int64_t try_ms, beat_ms, sweep_ms, policy_ms, reconcile_ms, recount_ms, maintain_ms, setback_ms, space_ms, stray_ms,
        replay_ms, ledger_ms, broker_lost_ms;
    struct reconciler reconciler;
    struct leftovers leftovers;
    struct setback setback;
    struct space space;
    struct stray stray;
    struct policies policies;
    struct packs packs;
    struct heads heads;
    int64_t packs_ms, heads_ms;
    uint64_t packs_generation; /* of the bus, when the bucket of packs was last made equal to its table */
    char created[40];      /* of MUSTER_TASKS, as last seen: another one means that the store was wiped */
};

bool leader_new(struct leader **out, struct dispatcher *d, struct mu_error *err)
{
    struct leader *l = calloc(1, sizeof(*l));
    if (!l)
        return mu_fail(err, MU_BROKEN, "out of memory");
    l->d = d;
    l->lock.duty = &duty;
    l->reconciler.d = d;
    l->leftovers.d = d;
    l->setback.d = d;
    l->space.d = d;
    l->stray.d = d;
    l->policies.d = d;
    l->packs.d = d;
    l->heads.d = d;
    *out = l;
    return true;
}

void leader_free(struct leader *l)
{
    if (!l)
        return;
    mu_lock_let_go(&l->lock, NULL); /* it goes with the session */
    free(l);
}

void leader_lost(struct leader *l)
{
    if (l->lock.held)
        mu_say(MU_WARNING, "the leader's lock went with its database session, standing by");
    mu_lock_let_go(&l->lock, NULL);
}

bool leader_leads(const struct leader *l)
{
    return l->lock.held;
}

static bool try_to_lead(struct leader *l, struct mu_error *err)
{
    if (!mu_lock_try(&l->lock, l->d->store, l->d->args, err))
        return false;
    if (l->lock.ended)
        mu_log(MU_WARNING, "the leader had stopped, its session was ended", MU_N("backend_pid", l->lock.ended));
    if (!l->lock.held)
        return true;
    l->policies.walked = l->packs.walked = false;
    mu_say(MU_INFO, "leading: reconciling, retries and partitions are done here");
    return true;
}

/* A wiped store: what must be there is made again, then the tasks follow by reconciliation. */
static bool look_at_stream(struct leader *l, struct mu_error *err)
{
    struct mu_stream_state state;
    bool found = false;
    if (!mu_stream_find(l->d->bus, MU_STREAM_TASKS, &found, &state, err))
        return false;
    if (found && strcmp(state.created, l->created) == 0)
        return true;
    bool first = !l->created[0];
    if (!found || !first) {
        MU_AUTO(mu_topology_report_free) struct mu_topology_report report = {0};
        mu_say(MU_WARNING, "the broker's store is new, streams and packs are made again and open tasks will follow");
        int64_t *written = &l->d->counters.value[COUNT_PACKS_WRITTEN];
        if (!mu_topology(l->d->bus, l->d->config, l->d->config->dispatcher_provision ? MU_TOPOLOGY_CREATE : MU_TOPOLOGY_VERIFY,
                         &report, err) ||
            !resolver_load(l->d->resolver, written, err))
            return false;
        l->d->counters.value[COUNT_TOPOLOGY_MADE] += mu_topology_made(&report);
    }
    if (!publisher_learn_stream(l->d->publisher, err))
        return false;
    snprintf(l->created, sizeof(l->created), "%s", publisher_stream_created(l->d->publisher));
    return true;
}

static bool retries(struct leader *l, struct mu_error *err)
{
    mu_args_reset(l->d->args);
    mu_arg_i64(l->d->args, RETRIES_AT_ONCE);
    return mu_store_run(l->d->store, SQL_RETRY_DUE, l->d->args, NULL, err);
}

/* True once the time has come; notes the next. */
static bool due(int64_t *at, int64_t every_ms, int64_t now, int64_t *next_ms)
{
    bool is_due = now >= *at;
    if (is_due)
        *at = now + every_ms;
    if (*at - now < *next_ms)
        *next_ms = *at - now;
    return is_due;
}

/* Agents defer tasks whose pack is missing: a power cut takes packs that were put in shortly before, and a broker that
 * has lost something has always been away. */
static bool look_at_packs(struct leader *l, int64_t now, int64_t *next_ms, struct mu_error *err)
{
    const uint64_t generation = mu_bus_generation(l->d->bus);
    if (l->packs_generation != generation)
        l->packs_ms = now;
    l->packs_generation = generation;
    if (!due(&l->packs_ms, PACKS_MS, now, next_ms) || resolver_fill(l->d->resolver, &l->d->counters.value[COUNT_PACKS_WRITTEN], err))
        return true;
    l->packs_ms = now + TRY_MS;
    return false;
}

static bool sweep(struct leader *l, struct mu_error *err)
{
    size_t sent = 0;
    return operate_deadlines(l->d, err) && retries(l, err) &&
           publisher_sweep(l->d->publisher, SWEEP_MS, &sent, err);
}

static bool recount(struct leader *l, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    if (!mu_store_run(l->d->store, SQL_RECOUNT, NULL, &rows, err))
        return false;
    l->d->counters.value[COUNT_STAGES_RECOUNTED] += mu_row_i64(rows, 0, 0);
    if (mu_row_i64(rows, 0, 0))
        mu_log(MU_LOG_ERROR, "counts of unfinished stages were wrong and have been mended", MU_N("jobs", mu_row_i64(rows, 0, 0)));
    return true;
}

/* What was put aside for jobs that a restored database did not know, and that have been stored again since. */
static bool replay(struct leader *l, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    mu_args_reset(l->d->args);
    mu_arg_i64(l->d->args, REPLAYS_AT_ONCE);
    if (!mu_store_run(l->d->store, SQL_REPLAY_KNOWN, l->d->args, &rows, err))
        return false;
    l->d->counters.value[COUNT_RESULTS_REPLAYED] += mu_row_i64(rows, 0, 0);
    if (mu_row_i64(rows, 0, 0))
        mu_log(MU_WARNING, "results that had been put aside are recorded, their jobs are known now", MU_N("results", mu_row_i64(rows, 0, 0)));
    return true;
}

/* A partition a turn, so that the beat goes on. */
static bool keep_house(struct leader *l, int64_t now, int64_t *next_ms, struct mu_error *err)
{
    bool again = false;
    if (!due(&l->maintain_ms, MAINTAIN_MS, now, next_ms))
        return true;
    if (!retention_look(l->d, &again, err)) {
        l->maintain_ms = now + TRY_MS;
        return false;
    }
    if (again) { /* a lock and a commit each: there is no hurry */
        l->maintain_ms = now + RETIRE_MS;
        *next_ms = *next_ms < RETIRE_MS ? *next_ms : RETIRE_MS;
    }
    return true;
}

/* Runs that ended go into the exceptions ledger, a slice per turn of the loop while any are due. */
static bool ledger(struct leader *l, int64_t now, int64_t *next_ms, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    if (!due(&l->ledger_ms, LEDGER_MS, now, next_ms))
        return true;
    mu_args_reset(l->d->args);
    mu_arg_i64(l->d->args, LEDGER_AT_ONCE);
    if (!mu_store_run(l->d->store, SQL_LEDGER_ADVANCE, l->d->args, &rows, err))
        return false;
    if (mu_row_i64(rows, 0, 0))
        l->ledger_ms = *next_ms = 0;
    return true;
}

/* Who cannot reach the broker leaves the duty to one who can. */
static void look_at_broker(struct leader *l, int64_t now)
{
    if (mu_bus_connected(l->d->bus))
        l->broker_lost_ms = 0;
    else if (!l->broker_lost_ms)
        l->broker_lost_ms = now;
    else if (l->lock.held && now - l->broker_lost_ms > BROKER_LOST_MS) {
        mu_say(MU_WARNING, "the broker has been away for five seconds, leading is left to others");
        mu_lock_let_go(&l->lock, l->d->store);
    }
}

bool leader_step(struct leader *l, int64_t *next_ms, struct mu_error *err)
{
    int64_t now = mu_clock_ms(), pass_ms = l->d->config->dispatcher_reconcile_ms, again_ms = pass_ms;
    *next_ms = TRY_MS;
    look_at_broker(l, now);
    if (!l->lock.held && !l->broker_lost_ms && due(&l->try_ms, TRY_MS, now, next_ms) && !try_to_lead(l, err))
        return false;
    if (!l->lock.held)
        return true;
    if (due(&l->beat_ms, BEAT_MS, now, next_ms) && !mu_lock_beat(&l->lock, l->d->store, l->d->args, err))
        return false;
    if (!keep_house(l, now, next_ms, err))
        return false;
    if (due(&l->heads_ms, l->d->config->audit_head_every_ms, now, next_ms) && !heads_note(&l->heads, err))
        return false;
    if (due(&l->replay_ms, RARELY * pass_ms, now, next_ms) && !replay(l, err))
        return false;
    if (!ledger(l, now, next_ms, err))
        return false;
    if (!mu_bus_connected(l->d->bus))
        return true; /* the rest needs the broker */
    if (due(&l->sweep_ms, SWEEP_MS, now, next_ms) && !sweep(l, err))
        return false;
    if (due(&l->recount_ms, RECOUNT_MS, now, next_ms) && !recount(l, err))
        return false;
    if (due(&l->reconcile_ms, pass_ms, now, next_ms)) {
        if (!look_at_stream(l, err) || !reconcile_slice(&l->reconciler, &again_ms, err) ||
            !leftovers_slice(&l->leftovers, err))
            return false;
        l->reconcile_ms = now + again_ms; /* a long table is walked without pause, a slice per turn of the loop */
        if (again_ms < *next_ms)
            *next_ms = again_ms;
    }
    if (due(&l->policy_ms, POLICY_MS, now, next_ms) && (!policies_look(&l->policies, err) || !packs_look(&l->packs, err)))
        return false;
    if (due(&l->setback_ms, RARELY * pass_ms, now, next_ms) && !setback_look(&l->setback, err))
        return false;
    if (due(&l->space_ms, pass_ms, now, next_ms) && !space_look(&l->space, err))
        return false;
    if (due(&l->stray_ms, RARELY * pass_ms, now, next_ms) && !stray_slice(&l->stray, err))
        return false;
    return look_at_packs(l, now, next_ms, err) && counters_tell(l->d, err);
}
