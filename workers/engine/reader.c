/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/reader_kind.h"

static const struct mu_reader_kind *const kinds[] = {&mu_reader_csv, &mu_reader_json, &mu_reader_jsonl,
                                                     &mu_reader_records, &mu_reader_xml};

const char *mu_reader_format(size_t index)
{
    return index < MU_COUNT(kinds) ? kinds[index]->name : NULL;
}

bool mu_reader_open(struct mu_reader **out, struct mu_span format, const struct mu_reader_setup *setup,
                    struct mu_error *err)
{
    if (setup->source && mu_span_is(format, mu_reader_records.name))
        return mu_reject(err, "unknown_format", "/source/format",
                         "records stand in a message, not in a source");
    if (mu_span_is(format, "ndjson"))
        format = mu_span_of(mu_reader_jsonl.name);
    for (size_t i = 0; i < MU_COUNT(kinds); i++)
        if (mu_span_is(format, kinds[i]->name))
            return kinds[i]->open(out, setup, err);
    return mu_reject(err, "unknown_format", "/source/format",
                     "the format \"%.*s\" is not known; csv, json, jsonl and xml are",
                     (int)(format.len < 40 ? format.len : 40), format.at);
}

bool mu_reader_header(struct mu_reader *r, struct mu_span chunk, bool last, bool *done,
                      struct mu_position *first, struct mu_error *err)
{
    return r->kind->header(r, chunk, last, done, first, err);
}

bool mu_reader_lacks(const struct mu_reader *r, size_t column)
{
    return r->kind->lacks(r, column);
}

struct mu_digest mu_reader_header_digest(const struct mu_reader *r)
{
    return r->kind->header_digest(r);
}

void mu_reader_seek(struct mu_reader *r, struct mu_position at)
{
    r->kind->seek(r, at);
}

bool mu_reader_restore(struct mu_reader *r, const json_t *saved, struct mu_error *err)
{
    if (r->kind->restore)
        return r->kind->restore(r, saved, err);
    return !saved || mu_reject(err, "invalid", "", "the checkpoint holds the state of another reader");
}

void mu_reader_feed(struct mu_reader *r, struct mu_span chunk, bool last)
{
    r->kind->feed(r, chunk, last);
}

enum mu_read mu_reader_next(struct mu_reader *r, struct mu_record *out, struct mu_error *err)
{
    return r->kind->next(r, out, err);
}

enum mu_read mu_reader_skip(struct mu_reader *r, struct mu_locator *out, struct mu_error *err)
{
    return r->kind->skip(r, out, err);
}

struct mu_position mu_reader_position(const struct mu_reader *r)
{
    return r->kind->position(r);
}

bool mu_reader_can_cut(const struct mu_reader *r)
{
    return !r->kind->can_cut || r->kind->can_cut(r);
}

void mu_reader_save(const struct mu_reader *r, struct mu_text *out)
{
    if (r->kind->save)
        r->kind->save(r, out);
}

void mu_reader_path(const struct mu_reader *r, const struct mu_record *record, struct mu_text *out)
{
    if (r->kind->path)
        r->kind->path(r, record, out);
}

void mu_reader_free(struct mu_reader *r)
{
    if (r)
        r->kind->free(r);
}
