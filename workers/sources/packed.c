/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/packed.h"
#include "sources/unpack.h"

#define PIECE ((size_t)256 * 1024)

static const struct mu_unpacker_kind *const kinds[] = {&mu_unpack_gzip, &mu_unpack_zstd};

struct packed {
    struct mu_source base;
    struct mu_sources *all;
    struct mu_source *inner;
    const struct mu_unpacker_kind *kind;
    struct mu_unpacker *unpacker;
    char *in; /* PIECE bytes of the compressed data: [from, to) are still to be unpacked */
    size_t from, to;
    int64_t read; /* offset of the next compressed byte to be read */
    int64_t at;   /* offset of the next unpacked byte */
    bool drained; /* all compressed bytes have been read */
    bool within;  /* a member has begun and not ended */
    bool full;    /* the last step filled its room: there may be more without further input */
    bool padded;  /* zeros follow the last member: nothing else may */
    bool ended;   /* all unpacked bytes have been given out */
};

static int64_t place(const struct packed *p)
{
    return p->read - (int64_t)(p->to - p->from);
}

/* What is wrong stands at a byte of the compressed data. */
static bool at_place(const struct packed *p, struct mu_error *err)
{
    return mu_while(err, "byte %lld of the compressed source", (long long)place(p));
}

static bool begin(struct packed *p, struct mu_error *err)
{
    p->kind->free(p->unpacker);
    p->unpacker = NULL;
    p->from = p->to = 0;
    p->read = p->at = 0;
    p->drained = p->within = p->full = p->padded = p->ended = false;
    return p->kind->open(&p->unpacker, p->all->config->source_window_bytes, err);
}

static bool refill(struct packed *p, struct mu_error *err)
{
    size_t got;
    if (!mu_source_some(p->inner, p->read, p->in, PIECE, &got, err))
        return false;
    p->from = 0;
    p->to = got;
    p->read += (int64_t)got;
    p->drained = got == 0;
    return true;
}

/* Zeros behind the last member are skipped, to the end. */
static bool skip_padding(struct packed *p, struct mu_error *err)
{
    while (p->from < p->to && p->in[p->from] == '\0')
        p->from++;
    if (p->from == p->to)
        return true;
    mu_reject(err, "source_unreadable", "", "something follows the zeros behind the %s data", p->kind->name);
    return at_place(p, err);
}

static bool truncated(struct packed *p, struct mu_error *err)
{
    mu_reject(err, "source_unreadable", "", "the source ends within its %s data", p->kind->name);
    return at_place(p, err);
}

/* One step of the library; *made bytes came out of it. */
static bool step(struct packed *p, char *to, size_t room, size_t *made, struct mu_error *err)
{
    struct mu_unpack io = {.in = {p->in + p->from, p->to - p->from}, .out = to, .room = room};
    const bool first = !p->within;
    const bool good = p->kind->step(p->unpacker, &io, err);
    p->from += io.used;
    if (!good)
        return at_place(p, err);
    p->within = !io.ended && (!first || io.used || io.made);
    p->full = io.made == room && !io.ended;
    p->at += (int64_t)io.made;
    *made = io.made;
    if (p->at <= p->all->config->source_max_bytes)
        return true;
    mu_reject(err, "limit_source_bytes", "", "the source has more than %lld bytes once it is unpacked",
              (long long)p->all->config->source_max_bytes);
    return mu_hint(err, "cut it, or raise source.max_bytes of the agents");
}

/* Fewer than `len` bytes only at the end. */
static bool unpack(struct packed *p, char *to, size_t len, size_t *got, struct mu_error *err)
{
    size_t done = 0, made = 0;
    while (done < len && !p->ended) {
        if (p->from == p->to && !p->full && !p->drained && !refill(p, err))
            return false;
        const bool empty = p->from == p->to && !p->full;
        if (empty && p->drained && (p->within || place(p) == 0))
            return truncated(p, err);
        if (empty) {
            p->ended = p->drained;
            continue;
        }
        p->padded =
            p->padded || (p->kind->zeros_may_follow && !p->within && place(p) > 0 && p->in[p->from] == '\0');
        if (p->padded ? !skip_padding(p, err) : !step(p, to + done, len - done, &made, err))
            return false;
        done += p->padded ? 0 : made;
    }
    *got = done;
    return true;
}

/* Back to the beginning if need be, and on to an offset. */
static bool seek(struct packed *p, int64_t at, struct mu_error *err)
{
    char skipped[16 * 1024];
    size_t got = 1;
    if (at < p->at && !begin(p, err))
        return false;
    for (int64_t asked = p->at; p->at < at && got;) {
        const int64_t left = at - p->at;
        if (!unpack(p, skipped, left < (int64_t)sizeof(skipped) ? (size_t)left : sizeof(skipped), &got, err))
            return false;
        if (p->at - asked < (int64_t)1 << 20)
            continue;
        asked = p->at;
        if (!mu_sources_go_on(p->all, err))
            return false;
    }
    return true;
}

static bool read_packed(struct mu_source *s, int64_t at, char *to, size_t len, size_t *got,
                        struct mu_error *err)
{
    struct packed *p = (struct packed *)(void *)s;
    size_t n = 0;
    if (seek(p, at, err) && (p->at < at || unpack(p, to, len, &n, err))) {
        *got = n;
        return true;
    }
    p->at = INT64_MAX; /* the library's state is not what it was: whoever reads on begins anew */
    return false;
}

static bool unchanged(struct mu_source *s, struct mu_error *err)
{
    return mu_source_unchanged(((struct packed *)(void *)s)->inner, err);
}

static void close_packed(struct mu_source *s)
{
    struct packed *p = (struct packed *)(void *)s;
    p->kind->free(p->unpacker);
    mu_source_close(p->inner);
    free(p->in);
    free(p);
}

static const struct mu_source_kind packed_kind = {
    .read = read_packed, .unchanged = unchanged, .close = close_packed};

bool mu_packed_open(struct mu_source **out, struct mu_sources *all, struct mu_source *inner,
                    struct mu_span compression, struct mu_error *err)
{
    MU_AUTO(mu_source_close) struct mu_source *given = inner;
    const struct mu_unpacker_kind *kind = NULL;
    for (size_t i = 0; i < MU_COUNT(kinds); i++)
        if (mu_span_is(compression, kinds[i]->name))
            kind = kinds[i];
    if (!kind)
        return mu_reject(err, "bad_task", "/source/compression", "this agent does not know that compression");
    struct packed *p = calloc(1, sizeof(*p));
    char *in = malloc(PIECE);
    if (!p || !in) {
        free(p);
        free(in);
        return mu_fail(err, MU_BROKEN, "out of memory");
    }
    *p = (struct packed){.base = {.kind = &packed_kind, .size = -1},
                         .all = all,
                         .inner = MU_GIVE(given),
                         .kind = kind,
                         .in = in};
    if (!begin(p, err)) {
        close_packed(&p->base);
        return false;
    }
    *out = &p->base;
    return true;
}
