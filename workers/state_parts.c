/* SPDX-License-Identifier: Apache-2.0 */
#include "state_parts.h"
#include "daemon/failpoint.h"

#define PART_BYTES ((size_t)512 * 1024)
#define STATE_BYTES_MAX ((size_t)512 << 20)
#define PLACES 2
#define PUBLISH_TIMEOUT_MS 5000

static const struct mu_header rollup = {"Nats-Rollup", "sub"};

/* The place that the last checkpoint does not refer to. */
static unsigned next_place(const struct mu_progress *p)
{
    MU_AUTO(mu_json_free) json_t *last = NULL;
    struct mu_error ignored = {0};
    if (!p->checkpoint.len || !mu_json_parse(&last, mu_text_span(&p->checkpoint), SIZE_MAX, &ignored))
        return 0;
    return mu_json_int(json_object_get(last, "run"), "place", 1) == 0 ? 1 : 0;
}

bool mu_state_parts_put(struct mu_progress *p, struct mu_lease *lease, struct mu_span state, struct mu_text *reference,
                        struct mu_error *err)
{
    char subject[MU_SUBJECT_MAX], hex[MU_DIGEST_HEX];
    const unsigned place = next_place(p);
    const struct mu_digest digest = mu_digest_of(state);
    struct mu_puback ack;
    mu_subject_state(subject, p->task->job_text, place, p->task->id_text);
    mu_text_puts(reference, "{\"parts\":[");
    p->places |= 1u << place;
    for (size_t at = 0; at < state.len; at += PART_BYTES) {
        const size_t len = state.len - at < PART_BYTES ? state.len - at : PART_BYTES;
        if (!mu_bus_publish(p->bus, MU_STREAM_PARTIALS, subject, NULL, mu_span(state.at + at, len), &rollup, at == 0,
                            PUBLISH_TIMEOUT_MS, &ack, err))
            return mu_while(err, "storing the state of task %s", p->task->id_text);
        mu_text_addf(reference, "%s%llu", at ? "," : "", (unsigned long long)ack.sequence);
        mu_lease_moved(lease);
        MU_FAILPOINT("worker.state_part");
    }
    mu_text_putc(reference, ']');
    mu_json_put_int(reference, "place", place);
    mu_json_put_int(reference, "bytes", (int64_t)state.len);
    mu_digest_format(&digest, hex);
    mu_json_put_text(reference, "digest", hex);
    mu_text_putc(reference, '}');
    return mu_text_ok(reference, err);
}

static bool lost(struct mu_error *err, const char *what)
{
    return mu_reject(err, "invalid", "", "the state that the checkpoint refers to is %s", what);
}

static bool read_parts(struct mu_progress *p, struct mu_lease *lease, const json_t *parts, struct mu_text *out,
                       struct mu_error *err)
{
    for (size_t i = 0; i < json_array_size(parts); i++) {
        MU_AUTO(mu_message_free) struct mu_message *m = NULL;
        const json_int_t sequence = json_integer_value(json_array_get(parts, i));
        if (sequence < 1 || !mu_stream_get(p->bus, MU_STREAM_PARTIALS, (uint64_t)sequence, &m, err))
            return sequence < 1 ? lost(err, "broken") : false;
        if (!m)
            return lost(err, "not in MUSTER_PARTIALS any more");
        mu_text_add(out, m->body);
        mu_lease_moved(lease);
    }
    return mu_text_ok(out, err);
}

bool mu_state_parts_get(struct mu_progress *p, struct mu_lease *lease, const json_t *run, json_t **out,
                        struct mu_error *err)
{
    const json_t *parts = json_object_get(run, "parts");
    MU_AUTO(mu_text_free) struct mu_text state = MU_TEXT(STATE_BYTES_MAX);
    struct mu_digest want;
    if (!parts) {
        *out = json_incref((json_t *)(uintptr_t)run);
        return true;
    }
    p->places = (1u << PLACES) - 1;
    if (!mu_digest_parse(mu_json_span(run, "digest"), &want))
        return lost(err, "broken");
    if (!read_parts(p, lease, parts, &state, err))
        return false;
    const struct mu_digest got = mu_digest_of(mu_text_span(&state));
    if (!mu_digest_equal(&got, &want))
        return lost(err, "not what it was");
    return mu_json_parse(out, mu_text_span(&state), STATE_BYTES_MAX, err);
}

void mu_state_parts_drop(struct mu_progress *p)
{
    char subject[MU_SUBJECT_MAX];
    struct mu_error ignored = {0};
    for (unsigned place = 0; place < PLACES; place++) {
        if (!(p->places & 1u << place))
            continue;
        mu_subject_state(subject, p->task->job_text, place, p->task->id_text);
        (void)!mu_bus_send(p->bus, subject, mu_span("", 0), &rollup, 1, NULL, &ignored);
    }
    p->places = 0;
}
