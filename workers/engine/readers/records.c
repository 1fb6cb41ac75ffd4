/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of records that stand in the task itself: a JSON array of flat objects, column name to string,
 * boolean or null. The task has been parsed and validated before; this walks its bytes again without building
 * anything, because small tasks come by the ten thousand a second. Positions are offsets within the array's
 * bytes. */
#include "engine/reader_kind.h"
#include "engine/readers/json_text.h"

#include <inttypes.h>

struct follow { /* where in an element the bytes so far have ended */
    int depth;
    bool in_text, escaped;
};

struct records {
    struct mu_reader base;
    struct mu_reader_setup setup;
    struct mu_value *values; /* by column */
    struct mu_span chunk;
    size_t at; /* in chunk */
    bool last;
    struct mu_text carry; /* the beginning of an element whose end has not come yet */
    struct follow carried;
    bool carry_done;
    char *scratch; /* unescaped texts of the record at hand */
    size_t scratch_len, scratch_size;
    struct mu_position next;
    char bad_text[120];
};

static struct records *records_of(struct mu_reader *r)
{
    return (struct records *)(void *)r;
}

static void records_free(struct mu_reader *r)
{
    struct records *s = records_of(r);
    mu_text_free(&s->carry);
    free(s->scratch);
    free(s->values);
    free(s);
}

static bool records_open(struct mu_reader **out, const struct mu_reader_setup *setup, struct mu_error *err)
{
    struct records *s = calloc(1, sizeof(*s));
    if (!s)
        return mu_fail(err, MU_BROKEN, "out of memory");
    s->base.kind = &mu_reader_records;
    s->setup = *setup;
    s->carry = MU_TEXT(setup->limits.record_bytes + 16);
    s->next = (struct mu_position){0, 1, 1};
    s->values = calloc(setup->column_count + 1, sizeof(*s->values));
    if (!s->values) {
        records_free(&s->base);
        return mu_fail(err, MU_BROKEN, "out of memory");
    }
    *out = &s->base;
    return true;
}

static bool records_header(struct mu_reader *r, struct mu_span chunk, bool last, bool *done,
                           struct mu_position *first, struct mu_error *err)
{
    (void)chunk;
    (void)last;
    (void)err;
    *done = true;
    *first = records_of(r)->next = (struct mu_position){0, 1, 1};
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
    struct records *s = records_of(r);
    s->next = at;
    s->chunk = mu_span(NULL, 0);
    s->at = 0;
    s->last = s->carry_done = false;
    mu_text_reset(&s->carry);
}

static void records_feed(struct mu_reader *r, struct mu_span chunk, bool last)
{
    struct records *s = records_of(r);
    s->chunk = chunk;
    s->at = 0;
    s->last = last;
}

/* Goes on over the bytes of one element; true if it ends there, *used bytes from the beginning. */
static bool follow_on(struct follow *f, struct mu_span bytes, size_t *used)
{
    for (size_t i = 0; i < bytes.len; i++) {
        const char byte = bytes.at[i];
        if (f->in_text) {
            if (f->escaped)
                f->escaped = false;
            else if (byte == '\\')
                f->escaped = true;
            else if (byte == '"')
                f->in_text = false;
            continue;
        }
        if (byte == '"') {
            f->in_text = true;
        } else if (byte == '{' || byte == '[') {
            f->depth++;
        } else if ((byte == '}' || byte == ']') && f->depth > 0) {
            if (--f->depth == 0) {
                *used = i + 1;
                return true;
            }
        } else if ((byte == ',' || byte == ']') && f->depth == 0) { /* after something that is no object */
            *used = i;
            return true;
        }
    }
    *used = bytes.len;
    return false;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static enum mu_read too_long(const struct records *s, struct mu_error *err)
{
    mu_reject(err, "limit_record_bytes", "", "record %" PRId64 " is longer than %zu bytes", s->next.record_no,
              s->setup.limits.record_bytes);
    return MU_READ_FAILED;
}

static enum mu_read keep(struct records *s, struct mu_span rest, struct mu_error *err)
{
    if (s->carry.len + rest.len > s->setup.limits.record_bytes)
        return too_long(s, err);
    mu_text_add(&s->carry, rest);
    s->at += rest.len;
    return mu_text_ok(&s->carry, err) ? MU_READ_MORE : MU_READ_FAILED;
}

/* The bytes of the next element; s->next.byte_off is moved to its first. */
static enum mu_read find(struct records *s, struct mu_span *element, struct mu_error *err)
{
    size_t used;
    if (s->carry_done) {
        mu_text_reset(&s->carry);
        s->carry_done = false;
    }
    if (s->carry.len) {
        const struct mu_span rest = mu_span(s->chunk.at + s->at, s->chunk.len - s->at);
        if (!follow_on(&s->carried, rest, &used) && !s->last)
            return keep(s, rest, err);
        if (keep(s, mu_span(rest.at, used), err) == MU_READ_FAILED)
            return MU_READ_FAILED;
        s->carry_done = true;
        *element = mu_text_span(&s->carry);
        return MU_READ_RECORD;
    }
    for (; s->at < s->chunk.len; s->at++, s->next.byte_off++) {
        const char byte = s->chunk.at[s->at];
        if (!blank(byte) && byte != ',' && byte != ']' && !(byte == '[' && s->next.byte_off == 0))
            break;
    }
    if (s->at == s->chunk.len)
        return s->last ? MU_READ_END : MU_READ_MORE;
    const struct mu_span rest = mu_span(s->chunk.at + s->at, s->chunk.len - s->at);
    s->carried = (struct follow){0};
    if (!follow_on(&s->carried, rest, &used) && !s->last)
        return keep(s, rest, err);
    *element = mu_span(rest.at, used);
    s->at += used;
    return used > s->setup.limits.record_bytes ? too_long(s, err) : MU_READ_RECORD;
}

/* A text without its quotes. What it means is never longer than how it is written, so scratch of the record's
 * length has room for all of them. */
static bool unescape(struct records *s, struct mu_span raw, struct mu_span *out)
{
    char *const to = s->scratch + s->scratch_len;
    size_t len;
    if (!raw.len || !memchr(raw.at, '\\', raw.len)) {
        *out = raw;
        return true;
    }
    if (!json_unescape(raw, to, &len))
        return false;
    s->scratch_len += len;
    *out = mu_span(to, len);
    return true;
}

static void skip_blanks(struct mu_span e, size_t *at)
{
    while (*at < e.len && blank(e.at[*at]))
        ++*at;
}

/* A string at *at, which is moved behind it; *raw lies between its quotes. */
static bool take_text(struct mu_span e, size_t *at, struct mu_span *raw)
{
    if (*at >= e.len || e.at[*at] != '"')
        return false;
    const size_t from = *at + 1;
    for (size_t i = from; i < e.len; i++) {
        if (e.at[i] == '\\') {
            i++;
        } else if (e.at[i] == '"') {
            *raw = mu_span(e.at + from, i - from);
            *at = i + 1;
            return true;
        }
    }
    return false;
}

static bool take_word(struct mu_span e, size_t *at, const char *word)
{
    const size_t len = strlen(word);
    if (e.len - *at < len || memcmp(e.at + *at, word, len) != 0)
        return false;
    *at += len;
    return true;
}

static const char *take_value(struct records *s, struct mu_span e, size_t *at, struct mu_span key,
                              struct mu_value *v)
{
    struct mu_span raw;
    const size_t from = *at;
    if (take_text(e, at, &raw)) {
        if (!unescape(s, raw, &v->text))
            return "a text that is no Unicode";
        v->state = v->text.len ? MU_VALUE_TEXT : MU_VALUE_MISSING;
    } else if (take_word(e, at, "true") || take_word(e, at, "false")) {
        *v = (struct mu_value){MU_VALUE_TEXT, mu_span(e.at + from, *at - from)};
    } else if (take_word(e, at, "null")) {
        *v = (struct mu_value){MU_VALUE_MISSING, mu_span(NULL, 0)};
    } else {
        (void)snprintf(s->bad_text, sizeof(s->bad_text), "the value of \"%.*s\" is no text, boolean or null",
                       (int)(key.len < 60 ? key.len : 60), key.at);
        return s->bad_text;
    }
    return NULL;
}

static void put_value(struct records *s, struct mu_span key, struct mu_value value)
{
    for (size_t i = 0; i < s->setup.column_count; i++)
        if ((!s->setup.wanted || s->setup.wanted[i]) && mu_span_is(key, s->setup.columns[i]))
            s->values[i] = value;
}

/* Why the element is a bad record (then *at is where), or NULL: its values are in place. */
static const char *take_apart(struct records *s, struct mu_span e, size_t *at, size_t *fields)
{
    for (size_t i = 0; i < s->setup.column_count; i++)
        s->values[i] = (struct mu_value){.state = MU_VALUE_MISSING};
    if (e.at[0] != '{')
        return "not an object";
    size_t i = 1;
    for (;;) {
        struct mu_span raw, key;
        struct mu_value value;
        skip_blanks(e, &i);
        if (i < e.len && e.at[i] == '}')
            return NULL;
        *at = i;
        if (!take_text(e, &i, &raw) || !unescape(s, raw, &key))
            return "broken JSON";
        skip_blanks(e, &i);
        if (i == e.len || e.at[i++] != ':')
            return "broken JSON";
        skip_blanks(e, &i);
        *at = i;
        const char *bad = take_value(s, e, &i, key, &value);
        if (bad)
            return bad;
        put_value(s, key, value);
        ++*fields;
        skip_blanks(e, &i);
        if (i < e.len && e.at[i] == ',')
            i++;
        else if (i == e.len || e.at[i] != '}')
            return "broken JSON";
    }
}

static void go_on(struct records *s, struct mu_span element, struct mu_locator *at)
{
    *at = (struct mu_locator){.record_no = s->next.record_no,
                              .byte_off = s->next.byte_off,
                              .length = (int64_t)element.len,
                              .line = s->next.line};
    s->next.record_no++;
    s->next.byte_off += (int64_t)element.len;
}

static enum mu_read records_next(struct mu_reader *r, struct mu_record *out, struct mu_error *err)
{
    struct records *s = records_of(r);
    struct mu_span element;
    size_t bad_at = 0, fields = 0;
    const enum mu_read found = find(s, &element, err);
    if (found != MU_READ_RECORD)
        return found;
    if (element.len > s->scratch_size) {
        char *more = realloc(s->scratch, element.len * 2);
        if (!more)
            return mu_fail(err, MU_BROKEN, "out of memory") ? MU_READ_RECORD : MU_READ_FAILED;
        s->scratch = more;
        s->scratch_size = element.len * 2;
    }
    s->scratch_len = 0;
    out->bad = take_apart(s, element, &bad_at, &fields);
    out->bad_at = out->bad ? s->next.byte_off + (int64_t)bad_at : 0;
    out->values = s->values;
    out->count = s->setup.column_count;
    if (fields > s->setup.limits.fields) {
        mu_reject(err, "limit_fields", "", "record %" PRId64 " has more than %zu fields", s->next.record_no,
                  s->setup.limits.fields);
        return MU_READ_FAILED;
    }
    go_on(s, element, &out->at);
    return MU_READ_RECORD;
}

static enum mu_read records_skip(struct mu_reader *r, struct mu_locator *out, struct mu_error *err)
{
    struct records *s = records_of(r);
    struct mu_span element;
    const enum mu_read found = find(s, &element, err);
    if (found == MU_READ_RECORD)
        go_on(s, element, out);
    return found;
}

static struct mu_position records_position(const struct mu_reader *r)
{
    return ((const struct records *)(const void *)r)->next;
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
