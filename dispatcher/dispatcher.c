/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatcher.h"
#include "api.h"
#include "base/clock.h"
#include "base/log.h"
#include "batch.h"
#include "daemon/refusals.h"
#include "leader.h"
#include "outside/topology.h"
#include "publish.h"
#include "resolve.h"
#include "setback.h"
#include "statements.h"

#include <unistd.h>

#define IDLE_MS 1000
#define END_MS 3000
#define PATIENCE_MS 1500
#define LEARN_MS 10000

static bool open_bus(struct dispatcher *d, struct mu_error *err)
{
    const struct mu_config *c = d->config;
    char name[160], host[64] = "localhost";
    gethostname(host, sizeof(host) - 1);
    snprintf(name, sizeof(name), "muster-dispatcher/%s %s:%ld", MUSTER_VERSION, host, (long)getpid());
    const struct mu_bus_options options = {
        .url = c->nats_url, .role = "dispatcher", .name = name, .user = c->nats_user, .password = c->nats_password,
        .token = c->nats_token, .creds_file = c->nats_creds, .nkey_file = c->nats_nkey,
        .inbox = c->nats_inbox, .domain = c->nats_jetstream_domain, .connect_timeout_ms = c->nats_connect_timeout_ms};
    return mu_bus_open(&d->bus, &options, err);
}

static bool prepare_broker(struct dispatcher *d, struct mu_error *err)
{
    MU_AUTO(mu_topology_report_free) struct mu_topology_report report = {0};
    if (!mu_topology(d->bus, d->config, d->config->dispatcher_provision ? MU_TOPOLOGY_CREATE : MU_TOPOLOGY_VERIFY, &report, err))
        return false;
    for (size_t i = 0; i < report.count; i++) {
        const struct mu_topology_item *item = &report.items[i];
        if (item->state == MU_ITEM_MISSING) {
            mu_fail(err, MU_UNAVAILABLE, "%s is missing", item->what);
            return mu_hint(err, "`muster setup` creates it, or dispatcher.provision = true");
        }
        if (item->state == MU_ITEM_DIFFERENT)
            mu_log(MU_WARNING, "the broker is not set up as wanted, going on with what stands", MU_F("what", item->what),
                   MU_F("difference", item->difference));
    }
    return true;
}

static bool open_all(struct dispatcher *d, struct mu_error *err)
{
    return mu_store_open(&d->store, d->config->postgres_conninfo, "muster-dispatcher", dispatcher_statements, SQL_COUNT, err) &&
           mu_store_check_schema(d->store, err) && mu_store_listen(d->store, "muster_outbox", err) && open_bus(d, err) &&
           prepare_broker(d, err) && resolver_new(&d->resolver, d, err) && resolver_load(d->resolver, NULL, err) &&
           batch_new(&d->batch, d, err) && publisher_new(&d->publisher, d, err) && leader_new(&d->leader, d, err) && api_open(d, err);
}

void dispatcher_close(struct dispatcher *d)
{
    mu_daemon_on_signal(NULL, NULL);
    api_close(d);
    batch_free(d->batch);
    publisher_free(d->publisher);
    leader_free(d->leader);
    resolver_free(d->resolver);
    mu_bus_free(d->bus);
    mu_store_free(d->store);
    d->batch = NULL;
    d->publisher = NULL;
    d->leader = NULL;
    d->resolver = NULL;
    d->bus = NULL;
    d->store = NULL;
}

bool dispatcher_open(struct dispatcher *d, struct mu_error *err)
{
    struct mu_backoff backoff = {.least_ms = 200, .most_ms = 5000};
    while (!open_all(d, err)) {
        dispatcher_close(d);
        if (err->fault != MU_UNAVAILABLE)
            return false;
        int64_t pause = mu_backoff_next(&backoff);
        char next[60];
        snprintf(next, sizeof(next), "trying again in %lld ms", (long long)pause);
        mu_log_failure(MU_WARNING, err, next);
        mu_error_clear(err);
        if (!mu_daemon_wait(pause))
            return false;
    }
    (void)!mu_bus_flush(d->bus, 1000, err); /* ready means that the broker knows our subscriptions */
    mu_error_clear(err);
    mu_log(MU_INFO, "ready", MU_F("version", MUSTER_VERSION), MU_F("nats_server", mu_bus_server_version(d->bus)),
           MU_F("hub", mu_bus_hub_version(d->bus)));
    return true;
}

/* The one place that reconnects to PostgreSQL. */
static void mend_store(struct dispatcher *d)
{
    struct mu_error err = {0};
    int64_t now = mu_clock_ms();
    if (!d->store_next_ms && mu_store_alive(d->store))
        return;
    if (!d->store_next_ms) /* it has just gone */
        d->store_next_ms = now;
    leader_lost(d->leader);
    if (now < d->store_next_ms)
        return;
    if (mu_store_reconnect(d->store, &err) && mu_store_check_schema(d->store, &err)) {
        d->store_next_ms = 0;
        d->compared = false;
        d->compare_next_ms = 0;
        d->reload = true;
        mu_backoff_reset(&d->store_backoff);
        mu_say(MU_INFO, "the database is back");
        return;
    }
    d->store_next_ms = now + mu_backoff_next(&d->store_backoff);
    mu_log_failure(MU_WARNING, &err, "submissions are refused, trying again");
}

static void note_failure(const struct mu_error *err)
{
    mu_log_failure(err->fault == MU_UNAVAILABLE ? MU_WARNING : MU_LOG_ERROR, err, "going on");
}

/* After a reconnect the streams may be others: a wiped store, made again by the leader. */
static void learn_streams(struct dispatcher *d)
{
    struct mu_error err = {0};
    uint64_t now = mu_bus_generation(d->bus);
    if (d->generation == now || !mu_bus_connected(d->bus))
        return;
    d->compared = false;
    if (api_learn_intake(d, &err) && publisher_learn_stream(d->publisher, &err))
        d->generation = now;
}

/* A database that is back may be an older one, or another: shipped packs are put there again, and before anything is
 * taken from the intake it is asked whether it knows what has been acknowledged there. A broker that is back may have an
 * older store: before anything is taken it is asked whether it holds what it held, since whatever is settled raises the
 * note by which that is seen. */
static void compare_worlds(struct dispatcher *d)
{
    struct mu_error err = {0};
    int64_t now = mu_clock_ms();
    if (d->store_next_ms || !mu_bus_connected(d->bus) || now < d->compare_next_ms)
        return;
    if (d->compared) { /* a stream that somebody has made anew is another one */
        d->compare_next_ms = now + LEARN_MS;
        if (!api_learn_intake(d, &err))
            note_failure(&err);
        return;
    }
    if ((!d->reload || resolver_load(d->resolver, &d->counters.value[COUNT_PACKS_WRITTEN], &err)) &&
        setback_check_intake(d, &err)) {
        d->compared = true;
        d->reload = false;
        d->compare_next_ms = now + LEARN_MS;
        return;
    }
    d->compare_next_ms = now + IDLE_MS;
    mu_log_failure(MU_WARNING, &err, "nothing is taken from the intake, trying again");
}

/* Heard while the store waits for the server. Whoever asks is answered within two seconds, whatever the database does:
 * newcomers are told that it is away; those whose commit is under way that nobody knows (it goes on: should it succeed,
 * the same key finds the job); and what is only looked up is given up. */
static bool while_waiting(void *ctx, int64_t waited_ms)
{
    struct dispatcher *d = ctx;
    (void)waited_ms;
    mu_daemon_alive();
    bool away = d->store_next_ms != 0, late = mu_clock_ms() - d->turn_ms >= PATIENCE_MS;
    if (away || late)
        api_refuse(d);
    if (late && d->phase == COMMITTING)
        batch_tell_unknown(d->batch);
    return !mu_daemon_should_stop() && !(late && d->phase == TAKING);
}

static int64_t turn(struct dispatcher *d)
{
    struct mu_error err = {0};
    int64_t next_ms = IDLE_MS;
    size_t swept = 0;
    d->turn_ms = mu_clock_ms();
    mend_store(d);
    mu_refusals_tell(d->bus);
    learn_streams(d);
    compare_worlds(d);
    api_take(d);
    if (d->batch->request_count)
        batch_commit(d->batch);
    if (d->store_next_ms)
        return d->store_next_ms - mu_clock_ms() > 0 ? d->store_next_ms - mu_clock_ms() : 1;
    if (!publisher_note(d->publisher, &err))
        note_failure(&err);
    if (mu_store_take_notice(d->store)) {
        mu_error_clear(&err);
        if (!publisher_sweep(d->publisher, 0, &swept, &err))
            note_failure(&err);
    }
    mu_error_clear(&err);
    if (!leader_step(d->leader, &next_ms, &err))
        note_failure(&err);
    if (publisher_under_way(d->publisher) && next_ms > 20)
        next_ms = 20; /* what has been acknowledged is noted in bunches */
    return next_ms;
}

static void wake(void *bus)
{
    mu_bus_wake(bus);
}

void dispatcher_run(struct dispatcher *d)
{
    mu_daemon_on_signal(wake, d->bus);
    mu_store_while_waiting(d->store, while_waiting, d);
    d->compared = false;
    d->generation = mu_bus_generation(d->bus);
    while (!mu_daemon_should_stop()) {
        int64_t wait_ms = turn(d);
        mu_daemon_alive();
        bool more = d->batch->job_count >= (size_t)d->config->dispatcher_commit_jobs;
        if (!more && wait_ms > 0)
            mu_bus_wait(d->bus, d->store_next_ms ? -1 : mu_store_socket(d->store), wait_ms);
    }
}

void dispatcher_finish(struct dispatcher *d)
{
    struct mu_error err = {0};
    int64_t until = mu_clock_ms() + END_MS;
    mu_daemon_stopping();
    mu_store_limit(d->store, END_MS);
    mu_store_while_waiting(d->store, NULL, NULL);
    api_take(d);
    if (d->batch->request_count)
        batch_commit(d->batch);
    (void)!mu_bus_flush(d->bus, 1000, &err);
    while (!d->store_next_ms && publisher_under_way(d->publisher) && mu_clock_ms() < until) {
        mu_error_clear(&err);
        if (!publisher_note(d->publisher, &err))
            break;
        mu_bus_wait(d->bus, -1, 20);
    }
}
