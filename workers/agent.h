/* SPDX-License-Identifier: Apache-2.0 */
/* One agent's entry in the registry, muster_agents/<id>: who it is, what it can do, what it holds. The id
 * belongs to one living process: it is taken by compare-and-set after the entry of a predecessor has stood
 * still for two heartbeats, and whoever finds another's entry in its place stops. */
#ifndef MU_AGENT_H
#define MU_AGENT_H

#include "format/config.h"
#include "outside/kv.h"

struct mu_agent {
    char id[MU_TOKEN_MAX], incarnation[MU_ID_MAX], endpoint[MU_SUBJECT_MAX], host[256];
    const struct mu_config *config;
    struct mu_text fixed; /* the members of the entry that never change, as JSON */
    uint64_t sequence;    /* of our entry; the lease thread's once it runs */
};

struct mu_held { /* a delivery, for the entry */
    char task_id[MU_ID_MAX], ride_id[MU_ID_MAX];
    int64_t n, since_us;
};
struct mu_load {
    const char *state; /* "idle", "busy", "draining" */
    const struct mu_held *held;
    size_t held_count;
    int64_t settled;
};

/* The id: agent.id, else host and process id; other characters become '_'. No input or output yet: the id is
 * part of the connection's name. The configuration is borrowed for life. */
MU_MUST bool mu_agent_init(struct mu_agent *a, const struct mu_config *config, struct mu_error *err);
/* MU_REJECTED: another living process has the id. Waits up to two heartbeats if there is an old entry. */
MU_MUST bool mu_agent_register(struct mu_agent *a, struct mu_bus *bus, struct mu_error *err);
/* MU_LOST: the entry is another incarnation's. */
MU_MUST bool mu_agent_beat(struct mu_agent *a, struct mu_bus *bus, const struct mu_load *load,
                           struct mu_error *err);
void mu_agent_leave(struct mu_agent *a, struct mu_bus *bus); /* takes the entry out, if it is ours */
void mu_agent_fini(struct mu_agent *a);

#endif
