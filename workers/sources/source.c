/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/source.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

static const struct mu_source_kind *const kinds[] = {&mu_source_file};

bool mu_root_ready(const struct mu_sources *all, struct mu_root *root, struct mu_error *err)
{
    struct stat st;
    char marker[PATH_MAX];
    if (stat(root->path, &st) != 0)
        return mu_fail_code(err, MU_UNAVAILABLE, "source_down", "data root %s: %s", root->path,
                            strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return mu_fail_code(err, MU_UNAVAILABLE, "source_down", "data root %s is no directory", root->path);
    if (root->seen && root->device != (uint64_t)st.st_dev)
        return mu_fail_code(err, MU_UNAVAILABLE, "source_down",
                            "data root %s is not the device that it was at start", root->path);
    if (all->marker && all->marker[0]) {
        int len = snprintf(marker, sizeof(marker), "%s/%s", root->path, all->marker);
        if (len >= (int)sizeof(marker) || stat(marker, &st) != 0)
            return mu_fail_code(err, MU_UNAVAILABLE, "source_down", "data root %s lacks its marker %s",
                                root->path, all->marker);
        if (stat(root->path, &st) != 0)
            return mu_fail_code(err, MU_UNAVAILABLE, "source_down", "data root %s: %s", root->path,
                                strerror(errno));
    }
    root->seen = true;
    root->device = (uint64_t)st.st_dev;
    return true;
}

bool mu_sources_new(struct mu_sources **out, const struct mu_config *config, struct mu_error *err)
{
    MU_AUTO(mu_sources_free) struct mu_sources *all = calloc(1, sizeof(*all));
    if (!all)
        return mu_fail(err, MU_BROKEN, "out of memory");
    all->marker = config->worker_root_marker;
    for (size_t i = 0; i < config->worker_roots.count; i++) {
        struct mu_root *root = &all->roots[i];
        root->path = strdup(config->worker_roots.at[i]);
        if (!root->path)
            return mu_fail(err, MU_BROKEN, "out of memory");
        for (size_t len = strlen(root->path); len > 1 && root->path[len - 1] == '/'; len--)
            root->path[len - 1] = '\0';
        all->count++;
        (void)mu_root_ready(all, root, NULL);
    }
    *out = MU_GIVE(all);
    return true;
}

bool mu_sources_ready(struct mu_sources *all, struct mu_error *err)
{
    for (size_t i = 0; i < all->count; i++)
        if (!mu_root_ready(all, &all->roots[i], err))
            return false;
    return true;
}

void mu_sources_free(struct mu_sources *all)
{
    if (!all)
        return;
    for (size_t i = 0; i < all->count; i++)
        free(all->roots[i].path);
    free(all);
}

bool mu_source_open(struct mu_source **out, struct mu_sources *all, struct mu_span uri, struct mu_error *err)
{
    const char *colon = uri.len ? memchr(uri.at, ':', uri.len) : NULL;
    struct mu_span scheme = mu_span(uri.at, colon ? (size_t)(colon - uri.at) : 0);
    for (size_t i = 0; colon && i < MU_COUNT(kinds); i++)
        if (mu_span_is(scheme, kinds[i]->scheme))
            return kinds[i]->open(out, all, mu_span(colon + 1, uri.len - scheme.len - 1), err);
    return mu_reject(err, "path_refused", "/source/uri", "this agent reads no \"%.*s\" sources",
                     (int)scheme.len, scheme.at ? scheme.at : "");
}

bool mu_source_read(struct mu_source *s, int64_t at, char *to, size_t len, struct mu_error *err)
{
    size_t got = 0;
    if (len && !s->kind->read(s, at, to, len, &got, err))
        return false;
    if (got == len)
        return true;
    return mu_reject(err, "source_changed", "", "the source had %lld bytes and now ends at byte %lld",
                     (long long)s->size, (long long)(at + (int64_t)got));
}

bool mu_source_unchanged(struct mu_source *s, struct mu_error *err)
{
    return s->kind->unchanged(s, err);
}

void mu_source_close(struct mu_source *s)
{
    if (s)
        s->kind->close(s);
}
