/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/checks/row.h"
#include "engine/rules/rules.h"

struct state {
    const struct mu_expr_conf *conf;
    struct mu_frame *frame;
};

static bool begin(void **state, struct mu_env *env, const void *conf, struct mu_error *err)
{
    struct state *s = mu_row_get(env, sizeof(*s), err);
    if (!s)
        return false;
    *s = (struct state){conf, env->frame};
    *state = s;
    return true;
}

static bool record(void *state, const struct mu_record *rec, struct mu_sink *out, struct mu_error *err)
{
    const struct state *s = state;
    (void)rec;
    (void)err;
    const struct mu_xvalue *v = mu_eval(s->conf->expr, s->frame);
    switch (v->state) {
    case MU_VALUE_TEXT:
        out->verdict(out, v->truth ? MU_V_PASS : MU_V_FAIL, mu_span(NULL, 0));
        return true;
    case MU_VALUE_MISSING:
        return mu_row_not_evaluated(out);
    case MU_VALUE_INVALID:
        out->verdict(out, MU_V_ERROR, mu_span(NULL, 0));
        return true;
    }
    return true;
}

const struct mu_check mu_rule_expr = {
    .name = "expr",
    .title = "What the rule says must hold",
    .version = 1,
    .shape = MU_SHAPE_MAP,
    .begin = begin,
    .record = record,
    .merge = mu_row_merge,
    .save = mu_row_save,
    .restore = mu_row_restore,
    .finish = mu_row_finish,
};
