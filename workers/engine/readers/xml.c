/* SPDX-License-Identifier: Apache-2.0 */
/* The XML reader: expat over the document as it comes, halted at each record's end. Nothing is kept of what has gone
 * by but the names of the elements that are open. A document is read from its beginning, or from a boundary on: then
 * the parser is first told what is open there, and that is taken off its byte and line counts again.
 *
 * Never read: document types (so no entity but the five of XML), what is deeper or larger than the limits. A record
 * within a record is part of it. */
#include "engine/reader_kind.h"
#include "engine/readers/xml_open.h"
#include "engine/readers/xml_path.h"
#include "engine/readers/xml_record.h"

#include <assert.h>
#include <expat.h>
#include <inttypes.h>

#define PART_EXTRA ((size_t)64 << 10) /* a tag or comment may be as long as a record, and this */
#define ENCODING_NAME_MAX 20

struct xml {
    struct mu_reader base;
    struct mu_reader_setup setup;
    struct values values;
    struct xml_path path;
    struct xml_record *record;

    XML_Parser parser;         /* NULL: to be made at `next` */
    int64_t base_off, base_line; /* of the parser's first byte and line in the source */
    int64_t told;              /* where the bytes end that the parser has been given */
    bool halted;               /* at a record's end; it has bytes to go on with */
    bool final;                /* it has been told the end */
    bool stopped;              /* for good; of an empty element the end is told all the same */
    bool replaying;            /* what is open, which is no news */
    struct mu_error *err;      /* while it runs */
    struct xml_open open;
    bool moved;                /* `open` is not as in `state` any more */

    struct mu_text head; /* of what stands before the first record: what may be part of that record's tag */
    int64_t head_from;   /* its offset */
    struct mu_sha sha;   /* over the source before the first record */
    bool head_begun, head_done;
    char encoding_name[ENCODING_NAME_MAX];
    enum encoding encoding;
    struct mu_text first, state; /* what is open at the first record, and at `next` */
    bool at_end;                 /* the document has been read whole */

    struct mu_span chunk;
    size_t at; /* in chunk */
    bool last;

    bool gather;   /* values are wanted */
    bool inside;   /* a record */
    size_t depth;  /* of elements within it */
    size_t fields; /* elements and attributes within it */
    bool found;    /* it has just ended */
    struct mu_locator locator;
    struct mu_position next;
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
    if (x->parser)
        XML_ParserFree(x->parser);
    xml_record_free(x->record);
    values_fini(&x->values);
    xml_open_fini(&x->open);
    mu_text_free(&x->head);
    mu_text_free(&x->first);
    mu_text_free(&x->state);
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
    x->setup = *setup;
    mu_sha_init(&x->sha);
    x->next = (struct mu_position){0, 1, 1};
    xml_open_init(&x->open);
    const size_t ceiling = setup->limits.record_bytes * ENCODING_GROWTH + PART_EXTRA;
    if (options_check(setup->source, err) && xml_path_parse(&x->path, mu_json_span(setup->source, "record"), err) &&
        values_open(&x->values, setup, err) &&
        xml_record_open(&x->record, setup, &x->values, &x->open.scope, ceiling, err)) {
        *out = &x->base;
        return true;
    }
    xml_free(&x->base);
    return false;
}

static int64_t byte_now(const struct xml *x)
{
    return x->base_off + (int64_t)XML_GetCurrentByteIndex(x->parser);
}

static int64_t line_now(const struct xml *x)
{
    return x->base_line + (int64_t)XML_GetCurrentLineNumber(x->parser) - 1;
}

static void stop(struct xml *x)
{
    x->stopped = true;
    (void)XML_StopParser(x->parser, XML_FALSE);
}

/* Ends the parsing with this cause. */
static void refuse(struct xml *x, const char *code, const char *what)
{
    mu_reject(x->err, code, "", "%s (line %" PRId64 ", byte %" PRId64 ")", what, line_now(x), byte_now(x));
    stop(x);
}

static bool too_long(const struct xml *x, struct mu_error *err)
{
    return mu_reject(err, "limit_record_bytes", "",
                     "record %" PRId64 " (line %" PRId64 ", byte %" PRId64 ") is longer than %zu bytes",
                     x->locator.record_no, x->locator.line, x->locator.byte_off, x->setup.limits.record_bytes);
}

static bool beyond_limit(const struct xml *x, int64_t end)
{
    return x->inside && end - x->locator.byte_off > (int64_t)x->setup.limits.record_bytes;
}

/* What stands outside of records is not read, but a parser holds each part of it whole. */
static bool part_fits(struct xml *x)
{
    if ((size_t)XML_GetCurrentByteCount(x->parser) <= x->setup.limits.record_bytes + PART_EXTRA)
        return true;
    refuse(x, "limit_record_bytes", "a tag or comment is too long");
    return false;
}

static void XMLCALL on_text(void *data, const char *text, int len)
{
    struct xml *x = data;
    xml_record_text(x->record, mu_span(text, (size_t)len));
}

/* A parser without a handler passes over character data at once. */
static void want_text(struct xml *x, bool wanted)
{
    XML_SetCharacterDataHandler(x->parser, wanted ? on_text : NULL);
}

static bool count_fields(struct xml *x, const char *const *attributes)
{
    size_t count = 1;
    while (*attributes) {
        attributes += 2;
        count++;
    }
    x->fields = x->inside && x->gather ? x->fields + count : count;
    if (x->fields <= x->setup.limits.fields || (x->inside && !x->gather))
        return true;
    if (!x->inside) {
        refuse(x, "limit_fields", "an element has too many attributes");
        return false;
    }
    mu_reject(x->err, "limit_fields", "",
              "record %" PRId64 " (line %" PRId64 ", byte %" PRId64 ") has more than %zu elements and attributes",
              x->locator.record_no, x->locator.line, x->locator.byte_off, x->setup.limits.fields);
    stop(x);
    return false;
}

static bool open_scope(struct xml *x, const char *const *attributes)
{
    if (!xml_record_needs_spaces(x->record) || xml_scope_open(&x->open.scope, attributes))
        return true;
    refuse(x, "limit_open_elements", "the open elements declare too much");
    return false;
}

/* Is the element a record? The first one ends the header. */
static void begin_record(struct xml *x, const char *const *attributes)
{
    x->locator = (struct mu_locator){.record_no = x->next.record_no, .byte_off = byte_now(x), .line = line_now(x)};
    if (!x->head_done) {
        x->found = true;
        stop(x);
        return;
    }
    x->inside = true;
    x->depth = 0;
    x->fields = 0;
    if (count_fields(x, attributes) && open_scope(x, attributes) && x->gather)
        want_text(x, xml_record_begin(x->record, attributes));
}

/* Its namespaces count for the element's own name, so it is open before it is looked at. */
static void start_outside(struct xml *x, const char *name, const char *const *attributes)
{
    if (!part_fits(x) || !count_fields(x, attributes))
        return;
    if (!xml_open_push(&x->open, name, attributes)) {
        refuse(x, "limit_open_elements", "the open elements' names and namespaces are too long");
        return;
    }
    if (!xml_path_open(&x->path, x->open.depth - 1, name, &x->open.scope) || x->replaying) {
        x->moved = true;
        return;
    }
    xml_open_pop(&x->open);
    begin_record(x, attributes);
}

static void XMLCALL on_start(void *data, const char *name, const char **given)
{
    struct xml *x = data;
    const char *const *attributes = (const char *const *)given;
    if (x->open.depth + (x->inside ? x->depth + 1 : 0) == XML_DEPTH_MAX) {
        refuse(x, "limit_depth", "elements are nested more than 256 deep");
        return;
    }
    if (!x->inside) {
        start_outside(x, name, attributes);
        return;
    }
    x->depth++;
    if (!x->gather)
        return;
    if (count_fields(x, attributes) && open_scope(x, attributes))
        want_text(x, xml_record_start(x->record, name, attributes));
}

/* Line ends within the tag that has just been read. */
static int64_t lines_within(const struct xml *x)
{
    int offset = 0, size = 0;
    const int len = XML_GetCurrentByteCount(x->parser);
    const char *buffer = XML_GetInputContext(x->parser, &offset, &size);
    int64_t lines = 0;
    for (int i = 0; buffer && i < len && offset + i < size; i++) {
        const char c = buffer[offset + i];
        lines += c == '\n' || (c == '\r' && (offset + i + 1 == size || buffer[offset + i + 1] != '\n'));
    }
    return lines;
}

static void end_record(struct xml *x)
{
    const int64_t end = byte_now(x) + XML_GetCurrentByteCount(x->parser);
    if (beyond_limit(x, end)) {
        (void)too_long(x, x->err);
        stop(x);
        return;
    }
    want_text(x, false);
    if (x->gather && xml_record_needs_spaces(x->record))
        xml_scope_close(&x->open.scope);
    if (x->moved) {
        mu_text_reset(&x->state);
        xml_open_write(&x->open, &x->state);
        x->moved = false;
    }
    if (!x->open.depth) {
        mu_text_reset(&x->state);
        mu_text_puts(&x->state, XML_OPEN_OVER);
    }
    x->inside = false;
    x->found = true;
    x->locator.length = end - x->locator.byte_off;
    x->next = (struct mu_position){end, x->locator.record_no + 1, line_now(x) + lines_within(x)};
    (void)XML_StopParser(x->parser, XML_TRUE);
}

static void XMLCALL on_end(void *data, const char *name)
{
    struct xml *x = data;
    (void)name;
    if (x->stopped)
        return;
    if (!x->inside) {
        xml_open_pop(&x->open);
        xml_path_close(&x->path, x->open.depth);
        x->moved = true;
        return;
    }
    if (x->depth == 0) {
        end_record(x);
        return;
    }
    x->depth--;
    if (!x->gather)
        return;
    if (xml_record_needs_spaces(x->record))
        xml_scope_close(&x->open.scope);
    want_text(x, xml_record_end(x->record));
}

static void XMLCALL on_doctype(void *data, const char *name, const char *system, const char *public, int internal)
{
    struct xml *x = data;
    (void)name;
    (void)system;
    (void)public;
    (void)internal;
    refuse(x, "source_unreadable", "the XML has a document type (DTD), which is not read: entities are refused");
}

static void XMLCALL on_declaration(void *data, const char *version, const char *encoding, int standalone)
{
    struct xml *x = data;
    const struct mu_span name = mu_span_of(encoding ? encoding : "UTF-8");
    (void)version;
    (void)standalone;
    if (!encoding_parse(name, &x->encoding) || !mu_copy_text(x->encoding_name, sizeof(x->encoding_name), name))
        refuse(x, "source_unreadable", "the XML is in an encoding that is not read; UTF-8, ISO-8859-1, windows-1252 are");
}

static void XMLCALL on_comment(void *data, const char *text)
{
    (void)text;
    (void)part_fits(data);
}

static void XMLCALL on_instruction(void *data, const char *target, const char *text)
{
    (void)target;
    (void)text;
    (void)part_fits(data);
}

/* Asked for what expat does not know itself. */
static int XMLCALL on_encoding(void *data, const char *name, XML_Encoding *info)
{
    enum encoding e;
    (void)data;
    if (!encoding_parse(mu_span_of(name), &e) || e == ENCODING_UTF8)
        return XML_STATUS_ERROR;
    for (int byte = 0; byte < 256; byte++)
        info->map[byte] = encoding_code(e, (unsigned char)byte);
    info->data = NULL;
    info->convert = NULL;
    info->release = NULL;
    return XML_STATUS_OK;
}

static bool make_parser(struct xml *x, const char *encoding, struct mu_error *err)
{
    if (x->parser)
        XML_ParserFree(x->parser);
    x->parser = XML_ParserCreate(encoding);
    if (!x->parser)
        return mu_fail(err, MU_BROKEN, "out of memory");
    XML_SetUserData(x->parser, x);
    XML_SetElementHandler(x->parser, on_start, on_end);
    XML_SetStartDoctypeDeclHandler(x->parser, on_doctype);
    XML_SetXmlDeclHandler(x->parser, on_declaration);
    XML_SetCommentHandler(x->parser, on_comment);
    XML_SetProcessingInstructionHandler(x->parser, on_instruction);
    XML_SetUnknownEncodingHandler(x->parser, on_encoding, x);
    xml_open_clear(&x->open);
    x->path.matched = 0;
    x->inside = x->halted = x->final = x->found = x->stopped = false;
    return true;
}

/* A parser that stands at x->next, with what is open there. */
static bool start_there(struct xml *x, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text tags = MU_TEXT(0);
    if (!xml_open_tags(mu_text_span(&x->state), x->encoding, &tags))
        return mu_fail(err, MU_BROKEN, "the open elements of an XML document are not as they were written");
    if (!make_parser(x, x->encoding_name, err))
        return false;
    x->told = x->next.byte_off;
    x->base_off = x->next.byte_off - (int64_t)tags.len;
    x->base_line = x->next.line;
    x->err = err;
    x->replaying = true;
    const enum XML_Status status = XML_Parse(x->parser, tags.len ? tags.at : "", (int)tags.len, 0);
    x->replaying = false;
    if (status != XML_STATUS_OK)
        return mu_fail(err, MU_BROKEN, "the XML parser does not take up what was open: %s",
                       XML_ErrorString(XML_GetErrorCode(x->parser)));
    x->moved = false;
    return true;
}

/* The parser has stopped: for a cause of ours, or the document's. */
static bool broken(struct xml *x, struct mu_error *err)
{
    const enum XML_Error code = XML_GetErrorCode(x->parser);
    if (err->fault)
        return false;
    if (code == XML_ERROR_NO_MEMORY)
        return mu_fail(err, MU_BROKEN, "out of memory");
    if (beyond_limit(x, byte_now(x)))
        return too_long(x, err);
    return mu_reject(err, "source_unreadable", "", "the XML is broken: %s (line %" PRId64 ", byte %" PRId64 ")",
                     XML_ErrorString(code), line_now(x), byte_now(x));
}

/* After all bytes at hand have been taken: neither a record nor a part may grow without end. */
static bool within_limits(struct xml *x, struct mu_error *err)
{
    if (beyond_limit(x, x->told))
        return too_long(x, err);
    const int64_t begun = (int64_t)XML_GetCurrentByteIndex(x->parser);
    if (begun >= 0 && x->told - (x->base_off + begun) > (int64_t)(x->setup.limits.record_bytes + PART_EXTRA))
        return mu_reject(err, "limit_record_bytes", "", "a tag or comment is too long (line %" PRId64 ", byte %" PRId64 ")",
                         line_now(x), byte_now(x));
    return true;
}

/* MORE: the bytes are taken. END: the document is read whole. RECORD: the parser was stopped for one. */
static enum mu_read run_parser(struct xml *x, struct mu_span bytes, bool last, struct mu_error *err)
{
    enum XML_Status status;
    assert(bytes.len < INT32_MAX);
    x->err = err;
    if (x->halted) {
        x->halted = false;
        status = XML_ResumeParser(x->parser);
    } else if (bytes.len) {
        x->told += (int64_t)bytes.len;
        status = XML_Parse(x->parser, bytes.at, (int)bytes.len, 0);
    } else if (last) {
        x->final = true;
        status = XML_Parse(x->parser, "", 0, 1);
    } else {
        return MU_READ_MORE;
    }
    if (x->found)
        return MU_READ_RECORD;
    if (status == XML_STATUS_ERROR)
        return broken(x, err) ? MU_READ_MORE : MU_READ_FAILED;
    if (x->final)
        return MU_READ_END;
    return within_limits(x, err) ? MU_READ_MORE : MU_READ_FAILED;
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
        return mu_reject(err, "source_unreadable", "", "the source is empty; an XML document has at least one element");
    if (at == head.len && at > x->setup.limits.record_bytes)
        return mu_reject(err, "source_unreadable", "", "the source begins with too much white space");
    if (at == head.len || (head.len < 3 && !last))
        return true;
    x->head_begun = true;
    x->told = x->base_off = (int64_t)at;
    x->base_line = 1;
    for (size_t i = 0; i < at; i++)
        x->base_line += head.at[i] == '\n' || (head.at[i] == '\r' && head.at[i + 1] != '\n');
    x->encoding = ENCODING_UTF8;
    return mu_copy_text(x->encoding_name, sizeof(x->encoding_name), mu_span_of("UTF-8")) && make_parser(x, NULL, err);
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
    x->head_done = true;
    x->at_end = at_end;
    *first = at_end ? (struct mu_position){x->told, 1, line_now(x)}
                    : (struct mu_position){x->locator.byte_off, 1, x->locator.line};
    pass_head(x, first->byte_off);
    x->next = *first;
    mu_text_free(&x->head);
    mu_text_reset(&x->first);
    xml_open_write(&x->open, &x->first);
    mu_text_reset(&x->state);
    mu_text_add(&x->state, mu_text_span(&x->first));
    return mu_text_ok(&x->first, err) && mu_text_ok(&x->state, err);
}

static bool xml_header(struct mu_reader *r, struct mu_span chunk, bool last, bool *done, struct mu_position *first,
                       struct mu_error *err)
{
    struct xml *x = xml_of(r);
    mu_text_add(&x->head, chunk);
    *done = false;
    if (!mu_text_ok(&x->head, err) || (!x->head_begun && !begin_head(x, last, err)))
        return false;
    if (!x->head_begun)
        return true;
    const size_t told = (size_t)(x->told - x->head_from);
    enum mu_read got = run_parser(x, mu_span(x->head.at + told, x->head.len - told), false, err);
    if (got == MU_READ_MORE && last)
        got = run_parser(x, mu_span("", 0), true, err);
    if (got == MU_READ_FAILED)
        return false;
    *done = got != MU_READ_MORE;
    if (*done)
        return end_head(x, got == MU_READ_END, first, err);
    const int64_t part = (int64_t)XML_GetCurrentByteIndex(x->parser);
    pass_head(x, part < 0 ? x->told : x->base_off + part);
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

static void drop_parser(struct xml *x)
{
    if (x->parser)
        XML_ParserFree(x->parser);
    x->parser = NULL;
    x->halted = x->inside = false;
}

static void xml_seek(struct mu_reader *r, struct mu_position at)
{
    struct xml *x = xml_of(r);
    x->at_end = x->at_end && at.byte_off == x->next.byte_off;
    x->next = at;
    x->chunk = mu_span(NULL, 0);
    x->at = 0;
    x->last = false;
    mu_text_reset(&x->state);
    mu_text_add(&x->state, mu_text_span(&x->first));
    drop_parser(x);
}

/* What is fed again after a record begins at x->next, and the parser has had the beginning of it; if it has had more
 * than that, it starts there again. */
static void xml_feed(struct mu_reader *r, struct mu_span chunk, bool last)
{
    struct xml *x = xml_of(r);
    x->chunk = chunk;
    x->at = 0;
    x->last = last;
    if (!x->halted)
        return;
    const int64_t had = x->told - x->next.byte_off;
    if (had <= (int64_t)chunk.len)
        x->at = (size_t)had;
    else
        drop_parser(x);
}

static enum mu_read at_end(struct xml *x)
{
    x->next.byte_off = x->told;
    x->next.line = line_now(x);
    x->at_end = true;
    return MU_READ_END;
}

/* RECORD: it is in x->locator, its values are gathered if that is asked for. */
static enum mu_read find(struct xml *x, bool gather, struct mu_error *err)
{
    if (x->at_end)
        return x->last ? MU_READ_END : MU_READ_MORE;
    if (!x->parser && !start_there(x, err))
        return MU_READ_FAILED;
    x->gather = gather;
    x->found = false;
    for (;;) {
        const struct mu_span rest = mu_span(x->chunk.at + x->at, x->chunk.len - x->at);
        const bool more = !x->halted && !rest.len;
        if (more && !x->last)
            return MU_READ_MORE;
        if (more && x->setup.part && !x->inside)
            return MU_READ_END;
        if (!x->halted)
            x->at = x->chunk.len;
        const enum mu_read got = run_parser(x, rest, x->last, err);
        if (got == MU_READ_END)
            return at_end(x);
        x->halted = got == MU_READ_RECORD;
        if (got != MU_READ_MORE)
            return got;
    }
}

static enum mu_read xml_next(struct mu_reader *r, struct mu_record *out, struct mu_error *err)
{
    struct xml *x = xml_of(r);
    const enum mu_read found = find(x, true, err);
    if (found != MU_READ_RECORD)
        return found;
    *out = (struct mu_record){.at = x->locator, .count = x->setup.column_count};
    return xml_record_values(x->record, &out->values, err) ? MU_READ_RECORD : MU_READ_FAILED;
}

static enum mu_read xml_skip(struct mu_reader *r, struct mu_locator *out, struct mu_error *err)
{
    struct xml *x = xml_of(r);
    const enum mu_read found = find(x, false, err);
    if (found == MU_READ_RECORD)
        *out = x->locator;
    return found;
}

static struct mu_position xml_position(const struct mu_reader *r)
{
    return xml_in(r)->next;
}

static bool xml_can_cut(const struct mu_reader *r)
{
    const struct xml *x = xml_in(r);
    return mu_span_equal(mu_text_span(&x->state), mu_text_span(&x->first));
}

/* {"encoding","first":<what is open at the first record>,"open":<what is open here, if that is another>}; {}: all is
 * read. */
static void xml_save(const struct mu_reader *r, struct mu_text *out)
{
    const struct xml *x = xml_in(r);
    mu_text_putc(out, '{');
    if (!x->at_end) {
        mu_json_put_text(out, "encoding", x->encoding_name);
        mu_json_put_raw(out, "first", mu_text_span(&x->first));
        if (!xml_can_cut(r))
            mu_json_put_raw(out, "open", mu_text_span(&x->state));
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
    mu_text_reset(&x->state);
    mu_json_write(&x->state, open ? open : json_object_get(saved, "first"));
    if (!name.at || !encoding_parse(name, &encoding) || !xml_open_tags(mu_text_span(&first), encoding, &tags) ||
        !xml_open_tags(mu_text_span(&x->state), encoding, &tags) ||
        (x->head_done && (!mu_span_is(name, x->encoding_name) ||
                          !mu_span_equal(mu_text_span(&first), mu_text_span(&x->first)))) ||
        !mu_copy_text(x->encoding_name, sizeof(x->encoding_name), name))
        return mu_reject(err, "invalid", "", "the checkpoint holds the state of another reader");
    x->encoding = encoding;
    x->head_done = true;
    x->at_end = false;
    mu_text_reset(&x->first);
    mu_text_add(&x->first, mu_text_span(&first));
    return mu_text_ok(&x->first, err) && mu_text_ok(&x->state, err);
}

static void xml_write_path(const struct mu_reader *r, const struct mu_record *record, struct mu_text *out)
{
    xml_path_write(&xml_in(r)->path, record->at.record_no, out);
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
