/* SPDX-License-Identifier: Apache-2.0 */
/* What leaves the agent for MUSTER_RESULTS: messages of findings, outcomes and deferrals, each at most 512
 * KiB. They are kept until their PubAck has come and sent again after a time-out (the recorder drops repeats
 * by key). No message id: PROTOCOL §1. Belongs to the working thread. */
#ifndef MU_RESULTS_H
#define MU_RESULTS_H

#include "lease.h"

#define MU_RESULT_MAX ((size_t)512 * 1024)
#define MU_PLAN_MAX                                                                                          \
    ((size_t)1000 * 1024) /* of one outcome alone: a plan of thousands of shards; max_payload is 1 MiB */
#define MU_RESULT_ROOM (MU_RESULT_MAX - 2048) /* what the parts may have beside the envelope */

struct mu_results;
/* What the owner does while this module waits for the broker: false ends the waiting (MU_UNAVAILABLE). */
typedef bool mu_patience(void *ctx);
/* Called when all messages of a complete delivery have their PubAcks. */
typedef void mu_confirmed(void *ctx, struct mu_delivery *d);
struct mu_results_setup {
    struct mu_bus *bus;
    struct mu_lease *lease;
    mu_patience *patience;
    mu_confirmed *confirmed;
    void *ctx;
};
MU_MUST bool mu_results_open(struct mu_results **out, const struct mu_results_setup *setup,
                             struct mu_error *err);
void mu_results_free(struct mu_results *r);
MU_DEFINE_AUTO(struct mu_results, mu_results_free)

/* Sends, and keeps a copy until the PubAck. With a delivery: its open_posts counts it. traceparent may be
 * NULL. Waits while too many are unconfirmed. */
MU_MUST bool mu_results_post(struct mu_results *r, const char *subject, struct mu_span body,
                             const char *traceparent, struct mu_delivery *d, struct mu_error *err);
/* Nothing more will be posted for the delivery; it may be confirmed at once. */
void mu_results_complete(struct mu_results *r, struct mu_delivery *d);
/* Takes what has been confirmed, sends again what is due; milliseconds until there is something to do (-1:
 * nothing is open). */
int64_t mu_results_step(struct mu_results *r);
/* Something can never be published (larger than the broker takes): the program is to stop. */
bool mu_results_broken(const struct mu_results *r, struct mu_error *err);
/* Waits until everything has its PubAck. */
MU_MUST bool mu_results_confirm(struct mu_results *r, struct mu_error *err);

/* One result message in the making. */
struct mu_result_message {
    const struct mu_agent *agent;
    char ride_id[MU_ID_MAX], queue[MU_TOKEN_MAX];
    struct mu_text outcomes, deferred, tallies;
    struct mu_tally_piece { /* where each tally stands */
        size_t at, len;
    } pieces[MU_RIDE_TASKS_MAX];
    size_t tally_count;
};
void mu_result_message_init(struct mu_result_message *m, const struct mu_agent *agent, const char *ride_id,
                            const char *queue);
/* Is there room for so many more bytes? */
bool mu_result_message_room(const struct mu_result_message *m, size_t len);
/* `tally`: the counters that belong to it, or empty; kept once for all outcomes that have the same. At most
 * MU_RIDE_TASKS_MAX outcomes go into a message. */
void mu_result_message_add(struct mu_result_message *m, struct mu_span outcome, struct mu_span tally);
void mu_result_message_defer(struct mu_result_message *m, const struct mu_task *task, int64_t n,
                             const char *class, const char *reason, const char *text);
bool mu_result_message_empty(const struct mu_result_message *m);
void mu_result_message_write(const struct mu_result_message *m, struct mu_text *out);
void mu_result_message_reset(struct mu_result_message *m);
void mu_result_message_fini(struct mu_result_message *m);
MU_DEFINE_AUTO_VALUE(struct mu_result_message, mu_result_message_fini)

#endif
