/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/expr/typing.h"

#include "engine/checks/pattern.h"
#include "engine/pack.h"

struct typing {
    struct mu_scope scope;
    struct mu_span text;
    const char *pointer;
    struct mu_error *err;
};

static struct mu_expr *check(struct typing *t, const struct mu_syntax *s);

static struct mu_expr *wrong(struct typing *t, const struct mu_syntax *s, const char *what, const char *example)
{
    mu_syntax_wrong(t->err, t->pointer, t->text, s->at, s->end, "%s", what);
    if (example)
        mu_hint(t->err, "example: %s", example);
    return NULL;
}

static struct mu_expr *made(struct typing *t, const struct mu_syntax *s, enum mu_expr_kind kind, enum mu_type type)
{
    struct mu_expr *e = mu_pool_get(t->scope.pool, sizeof(*e));
    if (!e) {
        mu_fail(t->err, MU_BROKEN, "no memory left for the rules of the pack");
        return NULL;
    }
    e->kind = kind;
    e->type = type;
    e->at = s->at;
    e->end = s->end;
    return e;
}

static struct mu_expr *literal(struct typing *t, const struct mu_syntax *s, enum mu_type type, const char *what,
                               const char *example)
{
    struct mu_xvalue value;
    if (!mu_xvalue_parse(type, s->text, &value))
        return wrong(t, s, what, example);
    struct mu_expr *e = made(t, s, MU_EXPR_CONSTANT, type);
    if (e)
        e->constant = value;
    return e;
}

static struct mu_expr *duration(struct typing *t, const struct mu_syntax *s)
{
    size_t digits = 0;
    int64_t count;
    while (s->text.at[digits] >= '0' && s->text.at[digits] <= '9')
        digits++;
    const struct mu_span unit = mu_span(s->text.at + digits, s->text.len - digits);
    const int64_t us = mu_span_is(unit, "d")   ? MU_DAY_US
                       : mu_span_is(unit, "h") ? INT64_C(3600000000)
                       : mu_span_is(unit, "s") ? 1000000
                                               : 60000000;
    if (!mu_parse_i64(mu_span(s->text.at, digits), 0, 3660000 * MU_DAY_US / us, &count))
        return wrong(t, s, "a duration of more than 10,000 years", "30d");
    struct mu_expr *e = made(t, s, MU_EXPR_CONSTANT, MU_TYPE_DURATION);
    if (e)
        e->constant = (struct mu_xvalue){.state = MU_VALUE_TEXT, .time = count * us};
    return e;
}

static struct mu_expr *missing(struct typing *t, const struct mu_syntax *s)
{
    struct mu_expr *e = made(t, s, MU_EXPR_CONSTANT, MU_TYPE_MISSING);
    if (e)
        e->constant.state = MU_VALUE_MISSING;
    return e;
}

static struct mu_expr *indexed(struct typing *t, const struct mu_syntax *s, enum mu_expr_kind kind,
                               enum mu_type type, size_t index)
{
    struct mu_expr *e = made(t, s, kind, type);
    if (e)
        e->index = index;
    return e;
}

static struct mu_expr *param(struct typing *t, const struct mu_syntax *s)
{
    const struct mu_pack *pack = t->scope.pack;
    for (size_t i = 0; i < pack->param_count; i++)
        if (mu_span_is(s->text, pack->params[i].name))
            return indexed(t, s, MU_EXPR_PARAM, pack->params[i].type, i);
    return wrong(t, s, "the pack has no parameter of this name",
                 "\"params\": {\"limit\": {\"type\": \"decimal\", \"default\": \"10000.00\"}}");
}

/* Names that may stand here, for whoever got one wrong. */
static struct mu_expr *unknown_name(struct typing *t, const struct mu_syntax *s)
{
    const struct mu_scope *scope = &t->scope;
    MU_AUTO(mu_text_free) struct mu_text names = MU_TEXT(150);
    for (size_t i = 0; i < scope->key_count; i++)
        mu_text_addf(&names, " %s", scope->keys[i].name);
    for (size_t i = 0; scope->columns && i < scope->pack->column_count; i++)
        mu_text_addf(&names, " %s", scope->pack->columns[i].name);
    for (size_t i = 0; scope->lets && i < scope->pack->let_count; i++)
        mu_text_addf(&names, " %s", scope->pack->lets[i].name);
    const bool aggregates = scope->aggregates != NULL;
    wrong(t, s, aggregates ? "expected a key of the group, a parameter or an aggregate"
                           : "expected a column of the pack or a name under \"let\"",
          NULL);
    if (mu_function_find(s->text))
        mu_hint(t->err, "a function has brackets: %s", mu_function_find(s->text)->form);
    else if (aggregates)
        mu_hint(t->err, "example: count() > 1; keys:%s", names.len ? names.at : " none");
    else
        mu_hint(t->err, "example: not is_missing(%s); names:%s%s", scope->pack->columns[0].name,
                names.len ? names.at : " none", names.failed ? " …" : "");
    return NULL;
}

static struct mu_expr *name(struct typing *t, const struct mu_syntax *s)
{
    const struct mu_scope *scope = &t->scope;
    const struct mu_pack *pack = scope->pack;
    for (size_t i = 0; i < scope->key_count; i++)
        if (mu_span_is(s->text, scope->keys[i].name))
            return indexed(t, s, MU_EXPR_KEY, scope->keys[i].expr->type, i);
    for (size_t i = 0; scope->lets && i < pack->let_count; i++)
        if (mu_span_is(s->text, pack->lets[i].name))
            return indexed(t, s, MU_EXPR_LET, pack->lets[i].expr->type, i);
    const int column = scope->columns ? mu_pack_column(pack, s->text) : -1;
    if (column < 0)
        return unknown_name(t, s);
    return indexed(t, s, MU_EXPR_COLUMN, pack->columns[column].type, (size_t)column);
}

static bool type_of_letter(char letter, enum mu_type *out)
{
    static const char letters[] = "tndsbu"; /* in the order of enum mu_type but for bool and duration */
    const char *at = strchr(letters, letter);
    if (!letter || !at)
        return false;
    *out = (enum mu_type)(at - letters);
    return true;
}

static bool has_order(enum mu_type type)
{
    return type == MU_TYPE_DECIMAL || type == MU_TYPE_DATE || type == MU_TYPE_TIMESTAMP || type == MU_TYPE_DURATION;
}

/* How operands fit what a function takes. */
struct fit {
    enum mu_type common; /* of the operands that are to agree; MU_TYPE_MISSING: none has a type */
    size_t bad;          /* the first that does not fit, or the count of operands if some are missing */
    char what[120];
};

static bool fits_letter(struct fit *f, char letter, enum mu_type type)
{
    enum mu_type want;
    if (type == MU_TYPE_MISSING || strchr("LKCPH", letter))
        return true;
    if (type_of_letter(letter, &want)) {
        (void)snprintf(f->what, sizeof(f->what), "expected %s, found %s", mu_type_name(want), mu_type_name(type));
        return want == type;
    }
    if (letter == 'o' && !has_order(type)) {
        (void)snprintf(f->what, sizeof(f->what), "expected decimal, date, timestamp or duration, found %s",
                       mu_type_name(type));
        return false;
    }
    if (f->common == MU_TYPE_MISSING)
        f->common = type;
    (void)snprintf(f->what, sizeof(f->what), "expected %s as before, found %s", mu_type_name(f->common),
                   mu_type_name(type));
    return f->common == type;
}

static bool fits(struct fit *f, const struct mu_function *fn, const struct mu_expr *args)
{
    const char *p = fn->takes;
    *f = (struct fit){.common = MU_TYPE_MISSING};
    for (const struct mu_expr *a = args; a; a = a->next, f->bad++) {
        if (*p == '?')
            p++;
        if (!*p) {
            (void)snprintf(f->what, sizeof(f->what), "one operand too many");
            return false;
        }
        if (!fits_letter(f, *p, a->type))
            return false;
        if (p[1] != '+')
            p++;
    }
    if (!*p || *p == '?' || (p[1] == '+' && args && f->bad >= (size_t)(p - fn->takes) + 1))
        return true;
    (void)snprintf(f->what, sizeof(f->what), "an operand is missing");
    return false;
}

static bool same_name(const struct mu_function *a, const struct mu_function *b)
{
    return b->name && strcmp(a->name, b->name) == 0;
}

/* The row of the table whose operands fit; otherwise the refusal tells what the nearest one takes. */
static const struct mu_function *choose(struct typing *t, const struct mu_syntax *s, const struct mu_function *first,
                                        const struct mu_expr *args, struct fit *f)
{
    struct fit best = {0};
    const struct mu_function *nearest = NULL;
    for (const struct mu_function *fn = first; same_name(first, fn); fn++) {
        if (fits(f, fn, args))
            return fn;
        if (!nearest || f->bad > best.bad) {
            nearest = fn;
            best = *f;
        }
    }
    const struct mu_syntax *at = s->first;
    for (size_t i = 0; at && i < best.bad; i++)
        at = at->next;
    mu_syntax_wrong(t->err, t->pointer, t->text, at ? at->at : s->at, at ? at->end : s->end, "%s; it is %s", best.what,
                    nearest->form);
    mu_hint(t->err, "example: %s", nearest->example);
    return NULL;
}

static bool find_list(const struct mu_pack *pack, struct mu_span alias, size_t *index)
{
    for (size_t i = 0; i < pack->list_count; i++) {
        if (mu_span_is(alias, pack->lists[i].alias)) {
            *index = i;
            return true;
        }
    }
    return false;
}

static bool time_of_day(struct mu_span text, int64_t *us)
{
    int64_t hour, minute;
    if (text.len != 5 || text.at[2] != ':' || !mu_parse_i64(mu_span(text.at, 2), 0, 23, &hour) ||
        !mu_parse_i64(mu_span(text.at + 3, 2), 0, 59, &minute))
        return false;
    *us = (hour * 60 + minute) * 60000000;
    return true;
}

/* A literal that names something. */
static struct mu_expr *word(struct typing *t, const struct mu_syntax *s, char letter)
{
    static const char list_example[] = "in_list(currency, 'ccy') with \"lists\": {\"ccy\": \"iso4217\"}";
    size_t at;
    const char *what;
    if (s->kind != MU_SYNTAX_TEXT)
        return wrong(t, s, "expected a literal text: what it names is looked up before anything runs",
                     "in_list(currency, 'ccy')");
    struct mu_expr *e = made(t, s, MU_EXPR_WORD, MU_TYPE_TEXT);
    if (!e)
        return NULL;
    e->text = s->text;
    if ((letter == 'L' || letter == 'C') && !find_list(t->scope.pack, s->text, &e->index))
        return wrong(t, s, "expected the alias of a list of the pack", list_example);
    if (letter == 'H' && !time_of_day(s->text, &e->constant.time))
        return wrong(t, s, "expected a time of day", "bizday(ts, 'us', '16:00')");
    if (letter == 'P' && !mu_pattern_check(s->text, &at, &what)) {
        mu_syntax_wrong(t->err, t->pointer, t->text, s->at, s->end, "pattern, at byte %zu: %s", at, what);
        mu_hint(t->err, "example: matches(ref, '[A-Z0-9]{1,52}')");
        return NULL;
    }
    return e;
}

/* Operands of a call, each typed; words where the function takes them. */
static bool operands(struct typing *t, const struct mu_syntax *s, const struct mu_function *fn,
                     const struct mu_expr **out)
{
    const char *p = fn->takes;
    const struct mu_expr **to = out;
    *out = NULL;
    for (const struct mu_syntax *a = s->first; a; a = a->next) {
        if (*p == '?')
            p++;
        struct mu_expr *e = *p && strchr("LKCPH", *p) ? word(t, a, *p) : check(t, a);
        if (!e)
            return false;
        *to = e;
        to = &e->next;
        if (*p && p[1] != '+')
            p++;
    }
    return true;
}

/* What a check looks into is named by the pack under the usual alias, or it is the one that is shipped. */
static bool need_list(struct typing *t, const struct mu_function *fn)
{
    size_t index;
    if (!fn->alias || find_list(t->scope.pack, mu_span_of(fn->alias), &index))
        return true;
    return mu_pack_add_list(t->scope.pack, fn->alias, fn->list, t->err);
}

static struct mu_expr *aggregate(struct typing *t, const struct mu_syntax *s, const struct mu_function *fn)
{
    struct mu_aggregates *all = t->scope.aggregates;
    struct fit f;
    const struct mu_expr *args;
    if (!all)
        return wrong(t, s, "an aggregate stands in having, value or evidence of a group rule, and in no other one",
                     "\"group_by\": {\"isin\": \"isin\"}, \"having\": \"count() > 1\"");
    struct typing inside = *t; /* over the records of the group */
    inside.scope.columns = inside.scope.lets = true;
    inside.scope.key_count = 0;
    inside.scope.aggregates = NULL;
    if (!operands(&inside, s, fn, &args) || !(fn = choose(t, s, fn, args, &f)))
        return NULL;
    const struct mu_span source = mu_span(t->text.at + s->at, s->end - s->at);
    size_t index = 0;
    while (index < all->count && !mu_span_equal(all->items[index].source, source))
        index++;
    if (index == MU_AGGREGATES_MAX)
        return wrong(t, s, "more aggregates than a rule may have (32)", "two rules, each with half of them");
    enum mu_type type = f.common;
    (void)type_of_letter(fn->gives, &type);
    if (index == all->count)
        all->items[all->count++] = (struct mu_aggregate){fn, type, args ? args->type : MU_TYPE_MISSING, args, source};
    return indexed(t, s, MU_EXPR_AGGREGATE, type, index);
}

static struct mu_expr *call(struct typing *t, const struct mu_syntax *s)
{
    const struct mu_function *fn = mu_function_find(s->text);
    const struct mu_expr *args;
    struct fit f;
    if (!fn) {
        wrong(t, s, "there is no function of this name", NULL);
        mu_hint(t->err, "the functions are those of the manual, muster-pack(7); example: isin_valid(isin)");
        return NULL;
    }
    if (fn->aggregate != MU_AGG_NONE)
        return aggregate(t, s, fn);
    if (!operands(t, s, fn, &args) || !(fn = choose(t, s, fn, args, &f)) || !need_list(t, fn))
        return NULL;
    struct mu_expr *e = made(t, s, MU_EXPR_CALL, f.common);
    if (!e)
        return NULL;
    (void)type_of_letter(fn->gives, &e->type);
    e->operand = f.common;
    e->fn = fn;
    e->first = args;
    return e;
}

static struct mu_expr *check(struct typing *t, const struct mu_syntax *s)
{
    switch (s->kind) {
    case MU_SYNTAX_DECIMAL:
        return literal(t, s, MU_TYPE_DECIMAL, "a number of more than 38 digits", "10000.00");
    case MU_SYNTAX_DURATION:
        return duration(t, s);
    case MU_SYNTAX_TEXT:
        return literal(t, s, MU_TYPE_TEXT, "", NULL);
    case MU_SYNTAX_BOOL:
        return literal(t, s, MU_TYPE_BOOL, "", NULL);
    case MU_SYNTAX_MISSING:
        return missing(t, s);
    case MU_SYNTAX_DATE:
        return literal(t, s, MU_TYPE_DATE, "there is no such day", "date '2026-03-02'");
    case MU_SYNTAX_TIMESTAMP:
        return literal(t, s, MU_TYPE_TIMESTAMP, "this is no moment with its offset (RFC 3339)",
                       "timestamp '2026-03-02T14:00:00Z'");
    case MU_SYNTAX_PARAM:
        return param(t, s);
    case MU_SYNTAX_NAME:
        return name(t, s);
    case MU_SYNTAX_CALL:
        return call(t, s);
    }
    return NULL;
}

bool mu_expr_parse(const struct mu_expr **out, const struct mu_scope *scope, struct mu_span text, enum mu_type want,
                   const char *pointer, struct mu_error *err)
{
    struct typing t = {*scope, text, pointer, err};
    struct mu_syntax *tree;
    if (!mu_syntax_parse(&tree, scope->pool, text, pointer, err))
        return false;
    const struct mu_expr *e = check(&t, tree);
    if (!e)
        return false;
    if (want != MU_TYPE_MISSING && e->type != want) {
        mu_reject(err, "invalid", pointer, "expected an expression that is %s, found one that is %s",
                  mu_type_name(want), mu_type_name(e->type));
        return mu_hint(err, "example: %s", want == MU_TYPE_BOOL ? "not is_missing(isin)" : "count()");
    }
    *out = e;
    return true;
}

void mu_expr_walk(const struct mu_pack *pack, const struct mu_expr *e,
                  void (*each)(void *context, const struct mu_expr *e), void *context)
{
    if (!e)
        return;
    each(context, e);
    if (e->kind == MU_EXPR_LET)
        mu_expr_walk(pack, pack->lets[e->index].expr, each, context);
    for (const struct mu_expr *a = e->first; a; a = a->next)
        mu_expr_walk(pack, a, each, context);
}
