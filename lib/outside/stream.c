/* SPDX-License-Identifier: Apache-2.0 */
/* What muster asks of streams and consumers by the JSON API, and reads of them by direct get. */
#include "outside/bus_inside.h"
#include "base/clock.h"
#include "format/json.h"

#define API_TIMEOUT_MS 5000
#define API_ANSWER_MAX ((size_t)4 << 20)

enum { NOT_FOUND_STREAM = 10059, NOT_FOUND_CONSUMER = 10014, NOT_FOUND_MESSAGE = 10037, DELETED_MESSAGE = 10043 };

static bool ask(struct mu_bus *bus, const char *what, struct mu_span body, struct mu_message **out, struct mu_error *err)
{
    char subject[2 * MU_SUBJECT_MAX];
    int len = snprintf(subject, sizeof(subject), "%s.%s", bus->api, what);
    if (len < 0 || (size_t)len >= sizeof(subject))
        return mu_fail(err, MU_BROKEN, "the API subject for %s is too long", what);
    if (!mu_bus_request(bus, subject, body, NULL, 0, API_TIMEOUT_MS, out, err))
        return mu_while(err, "asking the broker for %s", what);
    return true;
}

bool mu_js_api(struct mu_bus *bus, const char *what, struct mu_span body, struct mu_text *answer, struct mu_error *err)
{
    MU_AUTO(mu_message_free) struct mu_message *m = NULL;
    if (!ask(bus, what, body, &m, err))
        return false;
    mu_text_add(answer, m->body);
    return mu_text_ok(answer, err);
}

/* The answer as JSON. *code is the broker's error code, or 0. */
static bool ask_json(struct mu_bus *bus, const char *what, struct mu_span body, json_t **out, int *code,
                     struct mu_error *err)
{
    MU_AUTO(mu_message_free) struct mu_message *m = NULL;
    if (!ask(bus, what, body, &m, err))
        return false;
    if (!mu_json_parse(out, m->body, API_ANSWER_MAX, err))
        return mu_while(err, "reading the broker's answer to %s", what);
    const json_t *error = json_object_get(*out, "error");
    *code = error ? (int)mu_json_int(error, "err_code", 1) : 0;
    return true;
}

static bool refused(const json_t *doc, const char *what, int code, struct mu_error *err)
{
    const char *text = mu_json_text(json_object_get(doc, "error"), "description");
    return mu_fail(err, MU_UNAVAILABLE, "the broker refused %s: %s (%d)", what, text ? text : "no reason", code);
}

static uint64_t unsigned_of(const json_t *object, const char *key)
{
    return (uint64_t)mu_json_int(object, key, 0);
}

/* Servers from 2.11 on note themselves in what they hold: the only way to learn a hub's version through a leaf. */
static void note_hub(struct mu_bus *bus, const json_t *config)
{
    const char *version = mu_json_text(json_object_get(config, "metadata"), "_nats.ver");
    if (!version || !bus->domain[0] || bus->hub_version[0])
        return;
    snprintf(bus->hub_version, sizeof(bus->hub_version), "%.30s", version);
}

/* The broker writes nanoseconds; what is finer than a microsecond is cut off. */
static int64_t parse_time(const char *text)
{
    char cut[40];
    int64_t us = 0;
    const char *dot = text ? strchr(text, '.') : NULL;
    size_t digits = dot ? strspn(dot + 1, "0123456789") : 0;
    if (!text)
        return 0;
    if (digits > 6) {
        snprintf(cut, sizeof(cut), "%.*s%s", (int)(dot - text) + 7, text, dot + 1 + digits);
        text = cut;
    }
    return mu_rfc3339_parse(mu_span_of(text), &us) ? us : 0;
}

bool mu_stream_find(struct mu_bus *bus, const char *stream, bool *found, struct mu_stream_state *out,
                    struct mu_error *err)
{
    char what[MU_SUBJECT_MAX];
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    int code = 0;
    snprintf(what, sizeof(what), "STREAM.INFO.%s", stream);
    if (!ask_json(bus, what, mu_span("", 0), &doc, &code, err))
        return false;
    if (code == NOT_FOUND_STREAM) {
        *found = false;
        return true;
    }
    if (code)
        return refused(doc, what, code, err);
    note_hub(bus, json_object_get(doc, "config"));
    const json_t *state = json_object_get(doc, "state");
    struct mu_stream_state s = {
        .now_us = parse_time(mu_json_text(doc, "ts")),
        .first_sequence = unsigned_of(state, "first_seq"), .last_sequence = unsigned_of(state, "last_seq"),
        .messages = unsigned_of(state, "messages"), .bytes = unsigned_of(state, "bytes"),
        .max_bytes = mu_json_int(json_object_get(doc, "config"), "max_bytes", -1),
    };
    if (!mu_copy_text(s.created, sizeof(s.created), mu_json_span(doc, "created")) || !s.now_us)
        return mu_fail(err, MU_BROKEN, "the broker's answer to %s does not tell its time or that of creation", what);
    *out = s;
    *found = true;
    return true;
}

bool mu_consumer_find(struct mu_bus *bus, const char *stream, const char *consumer, bool *found,
                      struct mu_consumer_state *out, struct mu_error *err)
{
    char what[2 * MU_SUBJECT_MAX];
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    int code = 0;
    snprintf(what, sizeof(what), "CONSUMER.INFO.%s.%s", stream, consumer);
    if (!ask_json(bus, what, mu_span("", 0), &doc, &code, err))
        return false;
    if (code == NOT_FOUND_CONSUMER || code == NOT_FOUND_STREAM) {
        *found = false;
        return true;
    }
    if (code)
        return refused(doc, what, code, err);
    *out = (struct mu_consumer_state){
        .created_us = parse_time(mu_json_text(doc, "created")),
        .delivered_stream_sequence = unsigned_of(json_object_get(doc, "delivered"), "stream_seq"),
        .ack_floor_stream_sequence = unsigned_of(json_object_get(doc, "ack_floor"), "stream_seq"),
        .pending = unsigned_of(doc, "num_pending"), .ack_pending = unsigned_of(doc, "num_ack_pending"),
        .waiting = unsigned_of(doc, "num_waiting"), .redelivered = unsigned_of(doc, "num_redelivered"),
    };
    *found = true;
    return true;
}

static bool direct_get(struct mu_bus *bus, const char *stream, struct mu_span body, struct mu_message **out,
                       struct mu_error *err)
{
    char what[MU_SUBJECT_MAX];
    MU_AUTO(mu_message_free) struct mu_message *m = NULL;
    snprintf(what, sizeof(what), "DIRECT.GET.%s", stream);
    if (!ask(bus, what, body, &m, err))
        return false;
    int status = mu_message_status(m);
    if (status == 404) {
        *out = NULL;
        return true;
    }
    const char *subject = mu_message_header(m, "Nats-Subject"), *sequence = mu_message_header(m, "Nats-Sequence");
    int64_t number;
    if (status || !subject || !sequence || !mu_parse_i64(mu_span_of(sequence), 1, INT64_MAX, &number))
        return mu_fail(err, MU_UNAVAILABLE, "the broker's answer to %s is no message (status %d)", what, status);
    m->subject = subject;
    m->stream_sequence = (uint64_t)number;
    m->stored_us = parse_time(mu_message_header(m, "Nats-Time-Stamp"));
    *out = MU_GIVE(m);
    return true;
}

/* *there is false if there is no such stream. */
static bool ask_leader(struct mu_bus *bus, const char *stream, struct mu_span which, bool *there, struct mu_message **out,
                       struct mu_error *err)
{
    char what[MU_SUBJECT_MAX];
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    int code = 0;
    snprintf(what, sizeof(what), "STREAM.MSG.GET.%s", stream);
    if (!ask_json(bus, what, which, &doc, &code, err))
        return false;
    if (code && code != NOT_FOUND_MESSAGE && code != DELETED_MESSAGE && code != NOT_FOUND_STREAM)
        return refused(doc, what, code, err);
    *there = code != NOT_FOUND_STREAM;
    if (code) {
        *out = NULL;
        return true;
    }
    const json_t *message = json_object_get(doc, "message");
    if (!message_stored(message, out, err))
        return mu_while(err, "reading the broker's answer to %s", what);
    (*out)->stored_us = parse_time(mu_json_text(message, "time"));
    return true;
}

bool stream_ask_leader(struct mu_bus *bus, const char *stream, struct mu_span which, struct mu_message **out,
                       struct mu_error *err)
{
    bool there;
    struct mu_message *m = NULL;
    if (!ask_leader(bus, stream, which, &there, &m, err))
        return false;
    if (!there)
        return mu_fail(err, MU_UNAVAILABLE, "the broker has no stream %s", stream);
    *out = m;
    return true;
}

bool stream_read(struct mu_bus *bus, const char *stream, struct mu_span which, bool newest, bool *there,
                 struct mu_message **out, struct mu_error *err)
{
    struct mu_error why = {0};
    struct mu_message *m = NULL;
    if (newest && bus->clustered)
        return ask_leader(bus, stream, which, there, out, err);
    bool answered = direct_get(bus, stream, which, &m, &why);
    if (answered && (m || !bus->clustered)) {
        *there = true;
        *out = m;
        return true;
    }
    if (!answered && strcmp(why.code, "no_responders") != 0)
        return mu_fail_code(err, why.fault, why.code, "%s", why.text);
    return ask_leader(bus, stream, which, there, out, err);
}

bool mu_stream_get(struct mu_bus *bus, const char *stream, uint64_t sequence, struct mu_message **out,
                   struct mu_error *err)
{
    char body[64];
    struct mu_message *m = NULL;
    int len = snprintf(body, sizeof(body), "{\"seq\":%llu}", (unsigned long long)sequence);
    if (!direct_get(bus, stream, mu_span(body, (size_t)len), &m, err))
        return false;
    if (!m && bus->clustered) /* a replica that lags behind does not have it yet */
        return stream_ask_leader(bus, stream, mu_span(body, (size_t)len), out, err);
    *out = m;
    return true;
}

bool mu_stream_next(struct mu_bus *bus, const char *stream, uint64_t sequence, const char *filter,
                    struct mu_message **out, struct mu_error *err)
{
    char body[MU_SUBJECT_MAX + 80];
    int len = snprintf(body, sizeof(body), "{\"seq\":%llu,\"next_by_subj\":\"%s\"}",
                       (unsigned long long)(sequence ? sequence : 1), filter);
    if (len < 0 || (size_t)len >= sizeof(body))
        return mu_fail(err, MU_BROKEN, "the subject filter %s is too long", filter);
    return direct_get(bus, stream, mu_span(body, (size_t)len), out, err);
}

bool mu_stream_get_leader(struct mu_bus *bus, const char *stream, uint64_t sequence, bool *found,
                          char subject[MU_SUBJECT_MAX], char id[80], struct mu_error *err)
{
    char body[64];
    MU_AUTO(mu_message_free) struct mu_message *m = NULL;
    int len = snprintf(body, sizeof(body), "{\"seq\":%llu}", (unsigned long long)sequence);
    if (!stream_ask_leader(bus, stream, mu_span(body, (size_t)len), &m, err))
        return false;
    *found = m != NULL;
    if (!m)
        return true;
    const char *header = mu_message_header(m, "Nats-Msg-Id");
    if (!mu_copy_text(subject, MU_SUBJECT_MAX, mu_span_of(m->subject)))
        return mu_fail(err, MU_REJECTED, "message %llu of %s has a subject longer than ours",
                       (unsigned long long)sequence, stream);
    if (!mu_copy_text(id, 80, mu_span_of(header ? header : "")))
        id[0] = '\0'; /* none of ours */
    return true;
}

bool mu_stream_last(struct mu_bus *bus, const char *stream, const char *pattern, uint64_t *sequence, struct mu_error *err)
{
    char which[MU_SUBJECT_MAX + 32];
    MU_AUTO(mu_message_free) struct mu_message *m = NULL;
    snprintf(which, sizeof(which), "{\"last_by_subj\":\"%s\"}", pattern);
    if (!stream_ask_leader(bus, stream, mu_span_of(which), &m, err))
        return mu_while(err, "looking for the last message of %s", stream);
    *sequence = m ? m->stream_sequence : 0;
    return true;
}

bool mu_stream_delete(struct mu_bus *bus, const char *stream, uint64_t sequence, struct mu_error *err)
{
    char what[MU_SUBJECT_MAX], body[80];
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    int code = 0;
    snprintf(what, sizeof(what), "STREAM.MSG.DELETE.%s", stream);
    int len = snprintf(body, sizeof(body), "{\"seq\":%llu,\"no_erase\":true}", (unsigned long long)sequence);
    if (!ask_json(bus, what, mu_span(body, (size_t)len), &doc, &code, err))
        return false;
    if (code && code != NOT_FOUND_MESSAGE && code != DELETED_MESSAGE)
        return refused(doc, what, code, err);
    return true;
}

static bool purge(struct mu_bus *bus, const char *stream, struct mu_span body, struct mu_error *err)
{
    char what[MU_SUBJECT_MAX];
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    int code = 0;
    snprintf(what, sizeof(what), "STREAM.PURGE.%s", stream);
    return ask_json(bus, what, body, &doc, &code, err) && (!code || refused(doc, what, code, err));
}

bool mu_stream_purge(struct mu_bus *bus, const char *stream, uint64_t sequence, struct mu_error *err)
{
    char body[64];
    int len = snprintf(body, sizeof(body), "{\"seq\":%llu}", (unsigned long long)sequence);
    return purge(bus, stream, mu_span(body, (size_t)len), err);
}

bool mu_stream_purge_subject(struct mu_bus *bus, const char *stream, const char *subject, uint64_t sequence,
                             struct mu_error *err)
{
    char body[MU_SUBJECT_MAX + 80];
    int len = snprintf(body, sizeof(body), "{\"filter\":\"%s\",\"seq\":%llu}", subject, (unsigned long long)sequence);
    if (len < 0 || (size_t)len >= sizeof(body))
        return mu_fail(err, MU_BROKEN, "the subject %s is too long", subject);
    return purge(bus, stream, mu_span(body, (size_t)len), err);
}

bool mu_consumer_delete(struct mu_bus *bus, const char *stream, const char *consumer, struct mu_error *err)
{
    char what[2 * MU_SUBJECT_MAX];
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    int code = 0;
    snprintf(what, sizeof(what), "CONSUMER.DELETE.%s.%s", stream, consumer);
    if (!ask_json(bus, what, mu_span("", 0), &doc, &code, err))
        return false;
    return !code || code == NOT_FOUND_CONSUMER || code == NOT_FOUND_STREAM || refused(doc, what, code, err);
}
