/* SPDX-License-Identifier: Apache-2.0 */
/* `muster pack`: what people who write rules do with their packs. */
#include "pack.h"
#include "domain/names_rights.h"
#include "outside/kv.h"

static enum cli_exit help(void)
{
    puts("usage: muster pack lint|test|show|load|diff PACK… [OPTION…]\n"
         "\n"
         "  muster pack lint my-rules.json\n"
         "  muster pack test my-rules.json\n"
         "  muster pack show identifiers@1 ID.ISIN\n"
         "  muster pack diff my-rules@1.0.0 my-rules.json\n"
         "  muster pack load my-rules.json\n"
         "\n"
         "lint FILE…            all mistakes of packs, and what is suspicious, a line each: place, what was expected and found,\n"
         "                      and what would be right. Cases are run, too. Status 4 if there is a mistake\n"
         "test FILE…            runs the cases inside; status 1 if one fails\n"
         "show PACK [RULE]      a pack as people read it, or one rule with its cases\n"
         "load FILE…            lints and loads: jobs may name it from then on. A version once loaded cannot be changed,\n"
         "                      only superseded by a higher one; loading the same again is fine\n"
         "diff PACK PACK        what changed, rule by rule, and what that means; status 1 if they differ\n"
         "\n"
         "PACK is a file, or NAME[@VERSION] of a pack in a folder of --packs, or of the broker.\n"
         "\n"
         "      --lists DIR    where reference lists lie as <name>@<version>.csv (may be repeated; default: data.lists)\n"
         "      --packs DIR    where packs lie as <name>@<version>.json (may be repeated; default: data.packs)\n"
         "      --strict       lint: a warning is a mistake\n"
         "      --dry-run      load: lint, and ask what loading would do\n"
         "      --actor WHO    load: who does it, for the audit trail (default: USER)\n"
         "      --reason WHY   load: why, for the audit trail\n"
         "      --broker       show, diff: the packs that are in force, not those of the folders\n"
         "\n"
         "What can stand in a pack is in the manual, muster-pack(7).");
    return CLI_DONE;
}

/* The highest of a name's versions in the bucket. */
struct best {
    const char *name, *prefix;
    char version[32];
    struct mu_text *out;
};

static bool note_key(void *context, const char *key, const struct mu_entry *entry)
{
    struct best *b = context;
    const char *dot = strchr(key, '.');
    const size_t len = strlen(b->prefix);
    if (!dot || !mu_span_is(mu_span(key, (size_t)(dot - key)), b->name))
        return true;
    const char *version = dot + 1;
    const bool begins = !len || (strncmp(version, b->prefix, len) == 0 && (version[len] == '.' || !version[len]));
    if (!begins || strlen(version) >= sizeof(b->version) || (b->version[0] && mu_version_compare(version, b->version) <= 0))
        return true;
    memcpy(b->version, version, strlen(version) + 1);
    mu_text_reset(b->out);
    mu_text_add(b->out, mu_text_span(&entry->value));
    return true;
}

static bool find_in_bucket(struct cli *cli, const char *name, struct mu_text *out, struct mu_error *err)
{
    enum cli_exit status;
    char plain[64];
    const char *at = strchr(name, '@');
    cli->role = mu_role_name(MU_ROLE_OPERATOR);
    MU_AUTO(mu_bus_free) struct mu_bus *bus = cli_connect(cli, &status);
    if (!bus)
        return mu_fail_code(err, MU_UNAVAILABLE, "unavailable", "pack %s is in no folder, and no broker can be asked", name);
    if (!mu_copy_text(plain, sizeof(plain), mu_span(name, at ? (size_t)(at - name) : strlen(name))))
        return mu_reject(err, "not_found", "", "there is no pack of so long a name");
    struct best best = {.name = plain, .prefix = at ? at + 1 : "", .out = out};
    if (!mu_kv_walk(bus, MU_BUCKET_PACKS, note_key, &best, err))
        return false;
    if (best.version[0])
        return mu_text_ok(out, err);
    mu_reject(err, "not_found", "", "there is no pack %s in the broker", name);
    return mu_hint(err, "`muster pack load FILE` puts one there");
}

bool pack_find(struct cli *cli, const struct pack_words *w, const char *name, struct mu_text *out, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text path = MU_TEXT(0);
    struct mu_error here = {0};
    const bool is_file = library_is_file(name);
    if ((is_file || !w->broker) && library_read(cli, &w->packs, name, out, &path, &here))
        return true;
    if (!is_file && (w->broker || (!w->packs.count && mu_span_is(mu_span_of(here.code), "not_found"))))
        return find_in_bucket(cli, name, out, err);
    *err = here;
    return false;
}

enum cli_exit cli_pack(struct cli *cli)
{
    static const struct { const char *name; enum cli_exit (*run)(struct cli *cli, const struct pack_words *w); } verbs[] = {
        {"lint", pack_lint}, {"test", pack_test}, {"show", pack_show}, {"load", pack_load}, {"diff", pack_diff},
        {"manual", pack_manual}};
    struct pack_words w = {.broker = false};
    bool wants_help = false;
    const struct cli_option options[] = {
        {"--lists", NULL, &w.lists, NULL},       {"--packs", NULL, &w.packs, NULL},       {"--strict", NULL, NULL, &w.strict},
        {"--dry-run", NULL, NULL, &w.dry_run},   {"--actor", &w.actor, NULL, NULL},       {"--reason", &w.reason, NULL, NULL},       {"--broker", NULL, NULL, &w.broker},
        {"--help", NULL, NULL, &wants_help},
    };
    if (!cli_take_options(cli, "pack", options, MU_COUNT(options)))
        return CLI_USAGE;
    if (wants_help)
        return help();
    for (size_t i = 0; cli->argc && i < MU_COUNT(verbs); i++) {
        if (!mu_span_is(mu_span_of(cli->argv[0]), verbs[i].name))
            continue;
        cli->argc--;
        cli->argv++;
        return verbs[i].run(cli, &w);
    }
    return cli_usage("pack what? lint, test, show, load or diff; see muster pack --help");
}
