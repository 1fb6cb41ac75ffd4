/* SPDX-License-Identifier: Apache-2.0 */
/* ISO 23897: up to 52 capital letters and digits that begin with the LEI of who generated it; codes of before may
 * begin otherwise (`legacy`). */
#include "engine/checks/characters.h"
#include "engine/checks/row.h"
#include "engine/checks/table.h"

#define UTI_MAX 52
#define LEI_LENGTH 20

struct conf {
    struct mu_operand operand;
    int legacy;
};

static bool configure(void **conf, struct mu_env *env, const json_t *params, struct mu_error *err)
{
    static const char *const known[] = {MU_OPERAND_PARAMS, "legacy", NULL};
    static const char *const legacy[] = {"reject", "accept", NULL};
    struct conf *c = mu_row_get(env, sizeof *c, err);
    if (!c || !mu_params_known(params, known, err) || !mu_operand_configure(&c->operand, env, params, err) ||
        !mu_param_word(&c->legacy, params, "legacy", legacy, err))
        return false;
    *conf = c;
    return true;
}

static bool record(void *state, const struct mu_record *rec, struct mu_sink *out, struct mu_error *err)
{
    (void)err;
    const struct conf *c = ((struct mu_row *)state)->conf;
    char form[MU_OPERAND_MAX];
    struct mu_span s;
    if (!mu_operand_read(&c->operand, rec, out, form, &s))
        return true;
    size_t good = mu_alphanumeric_prefix(s);
    if (good < s.len)
        return mu_row_fail(out, "character %zu is no capital letter or digit", good + 1);
    if (s.len == 0 || s.len > UTI_MAX)
        return mu_row_fail(out, "%zu characters, expected 1 to %d", s.len, UTI_MAX);
    if (c->legacy)
        return mu_row_pass(out);
    if (s.len <= LEI_LENGTH)
        return mu_row_fail(out, "%zu characters, expected more than the %d of an LEI", s.len, LEI_LENGTH);
    if (!mu_is_digit(s.at[18]) || !mu_is_digit(s.at[19]) || mu_mod97(0, mu_span(s.at, LEI_LENGTH)) != 1)
        return mu_row_fail(out, "does not begin with a valid LEI");
    return mu_row_pass(out);
}

const struct mu_check mu_check_uti = {
    .name = "uti",
    .title = "Unique Transaction Identifier (ISO 23897)",
    .example = "{\"column\": \"uti\"}",
    .version = 1,
    .shape = MU_SHAPE_MAP,
    .configure = configure,
    MU_ROW_LIFE(record),
};
