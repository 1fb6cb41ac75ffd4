/* SPDX-License-Identifier: Apache-2.0 */
/* The XML reader: what stands before the first record, then record by record. Where it goes on between two
 * records it needs to know what is open there; a shard begins only where that is what was open at the first
 * record. */
#include "engine/reader_kind.h"
#include "engine/readers/xml_parser.h"

struct xml {
    struct mu_reader base;
    struct values values;
    bool part;
    size_t most_blanks; /* before the document */
    struct xml_parser parser;

    struct mu_text head; /* of what stands before the first record: what may be part of that record's tag */
    int64_t head_from;   /* its offset */
    struct mu_sha sha;   /* over the source before the first record */
    bool head_begun, head_done;
    struct mu_text first; /* what is open at the first record */
    bool at_end;          /* the document has been read whole */

    struct mu_span chunk;
    size_t at; /* in chunk */
    bool last;
    struct mu_position next;
    size_t column_count;
};

static struct xml *xml_of(struct mu_reader *r)
{
    return (struct xml *)(void *)r;
}

static const struct xml *xml_in(const struct mu_reader *r)
{
    return (const struct xml *)(const void *)r;
}

static void xml_free(struct mu_reader *r)
{
    struct xml *x = xml_of(r);
    xml_parser_fini(&x->parser);
    values_fini(&x->values);
    mu_text_free(&x->head);
    mu_text_free(&x->first);
    free(x);
}

static bool options_check(const json_t *source, struct mu_error *err)
{
    static const char *const elsewhere[] = {"header", "delimiter", "quote", "names", "trailer", NULL};
    if (json_object_get(source, "encoding"))
        return mu_reject(err, "bad_task", "/source/encoding", "an XML document says its encoding itself");
    return values_refuse(source, elsewhere, "XML", err);
}

static bool xml_open_reader(struct mu_reader **out, const struct mu_reader_setup *setup, struct mu_error *err)
{
    struct xml *x = calloc(1, sizeof(*x));
    if (!x)
        return mu_fail(err, MU_BROKEN, "out of memory");
    x->base.kind = &mu_reader_xml;
    x->part = setup->part;
    x->most_blanks = setup->limits.record_bytes;
    x->column_count = setup->column_count;
    x->next = (struct mu_position){0, 1, 1};
    mu_sha_init(&x->sha);
    if (options_check(setup->source, err) && values_open(&x->values, setup, err) &&
        xml_parser_init(&x->parser, setup, &x->values, err)) {
        *out = &x->base;
        return true;
    }
    xml_free(&x->base);
    return false;
}

/* Finds the first byte of the document, behind a mark of byte order and white space, in x->head. */
static bool begin_head(struct xml *x, bool last, struct mu_error *err)
{
    const struct mu_span head = mu_text_span(&x->head);
    size_t at = head.len >= 3 && memcmp(head.at, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    if (head.len >= 2 && (memcmp(head.at, "\xff\xfe", 2) == 0 || memcmp(head.at, "\xfe\xff", 2) == 0 ||
                          !head.at[0] || !head.at[1]))
        return mu_reject(err, "source_unreadable", "", "the source begins like UTF-16, which is not read");
    while (at < head.len && head.at[at] && strchr(" \t\r\n", head.at[at]))
        at++;
    if (at == head.len && last)
        return mu_reject(err, "source_unreadable", "",
                         "the source is empty; an XML document has at least one element");
    if (at == head.len && at > x->most_blanks)
        return mu_reject(err, "source_unreadable", "", "the source begins with too much white space");
    if (at == head.len || (head.len < 3 && !last))
        return true;
    x->head_begun = true;
    x->next = (struct mu_position){(int64_t)at, 1, 1};
    for (size_t i = 0; i < at; i++)
        x->next.line += head.at[i] == '\n' || (head.at[i] == '\r' && head.at[i + 1] != '\n');
    x->parser.find_first = true;
    return xml_parser_begin(&x->parser, x->next, err);
}

/* What is held of the head up to this offset can be no part of a record. */
static void pass_head(struct xml *x, int64_t to)
{
    const size_t len = to > x->head_from ? (size_t)(to - x->head_from) : 0, rest = x->head.len - len;
    if (!len)
        return;
    mu_sha_add(&x->sha, mu_span(x->head.at, len));
    memmove(x->head.at, x->head.at + len, rest);
    mu_text_cut(&x->head, rest);
    x->head_from = x->next.byte_off = to;
}

/* The head is over: at the first record, or, if there is none, at the document's end. */
static bool end_head(struct xml *x, bool at_end, struct mu_position *first, struct mu_error *err)
{
    struct xml_parser *p = &x->parser;
    x->head_done = true;
    x->at_end = at_end;
    *first = at_end ? (struct mu_position){p->told, 1, xml_parser_line(p)}
                    : (struct mu_position){p->locator.byte_off, 1, p->locator.line};
    pass_head(x, first->byte_off);
    x->next = *first;
    mu_text_free(&x->head);
    xml_parser_note_open(p);
    mu_text_reset(&x->first);
    mu_text_add(&x->first, mu_text_span(&p->state));
    p->find_first = false;
    return mu_text_ok(&p->state, err) && mu_text_ok(&x->first, err);
}

static bool xml_header(struct mu_reader *r, struct mu_span chunk, bool last, bool *done,
                       struct mu_position *first, struct mu_error *err)
{
    struct xml *x = xml_of(r);
    struct xml_parser *p = &x->parser;
    mu_text_add(&x->head, chunk);
    *done = false;
    if (!mu_text_ok(&x->head, err) || (!x->head_begun && !begin_head(x, last, err)))
        return false;
    if (!x->head_begun)
        return true;
    const size_t told = (size_t)(p->told - x->head_from);
    enum mu_read got = xml_parser_run(p, mu_span(x->head.at + told, x->head.len - told), false, err);
    if (got == MU_READ_MORE && last)
        got = xml_parser_run(p, mu_span("", 0), true, err);
    if (got == MU_READ_FAILED)
        return false;
    *done = got != MU_READ_MORE;
    if (*done)
        return end_head(x, got == MU_READ_END, first, err);
    pass_head(x, xml_parser_part(p));
    return true;
}

static bool xml_lacks(const struct mu_reader *r, size_t column)
{
    (void)r;
    (void)column;
    return false; /* every record has its own elements */
}

static struct mu_digest xml_header_digest(const struct mu_reader *r)
{
    return mu_sha_end(&xml_in(r)->sha);
}

static void xml_seek(struct mu_reader *r, struct mu_position at)
{
    struct xml *x = xml_of(r);
    x->at_end = x->at_end && at.byte_off == x->next.byte_off;
    x->next = at;
    x->chunk = mu_span(NULL, 0);
    x->at = 0;
    x->last = false;
    mu_text_reset(&x->parser.state);
    mu_text_add(&x->parser.state, mu_text_span(&x->first));
    xml_parser_drop(&x->parser);
}

/* What is fed again after a record begins at x->next, and the parser has had the beginning of it; if it has
 * had more than that, it starts there again. */
static void xml_feed(struct mu_reader *r, struct mu_span chunk, bool last)
{
    struct xml *x = xml_of(r);
    x->chunk = chunk;
    x->at = 0;
    x->last = last;
    if (!x->parser.halted)
        return;
    const int64_t had = x->parser.told - x->next.byte_off;
    if (had <= (int64_t)chunk.len)
        x->at = (size_t)had;
    else
        xml_parser_drop(&x->parser);
}

/* RECORD: it is in the parser's locator, its values are gathered if that is asked for. */
static enum mu_read find(struct xml *x, bool gather, struct mu_error *err)
{
    struct xml_parser *p = &x->parser;
    enum mu_read got = MU_READ_MORE;
    if (x->at_end)
        return x->last ? MU_READ_END : MU_READ_MORE;
    if (!p->expat && !xml_parser_go_on(p, x->next, err))
        return MU_READ_FAILED;
    p->gather = gather;
    while (got == MU_READ_MORE) {
        const struct mu_span rest = mu_span(x->chunk.at + x->at, x->chunk.len - x->at);
        if (!p->halted && !rest.len && !x->last)
            return MU_READ_MORE;
        if (!p->halted && !rest.len && x->part && !p->inside)
            return MU_READ_END;
        size_t used = 0;
        if (xml_parser_pass(p, rest, &used)) {
            got = MU_READ_RECORD;
        } else {
            used = p->halted ? 0 : xml_parser_slice(p, rest);
            got = xml_parser_run(p, mu_span(rest.at, used), x->last, err);
        }
        x->at += used;
    }
    if (got == MU_READ_RECORD)
        x->next = p->next;
    if (got == MU_READ_END) {
        x->next.byte_off = p->told;
        x->next.line = xml_parser_line(p);
        x->at_end = true;
    }
    return got;
}

static enum mu_read xml_next(struct mu_reader *r, struct mu_record *out, struct mu_error *err)
{
    struct xml *x = xml_of(r);
    const enum mu_read found = find(x, true, err);
    if (found != MU_READ_RECORD)
        return found;
    *out = (struct mu_record){.at = x->parser.locator, .count = x->column_count};
    return xml_record_values(x->parser.record, &out->values, err) ? MU_READ_RECORD : MU_READ_FAILED;
}

static enum mu_read xml_skip(struct mu_reader *r, struct mu_locator *out, struct mu_error *err)
{
    struct xml *x = xml_of(r);
    const enum mu_read found = find(x, false, err);
    if (found == MU_READ_RECORD)
        *out = x->parser.locator;
    return found;
}

static struct mu_position xml_position(const struct mu_reader *r)
{
    return xml_in(r)->next;
}

static bool xml_can_cut(const struct mu_reader *r)
{
    const struct xml *x = xml_in(r);
    return mu_span_equal(mu_text_span(&x->parser.state), mu_text_span(&x->first));
}

/* {"encoding","first":<what is open at the first record>,"open":<what is open here, if that is another>}; {}:
 * all is read. */
static void xml_save(const struct mu_reader *r, struct mu_text *out)
{
    const struct xml *x = xml_in(r);
    mu_text_putc(out, '{');
    if (!x->at_end) {
        mu_json_put_text(out, "encoding", x->parser.encoding_name);
        mu_json_put_raw(out, "first", mu_text_span(&x->first));
        if (!xml_can_cut(r))
            mu_json_put_raw(out, "open", mu_text_span(&x->parser.state));
    }
    mu_text_putc(out, '}');
}

static bool xml_restore(struct mu_reader *r, const json_t *saved, struct mu_error *err)
{
    struct xml *x = xml_of(r);
    MU_AUTO(mu_text_free) struct mu_text first = MU_TEXT(0), tags = MU_TEXT(0);
    const struct mu_span name = mu_json_span(saved, "encoding");
    const json_t *open = json_object_get(saved, "open");
    enum encoding encoding = ENCODING_UTF8;
    if (json_is_object(saved) && !json_object_size(saved)) {
        x->at_end = true;
        return true;
    }
    mu_json_write(&first, json_object_get(saved, "first"));
    mu_text_reset(&x->parser.state);
    mu_json_write(&x->parser.state, open ? open : json_object_get(saved, "first"));
    if (!name.at || !encoding_parse(name, &encoding) ||
        !xml_open_tags(mu_text_span(&first), encoding, &tags) ||
        !xml_open_tags(mu_text_span(&x->parser.state), encoding, &tags) ||
        (x->head_done && (!mu_span_is(name, x->parser.encoding_name) ||
                          !mu_span_equal(mu_text_span(&first), mu_text_span(&x->first)))) ||
        !mu_copy_text(x->parser.encoding_name, sizeof(x->parser.encoding_name), name))
        return mu_reject(err, "invalid", "", "the checkpoint holds the state of another reader");
    x->parser.encoding = encoding;
    x->head_done = true;
    x->at_end = false;
    mu_text_reset(&x->first);
    mu_text_add(&x->first, mu_text_span(&first));
    return mu_text_ok(&x->first, err) && mu_text_ok(&x->parser.state, err);
}

static void xml_write_path(const struct mu_reader *r, const struct mu_record *record, struct mu_text *out)
{
    xml_path_write(&xml_in(r)->parser.path, record->at.record_no, out);
}

const struct mu_reader_kind mu_reader_xml = {
    .name = "xml",
    .open = xml_open_reader,
    .header = xml_header,
    .lacks = xml_lacks,
    .header_digest = xml_header_digest,
    .seek = xml_seek,
    .feed = xml_feed,
    .next = xml_next,
    .skip = xml_skip,
    .position = xml_position,
    .save = xml_save,
    .restore = xml_restore,
    .can_cut = xml_can_cut,
    .path = xml_write_path,
    .free = xml_free,
};
