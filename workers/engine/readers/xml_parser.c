/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/readers/xml_parser.h"

#include <assert.h>
#include <expat.h>
#include <inttypes.h>
#include <strings.h>

#define UNKNOWN_SLICE 1024            /* of a document whose records' name is not known yet */
#define PART_EXTRA ((size_t)64 << 10) /* a tag or comment may be as long as a record, and this */

static int64_t byte_now(const struct xml_parser *p)
{
    return p->base_off + (int64_t)XML_GetCurrentByteIndex(p->expat);
}

static int64_t line_now(const struct xml_parser *p)
{
    return p->base_line + (int64_t)XML_GetCurrentLineNumber(p->expat) - 1;
}

static void stop(struct xml_parser *p)
{
    p->stopped = true;
    (void)XML_StopParser(p->expat, XML_FALSE);
}

/* Ends the parsing with this cause. */
static void refuse(struct xml_parser *p, const char *code, const char *what)
{
    mu_reject(p->err, code, "", "%s (line %" PRId64 ", byte %" PRId64 ")", what, line_now(p), byte_now(p));
    stop(p);
}

static bool too_long(const struct xml_parser *p, struct mu_error *err)
{
    return mu_reject(err, "limit_record_bytes", "",
                     "record %" PRId64 " (line %" PRId64 ", byte %" PRId64 ") is longer than %zu bytes",
                     p->locator.record_no, p->locator.line, p->locator.byte_off, p->limits.record_bytes);
}

static bool beyond_limit(const struct xml_parser *p, int64_t end)
{
    return p->inside && end - p->locator.byte_off > (int64_t)p->limits.record_bytes;
}

/* What stands outside of records is not read, but a parser holds each part of it whole. */
static bool part_fits(struct xml_parser *p)
{
    if ((size_t)XML_GetCurrentByteCount(p->expat) <= p->limits.record_bytes + PART_EXTRA)
        return true;
    refuse(p, "limit_record_bytes", "a tag or comment is too long");
    return false;
}

static void XMLCALL on_text(void *data, const char *text, int len)
{
    struct xml_parser *p = data;
    xml_record_text(p->record, mu_span(text, (size_t)len));
}

/* A parser without a handler passes over character data at once. */
static void want_text(struct xml_parser *p, bool wanted)
{
    XML_SetCharacterDataHandler(p->expat, wanted ? on_text : NULL);
}

static bool count_fields(struct xml_parser *p, const char *const *attributes)
{
    size_t count = 1;
    while (*attributes) {
        attributes += 2;
        count++;
    }
    p->fields = p->inside && p->gather ? p->fields + count : count;
    if (p->fields <= p->limits.fields || (p->inside && !p->gather))
        return true;
    if (!p->inside) {
        refuse(p, "limit_fields", "an element has too many attributes");
        return false;
    }
    mu_reject(p->err, "limit_fields", "",
              "record %" PRId64 " (line %" PRId64 ", byte %" PRId64
              ") has more than %zu elements and attributes",
              p->locator.record_no, p->locator.line, p->locator.byte_off, p->limits.fields);
    stop(p);
    return false;
}

static bool open_scope(struct xml_parser *p, const char *const *attributes)
{
    if (!xml_record_needs_spaces(p->record) || xml_scope_open(&p->open.scope, attributes))
        return true;
    refuse(p, "limit_open_elements", "the open elements declare too much");
    return false;
}

/* Is the element a record, then it is inside from here on. */
static void begin_record(struct xml_parser *p, const char *name, const char *const *attributes)
{
    if (!mu_copy_text(p->name, sizeof(p->name), mu_span_of(name)))
        p->name[0] = '\0';
    p->locator =
        (struct mu_locator){.record_no = p->next.record_no, .byte_off = byte_now(p), .line = line_now(p)};
    if (p->find_first) {
        p->found = true;
        stop(p);
        return;
    }
    p->inside = true;
    p->depth = 0;
    p->fields = 0;
    if (count_fields(p, attributes) && open_scope(p, attributes) && p->gather)
        want_text(p, xml_record_begin(p->record, attributes));
}

/* Its namespaces count for the element's own name, so it is open before it is looked at. */
static void start_outside(struct xml_parser *p, const char *name, const char *const *attributes)
{
    if (!part_fits(p) || !count_fields(p, attributes))
        return;
    if (!xml_open_push(&p->open, name, attributes)) {
        refuse(p, "limit_open_elements", "the open elements' names and namespaces are too long");
        return;
    }
    if (!xml_path_open(&p->path, p->open.depth - 1, name, &p->open.scope) || p->replaying) {
        p->moved = true;
        p->name[0] = '\0';
        return;
    }
    xml_open_pop(&p->open);
    begin_record(p, name, attributes);
}

static void XMLCALL on_start(void *data, const char *name, const char **given)
{
    struct xml_parser *p = data;
    const char *const *attributes = (const char *const *)given;
    if (p->open.depth + (p->inside ? p->depth + 1 : 0) == XML_DEPTH_MAX) {
        refuse(p, "limit_depth", "elements are nested more than 256 deep");
        return;
    }
    if (!p->inside) {
        start_outside(p, name, attributes);
        return;
    }
    p->depth++;
    if (!p->gather)
        return;
    if (count_fields(p, attributes) && open_scope(p, attributes))
        want_text(p, xml_record_start(p->record, name, attributes));
}

/* Line ends within the tag that has just been read. */
static int64_t lines_within(const struct xml_parser *p)
{
    int offset = 0, size = 0;
    const int len = XML_GetCurrentByteCount(p->expat);
    const char *buffer = XML_GetInputContext(p->expat, &offset, &size);
    int64_t lines = 0;
    for (int i = 0; buffer && i < len && offset + i < size; i++) {
        const char c = buffer[offset + i];
        lines += c == '\n' || (c == '\r' && (offset + i + 1 == size || buffer[offset + i + 1] != '\n'));
    }
    return lines;
}

static void note_over(struct xml_parser *p)
{
    p->over = !p->open.depth;
    p->over_off = byte_now(p) + XML_GetCurrentByteCount(p->expat);
    p->over_line = line_now(p) + lines_within(p);
}

static void end_record(struct xml_parser *p)
{
    const int64_t end = byte_now(p) + XML_GetCurrentByteCount(p->expat);
    if (beyond_limit(p, end)) {
        (void)too_long(p, p->err);
        stop(p);
        return;
    }
    want_text(p, false);
    if (p->gather && xml_record_needs_spaces(p->record))
        xml_scope_close(&p->open.scope);
    if (p->moved)
        xml_parser_note_open(p);
    if (!p->open.depth) {
        note_over(p);
        mu_text_reset(&p->state);
        mu_text_puts(&p->state, XML_OPEN_OVER);
    }
    p->inside = false;
    p->found = true;
    p->locator.length = end - p->locator.byte_off;
    p->next = (struct mu_position){end, p->locator.record_no + 1, line_now(p) + lines_within(p)};
    (void)XML_StopParser(p->expat, XML_TRUE);
}

static void XMLCALL on_end(void *data, const char *name)
{
    struct xml_parser *p = data;
    (void)name;
    if (p->stopped)
        return;
    if (!p->inside) {
        xml_open_pop(&p->open);
        xml_path_close(&p->path, p->open.depth);
        if (!p->open.depth)
            note_over(p);
        p->moved = true;
        p->name[0] = '\0';
        return;
    }
    if (p->depth == 0) {
        end_record(p);
        return;
    }
    p->depth--;
    if (!p->gather)
        return;
    if (xml_record_needs_spaces(p->record))
        xml_scope_close(&p->open.scope);
    want_text(p, xml_record_end(p->record));
}

static void XMLCALL on_doctype(void *data, const char *name, const char *system, const char *public,
                               int internal)
{
    struct xml_parser *p = data;
    (void)name;
    (void)system;
    (void)public;
    (void)internal;
    refuse(p, "source_unreadable",
           "the XML has a document type (DTD), which is not read: entities are refused");
}

static void XMLCALL on_declaration(void *data, const char *version, const char *encoding, int standalone)
{
    struct xml_parser *p = data;
    const struct mu_span name = mu_span_of(encoding ? encoding : "UTF-8");
    (void)version;
    (void)standalone;
    if (!encoding_parse(name, &p->encoding) ||
        !mu_copy_text(p->encoding_name, sizeof(p->encoding_name), name))
        refuse(p, "source_unreadable",
               "the XML is in an encoding that is not read; UTF-8, ISO-8859-1, windows-1252 are");
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

static bool make_expat(struct xml_parser *p, const char *encoding, struct mu_error *err)
{
    xml_parser_drop(p);
    p->expat = XML_ParserCreate(encoding);
    if (!p->expat)
        return mu_fail(err, MU_BROKEN, "out of memory");
    XML_SetUserData(p->expat, p);
    XML_SetElementHandler(p->expat, on_start, on_end);
    XML_SetStartDoctypeDeclHandler(p->expat, on_doctype);
    XML_SetXmlDeclHandler(p->expat, on_declaration);
    XML_SetCommentHandler(p->expat, on_comment);
    XML_SetProcessingInstructionHandler(p->expat, on_instruction);
    XML_SetUnknownEncodingHandler(p->expat, on_encoding, p);
    xml_open_clear(&p->open);
    p->path.matched = 0;
    p->final = p->stopped = p->over = false;
    return true;
}

/* The parser has stopped: for a cause of ours, or the document's. */
static void say_why(struct xml_parser *p, struct mu_error *err)
{
    const enum XML_Error code = XML_GetErrorCode(p->expat);
    if (err->fault)
        return;
    if (code == XML_ERROR_NO_MEMORY)
        mu_fail(err, MU_BROKEN, "out of memory");
    else if (beyond_limit(p, byte_now(p)))
        (void)too_long(p, err);
    else if (p->over) /* expat's own words about it depend on the pieces it came in */
        mu_reject(err, "source_unreadable", "",
                  "the XML is broken: something stands behind the document (line %" PRId64 ", byte %" PRId64
                  ")",
                  p->over_line, p->over_off);
    else
        mu_reject(err, "source_unreadable", "", "the XML is broken: %s (line %" PRId64 ", byte %" PRId64 ")",
                  XML_ErrorString(code), line_now(p), byte_now(p));
}

/* After all bytes at hand have been taken: neither a record nor a part may grow without end. */
static bool within_limits(struct xml_parser *p, struct mu_error *err)
{
    if (beyond_limit(p, p->told))
        return too_long(p, err);
    const int64_t begun = (int64_t)XML_GetCurrentByteIndex(p->expat);
    if (begun >= 0 && p->told - (p->base_off + begun) > (int64_t)(p->limits.record_bytes + PART_EXTRA))
        return mu_reject(err, "limit_record_bytes", "",
                         "a tag or comment is too long (line %" PRId64 ", byte %" PRId64 ")", line_now(p),
                         byte_now(p));
    return true;
}

bool xml_parser_init(struct xml_parser *p, const struct mu_reader_setup *setup, const struct values *values,
                     struct mu_error *err)
{
    const size_t ceiling = setup->limits.record_bytes * ENCODING_GROWTH + PART_EXTRA;
    p->limits = setup->limits;
    p->next = (struct mu_position){0, 1, 1};
    xml_open_init(&p->open);
    p->plain = (struct xml_plain){.most_bytes = setup->limits.record_bytes,
                                  .most_fields = setup->limits.fields,
                                  .words = MU_TEXT(setup->limits.record_bytes + PART_EXTRA)};
    return xml_path_parse(&p->path, mu_json_span(setup->source, "record"), err) &&
           xml_record_open(&p->record, setup, values, &p->open.scope, ceiling, err);
}

void xml_parser_fini(struct xml_parser *p)
{
    xml_parser_drop(p);
    xml_record_free(p->record);
    mu_text_free(&p->plain.words);
    xml_open_fini(&p->open);
    mu_text_free(&p->state);
}

bool xml_parser_begin(struct xml_parser *p, struct mu_position at, struct mu_error *err)
{
    p->next = at;
    p->told = p->base_off = at.byte_off;
    p->base_line = at.line;
    p->encoding = ENCODING_UTF8;
    return mu_copy_text(p->encoding_name, sizeof(p->encoding_name), mu_span_of("UTF-8")) &&
           make_expat(p, NULL, err);
}

bool xml_parser_go_on(struct xml_parser *p, struct mu_position at, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text tags = MU_TEXT(0);
    if (!xml_open_tags(mu_text_span(&p->state), p->encoding, &tags))
        return mu_fail(err, MU_BROKEN, "the open elements of an XML document are not as they were written");
    if (!make_expat(p, p->encoding_name, err))
        return false;
    p->next = at;
    p->told = at.byte_off;
    p->base_off = at.byte_off - (int64_t)tags.len;
    p->base_line = at.line;
    p->err = err;
    p->replaying = true;
    const enum XML_Status status = XML_Parse(p->expat, tags.len ? tags.at : "", (int)tags.len, 0);
    p->replaying = false;
    if (status != XML_STATUS_OK)
        return mu_fail(err, MU_BROKEN, "the XML parser does not take up what was open: %s",
                       XML_ErrorString(XML_GetErrorCode(p->expat)));
    p->moved = false;
    return true;
}

void xml_parser_drop(struct xml_parser *p)
{
    if (p->expat)
        XML_ParserFree(p->expat);
    p->expat = NULL;
    p->halted = p->inside = p->found = false;
    p->name[0] = '\0';
}

enum mu_read xml_parser_run(struct xml_parser *p, struct mu_span bytes, bool last, struct mu_error *err)
{
    enum XML_Status status;
    assert(bytes.len < INT32_MAX);
    p->err = err;
    p->found = false;
    if (p->halted) {
        status = XML_ResumeParser(p->expat);
    } else if (bytes.len) {
        p->told += (int64_t)bytes.len;
        status = XML_Parse(p->expat, bytes.at, (int)bytes.len, 0);
    } else if (last) {
        p->final = true;
        status = XML_Parse(p->expat, "", 0, 1);
    } else {
        return MU_READ_MORE;
    }
    p->halted = p->found && !p->find_first;
    if (p->found)
        return MU_READ_RECORD;
    if (status == XML_STATUS_ERROR) {
        say_why(p, err);
        return MU_READ_FAILED;
    }
    if (p->final)
        return MU_READ_END;
    return within_limits(p, err) ? MU_READ_MORE : MU_READ_FAILED;
}

bool xml_parser_pass(struct xml_parser *p, struct mu_span bytes, size_t *used)
{
    size_t at = 0, len = 0;
    int64_t lines = 0;
    if (!p->name[0] || p->halted || p->told != p->next.byte_off || !p->open.depth)
        return false;
    for (; at < bytes.len && (bytes.at[at] == ' ' || bytes.at[at] == '\n' || bytes.at[at] == '\t'); at++)
        lines += bytes.at[at] == '\n';
    p->plain.utf8 = strncasecmp(p->encoding_name, "utf", 3) == 0;
    p->plain.most_depth = XML_DEPTH_MAX - p->open.depth;
    if (!xml_plain_read(&p->plain, mu_span(bytes.at + at, bytes.len - at), mu_span_of(p->name),
                        p->gather ? p->record : NULL, &len))
        return false;
    p->locator = (struct mu_locator){.record_no = p->next.record_no,
                                     .byte_off = p->next.byte_off + (int64_t)at,
                                     .length = (int64_t)len,
                                     .line = p->next.line + lines};
    *used = at + len;
    lines += p->plain.lines;
    p->next =
        (struct mu_position){p->next.byte_off + (int64_t)*used, p->next.record_no + 1, p->next.line + lines};
    p->told += (int64_t)*used;
    p->base_off += (int64_t)*used;
    p->base_line += lines;
    return true;
}

size_t xml_parser_slice(const struct xml_parser *p, struct mu_span bytes)
{
    char end[XML_RECORD_NAME_MAX + 4];
    const int len = snprintf(end, sizeof(end), "</%s>", p->name);
    if (!p->name[0])
        return bytes.len < UNKNOWN_SLICE ? bytes.len : UNKNOWN_SLICE;
    const char *at = memmem(bytes.at, bytes.len, end, (size_t)len);
    return at ? (size_t)(at - bytes.at) + (size_t)len : bytes.len;
}

int64_t xml_parser_part(const struct xml_parser *p)
{
    const int64_t part = (int64_t)XML_GetCurrentByteIndex(p->expat);
    return part < 0 ? p->told : p->base_off + part;
}

int64_t xml_parser_line(const struct xml_parser *p)
{
    return line_now(p);
}

void xml_parser_note_open(struct xml_parser *p)
{
    mu_text_reset(&p->state);
    xml_open_write(&p->open, &p->state);
    p->moved = false;
}
