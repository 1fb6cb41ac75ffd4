/* SPDX-License-Identifier: Apache-2.0 */
/* Turns bytes into records. A reader is fed chunks of any size and gives out whole records; between two
 * records its position is a byte offset and a record number, from which it (or another agent's) can go on.
 * Readers are constant tables in one static list (engine/reader_kind.h): csv, json, jsonl, xml, and records
 * (JSON in the message). */
#ifndef MU_READER_H
#define MU_READER_H

#include "base/digest.h"
#include "base/error.h"
#include "engine/record.h"
#include "format/json.h"

struct mu_reader_limits {
    size_t record_bytes; /* a longer record ends the task: limit_record_bytes */
    size_t fields;       /* more fields: limit_fields */
};

struct mu_column; /* engine/pack.h */

/* What the source description says and the pack asks. Borrowed for the reader's life. */
struct mu_reader_setup {
    const json_t *source;       /* PROTOCOL §2; NULL for inline records */
    const char *const *columns; /* names of the pack's columns */
    const bool *wanted;         /* which of them are to be read; the others stay missing. NULL: all */
    size_t column_count;
    const struct mu_column
        *typed; /* the same columns with their types, for `formats` and `zone`; NULL: all text */
    struct mu_reader_limits limits;
    /* The bytes that will be fed end between two records, before the source does (a shard that is not the
     * last one): that nothing closes what is open is no fault then. */
    bool part;
};

struct mu_position {
    int64_t byte_off;  /* of the next record in the whole source */
    int64_t record_no; /* of the next record */
    int64_t line;      /* of the next record, from 1 */
};

enum mu_read { MU_READ_RECORD, MU_READ_MORE, MU_READ_END, MU_READ_FAILED };

struct mu_reader;

/* Life of a reader:
 *   open; mu_reader_header until it is satisfied (CSV with a header reads it, JSON and XML look for the place
 * where the records begin; JSON Lines need none); mu_reader_seek to a position (the first record's, a
 * shard's, a checkpoint's); for a checkpoint's mu_reader_restore; mu_reader_feed chunks, mu_reader_next until
 * MU_READ_MORE, …; the last chunk with last = true. What is fed before MU_READ_MORE has been returned
 * begins at mu_reader_position. */
/* NULL at the end: "csv", "json", …; for the registry and `unknown_format`. */
const char *mu_reader_format(size_t index);
/* MU_REJECTED: `unknown_format`; `bad_task` when an option is wrong or a column is mapped that the pack
 * lacks. */
MU_MUST bool mu_reader_open(struct mu_reader **out, struct mu_span format,
                            const struct mu_reader_setup *setup, struct mu_error *err);
/* Feeds the source from byte 0 until *done (which `last` always brings): then *first is the position of the
 * first record. Until then mu_reader_position tells an offset before which it will not be. Columns that the
 * pack asks for and the source lacks are no error: they are missing in every record (mu_reader_lacks).
 * MU_REJECTED `source_unreadable`: the header is broken, or names a wanted column twice. */
MU_MUST bool mu_reader_header(struct mu_reader *r, struct mu_span chunk, bool last, bool *done,
                              struct mu_position *first, struct mu_error *err);
bool mu_reader_lacks(const struct mu_reader *r, size_t column);
/* Digest of the bytes that the reader took its columns from; a checkpoint's must agree. */
struct mu_digest mu_reader_header_digest(const struct mu_reader *r);
/* With the state of the first record, which is that of every boundary where mu_reader_can_cut. */
void mu_reader_seek(struct mu_reader *r, struct mu_position at);
/* After a seek to where it was saved. NULL stands for no state. The state is enough where the header was not
 * read again (a plan that goes on); where it was, the two must agree. MU_REJECTED `invalid`: no state of such
 * a reader, or of another source. */
MU_MUST bool mu_reader_restore(struct mu_reader *r, const json_t *saved, struct mu_error *err);
/* The chunk is borrowed until MU_READ_MORE has been returned for it; a record that spans chunks is copied. */
void mu_reader_feed(struct mu_reader *r, struct mu_span chunk, bool last);
/* MU_READ_FAILED: the source is broken, *err says why (MU_REJECTED with code limit_…). A bad record is a
 * record. */
enum mu_read mu_reader_next(struct mu_reader *r, struct mu_record *out, struct mu_error *err);
/* Like next, but only finds the boundaries (the plan stage): no fields are taken apart. */
enum mu_read mu_reader_skip(struct mu_reader *r, struct mu_locator *out, struct mu_error *err);
/* After a whole record: where the next one begins. */
struct mu_position mu_reader_position(const struct mu_reader *r);
/* May a reader that knows no more than the header and this position go on here? */
bool mu_reader_can_cut(const struct mu_reader *r);
/* What else it takes to go on at mu_reader_position, as a JSON value; nothing for formats whose position says
 * all. Equal states give equal bytes. */
void mu_reader_save(const struct mu_reader *r, struct mu_text *out);
/* Where the record stands within the document, for people: a JSON Pointer ("/trades/2"), an XPath that leaves
 * namespaces aside ("(/Document/Tx)[3]"); nothing for CSV and JSON Lines. Made of the record's number alone,
 * so it is the same however the source was cut. */
void mu_reader_path(const struct mu_reader *r, const struct mu_record *record, struct mu_text *out);
void mu_reader_free(struct mu_reader *r);
MU_DEFINE_AUTO(struct mu_reader, mu_reader_free)

#endif
