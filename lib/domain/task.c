/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/task.h"
#include "format/schema.h"

const char *mu_stage_name(enum mu_stage s)
{
    switch (s) {
    case MU_STAGE_PLAN:
        return "plan";
    case MU_STAGE_SCAN:
        return "scan";
    case MU_STAGE_MERGE:
        return "merge";
    }
    return "";
}

static bool parse_stage(struct mu_span name, enum mu_stage *out)
{
    for (int s = MU_STAGE_PLAN; s <= MU_STAGE_MERGE; s++) {
        if (mu_span_is(name, mu_stage_name((enum mu_stage)s))) {
            *out = (enum mu_stage)s;
            return true;
        }
    }
    return false;
}

/* The schema has been checked: what is read here has its type and form. */
static bool read_shard(struct mu_task *t, struct mu_error *err)
{
    const json_t *shard = json_object_get(t->doc, "shard"), *input = json_object_get(t->doc, "input");
    if (!shard)
        return true;
    t->has_shard = true;
    t->shard = (struct mu_shard){
        .index = mu_json_int(shard, "index", 0), .count = mu_json_int(shard, "count", 0),
        .from = mu_json_int(shard, "from", 0), .to = mu_json_int(shard, "to", 0),
        .first_record = mu_json_int(shard, "first_record", 0), .first_line = mu_json_int(shard, "first_line", 0),
        .records = mu_json_int(shard, "records", 0)};
    t->input_size = mu_json_int(input, "size", 0);
    if (!mu_digest_parse(mu_json_span(shard, "digest"), &t->shard.digest) ||
        !mu_digest_parse(mu_json_span(input, "digest"), &t->input_digest) || t->shard.from > t->shard.to ||
        t->shard.to > t->input_size)
        return mu_reject(err, "bad_task", "/shard", "the shard does not lie within its input");
    return true;
}

static bool read_task(struct mu_task *t, struct mu_error *err)
{
    struct mu_digest terms;
    struct mu_span name = t->source ? mu_json_span(t->source, "name") : mu_span_of("records");
    struct mu_span task = mu_json_span(t->doc, "task_id"), job = mu_json_span(t->doc, "job_id");
    if (!mu_id_parse(task, &t->task_id) || !mu_id_parse(job.at ? job : task, &t->job_id) ||
        !parse_stage(mu_json_span(t->doc, "stage"), &t->stage) || !mu_digest_parse(mu_json_span(t->doc, "terms"), &terms) ||
        !mu_copy_text(t->source_name, sizeof(t->source_name), name) ||
        (!t->source && !mu_json_raw(t->raw, "records", &t->records)))
        return mu_reject(err, "bad_task", "", "the task's ids or names cannot be read");
    if (!mu_digest_equal(&terms, &t->terms->digest))
        return mu_reject(err, "bad_task", "/terms", "the message carries other terms than the task names");
    return read_shard(t, err);
}

static bool fill(struct mu_task *out, struct mu_span raw, json_t *doc, const struct mu_terms *terms, struct mu_error *err)
{
    struct mu_error why = {0};
    if (!mu_schema_check(mu_schema_builtin("task"), doc, &why))
        return mu_reject(err, "bad_task", why.pointer, "%s", why.text);
    struct mu_task t = {.raw = raw,
                        .doc = doc,
                        .terms = terms,
                        .source = json_object_get(doc, "source"),
                        .records_doc = json_object_get(doc, "records")};
    if (!read_task(&t, err))
        return false;
    mu_id_format(t.task_id, t.id_text);
    mu_id_format(t.job_id, t.job_text);
    t.digest = mu_digest_of(raw);
    json_incref(doc);
    *out = t;
    return true;
}

bool mu_task_parse(struct mu_task *out, struct mu_span raw, const struct mu_terms *terms, struct mu_error *err)
{
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    return mu_json_parse(&doc, raw, MU_TASK_MESSAGE_MAX, err) && fill(out, raw, doc, terms, err);
}

void mu_task_fini(struct mu_task *t)
{
    mu_json_free(t->doc);
    t->doc = NULL;
}

static bool fits_subject(const struct mu_ride *r, const char *subject)
{
    struct mu_task_subject s;
    return mu_subject_parse_task(subject, &s) && mu_span_is(mu_span_of(s.queue), r->queue) &&
           s.priority == r->priority && mu_span_is(mu_span_of(s.ride_id), r->id_text);
}

static bool read_members(struct mu_ride *r, const json_t *doc, struct mu_span body, struct mu_error *err)
{
    const json_t *tasks = json_object_get(doc, "tasks");
    struct mu_span rest, raw;
    size_t count = json_array_size(tasks);
    if (!mu_json_raw(body, "tasks", &rest) || !(r->tasks = calloc(count, sizeof(*r->tasks))))
        return mu_fail(err, MU_BROKEN, "out of memory");
    while (r->count < count && mu_json_next_element(&rest, &raw)) {
        char prefix[32];
        if (!fill(&r->tasks[r->count], raw, json_array_get(tasks, r->count), r->terms, err)) {
            snprintf(prefix, sizeof(prefix), "/tasks/%zu", r->count);
            return mu_under(err, prefix);
        }
        r->count++;
    }
    /* one task is its own ride; a bundle has an id of its own */
    if (r->count != count || (count == 1) != mu_id_equal(r->ride_id, r->tasks[0].task_id))
        return mu_reject(err, "bad_task", "/ride_id", "the ride's id does not fit its tasks");
    return true;
}

static bool read_terms(struct mu_ride *r, const json_t *doc, struct mu_span body, struct mu_error *err)
{
    struct mu_span raw;
    if (!mu_json_raw(body, "terms", &raw) || !(r->terms = calloc(1, sizeof(*r->terms))))
        return mu_fail(err, MU_BROKEN, "out of memory");
    return mu_terms_read(r->terms, json_incref(json_object_get(doc, "terms")), raw, err) || mu_under(err, "/terms");
}

bool mu_ride_parse(struct mu_ride *out, const char *subject, struct mu_span body, struct mu_json_arena *arena,
                   struct mu_error *err)
{
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    struct mu_ride r = {.n = 0};
    struct mu_error why = {0};
    if (!mu_json_arena_parse(arena, &doc, body, MU_TASK_MESSAGE_MAX, &why) || !mu_schema_check(mu_schema_builtin("ride"), doc, &why))
        return mu_reject(err, "bad_task", why.pointer, "%s", why.text);
    r.n = mu_json_int(doc, "n", 0);
    r.fresh = mu_json_bool(doc, "fresh", false);
    bool read = mu_id_parse(mu_json_span(doc, "ride_id"), &r.ride_id) &&
                mu_copy_text(r.queue, sizeof(r.queue), mu_json_span(doc, "queue")) &&
                mu_priority_parse(mu_json_span(doc, "priority"), &r.priority);
    mu_id_format(r.ride_id, r.id_text);
    if (!read || !fits_subject(&r, subject))
        return mu_reject(err, "bad_task", "", "the message does not belong on its subject %s", subject);
    if (!read_terms(&r, doc, body, err) || !read_members(&r, doc, body, err)) {
        mu_ride_fini(&r);
        return false;
    }
    *out = r;
    return true;
}

void mu_ride_fini(struct mu_ride *r)
{
    for (size_t i = 0; i < r->count; i++)
        mu_task_fini(&r->tasks[i]);
    free(r->tasks);
    if (r->terms)
        mu_terms_fini(r->terms);
    free(r->terms);
    r->tasks = NULL;
    r->terms = NULL;
    r->count = 0;
}

void mu_ride_write(struct mu_text *out, const char *ride_id, int64_t n, bool fresh, const char *queue,
                   enum mu_priority p, struct mu_span terms, const struct mu_span *tasks, size_t count)
{
    mu_text_addf(out, "{\"v\":%d,\"ride_id\":\"%s\",\"n\":%lld", MU_TASK_V, ride_id, (long long)n);
    if (fresh)
        mu_text_puts(out, ",\"fresh\":true");
    mu_text_addf(out, ",\"queue\":\"%s\",\"priority\":\"%s\",\"terms\":", queue, mu_priority_name(p));
    mu_text_add(out, terms);
    mu_text_puts(out, ",\"tasks\":[");
    for (size_t i = 0; i < count; i++) {
        if (i)
            mu_text_putc(out, ',');
        mu_text_add(out, tasks[i]);
    }
    mu_text_puts(out, "]}");
}
