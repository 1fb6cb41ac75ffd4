/* SPDX-License-Identifier: Apache-2.0 */
/* `muster exception`: the ledger of what becomes of findings over runs, and waivers, by muster.api.exceptions, waive and
 * revoke. */
#include "cli.h"
#include "domain/names_rights.h"

struct words { /* of a command line, taken apart */
    struct cli_values filters;
    const char *owner, *reason, *until, *rule, *source, *pack;
    bool dry_run;
};

static const char *text(const json_t *doc, const char *key)
{
    const char *value = mu_json_text(doc, key);
    return value ? value : "";
}

static void show_row(struct cli *cli, struct cli_table *table, const json_t *e)
{
    char runs[32], record[40];
    const bool is_group = json_is_string(json_object_get(e, "subject"));
    snprintf(record, sizeof(record), "record %lld", (long long)mu_json_int(e, "record_no", 0));
    const char *const cells[] = {
        text(e, "exception_id"), text(e, "state"), text(e, "severity"), text(e, "rule"), text(e, "source"), is_group ? text(e, "subject") : record,
        cli_thousands(mu_json_int(e, "runs_seen", 0), runs), text(e, "last_seen_at"), text(e, "waived_until"), text(e, "message")};
    if (cli->quiet)
        puts(cells[0]);
    else if (cli->format == CLI_JSON)
        cli_print_json(e);
    else
        cli_table_add(table, cells);
}

static enum cli_exit list(struct cli *cli, const struct words *w)
{
    static const char *const headings[] = {"EXCEPTION", "STATE", "SEVERITY", "RULE", "SOURCE", "SUBJECT", "RUNS", "LAST SEEN", "WAIVED UNTIL", "MESSAGE"};
    static const struct cli_listing listing = {
        .verb = "exceptions", .rows = "exceptions", .id = "exception_id", .none = "no exceptions", .headings = headings, .columns = MU_COUNT(headings), .row = show_row};
    if (cli->argc)
        return cli_usage("exception ls takes only --filter KEY=VALUE");
    return cli_list(cli, &listing, &w->filters);
}

/* Asks once and tells the answer, or what stands at a place of it. */
static enum cli_exit ask(struct cli *cli, const char *verb, const json_t *request, json_t **answer)
{
    enum cli_exit status = CLI_USAGE;
    MU_AUTO(mu_bus_free) struct mu_bus *bus = cli_connect(cli, &status);
    return bus && cli_request(cli, bus, verb, request, answer, &status) ? CLI_DONE : status;
}

static enum cli_exit show(struct cli *cli, const struct words *w)
{
    (void)w;
    if (cli->argc != 1)
        return cli_usage("exception show takes one exception");
    MU_AUTO(mu_json_free) json_t *request = json_pack("{s:s}", "exception_id", cli->argv[0]), *answer = NULL;
    if (!request)
        return cli_usage("the id is no UTF-8 text");
    enum cli_exit status = ask(cli, "exceptions", request, &answer);
    if (status != CLI_DONE)
        return status;
    json_t *e = json_array_get(json_object_get(answer, "exceptions"), 0);
    if (cli->format == CLI_JSON)
        cli_print_json(e);
    else
        cli_print_fields(e);
    return CLI_DONE;
}

/* NULL after telling what is wrong. */
static json_t *waiver_of(const struct cli *cli, const struct words *w, enum cli_exit *status)
{
    const struct { const char *key, *value; } texts[] = {{"owner", w->owner}, {"reason", w->reason}, {"until", w->until},
                                                         {"rule", w->rule}, {"source", w->source}, {"pack", w->pack}};
    *status = CLI_USAGE;
    if (!cli->argc == !w->rule)
        return cli_usage("name the exceptions, or give --rule RULE"), NULL;
    if (!w->owner || !w->reason || !w->until)
        return cli_usage("say who answers for it, why and until when: --owner WHO --reason WHY --until DAY"), NULL;
    MU_AUTO(mu_json_free) json_t *request = json_pack("{s:b}", "dry_run", w->dry_run), *ids = json_array();
    for (size_t i = 0; i < MU_COUNT(texts); i++)
        if (texts[i].value && json_object_set_new(request, texts[i].key, json_string(texts[i].value)) != 0)
            return cli_usage("--%s is no UTF-8 text", texts[i].key), NULL;
    for (int i = 0; i < cli->argc; i++)
        if (json_array_append_new(ids, json_string(cli->argv[i])) != 0)
            return cli_usage("the id is no UTF-8 text"), NULL;
    if (cli->argc)
        json_object_set(request, "exception_ids", ids);
    cli_put_actor(request);
    return MU_GIVE(request);
}

static enum cli_exit waive(struct cli *cli, const struct words *w)
{
    enum cli_exit status;
    MU_AUTO(mu_json_free) json_t *request = waiver_of(cli, w, &status), *answer = NULL;
    if (!request)
        return status;
    status = ask(cli, "waive", request, &answer);
    if (status != CLI_DONE)
        return status;
    if (cli->format == CLI_JSON)
        cli_print_json(answer);
    else if (w->dry_run)
        printf("%lld open exceptions would be waived until %s\n", (long long)mu_json_int(answer, "matched", 0), text(answer, "expires_at"));
    else if (cli->quiet)
        puts(text(answer, "waiver_id"));
    else
        printf("waiver %s covers %lld open exceptions until %s\n", text(answer, "waiver_id"), (long long)mu_json_int(answer, "matched", 0),
               text(answer, "expires_at"));
    return CLI_DONE;
}

static enum cli_exit revoke(struct cli *cli, const struct words *w)
{
    if (cli->argc != 1)
        return cli_usage("exception revoke takes one waiver");
    if (!w->reason)
        return cli_usage("say why: --reason TEXT, it is kept in the audit trail");
    MU_AUTO(mu_json_free) json_t *request = json_pack("{s:s,s:s}", "waiver_id", cli->argv[0], "reason", w->reason), *answer = NULL;
    if (!request)
        return cli_usage("the reason or the id is no UTF-8 text");
    cli_put_actor(request);
    enum cli_exit status = ask(cli, "revoke", request, &answer);
    if (status != CLI_DONE)
        return status;
    if (cli->format == CLI_JSON)
        cli_print_json(answer);
    else if (cli->quiet)
        puts(text(answer, "waiver_id"));
    else
        printf("waiver %s %s\n", text(answer, "waiver_id"), mu_json_bool(answer, "duplicate", false) ? "was revoked already" : "revoked");
    return CLI_DONE;
}

enum cli_exit cli_exception(struct cli *cli)
{
    static const struct { const char *name; enum cli_exit (*run)(struct cli *cli, const struct words *w); } verbs[] = {
        {"ls", list}, {"show", show}, {"waive", waive}, {"revoke", revoke}};
    struct words w = {0};
    const struct cli_option options[] = {
        {"--filter", .values = &w.filters}, {"--owner", .text = &w.owner}, {"--reason", .text = &w.reason}, {"--until", .text = &w.until},
        {"--rule", .text = &w.rule}, {"--source", .text = &w.source}, {"--pack", .text = &w.pack}, {"--dry-run", .flag = &w.dry_run}};
    if (!cli_take_options(cli, "exception", options, MU_COUNT(options)))
        return CLI_USAGE;
    cli->role = mu_role_name(MU_ROLE_OPERATOR);
    for (size_t i = 0; cli->argc && i < MU_COUNT(verbs); i++) {
        if (!mu_span_is(mu_span_of(cli->argv[0]), verbs[i].name))
            continue;
        cli->argc--;
        cli->argv++;
        return verbs[i].run(cli, &w);
    }
    return cli_usage("exception what? ls, show ID, waive ID… or revoke WAIVER");
}
