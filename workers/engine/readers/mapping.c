/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/readers/mapping.h"
#include "engine/readers/values.h"

bool mapping_check(const struct mu_reader_setup *setup, struct mu_error *err)
{
    json_t *map = json_object_get(setup->source, "columns");
    const char *name;
    json_t *place;
    json_object_foreach(map, name, place)
    {
        char pointer[160];
        size_t i = 0;
        while (i < setup->column_count && strcmp(setup->columns[i], name) != 0)
            i++;
        (void)snprintf(pointer, sizeof(pointer), "/source/columns/%.100s", name);
        if (i == setup->column_count)
            return mu_reject(err, "bad_task", pointer, "the pack has no column \"%.60s\"", name);
        if (!json_is_string(place))
            return mu_reject(err, "bad_task", pointer, "want a path; positions are for CSV");
    }
    return true;
}

/* From the beginning up to the mark, which is taken off *rest; all of it without one. */
static struct mu_span take_until(struct mu_span *rest, const char *mark, bool *found)
{
    const char *at = rest->len ? memmem(rest->at, rest->len, mark, strlen(mark)) : NULL;
    const size_t len = at ? (size_t)(at - rest->at) : rest->len;
    const struct mu_span part = mu_span(rest->at, len);
    const size_t taken = at ? len + strlen(mark) : len;
    *rest = mu_span(rest->at + taken, rest->len - taken);
    *found = at != NULL;
    return part;
}

bool mapping_read(struct mapping *out, const struct mu_reader_setup *setup, size_t column,
                  struct mu_error *err)
{
    const char *name = setup->columns[column];
    struct mu_span rest = mu_json_span(json_object_get(setup->source, "columns"), name);
    bool more = rest.at != NULL;
    out->count = 0;
    (void)snprintf(out->pointer, sizeof(out->pointer), "/source/columns/%.100s", name);
    while (more) {
        struct mapping_choice *c = &out->choices[out->count];
        if (out->count == MAPPING_CHOICES_MAX)
            return mu_reject(err, "bad_task", out->pointer, "more than %d alternatives", MAPPING_CHOICES_MAX);
        struct mu_span choice = take_until(&rest, "|", &more);
        c->path = values_trim(take_until(&choice, "=>", &c->constant));
        c->text = values_trim(choice);
        if (!c->path.len || (c->constant && !c->text.len))
            return mu_reject(err, "bad_task", out->pointer, "want PATH, or PATH => TEXT, between the bars");
        out->count++;
    }
    return true;
}

bool mapping_refuse(const struct mapping *m, struct mu_span path, const char *why, struct mu_error *err)
{
    return mu_reject(err, "bad_task", m->pointer, "the path \"%.*s\" is none: %s",
                     (int)(path.len < 80 ? path.len : 80), path.at, why);
}
