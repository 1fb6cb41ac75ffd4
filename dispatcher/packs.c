/* SPDX-License-Identifier: Apache-2.0 */
#include "packs.h"
#include "base/log.h"
#include "engine/lint.h"
#include "format/schema.h"
#include "outside/kv.h"
#include "refusal.h"
#include "resolve.h"
#include "statements.h"

#define REQUEST_MAX ((size_t)8 << 20) /* a document of 1 MiB as a JSON text */
#define MISTAKES_MAX 50
#define LOOK_AT_ONCE 20               /* packs; each is linted */

/* What there is against a document. */
struct mistakes {
    const char *under; /* where the document stands in the request */
    struct mu_error first;
    struct mu_text all; /* as elements of "errors" */
    int64_t count;
};

static void note_mistake(void *context, enum mu_lint_level level, const struct mu_error *what)
{
    struct mistakes *m = context;
    struct mu_error placed = *what;
    if (level != MU_LINT_ERROR)
        return;
    mu_under(&placed, m->under);
    if (!m->count++)
        m->first = placed;
    if (m->count > MISTAKES_MAX)
        return;
    if (m->count > 1)
        mu_text_putc(&m->all, ',');
    refusal_write_error(&m->all, &placed);
}

/* Its cases are the author's to run: they may take longer than others can wait here. */
static bool find_mistakes(struct dispatcher *d, struct mu_span document, struct mistakes *out, struct mu_error *err)
{
    const struct mu_lint_setup setup = {
        .bytes = document, .shelf = resolver_shelf(d->resolver), .note = note_mistake, .no_cases = true, .context = out};
    struct mu_lint counts;
    return mu_lint(&setup, &counts, err) && mu_text_ok(&out->all, err);
}

/* The one in force of a name and version; no row: there is none. */
static bool find_known(struct dispatcher *d, const char *name, const char *version, struct mu_rows **rows, struct mu_error *err)
{
    mu_args_reset(d->args);
    mu_arg_text(d->args, mu_span_of(name));
    mu_arg_text(d->args, mu_span_of(version));
    return mu_store_run(d->store, SQL_PACK_RESOLVE, d->args, rows, err);
}

/* White space and the order of keys are no change. */
static bool says_the_same(struct mu_span a, struct mu_span b)
{
    MU_AUTO(mu_json_free) json_t *x = NULL;
    MU_AUTO(mu_json_free) json_t *y = NULL;
    struct mu_error ignored = {0};
    return mu_span_equal(a, b) || (mu_json_parse(&x, a, MU_PACK_BYTES_MAX, &ignored) &&
                                   mu_json_parse(&y, b, MU_PACK_BYTES_MAX, &ignored) && json_equal(x, y));
}

static bool conflict(const char *name, const char *version, const char *pointer, struct mu_error *err)
{
    mu_reject(err, "conflict", pointer, "%s@%s is in force and says something else: a version once loaded cannot be changed", name, version);
    return mu_hint(err, "raise \"version\", and load it beside the other one");
}

/* Who loads, and why: for the audit trail. No reason: nobody gave one. */
struct loader {
    struct mu_span actor, reason;
};

static bool put(struct dispatcher *d, const struct mu_pack *pack, struct mu_span document, const struct loader *who, struct mu_error *err)
{
    mu_args_reset(d->args);
    mu_arg_text(d->args, mu_span_of(pack->name));
    mu_arg_text(d->args, mu_span_of(pack->version));
    mu_arg_bytes(d->args, mu_span((const char *)pack->digest.b, sizeof(pack->digest.b)));
    mu_arg_bytes(d->args, document);
    mu_arg_text(d->args, who->actor);
    if (who->reason.at)
        mu_arg_text(d->args, who->reason);
    else
        mu_arg_null(d->args);
    return mu_store_run(d->store, SQL_PACK_PUT, d->args, NULL, err);
}

/* *duplicate: it is in force already. What two dispatchers are asked at once only one does, which is then looked at. */
static bool store(struct dispatcher *d, const struct mu_pack *pack, struct mu_span document, const struct loader *who, bool dry_run,
                  bool *duplicate, struct mu_error *err)
{
    *duplicate = false;
    for (int i = 0; i < 2; i++) {
        MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
        if (!find_known(d, pack->name, pack->version, &rows, err))
            return false;
        if (mu_rows_count(rows)) {
            *duplicate = !i;
            return says_the_same(mu_row_span(rows, 0, 3), document) || conflict(pack->name, pack->version, "/pack/version", err);
        }
        if (dry_run)
            return true;
        if (!i && !put(d, pack, document, who, err))
            return false;
    }
    return mu_fail(err, MU_BROKEN, "pack %s@%s was stored and is not there", pack->name, pack->version);
}

/* The document's own bytes: of a text what it says, of an object what stands in the request. */
static bool document_of(struct mu_span request, const json_t *doc, struct mu_span *out, struct mu_error *err)
{
    *out = mu_json_span(doc, "pack");
    return out->at || mu_json_raw(request, "pack", out) || mu_reject(err, "malformed", "/pack", "the pack cannot be found in the request");
}

static void write_refusal(struct mu_text *out, const struct mistakes *m)
{
    mu_text_puts(out, "{\"ok\":false,\"error\":");
    refusal_write_error(out, &m->first);
    mu_text_puts(out, ",\"errors\":[");
    mu_text_add(out, mu_text_span(&m->all));
    mu_text_puts(out, "]}");
}

static void write_answer(struct mu_text *out, const struct mu_pack *pack, bool duplicate, bool dry_run)
{
    char name[100], hex[MU_DIGEST_HEX];
    snprintf(name, sizeof(name), "%s@%s", pack->name, pack->version);
    mu_digest_format(&pack->digest, hex);
    mu_text_puts(out, "{\"ok\":true");
    mu_json_put_text(out, "pack", name);
    mu_json_put_text(out, "digest", hex);
    mu_json_put_bool(out, "duplicate", duplicate);
    if (dry_run)
        mu_json_put_bool(out, "dry_run", true);
    mu_text_putc(out, '}');
}

bool packs_load(struct dispatcher *d, struct mu_span request, struct mu_text *answer, struct mu_error *err)
{
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    MU_AUTO(mu_pack_free) struct mu_pack *pack = NULL;
    struct mistakes m = {.under = "/pack"};
    struct mu_span document;
    struct mu_error later = {0};
    bool duplicate = false;
    if (!mu_json_parse(&doc, request, REQUEST_MAX, err) || !mu_schema_check(mu_schema_builtin("load"), doc, err) ||
        !document_of(request, doc, &document, err))
        return false;
    const bool linted = find_mistakes(d, document, &m, err);
    if (linted && m.count) {
        *err = m.first;
        write_refusal(answer, &m);
    }
    mu_text_free(&m.all);
    if (!linted || m.count)
        return false;
    const bool dry_run = mu_json_bool(doc, "dry_run", false);
    const struct loader who = {mu_json_span(doc, "actor"), mu_json_span(doc, "reason")};
    if (!mu_pack_parse(&pack, document, err) || !store(d, pack, document, &who, dry_run, &duplicate, err))
        return false;
    resolver_forget_names(d->resolver);
    if (!dry_run && !duplicate && !resolver_put(d->resolver, pack->name, pack->version, document, NULL, &later))
        mu_log_failure(MU_WARNING, &later, "the leader puts the pack into the bucket");
    write_answer(answer, pack, duplicate, dry_run);
    return mu_text_ok(answer, err);
}

/* ---- the bucket ---- */

static bool tell_refused(struct dispatcher *d, const char *key, const struct mu_entry *entry, const struct mu_error *why,
                         const char *done, struct mu_error *err)
{
    char subject[MU_SUBJECT_MAX];
    mu_log(MU_WARNING, "a pack in the bucket is not taken", MU_F("key", key), MU_F("cause", why->text), MU_F("pointer", why->pointer),
           MU_F("hint", why->hint), MU_F("done", done));
    mu_subject_of_key(subject, MU_BUCKET_PACKS, key);
    mu_args_reset(d->args);
    mu_arg_text(d->args, mu_span_of(key));
    mu_arg_text(d->args, mu_span_of(subject));
    mu_arg_text(d->args, mu_span_of(why->code));
    mu_arg_text(d->args, mu_span_of(why->text));
    mu_arg_text(d->args, mu_span_of(why->pointer));
    mu_arg_bytes(d->args, mu_text_span(&entry->value));
    return mu_store_run(d->store, SQL_PACK_REFUSED, d->args, NULL, err);
}

/* With the revision that was read: a newer edit is looked at for itself. */
static bool take_away(struct dispatcher *d, const char *key, const struct mu_entry *entry, struct mu_error *err)
{
    struct mu_error gone = {0};
    if (mu_kv_purge(d->bus, MU_BUCKET_PACKS, key, entry->sequence, &gone) || gone.fault == MU_LOST)
        return true;
    return mu_fail(err, gone.fault, "%s", gone.text);
}

/* A key that the table has: the bucket must say the same. */
static bool look_at_known(struct dispatcher *d, const char *key, const struct mu_entry *entry, const struct mu_rows *rows,
                          struct mu_error *err)
{
    const struct mu_span document = mu_row_span(rows, 0, 3);
    struct mu_error why = {0};
    if (entry->present && mu_span_equal(document, mu_text_span(&entry->value)))
        return true;
    if (entry->present && !says_the_same(document, mu_text_span(&entry->value))) {
        conflict(mu_row_text(rows, 0, 0), mu_row_text(rows, 0, 1), "/version", &why);
        if (!tell_refused(d, key, entry, &why, "what is in force is put back", err))
            return false;
    }
    return resolver_put(d->resolver, mu_row_text(rows, 0, 0), mu_row_text(rows, 0, 1), document,
                        &d->counters.value[COUNT_PACKS_WRITTEN], err);
}

static bool look_at_new(struct dispatcher *d, const char *key, const struct mu_entry *entry, struct mu_error *err)
{
    MU_AUTO(mu_pack_free) struct mu_pack *pack = NULL;
    struct mistakes m = {.under = ""};
    char own[160] = "";
    const struct loader who = {mu_span_of("bucket"), {NULL, 0}};
    const bool linted = find_mistakes(d, mu_text_span(&entry->value), &m, err);
    mu_text_free(&m.all);
    if (!linted)
        return false;
    if (!m.count && mu_pack_parse(&pack, mu_text_span(&entry->value), &m.first))
        snprintf(own, sizeof(own), "%s.%s", pack->name, pack->version);
    if (pack && strcmp(own, key) != 0) {
        mu_reject(&m.first, "invalid", "/version", "the pack is %s@%s, its key would be %s", pack->name, pack->version, own);
        mu_hint(&m.first, "put it under that key");
    }
    if (m.first.fault != MU_OK)
        return tell_refused(d, key, entry, &m.first, "the key is taken away", err) && take_away(d, key, entry, err);
    if (!put(d, pack, mu_text_span(&entry->value), &who, err))
        return false;
    resolver_forget_names(d->resolver);
    mu_log(MU_INFO, "a pack that was put into the bucket is in force", MU_F("pack", pack->name), MU_F("version", pack->version));
    return true;
}

static bool judge(struct dispatcher *d, const char *key, const struct mu_entry *entry, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    const char *dot = strchr(key, '.');
    char name[64] = "", version[32] = "";
    if (dot && mu_copy_text(name, sizeof(name), mu_span(key, (size_t)(dot - key))) &&
        mu_copy_text(version, sizeof(version), mu_span_of(dot + 1)) && !find_known(d, name, version, &rows, err))
        return false;
    if (rows && mu_rows_count(rows) && strcmp(mu_row_text(rows, 0, 1), version) == 0)
        return look_at_known(d, key, entry, rows, err);
    return !entry->present || look_at_new(d, key, entry, err);
}

bool packs_look(struct packs *p, struct mu_error *err)
{
    MU_AUTO(mu_entry_free) struct mu_entry entry = {0};
    char key[MU_SUBJECT_MAX];
    bool found = true;
    const uint64_t generation = mu_bus_generation(p->d->bus);
    if (!p->walked || p->generation != generation)
        p->cursor = 0;
    p->walked = true;
    p->generation = generation;
    for (int i = 0; found && i < LOOK_AT_ONCE; i++) {
        if (!mu_kv_next(p->d->bus, MU_BUCKET_PACKS, &p->cursor, key, &entry, &found, err) ||
            (found && !judge(p->d, key, &entry, err))) {
            p->walked = false; /* from the beginning, so that nothing is passed over */
            return mu_while(err, "looking at the packs");
        }
    }
    return true;
}
