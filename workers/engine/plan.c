/* SPDX-License-Identifier: Apache-2.0 */
/* Two hashes run along: over the whole source and over the shard at hand. They are over all bytes fed; what a
 * save needs is their state at the last boundary, which is noted (struct hashes, `noted`). */
#include "engine/plan.h"
#include "engine/ready.h"

#include <inttypes.h>

#define PLAN_FORMAT 1
#define REST_BYTES 4096

struct hashes {
    struct mu_sha whole, shard;
};

struct mu_plan {
    struct mu_reader *reader;
    int64_t source_size, shard_bytes;
    bool header_done, done;
    struct mu_text head; /* bytes fed until the header is done, from `fed` on */
    int64_t fed;         /* offset of the next byte to be fed */
    struct hashes running, noted;
    struct mu_shard *shards; /* the last one is being filled */
    size_t count, room;
    struct mu_digest digest;
};

bool mu_plan_open(struct mu_plan **out, const struct mu_task *task, const struct mu_ready *ready,
                  int64_t source_size, struct mu_reader_limits limits, struct mu_error *err)
{
    const struct mu_reader_setup setup = {.source = task->source,
                                          .columns = ready->column_names,
                                          .wanted = ready->wanted,
                                          .column_count = ready->pack->column_count,
                                          .typed = ready->pack->columns,
                                          .limits = limits};
    if (!task->source || task->terms->shard_bytes < 1)
        return mu_reject(err, "bad_task", "/source", "only a source can be planned, with shards of a size");
    MU_AUTO(mu_plan_free) struct mu_plan *p = calloc(1, sizeof(*p));
    if (!p)
        return mu_fail(err, MU_BROKEN, "out of memory");
    p->source_size = source_size;
    p->shard_bytes = task->terms->shard_bytes;
    while (source_size / p->shard_bytes >= MU_SHARDS_MAX)
        p->shard_bytes *= 2;
    mu_sha_init(&p->running.whole);
    mu_sha_init(&p->running.shard);
    p->noted = p->running;
    if (!mu_reader_open(&p->reader, mu_json_span(task->source, "format"), &setup, err))
        return false;
    *out = MU_GIVE(p);
    return true;
}

static struct mu_shard *current(struct mu_plan *p)
{
    return &p->shards[p->count - 1];
}

static bool begin_shard(struct mu_plan *p, struct mu_position at, struct mu_error *err)
{
    if (p->count == p->room) {
        const size_t more = p->room ? p->room * 2 : 16;
        struct mu_shard *shards = realloc(p->shards, more * sizeof(*shards));
        if (!shards)
            return mu_fail(err, MU_BROKEN, "out of memory");
        p->shards = shards;
        p->room = more;
    }
    p->shards[p->count++] = (struct mu_shard){.index = (int64_t)p->count,
                                              .from = at.byte_off,
                                              .to = at.byte_off,
                                              .first_record = at.record_no,
                                              .first_line = at.line};
    mu_sha_init(&p->running.shard);
    return true;
}

static void hash(struct mu_plan *p, struct mu_span bytes)
{
    mu_sha_add(&p->running.whole, bytes);
    mu_sha_add(&p->running.shard, bytes);
}

/* Hashes what of `bytes`, which begin at p->fed, lies between *hashed and the offset `to` in the source. */
static void hash_to(struct mu_plan *p, struct mu_span bytes, size_t *hashed, int64_t to)
{
    const size_t end = (size_t)(to - p->fed);
    hash(p, mu_span(bytes.at + *hashed, end - *hashed));
    *hashed = end;
}

/* A short rest is left to the shard before it: it may hold no record, but the end mark of old, a trailer, or
 * what closes the document. */
static bool shard_is_full(struct mu_plan *p, int64_t at)
{
    const int64_t share = p->shard_bytes / 16, rest = share < 1 ? 1 : share < REST_BYTES ? share : REST_BYTES;
    return mu_reader_can_cut(p->reader) && at - current(p)->from >= p->shard_bytes &&
           p->source_size - at > rest;
}

static bool grown(struct mu_error *err)
{
    return mu_reject(err, "source_changed", "", "the source has another size than when it was opened");
}

static bool consume(struct mu_plan *p, struct mu_span bytes, bool last, struct mu_error *err)
{
    struct mu_locator at;
    size_t hashed = 0;
    enum mu_read got;
    if (p->fed + (int64_t)bytes.len > p->source_size)
        return grown(err);
    mu_reader_feed(p->reader, bytes, last);
    while ((got = mu_reader_skip(p->reader, &at, err)) == MU_READ_RECORD) {
        const struct mu_position next = mu_reader_position(p->reader);
        current(p)->records++;
        current(p)->to = next.byte_off;
        if (!shard_is_full(p, next.byte_off))
            continue;
        hash_to(p, bytes, &hashed, next.byte_off);
        current(p)->digest = mu_sha_end(&p->running.shard);
        if (!begin_shard(p, next, err))
            return false;
    }
    if (got == MU_READ_FAILED)
        return false;
    const int64_t boundary = mu_reader_position(p->reader).byte_off;
    if (boundary > p->fed) {
        hash_to(p, bytes, &hashed, boundary);
        p->noted = p->running;
    }
    hash_to(p, bytes, &hashed, p->fed + (int64_t)bytes.len);
    p->fed += (int64_t)bytes.len;
    return true;
}

/* Hashes what is held of the beginning up to this offset in the source. */
static void pass_head(struct mu_plan *p, int64_t to)
{
    const size_t len = (size_t)(to - p->fed), rest = p->head.len - len;
    if (!len)
        return;
    mu_sha_add(&p->running.whole, mu_span(p->head.at, len));
    memmove(p->head.at, p->head.at + len, rest);
    mu_text_cut(&p->head, rest);
    p->fed = to;
}

/* The beginning is held back until the header is done, because the first record may be part of it. */
static bool begin(struct mu_plan *p, struct mu_span chunk, bool last, struct mu_error *err)
{
    struct mu_position first;
    mu_text_add(&p->head, chunk);
    if (!mu_text_ok(&p->head, err) || !mu_reader_header(p->reader, chunk, last, &p->header_done, &first, err))
        return false;
    pass_head(p, p->header_done ? first.byte_off : mu_reader_position(p->reader).byte_off);
    if (!p->header_done)
        return true;
    MU_AUTO(mu_text_free) struct mu_text head = p->head;
    p->head = MU_TEXT(0);
    mu_reader_seek(p->reader, first);
    if (!begin_shard(p, first, err))
        return false;
    p->noted = p->running;
    return consume(p, mu_text_span(&head), last, err);
}

bool mu_plan_feed(struct mu_plan *plan, struct mu_span chunk, bool last, struct mu_error *err)
{
    if (!(plan->header_done ? consume(plan, chunk, last, err) : begin(plan, chunk, last, err)))
        return false;
    if (!last)
        return true;
    if (plan->fed != plan->source_size)
        return grown(err);
    current(plan)->to = plan->fed;
    current(plan)->digest = mu_sha_end(&plan->running.shard);
    plan->digest = mu_sha_end(&plan->running.whole);
    plan->done = true;
    return true;
}

static void put_digest(struct mu_text *out, const char *key, const struct mu_digest *d)
{
    char hex[MU_DIGEST_HEX];
    mu_digest_format(d, hex);
    mu_json_put_text(out, key, hex);
}

static void put_shards(const struct mu_plan *p, size_t count, struct mu_text *out)
{
    mu_json_key(out, "shards");
    mu_text_putc(out, '[');
    for (size_t i = 0; i < count; i++) {
        const struct mu_shard *s = &p->shards[i];
        mu_text_puts(out, i ? ",{" : "{");
        mu_json_put_int(out, "from", s->from);
        mu_json_put_int(out, "to", s->to);
        mu_json_put_int(out, "first_record", s->first_record);
        mu_json_put_int(out, "first_line", s->first_line);
        mu_json_put_int(out, "records", s->records);
        put_digest(out, "digest", &s->digest);
        mu_text_putc(out, '}');
    }
    mu_text_putc(out, ']');
}

bool mu_plan_write(const struct mu_plan *plan, struct mu_text *out, struct mu_error *err)
{
    if (!plan->done)
        return mu_fail(err, MU_BROKEN, "the source has not been read to its end");
    mu_text_putc(out, '{');
    mu_json_put_int(out, "size", plan->source_size);
    put_digest(out, "digest", &plan->digest);
    mu_json_put_int(out, "records", mu_plan_records(plan));
    mu_json_put_int(out, "shard_bytes", plan->shard_bytes);
    put_shards(plan, plan->count, out);
    mu_text_putc(out, '}');
    return mu_text_ok(out, err);
}

int64_t mu_plan_records(const struct mu_plan *plan)
{
    int64_t records = 0;
    for (size_t i = 0; i < plan->count; i++)
        records += plan->shards[i].records;
    return records;
}

const struct mu_digest *mu_plan_digest(const struct mu_plan *plan)
{
    return &plan->digest;
}

/* {"format":1,"size","shard_bytes","reader","byte_off","record_no","line","whole","shard","shards":[…]}: the
 * last shard is the one at hand. Before the header is done: without what follows "shard_bytes". Steps of a
 * change: engine/checkpoint.c. */
bool mu_plan_save(const struct mu_plan *plan, struct mu_text *out, struct mu_error *err)
{
    char whole[MU_SHA_STATE_MAX], shard[MU_SHA_STATE_MAX];
    const struct mu_position at = mu_plan_position(plan);
    mu_text_putc(out, '{');
    mu_json_put_int(out, "format", PLAN_FORMAT);
    mu_json_put_int(out, "size", plan->source_size);
    mu_json_put_int(out, "shard_bytes", plan->shard_bytes);
    if (plan->header_done) {
        MU_AUTO(mu_text_free) struct mu_text state = MU_TEXT(0);
        mu_reader_save(plan->reader, &state);
        if (state.len)
            mu_json_put_raw(out, "reader", mu_text_span(&state));
        if (!mu_text_ok(&state, err))
            return false;
        mu_sha_save(&plan->noted.whole, whole);
        mu_sha_save(&plan->noted.shard, shard);
        mu_json_put_int(out, "byte_off", at.byte_off);
        mu_json_put_int(out, "record_no", at.record_no);
        mu_json_put_int(out, "line", at.line);
        mu_json_put_text(out, "whole", whole);
        mu_json_put_text(out, "shard", shard);
        put_shards(plan, plan->count, out);
    }
    mu_text_putc(out, '}');
    return mu_text_ok(out, err);
}

static bool restore_shard(struct mu_plan *p, const json_t *saved, struct mu_error *err)
{
    const struct mu_position at = {mu_json_int(saved, "from", 0), mu_json_int(saved, "first_record", 1),
                                   mu_json_int(saved, "first_line", 1)};
    if (!begin_shard(p, at, err))
        return false;
    current(p)->to = mu_json_int(saved, "to", 0);
    current(p)->records = mu_json_int(saved, "records", 0);
    return mu_digest_parse(mu_json_span(saved, "digest"), &current(p)->digest) ||
           mu_reject(err, "invalid", "", "the checkpoint of the plan is not whole");
}

bool mu_plan_restore(struct mu_plan *plan, const json_t *saved, struct mu_error *err)
{
    const json_t *shards = json_object_get(saved, "shards");
    const struct mu_position at = {mu_json_int(saved, "byte_off", 0), mu_json_int(saved, "record_no", 1),
                                   mu_json_int(saved, "line", 1)};
    if (mu_json_int(saved, "format", 0) != PLAN_FORMAT ||
        mu_json_int(saved, "size", -1) != plan->source_size ||
        mu_json_int(saved, "shard_bytes", -1) != plan->shard_bytes)
        return mu_reject(err, "invalid", "", "the checkpoint is of another source, plan or form");
    if (!shards)
        return true;
    for (size_t i = 0; i < json_array_size(shards); i++)
        if (!restore_shard(plan, json_array_get(shards, i), err))
            return false;
    if (!plan->count || !mu_sha_restore(&plan->running.whole, mu_json_span(saved, "whole")) ||
        !mu_sha_restore(&plan->running.shard, mu_json_span(saved, "shard")))
        return mu_reject(err, "invalid", "", "the checkpoint of the plan is not whole");
    plan->noted = plan->running;
    plan->header_done = true;
    plan->fed = at.byte_off;
    mu_reader_seek(plan->reader, at);
    return mu_reader_restore(plan->reader, json_object_get(saved, "reader"), err);
}

struct mu_position mu_plan_position(const struct mu_plan *plan)
{
    return plan->header_done ? mu_reader_position(plan->reader) : (struct mu_position){0, 1, 1};
}

void mu_plan_free(struct mu_plan *plan)
{
    if (!plan)
        return;
    mu_reader_free(plan->reader);
    mu_text_free(&plan->head);
    free(plan->shards);
    free(plan);
}
