/* SPDX-License-Identifier: Apache-2.0 */
/* A list is kept as it came, in one block, with a span per cell and a hash of the keys: a lookup per record
 * must not cost a search through a large registry. */
#include "engine/list.h"

#include "base/text.h"

#include <assert.h>

#define BYTES_MAX ((size_t)256 << 20)
#define COLUMNS_MAX 64
#define NAME_MAX_BYTES 63
#define VERSION_MAX_BYTES 31 /* as a task's pin has room for */
#define NO_ROW UINT32_MAX

struct mu_list_data {
    char name[NAME_MAX_BYTES + 1], version[VERSION_MAX_BYTES + 1];
    struct mu_digest digest;
    char *bytes; /* cells lie in it, quotes already undone */
    struct mu_span columns[COLUMNS_MAX];
    size_t column_count;
    int key;
    struct mu_span *cells; /* row by row */
    size_t rows, rows_max;
    uint32_t *slots; /* first row of a key by its hash, NO_ROW where free; size is slot_mask + 1 */
    uint32_t slot_mask;
};

/* Where the parser stands: `at` reads, `to` writes what was read without its quotes (never ahead of `at`). */
struct scan {
    char *at, *end, *to;
    int64_t line;
    struct mu_error *err;
};

static bool wrong(struct scan *s, const char *what)
{
    return mu_reject(s->err, "invalid", "", "line %lld of the list: %s", (long long)s->line, what);
}

static uint32_t hash(struct mu_span key)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < key.len; i++)
        h = (h ^ (uint8_t)key.at[i]) * 16777619u;
    return h ^ (h >> 15);
}

static bool is_name(struct mu_span s, const char *others)
{
    if (s.len == 0 || s.len > NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!plain && (c == '\0' || !strchr(others, c)))
            return false;
    }
    return true;
}

/* The words of a line, one blank between two; their number, or 0 if there are more than `max`. */
static size_t split(struct mu_span line, struct mu_span *words, size_t max)
{
    size_t n = 0;
    while (true) {
        const char *blank = line.len ? memchr(line.at, ' ', line.len) : NULL;
        size_t len = blank ? (size_t)(blank - line.at) : line.len;
        if (n == max)
            return 0;
        words[n++] = mu_span(line.at, len);
        if (!blank)
            return n;
        line = mu_span(blank + 1, line.len - len - 1);
    }
}

static struct mu_span take_line(struct scan *s)
{
    char *start = s->at;
    char *newline = memchr(start, '\n', (size_t)(s->end - start));
    size_t len = newline ? (size_t)(newline - start) : (size_t)(s->end - start);
    s->at = newline ? newline + 1 : s->end;
    if (len && start[len - 1] == '\r')
        len--;
    s->line++;
    return mu_span(start, len);
}

/* "# muster-list 1 <name> <version> key=<column>" */
static bool read_title(struct scan *s, struct mu_list_data *l, struct mu_span *key)
{
    struct mu_span word[6];
    if (split(take_line(s), word, 6) != 6 || !mu_span_is(word[0], "#") || !mu_span_is(word[1], "muster-list"))
        return wrong(s, "expected \"# muster-list 1 <name> <version> key=<column>\"");
    if (!mu_span_is(word[2], "1"))
        return wrong(s, "this form of list is not known, only form 1");
    if (!is_name(word[3], "-_") || !mu_copy_text(l->name, sizeof l->name, word[3]))
        return wrong(s, "the name of a list is made of a-z, 0-9, '-' and '_', at most 63 of them");
    if (!is_name(word[4], "-_.") || !mu_copy_text(l->version, sizeof l->version, word[4]))
        return wrong(s, "the version of a list is made of a-z, 0-9, '-', '_' and '.', at most 31 of them");
    if (word[5].len <= 4 || memcmp(word[5].at, "key=", 4) != 0)
        return wrong(s, "expected key=<column> at the end");
    *key = mu_span(word[5].at + 4, word[5].len - 4);
    return true;
}

/* One cell; *last says that its line ends with it. */
static bool read_cell(struct scan *s, struct mu_span *out, bool *last)
{
    char *start = s->to;
    if (s->at < s->end && *s->at == '"') {
        for (s->at++;; s->at++) {
            if (s->at == s->end || *s->at == '\n')
                return wrong(s, "a quote is not closed");
            if (*s->at == '"' && (s->at + 1 == s->end || s->at[1] != '"'))
                break;
            if (*s->at == '"')
                s->at++;
            *s->to++ = *s->at;
        }
        s->at++;
    } else {
        while (s->at < s->end && *s->at != ',' && *s->at != '\n' && *s->at != '\r') {
            if (*s->at == '"')
                return wrong(s, "a quote within a value that does not begin with one");
            *s->to++ = *s->at++;
        }
    }
    *out = mu_span(start, (size_t)(s->to - start));
    *last = s->at == s->end || *s->at != ',';
    if (!*last) {
        s->at++;
        return true;
    }
    if (s->at < s->end && *s->at == '\r')
        s->at++;
    if (s->at < s->end && *s->at != '\n')
        return wrong(s, "text after a closing quote or a stray carriage return");
    if (s->at < s->end)
        s->at++;
    return true;
}

static bool read_row(struct scan *s, struct mu_span *cells, size_t max, size_t *count)
{
    bool last = false;
    s->line++;
    for (*count = 0; !last; ++*count) {
        if (*count == max)
            return wrong(s, "too many values");
        if (!read_cell(s, &cells[*count], &last))
            return false;
    }
    return true;
}

static bool read_header(struct scan *s, struct mu_list_data *l, struct mu_span key)
{
    while (s->at < s->end && *s->at == '#')
        take_line(s);
    s->to = s->at;
    if (!read_row(s, l->columns, COLUMNS_MAX, &l->column_count))
        return false;
    l->key = -1;
    for (size_t i = 0; i < l->column_count; i++) {
        if (!is_name(l->columns[i], "_"))
            return wrong(s, "the name of a column is made of a-z, 0-9 and '_'");
        for (size_t j = 0; j < i; j++) {
            if (mu_span_equal(l->columns[i], l->columns[j]))
                return wrong(s, "a column occurs twice");
        }
        if (mu_span_equal(l->columns[i], key))
            l->key = (int)i;
    }
    return l->key >= 0 || wrong(s, "the key column of the first line is none of the columns");
}

static bool grow(struct mu_list_data *l, struct mu_error *err)
{
    if (l->rows < l->rows_max)
        return true;
    size_t more = l->rows_max ? l->rows_max * 2 : 256;
    struct mu_span *cells = reallocarray(l->cells, more, l->column_count * sizeof *cells);
    if (!cells)
        return mu_fail(err, MU_BROKEN, "out of memory");
    l->cells = cells;
    l->rows_max = more;
    return true;
}

static bool read_rows(struct scan *s, struct mu_list_data *l)
{
    while (s->at < s->end) {
        if (!grow(l, s->err))
            return false;
        struct mu_span *row = &l->cells[l->rows * l->column_count];
        size_t count;
        if (!read_row(s, row, l->column_count, &count))
            return false;
        if (count != l->column_count)
            return wrong(s, "fewer values than columns");
        if (row[l->key].len == 0)
            return wrong(s, "the key is empty");
        if (l->rows && mu_span_compare(row[l->key - (int)l->column_count], row[l->key]) > 0)
            return wrong(s, "rows are to be sorted by the bytes of their key");
        l->rows++;
    }
    return true;
}

static bool index_keys(struct mu_list_data *l, struct mu_error *err)
{
    size_t size = 16;
    while (size < l->rows * 2)
        size *= 2;
    l->slots = malloc(size * sizeof *l->slots);
    if (!l->slots)
        return mu_fail(err, MU_BROKEN, "out of memory");
    memset(l->slots, 0xff, size * sizeof *l->slots);
    l->slot_mask = (uint32_t)(size - 1);
    for (size_t row = 0; row < l->rows; row++) {
        struct mu_span key = mu_list_key(l, row);
        if (row && mu_span_equal(key, mu_list_key(l, row - 1)))
            continue;
        uint32_t slot = hash(key) & l->slot_mask;
        while (l->slots[slot] != NO_ROW)
            slot = (slot + 1) & l->slot_mask;
        l->slots[slot] = (uint32_t)row;
    }
    return true;
}

bool mu_list_parse(struct mu_list_data **out, struct mu_span bytes, struct mu_error *err)
{
    size_t bad;
    struct mu_span key = {NULL, 0};
    if (bytes.len > BYTES_MAX)
        return mu_reject(err, "too_large", "", "a list of %zu bytes; at most %zu are read", bytes.len,
                         BYTES_MAX);
    if (!mu_utf8_valid(bytes, &bad))
        return mu_reject(err, "invalid", "", "the list is not UTF-8 at byte %zu", bad);
    MU_AUTO(mu_list_data_free) struct mu_list_data *l = calloc(1, sizeof *l);
    if (!l || !(l->bytes = malloc(bytes.len + 1)))
        return mu_fail(err, MU_BROKEN, "out of memory");
    if (bytes.len)
        memcpy(l->bytes, bytes.at, bytes.len);
    l->digest = mu_digest_of(bytes);
    struct scan s = {.at = l->bytes, .end = l->bytes + bytes.len, .err = err};
    if (!read_title(&s, l, &key) || !read_header(&s, l, key) || !read_rows(&s, l) || !index_keys(l, err))
        return false;
    *out = MU_GIVE(l);
    return true;
}

void mu_list_data_free(struct mu_list_data *l)
{
    if (!l)
        return;
    free(l->slots);
    free(l->cells);
    free(l->bytes);
    free(l);
}

const char *mu_list_name(const struct mu_list_data *l)
{
    return l->name;
}

const char *mu_list_version(const struct mu_list_data *l)
{
    return l->version;
}

const struct mu_digest *mu_list_digest(const struct mu_list_data *l)
{
    return &l->digest;
}

int64_t mu_list_find(const struct mu_list_data *l, struct mu_span key)
{
    for (uint32_t slot = hash(key) & l->slot_mask;; slot = (slot + 1) & l->slot_mask) {
        uint32_t row = l->slots[slot];
        if (row == NO_ROW)
            return -1;
        if (mu_span_equal(mu_list_key(l, row), key))
            return row;
    }
}

size_t mu_list_rows(const struct mu_list_data *l)
{
    return l->rows;
}

struct mu_span mu_list_key(const struct mu_list_data *l, size_t row)
{
    return mu_list_value(l, row, l->key);
}

int mu_list_column(const struct mu_list_data *l, const char *name)
{
    for (size_t i = 0; i < l->column_count; i++) {
        if (mu_span_is(l->columns[i], name))
            return (int)i;
    }
    return -1;
}

struct mu_span mu_list_value(const struct mu_list_data *l, size_t row, int column)
{
    assert(row < l->rows && column >= 0 && (size_t)column < l->column_count);
    return l->cells[row * l->column_count + (size_t)column];
}
