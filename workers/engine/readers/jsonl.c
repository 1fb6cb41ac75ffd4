/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Lines: a record is a line that holds an object. A line of blanks is none: it says nothing, and makers
 * of such files end them with it. A line that is broken is a bad record, and the next one is read. */
#include "engine/readers/json_inside.h"
#include "engine/readers/json_text.h"

struct jsonl {
    struct json json;
    struct mu_text mark; /* the source's first bytes */
};

static struct jsonl *jsonl_of(struct mu_reader *r)
{
    return (struct jsonl *)(void *)r;
}

static void jsonl_free(struct mu_reader *r)
{
    struct jsonl *l = jsonl_of(r);
    mu_text_free(&l->mark);
    json_fini(&l->json);
    free(l);
}

static bool jsonl_open(struct mu_reader **out, const struct mu_reader_setup *setup, struct mu_error *err)
{
    static const char *const elsewhere[] = {"record", "header",  "delimiter", "quote",
                                            "names",  "trailer", NULL};
    if (!json_options_check(setup->source, elsewhere, "JSON Lines", err))
        return false;
    MU_AUTO(mu_free) struct jsonl *l = calloc(1, sizeof(*l));
    if (!l)
        return mu_fail(err, MU_BROKEN, "out of memory");
    l->mark = MU_TEXT(16);
    if (!json_init(&l->json, &mu_reader_jsonl, setup, err))
        return false;
    *out = &l->json.base;
    (void)MU_GIVE(l);
    return true;
}

/* Only a mark of byte order can stand before the records. That the file is an array, not lines, is said at
 * once. */
static bool jsonl_header(struct mu_reader *r, struct mu_span chunk, bool last, bool *done,
                         struct mu_position *first, struct mu_error *err)
{
    struct jsonl *l = jsonl_of(r);
    mu_text_add(&l->mark, mu_span(chunk.at, chunk.len < 4 - l->mark.len ? chunk.len : 4 - l->mark.len));
    if (!mu_text_ok(&l->mark, err))
        return false;
    *done = last || l->mark.len == 4;
    if (!*done)
        return true;
    struct mu_span head = mu_text_span(&l->mark);
    if (head.len >= 2 && (memcmp(head.at, "\xff\xfe", 2) == 0 || memcmp(head.at, "\xfe\xff", 2) == 0))
        return mu_reject(err, "source_unreadable", "", "the source begins like UTF-16, which is not read");
    const size_t from = head.len >= 3 && memcmp(head.at, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    if (head.len > from && head.at[from] == '[') {
        (void)mu_reject(err, "source_unreadable", "",
                        "the source begins as a JSON array, not with lines (byte %zu)", from);
        return mu_hint(err, "say \"format\":\"json\"");
    }
    *first = l->json.next = (struct mu_position){(int64_t)from, 1, 1};
    return true;
}

static bool jsonl_lacks(const struct mu_reader *r, size_t column)
{
    (void)r;
    (void)column;
    return false; /* every record has its own keys */
}

static struct mu_digest jsonl_header_digest(const struct mu_reader *r)
{
    (void)r;
    return (struct mu_digest){{0}};
}

static void jsonl_seek(struct mu_reader *r, struct mu_position at)
{
    json_seek(&jsonl_of(r)->json, at);
}

static void jsonl_feed(struct mu_reader *r, struct mu_span chunk, bool last)
{
    json_feed(&jsonl_of(r)->json, chunk, last);
}

static bool is_blank(struct mu_span line)
{
    size_t i = 0;
    while (i < line.len && json_blank(line.at[i]))
        i++;
    return i == line.len;
}

/* The bytes of the next line, its end included. */
static enum mu_read find_line(struct json *j, struct mu_span *line, struct mu_error *err)
{
    const bool carries = json_carries(j);
    const struct mu_span rest = json_rest(j);
    const char *feed = rest.len ? memchr(rest.at, '\n', rest.len) : NULL;
    const size_t len = feed ? (size_t)(feed - rest.at) + 1 : rest.len;
    if (!feed && !j->last)
        return len ? json_keep(j, len, err) : MU_READ_MORE;
    if (!carries && !len)
        return MU_READ_END;
    if (!carries) {
        *line = mu_span(rest.at, len);
        j->at += len;
        return MU_READ_RECORD;
    }
    if (json_keep(j, len, err) == MU_READ_FAILED)
        return MU_READ_FAILED;
    j->carry_done = true;
    *line = mu_text_span(&j->carry);
    return MU_READ_RECORD;
}

/* The next line that is a record; *next is behind it. */
static enum mu_read find(struct json *j, struct mu_span *record, struct mu_locator *at,
                         struct mu_position *next, struct mu_error *err)
{
    for (;;) {
        struct mu_span line = {NULL, 0};
        const enum mu_read found = find_line(j, &line, err);
        if (found != MU_READ_RECORD)
            return found;
        const bool ended = line.at[line.len - 1] == '\n';
        const size_t len = line.len - ended - (ended && line.len > 1 && line.at[line.len - 2] == '\r');
        if (len > j->setup.limits.record_bytes)
            return json_too_long(j, err);
        *next = (struct mu_position){j->next.byte_off + (int64_t)line.len, j->next.record_no + 1,
                                     j->next.line + ended};
        if (is_blank(line)) {
            next->record_no--;
            j->next = *next;
            continue;
        }
        *record = mu_span(line.at, len);
        *at = (struct mu_locator){.record_no = j->next.record_no,
                                  .byte_off = j->next.byte_off,
                                  .length = (int64_t)len,
                                  .line = j->next.line};
        return MU_READ_RECORD;
    }
}

static enum mu_read jsonl_next(struct mu_reader *r, struct mu_record *out, struct mu_error *err)
{
    struct json *j = &jsonl_of(r)->json;
    struct mu_span line = {NULL, 0};
    struct mu_position next;
    size_t used = 0, from = 0;
    const enum mu_read found = find(j, &line, &out->at, &next, err);
    if (found != MU_READ_RECORD)
        return found;
    while (json_blank(line.at[from]))
        from++;
    const enum json_taken taken =
        json_record_take(j->record, mu_span(line.at + from, line.len - from), &used);
    used += from;
    const enum mu_read given = json_taken_out(j, taken, used, out, err);
    if (taken == JSON_WHOLE && !is_blank(mu_span(line.at + used, line.len - used))) {
        while (json_blank(line.at[used]))
            used++;
        out->bad = "broken JSON: something stands behind the object";
        out->bad_at = out->at.byte_off + (int64_t)used;
    }
    if (given == MU_READ_RECORD)
        j->next = next;
    return given;
}

static enum mu_read jsonl_skip(struct mu_reader *r, struct mu_locator *out, struct mu_error *err)
{
    struct json *j = &jsonl_of(r)->json;
    struct mu_span line = {NULL, 0};
    struct mu_position next;
    const enum mu_read found = find(j, &line, out, &next, err);
    if (found == MU_READ_RECORD)
        j->next = next;
    return found;
}

static struct mu_position jsonl_position(const struct mu_reader *r)
{
    return ((const struct jsonl *)(const void *)r)->json.next;
}

const struct mu_reader_kind mu_reader_jsonl = {
    .name = "jsonl",
    .open = jsonl_open,
    .header = jsonl_header,
    .lacks = jsonl_lacks,
    .header_digest = jsonl_header_digest,
    .seek = jsonl_seek,
    .feed = jsonl_feed,
    .next = jsonl_next,
    .skip = jsonl_skip,
    .position = jsonl_position,
    .free = jsonl_free,
};
