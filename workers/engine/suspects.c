/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/suspects.h"

#include "engine/expr/link.h"

/* What a condition comes to, whatever the record. */
enum truth { OPEN, ALWAYS, NEVER, MISSING /* or invalid: never true, and not false either */ };

struct look {
    const struct mu_pack *pack;
    const struct mu_ready *ready;
    size_t rule;
    mu_suspect_note *note;
    void *context;
    const char *pointer; /* of the expression at hand, below the rule */
    struct mu_error *err;
};

static void tell(const struct look *l, bool is_error, const char *code, const char *pointer, const char *text, const char *hint)
{
    struct mu_error what = {0};
    char place[200];
    (void)snprintf(place, sizeof(place), "/rules/%zu%s", l->rule, pointer);
    (void)mu_reject(&what, code, place, "%s", text);
    mu_hint(&what, "%s", hint);
    l->note(l->context, is_error, &what);
}

static void note_open(void *context, const struct mu_expr *e)
{
    bool *open = context;
    switch (e->kind) {
    case MU_EXPR_COLUMN:
    case MU_EXPR_PARAM:
    case MU_EXPR_KEY:
    case MU_EXPR_AGGREGATE:
        *open = true;
        break;
    case MU_EXPR_CALL:
        *open |= e->fn->run == mu_run_as_of;
        break;
    case MU_EXPR_CONSTANT:
    case MU_EXPR_LET:
    case MU_EXPR_WORD:
        break;
    }
}

static enum truth computed(const struct look *l, const struct mu_expr *e)
{
    MU_AUTO(mu_pool_free) struct mu_pool *pool = mu_pool_new((size_t)64 << 20);
    MU_AUTO(mu_linker_free) struct mu_linker *linker = NULL;
    struct mu_env env = ready_env(l->ready, pool);
    const struct mu_link_setup setup = {l->ready->pack, l->ready->lists, l->ready->values, &env};
    struct mu_frame frame = {.stamp = 0};
    const struct mu_op *op;
    enum truth truth = OPEN;
    if (!pool) {
        mu_fail(l->err, MU_BROKEN, "out of memory");
        return OPEN;
    }
    if (!mu_linker_new(&linker, &setup, l->err) || !mu_link(&op, linker, e, l->pointer, l->err) ||
        !mu_frame_init(&frame, mu_linker_slots(linker), l->err))
        return OPEN;
    const struct mu_xvalue *v = mu_eval(op, &frame);
    truth = v->state != MU_VALUE_TEXT ? MISSING : v->truth ? ALWAYS : NEVER;
    mu_frame_fini(&frame);
    return truth;
}

static bool is_missing(const struct mu_expr *e)
{
    return e->kind == MU_EXPR_CONSTANT && e->type == MU_TYPE_MISSING;
}

static bool compares(const struct mu_expr *e)
{
    static mu_op_run *const runs[] = {mu_run_equal, mu_run_unequal, mu_run_less, mu_run_less_equal,
                                      mu_run_greater, mu_run_greater_equal, mu_run_in};
    for (size_t i = 0; e->kind == MU_EXPR_CALL && i < MU_COUNT(runs); i++)
        if (e->fn->run == runs[i])
            return true;
    return false;
}

static enum truth truth_of(const struct look *l, const struct mu_expr *e);

/* `and` for ALWAYS, `or` for NEVER as the word that changes nothing. */
static enum truth combined(const struct look *l, const struct mu_expr *e, enum truth neutral, enum truth decides)
{
    bool open = false, missing = false;
    for (const struct mu_expr *a = e->first; a; a = a->next) {
        const enum truth t = truth_of(l, a);
        if (t == decides)
            return decides;
        open |= t == OPEN;
        missing |= t == MISSING;
    }
    if (missing && (!open || decides == NEVER))
        return MISSING; /* what is open could only make it false */
    return open ? OPEN : neutral;
}

static enum truth truth_of(const struct look *l, const struct mu_expr *e)
{
    bool open = false;
    while (e->kind == MU_EXPR_LET)
        e = l->pack->lets[e->index].expr;
    mu_expr_walk(l->pack, e, note_open, &open);
    if (!open)
        return computed(l, e);
    if (e->kind != MU_EXPR_CALL)
        return OPEN;
    if (e->fn->run == mu_run_and)
        return combined(l, e, ALWAYS, NEVER);
    if (e->fn->run == mu_run_or)
        return combined(l, e, NEVER, ALWAYS);
    for (const struct mu_expr *a = e->first; compares(e) && e->fn->run != mu_run_in && a; a = a->next)
        if (is_missing(a))
            return MISSING;
    if (e->fn->run != mu_run_not)
        return OPEN;
    const enum truth t = truth_of(l, e->first);
    return t == ALWAYS ? NEVER : t == NEVER ? ALWAYS : t;
}

static void look_at_where(const struct look *l, const struct mu_expr *where)
{
    switch (truth_of(l, where)) {
    case OPEN:
        return;
    case ALWAYS:
        tell(l, false, "constant", "/where", "expected a condition on the record, found one that is always true",
             "leave \"where\" out; example: \"where\": \"not is_missing(isin)\"");
        return;
    case NEVER:
    case MISSING:
        tell(l, true, "constant", "/where", "expected a condition that some record meets, found one that is never true: the rule can never apply",
             "\"mode\": \"off\" switches a rule off; example: \"where\": \"not is_missing(isin)\"");
        return;
    }
}

static void look_at_verdict(const struct look *l, const struct mu_expr *e, const char *pointer)
{
    static const char *const says[] = {[ALWAYS] = "is always true", [NEVER] = "is always false",
                                       [MISSING] = "is always missing or invalid"};
    const enum truth t = truth_of(l, e);
    char text[200];
    if (t == OPEN)
        return;
    (void)snprintf(text, sizeof(text), "expected an expression that depends on the data, found one that %s", says[t]);
    tell(l, false, "constant", pointer, text, "example: \"expr\": \"isin_valid(isin)\", \"having\": \"count() > 1\"");
}

static bool is_quotient(const struct look *l, const struct mu_expr *e)
{
    while (e->kind == MU_EXPR_LET || (e->kind == MU_EXPR_CALL && e->fn->run == mu_run_negate))
        e = e->kind == MU_EXPR_LET ? l->pack->lets[e->index].expr : e->first;
    return e->kind == MU_EXPR_CALL && e->fn->run == mu_run_divide;
}

static void look_at_comparison(void *context, const struct mu_expr *e)
{
    const struct look *l = context;
    bool missing = false, quotient = false;
    for (const struct mu_expr *a = e->first; compares(e) && a; a = a->next) {
        missing |= is_missing(a);
        quotient |= is_quotient(l, a);
    }
    if (missing)
        tell(l, false, "missing", l->pointer, "found a comparison with missing, which is never true and never false",
             "example: is_missing(isin), or not is_missing(isin)");
    if (quotient)
        tell(l, false, "quotient", l->pointer, "found a quotient that is compared: it is rounded to 18 decimals before",
             "multiply instead, which is exact: not a / b > 0.1 but a > 0.1 * b (of a b above zero)");
}

static void look_at_expr(void *context, const struct mu_expr *e, const char *pointer)
{
    struct look *l = context;
    l->pointer = pointer;
    mu_expr_walk(l->pack, e, look_at_comparison, l);
}

bool mu_suspects_of_rule(const struct mu_pack *pack, size_t rule, const struct mu_ready *ready, mu_suspect_note *note,
                         void *context, struct mu_error *err)
{
    const struct mu_rule *r = &pack->rules[rule];
    struct look l = {pack, ready, rule, note, context, "", err};
    if (r->where)
        look_at_where(&l, r->where);
    if (r->expr)
        look_at_verdict(&l, r->expr, "/expr");
    if (r->group && r->group->having)
        look_at_verdict(&l, r->group->having, "/having");
    mu_rule_exprs(r, look_at_expr, &l);
    return err->fault == MU_OK;
}

static bool same(const struct mu_rule *a, const struct mu_rule *b)
{
    static const char *const keys[] = {"where", "expr", "mostly", "effective"};
    if (!a->expr || !b->expr)
        return false;
    for (size_t i = 0; i < MU_COUNT(keys); i++) {
        const json_t *x = json_object_get(a->document, keys[i]), *y = json_object_get(b->document, keys[i]);
        if ((x || y) && !json_equal(x, y))
            return false;
    }
    return true;
}

static void tell_twins(const struct mu_pack *pack, size_t index, mu_suspect_note *note, void *context)
{
    for (size_t i = 0; i < index; i++) {
        struct look l = {.pack = pack, .rule = index, .note = note, .context = context};
        char text[200];
        if (!same(&pack->rules[i], &pack->rules[index]))
            continue;
        (void)snprintf(text, sizeof(text), "expected a rule of its own, found where and expr of %.60s again", pack->rules[i].id);
        tell(&l, false, "duplicate", "/expr", text, "leave one of the two out, or say in \"where\" what sets them apart");
        return;
    }
}

/* How it would be used stands around its name. */
struct use {
    const char *folder, *before, *behind;
};

static void tell_unused(const struct use *use, const char *name, mu_suspect_note *note, void *context)
{
    struct mu_error what = {0};
    char pointer[120];
    (void)snprintf(pointer, sizeof(pointer), "/%s/%.64s", use->folder, name);
    (void)mu_reject(&what, "unused", pointer, "expected a rule that uses \"%.60s\", found none", name);
    mu_hint(&what, "leave it out, or use it: %s%.60s%s", use->before, name, use->behind);
    note(context, false, &what);
}

void mu_suspects_of_pack(const struct mu_pack *pack, const struct mu_uses *uses, mu_suspect_note *note, void *context)
{
    static const struct use list = {"lists", "\"expr\": \"in_list(code, '", "')\""},
                            param = {"params", "\"expr\": \"amount <= :", "\""}, let = {"let", "\"where\": \"", "\""};
    for (size_t i = 1; i < pack->rule_count; i++)
        tell_twins(pack, i, note, context);
    for (size_t i = 0; i < pack->list_count; i++)
        if (!uses->lists[i] && !pack->lists[i].implied)
            tell_unused(&list, pack->lists[i].alias, note, context);
    for (size_t i = 0; i < pack->param_count; i++)
        if (!uses->params[i])
            tell_unused(&param, pack->params[i].name, note, context);
    for (size_t i = 0; i < pack->let_count; i++)
        if (!uses->lets[i])
            tell_unused(&let, pack->lets[i].name, note, context);
}
