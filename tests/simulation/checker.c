/* SPDX-License-Identifier: Apache-2.0 */
#include "checker.h"

#include "broker.h"
#include "database.h"
#include "domain/names.h"
#include "format/json.h"
#include "programs.h"

#include <math.h>

#define RUNS_MOST 6
#define WATCHED_MAX 128

struct checker_allows checker_allows;

/* What has been seen of the checkpoints of one task. */
struct watched {
    char task[MU_ID_MAX], incarnation[MU_ID_MAX];
    int generation;
    bool present, released;
    int64_t n, position;     /* position: -1 for none */
    int starts;              /* at this position */
};
static struct watched watched[WATCHED_MAX];
static size_t watched_count;
static int most_starts;
static int64_t most_crashes;

static struct watched *watch(const char *task)
{
    for (size_t i = 0; i < watched_count; i++)
        if (strcmp(watched[i].task, task) == 0)
            return &watched[i];
    if (watched_count == WATCHED_MAX)
        return NULL;
    struct watched *w = &watched[watched_count++];
    *w = (struct watched){.generation = -1};
    snprintf(w->task, sizeof(w->task), "%s", task);
    return w;
}

static void on_key(const char *bucket, const char *key, struct mu_span value, bool marker)
{
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    if (strcmp(bucket, MU_BUCKET_STATE) != 0)
        return;
    struct watched *w = watch(key);
    if (!w)
        return;
    if (marker || w->generation != broker_generation())
        w->present = false; /* a new life: what was there is gone, or may be older than what we saw */
    w->generation = broker_generation();
    if (marker)
        return;
    if (!mu_json_parse(&doc, value, 1 << 20, NULL)) {
        broken("the state of task %s is no JSON", key);
        return;
    }
    const json_t *checkpoint = json_object_get(doc, "checkpoint");
    const char *incarnation = mu_json_text(doc, "incarnation");
    int64_t n = mu_json_int(doc, "n", 0), position = json_is_object(checkpoint) ? mu_json_int(checkpoint, "record_no", 0) : -1;
    if (mu_json_int(doc, "crashes", 0) > most_crashes)
        most_crashes = mu_json_int(doc, "crashes", 0);
    bool other = strcmp(w->incarnation, incarnation ? incarnation : "") != 0;
    if (w->present && n < w->n)
        broken("I4: the state of task %s goes back from publication %lld to %lld", key, (long long)w->n, (long long)n);
    if (w->present && position < w->position && n <= w->n)
        broken("I4: the checkpoint of task %s goes back from record %lld to %lld", key, (long long)w->position, (long long)position);
    if (!w->present || position != w->position)
        w->starts = 1;
    else if (other && !w->released)
        w->starts++;
    if (w->starts > most_starts)
        most_starts = w->starts;
    if (w->starts > RUNS_MOST)
        broken("I5: task %s is begun a %dth time at record %lld", key, w->starts, (long long)position);
    w->present = true;
    w->n = n;
    w->position = position;
    w->released = mu_json_bool(doc, "released", false);
    snprintf(w->incarnation, sizeof(w->incarnation), "%s", incarnation ? incarnation : "");
}

void checker_begin(void)
{
    watched_count = 0;
    most_starts = 0;
    most_crashes = 0;
    checker_allows = (struct checker_allows){0};
    broker_on_key = on_key;
}

int checker_most_starts(void)
{
    return most_starts;
}

int64_t checker_most_crashes(void)
{
    return most_crashes;
}

/* ---- at rest ---- */

static bool may_be_lost(const struct submission *s)
{
    if (database_last_restore())
        return true;
    return s->door == DOOR_INTAKE && broker_last_loss() >= s->sent_us && broker_last_loss();
}

static bool has_job(struct tables *t, const char *key)
{
    EACH(struct r_job, j, t, T_JOB)
    {
        if (mu_span_is(j->key, key))
            return true;
    }
    return false;
}

/* A key that was acknowledged and is no job yet: NULL if there is none. */
static const char *key_without_job(struct tables *t)
{
    for (size_t i = 0; i < submission_count; i++)
        for (size_t k = 0; k < submissions[i].count && !submissions[i].invalid && !may_be_lost(&submissions[i]); k++)
            if (!has_job(t, submissions[i].keys[k]))
                return submissions[i].keys[k];
    return NULL;
}

static bool job_has_ended(struct tables *t, const struct r_job *j)
{
    const struct r_outcome *o = find_outcome(t, j->id);
    const struct r_progress *p = find_progress(t, j->id);
    if (!o)
        return false;
    return mu_span_is(o->result, "planned") ? p && p->finished_us : true;
}

/* Keys of tasks that a database set back does not know any more stay: a job may be submitted again under its old id. */
static bool has_state_keys(struct tables *t)
{
    uint64_t at = 1;
    const struct wire *w;
    while ((w = stream_walk("KV_" MU_BUCKET_STATE, &at))) {
        const char *key = strrchr(w->subject, '.');
        struct mu_id task;
        bool known = key && mu_id_parse(mu_span_of(key + 1), &task) && (find_job(t, task) || find_task(t, task));
        if (known && !wire_find(w, "KV-Operation"))
            return true;
    }
    return false;
}

static bool recorder_is_behind(struct tables *t)
{
    const struct r_position *newest = NULL;
    struct stream_look results = stream_look(MU_STREAM_RESULTS);
    EACH(struct r_position, p, t, T_POSITION)
    {
        if (!newest || p->noted_us > newest->noted_us)
            newest = p;
    }
    return !results.found || (results.last && (!newest || (uint64_t)newest->sequence != results.last));
}

bool checker_at_rest(const char **why)
{
    static char text[200];
    struct tables *t = database_tables();
    *why = text;
    text[0] = '\0';
    if (!broker_is_up())
        snprintf(text, sizeof(text), "the broker is away");
    else if (!workload_all_acknowledged())
        snprintf(text, sizeof(text), "I1: a submission has not been acknowledged");
    else if (consumer_waits(MU_STREAM_INTAKE))
        snprintf(text, sizeof(text), "intake messages wait for a dispatcher");
    else if (key_without_job(t))
        snprintf(text, sizeof(text), "I1: %s was acknowledged and is no job", key_without_job(t));
    EACH(struct r_job, j, t, T_JOB)
    {
        if (!job_has_ended(t, j) && !text[0])
            snprintf(text, sizeof(text), "I1: the job of %.*s has not ended", (int)j->key.len, j->key.at);
    }
    EACH(struct r_task, k, t, T_TASK)
    {
        if (!find_outcome(t, k->id) && !text[0])
            snprintf(text, sizeof(text), "I1: shard %lld of a job has no outcome", (long long)k->shard);
    }
    if (text[0])
        return false;
    if (recorder_is_behind(t))
        snprintf(text, sizeof(text), "results wait for the recorder");
    else if (t->of[T_OUTBOX].count)
        snprintf(text, sizeof(text), "I9: the outbox holds %zu rows", t->of[T_OUTBOX].count);
    else if (t->of[T_RETRY].count)
        snprintf(text, sizeof(text), "I9: %zu tasks wait to be retried, and all have ended", t->of[T_RETRY].count);
    else if (stream_look(MU_STREAM_TASKS).messages)
        snprintf(text, sizeof(text), "I9: %llu messages are in the queue, and no task is open", (unsigned long long)stream_look(MU_STREAM_TASKS).messages);
    else if (has_state_keys(t))
        snprintf(text, sizeof(text), "I9: there are state keys, and no task is open");
    else if (consumer_ahead())
        snprintf(text, sizeof(text), "I9: consumer %s is ahead of its stream", consumer_ahead());
    return !text[0];
}

/* ---- sums ---- */

static uint64_t hash_bytes(uint64_t h, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < len; i++)
        h = (h ^ at[i]) * 0x100000001B3u;
    return (h ^ len) * 0x100000001B3u;
}

static uint64_t hash_finding(const struct r_finding *f)
{
    uint64_t h = 0xCBF29CE484222325u;
    const struct mu_span texts[] = {f->rule, f->severity, f->outcome, f->subject, f->part, f->message, f->evidence};
    const int64_t numbers[] = {f->record, f->byte_off, f->length, f->line, f->shadow};
    h = hash_bytes(h, f->fingerprint.b, sizeof(f->fingerprint.b));
    for (size_t i = 0; i < MU_COUNT(texts); i++)
        h = hash_bytes(h, texts[i].at ? texts[i].at : "-", texts[i].at ? texts[i].len : 1);
    return hash_bytes(h, numbers, sizeof(numbers));
}

static void add_rules(struct outcome_sum *sum, const struct r_tally *w)
{
    for (size_t i = 0; w && i < w->count; i++) {
        const struct rule_counts *r = &w->rules[i];
        const int64_t counts[] = {r->pass, r->warn, r->fail, r->error, r->not_evaluated, r->out_of_scope};
        size_t k = 0;
        while (k < sum->rule_count && !mu_span_is(r->rule, sum->rules[k].rule))
            k++;
        if (k == sum->rule_count) {
            if (k == RULES_MAX)
                continue;
            snprintf(sum->rules[sum->rule_count++].rule, sizeof(sum->rules[0].rule), "%.*s", (int)r->rule.len, r->rule.at);
        }
        for (size_t c = 0; c < MU_COUNT(counts); c++)
            sum->rules[k].counts[c] += counts[c];
    }
}

bool checker_sum(struct mu_id job, struct outcome_sum *out)
{
    struct tables *t = database_tables();
    const struct r_outcome *first = find_outcome(t, job);
    const struct r_progress *p = find_progress(t, job);
    if (!first || (mu_span_is(first->result, "planned") && !(p && p->finished_us)))
        return false;
    *out = (struct outcome_sum){.known = true};
    snprintf(out->result, sizeof(out->result), "%.*s", p ? (int)strlen(p->result) : (int)first->result.len, p ? p->result : first->result.at);
    snprintf(out->reason, sizeof(out->reason), "%.*s", p ? (p->reason ? (int)strlen(p->reason) : 0) : (int)first->reason.len,
             p ? (p->reason ? p->reason : "") : first->reason.at ? first->reason.at : "");
    EACH(struct r_outcome, o, t, T_OUTCOME)
    {
        if (!mu_id_equal(o->job, job) || mu_span_is(o->result, "planned"))
            continue;
        out->records += o->records;
        out->bad += o->bad;
        out->skipped += o->skipped;
        out->findings += o->findings;
        add_rules(out, o->has_tally ? find_tally(t, o->tally) : NULL);
    }
    EACH(struct r_finding, f, t, T_FINDING)
    {
        const struct r_outcome *o = mu_id_equal(f->job, job) ? find_outcome(t, f->task) : NULL;
        if (o && o->has_input && mu_digest_equal(&o->input_digest, &f->input_digest))
            out->finding_sum += hash_finding(f);
    }
    return true;
}

/* ---- judgement ---- */

static const struct submission *submission_of(struct mu_span key, size_t *member)
{
    for (size_t i = 0; i < submission_count; i++)
        for (size_t k = 0; k < submissions[i].count; k++)
            if (mu_span_is(key, submissions[i].keys[k])) {
                *member = k;
                return &submissions[i];
            }
    return NULL;
}

static void compare_rules(const struct outcome_sum *got, const struct outcome_sum *want, const char *key)
{
    for (size_t i = 0; i < want->rule_count; i++) {
        size_t k = 0;
        while (k < got->rule_count && strcmp(got->rules[k].rule, want->rules[i].rule) != 0)
            k++;
        if (k == got->rule_count || memcmp(got->rules[k].counts, want->rules[i].counts, sizeof(want->rules[i].counts)) != 0)
            broken("I10: the counters of rule %s of %s are not those of an undisturbed run", want->rules[i].rule, key);
    }
}

static void judge_sum(struct mu_id job, size_t template, const char *key)
{
    struct outcome_sum got = {0};
    const struct outcome_sum *want = &golden[template];
    if (!checker_sum(job, &got)) {
        broken("I1: %s has no outcome", key);
        return;
    }
    if (templates[template].kind == JOB_POISON) {
        if (strcmp(got.result, "exhausted") != 0 || strcmp(got.reason, "crashed") != 0)
            broken("a poisonous task ended %s (%s)", got.result, got.reason);
        return;
    }
    if (strcmp(got.result, "exhausted") == 0 && checker_allows.exhausted-- > 0)
        return;
    if (!want->known)
        return;
    if (strcmp(got.result, want->result) != 0 || strcmp(got.reason, want->reason) != 0)
        broken("I10: %s (%s) ended %s (%s), undisturbed it is %s (%s)", key, templates[template].name, got.result, got.reason, want->result, want->reason);
    if (got.records != want->records || got.bad != want->bad || got.skipped != want->skipped)
        broken("I10: %s has %lld records, %lld bad; undisturbed %lld and %lld", key, (long long)got.records, (long long)got.bad,
               (long long)want->records, (long long)want->bad);
    if (got.findings != want->findings || got.finding_sum != want->finding_sum)
        broken("I10: the findings of %s are not those of an undisturbed run (%lld, undisturbed %lld)", key, (long long)got.findings, (long long)want->findings);
    compare_rules(&got, want, key);
}

static void judge_tasks(struct tables *t)
{
    EACH(struct r_outcome, o, t, T_OUTCOME)
    {
        struct any_task of;
        int64_t count = 0, outcomes = 0;
        if (!find_any_task(t, o->task, &of))
            broken("I3: an outcome of no task");
        EACH(struct r_outcome, x, t, T_OUTCOME)
        {
            outcomes += mu_id_equal(x->task, o->task);
        }
        if (outcomes != 1)
            broken("I2: a task has %lld outcomes", (long long)outcomes);
        EACH(struct r_finding, f, t, T_FINDING)
        {
            count += mu_id_equal(f->task, o->task) && o->has_input && mu_digest_equal(&f->input_digest, &o->input_digest);
        }
        if (sql_is_verdict(o->result) && count != o->findings)
            broken("findings: an outcome states %lld, %lld are recorded", (long long)o->findings, (long long)count);
    }
    EACH(struct r_finding, f, t, T_FINDING)
    {
        struct any_task of;
        if (!find_any_task(t, f->task, &of))
            broken("I3: a finding of no task");
    }
}

/* The submissions of a key have one job; jobs without a submission are invented. */
static void judge_jobs(struct tables *t)
{
    EACH(struct r_job, j, t, T_JOB)
    {
        size_t member = 0;
        const struct submission *s = submission_of(j->key, &member);
        if (!s || s->invalid) {
            broken("I3: a job of no submission");
            continue;
        }
        int same = 0;
        EACH(struct r_job, x, t, T_JOB)
        {
            same += mu_span_equal(x->key, j->key);
        }
        if (same != 1)
            broken("I2: key %s has %d jobs", s->keys[member], same);
        judge_sum(j->id, s->template[member], s->keys[member]);
    }
}

static void judge_submissions(struct tables *t)
{
    size_t refused = 0;
    for (size_t i = 0; i < submission_count; i++) {
        const struct submission *s = &submissions[i];
        refused += s->invalid && !may_be_lost(s);
        for (size_t k = 0; k < s->count && !s->invalid; k++) {
            bool found = false;
            EACH(struct r_job, j, t, T_JOB)
            {
                char id[MU_ID_MAX];
                mu_id_format(j->id, id);
                if (!mu_span_is(j->key, s->keys[k]))
                    continue;
                found = true;
                if (s->job_ids[k][0] && strcmp(s->job_ids[k], id) != 0 && !database_last_restore())
                    broken("I1: %s was answered with another job than it has", s->keys[k]);
            }
            if (!found && !may_be_lost(s))
                broken("I1: %s was acknowledged and is gone", s->keys[k]);
        }
    }
    if (t->of[T_REJECTION].count < refused)
        broken("I6: %zu invalid submissions of the intake, %zu rows in muster.rejection", refused, t->of[T_REJECTION].count);
}

static void judge_leftovers(struct tables *t)
{
    if (t->of[T_CONFLICT].count)
        broken("I2: outcome_conflict holds %zu rows", t->of[T_CONFLICT].count);
    EACH(struct r_quarantine, q, t, T_QUARANTINE)
    {
        bool unknown = strcmp(q->reason, "unknown_task") == 0;
        if (!checker_allows.quarantine && !(unknown && database_last_restore()))
            broken("I3: quarantine holds %s of %.*s", q->reason, (int)q->subject.len, q->subject.at);
    }
    EACH(struct r_late, l, t, T_LATE)
    {
        const struct r_outcome *o = find_outcome(t, l->task);
        bool administrative = o && (mu_span_is(o->result, "exhausted") || mu_span_is(l->result, "exhausted") || mu_span_is(o->result, "error") ||
                                    mu_span_is(l->result, "error"));
        if (!administrative && !checker_allows.late)
            broken("I2: a late result %.*s of a task that ended %.*s", (int)l->result.len, l->result.at, o ? (int)o->result.len : 1, o ? o->result.at : "-");
    }
}

void checker_judge(void)
{
    struct tables *t = database_tables();
    judge_tasks(t);
    judge_jobs(t);
    judge_submissions(t);
    judge_leftovers(t);
}
