/* SPDX-License-Identifier: Apache-2.0 */
/* `muster setup`: streams, buckets and consumers, created where they are missing; a difference is told with what was
 * wanted and never applied. */
#include "cli.h"
#include "domain/names_rights.h"
#include "outside/topology.h"

static const char *state_name(const struct mu_topology_item *item)
{
    switch (item->state) {
    case MU_ITEM_SAME:
        return "as wanted";
    case MU_ITEM_CREATED:
        return "created";
    case MU_ITEM_MISSING:
        return "missing";
    case MU_ITEM_DIFFERENT:
        return "different";
    }
    return "";
}

enum cli_exit cli_setup(struct cli *cli)
{
    static const char *const headings[] = {"WHAT", "STATE", "DIFFERENCE"};
    bool check = cli->argc == 1 && mu_span_is(mu_span_of(cli->argv[0]), "--check");
    enum cli_exit status = CLI_FAILED;
    struct mu_error err = {0};
    if (cli->argc > check)
        return cli_usage("setup takes only --check");
    cli->role = mu_role_name(MU_ROLE_PROVISIONER);
    MU_AUTO(mu_bus_free) struct mu_bus *bus = cli_connect(cli, &status);
    if (!bus)
        return status;
    MU_AUTO(mu_topology_report_free) struct mu_topology_report report = {0};
    if (!mu_topology(bus, &cli->config, check ? MU_TOPOLOGY_VERIFY : MU_TOPOLOGY_CREATE, &report, &err))
        return cli_fail(&err);
    MU_AUTO(cli_table_free) struct cli_table *table = cli_table_new(headings, MU_COUNT(headings));
    MU_AUTO(mu_json_free) json_t *list = json_array();
    status = CLI_DONE;
    for (size_t i = 0; i < report.count; i++) {
        const struct mu_topology_item *item = &report.items[i];
        const char *const cells[] = {item->what, state_name(item), item->difference};
        cli_table_add(table, cells);
        json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "what", item->what, "state", state_name(item),
                                              "difference", item->difference));
        if (item->state == MU_ITEM_MISSING || item->state == MU_ITEM_DIFFERENT)
            status = CLI_FAILED;
    }
    if (cli->format == CLI_JSON)
        cli_print_json(list);
    else
        cli_table_print(table);
    if (status != CLI_DONE)
        fprintf(stderr, "muster: not as wanted; change it with `nats stream edit` or `nats consumer edit`, or the "
                        "configuration\n");
    return status;
}
