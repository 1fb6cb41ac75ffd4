/* SPDX-License-Identifier: Apache-2.0 */
/* Binds the expressions of a pack to its lists, parameters and day, and makes one program of them, in which equal
 * parts are shared. */
#ifndef MU_EXPR_LINK_H
#define MU_EXPR_LINK_H

#include "engine/check.h"
#include "engine/expr/typing.h"

struct mu_linker;
struct mu_link_setup {
    const struct mu_pack *pack;
    const struct mu_list_data *const *lists; /* in the order of pack->lists */
    const struct mu_xvalue *params;          /* in the order of pack->params */
    struct mu_env *env;                      /* pool (operations live in it), day, lists for checks */
};
/* Borrows all of the setup for its life. */
MU_MUST bool mu_linker_new(struct mu_linker **out, const struct mu_link_setup *setup, struct mu_error *err);
/* MU_REJECTED with `pointer`: a list lacks a column, is no calendar, or not what a check looks into. */
MU_MUST bool mu_link(const struct mu_op **out, struct mu_linker *l, const struct mu_expr *e, const char *pointer,
                     struct mu_error *err);
size_t mu_linker_slots(const struct mu_linker *l); /* that a frame of this program needs */
void mu_linker_free(struct mu_linker *l);
MU_DEFINE_AUTO(struct mu_linker, mu_linker_free)

#endif
