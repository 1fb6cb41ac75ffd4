/* SPDX-License-Identifier: Apache-2.0 */
/* simulation-calls-model SEED STEPS: the calls of a seed against the model. */
#include "conformance.h"

#include "database.h"
#include "dispatcher/statements.h"

extern const struct mu_statement recorder_statements[];

#define RECORDER_STATEMENTS 4

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct mu_id)); /* rows whose first member is their key */
}

static void *sorted(const struct table *t)
{
    char *copy = world_alloc(t->count * t->size + 1);
    if (t->count)
        memcpy(copy, t->rows, t->count * t->size);
    qsort(copy, t->count, t->size, by_id);
    return copy;
}

static const char *id_of(struct mu_id id)
{
    char *text = world_alloc(MU_ID_MAX);
    mu_id_format(id, text);
    return text;
}

static const char *hex_of(const struct mu_digest *d)
{
    char *text = world_alloc(MU_DIGEST_HEX);
    mu_digest_format(d, text);
    return text;
}

static const char *text_or_dash(struct mu_span text)
{
    return text.at ? world_keep(text).at : "-";
}

struct out {
    void (*line)(void *ctx, const char *text);
    void *ctx;
};

static void put(const struct out *o, const char *fmt, ...) MU_PRINTF(2, 3);
static void put(const struct out *o, const char *fmt, ...)
{
    char text[9000];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    o->line(o->ctx, text);
}

#define ROWS(type, row, t, name) \
    for (type *row = sorted(&(t)->of[name]), *row##_end = row + (t)->of[name].count; row < row##_end; row++)

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void dump_tasks(struct tables *t, const struct out *o)
{
    const char **lines = world_alloc((t->of[T_JOB].count + t->of[T_TASK].count + 1) * sizeof(*lines));
    size_t count = 0;
    EACH(struct r_job, j, t, T_JOB)
    {
        char text[200];
        snprintf(text, sizeof(text), "%s|%s|%s|%lld|%s", id_of(j->id), id_of(j->id), hex_of(&j->task_digest), (long long)j->n, j->plan_stage ? "plan" : "scan");
        lines[count++] = world_keep_text(text);
    }
    EACH(struct r_task, k, t, T_TASK)
    {
        char text[200];
        snprintf(text, sizeof(text), "%s|%s|%s|%lld|%s", id_of(k->id), id_of(k->job), hex_of(&k->digest), (long long)k->n, k->stage);
        lines[count++] = world_keep_text(text);
    }
    qsort(lines, count, sizeof(*lines), by_text);
    for (size_t i = 0; i < count; i++)
        put(o, "%s", lines[i]);
}

static const char *members_of(const struct r_outbox *o)
{
    MU_AUTO(mu_text_free) struct mu_text t = {0};
    for (size_t i = 0; i < o->member_count; i++)
        mu_text_addf(&t, "%s%s", i ? "," : "", id_of(o->members[i]));
    return world_keep(mu_text_span(&t)).at;
}

static void dump_events(struct tables *t, const struct out *o)
{
    const char **subjects = world_alloc((t->of[T_OUTBOX].count + 1) * sizeof(*subjects));
    size_t count = 0;
    EACH(struct r_outbox, x, t, T_OUTBOX)
    {
        if (x->event)
            subjects[count++] = world_keep(x->subject).at;
    }
    qsort(subjects, count, sizeof(*subjects), by_text);
    for (size_t i = 0, same; i < count; i += same) {
        for (same = 1; i + same < count && strcmp(subjects[i], subjects[i + same]) == 0;)
            same++;
        put(o, "events %s %zu", subjects[i], same);
    }
}

static int by_place(const void *a, const void *b)
{
    const struct place *p = a, *q = b; /* rows whose first member is their place */
    if (p->sequence != q->sequence)
        return p->sequence < q->sequence ? -1 : 1;
    return p->index < q->index ? -1 : p->index > q->index;
}

static void *placed(const struct table *t)
{
    void *copy = sorted(t);
    qsort(copy, t->count, t->size, by_place);
    return copy;
}

static int by_ride(const void *a, const void *b)
{
    const struct r_outbox *p = a, *q = b;
    int order = memcmp(p->ride.b, q->ride.b, sizeof(p->ride.b));
    return order ? order : p->n < q->n ? -1 : p->n > q->n;
}

static int by_rejection(const void *a, const void *b)
{
    const struct r_rejection *p = a, *q = b;
    if (p->sequence != q->sequence)
        return p->sequence < q->sequence ? -1 : 1;
    return p->stored_us < q->stored_us ? -1 : p->stored_us > q->stored_us;
}

static void dump_outbox(struct tables *t, const struct out *o)
{
    struct r_outbox *rows = sorted(&t->of[T_OUTBOX]);
    qsort(rows, t->of[T_OUTBOX].count, sizeof(*rows), by_ride);
    for (size_t i = 0; i < t->of[T_OUTBOX].count; i++) {
        const struct r_outbox *x = &rows[i];
        struct mu_digest d = mu_digest_of(x->bytes);
        if (!x->event)
            put(o, "outbox %s %lld %s %s %s %s %d %lld %d", id_of(x->ride), (long long)x->n, text_or_dash(x->subject), text_or_dash(x->message_id),
                members_of(x), hex_of(&d), x->published_us != 0, (long long)x->sequence, x->missing_us != 0);
    }
}

static void dump_work(struct tables *t, const struct out *o)
{
    ROWS(struct r_task, k, t, T_TASK)
    {
        struct mu_digest d = mu_digest_of(k->body);
        put(o, "task %s %s %lld %lld %s", id_of(k->id), id_of(k->job), (long long)k->shard, (long long)k->n, hex_of(&d));
    }
    ROWS(struct r_progress, p, t, T_PROGRESS)
    put(o, "progress %s %lld %lld %lld %lld %s %s %d", id_of(p->job), (long long)p->expected, (long long)p->done, (long long)p->bad,
        (long long)p->records_expected, p->result ? p->result : "-", p->reason ? p->reason : "-", p->finished_us != 0);
    dump_outbox(t, o);
    dump_events(t, o);
}

static void dump_results(struct tables *t, const struct out *o)
{
    ROWS(struct r_outcome, x, t, T_OUTCOME)
    put(o, "outcome %s %s %lld %s %s %lld %s", id_of(x->task), id_of(x->job), (long long)x->n, text_or_dash(x->result), text_or_dash(x->reason),
        (long long)x->findings, hex_of(&x->determined));
    ROWS(struct r_finding, f, t, T_FINDING)
    put(o, "finding %s %s", id_of(f->id), id_of(f->task));
    ROWS(struct r_retry, r, t, T_RETRY)
    put(o, "retry %s %lld %s %lld %lld %lld %s", id_of(r->task), (long long)r->n, r->class_, (long long)r->incomplete, (long long)r->dependency,
        (long long)r->transient, r->next_us == INT64_MAX ? "never" : r->next_us <= database_now() ? "now" : "later");
}

static void dump_aside(struct tables *t, const struct out *o)
{
    const struct r_late *late = placed(&t->of[T_LATE]);
    for (size_t i = 0; i < t->of[T_LATE].count; i++)
        put(o, "late %lld %lld %s %lld %s", (long long)late[i].place.sequence, (long long)late[i].place.index, id_of(late[i].task), (long long)late[i].n,
            text_or_dash(late[i].result));
    const struct r_conflict *conflict = placed(&t->of[T_CONFLICT]);
    for (size_t i = 0; i < t->of[T_CONFLICT].count; i++)
        put(o, "conflict %lld %lld %s %lld", (long long)conflict[i].place.sequence, (long long)conflict[i].place.index, id_of(conflict[i].task),
            (long long)conflict[i].n);
    const struct r_quarantine *q = placed(&t->of[T_QUARANTINE]);
    for (size_t i = 0; i < t->of[T_QUARANTINE].count; i++)
        put(o, "quarantine %lld %lld %s", (long long)q[i].place.sequence, (long long)q[i].place.index, q[i].reason);
    struct r_rejection *rejected = sorted(&t->of[T_REJECTION]);
    qsort(rejected, t->of[T_REJECTION].count, sizeof(*rejected), by_rejection);
    for (size_t i = 0; i < t->of[T_REJECTION].count; i++)
        put(o, "rejection %lld %s", (long long)rejected[i].sequence, text_or_dash(rejected[i].code));
    const struct r_position *newest = NULL;
    EACH(struct r_position, p, t, T_POSITION)
    {
        if (!newest || p->noted_us > newest->noted_us)
            newest = p;
    }
    if (newest)
        put(o, "position %s %lld", text_or_dash(newest->created), (long long)newest->sequence);
}

void conformance_dump(struct mu_store *s, enum dump what, void (*line)(void *ctx, const char *text), void *ctx)
{
    struct tables *t = database_tables();
    const struct out o = {line, ctx};
    (void)s;
    if (what == DUMP_TASKS) {
        dump_tasks(t, &o);
        return;
    }
    dump_work(t, &o);
    dump_results(t, &o);
    dump_aside(t, &o);
}

static int64_t seed, steps;
static bool done;

static int run(struct process *p)
{
    struct mu_statement all[SQL_COUNT + RECORDER_STATEMENTS];
    struct mu_error err = {0};
    struct mu_store *s = NULL;
    (void)p;
    memcpy(all, dispatcher_statements, SQL_COUNT * sizeof(*all));
    memcpy(all + SQL_COUNT, recorder_statements, RECORDER_STATEMENTS * sizeof(*all));
    done = mu_store_open(&s, "", "conformance", all, MU_COUNT(all), &err) && conformance_run(s, (uint64_t)seed, (int)steps, &err);
    if (!done)
        printf("%s\n", err.text);
    mu_store_free(s);
    p->unit->wanted = false;
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 3 || !mu_parse_i64(mu_span_of(argv[1]), 0, INT64_MAX, &seed) || !mu_parse_i64(mu_span_of(argv[2]), 1, 100000, &steps))
        return 2;
    world_begin((uint64_t)seed, false);
    hazard = (struct hazard){0};
    database_begin();
    unit_start(unit_add(UNIT_SUBMITTER, "calls", run));
    world_run(world_now() + 3600 * SECOND_US);
    if (world_broken())
        printf("%s\n", world_broken());
    return done && !world_broken() ? 0 : 1;
}
