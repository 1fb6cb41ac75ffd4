/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated world: one virtual clock, one stream of chance, programs that are coroutines of one thread. Nothing
 * sleeps: whoever waits gives the thread back, and the clock jumps to the next thing that happens. One seed decides
 * everything, so the same seed gives the same trace.
 *
 * A fibre is a thread of a simulated program. It is suspended only inside the fakes (a request, a PubAck, a statement,
 * a wait), and these are the places where its process can be killed or stopped: what it had in memory is never seen
 * again, what had left it is on its way. Memory of the killed is not given back; a schedule runs in a child process. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "base/base.h"
#include "base/error.h"
#include "base/id.h"

#define SECOND_US INT64_C(1000000)
#define NEVER INT64_MAX

struct fibre;
struct unit;
struct process;

/* ---- time and chance ---- */
int64_t world_now(void);                 /* virtual microseconds, monotonic; begins at 1000 s */
int64_t world_wall(void);                /* of a machine whose clock is right */
typedef void happening(void *ctx, uint64_t number);
void world_at(int64_t at_us, happening *what, void *ctx, uint64_t number);
uint64_t chance_bits(void);
uint32_t chance_below(uint32_t bound);
int64_t chance_between(int64_t least, int64_t most);
bool chance_in_million(uint32_t rate);
int64_t chance_latency(void);            /* of one message: mostly some hundred microseconds, now and then much more */

/* Runs until `until_us`, or until world_end was called, or nothing will ever happen again. */
void world_run(int64_t until_us);
void world_end(void);
void world_begin(uint64_t seed, bool verbose);

/* ---- the trace ---- */
extern bool trace_on;
/* A line of the trace; also goes into the digest that two runs of one seed must share. */
void trace(const char *fmt, ...) MU_PRINTF(1, 2);
uint64_t trace_digest(void);
/* A promise is broken: the schedule has failed. The first one is kept. */
void broken(const char *fmt, ...) MU_PRINTF(1, 2);
const char *world_broken(void);          /* NULL: nothing is */

/* ---- fibres ---- */
struct fibre *fibre_new(struct process *p, void (*run)(void *ctx), void *ctx);
struct fibre *fibre_current(void);
/* Suspends until woken (true) or until the time has come (false). */
bool fibre_wait(int64_t until_us);
void fibre_wake(struct fibre *f);        /* NULL and who does not wait: nothing */
bool fibre_done(const struct fibre *f);

/* ---- units and processes ---- */
enum unit_kind { UNIT_DISPATCHER, UNIT_RECORDER, UNIT_WORKER, UNIT_SUBMITTER };

/* What a service manager knows of a program: it is started again when it has ended. */
struct unit {
    enum unit_kind kind;
    char name[24];
    int (*run)(struct process *p);       /* the program; what it ends with */
    struct process *process;             /* NULL: it is not running */
    bool wanted;
    int64_t restart_us;                  /* pause before it is started again */
    int starts, kills;
    int64_t wall_offset_us;              /* of its machine's clock */
    struct unit *next;
};
struct process {
    struct unit *unit;
    char name[40];                       /* "worker-1.3": third start */
    int pid;
    bool dead;                           /* nothing of it runs any more */
    int64_t frozen_until_us;             /* stopped; the time at which it goes on */
    bool stop_asked;
    void (*wake)(void *ctx);             /* mu_daemon_on_signal */
    void *wake_ctx;
    struct fibre *daemon_waiter;         /* in mu_daemon_wait */
    char task[40];                       /* mu_log_task */
    struct process *next;
};
struct unit *unit_add(enum unit_kind kind, const char *name, int (*run)(struct process *p));
struct unit *unit_find(const char *name); /* NULL: there is none */
struct unit *unit_first(void);
void unit_start(struct unit *u);
void unit_off(const char *name); /* killed, and not started again before unit_on */
void unit_on(const char *name);
struct process *process_current(void);   /* NULL: the world itself acts */
/* kill -9: at once, also of the process that calls it (which does not return then). */
void process_kill(struct process *p, const char *why);
void process_freeze(struct process *p, int64_t for_us, const char *why);
void process_stop(struct process *p);    /* SIGTERM */
_Noreturn void process_exit(int status); /* the current one */
/* What has to go with a process, registered by the fakes. */
void world_on_death(void (*gone)(struct process *p, bool killed));

/* Called by each fake as its call begins: a place where the process may be interrupted, stopped or killed. */
void world_step(void);

/* How much goes wrong at such places, per million; all 0 in quiet times. */
struct hazard {
    uint32_t kill, freeze, yield;
    int64_t freeze_us_least, freeze_us_most;
    int kills_left;
    uint32_t slow;                       /* messages that take long */
};
extern struct hazard hazard;

/* ---- directed faults at failpoints: what a named case is made of ---- */
enum deed { DEED_KILL, DEED_FREEZE, DEED_CALL };
struct order {
    const char *point;                   /* "worker.after_outcome" */
    const char *unit;                    /* NULL: whoever comes */
    int nth;                             /* 1: the first passage */
    enum deed deed;
    int64_t for_us;                      /* DEED_FREEZE */
    void (*call)(struct process *p);     /* DEED_CALL, in that process */
    int passed;
    bool done;
};
void world_order(const struct order *o);
int world_orders_done(void);
int world_passages(const char *point);
/* Memory that lives as long as the world. */
void *world_alloc(size_t len);
struct mu_span world_keep(struct mu_span bytes); /* a copy of them, NUL behind */
const char *world_keep_text(const char *text);

#endif
