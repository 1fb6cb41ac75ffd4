/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that can be known about a pack before it meets data: all of its mistakes, not just the first; what is
 * suspicious; and whether its rules do what their cases say. */
#ifndef MU_LINT_H
#define MU_LINT_H

#include "engine/cases.h"
#include "engine/shelf.h"

enum mu_lint_level { MU_LINT_ERROR, MU_LINT_WARNING };
/* Each has a pointer, what was expected and found, and in the hint what would be right. Borrowed during the call. */
typedef void mu_lint_note(void *context, enum mu_lint_level level, const struct mu_error *what);

struct mu_lint_setup {
    struct mu_span bytes;    /* the pack's document */
    struct mu_shelf *shelf;  /* where its lists are */
    mu_lint_note *note;
    mu_case_note *each_case; /* NULL: only those that fail are told, as errors */
    bool no_cases;           /* they are not run: for who has no time for what others wrote */
    void *context;           /* of both */
};
struct mu_lint {
    int64_t errors, warnings, cases, failed_cases; /* cases that fail are errors, too */
};
/* False only if this machine is broken; a bad pack is in the counts. */
MU_MUST bool mu_lint(const struct mu_lint_setup *setup, struct mu_lint *out, struct mu_error *err);

#endif
