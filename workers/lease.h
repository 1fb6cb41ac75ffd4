/* SPDX-License-Identifier: Apache-2.0 */
/* The lease thread and what it shares with the working thread. It renews the deliveries that the working
 * thread holds, only while that one's progress counter moves (a hung check loses its task), writes the
 * agent's entry in the registry, and ends the process when a task outruns its limit or stalls, or when it
 * does not end within its drain. It touches nothing else. */
#ifndef MU_LEASE_H
#define MU_LEASE_H

#include "agent.h"
#include "domain/task.h"

#include <stdatomic.h>

/* A delivery in our hands. The working thread owns it; the lease thread sees it while it is in the list. */
struct mu_delivery {
    struct mu_message *message;
    char ride_id[MU_ID_MAX];
    atomic_llong n;        /* 1 until the body is read; the lease thread tells it to the registry */
    size_t tasks;          /* how many ride in it */
    int64_t since_us;      /* wall, for the registry */
    atomic_llong alive_ms; /* the lease was surely ours at this moment: arrival, answered +WPI (lease thread),
                              CAS (working) */
    int64_t renewed_ms; /* the broker counts ack_wait from here: arrival, answered +WPI; under the lease's
                           mutex. A CAS proves ownership and renews nothing */
    uint64_t number;
    struct mu_delivery *next;
    size_t open_posts; /* result messages without PubAck; the working thread's */
    bool complete;     /* all that it has to say is posted */
};

struct mu_lease;
/* Starts the thread. Everything is borrowed for life; the entry of the agent belongs to the thread from now
 * on. */
MU_MUST bool mu_lease_open(struct mu_lease **out, struct mu_bus *bus, struct mu_agent *agent,
                           const struct mu_config *config, struct mu_error *err);
void mu_lease_free(struct mu_lease *l); /* ends the thread and waits for it */
MU_DEFINE_AUTO(struct mu_lease, mu_lease_free)

void mu_lease_hold(struct mu_lease *l, struct mu_delivery *d);
void mu_lease_let_go(struct mu_lease *l, struct mu_delivery *d);
void mu_lease_count_settled(struct mu_lease *l, size_t tasks);
/* Has more time than ack_wait passed since the lease was surely ours? Then CAS before anything else. */
bool mu_lease_doubtful(const struct mu_lease *l, const struct mu_delivery *d);
void mu_lease_renewed(struct mu_delivery *d); /* a CAS has just said that the task is ours */

/* The task that is run now; NULL: none. Borrowed until the next call. */
void mu_lease_run(struct mu_lease *l, const struct mu_delivery *d, const struct mu_ride *ride,
                  const struct mu_task *task);
void mu_lease_moved(struct mu_lease *l);                    /* progress was made */
void mu_lease_waiting(struct mu_lease *l, bool waits);      /* for the broker: that is no stall */
void mu_lease_state(struct mu_lease *l, const char *state); /* static text: "idle", "busy", "draining" */
/* Another process has the agent's id: the program is to stop. */
bool mu_lease_lost(struct mu_lease *l, struct mu_error *err);

#endif
