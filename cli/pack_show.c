/* SPDX-License-Identifier: Apache-2.0 */
/* `muster pack show`: a pack as people read it. */
#include "pack.h"

static void print_texts(const char *heading, const json_t *array)
{
    for (size_t i = 0; i < json_array_size(array); i++)
        printf("%s%s%s", i ? ", " : heading, json_string_value(json_array_get(array, i)), i + 1 == json_array_size(array) ? "\n" : "");
}

static void print_value(const char *key, const json_t *value)
{
    MU_AUTO(mu_text_free) struct mu_text text = MU_TEXT(0);
    if (json_is_string(value))
        mu_text_puts(&text, json_string_value(value));
    else
        mu_json_write(&text, value);
    printf("    %-12s %.*s\n", key, (int)text.len, text.len ? text.at : "");
}

static void print_columns(const struct mu_pack *pack)
{
    static const char *const masks[] = {[MU_MASK_NONE] = "", [MU_MASK_HASH] = ", shown as a hash", [MU_MASK_LAST4] = ", shown by its last four",
                                        [MU_MASK_DROP] = ", never shown"};
    puts("\ncolumns:");
    for (size_t i = 0; i < pack->column_count; i++)
        printf("    %-20s %s%s%s\n", pack->columns[i].name, mu_type_name(pack->columns[i].type), masks[pack->columns[i].mask],
               pack->columns[i].empty_is_value ? ", empty is a value" : "");
}

/* With the version that a bare name means here. */
static void print_lists(const struct mu_pack *pack, struct mu_shelf *shelf)
{
    if (pack->list_count)
        puts("\nlists:");
    for (size_t i = 0; i < pack->list_count; i++) {
        const struct mu_pack_list *l = &pack->lists[i];
        const struct mu_shelf_list *found = NULL;
        struct mu_error why = {0};
        char hex[MU_DIGEST_HEX] = "";
        if (mu_shelf_find(shelf, l, &found, &why))
            mu_digest_format(mu_list_digest(found->data), hex);
        if (found)
            printf("    %-20s %s@%s  sha256:%.16s…%s\n", l->alias, found->name, found->version, hex, l->implied ? "  (of a function)" : "");
        else
            printf("    %-20s %s%s%s  (not here: %s)\n", l->alias, l->name, l->version ? "@" : "", l->version ? l->version : "", why.text);
    }
}

static void print_params(const struct mu_pack *pack)
{
    if (pack->param_count)
        puts("\nparams:");
    for (size_t i = 0; i < pack->param_count; i++)
        printf("    %-20s %s%s%s\n", pack->params[i].name, mu_type_name(pack->params[i].type), pack->params[i].otherwise ? ", default " : ", must be given",
               pack->params[i].otherwise ? pack->params[i].otherwise : "");
}

static void print_rule(const struct mu_rule *rule)
{
    static const char *const skip[] = {"id", "title", "severity", "mode", "cites", "cases", "given"};
    static const char *const modes[] = {[MU_MODE_ACTIVE] = "", [MU_MODE_SHADOW] = ", shadow", [MU_MODE_OFF] = ", off"};
    const char *key;
    json_t *value;
    printf("\n%s  (%s%s)\n", rule->id, rule->severity, modes[rule->mode]);
    if (rule->title)
        printf("    %s\n", rule->title);
    print_texts("    cites        ", json_object_get(rule->document, "cites"));
    json_object_foreach((json_t *)(uintptr_t)rule->document, key, value)
    {
        bool told = false;
        for (size_t i = 0; i < MU_COUNT(skip); i++)
            told |= mu_span_is(mu_span_of(skip[i]), key);
        if (!told)
            print_value(key, value);
    }
}

static void print_cases(const struct mu_rule *rule)
{
    const json_t *cases = json_object_get(rule->document, "cases"), *given = json_object_get(rule->document, "given");
    if (given)
        print_value("given", given);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *one = json_array_get(cases, i), *rows = json_object_get(one, "rows");
        const char *name = mu_json_text(one, "name");
        printf("\n    case %zu%s%s\n", i + 1, name ? ": " : "", name ? name : "");
        if (mu_json_text(one, "as_of"))
            print_value("    as_of", json_object_get(one, "as_of"));
        if (json_object_get(one, "params"))
            print_value("    params", json_object_get(one, "params"));
        for (size_t k = 0; k < json_array_size(rows); k++)
            print_value("    row", json_array_get(rows, k));
        print_value("    expect", json_object_get(one, "expect"));
    }
}

static const struct mu_rule *find_rule(const struct mu_pack *pack, const char *id)
{
    for (size_t i = 0; i < pack->rule_count; i++)
        if (mu_span_is(mu_span_of(id), pack->rules[i].id))
            return &pack->rules[i];
    return NULL;
}

static void print_pack(const struct mu_pack *pack, struct mu_shelf *shelf)
{
    char hex[MU_DIGEST_HEX];
    const char *name;
    json_t *text;
    bool first = true;
    mu_digest_format(&pack->digest, hex);
    printf("%s@%s  %s\nsha256:%s\n", pack->name, pack->version, pack->title, hex);
    print_texts("identity: ", json_object_get(pack->doc, "identity"));
    print_columns(pack);
    print_lists(pack, shelf);
    print_params(pack);
    json_object_foreach(json_object_get(pack->doc, "let"), name, text)
    {
        printf("%s    %-20s %s\n", first ? "\nlet:\n" : "", name, json_string_value(text));
        first = false;
    }
    printf("\n%zu rules:\n", pack->rule_count);
    for (size_t i = 0; i < pack->rule_count; i++)
        print_rule(&pack->rules[i]);
}

enum cli_exit pack_show(struct cli *cli, const struct pack_words *w)
{
    MU_AUTO(mu_text_free) struct mu_text bytes = MU_TEXT(0);
    MU_AUTO(mu_pack_free) struct mu_pack *pack = NULL;
    MU_AUTO(mu_shelf_free) struct mu_shelf *shelf = NULL;
    struct mu_error err = {0};
    if (cli->argc < 1 || cli->argc > 2)
        return cli_usage("pack show wants a pack, and perhaps a rule");
    if (!pack_find(cli, w, cli->argv[0], &bytes, &err) || !mu_pack_parse(&pack, mu_text_span(&bytes), &err) ||
        !library_shelf(cli, &w->lists, &shelf, &err))
        return cli_fail(&err);
    const struct mu_rule *rule = cli->argc == 2 ? find_rule(pack, cli->argv[1]) : NULL;
    if (cli->argc == 2 && !rule) {
        mu_reject(&err, "not_found", "", "pack %s@%s has no rule %s", pack->name, pack->version, cli->argv[1]);
        return cli_fail(&err);
    }
    if (cli->format == CLI_JSON) {
        cli_print_json(rule ? rule->document : pack->doc);
    } else if (rule) {
        print_rule(rule);
        print_cases(rule);
    } else {
        print_pack(pack, shelf);
    }
    return CLI_DONE;
}
