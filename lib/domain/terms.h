/* SPDX-License-Identifier: Apache-2.0 */
/* What tasks have in common: the pins of pack and lists, parameters, day, limits; all that influences a result beside
 * the input. A task names its terms by the SHA-256 of their exact bytes, so that the task digest covers them; the
 * queue message carries them once for all its members, and PostgreSQL keeps them once (muster.terms). Tens of
 * thousands of small tasks a second have the same terms: written out in each they were two thirds of its bytes.
 *
 * To change the form: as for a task (domain/task.h); the file is schemas/terms.json. */
#ifndef MU_TERMS_H
#define MU_TERMS_H

#include "base/digest.h"
#include "format/json.h"

struct mu_pin { /* of a pack or a list */
    char name[64], version[32];
    struct mu_digest digest;
};

struct mu_terms {
    struct mu_digest digest;         /* of the exact bytes */
    json_t *doc;                     /* owned */
    struct mu_pin pack;
    const json_t *pack_document;     /* rules in place, or NULL; within doc */
    const json_t *lists;             /* object alias -> {name, version, digest}; within doc */
    const json_t *params;            /* object; within doc */
    int32_t as_of;                   /* days since 1970-01-01 */
    int64_t shard_bytes, buckets;
    int64_t record_bytes, fields;    /* limits of a record */
};

/* Takes over `doc`, which has been parsed from `raw` and checked against schemas/terms.json (as part of ride.json or
 * alone). MU_REJECTED (bad_task). */
MU_MUST bool mu_terms_read(struct mu_terms *out, json_t *doc, struct mu_span raw, struct mu_error *err);
/* The same from bytes alone. */
MU_MUST bool mu_terms_parse(struct mu_terms *out, struct mu_span raw, struct mu_error *err);
void mu_terms_fini(struct mu_terms *t);
MU_DEFINE_AUTO_VALUE(struct mu_terms, mu_terms_fini)

#endif
