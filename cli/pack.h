/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs below `muster pack`. */
#ifndef MU_CLI_PACK_H
#define MU_CLI_PACK_H

#include "library.h"

/* What any of them may be given; pack.c takes it out of the words. */
struct pack_words {
    struct cli_values lists, packs; /* folders */
    const char *actor, *reason;
    bool strict, dry_run, broker;
};

enum cli_exit pack_lint(struct cli *cli, const struct pack_words *w);
enum cli_exit pack_test(struct cli *cli, const struct pack_words *w);
enum cli_exit pack_show(struct cli *cli, const struct pack_words *w);
enum cli_exit pack_diff(struct cli *cli, const struct pack_words *w);
enum cli_exit pack_load(struct cli *cli, const struct pack_words *w);
enum cli_exit pack_manual(struct cli *cli, const struct pack_words *w); /* what muster-pack(7) is made of */

/* Lints one document and prints what there is against it; false: this machine is broken, told. */
MU_MUST bool pack_lint_bytes(const struct cli *cli, struct mu_shelf *shelf, const char *file, struct mu_span bytes, bool strict,
                             bool *good);
/* The document of a pack: a file, a name in the folders, or one in the bucket (with `broker`, or when it is in no folder and a
 * broker answers). */
MU_MUST bool pack_find(struct cli *cli, const struct pack_words *w, const char *name, struct mu_text *out, struct mu_error *err);

#endif
