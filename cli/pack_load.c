/* SPDX-License-Identifier: Apache-2.0 */
/* `muster pack load`: lints, and asks muster.api.load to put a pack where jobs find it. */
#include "domain/names_rights.h"
#include "pack.h"

#define ASK_MS 30000

/* The document goes as a text, so that its very bytes arrive: its digest is taken over them. */
static bool ask(struct cli *cli, struct mu_bus *bus, struct mu_span document, const struct pack_words *w, json_t **answer,
                struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text body = MU_TEXT(0);
    const char *actor = w->actor ? w->actor : getenv("USER");
    mu_text_putc(&body, '{');
    mu_json_put_span(&body, "pack", document);
    mu_json_put_text(&body, "actor", actor && *actor ? actor : "muster");
    if (w->reason)
        mu_json_put_text(&body, "reason", w->reason);
    if (w->dry_run)
        mu_json_put_bool(&body, "dry_run", true);
    mu_text_putc(&body, '}');
    if (!mu_text_ok(&body, err))
        return false;
    if (body.len > mu_bus_max_payload(bus))
        return mu_reject(err, "too_large", "", "the request has %zu bytes, the broker takes %zu", body.len, mu_bus_max_payload(bus)) ||
               mu_hint(err, "raise max_payload of nats-server, or take cases out into another pack");
    return cli_ask(bus, "load", mu_text_span(&body), cli->timeout_ms ? cli->timeout_ms : ASK_MS, answer, err);
}

static void tell_more(const json_t *answer)
{
    const json_t *errors = json_object_get(answer, "errors");
    for (size_t i = 1; i < json_array_size(errors); i++) {
        const json_t *e = json_array_get(errors, i);
        fprintf(stderr, "muster: %s at %s; %s\n", mu_json_text(e, "message"), mu_json_text(e, "pointer") ? mu_json_text(e, "pointer") : "",
                mu_json_text(e, "hint") ? mu_json_text(e, "hint") : "");
    }
}

static enum cli_exit load(struct cli *cli, struct mu_bus *bus, const struct pack_words *w, struct mu_span document)
{
    struct mu_error err = {0};
    MU_AUTO(mu_json_free) json_t *answer = NULL;
    if (!ask(cli, bus, document, w, &answer, &err))
        return cli_fail(&err);
    if (cli->format == CLI_JSON)
        cli_print_json(answer);
    if (!cli_answer_ok(answer)) {
        const enum cli_exit status = cli_refusal(answer);
        tell_more(answer);
        return status;
    }
    if (cli->format != CLI_JSON)
        printf("%s  %s\n", mu_json_text(answer, "pack"), mu_json_bool(answer, "duplicate", false) ? "was loaded before"
               : w->dry_run ? "would be loaded" : "loaded");
    return CLI_DONE;
}

enum cli_exit pack_load(struct cli *cli, const struct pack_words *w)
{
    MU_AUTO(mu_shelf_free) struct mu_shelf *shelf = NULL;
    struct mu_error err = {0};
    enum cli_exit status = CLI_DONE;
    if (!cli->argc)
        return cli_usage("pack load: which files?");
    if (!library_shelf(cli, &w->lists, &shelf, &err))
        return cli_fail(&err);
    cli->role = mu_role_name(MU_ROLE_OPERATOR);
    MU_AUTO(mu_bus_free) struct mu_bus *bus = NULL;
    for (int i = 0; i < cli->argc && status == CLI_DONE; i++) {
        MU_AUTO(mu_text_free) struct mu_text bytes = MU_TEXT(0);
        MU_AUTO(mu_text_free) struct mu_text path = MU_TEXT(0);
        bool good = false;
        if (!library_read(cli, &w->packs, cli->argv[i], &bytes, &path, &err))
            return cli_fail(&err);
        if (!pack_lint_bytes(cli, shelf, cli->argv[i], mu_text_span(&bytes), w->strict, &good))
            return CLI_FAILED;
        if (!good)
            return CLI_REFUSED;
        if (!bus && !(bus = cli_connect(cli, &status)))
            return status;
        status = load(cli, bus, w, mu_text_span(&bytes));
    }
    return status;
}
