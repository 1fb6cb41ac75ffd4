/* SPDX-License-Identifier: Apache-2.0 */
#include "results.h"
#include "base/clock.h"
#include "domain/task.h"
#include "format/schema.h"

#define MESSAGE_BYTES_MAX ((size_t)1 << 20)

/* Room for one more element; NULL when out of memory. */
static void *grow(void **list, size_t *room, size_t count, size_t size)
{
    if (count < *room)
        return (char *)*list + count * size;
    size_t wanted = *room ? *room * 2 : 256;
    void *grown = realloc(*list, wanted * size);
    if (!grown)
        return NULL;
    *list = grown;
    *room = wanted;
    return (char *)grown + count * size;
}

static struct outcome_row *new_outcome(struct results *r)
{
    void *list = r->outcomes;
    struct outcome_row *row = grow(&list, &r->outcome_room, r->outcome_count, sizeof(*row));
    r->outcomes = list;
    return row;
}

static struct finding_row *new_finding(struct results *r)
{
    void *list = r->findings;
    struct finding_row *row = grow(&list, &r->finding_room, r->finding_count, sizeof(*row));
    r->findings = list;
    return row;
}

static struct deferred_row *new_deferred(struct results *r)
{
    void *list = r->deferred;
    struct deferred_row *row = grow(&list, &r->deferred_room, r->deferred_count, sizeof(*row));
    r->deferred = list;
    return row;
}

static bool put_aside(struct results *r, size_t from, int64_t index, const char *reason, struct mu_error *err)
{
    void *list = r->quarantine;
    struct quarantine_row *row = grow(&list, &r->quarantine_room, r->quarantine_count, sizeof(*row));
    r->quarantine = list;
    if (!row)
        return mu_fail(err, MU_BROKEN, "out of memory");
    *row = (struct quarantine_row){.reason = reason, .from = from, .index = index};
    r->quarantine_count++;
    return true;
}

static bool is_computed(struct mu_span result, struct mu_span reason)
{
    static const char *const computed[] = {"pass", "warn", "fail", "not_evaluated", "planned"};
    for (size_t i = 0; i < MU_COUNT(computed); i++)
        if (mu_span_is(result, computed[i]))
            return true;
    return mu_span_is(result, "error") && reason.len > 6 && memcmp(reason.at, "limit_", 6) == 0;
}

static void member_int(struct mu_sha *sha, int64_t value) /* never negative */
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    mu_sha_member(sha, mu_span(digits + at, sizeof(digits) - at));
}

/* Over all that input, rules and day determine: two computed outcomes of one task must agree in it. */
static struct mu_digest determined_of(const struct outcome_row *o, const struct mu_digest *tally)
{
    struct mu_sha sha;
    mu_sha_init(&sha);
    mu_sha_member(&sha, o->result);
    mu_sha_member(&sha, o->reason);
    mu_sha_member(&sha, mu_span((const char *)o->input_digest.b, o->has_input_digest ? sizeof(o->input_digest.b) : 0));
    member_int(&sha, o->records);
    member_int(&sha, o->bad);
    member_int(&sha, o->skipped);
    member_int(&sha, o->bytes);
    member_int(&sha, o->findings);
    mu_sha_member(&sha, mu_span(tally ? (const char *)tally->b : "", tally ? sizeof(tally->b) : 0));
    mu_sha_member(&sha, o->plan);
    return mu_sha_end(&sha);
}

static int64_t optional_int(const json_t *doc, const char *key)
{
    return mu_json_int(doc, key, -1);
}

/* The schema has been checked: what is read here has its type and form. */
static bool read_finding(struct finding_row *f, const json_t *doc, struct mu_span raw)
{
    f->rule = mu_json_span(doc, "rule");
    f->severity = mu_json_span(doc, "severity");
    f->outcome = mu_json_span(doc, "outcome");
    f->subject = mu_json_span(doc, "subject");
    f->part = mu_json_span(doc, "part");
    f->message = mu_json_span(doc, "message");
    f->shadow = mu_json_bool(doc, "shadow", false);
    f->record = optional_int(doc, "record_no");
    f->byte_off = optional_int(doc, "byte_off");
    f->length = optional_int(doc, "length");
    f->line = optional_int(doc, "line");
    return mu_id_parse(mu_json_span(doc, "finding_id"), &f->id) && mu_digest_parse(mu_json_span(doc, "fingerprint"), &f->fingerprint) &&
           mu_json_raw(raw, "evidence", &f->evidence);
}

/* Findings of an array; how many distinct ones is for PostgreSQL to say: repeats have equal ids. */
static bool add_findings(struct results *r, const json_t *list, struct mu_span raw, const struct finding_row *head, bool *good,
                         struct mu_error *err)
{
    size_t i = 0;
    struct mu_span element;
    while (i < json_array_size(list) && mu_json_next_element(&raw, &element)) {
        struct finding_row *f = new_finding(r);
        if (!f)
            return mu_fail(err, MU_BROKEN, "out of memory");
        *f = *head;
        f->index = head->index * 100000 + (int64_t)i;
        *good = *good && read_finding(f, json_array_get(list, i), element);
        r->finding_count++;
        i++;
    }
    *good = *good && i == json_array_size(list);
    return true;
}

static bool read_outcome(struct outcome_row *o, const json_t *doc, struct mu_span raw, const struct mu_digest *tally)
{
    struct mu_span digest = mu_json_span(doc, "input_digest");
    o->result = mu_json_span(doc, "result");
    o->reason = mu_json_span(doc, "reason");
    o->message = mu_json_span(doc, "message");
    o->n = mu_json_int(doc, "n", 1);
    o->delivery = mu_json_int(doc, "delivery", 1);
    o->records = mu_json_int(doc, "records", 0);
    o->bad = mu_json_int(doc, "bad", 0);
    o->skipped = mu_json_int(doc, "skipped", 0);
    o->bytes = mu_json_int(doc, "bytes", 0);
    o->findings = mu_json_int(doc, "findings_total", 0);
    o->crashes = mu_json_int(doc, "crashes", 0);
    o->has_input_digest = digest.at != NULL;
    if (json_object_get(doc, "plan") && !mu_json_raw(raw, "plan", &o->plan))
        return false;
    if (json_object_get(doc, "resumes") && !mu_json_raw(raw, "resumes", &o->resumes))
        return false;
    struct mu_span task = mu_json_span(doc, "task_id"), job = mu_json_span(doc, "job_id");
    bool read = mu_id_parse(task, &o->task) && mu_id_parse(job.at ? job : task, &o->job) &&
                mu_digest_parse(mu_json_span(doc, "task_digest"), &o->task_digest) &&
                (!o->has_input_digest || mu_digest_parse(digest, &o->input_digest)) &&
                mu_rfc3339_parse(mu_json_span(doc, "started_at"), &o->started_us) &&
                mu_rfc3339_parse(mu_json_span(doc, "finished_at"), &o->finished_us);
    o->computed = is_computed(o->result, o->reason);
    o->determined = determined_of(o, tally);
    return read;
}

static bool add_outcome(struct results *r, const struct outcome_row *head, const struct tally_list *tallies, const json_t *doc,
                        struct mu_span raw, bool *good, struct mu_error *err)
{
    int64_t tally = mu_json_int(doc, "tally", -1);
    struct outcome_row *o = new_outcome(r);
    if (!o)
        return mu_fail(err, MU_BROKEN, "out of memory");
    *o = *head;
    o->tally = -1;
    *good = tally < (int64_t)tallies->count && read_outcome(o, doc, raw, tally < 0 ? NULL : &tallies->digests[tally]);
    if (*good && tally >= 0 && !tally_find(&r->tallies, o->task, tallies->rules[tally], &tallies->digests[tally], &o->tally, err))
        return false;
    r->outcome_count++;
    r->planned |= mu_span_is(o->result, "planned");
    const json_t *riding = json_object_get(doc, "findings");
    struct mu_span list;
    if (!*good || !json_array_size(riding))
        return true;
    const struct finding_row f = {.task = o->task, .job = o->job, .task_digest = o->task_digest, .input_digest = o->input_digest,
                                  .queue = o->queue, .from = o->from, .index = o->index + 1};
    size_t before = r->finding_count, at = r->outcome_count - 1;
    if (!mu_json_raw(raw, "findings", &list))
        return *good = false, true;
    if (!add_findings(r, riding, list, &f, good, err))
        return false;
    r->outcomes[at].riding = (int64_t)(r->finding_count - before);
    return true;
}

static bool add_plain(struct results *r, const struct outcome_row *head, const struct tally_list *tallies, const struct plain_outcome *p,
                      bool *good, struct mu_error *err)
{
    struct outcome_row *o = new_outcome(r);
    if (!o)
        return mu_fail(err, MU_BROKEN, "out of memory");
    *o = *head;
    o->task = o->job = p->task;
    o->task_digest = p->task_digest;
    o->input_digest = p->input_digest;
    o->has_input_digest = o->computed = true;
    o->result = p->result;
    o->reason = o->message = o->plan = o->resumes = mu_span(NULL, 0);
    o->n = o->delivery = 1;
    o->records = p->records;
    o->bytes = p->bytes;
    o->started_us = p->started_us;
    o->finished_us = p->finished_us;
    *good = p->tally < (int64_t)tallies->count;
    if (!*good)
        return true;
    o->determined = determined_of(o, &tallies->digests[p->tally]);
    r->outcome_count++;
    return tally_find(&r->tallies, p->task, tallies->rules[p->tally], &tallies->digests[p->tally], &r->outcomes[r->outcome_count - 1].tally, err);
}

/* All outcomes of a message in their order, whichever way they were read. */
static bool add_outcomes(struct results *r, size_t at, struct outcome_row *head, const struct tally_list *tallies, const json_t *outcomes,
                         bool *good, struct mu_error *err)
{
    const struct plain_split *split = &r->split;
    struct mu_span list = mu_span("", 0), raw;
    size_t count = split->count ? split->count : json_array_size(outcomes), read = 0;
    if (!split->count && outcomes && !mu_json_raw(r->messages[at]->body, "outcomes", &list))
        return *good = false, true;
    for (size_t i = 0; *good && i < count; i++) {
        head->index = (int64_t)i;
        if (split->count && split->is_plain[i]) {
            if (!add_plain(r, head, tallies, &split->plain[i], good, err))
                return false;
            continue;
        }
        if (split->count)
            raw = split->raw[i];
        else if (!mu_json_next_element(&list, &raw))
            return *good = false, true;
        if (!add_outcome(r, head, tallies, json_array_get(outcomes, read++), raw, good, err))
            return false;
    }
    return true;
}

static bool add_result_message(struct results *r, size_t at, const json_t *doc, const struct mu_result_subject *subject, bool *good,
                               struct mu_error *err)
{
    struct tally_list tallies;
    const json_t *outcomes = json_object_get(doc, "outcomes"), *deferred = json_object_get(doc, "deferred");
    struct outcome_row head = {.agent = mu_json_span(doc, "agent"), .queue = mu_json_span(doc, "queue"), .from = at};
    *good = mu_id_parse(mu_json_span(doc, "ride_id"), &head.ride) && mu_id_parse(mu_json_span(doc, "incarnation"), &head.incarnation) &&
            mu_span_is(head.queue, subject->queue) && mu_span_is(mu_json_span(doc, "ride_id"), subject->id) &&
            tally_list_read(&tallies, doc, r->messages[at]->body);
    if (*good && !add_outcomes(r, at, &head, &tallies, outcomes, good, err))
        return false;
    for (size_t i = 0; *good && i < json_array_size(deferred); i++) {
        const json_t *entry = json_array_get(deferred, i);
        struct deferred_row *d = new_deferred(r);
        if (!d)
            return mu_fail(err, MU_BROKEN, "out of memory");
        *d = (struct deferred_row){.n = mu_json_int(entry, "n", 0), .class_ = mu_json_span(entry, "class"), .from = at,
                                   .reason = mu_json_span(entry, "reason"), .message = mu_json_span(entry, "message")};
        *good = mu_id_parse(mu_json_span(entry, "task_id"), &d->task);
        r->deferred_count++;
    }
    return true;
}

static bool add_finding_message(struct results *r, size_t at, const json_t *doc, const struct mu_result_subject *subject, bool *good,
                                struct mu_error *err)
{
    struct mu_span list;
    struct finding_row head = {.queue = mu_span_of(""), .from = at};
    /* the queue is that of the subject; it is compared with the task's row */
    const char *queue = strchr(r->messages[at]->subject + strlen("muster."), '.') + 1;
    head.queue = mu_span(queue, strcspn(queue, "."));
    *good = mu_id_parse(mu_json_span(doc, "task_id"), &head.task) && mu_id_parse(mu_json_span(doc, "job_id"), &head.job) &&
            mu_digest_parse(mu_json_span(doc, "task_digest"), &head.task_digest) &&
            mu_digest_parse(mu_json_span(doc, "input_digest"), &head.input_digest) &&
            mu_span_is(mu_json_span(doc, "task_id"), subject->id) && mu_json_raw(r->messages[at]->body, "findings", &list);
    return !*good || add_findings(r, json_object_get(doc, "findings"), list, &head, good, err);
}

/* Takes back what a message has added. */
struct mark {
    size_t outcomes, findings, deferred;
};

static struct mark mark_of(const struct results *r)
{
    return (struct mark){r->outcome_count, r->finding_count, r->deferred_count};
}

static void back_to(struct results *r, struct mark m)
{
    r->outcome_count = m.outcomes;
    r->finding_count = m.findings;
    r->deferred_count = m.deferred;
}

static bool read_message(struct results *r, size_t at, struct mu_error *err)
{
    const struct mu_message *m = r->messages[at];
    struct mu_result_subject subject;
    struct mu_error why = {0};
    struct mark before = mark_of(r);
    bool good = true;
    if (!mu_subject_parse_result(m->subject, &subject))
        return put_aside(r, at, 0, "foreign_subject", err);
    bool split = !subject.finding && m->body.len <= MESSAGE_BYTES_MAX && plain_split(&r->split, m->body);
    if (!split)
        r->split.count = 0;
    if (!mu_json_arena_parse(r->arena, &r->docs[at], split ? mu_text_span(&r->split.rest) : m->body, MESSAGE_BYTES_MAX, &why))
        return put_aside(r, at, 0, "malformed", err);
    if (!mu_schema_check(mu_schema_builtin(subject.finding ? "findings" : "result"), r->docs[at], &why))
        return put_aside(r, at, 0, "bad_schema", err);
    bool done = subject.finding ? add_finding_message(r, at, r->docs[at], &subject, &good, err)
                                : add_result_message(r, at, r->docs[at], &subject, &good, err);
    if (done && good)
        return true;
    back_to(r, before);
    return done && put_aside(r, at, 0, "contradiction", err);
}

bool results_add(struct results *r, struct mu_message *m, struct mu_error *err)
{
    if (r->count == r->room) {
        size_t room = r->room ? r->room * 2 : 1024;
        struct mu_message **messages = realloc(r->messages, room * sizeof(struct mu_message *));
        if (messages)
            r->messages = messages;
        json_t **docs = realloc(r->docs, room * sizeof(json_t *));
        if (docs)
            r->docs = docs;
        if (!messages || !docs) {
            mu_message_free(m);
            return mu_fail(err, MU_BROKEN, "out of memory");
        }
        r->room = room;
    }
    r->messages[r->count] = m;
    r->docs[r->count] = NULL;
    r->bytes += m->body.len;
    r->count++;
    return read_message(r, r->count - 1, err);
}

void results_put_aside(struct results *r, size_t message, const char *reason)
{
    size_t kept = 0;
    struct mu_error ignored = {0};
    for (size_t i = 0; i < r->outcome_count; i++)
        if (r->outcomes[i].from != message)
            r->outcomes[kept++] = r->outcomes[i];
    r->outcome_count = kept;
    kept = 0;
    for (size_t i = 0; i < r->finding_count; i++)
        if (r->findings[i].from != message)
            r->findings[kept++] = r->findings[i];
    r->finding_count = kept;
    kept = 0;
    for (size_t i = 0; i < r->deferred_count; i++)
        if (r->deferred[i].from != message)
            r->deferred[kept++] = r->deferred[i];
    r->deferred_count = kept;
    (void)!put_aside(r, message, 0, reason, &ignored);
}

void results_reset(struct results *r)
{
    for (size_t i = 0; i < r->count; i++) {
        mu_message_free(r->messages[i]);
        mu_json_arena_drop(r->arena, r->docs[i]);
    }
    if (r->arena)
        mu_json_arena_reset(r->arena);
    r->planned = false;
    r->count = r->bytes = r->outcome_count = r->finding_count = r->deferred_count = r->quarantine_count = 0;
    tally_reset(&r->tallies);
}

void results_free(struct results *r)
{
    results_reset(r);
    free(r->messages);
    free(r->docs);
    tally_free(&r->tallies);
    mu_text_free(&r->split.rest);
    free(r->outcomes);
    free(r->findings);
    free(r->deferred);
    free(r->quarantine);
    *r = (struct results){0};
}
