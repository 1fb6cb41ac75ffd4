/* SPDX-License-Identifier: Apache-2.0 */
/* What a reader is made of: a constant table per format, for the reader's own files and reader.c only. A
 * kind's struct begins with struct mu_reader. Contracts are those of the functions of the same names in
 * engine/reader.h. */
#ifndef MU_READER_KIND_H
#define MU_READER_KIND_H

#include "engine/reader.h"

struct mu_reader_kind {
    const char *name; /* "csv" */
    bool (*open)(struct mu_reader **out, const struct mu_reader_setup *setup, struct mu_error *err);
    bool (*header)(struct mu_reader *r, struct mu_span chunk, bool last, bool *done,
                   struct mu_position *first, struct mu_error *err);
    bool (*lacks)(const struct mu_reader *r, size_t column);
    struct mu_digest (*header_digest)(const struct mu_reader *r);
    void (*seek)(struct mu_reader *r, struct mu_position at);
    void (*feed)(struct mu_reader *r, struct mu_span chunk, bool last);
    enum mu_read (*next)(struct mu_reader *r, struct mu_record *out, struct mu_error *err);
    enum mu_read (*skip)(struct mu_reader *r, struct mu_locator *out, struct mu_error *err);
    struct mu_position (*position)(const struct mu_reader *r);
    /* NULL: the position says all. */
    void (*save)(const struct mu_reader *r, struct mu_text *out);
    bool (*restore)(struct mu_reader *r, const json_t *saved, struct mu_error *err);
    bool (*can_cut)(const struct mu_reader *r); /* NULL: at every boundary */
    void (*path)(const struct mu_reader *r, const struct mu_record *record,
                 struct mu_text *out); /* NULL: none */
    void (*free)(struct mu_reader *r);
};

struct mu_reader {
    const struct mu_reader_kind *kind;
};

extern const struct mu_reader_kind mu_reader_csv;
extern const struct mu_reader_kind mu_reader_json;
extern const struct mu_reader_kind mu_reader_jsonl;
extern const struct mu_reader_kind mu_reader_records;
extern const struct mu_reader_kind mu_reader_xml;

#endif
