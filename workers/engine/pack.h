/* SPDX-License-Identifier: Apache-2.0 */
/* A rule pack (CHECKS.md part 4): columns, lists, params, names for expressions and rules, checked by
 * schemas/pack.json, by the types of the expressions, and by what the checks themselves demand. The same code in
 * lint, submit and worker. Its digest is the SHA-256 of the document's bytes. */
#ifndef MU_PACK_H
#define MU_PACK_H

#include "base/digest.h"
#include "engine/check.h"
#include "engine/expr/typing.h"
#include "format/json.h"

#define MU_PACK_BYTES_MAX (1024 * 1024)
#define MU_RULES_MAX 512
#define MU_GROUP_KEYS_MAX 8   /* of a group */
#define MU_BANDS_MAX 16
#define MU_EVIDENCE_MAX 32

enum mu_mode { MU_MODE_ACTIVE, MU_MODE_SHADOW, MU_MODE_OFF };
enum mu_mask { MU_MASK_NONE, MU_MASK_HASH, MU_MASK_LAST4, MU_MASK_DROP };
enum mu_rule_kind { MU_RULE_CHECK, MU_RULE_EXPR, MU_RULE_GROUP };

struct mu_column {
    const char *name;
    enum mu_type type;
    enum mu_mask mask;
    bool empty_is_value;
};
struct mu_param {
    const char *name, *otherwise; /* default, as text; NULL: the task must give it */
    enum mu_type type;
};
struct mu_band {
    bool has_bound;
    struct mu_decimal below; /* the first band whose bound the value is below; the last one has none */
    enum mu_verdict verdict; /* pass, warn or fail */
    const char *severity;    /* NULL: the rule's */
};
/* What a group rule is made of. Keys in the order of their names. */
struct mu_group_rule {
    struct mu_named_expr keys[MU_GROUP_KEYS_MAX];
    size_t key_count;
    struct mu_aggregates aggregates;
    size_t judged_count; /* of the aggregates: those that having or value read; the rest are evidence's alone */
    const struct mu_expr *having, *value;
    struct mu_band bands[MU_BANDS_MAX];
    size_t band_count;
    bool has_window;
    size_t window_key;   /* whose values it runs over */
    int64_t window_size; /* days, or whole numbers */
    bool window_runs;    /* one finding for flagged values that follow each other */
};
struct mu_rule {
    const char *id, *title, *severity, *check_name, *message;
    enum mu_mode mode;
    bool has_from, has_to;
    int32_t effective_from, effective_to;
    bool has_min_coverage; /* else 1 */
    struct mu_decimal min_coverage;
    const char *min_coverage_text; /* as written; NULL: not given */
    bool has_mostly;               /* the rule as a whole has one verdict */
    struct mu_decimal mostly;
    const char *mostly_text;
    int64_t max_findings; /* 0: every finding is kept */
    enum mu_rule_kind kind;
    const struct mu_expr *where; /* NULL: every record */
    const struct mu_expr *expr;  /* what must hold; of an expr rule */
    const char *expr_text;
    struct mu_group_rule *group; /* of a group rule */
    struct mu_named_expr *evidence;
    size_t evidence_count;
    const struct mu_check *check; /* what runs it */
    const json_t *with;           /* parameters of a plugin, within the document */
    const json_t *document;       /* the rule as it was written */
};
struct mu_pack_list {
    const char *alias, *name, *version; /* version NULL: bare name */
    bool implied; /* not written down: a function looks into it */
};

struct mu_pack {
    const char *name, *version, *title;
    struct mu_digest digest;
    json_t *doc; /* owned */
    struct mu_pool *pool; /* of expressions */
    struct mu_column *columns;
    size_t column_count;
    struct mu_named_expr *lets;
    size_t let_count;
    struct mu_rule *rules;
    size_t rule_count;
    struct mu_pack_list *lists;
    size_t list_count, list_room;
    struct mu_param *params;
    size_t param_count;
    const char **identity; /* columns that name a record across deliveries */
    size_t identity_count;
};

/* MU_REJECTED (`invalid`, `malformed`, `too_large`) with the JSON Pointer of the mistake. Parameters of
 * checks and what is in lists is only known when the rules are configured with their lists (mu_ready_new,
 * engine/run.h). */
MU_MUST bool mu_pack_parse(struct mu_pack **out, struct mu_span bytes, struct mu_error *err);
/* The same, but it goes on behind a mistake: `note` is called for each one that stands by itself (a column, a list,
 * a param, a name, a rule), and the first is *err. */
typedef void mu_pack_note(void *context, const struct mu_error *mistake);
MU_MUST bool mu_pack_parse_all(struct mu_pack **out, struct mu_span bytes, mu_pack_note *note, void *context,
                               struct mu_error *err);
void mu_pack_free(struct mu_pack *p);
MU_DEFINE_AUTO(struct mu_pack, mu_pack_free)
int mu_pack_column(const struct mu_pack *p, struct mu_span name); /* -1: none */
/* Must all of a job's records go through one task? So it is if a rule looks at more than one record, or at how many
 * failed (CHECKS.md part 2). */
bool mu_pack_is_whole(const struct mu_pack *p);

/* For typing: a list that a function looks into and that the pack does not name. */
MU_MUST bool mu_pack_add_list(struct mu_pack *p, const char *alias, const char *name, struct mu_error *err);

#endif
