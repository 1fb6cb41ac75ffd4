/* SPDX-License-Identifier: Apache-2.0 */
/* `muster audit verify`: what a walk over the trail finds, and the heads that were noted outside of the database. */
#ifndef MU_CLI_AUDIT_H
#define MU_CLI_AUDIT_H

#include "cli.h"
#include "statements.h"

/* A walk and what it has found. */
struct audit_walk {
    struct cli *cli;
    struct mu_store *store;
    struct mu_args *args;
    int64_t from, to;             /* as asked */
    const char *heads_file;       /* NULL: none */
    bool with_events;
    int64_t last, links;          /* as read; 0: nothing yet */
    int64_t faults, first_broken; /* the lowest link of a fault; 0: none */
    int64_t heads;                /* noted outside, and compared */
    char head[65];                /* hash of the last link, in hex */
};

/* Tells one fault, at once. seq 0: of no link. kind "audit": a link; else the table that the row `id` is of. */
void audit_tell(struct audit_walk *w, int64_t seq, const char *fault, const char *kind, const char *id, const char *detail);

/* Compares heads that were noted outside (a file with a JSON document a line; the events that the broker has) with the
 * links of their numbers. A head that no link has is a fault like others. */
MU_MUST bool audit_heads_of_file(struct audit_walk *w, const char *path, struct mu_error *err);
MU_MUST bool audit_heads_of_events(struct audit_walk *w, struct mu_bus *bus, struct mu_error *err);

#endif
