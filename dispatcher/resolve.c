/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "engine/run.h"
#include "engine/shelf.h"
#include "outside/kv.h"
#include "statements.h"

#include <dirent.h>
#include <errno.h>

#define CACHED_MS 5000 /* how long a loose name may stand for what it stood for */

struct known { /* a resolved pack, by digest */
    struct resolved resolved;
    struct mu_pack *pack;
    struct known *next;
};
struct alias { /* what a name stood for a moment ago */
    char wanted[100];
    const struct known *known;
    int64_t until_ms;
    struct alias *next;
};
struct resolver {
    struct dispatcher *d;
    struct mu_shelf *shelf; /* of lists */
    struct known *known;
    struct alias *aliases;
};

static void put_pin(struct mu_text *out, const char *name, const char *version, const struct mu_digest *digest)
{
    char hex[MU_DIGEST_HEX];
    mu_digest_format(digest, hex);
    mu_json_put_text(out, "name", name);
    mu_json_put_text(out, "version", version);
    mu_json_put_text(out, "digest", hex);
}

/* Fills lists and pins; `document` is of rules in place. */
static bool fill(struct resolver *r, struct resolved *x, const struct mu_pack *pack, struct mu_span document, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text lists = {0};
    x->pack = pack;
    snprintf(x->name, sizeof(x->name), "%s@%s", document.len ? "inline" : pack->name, document.len ? "0" : pack->version);
    x->lists = calloc(pack->list_count + 1, sizeof(*x->lists));
    if (!x->lists)
        return mu_fail(err, MU_BROKEN, "out of memory");
    for (size_t i = 0; i < pack->list_count; i++) {
        const struct mu_shelf_list *l = NULL;
        if (!mu_shelf_find(r->shelf, &pack->lists[i], &l, err))
            return false;
        x->lists[i] = l->data;
        mu_text_putc(&lists, i ? ',' : '{');
        mu_text_add_json(&lists, mu_span_of(pack->lists[i].alias));
        mu_text_puts(&lists, ":{");
        put_pin(&lists, l->name, l->version, mu_list_digest(l->data));
        mu_text_putc(&lists, '}');
    }
    mu_text_puts(&lists, pack->list_count ? "}" : "{}");
    mu_text_puts(&x->pins, "\"pack\":{");
    put_pin(&x->pins, document.len ? "inline" : pack->name, document.len ? "0" : pack->version, &pack->digest);
    if (document.len)
        mu_json_put_raw(&x->pins, "document", document);
    mu_text_puts(&x->pins, "},\"lists\":");
    mu_text_add(&x->pins, mu_text_span(&lists));
    return mu_text_ok(&lists, err) && mu_text_ok(&x->pins, err);
}

bool resolver_try(const struct resolved *x, const json_t *params, int32_t as_of, struct mu_error *err)
{
    MU_AUTO(mu_ready_free) struct mu_ready *ready = NULL;
    const struct mu_ready_setup setup = {.pack = x->pack, .lists = x->lists, .params = params, .as_of = as_of};
    if (mu_ready_new(&ready, &setup, err))
        return true;
    if (err->fault == MU_REJECTED)
        snprintf(err->code, sizeof(err->code), "invalid");
    return false;
}

bool resolver_new(struct resolver **out, struct dispatcher *d, struct mu_error *err)
{
    struct resolver *r = calloc(1, sizeof(*r));
    if (!r)
        return mu_fail(err, MU_BROKEN, "out of memory");
    r->d = d;
    if (!mu_shelf_new(&r->shelf, (const char *const *)d->config->data_lists.at, d->config->data_lists.count, err)) {
        resolver_free(r);
        return false;
    }
    *out = r;
    return true;
}

static bool put_pack(struct resolver *r, const char *path, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text bytes = {0};
    MU_AUTO(mu_pack_free) struct mu_pack *pack = NULL;
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    if (!mu_file_read(path, MU_PACK_BYTES_MAX, &bytes, err) || !mu_pack_parse(&pack, mu_text_span(&bytes), err))
        return mu_while(err, "pack %s", path);
    struct mu_args *a = r->d->args;
    mu_args_reset(a);
    mu_arg_text(a, mu_span_of(pack->name));
    mu_arg_text(a, mu_span_of(pack->version));
    mu_arg_bytes(a, mu_span((const char *)pack->digest.b, sizeof(pack->digest.b)));
    mu_arg_bytes(a, mu_text_span(&bytes));
    mu_arg_text(a, mu_span_of("dispatcher"));
    mu_arg_text(a, mu_span_of("shipped"));
    if (!mu_store_run(r->d->store, SQL_PACK_PUT, a, &rows, err))
        return false;
    if (mu_span_is(mu_row_span(rows, 0, 0), "different"))
        mu_log(MU_WARNING, "a shipped pack differs from the one of that version in the database, which stays in force",
               MU_F("pack", pack->name), MU_F("version", pack->version), MU_F("hint", "a changed pack needs a new version"));
    return true;
}

/* A value that is already the right one is not written again. */
static bool put_key(struct resolver *r, const char *key, struct mu_span value, int64_t *written, struct mu_error *err)
{
    MU_AUTO(mu_entry_free) struct mu_entry now = {0};
    if (!mu_kv_get(r->d->bus, MU_BUCKET_PACKS, key, &now, err))
        return false;
    if (now.present && mu_span_equal(mu_text_span(&now.value), value))
        return true;
    if (written)
        ++*written;
    return mu_kv_put(r->d->bus, MU_BUCKET_PACKS, key, value, NULL, err);
}

struct mu_shelf *resolver_shelf(struct resolver *r)
{
    return r->shelf;
}

bool resolver_put(struct resolver *r, const char *name, const char *version, struct mu_span document, int64_t *written,
                  struct mu_error *err)
{
    char key[160];
    snprintf(key, sizeof(key), "%s.%s", name, version);
    return put_key(r, key, document, written, err) || mu_while(err, "putting pack %s into the bucket", key);
}

void resolver_forget_names(struct resolver *r)
{
    for (struct alias *a = r->aliases; a; a = a->next)
        a->until_ms = 0;
}

bool resolver_fill(struct resolver *r, int64_t *written, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    if (!mu_store_run(r->d->store, SQL_PACKS, NULL, &rows, err))
        return false;
    for (size_t i = 0; i < mu_rows_count(rows); i++)
        if (!resolver_put(r, mu_row_text(rows, i, 0), mu_row_text(rows, i, 1), mu_row_span(rows, i, 3), written, err))
            return false;
    return true;
}

bool resolver_load(struct resolver *r, int64_t *written, struct mu_error *err)
{
    const char *directory = r->d->config->data_packs;
    DIR *dir = opendir(directory);
    bool done = true;
    if (!dir)
        return mu_fail(err, MU_REJECTED, "could not open the packs in %s: %s", directory, strerror(errno));
    for (struct dirent *entry; done && (entry = readdir(dir));) {
        char name[64], version[32];
        MU_AUTO(mu_text_free) struct mu_text path = {0};
        mu_text_addf(&path, "%s/%s", directory, entry->d_name);
        if (mu_shelf_split(entry->d_name, ".json", name, version))
            done = put_pack(r, path.at, err);
    }
    closedir(dir);
    return done && resolver_fill(r, written, err);
}

static const struct known *find_known(const struct resolver *r, const struct mu_digest *digest)
{
    for (const struct known *k = r->known; k; k = k->next)
        if (mu_digest_equal(&k->pack->digest, digest))
            return k;
    return NULL;
}

static void free_known(struct known *k)
{
    mu_text_free(&k->resolved.pins);
    free(k->resolved.lists);
    mu_pack_free(k->pack);
    free(k);
}

static bool make_known(struct resolver *r, struct mu_span document, const struct known **out, struct mu_error *err)
{
    struct known *k = calloc(1, sizeof(*k));
    if (!k)
        return mu_fail(err, MU_BROKEN, "out of memory");
    if (!mu_pack_parse(&k->pack, document, err) || !fill(r, &k->resolved, k->pack, mu_span("", 0), err)) {
        free_known(k);
        return mu_under(err, "/pack");
    }
    k->next = r->known;
    r->known = k;
    *out = k;
    return true;
}

static bool ask(struct resolver *r, const char *wanted, const struct known **out, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    const char *at = strchr(wanted, '@');
    struct mu_digest digest;
    struct mu_args *a = r->d->args;
    mu_args_reset(a);
    mu_arg_text(a, mu_span(wanted, at ? (size_t)(at - wanted) : strlen(wanted)));
    mu_arg_text(a, mu_span_of(at ? at + 1 : ""));
    if (!mu_store_run(r->d->store, SQL_PACK_RESOLVE, a, &rows, err))
        return false;
    if (!mu_rows_count(rows)) {
        mu_reject(err, "unknown_pack", "/pack", "there is no pack %s", wanted);
        return mu_hint(err, "see `nats kv ls muster_packs`");
    }
    struct mu_span bytes = mu_row_span(rows, 0, 2);
    if (bytes.len != sizeof(digest.b))
        return mu_fail(err, MU_BROKEN, "the digest of pack %s in the database has %zu bytes", wanted, bytes.len);
    memcpy(digest.b, bytes.at, sizeof(digest.b));
    *out = find_known(r, &digest);
    return *out || make_known(r, mu_row_span(rows, 0, 3), out, err);
}

bool resolver_find(struct resolver *r, struct mu_span wanted, const struct resolved **out, struct mu_error *err)
{
    int64_t now = mu_clock_ms();
    struct alias *a = r->aliases;
    while (a && !mu_span_is(wanted, a->wanted))
        a = a->next;
    if (!a) {
        a = calloc(1, sizeof(*a));
        if (!a || !mu_copy_text(a->wanted, sizeof(a->wanted), wanted)) {
            free(a);
            return mu_reject(err, "unknown_pack", "/pack", "there is no pack of so long a name");
        }
    } else if (a->known && now < a->until_ms) {
        *out = &a->known->resolved;
        return true;
    }
    const struct known *known = NULL;
    bool found = ask(r, a->wanted, &known, err);
    bool listed = a->known != NULL;
    if (!found && !listed) {
        free(a); /* names of others fill no memory */
        return false;
    }
    if (!listed) {
        a->next = r->aliases;
        r->aliases = a;
    }
    if (!found)
        return false;
    a->known = known;
    a->until_ms = now + CACHED_MS;
    *out = &known->resolved;
    return true;
}

bool resolver_inline(struct resolver *r, const json_t *rules, struct resolved **out, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text canonical = {0};
    MU_AUTO(resolved_free) struct resolved *x = calloc(1, sizeof(*x));
    struct mu_pack *pack = NULL;
    mu_json_write_canonical(&canonical, rules);
    if (!x || !mu_text_ok(&canonical, err))
        return mu_fail(err, MU_BROKEN, "out of memory");
    if (!mu_pack_parse(&pack, mu_text_span(&canonical), err))
        return mu_under(err, "/rules");
    x->pack = pack;
    if (!fill(r, x, pack, mu_text_span(&canonical), err))
        return mu_under(err, "/rules");
    *out = MU_GIVE(x);
    return true;
}

void resolved_free(struct resolved *x)
{
    struct mu_pack *pack;
    if (!x)
        return;
    memcpy(&pack, &x->pack, sizeof(pack)); /* ours: only resolver_inline gives these away */
    mu_pack_free(pack);
    mu_text_free(&x->pins);
    free(x->lists);
    free(x);
}

void resolver_free(struct resolver *r)
{
    if (!r)
        return;
    while (r->known) {
        struct known *next = r->known->next;
        free_known(r->known);
        r->known = next;
    }
    while (r->aliases) {
        struct alias *next = r->aliases->next;
        free(r->aliases);
        r->aliases = next;
    }
    mu_shelf_free(r->shelf);
    free(r);
}
