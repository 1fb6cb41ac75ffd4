/* SPDX-License-Identifier: Apache-2.0 */
/* ISO 4217: in the list and in force on the day; and an amount, if one is named, has no more decimals than
 * the currency has minor units. */
#include "engine/checks/table.h"
#include "engine/checks/validity.h"

struct conf {
    struct mu_operand operand;
    struct mu_on on;
    struct mu_validity listed;
    int amount; /* column, or -1 */
    int *minor; /* units by row of the list, -1: not stated */
};

static bool read_minor_units(struct conf *c, struct mu_env *env, const struct mu_list_data *list,
                             struct mu_error *err)
{
    int column = mu_list_column(list, "minor_units");
    size_t rows = mu_list_rows(list);
    c->minor = mu_row_get(env, (rows ? rows : 1) * sizeof *c->minor, err);
    for (size_t row = 0; c->minor && row < rows; row++) {
        int64_t units = -1;
        struct mu_span text = mu_list_value(list, row, column);
        if (text.len && !mu_parse_i64(text, 0, 9, &units))
            return mu_reject(err, "invalid", "/registry",
                             "list %s@%s, row %zu: minor_units is to be 0 to 9 or empty", mu_list_name(list),
                             mu_list_version(list), row + 1);
        c->minor[row] = (int)units;
    }
    return c->minor != NULL;
}

static bool configure(void **conf, struct mu_env *env, const json_t *params, struct mu_error *err)
{
    static const char *const known[] = {MU_OPERAND_PARAMS, "registry", "on", "amount", NULL};
    static const char *const columns[] = {"minor_units", NULL};
    const struct mu_list_data *list = NULL;
    struct conf *c = mu_row_get(env, sizeof *c, err);
    if (!c || !mu_params_known(params, known, err) || !mu_operand_configure(&c->operand, env, params, err) ||
        !mu_on_configure(&c->on, env, params, err) ||
        !mu_param_list(&list, env, params, "registry", "currency", columns, err) ||
        !mu_validity_configure(&c->listed, list, "/registry", err) || !read_minor_units(c, env, list, err))
        return false;
    c->amount = -1;
    if (mu_params_has(params, "amount") && !mu_param_column(&c->amount, env, params, "amount", err))
        return false;
    *conf = c;
    return true;
}

static bool check_amount(const struct conf *c, int minor, const struct mu_record *rec, struct mu_sink *out)
{
    struct mu_span text;
    struct mu_decimal amount;
    if (!mu_row_value(c->amount, rec, out, &text))
        return true;
    if (!mu_decimal_parse(text, &amount))
        return mu_row_error(out, "the amount is no decimal number");
    if (minor >= 0 && amount.scale > minor)
        return mu_row_fail(out, "an amount with %d decimals, the currency has %d", amount.scale, minor);
    return mu_row_pass(out);
}

static bool record(void *state, const struct mu_record *rec, struct mu_sink *out, struct mu_error *err)
{
    (void)err;
    const struct conf *c = ((struct mu_row *)state)->conf;
    char form[MU_OPERAND_MAX];
    struct mu_span s;
    int32_t day;
    if (!mu_operand_read(&c->operand, rec, out, form, &s) || !mu_on_read(&c->on, rec, out, &day))
        return true;
    int64_t row = mu_validity_find(&c->listed, s, day);
    if (row < 0)
        return mu_validity_fail(&c->listed, row, out);
    return c->amount < 0 ? mu_row_pass(out) : check_amount(c, c->minor[row], rec, out);
}

const struct mu_check mu_check_currency = {
    .name = "currency",
    .title = "Currency code (ISO 4217), and decimals of an amount in it",
    .example = "{\"column\": \"currency\", \"amount\": \"price\"}",
    .version = 1,
    .shape = MU_SHAPE_MAP,
    .configure = configure,
    MU_ROW_LIFE(record),
};
