/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of muster-dispatcher share: one loop, one thread. Submissions come in by the service and by the
 * intake stream, are checked, and wait in a batch until the commit under way is done; after a commit the answers go
 * out and the queue messages are published, whose PubAcks are noted while the next batch is being committed. */
#ifndef MU_DISPATCHER_H
#define MU_DISPATCHER_H

#include "counters.h"
#include "daemon/daemon.h"
#include "format/config.h"
#include "outside/bus.h"
#include "outside/service.h"
#include "outside/store.h"

struct resolver;
struct batch;
struct publisher;
struct leader;

/* What the database is needed for at this moment: decides how its silence is borne (main.c). */
enum phase { RESTING, TAKING, COMMITTING };

struct dispatcher {
    struct mu_config *config;
    struct mu_bus *bus;
    struct mu_store *store;
    struct mu_args *args; /* reused by every statement */
    struct mu_service *service;
    struct mu_pull *intake;
    char intake_created[40]; /* identity of MUSTER_INTAKE: part of the keys made for its messages */
    struct resolver *resolver;
    struct batch *batch;
    struct publisher *publisher;
    struct leader *leader;
    struct mu_backoff store_backoff;
    int64_t store_next_ms;   /* when to try the database again; 0: it is there */
    bool compared;           /* since the last connect to database and broker: may take from the intake */
    bool reload;             /* the database may be another one: its packs are put again */
    int64_t compare_next_ms;
    uint64_t generation;     /* of the bus, as last seen */
    enum phase phase;
    int64_t turn_ms;         /* when the loop last looked at its doors */
    struct counters counters;
};

/* Until database and broker answer; false: asked to stop, or it will never work. */
MU_MUST bool dispatcher_open(struct dispatcher *d, struct mu_error *err);
void dispatcher_run(struct dispatcher *d); /* until it is asked to stop */
/* What has been taken is finished; what has not come yet is another dispatcher's. */
void dispatcher_finish(struct dispatcher *d);
void dispatcher_close(struct dispatcher *d); /* half-opened is fine; what is left can be opened again */

#endif
