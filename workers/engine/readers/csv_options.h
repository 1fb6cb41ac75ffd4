/* SPDX-License-Identifier: Apache-2.0 */
/* What the source description says about a CSV file (PROTOCOL §2), and which field of it each column of the
 * pack is, once the header is known. */
#ifndef MU_CSV_OPTIONS_H
#define MU_CSV_OPTIONS_H

#include "engine/reader.h"
#include "engine/readers/csv_scan.h"

#define CSV_MISSING_MAX 32

struct csv_options {
    struct csv_dialect dialect;
    bool header;                             /* the first record names the columns */
    bool trim;                               /* blanks and tabs around values are not part of them */
    struct mu_span missing[CSV_MISSING_MAX]; /* tokens that mean "missing", borrowed from the source */
    size_t missing_count;
};

/* MU_REJECTED (bad_task) with the pointer below /source. */
MU_MUST bool csv_options_parse(struct csv_options *out, const struct mu_reader_setup *setup,
                               struct mu_error *err);
struct mu_span csv_trim(struct mu_span text);
/* The field (from 0) of each of the pack's columns; -1: the file lacks it. `names` are those of the header,
 * NULL without one. */
MU_MUST bool csv_map_columns(int64_t *field_of, const struct mu_reader_setup *setup,
                             const struct mu_span *names, size_t fields, struct mu_error *err);

#endif
