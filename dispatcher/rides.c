/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles: small tasks of equal terms, queue and priority share a queue message. */
#include "commit.h"
#include "domain/task.h"

#define ENVELOPE 200 /* bytes of a queue message beside terms and tasks */

static bool is_new(const struct job *j)
{
    return j->error.fault == MU_OK && !j->duplicate;
}

static const struct batch *sorted_batch; /* qsort has no context; the dispatcher has one thread */

/* Those that may ride together become neighbours, in the order in which they came. */
static int by_terms(const void *x, const void *y)
{
    size_t a = *(const size_t *)x, b = *(const size_t *)y;
    const struct job *m = &sorted_batch->jobs[a], *n = &sorted_batch->jobs[b];
    int order = terms_compare(terms_of(sorted_batch, m), terms_of(sorted_batch, n));
    if (!order)
        order = m->queue == n->queue ? 0 : strcmp(m->queue, n->queue);
    if (!order)
        order = (int)m->priority - (int)n->priority;
    return order ? order : (a > b) - (a < b);
}

static bool ride_together(const struct batch *b, const struct job *x, const struct job *y)
{
    return !x->alone && !y->alone && x->queue == y->queue && x->priority == y->priority &&
           terms_compare(terms_of(b, x), terms_of(b, y)) == 0;
}

static void write_ride(struct commit *c, struct ride *r)
{
    struct batch *b = c->b;
    const struct job *first = &b->jobs[c->order[r->first]];
    struct mu_span tasks[MU_RIDE_TASKS_MAX];
    char id[MU_ID_MAX];
    MU_AUTO(mu_text_free) struct mu_text body = {0}; /* the arena grows under the spans of its own tasks */
    r->id = r->count == 1 ? first->id : mu_id_new();
    mu_id_format(r->id, id);
    for (size_t i = 0; i < r->count; i++)
        tasks[i] = batch_span(b, b->jobs[c->order[r->first + i]].task);
    mu_ride_write(&body, id, 1, false, first->queue, first->priority, batch_span(b, b->terms[first->terms].bytes), tasks,
                  r->count);
    r->body = (struct piece){b->arena.len, body.len};
    mu_text_add(&b->arena, mu_text_span(&body));
    if (body.failed)
        b->arena.failed = true;
    mu_subject_task(r->subject, first->queue, first->priority, id);
    for (size_t i = 0; i < r->count; i++)
        c->ride_of[r->first + i] = (int32_t)c->ride_count;
}

/* Bundles are formed before the commit, of what is really new. */
bool commit_form_rides(struct commit *c, struct mu_error *err)
{
    struct batch *b = c->b;
    const struct mu_config *config = b->d->config;
    c->order = calloc(b->job_count + 1, sizeof(*c->order));
    c->rides = calloc(b->job_count + 1, sizeof(*c->rides));
    c->ride_of = calloc(b->job_count + 1, sizeof(*c->ride_of));
    if (!c->order || !c->rides || !c->ride_of)
        return mu_fail(err, MU_BROKEN, "out of memory");
    for (size_t i = 0; i < b->job_count; i++)
        if (is_new(&b->jobs[i]))
            c->order[c->count++] = i;
    sorted_batch = b;
    qsort(c->order, c->count, sizeof(*c->order), by_terms);
    for (size_t i = 0; i < c->count;) {
        struct ride *r = &c->rides[c->ride_count++];
        const struct job *first = &b->jobs[c->order[i]];
        size_t bytes = ENVELOPE + b->terms[first->terms].bytes.len;
        r->first = i;
        while (i < c->count) {
            const struct job *j = &b->jobs[c->order[i]];
            bool fits = r->count == 0 ||
                        (ride_together(b, first, j) && (int64_t)r->count < config->dispatcher_bundle_tasks &&
                         (int64_t)(bytes + j->task.len + 1) <= config->dispatcher_bundle_bytes);
            if (!fits)
                break;
            bytes += j->task.len + 1;
            r->count++;
            i++;
        }
        write_ride(c, r);
    }
    return mu_text_ok(&b->arena, err);
}
