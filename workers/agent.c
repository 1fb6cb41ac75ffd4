/* SPDX-License-Identifier: Apache-2.0 */
#include "agent.h"
#include "base/clock.h"
#include "daemon/daemon.h"
#include "engine/check.h"
#include "engine/reader.h"
#include "format/json.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#define ENTRY_MAX ((size_t)512 << 10)
#define HELD_MOST 1024 /* schemas/agent.json */

static void put_checks(struct mu_text *t)
{
    const struct mu_check *check;
    mu_json_key(t, "checks");
    mu_text_putc(t, '[');
    for (size_t i = 0; (check = mu_check_at(i)); i++) {
        mu_text_puts(t, i ? ",{" : "{");
        mu_json_put_text(t, "name", check->name);
        mu_json_put_int(t, "version", check->version);
        mu_text_putc(t, '}');
    }
    mu_text_putc(t, ']');
}

static void put_texts(struct mu_text *t, const char *key, const char *(*at)(const void *ctx, size_t i),
                      const void *ctx)
{
    const char *text;
    mu_json_key(t, key);
    mu_text_putc(t, '[');
    for (size_t i = 0; (text = at(ctx, i)); i++) {
        if (i)
            mu_text_putc(t, ',');
        mu_text_add_json(t, mu_span_of(text));
    }
    mu_text_putc(t, ']');
}

static const char *queue_at(const void *ctx, size_t i)
{
    const struct mu_list *queues = ctx;
    return i < queues->count ? queues->at[i] : NULL;
}

static const char *format_at(const void *ctx, size_t i)
{
    (void)ctx;
    return mu_reader_format(i);
}

bool mu_agent_init(struct mu_agent *a, const struct mu_config *config, struct mu_error *err)
{
    char name[400], started[MU_RFC3339_MAX];
    *a = (struct mu_agent){.config = config, .fixed = MU_TEXT(ENTRY_MAX)};
    if (gethostname(a->host, sizeof(a->host) - 1) != 0)
        snprintf(a->host, sizeof(a->host), "unknown");
    snprintf(name, sizeof(name), "%s-%d", a->host, (int)getpid());
    mu_token_from(config->agent_id && config->agent_id[0] ? config->agent_id : name, a->id);
    mu_id_format(mu_id_new(), a->incarnation);
    mu_subject_control(a->endpoint, a->id);
    mu_rfc3339_format(mu_wall_us(), started);

    struct mu_text *t = &a->fixed;
    mu_text_puts(t, "{\"v\":1");
    mu_json_put_text(t, "agent", a->id);
    mu_json_put_text(t, "incarnation", a->incarnation);
    mu_json_put_text(t, "type", config->agent_type);
    mu_json_put_text(t, "endpoint", a->endpoint);
    put_texts(t, "queues", queue_at, &config->worker_queues);
    put_checks(t);
    put_texts(t, "formats", format_at, NULL);
    mu_json_put_text(t, "host", a->host);
    mu_json_put_int(t, "pid", getpid());
    mu_json_put_text(t, "version", MUSTER_VERSION);
    mu_json_put_text(t, "started_at", started);
    return mu_text_ok(t, err);
}

static void write_entry(const struct mu_agent *a, const struct mu_load *load, struct mu_text *t)
{
    char when[MU_RFC3339_MAX];
    mu_text_add(t, mu_text_span(&a->fixed));
    mu_json_put_text(t, "state", load->state);
    mu_json_key(t, "tasks");
    mu_text_putc(t, '[');
    for (size_t i = 0; i < load->held_count && i < HELD_MOST; i++) {
        const struct mu_held *h = &load->held[i];
        mu_rfc3339_format(h->since_us, when);
        mu_text_puts(t, i ? ",{" : "{");
        mu_json_put_text(t, "task_id", h->task_id);
        mu_json_put_text(t, "ride_id", h->ride_id);
        mu_json_put_int(t, "n", h->n);
        mu_json_put_text(t, "since", when);
        mu_text_putc(t, '}');
    }
    mu_text_putc(t, ']');
    mu_json_put_int(t, "settled", load->settled);
    mu_rfc3339_format(mu_wall_us(), when);
    mu_json_put_text(t, "updated_at", when);
    mu_text_putc(t, '}');
}

/* What stands in the registry under our id. */
struct standing {
    bool present, ours, gone; /* gone: a process of this host that is no more */
    uint64_t sequence;
    char host[256];
};

static bool look(const struct mu_agent *a, struct mu_bus *bus, struct standing *out, struct mu_error *err)
{
    MU_AUTO(mu_entry_free) struct mu_entry e = {0};
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    if (!mu_kv_get(bus, MU_BUCKET_AGENTS, a->id, &e, err))
        return false;
    *out = (struct standing){.present = e.present, .sequence = e.sequence};
    if (!e.present || !mu_json_parse(&doc, mu_text_span(&e.value), ENTRY_MAX * 2, NULL))
        return true;
    const char *incarnation = mu_json_text(doc, "incarnation"), *host = mu_json_text(doc, "host");
    out->ours = incarnation && strcmp(incarnation, a->incarnation) == 0;
    snprintf(out->host, sizeof(out->host), "%.200s", host ? host : "an unknown host");
    int64_t pid = mu_json_int(doc, "pid", 0);
    out->gone = host && strcmp(host, a->host) == 0 && pid > 0 &&
                (pid == getpid() || (kill((pid_t)pid, 0) != 0 && errno == ESRCH));
    return true;
}

static bool taken(struct mu_error *err, const struct mu_agent *a, const struct standing *s)
{
    mu_reject(err, "conflict", "", "the agent id %s is held by a living process on %s", a->id, s->host);
    return mu_hint(err, "give this one another agent.id, or stop that one");
}

/* An entry that stands still for two heartbeats belongs to nobody alive. */
static bool wait_still(const struct mu_agent *a, struct mu_bus *bus, struct standing *s, struct mu_error *err)
{
    int64_t until = mu_clock_ms() + 2 * a->config->worker_heartbeat_ms + 500;
    uint64_t first = s->sequence;
    while (mu_clock_ms() < until) {
        if (!mu_daemon_wait(a->config->worker_heartbeat_ms / 4 + 1))
            return mu_fail_code(err, MU_UNAVAILABLE, "stopping",
                                "asked to stop while waiting for the agent id %s", a->id);
        if (!look(a, bus, s, err))
            return false;
        if (!s->present)
            return true;
        if (s->sequence != first)
            return taken(err, a, s);
    }
    return true;
}

static bool put_entry(struct mu_agent *a, struct mu_bus *bus, const struct mu_load *load, uint64_t expected,
                      struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text t = MU_TEXT(ENTRY_MAX);
    write_entry(a, load, &t);
    return mu_text_ok(&t, err) &&
           mu_kv_cas(bus, MU_BUCKET_AGENTS, a->id, expected, mu_text_span(&t), &a->sequence, err);
}

bool mu_agent_register(struct mu_agent *a, struct mu_bus *bus, struct mu_error *err)
{
    struct standing s;
    struct mu_load idle = {.state = "idle"};
    if (!look(a, bus, &s, err))
        return mu_while(err, "registering agent %s", a->id);
    if (s.present && !s.ours && !s.gone && !wait_still(a, bus, &s, err))
        return false;
    if (put_entry(a, bus, &idle, s.sequence, err))
        return true;
    if (err->fault != MU_LOST)
        return mu_while(err, "registering agent %s", a->id);
    mu_error_clear(err); /* two started at once */
    return taken(err, a, &s);
}

bool mu_agent_beat(struct mu_agent *a, struct mu_bus *bus, const struct mu_load *load, struct mu_error *err)
{
    struct mu_error first = {0};
    struct standing s;
    if (put_entry(a, bus, load, a->sequence, &first))
        return true;
    if (first.fault != MU_LOST)
        return mu_fail_code(err, first.fault, first.code, "%s", first.text);
    /* the entry has expired, or the store was rolled back, or another has the id */
    if (!look(a, bus, &s, err))
        return false;
    if (s.present && !s.ours)
        return mu_fail(err, MU_LOST, "another process on %s has taken the agent id %s", s.host, a->id);
    return put_entry(a, bus, load, s.sequence, err);
}

void mu_agent_leave(struct mu_agent *a, struct mu_bus *bus)
{
    struct mu_error ignored = {0}; /* the entry expires by itself */
    (void)!mu_kv_purge(bus, MU_BUCKET_AGENTS, a->id, a->sequence, &ignored);
}

void mu_agent_fini(struct mu_agent *a)
{
    mu_text_free(&a->fixed);
}
