/* SPDX-License-Identifier: Apache-2.0 */
/* `muster cancel` and `muster dead`: what operators do to jobs and tasks, by muster.api.cancel, dead and retry. */
#include "cli.h"
#include "domain/names_rights.h"

struct words { /* of a command line, taken apart */
    struct cli_values filters;
    const char *reason, *rate;
    bool dry_run;
    int argc; /* what is no option: ids and keys */
    char **argv;
};

/* Takes the options out of the words. False: usage, told. */
static bool take_options(struct cli *cli, struct words *w, enum cli_exit *status)
{
    w->argv = cli->argv;
    for (int i = 0; i < cli->argc; i++) {
        struct mu_span word = mu_span_of(cli->argv[i]);
        const char *value = i + 1 < cli->argc ? cli->argv[i + 1] : NULL;
        bool takes = true;
        if (mu_span_is(word, "--dry-run")) {
            w->dry_run = true;
            continue;
        }
        if (mu_span_is(word, "--reason"))
            w->reason = value;
        else if (mu_span_is(word, "--rate"))
            w->rate = value;
        else if (mu_span_is(word, "--filter") && w->filters.count < CLI_VALUES_MAX)
            w->filters.at[w->filters.count++] = value;
        else
            takes = false;
        if (!takes && word.len > 1 && word.at[0] == '-')
            return *status = cli_usage("unknown option \"%s\", or too many of it", cli->argv[i]), false;
        if (takes && !value)
            return *status = cli_usage("%s needs a value", cli->argv[i]), false;
        if (!takes)
            w->argv[w->argc++] = cli->argv[i];
        i += takes;
    }
    return true;
}

/* What several answers say together. */
struct sum {
    int64_t matched, done, already_done, refused;
    json_t *ids;
};

static void add(struct sum *s, const json_t *answer)
{
    s->matched += mu_json_int(answer, "done", 0) + mu_json_int(answer, "already_done", 0) + mu_json_int(answer, "refused", 0);
    s->done += mu_json_int(answer, "done", 0);
    s->already_done += mu_json_int(answer, "already_done", 0);
    s->refused += mu_json_int(answer, "refused", 0);
    json_array_extend(s->ids, json_object_get(answer, "ids"));
}

static void tell(const struct cli *cli, const struct words *w, const char *verb, const struct sum *s)
{
    bool cancel = mu_span_is(mu_span_of(verb), "cancel");
    size_t i;
    json_t *id;
    if (cli->format == CLI_JSON) {
        MU_AUTO(mu_json_free) json_t *doc = json_pack("{s:b,s:b,s:I,s:I,s:I,s:I,s:O}", "ok", 1, "dry_run", w->dry_run, "matched",
            (json_int_t)s->matched, "done", (json_int_t)s->done, "already_done", (json_int_t)s->already_done, "refused",
            (json_int_t)s->refused, "ids", s->ids);
        cli_print_json(doc);
    } else if (cli->quiet) {
        json_array_foreach(s->ids, i, id) puts(json_string_value(id));
    } else if (w->dry_run) {
        printf("%lld %s would be %s\n", (long long)s->matched, cancel ? "jobs" : "tasks", cancel ? "cancelled" : "retried");
    } else {
        printf("%lld %s", (long long)s->done, cancel ? "jobs cancelled" : "tasks retried");
        if (s->already_done)
            printf(", %lld were done already", (long long)s->already_done);
        if (s->refused)
            printf(", %lld refused: their jobs were cancelled", (long long)s->refused);
        putchar('\n');
    }
}

/* One request, and more of the same while the service says that some are left. */
static bool carry_out(struct cli *cli, struct mu_bus *bus, const char *verb, const json_t *request, bool dry_run, struct sum *s,
                      enum cli_exit *status)
{
    for (bool more = true; more;) {
        MU_AUTO(mu_json_free) json_t *answer = NULL;
        if (!cli_request(cli, bus, verb, request, &answer, status))
            return false;
        add(s, answer);
        if (dry_run)
            s->matched += mu_json_int(answer, "matched", 0) - mu_json_int(answer, "already_done", 0);
        more = !dry_run && mu_json_bool(answer, "more", false) && mu_json_int(answer, "done", 0) > 0;
    }
    return true;
}

/* The request but for whom it means; NULL after telling what is wrong. */
static json_t *request_of(const struct words *w, enum cli_exit *status)
{
    if (!w->reason || !*w->reason)
        return *status = cli_usage("say why: --reason TEXT, it is kept in the audit trail"), NULL;
    if (!w->argc == !w->filters.count)
        return *status = cli_usage("name what is meant, or give --filter KEY=VALUE"), NULL;
    MU_AUTO(mu_json_free) json_t *request = json_pack("{s:s,s:b}", "reason", w->reason, "dry_run", w->dry_run);
    if (!request)
        return *status = cli_usage("the reason is no UTF-8 text"), NULL;
    cli_put_actor(request);
    if (w->rate) {
        int64_t rate;
        if (!mu_parse_i64(mu_span_of(w->rate), 1, 100000, &rate))
            return *status = cli_usage("cannot read the rate \"%s\"; write how many tasks a second, 1 to 100000", w->rate), NULL;
        json_object_set_new(request, "rate", json_integer(rate));
    }
    if (w->filters.count) {
        json_t *filter = cli_filter_of(&w->filters, status);
        if (!filter)
            return NULL;
        json_object_set_new(request, "filter", filter);
    }
    return MU_GIVE(request);
}

static enum cli_exit operate(struct cli *cli, const struct words *w, const char *verb)
{
    enum cli_exit status = CLI_DONE, one;
    MU_AUTO(mu_json_free) json_t *request = request_of(w, &status), *ids = json_array();
    if (!request)
        return status;
    MU_AUTO(mu_bus_free) struct mu_bus *bus = cli_connect(cli, &status);
    if (!bus)
        return status;
    struct sum sum = {.ids = ids};
    bool cancel = mu_span_is(mu_span_of(verb), "cancel"), any = false;
    status = CLI_DONE;
    for (int i = 0; i < w->argc; i++) { /* what is no id is the key that the submitter chose */
        struct mu_id id;
        const char *name = !mu_id_parse(mu_span_of(w->argv[i]), &id) ? "id" : cancel ? "job_id" : "task_id";
        json_object_set_new(request, name, json_string(w->argv[i]));
        if (carry_out(cli, bus, verb, request, w->dry_run, &sum, &one))
            any = true;
        else
            status = one;
        json_object_del(request, name);
    }
    if (w->filters.count)
        any = carry_out(cli, bus, verb, request, w->dry_run, &sum, &status);
    if (any)
        tell(cli, w, verb, &sum);
    return status;
}

enum cli_exit cli_cancel(struct cli *cli)
{
    enum cli_exit status = CLI_USAGE;
    struct words w = {.argc = 0};
    if (!take_options(cli, &w, &status))
        return status;
    if (w.rate)
        return cli_usage("cancel takes no --rate");
    cli->role = mu_role_name(MU_ROLE_OPERATOR);
    return operate(cli, &w, "cancel");
}

/* ---- dead letters ---- */

static void show_row(struct cli *cli, struct cli_table *table, const json_t *d)
{
    const char *const cells[] = {mu_json_text(d, "task_id"), mu_json_text(d, "class"), mu_json_text(d, "reason"), mu_json_text(d, "source"),
                                 mu_json_text(d, "queue"), mu_json_text(d, "recorded_at"), mu_json_text(d, "message")};
    if (cli->quiet)
        puts(cells[0]);
    else if (cli->format == CLI_JSON)
        cli_print_json(d);
    else
        cli_table_add(table, cells);
}

static enum cli_exit list(struct cli *cli, const struct words *w)
{
    static const char *const headings[] = {"TASK", "CLASS", "REASON", "SOURCE", "QUEUE", "ENDED", "MESSAGE"};
    static const struct cli_listing listing = {
        .verb = "dead", .rows = "dead", .id = "task_id", .none = "no dead letters", .headings = headings, .columns = MU_COUNT(headings), .row = show_row};
    if (w->argc || w->reason || w->rate || w->dry_run)
        return cli_usage("dead ls takes only --filter KEY=VALUE");
    return cli_list(cli, &listing, &w->filters);
}

static enum cli_exit show(struct cli *cli, const struct words *w)
{
    enum cli_exit status = CLI_USAGE;
    if (w->argc != 1 || w->filters.count || w->reason || w->rate || w->dry_run)
        return cli_usage("dead show takes one task");
    MU_AUTO(mu_json_free) json_t *request = json_pack("{s:s}", "task_id", w->argv[0]), *answer = NULL;
    MU_AUTO(mu_bus_free) struct mu_bus *bus = request ? cli_connect(cli, &status) : NULL;
    if (!bus || !cli_request(cli, bus, "dead", request, &answer, &status))
        return status;
    json_t *d = json_array_get(json_object_get(answer, "dead"), 0);
    if (cli->format == CLI_JSON)
        cli_print_json(d);
    else
        cli_print_fields(d);
    return CLI_DONE;
}

enum cli_exit cli_dead(struct cli *cli)
{
    enum cli_exit status = CLI_USAGE;
    struct words w = {.argc = 0};
    struct mu_span verb = mu_span_of(cli->argc ? cli->argv[0] : "");
    if (!cli->argc || (!mu_span_is(verb, "ls") && !mu_span_is(verb, "show") && !mu_span_is(verb, "retry")))
        return cli_usage("dead what? ls, show TASK or retry TASK…");
    cli->argc--;
    cli->argv++;
    if (!take_options(cli, &w, &status))
        return status;
    cli->role = mu_role_name(MU_ROLE_OPERATOR);
    return mu_span_is(verb, "ls") ? list(cli, &w) : mu_span_is(verb, "show") ? show(cli, &w) : operate(cli, &w, "retry");
}
