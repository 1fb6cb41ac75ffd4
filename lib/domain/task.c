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

/* ---- bundles as the dispatcher writes them ----
 * Their members differ only in ids and records, so the first one is read whole and of the others only these: parsing
 * the same pins a hundred times would cost more than running the tasks. Whatever does not look like that is read the
 * long way, with the same result. */

#define TASK_BEGINS "{\"v\":1,\"task_id\":\""
#define JOB_FOLLOWS "\",\"job_id\":\""
#define ID_LEN (MU_ID_MAX - 1)

struct likeness { /* where the parts of a member stand that are its own */
    size_t job_at, middle_at;
    struct mu_span middle; /* what all have between their ids and their records */
};

static bool begins_with(struct mu_span s, size_t at, struct mu_span part)
{
    return s.len >= at + part.len && memcmp(s.at + at, part.at, part.len) == 0;
}

static bool take_likeness(const struct mu_task *first, struct likeness *out)
{
    out->job_at = strlen(TASK_BEGINS) + ID_LEN + strlen(JOB_FOLLOWS);
    out->middle_at = out->job_at + ID_LEN;
    if (!first->records.len || !begins_with(first->raw, 0, mu_span_of(TASK_BEGINS)) ||
        !begins_with(first->raw, strlen(TASK_BEGINS) + ID_LEN, mu_span_of(JOB_FOLLOWS)) ||
        first->records.at + first->records.len + 1 != first->raw.at + first->raw.len)
        return false;
    const char *middle = first->raw.at + out->middle_at;
    if (first->records.at <= middle)
        return false;
    out->middle = mu_span(middle, (size_t)(first->records.at - middle));
    return true;
}

static bool set_id(json_t *doc, const char *key, struct mu_span text, struct mu_id *id, char out[MU_ID_MAX])
{
    if (!mu_id_parse(text, id))
        return false;
    mu_id_format(*id, out);
    return memcmp(out, text.at, text.len) == 0 && json_object_set_new(doc, key, json_stringn(text.at, text.len)) == 0;
}

/* False: read it the long way. */
static bool fill_alike(struct mu_task *out, const struct mu_task *first, const struct likeness *like, struct mu_span raw)
{
    size_t records_at = like->middle_at + like->middle.len;
    json_t *records = NULL, *borrowed;
    if (raw.len < records_at + 3 || raw.at[raw.len - 1] != '}' || !begins_with(raw, 0, mu_span_of(TASK_BEGINS)) ||
        !begins_with(raw, strlen(TASK_BEGINS) + ID_LEN, mu_span_of(JOB_FOLLOWS)) ||
        !begins_with(raw, like->middle_at, like->middle))
        return false;
    struct mu_task t = *first;
    t.raw = raw;
    t.records = mu_span(raw.at + records_at, raw.len - records_at - 1);
    if (!mu_json_parse(&records, t.records, MU_TASK_MESSAGE_MAX, NULL))
        return false;
    memcpy(&borrowed, &first->doc, sizeof(borrowed));
    t.doc = json_copy(borrowed); /* shares the values that are alike */
    bool read = t.doc && json_object_set(t.doc, "records", records) == 0 &&
                set_id(t.doc, "task_id", mu_span(raw.at + strlen(TASK_BEGINS), ID_LEN), &t.task_id, t.id_text) &&
                set_id(t.doc, "job_id", mu_span(raw.at + like->job_at, ID_LEN), &t.job_id, t.job_text) &&
                mu_schema_check(mu_schema_builtin("task"), t.doc, NULL);
    mu_json_free(records);
    if (!read) {
        mu_json_free(t.doc);
        return false;
    }
    t.records_doc = json_object_get(t.doc, "records");
    t.digest = mu_digest_of(raw);
    *out = t;
    return true;
}

/* The envelope of a compact message whose members stand between `head` and "]}". */
static bool read_envelope(struct mu_ride *r, struct mu_span head)
{
    MU_AUTO(mu_text_free) struct mu_text t = MU_TEXT(4096);
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    mu_text_add(&t, head);
    mu_text_puts(&t, "{}]}");
    if (t.failed || !mu_json_parse(&doc, mu_text_span(&t), 4096, NULL) ||
        !mu_schema_check(mu_schema_builtin("ride"), doc, NULL))
        return false;
    r->n = mu_json_int(doc, "n", 0);
    r->fresh = mu_json_bool(doc, "fresh", false);
    bool read = mu_id_parse(mu_json_span(doc, "ride_id"), &r->ride_id) &&
                mu_copy_text(r->queue, sizeof(r->queue), mu_json_span(doc, "queue")) &&
                mu_priority_parse(mu_json_span(doc, "priority"), &r->priority);
    mu_id_format(r->ride_id, r->id_text);
    return read;
}

static bool read_bundle(struct mu_ride *r, struct mu_span body)
{
    static const char marker[] = ",\"tasks\":[";
    const char *found = memmem(body.at, body.len, marker, strlen(marker)), *end = body.at + body.len;
    struct likeness like;
    struct mu_span raw;
    if (!found || !read_envelope(r, mu_span(body.at, (size_t)(found - body.at) + strlen(marker))))
        return false;
    const char *at = found + strlen(marker);
    struct mu_span rest = mu_span(at - 1, (size_t)(end - at) + 1);
    r->tasks = calloc(MU_RIDE_TASKS_MAX, sizeof(*r->tasks));
    while (r->tasks && r->count < MU_RIDE_TASKS_MAX && mu_json_next_element(&rest, &raw)) {
        struct mu_task *first = r->tasks, *t = &r->tasks[r->count];
        if (raw.at != at || !(r->count ? fill_alike(t, first, &like, raw) : mu_task_parse(t, raw, NULL)))
            return false;
        if (r->count++ == 0 && !take_likeness(first, &like))
            return false;
        at = raw.at + raw.len;
        if (at == end || *at != ',')
            return r->count > 1 && end - at == 2 && memcmp(at, "]}", 2) == 0 && !mu_id_equal(r->ride_id, first->task_id);
        at++;
    }
    return false;
}

bool mu_ride_parse(struct mu_ride *out, const char *subject, struct mu_span body, struct mu_error *err)
{
    struct mu_ride r = {.n = 0};
    struct mu_error why = {0};
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    if (body.len <= MU_TASK_MESSAGE_MAX && read_bundle(&r, body) && fits_subject(&r, subject)) {
        *out = r;
        return true;
    }
    mu_ride_fini(&r);
    r = (struct mu_ride){.n = 0};
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
