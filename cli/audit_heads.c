/* SPDX-License-Identifier: Apache-2.0 */
#include "audit.h"
#include "base/digest.h"
#include "base/file.h"
#include "domain/names.h"
#include "outside/topology.h"

#define FILE_BYTES_MAX ((size_t)256 << 20)
#define LINE_BYTES_MAX ((size_t)4096)
#define EVENT_BYTES_MAX ((size_t)1 << 20)
#define AT_ONCE 1000

/* Heads that wait to be compared, in one question. */
struct heads {
    struct audit_walk *walk;
    const char *where; /* they were noted: for people */
    size_t count;
    struct head {
        int64_t seq;
        char hash[65];
    } at[AT_ONCE];
};

static bool compare(struct heads *h, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    struct audit_walk *w = h->walk;
    mu_args_reset(w->args);
    mu_arg_array_begin(w->args, MU_ARRAY_I64);
    for (size_t i = 0; i < h->count; i++)
        mu_arg_array_i64(w->args, h->at[i].seq);
    mu_arg_array_end(w->args);
    if (h->count && !mu_store_run(w->store, SQL_AUDIT_HASHES, w->args, &rows, err))
        return false;
    for (size_t i = 0; i < h->count; i++) {
        const struct head *noted = &h->at[i];
        const char *has = NULL;
        for (size_t row = 0; row < mu_rows_count(rows) && !has; row++) /* both are short, and mostly in order */
            if (mu_row_i64(rows, row, 0) == noted->seq)
                has = mu_row_text(rows, row, 1);
        char detail[300], id[24];
        snprintf(id, sizeof(id), "%lld", (long long)noted->seq);
        if (has && strcmp(has, noted->hash) == 0)
            continue;
        snprintf(detail, sizeof(detail), "%s says that its hash was %s; %s", h->where, noted->hash,
                 has ? "the trail was made anew, from this link or an earlier one on" : "there is no such link");
        audit_tell(w, noted->seq, has ? "rewritten" : "removed", "audit", id, detail);
    }
    w->heads += (int64_t)h->count;
    h->count = 0;
    return true;
}

/* False with *err: it is no head, or could not be compared. What is not asked for is passed over. */
static bool take(struct heads *h, const json_t *doc, struct mu_error *err)
{
    struct mu_digest digest;
    const int64_t seq = mu_json_int(doc, "seq", 0);
    if (seq < 1 || !mu_digest_parse(mu_json_span(doc, "hash"), &digest))
        return mu_fail(err, MU_REJECTED, "no head of the trail, which has \"seq\" and \"hash\"");
    if (seq < h->walk->from || seq > h->walk->to)
        return true;
    h->at[h->count].seq = seq;
    snprintf(h->at[h->count].hash, sizeof(h->at[0].hash), "%s", mu_json_text(doc, "hash"));
    return ++h->count < AT_ONCE || compare(h, err);
}

bool audit_heads_of_file(struct audit_walk *w, const char *path, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text text = {0};
    struct heads *h = calloc(1, sizeof(*h));
    bool fine = h && mu_file_read(path, FILE_BYTES_MAX, &text, err);
    struct mu_span rest = mu_text_span(&text);
    if (h)
        *h = (struct heads){.walk = w, .where = path};
    for (int64_t line = 1; fine && rest.len; line++) {
        const char *end = memchr(rest.at, '\n', rest.len);
        const size_t len = end ? (size_t)(end - rest.at) : rest.len;
        MU_AUTO(mu_json_free) json_t *doc = NULL;
        fine = !len || ((mu_json_parse(&doc, mu_span(rest.at, len), LINE_BYTES_MAX, err) && take(h, doc, err)) ||
                        mu_while(err, "%s, line %lld", path, (long long)line));
        rest = end ? mu_span(end + 1, rest.len - len - 1) : mu_span(rest.at, 0);
    }
    fine = fine && compare(h, err);
    free(h);
    return fine || (err->fault != MU_OK ? false : mu_fail(err, MU_BROKEN, "out of memory"));
}

bool audit_heads_of_events(struct audit_walk *w, struct mu_bus *bus, struct mu_error *err)
{
    char subject[MU_SUBJECT_MAX];
    struct heads *h = calloc(1, sizeof(*h));
    uint64_t at = 1;
    bool fine = h != NULL, more = true;
    if (h)
        *h = (struct heads){.walk = w, .where = "an event"};
    mu_subject_event(subject, "operator.audit_head");
    while (fine && more) {
        MU_AUTO(mu_message_free) struct mu_message *m = NULL;
        MU_AUTO(mu_json_free) json_t *doc = NULL;
        fine = mu_stream_next(bus, MU_STREAM_EVENTS, at, subject, &m, err);
        more = fine && m;
        if (!more)
            break;
        at = m->stream_sequence + 1;
        fine = mu_json_parse(&doc, m->body, EVENT_BYTES_MAX, err);
        const json_t *events = json_object_get(doc, "events");
        for (size_t i = 0; fine && i < json_array_size(events); i++)
            fine = take(h, json_array_get(events, i), err);
        if (!fine)
            return free(h), mu_while(err, "event message %llu", (unsigned long long)(at - 1));
    }
    fine = fine && compare(h, err);
    free(h);
    return fine || (err->fault != MU_OK ? false : mu_fail(err, MU_BROKEN, "out of memory"));
}
