/* SPDX-License-Identifier: Apache-2.0 */
/* `muster pack diff`: what has changed from one pack to another, rule by rule, and what that means for those who rely on
 * it. */
#include "pack.h"

struct differ {
    const struct cli *cli;
    size_t changes;
};

/* What a change of this key does. */
static const char *meaning_of(const char *key)
{
    static const struct { const char *key, *meaning; } meanings[] = {
        {"severity", "findings are ranked anew"},
        {"mode", "active counts, shadow is only marked, off is not run"},
        {"effective", "the days on which it is asked"},
        {"where", "other records are in scope"},
        {"expr", "what must hold is another thing: findings may come and go"},
        {"having", "what is a finding is another thing: findings may come and go"},
        {"value", "what is measured is another thing: findings may come and go"},
        {"bands", "limits have moved: findings may come and go"},
        {"group_by", "groups are other ones: fingerprints of findings change"},
        {"window", "other groups count together"},
        {"check", "another check judges"},
        {"with", "the check judges by other parameters"},
        {"mostly", "the share that must pass"},
        {"min_coverage", "how much must be judged for a pass"},
        {"max_findings", "how many findings are told; counts stay exact"},
        {"evidence", "what findings show"},
        {"message", "what findings say"},
        {"cites", "the sources that it rests on"},
        {"title", "its name for people"},
        {"cases", "its tests"},
        {"given", "its tests"},
        {"columns", "what a source must provide, and how values are read and shown"},
        {"lists", "what values are compared with"},
        {"params", "what a job may set, and what holds if it does not"},
        {"let", "expressions that use the name say something else"},
        {"identity", "fingerprints of findings change: all look new"},
    };
    for (size_t i = 0; i < MU_COUNT(meanings); i++)
        if (mu_span_is(mu_span_of(key), meanings[i].key))
            return meanings[i].meaning;
    return "";
}

static void write_value(struct mu_text *out, const json_t *value)
{
    if (json_is_string(value))
        mu_text_puts(out, json_string_value(value));
    else if (value)
        mu_json_write(out, value);
    else
        mu_text_puts(out, "(none)");
}

/* `what`: "rule T.A", "columns isin", …; `key` NULL: it came or went as a whole. */
static void tell(struct differ *d, const char *change, const char *what, const char *key, const json_t *from, const json_t *to,
                 const char *meaning)
{
    MU_AUTO(mu_text_free) struct mu_text old = MU_TEXT(0);
    MU_AUTO(mu_text_free) struct mu_text new = MU_TEXT(0);
    d->changes++;
    if (d->cli->format == CLI_JSON) {
        MU_AUTO(mu_json_free) json_t *doc = json_pack("{s:s,s:s,s:s?,s:O?,s:O?,s:s}", "change", change, "what", what, "key", key, "from",
                                                      from, "to", to, "meaning", meaning);
        cli_print_json(doc);
        return;
    }
    printf("%s %s%s%s%s%s%s\n", change, what, key ? ": " : "", key ? key : "", *meaning ? "  (" : "", meaning, *meaning ? ")" : "");
    write_value(&old, from);
    write_value(&new, to);
    if (from)
        printf("    - %s\n", old.at);
    if (to)
        printf("    + %s\n", new.at);
}

static void compare_keys(struct differ *d, const char *what, const json_t *a, const json_t *b)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)a, key, value)
    {
        const json_t *other = json_object_get(b, key);
        if (!other || !json_equal(value, other))
            tell(d, "changed", what, key, value, other, meaning_of(key));
    }
    json_object_foreach((json_t *)(uintptr_t)b, key, value)
    {
        if (!json_object_get(a, key))
            tell(d, "changed", what, key, NULL, value, meaning_of(key));
    }
}

static const json_t *find_rule(const json_t *rules, const char *id)
{
    for (size_t i = 0; i < json_array_size(rules); i++)
        if (mu_span_is(mu_span_of(id), mu_json_text(json_array_get(rules, i), "id")))
            return json_array_get(rules, i);
    return NULL;
}

static void compare_rules(struct differ *d, const json_t *a, const json_t *b)
{
    char what[80];
    for (size_t i = 0; i < json_array_size(a); i++) {
        const json_t *rule = json_array_get(a, i), *other = find_rule(b, mu_json_text(rule, "id"));
        (void)snprintf(what, sizeof(what), "rule %s", mu_json_text(rule, "id"));
        if (!other)
            tell(d, "removed", what, NULL, NULL, NULL, "its findings will be gone");
        else
            compare_keys(d, what, rule, other);
    }
    for (size_t i = 0; i < json_array_size(b); i++) {
        const json_t *rule = json_array_get(b, i);
        (void)snprintf(what, sizeof(what), "rule %s", mu_json_text(rule, "id"));
        if (!find_rule(a, mu_json_text(rule, "id")))
            tell(d, "added", what, NULL, NULL, rule, "its findings will be new");
    }
}

/* Members of columns, lists, params, let one by one. */
static void compare_members(struct differ *d, const char *folder, const json_t *a, const json_t *b)
{
    const char *name;
    json_t *value;
    char what[100];
    json_object_foreach((json_t *)(uintptr_t)a, name, value)
    {
        const json_t *other = json_object_get(b, name);
        (void)snprintf(what, sizeof(what), "%s %.64s", folder, name);
        if (!other || !json_equal(value, other))
            tell(d, other ? "changed" : "removed", what, NULL, value, other, meaning_of(folder));
    }
    json_object_foreach((json_t *)(uintptr_t)b, name, value)
    {
        (void)snprintf(what, sizeof(what), "%s %.64s", folder, name);
        if (!json_object_get(a, name))
            tell(d, "added", what, NULL, NULL, value, meaning_of(folder));
    }
}

static void compare(struct differ *d, const json_t *a, const json_t *b)
{
    static const char *const plain[] = {"pack", "version", "title", "identity"}, *const folders[] = {"columns", "lists", "params", "let"};
    for (size_t i = 0; i < MU_COUNT(plain); i++) {
        const json_t *from = json_object_get(a, plain[i]), *to = json_object_get(b, plain[i]);
        if ((from || to) && !(from && to && json_equal(from, to)))
            tell(d, "changed", plain[i], NULL, from, to, meaning_of(plain[i]));
    }
    for (size_t i = 0; i < MU_COUNT(folders); i++)
        compare_members(d, folders[i], json_object_get(a, folders[i]), json_object_get(b, folders[i]));
    compare_rules(d, json_object_get(a, "rules"), json_object_get(b, "rules"));
}

static bool read_pack(struct cli *cli, const struct pack_words *w, const char *name, struct mu_pack **out, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text bytes = MU_TEXT(0);
    return pack_find(cli, w, name, &bytes, err) && (mu_pack_parse(out, mu_text_span(&bytes), err) || mu_while(err, "%s", name));
}

enum cli_exit pack_diff(struct cli *cli, const struct pack_words *w)
{
    MU_AUTO(mu_pack_free) struct mu_pack *a = NULL;
    MU_AUTO(mu_pack_free) struct mu_pack *b = NULL;
    struct differ d = {.cli = cli};
    struct mu_error err = {0};
    if (cli->argc != 2)
        return cli_usage("pack diff wants two packs: files or NAME@VERSION");
    if (!read_pack(cli, w, cli->argv[0], &a, &err) || !read_pack(cli, w, cli->argv[1], &b, &err))
        return cli_fail(&err);
    compare(&d, a->doc, b->doc);
    if (!d.changes && !mu_digest_equal(&a->digest, &b->digest))
        fprintf(stderr, "muster: the two say the same in other bytes\n");
    else if (!d.changes)
        fprintf(stderr, "muster: no difference\n");
    return d.changes ? CLI_FAILED : CLI_DONE;
}
