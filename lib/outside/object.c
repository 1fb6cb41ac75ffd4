/* SPDX-License-Identifier: Apache-2.0 */
#include "outside/object.h"
#include "base/base64.h"
#include "format/json.h"
#include "outside/bus_inside.h"

#include <strings.h>

#define META_MAX ((size_t)256 * 1024)
#define CHUNK_BYTES 131072 /* of authors who do not say */

static bool bad(struct mu_error *err, const char *what)
{
    return mu_reject(err, "source_unreadable", "", "what describes the object is not as the object store has it: %s", what);
}

/* "SHA-256=<base64url>"; older clients wrote the algorithm in lower case. */
static bool parse_digest(struct mu_span text, struct mu_digest *out)
{
    return text.len > 8 && strncasecmp(text.at, "SHA-256=", 8) == 0 &&
           mu_base64url_parse(mu_span(text.at + 8, text.len - 8), out->b, sizeof(out->b));
}

static bool parse_meta(const json_t *doc, enum mu_object_is *is, struct mu_object *o, struct mu_error *err)
{
    const json_t *options = json_object_get(doc, "options");
    struct mu_span nuid = mu_json_span(doc, "nuid");
    if (mu_json_bool(doc, "deleted", false) || json_object_get(options, "link")) {
        *is = mu_json_bool(doc, "deleted", false) ? MU_OBJECT_DELETED : MU_OBJECT_LINK;
        return true;
    }
    o->size = mu_json_int(doc, "size", 0); /* what is 0 may be left out */
    o->chunks = mu_json_int(doc, "chunks", 0);
    o->chunk_bytes = mu_json_int(options, "max_chunk_size", CHUNK_BYTES);
    if (!mu_token_valid(nuid) || !mu_copy_text(o->nuid, sizeof(o->nuid), nuid))
        return bad(err, "it has no nuid");
    if (o->size < 0 || o->chunks < 0 || o->chunk_bytes < 1 || (o->size && (o->chunks < 1 || o->chunks > o->size)))
        return bad(err, "size and number of chunks cannot be true");
    if (!parse_digest(mu_json_span(doc, "digest"), &o->digest))
        return bad(err, "it has no digest of the form SHA-256=…");
    *is = MU_OBJECT_THERE;
    return true;
}

bool mu_object_find(struct mu_bus *bus, const char *bucket, struct mu_span name, enum mu_object_is *is,
                    struct mu_object *out, struct mu_error *err)
{
    char stream[MU_SUBJECT_MAX], subject[MU_OBJECT_SUBJECT_MAX], which[MU_OBJECT_SUBJECT_MAX + 32];
    MU_AUTO(mu_message_free) struct mu_message *m = NULL;
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    struct mu_object o = {.size = 0};
    bool there;
    if (!mu_subject_of_object(subject, bucket, name) || !mu_copy_text(o.bucket, sizeof(o.bucket), mu_span_of(bucket)))
        return mu_reject(err, "path_refused", "/source/uri", "the name of the object is empty, or longer than %d bytes",
                         MU_OBJECT_NAME_MAX - 1);
    mu_stream_of_objects(stream, bucket);
    snprintf(which, sizeof(which), "{\"last_by_subj\":\"%s\"}", subject);
    if (!stream_read(bus, stream, mu_span_of(which), true, &there, &m, err))
        return mu_while(err, "looking for an object of bucket %s", bucket);
    if (!m) {
        *is = there ? MU_OBJECT_NONE : MU_OBJECT_NO_BUCKET;
        return true;
    }
    struct mu_error why = {0};
    if (!mu_json_parse(&doc, m->body, META_MAX, &why))
        return bad(err, why.text);
    if (!parse_meta(doc, is, &o, err))
        return false;
    if (*is == MU_OBJECT_THERE)
        *out = o;
    return true;
}

static bool read_chunk(struct mu_bus *bus, const struct mu_object *o, const char *which, struct mu_message **out,
                       struct mu_error *err)
{
    char stream[MU_SUBJECT_MAX];
    bool there;
    mu_stream_of_objects(stream, o->bucket);
    return stream_read(bus, stream, mu_span_of(which), false, &there, out, err) ||
           mu_while(err, "reading an object of bucket %s", o->bucket);
}

bool mu_object_chunk(struct mu_bus *bus, const struct mu_object *o, uint64_t sequence, struct mu_message **out,
                     struct mu_error *err)
{
    char subject[MU_SUBJECT_MAX], which[MU_SUBJECT_MAX + 80];
    mu_subject_of_chunks(subject, o->bucket, o->nuid);
    snprintf(which, sizeof(which), "{\"seq\":%llu,\"next_by_subj\":\"%s\"}", (unsigned long long)(sequence ? sequence : 1),
             subject);
    return read_chunk(bus, o, which, out, err);
}

bool mu_object_last_chunk(struct mu_bus *bus, const struct mu_object *o, struct mu_message **out, struct mu_error *err)
{
    char subject[MU_SUBJECT_MAX], which[MU_SUBJECT_MAX + 32];
    mu_subject_of_chunks(subject, o->bucket, o->nuid);
    snprintf(which, sizeof(which), "{\"last_by_subj\":\"%s\"}", subject);
    return read_chunk(bus, o, which, out, err);
}
