/* SPDX-License-Identifier: Apache-2.0 */
/* Finds where CSV records and their fields end, 64 bytes at a time. A quote opens only at the beginning of a
 * field; inside quotes line ends are data and a doubled quote is one; after a closing quote and up to the
 * field's end quotes are data (and the record is bad). A record ends at LF or CRLF outside quotes, or with
 * the source. So every bad record has an end that the scan for fields, the scan for boundaries and the plan
 * stage agree upon; an unclosed quote runs on to the end of the source or into the limit of a record's size.
 */
#ifndef MU_CSV_SCAN_H
#define MU_CSV_SCAN_H

#include "base/base.h"

struct csv_dialect {
    char delimiter;
    char quote;
    bool quoting; /* false: quote means nothing */
};

/* Bytes and what is known of the 64 of them around the place of work. */
struct csv_cursor {
    const char *buf;
    size_t len;
    size_t block;                       /* offset of the block that the masks are about; SIZE_MAX: none */
    uint64_t marks, quotes, feeds, odd; /* delimiters, quotes, CR and LF; quotes; LF; NUL and beyond ASCII */
};

struct csv_row {
    size_t from, to, next; /* the record is buf[from, to); the next one begins at `next` */
    int64_t lines;         /* LFs in buf[from, next) */
    size_t fields;         /* how many there are; the ends of the first most_fields are in `ends` */
    uint32_t *ends;        /* caller's: offset from `from` of each field's end */
    size_t most_fields;
    bool odd;        /* there may be NULs or bytes beyond ASCII */
    const char *bad; /* first trouble with quotes or line ends, or NULL */
    size_t bad_at;   /* offset in buf */
};

void csv_cursor_set(struct csv_cursor *c, struct mu_span bytes);
/* The record that begins at `from` < c->len. `last`: the source ends with these bytes. False: the bytes end
 * before the record does. */
bool csv_scan_row(struct csv_cursor *c, const struct csv_dialect *d, size_t from, bool last,
                  struct csv_row *row);
/* The same without fields and faults: only `to`, `next` and `lines` are found. */
bool csv_scan_end(struct csv_cursor *c, const struct csv_dialect *d, size_t from, bool last,
                  struct csv_row *row);

/* For a record that comes in pieces: where between its bytes the last piece has ended. */
enum csv_state { CSV_FIELD_START, CSV_PLAIN, CSV_QUOTED, CSV_QUOTE_SEEN };
/* Goes on over `bytes`; true if the record ends there, *used bytes from the beginning, its LF included. */
bool csv_follow(enum csv_state *state, const struct csv_dialect *d, struct mu_span bytes, size_t *used);

#endif
