/* SPDX-License-Identifier: Apache-2.0 */
/* Where `muster` finds packs and lists: files by their path, packs by name in the folders of --packs (or data.packs), lists
 * in those of --lists (or data.lists). */
#ifndef MU_LIBRARY_H
#define MU_LIBRARY_H

#include "cli.h"
#include "engine/pack.h"
#include "engine/shelf.h"

/* The document that `name` stands for: a path (it has a slash or ends in .json, or there is such a file), or
 * NAME[@VERSION] in the folders, where "identifiers@1" is the highest 1.x.y. *path says which file it was.
 * MU_REJECTED not_found. */
MU_MUST bool library_read(const struct cli *cli, const struct cli_values *folders, const char *name, struct mu_text *out,
                          struct mu_text *path, struct mu_error *err);
/* The same, parsed. */
MU_MUST bool library_pack(const struct cli *cli, const struct cli_values *folders, const char *name, struct mu_pack **out,
                          struct mu_error *err);
MU_MUST bool library_shelf(const struct cli *cli, const struct cli_values *folders, struct mu_shelf **out,
                           struct mu_error *err);
/* Is it the file of a pack, rather than a pack's name? */
bool library_is_file(const char *name);

#endif
