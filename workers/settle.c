/* SPDX-License-Identifier: Apache-2.0 */
#include "settle.h"
#include "base/clock.h"
#include "daemon/failpoint.h"
#include "domain/outcome.h"
#include "results.h"

#define HAND_BACK_MS 1
#define BROKEN_MS 2000
#define SAY_TIMEOUT_MS 3000

static void drop(const struct mu_settler *s, struct mu_delivery *d)
{
    mu_lease_let_go(s->lease, d);
    mu_message_free(d->message);
    free(d);
}

void mu_settle(const struct mu_settler *s, struct mu_delivery *d, const struct mu_error *why)
{
    struct mu_error ignored = {0};
    bool lives = !mu_lease_doubtful(s->lease, d);
    switch (why->fault) {
    case MU_OK:
    case MU_REJECTED:
        (void)!mu_ack(s->bus, d->message, &ignored);
        mu_lease_count_settled(s->lease, d->tasks);
        MU_FAILPOINT("worker.after_ack");
        break;
    case MU_UNAVAILABLE:
        if (lives)
            (void)!mu_nak(s->bus, d->message, HAND_BACK_MS, &ignored);
        break;
    case MU_LOST:
        break;
    case MU_BROKEN:
        if (lives)
            (void)!mu_nak(s->bus, d->message, BROKEN_MS, &ignored);
        break;
    }
    drop(s, d);
}

void mu_settle_unreadable(const struct mu_settler *s, struct mu_delivery *d, const char *reason)
{
    struct mu_error ignored = {0};
    if (!mu_lease_doubtful(s->lease, d))
        (void)!mu_term(s->bus, d->message, reason, &ignored);
    drop(s, d);
}

void mu_settle_overrun(struct mu_bus *bus, const struct mu_agent *agent, const struct mu_ride *ride,
                       const struct mu_task *task, const struct mu_message *message, const char *reason,
                       const char *text)
{
    MU_AUTO(mu_result_message_fini) struct mu_result_message m;
    MU_AUTO(mu_text_free) struct mu_text outcome = MU_TEXT(64 * 1024), body = MU_TEXT(64 * 1024);
    struct mu_outcome o = {
        .task = task, .n = ride->n, .delivery = (int64_t)message->delivered, .result = MU_ERROR};
    struct mu_puback ack;
    struct mu_error err = {0};
    char subject[MU_SUBJECT_MAX];
    snprintf(o.reason, sizeof(o.reason), "%s", reason);
    snprintf(o.message, sizeof(o.message), "%s", text);
    o.started_us = o.finished_us = mu_wall_us();
    mu_result_message_init(&m, agent, ride->id_text, ride->queue);
    mu_outcome_write(&outcome, &o);
    mu_result_message_add(&m, mu_text_span(&outcome), mu_span("", 0));
    mu_result_message_write(&m, &body);
    mu_subject_result(subject, ride->queue, ride->id_text);
    if (mu_text_ok(&body, &err) &&
        mu_bus_publish(bus, MU_STREAM_RESULTS, subject, NULL, mu_text_span(&body), NULL, 0, SAY_TIMEOUT_MS,
                       &ack, &err) &&
        ride->count == 1)
        (void)!mu_ack(bus, message, &err);
    (void)!mu_bus_flush(bus, SAY_TIMEOUT_MS, &err);
}
