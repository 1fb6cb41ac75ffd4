/* SPDX-License-Identifier: Apache-2.0 */
#include "packs.h"
#include "outside/kv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define READY_MOST 16
#define LIST_BYTES_MAX ((size_t)256 << 20)

/* A list in memory, shared by the ready packs that look into it. */
struct shelf {
    struct mu_list_data *list;
    size_t users;
    struct shelf *next;
};

struct slot {
    struct mu_digest terms;
    struct mu_ready *ready; /* NULL: free */
    struct mu_pack *pack;
    const struct mu_list_data **lists; /* in the order of the pack's */
    size_t list_count;
    uint64_t used;
};

struct mu_packs {
    struct mu_bus *bus;
    const struct mu_config *config;
    struct slot slots[READY_MOST];
    struct shelf *shelves;
    uint64_t clock;
};

bool mu_packs_new(struct mu_packs **out, struct mu_bus *bus, const struct mu_config *config,
                  struct mu_error *err)
{
    struct mu_packs *p = calloc(1, sizeof(*p));
    if (!p)
        return mu_fail(err, MU_BROKEN, "out of memory");
    p->bus = bus;
    p->config = config;
    *out = p;
    return true;
}

static void put_back(struct mu_packs *p, const struct mu_list_data *list)
{
    for (struct shelf **at = &p->shelves; *at; at = &(*at)->next) {
        struct shelf *s = *at;
        if (s->list != list || --s->users)
            continue;
        *at = s->next;
        mu_list_data_free(s->list);
        free(s);
        return;
    }
}

static void empty_slot(struct mu_packs *p, struct slot *s)
{
    mu_ready_free(s->ready);
    for (size_t i = 0; i < s->list_count; i++)
        put_back(p, s->lists[i]);
    free(s->lists);
    mu_pack_free(s->pack);
    *s = (struct slot){.ready = NULL};
}

void mu_packs_free(struct mu_packs *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < READY_MOST; i++)
        empty_slot(p, &p->slots[i]);
    while (p->shelves) { /* lists whose pack could not be made ready */
        struct shelf *s = p->shelves;
        p->shelves = s->next;
        mu_list_data_free(s->list);
        free(s);
    }
    free(p);
}

static bool read_whole(const char *path, struct mu_text *out)
{
    char part[64 * 1024];
    ssize_t got;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    while ((got = read(fd, part, sizeof(part))) > 0)
        mu_text_add(out, mu_span(part, (size_t)got));
    close(fd);
    return got == 0 && !out->failed;
}

static struct shelf *find_shelf(struct mu_packs *p, const struct mu_digest *digest)
{
    struct shelf *s = p->shelves;
    while (s && !mu_digest_equal(mu_list_digest(s->list), digest))
        s = s->next;
    return s;
}

/* From the first directory whose file of that name and version is the pinned one. */
static bool load_list(struct mu_packs *p, const char *name, const char *version,
                      const struct mu_digest *digest, struct shelf **out, struct mu_error *err)
{
    for (size_t i = 0; i < p->config->data_lists.count; i++) {
        MU_AUTO(mu_text_free) struct mu_text bytes = MU_TEXT(LIST_BYTES_MAX);
        char path[PATH_MAX];
        int len = snprintf(path, sizeof(path), "%s/%s@%s.csv", p->config->data_lists.at[i], name, version);
        if (len >= (int)sizeof(path) || !read_whole(path, &bytes))
            continue;
        struct mu_digest found = mu_digest_of(mu_text_span(&bytes));
        if (!mu_digest_equal(&found, digest))
            continue;
        struct shelf *s = calloc(1, sizeof(*s));
        if (!s)
            return mu_fail(err, MU_BROKEN, "out of memory");
        if (!mu_list_parse(&s->list, mu_text_span(&bytes), err)) {
            free(s);
            return mu_while(err, "list %s@%s", name, version);
        }
        s->next = p->shelves;
        p->shelves = s;
        *out = s;
        return true;
    }
    return mu_fail_code(err, MU_UNAVAILABLE, "list_missing",
                        "list %s@%s with the pinned digest is not on this agent", name, version);
}

/* Names come from a task: they must stay names. */
static bool is_plain(const char *name)
{
    return name && name[0] && name[0] != '.' && !strchr(name, '/');
}

static bool take_lists(struct mu_packs *p, struct slot *s, const struct mu_task *task, struct mu_error *err)
{
    s->lists = calloc(s->pack->list_count + 1, sizeof(*s->lists));
    if (!s->lists)
        return mu_fail(err, MU_BROKEN, "out of memory");
    for (size_t i = 0; i < s->pack->list_count; i++) {
        const json_t *pin = json_object_get(task->terms->lists, s->pack->lists[i].alias);
        const char *name = mu_json_text(pin, "name"), *version = mu_json_text(pin, "version");
        struct mu_digest digest;
        if (!is_plain(name) || !is_plain(version) || !mu_digest_parse(mu_json_span(pin, "digest"), &digest))
            return mu_reject(err, "bad_task", "/lists",
                             "the task pins no list for the pack's alias \"%.60s\"", s->pack->lists[i].alias);
        struct shelf *shelf = find_shelf(p, &digest);
        if (!shelf && !load_list(p, name, version, &digest, &shelf, err))
            return false;
        shelf->users++;
        s->lists[s->list_count++] = shelf->list;
    }
    return true;
}

static bool fetch_pack(struct mu_packs *p, const struct mu_task *task, struct mu_text *out,
                       struct mu_error *err)
{
    MU_AUTO(mu_entry_free) struct mu_entry e = {0};
    char key[128];
    if (task->terms->pack_document) {
        mu_json_write_canonical(out, task->terms->pack_document);
    } else {
        snprintf(key, sizeof(key), "%s.%s", task->terms->pack.name, task->terms->pack.version);
        if (!mu_kv_get(p->bus, MU_BUCKET_PACKS, key, &e, err))
            return false;
        if (!e.present)
            return mu_fail_code(err, MU_UNAVAILABLE, "pack_missing", "pack %s@%s is not in force",
                                task->terms->pack.name, task->terms->pack.version);
        mu_text_add(out, mu_text_span(&e.value));
    }
    struct mu_digest found = mu_digest_of(mu_text_span(out));
    if (mu_digest_equal(&found, &task->terms->pack.digest))
        return mu_text_ok(out, err);
    if (task->terms->pack_document)
        return mu_reject(err, "bad_task", "/pack/digest",
                         "the rules in the task are not those that its digest names");
    return mu_fail_code(err, MU_UNAVAILABLE, "pack_missing", "pack %s@%s in force is not the pinned one",
                        task->terms->pack.name, task->terms->pack.version);
}

static bool make_ready(struct mu_packs *p, struct slot *s, const struct mu_task *task, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text bytes = MU_TEXT(MU_PACK_BYTES_MAX);
    if (!fetch_pack(p, task, &bytes, err) || !mu_pack_parse(&s->pack, mu_text_span(&bytes), err) ||
        !take_lists(p, s, task, err))
        return false;
    const struct mu_ready_setup setup = {
        .pack = s->pack, .lists = s->lists, .params = task->terms->params, .as_of = task->terms->as_of};
    return mu_ready_new(&s->ready, &setup, err);
}

bool mu_packs_get(struct mu_packs *p, const struct mu_task *task, const struct mu_ready **out,
                  struct mu_error *err)
{
    struct slot *oldest = p->slots;
    for (size_t i = 0; i < READY_MOST; i++) {
        struct slot *s = &p->slots[i];
        if (s->ready && mu_digest_equal(&s->terms, &task->terms->digest)) {
            s->used = ++p->clock;
            *out = s->ready;
            return true;
        }
        if (s->used < oldest->used)
            oldest = s;
    }
    empty_slot(p, oldest);
    if (!make_ready(p, oldest, task, err)) {
        empty_slot(p, oldest);
        return false;
    }
    oldest->terms = task->terms->digest;
    oldest->used = ++p->clock;
    *out = oldest->ready;
    return true;
}
