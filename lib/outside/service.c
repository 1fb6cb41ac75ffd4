/* SPDX-License-Identifier: Apache-2.0 */
#include "outside/service.h"
#include "base/clock.h"
#include "format/json.h"

#define ENDPOINTS_MAX 16
#define WAITING_MAX 100000 /* beyond it requests are dropped: who asked hears nothing and asks again */
#define DISCOVERY 9

struct endpoint {
    char name[MU_TOKEN_MAX], subject[MU_SUBJECT_MAX];
    struct mu_sub *sub;
    int64_t requests, errors, processing_ns;
    mu_service_data *data; /* NULL: none */
    void *data_ctx;
    char last_error[200];
};

struct mu_service {
    struct mu_bus *bus;
    char name[MU_TOKEN_MAX], version[32], description[200], id[MU_ID_MAX];
    int64_t started_us;
    struct endpoint endpoints[ENDPOINTS_MAX];
    size_t count, turn;
    struct mu_sub *discovery[DISCOVERY];
};

static const char *const verbs[] = {"PING", "INFO", "STATS"};

/* Nine subjects: each verb for all services, for this name, for this instance. */
static bool open_discovery(struct mu_service *s, struct mu_error *err)
{
    for (size_t i = 0; i < DISCOVERY; i++) {
        char subject[MU_SUBJECT_MAX];
        const char *verb = verbs[i / 3];
        if (i % 3 == 0)
            snprintf(subject, sizeof(subject), "$SRV.%s", verb);
        else if (i % 3 == 1)
            snprintf(subject, sizeof(subject), "$SRV.%s.%s", verb, s->name);
        else
            snprintf(subject, sizeof(subject), "$SRV.%s.%s.%s", verb, s->name, s->id);
        if (!mu_sub_open(&s->discovery[i], s->bus, subject, NULL, 1000, err))
            return false;
    }
    return true;
}

bool mu_service_open(struct mu_service **out, struct mu_bus *bus, const char *name, const char *version,
                     const char *description, const struct mu_endpoint *endpoints, size_t count, struct mu_error *err)
{
    MU_AUTO(mu_service_free) struct mu_service *s = calloc(1, sizeof(*s));
    if (!s || count > ENDPOINTS_MAX)
        return mu_fail(err, MU_BROKEN, "out of memory");
    s->bus = bus;
    s->started_us = mu_wall_us();
    mu_id_format(mu_id_new(), s->id);
    snprintf(s->name, sizeof(s->name), "%s", name);
    snprintf(s->version, sizeof(s->version), "%s", version);
    snprintf(s->description, sizeof(s->description), "%s", description);
    for (size_t i = 0; i < count; i++) {
        struct endpoint *e = &s->endpoints[s->count++];
        snprintf(e->name, sizeof(e->name), "%s", endpoints[i].name);
        snprintf(e->subject, sizeof(e->subject), "%s", endpoints[i].subject);
        if (!mu_sub_open(&e->sub, bus, e->subject, "q", WAITING_MAX, err))
            return false;
    }
    if (!open_discovery(s, err))
        return false;
    *out = MU_GIVE(s);
    return true;
}

static void write_head(const struct mu_service *s, struct mu_text *out, const char *type)
{
    mu_text_putc(out, '{');
    mu_json_put_text(out, "type", type);
    mu_json_put_text(out, "name", s->name);
    mu_json_put_text(out, "id", s->id);
    mu_json_put_text(out, "version", s->version);
    mu_json_put_raw(out, "metadata", mu_span_of("{}"));
}

static void write_endpoints(const struct mu_service *s, struct mu_text *out, bool stats)
{
    mu_json_key(out, "endpoints");
    mu_text_putc(out, '[');
    for (size_t i = 0; i < s->count; i++) {
        const struct endpoint *e = &s->endpoints[i];
        mu_text_puts(out, i ? ",{" : "{");
        mu_json_put_text(out, "name", e->name);
        mu_json_put_text(out, "subject", e->subject);
        mu_json_put_text(out, "queue_group", "q");
        if (stats) {
            mu_json_put_int(out, "num_requests", e->requests);
            mu_json_put_int(out, "num_errors", e->errors);
            mu_json_put_text(out, "last_error", e->last_error);
            mu_json_put_int(out, "processing_time", e->processing_ns);
            mu_json_put_int(out, "average_processing_time", e->requests ? e->processing_ns / e->requests : 0);
            if (e->data) {
                mu_json_key(out, "data");
                e->data(e->data_ctx, out);
            }
        } else {
            mu_json_put_raw(out, "metadata", mu_span_of("{}"));
        }
        mu_text_putc(out, '}');
    }
    mu_text_putc(out, ']');
}

static void write_answer(const struct mu_service *s, struct mu_text *out, size_t verb)
{
    if (verb == 0) {
        write_head(s, out, "io.nats.micro.v1.ping_response");
    } else if (verb == 1) {
        write_head(s, out, "io.nats.micro.v1.info_response");
        mu_json_put_text(out, "description", s->description);
        write_endpoints(s, out, false);
    } else {
        char started[MU_RFC3339_MAX];
        mu_rfc3339_format(s->started_us, started);
        write_head(s, out, "io.nats.micro.v1.stats_response");
        mu_json_put_text(out, "started", started);
        write_endpoints(s, out, true);
    }
    mu_text_putc(out, '}');
}

static void answer_discovery(struct mu_service *s)
{
    MU_AUTO(mu_text_free) struct mu_text body = {0};
    for (size_t i = 0; i < DISCOVERY; i++) {
        struct mu_message *m;
        while ((m = mu_sub_take(s->discovery[i]))) {
            struct mu_error ignored = {0};
            mu_text_reset(&body);
            write_answer(s, &body, i / 3);
            if (m->reply[0])
                (void)!mu_bus_send(s->bus, m->reply, mu_text_span(&body), NULL, 0, NULL, &ignored);
            mu_message_free(m);
        }
    }
}

struct mu_message *mu_service_take(struct mu_service *s, size_t *endpoint)
{
    answer_discovery(s);
    for (size_t i = 0; i < s->count; i++) { /* in turn, so that no endpoint starves another */
        size_t at = (s->turn + i) % s->count;
        struct mu_message *m = mu_sub_take(s->endpoints[at].sub);
        if (m) {
            s->turn = at + 1;
            *endpoint = at;
            return m;
        }
    }
    return NULL;
}

static const char *number_of(const struct mu_error *error)
{
    static const struct { const char *code, *number; } table[] = {
        {"not_found", "404"}, {"conflict", "409"}, {"too_large", "413"}, {"internal", "500"}, {"unavailable", "503"}};
    for (size_t i = 0; i < MU_COUNT(table); i++)
        if (mu_span_is(mu_span_of(error->code), table[i].code))
            return table[i].number;
    return "400";
}

void mu_service_answer(struct mu_service *s, size_t endpoint, const char *reply, struct mu_span body,
                       const struct mu_error *error, int64_t processing_us)
{
    struct endpoint *e = &s->endpoints[endpoint];
    struct mu_error ignored = {0};
    struct mu_header headers[2];
    size_t count = 0;
    e->requests++;
    e->processing_ns += processing_us * 1000;
    if (error) {
        e->errors++;
        snprintf(e->last_error, sizeof(e->last_error), "%.190s", error->text);
        for (char *at = e->last_error; *at; at++)
            if ((unsigned char)*at < 0x20)
                *at = ' ';
        headers[count++] = (struct mu_header){"Nats-Service-Error", e->last_error};
        headers[count++] = (struct mu_header){"Nats-Service-Error-Code", number_of(error)};
    }
    if (reply[0])
        (void)!mu_bus_send(s->bus, reply, body, headers, count, NULL, &ignored);
}

void mu_service_on_stats(struct mu_service *s, size_t endpoint, mu_service_data *write, void *ctx)
{
    s->endpoints[endpoint].data = write;
    s->endpoints[endpoint].data_ctx = ctx;
}

void mu_service_free(struct mu_service *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        mu_sub_free(s->endpoints[i].sub);
    for (size_t i = 0; i < DISCOVERY; i++)
        mu_sub_free(s->discovery[i]);
    free(s);
}
