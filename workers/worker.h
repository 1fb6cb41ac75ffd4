/* SPDX-License-Identifier: Apache-2.0 */
/* One agent: what the files of this folder share. All of it is the working thread's; what it shares with the
 * lease thread is behind lease.h. */
#ifndef MU_WORKER_H
#define MU_WORKER_H

#include "lease.h"
#include "packs.h"
#include "results.h"
#include "settle.h"
#include "sources/source.h"
#include "sources/throttle.h"
#include "stop.h"

#define MU_RIDE_LONG_US INT64_C(1000000) /* a ride with a source counts as this, whatever it took */

/* Counters and what was written of them: most small tasks of a pack end with the same. */
struct mu_tally_cache {
    struct mu_digest rules;      /* of the ready pack */
    struct mu_text counts, text; /* an array of struct mu_rule_counts, as bytes; its tally */
};

struct mu_lane { /* the tasks of one queue and priority */
    struct mu_pull *pull;
    enum mu_priority priority;
    bool troubled; /* said so in the log */
};

struct mu_worker {
    const struct mu_config *config;
    struct mu_agent agent;
    struct mu_bus *bus;
    bool registered;
    struct mu_lease *lease;
    struct mu_results *results;
    struct mu_packs *packs;
    struct mu_sources *sources;
    struct mu_json_arena *arena; /* the ride that is being run */
    struct mu_tally_cache tally; /* of the task that was run last */
    struct mu_settler settler;
    struct mu_sub *control, *control_all;
    struct mu_stops *stops;
    const struct mu_task *running; /* NULL: none */
    bool stopped;                  /* its job has been: it ends at the next good place */
    struct mu_lane *lanes; /* all of high, then normal, then low */
    size_t lane_count;
    struct mu_throttle throttle;
    int64_t ride_us;   /* how long rides have taken lately, smoothed: the shorter, the more are asked for */
    bool running_long; /* a task with a source is under way: whatever arrives is handed back at once */
    bool sources_down; /* a data root is missing: nothing is pulled until it is back */
    bool draining;
    int64_t drain_until_ms; /* then the process ends, whatever it holds */
    int64_t tick_ms;
    struct mu_error fault; /* what ends the program */
};

/* Connects, registers; waits for a broker that does not answer. The configuration is borrowed for life. */
MU_MUST bool mu_worker_init(struct mu_worker *w, const struct mu_config *config, struct mu_error *err);
/* Until it is asked to stop. False: a fault ended it. */
MU_MUST bool mu_worker_run(struct mu_worker *w, struct mu_error *err);
void mu_worker_fini(struct mu_worker *w);

/* Called often by whatever takes long: says that there is progress, sees to results, control messages and
 * arrivals. False: stop at the next good place (drain, or a fault). */
bool mu_worker_tick(struct mu_worker *w);
/* Does anybody want what the task would say? False: its job was cancelled. */
bool mu_worker_wants(const struct mu_worker *w, const struct mu_task *task);
/* May we go on waiting? No longer than the drain allows. */
bool mu_worker_patient(struct mu_worker *w);
/* After a failure: is it the broker's silence, and may we try again? Waits a moment and clears the error
 * then. */
bool mu_worker_retry(struct mu_worker *w, struct mu_error *err);

/* A queue message, from validation to acknowledgement (ride.c). Takes the delivery. */
void mu_ride_run(struct mu_worker *w, struct mu_delivery *d);

/* Stops pulling and hands back what was not started; what is running sees it at its next tick (drain.c). */
void mu_drain_begin(struct mu_worker *w, const char *why);
/* Hands back all that has arrived and was not started. */
void mu_drain_arrivals(struct mu_worker *w);

/* muster.control.<agent> and muster.control.all (control.c). */
MU_MUST bool mu_control_open(struct mu_worker *w, struct mu_error *err);
void mu_control_take(struct mu_worker *w);

/* An event of a task, best effort: "claimed", "resumed", "handed_back", "deferred", "failed" (event.c). */
void mu_worker_event(struct mu_worker *w, const char *what, const struct mu_task *task, const char *reason);

#endif
