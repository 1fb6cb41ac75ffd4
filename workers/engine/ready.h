/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of a ready pack (engine/run.h), for the runner and its writer of findings. */
#ifndef MU_READY_H
#define MU_READY_H

#include "engine/expr/program.h"
#include "engine/run.h"

struct ready_rule {
    /* what is looked at for every record stands together */
    const struct mu_rule *rule;
    const struct mu_op *where; /* NULL: every record */
    const struct mu_op *expr;  /* of an expr rule */
    const void *conf;
    bool runs;    /* neither off nor outside its effective days */
    bool masked;  /* reads a column whose values must not be told */
    const struct mu_op **evidence; /* by evidence of the rule */
    enum mu_mask *evidence_masks;
    enum mu_mask key_masks[MU_GROUP_KEYS_MAX]; /* of a group rule */
    int *columns; /* that it reads, in the order of the pack: its evidence */
    size_t column_count;
    size_t *lists; /* that it looks into, in the order of the pack */
    size_t list_count;
    const char *head;       /* of its findings: "rule":…,"severity":… */
    const char *tally_head; /* of its counters: the same, and what of them is special */
    const char *lists_json; /* of its findings: {alias: "name@version sha256:…"}, or NULL */
};

/* What a check asks for by name; while its rule is configured it is noted as the rule's evidence. */
struct ready_asking {
    const struct mu_ready *ready;
    bool *columns, *lists; /* noted; NULL: nothing is */
};

struct mu_ready {
    const struct mu_pack *pack;
    const struct mu_list_data *const *lists;
    struct mu_pool *pool;
    struct mu_digest digest, params_digest;
    int32_t as_of;
    int64_t group_state_max;
    json_t *params;           /* name -> text, defaults included */
    struct mu_xvalue *values; /* of the params, in the order of the pack; their texts lie in `params` */
    size_t slots;             /* that a frame for its expressions needs */
    json_t **withs;           /* parameters of the rules, by rule, with the pack's params put in */
    struct ready_rule *rules; /* sorted by id */
    size_t rule_count;
    const char **column_names; /* by column of the pack */
    bool *wanted;
    bool *typed;      /* by column: a plugin reads it, and it is of another type than text or has empty values */
    bool any_typed;
    size_t *identity; /* columns that name a record */
    struct ready_asking quiet;
};

/* The env in which a run's checks begin. */
struct mu_env ready_env(const struct mu_ready *ready, struct mu_pool *pool);

#endif
