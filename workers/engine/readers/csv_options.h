/* SPDX-License-Identifier: Apache-2.0 */
/* What the source description says about a CSV file (PROTOCOL §2), and which field of it each column of the
 * pack is, once the header is known. */
#ifndef MU_CSV_OPTIONS_H
#define MU_CSV_OPTIONS_H

#include "engine/reader.h"
#include "engine/readers/csv_scan.h"
#include "engine/readers/encoding.h"
#include "engine/readers/values.h"

struct csv_options {
    struct csv_dialect dialect;
    enum encoding encoding;
    bool header;            /* the first record names the columns */
    const json_t *names;    /* those of a file without a header, or NULL */
    struct mu_span trailer; /* a record that begins with this is none; empty: there are no such */
    struct values values;
};

/* MU_REJECTED (bad_task) with the pointer below /source. */
MU_MUST bool csv_options_parse(struct csv_options *out, const struct mu_reader_setup *setup,
                               struct mu_error *err);
void csv_options_fini(struct csv_options *o);
/* The field (from 0) of each of the pack's columns; -1: the file lacks it. `names` are those of the header,
 * NULL without one. */
MU_MUST bool csv_map_columns(int64_t *field_of, const struct mu_reader_setup *setup,
                             const struct mu_span *names, size_t fields, struct mu_error *err);

#endif
