/* SPDX-License-Identifier: Apache-2.0 */
/* What a CSV source's first record tells: with a header where the columns are, and in any case how many
 * fields a record has. */
#include "engine/readers/csv_inside.h"

#include <assert.h>

static bool broken_header(struct csv *c, const char *what, size_t at, struct mu_error *err)
{
    return mu_reject(err, "source_unreadable", "", "the header is not readable: %s (line 1, byte %zu)", what,
                     c->head_from + at);
}

/* Without a header: by the names that the description gives, or by positions alone. */
static bool map_given(struct csv *c, struct mu_error *err)
{
    if (!c->options.names)
        return csv_map_columns(c->field_of, &c->setup, NULL, c->expected, err);
    c->expected = json_array_size(c->options.names);
    MU_AUTO(mu_free) struct mu_span *names = calloc(c->expected, sizeof(*names));
    if (!names)
        return mu_fail(err, MU_BROKEN, "out of memory");
    for (size_t i = 0; i < c->expected; i++) {
        const json_t *name = json_array_get(c->options.names, i);
        names[i] = mu_span(json_string_value(name), json_string_length(name));
    }
    return csv_map_columns(c->field_of, &c->setup, names, c->expected, err);
}

/* The first record is whole: c->row says where it ends in c->head. */
static bool learn_columns(struct csv *c, struct mu_error *err)
{
    const char *record = c->head.at + c->head_from;
    size_t bad_at = 0;
    c->expected = c->row.fields;
    c->next = (struct mu_position){(int64_t)c->head_from, c->options.header ? 0 : 1, 1};
    if (c->row.to - c->row.from > c->setup.limits.record_bytes)
        return csv_too_long(c, err);
    if (c->row.fields > c->row.most_fields)
        return csv_too_many_fields(c, err);
    if (!c->options.header)
        return map_given(c, err);
    const char *fault = csv_fault_of(c, record, &bad_at);
    if (fault)
        return broken_header(c, fault, bad_at, err);
    MU_AUTO(mu_free) struct mu_span *names = calloc(c->expected, sizeof(*names));
    if (!names)
        return mu_fail(err, MU_BROKEN, "out of memory");
    if (!csv_clear_scratch(c, c->row.to - c->row.from, err))
        return false;
    for (size_t i = 0; i < c->expected; i++) {
        names[i] = csv_field_text(c, record, i);
        if (c->options.values.trim)
            names[i] = values_trim(names[i]);
    }
    return csv_map_columns(c->field_of, &c->setup, names, c->expected, err);
}

bool csv_header(struct mu_reader *r, struct mu_span chunk, bool last, bool *done, struct mu_position *first,
                struct mu_error *err)
{
    struct csv *c = csv_of(r);
    const size_t limit = c->setup.limits.record_bytes, most = limit + 8, len = c->head.len + chunk.len;
    mu_text_add(&c->head, mu_span(chunk.at, len > most ? most - c->head.len : chunk.len));
    if (!mu_text_ok(&c->head, err))
        return false;
    last = last && len <= most;
    *done = false;
    if (c->head.len < 3 && !last)
        return true;
    const struct mu_span head = mu_text_span(&c->head);
    if (head.len >= 2 && (memcmp(head.at, "\xff\xfe", 2) == 0 || memcmp(head.at, "\xfe\xff", 2) == 0))
        return mu_reject(err, "source_unreadable", "", "the source begins like UTF-16, which is not read");
    c->head_from = head.len >= 3 && memcmp(head.at, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    if (c->head_from && c->options.encoding != ENCODING_UTF8)
        return mu_reject(err, "source_unreadable", "/source/encoding",
                         "the source begins like UTF-8, not like %s", encoding_name(c->options.encoding));
    struct mu_span record = mu_span(head.at + c->head_from, head.len - c->head_from);
    enum csv_state state = CSV_FIELD_START;
    size_t used = 0;
    if (!csv_follow(&state, &c->options.dialect, record, &used)) {
        c->next = (struct mu_position){(int64_t)c->head_from, c->options.header ? 0 : 1, 1};
        if (record.len >= limit + 2)
            return csv_too_long(c, err);
        if (!last)
            return true;
        if (record.len && record.at[record.len - 1] == CSV_DOS_END)
            used--;
    }
    c->row.next = c->head_from;
    c->row.lines = 0;
    if (used) {
        csv_cursor_set(&c->held, mu_span(head.at, c->head_from + used));
        const bool whole = csv_scan_row(&c->held, &c->options.dialect, c->head_from, true, &c->row);
        assert(whole);
        c->head_to = c->head_from; /* so that the header is not taken for its own repetition */
        if (!learn_columns(c, err))
            return false;
        c->head_to = c->row.to;
    } else if (c->options.names) {
        if (!map_given(c, err))
            return false;
    } else {
        for (size_t i = 0; i < c->setup.column_count; i++)
            c->field_of[i] = -1;
    }
    mu_text_cut(&c->head, c->row.next);
    c->head_digest = mu_digest_of(mu_text_span(&c->head));
    if (c->options.header)
        *first = (struct mu_position){(int64_t)c->row.next, 1, 1 + c->row.lines};
    else
        *first = (struct mu_position){(int64_t)c->head_from, 1, 1};
    c->next = *first;
    *done = true;
    return true;
}
