/* SPDX-License-Identifier: Apache-2.0 */
/* A text matches a pattern as a whole. A pattern that needs too many attempts on a text gives an error there,
 * never a pass. */
#include "engine/checks/pattern.h"
#include "engine/checks/row.h"
#include "engine/checks/table.h"

struct conf {
    int column;
    struct mu_pattern *pattern;
};

static bool configure(void **conf, struct mu_env *env, const json_t *params, struct mu_error *err)
{
    static const char *const known[] = {"column", "pattern", NULL};
    const char *pattern = NULL;
    struct conf *c = mu_row_get(env, sizeof *c, err);
    if (!c || !mu_params_known(params, known, err) ||
        !mu_param_column(&c->column, env, params, "column", err) ||
        !mu_param_text(&pattern, params, "pattern", err))
        return false;
    if (!pattern)
        return mu_reject(err, "invalid", "/pattern", "parameter pattern is missing");
    if (!mu_pattern_new(&c->pattern, env->pool, mu_span_of(pattern), "/pattern", err))
        return false;
    *conf = c;
    return true;
}

static bool record(void *state, const struct mu_record *rec, struct mu_sink *out, struct mu_error *err)
{
    (void)err;
    const struct conf *c = ((struct mu_row *)state)->conf;
    struct mu_span text;
    if (!mu_row_value(c->column, rec, out, &text))
        return true;
    switch (mu_pattern_match(c->pattern, text)) {
    case MU_MATCH_YES:
        return mu_row_pass(out);
    case MU_MATCH_NO:
        return mu_row_fail(out, "does not match the pattern");
    case MU_MATCH_LIMIT:
        return mu_row_error(out, "the pattern needs more attempts than are allowed");
    case MU_MATCH_NOT_UTF8:
        return mu_row_error(out, "the value is not UTF-8");
    }
    return true;
}

const struct mu_check mu_check_regex = {
    .name = "regex",
    .title = "A text matches a pattern",
    .example = "{\"column\": \"ref\", \"pattern\": \"[A-Z0-9]{1,52}\"}",
    .version = 1,
    .shape = MU_SHAPE_MAP,
    .configure = configure,
    MU_ROW_LIFE(record),
};
