/* SPDX-License-Identifier: Apache-2.0 */
/* JSON arrays: a record is an element of the array that the document is, or that `record` points to. An
 * element that is broken is a bad record; a document whose structure around the elements is broken is a
 * broken source.
 *
 * The reader's position stays behind the last element that was given out; what comes after it up to the next
 * element is read again by whoever goes on there. At the source's end it is the end. */
#include "engine/readers/json_follow.h"
#include "engine/readers/json_inside.h"
#include "engine/readers/json_outline.h"
#include "engine/readers/json_text.h"

#include <assert.h>
#include <inttypes.h>

enum due { DUE_FIRST, DUE_COMMA, DUE_ELEMENT, DUE_TAIL, DUE_NOTHING };

struct array {
    struct json json;
    struct json_outline outline;      /* of the document, outside of the array */
    char open[OUTLINE_DEPTH_MAX + 1]; /* the brackets around the records; "": not known */
    struct mu_text head; /* the first bytes, until they tell whether there is a mark of byte order */
    bool begun;
    struct mu_sha sha; /* over the source up to and with the array's bracket */
    int64_t first;     /* offset behind the bracket; -1: not known */

    enum due due;              /* at `at` of the chunk */
    int64_t off, line;         /* of that place */
    struct json_follow follow; /* of the element in carry */
    int64_t element, element_line;
};

static struct array *array_of(struct mu_reader *r)
{
    return (struct array *)(void *)r;
}

static const struct array *array_in(const struct mu_reader *r)
{
    return (const struct array *)(const void *)r;
}

static void array_free(struct mu_reader *r)
{
    struct array *a = array_of(r);
    mu_text_free(&a->head);
    json_fini(&a->json);
    free(a);
}

static bool array_open(struct mu_reader **out, const struct mu_reader_setup *setup, struct mu_error *err)
{
    static const char *const elsewhere[] = {"header", "delimiter", "quote", "names", "trailer", NULL};
    if (!json_options_check(setup->source, elsewhere, "JSON", err))
        return false;
    MU_AUTO(mu_free) struct array *a = calloc(1, sizeof(*a));
    if (!a)
        return mu_fail(err, MU_BROKEN, "out of memory");
    a->first = -1;
    a->line = 1;
    mu_sha_init(&a->sha);
    if (!json_outline_init(&a->outline, mu_json_span(setup->source, "record"), err) ||
        !json_init(&a->json, &mu_reader_json, setup, err))
        return false;
    *out = &a->json.base;
    (void)MU_GIVE(a);
    return true;
}

static enum mu_read broken(const char *what, int64_t byte, int64_t line, struct mu_error *err)
{
    mu_reject(err, "source_unreadable", "", "the JSON is broken: %s (line %" PRId64 ", byte %" PRId64 ")",
              what, line, byte);
    return MU_READ_FAILED;
}

/* Takes the mark of byte order off the first bytes. False: refused; *bytes is empty while more are needed. */
static bool begin(struct array *a, bool last, struct mu_span *bytes, struct mu_error *err)
{
    mu_text_add(&a->head, *bytes);
    const struct mu_span head = mu_text_span(&a->head);
    *bytes = mu_span("", 0);
    if (!mu_text_ok(&a->head, err))
        return false;
    if (head.len < 3 && !last)
        return true;
    if (head.len >= 2 && (memcmp(head.at, "\xff\xfe", 2) == 0 || memcmp(head.at, "\xfe\xff", 2) == 0))
        return mu_reject(err, "source_unreadable", "", "the source begins like UTF-16, which is not read");
    a->begun = true;
    a->off = head.len >= 3 && memcmp(head.at, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    mu_sha_add(&a->sha, mu_span(head.at, (size_t)a->off));
    *bytes = mu_span(head.at + a->off, head.len - (size_t)a->off);
    return true;
}

static bool no_array(const struct array *a, const char *fault, struct mu_error *err)
{
    (void)broken(fault, a->off, a->line, err);
    return a->outline.tokens
               ? false
               : mu_hint(err, "of lines say \"format\":\"jsonl\"; of an array within the document, "
                              "where it is: \"record\":\"/data/trades\"");
}

static bool array_header(struct mu_reader *r, struct mu_span chunk, bool last, bool *done,
                         struct mu_position *first, struct mu_error *err)
{
    struct array *a = array_of(r);
    size_t used = 0;
    *done = false;
    if (!a->begun && !begin(a, last, &chunk, err))
        return false;
    const enum outline_step step = json_outline_feed(&a->outline, chunk, &used);
    mu_sha_add(&a->sha, mu_span(chunk.at, used));
    a->off += (int64_t)used;
    a->line += json_lines(mu_span(chunk.at, used));
    a->json.next.byte_off = a->off;
    if (step == OUTLINE_BROKEN)
        return no_array(a, a->outline.fault, err);
    if (step == OUTLINE_MORE)
        return !last || no_array(a,
                                 json_outline_at_end(&a->outline)
                                     ? "there is no array where \"record\" points to"
                                     : "the source ends before an array of records begins",
                                 err);
    *done = true;
    a->first = a->off;
    memcpy(a->open, a->outline.kinds, sizeof(a->open));
    *first = a->json.next = (struct mu_position){a->first, 1, a->line};
    mu_text_free(&a->head);
    return true;
}

static bool array_lacks(const struct mu_reader *r, size_t column)
{
    (void)r;
    (void)column;
    return false; /* every record has its own keys */
}

static struct mu_digest array_header_digest(const struct mu_reader *r)
{
    return mu_sha_end(&array_in(r)->sha);
}

static void array_seek(struct mu_reader *r, struct mu_position at)
{
    struct array *a = array_of(r);
    json_seek(&a->json, at);
    if (a->open[0] && !json_outline_enter(&a->outline, mu_span_of(a->open)))
        assert(!"what was open is known");
    a->due = at.byte_off == a->first ? DUE_FIRST : DUE_COMMA;
    a->off = at.byte_off;
    a->line = at.line;
}

static void array_feed(struct mu_reader *r, struct mu_span chunk, bool last)
{
    json_feed(&array_of(r)->json, chunk, last);
}

static void step_over(struct array *a, size_t bytes)
{
    a->line += json_lines(mu_span(a->json.chunk.at + a->json.at, bytes));
    a->off += (int64_t)bytes;
    a->json.at += bytes;
}

/* The separators before the next element. RECORD: its first byte is at hand. */
static enum mu_read find_element(struct array *a, struct mu_error *err)
{
    struct json *j = &a->json;
    for (; j->at < j->chunk.len && a->due < DUE_TAIL; step_over(a, 1)) {
        const char byte = j->chunk.at[j->at];
        if (json_blank(byte))
            continue;
        if (byte == ']' && a->due != DUE_ELEMENT) {
            json_outline_leave(&a->outline);
            a->due = DUE_TAIL;
        } else if (a->due == DUE_COMMA) {
            if (byte != ',')
                return broken("a comma or the end of the array is due", a->off, a->line, err);
            a->due = DUE_ELEMENT;
        } else if (byte == ',' || byte == ']' || byte == '}') {
            return broken("an element of the array is due", a->off, a->line, err);
        } else {
            return MU_READ_RECORD;
        }
    }
    return j->last ? MU_READ_END : MU_READ_MORE;
}

/* What follows the array, and the end. */
static enum mu_read find_end(struct array *a, struct mu_error *err)
{
    struct json *j = &a->json;
    size_t used = 0;
    if (a->due == DUE_TAIL) {
        const enum outline_step step = json_outline_feed(&a->outline, json_rest(j), &used);
        step_over(a, used);
        if (step != OUTLINE_MORE)
            return broken(a->outline.fault, a->off, a->line, err);
    }
    if (!j->last)
        return MU_READ_MORE;
    const bool whole = a->due == DUE_NOTHING || (a->due == DUE_TAIL && json_outline_at_end(&a->outline));
    if (!whole && (!j->setup.part || a->due != DUE_COMMA || a->off != j->next.byte_off))
        return broken("the source ends within it", a->off, a->line, err);
    if (whole)
        a->due = DUE_NOTHING;
    j->next.byte_off = a->off;
    j->next.line = a->line;
    return MU_READ_END;
}

static enum mu_read too_long(const struct array *a, struct mu_error *err)
{
    mu_reject(err, "limit_record_bytes", "",
              "record %" PRId64 " (line %" PRId64 ", byte %" PRId64 ") is longer than %zu bytes",
              a->json.next.record_no, a->element_line, a->element, a->json.setup.limits.record_bytes);
    return MU_READ_FAILED;
}

static enum mu_read keep(struct array *a, size_t bytes, struct mu_error *err)
{
    if (a->json.carry.len + bytes > a->json.setup.limits.record_bytes)
        return too_long(a, err);
    a->off += (int64_t)bytes;
    return json_keep(&a->json, bytes, err);
}

/* Goes on with the element in carry. RECORD: it is whole. */
static enum mu_read gather(struct array *a, struct mu_span *element, struct mu_error *err)
{
    struct json *j = &a->json;
    size_t used = 0;
    const bool whole = json_follow(&a->follow, json_rest(j), &used);
    if (keep(a, used, err) == MU_READ_FAILED)
        return MU_READ_FAILED;
    if (!whole && !j->last)
        return MU_READ_MORE;
    const bool cut_behind = j->setup.part && !a->follow.depth && !a->follow.in_text; /* a number, say */
    if (!whole && !cut_behind)
        return broken("the source ends within a record", a->off, a->line, err);
    j->carry_done = true;
    *element = mu_text_span(&j->carry);
    return MU_READ_RECORD;
}

/* The element is whole: notes where it is, and where the next one may begin. */
static void locate(struct array *a, struct mu_span element, struct mu_locator *at)
{
    struct json *j = &a->json;
    size_t len = element.len;
    while (len > 1 && json_blank(element.at[len - 1])) /* what is no container may have blanks behind it */
        len--;
    *at = (struct mu_locator){.record_no = j->next.record_no,
                              .byte_off = a->element,
                              .length = (int64_t)len,
                              .line = a->element_line};
    a->line = a->element_line + json_lines(element);
    a->due = DUE_COMMA;
    j->next = (struct mu_position){a->element + (int64_t)element.len, at->record_no + 1, a->line};
    a->off = j->next.byte_off;
}

/* RECORD: the next element's bytes are *element. With `take` an element within the chunk is taken apart on
 * the way, which is how its end is found then: *taken and *used say what came of it; else *taken is JSON_CUT.
 */
static enum mu_read find(struct array *a, bool take, struct mu_span *element, enum json_taken *taken,
                         size_t *used, struct mu_error *err)
{
    struct json *j = &a->json;
    *taken = JSON_CUT;
    if (json_carries(j))
        return gather(a, element, err);
    enum mu_read found = a->due < DUE_TAIL ? find_element(a, err) : MU_READ_END;
    if (found == MU_READ_MORE || found == MU_READ_END)
        found = find_end(a, err);
    if (found != MU_READ_RECORD)
        return found;
    const struct mu_span rest = json_rest(j);
    size_t len = 0;
    a->element = a->off;
    a->element_line = a->line;
    a->follow = (struct json_follow){0};
    if (take)
        *taken = json_record_take(j->record, rest, used);
    if (*taken == JSON_WHOLE) {
        len = *used;
    } else if (!json_follow(&a->follow, rest, &len)) {
        *taken = JSON_CUT;
        a->follow = (struct json_follow){0};
        return gather(a, element, err);
    }
    if (len > j->setup.limits.record_bytes)
        return too_long(a, err);
    *element = mu_span(rest.at, len);
    j->at += len;
    return MU_READ_RECORD;
}

static enum mu_read array_next(struct mu_reader *r, struct mu_record *out, struct mu_error *err)
{
    struct array *a = array_of(r);
    struct mu_span element;
    enum json_taken taken;
    size_t used = 0;
    const enum mu_read found = find(a, true, &element, &taken, &used, err);
    if (found != MU_READ_RECORD)
        return found;
    locate(a, element, &out->at);
    return taken == JSON_CUT ? json_give(&a->json, element, out, err)
                             : json_taken_out(&a->json, taken, used, out, err);
}

static enum mu_read array_skip(struct mu_reader *r, struct mu_locator *out, struct mu_error *err)
{
    struct array *a = array_of(r);
    struct mu_span element;
    enum json_taken taken;
    size_t used = 0;
    const enum mu_read found = find(a, false, &element, &taken, &used, err);
    if (found == MU_READ_RECORD)
        locate(a, element, out);
    return found;
}

static struct mu_position array_position(const struct mu_reader *r)
{
    return array_in(r)->json.next;
}

/* {"open":<the brackets around the records>,"begun":<was there an element>}; without "open": all is read. */
static void array_save(const struct mu_reader *r, struct mu_text *out)
{
    const struct array *a = array_in(r);
    mu_text_putc(out, '{');
    if (a->due != DUE_NOTHING) {
        mu_json_put_text(out, "open", a->open);
        mu_json_put_bool(out, "begun", a->json.next.byte_off != a->first);
    }
    mu_text_putc(out, '}');
}

static bool array_restore(struct mu_reader *r, const json_t *saved, struct mu_error *err)
{
    struct array *a = array_of(r);
    const struct mu_span open = mu_json_span(saved, "open");
    const bool begun = mu_json_bool(saved, "begun", true);
    if (!json_is_object(saved) || (!open.at && json_object_size(saved)) ||
        (a->open[0] && open.at && !mu_span_is(open, a->open)) ||
        (a->first >= 0 && begun == (a->json.next.byte_off == a->first)) ||
        (open.at && !json_outline_enter(&a->outline, open)))
        return mu_reject(err, "invalid", "", "the checkpoint holds the state of another reader");
    a->due = !open.at ? DUE_NOTHING : begun ? DUE_COMMA : DUE_FIRST;
    if (!open.at)
        return true;
    if (!begun)
        a->first = a->json.next.byte_off;
    return mu_copy_text(a->open, sizeof(a->open), open);
}

static void array_path(const struct mu_reader *r, const struct mu_record *record, struct mu_text *out)
{
    mu_text_add(out, array_in(r)->outline.pointer);
    mu_text_putc(out, '/');
    mu_text_add_i64(out, record->at.record_no - 1);
}

const struct mu_reader_kind mu_reader_json = {
    .name = "json",
    .open = array_open,
    .header = array_header,
    .lacks = array_lacks,
    .header_digest = array_header_digest,
    .seek = array_seek,
    .feed = array_feed,
    .next = array_next,
    .skip = array_skip,
    .position = array_position,
    .save = array_save,
    .restore = array_restore,
    .path = array_path,
    .free = array_free,
};
