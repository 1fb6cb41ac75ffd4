/* SPDX-License-Identifier: Apache-2.0 */
/* How the source writes dates, times and amounts (`formats`, `zone`), turned into how muster writes them:
 * 2026-03-02, 2026-03-02T14:00:00Z, -1234.56. The same for every format of source.
 *
 * A date or time is written as a pattern of YYYY MM DD hh mm ss and other characters, which stand for
 * themselves; a Z at its end says that the time is UTC. An amount is written as an example, 1234.56 with what
 * separates thousands and decimals: "1.234,56", "1 234,56", "1234,56". `zone` is UTC or an offset (+01:00),
 * for times that have none. */
#ifndef MU_FORMATS_H
#define MU_FORMATS_H

#include "engine/reader.h"

struct formats;
/* *out is NULL if the source needs none. MU_REJECTED (bad_task) with the pointer below /source: a column that
 * the pack lacks or of a type that is not written so, a pattern that is none, a zone that is no fixed offset.
 */
MU_MUST bool formats_open(struct formats **out, const struct mu_reader_setup *setup, struct mu_error *err);
/* *v is a text of this column. One that is not written as the format says becomes invalid and keeps its text.
 * The new text is borrowed until the next one of the column. */
void formats_apply(struct formats *f, size_t column, struct mu_value *v);
/* Does the source say how amounts are written in this column? */
bool formats_is_amount(const struct formats *f, size_t column);
void formats_free(struct formats *f);

#endif
