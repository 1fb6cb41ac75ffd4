/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"
#include "daemon/daemon.h"

#include <assert.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifdef WITH_ASAN
#include <sanitizer/common_interface_defs.h>
#define STACK_BYTES ((size_t)2 << 20)
#else
#define STACK_BYTES ((size_t)512 << 10)
#endif

#define WALL_BASE_US INT64_C(1795564800000000) /* some day */
#define FIRST_US (1000 * SECOND_US)
#define ORDERS_MAX 32
#define RESTART_US 300000

struct fibre {
    ucontext_t context;
    struct process *process;
    void (*run)(void *ctx);
    void *ctx;
    char *stack;
    void *fake_stack;
    bool waiting, done, woken;
    uint64_t wait; /* number of its wait: what was meant for an earlier one is late */
};

struct event {
    int64_t at_us;
    uint64_t order; /* of its making: equal times happen in this order */
    happening *what;
    void *ctx;
    uint64_t number;
};

static struct {
    int64_t now_us;
    bool ended;
    uint64_t random[4];
    struct event *heap;
    size_t count, room;
    uint64_t next_order;
    struct fibre *current;
    ucontext_t main;
    void *main_fake_stack;
    const void *main_stack;
    size_t main_stack_bytes;
    struct unit *units;
    struct process *processes;
    int next_pid;
    void (*gone[4])(struct process *p, bool killed);
    size_t gone_count;
    struct order orders[ORDERS_MAX];
    size_t order_count;
    struct { const char *point; int count; } passages[64];
    size_t passage_count;
    char broken[600];
    uint64_t digest;
    char *block;
    size_t block_left;
} world;

bool trace_on;
struct hazard hazard;

/* ---- memory ---- */

void *world_alloc(size_t len)
{
    len = (len + 15) & ~(size_t)15;
    if (len > world.block_left) {
        size_t size = len > ((size_t)1 << 20) ? len : (size_t)1 << 20;
        world.block = malloc(size);
        if (!world.block)
            abort();
        world.block_left = size;
    }
    void *at = world.block;
    world.block += len;
    world.block_left -= len;
    memset(at, 0, len);
    return at;
}

struct mu_span world_keep(struct mu_span bytes)
{
    char *at = world_alloc(bytes.len + 1);
    if (bytes.len)
        memcpy(at, bytes.at, bytes.len);
    at[bytes.len] = '\0';
    return mu_span(at, bytes.len);
}

const char *world_keep_text(const char *text)
{
    return world_keep(mu_span_of(text)).at;
}

/* ---- chance: xoshiro256** from a seed by splitmix64 ---- */

static uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

uint64_t chance_bits(void)
{
    uint64_t *s = world.random, result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint32_t chance_below(uint32_t bound)
{
    return bound ? (uint32_t)((chance_bits() >> 32) * bound >> 32) : 0;
}

int64_t chance_between(int64_t least, int64_t most)
{
    return most <= least ? least : least + (int64_t)(chance_bits() % (uint64_t)(most - least + 1));
}

bool chance_in_million(uint32_t rate)
{
    return rate && chance_below(1000000) < rate;
}

int64_t chance_latency(void)
{
    if (chance_in_million(hazard.slow))
        return chance_between(1000, 80000);
    return chance_between(60, 400);
}

static void seed_chance(uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = seed += 0x9E3779B97F4A7C15u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        world.random[i] = z ^ (z >> 31);
    }
}

/* ---- trace ---- */

static void digest_add(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        world.digest = (world.digest ^ (uint8_t)text[i]) * 0x100000001B3u;
}

/* In short runs only who, when and what kind of thing: formatting each line would cost more than what it tells. */
static void digest_number(uint64_t n)
{
    world.digest = (world.digest ^ n) * 0x100000001B3u;
    world.digest ^= world.digest >> 29;
}

void trace(const char *fmt, ...)
{
    if (!trace_on)
        return;
    va_list args;
    printf("# %11.6f %-14s ", (double)(world.now_us - FIRST_US) / 1e6,
           world.current && world.current->process ? world.current->process->name : "-");
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\n");
}

uint64_t trace_digest(void)
{
    return world.digest;
}

void broken(const char *fmt, ...)
{
    char text[sizeof(world.broken) - 40];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    trace("BROKEN: %s", text);
    if (!world.broken[0])
        snprintf(world.broken, sizeof(world.broken), "%s (at %.3f s)", text, (double)(world.now_us - FIRST_US) / 1e6);
    digest_add(text, strlen(text));
    world.ended = true;
}

const char *world_broken(void)
{
    return world.broken[0] ? world.broken : NULL;
}

/* ---- what happens when ---- */

int64_t world_now(void)
{
    return world.now_us;
}

int64_t world_wall(void)
{
    return WALL_BASE_US + world.now_us;
}

static bool before(const struct event *a, const struct event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

void world_at(int64_t at_us, happening *what, void *ctx, uint64_t number)
{
    if (at_us == NEVER)
        return;
    if (world.count == world.room) {
        world.room = world.room ? world.room * 2 : 1024;
        world.heap = realloc(world.heap, world.room * sizeof(*world.heap));
        if (!world.heap)
            abort();
    }
    struct event e = {.at_us = at_us < world.now_us ? world.now_us : at_us, .order = world.next_order++, .what = what, .ctx = ctx, .number = number};
    size_t i = world.count++;
    for (; i && before(&e, &world.heap[(i - 1) / 2]); i = (i - 1) / 2)
        world.heap[i] = world.heap[(i - 1) / 2];
    world.heap[i] = e;
}

static struct event take_first(void)
{
    struct event first = world.heap[0], last = world.heap[--world.count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < world.count; i = child) {
        if (child + 1 < world.count && before(&world.heap[child + 1], &world.heap[child]))
            child++;
        if (!before(&world.heap[child], &last))
            break;
        world.heap[i] = world.heap[child];
    }
    world.heap[i] = last;
    return first;
}

void world_end(void)
{
    world.ended = true;
}

void world_run(int64_t until_us)
{
    world.ended = false;
    while (!world.ended && world.count && world.heap[0].at_us <= until_us) {
        struct event e = take_first();
        world.now_us = e.at_us;
        digest_number((uint64_t)e.at_us);
        e.what(e.ctx, e.number);
    }
    if (!world.ended && world.now_us < until_us)
        world.now_us = until_us;
}

void world_begin(uint64_t seed, bool verbose)
{
    memset(&world, 0, sizeof(world));
    world.now_us = FIRST_US;
    world.next_pid = 100;
    world.digest = 0xCBF29CE484222325u;
    hazard = (struct hazard){.yield = 200000};
    seed_chance(seed);
    trace_on = verbose;
}

/* ---- fibres ---- */

static void switch_to_main(struct fibre *f)
{
#ifdef WITH_ASAN
    __sanitizer_start_switch_fiber(f->done ? NULL : &f->fake_stack, world.main_stack, world.main_stack_bytes);
#endif
    swapcontext(&f->context, &world.main);
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(f->fake_stack, &world.main_stack, &world.main_stack_bytes);
#endif
}

static void switch_to(struct fibre *f)
{
    world.current = f;
#ifdef WITH_ASAN
    __sanitizer_start_switch_fiber(&world.main_fake_stack, f->stack, STACK_BYTES);
#endif
    swapcontext(&world.main, &f->context);
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(world.main_fake_stack, NULL, NULL);
#endif
    world.current = NULL;
}

static void enter(void)
{
    struct fibre *f = world.current;
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(NULL, &world.main_stack, &world.main_stack_bytes);
#endif
    f->run(f->ctx);
    f->done = true;
    switch_to_main(f);
    abort();
}

static void resume(void *ctx, uint64_t number)
{
    struct fibre *f = ctx;
    if (f->done || f->process->dead || !f->waiting || f->wait != number)
        return;
    if (f->process->frozen_until_us > world.now_us) {
        world_at(f->process->frozen_until_us + chance_between(0, 200), resume, f, number);
        return;
    }
    f->waiting = false;
    switch_to(f);
}

struct fibre *fibre_new(struct process *p, void (*run)(void *ctx), void *ctx)
{
    struct fibre *f = world_alloc(sizeof(*f));
    *f = (struct fibre){.process = p, .run = run, .ctx = ctx, .waiting = true, .wait = 1};
    f->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (f->stack == MAP_FAILED || getcontext(&f->context) != 0)
        abort();
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = STACK_BYTES;
    f->context.uc_link = NULL;
    makecontext(&f->context, enter, 0);
    world_at(world.now_us, resume, f, 1);
    return f;
}

struct fibre *fibre_current(void)
{
    return world.current;
}

bool fibre_wait(int64_t until_us)
{
    struct fibre *f = world.current;
    assert(f); /* the world itself never waits */
    f->waiting = true;
    f->woken = false;
    world_at(until_us, resume, f, ++f->wait);
    switch_to_main(f);
    return f->woken;
}

void fibre_wake(struct fibre *f)
{
    if (!f || !f->waiting || f->woken || f->done)
        return;
    f->woken = true;
    world_at(world.now_us + chance_between(1, 60), resume, f, f->wait);
}

bool fibre_done(const struct fibre *f)
{
    return f->done;
}

/* ---- units and processes ---- */

struct unit *unit_first(void)
{
    return world.units;
}

struct unit *unit_find(const char *name)
{
    struct unit *u = world.units;
    while (u && strcmp(u->name, name) != 0)
        u = u->next;
    return u;
}

struct unit *unit_add(enum unit_kind kind, const char *name, int (*run)(struct process *p))
{
    struct unit *u = world_alloc(sizeof(*u)), **end = &world.units;
    *u = (struct unit){.kind = kind, .run = run, .restart_us = RESTART_US};
    snprintf(u->name, sizeof(u->name), "%s", name);
    while (*end)
        end = &(*end)->next;
    *end = u;
    return u;
}

static void start_again(void *ctx, uint64_t number)
{
    struct unit *u = ctx;
    if (u->wanted && !u->process && (uint64_t)u->starts == number)
        unit_start(u);
}

static void ended(struct process *p, bool killed)
{
    struct unit *u = p->unit;
    p->dead = true;
    for (size_t i = 0; i < world.gone_count; i++)
        world.gone[i](p, killed);
    if (u->process == p)
        u->process = NULL;
    if (u->wanted)
        world_at(world.now_us + u->restart_us + chance_between(0, u->restart_us), start_again, u, (uint64_t)u->starts);
}

static void run_process(void *ctx)
{
    struct process *p = ctx;
    int status = p->unit->run(p);
    process_exit(status);
}

void unit_start(struct unit *u)
{
    if (u->process)
        return;
    struct process *p = world_alloc(sizeof(*p));
    *p = (struct process){.unit = u, .pid = world.next_pid++, .next = world.processes};
    world.processes = p;
    u->process = p;
    u->wanted = true;
    u->starts++;
    snprintf(p->name, sizeof(p->name), "%s.%d", u->name, u->starts);
    trace("start of %s", p->name);
    fibre_new(p, run_process, p);
}

void unit_off(const char *name)
{
    struct unit *u = unit_find(name);
    if (!u)
        abort();
    u->wanted = false;
    if (u->process)
        process_kill(u->process, "it is switched off");
}

void unit_on(const char *name)
{
    struct unit *u = unit_find(name);
    if (!u)
        abort();
    unit_start(u);
}

struct process *process_current(void)
{
    return world.current ? world.current->process : NULL;
}

static _Noreturn void never_again(void)
{
    struct fibre *f = world.current;
    f->done = true;
    switch_to_main(f);
    abort();
}

void process_exit(int status)
{
    struct process *p = process_current();
    trace("exit, status %d", status);
    if (status == MU_EXIT_USAGE || status == MU_EXIT_CONFIG)
        broken("%s ended with status %d", p->name, status);
    ended(p, false);
    never_again();
}

void process_kill(struct process *p, const char *why)
{
    if (p->dead)
        return;
    trace("kill -9 of %s: %s", p->name, why);
    p->unit->kills++;
    ended(p, true);
    if (process_current() == p)
        never_again();
}

static void thaw(void *ctx, uint64_t number)
{
    struct process *p = ctx;
    (void)number;
    if (!p->dead && p->frozen_until_us <= world.now_us)
        trace("%s goes on", p->name);
}

void process_freeze(struct process *p, int64_t for_us, const char *why)
{
    if (p->dead)
        return;
    trace("%s is stopped for %lld ms: %s", p->name, (long long)for_us / 1000, why);
    p->frozen_until_us = world.now_us + for_us;
    world_at(p->frozen_until_us, thaw, p, 0);
    if (process_current() == p)
        (void)fibre_wait(p->frozen_until_us + 1);
}

void process_stop(struct process *p)
{
    if (p->dead)
        return;
    trace("SIGTERM to %s", p->name);
    p->stop_asked = true;
    if (p->wake)
        p->wake(p->wake_ctx);
    fibre_wake(p->daemon_waiter);
}

void world_on_death(void (*gone)(struct process *p, bool killed))
{
    assert(world.gone_count < MU_COUNT(world.gone));
    world.gone[world.gone_count++] = gone;
}

void world_step(void)
{
    struct process *p = process_current();
    if (!p || p->unit->kind == UNIT_SUBMITTER)
        return;
    if (hazard.kills_left > 0 && chance_in_million(hazard.kill)) {
        hazard.kills_left--;
        process_kill(p, "by chance");
    }
    if (hazard.kills_left > 0 && chance_in_million(hazard.freeze)) {
        hazard.kills_left--;
        process_freeze(p, chance_between(hazard.freeze_us_least, hazard.freeze_us_most), "by chance");
    } else if (chance_in_million(hazard.yield)) {
        (void)fibre_wait(world.now_us + chance_between(1, 300));
    }
}

/* ---- directed faults ---- */

void world_order(const struct order *o)
{
    assert(world.order_count < ORDERS_MAX);
    world.orders[world.order_count++] = *o;
}

int world_orders_done(void)
{
    int done = 0;
    for (size_t i = 0; i < world.order_count; i++)
        done += world.orders[i].done;
    return done;
}

int world_passages(const char *point)
{
    for (size_t i = 0; i < world.passage_count; i++)
        if (strcmp(world.passages[i].point, point) == 0)
            return world.passages[i].count;
    return 0;
}

static void count_passage(const char *point)
{
    for (size_t i = 0; i < world.passage_count; i++) {
        if (strcmp(world.passages[i].point, point) == 0) {
            world.passages[i].count++;
            return;
        }
    }
    if (world.passage_count < MU_COUNT(world.passages)) {
        world.passages[world.passage_count].point = point;
        world.passages[world.passage_count++].count = 1;
    }
}

/* The place that the product names (daemon/failpoint.h). */
void mu_failpoint(const char *point);
void mu_failpoint(const char *point)
{
    struct process *p = process_current();
    if (!p)
        return;
    trace("at %s", point);
    count_passage(point);
    for (size_t i = 0; i < world.order_count; i++) {
        struct order *o = &world.orders[i];
        if (o->done || strcmp(o->point, point) != 0 || (o->unit && strcmp(o->unit, p->unit->name) != 0) || ++o->passed != o->nth)
            continue;
        o->done = true;
        if (o->deed == DEED_KILL)
            process_kill(p, point);
        else if (o->deed == DEED_FREEZE)
            process_freeze(p, o->for_us, point);
        else
            o->call(p);
    }
    world_step();
}
