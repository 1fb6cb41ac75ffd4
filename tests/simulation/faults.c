/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include "broker.h"
#include "database.h"
#include "programs.h"
#include "schedule.h"

#define ms(n) ((int64_t)(n) * 1000)

static struct {
    int64_t until_us;
    int count;
    bool stopped;
    bool store_lost;      /* the broker's, by one of the faults of this schedule */
} plan;

/* ---- one of each kind ---- */

static struct process *any_process(void)
{
    struct process *found = NULL;
    uint32_t seen = 0;
    for (struct unit *u = unit_first(); u; u = u->next)
        if (u->process && u->kind != UNIT_SUBMITTER && chance_below(++seen) == 0)
            found = u->process;
    return found;
}

static void kill_any(void)
{
    struct process *p = any_process();
    if (p)
        process_kill(p, "a fault");
}

static void freeze_any(void)
{
    struct process *p = any_process();
    if (p)
        process_freeze(p, chance_between(ms(300), ms(9000)), "a fault");
}

static void stop_any(void)
{
    struct process *p = any_process();
    if (p)
        process_stop(p);
}

static struct connection *any_connection(void)
{
    struct connection *found = NULL;
    uint32_t seen = 0;
    for (struct connection *c = connection_first(); c; c = c->next)
        if (chance_below(++seen) == 0)
            found = c;
    return found;
}

static void break_any(void)
{
    struct connection *c = any_connection();
    if (c)
        connection_break(c);
}

static void stall_any(void)
{
    struct connection *c = any_connection();
    uint32_t way = chance_below(3);
    if (c)
        connection_stall(c, way != 1, way != 0, chance_between(ms(200), ms(12000)));
}

static void restart_broker(void)
{
    if (broker_is_up())
        broker_restart(chance_between(ms(50), ms(6000)));
}

static void cut_power(void)
{
    if (broker_is_up())
        broker_power_cut(chance_between(ms(500), ms(4000)));
}

static void put_older_copy(void)
{
    if (broker_is_up())
        broker_older_copy(chance_between(ms(500), ms(4000)));
}

static void wipe(void)
{
    if (broker_is_up())
        broker_wipe(chance_between(ms(500), ms(4000)));
}

static void kill_database(void)
{
    database_kill(chance_between(ms(50), ms(5000)));
}

static void restore_database(void)
{
    if (database_remembered())
        database_restore(chance_between(ms(500), ms(4000)));
}

static void step_clock(void)
{
    struct process *p = any_process();
    int64_t by = chance_between(-3600, 3600) * SECOND_US;
    if (!p)
        return;
    trace("the clock of %s is set to %+lld s", p->unit->name, (long long)(by / SECOND_US));
    p->unit->wall_offset_us = by;
}

static void lose_root(void)
{
    trace("the data root is away");
    agent_faults.root_down = true;
}

static void find_root(void)
{
    agent_faults.root_down = false;
}

/* A finding or an outcome that was stored is not there any more: a hole in the middle. What is lost at a stream's end lets
 * its last sequence go back, and that is a power cut. */
static void lose_a_result(void)
{
    struct stream_look s = stream_look("MUSTER_RESULTS");
    if (s.last > s.first)
        stream_forget("MUSTER_RESULTS", (uint64_t)chance_between((int64_t)s.first, (int64_t)s.last - 1));
}

static void delete_a_consumer(void)
{
    static const char *const names[] = {"w-default-normal", "w-default-high", "w-default-low"};
    broker_delete_consumer("MUSTER_TASKS", names[chance_below(3)]);
}

/* Kinds, and how likely a schedule has them; how often within it. */
static const struct kind {
    const char *name;
    void (*happen)(void);
    uint32_t percent;
    int most;
} kinds[] = {
    {"kill", kill_any, 60, 6},
    {"freeze", freeze_any, 35, 3},
    {"stop", stop_any, 20, 3},
    {"break", break_any, 35, 5},
    {"stall", stall_any, 25, 3},
    {"restart of the broker", restart_broker, 25, 2},
    {"database killed", kill_database, 30, 3},
    {"clock", step_clock, 10, 3},
    {"consumer deleted", delete_a_consumer, 5, 1},
};

static void happen(void *ctx, uint64_t number)
{
    void (*what)(void);
    (void)number;
    memcpy(&what, ctx, sizeof(what));
    if (plan.stopped)
        return;
    plan.count++;
    what();
}

static void plan_at(void (*what)(void), int64_t at_us)
{
    void *kept = world_alloc(sizeof(what));
    memcpy(kept, &what, sizeof(what));
    world_at(at_us, happen, kept, 0);
}

static void remember(void *ctx, uint64_t number)
{
    (void)ctx;
    if (number)
        database_remember();
    else
        broker_remember();
}

/* At most one loss of a store: two of them at once are outside the promise. */
static void plan_losses(int64_t begin, int64_t end)
{
    uint32_t which = chance_below(100);
    int64_t at = chance_between(begin + ms(1500), end);
    if (which < 12) {
        broker_faults.sync = true;
        plan_at(cut_power, at);
        if (chance_below(3) == 0)
            plan_at(cut_power, chance_between(at, end));
    } else if (which < 20) {
        world_at(chance_between(begin + ms(1000), at), remember, NULL, 0);
        plan_at(put_older_copy, at);
    } else if (which < 27) {
        plan_at(wipe, at);
    } else if (which < 34) {
        world_at(chance_between(begin + ms(1000), at), remember, NULL, 1);
        plan_at(restore_database, at);
    } else if (which < 38) {
        plan_at(lose_a_result, at);
    }
}

static void plan_work(int64_t begin, int64_t end)
{
    int count = (int)chance_between(2, 6);
    for (int i = 0; i < count; i++) {
        enum door door = (enum door)chance_below(3);
        struct submission *s = workload_add(door, chance_between(begin, end) - world_now());
        size_t members = door == DOOR_ARRAY ? (size_t)chance_between(2, 8) : 1;
        for (size_t k = 0; k < members; k++) {
            uint32_t kind = chance_below(100);
            workload_put(s, template_any(kind < 84 ? JOB_RECORDS : kind < 95 ? JOB_LONG : JOB_MISSING));
        }
        s->again = chance_below(8) == 0;
    }
    if (chance_below(100) < 30)
        workload_put(workload_add(DOOR_API, chance_between(begin, end) - world_now()), template_any(JOB_PLANNED));
    if (chance_below(100) < 7) {
        struct submission *s = workload_add(DOOR_ARRAY, chance_between(begin, end) - world_now());
        workload_put(s, template_any(JOB_POISON));
        workload_put(s, template_any(JOB_RECORDS));
    }
    if (chance_below(100) < 10) {
        struct submission *s = workload_add(DOOR_INTAKE, chance_between(begin, end) - world_now());
        workload_put(s, template_any(JOB_RECORDS));
        s->invalid = true;
    }
}

static void set_hazards(void)
{
    if (chance_below(100) < 40)
        hazard.kill = (uint32_t)chance_between(50, 1500);
    if (chance_below(100) < 20)
        hazard.freeze = (uint32_t)chance_between(50, 600);
    hazard.freeze_us_least = ms(200);
    hazard.freeze_us_most = ms(7000);
    hazard.kills_left = (int)chance_between(1, 6);
    if (chance_below(100) < 40)
        hazard.slow = (uint32_t)chance_between(1000, 150000);
    if (chance_below(100) < 35)
        broker_faults.answer_lost = (uint32_t)chance_between(500, 20000);
    if (chance_below(100) < 25)
        broker_faults.twice = (uint32_t)chance_between(1000, 200000);
    if (chance_below(100) < 20)
        database_faults.again = (uint32_t)chance_between(1000, 60000);
    if (chance_below(100) < 15)
        database_faults.cancelled = (uint32_t)chance_between(500, 10000);
}

int64_t faults_plan(void)
{
    int64_t begin = world_now() + ms(500), length = chance_between(ms(3000), ms(14000)), end = begin + length;
    memset(&plan, 0, sizeof(plan));
    plan.until_us = end;
    schedule_programs((int)chance_between(1, 2), (int)chance_between(1, 2), (int)chance_between(1, 3));
    plan_work(begin, begin + length * 2 / 3);
    unit_start(unit_add(UNIT_SUBMITTER, "submitter", run_submitter));
    set_hazards();
    for (size_t i = 0; i < MU_COUNT(kinds); i++) {
        if (chance_below(100) >= kinds[i].percent)
            continue;
        for (int k = (int)chance_between(1, kinds[i].most); k > 0; k--)
            plan_at(kinds[i].happen, chance_between(begin, end));
    }
    if (chance_below(100) < 8) {
        plan_at(lose_root, chance_between(begin, end));
        plan_at(find_root, chance_between(begin, end));
    }
    plan_losses(begin, end);
    return end;
}

void faults_stop(void)
{
    trace("quiet from now on");
    plan.stopped = true;
    hazard = (struct hazard){.yield = hazard.yield};
    broker_faults.answer_lost = broker_faults.twice = 0;
    broker_faults.sync = false;
    database_faults.again = database_faults.cancelled = 0;
    agent_faults.root_down = false;
    for (struct unit *u = unit_first(); u; u = u->next) {
        u->wall_offset_us = 0;
        u->wanted = true;
        if (!u->process)
            unit_start(u);
        else if (u->process->frozen_until_us > world_now() + ms(500))
            u->process->frozen_until_us = world_now() + ms(500);
    }
}

int faults_count(void)
{
    return plan.count;
}
