/* SPDX-License-Identifier: Apache-2.0 */
#include "library.h"
#include "base/file.h"

#include <dirent.h>
#include <unistd.h>

bool library_is_file(const char *name)
{
    const size_t len = strlen(name);
    return strchr(name, '/') || (len > 5 && strcmp(name + len - 5, ".json") == 0) || access(name, F_OK) == 0;
}

/* What is wanted, and the best that has been seen. */
struct search {
    char name[64], prefix[32]; /* of the version; "": any */
    char version[32];
    struct mu_text *path;
};

/* "1" is the beginning of 1.2.0, not of 10.0.0. */
static bool begins(const char *version, const char *prefix)
{
    const size_t len = strlen(prefix);
    return !len || (strncmp(version, prefix, len) == 0 && (version[len] == '.' || !version[len]));
}

static void look_in(struct search *s, const char *folder)
{
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char name[64], version[32];
        if (!mu_shelf_split(entry->d_name, ".json", name, version) || strcmp(name, s->name) != 0 ||
            !begins(version, s->prefix) || (s->version[0] && mu_version_compare(version, s->version) <= 0))
            continue;
        memcpy(s->version, version, sizeof(version));
        mu_text_reset(s->path);
        mu_text_addf(s->path, "%s/%s", folder, entry->d_name);
    }
    if (dir)
        closedir(dir);
}

static bool find_named(const struct cli *cli, const struct cli_values *folders, const char *name, struct mu_text *path,
                       struct mu_error *err)
{
    struct search s = {.path = path};
    const char *at = strchr(name, '@');
    if (!mu_copy_text(s.name, sizeof(s.name), mu_span(name, at ? (size_t)(at - name) : strlen(name))) ||
        !mu_copy_text(s.prefix, sizeof(s.prefix), mu_span_of(at ? at + 1 : "")))
        return mu_reject(err, "not_found", "", "there is no pack of so long a name");
    for (size_t i = 0; i < folders->count; i++)
        look_in(&s, folders->at[i]);
    if (!folders->count)
        look_in(&s, cli->config.data_packs);
    if (s.version[0])
        return mu_text_ok(path, err);
    mu_reject(err, "not_found", "", "there is no pack %s in %s", name, folders->count ? folders->at[0] : cli->config.data_packs);
    return mu_hint(err, "name its file, or a folder of <name>@<version>.json with --packs");
}

bool library_read(const struct cli *cli, const struct cli_values *folders, const char *name, struct mu_text *out,
                  struct mu_text *path, struct mu_error *err)
{
    if (library_is_file(name))
        mu_text_puts(path, name);
    else if (!find_named(cli, folders, name, path, err))
        return false;
    return mu_text_ok(path, err) && mu_file_read(path->at, MU_PACK_BYTES_MAX, out, err);
}

bool library_pack(const struct cli *cli, const struct cli_values *folders, const char *name, struct mu_pack **out,
                  struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text bytes = MU_TEXT(0);
    MU_AUTO(mu_text_free) struct mu_text path = MU_TEXT(0);
    if (!library_read(cli, folders, name, &bytes, &path, err))
        return false;
    return mu_pack_parse(out, mu_text_span(&bytes), err) || mu_while(err, "%s", path.at);
}

bool library_shelf(const struct cli *cli, const struct cli_values *folders, struct mu_shelf **out, struct mu_error *err)
{
    const struct mu_list *usual = &cli->config.data_lists;
    if (folders->count)
        return mu_shelf_new(out, folders->at, folders->count, err);
    return mu_shelf_new(out, (const char *const *)usual->at, usual->count, err);
}
