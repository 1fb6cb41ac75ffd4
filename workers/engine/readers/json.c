/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/readers/encoding.h"
#include "engine/readers/json_inside.h"

#include <inttypes.h>

bool json_options_check(const json_t *source, const char *const *elsewhere, const char *format,
                        struct mu_error *err)
{
    const struct mu_span encoding = mu_json_span(source, "encoding");
    enum encoding e;
    if (encoding.at && (!encoding_parse(encoding, &e) || e != ENCODING_UTF8))
        return mu_reject(err, "bad_task", "/source/encoding", "JSON is UTF-8, not \"%.40s\"", encoding.at);
    return values_refuse(source, elsewhere, format, err);
}

bool json_init(struct json *j, const struct mu_reader_kind *kind, const struct mu_reader_setup *setup,
               struct mu_error *err)
{
    j->base.kind = kind;
    j->setup = *setup;
    j->carry = MU_TEXT(setup->limits.record_bytes + 16);
    j->next = (struct mu_position){0, 1, 1};
    if (values_open(&j->values, setup, err) &&
        json_record_open(&j->record, setup, &j->values, setup->source == NULL, err))
        return true;
    json_fini(j);
    return false;
}

void json_fini(struct json *j)
{
    json_record_free(j->record);
    values_fini(&j->values);
    mu_text_free(&j->carry);
}

void json_seek(struct json *j, struct mu_position at)
{
    j->next = at;
    j->chunk = mu_span(NULL, 0);
    j->at = 0;
    j->last = j->carry_done = false;
    mu_text_reset(&j->carry);
}

void json_feed(struct json *j, struct mu_span chunk, bool last)
{
    j->chunk = chunk;
    j->at = 0;
    j->last = last;
}

struct mu_span json_rest(const struct json *j)
{
    return mu_span(j->chunk.at + j->at, j->chunk.len - j->at);
}

bool json_carries(struct json *j)
{
    if (j->carry_done) {
        mu_text_reset(&j->carry);
        j->carry_done = false;
    }
    return j->carry.len > 0;
}

enum mu_read json_too_long(const struct json *j, struct mu_error *err)
{
    mu_reject(err, "limit_record_bytes", "",
              "record %" PRId64 " (line %" PRId64 ", byte %" PRId64 ") is longer than %zu bytes",
              j->next.record_no, j->next.line, j->next.byte_off, j->setup.limits.record_bytes);
    return MU_READ_FAILED;
}

enum mu_read json_keep(struct json *j, size_t bytes, struct mu_error *err)
{
    if (j->carry.len + bytes > j->setup.limits.record_bytes + 2) /* a line end is no part of a record */
        return json_too_long(j, err);
    mu_text_add(&j->carry, mu_span(j->chunk.at + j->at, bytes));
    j->at += bytes;
    return mu_text_ok(&j->carry, err) ? MU_READ_MORE : MU_READ_FAILED;
}

enum mu_read json_taken_out(struct json *j, enum json_taken taken, size_t used, struct mu_record *out,
                            struct mu_error *err)
{
    out->bad = NULL;
    out->bad_at = 0;
    out->values = json_record_values(j->record);
    out->count = j->setup.column_count;
    switch (taken) {
    case JSON_WHOLE:
        return MU_READ_RECORD;
    case JSON_CUT:
        out->bad = "broken JSON: it ends within the record";
        out->bad_at = out->at.byte_off + out->at.length;
        return MU_READ_RECORD;
    case JSON_BAD:
        out->bad = json_record_fault(j->record);
        out->bad_at = out->at.byte_off + (int64_t)used;
        return MU_READ_RECORD;
    case JSON_FIELDS:
        mu_reject(err, "limit_fields", "",
                  "record %" PRId64 " (line %" PRId64 ", byte %" PRId64 ") has more than %zu fields",
                  out->at.record_no, out->at.line, out->at.byte_off, j->setup.limits.fields);
        return MU_READ_FAILED;
    case JSON_MEMORY:
        mu_fail(err, MU_BROKEN, "out of memory");
        return MU_READ_FAILED;
    }
    return MU_READ_FAILED;
}

enum mu_read json_give(struct json *j, struct mu_span record, struct mu_record *out, struct mu_error *err)
{
    size_t used = 0;
    const enum json_taken taken = json_record_take(j->record, record, &used);
    return json_taken_out(j, taken, used, out, err);
}

int64_t json_lines(struct mu_span bytes)
{
    int64_t lines = 0;
    for (size_t i = 0; i < bytes.len; i++)
        lines += bytes.at[i] == '\n';
    return lines;
}
