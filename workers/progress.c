/* SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"
#include "base/clock.h"
#include "daemon/failpoint.h"
#include "state_parts.h"

#define STATE_MAX ((size_t)1 << 20)

static bool copy_member(char *to, size_t size, const json_t *doc, const char *key)
{
    return mu_copy_text(to, size, mu_json_span(doc, key));
}

bool mu_mark_parse(struct mu_mark *out, struct mu_span bytes, struct mu_error *err)
{
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    struct mu_mark m = {0};
    if (!mu_json_parse(&doc, bytes, STATE_MAX, err))
        return false;
    m.n = mu_json_int(doc, "n", 0);
    m.crashes = mu_json_int(doc, "crashes", -1);
    m.released = mu_json_bool(doc, "released", false);
    if (mu_json_int(doc, "v", 0) != 1 || m.n < 1 || m.crashes < 0 ||
        !copy_member(m.owner, sizeof(m.owner), doc, "owner") ||
        !copy_member(m.incarnation, sizeof(m.incarnation), doc, "incarnation") ||
        !copy_member(m.task_digest, sizeof(m.task_digest), doc, "task_digest"))
        return mu_reject(err, "invalid", "", "the stored state is none of muster's");
    const json_t *checkpoint = json_object_get(doc, "checkpoint");
    m.checkpoint = json_is_object(checkpoint) ? checkpoint : NULL;
    m.doc = MU_GIVE(doc);
    *out = m;
    return true;
}

void mu_mark_fini(struct mu_mark *m)
{
    mu_json_free(m->doc);
    m->doc = NULL;
}

enum mu_decision mu_progress_decide(const struct mu_mark *stored, const struct mu_claim *claim,
                                    int64_t *crashes)
{
    *crashes = 0;
    if (!stored || strcmp(stored->task_digest, claim->task_digest) != 0)
        return MU_START; /* nothing there, or another task's: an id is never reused, so this was put by hand
                          */
    if (stored->n > claim->n)
        return MU_SUPERSEDED;
    if (claim->fresh && stored->n < claim->n)
        return MU_START; /* findings behind the checkpoint were lost */
    /* an unreleased mark of another process ended without a word, or is still running: both count */
    *crashes = stored->crashes + (!stored->released && strcmp(stored->incarnation, claim->incarnation) != 0);
    if (*crashes >= MU_CRASHES_MAX)
        return MU_GIVE_UP;
    if (stored->checkpoint && mu_json_int(stored->checkpoint, "format", 0) == MU_CHECKPOINT_FORMAT)
        return MU_RESUME;
    return MU_START;
}

void mu_progress_init(struct mu_progress *p, struct mu_bus *bus, const struct mu_task *task,
                      const char *agent, const char *incarnation, int64_t n)
{
    p->bus = bus;
    p->task = task;
    p->agent = agent;
    p->incarnation = incarnation;
    p->n = n;
    p->sequence = 0;
    p->generation = mu_bus_generation(bus);
    p->stored = false;
    p->places = 0;
    p->crashes = 0;
    p->checkpoint = MU_TEXT(STATE_MAX);
    p->resume = NULL;
    p->resume_count = 0;
    p->started_us = mu_wall_us();
}

static void write_state(const struct mu_progress *p, bool released, struct mu_text *t)
{
    char digest[MU_DIGEST_HEX], now[MU_RFC3339_MAX];
    mu_digest_format(&p->task->digest, digest);
    mu_rfc3339_format(mu_wall_us(), now);
    mu_text_puts(t, "{\"v\":1");
    mu_json_put_text(t, "task_id", p->task->id_text);
    mu_json_put_text(t, "task_digest", digest);
    mu_json_put_int(t, "n", p->n);
    mu_json_put_text(t, "owner", p->agent);
    mu_json_put_text(t, "incarnation", p->incarnation);
    mu_json_put_int(t, "crashes", p->crashes);
    mu_json_put_bool(t, "released", released);
    mu_json_put_raw(t, "checkpoint", p->checkpoint.len ? mu_text_span(&p->checkpoint) : mu_span_of("null"));
    mu_json_put_text(t, "updated_at", now);
    mu_text_putc(t, '}');
}

typedef bool getter(struct mu_bus *bus, const char *bucket, const char *key, struct mu_entry *out, struct mu_error *err);

static bool find_mark(getter *get, struct mu_bus *bus, const char *task_id, struct mu_mark *mark, bool *found,
                      uint64_t *sequence, struct mu_error *err)
{
    MU_AUTO(mu_entry_free) struct mu_entry e = {0};
    struct mu_error unreadable = {0};
    if (!get(bus, MU_BUCKET_STATE, task_id, &e, err))
        return false;
    *sequence = e.sequence;
    /* what nobody can read is as good as nothing, but its sequence counts */
    *found = e.present && mu_mark_parse(mark, mu_text_span(&e.value), &unreadable);
    return true;
}

/* With the sequence that we know, if it can still be trusted. */
static bool put_at_once(struct mu_progress *p, struct mu_span state, struct mu_error *err)
{
    if (p->generation != mu_bus_generation(p->bus))
        return mu_fail(err, MU_LOST, "the broker has been away");
    return mu_kv_cas(p->bus, MU_BUCKET_STATE, p->task->id_text, p->sequence, state, &p->sequence, err);
}

/* Compare-and-set; refused although what stands there is ours: the store was rolled back, so take its
 * sequence and write again. */
static bool put_state(struct mu_progress *p, bool released, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text t = MU_TEXT(STATE_MAX);
    struct mu_error first = {0};
    write_state(p, released, &t);
    if (!mu_text_ok(&t, err))
        return false;
    if (put_at_once(p, mu_text_span(&t), &first)) {
        p->stored = true;
        return true;
    }
    if (first.fault != MU_LOST)
        return mu_fail_code(err, first.fault, first.code, "%s", first.text);
    MU_AUTO(mu_mark_fini) struct mu_mark mark = {0};
    uint64_t generation = mu_bus_generation(p->bus);
    bool found;
    uint64_t sequence;
    if (!find_mark(mu_kv_get_leader, p->bus, p->task->id_text, &mark, &found, &sequence, err))
        return false;
    bool mine = found ? strcmp(mark.incarnation, p->incarnation) == 0 && strcmp(mark.owner, p->agent) == 0 &&
                            mark.n <= p->n
                      : sequence == 0; /* a wiped store holds nothing of anybody */
    if (!mine)
        return mu_fail(err, MU_LOST, "task %s is %s%s now", p->task->id_text, found ? "owned by " : "settled",
                       found ? mark.owner : "");
    if (!mu_kv_cas(p->bus, MU_BUCKET_STATE, p->task->id_text, sequence, mu_text_span(&t), &p->sequence, err))
        return false;
    p->generation = generation;
    p->stored = true;
    return true;
}

/* What the new owner takes over of the last one's checkpoint. */
static void take_over(struct mu_progress *p, const struct mu_mark *mark)
{
    const json_t *c = mark->checkpoint, *list = json_object_get(c, "resumes");
    const char *owner = mu_json_text(c, "owner");
    struct mu_resume next = {.record_no = mu_json_int(c, "record_no", 0),
                             .byte_off = mu_json_int(c, "byte_off", 0)};
    size_t count = json_array_size(list), skip = count >= MU_RESUMES_MAX ? count - MU_RESUMES_MAX + 1 : 0;
    for (size_t i = skip; i < count; i++) {
        const json_t *one = json_array_get(list, i);
        struct mu_resume *r = &p->resumes[p->resume_count];
        r->record_no = mu_json_int(one, "record_no", 0);
        r->byte_off = mu_json_int(one, "byte_off", 0);
        if (copy_member(r->agent, sizeof(r->agent), one, "agent") &&
            copy_member(r->from_agent, sizeof(r->from_agent), one, "from_agent"))
            p->resume_count++;
    }
    if (mu_copy_text(next.agent, sizeof(next.agent), mu_span_of(p->agent)) &&
        mu_copy_text(next.from_agent, sizeof(next.from_agent), mu_span_of(owner ? owner : mark->owner)))
        p->resumes[p->resume_count++] = next;
    if (!mu_rfc3339_parse(mu_json_span(c, "started_at"), &p->started_us))
        p->started_us = mu_wall_us();
    mu_json_write(&p->checkpoint, c);
    p->resume = json_incref((json_t *)(uintptr_t)c);
}

bool mu_progress_claim(struct mu_progress *p, bool fresh, enum mu_decision *out, struct mu_error *err)
{
    MU_AUTO(mu_mark_fini) struct mu_mark mark = {0};
    char digest[MU_DIGEST_HEX];
    bool found;
    mu_digest_format(&p->task->digest, digest);
    p->generation = mu_bus_generation(p->bus);
    if (!find_mark(mu_kv_get, p->bus, p->task->id_text, &mark, &found, &p->sequence, err))
        return mu_while(err, "reading the state of task %s", p->task->id_text);
    const struct mu_claim claim = {
        .n = p->n, .fresh = fresh, .incarnation = p->incarnation, .task_digest = digest};
    enum mu_decision decision = mu_progress_decide(found ? &mark : NULL, &claim, &p->crashes);
    p->stored = found && decision != MU_SUPERSEDED;
    if (decision == MU_RESUME)
        take_over(p, &mark);
    if ((decision == MU_START || decision == MU_RESUME) && !put_state(p, false, err))
        return mu_while(err, "marking the start of task %s", p->task->id_text);
    MU_FAILPOINT("worker.marked");
    *out = decision;
    return true;
}

bool mu_progress_save(struct mu_progress *p, struct mu_span checkpoint, struct mu_error *err)
{
    mu_text_reset(&p->checkpoint);
    mu_text_add(&p->checkpoint, checkpoint);
    p->crashes = 0; /* they are counted at one checkpoint */
    return put_state(p, false, err) || mu_while(err, "saving the checkpoint of task %s", p->task->id_text);
}

bool mu_progress_release(struct mu_progress *p, struct mu_error *err)
{
    return put_state(p, true, err) || mu_while(err, "handing back task %s", p->task->id_text);
}

bool mu_progress_assert(struct mu_progress *p, struct mu_error *err)
{
    return put_state(p, false, err) ||
           mu_while(err, "asking whether task %s is still ours", p->task->id_text);
}

void mu_progress_purge(struct mu_progress *p)
{
    struct mu_error ignored = {0};
    mu_state_parts_drop(p);
    if (p->stored && p->generation == mu_bus_generation(p->bus)) /* else it is left to the leader's sweep */
        (void)!mu_kv_purge(p->bus, MU_BUCKET_STATE, p->task->id_text, p->sequence, &ignored);
    p->stored = false;
}

void mu_progress_fini(struct mu_progress *p)
{
    mu_text_free(&p->checkpoint);
    mu_json_free(p->resume);
    p->resume = NULL;
}

bool mu_progress_is_mine(struct mu_bus *bus, const char *task_id, const char *incarnation)
{
    MU_AUTO(mu_mark_fini) struct mu_mark mark = {0};
    struct mu_error ignored = {0};
    bool found = false;
    uint64_t sequence;
    return find_mark(mu_kv_get_leader, bus, task_id, &mark, &found, &sequence, &ignored) && found &&
           strcmp(mark.incarnation, incarnation) == 0;
}
