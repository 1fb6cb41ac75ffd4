/* SPDX-License-Identifier: Apache-2.0 */
/* ISO 10383: the market is listed and in use on the day, and so is what operates it: a segment names an
 * operating market, which must be listed too. */
#include "base/clock.h"
#include "engine/checks/table.h"
#include "engine/checks/validity.h"

struct market {
    bool expired;      /* from the day `expiry` on */
    bool has_operator; /* its operating market is listed */
    int32_t expiry;
};

struct conf {
    struct mu_operand operand;
    struct mu_on on;
    const struct mu_list_data *list;
    struct market *markets; /* by row of the list */
};

static bool wrong_row(const struct mu_list_data *list, size_t row, const char *what, struct mu_error *err)
{
    return mu_reject(err, "invalid", "/registry", "list %s@%s, row %zu: %s", mu_list_name(list),
                     mu_list_version(list), row + 1, what);
}

static bool read_markets(struct conf *c, struct mu_env *env, struct mu_error *err)
{
    const struct mu_list_data *list = c->list;
    int operating = mu_list_column(list, "operating"), status = mu_list_column(list, "status"),
        expiry = mu_list_column(list, "expiry");
    size_t rows = mu_list_rows(list);
    c->markets = mu_row_get(env, (rows ? rows : 1) * sizeof *c->markets, err);
    for (size_t row = 0; c->markets && row < rows; row++) {
        struct market *m = &c->markets[row];
        struct mu_span s = mu_list_value(list, row, status);
        m->expired = mu_span_is(s, "EXPIRED");
        if (!m->expired && !mu_span_is(s, "ACTIVE") && !mu_span_is(s, "UPDATED"))
            return wrong_row(list, row, "the status is to be ACTIVE, UPDATED or EXPIRED", err);
        if (m->expired && !mu_date_parse(mu_list_value(list, row, expiry), &m->expiry))
            return wrong_row(list, row, "a market that is EXPIRED needs a date in expiry", err);
        m->has_operator = mu_list_find(list, mu_list_value(list, row, operating)) >= 0;
    }
    return c->markets != NULL;
}

static bool configure(void **conf, struct mu_env *env, const json_t *params, struct mu_error *err)
{
    static const char *const known[] = {MU_OPERAND_PARAMS, "registry", "on", NULL};
    static const char *const columns[] = {"operating", "status", "expiry", NULL};
    struct conf *c = mu_row_get(env, sizeof *c, err);
    if (!c || !mu_params_known(params, known, err) || !mu_operand_configure(&c->operand, env, params, err) ||
        !mu_on_configure(&c->on, env, params, err) ||
        !mu_param_list(&c->list, env, params, "registry", "mic", columns, err) || !read_markets(c, env, err))
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
    int32_t day;
    if (!mu_operand_read(&c->operand, rec, out, form, &s))
        return true;
    int64_t row = mu_list_find(c->list, s);
    if (row < 0)
        return mu_row_fail(out, "not in the list %s@%s", mu_list_name(c->list), mu_list_version(c->list));
    const struct market *m = &c->markets[row];
    if (!m->has_operator)
        return mu_row_fail(out, "its operating market is not in the list %s@%s", mu_list_name(c->list),
                           mu_list_version(c->list));
    if (!m->expired)
        return mu_row_pass(out);
    if (!mu_on_read(&c->on, rec, out, &day))
        return true;
    if (day >= m->expiry) {
        char date[MU_DATE_MAX];
        mu_date_format(m->expiry, date);
        return mu_row_fail(out, "expired on %s", date);
    }
    return mu_row_pass(out);
}

const struct mu_check mu_check_mic = {
    .name = "mic",
    .title = "Market Identifier Code (ISO 10383)",
    .example = "{\"column\": \"mic\", \"on\": \"trade_date\"}",
    .version = 1,
    .shape = MU_SHAPE_MAP,
    .configure = configure,
    MU_ROW_LIFE(record),
};
