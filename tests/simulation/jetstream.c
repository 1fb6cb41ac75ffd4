/* SPDX-License-Identifier: Apache-2.0 */
#include "broker_inside.h"

#include "base/clock.h"
#include "format/json.h"

#include <openssl/evp.h>
#include <stdarg.h>

#define STREAMS_MAX 16
#define CONSUMERS_MAX 16
#define SYNC_LEAST_US 200000
#define SYNC_MOST_US 4000000

struct entry { /* a stored message; a deleted one has no wire */
    const struct wire *wire;
    int64_t stored_us;
};
struct known_id {
    const char *id;
    uint64_t sequence;
    int64_t at_us;
};
struct pending { /* delivered and not acknowledged */
    uint64_t sequence, number;
    int64_t due_us;
    int delivered;
    bool again;      /* due: to be delivered once more */
};

/* What a stream has on disk. */
struct content {
    uint64_t first, last; /* first: of what is stored; last + 1 if nothing is */
    struct entry *entries; /* of the sequences from `base` on */
    uint64_t base;
    size_t count, room;
    struct known_id *ids;
    size_t id_count, id_room;
};
struct progress {
    uint64_t delivered, number, floor; /* number: of the last delivery */
    struct pending *pending;
    size_t count, room;
    struct { uint64_t sequence; int delivered; } *seen; /* how often each was delivered */
    size_t seen_count, seen_room;
};

struct request {
    const char *inbox;
    size_t batch, got;
    int64_t expires_us, heartbeat_us, beat_us;
    bool closed;
    struct request *next;
};
struct consumer {
    const char *name, *filter, *config, *created;
    int64_t ack_wait_us;
    bool ack_all, gone;
    struct progress now, synced, kept;
    bool has_synced, has_kept;
    struct request *requests, *last_request;
    int64_t timer_us;
    struct stream *stream;
};
struct stream {
    const char *name, *config, *created;
    const char *subjects[4];
    size_t subject_count;
    bool workqueue, one_per_subject, gone;
    int64_t max_age_us, window_us, max_msg_size;
    struct content now, synced, kept;
    bool has_synced, has_kept;
    struct consumer *consumers[CONSUMERS_MAX];
    size_t consumer_count;
};

static struct {
    struct stream *streams[STREAMS_MAX];
    size_t count;
    bool syncing;
} js;

void (*broker_on_key)(const char *bucket, const char *key, struct mu_span value, bool marker);
void (*broker_on_store)(const char *stream, const struct wire *w);

static void serve(struct consumer *c);

/* ---- copies ---- */

static void copy_content(struct content *to, const struct content *from)
{
    struct entry *entries = to->entries;
    struct known_id *ids = to->ids;
    if (to->room < from->count) {
        to->room = from->count + 64;
        entries = realloc(entries, to->room * sizeof(*entries));
    }
    if (to->id_room < from->id_count) {
        to->id_room = from->id_count + 64;
        ids = realloc(ids, to->id_room * sizeof(*ids));
    }
    size_t room = to->room, id_room = to->id_room;
    if (from->count)
        memcpy(entries, from->entries, from->count * sizeof(*entries));
    if (from->id_count)
        memcpy(ids, from->ids, from->id_count * sizeof(*ids));
    *to = *from;
    to->entries = entries;
    to->ids = ids;
    to->room = room;
    to->id_room = id_room;
}

static void copy_progress(struct progress *to, const struct progress *from)
{
    struct progress old = *to;
    if (old.room < from->count) {
        old.room = from->count + 64;
        old.pending = realloc(old.pending, old.room * sizeof(*old.pending));
    }
    if (old.seen_room < from->seen_count) {
        old.seen_room = from->seen_count + 64;
        old.seen = realloc(old.seen, old.seen_room * sizeof(*old.seen));
    }
    if (from->count)
        memcpy(old.pending, from->pending, from->count * sizeof(*old.pending));
    if (from->seen_count)
        memcpy(old.seen, from->seen, from->seen_count * sizeof(*old.seen));
    *to = *from;
    to->pending = old.pending;
    to->room = old.room;
    to->seen = old.seen;
    to->seen_room = old.seen_room;
}

static void sync_stream(struct stream *s)
{
    copy_content(&s->synced, &s->now);
    s->has_synced = true;
}

static void sync_consumer(struct consumer *c)
{
    copy_progress(&c->synced, &c->now);
    c->has_synced = true;
}

static void sync_one(void *ctx, uint64_t number)
{
    (void)ctx;
    (void)number;
    if (!broker_faults.sync) {
        js.syncing = false;
        return;
    }
    for (size_t i = 0; i < js.count; i++) {
        struct stream *s = js.streams[i];
        if (chance_below(3) == 0)
            sync_stream(s);
        for (size_t k = 0; k < s->consumer_count; k++)
            if (chance_below(3) == 0)
                sync_consumer(s->consumers[k]);
    }
    world_at(world_now() + chance_between(SYNC_LEAST_US, SYNC_MOST_US), sync_one, NULL, 0);
}

static void begin_syncing(void)
{
    if (!broker_faults.sync || js.syncing)
        return;
    js.syncing = true;
    world_at(world_now() + chance_between(SYNC_LEAST_US, SYNC_MOST_US), sync_one, NULL, 0);
}

void jetstream_sync(void)
{
    for (size_t i = 0; i < js.count; i++) {
        sync_stream(js.streams[i]);
        for (size_t k = 0; k < js.streams[i]->consumer_count; k++)
            sync_consumer(js.streams[i]->consumers[k]);
    }
}

void jetstream_remember(void)
{
    for (size_t i = 0; i < js.count; i++) {
        struct stream *s = js.streams[i];
        copy_content(&s->kept, &s->now);
        s->has_kept = true;
        for (size_t k = 0; k < s->consumer_count; k++) {
            copy_progress(&s->consumers[k]->kept, &s->consumers[k]->now);
            s->consumers[k]->has_kept = true;
        }
    }
}

void jetstream_restore(bool power_cut)
{
    for (size_t i = 0; i < js.count; i++) {
        struct stream *s = js.streams[i];
        if (power_cut ? s->has_synced && chance_below(4) : s->has_kept) {
            uint64_t last = s->now.last;
            copy_content(&s->now, power_cut ? &s->synced : &s->kept);
            if (last != s->now.last)
                trace("stream %s goes back from %llu to %llu", s->name, (unsigned long long)last, (unsigned long long)s->now.last);
        }
        for (size_t k = 0; k < s->consumer_count; k++) {
            struct consumer *c = s->consumers[k];
            if (power_cut ? c->has_synced && chance_below(4) : c->has_kept)
                copy_progress(&c->now, power_cut ? &c->synced : &c->kept);
        }
    }
}

void jetstream_wipe(void)
{
    for (size_t i = 0; i < js.count; i++) {
        js.streams[i]->gone = true;
        for (size_t k = 0; k < js.streams[i]->consumer_count; k++)
            js.streams[i]->consumers[k]->gone = true;
    }
    js.count = 0;
}

void jetstream_begin(void)
{
    memset(&js, 0, sizeof(js));
    broker_on_key = NULL;
    broker_on_store = NULL;
}

/* ---- streams ---- */

static struct stream *find_stream(const char *name, size_t len)
{
    for (size_t i = 0; i < js.count; i++)
        if (strlen(js.streams[i]->name) == len && memcmp(js.streams[i]->name, name, len) == 0)
            return js.streams[i];
    return NULL;
}

static struct entry *entry_at(struct stream *s, uint64_t sequence)
{
    if (sequence < s->now.base || sequence - s->now.base >= s->now.count)
        return NULL;
    struct entry *e = &s->now.entries[sequence - s->now.base];
    return e->wire ? e : NULL;
}

static void forget(struct stream *s, uint64_t sequence)
{
    struct entry *e = entry_at(s, sequence);
    if (!e)
        return;
    e->wire = NULL;
    while (s->now.first <= s->now.last && !entry_at(s, s->now.first))
        s->now.first++;
}

static void expire(struct stream *s)
{
    if (!s->max_age_us)
        return;
    for (uint64_t q = s->now.first; q <= s->now.last; q++) {
        struct entry *e = entry_at(s, q);
        if (e && e->stored_us + s->max_age_us > broker_wall())
            break;
        if (e)
            forget(s, q);
    }
}

/* The subject may be a pattern; for ">" the server looks at the last sequence alone. */
static uint64_t last_of_subject(struct stream *s, const char *subject)
{
    if (strcmp(subject, ">") == 0)
        return entry_at(s, s->now.last) ? s->now.last : 0;
    for (uint64_t q = s->now.last; q >= s->now.first && q > 0; q--) {
        struct entry *e = entry_at(s, q);
        if (e && subject_matches(subject, e->wire->subject))
            return q;
    }
    return 0;
}

static uint64_t append(struct stream *s, const struct wire *w)
{
    struct content *c = &s->now;
    if (c->count == c->room) {
        c->room = c->room ? c->room * 2 : 64;
        c->entries = realloc(c->entries, c->room * sizeof(*c->entries));
    }
    c->entries[c->count++] = (struct entry){w, broker_wall()};
    c->last++;
    if (c->first == c->last || c->first == 0)
        c->first = c->last;
    return c->last;
}

static void answer_json(const struct wire *request, const char *fmt, ...) MU_PRINTF(2, 3);
static void answer_json(const struct wire *request, const char *fmt, ...)
{
    MU_AUTO(mu_text_free) struct mu_text t = {0};
    char *made = NULL;
    va_list args;
    va_start(args, fmt);
    int len = vasprintf(&made, fmt, args);
    va_end(args);
    if (len < 0)
        abort();
    broker_answer(request, wire_new(request->reply, "", mu_span(made, (size_t)len)));
    free(made);
}

static void answer_error(const struct wire *request, int code, int err_code, const char *text)
{
    answer_json(request, "{\"error\":{\"code\":%d,\"err_code\":%d,\"description\":\"%s\"},\"stream\":\"\",\"seq\":0}", code, err_code, text);
}

static struct stream *stream_of(const char *subject)
{
    for (size_t i = 0; i < js.count; i++)
        for (size_t k = 0; k < js.streams[i]->subject_count; k++)
            if (subject_matches(js.streams[i]->subjects[k], subject))
                return js.streams[i];
    return NULL;
}

static const struct known_id *find_id(struct stream *s, const char *id)
{
    for (size_t i = s->now.id_count; i-- > 0;) {
        if (s->now.ids[i].at_us + s->window_us <= broker_wall())
            continue;
        if (strcmp(s->now.ids[i].id, id) == 0)
            return &s->now.ids[i];
    }
    return NULL;
}

static void note_id(struct content *c, const char *id, uint64_t sequence, int64_t at_us)
{
    if (c->id_count == c->id_room) {
        c->id_room = c->id_room ? c->id_room * 2 : 64;
        c->ids = realloc(c->ids, c->id_room * sizeof(*c->ids));
    }
    c->ids[c->id_count++] = (struct known_id){id, sequence, at_us};
}

static void tell_key(const struct stream *s, const struct wire *w, bool marker)
{
    if (!broker_on_key || strncmp(s->name, "KV_", 3) != 0)
        return;
    const char *key = w->subject + 4 + strlen(s->name + 3) + 1; /* behind $KV.<bucket>. */
    broker_on_key(s->name + 3, key, w->body, marker);
}

bool jetstream_publish(const struct wire *w, bool silent)
{
    struct stream *s = stream_of(w->subject);
    if (!s)
        return false;
    struct wire quiet = *w;
    if (silent)
        quiet.reply = "";
    const char *id = wire_find(w, "Nats-Msg-Id"), *expected = wire_find(w, "Nats-Expected-Last-Subject-Sequence");
    expire(s);
    if (s->max_msg_size && (int64_t)w->body.len > s->max_msg_size) {
        answer_error(&quiet, 400, 10054, "message size exceeds maximum allowed");
        return true;
    }
    const struct known_id *known = id ? find_id(s, id) : NULL;
    if (known) {
        trace("%s holds id %s already, at %llu", s->name, id, (unsigned long long)known->sequence);
        answer_json(&quiet, "{\"stream\":\"%s\",\"seq\":%llu,\"duplicate\":true}", s->name, (unsigned long long)known->sequence);
        return true;
    }
    uint64_t last = expected || s->one_per_subject ? last_of_subject(s, w->subject) : 0;
    if (expected && strtoull(expected, NULL, 10) != last) {
        trace("refused: %s has sequence %llu, expected %s", w->subject, (unsigned long long)last, expected);
        answer_error(&quiet, 400, 10071, "wrong last sequence");
        return true;
    }
    bool marker = wire_find(w, "KV-Operation") != NULL;
    if (last)
        forget(s, last);
    struct wire *stored = world_alloc(sizeof(*stored));
    *stored = *w;
    stored->reply = "";
    uint64_t sequence = append(s, stored);
    if (id)
        note_id(&s->now, id, sequence, broker_wall());
    trace("%s %llu: %s%s (%zu bytes)", s->name, (unsigned long long)sequence, w->subject, marker ? " (purged)" : "", w->body.len);
    tell_key(s, w, marker);
    if (broker_on_store)
        broker_on_store(s->name, stored);
    answer_json(&quiet, "{\"stream\":\"%s\",\"seq\":%llu}", s->name, (unsigned long long)sequence);
    for (size_t i = 0; i < s->consumer_count; i++)
        if (!s->consumers[i]->filter || subject_matches(s->consumers[i]->filter, w->subject))
            serve(s->consumers[i]);
    return true;
}

/* ---- consumers ---- */

static int count_delivery(struct progress *p, uint64_t sequence)
{
    for (size_t i = p->seen_count; i-- > 0;)
        if (p->seen[i].sequence == sequence)
            return ++p->seen[i].delivered;
    if (p->seen_count == p->seen_room) {
        p->seen_room = p->seen_room ? p->seen_room * 2 : 64;
        p->seen = realloc(p->seen, p->seen_room * sizeof(*p->seen));
    }
    p->seen[p->seen_count].sequence = sequence;
    p->seen[p->seen_count++].delivered = 1;
    return 1;
}

static void forget_delivery(struct progress *p, uint64_t sequence)
{
    for (size_t i = p->seen_count; i-- > 0;)
        if (p->seen[i].sequence == sequence) {
            p->seen[i] = p->seen[--p->seen_count];
            return;
        }
}

static void drop_pending(struct progress *p, size_t i)
{
    memmove(&p->pending[i], &p->pending[i + 1], (--p->count - i) * sizeof(*p->pending));
}

/* The next message to give out: what has come back first. */
static bool next_of(struct consumer *c, struct pending *out)
{
    struct stream *s = c->stream;
    struct progress *p = &c->now;
    for (size_t i = 0; i < p->count; i++) {
        if (!p->pending[i].again)
            continue;
        if (!entry_at(s, p->pending[i].sequence)) {
            drop_pending(p, i--);
            continue;
        }
        *out = p->pending[i];
        drop_pending(p, i);
        return true;
    }
    for (uint64_t q = p->delivered + 1 > s->now.first ? p->delivered + 1 : s->now.first; q <= s->now.last; q++) {
        struct entry *e = entry_at(s, q);
        if (!e || (c->filter && !subject_matches(c->filter, e->wire->subject)))
            continue;
        p->delivered = q;
        *out = (struct pending){.sequence = q};
        return true;
    }
    return false;
}

static void give(struct consumer *c, struct request *r, struct pending m)
{
    struct stream *s = c->stream;
    struct progress *p = &c->now;
    struct entry *e = entry_at(s, m.sequence);
    char reply[300];
    m.number = ++p->number;
    m.delivered = count_delivery(p, m.sequence);
    m.again = false;
    m.due_us = world_now() + c->ack_wait_us;
    if (p->count == p->room) {
        p->room = p->room ? p->room * 2 : 64;
        p->pending = realloc(p->pending, p->room * sizeof(*p->pending));
    }
    p->pending[p->count++] = m;
    snprintf(reply, sizeof(reply), "$JS.ACK.%s.%s.%d.%llu.%llu.%lld000.0", s->name, c->name, m.delivered,
             (unsigned long long)m.sequence, (unsigned long long)m.number, (long long)e->stored_us);
    struct wire *shown = world_alloc(sizeof(*shown));
    *shown = *e->wire;
    shown->reply = world_keep_text(reply);
    r->got++;
    trace("%s of %s gives out %llu, delivery %d", c->name, s->name, (unsigned long long)m.sequence, m.delivered);
    (void)broker_route(r->inbox, shown);
}

static void say_status(const struct request *r, const char *status, const char *text)
{
    struct wire *w = wire_new(r->inbox, "", mu_span("", 0));
    wire_header(w, "Status", status);
    wire_header(w, "Description", text);
    (void)broker_route(r->inbox, w);
}

static void drop_requests(struct consumer *c)
{
    struct request **at = &c->requests;
    c->last_request = NULL;
    while (*at) {
        if ((*at)->closed) {
            *at = (*at)->next;
        } else {
            c->last_request = *at;
            at = &(*at)->next;
        }
    }
}

static void tick(void *ctx, uint64_t number)
{
    struct consumer *c = ctx;
    if (c->gone || !broker_is_up() || (uint64_t)c->timer_us != number)
        return;
    c->timer_us = 0;
    serve(c);
}

static void set_timer(struct consumer *c, int64_t at_us)
{
    if (at_us == NEVER || (c->timer_us && c->timer_us <= at_us))
        return;
    c->timer_us = at_us;
    world_at(at_us, tick, c, (uint64_t)at_us);
}

/* A request that waits is closed at once when a first message has come: no_wait with expires. */
static void serve_requests(struct consumer *c)
{
    for (struct request *r = c->requests; r; r = r->next) {
        struct pending m;
        if (r->closed)
            continue;
        if (!broker_listens(r->inbox)) { /* who asked has gone */
            r->closed = true;
            continue;
        }
        while (r->got < r->batch && next_of(c, &m))
            give(c, r, m);
        if (r->got >= r->batch) {
            r->closed = true;
        } else if (r->got) {
            r->closed = true;
            say_status(r, "408", "Request Timeout");
        } else if (r->expires_us <= world_now()) {
            r->closed = true;
            say_status(r, "408", "Request Timeout");
        } else if (r->beat_us <= world_now()) {
            r->beat_us = world_now() + r->heartbeat_us;
            say_status(r, "100", "Idle Heartbeat");
        }
    }
    drop_requests(c);
}

static void serve(struct consumer *c)
{
    int64_t next = NEVER;
    if (c->gone)
        return;
    for (size_t i = 0; i < c->now.count; i++) {
        struct pending *m = &c->now.pending[i];
        if (!m->again && m->due_us <= world_now())
            m->again = true;
        if (!m->again && m->due_us < next)
            next = m->due_us;
    }
    serve_requests(c);
    for (size_t i = 0; i < c->now.count; i++)
        if (!c->now.pending[i].again && c->now.pending[i].due_us < next)
            next = c->now.pending[i].due_us;
    for (const struct request *r = c->requests; r; r = r->next) {
        if (r->expires_us < next)
            next = r->expires_us;
        if (r->beat_us < next)
            next = r->beat_us;
    }
    set_timer(c, next);
}

static struct consumer *find_consumer(struct stream *s, const char *name, size_t len)
{
    for (size_t i = 0; i < s->consumer_count; i++)
        if (strlen(s->consumers[i]->name) == len && memcmp(s->consumers[i]->name, name, len) == 0)
            return s->consumers[i];
    return NULL;
}

/* The next token; *at moves behind it. */
static struct mu_span token(const char **at)
{
    size_t len = strcspn(*at, ".");
    struct mu_span t = mu_span(*at, len);
    *at += len + ((*at)[len] == '.');
    return t;
}

static struct pending *find_pending(struct progress *p, uint64_t sequence)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->pending[i].sequence == sequence)
            return &p->pending[i];
    return NULL;
}

/* Acknowledges one message. Whoever once got it can: the broker does not ask whose it is now, nor whether the message
 * under that number is the one that was delivered. */
static void acked(struct consumer *c, uint64_t sequence)
{
    for (size_t i = 0; i < c->now.count; i++) {
        if (c->now.pending[i].sequence == sequence || (c->ack_all && c->now.pending[i].sequence < sequence)) {
            forget_delivery(&c->now, c->now.pending[i].sequence);
            drop_pending(&c->now, i--);
        }
    }
    if (c->ack_all && sequence > c->now.floor)
        c->now.floor = sequence;
    if (c->stream->workqueue)
        forget(c->stream, sequence);
}

void jetstream_ack(const struct wire *w)
{
    const char *at = w->subject + 8;
    struct mu_span stream_name = token(&at), consumer_name = token(&at);
    (void)token(&at);
    struct mu_span number = token(&at);
    int64_t sequence = 0;
    struct stream *s = find_stream(stream_name.at, stream_name.len);
    struct consumer *c = s ? find_consumer(s, consumer_name.at, consumer_name.len) : NULL;
    if (!mu_parse_i64(number, 1, INT64_MAX, &sequence))
        return;
    trace("%.*s of %.*s %lld", (int)w->body.len, w->body.at, (int)stream_name.len, stream_name.at, (long long)sequence);
    if (c) {
        struct pending *p = find_pending(&c->now, (uint64_t)sequence);
        if (strncmp(w->body.at, "+ACK", 4) == 0 || strncmp(w->body.at, "+TERM", 5) == 0) {
            acked(c, (uint64_t)sequence);
        } else if (p && strncmp(w->body.at, "+WPI", 4) == 0) {
            p->due_us = world_now() + c->ack_wait_us;
        } else if (p && strncmp(w->body.at, "-NAK", 4) == 0) {
            long long ns = 0;
            const char *delay = strstr(w->body.at, "delay\":");
            if (delay)
                ns = strtoll(delay + 7, NULL, 10);
            p->due_us = world_now() + ns / 1000;
        }
        serve(c);
    }
    broker_answer(w, wire_new(w->reply, "", mu_span("", 0)));
}

void jetstream_forget_requests(void)
{
    for (size_t i = 0; i < js.count; i++) {
        for (size_t k = 0; k < js.streams[i]->consumer_count; k++) {
            js.streams[i]->consumers[k]->requests = js.streams[i]->consumers[k]->last_request = NULL;
            js.streams[i]->consumers[k]->timer_us = 0;
        }
    }
}

/* Ids are rebuilt from what is still stored; what was not acknowledged has its lease once more. */
void jetstream_restarted(void)
{
    for (size_t i = 0; i < js.count; i++) {
        struct stream *s = js.streams[i];
        s->now.id_count = 0;
        for (uint64_t q = s->now.first; q <= s->now.last && q > 0; q++) {
            struct entry *e = entry_at(s, q);
            const char *id = e ? wire_find(e->wire, "Nats-Msg-Id") : NULL;
            if (id)
                note_id(&s->now, id, q, e->stored_us);
        }
        for (size_t k = 0; k < s->consumer_count; k++) {
            struct consumer *c = s->consumers[k];
            for (size_t m = 0; m < c->now.count; m++)
                c->now.pending[m].due_us = world_now() + c->ack_wait_us;
            serve(c);
        }
    }
}

/* ---- the API ---- */

static void give_entry(const struct wire *request, struct stream *s, uint64_t sequence)
{
    struct entry *e = entry_at(s, sequence);
    char number[24], when[MU_RFC3339_MAX];
    if (!e)
        abort(); /* the caller has looked */
    struct wire *w = world_alloc(sizeof(*w));
    *w = *e->wire;
    w->subject = request->reply;
    mu_rfc3339_format(e->stored_us, when);
    snprintf(number, sizeof(number), "%llu", (unsigned long long)sequence);
    wire_header(w, "Nats-Subject", e->wire->subject);
    wire_header(w, "Nats-Sequence", number);
    wire_header(w, "Nats-Time-Stamp", when);
    broker_answer(request, w);
}

static void answer_status(const struct wire *request, const char *status)
{
    struct wire *w = wire_new(request->reply, "", mu_span("", 0));
    wire_header(w, "Status", status);
    broker_answer(request, w);
}

static uint64_t number_in(struct mu_span body, const char *key)
{
    const char *at = strstr(body.at, key); /* bodies end in NUL here */
    return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static void direct_get(const struct wire *w, struct stream *s, const char *subject)
{
    expire(s);
    if (subject[0]) {
        uint64_t q = last_of_subject(s, subject);
        if (q)
            give_entry(w, s, q);
        else
            answer_status(w, "404");
        return;
    }
    uint64_t q = number_in(w->body, "\"seq\":");
    const char *filter = strstr(w->body.at, "\"next_by_subj\":\"");
    if (!filter) {
        if (entry_at(s, q))
            give_entry(w, s, q);
        else
            answer_status(w, "404");
        return;
    }
    filter += strlen("\"next_by_subj\":\"");
    const char *pattern = world_keep(mu_span(filter, strcspn(filter, "\""))).at;
    for (; q <= s->now.last; q++) {
        struct entry *e = entry_at(s, q);
        if (e && subject_matches(pattern, e->wire->subject)) {
            give_entry(w, s, q);
            return;
        }
    }
    answer_status(w, "404");
}

/* STREAM.MSG.GET: JSON with the headers in base64. */
static void leader_get(const struct wire *w, struct stream *s)
{
    const char *of = strstr(w->body.at, "\"last_by_subj\":\"");
    uint64_t q = number_in(w->body, "\"seq\":");
    if (of) {
        of += strlen("\"last_by_subj\":\"");
        q = last_of_subject(s, world_keep(mu_span(of, strcspn(of, "\""))).at);
    }
    struct entry *e = entry_at(s, q);
    if (!e) {
        answer_error(w, 404, 10037, "no message found");
        return;
    }
    MU_AUTO(mu_text_free) struct mu_text headers = {0};
    mu_text_puts(&headers, "NATS/1.0\r\n");
    for (size_t i = 0; i < e->wire->header_count; i++)
        mu_text_addf(&headers, "%s: %s\r\n", e->wire->headers[i].name, e->wire->headers[i].value);
    mu_text_puts(&headers, "\r\n");
    char *coded = world_alloc(headers.len * 4 / 3 + 8), *data = world_alloc(e->wire->body.len * 4 / 3 + 8), when[MU_RFC3339_MAX];
    EVP_EncodeBlock((unsigned char *)coded, (const unsigned char *)headers.at, (int)headers.len);
    EVP_EncodeBlock((unsigned char *)data, (const unsigned char *)e->wire->body.at, (int)e->wire->body.len);
    mu_rfc3339_format(e->stored_us, when);
    answer_json(w, "{\"message\":{\"subject\":\"%s\",\"seq\":%llu,\"hdrs\":\"%s\",\"data\":\"%s\",\"time\":\"%s\"}}", e->wire->subject,
                (unsigned long long)q, coded, data, when);
}

static uint64_t count_messages(struct stream *s)
{
    uint64_t count = 0;
    for (uint64_t q = s->now.first; q <= s->now.last && q > 0; q++)
        count += entry_at(s, q) != NULL;
    return count;
}

static const char *created_now(void)
{
    char when[MU_RFC3339_MAX];
    mu_rfc3339_format(broker_wall(), when);
    return world_keep_text(when);
}

static void stream_info(const struct wire *w, struct stream *s)
{
    expire(s);
    uint64_t count = count_messages(s);
    answer_json(w, "{\"config\":%s,\"created\":\"%s\",\"ts\":\"%s\",\"state\":{\"messages\":%llu,\"bytes\":%llu,\"first_seq\":%llu,\"last_seq\":%llu}}",
                s->config, s->created, created_now(), (unsigned long long)count, (unsigned long long)count * 100, (unsigned long long)s->now.first,
                (unsigned long long)s->now.last);
}

static void stream_create(const struct wire *w, const char *name)
{
    MU_AUTO(mu_json_free) json_t *config = NULL;
    size_t i;
    json_t *subject;
    if (find_stream(name, strlen(name))) {
        answer_error(w, 400, 10058, "stream name already in use");
        return;
    }
    if (js.count == STREAMS_MAX || !mu_json_parse(&config, w->body, 1 << 20, NULL))
        abort();
    struct stream *s = world_alloc(sizeof(*s));
    const char *retention = mu_json_text(config, "retention");
    s->name = world_keep_text(name);
    s->config = world_keep(w->body).at;
    s->created = created_now();
    s->workqueue = retention && strcmp(retention, "workqueue") == 0;
    s->one_per_subject = mu_json_int(config, "max_msgs_per_subject", 0) == 1;
    s->max_age_us = mu_json_int(config, "max_age", 0) / 1000;
    s->window_us = mu_json_int(config, "duplicate_window", INT64_C(120000000000)) / 1000;
    s->max_msg_size = mu_json_int(config, "max_msg_size", 0);
    s->now.base = s->now.first = 1;
    json_array_foreach(json_object_get(config, "subjects"), i, subject)
        s->subjects[s->subject_count++] = world_keep_text(json_string_value(subject));
    js.streams[js.count++] = s;
    sync_stream(s);
    begin_syncing();
    trace("stream %s is made", name);
    answer_json(w, "{\"config\":%s,\"created\":\"%s\",\"did_create\":true}", s->config, s->created);
}

static void consumer_create(const struct wire *w, struct stream *s, struct mu_span name)
{
    MU_AUTO(mu_json_free) json_t *body = NULL;
    struct mu_span raw;
    if (find_consumer(s, name.at, name.len)) {
        answer_error(w, 400, 10148, "consumer already exists");
        return;
    }
    if (s->consumer_count == CONSUMERS_MAX || !mu_json_parse(&body, w->body, 1 << 20, NULL) || !mu_json_raw(w->body, "config", &raw))
        abort();
    const json_t *config = json_object_get(body, "config");
    const char *filter = mu_json_text(config, "filter_subject"), *policy = mu_json_text(config, "ack_policy");
    struct consumer *c = world_alloc(sizeof(*c));
    c->name = world_keep(name).at;
    c->config = world_keep(raw).at;
    c->filter = filter ? world_keep_text(filter) : NULL;
    c->ack_all = policy && strcmp(policy, "all") == 0;
    c->ack_wait_us = mu_json_int(config, "ack_wait", INT64_C(30000000000)) / 1000;
    c->created = created_now();
    c->stream = s;
    s->consumers[s->consumer_count++] = c;
    sync_consumer(c);
    trace("consumer %s of %s is made", c->name, s->name);
    answer_json(w, "{\"config\":%s,\"created\":\"%s\"}", c->config, c->created);
}

static void consumer_info(const struct wire *w, struct consumer *c)
{
    uint64_t waiting = 0, floor = c->ack_all ? c->now.floor : c->now.delivered;
    for (size_t i = 0; i < c->now.count && !c->ack_all; i++)
        if (c->now.pending[i].sequence <= floor)
            floor = c->now.pending[i].sequence - 1;
    for (const struct request *r = c->requests; r; r = r->next)
        waiting++;
    answer_json(w, "{\"config\":%s,\"created\":\"%s\",\"delivered\":{\"consumer_seq\":%llu,\"stream_seq\":%llu},"
                   "\"ack_floor\":{\"consumer_seq\":0,\"stream_seq\":%llu},\"num_ack_pending\":%zu,\"num_redelivered\":0,"
                   "\"num_waiting\":%llu,\"num_pending\":0}",
                c->config, c->created, (unsigned long long)c->now.number, (unsigned long long)c->now.delivered,
                (unsigned long long)floor, c->now.count, (unsigned long long)waiting);
}

static void consumer_delete(struct stream *s, struct consumer *c)
{
    c->gone = true;
    for (struct request *r = c->requests; r; r = r->next)
        say_status(r, "409", "Consumer Deleted");
    for (size_t i = 0; i < s->consumer_count; i++)
        if (s->consumers[i] == c)
            s->consumers[i] = s->consumers[--s->consumer_count];
}

static void pull(const struct wire *w, struct consumer *c)
{
    struct request *r = world_alloc(sizeof(*r));
    r->inbox = w->reply;
    r->batch = number_in(w->body, "\"batch\":");
    r->expires_us = world_now() + (int64_t)number_in(w->body, "\"expires\":") / 1000;
    r->heartbeat_us = (int64_t)number_in(w->body, "\"idle_heartbeat\":") / 1000;
    r->beat_us = world_now() + r->heartbeat_us;
    if (c->last_request)
        c->last_request->next = r;
    else
        c->requests = r;
    c->last_request = r;
    serve(c);
}

static void no_responders(const struct wire *w)
{
    answer_status(w, "503");
}

static bool consumer_api(const struct wire *w, const char *verb)
{
    bool info = strncmp(verb, "INFO.", 5) == 0, create = strncmp(verb, "CREATE.", 7) == 0, gone = strncmp(verb, "DELETE.", 7) == 0,
         next = strncmp(verb, "MSG.NEXT.", 9) == 0;
    if (!info && !create && !gone && !next)
        return false;
    const char *at = verb + (info ? 5 : next ? 9 : 7);
    struct mu_span stream_name = token(&at), name = token(&at);
    struct stream *s = find_stream(stream_name.at, stream_name.len);
    if (!s) {
        if (next)
            no_responders(w);
        else
            answer_error(w, 404, 10059, "stream not found");
        return true;
    }
    struct consumer *c = find_consumer(s, name.at, name.len);
    if (create) {
        consumer_create(w, s, name);
    } else if (!c) {
        if (next)
            no_responders(w);
        else
            answer_error(w, 404, 10014, "consumer not found");
    } else if (info) {
        consumer_info(w, c);
    } else if (gone) {
        trace("consumer %s is deleted", c->name);
        consumer_delete(s, c);
        answer_json(w, "{\"success\":true}");
    } else {
        pull(w, c);
    }
    return true;
}

bool jetstream_api(const struct wire *w)
{
    const char *what = w->subject + 8, *at;
    if (strncmp(what, "CONSUMER.", 9) == 0)
        return consumer_api(w, what + 9);
    bool direct = strncmp(what, "DIRECT.GET.", 11) == 0, info = strncmp(what, "STREAM.INFO.", 12) == 0,
         create = strncmp(what, "STREAM.CREATE.", 14) == 0, get = strncmp(what, "STREAM.MSG.GET.", 15) == 0,
         remove = strncmp(what, "STREAM.MSG.DELETE.", 18) == 0;
    if (create) {
        stream_create(w, what + 14);
        return true;
    }
    if (!direct && !info && !get && !remove)
        return false;
    at = what + (direct ? 11 : info ? 12 : get ? 15 : 18);
    struct mu_span name = token(&at);
    struct stream *s = find_stream(name.at, name.len);
    if (!s) {
        if (direct)
            no_responders(w);
        else
            answer_error(w, 404, 10059, "stream not found");
    } else if (direct) {
        direct_get(w, s, at);
    } else if (info) {
        stream_info(w, s);
    } else if (get) {
        leader_get(w, s);
    } else {
        uint64_t q = number_in(w->body, "\"seq\":");
        trace("message %llu of %s is deleted", (unsigned long long)q, s->name);
        forget(s, q);
        answer_json(w, "{\"success\":true}");
    }
    return true;
}

/* ---- for checker and cases ---- */

struct stream_look stream_look(const char *name)
{
    struct stream *s = find_stream(name, strlen(name));
    if (!s)
        return (struct stream_look){0};
    expire(s);
    return (struct stream_look){true, s->now.first, s->now.last, count_messages(s)};
}

const struct wire *stream_walk(const char *name, uint64_t *sequence)
{
    struct stream *s = find_stream(name, strlen(name));
    if (!s)
        return NULL;
    expire(s);
    for (uint64_t q = *sequence > s->now.first ? *sequence : s->now.first; q <= s->now.last && q > 0; q++) {
        struct entry *e = entry_at(s, q);
        if (e) {
            *sequence = q + 1;
            return e->wire;
        }
    }
    return NULL;
}

void stream_back(const char *name)
{
    struct stream *s = find_stream(name, strlen(name));
    if (s && s->has_kept)
        copy_content(&s->now, &s->kept);
}

void stream_forget(const char *name, uint64_t sequence)
{
    struct stream *s = find_stream(name, strlen(name));
    if (s)
        forget(s, sequence);
}

void broker_delete_consumer(const char *stream, const char *consumer)
{
    struct stream *s = find_stream(stream, strlen(stream));
    struct consumer *c = s ? find_consumer(s, consumer, strlen(consumer)) : NULL;
    if (c)
        consumer_delete(s, c);
}

const char *consumer_ahead(void)
{
    for (size_t i = 0; i < js.count; i++)
        for (size_t k = 0; k < js.streams[i]->consumer_count; k++)
            if (!js.streams[i]->consumers[k]->ack_all && js.streams[i]->consumers[k]->now.delivered > js.streams[i]->now.last)
                return js.streams[i]->consumers[k]->name;
    return NULL;
}

/* Delivered and not acknowledged, or not delivered yet. */
bool consumer_waits(const char *stream)
{
    struct stream *s = find_stream(stream, strlen(stream));
    if (!s || !s->consumer_count)
        return true;
    for (size_t i = 0; i < s->consumer_count; i++)
        if (s->consumers[i]->now.count || s->consumers[i]->now.delivered < s->now.last)
            return true;
    return false;
}
