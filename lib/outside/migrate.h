/* SPDX-License-Identifier: Apache-2.0 */
/* The schema's migrations: numbered plain SQL files, applied in order, each in one transaction, under an advisory
 * lock, remembered with their SHA-256. A file that was changed after it was applied is refused. */
#ifndef MU_MIGRATE_H
#define MU_MIGRATE_H

#include "base/digest.h"
#include "base/error.h"

enum mu_migration_state {
    MU_MIGRATION_APPLIED, /* earlier */
    MU_MIGRATION_DONE,    /* by this call */
    MU_MIGRATION_PENDING,
    MU_MIGRATION_CHANGED, /* the file differs from what was applied */
    MU_MIGRATION_UNKNOWN, /* applied, but this build has no such file: it is older than the schema */
};
const char *mu_migration_state_name(enum mu_migration_state state);

struct mu_migration {
    int version;
    char name[64];
    enum mu_migration_state state;
    char applied_at[40]; /* "" if it is not */
};
struct mu_migrations {
    struct mu_migration *at;
    size_t count;
};
void mu_migrations_free(struct mu_migrations *m);
MU_DEFINE_AUTO_VALUE(struct mu_migrations, mu_migrations_free)

/* Applies what is pending from `directory` (NNNN_name.sql). *out may be NULL. MU_REJECTED if an applied file has been
 * changed, or the schema is newer than the directory: nothing is applied then. */
MU_MUST bool mu_migrate(const char *conninfo, const char *directory, struct mu_migrations *out, struct mu_error *err);
MU_MUST bool mu_migrate_status(const char *conninfo, const char *directory, struct mu_migrations *out,
                               struct mu_error *err);
/* Does a server answer there? (It may still be starting up: then false.) */
bool mu_migrate_reachable(const char *conninfo);

#endif
