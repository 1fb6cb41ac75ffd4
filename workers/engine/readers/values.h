/* SPDX-License-Identifier: Apache-2.0 */
/* What the source description says about values of any format: blanks around them, tokens that mean
 * "missing", how they are written (PROTOCOL §2). */
#ifndef MU_VALUES_H
#define MU_VALUES_H

#include "engine/readers/formats.h"

#define VALUES_MISSING_MAX 32

struct values {
    bool trim;                                  /* white space around values is not part of them */
    struct mu_span missing[VALUES_MISSING_MAX]; /* borrowed from the source */
    size_t missing_count;
    struct formats *formats; /* NULL: none */
};

/* MU_REJECTED (bad_task) with the pointer below /source. */
MU_MUST bool values_open(struct values *out, const struct mu_reader_setup *setup, struct mu_error *err);
void values_fini(struct values *v);
MU_DEFINE_AUTO_VALUE(struct values, values_fini)

/* Blanks, tabs and line ends. */
struct mu_span values_trim(struct mu_span text);
bool values_is_missing(const struct values *v, struct mu_span text);

/* The value that a text of this column is; "" is missing. The text is borrowed as long as the value. */
static inline struct mu_value values_of(const struct values *v, size_t column, struct mu_span text)
{
    if (v->trim)
        text = values_trim(text);
    struct mu_value value = {MU_VALUE_TEXT, text};
    if (!text.len || (v->missing_count && values_is_missing(v, text)))
        value.state = MU_VALUE_MISSING;
    else if (v->formats)
        formats_apply(v->formats, column, &value);
    return value;
}

/* The same of a number that JSON writes as one, and therefore in JSON's way whatever `formats` says of
 * amounts. */
static inline struct mu_value values_of_number(const struct values *v, size_t column, struct mu_span text)
{
    struct mu_value value = {MU_VALUE_TEXT, text};
    if (v->missing_count && values_is_missing(v, text))
        value.state = MU_VALUE_MISSING;
    else if (v->formats && !formats_is_amount(v->formats, column))
        formats_apply(v->formats, column, &value);
    return value;
}

/* Refuses options that mean nothing for a format; `names` ends in NULL. */
MU_MUST bool values_refuse(const json_t *source, const char *const *names, const char *format,
                           struct mu_error *err);

#endif
