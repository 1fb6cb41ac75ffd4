/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of `muster` share: the settings, a connection to the broker, answers of the service, output. Data goes
 * to stdout, words to stderr. */
#ifndef MU_CLI_H
#define MU_CLI_H

#include "format/config.h"
#include "format/json.h"
#include "outside/bus.h"

/* The exit statuses of `muster`: shown in its help, tested, stable. */
enum cli_exit {
    CLI_DONE = 0,
    CLI_FAILED = 1,       /* a job or task ended in failure; something differs */
    CLI_USAGE = 2,
    CLI_NOT_FOUND = 3,
    CLI_REFUSED = 4,      /* by validation */
    CLI_UNREACHABLE = 5,  /* NATS or PostgreSQL */
    CLI_TIMEOUT = 6,
    CLI_PERMISSION = 7,
    CLI_PARTIAL = 8,      /* a batch was accepted in part */
};

enum cli_format { CLI_TABLE, CLI_JSON, CLI_JSONL, CLI_CSV, CLI_HTML };
#define CLI_LINES 1 /* of a verb: prints jsonl as such; of the others it is json, which has a document a line, too */
#define CLI_SHEET 2 /* prints csv */
#define CLI_PAGE 4  /* prints html */

struct cli {
    struct mu_config config;
    enum cli_format format;
    bool quiet;           /* ids only */
    bool progress;        /* a terminal that can show a bar */
    int64_t timeout_ms;
    const char *role;     /* whose inbox it has at the broker, by its rights (domain/names_rights.h) */
    int argc;             /* what stands behind the verb */
    char **argv;
};

struct cli_verb {
    const char *name, *arguments, *sentence;
    enum cli_exit (*run)(struct cli *cli);
    int formats; /* CLI_LINES, CLI_SHEET, CLI_PAGE: beside table and json */
};

/* An option of a verb, and where it goes: a text, a list of texts, or a flag. */
#define CLI_VALUES_MAX 64
struct cli_values {
    const char *at[CLI_VALUES_MAX];
    size_t count;
};
struct cli_option {
    const char *name;
    const char **text;
    struct cli_values *values;
    bool *flag;
};
/* Takes the options out of cli->argv, wherever they stand; "--" ends them. False: usage, told. */
MU_MUST bool cli_take_options(struct cli *cli, const char *verb, const struct cli_option *options, size_t count);

/* One line to stderr, "muster: …" with the hint behind it; the exit status that fits the fault. */
enum cli_exit cli_fail(const struct mu_error *err);
enum cli_exit cli_usage(const char *fmt, ...) MU_PRINTF(1, 2);

/* The connection, named and with its own inbox. NULL after telling the failure; *status is set then. */
struct mu_bus *cli_connect(struct cli *cli, enum cli_exit *status);
/* Asks muster.api.<verb>; the parsed answer is the caller's. False only when nobody answered or not in JSON. */
MU_MUST bool cli_ask(struct mu_bus *bus, const char *verb, struct mu_span body, int64_t timeout_ms, json_t **answer,
                     struct mu_error *err);
/* Tells an {"ok":false} answer; the exit status by its code. */
enum cli_exit cli_refusal(const json_t *answer);
/* {"ok":true} or {"ok":false,...}. */
bool cli_answer_ok(const json_t *answer);

/* {"queue":"aml","label":{"desk":"fx"}} of "queue=aml" and "label.desk=fx": which keys there are, and what they take, the
 * service knows. NULL: usage, told. */
json_t *cli_filter_of(const struct cli_values *filters, enum cli_exit *status);
/* Who asks, for the audit trail; as good as the word of who asks. */
void cli_put_actor(json_t *request);
/* cli_ask, with failures and refusals told. */
MU_MUST bool cli_request(struct cli *cli, struct mu_bus *bus, const char *verb, const json_t *request, json_t **answer,
                         enum cli_exit *status);

/* Prints one JSON document on a line of its own. */
void cli_print_json(const json_t *doc);
/* A member a line. */
void cli_print_fields(json_t *doc);

/* Columns that a text takes: characters, not bytes (printf pads bytes). */
int cli_width(const char *text);
/* A table of texts, columns as wide as they must be. */
struct cli_table;
struct cli_table *cli_table_new(const char *const *headings, size_t columns);
void cli_table_add(struct cli_table *t, const char *const *cells); /* copied; NULL is "" */
void cli_table_print(const struct cli_table *t);
void cli_table_write(const struct cli_table *t, FILE *to);
void cli_table_free(struct cli_table *t);
MU_DEFINE_AUTO(struct cli_table, cli_table_free)
/* Human-readable: 1234567 -> "1,234,567"; ms -> "1.2 s". */
const char *cli_thousands(int64_t value, char out[32]);
const char *cli_duration(int64_t ms, char out[32]);

/* A list that the service gives page by page: muster.api.<verb> answers {"<rows>":[…],"more":…}, and goes on after an id.
 * `row` shows one: adds it to the table, or prints it as cli->format and cli->quiet say. */
struct cli_listing {
    const char *verb, *rows, *id, *none; /* none: what is said if there are none */
    const char *const *headings;
    size_t columns;
    void (*row)(struct cli *cli, struct cli_table *table, const json_t *row);
};
enum cli_exit cli_list(struct cli *cli, const struct cli_listing *l, const struct cli_values *filters);

/* "10m", "30s", "500ms", "1h". */
MU_MUST bool cli_parse_duration(const char *text, int64_t *ms);

/* Waits until each of the jobs is done, with a bar if cli->progress; 0 ms: for ever. */
enum cli_exit cli_wait_jobs(struct cli *cli, struct mu_bus *bus, const json_t *job_ids, int64_t timeout_ms);

enum cli_exit cli_agents(struct cli *cli);
enum cli_exit cli_audit(struct cli *cli);
enum cli_exit cli_cancel(struct cli *cli);
enum cli_exit cli_check(struct cli *cli);
enum cli_exit cli_db(struct cli *cli);
enum cli_exit cli_dead(struct cli *cli);
enum cli_exit cli_dev(struct cli *cli);
enum cli_exit cli_exception(struct cli *cli);
enum cli_exit cli_maintain(struct cli *cli); /* `db maintain` */
enum cli_exit cli_pack(struct cli *cli);
enum cli_exit cli_permissions(struct cli *cli);
enum cli_exit cli_report(struct cli *cli);
enum cli_exit cli_resubmit(struct cli *cli); /* `db resubmit` */
enum cli_exit cli_setup(struct cli *cli);
enum cli_exit cli_status(struct cli *cli);
enum cli_exit cli_submit(struct cli *cli);
enum cli_exit cli_wait(struct cli *cli);

#endif
