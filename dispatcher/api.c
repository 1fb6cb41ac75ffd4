/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"
#include "base/clock.h"
#include "base/log.h"
#include "batch.h"
#include "daemon/failpoint.h"
#include "operate.h"
#include "packs.h"
#include "policy.h"
#include "refusal.h"
#include "statements.h"

enum { SUBMIT, STATUS, PING, CANCEL, RETRY, DEAD, LOAD, EXCEPTIONS, WAIVE, REVOKE, ENDPOINTS };
static const struct mu_endpoint endpoints[ENDPOINTS] = {
    [SUBMIT] = {"submit", MU_SUBJECT_API "submit"},
    [STATUS] = {"status", MU_SUBJECT_API "status"},
    [PING] = {"ping", MU_SUBJECT_API "ping"},
    [CANCEL] = {"cancel", MU_SUBJECT_API "cancel"},
    [RETRY] = {"retry", MU_SUBJECT_API "retry"},
    [DEAD] = {"dead", MU_SUBJECT_API "dead"},
    [LOAD] = {"load", MU_SUBJECT_API "load"},
    [EXCEPTIONS] = {"exceptions", MU_SUBJECT_API "exceptions"},
    [WAIVE] = {"waive", MU_SUBJECT_API "waive"},
    [REVOKE] = {"revoke", MU_SUBJECT_API "revoke"},
};
#define INTAKE_AT_ONCE 500

bool api_learn_intake(struct dispatcher *d, struct mu_error *err)
{
    struct mu_stream_state state;
    bool found = false;
    if (!mu_stream_find(d->bus, MU_STREAM_INTAKE, &found, &state, err))
        return false;
    if (found)
        snprintf(d->intake_created, sizeof(d->intake_created), "%s", state.created);
    return true;
}

static void write_counters(void *dispatcher, struct mu_text *out)
{
    counters_write(dispatcher, out);
}

bool api_open(struct dispatcher *d, struct mu_error *err)
{
    const struct mu_pull_options intake = {.stream = MU_STREAM_INTAKE, .consumer = MU_CONSUMER_INTAKE};
    if (!api_learn_intake(d, err) || !mu_pull_open(&d->intake, d->bus, &intake, err) ||
        !mu_service_open(&d->service, d->bus, MU_SERVICE, MUSTER_VERSION, "Takes compliance jobs and tells how they stand",
                         endpoints, ENDPOINTS, err))
        return false;
    mu_service_on_stats(d->service, STATUS, write_counters, d);
    return true;
}

void api_close(struct dispatcher *d)
{
    mu_service_free(d->service);
    d->service = NULL;
    mu_pull_free(d->intake);
    d->intake = NULL;
}

static void refuse(struct dispatcher *d, size_t endpoint, const struct mu_message *m, const struct mu_error *why)
{
    MU_AUTO(mu_text_free) struct mu_text body = {0};
    refusal_write(&body, why);
    mu_service_answer(d->service, endpoint, m->reply, mu_text_span(&body), why, 0);
}

/* What anybody is told while the database is away. */
static void database_away(size_t endpoint, struct mu_error *err)
{
    static const char again[] = "ask again later", twice[] = "ask again later: doing it twice is doing it once";
    static const struct { const char *consequence, *hint; } told[ENDPOINTS] = {
        [SUBMIT] = {"nothing is stored", "send it again later, or publish it to " MU_SUBJECT_INTAKE ", which stores it now"},
        [STATUS] = {"nobody can tell how the job stands", again},
        [CANCEL] = {"nothing is done", twice},
        [RETRY] = {"nothing is done", twice},
        [DEAD] = {"nobody can tell what is dead", again},
        [LOAD] = {"nothing is loaded", twice},
        [EXCEPTIONS] = {"nobody can tell what is open", again},
        [WAIVE] = {"nothing is waived", twice},
        [REVOKE] = {"nothing is revoked", twice},
    };
    mu_error_clear(err);
    mu_fail_code(err, MU_UNAVAILABLE, "unavailable", "the database cannot be reached; %s", told[endpoint].consequence);
    mu_hint(err, "%s", told[endpoint].hint);
}

static bool find_status(struct dispatcher *d, const struct mu_message *m, struct mu_rows **rows, struct mu_error *err)
{
    MU_AUTO(mu_json_free) json_t *question = NULL;
    struct mu_id id;
    if (!mu_json_parse(&question, m->body, 4096, err))
        return false;
    struct mu_span job = mu_json_span(question, "job_id"), key = mu_json_span(question, "id");
    if (!job.at && !key.at)
        return mu_reject(err, "invalid", "", "want {\"job_id\":\"…\"} or {\"id\":\"<key>\"}");
    if (job.at && !mu_id_parse(job, &id))
        return mu_reject(err, "invalid", "/job_id", "want the id that the receipt had");
    mu_args_reset(d->args);
    if (job.at)
        mu_arg_text(d->args, job);
    else
        mu_arg_null(d->args);
    mu_arg_text(d->args, job.at ? mu_span_of("") : key);
    if (!mu_store_run(d->store, SQL_JOB_STATUS, d->args, rows, err)) {
        if (err->fault == MU_UNAVAILABLE)
            database_away(STATUS, err);
        return false;
    }
    if (mu_row_null(*rows, 0, 0))
        return mu_reject(err, "not_found", job.at ? "/job_id" : "/id", "there is no such job");
    return true;
}

static void status(struct dispatcher *d, const struct mu_message *m)
{
    struct mu_error err = {0};
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    int64_t began = mu_clock_us();
    if (d->store_next_ms)
        database_away(STATUS, &err);
    else if (find_status(d, m, &rows, &err)) {
        mu_service_answer(d->service, STATUS, m->reply, mu_row_span(rows, 0, 0), NULL, mu_clock_us() - began);
        return;
    }
    if (!mu_store_alive(d->store) && !d->store_next_ms)
        d->store_next_ms = mu_clock_ms();
    refuse(d, STATUS, m, &err);
}

/* The answer follows the commit; agents and queue hear of it at once, or from the leader if that fails here. */
static void operate(struct dispatcher *d, size_t endpoint, const struct mu_message *m)
{
    static const enum operation operations[ENDPOINTS] = {
        [CANCEL] = OPERATE_CANCEL, [RETRY] = OPERATE_RETRY, [DEAD] = OPERATE_DEAD,
        [EXCEPTIONS] = OPERATE_EXCEPTIONS, [WAIVE] = OPERATE_WAIVE, [REVOKE] = OPERATE_REVOKE};
    struct mu_error err = {0}, later = {0};
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    int64_t began = mu_clock_us();
    if (d->store_next_ms || !operate_run(d, operations[endpoint], m->body, &rows, &err)) {
        if (d->store_next_ms || err.fault == MU_UNAVAILABLE)
            database_away(endpoint, &err);
        if (!mu_store_alive(d->store) && !d->store_next_ms)
            d->store_next_ms = mu_clock_ms();
        refuse(d, endpoint, m, &err);
        return;
    }
    if ((endpoint == CANCEL || endpoint == RETRY) && !policy_write(d, &later))
        mu_log_failure(MU_WARNING, &later, "agents are told by the leader");
    MU_FAILPOINT("dispatcher.after_policy");
    mu_service_answer(d->service, endpoint, m->reply, mu_row_span(rows, 0, 0), NULL, mu_clock_us() - began);
    mu_error_clear(&later);
    if (endpoint == CANCEL && !operate_withdraw(d, rows, 1, &later))
        mu_log_failure(MU_WARNING, &later, "the reconciler deletes the queue messages");
}

/* A refusal may have more to say than one mistake: then it is written already. */
static void load(struct dispatcher *d, const struct mu_message *m)
{
    struct mu_error err = {0};
    MU_AUTO(mu_text_free) struct mu_text answer = {0};
    int64_t began = mu_clock_us();
    bool loaded = !d->store_next_ms && packs_load(d, m->body, &answer, &err);
    if (!loaded && (d->store_next_ms || err.fault == MU_UNAVAILABLE)) {
        database_away(LOAD, &err);
        mu_text_reset(&answer);
    }
    if (!loaded && !mu_store_alive(d->store) && !d->store_next_ms)
        d->store_next_ms = mu_clock_ms();
    if (!answer.len)
        refuse(d, LOAD, m, &err);
    else
        mu_service_answer(d->service, LOAD, m->reply, mu_text_span(&answer), loaded ? NULL : &err, mu_clock_us() - began);
}

/* Touches no database. */
static void ping(struct dispatcher *d, const struct mu_message *m)
{
    static const char answer[] = "{\"ok\":true,\"service\":\"" MU_SERVICE "\",\"version\":\"" MUSTER_VERSION "\"}";
    mu_service_answer(d->service, PING, m->reply, mu_span_of(answer), NULL, 0);
}

static void submit(struct dispatcher *d, struct mu_message *m)
{
    struct mu_error err = {0};
    if (d->store_next_ms)
        database_away(SUBMIT, &err);
    else if (batch_add(d->batch, m, false, SUBMIT, &err))
        return;
    else if (err.fault == MU_UNAVAILABLE)
        database_away(SUBMIT, &err);
    refuse(d, SUBMIT, m, &err);
    mu_message_free(m);
}

static void take_intake(struct dispatcher *d)
{
    struct mu_message *m;
    bool ready = !d->store_next_ms && d->compared;
    mu_pull_want(d->intake, ready ? INTAKE_AT_ONCE : 0);
    while (d->batch->job_count < (size_t)d->config->dispatcher_commit_jobs && (m = mu_pull_take(d->intake))) {
        struct mu_error err = {0}, ignored = {0};
        if (ready && batch_add(d->batch, m, true, 0, &err))
            continue;
        (void)!mu_nak(d->bus, m, 2000, &ignored); /* it stays in its stream */
        mu_message_free(m);
    }
}

void api_refuse(struct dispatcher *d)
{
    struct mu_message *m;
    size_t endpoint = 0;
    while ((m = mu_service_take(d->service, &endpoint))) {
        struct mu_error err = {0};
        if (endpoint == PING) {
            ping(d, m);
        } else {
            database_away(endpoint, &err);
            refuse(d, endpoint, m, &err);
        }
        mu_message_free(m);
    }
}

void api_take(struct dispatcher *d)
{
    struct mu_message *m;
    size_t endpoint = 0;
    d->phase = TAKING;
    while (d->batch->job_count < (size_t)d->config->dispatcher_commit_jobs && (m = mu_service_take(d->service, &endpoint))) {
        if (endpoint == SUBMIT) {
            submit(d, m);
            continue;
        }
        if (endpoint == STATUS)
            status(d, m);
        else if (endpoint == PING)
            ping(d, m);
        else if (endpoint == LOAD)
            load(d, m);
        else
            operate(d, endpoint, m);
        mu_message_free(m);
    }
    take_intake(d);
    d->phase = RESTING;
}
