/* SPDX-License-Identifier: Apache-2.0 */
/* `object:<bucket>/<name>`: the NATS object store, from buckets that the configuration names.
 *
 * Chunks are found by walking from one to the next. Where they are all of one size and stand one behind the
 * other in the stream, as a put of a file makes them unless others put into the bucket meanwhile, the chunk
 * of an offset can be reckoned: no chunk is larger than its author said, so with their number, the first and
 * the last one seen none can be smaller. Then the object is seekable. Links are refused: what they lead to
 * has a name of its own. */
#include "outside/object.h"
#include "sources/source.h"

struct object {
    struct mu_source base;
    struct mu_sources *all;
    char name[MU_OBJECT_NAME_MAX];
    struct mu_object what;
    uint64_t first;           /* sequence of the first chunk */
    bool even;                /* chunks of one size, one behind the other */
    struct mu_message *chunk; /* the one at hand; NULL: none */
    int64_t chunk_at;         /* its offset, or that of the next one */
    uint64_t next;            /* sequence behind it */
    struct mu_sha sha;        /* of the bytes read from the beginning on without a gap */
    int64_t hashed;
};

/* The broker's silence is the source's. */
static bool down(struct mu_error *err)
{
    if (err->fault == MU_UNAVAILABLE)
        snprintf(err->code, sizeof(err->code), "source_down");
    return false;
}

/* What there is under the name now, or why nothing can be read. */
static bool find(struct object *o, const char *bucket, struct mu_object *out, struct mu_error *err)
{
    enum mu_object_is is;
    if (!mu_object_find(o->all->bus, bucket, mu_span_of(o->name), &is, out, err))
        return down(err);
    switch (is) {
    case MU_OBJECT_THERE:
        return true;
    case MU_OBJECT_NO_BUCKET:
        return mu_reject(err, "source_missing", "", "the object store has no bucket %s", bucket);
    case MU_OBJECT_NONE:
        return mu_reject(err, "source_missing", "", "bucket %s has no object %.200s", bucket, o->name);
    case MU_OBJECT_DELETED:
        return mu_reject(err, "source_missing", "", "object %.200s of bucket %s has been deleted", o->name,
                         bucket);
    case MU_OBJECT_LINK:
        mu_reject(err, "source_not_file", "", "object %.200s of bucket %s is a link", o->name, bucket);
        return mu_hint(err, "name what it leads to");
    }
    return mu_fail(err, MU_BROKEN, "an object is nothing that is known");
}

static bool same(const struct mu_object *a, const struct mu_object *b)
{
    return strcmp(a->nuid, b->nuid) == 0 && mu_digest_equal(&a->digest, &b->digest);
}

static bool unchanged(struct mu_source *s, struct mu_error *err)
{
    struct object *o = (struct object *)(void *)s;
    struct mu_object now;
    struct mu_error why = {0};
    if (!find(o, o->what.bucket, &now, &why)) {
        if (why.fault == MU_REJECTED)
            return mu_reject(err, "source_changed", "", "the object was taken away while it was read: %s",
                             why.text);
        return mu_fail_code(err, why.fault, why.code, "%s", why.text);
    }
    return same(&now, &o->what) ||
           mu_reject(err, "source_changed", "", "the object was replaced while it was read");
}

/* A chunk that should be there is not: the object has another one in its place, or its bucket has lost
 * something. */
static bool lost(struct object *o, struct mu_error *err)
{
    return unchanged(&o->base, err) &&
           mu_reject(err, "source_unreadable", "",
                     "the bucket %s has lost the bytes of the object from %lld on", o->what.bucket,
                     (long long)o->chunk_at);
}

static void take(struct object *o, struct mu_message *m, int64_t at)
{
    mu_message_free(o->chunk);
    o->chunk = m;
    o->chunk_at = at;
    o->next = m->stream_sequence + 1;
}

/* Every byte that has been read from the beginning on goes into the digest that the author gave. */
static bool hash(struct object *o, struct mu_error *err)
{
    if (o->chunk_at != o->hashed)
        return true;
    mu_sha_add(&o->sha, o->chunk->body);
    o->hashed += (int64_t)o->chunk->body.len;
    if (o->hashed < o->what.size)
        return true;
    struct mu_digest digest = mu_sha_end(&o->sha);
    return mu_digest_equal(&digest, &o->what.digest) ||
           mu_reject(err, "source_unreadable", "", "the bytes of the object are not those of its digest");
}

/* The chunk at hand lies within the object. */
static bool accept(struct object *o, struct mu_error *err)
{
    const int64_t len = (int64_t)o->chunk->body.len, left = o->what.size - o->chunk_at;
    const int64_t whole = left < o->what.chunk_bytes ? left : o->what.chunk_bytes;
    if (!len || len > left || (o->even && len != whole))
        return mu_reject(err, "source_unreadable", "",
                         "the chunks of the object do not add up to its %lld bytes", (long long)o->what.size);
    return hash(o, err);
}

static bool fetch(struct object *o, uint64_t sequence, int64_t at, bool exactly, struct mu_error *err)
{
    struct mu_message *m = NULL;
    if (!mu_object_chunk(o->all->bus, &o->what, sequence, &m, err))
        return down(err);
    if (!m || (exactly && m->stream_sequence != sequence)) {
        mu_message_free(m);
        return lost(o, err);
    }
    take(o, m, at);
    return accept(o, err);
}

static int64_t behind(const struct object *o)
{
    return o->chunk_at + (o->chunk ? (int64_t)o->chunk->body.len : 0);
}

/* Gets the chunk that holds the byte at an offset. */
static bool seek(struct object *o, int64_t at, struct mu_error *err)
{
    if (o->chunk && at >= o->chunk_at && at < behind(o))
        return true;
    if (o->even && at != behind(o)) {
        const int64_t index = at / o->what.chunk_bytes;
        return fetch(o, o->first + (uint64_t)index, index * o->what.chunk_bytes, true, err);
    }
    if (at < o->chunk_at && !fetch(o, o->first, 0, true, err))
        return false;
    while (at >= behind(o))
        if (!fetch(o, o->next, behind(o), false, err) || !mu_sources_go_on(o->all, err))
            return false;
    return true;
}

static bool read_object(struct mu_source *s, int64_t at, char *to, size_t len, size_t *got,
                        struct mu_error *err)
{
    struct object *o = (struct object *)(void *)s;
    size_t done = 0;
    while (done < len && at + (int64_t)done < o->what.size) {
        const int64_t from = at + (int64_t)done;
        if (!seek(o, from, err))
            return false;
        const char *bytes = o->chunk->body.at + (from - o->chunk_at);
        size_t part = (size_t)(behind(o) - from);
        if (part > len - done)
            part = len - done;
        memcpy(to + done, bytes, part);
        done += part;
    }
    *got = done;
    return true;
}

static void close_object(struct mu_source *s)
{
    struct object *o = (struct object *)(void *)s;
    mu_message_free(o->chunk);
    free(o);
}

/* Looks at both ends. *there is false if the chunks are gone. */
static bool look(struct object *o, bool *there, struct mu_error *err)
{
    const struct mu_object *w = &o->what;
    struct mu_message *first = NULL;
    MU_AUTO(mu_message_free) struct mu_message *last = NULL;
    *there = true;
    if (!w->size)
        return true;
    if (!mu_object_chunk(o->all->bus, w, 1, &first, err))
        return down(err);
    *there = first != NULL;
    if (!first)
        return true;
    o->first = first->stream_sequence;
    take(o, first, 0);
    if (w->chunks == 1) {
        o->even = (int64_t)first->body.len == w->size && w->size <= w->chunk_bytes;
        return true;
    }
    if (!mu_object_last_chunk(o->all->bus, w, &last, err))
        return down(err);
    const int64_t before =
        w->size - w->size % w->chunk_bytes - (w->size % w->chunk_bytes ? 0 : w->chunk_bytes);
    o->even = last && (int64_t)first->body.len == w->chunk_bytes &&
              before / w->chunk_bytes == w->chunks - 1 && before + (int64_t)last->body.len == w->size &&
              last->stream_sequence - o->first == (uint64_t)w->chunks - 1;
    return true;
}

/* Between what describes an object and its first chunk it may be replaced: then it is looked for again, but
 * not for ever. */
static bool pin(struct object *o, const char *bucket, struct mu_error *err)
{
    for (int tries = 0; tries < 3; tries++) {
        bool there;
        if (!find(o, bucket, &o->what, err) || !look(o, &there, err))
            return false;
        if (there)
            return !o->chunk || accept(o, err);
    }
    return lost(o, err);
}

static bool allowed(const struct mu_config *config, struct mu_span bucket)
{
    for (size_t i = 0; i < config->source_buckets.count; i++)
        if (mu_span_is(bucket, config->source_buckets.at[i]))
            return true;
    return false;
}

static bool open_object(struct mu_source **out, struct mu_sources *all, const struct mu_uri *uri,
                        struct mu_error *err)
{
    const char *slash = uri->rest.len ? memchr(uri->rest.at, '/', uri->rest.len) : NULL;
    const struct mu_span given = mu_span(uri->rest.at, slash ? (size_t)(slash - uri->rest.at) : 0);
    char bucket[MU_TOKEN_MAX];
    if (!mu_token_valid(given) || !mu_copy_text(bucket, sizeof(bucket), given)) {
        mu_reject(err, "path_refused", "/source/uri", "the URI names no bucket and object");
        return mu_hint(err, "write object:<bucket>/<name>");
    }
    if (!allowed(all->config, given)) {
        mu_reject(err, "path_refused", "/source/uri", "this agent reads no objects of bucket %s", bucket);
        return mu_hint(err, "source.buckets of the agents lists those that may be read");
    }
    if (!all->bus)
        return mu_reject(err, "path_refused", "/source/uri", "objects cannot be read without a broker");
    struct object *o = calloc(1, sizeof(*o));
    if (!o)
        return mu_fail(err, MU_BROKEN, "out of memory");
    o->all = all;
    mu_sha_init(&o->sha);
    if (!mu_copy_text(o->name, sizeof(o->name), mu_span(slash + 1, uri->rest.len - given.len - 1)) ||
        !o->name[0]) {
        close_object(&o->base);
        return mu_reject(err, "path_refused", "/source/uri", "the name of an object has 1 to %d bytes",
                         MU_OBJECT_NAME_MAX - 1);
    }
    if (!pin(o, bucket, err)) {
        close_object(&o->base);
        return false;
    }
    o->base = (struct mu_source){.kind = &mu_source_object,
                                 .size = o->what.size,
                                 .seekable = o->even || !o->what.size,
                                 .has_digest = true,
                                 .digest = o->what.digest};
    *out = &o->base;
    return true;
}

const struct mu_source_kind mu_source_object = {"object", open_object, read_object, unchanged, close_object};
