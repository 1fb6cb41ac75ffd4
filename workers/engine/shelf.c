/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/shelf.h"

#include "base/file.h"

#include <dirent.h>

#define LIST_BYTES_MAX ((size_t)64 << 20)

struct entry {
    struct mu_shelf_list list;
    char *path;
    struct entry *next;
};
struct mu_shelf {
    struct entry *first, **end; /* in the order of the folders */
};

bool mu_shelf_split(const char *file, const char *ending, char name[64], char version[32])
{
    const char *at = strchr(file, '@');
    const size_t len = strlen(file), tail = strlen(ending);
    return at && len > tail && strcmp(file + len - tail, ending) == 0 && at < file + len - tail &&
           mu_copy_text(name, 64, mu_span(file, (size_t)(at - file))) &&
           mu_copy_text(version, 32, mu_span(at + 1, len - tail - (size_t)(at + 1 - file)));
}

static int compare_digits(struct mu_span a, struct mu_span b)
{
    while (a.len > 1 && *a.at == '0')
        a = mu_span(a.at + 1, a.len - 1);
    while (b.len > 1 && *b.at == '0')
        b = mu_span(b.at + 1, b.len - 1);
    return a.len != b.len ? (a.len > b.len) - (a.len < b.len) : mu_span_compare(a, b);
}

int mu_version_compare(const char *a, const char *b)
{
    while (*a || *b) {
        const size_t x = strspn(a, "0123456789"), y = strspn(b, "0123456789");
        if (x && y) {
            const int order = compare_digits(mu_span(a, x), mu_span(b, y));
            if (order)
                return order;
            a += x;
            b += y;
        } else {
            if (*a != *b)
                return *a < *b ? -1 : 1;
            a++;
            b++;
        }
    }
    return 0;
}

static bool add_file(struct mu_shelf *shelf, const char *folder, const char *file, struct mu_error *err)
{
    struct mu_shelf_list list = {.data = NULL};
    MU_AUTO(mu_text_free) struct mu_text path = MU_TEXT(0);
    if (!mu_shelf_split(file, ".csv", list.name, list.version))
        return true;
    mu_text_addf(&path, "%s/%s", folder, file);
    struct entry *e = mu_text_ok(&path, err) ? calloc(1, sizeof(*e)) : NULL;
    if (!e)
        return mu_fail(err, MU_BROKEN, "out of memory");
    *e = (struct entry){.list = list, .path = MU_GIVE(path.at)};
    *shelf->end = e;
    shelf->end = &e->next;
    return true;
}

static bool add_folder(struct mu_shelf *shelf, const char *folder, struct mu_error *err)
{
    DIR *dir = opendir(folder);
    bool done = true;
    if (!dir)
        return true;
    for (struct dirent *entry; done && (entry = readdir(dir));)
        done = add_file(shelf, folder, entry->d_name, err);
    closedir(dir);
    return done;
}

bool mu_shelf_new(struct mu_shelf **out, const char *const *folders, size_t count, struct mu_error *err)
{
    MU_AUTO(mu_shelf_free) struct mu_shelf *shelf = calloc(1, sizeof(*shelf));
    if (!shelf)
        return mu_fail(err, MU_BROKEN, "out of memory");
    shelf->end = &shelf->first;
    for (size_t i = 0; i < count; i++)
        if (!add_folder(shelf, folders[i], err))
            return false;
    *out = MU_GIVE(shelf);
    return true;
}

static struct entry *best_of(const struct mu_shelf *shelf, const struct mu_pack_list *wanted)
{
    struct entry *best = NULL;
    for (struct entry *e = shelf->first; e; e = e->next) {
        if (strcmp(e->list.name, wanted->name) != 0 ||
            (wanted->version && strcmp(e->list.version, wanted->version) != 0))
            continue;
        if (!best || mu_version_compare(e->list.version, best->list.version) > 0)
            best = e;
    }
    return best;
}

static bool unknown(const struct mu_shelf *shelf, const struct mu_pack_list *wanted, struct mu_error *err)
{
    const struct mu_pack_list any = {.name = wanted->name};
    const struct entry *other = best_of(shelf, &any);
    (void)mu_reject(err, "unknown_list", "", "there is no list %s%s%s", wanted->name, wanted->version ? "@" : "",
                    wanted->version ? wanted->version : "");
    if (other)
        return mu_hint(err, "the newest there is: \"%s@%s\"", other->list.name, other->list.version);
    return mu_hint(err, "put <name>@<version>.csv into a directory of data.lists, or of `muster` --lists");
}

bool mu_shelf_find(struct mu_shelf *shelf, const struct mu_pack_list *wanted, const struct mu_shelf_list **out,
                   struct mu_error *err)
{
    struct entry *best = best_of(shelf, wanted);
    if (!best)
        return unknown(shelf, wanted, err);
    if (!best->list.data) {
        MU_AUTO(mu_text_free) struct mu_text bytes = MU_TEXT(LIST_BYTES_MAX + 1);
        if (!mu_file_read(best->path, LIST_BYTES_MAX, &bytes, err) ||
            !mu_list_parse(&best->list.data, mu_text_span(&bytes), err))
            return mu_while(err, "list %s", best->path);
    }
    *out = &best->list;
    return true;
}

bool mu_shelf_lists(struct mu_shelf *shelf, const struct mu_pack *pack, const struct mu_list_data ***out,
                    struct mu_error *err)
{
    MU_AUTO(mu_free) const struct mu_list_data **lists = calloc(pack->list_count + 1, sizeof(*lists));
    if (!lists)
        return mu_fail(err, MU_BROKEN, "out of memory");
    for (size_t i = 0; i < pack->list_count; i++) {
        const struct mu_shelf_list *found = NULL;
        char pointer[80];
        (void)snprintf(pointer, sizeof(pointer), "/lists/%.64s", pack->lists[i].alias);
        if (!mu_shelf_find(shelf, &pack->lists[i], &found, err))
            return mu_under(err, pointer);
        lists[i] = found->data;
    }
    *out = MU_GIVE(lists);
    return true;
}

void mu_shelf_free(struct mu_shelf *shelf)
{
    if (!shelf)
        return;
    while (shelf->first) {
        struct entry *next = shelf->first->next;
        mu_list_data_free(shelf->first->list.data);
        free(shelf->first->path);
        free(shelf->first);
        shelf->first = next;
    }
    free(shelf);
}
