/* SPDX-License-Identifier: Apache-2.0 */
/* ISO 13616: the country's structure as its registry gives it ("DE2!n8!n10!n": n digit, a capital letter, c
 * either), and check digits such that the number with its first four characters moved to the end leaves 1
 * modulo 97. */
#include "engine/checks/characters.h"
#include "engine/checks/row.h"
#include "engine/checks/table.h"

#define IBAN_MAX 34

/* The class of each character, the country's two letters left out. */
struct structure {
    size_t length;
    char classes[IBAN_MAX];
};

struct conf {
    struct mu_operand operand;
    int parents; /* a territory's IBAN may begin with its own code */
    const struct structure *countries[26 * 26];
};

static size_t slot(const char *at)
{
    return (size_t)((at[0] - 'A') * 26 + at[1] - 'A');
}

static bool is_country(struct mu_span s)
{
    return s.len == 2 && mu_is_upper(s.at[0]) && mu_is_upper(s.at[1]);
}

/* Takes "DE2!n8!n10!n" apart. */
static bool read_structure(struct structure *out, struct mu_span text, struct mu_span country)
{
    if (text.len < 2 || memcmp(text.at, country.at, 2) != 0)
        return false;
    out->length = 2;
    for (size_t i = 2; i < text.len;) {
        size_t count = 0;
        for (; i < text.len && mu_is_digit(text.at[i]) && count <= IBAN_MAX; i++)
            count = count * 10 + mu_value36(text.at[i]);
        if (count == 0 || i + 2 > text.len || text.at[i] != '!' || !strchr("nac", text.at[i + 1]) ||
            out->length + count > IBAN_MAX)
            return false;
        memset(out->classes + out->length, text.at[i + 1], count);
        out->length += count;
        i += 2;
    }
    return out->length >= 5 && out->classes[2] == 'n' && out->classes[3] == 'n';
}

static bool wrong_row(const struct mu_list_data *list, size_t row, const char *what, struct mu_error *err)
{
    return mu_reject(err, "invalid", "/registry", "list %s@%s, row %zu: %s", mu_list_name(list),
                     mu_list_version(list), row + 1, what);
}

/* The territories of a country, with a blank between two, have its structure. */
static bool read_territories(struct conf *c, struct mu_span text, const struct structure *parent)
{
    for (size_t i = 0; i < text.len; i += 3) {
        struct mu_span code = mu_span(text.at + i, text.len - i < 2 ? text.len - i : 2);
        if (!is_country(code) || (i + 2 < text.len && text.at[i + 2] != ' '))
            return false;
        c->countries[slot(code.at)] = parent;
    }
    return true;
}

static bool read_registry(struct conf *c, struct mu_env *env, const struct mu_list_data *list,
                          struct mu_error *err)
{
    int shape = mu_list_column(list, "structure"), territories = mu_list_column(list, "territories");
    for (size_t row = 0; row < mu_list_rows(list); row++) {
        struct mu_span key = mu_list_key(list, row);
        struct structure *s = mu_row_get(env, sizeof *s, err);
        if (!s)
            return false;
        if (!is_country(key) || !read_structure(s, mu_list_value(list, row, shape), key))
            return wrong_row(list, row, "this is no country with its structure", err);
        c->countries[slot(key.at)] = s;
        if (c->parents && !read_territories(c, mu_list_value(list, row, territories), s))
            return wrong_row(list, row, "territories are two letters each, with a blank between two", err);
    }
    return true;
}

static bool configure(void **conf, struct mu_env *env, const json_t *params, struct mu_error *err)
{
    static const char *const known[] = {MU_OPERAND_PARAMS, "registry", "territories", NULL};
    static const char *const columns[] = {"structure", "territories", NULL};
    static const char *const territories[] = {"reject", "parent", NULL};
    const struct mu_list_data *list = NULL;
    struct conf *c = mu_row_get(env, sizeof *c, err);
    if (!c || !mu_params_known(params, known, err) || !mu_operand_configure(&c->operand, env, params, err) ||
        !mu_param_word(&c->parents, params, "territories", territories, err) ||
        !mu_param_list(&list, env, params, "registry", "iban", columns, err) ||
        !read_registry(c, env, list, err))
        return false;
    *conf = c;
    return true;
}

static bool is_of(char c, char class)
{
    return class == 'c' || (class == 'n' ? mu_is_digit(c) : mu_is_upper(c));
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
    if (s.len < 5 || !mu_is_upper(s.at[0]) || !mu_is_upper(s.at[1]))
        return mu_row_fail(out, "structure: does not begin with a country and check digits");
    const struct structure *shape = c->countries[slot(s.at)];
    if (!shape)
        return mu_row_fail(out, "country %.2s has no IBAN", s.at);
    if (s.len != shape->length)
        return mu_row_fail(out, "structure: %zu characters, expected %zu for %.2s", s.len, shape->length,
                           s.at);
    for (size_t i = 2; i < s.len; i++) {
        if (!is_of(s.at[i], shape->classes[i]))
            return mu_row_fail(out, "structure: character %zu is no %s", i + 1,
                               shape->classes[i] == 'n' ? "digit" : "letter");
    }
    struct mu_span rest = mu_span(s.at + 4, s.len - 4);
    unsigned before = mu_mod97(mu_mod97(0, rest), mu_span(s.at, 2));
    if (mu_mod97(before, mu_span(s.at + 2, 2)) != 1)
        return mu_row_fail(out, "check digits %.2s, expected %02u", s.at + 2, 98 - before * 100 % 97);
    return mu_row_pass(out);
}

const struct mu_check mu_check_iban = {
    .name = "iban",
    .title = "International Bank Account Number (ISO 13616)",
    .example = "{\"column\": \"iban\", \"separators\": \"strip\"}",
    .version = 1,
    .shape = MU_SHAPE_MAP,
    .configure = configure,
    MU_ROW_LIFE(record),
};
