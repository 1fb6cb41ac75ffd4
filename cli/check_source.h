/* SPDX-License-Identifier: Apache-2.0 */
/* The file that `muster check` reads. What cannot be read twice (a pipe, standard input) is spooled to a file without a
 * name first: findings have the digest of the whole source in their ids. */
#ifndef MU_CHECK_SOURCE_H
#define MU_CHECK_SOURCE_H

#include "cli.h"
#include "engine/pack.h"

#include <sys/stat.h>

struct check_source {
    int fd;
    int64_t size;
    struct stat noted;
    struct mu_digest digest; /* of all its bytes */
    json_t *doc;             /* its description, with format and name */
};

/* `path` "-": standard input. MU_REJECTED: not_found; source_unreadable. */
MU_MUST bool check_source_open(struct check_source *s, const char *path, struct mu_error *err);
/* The description: `given` as JSON (NULL: none), the format (NULL: as the path ends), both checked as a submission would be.
 * Fills s->doc. */
MU_MUST bool check_source_describe(struct check_source *s, const char *path, const char *given, const char *format,
                                   const struct mu_pack *pack, struct mu_error *err);
/* Fewer bytes only at the end. */
MU_MUST bool check_source_read(const struct check_source *s, int64_t at, char *to, size_t len, size_t *got, struct mu_error *err);
/* source_changed if it is not what it was when it was opened. */
MU_MUST bool check_source_unchanged(const struct check_source *s, struct mu_error *err);
void check_source_close(struct check_source *s);
MU_DEFINE_AUTO_VALUE(struct check_source, check_source_close)

#endif
