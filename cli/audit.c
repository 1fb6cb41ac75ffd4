/* SPDX-License-Identifier: Apache-2.0 */
/* `muster audit`: does the trail still say what was written? Walks it in slices, so that its length costs time and no
 * memory; what is wrong is told as it is found. */
#include "cli.h"
#include "statements.h"

#define SLICE 2000

/* What a walk has found. */
struct walk {
    struct cli *cli;
    int64_t from, to;            /* as asked */
    int64_t first, last, links;  /* as read; 0: nothing yet */
    int64_t broken, first_broken;
    char head[65];               /* hash of the last link, in hex */
};

static enum cli_exit help(void)
{
    puts("usage: muster audit verify [--from SEQ] [--to SEQ] [-o json]\n"
         "\n"
         "Walks muster.audit and recomputes each link: its number must follow the one before it, and its hash must be\n"
         "SHA-256(hash of the link before, number, body). Every link that is not so is told, with what was done to it:\n"
         "\n"
         "  altered    its hash is not that of its number, its body and the hash before it\n"
         "  removed    links before it are missing\n"
         "  inserted   it is not the link that the next one follows: put in, or rewritten with its hash\n"
         "  reordered  it is another link, and stands at this number\n"
         "\n"
         "Then come how many links were read, their range, and the head: the hash of the last one. A chain whose end was\n"
         "cut off, or that was made anew from some link on, holds in itself: only a head that was noted outside of this\n"
         "database tells. Note it daily; `--to SEQ` prints that of an earlier link again. Time, actor and reason of a link\n"
         "are not part of its hash.\n"
         "\n"
         "A login with the role muster_auditor is enough. Exit status: 0 the chain holds, 1 it is broken, 2 usage, 5 it could\n"
         "not be read, 7 permission.");
    return CLI_DONE;
}

static void tell(struct walk *w, const struct mu_rows *rows, size_t row)
{
    int64_t seq = mu_row_i64(rows, row, 0);
    const char *fault = mu_row_text(rows, row, 1), *detail = mu_row_text(rows, row, 2);
    if (!w->broken++ || seq < w->first_broken)
        w->first_broken = seq;
    if (w->cli->format == CLI_JSON) {
        MU_AUTO(mu_json_free) json_t *doc = json_pack("{s:I,s:s,s:s}", "seq", (json_int_t)seq, "fault", fault, "detail", detail);
        cli_print_json(doc);
    } else if (!w->cli->quiet) {
        printf("link %lld  %-9s  %s\n", (long long)seq, fault, detail);
    }
}

/* One slice; *more: there may be another. */
static bool step(struct walk *w, struct mu_store *store, struct mu_args *args, bool *more, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    mu_args_reset(args);
    mu_arg_i64(args, w->last ? w->last + 1 : w->from);
    mu_arg_i64(args, w->to);
    mu_arg_i64(args, SLICE);
    if (!mu_store_run(store, SQL_AUDIT_VERIFY, args, &rows, err))
        return false;
    size_t end = mu_rows_count(rows) - 1; /* the last row says what was read */
    for (size_t row = 0; row < end; row++)
        tell(w, rows, row);
    int64_t links = mu_row_i64(rows, end, 3);
    *more = links == SLICE;
    if (!links)
        return true;
    w->links += links;
    w->last = mu_row_i64(rows, end, 0);
    snprintf(w->head, sizeof(w->head), "%s", mu_row_text(rows, end, 4));
    return true;
}

static void conclude(const struct walk *w)
{
    char links[32];
    if (w->cli->format == CLI_JSON) {
        MU_AUTO(mu_json_free) json_t *doc =
            json_pack("{s:b,s:I,s:I}", "intact", w->broken == 0, "links", (json_int_t)w->links, "broken", (json_int_t)w->broken);
        json_object_set_new(doc, "first_broken", w->broken ? json_integer(w->first_broken) : json_null());
        json_object_set_new(doc, "from", json_integer(w->from));
        json_object_set_new(doc, "to", w->last ? json_integer(w->last) : json_null());
        json_object_set_new(doc, "head", w->last ? json_string(w->head) : json_null());
        cli_print_json(doc);
        return;
    }
    if (!w->links)
        puts("no links there");
    else
        printf("%s links, from %lld to %lld; head %s\n", cli_thousands(w->links, links), (long long)w->from, (long long)w->last,
               w->head);
    if (w->broken)
        printf("BROKEN at link %lld, %lld in all\n", (long long)w->first_broken, (long long)w->broken);
    else
        puts("the chain holds");
}

static bool parse(struct cli *cli, struct walk *w)
{
    *w = (struct walk){.cli = cli, .from = 1, .to = INT64_MAX};
    for (int i = 1; i < cli->argc; i++) {
        const char *value = i + 1 < cli->argc ? cli->argv[i + 1] : "";
        struct mu_span word = mu_span_of(cli->argv[i]);
        bool is_from = mu_span_is(word, "--from");
        if (!is_from && !mu_span_is(word, "--to"))
            return cli_usage("audit verify takes --from SEQ and --to SEQ, not \"%s\"; see muster audit --help", cli->argv[i]), false;
        if (!mu_parse_i64(mu_span_of(value), 1, INT64_MAX, is_from ? &w->from : &w->to))
            return cli_usage("%s wants the number of a link, from 1; not \"%s\"", cli->argv[i], value), false;
        i++;
    }
    return w->from <= w->to || (cli_usage("--from %lld lies behind --to %lld", (long long)w->from, (long long)w->to), false);
}

/* What kept us from reading is no verdict: 1 would say that the chain is broken. */
static enum cli_exit unread(const struct mu_error *err)
{
    enum cli_exit status = cli_fail(err);
    return status == CLI_PERMISSION ? status : CLI_UNREACHABLE;
}

enum cli_exit cli_audit(struct cli *cli)
{
    struct walk w;
    struct mu_error err = {0};
    bool more = true;
    if (cli->argc == 1 && mu_span_is(mu_span_of(cli->argv[0]), "--help"))
        return help();
    if (!cli->argc || !mu_span_is(mu_span_of(cli->argv[0]), "verify"))
        return cli_usage("audit wants `verify`; see muster audit --help");
    if (!parse(cli, &w))
        return CLI_USAGE;
    if (!cli->config.postgres_conninfo || !cli->config.postgres_conninfo[0])
        return cli_usage("no database: set postgres.conninfo in the configuration, or MUSTER_POSTGRES_CONNINFO");
    MU_AUTO(mu_store_free) struct mu_store *store = NULL;
    MU_AUTO(mu_args_free) struct mu_args *args = mu_args_new();
    if (!args || !mu_store_open(&store, cli->config.postgres_conninfo, "muster", cli_statements, SQL_COUNT, &err) ||
        !mu_store_check_schema(store, &err))
        return unread(&err);
    while (more)
        if (!step(&w, store, args, &more, &err))
            return unread(&err);
    conclude(&w);
    return w.broken ? CLI_FAILED : CLI_DONE;
}
