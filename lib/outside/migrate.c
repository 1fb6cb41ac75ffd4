/* SPDX-License-Identifier: Apache-2.0 */
#include "outside/migrate.h"
#include "base/file.h"
#include "outside/store_inside.h"

#include <dirent.h>
#include <errno.h>

#define FILE_BYTES_MAX ((size_t)4 << 20)

enum { SQL_LOCK, SQL_UNLOCK, SQL_EXISTS, SQL_APPLIED, SQL_NOTE };
static const struct mu_statement statements[] = {
    [SQL_LOCK] = {"migrate lock", "select pg_advisory_lock(7246893)"},
    [SQL_UNLOCK] = {"migrate unlock", "select pg_advisory_unlock(7246893)"},
    [SQL_EXISTS] = {"migrations table", "select to_regclass('muster.schema_migration') is not null"},
    [SQL_APPLIED] = {"migrations applied", "select version, name, sha256, applied_at::text from muster.schema_migration order by 1"},
    [SQL_NOTE] = {"migration note", "insert into muster.schema_migration as m (version, name, sha256) values ($1::int, $2, $3) "
                                   "on conflict (version) do update set name = excluded.name, "
                                   "sha256 = coalesce(m.sha256, excluded.sha256)"},
};

struct file {
    int version;
    char name[64];
    struct mu_text text;
    struct mu_digest digest;
};
struct files {
    struct file *at;
    size_t count;
};

const char *mu_migration_state_name(enum mu_migration_state state)
{
    switch (state) {
    case MU_MIGRATION_APPLIED:
        return "applied";
    case MU_MIGRATION_DONE:
        return "applied now";
    case MU_MIGRATION_PENDING:
        return "pending";
    case MU_MIGRATION_CHANGED:
        return "changed after it was applied";
    case MU_MIGRATION_UNKNOWN:
        return "from a newer version";
    }
    return "";
}

void mu_migrations_free(struct mu_migrations *m)
{
    free(m->at);
    *m = (struct mu_migrations){0};
}

static void files_free(struct files *f)
{
    for (size_t i = 0; i < f->count; i++)
        mu_text_free(&f->at[i].text);
    free(f->at);
}
MU_DEFINE_AUTO_VALUE(struct files, files_free)

static int by_version(const void *a, const void *b)
{
    return ((const struct file *)a)->version - ((const struct file *)b)->version;
}

/* "0007_record.sql" */
static bool parse_name(const char *name, int *version)
{
    size_t len = strlen(name);
    int64_t number;
    if (len < 10 || name[4] != '_' || strcmp(name + len - 4, ".sql") != 0 ||
        !mu_parse_i64(mu_span(name, 4), 1, 9999, &number))
        return false;
    *version = (int)number;
    return true;
}

static bool read_directory(const char *directory, struct files *out, struct mu_error *err)
{
    DIR *dir = opendir(directory);
    bool done = true;
    if (!dir)
        return mu_fail(err, MU_REJECTED, "could not open the migrations in %s: %s", directory, strerror(errno));
    for (struct dirent *entry; done && (entry = readdir(dir));) {
        int version;
        char path[1200];
        if (!parse_name(entry->d_name, &version))
            continue;
        struct file *grown = realloc(out->at, (out->count + 1) * sizeof(*grown));
        if (!grown) {
            done = mu_fail(err, MU_BROKEN, "out of memory");
            break;
        }
        out->at = grown;
        struct file *f = &out->at[out->count++];
        *f = (struct file){.version = version};
        snprintf(f->name, sizeof(f->name), "%.*s", (int)strlen(entry->d_name) - 9, entry->d_name + 5);
        snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        done = mu_file_read(path, FILE_BYTES_MAX, &f->text, err);
        f->digest = mu_digest_of(mu_text_span(&f->text));
    }
    closedir(dir);
    if (out->count)
        qsort(out->at, out->count, sizeof(*out->at), by_version);
    for (size_t i = 0; done && i < out->count; i++)
        if (out->at[i].version != (int)i + 1)
            done = mu_fail(err, MU_REJECTED, "migration %04zu is missing in %s", i + 1, directory);
    if (done && !out->count)
        done = mu_fail(err, MU_REJECTED, "there are no migrations in %s", directory);
    return done;
}

static bool read_applied(struct mu_store *s, struct mu_rows **out, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *exists = NULL;
    if (!mu_store_run(s, SQL_EXISTS, NULL, &exists, err))
        return false;
    if (!mu_row_bool(exists, 0, 0)) {
        *out = NULL;
        return true;
    }
    return mu_store_run(s, SQL_APPLIED, NULL, out, err);
}

static bool fill_list(const struct files *files, const struct mu_rows *applied, struct mu_migrations *out, struct mu_error *err)
{
    size_t known = applied ? mu_rows_count(applied) : 0, most = files->count + known;
    out->at = calloc(most ? most : 1, sizeof(*out->at));
    if (!out->at)
        return mu_fail(err, MU_BROKEN, "out of memory");
    for (size_t i = 0; i < files->count; i++) {
        struct mu_migration *m = &out->at[out->count++];
        m->version = files->at[i].version;
        snprintf(m->name, sizeof(m->name), "%s", files->at[i].name);
        m->state = MU_MIGRATION_PENDING;
        for (size_t k = 0; k < known; k++) {
            if (mu_row_i64(applied, k, 0) != m->version)
                continue;
            struct mu_span digest = mu_row_span(applied, k, 2);
            bool same = mu_row_null(applied, k, 2) ||
                        mu_span_equal(digest, mu_span((const char *)files->at[i].digest.b, sizeof(files->at[i].digest.b)));
            m->state = same ? MU_MIGRATION_APPLIED : MU_MIGRATION_CHANGED;
            snprintf(m->applied_at, sizeof(m->applied_at), "%s", mu_row_text(applied, k, 3));
        }
    }
    for (size_t k = 0; k < known; k++) {
        if (mu_row_i64(applied, k, 0) <= (int64_t)files->count)
            continue;
        struct mu_migration *m = &out->at[out->count++];
        m->version = (int)mu_row_i64(applied, k, 0);
        snprintf(m->name, sizeof(m->name), "%s", mu_row_text(applied, k, 1));
        snprintf(m->applied_at, sizeof(m->applied_at), "%s", mu_row_text(applied, k, 3));
        m->state = MU_MIGRATION_UNKNOWN;
    }
    return true;
}

/* The files note themselves when they are applied, whoever does it; the digest is noted here. */
static bool note_digest(struct mu_store *s, const struct file *f, struct mu_error *err)
{
    MU_AUTO(mu_args_free) struct mu_args *args = mu_args_new();
    if (!args)
        return mu_fail(err, MU_BROKEN, "out of memory");
    mu_arg_i64(args, f->version);
    mu_arg_text(args, mu_span_of(f->name));
    mu_arg_bytes(args, mu_span((const char *)f->digest.b, sizeof(f->digest.b)));
    return mu_store_run(s, SQL_NOTE, args, NULL, err);
}

static bool apply(struct mu_store *s, const struct file *f, struct mu_error *err)
{
    if (!mu_store_begin(s, err) || !mu_store_script(s, f->text.at, err) || !note_digest(s, f, err) || !mu_store_commit(s, err)) {
        mu_store_rollback(s);
        return mu_while(err, "migration %04d_%s", f->version, f->name);
    }
    return true;
}

static bool apply_pending(struct mu_store *s, const struct files *files, struct mu_migrations *list, struct mu_error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct mu_migration *m = &list->at[i];
        if (m->state == MU_MIGRATION_CHANGED)
            return mu_fail_code(err, MU_REJECTED, "conflict", "migration %04d_%s has been changed after it was applied", m->version, m->name) ||
                   mu_hint(err, "restore the file; a change is a new migration");
        if (m->state == MU_MIGRATION_UNKNOWN)
            return mu_fail_code(err, MU_REJECTED, "conflict", "the schema has migration %04d_%s, which this build does not know", m->version, m->name) ||
                   mu_hint(err, "install a newer muster");
    }
    for (size_t i = 0; i < files->count; i++) {
        if (list->at[i].state != MU_MIGRATION_PENDING) {
            if (!note_digest(s, &files->at[i], err))
                return false;
            continue;
        }
        if (!apply(s, &files->at[i], err))
            return false;
        list->at[i].state = MU_MIGRATION_DONE;
        snprintf(list->at[i].applied_at, sizeof(list->at[i].applied_at), "now");
    }
    return true;
}

static bool work(const char *conninfo, const char *directory, bool change, struct mu_migrations *out, struct mu_error *err)
{
    MU_AUTO(files_free) struct files files = {0};
    MU_AUTO(mu_store_free) struct mu_store *s = NULL;
    MU_AUTO(mu_rows_free) struct mu_rows *applied = NULL;
    MU_AUTO(mu_migrations_free) struct mu_migrations list = {0};
    if (!read_directory(directory, &files, err) ||
        !mu_store_open(&s, conninfo, "muster-migrate", statements, MU_COUNT(statements), err) ||
        !mu_store_script(s, "set search_path = public; set statement_timeout = 0; set lock_timeout = 0", err))
        return false;
    mu_store_limit(s, 0); /* another migration may be under way, and take its time */
    if (change && !mu_store_run(s, SQL_LOCK, NULL, NULL, err))
        return false;
    if (!read_applied(s, &applied, err) || !fill_list(&files, applied, &list, err))
        return false;
    if (change && !apply_pending(s, &files, &list, err))
        return false;
    if (change && !mu_store_run(s, SQL_UNLOCK, NULL, NULL, err))
        return false;
    if (out) {
        *out = list;
        list = (struct mu_migrations){0};
    }
    return true;
}

bool mu_migrate(const char *conninfo, const char *directory, struct mu_migrations *out, struct mu_error *err)
{
    return work(conninfo, directory, true, out, err);
}

bool mu_migrate_status(const char *conninfo, const char *directory, struct mu_migrations *out, struct mu_error *err)
{
    return work(conninfo, directory, false, out, err);
}

bool mu_migrate_reachable(const char *conninfo)
{
    return PQping(conninfo) == PQPING_OK;
}
