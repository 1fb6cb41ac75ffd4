/* SPDX-License-Identifier: Apache-2.0 */
/* The cases inside a rule: records, and what the rule must make of them (CHECKS.md part 4). They run through the same
 * readers and rules as everything else. */
#ifndef MU_CASES_H
#define MU_CASES_H

#include "engine/alone.h"

/* Called for each case in its order. `wrong` NULL: it holds; otherwise its pointer leads into the whole pack, its text
 * has what was expected and what was found, row by row where that says something. */
typedef void mu_case_note(void *context, const struct mu_rule *rule, const char *name, const struct mu_error *wrong);

/* A case that fails is no failure of this: false means that this machine is broken. */
MU_MUST bool mu_cases_run(const struct mu_alone *rule, const struct mu_list_data *const *lists, mu_case_note *note,
                          void *context, struct mu_error *err);
size_t mu_cases_count(const struct mu_rule *rule);

#endif
