/* SPDX-License-Identifier: Apache-2.0 */
/* Publishing into a stream with many messages under way: one wildcard inbox for the PubAcks, a ring of what is
 * unanswered. Not the library's asynchronous publish: its time-outs follow the wall clock, lost PubAcks stay pending
 * for ever, and it stalls inside the call (nats.c#551, #538). */
#include "outside/bus_inside.h"
#include "base/clock.h"
#include "format/json.h"

#define REFUSED_WRONG_LAST 10071

struct under_way {
    uint64_t number, tag;
    int64_t sent_ms;
    bool open;
};

struct mu_flow {
    struct mu_bus *bus;
    struct inbox acks;
    char stream[MU_SUBJECT_MAX], reply_prefix[INBOX_MAX];
    struct under_way *ring; /* of `size`, a power of two, indexed by number */
    size_t size, most, count;
    uint64_t next;          /* number of the next publish */
    uint64_t oldest;        /* no open one has a smaller number */
    int64_t timeout_ms;
};

/* The value behind `"key":` in a flat document, white space allowed; NULL if the key is not there. */
static const char *value_of(struct mu_span body, const char *quoted_key)
{
    const char *at = memmem(body.at, body.len, quoted_key, strlen(quoted_key));
    const char *end = body.at + body.len;
    if (!at)
        return NULL;
    at += strlen(quoted_key);
    while (at < end && (*at == ' ' || *at == ':'))
        at++;
    return at < end ? at : NULL;
}

static bool number_of(struct mu_span body, const char *quoted_key, uint64_t *out)
{
    const char *at = value_of(body, quoted_key), *end = body.at + body.len;
    if (!at || *at < '0' || *at > '9')
        return false;
    uint64_t value = 0;
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    *out = value;
    return true;
}

static enum mu_fault fault_of(int code)
{
    switch (code) {
    case REFUSED_WRONG_LAST:
        return MU_LOST;
    case 10054: /* larger than max_msg_size */
    case 10060: /* not the expected stream */
        return MU_REJECTED;
    default: /* full, no leader, switched off: later */
        return MU_UNAVAILABLE;
    }
}

static bool parse_refusal(const struct mu_message *m, struct mu_puback *out)
{
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    if (!mu_json_parse(&doc, m->body, 64 * 1024, NULL))
        return false;
    const json_t *error = json_object_get(doc, "error");
    const char *text = mu_json_text(error, "description");
    out->ok = false;
    out->err_code = (int)mu_json_int(error, "err_code", 0);
    mu_fail(&out->err, fault_of(out->err_code), "the stream refused it: %s (%d)", text ? text : "no reason given",
            out->err_code);
    return json_is_object(error);
}

bool puback_parse(const struct mu_message *m, const char *stream, struct mu_puback *out)
{
    *out = (struct mu_puback){.tag = out->tag};
    if (!m->body.len) {
        out->err_code = mu_message_status(m);
        mu_fail_code(&out->err, MU_UNAVAILABLE, "no_stream", "no stream takes it (status %d): is %s there, and JetStream on?",
                     out->err_code, stream);
        return true;
    }
    if (value_of(m->body, "\"error\""))
        return parse_refusal(m, out);
    const char *name = value_of(m->body, "\"stream\"");
    size_t len = strlen(stream);
    if (!name || *name != '"' || (size_t)(m->body.at + m->body.len - name) < len + 2 ||
        memcmp(name + 1, stream, len) != 0 || name[len + 1] != '"' || !number_of(m->body, "\"seq\"", &out->sequence))
        return false;
    const char *duplicate = value_of(m->body, "\"duplicate\"");
    out->duplicate = duplicate && *duplicate == 't';
    out->ok = true;
    return true;
}

bool mu_flow_new(struct mu_flow **out, struct mu_bus *bus, const char *stream, size_t most_under_way,
                 int64_t ack_timeout_ms, struct mu_error *err)
{
    struct mu_flow *f = calloc(1, sizeof(*f));
    char subject[INBOX_MAX];
    if (!f)
        return mu_fail(err, MU_BROKEN, "out of memory");
    f->bus = bus;
    f->most = most_under_way;
    f->timeout_ms = ack_timeout_ms;
    f->size = 16;
    while (f->size < most_under_way * 2)
        f->size *= 2;
    f->ring = calloc(f->size, sizeof(*f->ring));
    snprintf(f->reply_prefix, sizeof(f->reply_prefix), "%s.f%u", bus->inbox_prefix, atomic_fetch_add(&bus->next_inbox, 1));
    int len = snprintf(subject, sizeof(subject), "%s.*", f->reply_prefix);
    if (!f->ring || len >= (int)sizeof(subject) || !mu_copy_text(f->stream, sizeof(f->stream), mu_span_of(stream)))
        mu_fail(err, MU_BROKEN, "out of memory");
    else if (inbox_open(&f->acks, bus, subject, NULL, 0, err)) {
        *out = f;
        return true;
    }
    mu_flow_free(f);
    return false;
}

bool mu_flow_publish(struct mu_flow *f, const char *subject, const char *id, struct mu_span body,
                     const struct mu_header *headers, size_t header_count, uint64_t tag, struct mu_error *err)
{
    struct under_way *slot = &f->ring[f->next & (f->size - 1)];
    if (f->count >= f->most || slot->open)
        return mu_fail_code(err, MU_UNAVAILABLE, "busy", "%zu messages to %s are unanswered", f->count, f->stream);
    if (!mu_bus_connected(f->bus))
        return mu_fail(err, MU_UNAVAILABLE, "not connected to the broker");
    struct mu_header all[8];
    size_t count = 0;
    if (id)
        all[count++] = (struct mu_header){"Nats-Msg-Id", id};
    for (size_t i = 0; i < header_count && count < MU_COUNT(all); i++)
        all[count++] = headers[i];
    char reply[INBOX_MAX + 24];
    snprintf(reply, sizeof(reply), "%s.%llu", f->reply_prefix, (unsigned long long)f->next);
    if (!mu_bus_send(f->bus, subject, body, all, count, reply, err))
        return false;
    *slot = (struct under_way){.number = f->next++, .tag = tag, .sent_ms = mu_clock_ms(), .open = true};
    f->count++;
    return true;
}

/* Takes a publish out of the ring. */
static void close_slot(struct mu_flow *f, struct under_way *slot)
{
    slot->open = false;
    f->count--;
    while (f->oldest < f->next && !f->ring[f->oldest & (f->size - 1)].open)
        f->oldest++;
}

static bool settle_answer(struct mu_flow *f, struct mu_message *m, struct mu_puback *out)
{
    int64_t number;
    const char *last = strrchr(m->subject, '.');
    bool settled = false;
    if (last && mu_parse_i64(mu_span_of(last + 1), 0, INT64_MAX, &number)) {
        struct under_way *slot = &f->ring[(uint64_t)number & (f->size - 1)];
        out->tag = slot->tag;
        if (slot->open && slot->number == (uint64_t)number && puback_parse(m, f->stream, out)) {
            close_slot(f, slot);
            settled = true;
        }
    }
    mu_message_free(m);
    return settled;
}

/* The oldest goes first: all have the same time-out. */
static bool settle_timeout(struct mu_flow *f, struct mu_puback *out)
{
    if (!f->count)
        return false;
    struct under_way *slot = &f->ring[f->oldest & (f->size - 1)];
    if (mu_clock_ms() - slot->sent_ms < f->timeout_ms)
        return false;
    char refusal[200];
    bus_refusal(f->bus, refusal);
    *out = (struct mu_puback){.tag = slot->tag};
    mu_fail_code(&out->err, MU_UNAVAILABLE, "timeout", "no PubAck of %s within %lld ms%s%s", f->stream,
                 (long long)f->timeout_ms, refusal[0] ? "; the broker last said: " : "", refusal);
    close_slot(f, slot);
    return true;
}

bool mu_flow_next(struct mu_flow *f, int64_t wait_ms, struct mu_puback *out)
{
    int64_t until = mu_clock_ms() + wait_ms;
    for (;;) {
        struct mu_message *m;
        while ((m = inbox_take(&f->acks, 0)))
            if (settle_answer(f, m, out))
                return true;
        if (settle_timeout(f, out))
            return true;
        int64_t left = until - mu_clock_ms();
        if (left <= 0 || !f->count)
            return false;
        int64_t lease = f->ring[f->oldest & (f->size - 1)].sent_ms + f->timeout_ms - mu_clock_ms();
        if (lease < left)
            left = lease < 1 ? 1 : lease;
        m = inbox_take(&f->acks, left);
        if (m && settle_answer(f, m, out))
            return true;
    }
}

size_t mu_flow_under_way(const struct mu_flow *f)
{
    return f->count;
}

void mu_flow_free(struct mu_flow *f)
{
    if (!f)
        return;
    inbox_fini(&f->acks);
    free(f->ring);
    free(f);
}

bool mu_bus_publish(struct mu_bus *bus, const char *stream, const char *subject, const char *id, struct mu_span body,
                    const struct mu_header *headers, size_t header_count, int64_t timeout_ms, struct mu_puback *ack,
                    struct mu_error *err)
{
    struct mu_header all[8];
    size_t count = 0;
    if (id)
        all[count++] = (struct mu_header){"Nats-Msg-Id", id};
    for (size_t i = 0; i < header_count && count < MU_COUNT(all); i++)
        all[count++] = headers[i];
    MU_AUTO(mu_message_free) struct mu_message *m = NULL;
    *ack = (struct mu_puback){0};
    if (!mu_bus_request(bus, subject, body, all, count, timeout_ms, &m, err))
        return false;
    if (!puback_parse(m, stream, ack))
        return mu_fail(err, MU_UNAVAILABLE, "what answered %s is no PubAck of %s", subject, stream);
    if (ack->ok)
        return true;
    return mu_fail_code(err, ack->err.fault, ack->err.code, "could not publish to %s: %s", subject, ack->err.text);
}
