/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/checks/validity.h"

#include "base/clock.h"
#include "engine/checks/pairs.h"

static bool dates_readable(const struct mu_list_data *list, int column, const char *pointer,
                           struct mu_error *err)
{
    int32_t day;
    for (size_t row = 0; column >= 0 && row < mu_list_rows(list); row++) {
        struct mu_span text = mu_list_value(list, row, column);
        if (text.len && !mu_date_parse(text, &day))
            return mu_reject(err, "invalid", pointer, "list %s@%s, row %zu: %.*s is no date",
                             mu_list_name(list), mu_list_version(list), row + 1,
                             (int)(text.len < 32 ? text.len : 32), text.at);
    }
    return true;
}

bool mu_validity_configure(struct mu_validity *out, const struct mu_list_data *list, const char *pointer,
                           struct mu_error *err)
{
    struct mu_validity v = {list, mu_list_column(list, "from"), mu_list_column(list, "to"),
                            mu_list_column(list, "status"), mu_list_column(list, "expiry")};
    if (!dates_readable(list, v.from, pointer, err) || !dates_readable(list, v.to, pointer, err) ||
        (v.status >= 0 && !dates_readable(list, v.expiry, pointer, err)))
        return false;
    *out = v;
    return true;
}

bool mu_validity_holds(const struct mu_validity *v, size_t row, int32_t day)
{
    int32_t bound;
    if (v->from >= 0 && mu_date_parse(mu_list_value(v->list, row, v->from), &bound) && day < bound)
        return false;
    if (v->to >= 0 && mu_date_parse(mu_list_value(v->list, row, v->to), &bound) && day >= bound)
        return false;
    if (v->status < 0 || !mu_span_is(mu_list_value(v->list, row, v->status), "EXPIRED"))
        return true;
    return v->expiry >= 0 && mu_date_parse(mu_list_value(v->list, row, v->expiry), &bound) && day < bound;
}

int64_t mu_validity_find(const struct mu_validity *v, struct mu_span key, int32_t day)
{
    int64_t row = mu_list_find(v->list, key);
    if (row < 0)
        return -2;
    for (; (size_t)row < mu_list_rows(v->list) && mu_span_equal(mu_list_key(v->list, (size_t)row), key);
         row++) {
        if (mu_validity_holds(v, (size_t)row, day))
            return row;
    }
    return -1;
}

bool mu_validity_fail(const struct mu_validity *v, int64_t found, struct mu_sink *sink)
{
    return mu_row_fail(sink,
                       found == -1 ? "not in force on that day by the list %s@%s" : "not in the list %s@%s",
                       mu_list_name(v->list), mu_list_version(v->list));
}

bool mu_on_configure(struct mu_on *out, struct mu_env *env, const json_t *params, struct mu_error *err)
{
    const char *text = NULL;
    *out = (struct mu_on){-1, env->as_of};
    if (!mu_param_text(&text, params, "on", err))
        return false;
    if (!text || mu_date_parse(mu_span_of(text), &out->day))
        return true;
    out->column = env->column(env, text);
    return out->column >= 0 ||
           mu_reject(err, "invalid", "/on", "%.64s is neither a date nor a column of the pack", text);
}

bool mu_on_read(const struct mu_on *on, const struct mu_record *rec, struct mu_sink *sink, int32_t *day)
{
    struct mu_span text;
    *day = on->day;
    if (on->column < 0)
        return true;
    if (!mu_row_value(on->column, rec, sink, &text))
        return false;
    if (mu_date_parse(text, day))
        return true;
    mu_row_error(sink, "the day of the record is no date");
    return false;
}

bool mu_pairs_fill(struct mu_pairs *out, const struct mu_list_data *list, int32_t day, const char *pointer,
                   struct mu_error *err)
{
    struct mu_validity v;
    if (!mu_validity_configure(&v, list, pointer, err))
        return false;
    for (size_t row = 0; row < mu_list_rows(list); row++) {
        struct mu_span key = mu_list_key(list, row);
        if (key.len != 2 || !mu_is_upper(key.at[0]) || !mu_is_upper(key.at[1]))
            return mu_reject(err, "invalid", pointer,
                             "list %s@%s, row %zu: the key is not two capital letters", mu_list_name(list),
                             mu_list_version(list), row + 1);
        if (mu_validity_holds(&v, row, day))
            mu_pairs_add(out, key.at);
    }
    return true;
}
