/* SPDX-License-Identifier: Apache-2.0 */
#include "worker.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "daemon/failpoint.h"
#include "daemon/refusals.h"

#include <unistd.h>

#define ARENA_KEPT ((size_t)1 << 20) /* an idle agent holds little */
#define TICK_MS 10
#define IDLE_MS 5000
#define ROOT_MS 1000
#define RETRY_MS 200
#define AHEAD_US 10000 /* so much work may wait here; more is better done by others */
#define FETCH_TIMES                                                                                          \
    16 /* worker.fetch is for bundles: single small tasks are asked for by up to so many times that */

static void wake(void *bus)
{
    mu_bus_wake(bus);
}

static void on_confirmed(void *ctx, struct mu_delivery *d)
{
    struct mu_worker *w = ctx;
    const struct mu_error none = {0};
    MU_FAILPOINT("worker.after_outcome");
    mu_settle(&w->settler, d, &none);
}

static bool on_patience(void *ctx)
{
    struct mu_worker *w = ctx;
    (void)mu_worker_tick(w);
    return mu_worker_patient(w);
}

/* While a source is waited for. */
static bool on_source(void *ctx)
{
    return mu_worker_tick(ctx);
}

static bool connect_bus(struct mu_worker *w, struct mu_error *err)
{
    char role[MU_TOKEN_MAX + 16], name[128];
    const struct mu_config *c = w->config;
    struct mu_backoff pause = {.least_ms = 100, .most_ms = 5000};
    bool said = false;
    snprintf(role, sizeof(role), "worker_%s", w->agent.id);
    snprintf(name, sizeof(name), "muster-worker/" MUSTER_VERSION " %.40s:%d", w->agent.host, (int)getpid());
    const struct mu_bus_options options = {.url = c->nats_url,
                                           .role = role,
                                           .name = name,
                                           .user = c->nats_user,
                                           .password = c->nats_password,
                                           .token = c->nats_token,
                                           .creds_file = c->nats_creds,
                                           .nkey_file = c->nats_nkey,
                                           .inbox = c->nats_inbox,
                                           .domain = c->nats_jetstream_domain,
                                           .connect_timeout_ms = c->nats_connect_timeout_ms};
    while (!mu_bus_open(&w->bus, &options, err)) {
        if (err->fault != MU_UNAVAILABLE)
            return false;
        if (!said)
            mu_log_failure(MU_WARNING, err, "trying again");
        said = true;
        if (!mu_daemon_wait(mu_backoff_next(&pause)))
            return false;
        mu_error_clear(err);
    }
    mu_daemon_on_signal(wake, w->bus);
    return true;
}

static bool enter_registry(struct mu_worker *w, struct mu_error *err)
{
    struct mu_backoff pause = {.least_ms = 100, .most_ms = 5000};
    bool said = false;
    while (!mu_agent_register(&w->agent, w->bus, err)) {
        if (err->fault != MU_UNAVAILABLE || mu_daemon_should_stop())
            return false;
        if (!said)
            mu_log_failure(MU_WARNING, err, "trying again");
        said = true;
        if (!mu_daemon_wait(mu_backoff_next(&pause)))
            return false;
        mu_error_clear(err);
    }
    w->registered = true;
    return true;
}

static bool open_lanes(struct mu_worker *w, struct mu_error *err)
{
    const struct mu_list *queues = &w->config->worker_queues;
    char consumer[MU_SUBJECT_MAX];
    w->lanes = calloc(queues->count * MU_PRIORITIES, sizeof(*w->lanes));
    if (!w->lanes)
        return mu_fail(err, MU_BROKEN, "out of memory");
    for (int p = MU_HIGH; p < MU_PRIORITIES; p++) {
        for (size_t q = 0; q < queues->count; q++) {
            struct mu_lane *lane = &w->lanes[w->lane_count];
            mu_consumer_task(consumer, queues->at[q], (enum mu_priority)p);
            const struct mu_pull_options options = {
                .stream = MU_STREAM_TASKS, .consumer = consumer, .first_jitter = true};
            if (!mu_pull_open(&lane->pull, w->bus, &options, err))
                return false;
            lane->priority = (enum mu_priority)p;
            w->lane_count++;
        }
    }
    return true;
}

bool mu_worker_init(struct mu_worker *w, const struct mu_config *config, struct mu_error *err)
{
    w->config = config;
    w->throttle.bytes_per_second = config->worker_read_limit;
    if (!mu_agent_init(&w->agent, config, err) || !mu_sources_new(&w->sources, config, err) ||
        !connect_bus(w, err) || !mu_control_open(w, err) || /* who finds it in the registry reaches it */
        !mu_stops_open(&w->stops, w->bus, err) ||
        !enter_registry(w, err) ||
        !mu_lease_open(&w->lease, w->bus, &w->agent, config, err))
        return false;
    mu_sources_serve(w->sources, w->bus, on_source, w);
    w->settler = (struct mu_settler){.bus = w->bus, .lease = w->lease};
    const struct mu_results_setup results = {
        .bus = w->bus, .lease = w->lease, .patience = on_patience, .confirmed = on_confirmed, .ctx = w};
    if (!mu_results_open(&w->results, &results, err) || !mu_packs_new(&w->packs, w->bus, config, err) ||
        !mu_json_arena_new(&w->arena, ARENA_KEPT, err) || !open_lanes(w, err))
        return false;
    mu_log(MU_INFO, "ready", MU_F("agent", w->agent.id), MU_F("incarnation", w->agent.incarnation),
           MU_F("version", MUSTER_VERSION), MU_F("nats_server", mu_bus_server_version(w->bus)));
    return true;
}

bool mu_worker_patient(struct mu_worker *w)
{
    return w->fault.fault == MU_OK && (!w->draining || mu_clock_ms() < w->drain_until_ms);
}

static void hear_of_stops(struct mu_worker *w)
{
    if (w->draining)
        return;
    mu_lease_waiting(w->lease, true);
    mu_stops_take(w->stops);
    mu_lease_waiting(w->lease, false);
    w->stopped = w->running && !mu_worker_wants(w, w->running);
}

bool mu_worker_tick(struct mu_worker *w)
{
    int64_t now = mu_clock_ms();
    mu_lease_moved(w->lease);
    if (now - w->tick_ms >= TICK_MS) {
        w->tick_ms = now;
        mu_daemon_alive();
        mu_refusals_tell(w->bus);
        mu_control_take(w);
        hear_of_stops(w);
        (void)mu_results_step(w->results);
        if (mu_daemon_should_stop())
            mu_drain_begin(w, "asked to stop");
        if (w->running_long) {
            for (size_t i = 0; i < w->lane_count; i++) /* what cannot be started now is not asked for */
                mu_pull_want(w->lanes[i].pull, 0);
            mu_drain_arrivals(w);
        }
        (void)mu_lease_lost(w->lease, &w->fault);
        (void)mu_results_broken(w->results, &w->fault);
    }
    return !w->draining && !w->stopped && w->fault.fault == MU_OK;
}

bool mu_worker_wants(const struct mu_worker *w, const struct mu_task *task)
{
    return !mu_stops_has(w->stops, task->job_id);
}

bool mu_worker_retry(struct mu_worker *w, struct mu_error *err)
{
    if (err->fault != MU_UNAVAILABLE || strcmp(err->code, "drain") == 0 ||
        strcmp(err->code, "pack_missing") == 0 || strcmp(err->code, "list_missing") == 0 ||
        strcmp(err->code, "source_down") == 0)
        return false;
    mu_lease_waiting(w->lease, true);
    mu_bus_wait(w->bus, -1, RETRY_MS);
    (void)mu_worker_tick(w);
    mu_lease_waiting(w->lease, false);
    if (!mu_worker_patient(w))
        return false;
    mu_error_clear(err);
    return true;
}

/* Oldest message of the highest priority that has arrived; NULL: none. */
static struct mu_delivery *take_next(struct mu_worker *w)
{
    for (size_t i = 0; i < w->lane_count; i++) {
        struct mu_message *m = mu_pull_take(w->lanes[i].pull);
        struct mu_delivery *d = m ? calloc(1, sizeof(*d)) : NULL;
        struct mu_task_subject subject;
        if (m && !d)
            mu_message_free(m); /* its lease will end */
        if (!d)
            continue;
        d->message = m;
        d->since_us = mu_wall_us();
        atomic_store(&d->n, 1);
        if (mu_subject_parse_task(m->subject, &subject))
            snprintf(d->ride_id, sizeof(d->ride_id), "%.36s", subject.ride_id);
        mu_lease_hold(w->lease, d);
        return d;
    }
    return NULL;
}

static void report_trouble(struct mu_lane *lane)
{
    const struct mu_error *trouble = mu_pull_trouble(lane->pull);
    if (trouble->fault == MU_OK) {
        if (lane->troubled)
            mu_say(MU_INFO, "tasks can be pulled again");
        lane->troubled = false;
    } else if (!lane->troubled) {
        mu_log_failure(MU_WARNING, trouble, "trying again");
        lane->troubled = true;
    }
}

/* What can be started now. */
static size_t appetite(const struct mu_worker *w)
{
    int64_t most = w->config->worker_fetch * FETCH_TIMES, want = AHEAD_US / (w->ride_us + 1);
    if (want > most)
        want = most;
    return want < 1 ? 1 : (size_t)want;
}

static void ask_for_more(struct mu_worker *w)
{
    size_t want = appetite(w);
    if (w->sources_down && mu_sources_ready(w->sources, NULL)) {
        w->sources_down = false;
        mu_say(MU_INFO, "all data roots are there again, pulling tasks");
    }
    for (size_t i = 0; i < w->lane_count; i++) {
        mu_pull_want(w->lanes[i].pull, w->sources_down ? 0 : want);
        report_trouble(&w->lanes[i]);
    }
}

static void sleep_a_while(struct mu_worker *w)
{
    int64_t next = mu_results_step(w->results), most = w->sources_down ? ROOT_MS : IDLE_MS;
    mu_lease_state(w->lease, "idle");
    mu_bus_wait(w->bus, -1, next >= 0 && next < most ? next : most);
    mu_lease_state(w->lease, w->draining ? "draining" : "busy");
}

/* What is held by now has been run or handed back; only results are under way. */
static void finish_drain(struct mu_worker *w)
{
    struct mu_error err = {0};
    mu_drain_arrivals(w);
    if (!mu_results_confirm(w->results, &err))
        mu_log_failure(MU_WARNING, &err, "what is not confirmed comes out of the queue again");
    if (!mu_bus_flush(w->bus, 1000, &err))
        mu_log_failure(MU_WARNING, &err, "stopping all the same");
}

bool mu_worker_run(struct mu_worker *w, struct mu_error *err)
{
    struct mu_error roots = {0};
    if (!mu_sources_ready(w->sources, &roots)) {
        mu_log_failure(MU_WARNING, &roots, "pulling no tasks until it is there");
        w->sources_down = true;
    }
    w->ride_us = AHEAD_US / w->config->worker_fetch;
    while (mu_worker_tick(w)) {
        if (mu_daemon_should_stop()) {
            mu_drain_begin(w, "asked to stop");
            break;
        }
        mu_control_take(w);
        ask_for_more(w);
        struct mu_delivery *d = take_next(w);
        if (!d) {
            sleep_a_while(w);
            continue;
        }
        if (w->ride_us < AHEAD_US) /* the next ones come while these are run */
            mu_bus_wait(w->bus, -1, 0);
        mu_ride_run(w, d);
        (void)mu_results_step(w->results);
    }
    finish_drain(w);
    if (w->fault.fault != MU_OK)
        *err = w->fault;
    return w->fault.fault == MU_OK;
}

void mu_worker_fini(struct mu_worker *w)
{
    mu_daemon_on_signal(NULL, NULL);
    mu_lease_free(w->lease);
    if (w->registered)
        mu_agent_leave(&w->agent, w->bus);
    for (size_t i = 0; i < w->lane_count; i++)
        mu_pull_free(w->lanes[i].pull);
    free(w->lanes);
    mu_sub_free(w->control);
    mu_sub_free(w->control_all);
    mu_stops_free(w->stops);
    mu_results_free(w->results);
    mu_packs_free(w->packs);
    mu_json_arena_free(w->arena);
    mu_text_free(&w->tally.counts);
    mu_text_free(&w->tally.text);
    mu_sources_free(w->sources);
    mu_agent_fini(&w->agent);
    mu_bus_free(w->bus);
}
