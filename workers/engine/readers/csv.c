/* SPDX-License-Identifier: Apache-2.0 */
/* The CSV reader. Records that lie within a chunk are read where they are; one that is cut by a chunk's end
 * is gathered in `carry`. Only the fields that the pack's rules read are taken apart. */
#include "engine/readers/csv_inside.h"

#include <assert.h>
#include <inttypes.h>

#define RECORD_BYTES_MAX ((size_t)1 << 30) /* offsets within a record have 32 bits */

static void csv_free(struct mu_reader *r)
{
    struct csv *c = csv_of(r);
    csv_options_fini(&c->options);
    mu_text_free(&c->head);
    mu_text_free(&c->carry);
    free(c->scratch);
    free(c->row.ends);
    free(c->field_of);
    free(c->values);
    free(c);
}

static bool csv_open(struct mu_reader **out, const struct mu_reader_setup *setup, struct mu_error *err)
{
    struct csv_options options;
    if (setup->limits.record_bytes > RECORD_BYTES_MAX || setup->limits.fields > RECORD_BYTES_MAX)
        return mu_reject(err, "bad_task", "/limits", "a record of more than 1 GiB is not read");
    if (!csv_options_parse(&options, setup, err))
        return false;
    struct csv *c = calloc(1, sizeof(*c));
    if (!c) {
        csv_options_fini(&options);
        return mu_fail(err, MU_BROKEN, "out of memory");
    }
    c->base.kind = &mu_reader_csv;
    c->setup = *setup;
    c->options = options;
    c->row.most_fields = setup->limits.fields;
    c->row.ends = calloc(setup->limits.fields + 1, sizeof(*c->row.ends));
    c->field_of = calloc(setup->column_count + 1, sizeof(*c->field_of));
    c->values = calloc(setup->column_count + 1, sizeof(*c->values));
    c->head = c->carry = MU_TEXT(setup->limits.record_bytes + 4096);
    if (!c->row.ends || !c->field_of || !c->values) {
        csv_free(&c->base);
        return mu_fail(err, MU_BROKEN, "out of memory");
    }
    for (size_t i = 0; i < setup->column_count; i++)
        c->values[i].state = MU_VALUE_MISSING;
    *out = &c->base;
    return true;
}

bool csv_too_long(const struct csv *c, struct mu_error *err)
{
    mu_reject(err, "limit_record_bytes", "",
              "record %" PRId64 " (line %" PRId64 ", byte %" PRId64 ") is longer than %zu bytes",
              c->next.record_no, c->next.line, c->next.byte_off, c->setup.limits.record_bytes);
    return mu_hint(err, "a quote that is never closed runs on to the end of the file");
}

bool csv_too_many_fields(const struct csv *c, struct mu_error *err)
{
    return mu_reject(err, "limit_fields", "",
                     "record %" PRId64 " (line %" PRId64 ", byte %" PRId64 ") has more than %zu fields",
                     c->next.record_no, c->next.line, c->next.byte_off, c->setup.limits.fields);
}

static struct mu_span unquoted(struct csv *c, const char *record, size_t field)
{
    const struct csv_row *row = &c->row;
    const size_t from = field ? row->ends[field - 1] + 1 : 0;
    struct mu_span text = mu_span(record + from, row->ends[field] - from);
    const char quote = c->options.dialect.quote;
    if (text.len < 2 || text.at[0] != quote || !c->options.dialect.quoting)
        return text;
    text = mu_span(text.at + 1, text.len - 2);
    const char *twice = text.len ? memchr(text.at, quote, text.len) : NULL;
    if (!twice)
        return text;
    char *const to = c->scratch + c->scratch_len;
    size_t len = 0;
    while (twice) {
        const size_t part = (size_t)(twice + 1 - text.at);
        memcpy(to + len, text.at, part);
        len += part;
        text =
            part < text.len ? mu_span(text.at + part + 1, text.len - part - 1) : mu_span(text.at + part, 0);
        twice = text.len ? memchr(text.at, quote, text.len) : NULL;
    }
    memcpy(to + len, text.at, text.len);
    len += text.len;
    c->scratch_len += len;
    return mu_span(to, len);
}

struct mu_span csv_field_text(struct csv *c, const char *record, size_t field)
{
    struct mu_span text = unquoted(c, record, field);
    if (c->options.encoding == ENCODING_UTF8 || !c->row.odd)
        return text;
    char *const to = c->scratch + c->scratch_len;
    const size_t len = encoding_decode(c->options.encoding, text, to);
    c->scratch_len += len;
    return mu_span(to, len);
}

bool csv_clear_scratch(struct csv *c, size_t len, struct mu_error *err)
{
    c->scratch_len = 0;
    if (c->options.encoding != ENCODING_UTF8)
        len *= 1 + ENCODING_GROWTH;
    if (len <= c->scratch_size)
        return true;
    char *more = realloc(c->scratch, len * 2);
    if (!more)
        return mu_fail(err, MU_BROKEN, "out of memory");
    c->scratch = more;
    c->scratch_size = len * 2;
    return true;
}

static bool take_apart(struct csv *c, const char *record, struct mu_error *err)
{
    if (!csv_clear_scratch(c, c->row.to - c->row.from, err))
        return false;
    for (size_t i = 0; i < c->setup.column_count; i++) {
        if (c->field_of[i] < 0 || (c->setup.wanted && !c->setup.wanted[i]))
            continue;
        c->values[i] = values_of(&c->options.values, i, csv_field_text(c, record, (size_t)c->field_of[i]));
    }
    return true;
}

const char *csv_fault_of(struct csv *c, const char *record, size_t *at)
{
    const struct csv_row *row = &c->row;
    const struct mu_span text = mu_span(record, row->to - row->from);
    if (row->bad) {
        *at = row->bad_at - row->from;
        return row->bad;
    }
    if (row->odd) {
        const char *nul = text.len ? memchr(text.at, '\0', text.len) : NULL;
        if (nul) {
            *at = (size_t)(nul - text.at);
            return "a NUL byte";
        }
        if (!encoding_valid(c->options.encoding, text, at))
            return encoding_fault(c->options.encoding);
    }
    *at = 0;
    if (row->fields != c->expected) {
        if (text.len)
            (void)snprintf(c->bad_text, sizeof(c->bad_text), "%zu field%s instead of %zu", row->fields,
                           row->fields == 1 ? "" : "s", c->expected);
        else
            (void)snprintf(c->bad_text, sizeof(c->bad_text), "a blank line instead of %zu fields",
                           c->expected);
        return c->bad_text;
    }
    if (c->options.header && c->expected > 1 &&
        mu_span_equal(text, mu_span(c->head.at + c->head_from, c->head_to - c->head_from)))
        return "the header once more";
    return NULL;
}

static enum mu_read locate(struct csv *c, struct mu_locator *out, struct mu_error *err)
{
    const struct csv_row *row = &c->row;
    const size_t len = row->to - row->from;
    if (len > c->setup.limits.record_bytes) {
        csv_too_long(c, err);
        return MU_READ_FAILED;
    }
    *out = (struct mu_locator){.record_no = c->next.record_no,
                               .byte_off = c->next.byte_off,
                               .length = (int64_t)len,
                               .line = c->next.line};
    c->next.record_no++;
    c->next.line += row->lines;
    c->next.byte_off += (int64_t)(row->next - row->from);
    return MU_READ_RECORD;
}

static enum mu_read give(struct csv *c, const char *record, struct mu_record *out, struct mu_error *err)
{
    const struct csv_row *row = &c->row;
    size_t bad_at = 0;
    if (row->fields > row->most_fields && row->to - row->from <= c->setup.limits.record_bytes) {
        csv_too_many_fields(c, err);
        return MU_READ_FAILED;
    }
    out->bad = csv_fault_of(c, record, &bad_at);
    out->bad_at = out->bad ? c->next.byte_off + (int64_t)bad_at : 0;
    out->values = c->values;
    out->count = c->setup.column_count;
    if (!out->bad && !take_apart(c, record, err))
        return MU_READ_FAILED;
    return locate(c, &out->at, err);
}

/* The source is at its end: an end mark of old belongs to it, but to no record. */
static void drop_dos_end(struct csv *c)
{
    if (c->chunk.len > c->at && c->chunk.buf[c->chunk.len - 1] == CSV_DOS_END) {
        c->chunk.len--;
        c->dos_end = true;
    } else if (c->chunk.len == c->at && c->carry.len && !c->carry_done &&
               c->carry.at[c->carry.len - 1] == CSV_DOS_END) {
        mu_text_cut(&c->carry, c->carry.len - 1);
        c->dos_end = true;
    }
}

static void csv_feed(struct mu_reader *r, struct mu_span chunk, bool last)
{
    struct csv *c = csv_of(r);
    assert(chunk.len < UINT32_MAX);
    csv_cursor_set(&c->chunk, chunk);
    c->at = 0;
    c->last = last;
    if (last && !c->setup.part)
        drop_dos_end(c);
}

static enum mu_read at_end(struct csv *c)
{
    if (c->dos_end)
        c->next.byte_off++;
    c->dos_end = false;
    return MU_READ_END;
}

/* Keeps what is left of the chunk. Two bytes more than the limit cannot be a record's line end. */
static enum mu_read keep(struct csv *c, struct mu_error *err)
{
    const struct mu_span rest = mu_span(c->chunk.buf + c->at, c->chunk.len - c->at);
    if (c->carry.len + rest.len >= c->setup.limits.record_bytes + 2) {
        csv_too_long(c, err);
        return MU_READ_FAILED;
    }
    mu_text_add(&c->carry, rest);
    c->at = c->chunk.len;
    return mu_text_ok(&c->carry, err) ? MU_READ_MORE : MU_READ_FAILED;
}

/* Gathers a record that an earlier chunk began. RECORD: it is whole, in carry. */
static enum mu_read gather(struct csv *c, struct mu_error *err)
{
    const struct mu_span rest = mu_span(c->chunk.buf + c->at, c->chunk.len - c->at);
    size_t used = 0;
    const bool whole = csv_follow(&c->carry_state, &c->options.dialect, rest, &used);
    if (!whole && !c->last)
        return keep(c, err);
    if (c->carry.len + used > c->setup.limits.record_bytes + 2) {
        csv_too_long(c, err);
        return MU_READ_FAILED;
    }
    mu_text_add(&c->carry, mu_span(rest.at, used));
    c->at += used;
    if (!mu_text_ok(&c->carry, err))
        return MU_READ_FAILED;
    c->carry_done = true;
    return MU_READ_RECORD;
}

static bool start(struct csv *c)
{
    if (c->carry_done) {
        mu_text_reset(&c->carry);
        c->carry_done = false;
    }
    return c->carry.len > 0;
}

/* The record at hand goes beyond the chunk. */
static enum mu_read cut(struct csv *c, struct mu_error *err)
{
    size_t used;
    c->carry_state = CSV_FIELD_START;
    (void)csv_follow(&c->carry_state, &c->options.dialect,
                     mu_span(c->chunk.buf + c->at, c->chunk.len - c->at), &used);
    return keep(c, err);
}

/* The bounds of the next record are in c->row, its bytes at *record. */
static inline enum mu_read find(struct csv *c,
                                bool (*scan)(struct csv_cursor *, const struct csv_dialect *, size_t, bool,
                                             struct csv_row *),
                                const char **record, struct mu_error *err)
{
    if (start(c)) {
        const enum mu_read gathered = gather(c, err);
        if (gathered != MU_READ_RECORD)
            return gathered;
        csv_cursor_set(&c->held, mu_text_span(&c->carry));
        *record = c->carry.at;
        const bool whole = scan(&c->held, &c->options.dialect, 0, c->last, &c->row);
        assert(whole && c->row.next == c->carry.len);
        return MU_READ_RECORD;
    }
    if (c->at == c->chunk.len)
        return c->last ? at_end(c) : MU_READ_MORE;
    if (!scan(&c->chunk, &c->options.dialect, c->at, c->last, &c->row))
        return cut(c, err);
    *record = c->chunk.buf + c->at;
    c->at = c->row.next;
    return MU_READ_RECORD;
}

/* The record at hand is none: it goes by without a number. */
static bool is_trailer(struct csv *c, const char *record)
{
    const struct csv_row *row = &c->row;
    const struct mu_span trailer = c->options.trailer;
    if (row->to - row->from < trailer.len || memcmp(record, trailer.at, trailer.len) != 0)
        return false;
    c->next.line += row->lines;
    c->next.byte_off += (int64_t)(row->next - row->from);
    return true;
}

static enum mu_read csv_next(struct mu_reader *r, struct mu_record *out, struct mu_error *err)
{
    struct csv *c = csv_of(r);
    const char *record = NULL;
    enum mu_read found;
    do
        found = find(c, csv_scan_row, &record, err);
    while (found == MU_READ_RECORD && c->options.trailer.len && is_trailer(c, record));
    return found == MU_READ_RECORD ? give(c, record, out, err) : found;
}

static enum mu_read csv_skip(struct mu_reader *r, struct mu_locator *out, struct mu_error *err)
{
    struct csv *c = csv_of(r);
    const char *record = NULL;
    enum mu_read found;
    do
        found = find(c, csv_scan_end, &record, err);
    while (found == MU_READ_RECORD && c->options.trailer.len && is_trailer(c, record));
    return found == MU_READ_RECORD ? locate(c, out, err) : found;
}

static bool csv_lacks(const struct mu_reader *r, size_t column)
{
    return ((const struct csv *)(const void *)r)->field_of[column] < 0;
}

static struct mu_digest csv_header_digest(const struct mu_reader *r)
{
    return ((const struct csv *)(const void *)r)->head_digest;
}

static void csv_seek(struct mu_reader *r, struct mu_position at)
{
    struct csv *c = csv_of(r);
    c->next = at;
    c->at = 0;
    csv_cursor_set(&c->chunk, mu_span(NULL, 0));
    mu_text_reset(&c->carry);
    c->carry_done = c->last = c->dos_end = false;
}

static struct mu_position csv_position(const struct mu_reader *r)
{
    return ((const struct csv *)(const void *)r)->next;
}

const struct mu_reader_kind mu_reader_csv = {
    .name = "csv",
    .open = csv_open,
    .header = csv_header,
    .lacks = csv_lacks,
    .header_digest = csv_header_digest,
    .seek = csv_seek,
    .feed = csv_feed,
    .next = csv_next,
    .skip = csv_skip,
    .position = csv_position,
    .free = csv_free,
};
