/* SPDX-License-Identifier: Apache-2.0 */
/* What all checks of single records share: the operand (a text column, brought into its normal form), the
 * verdicts, and a state that holds nothing but the configuration. Such a check saves the empty text: what it
 * counted is counted by the engine. */
#ifndef MU_ROW_H
#define MU_ROW_H

#include "engine/check.h"
#include "engine/checks/params.h"

#define MU_OPERAND_MAX 128 /* bytes of a normal form; every identifier is shorter */

struct mu_operand {
    int column;
    int fold;  /* a-z count as A-Z */
    int strip; /* blanks are left out */
};

/* Parameters `column`, `case` (strict, fold) and `separators` (reject, strip). */
#define MU_OPERAND_PARAMS "column", "case", "separators"
MU_MUST bool mu_operand_configure(struct mu_operand *out, struct mu_env *env, const json_t *params,
                                  struct mu_error *err);
/* False when the verdict is already given: missing, not readable, or longer than any identifier. *out lies in
 * the record or in `form`. */
bool mu_operand_read(const struct mu_operand *o, const struct mu_record *rec, struct mu_sink *sink,
                     char form[MU_OPERAND_MAX], struct mu_span *out);
/* The configure of a check that takes an operand and nothing else; *conf is a struct mu_operand. */
bool mu_operand_only(void **conf, struct mu_env *env, const json_t *params, struct mu_error *err);
/* A value as it stands; false when the verdict (not evaluated, error) is already given. */
bool mu_row_value(int column, const struct mu_record *rec, struct mu_sink *sink, struct mu_span *out);

/* Verdicts. All return true, so that a record function can end with one. */
bool mu_row_pass(struct mu_sink *sink);
bool mu_row_fail(struct mu_sink *sink, const char *fmt, ...) MU_PRINTF(2, 3);
bool mu_row_error(struct mu_sink *sink, const char *fmt, ...) MU_PRINTF(2, 3);
bool mu_row_not_evaluated(struct mu_sink *sink);

/* Zeroed memory of the pool; a failure says which limit it was. */
void *mu_row_get(struct mu_env *env, size_t size, struct mu_error *err);

/* The life of a state that is only its configuration. */
struct mu_row {
    const void *conf;
};
bool mu_row_begin(void **state, struct mu_env *env, const void *conf, struct mu_error *err);
bool mu_row_merge(void *into, const void *other, struct mu_error *err);
bool mu_row_save(const void *state, struct mu_text *out, struct mu_error *err);
bool mu_row_restore(void *state, struct mu_span saved, struct mu_error *err);
bool mu_row_finish(void *state, struct mu_sink *out, struct mu_error *err);

/* The slots of such a check from begin to finish, its own record function among them. */
#define MU_ROW_LIFE(record_fn)                                                                               \
    .begin = mu_row_begin, .record = (record_fn), .merge = mu_row_merge, .save = mu_row_save,                \
    .restore = mu_row_restore, .finish = mu_row_finish

#endif
