/* SPDX-License-Identifier: Apache-2.0 */
/* `muster db maintain`: what the dispatcher's leader does every hour, by hand and without a limit of time. */
#include "cli.h"
#include "statements.h"

#define EVENTS_AT_ONCE 100000

struct upkeep {
    struct cli *cli;
    struct mu_store *store;
    struct mu_args *args;
    int64_t made, events;
    json_t *retired, *dropped;
};

static bool put_policy(struct upkeep *u, struct mu_error *err)
{
    const struct mu_config *c = &u->cli->config;
    mu_args_reset(u->args);
    mu_arg_i64(u->args, c->retention_outcomes_ms);
    mu_arg_i64(u->args, c->retention_findings_ms);
    mu_arg_i64(u->args, c->retention_audit_ms);
    mu_arg_i64(u->args, c->retention_events_ms);
    mu_arg_i64(u->args, c->retention_grace_ms);
    return mu_store_run(u->store, SQL_RETENTION_SET, u->args, NULL, err);
}

/* One partition a call, and a commit each, until there is none. */
static bool all(struct upkeep *u, int statement, const char *word, json_t *names, struct mu_error *err)
{
    for (;;) {
        MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
        if (!mu_store_run(u->store, statement, NULL, &rows, err))
            return false;
        if (mu_row_null(rows, 0, 0))
            return true;
        json_array_append_new(names, json_string(mu_row_text(rows, 0, 0)));
        if (u->cli->format != CLI_JSON && !u->cli->quiet)
            printf("%s  %s\n", word, mu_row_text(rows, 0, 0));
    }
}

static bool old_events(struct upkeep *u, struct mu_error *err)
{
    int64_t gone;
    do {
        MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
        mu_args_reset(u->args);
        mu_arg_i64(u->args, EVENTS_AT_ONCE);
        if (!mu_store_run(u->store, SQL_RETIRE_EVENTS, u->args, &rows, err))
            return false;
        u->events += gone = mu_row_i64(rows, 0, 0);
    } while (gone);
    return true;
}

static bool upkeep(struct upkeep *u, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    if (!mu_store_run(u->store, SQL_MAINTAIN, NULL, &rows, err))
        return false;
    u->made = mu_row_i64(rows, 0, 0);
    return put_policy(u, err) && all(u, SQL_RETIRE_NEXT, "taken out", u->retired, err) && all(u, SQL_DROP_NEXT, "dropped", u->dropped, err) &&
           old_events(u, err);
}

static void conclude(const struct upkeep *u)
{
    if (u->cli->format != CLI_JSON) {
        printf("%lld partitions made, %zu taken out, %zu dropped; %lld old events deleted\n", (long long)u->made, json_array_size(u->retired),
               json_array_size(u->dropped), (long long)u->events);
        return;
    }
    MU_AUTO(mu_json_free) json_t *doc = json_pack("{s:I,s:O,s:O,s:I}", "made", (json_int_t)u->made, "retired", u->retired, "dropped", u->dropped,
                                                  "events", (json_int_t)u->events);
    cli_print_json(doc);
}

/* The policy that counts is the one in force, which the dispatcher puts there, or `db maintain` itself. */
static bool show_due(struct upkeep *u, struct mu_error *err)
{
    static const char *const headings[] = {"PARTITION", "UP TO", "BYTES"};
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    MU_AUTO(cli_table_free) struct cli_table *table = cli_table_new(headings, MU_COUNT(headings));
    MU_AUTO(mu_json_free) json_t *due = json_array();
    if (!mu_store_run(u->store, SQL_RETIRE_DUE, NULL, &rows, err))
        return false;
    for (size_t i = 0; i < mu_rows_count(rows); i++) {
        char bytes[32];
        const char *const cells[] = {mu_row_text(rows, i, 0), mu_row_text(rows, i, 1), cli_thousands(mu_row_i64(rows, i, 2), bytes)};
        cli_table_add(table, cells);
        json_array_append_new(due, json_pack("{s:s,s:s,s:I}", "partition", cells[0], "to_at", cells[1], "bytes", (json_int_t)mu_row_i64(rows, i, 2)));
    }
    if (u->cli->format == CLI_JSON)
        cli_print_json(due);
    else if (mu_rows_count(rows))
        cli_table_print(table);
    else
        puts("nothing is due");
    return true;
}

enum cli_exit cli_maintain(struct cli *cli)
{
    struct upkeep u = {.cli = cli};
    struct mu_error err = {0};
    bool dry_run = false;
    const struct cli_option options[] = {{.name = "--dry-run", .flag = &dry_run}};
    if (!cli_take_options(cli, "db maintain", options, MU_COUNT(options)))
        return CLI_USAGE;
    if (cli->argc != 1)
        return cli_usage("db maintain takes --dry-run, not \"%s\"", cli->argv[1]);
    u.args = mu_args_new();
    u.retired = json_array();
    u.dropped = json_array();
    bool done = u.args && u.retired && u.dropped
                    ? mu_store_open(&u.store, cli->config.postgres_conninfo, "muster-maintain", cli_statements, SQL_COUNT, &err) &&
                          mu_store_check_schema(u.store, &err) && mu_store_run(u.store, SQL_TAKE_TIME, NULL, NULL, &err)
                    : mu_fail(&err, MU_BROKEN, "out of memory");
    if (done) {
        mu_store_limit(u.store, 0); /* rows are counted before they go */
        done = dry_run ? show_due(&u, &err) : upkeep(&u, &err);
    }
    if (done && !dry_run)
        conclude(&u);
    enum cli_exit status = done ? CLI_DONE : cli_fail(&err);
    json_decref(u.retired);
    json_decref(u.dropped);
    mu_args_free(u.args);
    mu_store_free(u.store);
    return status;
}
