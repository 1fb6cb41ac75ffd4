/* SPDX-License-Identifier: Apache-2.0 */
/* From the bytes of a submission to jobs with their task bytes: schema, names, limits. */
#include "base/clock.h"
#include "batch.h"
#include "domain/task.h"
#include "domain/uri.h"
#include "engine/description.h"
#include "engine/run.h"
#include "format/schema.h"

#include <ctype.h>

bool batch_new(struct batch **out, struct dispatcher *d, struct mu_error *err)
{
    struct batch *b = calloc(1, sizeof(*b));
    if (!b)
        return mu_fail(err, MU_BROKEN, "out of memory");
    b->d = d;
    b->arena.ceiling = b->events.ceiling = (size_t)512 << 20;
    *out = b;
    return true;
}

void batch_reset(struct batch *b)
{
    for (size_t i = 0; i < b->request_count; i++)
        mu_message_free(b->requests[i].message);
    b->request_count = b->job_count = b->terms_count = 0;
    mu_text_reset(&b->arena);
    mu_text_reset(&b->events);
}

void batch_free(struct batch *b)
{
    if (!b)
        return;
    batch_reset(b);
    mu_text_free(&b->arena);
    mu_text_free(&b->events);
    free(b->jobs);
    free(b->terms);
    free(b->requests);
    free(b);
}

struct mu_span batch_span(const struct batch *b, struct piece p)
{
    return mu_span(b->arena.at + p.at, p.len);
}

static struct piece keep(struct batch *b, struct mu_span bytes)
{
    struct piece p = {b->arena.len, bytes.len};
    mu_text_add(&b->arena, bytes);
    return p;
}

static struct job *new_job(struct batch *b, size_t request, int64_t line)
{
    if (b->job_count == b->job_room) {
        size_t room = b->job_room ? b->job_room * 2 : 1024;
        struct job *grown = realloc(b->jobs, room * sizeof(*grown));
        if (!grown)
            return NULL;
        b->jobs = grown;
        b->job_room = room;
    }
    struct job *j = &b->jobs[b->job_count++];
    memset(j, 0, sizeof(*j));
    j->request = request;
    j->line = line;
    return j;
}

static struct request *new_request(struct batch *b)
{
    if (b->request_count == b->request_room) {
        size_t room = b->request_room ? b->request_room * 2 : 256;
        struct request *grown = realloc(b->requests, room * sizeof(*grown));
        if (!grown)
            return NULL;
        b->requests = grown;
        b->request_room = room;
    }
    struct request *r = &b->requests[b->request_count++];
    memset(r, 0, sizeof(*r));
    return r;
}

static bool take_queue(struct batch *b, struct job *j, const json_t *doc, struct mu_error *err)
{
    struct mu_span name = mu_json_span(doc, "queue"), priority = mu_json_span(doc, "priority");
    const struct mu_list *queues = &b->d->config->queues;
    j->priority = MU_NORMAL;
    if (priority.at && !mu_priority_parse(priority, &j->priority))
        return mu_reject(err, "invalid", "/priority", "want high, normal or low");
    if (!name.at) {
        j->queue = queues->count ? queues->at[0] : "default";
        return true;
    }
    for (size_t i = 0; i < queues->count; i++)
        if (mu_span_is(name, queues->at[i]))
            j->queue = queues->at[i];
    if (j->queue)
        return true;
    mu_reject(err, "unknown_queue", "/queue", "there is no queue \"%.*s\"", (int)name.len, name.at);
    return mu_hint(err, "queues.names of the dispatcher's configuration lists them");
}

static bool take_day(struct job *j, const json_t *doc, int32_t *days, struct mu_error *err)
{
    struct mu_span given = mu_json_span(doc, "as_of"), deadline = mu_json_span(doc, "deadline");
    if (given.at) {
        if (!mu_date_parse(given, days))
            return mu_reject(err, "invalid", "/as_of", "want a date like 2026-11-24");
    } else {
        *days = (int32_t)(mu_wall_us() / INT64_C(86400000000));
    }
    mu_date_format(*days, j->as_of);
    if (deadline.at && !mu_rfc3339_parse(deadline, &j->deadline_us))
        return mu_reject(err, "invalid", "/deadline", "want a time like 2026-11-24T18:00:00Z");
    return true;
}

/* 00-<trace>-<span>-<flags>, W3C trace context. */
static void take_trace(struct job *j, const struct mu_message *m)
{
    const char *parent = mu_message_header(m, "traceparent");
    if (!parent || strlen(parent) != 55 || strncmp(parent, "00-", 3) != 0)
        return;
    for (size_t i = 3; i < 35; i++)
        if (!isdigit((unsigned char)parent[i]) && !(parent[i] >= 'a' && parent[i] <= 'f'))
            return;
    memcpy(j->trace_id, parent + 3, 32);
}

/* Agents resolve a path beneath their roots; here it is refused sooner, with a better answer. */
static bool check_path(const struct mu_uri *uri, struct mu_error *err)
{
    if (!mu_span_is(uri->scheme, "file"))
        return true;
    for (struct mu_span rest = uri->rest, part; rest.len;) {
        const char *slash = memchr(rest.at, '/', rest.len);
        part = mu_span(rest.at, slash ? (size_t)(slash - rest.at) : rest.len);
        if (mu_span_is(part, "..")) {
            mu_reject(err, "path_refused", "/source/uri", "the path leaves the data roots");
            return mu_hint(err, "name a file below a root of the agents (worker.roots)");
        }
        rest = mu_span(rest.at + part.len + (slash != NULL), rest.len - part.len - (slash != NULL));
    }
    return true;
}

/* The source with its name, format and compression filled in: the worker asks nobody. */
static bool write_source(struct mu_text *out, const json_t *source, const struct resolved *pack, struct piece *name,
                         size_t base, struct mu_error *err)
{
    MU_AUTO(mu_json_free) json_t *full = json_copy((json_t *)(uintptr_t)source);
    struct mu_uri uri;
    if (!mu_uri_parse(&uri, mu_json_span(source, "uri"), err) || !check_path(&uri, err))
        return false;
    if (!json_object_get(full, "format")) {
        if (!uri.format) {
            mu_reject(err, "invalid", "/source", "the path does not say which format the file has");
            return mu_hint(err, "add \"format\": \"csv\"");
        }
        json_object_set_new(full, "format", json_string(uri.format));
    }
    if (!json_object_get(full, "compression") && uri.compression)
        json_object_set_new(full, "compression", json_string(uri.compression));
    if (!json_object_get(full, "name")) {
        char text[256], token[MU_TOKEN_MAX];
        snprintf(text, sizeof(text), "%.*s", (int)(uri.stem.len < 200 ? uri.stem.len : 200), uri.stem.at);
        mu_token_from(text, token);
        json_object_set_new(full, "name", json_string(token));
    }
    if (!mu_description_check(full, pack->pack, err))
        return mu_under(err, strncmp(err->pointer, "/source", 7) == 0 ? "" : "/source");
    mu_json_write(out, full);
    struct mu_span token = mu_json_span(full, "name");
    /* the name stands in what has just been written: find it there instead of keeping it twice */
    const char *at = memmem(out->at + base, out->len - base, token.at, token.len);
    *name = (struct piece){at ? (size_t)(at - out->at) : 0, at ? token.len : 0};
    return mu_text_ok(out, err);
}

static bool check_records(const json_t *records, const struct mu_pack *pack, struct mu_error *err)
{
    size_t i;
    json_t *record;
    json_array_foreach(records, i, record)
    {
        const char *key;
        json_t *value;
        json_object_foreach(record, key, value)
        {
            if (mu_pack_column(pack, mu_span_of(key)) >= 0)
                continue;
            char pointer[160];
            snprintf(pointer, sizeof(pointer), "/records/%zu/%.100s", i, key);
            mu_reject(err, "invalid", pointer, "pack %s has no column \"%.60s\"", pack->name, key);
            return mu_hint(err, "see `nats kv get muster_packs %s.%s`", pack->name, pack->version);
        }
    }
    return true;
}

/* Notes the job's terms. A batch has few: mostly the same ones job after job. */
static bool take_terms(struct batch *b, struct job *j, const struct resolved *pack, const json_t *params, struct mu_error *err)
{
    const struct mu_config *c = b->d->config;
    struct mu_text *out = &b->arena;
    size_t start = out->len;
    mu_text_putc(out, '{');
    mu_text_add(out, mu_text_span(&pack->pins));
    mu_json_key(out, "params");
    if (params)
        mu_json_write_canonical(out, params);
    else
        mu_text_puts(out, "{}");
    mu_json_put_text(out, "as_of", j->as_of);
    mu_json_put_int(out, "shard_bytes", c->task_shard_bytes);
    mu_json_put_int(out, "buckets", c->task_buckets);
    mu_text_addf(out, ",\"limits\":{\"record_bytes\":%lld,\"fields\":%lld}}", (long long)c->task_record_bytes, (long long)c->task_fields);
    if (!mu_text_ok(out, err))
        return false;
    struct mu_span written = batch_span(b, (struct piece){start, out->len - start});
    if (b->terms_count && mu_span_equal(written, batch_span(b, b->terms[b->terms_count - 1].bytes))) {
        mu_text_cut(out, start);
    } else {
        if (b->terms_count == b->terms_room) {
            size_t room = b->terms_room ? b->terms_room * 2 : 64;
            struct terms *grown = realloc(b->terms, room * sizeof(*grown));
            if (!grown)
                return mu_fail(err, MU_BROKEN, "out of memory");
            b->terms = grown;
            b->terms_room = room;
        }
        b->terms[b->terms_count++] = (struct terms){mu_digest_of(written), {start, written.len}};
    }
    j->terms = b->terms_count - 1;
    return true;
}

static bool write_task(struct batch *b, struct job *j, const json_t *doc, struct mu_span raw, const struct resolved *pack,
                       struct mu_error *err)
{
    const struct mu_config *c = b->d->config;
    const json_t *source = json_object_get(doc, "source");
    struct mu_text *out = &b->arena;
    char id[MU_ID_MAX], terms[MU_DIGEST_HEX];
    if (!take_terms(b, j, pack, json_object_get(doc, "params"), err))
        return false;
    size_t start = out->len;
    mu_id_format(j->id, id);
    mu_digest_format(&b->terms[j->terms].digest, terms);
    mu_text_puts(out, "{\"v\":1");
    mu_json_put_text(out, "task_id", id);
    mu_json_put_text(out, "stage", source ? "plan" : "scan");
    mu_json_put_text(out, "terms", terms);
    if (source) {
        mu_json_key(out, "source");
        size_t base = out->len;
        if (!write_source(out, source, pack, &j->source_name, base, err))
            return false;
    } else {
        struct mu_span records;
        if (!mu_json_raw(raw, "records", &records))
            return mu_reject(err, "malformed", "/records", "the records cannot be found in the document");
        if ((int64_t)records.len > c->submit_max_records_bytes) {
            mu_reject(err, "too_large", "/records", "the records have %zu bytes, the limit is %lld", records.len,
                      (long long)c->submit_max_records_bytes);
            return mu_hint(err, "put them into a file and name it as source");
        }
        mu_json_put_raw(out, "records", records);
    }
    mu_text_putc(out, '}');
    if (!mu_text_ok(out, err))
        return false;
    j->task = (struct piece){start, out->len - start};
    size_t message = j->task.len + b->terms[j->terms].bytes.len;
    if (message > MU_TASK_MESSAGE_MAX - MU_TASK_ROOM) { /* no agent would ever get it */
        mu_reject(err, "too_large", json_object_get(doc, "rules") ? "/rules" : "", "the task would take %zu bytes in the queue, the limit is %d",
                  message, MU_TASK_MESSAGE_MAX - MU_TASK_ROOM);
        return mu_hint(err, "load the rules as a pack, put the records into a file");
    }
    j->task_digest = mu_digest_of(batch_span(b, j->task));
    j->pack = keep(b, mu_span_of(pack->name));
    if (!source)
        j->source_name = keep(b, mu_span_of("records"));
    j->alone = source != NULL;
    const json_t *labels = json_object_get(doc, "labels");
    if (labels) {
        size_t at = out->len;
        mu_json_write(out, labels);
        j->labels = (struct piece){at, out->len - at};
    }
    return mu_text_ok(out, err);
}

/* The idempotency key, and the digest that tells whether the same key came with the same body. */
static bool take_key(struct batch *b, struct job *j, const json_t *doc, const char *header, bool is_batch, struct mu_error *err)
{
    struct mu_span given = mu_json_span(doc, "id");
    char made[260];
    if (given.at && header && !is_batch && !mu_span_is(given, header))
        return mu_reject(err, "invalid", "/id", "the key in the body is not that of the header Nats-Msg-Id");
    if (!given.at && !header && b->fallback_key[0])
        given = mu_span_of(b->fallback_key);
    if (!given.at && header) {
        int len = is_batch ? snprintf(made, sizeof(made), "%.200s/%lld", header, (long long)j->line - 1)
                           : snprintf(made, sizeof(made), "%.250s", header);
        given = mu_span(made, (size_t)len);
    }
    if (!given.at)
        return true;
    MU_AUTO(mu_text_free) struct mu_text canonical = {0};
    mu_json_write_canonical(&canonical, doc);
    if (!mu_text_ok(&canonical, err))
        return false;
    j->keyed = true;
    j->key = keep(b, given);
    j->body_digest = mu_digest_of(mu_text_span(&canonical));
    return true;
}

/* MU_REJECTED is noted in the job; other faults stop the reading. */
static bool read_job(struct batch *b, size_t at, struct mu_span raw, const struct mu_message *m, const char *header_key,
                     bool is_batch, struct mu_error *err)
{
    struct job *j = &b->jobs[at];
    const struct mu_config *c = b->d->config;
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    MU_AUTO(resolved_free) struct resolved *in_place = NULL;
    const struct resolved *pack = NULL;
    struct mu_error why = {0};
    int32_t days = 0;
    j->id = mu_id_new();
    take_trace(j, m);
    bool good = mu_json_parse(&doc, raw, (size_t)c->submit_max_bytes, &why) &&
                mu_schema_check(mu_schema_builtin("job"), doc, &why) && take_queue(b, j, doc, &why) &&
                take_day(j, doc, &days, &why) && take_key(b, j, doc, header_key, is_batch, &why);
    if (good && (int64_t)json_object_size(json_object_get(doc, "labels")) > c->submit_max_labels)
        good = mu_reject(&why, "too_large", "/labels", "more than %lld labels", (long long)c->submit_max_labels);
    if (good) {
        const json_t *rules = json_object_get(doc, "rules");
        good = rules ? resolver_inline(b->d->resolver, rules, &in_place, &why)
                     : resolver_find(b->d->resolver, mu_json_span(doc, "pack"), &pack, &why);
        pack = rules ? in_place : pack;
    }
    const json_t *params = json_object_get(doc, "params"), *records = json_object_get(doc, "records");
    good = good && ((!params && !in_place) || resolver_try(pack, params, days, &why)) &&
           (!records || check_records(records, pack->pack, &why)) && write_task(b, j, doc, raw, pack, &why);
    if (good)
        return true;
    if (why.fault != MU_REJECTED) {
        *err = why;
        return false;
    }
    j->error = why;
    return true;
}

/* Walks the lines of NDJSON; white lines do not count. */
static bool next_line(struct mu_span *rest, struct mu_span *line)
{
    while (rest->len) {
        const char *end = memchr(rest->at, '\n', rest->len);
        size_t len = end ? (size_t)(end - rest->at) : rest->len;
        *line = mu_span(rest->at, len);
        *rest = mu_span(rest->at + len + (end != NULL), rest->len - len - (end != NULL));
        for (size_t i = 0; i < line->len; i++)
            if (!isspace((unsigned char)line->at[i]))
                return true;
    }
    return false;
}

enum shape { ONE, ARRAY, LINES };

/* An array begins with a bracket; several documents are one on each line. */
static enum shape shape_of(struct mu_span body)
{
    size_t i = 0;
    while (i < body.len && isspace((unsigned char)body.at[i]))
        i++;
    if (i < body.len && body.at[i] == '[')
        return ARRAY;
    const char *end = memchr(body.at + i, '\n', body.len - i);
    struct mu_span rest = end ? mu_span(end, (size_t)(body.at + body.len - end)) : mu_span("", 0), line;
    if (!next_line(&rest, &line))
        return ONE;
    /* a document that is spread over lines does not begin a new one on its second line */
    return line.at[strspn(line.at, " \t\r")] == '{' && end > body.at && memchr(body.at + i, '}', (size_t)(end - body.at) - i) ? LINES : ONE;
}

static bool read_many(struct batch *b, size_t request, enum shape shape, struct mu_span body, const char *key, struct mu_error *err)
{
    const struct mu_message *m = b->requests[request].message;
    struct mu_span rest = body, raw;
    int64_t line = 0;
    if (shape == ARRAY) { /* its elements can only be found if the whole is JSON */
        MU_AUTO(mu_json_free) json_t *doc = NULL;
        if (!mu_json_parse(&doc, body, (size_t)b->d->config->submit_max_bytes, &b->requests[request].error))
            return true;
    }
    while (shape == ARRAY ? mu_json_next_element(&rest, &raw) : next_line(&rest, &raw)) {
        if (++line > b->d->config->submit_max_batch) {
            mu_reject(&b->requests[request].error, "too_large", "", "more than %lld jobs in one submission",
                      (long long)b->d->config->submit_max_batch);
            return true;
        }
        if (!new_job(b, request, line))
            return mu_fail(err, MU_BROKEN, "out of memory");
        b->requests[request].count++;
        if (!read_job(b, b->job_count - 1, raw, m, key, true, err))
            return false;
    }
    return true;
}

static bool read_request(struct batch *b, size_t request, struct mu_error *err)
{
    struct request *r = &b->requests[request];
    const struct mu_config *c = b->d->config;
    struct mu_span body = r->message->body;
    const char *header = mu_message_header(r->message, "Nats-Msg-Id");
    b->fallback_key[0] = '\0';
    if ((int64_t)body.len > c->submit_max_bytes) {
        mu_reject(&r->error, "too_large", "", "the submission has %zu bytes, the limit is %lld", body.len, (long long)c->submit_max_bytes);
        mu_hint(&r->error, "send a file in parts: `muster submit -f` does");
        return true;
    }
    if (header && (!header[0] || strlen(header) > 200)) {
        mu_reject(&r->error, "invalid", "", "the header Nats-Msg-Id wants 1 to 200 characters");
        return true;
    }
    if (r->from_intake) /* a redelivery must meet itself */
        snprintf(b->fallback_key, sizeof(b->fallback_key), "intake:%s:%llu:%lld", b->d->intake_created,
                 (unsigned long long)r->message->stream_sequence, (long long)r->message->stored_us);
    enum shape shape = r->from_intake ? ONE : shape_of(body);
    r->is_batch = shape != ONE;
    if (shape != ONE)
        return read_many(b, request, shape, body, header, err);
    if (!new_job(b, request, 1))
        return mu_fail(err, MU_BROKEN, "out of memory");
    r->count = 1;
    return read_job(b, b->job_count - 1, body, r->message, header, false, err);
}

bool batch_add(struct batch *b, struct mu_message *m, bool from_intake, size_t endpoint, struct mu_error *err)
{
    size_t jobs = b->job_count, terms = b->terms_count, arena = b->arena.len;
    struct request *r = new_request(b);
    if (!r)
        return mu_fail(err, MU_BROKEN, "out of memory");
    r->message = m;
    r->from_intake = from_intake;
    r->endpoint = endpoint;
    r->first = jobs;
    r->received_us = mu_clock_us();
    if (read_request(b, b->request_count - 1, err))
        return true;
    b->request_count--; /* the message stays the caller's */
    b->job_count = jobs;
    b->terms_count = terms;
    mu_text_cut(&b->arena, arena);
    return false;
}
