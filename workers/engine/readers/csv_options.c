/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/readers/csv_options.h"

#include <inttypes.h>

/* Characters that could not be told from the structure of the file, or from a byte of a longer character. */
static bool separator_fits(struct mu_span text)
{
    return text.len == 1 && (unsigned char)text.at[0] < 0x80 &&
           ((unsigned char)text.at[0] > 0x20 || text.at[0] == ' ' || text.at[0] == '\t') &&
           text.at[0] != 0x7F;
}

static bool parse_dialect(struct csv_dialect *d, const json_t *source, struct mu_error *err)
{
    *d = (struct csv_dialect){.delimiter = ',', .quote = '"', .quoting = true};
    if (json_object_get(source, "delimiter")) {
        const struct mu_span text = mu_json_span(source, "delimiter");
        if (!separator_fits(text))
            return mu_reject(err, "bad_task", "/source/delimiter",
                             "the delimiter must be one ASCII character");
        d->delimiter = text.at[0];
    }
    if (json_object_get(source, "quote")) {
        const struct mu_span text = mu_json_span(source, "quote");
        d->quoting = text.len > 0;
        if (d->quoting && (!separator_fits(text) || text.at[0] == ' '))
            return mu_reject(err, "bad_task", "/source/quote",
                             "the quote must be one ASCII character, or empty for none");
        if (d->quoting)
            d->quote = text.at[0];
    }
    if (d->quoting && d->quote == d->delimiter)
        return mu_reject(err, "bad_task", "/source/quote", "quote and delimiter are the same character");
    return true;
}

/* Both name the columns; the names are those that `columns` may speak of, so each stands there once. */
static bool parse_names(struct csv_options *o, const json_t *source, struct mu_error *err)
{
    char pointer[64];
    o->header = mu_json_bool(source, "header", !o->names);
    if (o->names && o->header)
        return mu_reject(err, "bad_task", "/source/names", "a file with a header has its names there");
    for (size_t i = 0; i < json_array_size(o->names); i++) {
        const json_t *name = json_array_get(o->names, i);
        (void)snprintf(pointer, sizeof(pointer), "/source/names/%zu", i);
        if (!json_string_length(name))
            return mu_reject(err, "bad_task", pointer, "a name is a text that is not empty");
        for (size_t k = 0; k < i; k++)
            if (json_equal(name, json_array_get(o->names, k)))
                return mu_reject(err, "bad_task", pointer, "the name \"%.60s\" stands there twice",
                                 json_string_value(name));
    }
    return !o->names || json_array_size(o->names) > 0 ||
           mu_reject(err, "bad_task", "/source/names", "there must be at least one name");
}

/* Compared with the bytes of the file, hence ASCII. */
static bool parse_trailer(struct csv_options *o, const json_t *source, struct mu_error *err)
{
    o->trailer = mu_json_span(source, "trailer");
    if (!json_object_get(source, "trailer"))
        return true;
    bool plain = o->trailer.len > 0;
    for (size_t i = 0; i < o->trailer.len; i++)
        plain = plain && (unsigned char)o->trailer.at[i] < 0x7F && (unsigned char)o->trailer.at[i] >= 0x20;
    return plain || mu_reject(err, "bad_task", "/source/trailer",
                              "the beginning of a trailer is a text of printable ASCII, like \"TRAILER|\"");
}

static bool has_name(const json_t *names, const json_t *name)
{
    for (size_t i = 0; i < json_array_size(names); i++)
        if (json_equal(json_array_get(names, i), name))
            return true;
    return false;
}

static bool check_mapping(const struct csv_options *o, const struct mu_reader_setup *setup,
                          struct mu_error *err)
{
    json_t *map = json_object_get(setup->source, "columns");
    const char *name;
    json_t *place;
    json_object_foreach(map, name, place)
    {
        size_t i = 0;
        while (i < setup->column_count && strcmp(setup->columns[i], name) != 0)
            i++;
        char pointer[160];
        (void)snprintf(pointer, sizeof(pointer), "/source/columns/%.100s", name);
        if (i == setup->column_count)
            return mu_reject(err, "bad_task", pointer, "the pack has no column \"%.60s\"", name);
        if (json_is_integer(place) ? json_integer_value(place) < 1 : !json_is_string(place))
            return mu_reject(err, "bad_task", pointer, "neither a header name nor a position from 1");
        if (!o->header && !o->names && !json_is_integer(place)) {
            (void)mu_reject(err, "bad_task", pointer,
                            "a file without a header has positions (from 1), no names");
            return mu_hint(err, "name its columns: \"names\":[\"%.60s\",…]", json_string_value(place));
        }
        if (o->names && json_is_string(place) && !has_name(o->names, place))
            return mu_reject(err, "bad_task", pointer, "\"names\" has no \"%.60s\"",
                             json_string_value(place));
    }
    return true;
}

bool csv_options_parse(struct csv_options *out, const struct mu_reader_setup *setup, struct mu_error *err)
{
    static const char *const elsewhere[] = {"record", NULL};
    const json_t *source = setup->source;
    struct csv_options o = {.names = json_object_get(source, "names")};
    const struct mu_span encoding = mu_json_span(source, "encoding");
    if (!values_refuse(source, elsewhere, "CSV", err))
        return false;
    if (encoding.at && !encoding_parse(encoding, &o.encoding))
        return mu_reject(err, "bad_task", "/source/encoding",
                         "the encoding \"%.40s\" is not known; utf-8, iso-8859-1 and windows-1252 are",
                         encoding.at);
    if (!parse_dialect(&o.dialect, source, err) || !parse_names(&o, source, err) ||
        !parse_trailer(&o, source, err) || !check_mapping(&o, setup, err) ||
        !values_open(&o.values, setup, err))
        return false;
    *out = o;
    return true;
}

void csv_options_fini(struct csv_options *o)
{
    values_fini(&o->values);
}

/* -1: not there; -2: there twice (*again is the second). */
static int64_t find_name(const struct mu_span *names, size_t fields, struct mu_span name, size_t *again)
{
    int64_t found = -1;
    for (size_t i = 0; i < fields; i++) {
        if (!mu_span_equal(names[i], name))
            continue;
        if (found >= 0) {
            *again = i;
            return -2;
        }
        found = (int64_t)i;
    }
    return found;
}

bool csv_map_columns(int64_t *field_of, const struct mu_reader_setup *setup, const struct mu_span *names,
                     size_t fields, struct mu_error *err)
{
    const json_t *map = json_object_get(setup->source, "columns");
    for (size_t c = 0; c < setup->column_count; c++) {
        const json_t *place = json_object_get(map, setup->columns[c]);
        field_of[c] = -1;
        if (json_is_integer(place)) {
            const int64_t position = json_integer_value(place);
            field_of[c] = position <= (int64_t)fields ? position - 1 : -1;
            continue;
        }
        if (!names)
            continue;
        const struct mu_span name = place ? mu_span(json_string_value(place), json_string_length(place))
                                          : mu_span_of(setup->columns[c]);
        size_t again = 0;
        field_of[c] = find_name(names, fields, name, &again);
        if (field_of[c] == -2 && (!setup->wanted || setup->wanted[c])) {
            (void)mu_reject(err, "source_unreadable", "/source/columns",
                            "the header has the column \"%.*s\" more than once (field %zu again)",
                            (int)(name.len < 60 ? name.len : 60), name.at, again + 1);
            return mu_hint(err, "say which one by its position: \"columns\":{\"%.60s\":%zu}",
                           setup->columns[c], again + 1);
        }
        if (field_of[c] < 0)
            field_of[c] = -1;
    }
    return true;
}
