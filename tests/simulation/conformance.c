/* SPDX-License-Identifier: Apache-2.0 */
#include "conformance.h"

#include "base/clock.h"
#include "dispatcher/statements.h"
#include "domain/names.h"
#include "format/json.h"

/* The recorder's statements are named alike in its own header, so what is called of it stands here. */
extern const struct mu_statement recorder_statements[];
enum { REC_RECORD, REC_POSITIONS, REC_POSITION_NOTE, REC_POSITIONS_THIN };

#define KEYS 10
#define JOBS_MAX 200
#define TASKS_MAX 400
#define DAY_MS INT64_C(1795000000000)

struct known_task {
    struct mu_id id, job;
    struct mu_digest digest;
    int64_t n;
    bool plan;
};
struct run {
    struct mu_store *s;
    struct mu_args *a;
    uint64_t random;
    uint32_t ids;
    struct known_task tasks[TASKS_MAX];
    size_t task_count;
    int64_t sequence;
    struct mu_error *err;
};

static uint32_t below(struct run *r, uint32_t bound)
{
    uint64_t z = r->random += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (uint32_t)((z >> 32) * bound >> 32);
}

static struct mu_id new_id(struct run *r, uint8_t version)
{
    struct mu_id id = {{0}};
    uint64_t ms = (uint64_t)(DAY_MS + r->ids);
    for (int i = 0; i < 6; i++)
        id.b[i] = (uint8_t)(ms >> (40 - 8 * i));
    id.b[6] = (uint8_t)(version << 4);
    id.b[8] = 0x80;
    for (int i = 0; i < 4; i++)
        id.b[15 - i] = (uint8_t)(r->ids >> (8 * i));
    r->ids++;
    return id;
}

static struct mu_digest digest_of(uint32_t number)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%u", number);
    return mu_digest_of(mu_span(text, (size_t)len));
}

static struct mu_span digest_span(const struct mu_digest *d)
{
    return mu_span((const char *)d->b, sizeof(d->b));
}

static const char *id_text(struct mu_id id)
{
    static char texts[4][MU_ID_MAX];
    static unsigned at;
    char *text = texts[at++ % 4];
    mu_id_format(id, text);
    return text;
}

/* ---- what is called and what is printed ---- */

static bool call(struct run *r, const struct mu_statement *table, int statement, struct mu_rows **rows)
{
    struct mu_error err = {0};
    (void)table;
    if (mu_store_run(r->s, statement, r->a, rows, &err))
        return true;
    printf("  fault %s\n", mu_fault_name(err.fault));
    if (err.fault == MU_UNAVAILABLE || err.fault == MU_BROKEN) {
        printf("  %s\n", err.text);
        mu_fail(r->err, err.fault, "%s", err.text);
    }
    return false;
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Rows of `columns` columns; sorted, where their order is nobody's promise. */
static void print_rows(struct mu_rows *rows, int columns, bool sorted)
{
    size_t count = mu_rows_count(rows);
    char **lines = calloc(count + 1, sizeof(*lines));
    for (size_t i = 0; i < count; i++) {
        MU_AUTO(mu_text_free) struct mu_text t = {0};
        for (int c = 0; c < columns; c++)
            mu_text_addf(&t, "%s%s", c ? "|" : "", mu_row_null(rows, i, c) ? "null" : mu_row_text(rows, i, c));
        lines[i] = strdup(t.len ? t.at : "");
    }
    if (sorted)
        qsort(lines, count, sizeof(*lines), compare_lines);
    for (size_t i = 0; i < count; i++) {
        printf("  %s\n", lines[i]);
        free(lines[i]);
    }
    free(lines);
}

static void ask(struct run *r, int statement, int columns, bool sorted)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    if (call(r, dispatcher_statements, statement, &rows))
        print_rows(rows, columns, sorted);
}

/* ---- arrays ---- */

static void ids(struct run *r, const struct mu_id *at, size_t count)
{
    mu_arg_array_begin(r->a, MU_ARRAY_ID);
    for (size_t i = 0; i < count; i++)
        mu_arg_array_id(r->a, at[i]);
    mu_arg_array_end(r->a);
}

static void numbers(struct run *r, enum mu_array kind, const int64_t *at, size_t count)
{
    mu_arg_array_begin(r->a, kind);
    for (size_t i = 0; i < count; i++)
        at[i] == INT64_MIN ? mu_arg_array_null(r->a) : kind == MU_ARRAY_TIME ? mu_arg_array_time_us(r->a, at[i]) : mu_arg_array_i64(r->a, at[i]);
    mu_arg_array_end(r->a);
}

static void texts(struct run *r, const char *const *at, size_t count)
{
    mu_arg_array_begin(r->a, MU_ARRAY_TEXT);
    for (size_t i = 0; i < count; i++)
        at[i] ? mu_arg_array_text(r->a, mu_span_of(at[i])) : mu_arg_array_null(r->a);
    mu_arg_array_end(r->a);
}

static void digests(struct run *r, const struct mu_digest *at, const bool *given, size_t count)
{
    mu_arg_array_begin(r->a, MU_ARRAY_BYTES);
    for (size_t i = 0; i < count; i++)
        given && !given[i] ? mu_arg_array_null(r->a) : mu_arg_array_bytes(r->a, digest_span(&at[i]));
    mu_arg_array_end(r->a);
}

/* ---- the tasks that there are ---- */

static void note_task(void *ctx, const char *line)
{
    struct run *r = ctx;
    char id[MU_ID_MAX], job[MU_ID_MAX], hex[MU_DIGEST_HEX], stage[8];
    long long n;
    struct known_task *k = &r->tasks[r->task_count];
    if (r->task_count < TASKS_MAX && sscanf(line, "%36[^|]|%36[^|]|%64[^|]|%lld|%7s", id, job, hex, &n, stage) == 5 &&
        mu_id_parse(mu_span_of(id), &k->id) && mu_id_parse(mu_span_of(job), &k->job) && mu_digest_parse(mu_span_of(hex), &k->digest)) {
        k->n = n;
        k->plan = stage[0] == 'p';
        r->task_count++;
    }
}

static struct known_task any_task(struct run *r)
{
    static const struct known_task unknown = {.id = {{0x01, 0xa1, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 9}}, .n = 1};
    r->task_count = 0;
    conformance_dump(r->s, DUMP_TASKS, note_task, r);
    return !r->task_count || below(r, 25) == 0 ? unknown : r->tasks[below(r, (uint32_t)r->task_count)];
}

/* ---- the calls ---- */

static void claim(struct run *r)
{
    char key[3][16];
    const char *keys[3];
    struct mu_id job[3];
    struct mu_digest body[3];
    size_t count = 1 + below(r, 3);
    for (size_t i = 0; i < count; i++) {
        snprintf(key[i], sizeof(key[i]), "key-%u", below(r, KEYS));
        keys[i] = key[i];
        job[i] = new_id(r, 7);
        body[i] = digest_of(below(r, 2));
    }
    mu_args_reset(r->a);
    texts(r, keys, count);
    ids(r, job, count);
    digests(r, body, NULL, count);
    ask(r, SQL_CLAIM_KEYS, 3, false);
}

#define TERMS "{\"v\":1}"
#define AT_ONCE 4

static void bodies(struct run *r, const struct mu_id *job, const bool *plan, size_t count)
{
    mu_arg_array_begin(r->a, MU_ARRAY_BYTES);
    for (size_t i = 0; i < count; i++) {
        char body[200];
        int len = snprintf(body, sizeof(body), "{\"v\":1,\"task_id\":\"%s\"%s}", id_text(job[i]), plan[i] ? ",\"source\": {\"uri\":\"file:x.csv\"}" : "");
        mu_arg_array_bytes(r->a, mu_span(body, (size_t)len));
    }
    mu_arg_array_end(r->a);
}

/* Jobs, each in a message of its own or all in one. */
static void accept(struct run *r)
{
    struct mu_id job[AT_ONCE], ride[AT_ONCE];
    struct mu_digest digest[AT_ONCE], terms[AT_ONCE];
    bool plan[AT_ONCE], together = below(r, 2);
    const char *null[AT_ONCE] = {0}, *stage[AT_ONCE], *queue[AT_ONCE], *priority[AT_ONCE], *pack[AT_ONCE], *name[AT_ONCE], *day[AT_ONCE],
               *subject[AT_ONCE];
    char subjects[AT_ONCE][120];
    int64_t number[AT_ONCE], never[AT_ONCE];
    size_t count = 1 + below(r, AT_ONCE), rides = together ? 1 : count;
    struct mu_digest terms_digest = mu_digest_of(mu_span_of(TERMS));
    for (size_t i = 0; i < count; i++) {
        job[i] = new_id(r, 7);
        plan[i] = below(r, 4) == 0;
        digest[i] = digest_of(1000 + r->ids);
        terms[i] = terms_digest;
        stage[i] = plan[i] ? "plan" : "scan";
        queue[i] = "default";
        priority[i] = together && i ? priority[0] : mu_priority_name((enum mu_priority)below(r, MU_PRIORITIES));
        pack[i] = "p@1.0.0";
        name[i] = "source";
        day[i] = "2026-11-20";
        never[i] = INT64_MIN;
        number[i] = together ? 1 : (int64_t)i + 1;
        ride[i] = together && count > 1 ? new_id(r, 7) : job[i];
        snprintf(subjects[i], sizeof(subjects[i]), "muster.task.default.%s.%s", priority[i], id_text(ride[i]));
        subject[i] = subjects[i];
    }
    mu_args_reset(r->a);
    ids(r, job, count);
    texts(r, null, count);
    bodies(r, job, plan, count);
    digests(r, digest, NULL, count);
    texts(r, stage, count);
    texts(r, queue, count);
    texts(r, priority, count);
    texts(r, pack, count);
    digests(r, terms, NULL, count);
    texts(r, name, count);
    texts(r, day, count);
    numbers(r, MU_ARRAY_TIME, never, count);
    texts(r, null, count);
    texts(r, null, count);
    numbers(r, MU_ARRAY_I32, number, count);
    ids(r, ride, rides);
    texts(r, subject, rides);
    bodies(r, ride, plan, rides);
    digests(r, &terms_digest, NULL, 1);
    mu_arg_array_begin(r->a, MU_ARRAY_BYTES);
    mu_arg_array_bytes(r->a, mu_span_of(TERMS));
    mu_arg_array_end(r->a);
    struct mu_id event = new_id(r, 7);
    ids(r, &event, 1);
    mu_arg_text(r->a, mu_span_of("muster.event.job.accepted"));
    mu_arg_array_begin(r->a, MU_ARRAY_BYTES);
    mu_arg_array_bytes(r->a, mu_span_of("{}"));
    mu_arg_array_end(r->a);
    mu_arg_text(r->a, mu_span_of("test"));
    mu_arg_array_begin(r->a, MU_ARRAY_BYTES); /* sealed by PostgreSQL */
    mu_arg_array_end(r->a);
    bool commit = below(r, 5) != 0;
    if (!mu_store_begin(r->s, r->err) || !call(r, dispatcher_statements, SQL_ACCEPT_JOBS, NULL) || !commit) {
        mu_store_rollback(r->s);
        printf("  rolled back\n");
    } else if (!mu_store_commit(r->s, r->err)) {
        printf("  not committed\n");
    }
}

struct pending {
    struct mu_id ride;
    int64_t n;
    bool event;
};

/* What waits in the outbox; printed without the ids of events, which are random. */
static size_t outbox(struct run *r, struct pending *out, size_t most)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    size_t count = 0;
    mu_args_reset(r->a);
    mu_arg_i64(r->a, (int64_t)most);
    mu_arg_i64(r->a, 0);
    ids(r, NULL, 0);
    if (!call(r, dispatcher_statements, SQL_OUTBOX_PENDING, &rows))
        return 0;
    char *lines[64];
    for (size_t i = 0; i < mu_rows_count(rows) && count < most; i++) {
        struct mu_digest d = mu_digest_of(mu_row_span(rows, i, 5));
        char hex[MU_DIGEST_HEX], line[400];
        struct mu_span subject = mu_row_span(rows, i, 3), kind = mu_row_span(rows, i, 0), message = mu_row_span(rows, i, 4);
        struct pending *p = &out[count];
        p->event = kind.at[0] == 'e';
        p->n = mu_row_i64(rows, i, 2);
        if (!mu_row_id(rows, i, 1, &p->ride))
            continue;
        mu_digest_format(&d, hex);
        if (p->event)
            snprintf(line, sizeof(line), "event %.*s", (int)subject.len, subject.at);
        else
            snprintf(line, sizeof(line), "task %lld %.*s %.*s %s", (long long)p->n, (int)subject.len, subject.at, (int)message.len, message.at, hex);
        lines[count++] = strdup(line);
    }
    qsort(lines, count, sizeof(*lines), compare_lines);
    for (size_t i = 0; i < count; i++) {
        printf("  %s\n", lines[i]);
        free(lines[i]);
    }
    return count;
}

static int by_ride(const void *a, const void *b)
{
    return memcmp(((const struct pending *)a)->ride.b, ((const struct pending *)b)->ride.b, sizeof(struct mu_id));
}

static void publish(struct run *r)
{
    struct pending all[64];
    struct mu_id ride[64], event[64];
    int64_t n[64] = {0}, sequence[64] = {0};
    size_t found = outbox(r, all, 64), count = 0, events = 0;
    qsort(all, found, sizeof(*all), by_ride);
    for (size_t i = 0; i < found; i++) {
        if (all[i].event) {
            event[events++] = all[i].ride;
        } else if (below(r, 4)) {
            ride[count] = all[i].ride;
            n[count] = all[i].n;
            sequence[count++] = ++r->sequence;
        }
    }
    mu_args_reset(r->a);
    ids(r, ride, count);
    numbers(r, MU_ARRAY_I32, n, count);
    mu_arg_text(r->a, mu_span_of("2026-11-20T00:00:00Z"));
    numbers(r, MU_ARRAY_I64, sequence, count);
    (void)call(r, dispatcher_statements, SQL_OUTBOX_PUBLISHED, NULL);
    mu_args_reset(r->a);
    ids(r, event, events);
    (void)call(r, dispatcher_statements, SQL_OUTBOX_EVENT_DONE, NULL);
}

/* One batch: outcomes of tasks by chance, right and wrong, with findings that are there, missing, too many or late. */
#define OUT 5
#define FIND 8
static void record(struct run *r)
{
    static const char *const results[] = {"pass", "fail", "not_evaluated", "error", "exhausted", "planned", "fail", "pass"};
    static const char *const rules = "[{\"rule\":\"A\",\"severity\":\"high\",\"mode\":\"active\",\"min_coverage\":\"0.5\",\"pass\":%u,\"warn\":0,\"fail\":%u,"
                                     "\"error\":%u,\"not_evaluated\":1,\"out_of_scope\":0}]";
    struct mu_id task[OUT], job[OUT], ride[OUT], incarnation[OUT], f_id[FIND], f_task[FIND], f_job[FIND], d_task[2], t_id[OUT];
    struct mu_digest digest[OUT], input[OUT], determined[OUT], f_digest[FIND], f_input[FIND], f_print[FIND];
    bool has_input[OUT], computed[OUT];
    const char *queue[OUT], *result[OUT], *reason[OUT], *null[FIND] = {0}, *plan[OUT], *agent[OUT], *f_queue[FIND], *f_rule[FIND], *f_severity[FIND],
        *f_outcome[FIND], *f_message[FIND], *f_evidence[FIND], *d_class[2], *t_rules[OUT];
    int64_t n[OUT], delivery[OUT], zero[FIND] = {0}, findings[OUT], seq[OUT], at[OUT], index[OUT], tally[OUT], when[OUT], f_record[FIND], f_seq[FIND],
        f_at[FIND], f_index[FIND], d_n[2], absent[FIND];
    char plans[OUT][700], tallies[OUT][300];
    size_t count = 1 + below(r, OUT), f_count = 0, d_count = below(r, 4) == 0;
    for (size_t i = 0; i < FIND; i++)
        absent[i] = INT64_MIN;
    for (size_t i = 0; i < count; i++) {
        struct known_task k = any_task(r);
        const char *of = results[below(r, MU_COUNT(results))];
        uint32_t shape = below(r, 3), odd = below(r, 30);
        if (k.plan && below(r, 2))
            of = "planned";
        task[i] = k.id;
        job[i] = odd == 0 ? new_id(r, 7) : k.job;
        ride[i] = k.id;
        incarnation[i] = k.id;
        digest[i] = odd == 1 ? digest_of(5) : k.digest;
        queue[i] = odd == 2 ? "other" : "default";
        n[i] = below(r, 4) ? k.n : 1 + below(r, (uint32_t)k.n + 1);
        delivery[i] = 1 + below(r, 2);
        result[i] = of;
        reason[i] = of[0] == 'e' ? (of[1] == 'r' ? "source_missing" : "crashed") : NULL;
        has_input[i] = of[0] != 'e';
        input[i] = digest_of(700 + (below(r, 12) == 0));
        computed[i] = of[0] != 'e';
        findings[i] = of[0] == 'f' ? below(r, 3) : 0;
        determined[i] = digest_of((uint32_t)(of[0] * 100 + findings[i] * 10) + (below(r, 15) == 0));
        plan[i] = NULL;
        if (strcmp(of, "planned") == 0) {
            snprintf(plans[i], sizeof(plans[i]),
                     "{\"size\":900,\"records\":9,\"digest\":\"%064d\",\"shards\":[{\"from\":0,\"to\":400,\"first_record\":1,\"first_line\":2,\"records\":4,"
                     "\"digest\":\"%064d\"},{\"from\":400,\"to\":900,\"first_record\":5,\"first_line\":6,\"records\":5,\"digest\":\"%064d\"}]}", 1, 2, 3);
            plan[i] = plans[i];
        }
        snprintf(tallies[i], sizeof(tallies[i]), rules, shape == 0 ? 3 : 0, of[0] == 'f' ? 2 : 0, shape == 2 ? 1 : 0);
        t_rules[i] = tallies[i];
        t_id[i] = new_id(r, 8);
        tally[i] = of[0] == 'e' || of[1] == 'l' ? INT64_MIN : (int64_t)i + 1;
        agent[i] = "agent";
        seq[i] = ++r->sequence;
        at[i] = when[i] = DAY_MS * 1000 + r->sequence;
        index[i] = 0;
        size_t sent = findings[i] ? below(r, (uint32_t)findings[i] + 2) : below(r, 12) == 0;
        for (size_t f = 0; f < sent && f_count < FIND; f++, f_count++) {
            struct mu_digest place = digest_of((uint32_t)(f * 17 + (size_t)k.id.b[15] * 1000));
            f_id[f_count] = mu_id_derive(k.id, &place);
            f_task[f_count] = k.id;
            f_job[f_count] = job[i];
            f_digest[f_count] = digest[i];
            f_input[f_count] = input[i];
            f_print[f_count] = place;
            f_queue[f_count] = queue[i];
            f_rule[f_count] = "A";
            f_severity[f_count] = "high";
            f_outcome[f_count] = "fail";
            f_message[f_count] = "wrong";
            f_evidence[f_count] = "{}";
            f_record[f_count] = (int64_t)f + 1;
            f_seq[f_count] = seq[i];
            f_at[f_count] = at[i];
            f_index[f_count] = (int64_t)f;
        }
    }
    for (size_t i = 0; i < d_count; i++) {
        struct known_task k = any_task(r);
        d_task[i] = k.id;
        d_n[i] = below(r, 4) ? k.n : 1;
        d_class[i] = "dependency";
    }
    mu_args_reset(r->a);
    mu_arg_text(r->a, mu_span_of("2026-11-20T00:00:00Z"));
    mu_arg_i64(r->a, r->sequence);
    mu_arg_time_us(r->a, DAY_MS * 1000 + r->sequence);
    ids(r, task, count);
    ids(r, job, count);
    ids(r, ride, count);
    numbers(r, MU_ARRAY_I32, n, count);
    numbers(r, MU_ARRAY_I32, delivery, count);
    texts(r, queue, count);
    digests(r, digest, NULL, count);
    digests(r, input, has_input, count);
    texts(r, result, count);
    texts(r, reason, count);
    texts(r, null, count);
    for (int c = 0; c < 4; c++) /* records, bad, skipped, bytes */
        numbers(r, MU_ARRAY_I64, zero, count);
    numbers(r, MU_ARRAY_I64, findings, count);
    numbers(r, MU_ARRAY_I64, zero, count);
    texts(r, plan, count);
    texts(r, null, count);
    numbers(r, MU_ARRAY_I32, zero, count);
    texts(r, agent, count);
    ids(r, incarnation, count);
    numbers(r, MU_ARRAY_TIME, when, count);
    numbers(r, MU_ARRAY_TIME, when, count);
    digests(r, determined, NULL, count);
    mu_arg_array_begin(r->a, MU_ARRAY_BOOL);
    for (size_t i = 0; i < count; i++)
        mu_arg_array_bool(r->a, computed[i]);
    mu_arg_array_end(r->a);
    numbers(r, MU_ARRAY_I64, seq, count);
    numbers(r, MU_ARRAY_TIME, at, count);
    numbers(r, MU_ARRAY_I32, index, count);
    numbers(r, MU_ARRAY_I32, tally, count);
    ids(r, t_id, count);
    texts(r, t_rules, count);
    ids(r, f_id, f_count);
    ids(r, f_task, f_count);
    ids(r, f_job, f_count);
    texts(r, f_queue, f_count);
    digests(r, f_digest, NULL, f_count);
    digests(r, f_input, NULL, f_count);
    digests(r, f_print, NULL, f_count);
    texts(r, f_rule, f_count);
    texts(r, f_severity, f_count);
    texts(r, f_outcome, f_count);
    mu_arg_array_begin(r->a, MU_ARRAY_BOOL);
    for (size_t i = 0; i < f_count; i++)
        mu_arg_array_bool(r->a, false);
    mu_arg_array_end(r->a);
    numbers(r, MU_ARRAY_I64, f_record, f_count);
    for (int c = 0; c < 3; c++) /* byte, length, line */
        numbers(r, MU_ARRAY_I64, absent, f_count);
    texts(r, null, f_count);
    texts(r, null, f_count);
    texts(r, f_message, f_count);
    texts(r, f_evidence, f_count);
    numbers(r, MU_ARRAY_I64, f_seq, f_count);
    numbers(r, MU_ARRAY_TIME, f_at, f_count);
    numbers(r, MU_ARRAY_I32, f_index, f_count);
    ids(r, d_task, d_count);
    numbers(r, MU_ARRAY_I32, d_n, d_count);
    texts(r, d_class, d_count);
    texts(r, d_class, d_count);
    texts(r, null, d_count);
    bool aside = below(r, 12) == 0;
    static const char *const subject[] = {"muster.result.x"}, *const why[] = {"bad_json"};
    int64_t place = r->sequence, stored = DAY_MS * 1000 + r->sequence, last = 7;
    texts(r, subject, aside);
    texts(r, why, aside);
    mu_arg_array_begin(r->a, MU_ARRAY_BYTES);
    if (aside)
        mu_arg_array_bytes(r->a, mu_span_of("x"));
    mu_arg_array_end(r->a);
    numbers(r, MU_ARRAY_I64, &place, aside);
    numbers(r, MU_ARRAY_TIME, &stored, aside);
    numbers(r, MU_ARRAY_I32, &last, aside);
    mu_arg_array_begin(r->a, MU_ARRAY_BYTES); /* sealed by PostgreSQL */
    mu_arg_array_end(r->a);
    for (uint32_t times = 1 + (below(r, 6) == 0); times; times--) { /* a replay now and then */
        MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
        if (call(r, recorder_statements, SQL_COUNT + REC_RECORD, &rows))
            print_rows(rows, 10, false);
    }
}

static void repair(struct run *r)
{
    struct known_task k = any_task(r);
    mu_args_reset(r->a);
    switch (below(r, 5)) {
    case 0:
        k.n -= below(r, 4) == 0;
        ids(r, &k.id, 1);
        numbers(r, MU_ARRAY_I32, &k.n, 1);
        ask(r, SQL_REPUBLISH, 1, false);
        break;
    case 1:
        mu_arg_i64(r->a, 1 + below(r, 3));
        ask(r, SQL_RETRY_DUE, 1, false);
        break;
    case 2:
        ask(r, SQL_RECOUNT, 1, false);
        break;
    case 3: {
        bool missing = below(r, 2);
        ids(r, &k.id, 1);
        mu_arg_array_begin(r->a, MU_ARRAY_BOOL);
        mu_arg_array_bool(r->a, missing);
        mu_arg_array_end(r->a);
        (void)call(r, dispatcher_statements, SQL_RECONCILE_NOTE, NULL);
        break;
    }
    default:
        ids(r, &k.id, 1);
        (void)call(r, dispatcher_statements, SQL_OUTBOX_SETTLED, NULL);
    }
}

static void candidates(struct run *r)
{
    mu_args_reset(r->a);
    mu_arg_i64(r->a, below(r, MU_PRIORITIES));
    mu_arg_text(r->a, mu_span_of("00000000-0000-0000-0000-000000000000"));
    mu_arg_i64(r->a, 0);
    mu_arg_i64(r->a, 100);
    ask(r, SQL_CANDIDATES, 7, false); /* without how long it has been missing */
}

static void question(struct run *r)
{
    struct known_task k[3] = {any_task(r), any_task(r), any_task(r)};
    struct mu_id id[3] = {k[0].id, k[1].id, k[2].id};
    int64_t n[3] = {k[0].n, k[1].n, 1};
    static const int which[] = {SQL_KNOWN_TASKS, SQL_OPEN_TASKS, SQL_DONE_TASKS, SQL_RIDES_NEEDED};
    uint32_t i = below(r, MU_COUNT(which));
    mu_args_reset(r->a);
    ids(r, id, 3);
    if (which[i] == SQL_RIDES_NEEDED)
        numbers(r, MU_ARRAY_I32, n, 3);
    ask(r, which[i], 1, true);
}

static void status(struct run *r)
{
    struct known_task k = any_task(r);
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    mu_args_reset(r->a);
    mu_arg_text(r->a, mu_span_of(id_text(k.job)));
    mu_arg_text(r->a, mu_span_of(""));
    if (!call(r, dispatcher_statements, SQL_JOB_STATUS, &rows))
        return;
    if (mu_row_null(rows, 0, 0) || !mu_json_parse(&doc, mu_row_span(rows, 0, 0), 1 << 20, NULL)) {
        printf("  null\n");
        return;
    }
    const char *result = mu_json_text(doc, "result"), *why = mu_json_text(doc, "reason");
    printf("  %s %s %s %lld %lld %lld\n", mu_json_text(doc, "state"), result ? result : "-", why ? why : "-", (long long)mu_json_int(doc, "tasks", -1),
           (long long)mu_json_int(doc, "done", -1), (long long)mu_json_int(doc, "findings", -1));
}

static void places(struct run *r)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    int64_t sequence = 1 + below(r, 9), at = DAY_MS * 1000 + sequence;
    const char *stream = below(r, 4) ? "c1" : "c2";
    mu_args_reset(r->a);
    switch (below(r, 6)) {
    case 0:
        mu_arg_text(r->a, mu_span_of(stream));
        numbers(r, MU_ARRAY_I64, &sequence, 1);
        mu_arg_i64(r->a, sequence);
        mu_arg_time_us(r->a, at);
        (void)call(r, dispatcher_statements, SQL_INTAKE_SETTLE, NULL);
        mu_args_reset(r->a);
        ask(r, SQL_INTAKE_NOTED, 4, false);
        break;
    case 1:
        mu_arg_text(r->a, mu_span_of(stream));
        mu_arg_i64(r->a, sequence);
        mu_arg_time_us(r->a, at);
        mu_arg_time_us(r->a, at + sequence);
        (void)call(r, dispatcher_statements, SQL_INTAKE_NOTE, NULL);
        mu_args_reset(r->a);
        ask(r, SQL_INTAKE_NOTED, 4, false);
        break;
    case 2:
        mu_arg_text(r->a, mu_span_of(stream));
        mu_arg_i64(r->a, sequence);
        mu_arg_time_us(r->a, at);
        (void)call(r, recorder_statements, SQL_COUNT + REC_POSITION_NOTE, NULL);
        break;
    case 3:
        mu_arg_text(r->a, mu_span_of(stream));
        mu_arg_i64(r->a, 1 + below(r, 3));
        mu_arg_i64(r->a, sequence);
        ask(r, SQL_INTAKE_LOST, 1, false);
        break;
    case 4: {
        static const int which[] = {SQL_INTAKE_ABSENT, SQL_INTAKE_WENT_BACK, SQL_INTAKE_TELL};
        int i = which[below(r, 3)];
        mu_arg_text(r->a, mu_span_of(stream));
        mu_arg_i64(r->a, sequence);
        if (i == SQL_INTAKE_TELL)
            ask(r, i, 1, false);
        else
            (void)call(r, dispatcher_statements, i, NULL);
        break;
    }
    default:
        (void)call(r, recorder_statements, SQL_COUNT + REC_POSITIONS_THIN, NULL);
        if (call(r, recorder_statements, SQL_COUNT + REC_POSITIONS, &rows) && mu_rows_count(rows))
            printf("  %s %s %s\n", mu_row_text(rows, 0, 0), mu_row_text(rows, 0, 1), mu_row_text(rows, 0, 2));
    }
}

static void reject(struct run *r)
{
    mu_args_reset(r->a);
    mu_arg_text(r->a, mu_span_of("intake"));
    mu_arg_text(r->a, mu_span_of("muster.intake"));
    mu_arg_text(r->a, mu_span_of("c1"));
    mu_arg_i64(r->a, 1 + below(r, 4));
    mu_arg_time_us(r->a, DAY_MS * 1000 + below(r, 2));
    mu_arg_text(r->a, mu_span_of("invalid"));
    mu_arg_text(r->a, mu_span_of("no"));
    mu_arg_text(r->a, mu_span_of(""));
    mu_arg_bytes(r->a, mu_span_of("{}"));
    (void)call(r, dispatcher_statements, SQL_REJECT, NULL);
}

static void packs(struct run *r)
{
    char version[24], prefix[12], document[12];
    snprintf(version, sizeof(version), "%u.%u.%u", 1 + below(r, 2), below(r, 3) * 5, below(r, 2));
    snprintf(document, sizeof(document), "doc %u", below(r, 2));
    struct mu_digest d = mu_digest_of(mu_span_of(document));
    mu_args_reset(r->a);
    mu_arg_text(r->a, mu_span_of("p"));
    mu_arg_text(r->a, mu_span_of(version));
    mu_arg_bytes(r->a, digest_span(&d));
    mu_arg_bytes(r->a, mu_span_of(document));
    mu_arg_text(r->a, mu_span_of("test"));
    mu_arg_null(r->a);
    ask(r, SQL_PACK_PUT, 1, false);
    snprintf(prefix, sizeof(prefix), below(r, 3) ? "%u" : "", 1 + below(r, 3));
    mu_args_reset(r->a);
    mu_arg_text(r->a, mu_span_of("p"));
    mu_arg_text(r->a, mu_span_of(prefix));
    ask(r, SQL_PACK_RESOLVE, 3, false);
}

static void print_line(void *ctx, const char *text)
{
    (void)ctx;
    printf("%s\n", text);
}

bool conformance_run(struct mu_store *s, uint64_t seed, int steps, struct mu_error *err)
{
    static const struct { const char *name; void (*make)(struct run *r); uint32_t weight; } calls[] = {
        {"claim", claim, 2}, {"accept", accept, 5}, {"publish", publish, 5}, {"record", record, 10}, {"repair", repair, 6},
        {"candidates", candidates, 3}, {"question", question, 3}, {"status", status, 3}, {"places", places, 4}, {"reject", reject, 1}, {"packs", packs, 1}};
    struct run *r = calloc(1, sizeof(*r));
    uint32_t total = 0;
    if (!r || !(r->a = mu_args_new()))
        return mu_fail(err, MU_BROKEN, "out of memory");
    r->s = s;
    r->random = seed;
    r->err = err;
    for (size_t i = 0; i < MU_COUNT(calls); i++)
        total += calls[i].weight;
    for (int step = 0; step < steps && err->fault == MU_OK; step++) {
        uint32_t at = step < 6 ? calls[0].weight : below(r, total); /* first there must be something */
        size_t i = 0;
        for (; at >= calls[i].weight; i++)
            at -= calls[i].weight;
        printf("%d %s\n", step, calls[i].name);
        calls[i].make(r);
    }
    conformance_dump(s, DUMP_TABLES, print_line, NULL);
    mu_args_free(r->a);
    free(r);
    return err->fault == MU_OK;
}
