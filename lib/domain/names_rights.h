/* SPDX-License-Identifier: Apache-2.0 */
/* Who may publish and subscribe to what: one table, from which the broker's permissions are made and by which tests hold
 * programs to them. A program that uses a subject that is not in it is refused by the broker, so the row comes first. */
#ifndef MU_NAMES_RIGHTS_H
#define MU_NAMES_RIGHTS_H

#include "domain/names.h"

enum mu_role {
    MU_ROLE_DISPATCHER, MU_ROLE_OBSERVER, MU_ROLE_OPERATOR, MU_ROLE_PROVISIONER, MU_ROLE_RECORDER, MU_ROLE_SUBMITTER,
    MU_ROLE_WORKER, MU_ROLES,
};
const char *mu_role_name(enum mu_role role);     /* "dispatcher": a program's role, and its login */
const char *mu_role_sentence(enum mu_role role); /* what it is for */
MU_MUST bool mu_role_parse(struct mu_span name, enum mu_role *out);
/* Does it answer requests: one answer each, within a minute? */
bool mu_role_answers(enum mu_role role);

/* What the table's rows are filled in with. */
struct mu_rights {
    const char *domain;        /* of JetStream, or "" */
    const char *agent;         /* of a worker, or "" */
    char *const *queues;       /* of a worker */
    size_t queue_count;
    char *const *buckets;      /* of the object store, from which agents read sources */
    size_t bucket_count;
    bool provision;            /* the dispatcher makes streams and consumers itself */
};
/* Calls `each` for every subject that the role may publish or subscribe to, in the table's order. */
typedef void mu_rights_each(void *ctx, bool publish, const char *subject);
void mu_rights_list(enum mu_role role, const struct mu_rights *r, mu_rights_each *each, void *ctx);

#endif
