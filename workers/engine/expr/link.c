/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/expr/link.h"

#include "engine/calendar.h"
#include "engine/checks/pattern.h"
#include "engine/checks/validity.h"
#include "engine/expr/bound.h"
#include "engine/pack.h"

struct known_pattern {
    struct mu_span text;
    struct mu_pattern *pattern;
    struct known_pattern *next;
};
struct known_check {
    const struct mu_check *check;
    const struct mu_called_check *called;
    struct known_check *next;
};
struct known_index {
    const struct mu_list_data *list;
    int column;
    const struct mu_list_index *index;
    struct known_index *next;
};

struct mu_linker {
    struct mu_link_setup setup;
    struct mu_pool *pool; /* of the setup's env */
    const struct mu_op **lets;               /* by let, once linked */
    const struct mu_calendar **calendars;    /* by list */
    const struct mu_validity **validities;   /* by list */
    struct known_pattern *patterns;
    struct known_check *checks;
    struct known_index *indices;
    const struct mu_op **ops; /* all, by hash; room is a power of two */
    size_t op_count, op_room;
    size_t slots;
};

static bool no_memory(struct mu_error *err)
{
    return mu_fail(err, MU_BROKEN, "no memory left for the rules of the pack");
}

bool mu_linker_new(struct mu_linker **out, const struct mu_link_setup *setup, struct mu_error *err)
{
    MU_AUTO(mu_linker_free) struct mu_linker *l = calloc(1, sizeof(*l));
    if (!l)
        return no_memory(err);
    l->setup = *setup;
    l->pool = setup->env->pool;
    l->op_room = 1024;
    l->lets = calloc(setup->pack->let_count + 1, sizeof(*l->lets));
    l->calendars = calloc(setup->pack->list_count + 1, sizeof(*l->calendars));
    l->validities = calloc(setup->pack->list_count + 1, sizeof(*l->validities));
    l->ops = calloc(l->op_room, sizeof(*l->ops));
    if (!l->lets || !l->calendars || !l->validities || !l->ops)
        return no_memory(err);
    *out = MU_GIVE(l);
    return true;
}

static uint64_t mixed(uint64_t h, uint64_t value)
{
    h = (h ^ value) * UINT64_C(0x9E3779B97F4A7C15);
    return h ^ (h >> 29);
}

/* Of what makes an operation what it is, but for the value of a constant. */
static uint64_t hash(const struct mu_op *op)
{
    uint64_t h = mixed((uint64_t)(uintptr_t)op->run, (uint64_t)op->type * 16 + op->operand);
    h = mixed(h, op->index);
    h = mixed(h, (uint64_t)(uintptr_t)op->list ^ (uint64_t)(uintptr_t)op->check);
    h = mixed(h, (uint64_t)(uintptr_t)op->pattern ^ (uint64_t)(uintptr_t)op->calendar);
    for (size_t i = 0; i < op->arg_count; i++)
        h = mixed(h, (uint64_t)(uintptr_t)op->args[i]);
    return h;
}

static bool same_constant(const struct mu_op *a, const struct mu_op *b)
{
    if (a->run)
        return true;
    return a->constant.state == b->constant.state &&
           (a->constant.state != MU_VALUE_TEXT || mu_xvalue_compare(a->type, &a->constant, &b->constant) == 0) &&
           (a->type != MU_TYPE_DECIMAL || a->constant.decimal.scale == b->constant.decimal.scale);
}

static bool same(const struct mu_op *a, const struct mu_op *b)
{
    return a->run == b->run && a->type == b->type && a->operand == b->operand && a->index == b->index &&
           a->list == b->list && a->by_column == b->by_column && a->list_column == b->list_column &&
           a->validity == b->validity && a->calendar == b->calendar && a->cutoff_us == b->cutoff_us &&
           a->pattern == b->pattern && a->check == b->check && a->arg_count == b->arg_count &&
           (!a->arg_count || memcmp(a->args, b->args, a->arg_count * sizeof(*a->args)) == 0) && same_constant(a, b);
}

static bool make_room(struct mu_linker *l, struct mu_error *err)
{
    if (l->op_count * 2 < l->op_room)
        return true;
    const size_t room = l->op_room * 2;
    const struct mu_op **ops = calloc(room, sizeof(*ops));
    if (!ops)
        return no_memory(err);
    for (size_t i = 0; i < l->op_room; i++) {
        if (!l->ops[i])
            continue;
        size_t at = hash(l->ops[i]) & (room - 1);
        while (ops[at])
            at = (at + 1) & (room - 1);
        ops[at] = l->ops[i];
    }
    free(l->ops);
    l->ops = ops;
    l->op_room = room;
    return true;
}

/* The operation that does the same already, or this one with a slot of its own. */
static bool share(const struct mu_op **out, struct mu_linker *l, const struct mu_op *op, struct mu_error *err)
{
    if (!make_room(l, err))
        return false;
    size_t at = hash(op) & (l->op_room - 1);
    for (; l->ops[at]; at = (at + 1) & (l->op_room - 1)) {
        if (same(l->ops[at], op)) {
            *out = l->ops[at];
            return true;
        }
    }
    struct mu_op *kept = mu_pool_get(l->pool, sizeof(*kept));
    if (!kept)
        return no_memory(err);
    *kept = *op;
    if (op->run)
        kept->slot = (uint32_t)++l->slots;
    l->ops[at] = *out = kept;
    l->op_count++;
    return true;
}

static bool constant(const struct mu_op **out, struct mu_linker *l, enum mu_type type, const struct mu_xvalue *value,
                     struct mu_error *err)
{
    const struct mu_op op = {.type = type, .constant = *value, .cutoff_us = -1};
    return share(out, l, &op, err);
}

/* A value that stands in the record as text; what is not of its type is invalid. */
static void run_column(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_value *v = &f->record->values[op->index];
    if (v->state != MU_VALUE_TEXT)
        out->state = v->state;
    else if (!mu_xvalue_parse(op->type, v->text, out))
        out->state = MU_VALUE_INVALID;
}

/* Of a column whose empty text is a value. */
static void run_column_or_empty(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_value *v = &f->record->values[op->index];
    const bool empty = v->state == MU_VALUE_MISSING && v->text.at && !v->text.len;
    *out = (struct mu_xvalue){.state = empty ? MU_VALUE_TEXT : v->state, .text = v->text};
}

/* Whether a column has a value is seen without reading it as its type. */
static void run_column_is_missing(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    mu_give_bool(out, f->record->values[op->index].state == MU_VALUE_MISSING);
}

static void run_column_is_given(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    mu_give_bool(out, f->record->values[op->index].state != MU_VALUE_MISSING);
}

/* Rules ask more often than anything else whether a column is given: that is one operation instead of three. */
static void shorten(struct mu_op *op)
{
    if (op->run == mu_run_is_missing && op->args[0]->run == run_column)
        op->run = run_column_is_missing;
    else if (op->run == mu_run_not && op->args[0]->run == run_column_is_missing)
        op->run = run_column_is_given;
    else
        return;
    op->index = op->args[0]->index;
    op->operand = MU_TYPE_MISSING;
    op->arg_count = 0;
}

static void run_key(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    *out = f->keys[op->index];
}

static void run_aggregate(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    *out = f->aggregates[op->index];
}

static bool bind_list_column(struct mu_linker *l, struct mu_op *op, const struct mu_expr *word, const char *pointer,
                             struct mu_error *err)
{
    char column[64];
    op->list_column = mu_copy_text(column, sizeof(column), word->text) ? mu_list_column(op->list, column) : -1;
    if (op->list_column < 0)
        return mu_reject(err, "invalid", pointer, "list %s@%s has no column \"%.*s\"", mu_list_name(op->list),
                         mu_list_version(op->list), (int)(word->text.len < 60 ? word->text.len : 60), word->text.at);
    if (op->run != mu_run_in_list)
        return true;
    struct known_index *k = l->indices;
    while (k && (k->list != op->list || k->column != op->list_column))
        k = k->next;
    if (!k) {
        k = mu_pool_get(l->pool, sizeof(*k));
        if (!k)
            return no_memory(err);
        *k = (struct known_index){op->list, op->list_column, mu_list_index_new(l->pool, op->list, op->list_column),
                                  l->indices};
        if (!k->index)
            return no_memory(err);
        l->indices = k;
    }
    op->by_column = k->index;
    return true;
}

static bool bind_validity(struct mu_linker *l, struct mu_op *op, size_t index, const char *pointer,
                          struct mu_error *err)
{
    if (!l->validities[index]) {
        struct mu_validity *v = mu_pool_get(l->pool, sizeof(*v));
        if (!v)
            return no_memory(err);
        if (!mu_validity_configure(v, op->list, pointer, err))
            return false;
        l->validities[index] = v;
    }
    op->validity = l->validities[index];
    return true;
}

static bool bind_pattern(struct mu_linker *l, struct mu_op *op, struct mu_span text, const char *pointer,
                         struct mu_error *err)
{
    struct known_pattern *k = l->patterns;
    while (k && !mu_span_equal(k->text, text))
        k = k->next;
    if (!k) {
        k = mu_pool_get(l->pool, sizeof(*k));
        if (!k)
            return no_memory(err);
        *k = (struct known_pattern){.text = text, .next = l->patterns};
        if (!mu_pattern_new(&k->pattern, l->pool, text, pointer, err))
            return false;
        l->patterns = k;
    }
    op->pattern = k->pattern;
    return true;
}

static bool bind_check(struct mu_linker *l, struct mu_op *op, const char *name, const char *pointer,
                       struct mu_error *err)
{
    const struct mu_check *check = mu_check_find(mu_span_of(name));
    struct known_check *k = l->checks;
    while (k && k->check != check)
        k = k->next;
    if (!k) {
        k = mu_pool_get(l->pool, sizeof(*k));
        if (!k || !check)
            return no_memory(err);
        const struct mu_called_check *called = mu_called_check_new(l->setup.env, check, err);
        if (!called) {
            if (err)
                (void)snprintf(err->pointer, sizeof(err->pointer), "%s", pointer);
            return mu_while(err, "%s_valid", name);
        }
        *k = (struct known_check){check, called, l->checks};
        l->checks = k;
    }
    op->check = k->called;
    return true;
}

/* A word is no operand when it runs: the operation is bound to what it names. */
static bool bind_word(struct mu_linker *l, struct mu_op *op, char letter, const struct mu_expr *word,
                      const char *pointer, struct mu_error *err)
{
    switch (letter) {
    case 'L':
        op->list = l->setup.lists[word->index];
        return op->run != mu_run_active_on || bind_validity(l, op, word->index, pointer, err);
    case 'K':
        return bind_list_column(l, op, word, pointer, err);
    case 'C':
        if (!l->calendars[word->index] && !mu_calendar_new(&l->calendars[word->index], l->pool,
                                                           l->setup.lists[word->index], pointer, err))
            return false;
        op->calendar = l->calendars[word->index];
        return true;
    case 'H':
        op->cutoff_us = word->constant.time;
        return true;
    default:
        return bind_pattern(l, op, word->text, pointer, err);
    }
}

static bool link_call(const struct mu_op **out, struct mu_linker *l, const struct mu_expr *e, const char *pointer,
                      struct mu_error *err)
{
    struct mu_op op = {.run = e->fn->run, .type = e->type, .operand = e->operand, .list_column = -1, .cutoff_us = -1};
    const char *p = e->fn->takes;
    size_t count = 0;
    if (op.run == mu_run_as_of) {
        const struct mu_xvalue day = {.state = MU_VALUE_TEXT, .day = l->setup.env->as_of};
        return constant(out, l, MU_TYPE_DATE, &day, err);
    }
    for (const struct mu_expr *a = e->first; a; a = a->next)
        count++;
    op.args = mu_pool_get(l->pool, (count + 1) * sizeof(*op.args));
    if (!op.args)
        return no_memory(err);
    for (const struct mu_expr *a = e->first; a; a = a->next) {
        p += *p == '?';
        if (a->kind == MU_EXPR_WORD ? !bind_word(l, &op, *p, a, pointer, err)
                                    : !mu_link(&op.args[op.arg_count++], l, a, pointer, err))
            return false;
        p += *p && p[1] != '+';
    }
    if (e->fn->check && !bind_check(l, &op, e->fn->check, pointer, err))
        return false;
    shorten(&op);
    return share(out, l, &op, err);
}

bool mu_link(const struct mu_op **out, struct mu_linker *l, const struct mu_expr *e, const char *pointer,
             struct mu_error *err)
{
    struct mu_op op = {.type = e->type, .index = e->index, .list_column = -1, .cutoff_us = -1};
    switch (e->kind) {
    case MU_EXPR_CONSTANT:
        return constant(out, l, e->type, &e->constant, err);
    case MU_EXPR_PARAM:
        return constant(out, l, e->type, &l->setup.params[e->index], err);
    case MU_EXPR_LET:
        if (!l->lets[e->index] && !mu_link(&l->lets[e->index], l, l->setup.pack->lets[e->index].expr, pointer, err))
            return false;
        *out = l->lets[e->index];
        return true;
    case MU_EXPR_COLUMN:
        op.run = l->setup.pack->columns[e->index].empty_is_value && e->type == MU_TYPE_TEXT ? run_column_or_empty
                                                                                            : run_column;
        break;
    case MU_EXPR_KEY:
        op.run = run_key;
        break;
    case MU_EXPR_AGGREGATE:
        op.run = run_aggregate;
        break;
    case MU_EXPR_CALL:
        return link_call(out, l, e, pointer, err);
    case MU_EXPR_WORD:
        return mu_fail(err, MU_BROKEN, "a word stands where a value was looked for");
    }
    return share(out, l, &op, err);
}

size_t mu_linker_slots(const struct mu_linker *l)
{
    return l->slots;
}

void mu_linker_free(struct mu_linker *l)
{
    if (!l)
        return;
    free(l->lets);
    free(l->calendars);
    free(l->validities);
    free(l->ops);
    free(l);
}
