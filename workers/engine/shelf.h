/* SPDX-License-Identifier: Apache-2.0 */
/* A shelf of reference lists: those that lie in some folders as <name>@<version>.csv. A bare name means the highest
 * version, by the numbers in it; of the same list in two folders the first folder's counts. */
#ifndef MU_SHELF_H
#define MU_SHELF_H

#include "engine/pack.h"

struct mu_shelf;
struct mu_shelf_list {
    char name[64], version[32];
    struct mu_list_data *data; /* the shelf's */
};

/* A folder that cannot be read is passed over: what it would have had is told when it is named. */
MU_MUST bool mu_shelf_new(struct mu_shelf **out, const char *const *folders, size_t count, struct mu_error *err);
/* Read at first use; *out is borrowed until the shelf is freed. MU_REJECTED (unknown_list, with the hint; malformed): there
 * is no such list, or it cannot be read. The pointer is the caller's to set. */
MU_MUST bool mu_shelf_find(struct mu_shelf *shelf, const struct mu_pack_list *wanted, const struct mu_shelf_list **out,
                           struct mu_error *err);
/* The lists of a pack, in its order: an array of pack->list_count + 1 that the caller frees (the lists stay the
 * shelf's). The first that is missing ends it, with its pointer. */
MU_MUST bool mu_shelf_lists(struct mu_shelf *shelf, const struct mu_pack *pack, const struct mu_list_data ***out,
                            struct mu_error *err);
void mu_shelf_free(struct mu_shelf *shelf);
MU_DEFINE_AUTO(struct mu_shelf, mu_shelf_free)

/* Takes "iso4217@4.15.0.csv" apart; false: it is no name of this form. */
MU_MUST bool mu_shelf_split(const char *file, const char *ending, char name[64], char version[32]);
/* By the numbers in them: 10.0 is after 9.1. */
int mu_version_compare(const char *a, const char *b);

#endif
