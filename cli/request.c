/* SPDX-License-Identifier: Apache-2.0 */
/* What verbs ask of the service have in common: filters, who asks, the question, an answer told field by field. */
#include "cli.h"

#include <ctype.h>
#include <unistd.h>

#define ASK_MS 60000 /* a request may end thousands of jobs */

json_t *cli_filter_of(const struct cli_values *filters, enum cli_exit *status)
{
    MU_AUTO(mu_json_free) json_t *filter = json_object();
    for (size_t i = 0; i < filters->count; i++) {
        const char *equals = strchr(filters->at[i], '=');
        json_t *into = filter;
        struct mu_span key = mu_span(filters->at[i], equals ? (size_t)(equals - filters->at[i]) : 0);
        char name[80];
        if (key.len > 6 && memcmp(key.at, "label.", 6) == 0) {
            into = json_object_get(filter, "label");
            if (!into)
                json_object_set_new(filter, "label", into = json_object());
            key = mu_span(key.at + 6, key.len - 6);
        }
        if (!key.len || !mu_copy_text(name, sizeof(name), key) ||
            json_object_set_new(into, name, json_string(equals + 1)) != 0) {
            *status = cli_usage("cannot read the filter \"%s\"; write queue=aml, source=trades or label.desk=fx", filters->at[i]);
            return NULL;
        }
    }
    return MU_GIVE(filter);
}

void cli_put_actor(json_t *request)
{
    char actor[65], host[40] = "localhost";
    const char *user = getenv("LOGNAME");
    if (!user || !*user)
        user = getenv("USER");
    gethostname(host, sizeof(host) - 1);
    if (user && *user)
        snprintf(actor, sizeof(actor), "%.24s@%.39s", user, host);
    else
        snprintf(actor, sizeof(actor), "uid-%ld@%.39s", (long)getuid(), host);
    for (char *c = actor; *c; c++)
        if (!isgraph((unsigned char)*c))
            *c = '_';
    json_object_set_new(request, "actor", json_string(actor));
}

bool cli_request(struct cli *cli, struct mu_bus *bus, const char *verb, const json_t *request, json_t **answer,
                 enum cli_exit *status)
{
    MU_AUTO(mu_text_free) struct mu_text body = {0};
    struct mu_error err = {0};
    mu_json_write(&body, request);
    if (!mu_text_ok(&body, &err) ||
        !cli_ask(bus, verb, mu_text_span(&body), cli->timeout_ms ? cli->timeout_ms : ASK_MS, answer, &err)) {
        *status = cli_fail(&err);
        return false;
    }
    if (cli_answer_ok(*answer))
        return true;
    *status = cli_refusal(*answer);
    return false;
}

void cli_print_fields(json_t *doc)
{
    const char *key;
    json_t *value;
    int width = 12;
    json_object_foreach(doc, key, value)
        if (cli_width(key) > width)
            width = cli_width(key);
    json_object_foreach(doc, key, value)
    {
        MU_AUTO(mu_text_free) struct mu_text text = {0};
        if (json_is_string(value))
            mu_text_puts(&text, json_string_value(value));
        else if (!json_is_null(value))
            mu_json_write(&text, value);
        printf("%-*s %.*s\n", width, key, (int)text.len, text.len ? text.at : "");
    }
}

enum cli_exit cli_list(struct cli *cli, const struct cli_listing *l, const struct cli_values *filters)
{
    enum cli_exit status = CLI_USAGE;
    MU_AUTO(mu_json_free) json_t *request = json_object();
    if (filters->count) {
        json_t *filter = cli_filter_of(filters, &status);
        if (!filter)
            return status;
        json_object_set_new(request, "filter", filter);
    }
    MU_AUTO(mu_bus_free) struct mu_bus *bus = cli_connect(cli, &status);
    if (!bus)
        return status;
    MU_AUTO(cli_table_free) struct cli_table *table = cli_table_new(l->headings, l->columns);
    size_t found = 0;
    for (bool more = true; more;) { /* page by page */
        MU_AUTO(mu_json_free) json_t *answer = NULL;
        size_t i;
        json_t *row = NULL;
        if (!cli_request(cli, bus, l->verb, request, &answer, &status))
            return status;
        json_array_foreach(json_object_get(answer, l->rows), i, row)
        {
            l->row(cli, table, row);
            json_object_set(request, "after", json_object_get(row, l->id));
            found++;
        }
        more = mu_json_bool(answer, "more", false);
    }
    if (cli->format == CLI_TABLE && !cli->quiet && found)
        cli_table_print(table);
    if (!found && !cli->quiet)
        fprintf(stderr, "muster: %s\n", l->none);
    return CLI_DONE;
}
