/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/uses.h"

bool mu_uses_init(struct mu_uses *u, const struct mu_pack *pack, struct mu_error *err)
{
    *u = (struct mu_uses){calloc(pack->column_count + 1, 1), calloc(pack->param_count + 1, 1), calloc(pack->let_count + 1, 1),
                          calloc(pack->list_count + 1, 1)};
    return (u->columns && u->params && u->lets && u->lists) || mu_fail(err, MU_BROKEN, "out of memory");
}

void mu_uses_fini(struct mu_uses *u)
{
    free(u->columns);
    free(u->params);
    free(u->lets);
    free(u->lists);
    *u = (struct mu_uses){.columns = NULL};
}

static void each_named(const struct mu_named_expr *named, size_t count, const char *key, mu_rule_expr_each *each,
                       void *context)
{
    char pointer[100];
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(pointer, sizeof(pointer), "/%s/%.64s", key, named[i].name);
        each(context, named[i].expr, pointer);
    }
}

/* An operand of an aggregate stands in the first expression that has the aggregate; having and value come first. */
static void each_of_group(const struct mu_group_rule *g, mu_rule_expr_each *each, void *context)
{
    const char *where = g->having ? "/having" : "/value";
    each_named(g->keys, g->key_count, "group_by", each, context);
    if (g->having)
        each(context, g->having, "/having");
    if (g->value)
        each(context, g->value, "/value");
    for (size_t i = 0; i < g->aggregates.count; i++)
        for (const struct mu_expr *a = g->aggregates.items[i].args; a; a = a->next)
            each(context, a, i < g->judged_count ? where : "/evidence");
}

void mu_rule_exprs(const struct mu_rule *rule, mu_rule_expr_each *each, void *context)
{
    if (rule->where)
        each(context, rule->where, "/where");
    if (rule->expr)
        each(context, rule->expr, "/expr");
    if (rule->group)
        each_of_group(rule->group, each, context);
    each_named(rule->evidence, rule->evidence_count, "evidence", each, context);
}

struct walk {
    struct mu_uses *uses;
    const struct mu_pack *pack;
};

/* Of a call: lists that words name, and the one that a function looks into by its usual alias. */
static void note_lists(struct walk *w, const struct mu_expr *call)
{
    const char *takes = call->fn->takes;
    for (const struct mu_expr *a = call->first; a; a = a->next) {
        takes += *takes == '?';
        if (a->kind == MU_EXPR_WORD && (*takes == 'L' || *takes == 'C'))
            w->uses->lists[a->index] = true;
        takes += *takes && takes[1] != '+';
    }
    for (size_t i = 0; call->fn->alias && i < w->pack->list_count; i++)
        w->uses->lists[i] |= strcmp(w->pack->lists[i].alias, call->fn->alias) == 0;
}

static void note(void *context, const struct mu_expr *e)
{
    struct walk *w = context;
    switch (e->kind) {
    case MU_EXPR_PARAM:
        w->uses->params[e->index] = true;
        break;
    case MU_EXPR_COLUMN:
        w->uses->columns[e->index] = true;
        break;
    case MU_EXPR_LET:
        w->uses->lets[e->index] = true;
        break;
    case MU_EXPR_CALL:
        note_lists(w, e);
        break;
    case MU_EXPR_CONSTANT:
    case MU_EXPR_KEY:
    case MU_EXPR_AGGREGATE:
    case MU_EXPR_WORD:
        break;
    }
}

static void note_expr(void *context, const struct mu_expr *e, const char *pointer)
{
    struct walk *w = context;
    (void)pointer;
    mu_expr_walk(w->pack, e, note, w);
}

static void note_name(struct walk *w, struct mu_span name, bool columns)
{
    const int column = columns ? mu_pack_column(w->pack, name) : -1;
    if (column >= 0)
        w->uses->columns[column] = true;
    for (size_t i = 0; i < w->pack->param_count; i++)
        w->uses->params[i] |= mu_span_is(name, w->pack->params[i].name);
}

/* What stands in braces. */
static void note_message(struct walk *w, const struct mu_rule *rule)
{
    for (const char *at = rule->message ? strchr(rule->message, '{') : NULL; at; at = strchr(at + 1, '{')) {
        const char *end = strchr(at, '}');
        if (end)
            note_name(w, mu_span(at + 1, (size_t)(end - at - 1)), rule->kind != MU_RULE_GROUP);
    }
}

void mu_uses_add(struct mu_uses *u, const struct mu_pack *pack, const struct mu_rule *rule)
{
    struct walk w = {u, pack};
    const char *key;
    json_t *value;
    mu_rule_exprs(rule, note_expr, &w);
    note_message(&w, rule);
    json_object_foreach((json_t *)(uintptr_t)rule->with, key, value)
    {
        const char *text = json_string_value(value);
        (void)key;
        if (text && text[0] == ':')
            note_name(&w, mu_span_of(text + 1), false);
    }
}
