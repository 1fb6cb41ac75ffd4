/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/rules/aggregate.h"

#include "engine/rules/distinct.h"

static bool no_memory(struct mu_error *err)
{
    return mu_fail(err, MU_BROKEN, "no memory left for the groups of a rule");
}

static void add_up(struct mu_total *t, struct mu_decimal what)
{
    if (!t->failed && !mu_decimal_add(t->value.decimal, what, &t->value.decimal))
        t->failed = true;
}

/* Keeps a value; a text is copied, over the one before if it fits there. */
static bool keep(struct mu_total *t, enum mu_type type, const struct mu_xvalue *v, struct mu_pool *pool,
                 int64_t *bytes, struct mu_error *err)
{
    if (type != MU_TYPE_TEXT) {
        t->value = *v;
        return true;
    }
    if (v->text.len > t->text_room || !t->text) {
        t->text = mu_pool_get(pool, v->text.len * 2 + 1);
        if (!t->text)
            return no_memory(err);
        t->text_room = v->text.len * 2;
    }
    if (v->text.len)
        memcpy(t->text, v->text.at, v->text.len);
    *bytes += (int64_t)v->text.len - (int64_t)(t->value.state == MU_VALUE_TEXT ? t->value.text.len : 0);
    t->value = (struct mu_xvalue){.state = MU_VALUE_TEXT, .text = mu_span(t->text, v->text.len)};
    return true;
}

/* Beyond the limit nothing is remembered but that it was passed: which values came first must not show. */
static bool add_distinct(struct mu_total *t, struct mu_span text, struct mu_pool *pool, int64_t *bytes,
                         struct mu_error *err)
{
    bool fresh = false;
    if (t->saturated)
        return true;
    if (!t->distinct && !(t->distinct = mu_pool_get(pool, sizeof(*t->distinct))))
        return no_memory(err);
    if (!mu_distinct_add(t->distinct, text, pool, &fresh))
        return no_memory(err);
    if (fresh)
        *bytes += (int64_t)text.len + 32;
    if (t->distinct->count > MU_DISTINCT_MAX) {
        t->saturated = true;
        for (size_t i = 0; i < t->distinct->room; i++)
            if (t->distinct->slots[i].at)
                *bytes -= (int64_t)t->distinct->slots[i].len + 32;
        t->distinct = NULL;
    }
    return true;
}

static bool take_distinct(struct mu_total *t, const struct mu_aggregate *a, const struct mu_xvalue *v,
                          struct mu_pool *pool, int64_t *bytes, struct mu_error *err)
{
    if (a->of == MU_TYPE_TEXT)
        return add_distinct(t, v->text, pool, bytes, err);
    MU_AUTO(mu_text_free) struct mu_text text = MU_TEXT(0);
    mu_xvalue_format(a->of, v, &text);
    return mu_text_ok(&text, err) && add_distinct(t, mu_text_span(&text), pool, bytes, err);
}

static bool better(const struct mu_total *t, const struct mu_aggregate *a, const struct mu_xvalue *v, int64_t record_no)
{
    if (!t->taken)
        return true;
    switch (a->fn->aggregate) {
    case MU_AGG_MIN:
        return mu_xvalue_compare(a->of, v, &t->value) < 0;
    case MU_AGG_MAX:
        return mu_xvalue_compare(a->of, v, &t->value) > 0;
    case MU_AGG_FIRST:
        return record_no < t->record_no;
    case MU_AGG_LAST:
        return record_no > t->record_no;
    case MU_AGG_NONE:
    case MU_AGG_COUNT:
    case MU_AGG_COUNT_IF:
    case MU_AGG_COUNT_DISTINCT:
    case MU_AGG_SUM:
    case MU_AGG_SUM_IF:
    case MU_AGG_AVG:
        break;
    }
    return false;
}

/* Of operands that are present. */
static bool take(struct mu_total *t, const struct mu_aggregate *a, const struct mu_xvalue *const *v, int64_t record_no,
                 struct mu_pool *pool, int64_t *bytes, struct mu_error *err)
{
    switch (a->fn->aggregate) {
    case MU_AGG_NONE:
        return true;
    case MU_AGG_COUNT:
        t->taken++;
        return true;
    case MU_AGG_COUNT_IF:
        t->taken += v[0]->truth;
        return true;
    case MU_AGG_COUNT_DISTINCT:
        t->taken++;
        return take_distinct(t, a, v[0], pool, bytes, err);
    case MU_AGG_SUM:
    case MU_AGG_AVG:
        t->taken++;
        add_up(t, v[0]->decimal);
        return true;
    case MU_AGG_SUM_IF:
        if (v[1]->truth) {
            t->taken++;
            add_up(t, v[0]->decimal);
        }
        return true;
    case MU_AGG_MIN:
    case MU_AGG_MAX:
    case MU_AGG_FIRST:
    case MU_AGG_LAST:
        if (better(t, a, v[0], record_no)) {
            t->record_no = a->fn->aggregate >= MU_AGG_FIRST ? record_no : 0;
            if (!keep(t, a->of, v[0], pool, bytes, err))
                return false;
        }
        t->taken++;
        return true;
    }
    return true;
}

bool mu_total_add(struct mu_total *t, const struct mu_aggregate *a, const struct mu_xvalue *const *operands,
                  int64_t record_no, struct mu_pool *pool, int64_t *bytes, struct mu_error *err)
{
    enum mu_value_state worst = MU_VALUE_TEXT;
    size_t i = 0;
    for (const struct mu_expr *e = a->args; e; e = e->next, i++)
        if (operands[i]->state == MU_VALUE_INVALID ||
            (operands[i]->state == MU_VALUE_MISSING && worst == MU_VALUE_TEXT))
            worst = operands[i]->state;
    switch (worst) {
    case MU_VALUE_TEXT:
        return take(t, a, operands, record_no, pool, bytes, err);
    case MU_VALUE_MISSING:
        t->missing++;
        return true;
    case MU_VALUE_INVALID:
        t->invalid++;
        return true;
    }
    return true;
}

static bool merge_distinct(struct mu_total *t, const struct mu_total *other, struct mu_pool *pool, int64_t *bytes,
                           struct mu_error *err)
{
    if (other->saturated && !t->saturated) {
        for (size_t i = 0; t->distinct && i < t->distinct->room; i++)
            if (t->distinct->slots[i].at)
                *bytes -= (int64_t)t->distinct->slots[i].len + 32;
        t->distinct = NULL;
        t->saturated = true;
    }
    for (size_t i = 0; other->distinct && i < other->distinct->room; i++)
        if (other->distinct->slots[i].at && !add_distinct(t, other->distinct->slots[i], pool, bytes, err))
            return false;
    return true;
}

bool mu_total_merge(struct mu_total *t, const struct mu_aggregate *a, const struct mu_total *other,
                    struct mu_pool *pool, int64_t *bytes, struct mu_error *err)
{
    t->missing += other->missing;
    t->invalid += other->invalid;
    t->failed |= other->failed;
    switch (a->fn->aggregate) {
    case MU_AGG_NONE:
    case MU_AGG_COUNT:
    case MU_AGG_COUNT_IF:
        break;
    case MU_AGG_COUNT_DISTINCT:
        if (!merge_distinct(t, other, pool, bytes, err))
            return false;
        break;
    case MU_AGG_SUM:
    case MU_AGG_SUM_IF:
    case MU_AGG_AVG:
        add_up(t, other->value.decimal);
        break;
    case MU_AGG_MIN:
    case MU_AGG_MAX:
    case MU_AGG_FIRST:
    case MU_AGG_LAST:
        if (other->taken && better(t, a, &other->value, other->record_no)) {
            t->record_no = other->record_no;
            if (!keep(t, a->of, &other->value, pool, bytes, err))
                return false;
        }
        break;
    }
    t->taken += other->taken;
    return true;
}

static struct mu_xvalue count_value(int64_t count)
{
    return (struct mu_xvalue){.state = MU_VALUE_TEXT, .decimal = {count, 0}};
}

struct mu_xvalue mu_total_value(const struct mu_total *t, const struct mu_aggregate *a, int64_t records)
{
    struct mu_xvalue v = t->value;
    switch (a->fn->aggregate) {
    case MU_AGG_COUNT:
        return count_value(a->args ? t->taken : records);
    case MU_AGG_NONE:
    case MU_AGG_COUNT_IF:
        return count_value(t->taken);
    case MU_AGG_COUNT_DISTINCT:
        return count_value(t->saturated ? MU_DISTINCT_MAX : t->distinct ? (int64_t)t->distinct->count : 0);
    case MU_AGG_SUM:
    case MU_AGG_SUM_IF:
    case MU_AGG_AVG:
    case MU_AGG_MIN:
    case MU_AGG_MAX:
    case MU_AGG_FIRST:
    case MU_AGG_LAST:
        break;
    }
    v.state = !t->taken ? MU_VALUE_MISSING : t->failed ? MU_VALUE_INVALID : MU_VALUE_TEXT;
    if (v.state == MU_VALUE_TEXT && a->fn->aggregate == MU_AGG_AVG &&
        !mu_decimal_divide(t->value.decimal, (struct mu_decimal){t->taken, 0}, &v.decimal))
        v.state = MU_VALUE_INVALID;
    if (v.state == MU_VALUE_TEXT && a->type == MU_TYPE_DECIMAL)
        v.decimal = mu_decimal_normal(v.decimal); /* a saved state has no trailing zeros: nor has one that was not */
    return v;
}

static bool keeps_value(const struct mu_aggregate *a)
{
    return a->fn->aggregate >= MU_AGG_SUM;
}

static void save_distinct(const struct mu_total *t, struct mu_text *out)
{
    const size_t count = t->distinct ? t->distinct->count : 0;
    MU_AUTO(mu_free) struct mu_span *values = calloc(count + 1, sizeof(*values));
    if (!values) {
        out->failed = true;
        return;
    }
    if (count)
        mu_distinct_sorted(t->distinct, values);
    mu_saved_put_int(out, t->saturated ? -1 : (int64_t)count);
    for (size_t i = 0; i < count; i++)
        mu_saved_put_text(out, values[i]);
}

void mu_total_save(const struct mu_total *t, const struct mu_aggregate *a, struct mu_text *out)
{
    mu_saved_put_int(out, t->taken);
    mu_saved_put_int(out, t->missing);
    mu_saved_put_int(out, t->invalid);
    if (a->fn->aggregate == MU_AGG_COUNT_DISTINCT) {
        save_distinct(t, out);
        return;
    }
    if (!keeps_value(a))
        return;
    mu_saved_put_int(out, t->failed ? -1 : t->record_no);
    MU_AUTO(mu_text_free) struct mu_text value = MU_TEXT(0);
    if (t->taken && !t->failed && a->type == MU_TYPE_DURATION)
        mu_text_add_i64(&value, t->value.time);
    else if (t->taken && !t->failed)
        mu_xvalue_format(a->type, &t->value, &value);
    mu_saved_put_text(out, mu_text_span(&value));
    out->failed |= value.failed;
}

static bool restore_distinct(struct mu_total *t, struct mu_saved *in, struct mu_pool *pool, int64_t *bytes,
                             struct mu_error *err)
{
    int64_t count;
    struct mu_span text;
    if (!mu_saved_int(in, &count) || count < -1 || count > MU_DISTINCT_MAX)
        return mu_saved_broken(err);
    t->saturated = count < 0;
    for (int64_t i = 0; i < count; i++)
        if (!mu_saved_text(in, &text) ? !mu_saved_broken(err) : !add_distinct(t, text, pool, bytes, err))
            return false;
    return true;
}

static bool parse_duration(struct mu_span text, struct mu_xvalue *out)
{
    const bool negative = text.len && text.at[0] == '-';
    *out = (struct mu_xvalue){.state = MU_VALUE_TEXT};
    if (!mu_parse_i64(mu_span(text.at + negative, text.len - negative), 0, INT64_MAX, &out->time))
        return false;
    out->time = negative ? -out->time : out->time;
    return true;
}

static bool restore_value(struct mu_total *t, const struct mu_aggregate *a, struct mu_saved *in, struct mu_pool *pool,
                          int64_t *bytes, struct mu_error *err)
{
    struct mu_span text;
    struct mu_xvalue v;
    int64_t record_no;
    if (!mu_saved_int(in, &record_no) || !mu_saved_text(in, &text))
        return mu_saved_broken(err);
    t->failed = record_no < 0;
    t->record_no = t->failed ? 0 : record_no;
    if (!t->taken || t->failed)
        return true;
    const bool good = a->type == MU_TYPE_DURATION ? parse_duration(text, &v) : mu_xvalue_parse(a->type, text, &v);
    return good ? keep(t, a->type, &v, pool, bytes, err) : mu_saved_broken(err);
}

bool mu_total_restore(struct mu_total *t, const struct mu_aggregate *a, struct mu_saved *in, struct mu_pool *pool,
                      int64_t *bytes, struct mu_error *err)
{
    if (!mu_saved_int(in, &t->taken) || !mu_saved_int(in, &t->missing) || !mu_saved_int(in, &t->invalid))
        return mu_saved_broken(err);
    if (a->fn->aggregate == MU_AGG_COUNT_DISTINCT)
        return restore_distinct(t, in, pool, bytes, err);
    return !keeps_value(a) || restore_value(t, a, in, pool, bytes, err);
}
