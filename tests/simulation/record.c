/* SPDX-License-Identifier: Apache-2.0 */
/* sql/migrations/0007_record.sql: one batch of result messages, in the order of its steps there. */
#include "statements.h"

#include "format/json.h"

#include <math.h>

/* The arrays of muster.record_batch, by the places of their parameters. */
enum {
    P_CREATED, P_LAST_SEQUENCE, P_LAST_STORED,
    O_TASK, O_JOB, O_RIDE, O_N, O_DELIVERY, O_QUEUE, O_TASK_DIGEST, O_INPUT_DIGEST, O_RESULT, O_REASON, O_MESSAGE, O_RECORDS, O_BAD,
    O_SKIPPED, O_BYTES, O_FINDINGS, O_RIDING, O_PLAN, O_RESUMES, O_CRASHES, O_AGENT, O_INCARNATION, O_STARTED, O_FINISHED, O_DETERMINED,
    O_COMPUTED, O_SEQ, O_AT, O_INDEX, O_TALLY,
    TALLY_ID, TALLY_RULES,
    F_ID, F_TASK, F_JOB, F_QUEUE, F_TASK_DIGEST, F_INPUT_DIGEST, F_FINGERPRINT, F_RULE, F_SEVERITY, F_OUTCOME, F_SHADOW, F_RECORD, F_BYTE,
    F_LENGTH, F_LINE, F_SUBJECT, F_PART, F_MESSAGE, F_EVIDENCE, F_SEQ, F_AT, F_INDEX,
    D_TASK, D_N, D_CLASS, D_REASON, D_MESSAGE,
    Q_SUBJECT, Q_REASON, Q_BYTES, Q_SEQ, Q_AT, Q_INDEX, PLACES,
};

enum state { NEW, AGAIN, WRONG, INCOMPLETE, REPEAT, LATE, CONFLICT };
struct item { /* batch_outcome */
    struct mu_id task, job, ride;
    int64_t n, current_n, stated, stored; /* stored: -1 is null */
    struct mu_span result, reason;
    struct mu_digest determined;
    const char *wrong;
    enum state state;
};
struct call {
    struct tables *t;
    struct column p[PLACES];
    struct mu_span created;
    struct item *items;
    size_t count;
    int64_t outcomes, findings, repeats, late, conflicts, quarantined, incomplete, deferred, planned, finished, outbox_made;
};

static struct mu_digest digest_at(struct column c, size_t i)
{
    struct mu_digest d = {{0}};
    if (c.at[i].len == sizeof(d.b))
        memcpy(d.b, c.at[i].at, sizeof(d.b));
    return d;
}

/* ---- results of jobs ---- */

const char *sql_job_result(struct tables *t, struct mu_id job)
{
    struct rule_counts total[64];
    size_t count = 0;
    bool fail = false, error = false, warn = false, pass = false;
    EACH(struct r_outcome, o, t, T_OUTCOME)
    {
        const struct r_tally *w = o->has_tally ? find_tally(t, o->tally) : NULL;
        if (!mu_id_equal(o->job, job) || (mu_id_equal(o->task, o->job) && mu_span_is(o->result, "planned")) || !w)
            continue;
        for (size_t i = 0; i < w->count; i++) {
            size_t k = 0;
            while (k < count && !mu_span_equal(total[k].rule, w->rules[i].rule))
                k++;
            if (k == count && count < MU_COUNT(total))
                total[count++] = (struct rule_counts){.rule = w->rules[i].rule, .mode = mu_span(NULL, 0), .min_coverage = NAN};
            struct rule_counts *x = &total[k];
            const struct rule_counts *r = &w->rules[i];
            x->pass += r->pass;
            x->warn += r->warn;
            x->fail += r->fail;
            x->error += r->error;
            x->not_evaluated += r->not_evaluated;
            if (r->mode.at && (!x->mode.at || mu_span_compare(r->mode, x->mode) > 0))
                x->mode = r->mode;
            if (!isnan(r->min_coverage) && (isnan(x->min_coverage) || r->min_coverage > x->min_coverage))
                x->min_coverage = r->min_coverage;
        }
    }
    for (size_t k = 0; k < count; k++) {
        const struct rule_counts *x = &total[k];
        long double coverage = isnan(x->min_coverage) ? 1 : x->min_coverage;
        if (x->mode.at && !mu_span_is(x->mode, "active"))
            continue;
        if (x->fail > 0)
            fail = true;
        else if (x->error > 0)
            error = true;
        else if (x->warn > 0)
            warn = true;
        else if (x->pass > 0 && !((long double)(x->pass + x->fail + x->warn) <
                                  coverage * (long double)(x->pass + x->fail + x->warn + x->error + x->not_evaluated)))
            pass = true;
    }
    return fail ? "fail" : error ? "error" : warn ? "warn" : pass ? "pass" : "not_evaluated";
}

int sql_stage_finish(struct tables *t, const struct mu_id *jobs, size_t count)
{
    int ended = 0;
    EACH(struct r_progress, p, t, T_PROGRESS)
    {
        bool asked = false;
        for (size_t i = 0; i < count && !asked; i++)
            asked = mu_id_equal(jobs[i], p->job);
        if (!asked || p->done < p->expected || p->finished_us)
            continue;
        p->finished_us = database_now();
        p->result = p->bad == 0 ? sql_job_result(t, p->job) : "error";
        p->reason = p->bad > 0 ? "incomplete_stage" : NULL;
        ended++;
    }
    return ended;
}

void sql_stage_count(struct tables *t, const struct mu_id *jobs, size_t count, const struct mu_id *ended, const struct mu_span *results,
                     size_t ended_count)
{
    for (size_t i = 0; i < ended_count; i++) {
        struct r_progress *p = find_progress(t, ended[i]);
        if (!p || p->finished_us)
            continue;
        p->done++;
        p->bad += !sql_is_verdict(results[i]);
    }
    sql_stage_finish(t, jobs, count);
}

/* ---- stages ---- */

static void member(struct mu_sha *sha, struct mu_span value)
{
    mu_sha_member(sha, value);
}

static struct mu_span text_of_number(const json_t *object, const char *key)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%lld", (long long)mu_json_int(object, key, 0));
    return world_keep(mu_span(text, (size_t)len));
}

static struct mu_id shard_id(struct mu_id job, struct mu_id plan_task, struct mu_span digest, size_t index)
{
    struct mu_sha sha;
    char id[MU_ID_MAX], number[24];
    mu_sha_init(&sha);
    mu_id_format(plan_task, id);
    member(&sha, mu_span_of(id));
    member(&sha, digest);
    member(&sha, mu_span_of("scan"));
    snprintf(number, sizeof(number), "%zu", index);
    member(&sha, mu_span_of(number));
    member(&sha, mu_span_of("1"));
    struct mu_digest d = mu_sha_end(&sha);
    return mu_id_derive(job, &d);
}

/* The scan tasks of a plan with their queue messages; how many. */
static int64_t make_scans(struct tables *t, struct mu_id plan_task, struct mu_id job_id, struct mu_span plan_text)
{
    MU_AUTO(mu_json_free) json_t *plan = NULL;
    struct r_job *j = find_job(t, job_id);
    struct mu_span source, terms = mu_span(NULL, 0);
    char job[MU_ID_MAX], plan_id[MU_ID_MAX], hex[MU_DIGEST_HEX];
    int64_t made = 0;
    if (!j || j->cancelled || !mu_json_parse(&plan, plan_text, (size_t)4 << 20, NULL) || !mu_json_raw(j->body, "source", &source))
        return 0;
    mu_id_format(job_id, job);
    mu_id_format(plan_task, plan_id);
    mu_digest_format(&j->terms_digest, hex);
    EACH(struct r_terms, x, t, T_TERMS)
    {
        if (mu_digest_equal(&x->digest, &j->terms_digest))
            terms = x->document;
    }
    const json_t *shards = json_object_get(plan, "shards");
    struct mu_span digest = world_keep(mu_json_span(plan, "digest"));
    const struct r_job of = *j;
    for (size_t i = 0; i < json_array_size(shards); i++) {
        const json_t *s = json_array_get(shards, i);
        struct mu_id id = shard_id(job_id, plan_task, digest, i);
        char text[MU_ID_MAX];
        MU_AUTO(mu_text_free) struct mu_text b = {0};
        if (find_task(t, id))
            continue;
        mu_id_format(id, text);
        mu_text_addf(&b, "{\"v\":1,\"task_id\":\"%s\",\"job_id\":\"%s\",\"stage\":\"scan\",\"terms\":\"%s\",\"source\":", text, job, hex);
        mu_text_add(&b, source);
        mu_text_addf(&b, ",\"input\":{\"size\":%s,\"digest\":\"%s\"},\"shard\":{\"index\":%zu,\"count\":%zu,\"from\":%s,\"to\":%s,\"first_record\":%s,"
                         "\"first_line\":%s,\"records\":%s,\"digest\":\"%s\"},\"plan_task_id\":\"%s\"}",
                     text_of_number(plan, "size").at, digest.at, i, json_array_size(shards), text_of_number(s, "from").at, text_of_number(s, "to").at,
                     text_of_number(s, "first_record").at, text_of_number(s, "first_line").at, text_of_number(s, "records").at,
                     mu_json_text(s, "digest"), plan_id);
        struct r_task *k = table_add(t, T_TASK);
        struct mu_span body = world_keep(mu_text_span(&b));
        *k = (struct r_task){.id = id, .job = job_id, .stage = "scan", .shard = (int64_t)i, .n = 1, .created_us = database_now(), .body = body,
                             .queue = of.queue, .priority = of.priority, .digest = mu_digest_of(body)};
        char subject[240], number[80];
        struct mu_id *members = world_alloc(sizeof(*members));
        *members = id;
        snprintf(subject, sizeof(subject), "muster.task.%.*s.%.*s.%s", (int)of.queue.len, of.queue.at, (int)of.priority.len, of.priority.at, text);
        snprintf(number, sizeof(number), "%s:1", text);
        struct r_outbox *o = table_add(t, T_OUTBOX);
        *o = (struct r_outbox){.ride = id, .n = 1, .subject = world_keep(mu_span_of(subject)), .message_id = world_keep(mu_span_of(number)),
                               .members = members, .member_count = 1, .bytes = sql_ride_bytes(id, 1, false, of.queue, of.priority, terms, body),
                               .trace_id = of.trace_id, .created_us = database_now()};
        made++;
    }
    if (!find_progress(t, job_id)) {
        struct r_progress *p = table_add(t, T_PROGRESS);
        *p = (struct r_progress){.job = job_id, .expected = (int64_t)json_array_size(shards), .records_expected = mu_json_int(plan, "records", 0)};
    }
    return made;
}

int64_t sql_retry_pause_us(const char *class_, int64_t attempts)
{
    bool dependency = strcmp(class_, "dependency") == 0;
    double factor = pow(2, (double)((attempts < 12 ? attempts : 12) - 1)), most = dependency ? 12 : 300;
    if (factor > most)
        factor = most;
    return (int64_t)((dependency ? 5e6 : 1e6) * factor * (0.75 + (double)chance_below(1000) / 4000));
}

/* ---- steps of the batch ---- */

static const char *wrong_task(struct tables *t, struct mu_id task, struct mu_id job, const struct mu_digest *digest, struct mu_span queue,
                              struct any_task *of)
{
    if (!find_any_task(t, task, of))
        return "unknown_task";
    if (!mu_digest_equal(of->digest, digest))
        return "wrong_task_digest";
    if (!mu_span_equal(of->queue, queue))
        return "wrong_queue";
    return mu_id_equal(of->job, job) ? NULL : "wrong_job";
}

static struct place place_of(const struct call *c, int seq, size_t i, int64_t index_base)
{
    return (struct place){c->created, cell_i64(c->p[seq], i), cell_time(c->p[seq + 1], i), index_base + cell_i64(c->p[seq + 2], i)};
}

static bool same_place(const struct place *a, const struct place *b)
{
    return a->sequence == b->sequence && a->stored_us == b->stored_us && a->index == b->index && mu_span_equal(a->created, b->created);
}

static void put_aside(struct call *c, struct place place, struct mu_span subject, const char *reason)
{
    EACH(struct r_quarantine, q, c->t, T_QUARANTINE)
    {
        if (same_place(&q->place, &place))
            return;
    }
    struct r_quarantine *q = table_add(c->t, T_QUARANTINE);
    *q = (struct r_quarantine){place, subject, reason};
    trace("quarantine: %s", reason);
    c->quarantined++;
}

static const char late_finding[] = "late"; /* after an administrative end: no alarm, once per message */

static void add_late(struct call *c, struct place place, struct mu_id task, int64_t n, struct mu_span result)
{
    EACH(struct r_late, l, c->t, T_LATE)
    {
        if (same_place(&l->place, &place))
            return;
    }
    struct r_late *l = table_add(c->t, T_LATE);
    *l = (struct r_late){place, task, n, result};
    c->late++;
}

static void note_late_findings(struct call *c, const char *const *wrong)
{
    for (size_t i = 0; i < c->p[F_ID].count; i++) {
        bool first = wrong[i] == late_finding;
        struct place place = place_of(c, F_SEQ, i, 1000000);
        for (size_t k = 0; first && k < c->p[F_ID].count; k++) {
            struct place other = place_of(c, F_SEQ, k, 1000000);
            first = !(wrong[k] == late_finding && other.sequence == place.sequence && other.stored_us == place.stored_us &&
                      mu_id_equal(cell_id(c->p[F_TASK], k), cell_id(c->p[F_TASK], i)) && other.index < place.index);
        }
        if (first)
            add_late(c, place, cell_id(c->p[F_TASK], i), 0, mu_span_of("findings"));
    }
}

static const char **judge_findings(struct call *c)
{
    const char **wrong = world_alloc((c->p[F_ID].count + 1) * sizeof(*wrong));
    for (size_t i = 0; i < c->p[F_ID].count; i++) {
        struct any_task of;
        struct mu_digest d = digest_at(c->p[F_TASK_DIGEST], i);
        struct mu_id task = cell_id(c->p[F_TASK], i);
        wrong[i] = wrong_task(c->t, task, cell_id(c->p[F_JOB], i), &d, c->p[F_QUEUE].at[i], &of);
        const struct r_finding *known = find_finding(c->t, cell_id(c->p[F_ID], i));
        const struct r_outcome *o = wrong[i] ? NULL : find_outcome(c->t, task);
        if (o && !(known && mu_id_equal(known->task, task)))
            wrong[i] = o->reason.len && !(o->reason.len >= 6 && memcmp(o->reason.at, "limit_", 6) == 0) ? late_finding : "finding_after_outcome";
    }
    return wrong;
}

static void store_findings(struct call *c, const char *const *wrong)
{
    for (size_t i = 0; i < c->p[F_ID].count; i++) {
        if (wrong[i] || find_finding(c->t, cell_id(c->p[F_ID], i)))
            continue;
        struct r_finding *f = table_add(c->t, T_FINDING);
        *f = (struct r_finding){
            .id = cell_id(c->p[F_ID], i), .task = cell_id(c->p[F_TASK], i), .job = cell_id(c->p[F_JOB], i),
            .task_digest = digest_at(c->p[F_TASK_DIGEST], i), .input_digest = digest_at(c->p[F_INPUT_DIGEST], i),
            .fingerprint = digest_at(c->p[F_FINGERPRINT], i), .rule = c->p[F_RULE].at[i], .severity = c->p[F_SEVERITY].at[i],
            .outcome = c->p[F_OUTCOME].at[i], .subject = c->p[F_SUBJECT].at[i], .part = c->p[F_PART].at[i], .message = c->p[F_MESSAGE].at[i],
            .evidence = c->p[F_EVIDENCE].at[i], .shadow = cell_bool(c->p[F_SHADOW], i), .record = cell_i64(c->p[F_RECORD], i),
            .byte_off = cell_i64(c->p[F_BYTE], i), .length = cell_i64(c->p[F_LENGTH], i), .line = cell_i64(c->p[F_LINE], i)};
        c->findings++;
    }
}

static int64_t count_findings(struct tables *t, struct mu_id task, struct mu_id job, const struct mu_digest *task_digest, struct mu_span input)
{
    int64_t count = 0;
    EACH(struct r_finding, f, t, T_FINDING)
    {
        count += mu_id_equal(f->task, task) && mu_id_equal(f->job, job) && mu_digest_equal(&f->task_digest, task_digest) &&
                 input.len == sizeof(f->input_digest.b) && memcmp(f->input_digest.b, input.at, input.len) == 0;
    }
    return count;
}

static bool plan_fits(const struct any_task *of, struct mu_span text)
{
    MU_AUTO(mu_json_free) json_t *plan = NULL;
    if (strcmp(of->stage, "plan") != 0 || !text.at || !mu_json_parse(&plan, text, (size_t)4 << 20, NULL))
        return false;
    size_t shards = json_array_size(json_object_get(plan, "shards"));
    return shards >= 1 && shards <= 4096;
}

static void judge_outcomes(struct call *c)
{
    c->count = c->p[O_TASK].count;
    c->items = world_alloc((c->count + 1) * sizeof(*c->items));
    for (size_t i = 0; i < c->count; i++) {
        struct item *x = &c->items[i];
        struct any_task of = {.n = NULL};
        struct mu_digest d = digest_at(c->p[O_TASK_DIGEST], i);
        int64_t delivery = cell_i64(c->p[O_DELIVERY], i);
        *x = (struct item){.task = cell_id(c->p[O_TASK], i), .job = cell_id(c->p[O_JOB], i), .ride = cell_id(c->p[O_RIDE], i),
                           .n = cell_i64(c->p[O_N], i), .result = c->p[O_RESULT].at[i], .reason = c->p[O_REASON].at[i],
                           .stated = cell_i64(c->p[O_FINDINGS], i), .stored = -1, .determined = digest_at(c->p[O_DETERMINED], i)};
        x->wrong = wrong_task(c->t, x->task, x->job, &d, c->p[O_QUEUE].at[i], &of);
        x->current_n = of.n ? *of.n : -1;
        if (!x->wrong && mu_span_is(x->result, "planned") && !plan_fits(&of, c->p[O_PLAN].at[i]))
            x->wrong = "bad_plan";
        bool look = x->stated > 0 || x->n > 1 || delivery > 1;
        if (look)
            x->stored = count_findings(c->t, x->task, x->job, &d, c->p[O_INPUT_DIGEST].at[i]);
        bool stands = look && find_outcome(c->t, x->task);
        x->state = x->wrong ? WRONG : stands ? AGAIN : look && x->stored < x->stated ? INCOMPLETE : NEW;
    }
    for (size_t i = 0; i < c->count; i++)
        for (size_t k = 0; k < i && c->items[i].state == NEW; k++)
            if (c->items[k].state == NEW && mu_id_equal(c->items[k].task, c->items[i].task))
                c->items[i].state = AGAIN;
}

static bool is_staged(const struct item *x)
{
    return !mu_id_equal(x->task, x->job) || mu_span_is(x->result, "planned");
}

static void parse_tally(struct r_tally *w, struct mu_span text)
{
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    if (!mu_json_parse(&doc, text, (size_t)4 << 20, NULL))
        abort();
    w->count = json_array_size(doc);
    struct rule_counts *rules = world_alloc((w->count + 1) * sizeof(*rules));
    for (size_t i = 0; i < w->count; i++) {
        const json_t *r = json_array_get(doc, i), *coverage = json_object_get(r, "min_coverage");
        struct mu_span mode = mu_json_span(r, "mode");
        rules[i] = (struct rule_counts){
            .rule = world_keep(mu_json_span(r, "rule")), .severity = world_keep(mu_json_span(r, "severity")),
            .mode = mode.at ? world_keep(mode) : mu_span(NULL, 0),
            .min_coverage = !coverage ? NAN : json_is_string(coverage) ? strtold(json_string_value(coverage), NULL) : (long double)json_number_value(coverage),
            .pass = mu_json_int(r, "pass", 0), .warn = mu_json_int(r, "warn", 0), .fail = mu_json_int(r, "fail", 0),
            .error = mu_json_int(r, "error", 0), .not_evaluated = mu_json_int(r, "not_evaluated", 0), .out_of_scope = mu_json_int(r, "out_of_scope", 0)};
    }
    w->rules = rules;
}

static void store_outcomes(struct call *c)
{
    for (size_t i = 0; i < c->p[TALLY_ID].count && c->outcomes; i++) {
        if (find_tally(c->t, cell_id(c->p[TALLY_ID], i)))
            continue;
        struct r_tally *w = table_add(c->t, T_TALLY);
        w->id = cell_id(c->p[TALLY_ID], i);
        parse_tally(w, c->p[TALLY_RULES].at[i]);
    }
    for (size_t i = 0; i < c->count; i++) {
        const struct item *x = &c->items[i];
        if (x->state != NEW)
            continue;
        int64_t tally = cell_i64(c->p[O_TALLY], i);
        struct r_outcome *o = table_add(c->t, T_OUTCOME);
        *o = (struct r_outcome){
            .task = x->task, .job = x->job, .n = x->n, .delivery = cell_i64(c->p[O_DELIVERY], i), .task_digest = digest_at(c->p[O_TASK_DIGEST], i),
            .has_input = c->p[O_INPUT_DIGEST].at[i].at != NULL, .input_digest = digest_at(c->p[O_INPUT_DIGEST], i), .result = x->result,
            .reason = x->reason, .message = c->p[O_MESSAGE].at[i], .records = cell_i64(c->p[O_RECORDS], i), .bad = cell_i64(c->p[O_BAD], i),
            .skipped = cell_i64(c->p[O_SKIPPED], i), .bytes = cell_i64(c->p[O_BYTES], i), .findings = x->stated, .has_tally = tally > 0,
            .plan = c->p[O_PLAN].at[i], .resumes = c->p[O_RESUMES].at[i], .crashes = cell_i64(c->p[O_CRASHES], i), .agent = c->p[O_AGENT].at[i],
            .determined = x->determined, .recorded_us = database_now()};
        if (tally > 0)
            o->tally = cell_id(c->p[TALLY_ID], (size_t)tally - 1);
    }
}

static enum state second_outcome(const struct call *c, size_t i)
{
    const struct r_outcome *stood = find_outcome(c->t, c->items[i].task);
    struct mu_span input = c->p[O_INPUT_DIGEST].at[i];
    if (!stood || mu_digest_equal(&stood->determined, &c->items[i].determined))
        return REPEAT;
    bool same_input = stood->has_input ? input.len == sizeof(stood->input_digest.b) && memcmp(stood->input_digest.b, input.at, input.len) == 0 : !input.at;
    bool stood_computed = sql_is_verdict(stood->result) || mu_span_is(stood->result, "planned") ||
                          (stood->reason.len >= 6 && memcmp(stood->reason.at, "limit_", 6) == 0);
    return cell_bool(c->p[O_COMPUTED], i) && same_input && stood_computed ? CONFLICT : LATE;
}

static void settle_again(struct call *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct item *x = &c->items[i];
        if (x->state == AGAIN)
            x->state = second_outcome(c, i);
        c->repeats += x->state == REPEAT;
        if (x->state != LATE)
            continue;
        add_late(c, place_of(c, O_SEQ, i, 0), x->task, x->n, x->result);
    }
}

static void note_incomplete(struct call *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct item *x = &c->items[i];
        bool first = true;
        if (x->state != INCOMPLETE || x->n != x->current_n)
            continue;
        for (size_t k = 0; k < i && first; k++)
            first = !(c->items[k].state == INCOMPLETE && c->items[k].n == c->items[k].current_n && mu_id_equal(c->items[k].task, x->task));
        struct r_retry *r = find_retry(c->t, x->task);
        if (!first || (r && x->n <= r->n))
            continue;
        int64_t before = r ? r->incomplete : 0;
        if (!r)
            r = table_add(c->t, T_RETRY);
        r->task = x->task;
        r->n = x->n;
        r->class_ = "incomplete";
        r->reason = mu_span_of("incomplete");
        r->message = mu_span_of("fewer findings are stored than the outcome states");
        r->incomplete = before + 1;
        r->next_us = database_now();
        c->incomplete++;
        trace("incomplete: %lld of %lld findings", (long long)x->stored, (long long)x->stated);
    }
    c->outbox_made += c->incomplete;
}

static void note_conflicts(struct call *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct item *x = &c->items[i];
        if (x->state != CONFLICT && !(x->state == NEW && x->stored > x->stated && sql_is_verdict(x->result)))
            continue;
        struct place place = place_of(c, O_SEQ, i, 0);
        bool known = false;
        EACH(struct r_conflict, k, c->t, T_CONFLICT)
        {
            known = known || same_place(&k->place, &place);
        }
        if (known)
            continue;
        struct r_conflict *k = table_add(c->t, T_CONFLICT);
        *k = (struct r_conflict){place, x->task, x->n};
        c->conflicts++;
    }
}

static const char *class_of(struct mu_span name)
{
    return mu_span_is(name, "dependency") ? "dependency" : mu_span_is(name, "transient") ? "transient" : world_keep(name).at;
}

static void note_deferred(struct call *c)
{
    for (size_t i = 0; i < c->p[D_TASK].count; i++) {
        struct mu_id task = cell_id(c->p[D_TASK], i);
        int64_t n = cell_i64(c->p[D_N], i);
        struct any_task of;
        bool first = true;
        if (!find_any_task(c->t, task, &of) || *of.n != n || find_outcome(c->t, task))
            continue;
        for (size_t k = 0; k < i && first; k++)
            first = !(mu_id_equal(cell_id(c->p[D_TASK], k), task) && cell_i64(c->p[D_N], k) == n);
        struct r_retry *r = find_retry(c->t, task);
        if (!first || (r && n <= r->n))
            continue;
        const char *class_ = class_of(c->p[D_CLASS].at[i]);
        bool dependency = strcmp(class_, "dependency") == 0, transient = strcmp(class_, "transient") == 0;
        if (!r)
            r = table_add(c->t, T_RETRY);
        r->next_us = database_now() + sql_retry_pause_us(class_, (dependency ? r->dependency : r->transient) + 1);
        r->task = task;
        r->n = n;
        r->class_ = class_;
        r->reason = c->p[D_REASON].at[i];
        r->message = c->p[D_MESSAGE].at[i];
        r->dependency += dependency;
        r->transient += transient;
        c->deferred++;
    }
}

static void drop_retries(struct call *c)
{
    for (size_t i = 0; i < c->t->of[T_RETRY].count; i++) {
        const struct r_retry *r = (const struct r_retry *)(void *)c->t->of[T_RETRY].rows + i;
        for (size_t k = 0; k < c->count; k++) {
            if (c->items[k].state == NEW && mu_id_equal(c->items[k].task, r->task)) {
                table_remove(c->t, T_RETRY, i--);
                break;
            }
        }
    }
}

static void quarantine(struct call *c, const char *const *wrong)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->items[i].state == WRONG)
            put_aside(c, place_of(c, O_SEQ, i, 0), mu_span_of("muster.result"), c->items[i].wrong);
    for (size_t i = 0; i < c->p[F_ID].count; i++)
        if (wrong[i] && wrong[i] != late_finding)
            put_aside(c, place_of(c, F_SEQ, i, 1000000), mu_span_of("muster.finding"), wrong[i]);
    for (size_t i = 0; i < c->p[Q_SUBJECT].count; i++)
        put_aside(c, place_of(c, Q_SEQ, i, 0), c->p[Q_SUBJECT].at[i], world_keep(c->p[Q_REASON].at[i]).at);
}

static int by_job(const void *x, const void *y)
{
    const struct item *const *a = x, *const *b = y;
    return memcmp((*a)->job.b, (*b)->job.b, sizeof((*a)->job.b));
}

static void advance_stages(struct call *c)
{
    const struct item **plans = world_alloc((c->count + 1) * sizeof(*plans));
    struct mu_id *jobs = world_alloc((c->count + 1) * sizeof(*jobs)), *ended = world_alloc((c->count + 1) * sizeof(*ended));
    struct mu_span *results = world_alloc((c->count + 1) * sizeof(*results));
    size_t plan_count = 0, job_count = 0, ended_count = 0;
    for (size_t i = 0; i < c->count; i++) {
        const struct item *x = &c->items[i];
        if (x->state != NEW || !is_staged(x))
            continue;
        jobs[job_count++] = x->job;
        if (mu_span_is(x->result, "planned")) {
            plans[plan_count++] = x;
        } else {
            ended[ended_count] = x->job;
            results[ended_count++] = x->result;
        }
    }
    qsort(plans, plan_count, sizeof(*plans), by_job);
    for (size_t i = 0; i < plan_count; i++) {
        c->outbox_made += make_scans(c->t, plans[i]->task, plans[i]->job, c->p[O_PLAN].at[plans[i] - c->items]);
        c->planned++;
    }
    sql_stage_count(c->t, jobs, job_count, ended, results, ended_count);
}

static bool in_batch(const struct call *c, struct mu_id task)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->items[i].state != WRONG && c->items[i].state != INCOMPLETE && mu_id_equal(c->items[i].task, task))
            return true;
    return false;
}

/* Queue messages whose members are all done. */
static void drop_rides(struct call *c)
{
    struct mu_id *rides = world_alloc((2 * c->count + 1) * sizeof(*rides));
    size_t count = 0;
    for (size_t i = 0; i < c->count; i++) {
        if (c->items[i].state == WRONG || c->items[i].state == INCOMPLETE)
            continue;
        rides[count++] = c->items[i].ride;
        if (c->items[i].current_n > 1)
            rides[count++] = c->items[i].task;
    }
    for (size_t i = 0; i < c->t->of[T_OUTBOX].count; i++) {
        const struct r_outbox *o = (const struct r_outbox *)(void *)c->t->of[T_OUTBOX].rows + i;
        bool asked = false, all = true;
        for (size_t k = 0; k < count && !asked; k++)
            asked = !o->event && mu_id_equal(o->ride, rides[k]);
        for (size_t m = 0; m < o->member_count && asked && all; m++)
            all = in_batch(c, o->members[m]);
        if (asked && all)
            table_remove(c->t, T_OUTBOX, i--);
    }
    sql_rides_done(c->t, rides, count);
}

static void tell_ends(struct call *c, int64_t now_us)
{
    int64_t completed = 0, failed = 0;
    for (size_t i = 0; i < c->count; i++) {
        const struct item *x = &c->items[i];
        if (x->state != NEW)
            continue;
        if (!is_staged(x)) {
            *(sql_is_verdict(x->result) ? &completed : &failed) += 1;
            continue;
        }
        const struct r_progress *p = mu_id_equal(x->task, x->job) ? NULL : find_progress(c->t, x->job);
        bool first = p && p->finished_us == now_us;
        for (size_t k = 0; k < i && first; k++)
            first = !(c->items[k].state == NEW && !mu_id_equal(c->items[k].task, c->items[k].job) && mu_id_equal(c->items[k].job, x->job));
        if (first)
            *(sql_is_verdict(mu_span_of(p->result)) ? &completed : &failed) += 1;
    }
    if (completed)
        sql_event_row(c->t, "job.completed");
    if (failed)
        sql_event_row(c->t, "job.failed");
    c->finished = completed + failed;
    c->outbox_made += (completed > 0) + (failed > 0);
}

static void set_position(struct tables *t, struct mu_span created, int64_t sequence, int64_t stored_us)
{
    int64_t minute = database_now() / 60000000;
    struct r_position *row = NULL;
    EACH(struct r_position, p, t, T_POSITION)
    {
        if (p->minute == minute)
            row = p;
    }
    if (!row)
        row = table_add(t, T_POSITION);
    *row = (struct r_position){minute, created, sequence, stored_us, database_now()};
}

void sql_record_batch(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    struct call c = {.t = t, .created = arg_text(a, P_CREATED)};
    bool other = false;
    (void)s;
    for (int i = O_TASK; i < PLACES; i++)
        c.p[i] = arg_array(a, i);
    const char **wrong = judge_findings(&c);
    store_findings(&c, wrong);
    note_late_findings(&c, wrong);
    judge_outcomes(&c);
    for (size_t i = 0; i < c.count; i++) /* a replay: the insert finds it */
        if (c.items[i].state == NEW && find_outcome(t, c.items[i].task))
            c.items[i].state = AGAIN;
    bool staged = false;
    for (size_t i = 0; i < c.count; i++) {
        c.outcomes += c.items[i].state == NEW;
        other = other || c.items[i].state != NEW;
        staged = staged || (c.items[i].state == NEW && is_staged(&c.items[i]));
    }
    store_outcomes(&c);
    if (other) {
        settle_again(&c);
        note_incomplete(&c);
    }
    note_conflicts(&c);
    note_deferred(&c);
    drop_retries(&c);
    quarantine(&c, wrong);
    if (staged)
        advance_stages(&c);
    drop_rides(&c);
    if (c.outcomes)
        tell_ends(&c, database_now());
    if (c.outbox_made)
        database_notify();
    set_position(t, c.created, arg_i64(a, P_LAST_SEQUENCE), arg_time(a, P_LAST_STORED));
    reply_columns(out, "iiiiiiiiii");
    reply_row(out);
    const int64_t counts[] = {c.outcomes, c.findings, c.repeats, c.late, c.conflicts, c.quarantined, c.incomplete, c.deferred, c.planned, c.finished};
    for (int i = 0; i < (int)MU_COUNT(counts); i++)
        reply_i64(out, i, counts[i]);
}

/* ---- positions ---- */

void sql_position_note(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    (void)s;
    (void)out;
    set_position(t, arg_text(a, 0), arg_i64(a, 1), arg_time(a, 2));
}

static int newest_first(const void *x, const void *y)
{
    const struct r_position *const *a = x, *const *b = y;
    return ((*a)->noted_us < (*b)->noted_us) - ((*a)->noted_us > (*b)->noted_us);
}

static const struct r_position **sorted(struct tables *t)
{
    const struct r_position **rows = world_alloc((t->of[T_POSITION].count + 1) * sizeof(*rows));
    size_t count = 0;
    EACH(struct r_position, p, t, T_POSITION)
    rows[count++] = p;
    qsort(rows, count, sizeof(*rows), newest_first);
    return rows;
}

void sql_positions(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    (void)s;
    (void)a;
    reply_columns(out, "tll");
    for (const struct r_position **p = sorted(t); *p; p++) {
        reply_row(out);
        reply_text(out, 0, (*p)->created);
        reply_i64(out, 1, (*p)->sequence);
        reply_i64(out, 2, (*p)->stored_us);
    }
}

void sql_positions_short(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    const struct r_position **p = sorted(t);
    (void)s;
    (void)a;
    reply_columns(out, "tl");
    if (!*p)
        return;
    reply_row(out);
    reply_text(out, 0, (*p)->created);
    reply_i64(out, 1, (*p)->sequence);
}

/* One per minute for an hour, then one per day. */
void sql_positions_thin(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out)
{
    const int64_t day_us = INT64_C(86400000000);
    (void)s;
    (void)a;
    (void)out;
    for (size_t i = 0; i < t->of[T_POSITION].count; i++) {
        const struct r_position *p = (const struct r_position *)(void *)t->of[T_POSITION].rows + i;
        bool later = false;
        EACH(struct r_position, q, t, T_POSITION)
        {
            later = later || (q->noted_us > p->noted_us && q->noted_us / day_us == p->noted_us / day_us);
        }
        if (later && p->noted_us < database_now() - INT64_C(3600000000))
            table_remove(t, T_POSITION, i--);
    }
}
