/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/local.h"

static struct mu_id id_of(const struct mu_ready *ready, const struct mu_digest *source)
{
    const struct mu_digest *rules = mu_ready_digest(ready);
    struct mu_sha sha;
    mu_sha_init(&sha);
    mu_sha_member(&sha, mu_span((const char *)rules->b, sizeof(rules->b)));
    mu_sha_member(&sha, mu_span((const char *)source->b, sizeof(source->b)));
    const struct mu_digest digest = mu_sha_end(&sha);
    return mu_id_derive((struct mu_id){{0}}, &digest);
}

bool mu_local_init(struct mu_local *l, const struct mu_ready *ready, const struct mu_pack *pack, const json_t *source,
                   const char *source_name, int32_t as_of, const struct mu_digest *source_digest, struct mu_error *err)
{
    *l = (struct mu_local){.terms = {.as_of = as_of}};
    struct mu_task *t = &l->task;
    l->terms.pack.digest = pack->digest;
    t->stage = MU_STAGE_SCAN;
    t->terms = &l->terms;
    t->source = source;
    t->task_id = t->job_id = id_of(ready, source_digest);
    mu_id_format(t->task_id, t->id_text);
    mu_id_format(t->job_id, t->job_text);
    if (!mu_token_valid(mu_span_of(source_name)) ||
        !mu_copy_text(t->source_name, sizeof(t->source_name), mu_span_of(source_name)))
        return mu_reject(err, "invalid", "/source/name", "\"%.80s\" is no name of letters, digits, _ and -", source_name) ||
               mu_hint(err, "example: {\"name\": \"trades\"}");
    return true;
}
