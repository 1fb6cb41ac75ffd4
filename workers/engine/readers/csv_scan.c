/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/readers/csv_scan.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define BLOCK 64

void csv_cursor_set(struct csv_cursor *c, struct mu_span bytes)
{
    *c = (struct csv_cursor){.buf = bytes.at, .len = bytes.len, .block = SIZE_MAX};
}

#ifdef __SSE2__
static void classify(struct csv_cursor *c, const struct csv_dialect *d, const char *at)
{
    const __m128i delimiter = _mm_set1_epi8(d->delimiter), quote = _mm_set1_epi8(d->quote);
    const __m128i quoting = _mm_set1_epi8(d->quoting ? -1 : 0);
    const __m128i lf = _mm_set1_epi8('\n'), cr = _mm_set1_epi8('\r'), nul = _mm_setzero_si128();
    uint64_t marks = 0, quotes = 0, feeds = 0, odd = 0;
    for (unsigned i = 0; i < BLOCK; i += 16) {
        const __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(at + i));
        const __m128i q = _mm_and_si128(_mm_cmpeq_epi8(x, quote), quoting), f = _mm_cmpeq_epi8(x, lf);
        const __m128i m = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(x, delimiter), _mm_cmpeq_epi8(x, cr)),
                                       _mm_or_si128(q, f));
        marks |= (uint64_t)(unsigned)_mm_movemask_epi8(m) << i;
        quotes |= (uint64_t)(unsigned)_mm_movemask_epi8(q) << i;
        feeds |= (uint64_t)(unsigned)_mm_movemask_epi8(f) << i;
        odd |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_or_si128(x, _mm_cmpeq_epi8(x, nul))) << i;
    }
    c->marks = marks;
    c->quotes = quotes;
    c->feeds = feeds;
    c->odd = odd;
}
#else
static void classify(struct csv_cursor *c, const struct csv_dialect *d, const char *at)
{
    c->marks = c->quotes = c->feeds = c->odd = 0;
    for (unsigned i = 0; i < BLOCK; i++) {
        const uint64_t bit = UINT64_C(1) << i;
        const bool q = d->quoting && at[i] == d->quote;
        if (q || at[i] == d->delimiter || at[i] == '\n' || at[i] == '\r')
            c->marks |= bit;
        if (q)
            c->quotes |= bit;
        if (at[i] == '\n')
            c->feeds |= bit;
        if (at[i] == '\0' || (unsigned char)at[i] >= 0x80)
            c->odd |= bit;
    }
}
#endif

static uint64_t below(size_t bit) /* the bits before this one, of 64 */
{
    return bit >= BLOCK ? ~UINT64_C(0) : (UINT64_C(1) << bit) - 1;
}

static void load(struct csv_cursor *c, const struct csv_dialect *d, size_t block)
{
    if (c->block == block)
        return;
    c->block = block;
    const size_t left = c->len - block;
    if (left >= BLOCK) {
        classify(c, d, c->buf + block);
        return;
    }
    char padded[BLOCK] = {0};
    memcpy(padded, c->buf + block, left);
    classify(c, d, padded);
    c->marks &= below(left);
    c->quotes &= below(left);
    c->feeds &= below(left);
    c->odd &= below(left);
}

/* The walk along the marks of one record. */
struct walk {
    size_t base;   /* of the block at hand */
    uint64_t bits; /* its marks not yet looked at */
    uint64_t odd;  /* its odd bytes from the record's beginning on */
    bool odd_seen; /* in earlier blocks */
    int64_t lines;
};

static inline void walk_from(struct walk *w, struct csv_cursor *c, const struct csv_dialect *d, size_t from)
{
    w->base = from / BLOCK * BLOCK;
    load(c, d, w->base);
    w->bits = c->marks & ~below(from - w->base);
    w->odd = c->odd & ~below(from - w->base);
    w->odd_seen = false;
    w->lines = 0;
}

static inline bool walk_on(struct walk *w, struct csv_cursor *c, const struct csv_dialect *d)
{
    w->odd_seen |= w->odd != 0;
    w->odd = 0;
    w->bits = 0;
    w->base += BLOCK;
    if (w->base >= c->len)
        return false;
    load(c, d, w->base);
    w->bits = c->marks;
    w->odd = c->odd;
    return true;
}

/* From an opening quote, just passed, to the closing one: its offset; SIZE_MAX if the bytes end before. */
static inline size_t walk_quoted(struct walk *w, struct csv_cursor *c, const struct csv_dialect *d)
{
    size_t second = SIZE_MAX; /* of a doubled quote */
    for (;;) {
        const uint64_t quotes = c->quotes & w->bits;
        if (!quotes) {
            w->lines += __builtin_popcountll(c->feeds & w->bits);
            if (!walk_on(w, c, d))
                return SIZE_MAX;
            continue;
        }
        const unsigned k = (unsigned)__builtin_ctzll(quotes);
        w->lines += __builtin_popcountll(c->feeds & w->bits & below(k));
        w->bits &= ~below((size_t)k + 1);
        const size_t pos = w->base + k;
        if (pos == second)
            continue;
        if (pos + 1 == c->len || c->buf[pos + 1] != d->quote)
            return pos;
        second = pos + 1;
    }
}

static inline void trouble(struct csv_row *row, const char *what, size_t at)
{
    if (row->bad)
        return;
    row->bad = what;
    row->bad_at = at;
}

static bool row_ends(struct csv_row *row, const struct walk *w, size_t fields, size_t to, size_t next)
{
    if (fields < row->most_fields)
        row->ends[fields] = (uint32_t)(to - row->from);
    row->fields = fields + 1;
    row->to = to;
    row->next = next;
    row->lines = w->lines;
    row->odd = w->odd_seen || (w->odd & below(next > w->base ? next - w->base : 0)) != 0;
    return true;
}

bool csv_scan_row(struct csv_cursor *c, const struct csv_dialect *d, size_t from, bool last,
                  struct csv_row *row)
{
    struct walk w;
    walk_from(&w, c, d, from);
    const char *const buf = c->buf;
    const char delimiter = d->delimiter;
    uint32_t *const field_ends = row->ends;
    size_t field = from, n = 0;
    row->from = from;
    row->bad = NULL;
    for (;;) {
        while (!w.bits) {
            if (!walk_on(&w, c, d))
                return last && row_ends(row, &w, n, c->len, c->len);
        }
        size_t pos = w.base + (unsigned)__builtin_ctzll(w.bits);
        w.bits &= w.bits - 1;
        const char byte = buf[pos];
        if (byte == delimiter) {
            if (n < row->most_fields)
                field_ends[n] = (uint32_t)(pos - from);
            n++;
            field = pos + 1;
        } else if (byte == '\n') {
            w.lines++;
            return row_ends(row, &w, n, pos, pos + 1);
        } else if (byte == '\r') {
            if (pos + 1 < c->len && buf[pos + 1] == '\n') {
                w.lines++;
                return row_ends(row, &w, n, pos, pos + 2);
            }
            if (pos + 1 == c->len && !last)
                return false;
            trouble(row, "a carriage return without a line feed", pos);
        } else if (pos != field) {
            trouble(row, "a quote inside a field that does not begin with one", pos);
        } else {
            const size_t open = pos;
            pos = walk_quoted(&w, c, d);
            if ((pos == SIZE_MAX || pos + 1 == c->len) && !last)
                return false;
            if (pos == SIZE_MAX)
                trouble(row, "a quote that is never closed", open);
            else if (pos + 1 < c->len && buf[pos + 1] != delimiter && buf[pos + 1] != '\n' &&
                     buf[pos + 1] != '\r')
                trouble(row, "text after a closing quote", pos + 1);
        }
    }
}

bool csv_scan_end(struct csv_cursor *c, const struct csv_dialect *d, size_t from, bool last,
                  struct csv_row *row)
{
    struct walk w;
    walk_from(&w, c, d, from);
    row->from = from;
    for (;;) {
        uint64_t bits;
        while (!(bits = w.bits & (c->quotes | c->feeds))) {
            if (!walk_on(&w, c, d)) {
                row->to = row->next = c->len;
                row->lines = w.lines;
                return last;
            }
        }
        const unsigned k = (unsigned)__builtin_ctzll(bits);
        const size_t pos = w.base + k;
        w.bits &= ~below((size_t)k + 1);
        if (c->buf[pos] == '\n') {
            row->to = pos > from && c->buf[pos - 1] == '\r' ? pos - 1 : pos;
            row->next = pos + 1;
            row->lines = w.lines + 1;
            return true;
        }
        if (pos != from && c->buf[pos - 1] != d->delimiter)
            continue;
        const size_t close = walk_quoted(&w, c, d);
        if ((close == SIZE_MAX || close + 1 == c->len) && !last)
            return false;
    }
}

bool csv_follow(enum csv_state *state, const struct csv_dialect *d, struct mu_span bytes, size_t *used)
{
    enum csv_state s = *state;
    for (size_t i = 0; i < bytes.len; i++) {
        const char byte = bytes.at[i];
        const bool quote = d->quoting && byte == d->quote;
        switch (s) {
        case CSV_QUOTED:
            s = quote ? CSV_QUOTE_SEEN : CSV_QUOTED;
            continue;
        case CSV_QUOTE_SEEN:
            if (quote) {
                s = CSV_QUOTED;
                continue;
            }
            break;
        case CSV_FIELD_START:
            if (quote) {
                s = CSV_QUOTED;
                continue;
            }
            break;
        case CSV_PLAIN:
            break;
        }
        if (byte == '\n') {
            *state = CSV_FIELD_START;
            *used = i + 1;
            return true;
        }
        s = byte == d->delimiter ? CSV_FIELD_START : CSV_PLAIN;
    }
    *state = s;
    *used = bytes.len;
    return false;
}
