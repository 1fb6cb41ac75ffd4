/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/terms.h"
#include "base/clock.h"
#include "format/schema.h"

#define TERMS_BYTES_MAX ((size_t)256 * 1024)

static bool read_pin(const json_t *doc, struct mu_pin *out)
{
    return mu_copy_text(out->name, sizeof(out->name), mu_json_span(doc, "name")) &&
           mu_copy_text(out->version, sizeof(out->version), mu_json_span(doc, "version")) &&
           mu_digest_parse(mu_json_span(doc, "digest"), &out->digest);
}

bool mu_terms_read(struct mu_terms *out, json_t *doc, struct mu_span raw, struct mu_error *err)
{
    const json_t *pack = json_object_get(doc, "pack"), *limits = json_object_get(doc, "limits");
    struct mu_terms t = {.doc = doc,
                         .digest = mu_digest_of(raw),
                         .pack_document = json_object_get(pack, "document"),
                         .lists = json_object_get(doc, "lists"),
                         .params = json_object_get(doc, "params"),
                         .shard_bytes = mu_json_int(doc, "shard_bytes", 0),
                         .buckets = mu_json_int(doc, "buckets", 0),
                         .record_bytes = mu_json_int(limits, "record_bytes", 0),
                         .fields = mu_json_int(limits, "fields", 0)};
    if (!read_pin(pack, &t.pack) || !mu_date_parse(mu_json_span(doc, "as_of"), &t.as_of)) {
        mu_json_free(doc);
        return mu_reject(err, "bad_task", "", "the terms' pins or day cannot be read");
    }
    *out = t;
    return true;
}

bool mu_terms_parse(struct mu_terms *out, struct mu_span raw, struct mu_error *err)
{
    json_t *doc = NULL;
    struct mu_error why = {0};
    if (!mu_json_parse(&doc, raw, TERMS_BYTES_MAX, &why) || !mu_schema_check(mu_schema_builtin("terms"), doc, &why)) {
        mu_json_free(doc);
        return mu_reject(err, "bad_task", why.pointer, "%s", why.text);
    }
    return mu_terms_read(out, doc, raw, err);
}

void mu_terms_fini(struct mu_terms *t)
{
    mu_json_free(t->doc);
    *t = (struct mu_terms){.doc = NULL};
}
