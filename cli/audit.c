/* SPDX-License-Identifier: Apache-2.0 */
/* `muster audit`: does the trail still say what was written, and do the rows that it names? Walks it in slices, so that
 * its length costs time and no memory; what is wrong is told as it is found. */
#include "audit.h"
#include "domain/names_rights.h"

#define SLICE 2000
#define LINES_MAX 1000 /* of a table for people */

static enum cli_exit help(void)
{
    puts("usage: muster audit verify [--from SEQ] [--to SEQ] [--heads FILE] [--events] [-o json]\n"
         "\n"
         "Walks muster.audit and holds each link against its hash (SHA-256 of what it says and the hash of the link before), each\n"
         "row that a link names (job, task, outcome, counters, finding, rejection, pack, purge certificate) against its seal in the\n"
         "link, and each row of those tables against the links. What does not fit is told, a link by its number, a row by table\n"
         "and id, with what was done to it:\n"
         "\n"
         "  altered    it is not what was written\n"
         "  removed    it is not there any more, and no retention policy took it\n"
         "  inserted   the trail does not know it: put in by another hand, or rewritten with its hash\n"
         "  reordered  it is another link, and stands at this number\n"
         "  rewritten  its hash is not the one that was noted outside\n"
         "\n"
         "Then come how many links were read, their range, and the head: the hash of the last one. Who may write everything\n"
         "can make the whole trail anew, so that it holds in itself: only heads that were noted outside of the database tell.\n"
         "The dispatcher notes them in a file (audit.head_file) and as events; --heads FILE and --events compare them all.\n"
         "--from and --to look at a part: its links, the rows that they name, the rows that were written in its time.\n"
         "\n"
         "A login with the role muster_auditor is enough. Exit status: 0 all is as it was written, 1 it is not, 2 usage, 5 it\n"
         "could not be read, 7 permission. In psql: select * from report.audit_verify();");
    return CLI_DONE;
}

/* A line that is written over, for who waits at a terminal. */
static void progress(const struct audit_walk *w, const char *kind)
{
    char links[32];
    if (!w->cli->progress)
        return;
    if (kind)
        fprintf(stderr, "\r\033[Kmuster: looking for rows that no link names: %s", kind);
    else
        fprintf(stderr, "\r\033[Kmuster: %s links read, with the rows that they name", cli_thousands(w->links, links));
}

static void end_progress(const struct audit_walk *w)
{
    if (w->cli->progress)
        fputs("\r\033[K", stderr);
}

void audit_tell(struct audit_walk *w, int64_t seq, const char *fault, const char *kind, const char *id, const char *detail)
{
    w->faults++;
    if (seq && (!w->first_broken || seq < w->first_broken))
        w->first_broken = seq;
    if (w->cli->format == CLI_JSON) {
        MU_AUTO(mu_json_free) json_t *doc = json_pack("{s:o,s:s,s:s,s:s,s:s}", "seq", seq ? json_integer(seq) : json_null(), "fault", fault,
                                                      "kind", kind, "id", id, "detail", detail);
        cli_print_json(doc);
    } else if (!w->cli->quiet && w->faults <= LINES_MAX) {
        end_progress(w);
        printf("%s %s  %-9s  %s\n", strcmp(kind, "audit") == 0 ? "link" : kind, id, fault, detail);
    } else if (!w->cli->quiet && w->faults == LINES_MAX + 1) {
        puts("… and more: -o json tells all");
    }
}

/* Columns: seq, fault, kind, id, detail. */
static void tell_rows(struct audit_walk *w, const struct mu_rows *rows)
{
    for (size_t row = 0; row < mu_rows_count(rows); row++)
        audit_tell(w, mu_row_i64(rows, row, 0), mu_row_text(rows, row, 1), mu_row_text(rows, row, 2), mu_row_text(rows, row, 3),
                   mu_row_text(rows, row, 4));
}

/* One slice of the chain and the rows that it names; *more: there may be another. */
static bool step(struct audit_walk *w, bool *more, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    MU_AUTO(mu_rows_free) struct mu_rows *named = NULL;
    const int64_t from = w->last ? w->last + 1 : w->from;
    mu_args_reset(w->args);
    mu_arg_i64(w->args, from);
    mu_arg_i64(w->args, w->to);
    mu_arg_i64(w->args, SLICE);
    if (!mu_store_run(w->store, SQL_AUDIT_CHAIN, w->args, &rows, err))
        return false;
    size_t end = mu_rows_count(rows) - 1; /* the last row says what was read */
    for (size_t row = 0; row < end; row++)
        audit_tell(w, mu_row_i64(rows, row, 0), mu_row_text(rows, row, 1), "audit", mu_row_text(rows, row, 0), mu_row_text(rows, row, 2));
    *more = mu_row_i64(rows, end, 3) > 0;
    if (!*more)
        return true;
    w->links += mu_row_i64(rows, end, 3);
    w->last = mu_row_i64(rows, end, 0);
    snprintf(w->head, sizeof(w->head), "%s", mu_row_text(rows, end, 4));
    mu_args_reset(w->args);
    mu_arg_i64(w->args, from);
    mu_arg_i64(w->args, w->last);
    if (!mu_store_run(w->store, SQL_AUDIT_ROWS, w->args, &named, err))
        return false;
    tell_rows(w, named);
    return true;
}

/* Rows that no link names, partition by partition. */
static bool strays(struct audit_walk *w, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *times = NULL;
    MU_AUTO(mu_rows_free) struct mu_rows *ranges = NULL;
    mu_args_reset(w->args);
    mu_arg_i64(w->args, w->from);
    mu_arg_i64(w->args, w->to);
    if (!mu_store_run(w->store, SQL_AUDIT_TIMES, w->args, &times, err) || !mu_store_run(w->store, SQL_AUDIT_RANGES, NULL, &ranges, err))
        return false;
    for (size_t row = 0; row < mu_rows_count(ranges); row++) {
        MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
        progress(w, mu_row_text(ranges, row, 0));
        mu_args_reset(w->args);
        for (int i = 0; i < 3; i++)
            mu_arg_text(w->args, mu_row_null(ranges, row, i) ? mu_span_of("") : mu_row_span(ranges, row, i));
        for (int i = 0; i < 2; i++)
            mu_arg_text(w->args, mu_row_span(times, 0, i));
        if (!mu_store_run(w->store, SQL_AUDIT_STRAYS, w->args, &rows, err))
            return false;
        tell_rows(w, rows);
    }
    return true;
}

static bool heads(struct audit_walk *w, enum cli_exit *status, struct mu_error *err)
{
    if (w->heads_file && !audit_heads_of_file(w, w->heads_file, err))
        return false;
    if (!w->with_events)
        return true;
    struct mu_bus *bus = cli_connect(w->cli, status);
    bool fine = bus && audit_heads_of_events(w, bus, err);
    mu_bus_free(bus);
    return fine;
}

static void conclude(const struct audit_walk *w)
{
    char number[32];
    if (w->cli->format == CLI_JSON) {
        MU_AUTO(mu_json_free) json_t *doc =
            json_pack("{s:b,s:I,s:I}", "intact", w->faults == 0, "links", (json_int_t)w->links, "faults", (json_int_t)w->faults);
        json_object_set_new(doc, "first_broken", w->first_broken ? json_integer(w->first_broken) : json_null());
        json_object_set_new(doc, "from", json_integer(w->from));
        json_object_set_new(doc, "to", w->last ? json_integer(w->last) : json_null());
        json_object_set_new(doc, "head", w->last ? json_string(w->head) : json_null());
        json_object_set_new(doc, "heads_compared", json_integer(w->heads));
        cli_print_json(doc);
        return;
    }
    if (!w->links)
        puts("no links there");
    else
        printf("%s links, from %lld to %lld; head %s\n", cli_thousands(w->links, number), (long long)w->from, (long long)w->last,
               w->head);
    if (w->heads)
        printf("%s heads that were noted outside compared\n", cli_thousands(w->heads, number));
    if (!w->faults)
        puts("the trail holds, and so do the rows that it names");
    else if (w->first_broken)
        printf("BROKEN: %s faults, the first at link %lld\n", cli_thousands(w->faults, number), (long long)w->first_broken);
    else
        printf("BROKEN: %s faults\n", cli_thousands(w->faults, number));
}

static bool parse_seq(const char *option, const char *text, int64_t *out)
{
    return mu_parse_i64(mu_span_of(text), 1, INT64_MAX, out) ||
           (cli_usage("%s wants the number of a link, from 1; not \"%s\"", option, text), false);
}

static bool parse(struct audit_walk *w)
{
    const char *from = NULL, *to = NULL;
    const struct cli_option options[] = {{.name = "--from", .text = &from}, {.name = "--to", .text = &to},
                                         {.name = "--heads", .text = &w->heads_file}, {.name = "--events", .flag = &w->with_events}};
    if (!cli_take_options(w->cli, "audit verify", options, MU_COUNT(options)) || (from && !parse_seq("--from", from, &w->from)) ||
        (to && !parse_seq("--to", to, &w->to)))
        return false;
    if (w->cli->argc != 1)
        return cli_usage("audit verify takes --from, --to, --heads and --events, not \"%s\"; see muster audit --help", w->cli->argv[1]), false;
    return w->from <= w->to || (cli_usage("--from %lld lies behind --to %lld", (long long)w->from, (long long)w->to), false);
}

/* What kept us from reading is no verdict: 1 would say that the chain is broken. */
static enum cli_exit unread(const struct mu_error *err)
{
    enum cli_exit status = cli_fail(err);
    return status == CLI_PERMISSION || status == CLI_NOT_FOUND || status == CLI_REFUSED ? status : CLI_UNREACHABLE;
}

static bool walk(struct audit_walk *w, enum cli_exit *status, struct mu_error *err)
{
    bool more = true;
    if (!mu_store_check_schema(w->store, err) || !mu_store_run(w->store, SQL_TAKE_TIME, NULL, NULL, err))
        return false;
    mu_store_limit(w->store, 0); /* a partition of years is read at once */
    while (more) {
        if (!step(w, &more, err))
            return false;
        progress(w, NULL);
    }
    return strays(w, err) && heads(w, status, err);
}

enum cli_exit cli_audit(struct cli *cli)
{
    struct audit_walk w = {.cli = cli, .from = 1, .to = INT64_MAX};
    struct mu_error err = {0};
    enum cli_exit status = CLI_DONE;
    if (cli->argc == 1 && mu_span_is(mu_span_of(cli->argv[0]), "--help"))
        return help();
    if (!cli->argc || !mu_span_is(mu_span_of(cli->argv[0]), "verify"))
        return cli_usage("audit wants `verify`; see muster audit --help");
    if (!parse(&w))
        return CLI_USAGE;
    if (!cli->config.postgres_conninfo || !cli->config.postgres_conninfo[0])
        return cli_usage("no database: set postgres.conninfo in the configuration, or MUSTER_POSTGRES_CONNINFO");
    cli->role = mu_role_name(MU_ROLE_OPERATOR);
    w.args = mu_args_new();
    bool read = w.args ? mu_store_open(&w.store, cli->config.postgres_conninfo, "muster", cli_statements, SQL_COUNT, &err) && walk(&w, &status, &err)
                       : mu_fail(&err, MU_BROKEN, "out of memory");
    end_progress(&w);
    if (read)
        conclude(&w);
    else if (err.fault != MU_OK)
        status = unread(&err);
    mu_args_free(w.args);
    mu_store_free(w.store);
    return read && w.faults ? CLI_FAILED : status;
}
