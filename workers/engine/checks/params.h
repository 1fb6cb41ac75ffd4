/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the parameters of a rule (its `with` object). What is wrong is MU_REJECTED, code "invalid", with the
 * JSON Pointer of the place below `with`. Outputs are left alone when an optional parameter is absent. */
#ifndef MU_PARAMS_H
#define MU_PARAMS_H

#include "engine/check.h"

/* Refuses what is no object (NULL is an empty one) and every key that is not among `known`, which ends in
 * NULL. */
MU_MUST bool mu_params_known(const json_t *params, const char *const *known, struct mu_error *err);
bool mu_params_has(const json_t *params, const char *key);

/* A text; *out is borrowed from the document. */
MU_MUST bool mu_param_text(const char **out, const json_t *params, const char *key, struct mu_error *err);
MU_MUST bool mu_param_whole(int64_t *out, const json_t *params, const char *key, int64_t min, int64_t max,
                            struct mu_error *err);
/* One of `words` (ends in NULL); *out is its index. */
MU_MUST bool mu_param_word(int *out, const json_t *params, const char *key, const char *const *words,
                           struct mu_error *err);
/* The pack's column that `key` names; required. */
MU_MUST bool mu_param_column(int *out, struct mu_env *env, const json_t *params, const char *key,
                             struct mu_error *err);
/* The list that `key` names by its alias in the pack, or without the key the one of alias `otherwise`;
 * required. It must have these columns (ends in NULL). */
MU_MUST bool mu_param_list(const struct mu_list_data **out, struct mu_env *env, const json_t *params,
                           const char *key, const char *otherwise, const char *const *columns,
                           struct mu_error *err);
/* "/<key>" with ~ and / escaped, for a refusal; cut to the error's field. */
const char *mu_param_pointer(const char *key, char out[200]);

#endif
