/* SPDX-License-Identifier: Apache-2.0 */
/* `muster check`: a pack over a file, here and now, by the engine that agents run, without broker and database: the way to
 * try a rule, and the tool for pipelines. Findings are printed as they are found. */
#include "base/clock.h"
#include "check_source.h"
#include "engine/local.h"
#include "findings.h"
#include "library.h"

#define CHUNK ((size_t)1 << 20)

struct check_words {
    struct cli_values lists, packs, params, rules;
    const char *pack, *as_of, *format, *source, *max;
    bool help;
};

/* What a run is made of. */
struct check {
    struct cli *cli;
    struct check_words words;
    struct mu_pack *pack;
    struct mu_shelf *shelf;
    const struct mu_list_data **lists; /* the shelf's */
    json_t *params;
    int32_t as_of;
    struct mu_ready *ready;
    struct check_source source;
    struct mu_local local;
    struct findings findings;
    int64_t began_ms;
};

static void check_fini(struct check *c)
{
    check_source_close(&c->source);
    mu_ready_free(c->ready);
    json_decref(c->params);
    free(c->lists);
    mu_shelf_free(c->shelf);
    mu_pack_free(c->pack);
}
MU_DEFINE_AUTO_VALUE(struct check, check_fini)

static enum cli_exit help(void)
{
    puts("usage: muster check FILE --pack PACK [OPTION…]\n"
         "\n"
         "  muster check trades.csv --pack my-rules.json\n"
         "  muster check trades.csv --pack us-aml@1 --as-of 2026-03-31 --param limit=5000.00 -o jsonl\n"
         "  zcat trades.csv.gz | muster check - --format csv --pack identifiers@1 --max 20\n"
         "\n"
         "Runs a pack over a file, without broker and database. Findings go to standard output as they are found, a summary of\n"
         "each rule to standard error. FILE - is standard input. PACK is a file, or NAME[@VERSION] in a folder of --packs.\n"
         "\n"
         "      --pack PACK          the rules\n"
         "      --as-of DAY          the day that rules are asked about (default: today, UTC)\n"
         "      --param NAME=VALUE   a parameter of the pack (may be repeated)\n"
         "      --rule ID            only this rule (may be repeated)\n"
         "      --format FORMAT      of the file (default: as its name ends)\n"
         "      --source JSON        its description, as in a job: '{\"delimiter\": \";\", \"columns\": {\"isin\": \"ISIN Code\"}}'\n"
         "      --packs DIR          where packs lie (may be repeated; default: data.packs)\n"
         "      --lists DIR          where reference lists lie (may be repeated; default: data.lists)\n"
         "      --max N              findings shown; all are counted\n"
         "  -o, --output FORMAT      table, jsonl (schemas/finding.json) or csv\n"
         "  -q, --quiet              no summary\n"
         "\n"
         "exit status: 0 no finding, 1 findings (those of shadow rules do not count), 2 usage, 3 no such file or pack, 4 a bad\n"
         "pack, parameter or source: findings before it stand");
    return CLI_DONE;
}

static bool read_params(struct check *c, struct mu_error *err)
{
    c->params = json_object();
    for (size_t i = 0; i < c->words.params.count; i++) {
        const char *text = c->words.params.at[i], *equals = strchr(text, '=');
        char name[64];
        if (!equals || !mu_copy_text(name, sizeof(name), mu_span(text, (size_t)(equals - text))) ||
            json_object_set_new(c->params, name, json_string(equals + 1)) != 0)
            return mu_reject(err, "invalid", "", "cannot read --param %.80s", text) || mu_hint(err, "example: --param limit=5000.00");
    }
    return true;
}

/* Leaves only those that were named, in the pack's order. */
static bool choose_rules(struct check *c, struct mu_error *err)
{
    const struct cli_values *wanted = &c->words.rules;
    size_t kept = 0;
    for (size_t i = 0; i < wanted->count; i++) {
        size_t at = 0;
        while (at < c->pack->rule_count && strcmp(c->pack->rules[at].id, wanted->at[i]) != 0)
            at++;
        if (at == c->pack->rule_count)
            return mu_reject(err, "not_found", "", "pack %s@%s has no rule %.64s", c->pack->name, c->pack->version, wanted->at[i]) ||
                   mu_hint(err, "`muster pack show %s` has them all", c->words.pack);
    }
    for (size_t i = 0; wanted->count && i < c->pack->rule_count; i++) {
        bool is_wanted = false;
        for (size_t k = 0; k < wanted->count; k++)
            is_wanted |= strcmp(c->pack->rules[i].id, wanted->at[k]) == 0;
        if (is_wanted)
            c->pack->rules[kept++] = c->pack->rules[i];
    }
    if (wanted->count)
        c->pack->rule_count = kept;
    return true;
}

static bool read_day(struct check *c, struct mu_error *err)
{
    const char *day = c->words.as_of;
    if (!day)
        c->as_of = (int32_t)(mu_wall_us() / 1000000 / 86400);
    else if (!mu_date_parse(mu_span_of(day), &c->as_of))
        return mu_reject(err, "invalid", "", "cannot read --as-of %.40s", day) || mu_hint(err, "example: --as-of 2026-03-31");
    return true;
}

static bool make_ready(struct check *c, struct mu_error *err)
{
    if (!library_pack(c->cli, &c->words.packs, c->words.pack, &c->pack, err) || !choose_rules(c, err) ||
        !library_shelf(c->cli, &c->words.lists, &c->shelf, err) || !mu_shelf_lists(c->shelf, c->pack, &c->lists, err) ||
        !read_params(c, err) || !read_day(c, err))
        return false;
    const struct mu_ready_setup setup = {.pack = c->pack, .lists = c->lists, .params = c->params, .as_of = c->as_of};
    return mu_ready_new(&c->ready, &setup, err);
}

static bool feed(struct check *c, struct mu_run *run, struct mu_span chunk, bool last, struct mu_error *err)
{
    size_t used;
    do {
        const bool fed = mu_run_feed(run, chunk, last, 0, &used, err);
        struct mu_error ignored = {0};
        if (!findings_take(&c->findings, run, fed ? err : &ignored) || !fed)
            return false;
        chunk = mu_span(chunk.at + used, chunk.len - used);
    } while (chunk.len);
    return true;
}

static bool run_all(struct check *c, struct mu_run *run, char *chunk, struct mu_error *err)
{
    struct mu_position first;
    bool done = false, last = false;
    size_t got;
    for (int64_t at = 0; !done; at += (int64_t)got) {
        if (!check_source_read(&c->source, at, chunk, CHUNK, &got, err) ||
            !mu_run_header(run, mu_span(chunk, got), at + (int64_t)got >= c->source.size, &done, &first, err))
            return false;
    }
    for (int64_t at = mu_run_position(run).byte_off; !last; at += (int64_t)got) {
        if (!check_source_read(&c->source, at, chunk, CHUNK, &got, err))
            return false;
        last = at + (int64_t)got >= c->source.size || !got;
        if (!feed(c, run, mu_span(chunk, got), last, err))
            return false;
    }
    return check_source_unchanged(&c->source, err) && mu_run_finish(run, err) && findings_take(&c->findings, run, err);
}

static const struct mu_rule *rule_of(const struct mu_pack *pack, const char *id)
{
    for (size_t i = 0; i < pack->rule_count; i++)
        if (strcmp(pack->rules[i].id, id) == 0)
            return &pack->rules[i];
    return NULL; /* bad records */
}

static void print_summary(const struct check *c, const struct mu_run *run)
{
    static const char *const headings[] = {"RULE", "SEVERITY", "PASS", "WARN", "FAIL", "ERROR", "NOT EVALUATED", "OUT OF SCOPE"};
    MU_AUTO(cli_table_free) struct cli_table *table = cli_table_new(headings, MU_COUNT(headings));
    size_t count;
    const struct mu_rule_counts *rules = mu_run_rules(run, &count);
    for (size_t i = 0; i < count; i++) {
        const struct mu_rule *rule = rule_of(c->pack, rules[i].rule);
        const int64_t numbers[] = {rules[i].pass, rules[i].warn, rules[i].fail, rules[i].error, rules[i].not_evaluated, rules[i].out_of_scope};
        char texts[6][32], severity[40];
        (void)snprintf(severity, sizeof(severity), "%s%s", rule ? rule->severity : "high",
                       !rule || rule->mode == MU_MODE_ACTIVE ? "" : rule->mode == MU_MODE_SHADOW ? ", shadow" : ", off");
        for (size_t k = 0; k < 6; k++)
            (void)cli_thousands(numbers[k], texts[k]);
        const char *const cells[] = {rules[i].rule, severity, texts[0], texts[1], texts[2], texts[3], texts[4], texts[5]};
        cli_table_add(table, cells);
    }
    char records[32], findings[32], time[32];
    cli_table_write(table, stderr);
    fprintf(stderr, "%s records, %s findings: %s (%s@%s, %s)\n", cli_thousands(mu_run_counts(run).records, records),
            cli_thousands(mu_run_findings_total(run), findings), mu_result_name(mu_run_result(run)), c->pack->name, c->pack->version,
            cli_duration(mu_clock_ms() - c->began_ms, time));
    if (c->findings.left_out)
        fprintf(stderr, "%lld findings are not shown (--max)\n", (long long)c->findings.left_out);
}

/* Findings of shadow rules decide nothing. */
static bool has_findings(const struct check *c, const struct mu_run *run)
{
    size_t count;
    const struct mu_rule_counts *rules = mu_run_rules(run, &count);
    for (size_t i = 0; i < count; i++) {
        const struct mu_rule *rule = rule_of(c->pack, rules[i].rule);
        if (rules[i].fail + rules[i].warn && !(rule && rule->mode == MU_MODE_SHADOW))
            return true;
    }
    return false;
}

static enum cli_exit run(struct check *c, const char *path)
{
    const struct mu_config *config = &c->cli->config;
    MU_AUTO(mu_free) char *chunk = malloc(CHUNK);
    MU_AUTO(mu_run_free) struct mu_run *run = NULL;
    struct mu_error err = {0};
    const char *name = mu_json_text(c->source.doc, "name");
    if (!chunk || !mu_local_init(&c->local, c->ready, c->pack, c->source.doc, name, c->as_of, &c->source.digest, &err))
        return cli_fail(&err);
    const struct mu_run_setup setup = {.task = &c->local.task,
                                       .ready = c->ready,
                                       .limits = {(size_t)config->task_record_bytes, (size_t)config->task_fields},
                                       .source_digest = c->source.digest,
                                       .drain = findings_drain,
                                       .drain_context = &c->findings};
    if (!mu_run_open(&run, &setup, &err) || !run_all(c, run, chunk, &err)) {
        mu_while(&err, "%s", path);
        const enum cli_exit status = cli_fail(&err);
        fprintf(stderr, "muster: it was not read to its end; the %lld findings before that stand\n",
                (long long)(c->findings.shown + c->findings.left_out));
        return status;
    }
    if (!c->cli->quiet)
        print_summary(c, run);
    return has_findings(c, run) ? CLI_FAILED : CLI_DONE;
}

static bool read_words(struct cli *cli, struct check_words *w, int64_t *max)
{
    const struct cli_option options[] = {
        {"--pack", &w->pack, NULL, NULL},       {"--as-of", &w->as_of, NULL, NULL},    {"--format", &w->format, NULL, NULL},
        {"--source", &w->source, NULL, NULL},   {"--max", &w->max, NULL, NULL},        {"--lists", NULL, &w->lists, NULL},
        {"--packs", NULL, &w->packs, NULL},     {"--param", NULL, &w->params, NULL},   {"--rule", NULL, &w->rules, NULL},
        {"--help", NULL, NULL, &w->help},
    };
    if (!cli_take_options(cli, "check", options, MU_COUNT(options)))
        return false;
    if (w->help)
        return true;
    if (cli->argc != 1 || !w->pack)
        return cli_usage("check wants a file, or - for standard input, and --pack PACK"), false;
    if (mu_span_is(mu_span_of(cli->argv[0]), "-") && !w->format && !w->source)
        return cli_usage("check: standard input has no name that says its format; add --format csv") == CLI_DONE;
    return !w->max || mu_parse_i64(mu_span_of(w->max), 1, INT64_MAX, max) || cli_usage("check: --max wants a number from 1 on") == CLI_DONE;
}

enum cli_exit cli_check(struct cli *cli)
{
    MU_AUTO(check_fini) struct check c = {.cli = cli, .source = {.fd = -1}, .began_ms = mu_clock_ms()};
    struct mu_error err = {0};
    int64_t max = 0;
    if (!read_words(cli, &c.words, &max))
        return CLI_USAGE;
    if (c.words.help)
        return help();
    const char *path = cli->argv[0];
    if (!make_ready(&c, &err))
        return cli_fail(&err);
    if (!check_source_open(&c.source, path, &err) ||
        !check_source_describe(&c.source, path, c.words.source, c.words.format, c.pack, &err)) {
        mu_while(&err, "%s", path);
        return cli_fail(&err);
    }
    findings_init(&c.findings, cli, c.pack, max);
    return run(&c, path);
}
