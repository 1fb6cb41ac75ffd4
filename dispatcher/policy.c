/* SPDX-License-Identifier: Apache-2.0 */
#include "policy.h"
#include "base/log.h"
#include "format/schema.h"
#include "outside/kv.h"
#include "statements.h"

#define WRITE_AT_ONCE 500
#define LOOK_AT_ONCE 500
#define KEYS_MAX 100000     /* of the bucket: beyond it nobody has a policy any more, but a mistake */
#define VALUE_MAX ((size_t)64 * 1024)

static bool write_key(struct dispatcher *d, const char *key, struct mu_span value, bool purge, struct mu_error *err)
{
    uint64_t sequence = 0;
    if (purge ? !mu_kv_purge(d->bus, MU_BUCKET_POLICY, key, UINT64_MAX, err)
              : !mu_kv_put(d->bus, MU_BUCKET_POLICY, key, value, &sequence, err))
        return false;
    mu_args_reset(d->args);
    mu_arg_text(d->args, mu_span_of(key));
    if (purge)
        mu_arg_null(d->args);
    else
        mu_arg_text(d->args, value);
    mu_arg_i64(d->args, (int64_t)sequence);
    return mu_store_run(d->store, SQL_POLICY_WRITTEN, d->args, NULL, err);
}

bool policy_write(struct dispatcher *d, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    mu_args_reset(d->args);
    mu_arg_i64(d->args, WRITE_AT_ONCE);
    if (!mu_store_run(d->store, SQL_POLICY_UNWRITTEN, d->args, &rows, err))
        return false;
    for (size_t i = 0; i < mu_rows_count(rows); i++)
        if (!write_key(d, mu_row_text(rows, i, 0), mu_row_span(rows, i, 1), mu_row_null(rows, i, 1), err))
            return mu_while(err, "writing policy %s", mu_row_text(rows, i, 0));
    return true;
}

/* May this be in force? Only queues have policies that people write; what a job's key says is muster's own. */
static bool is_valid(const char *key, struct mu_span value, struct mu_error *why)
{
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    if (!mu_json_parse(&doc, value, VALUE_MAX, why))
        return false;
    if (strncmp(key, "job.", 4) == 0)
        return true;
    if (strncmp(key, "queue.", 6) != 0 || !mu_token_valid(mu_span_of(key + 6)))
        return mu_reject(why, "invalid", "", "there are no policies under this key; want queue.<queue>");
    return mu_schema_check(mu_schema_builtin("policy"), doc, why);
}

static bool tell_refused(struct dispatcher *d, const char *key, const struct mu_error *why, const char *verdict, struct mu_error *err)
{
    mu_log(MU_WARNING, "an edit of a policy is not taken", MU_F("key", key), MU_F("cause", why->text), MU_F("pointer", why->pointer),
           MU_F("done", strcmp(verdict, "foreign") == 0 ? "the key is purged" : "what was in force is put back"));
    mu_args_reset(d->args);
    mu_arg_text(d->args, mu_span_of(key));
    mu_arg_text(d->args, mu_span_of(why->text));
    return mu_store_run(d->store, SQL_POLICY_REFUSED, d->args, NULL, err);
}

static bool judge(struct dispatcher *d, const char *key, const struct mu_entry *entry, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    struct mu_error why = {0}, gone = {0};
    bool valid = !entry->present || is_valid(key, mu_text_span(&entry->value), &why);
    mu_args_reset(d->args);
    mu_arg_text(d->args, mu_span_of(key));
    if (entry->present && valid)
        mu_arg_text(d->args, mu_text_span(&entry->value));
    else
        mu_arg_null(d->args);
    mu_arg_bool(d->args, entry->present);
    mu_arg_bool(d->args, valid);
    mu_arg_i64(d->args, (int64_t)entry->sequence);
    if (!mu_store_run(d->store, SQL_POLICY_SEEN, d->args, &rows, err))
        return false;
    const char *verdict = mu_row_text(rows, 0, 0);
    bool foreign = strcmp(verdict, "foreign") == 0, back = strcmp(verdict, "put_back") == 0;
    if (strcmp(verdict, "taken") == 0)
        mu_log(MU_INFO, entry->present ? "a policy was edited and is in force" : "a policy was taken away", MU_F("key", key));
    if (foreign && valid) /* a job's */
        mu_fail(&why, MU_REJECTED, "only `muster cancel` stops jobs");
    if ((foreign || (back && !valid)) && !tell_refused(d, key, &why, verdict, err))
        return false;
    /* with the revision that was read: a newer edit is looked at for itself */
    if (foreign && !mu_kv_purge(d->bus, MU_BUCKET_POLICY, key, entry->sequence, &gone) && gone.fault != MU_LOST)
        return mu_fail(err, gone.fault, "%s", gone.text);
    return true;
}

/* From the cursor on; *keys collects what was met, if it is not NULL. */
static bool look(struct policies *p, size_t most, struct mu_text *keys, size_t *count, bool *at_end, struct mu_error *err)
{
    MU_AUTO(mu_entry_free) struct mu_entry entry = {0};
    char key[MU_SUBJECT_MAX];
    *at_end = false;
    for (size_t i = 0; i < most && !*at_end; i++) {
        bool found = false;
        if (!mu_kv_next(p->d->bus, MU_BUCKET_POLICY, &p->cursor, key, &entry, &found, err))
            return false;
        *at_end = !found;
        if (found && !judge(p->d, key, &entry, err))
            return false;
        if (found && keys) {
            mu_text_add(keys, mu_span(key, strlen(key) + 1));
            ++*count;
        }
    }
    return true;
}

static bool walk(struct policies *p, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text keys = MU_TEXT((size_t)KEYS_MAX * MU_SUBJECT_MAX);
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    uint64_t generation = mu_bus_generation(p->d->bus);
    size_t count = 0, at = 0;
    bool at_end = false;
    p->cursor = 0;
    if (!look(p, KEYS_MAX, &keys, &count, &at_end, err) || !mu_text_ok(&keys, err))
        return false;
    if (!at_end)
        return mu_fail(err, MU_BROKEN, "the bucket of policies has more than %d keys", KEYS_MAX);
    mu_args_reset(p->d->args);
    mu_arg_array_begin(p->d->args, MU_ARRAY_TEXT);
    for (size_t i = 0; i < count; i++) {
        struct mu_span key = mu_span_of(keys.at + at);
        mu_arg_array_text(p->d->args, key);
        at += key.len + 1;
    }
    mu_arg_array_end(p->d->args);
    if (!mu_store_run(p->d->store, SQL_POLICY_MISSING, p->d->args, &rows, err))
        return false;
    if (mu_row_i64(rows, 0, 0))
        mu_log(MU_WARNING, "policies were missing in the bucket, they are written again", MU_N("keys", mu_row_i64(rows, 0, 0)));
    p->generation = generation;
    p->walked = true;
    return true;
}

bool policies_look(struct policies *p, struct mu_error *err)
{
    bool at_end;
    bool known = p->walked && p->generation == mu_bus_generation(p->d->bus);
    if (!(known ? look(p, LOOK_AT_ONCE, NULL, NULL, &at_end, err) : walk(p, err)))
        return mu_while(err, "looking at the policies");
    return policy_write(p->d, err);
}
