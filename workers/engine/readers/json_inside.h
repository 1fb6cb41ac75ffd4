/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the readers of JSON: what JSON Lines, JSON arrays and records in a message have in common.
 * Records that lie within a chunk are read where they are; one that is cut by a chunk's end is gathered in
 * `carry`. */
#ifndef MU_JSON_INSIDE_H
#define MU_JSON_INSIDE_H

#include "engine/reader_kind.h"
#include "engine/readers/json_record.h"

struct json {
    struct mu_reader base;
    struct mu_reader_setup setup;
    struct values values;
    struct json_record *record;
    struct mu_span chunk;
    size_t at; /* in chunk */
    bool last;
    struct mu_text carry; /* the beginning of a record whose end has not come yet */
    bool carry_done;      /* what is in carry has been given out */
    struct mu_position next;
};

/* Beginning and end of a kind's open and free. On failure the struct is as good as freed. */
MU_MUST bool json_init(struct json *j, const struct mu_reader_kind *kind, const struct mu_reader_setup *setup,
                       struct mu_error *err);
void json_fini(struct json *j);

void json_seek(struct json *j, struct mu_position at);
void json_feed(struct json *j, struct mu_span chunk, bool last);
/* What is left of the chunk. */
struct mu_span json_rest(const struct json *j);
/* Empties carry when what is in it has been given out; true if it holds a beginning. */
bool json_carries(struct json *j);
/* Takes the first bytes of the rest into carry. MU_READ_FAILED: beyond the limit, or no memory. */
enum mu_read json_keep(struct json *j, size_t bytes, struct mu_error *err);
/* A record of these bytes, taken apart into *out, whose place is already there. MU_READ_RECORD or
 * MU_READ_FAILED. */
enum mu_read json_give(struct json *j, struct mu_span record, struct mu_record *out, struct mu_error *err);
/* The same when the taking apart is done: json_record_take said `taken`, at `used`. */
enum mu_read json_taken_out(struct json *j, enum json_taken taken, size_t used, struct mu_record *out,
                            struct mu_error *err);
enum mu_read json_too_long(const struct json *j, struct mu_error *err);
/* LFs among the bytes. */
int64_t json_lines(struct mu_span bytes);

/* Options that only other formats have, and those that JSON has in one way. */
MU_MUST bool json_options_check(const json_t *source, const char *const *elsewhere, const char *format,
                                struct mu_error *err);

#endif
