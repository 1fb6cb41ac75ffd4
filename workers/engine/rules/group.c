/* SPDX-License-Identifier: Apache-2.0 */
/* A rule over groups of records. While records come, their groups take them in; when all are known, each group,
 * or each window over the days (or numbers) of a key, is judged. */
#include "base/clock.h"
#include "engine/checks/row.h"
#include "engine/rules/groups.h"

#define SHOWN_BYTES 120 /* of a key, in a refusal */

struct state {
    const struct mu_group_conf *conf;
    struct mu_frame *frame;
    struct mu_groups groups;
};

static bool begin(void **state, struct mu_env *env, const void *conf, struct mu_error *err)
{
    struct state *s = mu_row_get(env, sizeof(*s), err);
    if (!s)
        return false;
    s->conf = conf;
    s->frame = env->frame;
    if (!mu_groups_init(&s->groups, s->conf->rule, env->pool, env->state_bytes, err))
        return false;
    *state = s;
    return true;
}

/* The record's key in `key`; its worst state. */
static enum mu_value_state read_key(struct state *s, struct mu_text *key)
{
    const struct mu_group_rule *rule = s->conf->rule;
    enum mu_value_state worst = MU_VALUE_TEXT;
    MU_AUTO(mu_text_free) struct mu_text text = MU_TEXT(0);
    for (size_t i = 0; i < rule->key_count; i++) {
        const struct mu_xvalue *v = mu_eval(s->conf->keys[i], s->frame);
        if (v->state == MU_VALUE_INVALID || (v->state == MU_VALUE_MISSING && worst == MU_VALUE_TEXT))
            worst = v->state;
        if (v->state != MU_VALUE_TEXT)
            continue;
        if (rule->keys[i].expr->type == MU_TYPE_TEXT) {
            mu_saved_put_text(key, v->text);
            continue;
        }
        mu_text_reset(&text);
        mu_xvalue_format(rule->keys[i].expr->type, v, &text);
        mu_saved_put_text(key, mu_text_span(&text));
    }
    key->failed |= text.failed;
    return worst;
}

/* A group's key as people read it: ["2026-03-02","in","P1"]. */
static void write_subject(const struct mu_group_rule *rule, struct mu_span key, struct mu_text *out)
{
    struct mu_saved in = {key};
    struct mu_span text;
    mu_text_putc(out, '[');
    for (size_t i = 0; i < rule->key_count && mu_saved_text(&in, &text); i++) {
        if (i)
            mu_text_putc(out, ',');
        mu_text_add_json(out, text);
    }
    mu_text_putc(out, ']');
}

static bool too_much(const struct state *s, struct mu_span key, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text subject = MU_TEXT(0);
    if (s->conf->masked)
        mu_text_puts(&subject, "(its key is masked)");
    else
        write_subject(s->conf->rule, key, &subject);
    size_t shown = subject.len < SHOWN_BYTES ? subject.len : SHOWN_BYTES;
    while (shown && shown < subject.len && ((unsigned char)subject.at[shown] & 0xC0) == 0x80)
        shown--; /* no half character */
    (void)mu_reject(err, "limit_group_state", "", "groups take more than %lld bytes, at the group %.*s%s",
                    (long long)s->conf->state_max, (int)shown, subject.at, shown < subject.len ? "…" : "");
    return mu_hint(err, "narrow the rule with \"where\", or split the input by one of its keys");
}

static bool take(struct state *s, struct mu_group *group, const struct mu_record *rec, struct mu_error *err)
{
    const struct mu_group_rule *rule = s->conf->rule;
    const struct mu_sample sample = {rec->at.record_no, rec->at.byte_off, rec->at.length, rec->at.line};
    group->records++;
    for (size_t i = 0; i < rule->aggregates.count; i++) {
        const struct mu_op *const *ops = s->conf->operands[i];
        const struct mu_xvalue *v[2] = {NULL, NULL};
        for (size_t k = 0; k < 2 && ops[k]; k++)
            v[k] = mu_eval(ops[k], s->frame);
        if (!mu_total_add(&group->totals[i], &rule->aggregates.items[i], v, rec->at.record_no, s->groups.pool,
                          s->groups.bytes, err))
            return false;
    }
    return mu_group_add_sample(&s->groups, group, &sample, err);
}

static bool record(void *state, const struct mu_record *rec, struct mu_sink *out, struct mu_error *err)
{
    struct state *s = state;
    struct mu_group *group;
    struct mu_text *key = mu_frame_piece(s->frame);
    if (!key)
        return mu_fail(err, MU_BROKEN, "out of memory");
    switch (read_key(s, key)) {
    case MU_VALUE_TEXT:
        break;
    case MU_VALUE_MISSING:
        return mu_row_not_evaluated(out);
    case MU_VALUE_INVALID:
        out->verdict(out, MU_V_ERROR, mu_span(NULL, 0));
        return true;
    }
    if (!mu_text_ok(key, err) || !mu_groups_get(&group, &s->groups, mu_text_span(key), err) ||
        !take(s, group, rec, err))
        return false;
    return *s->groups.bytes <= s->conf->state_max || too_much(s, group->key, err);
}

static bool merge(void *into, const void *other, struct mu_error *err)
{
    struct state *s = into;
    const struct state *o = other;
    for (size_t i = 0; i < o->groups.room; i++) {
        struct mu_group *group;
        if (!o->groups.slots[i])
            continue;
        if (!mu_groups_get(&group, &s->groups, o->groups.slots[i]->key, err) ||
            !mu_group_merge(&s->groups, group, o->groups.slots[i], err))
            return false;
        if (*s->groups.bytes > s->conf->state_max)
            return too_much(s, group->key, err);
    }
    return true;
}

static bool save(const void *state, struct mu_text *out, struct mu_error *err)
{
    mu_groups_save(&((const struct state *)state)->groups, out, err);
    return mu_text_ok(out, err);
}

static bool restore(void *state, struct mu_span saved, struct mu_error *err)
{
    return mu_groups_restore(&((struct state *)state)->groups, saved, err);
}

static enum mu_verdict of_band(const struct mu_group_rule *rule, struct mu_decimal value, const char **severity)
{
    size_t i = 0;
    while (rule->bands[i].has_bound && mu_decimal_compare(value, rule->bands[i].below) >= 0)
        i++;
    *severity = rule->bands[i].severity;
    return rule->bands[i].verdict;
}

/* A group that would pass although operands of its aggregates were skipped has not been judged by all of its
 * records; nor does anything pass for which there were none. */
static void judge(struct state *s, const struct mu_group *group, struct mu_found *found)
{
    const struct mu_group_rule *rule = s->conf->rule;
    const struct mu_xvalue *v = mu_eval(rule->having ? s->conf->having : s->conf->value, s->frame);
    for (size_t i = 0; i < rule->judged_count; i++) {
        found->missing += group->totals[i].missing;
        found->invalid += group->totals[i].invalid;
    }
    if (v->state == MU_VALUE_MISSING)
        found->verdict = MU_V_NOT_EVALUATED;
    else if (v->state == MU_VALUE_INVALID)
        found->verdict = MU_V_ERROR;
    else if (rule->having)
        found->verdict = v->truth ? MU_V_FAIL : MU_V_PASS;
    else
        found->verdict = of_band(rule, v->decimal, &found->severity);
    for (size_t i = 0; i < rule->aggregates.count; i++)
        found->at_least |= group->totals[i].saturated;
    if (found->verdict == MU_V_PASS && (found->missing || found->invalid || !group->records))
        found->verdict = MU_V_NOT_EVALUATED;
    if (found->verdict == MU_V_NOT_EVALUATED && found->invalid)
        found->verdict = MU_V_ERROR;
}

/* Puts the group in front of the frame, and its verdict in *found. */
static bool look(struct state *s, const struct mu_group *group, struct mu_xvalue *keys, struct mu_xvalue *values,
                 struct mu_found *found, struct mu_error *err)
{
    const struct mu_group_rule *rule = s->conf->rule;
    if (!mu_group_keys(rule, group->key, keys))
        return mu_fail(err, MU_BROKEN, "a group has lost its key");
    for (size_t i = 0; i < rule->aggregates.count; i++)
        values[i] = mu_total_value(&group->totals[i], &rule->aggregates.items[i], group->records);
    mu_frame_group(s->frame, keys, values);
    *found = (struct mu_found){.keys = keys,
                               .records = group->records,
                               .samples = group->samples,
                               .sample_count = group->sample_count};
    judge(s, group, found);
    return true;
}

static bool tell(struct state *s, const struct mu_group *group, struct mu_found *found, struct mu_sink *out,
                 struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text subject = MU_TEXT(0);
    write_subject(s->conf->rule, group->key, &subject);
    found->subject = mu_text_span(&subject);
    return mu_text_ok(&subject, err) && out->group(out, found, err);
}

static bool finish_groups(struct state *s, struct mu_group **all, struct mu_sink *out, struct mu_error *err)
{
    struct mu_xvalue keys[MU_GROUP_KEYS_MAX], values[MU_AGGREGATES_MAX];
    struct mu_found found;
    for (size_t i = 0; i < s->groups.count; i++)
        if (!look(s, all[i], keys, values, &found, err) || !tell(s, all[i], &found, out, err))
            return false;
    return true;
}

/* The value of the window's key, as a whole number; false: it is none, and its records are in no window. */
static bool window_value(const struct mu_group_rule *rule, const struct mu_group *group, int64_t *out)
{
    struct mu_xvalue keys[MU_GROUP_KEYS_MAX];
    if (!mu_group_keys(rule, group->key, keys))
        return false;
    const struct mu_xvalue *v = &keys[rule->window_key];
    if (rule->keys[rule->window_key].expr->type == MU_TYPE_DATE) {
        *out = v->day;
        return true;
    }
    return mu_decimal_whole(v->decimal, INT64_MIN / 2, INT64_MAX / 2, out);
}

/* What a finding about a window says of where it lies. */
struct window {
    int64_t from, to;
    char from_text[MU_DECIMAL_MAX], to_text[MU_DECIMAL_MAX];
};

static struct mu_span window_text(const struct mu_group_rule *rule, int64_t value, char text[MU_DECIMAL_MAX])
{
    if (rule->keys[rule->window_key].expr->type == MU_TYPE_DATE)
        mu_date_format((int32_t)value, text);
    else
        mu_decimal_format((struct mu_decimal){value, 0}, text);
    return mu_span_of(text);
}

/* The window that ends with group `i`: it and those before it of the same other keys, as far as they are in it. */
static bool fold(struct state *s, struct mu_group **all, size_t i, struct mu_pool *pool, struct mu_group **out,
                 struct mu_error *err)
{
    const struct mu_group_rule *rule = s->conf->rule;
    int64_t uncounted = 0;
    struct mu_groups scratch = {.rule = rule, .pool = pool, .bytes = &uncounted};
    struct mu_group *sum = mu_group_new(rule, pool);
    int64_t end = 0, at;
    if (!sum)
        return mu_fail(err, MU_BROKEN, "no memory left for the groups of a rule");
    (void)window_value(rule, all[i], &end);
    for (size_t k = i + 1; k-- > 0 && mu_group_same_but_window(rule, all[k], all[i]);) {
        if (!window_value(rule, all[k], &at) || at <= end - rule->window_size)
            break;
        if (!mu_group_merge(&scratch, sum, all[k], err))
            return false;
    }
    sum->key = all[i]->key;
    *out = sum;
    return true;
}

/* How many groups from `i` on follow each other and are flagged like the first, whose finding is the only one. */
struct flagged {
    bool open;
    size_t begin;
};

static bool finish_window(struct state *s, struct mu_group **all, size_t i, struct flagged *run, struct mu_sink *out,
                          struct mu_error *err)
{
    const struct mu_group_rule *rule = s->conf->rule;
    struct mu_xvalue keys[MU_GROUP_KEYS_MAX], values[MU_AGGREGATES_MAX];
    MU_AUTO(mu_pool_free) struct mu_pool *pool = mu_pool_new((size_t)64 << 20);
    struct mu_group *sum = NULL;
    struct mu_found found;
    struct window w;
    if (!pool)
        return mu_fail(err, MU_BROKEN, "out of memory");
    if (!window_value(rule, all[i], &w.to)) {
        found = (struct mu_found){.verdict = MU_V_ERROR, .records = all[i]->records};
        return tell(s, all[i], &found, out, err);
    }
    if (!fold(s, all, i, pool, &sum, err) || !look(s, sum, keys, values, &found, err))
        return false;
    w.from = w.to - rule->window_size + 1;
    if (rule->keys[rule->window_key].expr->type == MU_TYPE_DATE && w.from < MU_DAY_FIRST)
        w.from = MU_DAY_FIRST;
    found.from = window_text(rule, w.from, w.from_text);
    found.to = window_text(rule, w.to, w.to_text);
    const bool flag = found.verdict == MU_V_FAIL || found.verdict == MU_V_WARN;
    const bool goes_on = flag && run->open && rule->window_runs && mu_group_same_but_window(rule, all[run->begin], all[i]);
    if (flag && !goes_on)
        run->begin = i;
    run->open = flag;
    return goes_on || tell(s, sum, &found, out, err);
}

static bool finish(void *state, struct mu_sink *out, struct mu_error *err)
{
    struct state *s = state;
    struct mu_group **all = NULL, *nothing;
    struct flagged run = {0};
    if (!s->conf->rule->key_count && !mu_groups_get(&nothing, &s->groups, mu_span("", 0), err))
        return false; /* without keys there is one group, records or not */
    if (!mu_groups_sorted(&s->groups, &all, err))
        return false;
    bool good = true;
    if (!s->conf->rule->has_window)
        good = finish_groups(s, all, out, err);
    for (size_t i = 0; good && s->conf->rule->has_window && i < s->groups.count; i++)
        good = finish_window(s, all, i, &run, out, err);
    free(all);
    return good;
}

const struct mu_check mu_rule_group = {
    .name = "group",
    .title = "What the rule looks for in groups of records",
    .version = 1,
    .shape = MU_SHAPE_KEYED,
    .begin = begin,
    .record = record,
    .merge = merge,
    .save = save,
    .restore = restore,
    .finish = finish,
};
