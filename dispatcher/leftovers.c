/* SPDX-License-Identifier: Apache-2.0 */
#include "leftovers.h"
#include "base/log.h"
#include "domain/names.h"
#include "format/json.h"
#include "statements.h"

#define SLICE 200
#define MEMBERS_MAX 256

/* A message that may be one. */
struct suspect {
    uint64_t sequence;
    struct mu_id ride;
    int64_t n;
    bool known;                   /* a task of ours rides in it */
    char subject[MU_SUBJECT_MAX], id[80];
};

/* The farthest that any consumer of tasks has delivered: beyond it messages wait their turn. */
static bool delivered_at_most(struct dispatcher *d, uint64_t *out, struct mu_error *err)
{
    const struct mu_list *queues = &d->config->queues;
    *out = 0;
    for (size_t q = 0; q < queues->count; q++) {
        for (int p = MU_HIGH; p < MU_PRIORITIES; p++) {
            char name[MU_SUBJECT_MAX];
            struct mu_consumer_state state;
            bool found = false;
            mu_consumer_task(name, queues->at[q], (enum mu_priority)p);
            if (!mu_consumer_find(d->bus, MU_STREAM_TASKS, name, &found, &state, err))
                return false;
            if (found && state.delivered_stream_sequence > *out)
                *out = state.delivered_stream_sequence;
        }
    }
    return true;
}

static bool any_known(struct dispatcher *d, const struct mu_id *ids, size_t count, bool *known, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    mu_args_reset(d->args);
    mu_arg_array_begin(d->args, MU_ARRAY_ID);
    for (size_t i = 0; i < count; i++)
        mu_arg_array_id(d->args, ids[i]);
    mu_arg_array_end(d->args);
    if (!mu_store_run(d->store, SQL_KNOWN_TASKS, d->args, &rows, err))
        return false;
    *known = mu_rows_count(rows) > 0;
    return true;
}

/* What cannot be read as a queue message of ours is left alone: the agents refuse it, and say so. */
static bool read_suspect(struct dispatcher *d, const struct mu_message *m, struct suspect *s, bool *readable, struct mu_error *err)
{
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    struct mu_error why = {0};
    struct mu_id members[MEMBERS_MAX];
    size_t count = 0, i;
    json_t *task;
    const char *id = mu_message_header(m, "Nats-Msg-Id");
    *readable = mu_json_parse(&doc, m->body, 256 * 1024, &why) && mu_id_parse(mu_json_span(doc, "ride_id"), &s->ride);
    if (!*readable)
        return true;
    s->sequence = m->stream_sequence;
    s->n = mu_json_int(doc, "n", 0);
    snprintf(s->subject, sizeof(s->subject), "%s", m->subject);
    snprintf(s->id, sizeof(s->id), "%s", id ? id : "");
    json_array_foreach(json_object_get(doc, "tasks"), i, task)
    {
        if (count < MEMBERS_MAX && mu_id_parse(mu_json_span(task, "task_id"), &members[count]))
            count++;
    }
    return any_known(d, members, count, &s->known, err);
}

static bool is_needed(struct dispatcher *d, const struct suspect *s, bool *needed, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    mu_args_reset(d->args);
    mu_arg_array_begin(d->args, MU_ARRAY_ID);
    mu_arg_array_id(d->args, s->ride);
    mu_arg_array_end(d->args);
    mu_arg_array_begin(d->args, MU_ARRAY_I32);
    mu_arg_array_i64(d->args, s->n);
    mu_arg_array_end(d->args);
    if (!mu_store_run(d->store, SQL_RIDES_NEEDED, d->args, &rows, err))
        return false;
    *needed = mu_rows_count(rows) > 0;
    return true;
}

/* The message was read first, the database afterwards; now once more whether the same message stands there. */
static bool delete_it(struct leftovers *l, const struct suspect *s, struct mu_error *err)
{
    char subject[MU_SUBJECT_MAX], id[80];
    bool found = false;
    if (!mu_stream_get_leader(l->d->bus, MU_STREAM_TASKS, s->sequence, &found, subject, id, err))
        return false;
    if (!found || strcmp(subject, s->subject) != 0 || strcmp(id, s->id) != 0)
        return true;
    mu_log(MU_INFO, "a queue message that no open task needs is deleted", MU_F("message_id", s->id), MU_N("sequence", s->sequence));
    if (!mu_stream_delete(l->d->bus, MU_STREAM_TASKS, s->sequence, err))
        return false;
    l->d->counters.value[COUNT_MESSAGES_DELETED]++;
    return true;
}

bool leftovers_slice(struct leftovers *l, struct mu_error *err)
{
    struct mu_stream_state state;
    bool found = false;
    uint64_t last;
    if (!mu_stream_find(l->d->bus, MU_STREAM_TASKS, &found, &state, err))
        return false;
    if (!found || !state.messages) {
        l->cursor = 0;
        return true;
    }
    if (!delivered_at_most(l->d, &last, err))
        return false;
    for (int i = 0; i < SLICE; i++) {
        MU_AUTO(mu_message_free) struct mu_message *m = NULL;
        struct suspect s = {0};
        bool readable = false, needed = true;
        if (!mu_stream_next(l->d->bus, MU_STREAM_TASKS, l->cursor, MU_SUBJECTS_TASK, &m, err))
            return mu_while(err, "looking for leftovers");
        if (!m || m->stream_sequence > last) {
            l->cursor = 0;
            return true;
        }
        l->cursor = m->stream_sequence + 1;
        /* younger ones may be published or acknowledged at this moment */
        if (state.now_us - m->stored_us < 3 * l->d->config->task_ack_wait_ms * 1000)
            continue;
        if (!read_suspect(l->d, m, &s, &readable, err) || (readable && !is_needed(l->d, &s, &needed, err)))
            return mu_while(err, "looking for leftovers");
        if (readable && !needed && !s.known && l->d->counters.value[COUNT_MESSAGES_UNKNOWN]++ == 0)
            mu_log(MU_WARNING, "a queue message is of no task of ours, it is left alone", MU_F("message_id", s.id));
        if (readable && !needed && s.known && !delete_it(l, &s, err))
            return mu_while(err, "deleting a leftover");
    }
    return true;
}
