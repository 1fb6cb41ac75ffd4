/* SPDX-License-Identifier: Apache-2.0 */
/* The pull engine (JETSTREAM.md §5): at most one open request per consumer, numbered and never reused; deliveries show
 * their stored subject, statuses the inbox of their request. A request of which nothing is heard is presumed lost. */
#include "outside/bus_inside.h"
#include "base/clock.h"

#define PAUSE_LEAST_MS 100
#define PAUSE_MOST_MS 10000

bool mu_pull_open(struct mu_pull **out, struct mu_bus *bus, const struct mu_pull_options *options, struct mu_error *err)
{
    struct mu_pull *p = calloc(1, sizeof(*p));
    char subject[INBOX_MAX];
    if (!p)
        return mu_fail(err, MU_BROKEN, "out of memory");
    p->bus = bus;
    p->options = *options;
    if (!p->options.expires_ms)
        p->options.expires_ms = 60000;
    if (!p->options.heartbeat_ms)
        p->options.heartbeat_ms = bus->clustered ? 5000 : 20000; /* a hub or a leader may die without a word to us */
    p->generation = mu_bus_generation(bus);
    p->next_ms = mu_clock_ms() + (options->first_jitter ? mu_random_below(2000) : 0);
    snprintf(p->reply_prefix, sizeof(p->reply_prefix), "%s.p%u", bus->inbox_prefix, atomic_fetch_add(&bus->next_inbox, 1));
    int len = snprintf(subject, sizeof(subject), "%s.*", p->reply_prefix);
    if (len >= (int)sizeof(subject) || !mu_copy_text(p->stream, sizeof(p->stream), mu_span_of(options->stream)) ||
        !mu_copy_text(p->consumer, sizeof(p->consumer), mu_span_of(options->consumer))) {
        free(p);
        return mu_fail(err, MU_BROKEN, "the names %s, %s are too long", options->stream, options->consumer);
    }
    if (!inbox_open(&p->inbox, bus, subject, NULL, 0, err)) {
        free(p);
        return false;
    }
    p->next = bus->pulls;
    bus->pulls = p;
    *out = p;
    return true;
}

void mu_pull_want(struct mu_pull *p, size_t want)
{
    p->want = want;
}

/* The request is over; the next one may be made after a pause (0: at once). */
static void close_request(struct mu_pull *p, int64_t pause_ms)
{
    p->open = false;
    p->next_ms = mu_clock_ms() + pause_ms;
}

static int64_t longer_pause(struct mu_pull *p, int64_t least_ms)
{
    int64_t pause = p->backoff.pause_ms < least_ms ? least_ms : p->backoff.pause_ms * 2;
    p->backoff.pause_ms = pause > PAUSE_MOST_MS ? PAUSE_MOST_MS : pause;
    return p->backoff.pause_ms / 2 + mu_random_below((uint32_t)p->backoff.pause_ms / 2 + 1);
}

static bool says(const char *text, const char *part)
{
    return strcasestr(text, part) != NULL;
}

static void trouble(struct mu_pull *p, enum mu_fault fault, int status, const char *text)
{
    mu_error_clear(&p->trouble);
    mu_fail(&p->trouble, fault, "pulling from %s of %s: %d %s", p->consumer, p->stream, status, text);
}

/* One row per status of the table in JETSTREAM.md §5. */
static void take_status(struct mu_pull *p, int status, const char *text)
{
    if (status == 100) { /* idle heartbeat: the request lives */
        mu_error_clear(&p->trouble);
        return;
    }
    if (status == 404 || status == 408 || (status == 409 && (says(text, "MaxBytes") || says(text, "Batch Completed")))) {
        p->backoff.pause_ms = 0;
        mu_error_clear(&p->trouble);
        close_request(p, 0);
    } else if (status == 409 && says(text, "Exceeded MaxWaiting")) {
        trouble(p, MU_UNAVAILABLE, status, text);
        close_request(p, longer_pause(p, 500));
    } else if (status == 409 && (says(text, "Leadership") || says(text, "Shutdown"))) {
        close_request(p, PAUSE_LEAST_MS + mu_random_below(400));
    } else if (status == 503 || (status == 409 && says(text, "Deleted"))) {
        trouble(p, MU_UNAVAILABLE, status, text[0] ? text : p->bus->domain[0] ? "no responders: the hub is away, or stream or consumer is missing"
                                                                              : "no responders: stream or consumer is missing");
        mu_hint(&p->trouble, "`muster setup` creates what is missing");
        close_request(p, longer_pause(p, 250));
    } else { /* 400, 412, 423, other 409: our mistake or the topology's */
        trouble(p, MU_BROKEN, status, text);
        close_request(p, longer_pause(p, 1000));
    }
}

struct mu_message *mu_pull_take(struct mu_pull *p)
{
    struct mu_message *m;
    while ((m = inbox_take(&p->inbox, 0))) {
        p->heard_ms = m->received_ms;
        if (m->stream_sequence) {
            p->backoff.pause_ms = 0;
            mu_error_clear(&p->trouble);
            if (p->open && ++p->got >= p->asked)
                close_request(p, 0); /* all delivered: no status comes */
            return m;
        }
        const char *number = strrchr(m->subject, '.'), *text = mu_message_header(m, "Description");
        int64_t request = -1;
        if (p->open && number && mu_parse_i64(mu_span_of(number + 1), 0, INT64_MAX, &request) &&
            (uint64_t)request == p->request)
            take_status(p, mu_message_status(m), text ? text : "");
        mu_message_free(m);
    }
    return NULL;
}

static bool send_request(struct mu_pull *p, struct mu_error *err)
{
    char subject[2 * MU_SUBJECT_MAX], reply[INBOX_MAX + 24], body[200];
    int len = snprintf(body, sizeof(body), "{\"batch\":%zu,\"no_wait\":true,\"expires\":%lld000000,\"idle_heartbeat\":%lld000000",
                       p->want, (long long)p->options.expires_ms, (long long)p->options.heartbeat_ms);
    if (p->options.max_bytes)
        len += snprintf(body + len, sizeof(body) - (size_t)len, ",\"max_bytes\":%zu", p->options.max_bytes);
    len += snprintf(body + len, sizeof(body) - (size_t)len, "}");
    snprintf(subject, sizeof(subject), "%s.CONSUMER.MSG.NEXT.%s.%s", p->bus->api, p->stream, p->consumer);
    snprintf(reply, sizeof(reply), "%s.%llu", p->reply_prefix, (unsigned long long)++p->request);
    return mu_bus_send(p->bus, subject, mu_span(body, (size_t)len), NULL, 0, reply, err);
}

int64_t pull_step(struct mu_pull *p, int64_t now)
{
    if (p->stopped)
        return -1;
    if (p->generation != mu_bus_generation(p->bus)) { /* a restarted broker has forgotten it: ask at once */
        p->generation = mu_bus_generation(p->bus);
        p->open = false;
        p->next_ms = now;
    }
    if (p->open) {
        int64_t silent = now - p->heard_ms, left = 2 * p->options.heartbeat_ms - silent;
        int64_t expired = p->opened_ms + p->options.expires_ms + 1000 - now;
        if (left > 0 && expired > 0)
            return left < expired ? left : expired;
        if (left <= 0) {
            trouble(p, MU_UNAVAILABLE, 0, "nothing heard of the request; asking anew");
            bus_wake(p->bus); /* who waits looks at the trouble now, not when its time is up */
        }
        p->open = false;
    }
    if (!p->want)
        return -1;
    if (p->next_ms > now)
        return p->next_ms - now;
    struct mu_error err = {0};
    if (!mu_bus_connected(p->bus) || !send_request(p, &err)) {
        p->next_ms = now + 500; /* the reconnect wakes us earlier */
        return 500;
    }
    p->open = true;
    p->asked = p->want;
    p->got = 0;
    p->opened_ms = p->heard_ms = now;
    return 2 * p->options.heartbeat_ms;
}

const struct mu_error *mu_pull_trouble(const struct mu_pull *p)
{
    return &p->trouble;
}

int64_t mu_pull_silent_ms(const struct mu_pull *p)
{
    return p->open ? mu_clock_ms() - p->heard_ms : 0;
}

void mu_pull_stop(struct mu_pull *p)
{
    p->stopped = true;
    p->want = 0;
    inbox_stop(&p->inbox); /* a request with a live subscription would go on taking messages */
}

void mu_pull_free(struct mu_pull *p)
{
    if (!p)
        return;
    for (struct mu_pull **at = &p->bus->pulls; *at; at = &(*at)->next) {
        if (*at == p) {
            *at = p->next;
            break;
        }
    }
    inbox_fini(&p->inbox);
    free(p);
}

/* ---- acknowledging ---- */

bool mu_ack(struct mu_bus *bus, const struct mu_message *m, struct mu_error *err)
{
    return mu_bus_send(bus, m->reply, mu_span_of("+ACK"), NULL, 0, NULL, err);
}

bool mu_nak(struct mu_bus *bus, const struct mu_message *m, int64_t delay_ms, struct mu_error *err)
{
    char body[64];
    /* without a delay it comes back at once, also to our own open request */
    int len = snprintf(body, sizeof(body), "-NAK {\"delay\":%lld000000}", (long long)(delay_ms > 0 ? delay_ms : 1));
    return mu_bus_send(bus, m->reply, mu_span(body, (size_t)len), NULL, 0, NULL, err);
}

bool mu_term(struct mu_bus *bus, const struct mu_message *m, const char *reason, struct mu_error *err)
{
    char body[200];
    int len = snprintf(body, sizeof(body), "+TERM %.180s", reason);
    return mu_bus_send(bus, m->reply, mu_span(body, (size_t)len), NULL, 0, NULL, err);
}

bool mu_work_in_progress(struct mu_bus *bus, const char *ack_subject, int64_t timeout_ms, struct mu_error *err)
{
    MU_AUTO(mu_message_free) struct mu_message *answer = NULL;
    return mu_bus_request(bus, ack_subject, mu_span_of("+WPI"), NULL, 0, timeout_ms, &answer, err);
}
