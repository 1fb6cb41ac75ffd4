/* SPDX-License-Identifier: Apache-2.0 */
/* Named cases: one schedule each, with the fault where the rule of PROTOCOL.md says that it hurts. README.md has the
 * table of the rules. A case fails when its rule is taken out of the product. */
#include "schedule.h"

#include "broker.h"
#include "checker.h"
#include "database.h"
#include "domain/names.h"
#include "programs.h"

#define s_(n) ((int64_t)(n) * SECOND_US)
#define ms_(n) ((int64_t)(n) * 1000)

/* ---- what cases are made of ---- */

static struct submission *submit(enum door door, int64_t at_us, const char *template)
{
    struct submission *s = workload_add(door, at_us);
    workload_put(s, template_find(template));
    return s;
}

static struct submission *submit_many(int64_t at_us, size_t count)
{
    struct submission *s = workload_add(DOOR_ARRAY, at_us);
    for (size_t i = 0; i < count; i++)
        workload_put(s, i); /* templates of records come first */
    return s;
}

static void kill_at(const char *point, int nth)
{
    world_order(&(struct order){.point = point, .nth = nth, .deed = DEED_KILL});
}

static void freeze_at(const char *point, int nth, int64_t for_us)
{
    world_order(&(struct order){.point = point, .nth = nth, .deed = DEED_FREEZE, .for_us = for_us});
}

static void call_at(const char *point, int nth, void (*what)(struct process *p))
{
    world_order(&(struct order){.point = point, .nth = nth, .deed = DEED_CALL, .call = what});
}

static void all_orders_were_obeyed(int count)
{
    if (world_orders_done() != count)
        broken("the case is void: %d of %d orders were reached", world_orders_done(), count);
}

static void one_order(void)
{
    all_orders_were_obeyed(1);
}

static void two_orders(void)
{
    all_orders_were_obeyed(2);
}

static void three_orders(void)
{
    all_orders_were_obeyed(3);
}

/* How often each queue message was stored, by its id. */
static struct { char id[80]; int count; } stored[64];
static size_t stored_count;

static void count_stored(const char *stream, const struct wire *w)
{
    const char *id = wire_find(w, "Nats-Msg-Id");
    if (strcmp(stream, MU_STREAM_TASKS) != 0)
        return;
    for (size_t i = 0; i < stored_count; i++) {
        if (strcmp(stored[i].id, id ? id : w->subject) == 0) {
            stored[i].count++;
            return;
        }
    }
    if (stored_count < MU_COUNT(stored)) {
        snprintf(stored[stored_count].id, sizeof(stored[0].id), "%s", id ? id : w->subject);
        stored[stored_count++].count = 1;
    }
}

static void watch_queue(void)
{
    stored_count = 0;
    broker_on_store = count_stored;
}

static void nothing_is_published_twice(void)
{
    for (size_t i = 0; i < stored_count; i++)
        if (stored[i].count != 1)
            broken("message %s was stored %d times", stored[i].id, stored[i].count);
}

static void nothing_was_published_again(void)
{
    EACH(struct r_job, j, database_tables(), T_JOB)
    {
        if (j->n != 1)
            broken("%.*s was published %lld times, without need", (int)j->key.len, j->key.at, (long long)j->n);
    }
}

static void something_was_published_again(void)
{
    bool any = false;
    EACH(struct r_job, j, database_tables(), T_JOB)
    any = any || j->n > 1;
    if (!any)
        broken("the case is void: nothing had to be published again");
}

/* ---- without a fault ---- */

static void nothing_wrong(void)
{
    schedule_programs(1, 1, 2);
    submit_many(SECOND_US, 8);
    submit(DOOR_API, SECOND_US, "planned");
    submit(DOOR_INTAKE, SECOND_US, "long");
    submit(DOOR_API, SECOND_US, "missing");
}

/* ---- §1 ---- */

static void remember_database(void)
{
    database_remember();
}

static void restore_database(void)
{
    database_restore(SECOND_US);
}

static void plan_is_forgotten(void)
{
    schedule_programs(1, 1, 2);
    submit(DOOR_API, SECOND_US, "planned");
    schedule_later(s_(2), remember_database);
    schedule_later(ms_(7500), restore_database);
    schedule_not_before(s_(9));
}

static void shards_are_the_same(void)
{
    struct tables *t = database_tables();
    EACH(struct r_progress, p, t, T_PROGRESS)
    {
        if ((int64_t)t->of[T_TASK].count != p->expected)
            broken("%zu shards were made, %lld were planned", t->of[T_TASK].count, (long long)p->expected);
    }
    if (t->of[T_QUARANTINE].count)
        broken("outcomes of shards were put aside: they were made as others, or not yet made when their outcomes came again");
}

static uint64_t forget_at;

static void forget_noted(void *ctx, uint64_t number)
{
    (void)ctx;
    (void)number;
    trace("the findings at %llu are lost", (unsigned long long)forget_at);
    stream_forget(MU_STREAM_RESULTS, forget_at);
}

/* Findings are lost from their stream after their PubAck and before the recorder has read them: it is off meanwhile. */
static void lose_findings(const char *stream, const struct wire *w)
{
    count_stored(stream, w);
    if (strcmp(stream, MU_STREAM_RESULTS) != 0 || strncmp(w->subject, "muster.finding.", 15) != 0 || forget_at)
        return;
    forget_at = stream_look(MU_STREAM_RESULTS).last;
    world_at(world_now() + 1, forget_noted, NULL, 0);
}

static void recorder_off(void)
{
    unit_off("recorder-1");
}

static void recorder_on(void)
{
    unit_on("recorder-1");
}

static void findings_are_lost(void)
{
    schedule_programs(1, 1, 1);
    watch_queue();
    forget_at = 0;
    broker_on_store = lose_findings;
    submit(DOOR_API, SECOND_US, "long");
    schedule_later(ms_(1200), recorder_off);
    schedule_later(s_(6), recorder_on);
    schedule_not_before(s_(6));
}

static void findings_were_made_again(void)
{
    if (!forget_at)
        broken("the case is void: no findings were lost");
    something_was_published_again();
}

/* ---- §3 ---- */

static void published_and_not_noted(void)
{
    schedule_programs(2, 1, 1);
    watch_queue();
    kill_at("dispatcher.after_publish", 1);
    freeze_at("worker.pulled", 1, s_(4)); /* it is still in the queue when it is sent again */
    submit_many(SECOND_US, 4);
}

static void published_once(void)
{
    two_orders();
    nothing_is_published_twice();
    nothing_was_published_again();
}

/* ---- §4 ---- */

static void root_goes(void)
{
    agent_faults.root_down = true;
}

static void root_comes(void)
{
    agent_faults.root_down = false;
}

static void look_at_queue(void)
{
    struct tables *t = database_tables();
    if (!t->of[T_RETRY].count)
        broken("the tasks of an absent source are not put off");
    if (consumer_waits(MU_STREAM_TASKS) && stream_look(MU_STREAM_TASKS).messages)
        broken("a task that is put off holds its place in the queue");
}

static void source_is_away(void)
{
    schedule_programs(1, 1, 1);
    schedule_later(ms_(500), root_goes);
    submit(DOOR_API, SECOND_US, "long");
    schedule_later(s_(3), look_at_queue);
    schedule_later(s_(4), root_comes);
    schedule_not_before(s_(4));
}

static void mount_is_missing(void)
{
    schedule_programs(1, 1, 2);
    schedule_later(ms_(500), root_goes);
    submit(DOOR_API, SECOND_US, "long");
    submit(DOOR_API, SECOND_US, "planned");
    submit_many(SECOND_US, 4); /* these need no source */
    schedule_later(s_(9), root_comes);
}

static void worker_dies(const char *point)
{
    schedule_programs(1, 1, 2);
    kill_at(point, 1);
    submit(DOOR_API, SECOND_US, "long");
    submit_many(s_(2), 4);
}

#define WORKER_DIES(function, point)                                                                                                      \
    static void function(void)                                                                                                            \
    {                                                                                                                                     \
        worker_dies(point);                                                                                                               \
    }
WORKER_DIES(dies_pulled, "worker.pulled")
WORKER_DIES(dies_opened, "worker.opened")
WORKER_DIES(dies_findings, "worker.findings_sent")
WORKER_DIES(dies_checkpoint, "worker.checkpoint")
WORKER_DIES(dies_before_outcome, "worker.before_outcome")
WORKER_DIES(dies_after_outcome, "worker.after_outcome")
WORKER_DIES(dies_after_ack, "worker.after_ack")
WORKER_DIES(dies_after_purge, "worker.after_purge")

static void dies_marked(void)
{
    worker_dies("worker.checkpoint");
    kill_at("worker.marked", 1);
}

static void zombie_at(const char *point, int nth)
{
    schedule_programs(1, 1, 2);
    freeze_at(point, nth, s_(7));
    submit(DOOR_API, SECOND_US, "long");
    schedule_not_before(s_(11));
}

/* It wakes up while the one that has taken over stands at a later checkpoint. */
static void zombie_checkpoint(void)
{
    zombie_at("worker.findings_sent", 2);
    freeze_at("worker.checkpoint", 3, s_(6));
}

static void zombie_outcome(void)
{
    zombie_at("worker.before_outcome", 1);
}

static void zombie_ack(void)
{
    zombie_at("worker.after_outcome", 1);
}

static void zombie_unstarted(void)
{
    schedule_programs(1, 1, 2);
    freeze_at("worker.pulled", 1, s_(7));
    submit_many(SECOND_US, 12);
    schedule_not_before(s_(11));
}

static void poison(void)
{
    schedule_programs(1, 1, 2);
    struct submission *s = workload_add(DOOR_ARRAY, SECOND_US);
    for (size_t i = 0; i < 4; i++)
        workload_put(s, i);
    workload_put(s, template_find("poison"));
    workload_put(s, 4);
}

/* Six runs of one publication; the message of an earlier one, which is deleted by the next pass, may come once or twice
 * after the end of the one that was published when nobody seemed to have it. */
static void poison_took_nobody_along(void)
{
    if (agent_faults.poison_kills > 8)
        broken("I5: a poisonous task has killed %d agents", agent_faults.poison_kills);
    EACH(struct r_outcome, o, database_tables(), T_OUTCOME)
    {
        const struct r_job *j = find_job(database_tables(), o->task);
        if (mu_span_is(o->result, "exhausted") && j && !memmem(j->body.at, j->body.len, POISON, strlen(POISON)))
            broken("a companion of a poisonous task ended exhausted");
    }
}

static void drain(void)
{
    for (struct unit *u = unit_first(); u; u = u->next)
        if (u->kind == UNIT_WORKER && u->process)
            process_stop(u->process);
}

static void drained(void)
{
    schedule_programs(1, 1, 1);
    submit(DOOR_API, SECOND_US, "planned");
    for (int i = 0; i < 8; i++) /* at one checkpoint of it or another, more often than crashes are forgiven */
        schedule_later(ms_(1500) + i * ms_(700), drain);
}

static void no_attempt_was_burnt(void)
{
    if (checker_most_crashes())
        broken("a drained agent counts as crashed");
}

/* ---- §2 and §3: the dispatcher's steps ---- */

static void dispatcher_dies(const char *point)
{
    schedule_programs(2, 1, 1);
    watch_queue();
    kill_at(point, 1);
    submit_many(SECOND_US, 3)->again = true;
}

#define DISPATCHER_DIES(function, point)                                                                                                  \
    static void function(void)                                                                                                            \
    {                                                                                                                                     \
        dispatcher_dies(point);                                                                                                           \
    }
DISPATCHER_DIES(dies_before_commit, "dispatcher.before_commit")
DISPATCHER_DIES(dies_after_commit, "dispatcher.after_commit")
DISPATCHER_DIES(dies_after_answer, "dispatcher.after_answer")
DISPATCHER_DIES(dies_after_publish, "dispatcher.after_publish")
DISPATCHER_DIES(dies_after_mark, "dispatcher.after_mark")

static void dies_before_intake_ack(void)
{
    schedule_programs(2, 1, 1);
    kill_at("dispatcher.before_intake_ack", 1);
    submit(DOOR_INTAKE, SECOND_US, "records-3");
    schedule_not_before(s_(35)); /* the lease of an intake message is half a minute */
}

static void database_dies(struct process *p)
{
    (void)p;
    database_faults.next_commit = COMMIT_DONE;
}

static void database_dies_before(struct process *p)
{
    (void)p;
    database_faults.next_commit = COMMIT_LOST;
}

static void commit_is_done_and_not_told(void)
{
    schedule_programs(1, 1, 1);
    call_at("dispatcher.before_commit", 1, database_dies);
    submit_many(SECOND_US, 3)->again = true;
}

/* Who is told so would send it again under another key. */
static void nobody_was_told_a_lie(void)
{
    one_order();
    for (size_t i = 0; i < submission_count; i++)
        if (submissions[i].denials)
            broken("a submission that was stored was answered with `nothing is stored`");
}

static void commit_is_lost(void)
{
    schedule_programs(1, 1, 1);
    call_at("dispatcher.before_commit", 1, database_dies_before);
    submit_many(SECOND_US, 3)->again = true;
}

/* ---- §5 ---- */

static void recorder_dies(const char *point)
{
    schedule_programs(1, 2, 1);
    kill_at(point, 1);
    submit_many(SECOND_US, 8);
    submit(DOOR_API, SECOND_US, "planned");
}

#define RECORDER_DIES(function, point)                                                                                                    \
    static void function(void)                                                                                                            \
    {                                                                                                                                     \
        recorder_dies(point);                                                                                                             \
    }
RECORDER_DIES(recorder_dies_pulled, "recorder.pulled")
RECORDER_DIES(recorder_dies_before, "recorder.before_commit")
RECORDER_DIES(recorder_dies_after, "recorder.after_commit")
RECORDER_DIES(recorder_dies_acked, "recorder.after_ack")

static void recording_is_done_and_not_told(void)
{
    schedule_programs(1, 2, 1);
    call_at("recorder.before_commit", 1, database_dies);
    submit_many(SECOND_US, 8);
}

static void look_whether_recorded(void)
{
    if (!database_tables()->of[T_OUTCOME].count)
        broken("a stopped recorder keeps the duty: nothing is recorded 15 s after it stopped");
}

static void recorder_stops(void)
{
    schedule_programs(1, 2, 1);
    freeze_at("recorder.before_commit", 1, s_(60)); /* in a transaction, with the lock */
    submit_many(SECOND_US, 4);
    schedule_later(s_(16), look_whether_recorded);
    schedule_not_before(s_(65));
}

static void leader_stops_now(void)
{
    struct session *of = database_holder("leader");
    if (of)
        process_freeze(of->process, s_(60), "it leads");
    unit_off("worker-1"); /* and what it held has to be published again by another leader */
}

/* The first one stops; it wakes up when the second one has just become active and stops, too: its late beat must not pass
 * for one of the second. */
static void both_recorders_stop(void)
{
    schedule_programs(1, 2, 1);
    submit(DOOR_API, s_(1), "records-3");
    submit(DOOR_API, s_(2), "records-4");
    freeze_at("recorder.after_ack", 1, s_(8));
    freeze_at("recorder.pulled", 2, s_(200));
}

static void both_stops_were_ended(void)
{
    two_orders();
    if (world_now() > s_(1000 + 60))
        broken("nobody recorded for a minute");
}

static void leader_stops(void)
{
    schedule_programs(2, 1, 2);
    submit_many(s_(4), 4);
    schedule_later(s_(3), leader_stops_now);
    schedule_not_before(s_(20));
}

static void results_go_back(void)
{
    stream_back(MU_STREAM_RESULTS);
    broker_restart(SECOND_US);
}

static void remember_broker(void)
{
    broker_remember();
}

static void recorded_results_go_back(void)
{
    schedule_programs(1, 1, 1);
    submit_many(SECOND_US, 4);
    schedule_later(ms_(900), remember_broker);
    schedule_later(ms_(2900), recorder_off); /* when it comes, another message has the number of its position */
    schedule_later(s_(3), results_go_back);
    submit(DOOR_API, s_(6), "records-9");
    submit(DOOR_API, s_(6), "long");
    schedule_later(s_(10), recorder_on);
    schedule_not_before(s_(10));
}

/* ---- §8 ---- */

static void worker_off(void)
{
    unit_off("worker-1");
}

static void worker_on(void)
{
    unit_on("worker-1");
}

static void look_whether_published(void)
{
    bool any = false;
    EACH(struct r_job, j, database_tables(), T_JOB)
    any = any || j->n > 1;
    if (!any)
        broken("a task whose message is lost counts as queued, because another message has its sequence");
}

static void put_older_copy(void)
{
    broker_older_copy(SECOND_US);
}

/* A task's message is lost, and another takes its sequence. */
static void sequence_is_taken(void)
{
    schedule_programs(1, 1, 1);
    schedule_later(ms_(600), worker_off);
    schedule_later(ms_(900), remember_broker);
    submit(DOOR_API, s_(1), "records-3");
    schedule_later(s_(4), put_older_copy);
    submit(DOOR_API, ms_(4500), "records-4");
    schedule_later(s_(39), look_whether_published);
    schedule_later(s_(40), worker_on); /* so long both wait: the second one in the place of the first */
    schedule_not_before(s_(41));
}

static void tasks_go_back(void)
{
    stream_back(MU_STREAM_TASKS);
    broker_restart(SECOND_US);
}

static void consumer_runs_ahead(void)
{
    schedule_programs(1, 1, 1);
    programs_config()->dispatcher_bundle_tasks = 1;
    schedule_later(ms_(900), remember_broker);
    submit_many(s_(1), 12);
    submit_many(ms_(1500), 12);
    schedule_later(s_(4), tasks_go_back);
    submit(DOOR_API, s_(6), "records-5");
    schedule_not_before(s_(7));
}

static void no_queue_waited_long(void)
{
    if (world_now() > s_(1000 + 60))
        broken("a queue whose consumer was ahead was not served for a minute");
}

/* Pulled a second ago, after a long time in the queue. */
static void pulled_late(void)
{
    schedule_programs(1, 1, 1);
    schedule_later(ms_(600), worker_off);
    submit_many(s_(1), 2);
    freeze_at("worker.pulled", 1, ms_(1600)); /* a pass of the reconciler sees it neither queued nor listed */
    schedule_later(s_(20), worker_on);
    schedule_not_before(s_(21));
}

static void late_and_once(void)
{
    one_order();
    nothing_was_published_again();
}

static void results_wait(void)
{
    schedule_programs(1, 1, 1);
    schedule_later(ms_(600), recorder_off);
    submit_many(s_(1), 8);
    schedule_later(s_(40), recorder_on); /* two passes and three leases, and then some */
    schedule_not_before(s_(41));
}

static void wipe(void)
{
    broker_wipe(SECOND_US);
}

static void store_is_wiped(void)
{
    schedule_programs(1, 1, 1);
    schedule_later(ms_(600), worker_off);
    submit_many(s_(1), 6);
    submit(DOOR_API, s_(1), "planned");
    schedule_later(s_(3), wipe);
    schedule_later(s_(5), worker_on);
    schedule_not_before(s_(6));
}

/* First letters of the priorities of what has been published again, in the order of the stream. */
static char again[32];

static void note_again(const char *stream, const struct wire *w)
{
    struct mu_task_subject parts;
    const char *id = wire_find(w, "Nats-Msg-Id");
    if (strcmp(stream, MU_STREAM_TASKS) == 0 && id && strcmp(id + strcspn(id, ":"), ":1") != 0 && mu_subject_parse_task(w->subject, &parts) &&
        strlen(again) < sizeof(again) - 1)
        again[strlen(again)] = mu_priority_name(parts.priority)[0];
}

static void wiped_with_two_priorities(void)
{
    memset(again, 0, sizeof(again));
    broker_on_store = note_again;
    programs_config()->dispatcher_republish_rate = 2;
    schedule_programs(1, 1, 1);
    schedule_later(ms_(600), worker_off);
    submit_many(s_(1), 12); /* the first six normal, the others high */
    schedule_later(s_(3), wipe);
    schedule_later(s_(40), worker_on);
    schedule_not_before(s_(41));
}

static void urgent_first(void)
{
    if (strcmp(again, "hhhhhhnnnnnn") != 0)
        broken("published again in the order %s", again);
}

static void forget_last_result(void)
{
    stream_forget(MU_STREAM_RESULTS, stream_look(MU_STREAM_RESULTS).last);
}

/* Nothing else is recorded afterwards that would carry the recorder's position over the hole. */
static void last_result_is_deleted(void)
{
    schedule_programs(1, 1, 1);
    submit(DOOR_API, s_(1), "records-3");
    schedule_later(s_(3), recorder_off);
    submit(DOOR_API, s_(4), "records-4");
    schedule_later(s_(6), forget_last_result);
    schedule_later(s_(7), recorder_on);
    schedule_not_before(s_(8));
}

static void delete_consumers(void)
{
    broker_delete_consumer(MU_STREAM_TASKS, "w-default-normal");
    broker_delete_consumer(MU_STREAM_INTAKE, MU_CONSUMER_INTAKE);
}

static void consumers_are_deleted(void)
{
    schedule_programs(1, 1, 1);
    schedule_later(ms_(800), delete_consumers);
    submit_many(s_(1), 3);
    submit(DOOR_INTAKE, s_(1), "records-3");
}

static void packs_go_back(void)
{
    uint64_t at = 1;
    while (stream_walk("KV_" MU_BUCKET_PACKS, &at))
        stream_forget("KV_" MU_BUCKET_PACKS, at - 1);
    broker_restart(SECOND_US);
}

static void packs_are_lost(void)
{
    schedule_programs(1, 1, 1);
    schedule_later(ms_(500), packs_go_back);
    submit_many(s_(2), 3);
}

static void intake_goes_back_now(void)
{
    stream_back(MU_STREAM_INTAKE);
    broker_restart(SECOND_US);
}

/* One message was delivered, acknowledged and lost between two looks of the leader; the next one takes its number. */
static void intake_goes_back(void)
{
    schedule_programs(1, 1, 1);
    schedule_later(ms_(900), remember_broker);
    submit(DOOR_INTAKE, s_(1), "records-3");
    schedule_later(ms_(1500), intake_goes_back_now);
    submit(DOOR_INTAKE, ms_(2600), "records-4"); /* before anybody has looked at the stream */
}

static void intake_goes_back_briefly(void)
{
    stream_back(MU_STREAM_INTAKE);
    broker_restart(ms_(100));
}

/* Right after a look of the leader: the second message is settled before the next one, and raises the note over the
 * first, which took the number of one that was acknowledged. */
static void intake_goes_back_between_looks(void)
{
    schedule_programs(1, 1, 1);
    schedule_later(ms_(900), remember_broker);
    submit(DOOR_INTAKE, s_(1), "records-3");
    schedule_later(ms_(2600), intake_goes_back_briefly);
    submit(DOOR_INTAKE, ms_(3600), "records-4");
    submit(DOOR_INTAKE, ms_(3610), "records-5");
}

static void state_goes_back(void)
{
    stream_back("KV_" MU_BUCKET_STATE);
    broker_restart(ms_(600));
}

static void use_up_numbers(void)
{
    broker_publish("$KV." MU_BUCKET_STATE ".x", NULL, mu_span_of("{}"));
    broker_publish("$KV." MU_BUCKET_STATE ".y", NULL, mu_span_of("{}"));
}

/* Two agents count the same numbers: one remembers its mark at 3, of before the store went back; when it wakes up the
 * other stands at its second checkpoint, which is 3 too. */
static void numbers_come_again(void)
{
    schedule_programs(1, 1, 2);
    schedule_later(ms_(900), remember_broker);
    schedule_later(ms_(950), use_up_numbers);
    submit(DOOR_API, s_(1), "long");
    kill_at("worker.opened", 1);
    freeze_at("worker.marked", 1, s_(9));
    schedule_later(s_(4), state_goes_back);
    freeze_at("worker.checkpoint", 2, s_(7));
    schedule_not_before(s_(18));
}

static void invalid_by_intake(void)
{
    schedule_programs(1, 1, 1);
    submit(DOOR_INTAKE, s_(1), "records-3")->invalid = true;
    schedule_not_before(s_(2));
}

static void forge(void)
{
    static const char outcome[] = "{\"v\":1,\"ride_id\":\"0192f000-0000-7000-8000-000000000001\",\"queue\":\"default\",\"agent\":\"x\",\"incarnation\":"
                                  "\"0192f000-0000-7000-8000-000000000002\",\"tallies\":[],\"outcomes\":[],\"deferred\":[]}";
    broker_publish("muster.result.default.0192f000-0000-7000-8000-000000000001", NULL, mu_span_of("no JSON at all"));
    broker_publish("muster.result.default.0192f000-0000-7000-8000-000000000003", NULL, mu_span_of(outcome));
    broker_publish("muster.task.default.normal.0192f000-0000-7000-8000-000000000004", "forged:1", mu_span_of("{\"v\":1}"));
}

static void forged(void)
{
    schedule_programs(1, 1, 1);
    schedule_later(s_(1), forge);
    submit_many(ms_(1500), 3);
    checker_allows.quarantine = true;
}

static void forged_is_put_aside(void)
{
    if (!database_tables()->of[T_QUARANTINE].count)
        broken("I6: what was forged is not in quarantine");
}

#define CASE(name_, rule_, set_up_, check_) {.name = #name_, .rule = rule_, .set_up = set_up_, .check = check_}
const struct named_case named_cases[] = {
    CASE(without_a_fault_everything_ends_as_it_must, "", nothing_wrong, nothing_was_published_again),
    CASE(a_replay_after_a_restored_database_makes_the_same_shards, "1 ids", plan_is_forgotten, shards_are_the_same),
    CASE(an_outcome_is_kept_though_its_task_was_published_again, "1 n; 5 complete or not recorded", findings_are_lost, findings_were_made_again),
    CASE(a_message_that_two_dispatchers_publish_stands_there_once, "3 exact bytes", published_and_not_noted, published_once),
    CASE(a_task_that_is_put_off_holds_no_place_in_the_queue, "4 deferral", source_is_away, NULL),
    CASE(a_missing_mount_ends_no_task, "4 deferral", mount_is_missing, NULL),
    CASE(a_worker_killed_when_it_has_pulled, "4 step 1", dies_pulled, one_order),
    CASE(a_worker_killed_at_its_start_mark, "4 step 2", dies_marked, two_orders),
    CASE(a_worker_killed_when_it_has_opened_its_source, "4 step 3", dies_opened, one_order),
    CASE(a_worker_killed_between_findings_and_checkpoint, "4 step 4", dies_findings, one_order),
    CASE(a_worker_killed_at_its_checkpoint, "4 step 4", dies_checkpoint, one_order),
    CASE(a_worker_killed_before_its_outcome, "4 step 6", dies_before_outcome, one_order),
    CASE(a_worker_killed_between_outcome_and_ack, "4 step 6", dies_after_outcome, one_order),
    CASE(a_worker_killed_after_its_ack, "4 step 7", dies_after_ack, one_order),
    CASE(a_worker_killed_after_its_purge, "4 step 7", dies_after_purge, one_order),
    CASE(a_zombie_at_its_checkpoint_is_refused, "4 step 5", zombie_checkpoint, two_orders),
    CASE(a_zombie_before_its_outcome_says_nothing_wrong, "4 lease", zombie_outcome, one_order),
    CASE(a_zombie_between_outcome_and_ack_changes_nothing, "4 lease", zombie_ack, one_order),
    CASE(a_zombie_with_tasks_not_started_changes_nothing, "4 lease", zombie_unstarted, one_order),
    CASE(a_poisonous_task_takes_no_companion_with_it, "4 step 2", poison, poison_took_nobody_along),
    CASE(a_drained_agent_burns_no_attempt, "4 hand-back", drained, no_attempt_was_burnt),
    CASE(a_dispatcher_killed_before_its_commit, "2", dies_before_commit, one_order),
    CASE(a_dispatcher_killed_after_its_commit, "3", dies_after_commit, one_order),
    CASE(a_dispatcher_killed_after_its_answer, "3", dies_after_answer, one_order),
    CASE(a_dispatcher_killed_after_its_publish, "3", dies_after_publish, one_order),
    CASE(a_dispatcher_killed_after_its_mark, "3", dies_after_mark, one_order),
    CASE(a_dispatcher_killed_before_its_intake_ack, "2", dies_before_intake_ack, one_order),
    CASE(a_commit_that_was_done_and_not_told_is_read_back, "2", commit_is_done_and_not_told, nobody_was_told_a_lie),
    CASE(a_commit_that_was_lost_is_made_again, "2", commit_is_lost, one_order),
    CASE(an_invalid_message_of_the_intake_becomes_a_row, "2", invalid_by_intake, NULL),
    CASE(a_recorder_killed_when_it_has_pulled, "5", recorder_dies_pulled, one_order),
    CASE(a_recorder_killed_before_its_commit, "5", recorder_dies_before, one_order),
    CASE(a_recorder_killed_after_its_commit, "5", recorder_dies_after, one_order),
    CASE(a_recorder_killed_after_its_ack, "5", recorder_dies_acked, one_order),
    CASE(a_recording_that_was_done_and_not_told_is_not_done_twice, "5", recording_is_done_and_not_told, one_order),
    CASE(a_recorder_that_is_stopped_is_replaced, "5 lock", recorder_stops, one_order),
    CASE(a_late_beat_does_not_hide_that_the_next_recorder_has_stopped, "5 lock", both_recorders_stop, both_stops_were_ended),
    CASE(a_leader_that_is_stopped_is_replaced, "5 lock", leader_stops, NULL),
    CASE(results_that_went_back_are_recorded_again, "5 position", recorded_results_go_back, nothing_was_published_again),
    CASE(what_was_forged_is_put_aside, "5 quarantine", forged, forged_is_put_aside),
    CASE(a_task_whose_sequence_another_has_taken_is_published_again, "8 queued", sequence_is_taken, something_was_published_again),
    CASE(a_consumer_ahead_of_its_stream_starts_over, "8 queued", consumer_runs_ahead, no_queue_waited_long),
    CASE(a_task_that_was_pulled_a_moment_ago_is_not_published_again, "8 republish", pulled_late, late_and_once),
    CASE(outcomes_that_wait_for_the_recorder_are_not_run_again, "8 republish", results_wait, nothing_was_published_again),
    CASE(a_wiped_store_is_filled_again, "8 rebuild", store_is_wiped, NULL),
    CASE(what_is_urgent_is_published_again_first, "8 rebuild", wiped_with_two_priorities, urgent_first),
    CASE(a_last_result_that_was_deleted_by_hand_is_waited_for_by_nobody, "8 republish", last_result_is_deleted, something_was_published_again),
    CASE(consumers_that_were_deleted_are_made_again, "8", consumers_are_deleted, NULL),
    CASE(packs_that_were_lost_are_put_back, "8 rebuild", packs_are_lost, NULL),
    CASE(an_intake_that_went_back_behind_an_ack_delivers_what_follows, "8 intake", intake_goes_back, NULL),
    CASE(what_is_settled_after_an_intake_went_back_does_not_hide_it, "8 intake", intake_goes_back_between_looks, NULL),
    CASE(an_agent_that_remembers_the_numbers_of_before_asks_first, "4 step 5", numbers_come_again, three_orders),
};
const size_t named_case_count = MU_COUNT(named_cases);
