/* SPDX-License-Identifier: Apache-2.0 */
/* Reference lists: versioned data in muster's own CSV form, pinned by the SHA-256 of the file. First line
 * "# muster-list 1 <name> <version> key=<column>", then a CSV header and rows, sorted by key bytes; further lines
 * that begin with '#' before the header are commentary. Immutable once loaded. */
#ifndef MU_LIST_H
#define MU_LIST_H

#include "base/digest.h"
#include "base/error.h"

struct mu_list_data;
/* Takes the file's bytes apart; *digest is the pin. MU_REJECTED with the line. */
MU_MUST bool mu_list_parse(struct mu_list_data **out, struct mu_span bytes, struct mu_error *err);
void mu_list_data_free(struct mu_list_data *l);
MU_DEFINE_AUTO(struct mu_list_data, mu_list_data_free)
const char *mu_list_name(const struct mu_list_data *l);
const char *mu_list_version(const struct mu_list_data *l);
const struct mu_digest *mu_list_digest(const struct mu_list_data *l);
/* Row of a key, or -1; several rows of one key follow each other (mu_list_key tells). */
int64_t mu_list_find(const struct mu_list_data *l, struct mu_span key);
size_t mu_list_rows(const struct mu_list_data *l);
struct mu_span mu_list_key(const struct mu_list_data *l, size_t row);
int mu_list_column(const struct mu_list_data *l, const char *name); /* -1: none */
struct mu_span mu_list_value(const struct mu_list_data *l, size_t row, int column);

#endif
