/* SPDX-License-Identifier: Apache-2.0 */
/* The events that tell of what was accepted. */
#include "commit.h"
#include "base/clock.h"

#define EVENT_BYTES ((size_t)256 << 10) /* of an event message, if one job alone does not need more */
#define EVENT_ROOM 500                  /* of an event beside what its job brings */

static void put_piece(struct batch *b, const char *key, struct piece p)
{
    mu_json_key(&b->events, key);
    mu_text_add(&b->events, batch_span(b, p));
}

/* One event: all that it takes to store the job again under its id, bit by bit (muster.resubmit). The terms stand once
 * in the message. */
static void write_event(struct batch *b, const struct job *j, const char *now)
{
    struct mu_text *out = &b->events;
    char id[MU_ID_MAX], time[MU_RFC3339_MAX], digest[MU_DIGEST_HEX];
    mu_id_format(mu_id_new(), id);
    mu_text_puts(out, "{\"event_id\":\"");
    mu_text_add(out, mu_span(id, MU_ID_MAX - 1));
    mu_text_puts(out, "\",\"type\":\"" MU_EVENT_TYPE "job_accepted\",\"timestamp\":\"");
    mu_text_puts(out, now);
    mu_id_format(j->id, id);
    mu_text_puts(out, "\",\"job_id\":\"");
    mu_text_add(out, mu_span(id, MU_ID_MAX - 1));
    mu_text_puts(out, "\",\"actor\":\"" ACTOR "\"");
    if (j->keyed) {
        mu_json_key(out, "id");
        mu_text_add_json(out, batch_span(b, j->key));
        mu_digest_format(&j->body_digest, digest);
        mu_json_put_text(out, "body_digest", digest);
    }
    mu_json_put_text(out, "queue", j->queue);
    mu_json_put_text(out, "priority", mu_priority_name(j->priority));
    if (j->deadline_us) {
        mu_rfc3339_format(j->deadline_us, time);
        mu_json_put_text(out, "deadline", time);
    }
    if (j->labels.len)
        put_piece(b, "labels", j->labels);
    if (j->trace_id[0])
        mu_json_put_text(out, "trace_id", j->trace_id);
    put_piece(b, "task", j->task);
    mu_text_putc(out, '}');
}

static void write_event_terms(struct commit *c, size_t first, size_t end)
{
    struct batch *b = c->b;
    char digest[MU_DIGEST_HEX];
    mu_text_puts(&b->events, "],\"terms\":{");
    for (size_t i = first; i < end; i++) {
        const struct job *j = &b->jobs[c->order[i]];
        if (i > first && terms_compare(terms_of(b, j), terms_of(b, &b->jobs[c->order[i - 1]])) == 0)
            continue; /* those of equal terms are neighbours */
        mu_digest_format(terms_of(b, j), digest);
        mu_text_puts(&b->events, i > first ? ",\"" : "\"");
        mu_text_puts(&b->events, digest);
        mu_text_puts(&b->events, "\":");
        mu_text_add(&b->events, batch_span(b, b->terms[j->terms].bytes));
    }
    mu_text_puts(&b->events, "}}");
}

struct mu_span commit_event_span(const struct batch *b, struct piece p)
{
    return mu_span(b->events.at + p.at, p.len);
}

/* How many bytes a job adds, at most. */
static size_t event_bytes_of(const struct commit *c, size_t i, size_t first)
{
    const struct batch *b = c->b;
    const struct job *j = &b->jobs[c->order[i]];
    bool same = i > first && terms_compare(terms_of(b, j), terms_of(b, &b->jobs[c->order[i - 1]])) == 0;
    return EVENT_ROOM + j->task.len + j->labels.len + 2 * j->key.len + (same ? 0 : b->terms[j->terms].bytes.len + MU_DIGEST_HEX + 4);
}

bool commit_write_events(struct commit *c, struct mu_error *err)
{
    struct batch *b = c->b;
    char now[MU_RFC3339_MAX];
    mu_rfc3339_format(mu_wall_us(), now);
    c->events = calloc(c->count, sizeof(*c->events));
    if (!c->events)
        return mu_fail(err, MU_BROKEN, "out of memory");
    for (size_t i = 0; i < c->count;) {
        struct event *e = &c->events[c->event_count++];
        size_t first = i, start = b->events.len, bytes = 0;
        e->id = mu_id_new();
        mu_text_puts(&b->events, "{\"v\":1,\"events\":[");
        while (i < c->count && (i == first || bytes + event_bytes_of(c, i, first) <= EVENT_BYTES)) {
            bytes += event_bytes_of(c, i, first);
            if (i > first)
                mu_text_putc(&b->events, ',');
            write_event(b, &b->jobs[c->order[i++]], now);
        }
        write_event_terms(c, first, i);
        e->body = (struct piece){start, b->events.len - start};
    }
    return mu_text_ok(&b->events, err);
}
