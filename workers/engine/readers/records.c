/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of records that stand in the task itself: a JSON array of flat objects, column name to string,
 * boolean or null. The task has been parsed and validated before; this walks its bytes again without building
 * anything, because small tasks come by the ten thousand a second. Positions are offsets within the array's
 * bytes. */
#include "engine/readers/json_follow.h"
#include "engine/readers/json_inside.h"
#include "engine/readers/json_text.h"

struct records {
    struct json json;
    struct json_follow carried;
};

static struct records *records_of(struct mu_reader *r)
{
    return (struct records *)(void *)r;
}

static void records_free(struct mu_reader *r)
{
    json_fini(&records_of(r)->json);
    free(r);
}

static bool records_open(struct mu_reader **out, const struct mu_reader_setup *setup, struct mu_error *err)
{
    MU_AUTO(mu_free) struct records *s = calloc(1, sizeof(*s));
    if (!s)
        return mu_fail(err, MU_BROKEN, "out of memory");
    if (!json_init(&s->json, &mu_reader_records, setup, err))
        return false;
    *out = &s->json.base;
    (void)MU_GIVE(s);
    return true;
}

static bool records_header(struct mu_reader *r, struct mu_span chunk, bool last, bool *done,
                           struct mu_position *first, struct mu_error *err)
{
    (void)chunk;
    (void)last;
    (void)err;
    *done = true;
    *first = records_of(r)->json.next = (struct mu_position){0, 1, 1};
    return true;
}

static bool records_lacks(const struct mu_reader *r, size_t column)
{
    (void)r;
    (void)column;
    return false; /* every record has its own keys */
}

static struct mu_digest records_header_digest(const struct mu_reader *r)
{
    (void)r;
    return (struct mu_digest){{0}};
}

static void records_seek(struct mu_reader *r, struct mu_position at)
{
    json_seek(&records_of(r)->json, at);
}

static void records_feed(struct mu_reader *r, struct mu_span chunk, bool last)
{
    json_feed(&records_of(r)->json, chunk, last);
}

static enum mu_read gather(struct records *s, struct mu_span *element, struct mu_error *err)
{
    struct json *j = &s->json;
    size_t used = 0;
    const bool whole = json_follow(&s->carried, json_rest(j), &used);
    if (json_keep(j, used, err) == MU_READ_FAILED)
        return MU_READ_FAILED;
    if (!whole && !j->last)
        return MU_READ_MORE;
    if (j->carry.len > j->setup.limits.record_bytes)
        return json_too_long(j, err);
    j->carry_done = true;
    *element = mu_text_span(&j->carry);
    return MU_READ_RECORD;
}

/* The bytes of the next element; the position is moved to its first. */
static enum mu_read find(struct records *s, struct mu_span *element, struct mu_error *err)
{
    struct json *j = &s->json;
    size_t used;
    if (json_carries(j))
        return gather(s, element, err);
    for (; j->at < j->chunk.len; j->at++, j->next.byte_off++) {
        const char byte = j->chunk.at[j->at];
        if (!json_blank(byte) && byte != ',' && byte != ']' && !(byte == '[' && j->next.byte_off == 0))
            break;
    }
    const struct mu_span rest = json_rest(j);
    if (!rest.len)
        return j->last ? MU_READ_END : MU_READ_MORE;
    s->carried = (struct json_follow){0};
    if (!json_follow(&s->carried, rest, &used) && !j->last) {
        s->carried = (struct json_follow){0};
        return gather(s, element, err);
    }
    if (used > j->setup.limits.record_bytes)
        return json_too_long(j, err);
    *element = mu_span(rest.at, used);
    j->at += used;
    return MU_READ_RECORD;
}

static void go_on(struct records *s, struct mu_span element, struct mu_locator *at)
{
    struct mu_position *next = &s->json.next;
    *at = (struct mu_locator){.record_no = next->record_no,
                              .byte_off = next->byte_off,
                              .length = (int64_t)element.len,
                              .line = next->line};
    next->record_no++;
    next->byte_off += (int64_t)element.len;
}

static enum mu_read records_next(struct mu_reader *r, struct mu_record *out, struct mu_error *err)
{
    struct records *s = records_of(r);
    struct mu_span element = {NULL, 0};
    const enum mu_read found = find(s, &element, err);
    if (found != MU_READ_RECORD)
        return found;
    go_on(s, element, &out->at);
    return json_give(&s->json, element, out, err);
}

static enum mu_read records_skip(struct mu_reader *r, struct mu_locator *out, struct mu_error *err)
{
    struct records *s = records_of(r);
    struct mu_span element = {NULL, 0};
    const enum mu_read found = find(s, &element, err);
    if (found == MU_READ_RECORD)
        go_on(s, element, out);
    return found;
}

static struct mu_position records_position(const struct mu_reader *r)
{
    return ((const struct records *)(const void *)r)->json.next;
}

const struct mu_reader_kind mu_reader_records = {
    .name = "records",
    .open = records_open,
    .header = records_header,
    .lacks = records_lacks,
    .header_digest = records_header_digest,
    .seek = records_seek,
    .feed = records_feed,
    .next = records_next,
    .skip = records_skip,
    .position = records_position,
    .free = records_free,
};
