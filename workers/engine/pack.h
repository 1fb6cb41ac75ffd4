/* SPDX-License-Identifier: Apache-2.0 */
/* A rule pack: columns, lists, params and rules, checked by schemas/pack.json and by what the checks
 * themselves demand. The same code in lint, submit and worker. Its digest is the SHA-256 of the document's
 * bytes. */
#ifndef MU_PACK_H
#define MU_PACK_H

#include "base/digest.h"
#include "engine/check.h"
#include "format/json.h"

#define MU_PACK_BYTES_MAX (1024 * 1024)
#define MU_RULES_MAX 512

enum mu_mode { MU_MODE_ACTIVE, MU_MODE_SHADOW, MU_MODE_OFF };
enum mu_type { MU_TYPE_TEXT, MU_TYPE_DECIMAL, MU_TYPE_DATE, MU_TYPE_TIMESTAMP, MU_TYPE_BOOL };
enum mu_mask { MU_MASK_NONE, MU_MASK_HASH, MU_MASK_LAST4, MU_MASK_DROP };

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
struct mu_rule {
    const char *id, *title, *severity, *check_name, *message;
    enum mu_mode mode;
    bool has_from, has_to;
    int32_t effective_from, effective_to;
    bool has_min_coverage; /* else 1 */
    struct mu_decimal min_coverage;
    const char *min_coverage_text; /* as written; NULL: not given */
    const struct mu_check *check;
    const json_t *with; /* parameters, within the document */
};
struct mu_pack_list {
    const char *alias, *name, *version; /* version NULL: bare name */
};

struct mu_pack {
    const char *name, *version, *title;
    struct mu_digest digest;
    json_t *doc; /* owned */
    struct mu_column *columns;
    size_t column_count;
    struct mu_rule *rules;
    size_t rule_count;
    struct mu_pack_list *lists;
    size_t list_count;
    struct mu_param *params;
    size_t param_count;
    const char **identity; /* columns that name a record across deliveries */
    size_t identity_count;
};

/* MU_REJECTED (`invalid`, `malformed`, `too_large`) with the JSON Pointer of the mistake. Parameters of
 * checks are only fully checked when the rules are configured with their lists (mu_ready_new, engine/run.h).
 */
MU_MUST bool mu_pack_parse(struct mu_pack **out, struct mu_span bytes, struct mu_error *err);
void mu_pack_free(struct mu_pack *p);
MU_DEFINE_AUTO(struct mu_pack, mu_pack_free)
int mu_pack_column(const struct mu_pack *p, struct mu_span name); /* -1: none */
const char *mu_type_name(enum mu_type t);
/* Is it a value of the type as it stands (CHECKS.md part 4)? */
bool mu_type_fits(enum mu_type t, struct mu_span text);

#endif
