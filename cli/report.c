/* SPDX-License-Identifier: Apache-2.0 */
/* `muster report`: questions that lie ready as files (format/report.h). A report is somebody's data: it runs in a transaction
 * that can only read, and its parameters are settings that its query looks up, never part of its text. */
#include "report.h"
#include "statements.h"

#include <stdarg.h>

#define LIMIT_MS 60000

static enum cli_exit help(void)
{
    puts("usage: muster report [NAME | FILE.sql] [PARAMETER=VALUE]… [-o table|csv|json|jsonl|html] [--max N]\n"
         "\n"
         "  muster report                                  every report, with what it is about\n"
         "  muster report open-failures --help             what it asks, and its parameters\n"
         "  muster report open-failures day=yesterday\n"
         "  muster report queue-wait since='7 days ago' -o html >wait.html\n"
         "  muster report ./my-question.sql -o csv\n"
         "\n"
         "A report is a file with one query, in the directory of data.examples. psql runs it, too: `set report.day =\n"
         "'2026-11-24'` there is day=2026-11-24 here. Days are 2026-11-24, today, yesterday or `30 days ago`, of UTC; jobs are\n"
         "named by id or key. The page that html gives needs nothing else: no script, nothing from elsewhere. It shows the\n"
         "first 10,000 rows (--max) and says how many it leaves out; the other formats give all. In json, whole numbers and\n"
         "floats are numbers, exact decimals are texts.\n"
         "\n"
         "Nothing can be written: the transaction only reads. --timeout 10m gives a report longer than a minute. The login of\n"
         "postgres.conninfo needs the role muster_reporter; a stand-by will do as the server.\n"
         "\n"
         "Exit status: 0 done, 2 usage, 3 no such report or job, 4 the file is no report, 5 PostgreSQL unreachable, 6 it took too\n"
         "long, 7 permission.");
    return CLI_DONE;
}

static enum cli_exit list(const struct cli *cli)
{
    MU_AUTO(report_shelf_free) struct report_shelf shelf = {0};
    MU_AUTO(mu_json_free) json_t *all = json_array();
    static const char *const headings[] = {"NAME", "TITLE"};
    MU_AUTO(cli_table_free) struct cli_table *table = cli_table_new(headings, MU_COUNT(headings));
    struct mu_error err = {0};
    enum cli_exit status = CLI_DONE;
    if (!report_shelf_open(&shelf, cli->config.data_examples, &err))
        return cli_fail(&err);
    for (size_t i = 0; i < shelf.count; i++) {
        MU_AUTO(report_file_free) struct report_file f = {.name = ""};
        struct mu_error why = {0};
        if (!report_file_open(&f, cli->config.data_examples, shelf.names[i], &why)) {
            status = cli_fail(&why); /* the others are good all the same */
            continue;
        }
        const char *const cells[] = {f.name, f.header.title};
        cli_table_add(table, cells);
        json_array_append_new(all, json_pack("{s:s,s:s,s:s}", "name", f.name, "title", f.header.title, "question",
                                             f.header.question));
        if (cli->quiet)
            puts(f.name);
    }
    if (cli->format == CLI_JSON)
        cli_print_json(all);
    else if (!cli->quiet)
        cli_table_print(table);
    return status;
}

static void print_parameter(FILE *to, const struct mu_parameter *p, const char *prefix)
{
    const char *how = p->required ? "required" : p->fallback[0] ? "default: " : "optional";
    fprintf(to, "%s%s=…  %s: %s (%s%s)\n", prefix, p->name, mu_parameter_kind_name(p->kind), p->meaning, how, p->fallback);
}

static enum cli_exit describe(const struct report_file *f)
{
    printf("%s: %s\n\n%s\n", f->name, f->header.title, f->header.question);
    for (size_t i = 0; i < f->header.parameter_count; i++)
        print_parameter(stdout, &f->header.parameters[i], i ? "  " : "\nparameters:\n  ");
    return CLI_DONE;
}

/* One line on what is wrong, and what the report takes. */
static enum cli_exit wrong_parameter(const struct report_file *f, const char *fmt, ...) MU_PRINTF(2, 3);
static enum cli_exit wrong_parameter(const struct report_file *f, const char *fmt, ...)
{
    va_list args;
    fprintf(stderr, "muster: report %s: ", f->name);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputs(f->header.parameter_count ? "; it takes:\n" : "; it takes no parameters\n", stderr);
    for (size_t i = 0; i < f->header.parameter_count; i++)
        print_parameter(stderr, &f->header.parameters[i], "  ");
    return CLI_USAGE;
}

static enum cli_exit unknown_parameter(const struct report_file *f, struct mu_span name)
{
    char word[MU_REPORT_WORD_MAX];
    const char *near = NULL;
    if (!mu_copy_text(word, sizeof(word), name))
        return wrong_parameter(f, "there is no parameter of so long a name");
    for (size_t i = 0; !near && i < f->header.parameter_count; i++)
        if (report_distance(word, f->header.parameters[i].name) <= 2)
            near = f->header.parameters[i].name;
    return wrong_parameter(f, "there is no parameter \"%s\"%s%s%s", word, near ? ", did you mean " : "", near ? near : "", near ? "?" : "");
}

/* What stands behind the name: name=value. given[i]: the value of the report's i-th parameter, or NULL. */
static enum cli_exit take_words(const struct cli *cli, const struct report_file *f, const char *given[])
{
    for (int i = 1; i < cli->argc; i++) {
        const char *equals = strchr(cli->argv[i], '=');
        if (!equals)
            return wrong_parameter(f, "PARAMETER=VALUE is wanted, not \"%s\"", cli->argv[i]);
        struct mu_span name = mu_span(cli->argv[i], (size_t)(equals - cli->argv[i]));
        const struct mu_parameter *p = mu_report_parameter(&f->header, name);
        if (!p)
            return unknown_parameter(f, name);
        given[p - f->header.parameters] = equals + 1;
    }
    for (size_t i = 0; i < f->header.parameter_count; i++) {
        const struct mu_parameter *p = &f->header.parameters[i];
        if (p->required && (!given[i] || !given[i][0]))
            return wrong_parameter(f, "%s is missing: %s", p->name, mu_parameter_kind_wants(p->kind));
    }
    return CLI_DONE;
}

static enum cli_exit fail(const struct report_file *f, struct mu_error *err)
{
    mu_while(err, "report %s", f->name);
    if (mu_span_is(mu_span_of(err->code), "timed_out") || mu_span_is(mu_span_of(err->code), "silent")) {
        mu_hint(err, "--timeout 10m gives it longer");
        (void)cli_fail(err);
        return CLI_TIMEOUT;
    }
    if (strstr(err->text, "(42P01)") || strstr(err->text, "(42703)") || strstr(err->text, "(42883)") || strstr(err->text, "(3F000)"))
        mu_hint(err, "is the schema that of this muster? `muster db status` tells");
    if (mu_span_is(mu_span_of(err->code), "permission"))
        mu_hint(err, "the login needs the role muster_reporter");
    return cli_fail(err);
}

/* Sets what was given, and asks the server what it makes of each. */
static enum cli_exit set_values(struct report_run *run, struct mu_store *store, struct mu_args *args, const char *const given[])
{
    const struct mu_report *r = &run->file->header;
    for (size_t i = 0; i < r->parameter_count; i++) {
        const struct mu_parameter *p = &r->parameters[i];
        MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
        struct mu_error err = {0};
        mu_args_reset(args);
        mu_arg_text(args, mu_span_of(p->name));
        mu_arg_text(args, mu_span_of(given[i] ? given[i] : ""));
        if (given[i] && !mu_store_run(store, SQL_REPORT_SET, args, NULL, &err))
            return fail(run->file, &err);
        mu_args_reset(args);
        mu_arg_text(args, mu_span_of(p->name));
        mu_arg_text(args, mu_span_of(mu_parameter_kind_name(p->kind)));
        mu_arg_text(args, mu_span_of(p->fallback));
        if (!mu_store_run(store, SQL_REPORT_VALUE, args, &rows, &err)) {
            if (err.fault != MU_REJECTED)
                return fail(run->file, &err);
            return wrong_parameter(run->file, "%s wants %s, not \"%.120s\"", p->name, mu_parameter_kind_wants(p->kind),
                                   given[i] ? given[i] : p->fallback);
        }
        if (p->kind == MU_PARAMETER_JOB && mu_row_null(rows, 0, 0) && given[i]) {
            fprintf(stderr, "muster: report %s: there is no job \"%s\", neither by id nor by key\n", run->file->name, given[i]);
            return CLI_NOT_FOUND;
        }
        (void)snprintf(run->values[i], sizeof(run->values[i]), "%s", mu_row_text(rows, 0, 0));
    }
    return CLI_DONE;
}

static enum cli_exit run(struct report_run *run, struct mu_store *store, const char *const given[])
{
    int64_t limit_ms = run->cli->timeout_ms ? run->cli->timeout_ms : LIMIT_MS;
    struct mu_error err = {0};
    MU_AUTO(mu_args_free) struct mu_args *args = mu_args_new();
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    MU_AUTO(mu_query_free) struct mu_query *query = NULL;
    if (!args)
        return CLI_FAILED;
    mu_store_limit(store, limit_ms + 5000); /* the server is to say so first */
    mu_arg_i64(args, limit_ms);
    if (!mu_store_begin_reading(store, &err) || !mu_store_run(store, SQL_REPORT_BEGIN, args, &rows, &err))
        return fail(run->file, &err);
    (void)snprintf(run->database, sizeof(run->database), "%s", mu_row_text(rows, 0, 0));
    (void)snprintf(run->at, sizeof(run->at), "%s", mu_row_text(rows, 0, 1));
    enum cli_exit status = set_values(run, store, args, given);
    if (status != CLI_DONE)
        return status;
    if (!mu_query_open(&query, store, run->file->text.at, &err) ||
        !(run->cli->format == CLI_HTML ? report_write_page(run, query, &err) : report_write_rows(run, query, &err)))
        return fail(run->file, &err);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        mu_fail(&err, MU_BROKEN, "could not write the report");
        return cli_fail(&err);
    }
    return CLI_DONE;
}

enum cli_exit cli_report(struct cli *cli)
{
    const char *max = NULL, *given[MU_REPORT_PARAMETERS_MAX] = {NULL};
    bool wants_help = false;
    const struct cli_option options[] = {{"--help", .flag = &wants_help}, {"--max", .text = &max}};
    MU_AUTO(report_file_free) struct report_file file = {.name = ""};
    struct report_run it = {.cli = cli, .file = &file, .max_rows = REPORT_PAGE_ROWS};
    struct mu_error err = {0};
    if (!cli_take_options(cli, "report", options, MU_COUNT(options)))
        return CLI_USAGE;
    if (max && !mu_parse_i64(mu_span_of(max), 1, INT32_MAX, &it.max_rows))
        return cli_usage("--max wants a number of rows, from 1; not \"%s\"", max);
    if (!cli->argc)
        return wants_help ? help() : cli->format == CLI_TABLE || cli->format == CLI_JSON ? list(cli)
                                   : cli_usage("the list of reports is printed as table or json");
    if (!report_file_open(&file, cli->config.data_examples, cli->argv[0], &err))
        return cli_fail(&err);
    if (wants_help)
        return describe(&file);
    enum cli_exit status = take_words(cli, &file, given);
    if (status != CLI_DONE)
        return status;
    if (!cli->config.postgres_conninfo || !cli->config.postgres_conninfo[0])
        return cli_usage("no database: set postgres.conninfo in the configuration, or MUSTER_POSTGRES_CONNINFO");
    MU_AUTO(mu_store_free) struct mu_store *store = NULL;
    if (!mu_store_open_reading(&store, cli->config.postgres_conninfo, "muster", cli_statements, SQL_COUNT, &err))
        return cli_fail(&err);
    return run(&it, store, given);
}
