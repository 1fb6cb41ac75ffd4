/* SPDX-License-Identifier: Apache-2.0 */
/* `muster`, the command line: submit, wait, look, set up. It speaks the same subjects and the same JSON as the stock
 * `nats` command line sees; whatever it does can be done with that one and psql too. A verb runs once and ends with a
 * status of enum cli_exit; only `dev` stays until it is interrupted. */
#include "cli.h"
#include "base/log.h"
#include "domain/names_rights.h"
#include "format/schema.h"

#include <unistd.h>

static const struct cli_verb verbs[] = {
    {"agents", "[AGENT]", "the agents of the registry, and how long ago each was heard", cli_agents, 0},
    {"audit", "verify [--from SEQ] [--to SEQ] [--heads FILE] [--events]", "is all as it was written: the audit trail, and the rows that it names; status 1 if not", cli_audit, 0},
    {"cancel", "JOB… | --filter KEY=VALUE… --reason WHY [--dry-run]", "cancel jobs that are queued or running", cli_cancel, 0},
    {"check", "FILE | - --pack P [--as-of DAY] [--param NAME=VALUE]…", "run a pack over a file, without any server; status 1 if there are findings", cli_check,
     CLI_LINES | CLI_SHEET},
    {"db", "migrate|status|maintain|resubmit", "the database: its schema, its partitions; after a restore, resubmit", cli_db, 0},
    {"dead", "ls | show TASK | retry TASK… --reason WHY [--rate N]", "tasks that ended without a verdict; also by --filter KEY=VALUE", cli_dead, 0},
    {"dev", "[--workers N] [--dir DIR] [--keep]", "a private broker, database and agents until Ctrl-C", cli_dev, 0},
    {"exception", "ls | show ID | waive ID… | revoke WAIVER", "the exceptions ledger: what becomes of findings over runs; waivers", cli_exception, 0},
    {"pack", "lint|test|show|load|diff PACK…", "rule packs: find their mistakes, run their cases, look, load, compare", cli_pack, 0},
    {"permissions", "[--agent ID] [--queue Q]…", "the rights of each role, as a block of nats-server's configuration", cli_permissions, 0},
    {"report", "[NAME] [PARAMETER=VALUE]… [-o html]", "questions that lie ready, answered in SQL: exceptions, deadlines, proofs; alone: all of them", cli_report,
     CLI_LINES | CLI_SHEET | CLI_PAGE},
    {"setup", "[--check]", "create the streams, buckets and consumers that are missing; report differences", cli_setup, 0},
    {"status", "JOB…", "the state of a job, by id or key", cli_status, 0},
    {"submit", "JSON | -f FILE | --pack P --source URI", "submit a job, or a file of jobs, one a line", cli_submit, 0},
    {"wait", "JOB… [--timeout 10m]", "wait until jobs are done; status 1 if one failed", cli_wait, 0},
};

static void help(void)
{
    puts("usage: muster [OPTION…] VERB [ARGUMENT…]\n"
         "\n"
         "  muster submit '{\"pack\":\"identifiers@1\",\"records\":[{\"isin\":\"US0378331006\"}]}'\n"
         "  muster submit --pack identifiers@1 --source file:equities.csv --wait\n"
         "  muster check equities.csv --pack identifiers@1\n"
         "  muster pack lint my-rules.json && muster pack test my-rules.json\n"
         "  muster wait 0192f0c1-7c3a-7000-8000-000000000000 --timeout 10m\n"
         "\nverbs:");
    for (size_t i = 0; i < MU_COUNT(verbs); i++)
        printf("  %-11s %s%*s %s\n", verbs[i].name, verbs[i].arguments, 57 - cli_width(verbs[i].arguments), "", verbs[i].sentence);
    puts("\n  muster db maintain [--dry-run]\n"
         "      what the leader does every hour: partitions are made ahead; those whose time is over (retention.* of the settings)\n"
         "      are taken out, and dropped after retention.grace. By hand there is no limit of time. --dry-run shows what would go");
    puts("\n  muster db resubmit [--since TIME] [--dry-run]\n"
         "      after the database came back at an older state: stores the jobs that it does not know any more again, under\n"
         "      their old ids, from the job.accepted events that the broker has, and records the results that were put aside\n"
         "      for them. TIME is 2026-11-24T18:00:00Z, a day, or how long ago (36h). Running it again changes nothing");
    puts("\n  muster exception ls [--filter KEY=VALUE…]\n"
         "      what is open, or --filter state=new|persisting|reopened|resolved; also rule, source, pack, severity, waived=yes|no\n"
         "  muster exception waive EXCEPTION… --owner WHO --reason WHY --until DAY [--dry-run]\n"
         "  muster exception waive --rule RULE [--source SOURCE] [--pack PACK] --owner WHO --reason WHY --until DAY [--dry-run]\n"
         "      leave them as they are until the end of DAY (or a time, 2027-03-31T18:00:00Z); how they stand is followed beneath\n"
         "  muster exception revoke WAIVER --reason WHY");
    puts("\noptions:\n"
         "  -s, --server URL       the broker (default: nats.url of the configuration, NATS_URL)\n"
         "      --js-domain DOMAIN the domain of JetStream, behind a leaf node (nats.jetstream_domain)\n"
         "  -c, --config FILE      configuration file\n"
         "      --set KEY=VALUE    one setting\n"
         "  -o, --output FORMAT    table, json, jsonl (a document a line), csv (`check`, `report`) or html (`report`)\n"
         "  -q, --quiet            only ids\n"
         "      --timeout TIME     how long to wait for an answer, or for `wait` (10m, 30s)\n"
         "      --no-progress      no progress bar\n"
         "      --help, --version\n"
         "\nexit status: 0 done, 1 a job failed or there are findings, 2 usage, 3 not found, 4 refused by validation, 5 NATS or PostgreSQL\n"
         "unreachable, 6 timeout, 7 permission, 8 batch accepted in part");
}

static const struct cli_verb *find_verb(const char *name)
{
    for (size_t i = 0; i < MU_COUNT(verbs); i++)
        if (mu_span_is(mu_span_of(name), verbs[i].name))
            return &verbs[i];
    return NULL;
}

bool cli_parse_duration(const char *text, int64_t *ms)
{
    static const struct { const char *unit; int64_t ms; } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    size_t digits = strspn(text, "0123456789");
    int64_t number;
    if (!mu_parse_i64(mu_span(text, digits), 0, INT32_MAX, &number))
        return false;
    for (size_t i = 0; i < MU_COUNT(units); i++) {
        if (mu_span_is(mu_span_of(text + digits), units[i].unit)) {
            *ms = number * units[i].ms;
            return true;
        }
    }
    return false;
}

/* The options before the verb; those behind it that every verb has may stand there too. */
struct general {
    const char *config, *sets[32];
    size_t set_count;
    char server[600], domain[100];
};

static bool take_format(struct cli *cli, const char *name)
{
    static const char *const names[] = {[CLI_TABLE] = "table", [CLI_JSON] = "json", [CLI_JSONL] = "jsonl", [CLI_CSV] = "csv",
                                        [CLI_HTML] = "html"};
    for (size_t i = 0; i < MU_COUNT(names); i++) {
        if (mu_span_is(mu_span_of(name), names[i])) {
            cli->format = (enum cli_format)i;
            return true;
        }
    }
    cli_usage("unknown output format \"%s\": table, json, jsonl, csv or html", name);
    return false;
}

/* Takes the general options out of argv wherever they stand, so that verbs see only their own. False: usage, told. */
static bool take_general(struct cli *cli, struct general *g, int argc, char **argv, enum cli_exit *status)
{
    cli->argc = 0;
    for (int i = 0; i < argc; i++) {
        struct mu_span word = mu_span_of(argv[i]);
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        bool takes = true;
        if (mu_span_is(word, "-c") || mu_span_is(word, "--config")) {
            g->config = value;
        } else if (mu_span_is(word, "--set") || mu_span_is(word, "-s") || mu_span_is(word, "--server")) {
            if (value && word.at[word.len - 1] != 't')
                snprintf(g->server, sizeof(g->server), "nats.url=%s", value);
            if (g->set_count < MU_COUNT(g->sets))
                g->sets[g->set_count++] = word.at[word.len - 1] == 't' ? value : g->server;
        } else if (mu_span_is(word, "--js-domain")) {
            if (value)
                snprintf(g->domain, sizeof(g->domain), "nats.jetstream_domain=%s", value);
            if (g->set_count < MU_COUNT(g->sets))
                g->sets[g->set_count++] = g->domain;
        } else if (mu_span_is(word, "-o") || mu_span_is(word, "--output")) {
            if (value && !take_format(cli, value))
                return *status = CLI_USAGE, false;
        } else if (mu_span_is(word, "--timeout")) {
            if (value && !cli_parse_duration(value, &cli->timeout_ms))
                return *status = cli_usage("cannot read the time \"%s\"; write 500ms, 30s, 10m or 1h", value), false;
        } else {
            takes = false;
            if (mu_span_is(word, "-q") || mu_span_is(word, "--quiet"))
                cli->quiet = true;
            else if (mu_span_is(word, "--no-progress"))
                cli->progress = false;
            else
                cli->argv[cli->argc++] = argv[i];
        }
        if (takes && !value)
            return *status = cli_usage("%s needs a value", argv[i]), false;
        i += takes;
    }
    return true;
}

static enum cli_exit run(struct cli *cli, int argc, char **argv)
{
    struct general general = {0};
    struct mu_error err = {0};
    enum cli_exit status;
    if (!take_general(cli, &general, argc, argv, &status))
        return status;
    if (!cli->argc)
        return cli_usage("no verb; see muster --help");
    const struct cli_verb *verb = find_verb(cli->argv[0]);
    if (!verb)
        return cli_usage("unknown verb \"%s\"; see muster --help", cli->argv[0]);
    cli->argc--;
    cli->argv++;
    if (cli->format == CLI_CSV && !(verb->formats & CLI_SHEET))
        return cli_usage("%s does not print csv; it prints table, json or jsonl", verb->name);
    if (cli->format == CLI_HTML && !(verb->formats & CLI_PAGE))
        return cli_usage("%s does not print html; `muster report` does", verb->name);
    if (cli->format == CLI_JSONL && !(verb->formats & CLI_LINES))
        cli->format = CLI_JSON;
    if (!mu_config_load(&cli->config, general.config, general.sets, general.set_count, &err))
        return cli_fail(&err) == CLI_REFUSED ? CLI_USAGE : CLI_FAILED;
    return verb->run(cli);
}

int main(int argc, char **argv)
{
    struct cli cli = {.format = CLI_TABLE, .timeout_ms = 0, .role = mu_role_name(MU_ROLE_SUBMITTER)};
    if (argc == 2 && mu_span_is(mu_span_of(argv[1]), "--help")) {
        help();
        return CLI_DONE;
    }
    if (argc == 2 && mu_span_is(mu_span_of(argv[1]), "--version")) {
        puts("muster " MUSTER_VERSION);
        return CLI_DONE;
    }
    const char *term = getenv("TERM");
    cli.progress = isatty(STDERR_FILENO) && !getenv("NO_COLOR") && !(term && mu_span_is(mu_span_of(term), "dumb"));
    mu_log_open("muster", MU_WARNING, "text");
    char **words = calloc((size_t)argc, sizeof(*words));
    if (!words)
        return CLI_FAILED;
    cli.argv = words;
    enum cli_exit status = run(&cli, argc - 1, argv + 1);
    free(words);
    mu_config_fini(&cli.config);
    mu_schema_fini();
    return (int)status;
}
