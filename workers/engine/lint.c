/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/lint.h"

#include "engine/ready.h"
#include "engine/suspects.h"

struct lint {
    const struct mu_lint_setup *setup;
    struct mu_lint counts;
    struct mu_pack *pack;
    const struct mu_list_data **lists; /* one that is missing has an empty one in its place */
    bool *lists_missing;
    size_t missing_count;
    struct mu_list_data *empty;
    struct mu_uses uses;
};

static void lint_fini(struct lint *l)
{
    mu_uses_fini(&l->uses);
    free(l->lists);
    free(l->lists_missing);
    mu_list_data_free(l->empty);
    mu_pack_free(l->pack);
}
MU_DEFINE_AUTO_VALUE(struct lint, lint_fini)

static void tell(struct lint *l, enum mu_lint_level level, const struct mu_error *what)
{
    if (level == MU_LINT_ERROR)
        l->counts.errors++;
    else
        l->counts.warnings++;
    l->setup->note(l->setup->context, level, what);
}

static void note_mistake(void *context, const struct mu_error *mistake)
{
    if (mistake->fault == MU_REJECTED)
        tell(context, MU_LINT_ERROR, mistake);
}

static void note_suspect(void *context, bool is_error, const struct mu_error *what)
{
    tell(context, is_error ? MU_LINT_ERROR : MU_LINT_WARNING, what);
}

static void note_case(void *context, const struct mu_rule *rule, const char *name, const struct mu_error *wrong)
{
    struct lint *l = context;
    struct mu_error named;
    l->counts.cases++;
    if (l->setup->each_case)
        l->setup->each_case(l->setup->context, rule, name, wrong);
    if (!wrong)
        return;
    named = *wrong;
    l->counts.failed_cases++;
    mu_while(&named, "rule %s, case \"%.80s\"", rule->id, name);
    tell(l, MU_LINT_ERROR, &named);
}

static bool find_list(struct lint *l, const struct mu_pack_list *wanted, const struct mu_list_data **out, struct mu_error *err)
{
    const struct mu_shelf_list *found = NULL;
    struct mu_error why = {0};
    char pointer[80];
    if (mu_shelf_find(l->setup->shelf, wanted, &found, &why)) {
        *out = found->data;
        return true;
    }
    if (why.fault != MU_REJECTED)
        return mu_fail(err, why.fault, "%s", why.text);
    (void)snprintf(pointer, sizeof(pointer), "/lists/%.64s", wanted->alias);
    (void)snprintf(why.pointer, sizeof(why.pointer), "%s", pointer);
    mu_hint(&why, "muster's own form begins with \"# muster-list 1 <name> <version> key=<column>\"");
    if (wanted->implied)
        mu_while(&why, "a function looks into a list that the pack does not name");
    tell(l, MU_LINT_ERROR, &why);
    *out = NULL;
    return true;
}

/* Of a pack that could not be read its lists are looked for all the same. */
static bool lists_of_document(struct lint *l, struct mu_error *err)
{
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    struct mu_error ignored = {0};
    const char *alias;
    json_t *value;
    if (!mu_json_parse(&doc, l->setup->bytes, MU_PACK_BYTES_MAX, &ignored))
        return true;
    json_object_foreach(json_object_get(doc, "lists"), alias, value)
    {
        const struct mu_list_data *found;
        char name[100];
        if (!json_is_string(value) || !mu_copy_text(name, sizeof(name), mu_span_of(json_string_value(value))))
            continue;
        char *at = strchr(name, '@');
        if (at)
            *at = '\0';
        const struct mu_pack_list wanted = {alias, name, at ? at + 1 : NULL, false};
        if (!find_list(l, &wanted, &found, err))
            return false;
    }
    return true;
}

static bool find_lists(struct lint *l, struct mu_error *err)
{
    static const char empty[] = "# muster-list 1 none 0 key=key\nkey\n";
    l->lists = calloc(l->pack->list_count + 1, sizeof(*l->lists));
    l->lists_missing = calloc(l->pack->list_count + 1, sizeof(*l->lists_missing));
    if (!l->lists || !l->lists_missing)
        return mu_fail(err, MU_BROKEN, "out of memory");
    if (!mu_list_parse(&l->empty, mu_span_of(empty), err))
        return false;
    for (size_t i = 0; i < l->pack->list_count; i++) {
        if (!find_list(l, &l->pack->lists[i], &l->lists[i], err))
            return false;
        l->lists_missing[i] = !l->lists[i];
        l->missing_count += l->lists_missing[i];
        if (!l->lists[i])
            l->lists[i] = l->empty;
    }
    return true;
}

/* What a rule says that looks into a missing list is said of the list already. A plugin may. */
static bool lacks_list(const struct lint *l, const struct mu_rule *rule, bool *lacks, struct mu_error *err)
{
    MU_AUTO(mu_uses_fini) struct mu_uses uses = {.columns = NULL};
    if (!mu_uses_init(&uses, l->pack, err))
        return false;
    mu_uses_add(&uses, l->pack, rule);
    *lacks = l->missing_count && rule->kind == MU_RULE_CHECK;
    for (size_t i = 0; i < l->pack->list_count; i++)
        *lacks |= l->lists_missing[i] && uses.lists[i];
    return true;
}

/* Is it about a value that stands for a parameter which only the job will give? */
static bool is_about_placeholder(const struct lint *l, const struct mu_rule *rule, const struct mu_error *why)
{
    const char *at = strstr(why->pointer, "/with/");
    const char *text = at ? mu_json_text(rule->with, at + 6) : NULL;
    for (size_t i = 0; text && text[0] == ':' && i < l->pack->param_count; i++)
        if (strcmp(l->pack->params[i].name, text + 1) == 0)
            return !l->pack->params[i].otherwise;
    return false;
}

static void note_read(struct lint *l, const struct mu_ready *ready)
{
    const struct ready_rule *rr = &ready->rules[0];
    for (size_t i = 0; i < rr->column_count; i++)
        l->uses.columns[rr->columns[i]] = true;
    for (size_t i = 0; i < rr->list_count; i++)
        l->uses.lists[rr->lists[i]] = true;
}

static bool lint_rule(struct lint *l, size_t index, struct mu_error *err)
{
    MU_AUTO(mu_alone_fini) struct mu_alone alone = {.index = index};
    MU_AUTO(mu_ready_free) struct mu_ready *ready = NULL;
    struct mu_error why = {0};
    bool lacks = false;
    if (!mu_alone_init(&alone, l->pack, index, err) || !lacks_list(l, &l->pack->rules[index], &lacks, err))
        return false;
    mu_uses_add(&l->uses, l->pack, &l->pack->rules[index]);
    const bool made = mu_alone_ready(&ready, &alone, l->lists, NULL, mu_alone_day(&alone), &why);
    if (!made && why.fault != MU_REJECTED)
        return mu_fail(err, why.fault, "%s", why.text);
    if (!made && !lacks && !is_about_placeholder(l, &l->pack->rules[index], &why))
        tell(l, MU_LINT_ERROR, &why);
    if (!made)
        return true;
    note_read(l, ready);
    return mu_suspects_of_rule(l->pack, index, ready, note_suspect, l, err) &&
           (lacks || l->setup->no_cases || mu_cases_run(&alone, l->lists, note_case, l, err));
}

static bool lint_pack(struct lint *l, struct mu_error *err)
{
    const int64_t before = l->counts.errors;
    if (!mu_uses_init(&l->uses, l->pack, err) || !find_lists(l, err))
        return false;
    for (size_t i = 0; i < l->pack->rule_count; i++)
        if (!lint_rule(l, i, err))
            return false;
    for (size_t i = 0; i < l->pack->identity_count; i++)
        l->uses.columns[mu_pack_column(l->pack, mu_span_of(l->pack->identity[i]))] = true;
    if (l->counts.errors == before + l->counts.failed_cases) /* else a rule that could not be made ready may use it */
        mu_suspects_of_pack(l->pack, &l->uses, note_suspect, l);
    return true;
}

bool mu_lint(const struct mu_lint_setup *setup, struct mu_lint *out, struct mu_error *err)
{
    MU_AUTO(lint_fini) struct lint l = {.setup = setup};
    struct mu_error first = {0};
    if (mu_pack_parse_all(&l.pack, setup->bytes, note_mistake, &l, &first)) {
        if (!lint_pack(&l, err))
            return false;
    } else if (first.fault != MU_REJECTED) {
        return mu_fail(err, first.fault, "%s", first.text);
    } else if (!lists_of_document(&l, err)) {
        return false;
    }
    *out = l.counts;
    return true;
}
