/* SPDX-License-Identifier: Apache-2.0 */
/* What a program asks of its machine, answered by the world: lib/base/clock.h and the randomness of lib/base/id.h,
 * lib/base/log.h, lib/daemon/daemon.h, lib/format/json_arena.h, workers/lease_thread.h. Linked in place of the real
 * files. */
#include "base/clock.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "format/json_arena.h"
#include "lease_thread.h"
#include "world.h"

#include <assert.h>

/* ---- clocks and chance ---- */

int64_t mu_clock_ms(void)
{
    return world_now() / 1000;
}

int64_t mu_clock_us(void)
{
    return world_now();
}

int64_t mu_wall_us(void)
{
    const struct process *p = process_current();
    return world_wall() + (p ? p->unit->wall_offset_us : 0);
}

void mu_random(void *out, size_t len)
{
    unsigned char *at = out;
    for (size_t i = 0; i < len; i += 8) {
        uint64_t bits = chance_bits();
        memcpy(at + i, &bits, len - i < 8 ? len - i : 8);
    }
}

uint32_t mu_random_below(uint32_t bound)
{
    return chance_below(bound);
}

/* ---- the daemon ---- */

bool mu_daemon_init(struct mu_error *err)
{
    (void)err;
    return true;
}

bool mu_daemon_should_stop(void)
{
    return process_current()->stop_asked;
}

void mu_daemon_stop(void)
{
    process_stop(process_current());
}

void mu_daemon_on_signal(void (*wake)(void *), void *ctx)
{
    struct process *p = process_current();
    p->wake = wake;
    p->wake_ctx = ctx;
}

bool mu_daemon_wait(int64_t wait_ms)
{
    struct process *p = process_current();
    int64_t until_us = world_now() + wait_ms * 1000;
    world_step();
    while (!p->stop_asked && world_now() < until_us) {
        p->daemon_waiter = fibre_current();
        (void)fibre_wait(until_us);
        p->daemon_waiter = NULL;
    }
    return !p->stop_asked;
}

void mu_daemon_ready(void)
{
    trace("ready");
}

void mu_daemon_status(const char *text)
{
    trace("status %s", text);
}

void mu_daemon_alive(void)
{
}

void mu_daemon_stopping(void)
{
    trace("stopping");
}

int mu_exit_status(const struct mu_error *err)
{
    if (err->fault == MU_OK)
        return MU_EXIT_OK;
    mu_log_failure(MU_LOG_ERROR, err, "stopping");
    return MU_EXIT_FAULT;
}

void mu_daemon_abort(void)
{
    process_exit(MU_EXIT_FAULT);
}

/* ---- the log: lines of the trace ---- */

void mu_log_open(const char *program, enum mu_level least, const char *format)
{
    (void)program;
    (void)least;
    (void)format;
}

void mu_log_level(enum mu_level least)
{
    (void)least;
}

bool mu_log_parse_level(const char *name, enum mu_level *out)
{
    *out = MU_INFO;
    return name != NULL;
}

void mu_log_fields(enum mu_level level, const char *sentence, const struct mu_field *fields)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    if (!trace_on)
        return;
    MU_AUTO(mu_text_free) struct mu_text line = MU_TEXT(65536);
    for (; fields && fields->name; fields++) {
        if (fields->text && !fields->text[0])
            continue;
        mu_text_addf(&line, " %s=", fields->name);
        if (fields->text)
            mu_text_puts(&line, fields->text);
        else
            mu_text_add_i64(&line, fields->number);
    }
    trace("%s: %s%s", names[level], sentence, line.len ? line.at : "");
}

void mu_log_failure(enum mu_level level, const struct mu_error *err, const char *next)
{
    char sentence[sizeof(err->text) + 200];
    snprintf(sentence, sizeof(sentence), "%s%s%s", err->text, next && next[0] ? ", " : "", next ? next : "");
    mu_log(level, sentence, MU_F("fault", mu_fault_name(err->fault)), MU_F("code", err->code), MU_F("pointer", err->pointer));
}

void mu_log_task(const char *task_id, const char *job_id)
{
    struct process *p = process_current();
    (void)job_id;
    snprintf(p->task, sizeof(p->task), "%s", task_id);
}

void mu_log_no_task(void)
{
    process_current()->task[0] = '\0';
}

/* ---- arenas: on the heap, as with a sanitizer. The real ones are counted, and a killed process gives none back ---- */

struct mu_json_arena {
    json_t **docs;
    size_t count, room;
};

bool mu_json_arena_new(struct mu_json_arena **out, size_t kept_bytes, struct mu_error *err)
{
    (void)kept_bytes;
    *out = calloc(1, sizeof(**out));
    return *out || mu_fail(err, MU_BROKEN, "out of memory");
}

bool mu_json_arena_parse(struct mu_json_arena *a, json_t **out, struct mu_span bytes, size_t max_bytes, struct mu_error *err)
{
    json_t *doc = NULL;
    if (!mu_json_parse(&doc, bytes, max_bytes, err))
        return false;
    if (a) {
        if (a->count == a->room) {
            a->room = a->room ? a->room * 2 : 64;
            a->docs = realloc(a->docs, a->room * sizeof(json_t *));
            assert(a->docs);
        }
        a->docs[a->count++] = json_incref(doc);
    }
    *out = doc;
    return true;
}

void mu_json_arena_drop(struct mu_json_arena *a, json_t *doc)
{
    (void)a;
    json_decref(doc);
}

void mu_json_arena_reset(struct mu_json_arena *a)
{
    for (size_t i = 0; i < a->count; i++) {
        assert(a->docs[i]->refcount == 1); /* somebody kept what is gone in other builds */
        json_decref(a->docs[i]);
    }
    a->count = 0;
}

void mu_json_arena_free(struct mu_json_arena *a)
{
    if (!a)
        return;
    mu_json_arena_reset(a);
    free(a->docs);
    free(a);
}

/* ---- the lease thread: a second fibre of its process ---- */

struct mu_lease_thread {
    int64_t (*look)(void *ctx);
    void *ctx;
    struct fibre *fibre, *joiner;
    struct fibre *owner;      /* of the mutex; NULL: free */
    struct fibre *waiting[4]; /* for the mutex */
    size_t waiting_count;
    bool sleeps;              /* on the condition */
};

void mu_lease_thread_lock(struct mu_lease_thread *t)
{
    assert(t->owner != fibre_current());
    while (t->owner) {
        assert(t->waiting_count < MU_COUNT(t->waiting));
        t->waiting[t->waiting_count++] = fibre_current();
        (void)fibre_wait(NEVER);
    }
    t->owner = fibre_current();
}

void mu_lease_thread_unlock(struct mu_lease_thread *t)
{
    assert(t->owner == fibre_current());
    t->owner = NULL;
    while (t->waiting_count)
        fibre_wake(t->waiting[--t->waiting_count]);
}

static void run_lease(void *ctx)
{
    struct mu_lease_thread *t = ctx;
    int64_t until_ms;
    mu_lease_thread_lock(t);
    while ((until_ms = t->look(t->ctx)) != MU_LEASE_ENDS) {
        if (until_ms <= mu_clock_ms())
            continue;
        t->sleeps = true;
        mu_lease_thread_unlock(t);
        (void)fibre_wait(until_ms * 1000);
        t->sleeps = false;
        mu_lease_thread_lock(t);
    }
    mu_lease_thread_unlock(t);
    fibre_wake(t->joiner);
}

bool mu_lease_thread_start(struct mu_lease_thread **out, int64_t (*look)(void *ctx), void *ctx, struct mu_error *err)
{
    struct mu_lease_thread *t = world_alloc(sizeof(*t));
    (void)err;
    t->look = look;
    t->ctx = ctx;
    *out = t;
    t->fibre = fibre_new(process_current(), run_lease, t);
    return true;
}

void mu_lease_thread_wake(struct mu_lease_thread *t)
{
    if (t->sleeps)
        fibre_wake(t->fibre);
}

void mu_lease_thread_end(struct mu_lease_thread *t)
{
    t->joiner = fibre_current();
    mu_lease_thread_wake(t);
    while (!fibre_done(t->fibre))
        (void)fibre_wait(world_now() + 1000);
}
