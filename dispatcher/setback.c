/* SPDX-License-Identifier: Apache-2.0 */
#include "setback.h"
#include "base/log.h"
#include "intake.h"
#include "renew.h"
#include "statements.h"

#define CONSUMERS_MAX (MU_QUEUES_MAX * MU_PRIORITIES)

struct seen {
    char consumer[MU_SUBJECT_MAX];
    uint64_t delivered, acknowledged;
    int64_t created_us;
};

static bool see(struct setback *s, const char *stream, struct seen *seen, size_t *count, struct mu_error *err)
{
    struct mu_consumer_state state;
    bool found = false;
    if (!mu_consumer_find(s->d->bus, stream, seen[*count].consumer, &found, &state, err))
        return false;
    seen[*count].delivered = state.delivered_stream_sequence;
    seen[*count].acknowledged = state.ack_floor_stream_sequence;
    seen[*count].created_us = state.created_us;
    *count += found;
    s->missing = s->missing || !found;
    return true;
}

/* The consumers were asked before the stream: one that is farther than its stream's end was never with it. */
static bool compare(struct setback *s, const char *stream, const struct seen *seen, size_t count, struct mu_error *err)
{
    struct mu_stream_state state;
    bool found = false;
    if (!mu_stream_find(s->d->bus, stream, &found, &state, err))
        return false;
    for (size_t i = 0; found && i < count; i++)
        if (seen[i].delivered > state.last_sequence &&
            !renew_consumer(s->d, stream, seen[i].consumer, "it is ahead of its stream, which has gone back", err))
            return false;
    return true;
}

static bool look_at_tasks(struct setback *s, struct mu_error *err)
{
    const struct mu_list *queues = &s->d->config->queues;
    struct seen seen[CONSUMERS_MAX];
    size_t count = 0;
    for (size_t q = 0; q < queues->count; q++) {
        for (int p = MU_HIGH; p < MU_PRIORITIES && count < CONSUMERS_MAX; p++) {
            mu_consumer_task(seen[count].consumer, queues->at[q], (enum mu_priority)p);
            if (!see(s, MU_STREAM_TASKS, seen, &count, err))
                return false;
        }
    }
    return compare(s, MU_STREAM_TASKS, seen, count, err);
}

static bool read_note(struct setback *s, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    s->created[0] = '\0';
    s->sequence = 0;
    s->stored_us = s->noted_us = 0;
    if (!mu_store_run(s->d->store, SQL_INTAKE_NOTED, NULL, &rows, err))
        return false;
    if (mu_rows_count(rows)) {
        snprintf(s->created, sizeof(s->created), "%s", mu_row_text(rows, 0, 0));
        s->sequence = (uint64_t)mu_row_i64(rows, 0, 1);
        s->stored_us = mu_row_i64(rows, 0, 2);
        s->noted_us = mu_row_i64(rows, 0, 3);
    }
    return true;
}

/* Is the message that was noted still the one under its sequence? What has been purged since says nothing. */
static bool matches(struct setback *s, const struct mu_stream_state *now, bool *same, struct mu_error *err)
{
    MU_AUTO(mu_message_free) struct mu_message *m = NULL;
    *same = true;
    if (!s->sequence || strcmp(s->created, now->created) != 0 || s->sequence < now->first_sequence)
        return true; /* nothing was noted, or the stream is new and its consumer with it */
    *same = s->sequence <= now->last_sequence;
    if (!*same)
        return true;
    if (!mu_stream_get(s->d->bus, MU_STREAM_INTAKE, s->sequence, &m, err))
        return false;
    *same = !m || m->stored_us == s->stored_us;
    return true;
}

/* Also when the consumer is younger than the note: what was noted before it began says nothing of it. */
static bool note(struct setback *s, const struct mu_stream_state *now, const struct seen *consumer, struct mu_error *err)
{
    MU_AUTO(mu_message_free) struct mu_message *m = NULL;
    struct mu_args *a = s->d->args;
    if (now->last_sequence && !mu_stream_get(s->d->bus, MU_STREAM_INTAKE, now->last_sequence, &m, err))
        return false;
    int64_t stored_us = m ? m->stored_us : 0;
    uint64_t sequence = m ? now->last_sequence : 0; /* one that was deleted proves nothing later */
    if (strcmp(s->created, now->created) == 0 && s->sequence == sequence && s->stored_us == stored_us &&
        consumer->created_us <= s->noted_us)
        return true;
    mu_args_reset(a);
    mu_arg_text(a, mu_span_of(now->created));
    mu_arg_i64(a, (int64_t)sequence);
    mu_arg_time_us(a, stored_us);
    mu_arg_time_us(a, now->now_us);
    return mu_store_run(s->d->store, SQL_INTAKE_NOTE, a, NULL, err);
}

/* What was settled beyond the stream's end was settled of other messages than will stand there. */
static bool forget(struct setback *s, const struct mu_stream_state *now, struct mu_error *err)
{
    struct mu_args *a = s->d->args;
    mu_args_reset(a);
    mu_arg_text(a, mu_span_of(now->created));
    mu_arg_i64(a, (int64_t)now->last_sequence);
    return mu_store_run(s->d->store, SQL_INTAKE_WENT_BACK, a, NULL, err);
}

static bool look_at_intake(struct setback *s, struct mu_error *err)
{
    struct seen seen[1] = {{.consumer = MU_CONSUMER_INTAKE}};
    struct mu_stream_state now;
    size_t count = 0;
    bool found = false, same = false;
    if (!see(s, MU_STREAM_INTAKE, seen, &count, err) || !mu_stream_find(s->d->bus, MU_STREAM_INTAKE, &found, &now, err))
        return false;
    if (!found || !count)
        return true; /* made again before the next look */
    if (!read_note(s, err) || !matches(s, &now, &same, err))
        return false;
    if (seen[0].delivered > now.last_sequence)
        same = false;
    else if (seen[0].created_us > s->noted_us)
        same = true; /* it has been made since: it began with what the stream held then */
    if (same)
        return note(s, &now, seen, err) && intake_compare(s->d, &now, seen[0].acknowledged, err);
    /* without leave to make it again the note stays, and with it the alarm, until somebody has done it */
    s->astray = !s->d->config->dispatcher_provision;
    return forget(s, &now, err) &&
           renew_consumer(s->d, MU_STREAM_INTAKE, MU_CONSUMER_INTAKE, "the intake does not hold what it held, its store has gone back", err) &&
           (!s->d->config->dispatcher_provision || note(s, &now, seen, err));
}

/* A renewal deletes before it makes: without this, a broker that fails in between would leave a queue that nobody serves. */
static bool make_missing(struct setback *s, struct mu_error *err)
{
    if (!s->missing)
        return true;
    if (!s->d->config->dispatcher_provision) {
        mu_log(MU_LOG_ERROR, "a consumer is missing", MU_F("hint", "`muster setup` makes it again"));
        return true;
    }
    mu_say(MU_WARNING, "a consumer is missing, it is made again");
    return renew_missing(s->d, err);
}

bool setback_look(struct setback *s, struct mu_error *err)
{
    s->missing = false;
    return (look_at_tasks(s, err) && look_at_intake(s, err) && make_missing(s, err)) || mu_while(err, "looking whether the broker's store went back");
}

bool setback_check_intake(struct dispatcher *d, struct mu_error *err)
{
    struct setback s = {.d = d};
    if (!look_at_intake(&s, err))
        return mu_while(err, "comparing the intake with what was noted of it");
    if (!s.astray)
        return true;
    mu_fail(err, MU_UNAVAILABLE, "the consumer of the intake must start over");
    return mu_hint(err, "`nats consumer rm %s %s`, then `muster setup` makes it again", MU_STREAM_INTAKE, MU_CONSUMER_INTAKE);
}
