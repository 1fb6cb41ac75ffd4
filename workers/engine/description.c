/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/description.h"
#include "engine/reader.h"

/* A reader says what is wrong with a task; here nobody has a task yet. */
static bool as_invalid(const struct mu_error *why, struct mu_error *err)
{
    if (why->fault != MU_REJECTED)
        return mu_fail(err, why->fault, "%s", why->text);
    (void)mu_reject(err, "invalid", why->pointer, "%s", why->text);
    return why->hint[0] ? mu_hint(err, "%s", why->hint) : false;
}

bool mu_description_check(const json_t *source, const struct mu_pack *pack, struct mu_error *err)
{
    MU_AUTO(mu_free) const char **columns = calloc(pack->column_count + 1, sizeof(*columns));
    MU_AUTO(mu_reader_free) struct mu_reader *reader = NULL;
    struct mu_error why = {0};
    if (!columns)
        return mu_fail(err, MU_BROKEN, "out of memory");
    for (size_t i = 0; i < pack->column_count; i++)
        columns[i] = pack->columns[i].name;
    const struct mu_reader_setup setup = {.source = source,
                                          .columns = columns,
                                          .column_count = pack->column_count,
                                          .typed = pack->columns,
                                          .limits = {1, 1}};
    return mu_reader_open(&reader, mu_json_span(source, "format"), &setup, &why) || as_invalid(&why, err);
}
