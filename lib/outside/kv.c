/* SPDX-License-Identifier: Apache-2.0 */
#include "outside/kv.h"
#include "outside/bus_inside.h"

#define TIMEOUT_MS 5000
#define VALUE_MAX ((size_t)1 << 20)

void mu_entry_free(struct mu_entry *e)
{
    mu_text_free(&e->value);
}

static bool is_marker(const struct mu_message *m)
{
    const char *operation = mu_message_header(m, "KV-Operation");
    return operation && (mu_span_is(mu_span_of(operation), "DEL") || mu_span_is(mu_span_of(operation), "PURGE"));
}

static void fill_entry(struct mu_entry *out, const struct mu_message *m)
{
    mu_text_reset(&out->value);
    out->value.ceiling = VALUE_MAX;
    out->sequence = m->stream_sequence;
    out->stored_us = m->stored_us;
    out->present = !is_marker(m);
    if (out->present)
        mu_text_add(&out->value, m->body);
}

static void set_absent(struct mu_entry *out)
{
    mu_text_reset(&out->value);
    out->present = false;
    out->sequence = 0;
}

/* By the stream rather than by the key's own direct subject: one form of answer for get, walk and recorder. */
bool mu_kv_get(struct mu_bus *bus, const char *bucket, const char *key, struct mu_entry *out, struct mu_error *err)
{
    char stream[MU_SUBJECT_MAX], subject[MU_SUBJECT_MAX], what[2 * MU_SUBJECT_MAX + MU_API_MAX + 32];
    MU_AUTO(mu_message_free) struct mu_message *m = NULL;
    mu_stream_of_bucket(stream, bucket);
    mu_subject_of_key(subject, bucket, key);
    snprintf(what, sizeof(what), "%s.DIRECT.GET.%s.%s", bus->api, stream, subject);
    if (!mu_bus_request(bus, what, mu_span("", 0), NULL, 0, TIMEOUT_MS, &m, err))
        return mu_while(err, "reading %s of bucket %s", key, bucket);
    int status = mu_message_status(m);
    if (status == 404) {
        set_absent(out);
        return true;
    }
    const char *sequence = mu_message_header(m, "Nats-Sequence");
    int64_t number;
    if (status || !sequence || !mu_parse_i64(mu_span_of(sequence), 1, INT64_MAX, &number))
        return mu_fail(err, MU_UNAVAILABLE, "reading %s of bucket %s: status %d", key, bucket, status);
    m->stream_sequence = (uint64_t)number;
    fill_entry(out, m);
    return mu_text_ok(&out->value, err);
}

bool mu_kv_get_leader(struct mu_bus *bus, const char *bucket, const char *key, struct mu_entry *out, struct mu_error *err)
{
    char stream[MU_SUBJECT_MAX], subject[MU_SUBJECT_MAX], which[MU_SUBJECT_MAX + 32];
    MU_AUTO(mu_message_free) struct mu_message *m = NULL;
    if (!bus->clustered)
        return mu_kv_get(bus, bucket, key, out, err);
    mu_stream_of_bucket(stream, bucket);
    mu_subject_of_key(subject, bucket, key);
    snprintf(which, sizeof(which), "{\"last_by_subj\":\"%s\"}", subject);
    if (!stream_ask_leader(bus, stream, mu_span_of(which), &m, err))
        return mu_while(err, "reading %s of bucket %s", key, bucket);
    if (m)
        fill_entry(out, m);
    else
        set_absent(out);
    return mu_text_ok(&out->value, err);
}

static bool put(struct mu_bus *bus, const char *bucket, const char *key, struct mu_span value,
                const struct mu_header *headers, size_t count, struct mu_puback *ack, struct mu_error *err)
{
    char stream[MU_SUBJECT_MAX], subject[MU_SUBJECT_MAX];
    mu_stream_of_bucket(stream, bucket);
    mu_subject_of_put(subject, bus->domain, bucket, key);
    if (!mu_bus_publish(bus, stream, subject, NULL, value, headers, count, TIMEOUT_MS, ack, err))
        return mu_while(err, "writing %s of bucket %s", key, bucket);
    return true;
}

bool mu_kv_put(struct mu_bus *bus, const char *bucket, const char *key, struct mu_span value, uint64_t *sequence,
               struct mu_error *err)
{
    struct mu_puback ack;
    if (!put(bus, bucket, key, value, NULL, 0, &ack, err))
        return false;
    if (sequence)
        *sequence = ack.sequence;
    return true;
}

/* A write whose answer was lost: bytes equal to ours mean that it is stored, and 10071 after a time-out may be our own
 * first try. */
static bool was_stored(struct mu_bus *bus, const char *bucket, const char *key, uint64_t expected,
                       struct mu_span value, uint64_t *sequence)
{
    MU_AUTO(mu_entry_free) struct mu_entry now = {0};
    struct mu_error err = {0};
    if (!mu_kv_get_leader(bus, bucket, key, &now, &err) || !now.present || now.sequence <= expected)
        return false;
    *sequence = now.sequence;
    return mu_span_equal(mu_text_span(&now.value), value);
}

bool mu_kv_cas(struct mu_bus *bus, const char *bucket, const char *key, uint64_t expected, struct mu_span value,
               uint64_t *sequence, struct mu_error *err)
{
    char number[24];
    struct mu_puback ack;
    struct mu_error first = {0};
    snprintf(number, sizeof(number), "%llu", (unsigned long long)expected);
    const struct mu_header header = {"Nats-Expected-Last-Subject-Sequence", number};
    if (put(bus, bucket, key, value, &header, 1, &ack, &first)) {
        *sequence = ack.sequence;
        return true;
    }
    bool unknown = first.fault == MU_UNAVAILABLE && mu_span_is(mu_span_of(first.code), "timeout");
    uint64_t stored;
    if ((unknown || first.fault == MU_LOST) && was_stored(bus, bucket, key, expected, value, &stored)) {
        *sequence = stored;
        return true;
    }
    return mu_fail_code(err, first.fault, first.code, "%s", first.text);
}

bool mu_kv_purge(struct mu_bus *bus, const char *bucket, const char *key, uint64_t expected, struct mu_error *err)
{
    char number[24];
    struct mu_puback ack;
    snprintf(number, sizeof(number), "%llu", (unsigned long long)expected);
    const struct mu_header headers[] = {{"KV-Operation", "PURGE"}, {"Nats-Rollup", "sub"},
                                        {"Nats-Expected-Last-Subject-Sequence", number}};
    return put(bus, bucket, key, mu_span("", 0), headers, expected == UINT64_MAX ? 2 : 3, &ack, err);
}

bool mu_kv_forget(struct mu_bus *bus, const char *bucket, const char *key, uint64_t sequence, struct mu_error *err)
{
    char stream[MU_SUBJECT_MAX], subject[MU_SUBJECT_MAX];
    mu_stream_of_bucket(stream, bucket);
    mu_subject_of_key(subject, bucket, key);
    return mu_stream_purge_subject(bus, stream, subject, sequence + 1, err);
}

bool mu_kv_next(struct mu_bus *bus, const char *bucket, uint64_t *sequence, char key[MU_SUBJECT_MAX], struct mu_entry *out,
                bool *found, struct mu_error *err)
{
    char stream[MU_SUBJECT_MAX], filter[MU_SUBJECT_MAX];
    MU_AUTO(mu_message_free) struct mu_message *m = NULL;
    mu_stream_of_bucket(stream, bucket);
    mu_subject_of_key(filter, bucket, ">");
    if (!mu_stream_next(bus, stream, *sequence ? *sequence : 1, filter, &m, err))
        return mu_while(err, "walking bucket %s", bucket);
    *found = m != NULL;
    if (!m)
        return true;
    *sequence = m->stream_sequence + 1;
    fill_entry(out, m);
    snprintf(key, MU_SUBJECT_MAX, "%s", m->subject + strlen(filter) - 1);
    return mu_text_ok(&out->value, err) || mu_while(err, "walking bucket %s", bucket);
}

bool mu_kv_walk(struct mu_bus *bus, const char *bucket, mu_kv_each *each, void *ctx, struct mu_error *err)
{
    MU_AUTO(mu_entry_free) struct mu_entry entry = {0};
    char key[MU_SUBJECT_MAX];
    bool found = true;
    for (uint64_t sequence = 0; found;) {
        if (!mu_kv_next(bus, bucket, &sequence, key, &entry, &found, err))
            return false;
        if (found && entry.present && !each(ctx, key, &entry))
            return true;
    }
    return true;
}
