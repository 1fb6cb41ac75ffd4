/* SPDX-License-Identifier: Apache-2.0 */
/* A queue message. On its first delivery small tasks are run together, and their outcomes leave in one
 * message (or a few), without a word to the key-value store. Everything else is run and accounted member by
 * member, so that a poison task takes no companion with it: each one's outcome is confirmed and its state
 * purged before the next one is marked; the acknowledgement comes last. */
#include "base/clock.h"
#include "base/log.h"
#include "daemon/failpoint.h"
#include "work.h"

struct going { /* one ride on its way */
    struct mu_worker *w;
    struct mu_delivery *d;
    const struct mu_ride *ride;
    struct mu_result_message message;
    struct mu_text outcome, tally; /* of the task that is being run */
};

static bool post_message(struct going *g, struct mu_delivery *counted, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text body = MU_TEXT(2 * MU_RESULT_MAX);
    char subject[MU_SUBJECT_MAX];
    if (mu_result_message_empty(&g->message))
        return true;
    mu_result_message_write(&g->message, &body);
    mu_result_message_reset(&g->message);
    mu_subject_result(subject, g->message.queue, g->message.ride_id);
    MU_FAILPOINT("worker.before_outcome");
    return mu_text_ok(&body, err) &&
           mu_results_post(g->w->results, subject, mu_text_span(&body),
                           mu_message_header(g->d->message, "traceparent"), counted, err);
}

static void defer(struct going *g, const struct mu_task *task, const struct mu_error *why)
{
    mu_log_failure(MU_WARNING, why, "the task is deferred");
    mu_result_message_defer(&g->message, task, g->ride->n, "dependency", why->code, why->text);
    if (strcmp(why->code, "source_down") == 0 && !mu_sources_ready(g->w->sources, NULL))
        g->w->sources_down = true;
    mu_worker_event(g->w, "deferred", task, why->code);
}

/* Ends the delivery by its fault; a broken one ends the program too. */
static void settle(struct going *g, const struct mu_error *why)
{
    mu_lease_run(g->w->lease, NULL, NULL, NULL);
    if (why->fault == MU_LOST) {
        mu_log_failure(MU_INFO, why, "leaving it to its owner");
        mu_drain_arrivals(g->w); /* we have been away: what had come meanwhile has been given to others too */
    }
    if (why->fault == MU_BROKEN)
        g->w->fault = *why;
    mu_settle(&g->w->settler, g->d, why);
}

/* ---- first delivery of small tasks ---- */

static void forget(struct going *g)
{
    mu_text_reset(&g->outcome);
    mu_text_reset(&g->tally);
}

static bool add_outcome(struct going *g, struct mu_error *err)
{
    if (!mu_text_ok(&g->outcome, err) || !mu_text_ok(&g->tally, err))
        return false;
    if (!mu_result_message_room(&g->message, g->outcome.len + g->tally.len) && !post_message(g, g->d, err))
        return false;
    mu_result_message_add(&g->message, mu_text_span(&g->outcome), mu_text_span(&g->tally));
    forget(g);
    return true;
}

static bool run_small(struct going *g, const struct mu_task *task, struct mu_error *err)
{
    MU_AUTO(mu_work_fini) struct mu_work k = {.w = g->w, .d = g->d, .ride = g->ride, .task = task};
    struct mu_error why = {0};
    if (!mu_worker_wants(g->w, task))
        return true;
    mu_lease_run(g->w->lease, g->d, g->ride, task);
    mu_lease_moved(g->w->lease);
    bool done = mu_work_run(&k, &g->outcome, &g->tally, &why);
    mu_lease_run(g->w->lease, NULL, NULL, NULL);
    if (done) /* an outcome leaves only after its findings are stored */
        return (!k.sent || mu_results_confirm(g->w->results, err)) && add_outcome(g, err);
    forget(g);
    if (why.fault == MU_REJECTED) {
        mu_work_write_failure(&k, &why, &g->outcome);
        return add_outcome(g, err);
    }
    if (mu_work_is_deferral(&why)) {
        if (!mu_result_message_room(&g->message, 1024) && !post_message(g, g->d, err))
            return false;
        defer(g, task, &why);
        return true;
    }
    return mu_fail_code(err, why.fault, why.code, "%s", why.text);
}

/* Nothing of a ride whose lease may have run out leaves the process: whoever has it now says the same. */
static bool still_ours(struct going *g, struct mu_error *err)
{
    return !mu_lease_doubtful(g->w->lease, g->d) ||
           mu_fail(err, MU_LOST, "the lease of ride %s has run out", g->ride->id_text);
}

static void run_together(struct going *g)
{
    struct mu_error err = {0}, late = {0};
    for (size_t i = 0; i < g->ride->count && err.fault == MU_OK; i++)
        if (!run_small(g, &g->ride->tasks[i], &err))
            break;
    if (err.fault == MU_OK && still_ours(g, &err) && post_message(g, g->d, &err)) {
        mu_results_complete(g->w->results, g->d);
        return;
    }
    if (g->d->open_posts &&
        !mu_results_confirm(g->w->results, &late)) /* parts that are under way point to it */
        mu_log_failure(MU_WARNING, &late, "the ride comes out of the queue again");
    else
        settle(g, &err);
}

/* ---- one by one ---- */

enum member { MEMBER_DONE, MEMBER_SKIPPED, MEMBER_STOP };

/* A task that may be told to stop. */
static bool run_noted(struct going *g, struct mu_work *k, struct mu_error *why)
{
    g->w->running = k->task;
    bool done = mu_work_run(k, &g->outcome, &g->tally, why);
    g->w->running = NULL;
    g->w->stopped = false;
    return done;
}

/* Runs one task whose progress is ours; what it ended with is in g->message. MEMBER_STOP: *why says how the
 * delivery ends. */
static enum member run_claimed(struct going *g, struct mu_work *k, enum mu_decision decision,
                               struct mu_error *why)
{
    if (decision == MU_GIVE_UP) {
        mu_work_write_exhausted(k, &g->outcome);
        mu_worker_event(g->w, "failed", k->task, "exhausted");
    } else if (!run_noted(g, k, why)) {
        forget(g);
        if (mu_work_is_stopped(why)) {
            mu_error_clear(why);
            mu_say(MU_INFO, "the job was cancelled, the task is left");
            return MEMBER_SKIPPED;
        }
        if (why->fault == MU_REJECTED) {
            mu_work_write_failure(k, why, &g->outcome);
        } else if (mu_work_is_deferral(why)) {
            struct mu_error released = {0};
            if (k->progress->stored && !mu_work_release(k, &released) &&
                strcmp(released.code, "drain") != 0) {
                *why = released;
                return MEMBER_STOP;
            }
            defer(g, k->task, why);
        } else {
            return MEMBER_STOP;
        }
        mu_error_clear(why);
    }
    if (g->outcome.len)
        mu_result_message_add(&g->message, mu_text_span(&g->outcome), mu_text_span(&g->tally));
    bool whole = mu_text_ok(&g->outcome, why) && mu_text_ok(&g->tally, why);
    forget(g);
    return whole ? MEMBER_DONE : MEMBER_STOP;
}

/* The outcome leaves and is confirmed, after all findings. */
static bool publish(struct going *g, struct mu_work *k, struct mu_error *why)
{
    if (!mu_work_still_ours(k, why) || !mu_results_confirm(g->w->results, why) ||
        !post_message(g, NULL, why) || !mu_results_confirm(g->w->results, why))
        return false;
    MU_FAILPOINT("worker.after_outcome");
    return true;
}

static enum member run_member(struct going *g, const struct mu_task *task, bool first,
                              struct mu_progress *progress, struct mu_error *why)
{
    MU_AUTO(mu_work_fini)
    struct mu_work k = {.w = g->w, .d = g->d, .ride = g->ride, .task = task, .progress = progress};
    enum mu_decision decision = MU_START;
    if (!mu_worker_wants(g->w, task))
        return MEMBER_SKIPPED;
    while (!first && !mu_progress_claim(progress, g->ride->fresh, &decision, why))
        if (!mu_worker_retry(g->w, why))
            return MEMBER_STOP;
    if (decision == MU_SUPERSEDED)
        return MEMBER_SKIPPED;
    if (!first)
        mu_lease_renewed(g->d); /* the start mark has just been written */
    mu_log_task(task->id_text, task->job_text);
    if (task->source || !first)
        mu_worker_event(g->w, "claimed", task, "");
    mu_lease_run(g->w->lease, g->d, g->ride, task);
    mu_lease_moved(g->w->lease);
    enum member end = run_claimed(g, &k, decision, why);
    if (end == MEMBER_DONE && !publish(g, &k, why))
        end = MEMBER_STOP;
    mu_lease_run(g->w->lease, NULL, NULL, NULL);
    if (end == MEMBER_STOP && why->fault == MU_UNAVAILABLE)
        mu_worker_event(g->w, "handed_back", task, why->code);
    mu_log_no_task();
    return end;
}

static void run_one_by_one(struct going *g, bool first)
{
    struct mu_error why = {0};
    for (size_t i = 0; i < g->ride->count; i++) {
        MU_AUTO(mu_progress_fini) struct mu_progress progress;
        const struct mu_agent *agent = &g->w->agent;
        bool last = i + 1 == g->ride->count;
        mu_progress_init(&progress, g->w->bus, &g->ride->tasks[i], agent->id, agent->incarnation, g->ride->n);
        if (run_member(g, &g->ride->tasks[i], first, &progress, &why) == MEMBER_STOP) {
            settle(g, &why);
            return;
        }
        if (last)
            settle(g, &why);
        mu_progress_purge(&progress);
        MU_FAILPOINT("worker.after_purge");
    }
}

/* ---- what cannot be read ---- */

/* One member of a message that was refused. False: the outcome could not be kept. */
static bool reject_member(struct going *g, const struct mu_ride *ride, struct mu_span raw, const struct mu_error *refusal,
                          struct mu_error *err)
{
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    struct mu_task task = {.raw = raw, .digest = mu_digest_of(raw)};
    struct mu_error why = *refusal;
    if (!mu_json_parse(&doc, raw, MU_TASK_MESSAGE_MAX, NULL))
        return true;
    struct mu_span id = mu_json_span(doc, "task_id"), job = mu_json_span(doc, "job_id");
    if (!mu_id_parse(id, &task.task_id) || !mu_id_parse(job.at ? job : id, &task.job_id))
        return true; /* nobody knows whose it is */
    mu_id_format(task.task_id, task.id_text);
    mu_id_format(task.job_id, task.job_text);
    struct mu_work k = {.w = g->w, .d = g->d, .ride = ride, .task = &task, .started_us = mu_wall_us()};
    snprintf(why.code, sizeof(why.code), "bad_task");
    mu_work_write_failure(&k, &why, &g->outcome);
    return add_outcome(g, err);
}

/* The message is on its subject, but its terms or a task in it are not as they must be: the outcome of those tasks is
 * `rejected`. The others are published again by themselves. */
static bool reject_members(struct going *g, const struct mu_error *why)
{
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    MU_AUTO(mu_terms_fini) struct mu_terms terms = {.doc = NULL};
    struct mu_span rest, raw, body = g->d->message->body;
    struct mu_error err = {0};
    bool known = strncmp(why->pointer, "/terms", 6) == 0 || strncmp(why->pointer, "/tasks/", 7) == 0;
    if (!known || !mu_json_parse(&doc, body, MU_TASK_MESSAGE_MAX, &err) || !mu_json_raw(body, "terms", &raw) ||
        !mu_json_raw(body, "tasks", &rest))
        return false;
    bool usable = mu_terms_parse(&terms, raw, NULL);
    const struct mu_ride ride = {.n = mu_json_int(doc, "n", 1)};
    while (mu_json_next_element(&rest, &raw)) {
        MU_AUTO(mu_task_fini) struct mu_task task = {.raw = raw};
        struct mu_error refusal = {0};
        if (usable && mu_task_parse(&task, raw, &terms, &refusal))
            continue;
        if (!reject_member(g, &ride, raw, usable ? &refusal : why, &err))
            return false;
    }
    if (mu_result_message_empty(&g->message) || !post_message(g, g->d, &err))
        return false;
    mu_results_complete(g->w->results, g->d);
    return true;
}

static void refuse(struct mu_worker *w, struct mu_delivery *d, const struct mu_error *why)
{
    struct mu_task_subject subject;
    struct going g = {.w = w, .d = d, .outcome = MU_TEXT(MU_RESULT_MAX), .tally = MU_TEXT(MU_RESULT_MAX)};
    mu_log_failure(MU_WARNING, why, "refusing the queue message");
    bool known = mu_subject_parse_task(d->message->subject, &subject);
    if (known)
        mu_result_message_init(&g.message, &w->agent, subject.ride_id, subject.queue);
    if (!known || !reject_members(&g, why))
        mu_settle_unreadable(&w->settler, d, why->text);
    mu_result_message_fini(&g.message);
    mu_text_free(&g.outcome);
    mu_text_free(&g.tally);
}

static void run_ride(struct mu_worker *w, struct mu_delivery *d)
{
    MU_AUTO(mu_ride_fini) struct mu_ride ride = {.n = 0};
    struct mu_error err = {0};
    int64_t began_us = mu_clock_us();
    MU_FAILPOINT("worker.pulled");
    if (!mu_ride_parse(&ride, d->message->subject, d->message->body, w->arena, &err)) {
        refuse(w, d, &err);
        return;
    }
    struct going g = {.w = w, .d = d, .ride = &ride, .outcome = MU_TEXT(2 * MU_RESULT_MAX),
                      .tally = MU_TEXT(MU_RESULT_MAX)};
    bool first = d->message->delivered == 1 && ride.n == 1, small = true;
    for (size_t i = 0; i < ride.count; i++)
        small = small && !ride.tasks[i].source;
    mu_result_message_init(&g.message, &w->agent, ride.id_text, ride.queue);
    atomic_store(&d->n, ride.n);
    d->tasks = ride.count;
    w->running_long = !small;
    if (!small)
        mu_drain_arrivals(w);
    if (first && small)
        run_together(&g);
    else
        run_one_by_one(&g, first);
    w->running_long = false;
    w->ride_us = small ? (3 * w->ride_us + mu_clock_us() - began_us) / 4 : MU_RIDE_LONG_US;
    mu_result_message_fini(&g.message);
    mu_text_free(&g.outcome);
    mu_text_free(&g.tally);
}

void mu_ride_run(struct mu_worker *w, struct mu_delivery *d)
{
    run_ride(w, d);
    mu_json_arena_reset(w->arena);
}
