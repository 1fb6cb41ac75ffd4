/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/task.h"
#include "base/clock.h"
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
static bool read_pin(const json_t *doc, struct mu_pin *out)
{
    return mu_copy_text(out->name, sizeof(out->name), mu_json_span(doc, "name")) &&
           mu_copy_text(out->version, sizeof(out->version), mu_json_span(doc, "version")) &&
           mu_digest_parse(mu_json_span(doc, "digest"), &out->digest);
}

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

/* Takes over `doc`, which has been parsed from `raw`. */
static bool fill(struct mu_task *out, struct mu_span raw, json_t *doc, struct mu_error *err)
{
    struct mu_task t = {.raw = raw, .doc = doc};
    struct mu_error why = {0};
    if (!mu_schema_check(mu_schema_builtin("task"), doc, &why)) {
        mu_json_free(doc);
        return mu_reject(err, "bad_task", why.pointer, "%s", why.text);
    }
    const json_t *pack = json_object_get(doc, "pack"), *limits = json_object_get(doc, "limits");
    t.pack_document = json_object_get(pack, "document");
    t.lists = json_object_get(doc, "lists");
    t.params = json_object_get(doc, "params");
    t.source = json_object_get(doc, "source");
    t.records_doc = json_object_get(doc, "records");
    t.shard_bytes = mu_json_int(doc, "shard_bytes", 0);
    t.buckets = mu_json_int(doc, "buckets", 0);
    t.record_bytes = mu_json_int(limits, "record_bytes", 0);
    t.fields = mu_json_int(limits, "fields", 0);
    struct mu_span name = t.source ? mu_json_span(t.source, "name") : mu_span_of("records");
    bool read = mu_id_parse(mu_json_span(doc, "task_id"), &t.task_id) && mu_id_parse(mu_json_span(doc, "job_id"), &t.job_id) &&
                parse_stage(mu_json_span(doc, "stage"), &t.stage) && read_pin(pack, &t.pack) &&
                mu_date_parse(mu_json_span(doc, "as_of"), &t.as_of) &&
                mu_copy_text(t.source_name, sizeof(t.source_name), name) &&
                (t.source || mu_json_raw(raw, "records", &t.records));
    if (!read)
        mu_reject(err, "bad_task", "", "the task's ids, pins or names cannot be read");
    else
        read = read_shard(&t, err);
    if (!read) {
        mu_json_free(doc);
        return false;
    }
    mu_id_format(t.task_id, t.id_text);
    mu_id_format(t.job_id, t.job_text);
    t.digest = mu_digest_of(raw);
    *out = t;
    return true;
}

bool mu_task_parse(struct mu_task *out, struct mu_span raw, struct mu_error *err)
{
    json_t *doc = NULL;
    if (!mu_json_parse(&doc, raw, MU_TASK_MESSAGE_MAX, err))
        return false;
    return fill(out, raw, doc, err);
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
        if (!fill(&r->tasks[r->count], raw, json_incref(json_array_get(tasks, r->count)), err)) {
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

bool mu_ride_parse(struct mu_ride *out, const char *subject, struct mu_span body, struct mu_error *err)
{
    struct mu_ride r = {.n = 0};
    struct mu_error why = {0};
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    if (!mu_json_parse(&doc, body, MU_TASK_MESSAGE_MAX, &why) || !mu_schema_check(mu_schema_builtin("ride"), doc, &why))
        return mu_reject(err, "bad_task", why.pointer, "%s", why.text);
    r.n = mu_json_int(doc, "n", 0);
    r.fresh = mu_json_bool(doc, "fresh", false);
    bool read = mu_id_parse(mu_json_span(doc, "ride_id"), &r.ride_id) &&
                mu_copy_text(r.queue, sizeof(r.queue), mu_json_span(doc, "queue")) &&
                mu_priority_parse(mu_json_span(doc, "priority"), &r.priority);
    mu_id_format(r.ride_id, r.id_text);
    if (!read || !fits_subject(&r, subject))
        return mu_reject(err, "bad_task", "", "the message does not belong on its subject %s", subject);
    if (!read_members(&r, doc, body, err)) {
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
    r->tasks = NULL;
    r->count = 0;
}

void mu_ride_write(struct mu_text *out, const char *ride_id, int64_t n, bool fresh, const char *queue,
                   enum mu_priority p, const struct mu_span *tasks, size_t count)
{
    mu_text_addf(out, "{\"v\":%d,\"ride_id\":\"%s\",\"n\":%lld", MU_TASK_V, ride_id, (long long)n);
    if (fresh)
        mu_text_puts(out, ",\"fresh\":true");
    mu_text_addf(out, ",\"queue\":\"%s\",\"priority\":\"%s\",\"tasks\":[", queue, mu_priority_name(p));
    for (size_t i = 0; i < count; i++) {
        if (i)
            mu_text_putc(out, ',');
        mu_text_add(out, tasks[i]);
    }
    mu_text_puts(out, "]}");
}
