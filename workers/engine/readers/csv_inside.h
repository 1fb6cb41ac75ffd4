/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the CSV reader, for its two files: csv.c reads records, csv_header.c learns from the first one.
 */
#ifndef MU_CSV_INSIDE_H
#define MU_CSV_INSIDE_H

#include "engine/reader_kind.h"
#include "engine/readers/csv_options.h"

#define CSV_DOS_END 0x1A /* once marked the end of a file */

struct csv {
    struct mu_reader base;
    struct mu_reader_setup setup;
    struct csv_options options;
    struct csv_row row;
    size_t expected;         /* fields of the header, or of the first record */
    int64_t *field_of;       /* by column; -1: lacking */
    struct mu_value *values; /* by column */
    struct mu_text head;     /* the source's beginning: mark of byte order, header or first record */
    size_t head_from, head_to;
    struct mu_digest head_digest;

    struct csv_cursor chunk, held; /* the caller's bytes; those in carry */
    size_t at;                     /* in chunk: of the next record, or where it goes on */
    bool last;
    bool dos_end;         /* the source's last byte was DOS_END, which is no part of any record */
    struct mu_text carry; /* the beginning of a record whose end has not come yet */
    enum csv_state carry_state;
    bool carry_done; /* what is in carry has been given out */
    char *scratch;   /* unquoted values of the record at hand */
    size_t scratch_len, scratch_size;
    struct mu_position next;
    char bad_text[80];
};

static inline struct csv *csv_of(struct mu_reader *r)
{
    return (struct csv *)(void *)r;
}

/* Of the record whose bounds are in c->row. The first fault that applies, so that the answer does not depend
 * on how the bytes came; NULL: it is good. */
const char *csv_fault_of(struct csv *c, const char *record, size_t *at);
/* Empties the scratch, with room for any one field of a record of this length unquoted; all of a record's
 * fields together are no longer than it is. So values that point into it stay where they are. */
MU_MUST bool csv_clear_scratch(struct csv *c, size_t len, struct mu_error *err);
/* The value of a field as it is meant, not as it is quoted. */
struct mu_span csv_field_text(struct csv *c, const char *record, size_t field);

/* Refusals; they tell the record by c->next. */
bool csv_too_long(const struct csv *c, struct mu_error *err);
bool csv_too_many_fields(const struct csv *c, struct mu_error *err);

bool csv_header(struct mu_reader *r, struct mu_span chunk, bool last, bool *done, struct mu_position *first,
                struct mu_error *err);

#endif
