/* SPDX-License-Identifier: Apache-2.0 */
#include "tables.h"
#include "world.h"

void tables_init(struct tables *t)
{
    static const size_t sizes[TABLES] = {
        [T_JOB] = sizeof(struct r_job), [T_TERMS] = sizeof(struct r_terms), [T_REQUEST] = sizeof(struct r_request),
        [T_TASK] = sizeof(struct r_task), [T_PROGRESS] = sizeof(struct r_progress), [T_OUTBOX] = sizeof(struct r_outbox),
        [T_OUTCOME] = sizeof(struct r_outcome), [T_TALLY] = sizeof(struct r_tally), [T_FINDING] = sizeof(struct r_finding),
        [T_RETRY] = sizeof(struct r_retry), [T_LATE] = sizeof(struct r_late), [T_CONFLICT] = sizeof(struct r_conflict),
        [T_QUARANTINE] = sizeof(struct r_quarantine), [T_REJECTION] = sizeof(struct r_rejection), [T_PACK] = sizeof(struct r_pack),
        [T_POSITION] = sizeof(struct r_position), [T_INTAKE_MARK] = sizeof(struct r_intake_mark),
        [T_INTAKE_SETTLED] = sizeof(struct r_intake_settled)};
    memset(t, 0, sizeof(*t));
    for (int i = 0; i < TABLES; i++)
        t->of[i].size = sizes[i];
}

static void make_room(struct table *t, size_t count)
{
    if (count <= t->room)
        return;
    t->room = count + count / 2 + 16;
    t->rows = realloc(t->rows, t->room * t->size);
    if (!t->rows)
        abort();
}

void tables_copy(struct tables *to, const struct tables *from)
{
    for (int i = 0; i < TABLES; i++) {
        make_room(&to->of[i], from->of[i].count);
        to->of[i].count = from->of[i].count;
        if (from->of[i].count)
            memcpy(to->of[i].rows, from->of[i].rows, from->of[i].count * from->of[i].size);
    }
}

void *table_add(struct tables *t, enum table_name name)
{
    struct table *of = &t->of[name];
    make_room(of, of->count + 1);
    void *row = of->rows + of->count++ * of->size;
    memset(row, 0, of->size);
    return row;
}

void table_remove(struct tables *t, enum table_name name, size_t row)
{
    struct table *of = &t->of[name];
    memmove(of->rows + row * of->size, of->rows + (row + 1) * of->size, (--of->count - row) * of->size);
}

#define FINDER(type, function, table_name_, key)                                                                                         \
    type *function(struct tables *t, struct mu_id id)                                                                                    \
    {                                                                                                                                    \
        EACH(type, row, t, table_name_)                                                                                                  \
        {                                                                                                                                \
            if (mu_id_equal(row->key, id))                                                                                               \
                return row;                                                                                                              \
        }                                                                                                                                \
        return NULL;                                                                                                                     \
    }
FINDER(struct r_job, find_job, T_JOB, id)
FINDER(struct r_task, find_task, T_TASK, id)
FINDER(struct r_outcome, find_outcome, T_OUTCOME, task)
FINDER(struct r_progress, find_progress, T_PROGRESS, job)
FINDER(struct r_retry, find_retry, T_RETRY, task)
FINDER(struct r_finding, find_finding, T_FINDING, id)
FINDER(struct r_tally, find_tally, T_TALLY, id)

bool find_any_task(struct tables *t, struct mu_id id, struct any_task *out)
{
    struct r_job *j = find_job(t, id);
    if (j) {
        *out = (struct any_task){.task = id, .job = id, .stage = j->plan_stage ? "plan" : "scan", .n = &j->n, .body = j->body, .queue = j->queue,
                                 .priority = j->priority, .trace_id = j->trace_id, .digest = &j->task_digest, .terms = &j->terms_digest,
                                 .pack = j->pack, .source_name = j->source_name};
        return true;
    }
    struct r_task *k = find_task(t, id);
    j = k ? find_job(t, k->job) : NULL;
    if (!j)
        return false;
    *out = (struct any_task){.task = id, .job = k->job, .stage = k->stage, .n = &k->n, .body = k->body, .queue = k->queue,
                             .priority = k->priority, .trace_id = j->trace_id, .digest = &k->digest, .terms = &j->terms_digest,
                             .pack = j->pack, .source_name = j->source_name};
    return true;
}
