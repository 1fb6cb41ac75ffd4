/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/alone.h"

#include "base/clock.h"
#include "engine/uses.h"

#define USUAL_DAY 20454 /* 2026-01-01, of rules that say nothing about days */

bool mu_alone_init(struct mu_alone *a, const struct mu_pack *pack, size_t rule, struct mu_error *err)
{
    struct mu_column *columns = calloc(pack->column_count + 1, sizeof(*columns));
    if (!columns)
        return mu_fail(err, MU_BROKEN, "out of memory");
    for (size_t i = 0; i < pack->column_count; i++) {
        columns[i] = pack->columns[i];
        columns[i].mask = MU_MASK_NONE;
    }
    *a = (struct mu_alone){.pack = *pack, .rule = pack->rules[rule], .index = rule};
    a->pack.columns = columns;
    a->pack.rules = &a->rule;
    a->pack.rule_count = 1;
    a->rule.mode = MU_MODE_ACTIVE;
    a->rule.max_findings = 0;
    return true;
}

/* "/rules/0/expr" of the rule alone is "/rules/<index>/expr" of the whole. */
static bool place(const struct mu_alone *a, struct mu_error *err)
{
    static const char first[] = "/rules/0";
    const size_t len = sizeof(first) - 1;
    char rest[sizeof(err->pointer)];
    if (strncmp(err->pointer, first, len) != 0)
        return false;
    (void)snprintf(rest, sizeof(rest), "%s", err->pointer + len);
    (void)snprintf(err->pointer, sizeof(err->pointer), "/rules/%zu%.180s", a->index, rest);
    return false;
}

bool mu_alone_ready(struct mu_ready **out, const struct mu_alone *a, const struct mu_list_data *const *lists,
                    const json_t *params, int32_t as_of, struct mu_error *err)
{
    MU_AUTO(mu_json_free) json_t *given = params ? json_copy((json_t *)(uintptr_t)params) : json_object();
    MU_AUTO(mu_uses_fini) struct mu_uses uses = {.columns = NULL};
    if (!given || !mu_uses_init(&uses, &a->pack, err))
        return mu_fail(err, MU_BROKEN, "out of memory");
    mu_uses_add(&uses, &a->pack, &a->rule);
    for (size_t i = 0; i < a->pack.param_count; i++) {
        const struct mu_param *p = &a->pack.params[i];
        if (!p->otherwise && !json_object_get(given, p->name) && (!params || !uses.params[i]))
            json_object_set_new(given, p->name, json_string(mu_type_example(p->type)));
    }
    const struct mu_ready_setup setup = {.pack = &a->pack, .lists = lists, .params = given, .as_of = as_of};
    return mu_ready_new(out, &setup, err) || place(a, err);
}

int32_t mu_alone_day(const struct mu_alone *a)
{
    if (a->rule.has_from)
        return a->rule.effective_from;
    return a->rule.has_to && a->rule.effective_to <= USUAL_DAY ? a->rule.effective_to - 1 : USUAL_DAY;
}

void mu_alone_fini(struct mu_alone *a)
{
    free(a->pack.columns);
    a->pack.columns = NULL;
}
