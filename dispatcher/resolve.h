/* SPDX-License-Identifier: Apache-2.0 */
/* What a submission's names stand for: packs and lists, pinned by digest. Packs stand in PostgreSQL (those that are
 * shipped are put there at start), lists in the data directories. */
#ifndef MU_RESOLVE_H
#define MU_RESOLVE_H

#include "dispatcher.h"
#include "engine/pack.h"

struct mu_shelf;
struct resolver;

/* A pack with its lists, ready to be named in tasks. Owned by the resolver; valid until resolver_free. */
struct resolved {
    const struct mu_pack *pack;
    char name[100];           /* "identifiers@1.0.0" */
    struct mu_text pins;      /* `"pack":{…},"lists":{…}` of terms */
    const struct mu_list_data **lists; /* in the order of pack->lists */
};

MU_MUST bool resolver_new(struct resolver **out, struct dispatcher *d, struct mu_error *err);
/* Puts the shipped packs into PostgreSQL; a version that differs there stays as it is and is reported. Then makes the
 * bucket equal to the table; *written (NULL is fine) grows by the packs that were not right there. */
MU_MUST bool resolver_load(struct resolver *r, int64_t *written, struct mu_error *err);
/* The lists that packs may name. */
struct mu_shelf *resolver_shelf(struct resolver *r);
/* Puts one pack into the bucket, unless it stands there already. */
MU_MUST bool resolver_put(struct resolver *r, const char *name, const char *version, struct mu_span document, int64_t *written,
                          struct mu_error *err);
/* A pack is new: what "name@1" stood for a moment ago may be another one now. */
void resolver_forget_names(struct resolver *r);
/* The second half alone: puts into the bucket what is missing there, or another than in the table. */
MU_MUST bool resolver_fill(struct resolver *r, int64_t *written, struct mu_error *err);
/* "identifiers", "identifiers@1", "identifiers@1.0.0". MU_REJECTED unknown_pack (/pack), unknown_list. */
MU_MUST bool resolver_find(struct resolver *r, struct mu_span wanted, const struct resolved **out, struct mu_error *err);
/* Rules in place: checked, named inline@0; *out is the caller's (resolved_free). */
MU_MUST bool resolver_inline(struct resolver *r, const json_t *rules, struct resolved **out, struct mu_error *err);
void resolved_free(struct resolved *x);
MU_DEFINE_AUTO(struct resolved, resolved_free)
/* Do the pack's rules take these parameters on that day? MU_REJECTED invalid with the pointer. */
MU_MUST bool resolver_try(const struct resolved *x, const json_t *params, int32_t as_of, struct mu_error *err);
void resolver_free(struct resolver *r);

#endif
