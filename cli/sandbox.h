/* SPDX-License-Identifier: Apache-2.0 */
/* The private broker, database and programs of `muster dev`: everything lies in one directory, listens on loopback or
 * a socket in it, and is gone at the end. Demo and tests start things through it too. */
#ifndef MU_SANDBOX_H
#define MU_SANDBOX_H

#include "child.h"

#define SANDBOX_CHILDREN_MAX 72

struct sandbox_options {
    const char *dir;         /* NULL: a new one below $TMPDIR */
    const char *nats_server; /* NULL: found */
    const char *const *sets; /* "key=value": put into the configuration of the programs */
    size_t set_count;
    int workers;
    bool bare;               /* only broker, database and configuration */
    bool keep;               /* leave the directory */
};

struct sandbox {
    char dir[80];
    char programs[400];      /* where our own programs lie */
    char nats_url[64], conninfo[200], config[120];
    struct child children[SANDBOX_CHILDREN_MAX];
    size_t count;
    bool made_dir, keep;
};

/* Makes directory and configuration, starts broker and database, applies the migrations, then starts the programs and
 * waits until each has said that it is ready. */
MU_MUST bool sandbox_open(struct sandbox *s, const struct sandbox_options *o, struct mu_error *err);
struct child *sandbox_find(struct sandbox *s, const char *name);
/* Waits until a started child is ready (broker and database: until they answer). */
MU_MUST bool sandbox_await(struct sandbox *s, struct child *c, int64_t wait_ms, struct mu_error *err);
/* Ends everything, the newest first, and removes the directory unless it is to be kept. */
void sandbox_fini(struct sandbox *s);

#endif
