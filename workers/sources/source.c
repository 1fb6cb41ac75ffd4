/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/source.h"
#include "sources/packed.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

static const struct mu_source_kind *const kinds[] = {&mu_source_file, &mu_source_http, &mu_source_https,
                                                     &mu_source_object};

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
    const char *name = all->config->worker_root_marker;
    if (name && name[0]) {
        int len = snprintf(marker, sizeof(marker), "%s/%s", root->path, name);
        if (len >= (int)sizeof(marker) || stat(marker, &st) != 0)
            return mu_fail_code(err, MU_UNAVAILABLE, "source_down", "data root %s lacks its marker %s",
                                root->path, name);
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
    all->config = config;
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

void mu_sources_serve(struct mu_sources *all, struct mu_bus *bus, bool (*go_on)(void *ctx), void *ctx)
{
    all->bus = bus;
    all->go_on = go_on;
    all->ctx = ctx;
}

bool mu_sources_go_on(const struct mu_sources *all, struct mu_error *err)
{
    return !all->go_on || all->go_on(all->ctx) ||
           mu_fail_code(err, MU_UNAVAILABLE, "source_down", "the source is not waited for any longer");
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

bool mu_source_open(struct mu_source **out, struct mu_sources *all, struct mu_span uri,
                    struct mu_span compression, struct mu_error *err)
{
    MU_AUTO(mu_source_close) struct mu_source *s = NULL;
    struct mu_uri parts;
    if (!mu_uri_parse(&parts, uri, err))
        return false;
    if (!compression.len)
        compression = mu_span_of(parts.compression ? parts.compression : "none");
    for (size_t i = 0; i < MU_COUNT(kinds); i++)
        if (mu_span_is(parts.scheme, kinds[i]->scheme) && !kinds[i]->open(&s, all, &parts, err))
            return false;
    if (!s) /* the list of schemes and that of kinds are the same */
        return mu_fail(err, MU_BROKEN, "there is no kind of source for the scheme of the URI");
    if (mu_span_is(compression, "none")) {
        *out = MU_GIVE(s);
        return true;
    }
    return mu_packed_open(out, all, MU_GIVE(s), compression, err);
}

static bool shorter(const struct mu_source *s, int64_t end, struct mu_error *err)
{
    return mu_reject(err, "source_changed", "", "the source had %lld bytes and now ends at byte %lld",
                     (long long)s->size, (long long)end);
}

bool mu_source_some(struct mu_source *s, int64_t at, char *to, size_t len, size_t *got, struct mu_error *err)
{
    size_t n = 0;
    if (s->size >= 0 && (int64_t)len > s->size - at)
        len = s->size > at ? (size_t)(s->size - at) : 0;
    if (len && !s->kind->read(s, at, to, len, &n, err))
        return false;
    if (n < len && s->size >= 0)
        return shorter(s, at + (int64_t)n, err);
    if (n < len)
        s->size = at + (int64_t)n;
    *got = n;
    return true;
}

bool mu_source_read(struct mu_source *s, int64_t at, char *to, size_t len, struct mu_error *err)
{
    size_t got = 0;
    if (len && !s->kind->read(s, at, to, len, &got, err))
        return false;
    return got == len || shorter(s, at + (int64_t)got, err);
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
