/* SPDX-License-Identifier: Apache-2.0 */
/* ISO 10962: a category, a group of it, and four attributes, each with the letters that its group allows; X
 * stands for an attribute that is unknown or has no meaning there. */
#include "engine/checks/characters.h"
#include "engine/checks/row.h"
#include "engine/checks/table.h"

struct group {
    uint32_t allowed[4]; /* bit 0 is A */
};

struct conf {
    struct mu_operand operand;
    bool categories[26];
    const struct group *groups[26 * 26];
};

static uint32_t bit(char c)
{
    return 1u << (c - 'A');
}

static bool read_letters(uint32_t *out, struct mu_span letters)
{
    *out = bit('X');
    for (size_t i = 0; i < letters.len; i++) {
        if (!mu_is_upper(letters.at[i]))
            return false;
        *out |= bit(letters.at[i]);
    }
    return true;
}

static bool read_tree(struct conf *c, struct mu_env *env, const struct mu_list_data *list,
                      const char *const *names, struct mu_error *err)
{
    for (size_t row = 0; row < mu_list_rows(list); row++) {
        struct mu_span key = mu_list_key(list, row);
        struct group *g = mu_row_get(env, sizeof *g, err);
        if (!g)
            return false;
        bool good = key.len == 2 && mu_is_upper(key.at[0]) && mu_is_upper(key.at[1]);
        for (size_t i = 0; i < 4; i++)
            good = good &&
                   read_letters(&g->allowed[i], mu_list_value(list, row, mu_list_column(list, names[i])));
        if (!good)
            return mu_reject(err, "invalid", "/registry", "list %s@%s, row %zu: not capital letters",
                             mu_list_name(list), mu_list_version(list), row + 1);
        c->categories[key.at[0] - 'A'] = true;
        c->groups[(key.at[0] - 'A') * 26 + key.at[1] - 'A'] = g;
    }
    return true;
}

static bool configure(void **conf, struct mu_env *env, const json_t *params, struct mu_error *err)
{
    static const char *const known[] = {MU_OPERAND_PARAMS, "registry", NULL};
    static const char *const columns[] = {"first", "second", "third", "fourth", NULL};
    const struct mu_list_data *list = NULL;
    struct conf *c = mu_row_get(env, sizeof *c, err);
    if (!c || !mu_params_known(params, known, err) || !mu_operand_configure(&c->operand, env, params, err) ||
        !mu_param_list(&list, env, params, "registry", "cfi", columns, err) ||
        !read_tree(c, env, list, columns, err))
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
    if (s.len != 6)
        return mu_row_fail(out, "%zu characters, expected 6", s.len);
    for (size_t i = 0; i < 6; i++) {
        if (!mu_is_upper(s.at[i]))
            return mu_row_fail(out, "character %zu is no capital letter", i + 1);
    }
    if (!c->categories[s.at[0] - 'A'])
        return mu_row_fail(out, "category %c is not known", s.at[0]);
    const struct group *g = c->groups[(s.at[0] - 'A') * 26 + s.at[1] - 'A'];
    if (!g)
        return mu_row_fail(out, "category %c has no group %c", s.at[0], s.at[1]);
    for (size_t i = 0; i < 4; i++) {
        if (!(g->allowed[i] & bit(s.at[i + 2])))
            return mu_row_fail(out, "attribute %zu of group %.2s cannot be %c", i + 1, s.at, s.at[i + 2]);
    }
    return mu_row_pass(out);
}

const struct mu_check mu_check_cfi = {
    .name = "cfi",
    .title = "Classification of Financial Instruments (ISO 10962)",
    .example = "{\"column\": \"cfi\"}",
    .version = 1,
    .shape = MU_SHAPE_MAP,
    .configure = configure,
    MU_ROW_LIFE(record),
};
