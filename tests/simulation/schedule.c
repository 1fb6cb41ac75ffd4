/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule.h"

#include "broker.h"
#include "checker.h"
#include "database.h"
#include "faults.h"
#include "programs.h"

#define LOOK_US 500000
#define BOUND_US (400 * SECOND_US) /* quiet time after which something is stuck: 30 s that a dead agent is listed, passes, pauses */

static int64_t not_before_us;

bool schedule_prepare(const char *folder, struct mu_error *err)
{
    return programs_configure(folder, err) && workload_make(folder, err);
}

static void add(enum unit_kind kind, const char *name, int number, int (*run)(struct process *p))
{
    char text[24];
    snprintf(text, sizeof(text), "%s-%d", name, number);
    unit_start(unit_add(kind, text, run));
}

void schedule_programs(int dispatchers, int recorders, int workers)
{
    for (int i = 1; i <= dispatchers; i++)
        add(UNIT_DISPATCHER, "dispatcher", i, run_dispatcher);
    for (int i = 1; i <= recorders; i++)
        add(UNIT_RECORDER, "recorder", i, run_recorder);
    for (int i = 1; i <= workers; i++)
        add(UNIT_WORKER, "worker", i, run_worker);
}

static void call(void *ctx, uint64_t number)
{
    (void)number;
    (*(void (**)(void))ctx)();
}

void schedule_later(int64_t after_us, void (*what)(void))
{
    void (**kept)(void) = world_alloc(sizeof(what));
    *kept = what;
    world_at(world_now() + after_us, call, kept, 0);
}

void schedule_not_before(int64_t after_us)
{
    not_before_us = world_now() + after_us;
}

static void begin(uint64_t seed, bool verbose)
{
    not_before_us = 0;
    world_begin(seed, verbose);
    broker_begin();
    database_begin();
    workload_begin();
    checker_begin();
    agent_faults = (struct agent_faults){0};
}

/* Until nothing is left to do, or too long. */
static void come_to_rest(void)
{
    int64_t until = world_now() + BOUND_US;
    const char *why = "";
    while (!world_broken() && (!checker_at_rest(&why) || world_now() < not_before_us) && world_now() < until)
        world_run(world_now() + LOOK_US);
    if (!world_broken() && world_now() >= until)
        broken("it does not come to rest: %s", why);
    if (!world_broken())
        checker_judge();
}

static void tell(struct verdict *out)
{
    int kills = 0;
    for (const struct unit *u = unit_first(); u; u = u->next)
        kills += u->kills;
    out->kills = kills;
    out->virtual_us = world_now();
    out->digest = trace_digest();
    out->failed = world_broken() != NULL;
    if (out->failed)
        snprintf(out->why, sizeof(out->why), "%s", world_broken());
    out->ended = true;
}

void schedule_by_seed(uint64_t seed, bool verbose, struct verdict *out)
{
    begin(seed, verbose);
    int64_t until = faults_plan();
    world_run(until);
    while (!world_broken() && world_now() < until)
        world_run(until);
    if (!world_broken()) {
        faults_stop();
        come_to_rest();
    }
    out->faults = faults_count();
    tell(out);
}

void schedule_of_case(const struct named_case *c, bool verbose, struct verdict *out)
{
    begin(0x5EED, verbose);
    c->set_up();
    unit_start(unit_add(UNIT_SUBMITTER, "submitter", run_submitter));
    come_to_rest();
    if (!world_broken() && c->check)
        c->check();
    tell(out);
}

void schedule_golden(struct verdict *out)
{
    int64_t shard_bytes = programs_config()->task_shard_bytes;
    begin(1, false);
    hazard = (struct hazard){0};
    programs_config()->task_shard_bytes = INT64_C(64) << 20; /* in one piece */
    programs_config()->worker_read_limit = 0;
    schedule_programs(1, 1, 1);
    for (size_t i = 0; i < template_count; i++)
        if (templates[i].kind != JOB_POISON)
            workload_put(workload_add(DOOR_API, SECOND_US), i);
    unit_start(unit_add(UNIT_SUBMITTER, "submitter", run_submitter));
    come_to_rest();
    size_t at = 0;
    for (size_t i = 0; i < template_count && !world_broken(); i++) {
        struct mu_id id;
        if (templates[i].kind == JOB_POISON)
            continue;
        if (!mu_id_parse(mu_span_of(submissions[at++].job_ids[0]), &id) || !checker_sum(id, &golden[i]))
            broken("%s has no outcome in an undisturbed run", templates[i].name);
        int64_t wrong = 0;
        for (size_t k = 0; k < golden[i].rule_count; k++)
            if (strcmp(golden[i].rules[k].rule, "SIM.LEI") == 0)
                wrong = golden[i].rules[k].counts[2];
        if (wrong != templates[i].wrong)
            broken("%s: %lld wrong identifiers were found, %lld were put in", templates[i].name, (long long)wrong, (long long)templates[i].wrong);
        if ((templates[i].kind == JOB_MISSING) != (strcmp(golden[i].reason, "source_missing") == 0))
            broken("%s ended %s (%s)", templates[i].name, golden[i].result, golden[i].reason);
    }
    programs_config()->task_shard_bytes = shard_bytes;
    tell(out);
}
