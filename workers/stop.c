/* SPDX-License-Identifier: Apache-2.0 */
#include "stop.h"
#include "base/clock.h"
#include "base/log.h"
#include "outside/kv.h"

#define JOBS_MAX 16384   /* 256 KiB; keys live for a day */
#define WAITING_MOST 65536
#define AGAIN_MS 1000
#define PREFIX "job."

struct mu_stops {
    struct mu_bus *bus;
    struct mu_sub *news;
    struct mu_id *jobs; /* sorted */
    size_t count, room;
    uint64_t generation; /* of the bus, when the bucket was read */
    uint64_t dropped;    /* news that did not fit, as last seen */
    bool read, full;
    int64_t next_ms;
};

bool mu_stops_open(struct mu_stops **out, struct mu_bus *bus, struct mu_error *err)
{
    MU_AUTO(mu_stops_free) struct mu_stops *s = calloc(1, sizeof(*s));
    if (!s)
        return mu_fail(err, MU_BROKEN, "out of memory");
    s->bus = bus;
    if (!mu_sub_open(&s->news, bus, MU_SUBJECTS_POLICY, NULL, WAITING_MOST, err))
        return false;
    *out = MU_GIVE(s);
    return true;
}

void mu_stops_free(struct mu_stops *s)
{
    if (!s)
        return;
    mu_sub_free(s->news);
    free(s->jobs);
    free(s);
}

/* Where it stands, or would. */
static size_t place(const struct mu_stops *s, struct mu_id job)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(&s->jobs[middle], &job, sizeof(job)) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool mu_stops_has(const struct mu_stops *s, struct mu_id job)
{
    if (!s->count)
        return false;
    size_t at = place(s, job);
    return at < s->count && mu_id_equal(s->jobs[at], job);
}

static bool make_room(struct mu_stops *s)
{
    if (s->count < s->room)
        return true;
    size_t room = s->room ? s->room * 2 : 64;
    struct mu_id *grown = s->count < JOBS_MAX ? realloc(s->jobs, room * sizeof(*grown)) : NULL;
    if (grown) {
        s->jobs = grown;
        s->room = room;
    } else if (!s->full) {
        s->full = true;
        mu_log(MU_WARNING, "more jobs are cancelled than an agent remembers, tasks of the others are run in vain",
               MU_N("jobs", (int64_t)s->count));
    }
    return grown != NULL;
}

static void note(struct mu_stops *s, const char *key, bool present)
{
    struct mu_id job;
    if (strncmp(key, PREFIX, strlen(PREFIX)) != 0 || !mu_id_parse(mu_span_of(key + strlen(PREFIX)), &job))
        return; /* a policy of others */
    size_t at = place(s, job);
    bool known = at < s->count && mu_id_equal(s->jobs[at], job);
    if (present && !known && make_room(s)) {
        memmove(&s->jobs[at + 1], &s->jobs[at], (s->count - at) * sizeof(job));
        s->jobs[at] = job;
        s->count++;
    } else if (!present && known) {
        memmove(&s->jobs[at], &s->jobs[at + 1], (s->count - at - 1) * sizeof(job));
        s->count--;
        s->full = false;
    }
}

static bool note_entry(void *ctx, const char *key, const struct mu_entry *entry)
{
    (void)entry;
    note(ctx, key, true);
    return true;
}

/* Anew: what is not there any more is in force no more. */
static void read_bucket(struct mu_stops *s)
{
    struct mu_error err = {0};
    uint64_t generation = mu_bus_generation(s->bus);
    struct mu_message *old;
    s->next_ms = mu_clock_ms() + AGAIN_MS;
    s->count = 0;
    s->full = false;
    while ((old = mu_sub_take(s->news))) /* the bucket tells it too; what comes from now on is heard in its order */
        mu_message_free(old);
    if (!mu_kv_walk(s->bus, MU_BUCKET_POLICY, note_entry, s, &err)) {
        if (s->read)
            mu_log_failure(MU_WARNING, &err, "which jobs are cancelled is asked again");
        s->read = false;
        return;
    }
    s->generation = generation;
    s->read = true;
}

void mu_stops_take(struct mu_stops *s)
{
    struct mu_message *m;
    bool missed = mu_sub_dropped(s->news) != s->dropped;
    s->dropped = mu_sub_dropped(s->news);
    if (missed || !s->read || s->generation != mu_bus_generation(s->bus)) {
        if (!missed && mu_clock_ms() < s->next_ms)
            return;
        if (!mu_bus_connected(s->bus))
            return;
        read_bucket(s);
    }
    while (s->read && (m = mu_sub_take(s->news))) {
        if (strncmp(m->subject, MU_SUBJECT_POLICY, strlen(MU_SUBJECT_POLICY)) == 0)
            note(s, m->subject + strlen(MU_SUBJECT_POLICY), m->body.len > 0);
        mu_message_free(m);
    }
}
