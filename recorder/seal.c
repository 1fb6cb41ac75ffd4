/* SPDX-License-Identifier: Apache-2.0 */
#include "results.h"
#include "domain/seal.h"

static void optional(struct mu_seal *s, struct mu_span text)
{
    if (text.len)
        mu_seal_field(s, text);
    else
        mu_seal_null(s);
}

static void digest(struct mu_seal *s, const struct mu_digest *d)
{
    mu_seal_field(s, mu_span((const char *)d->b, sizeof(d->b)));
}

static void id(struct mu_seal *s, const struct mu_id *i)
{
    mu_seal_field(s, mu_span((const char *)i->b, sizeof(i->b)));
}

bool outcome_seal(const struct outcome_row *o, const struct mu_id *tally, struct mu_digest *out)
{
    struct mu_seal s;
    if (o->plan.len || o->resumes.len)
        return false;
    mu_seal_begin(&s);
    mu_seal_id(&s, o->task);
    mu_seal_id(&s, o->job);
    const int64_t numbers[] = {o->n, o->delivery, o->records, o->bad, o->skipped, o->bytes, o->findings, o->crashes};
    for (size_t i = 0; i < MU_COUNT(numbers); i++)
        mu_seal_i64(&s, numbers[i]);
    mu_seal_time_us(&s, o->started_us);
    mu_seal_time_us(&s, o->finished_us);
    digest(&s, &o->task_digest);
    if (o->has_input_digest)
        digest(&s, &o->input_digest);
    else
        mu_seal_null(&s);
    mu_seal_field(&s, o->result);
    optional(&s, o->reason);
    optional(&s, o->message);
    if (tally)
        id(&s, tally);
    else
        mu_seal_null(&s);
    mu_seal_null(&s); /* plan */
    mu_seal_null(&s); /* resumes */
    mu_seal_field(&s, o->agent);
    id(&s, &o->incarnation);
    digest(&s, &o->determined);
    *out = mu_seal_end(&s);
    return true;
}
