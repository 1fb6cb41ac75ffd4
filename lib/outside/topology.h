/* SPDX-License-Identifier: Apache-2.0 */
/* Streams, buckets and consumers that muster needs (JETSTREAM.md §3). What is missing is created if asked; what
 * stands is compared with what is wanted and a difference is reported, never applied. */
#ifndef MU_TOPOLOGY_H
#define MU_TOPOLOGY_H

#include "format/config.h"
#include "outside/bus.h"

enum mu_topology_do { MU_TOPOLOGY_VERIFY, MU_TOPOLOGY_CREATE };

struct mu_topology_item {
    char what[120];        /* "stream MUSTER_TASKS", "consumer w-default-high" */
    enum { MU_ITEM_SAME, MU_ITEM_CREATED, MU_ITEM_MISSING, MU_ITEM_DIFFERENT } state;
    char difference[240];  /* "max_bytes is 1024, wanted 2048", or "" */
};
struct mu_topology_report {
    struct mu_topology_item *items;
    size_t count;
};
MU_MUST bool mu_topology(struct mu_bus *bus, const struct mu_config *config, enum mu_topology_do action,
                         struct mu_topology_report *out, struct mu_error *err);
size_t mu_topology_made(const struct mu_topology_report *r); /* how many were created */
void mu_topology_report_free(struct mu_topology_report *r);
MU_DEFINE_AUTO_VALUE(struct mu_topology_report, mu_topology_report_free)

#endif
