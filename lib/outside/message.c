/* SPDX-License-Identifier: Apache-2.0 */
#include "outside/bus_inside.h"
#include "base/clock.h"

/* The next token of an ack subject as a number. */
static bool next_number(const char **at, uint64_t *out)
{
    uint64_t value = 0;
    const char *p = *at;
    if (*p < '0' || *p > '9')
        return false;
    for (; *p >= '0' && *p <= '9'; p++)
        value = value * 10 + (uint64_t)(*p - '0');
    if (*p && *p != '.')
        return false;
    *at = *p ? p + 1 : p;
    *out = value;
    return true;
}

/* $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<ns>.<pending> has 9 tokens; the second form,
 * with domain and account before the stream, 11 or 12 (JETSTREAM.md §6). */
static void parse_ack_subject(struct mu_message *m)
{
    if (strncmp(m->reply, "$JS.ACK.", 8) != 0)
        return;
    size_t tokens = 1;
    for (const char *p = m->reply; *p; p++)
        tokens += *p == '.';
    size_t skip = tokens == 9 ? 4 : tokens >= 11 ? 6 : 0;
    const char *at = m->reply;
    for (size_t i = 0; i < skip && at; i++) {
        at = strchr(at, '.');
        at = at ? at + 1 : NULL;
    }
    uint64_t ns = 0;
    if (!skip || !at || !next_number(&at, &m->delivered) || !next_number(&at, &m->stream_sequence) ||
        !next_number(&at, &m->consumer_sequence) || !next_number(&at, &ns) || !next_number(&at, &m->pending))
        return;
    m->stored_us = (int64_t)(ns / 1000);
}

struct arrival *message_new(natsMsg *m)
{
    struct arrival *a = calloc(1, sizeof(*a));
    if (!a)
        return NULL;
    const char *reply = natsMsg_GetReply(m);
    a->message.subject = natsMsg_GetSubject(m);
    a->message.reply = reply ? reply : "";
    a->message.body = mu_span(natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m));
    a->message.received_ms = mu_clock_ms();
    a->message.handle = m;
    parse_ack_subject(&a->message);
    return a;
}

void mu_message_free(struct mu_message *m)
{
    if (!m)
        return;
    natsMsg_Destroy(m->handle);
    free(m); /* the first member of its arrival */
}

const char *mu_message_header(const struct mu_message *m, const char *name)
{
    const char *value = NULL;
    return natsMsgHeader_Get(m->handle, name, &value) == NATS_OK ? value : NULL;
}

int mu_message_status(const struct mu_message *m)
{
    int64_t status = 0;
    const char *text = mu_message_header(m, "Status");
    if (text && !mu_parse_i64(mu_span_of(text), 100, 999, &status))
        return 0;
    return (int)status;
}
