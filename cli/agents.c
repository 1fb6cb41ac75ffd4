/* SPDX-License-Identifier: Apache-2.0 */
/* `muster agents`: the registry as it stands, liveness computed from the age of each entry. */
#include "cli.h"
#include "base/clock.h"
#include "domain/names_rights.h"
#include "outside/kv.h"

#define SILENT_MS 15000 /* three heartbeats of the default; the entry itself expires after 30 s */

struct listing {
    struct cli *cli;
    struct cli_table *table;
    const char *only;
    size_t found;
};

static bool show(void *ctx, const char *key, const struct mu_entry *entry)
{
    struct listing *l = ctx;
    struct mu_error err = {0};
    MU_AUTO(mu_json_free) json_t *agent = NULL;
    if (l->only && !mu_span_is(mu_span_of(l->only), key))
        return true;
    if (!mu_json_parse(&agent, mu_text_span(&entry->value), (size_t)1 << 20, &err)) {
        fprintf(stderr, "muster: entry %s cannot be read: %s\n", key, err.text);
        return true;
    }
    int64_t age_ms = (mu_wall_us() - entry->stored_us) / 1000;
    l->found++;
    if (l->cli->quiet) {
        puts(key);
        return true;
    }
    if (l->cli->format == CLI_JSON) {
        json_object_set_new(agent, "age_ms", json_integer(age_ms));
        cli_print_json(agent);
        return true;
    }
    char queues[256] = "", age[32], held[24], settled[32];
    size_t i, at = 0;
    json_t *queue;
    json_array_foreach(json_object_get(agent, "queues"), i, queue)
    {
        int len = snprintf(queues + at, sizeof(queues) - at, "%s%s", i ? "," : "", json_string_value(queue));
        if (len < 0 || at + (size_t)len >= sizeof(queues))
            break;
        at += (size_t)len;
    }
    snprintf(held, sizeof(held), "%zu", json_array_size(json_object_get(agent, "tasks")));
    const char *state = age_ms > SILENT_MS ? "silent" : mu_json_text(agent, "state");
    const char *const cells[] = {key, mu_json_text(agent, "type"), state, held,
                                 cli_thousands(mu_json_int(agent, "settled", 0), settled), queues,
                                 mu_json_text(agent, "host"), mu_json_text(agent, "version"), cli_duration(age_ms, age)};
    cli_table_add(l->table, cells);
    return true;
}

enum cli_exit cli_agents(struct cli *cli)
{
    static const char *const headings[] = {"AGENT", "TYPE", "STATE", "TASKS", "SETTLED", "QUEUES", "HOST", "VERSION", "HEARD"};
    enum cli_exit status = CLI_FAILED;
    struct mu_error err = {0};
    if (cli->argc > 1)
        return cli_usage("agents takes one name at most");
    cli->role = mu_role_name(MU_ROLE_OBSERVER);
    MU_AUTO(mu_bus_free) struct mu_bus *bus = cli_connect(cli, &status);
    if (!bus)
        return status;
    MU_AUTO(cli_table_free) struct cli_table *table = cli_table_new(headings, MU_COUNT(headings));
    struct listing l = {.cli = cli, .table = table, .only = cli->argc ? cli->argv[0] : NULL};
    if (!mu_kv_walk(bus, MU_BUCKET_AGENTS, show, &l, &err)) {
        mu_hint(&err, "`muster setup` creates what is missing");
        return cli_fail(&err);
    }
    if (cli->format == CLI_TABLE && !cli->quiet && l.found)
        cli_table_print(table);
    if (!l.found)
        fprintf(stderr, "muster: no agent%s%s\n", l.only ? " " : " is registered", l.only ? l.only : "");
    return l.found ? CLI_DONE : l.only ? CLI_NOT_FOUND : CLI_DONE;
}
