/* SPDX-License-Identifier: Apache-2.0 */
/* `muster db`: the schema of the database. */
#include "cli.h"
#include "outside/migrate.h"

enum cli_exit cli_db(struct cli *cli)
{
    struct mu_error err = {0};
    bool migrate = cli->argc == 1 && mu_span_is(mu_span_of(cli->argv[0]), "migrate");
    bool resubmit = cli->argc >= 1 && mu_span_is(mu_span_of(cli->argv[0]), "resubmit");
    bool maintain = cli->argc >= 1 && mu_span_is(mu_span_of(cli->argv[0]), "maintain");
    if (!migrate && !resubmit && !maintain && !(cli->argc == 1 && mu_span_is(mu_span_of(cli->argv[0]), "status")))
        return cli_usage("db wants `migrate`, `status`, `maintain` or `resubmit`");
    if (!cli->config.postgres_conninfo || !cli->config.postgres_conninfo[0])
        return cli_usage("no database: set postgres.conninfo in the configuration, or MUSTER_POSTGRES_CONNINFO");
    if (resubmit)
        return cli_resubmit(cli);
    if (maintain)
        return cli_maintain(cli);
    MU_AUTO(mu_migrations_free) struct mu_migrations list = {0};
    bool done = migrate ? mu_migrate(cli->config.postgres_conninfo, cli->config.data_migrations, &list, &err)
                        : mu_migrate_status(cli->config.postgres_conninfo, cli->config.data_migrations, &list, &err);
    if (!done)
        return cli_fail(&err);
    static const char *const headings[] = {"VERSION", "NAME", "STATE", "APPLIED"};
    MU_AUTO(cli_table_free) struct cli_table *table = cli_table_new(headings, MU_COUNT(headings));
    MU_AUTO(mu_json_free) json_t *all = json_array();
    enum cli_exit status = CLI_DONE;
    for (size_t i = 0; i < list.count; i++) {
        const struct mu_migration *m = &list.at[i];
        char version[8];
        snprintf(version, sizeof(version), "%04d", m->version);
        const char *const cells[] = {version, m->name, mu_migration_state_name(m->state), m->applied_at};
        cli_table_add(table, cells);
        json_array_append_new(all, json_pack("{s:s,s:s,s:s,s:s}", "version", version, "name", m->name, "state",
                                             mu_migration_state_name(m->state), "applied_at", m->applied_at));
        if (m->state == MU_MIGRATION_PENDING || m->state == MU_MIGRATION_CHANGED)
            status = CLI_FAILED;
    }
    if (cli->format == CLI_JSON)
        cli_print_json(all);
    else
        cli_table_print(table);
    return status;
}
