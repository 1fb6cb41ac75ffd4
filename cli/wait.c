/* SPDX-License-Identifier: Apache-2.0 */
/* `muster wait` and `muster status`: what the service says of jobs, once or until they are done. */
#include "cli.h"
#include "base/clock.h"
#include "daemon/daemon.h"

#define ASK_LEAST_MS 50
#define ASK_MOST_MS 1000
#define BAR_MS 250 /* between two pictures of the bar */
#define JOBS_MAX 100000

static bool is_done(const json_t *status)
{
    const char *state = mu_json_text(status, "state");
    return state && (mu_span_is(mu_span_of(state), "completed") || mu_span_is(mu_span_of(state), "failed") ||
                     mu_span_is(mu_span_of(state), "cancelled"));
}

/* `completed` jobs may have findings: whether that is a failure is the job's result. */
static bool is_good(const json_t *status)
{
    const char *result = mu_json_text(status, "result");
    return result && (mu_span_is(mu_span_of(result), "pass") || mu_span_is(mu_span_of(result), "warn"));
}

static bool ask_status(struct mu_bus *bus, const char *job, int64_t timeout_ms, json_t **answer, struct mu_error *err)
{
    struct mu_id id; /* what is no id is the key that the submitter chose */
    bool is_id = mu_id_parse(mu_span_of(job), &id);
    MU_AUTO(mu_json_free) json_t *question = json_pack("{s:s}", is_id ? "job_id" : "id", job);
    MU_AUTO(mu_text_free) struct mu_text body = {0};
    mu_json_write(&body, question);
    return mu_text_ok(&body, err) && cli_ask(bus, "status", mu_text_span(&body), timeout_ms, answer, err);
}

static void draw_bar(int64_t done, int64_t tasks, const json_t *status, int64_t ms)
{
    enum { WIDTH = 30 };
    char bar[WIDTH + 1], records[32], time[32];
    int64_t total = mu_json_int(status, "records_total", 0), read = mu_json_int(status, "records", 0);
    int64_t part = total > 0 ? read : done, whole = total > 0 ? total : tasks;
    int filled = whole > 0 ? (int)(part * WIDTH / whole) : 0;
    for (int i = 0; i < WIDTH; i++)
        bar[i] = i < filled ? '#' : '.';
    bar[WIDTH] = '\0';
    fprintf(stderr, "\r[%s] %3lld%%  %lld/%lld tasks  %s records  %lld findings  %s \033[K", bar,
            (long long)(whole > 0 ? part * 100 / whole : 0), (long long)done, (long long)tasks,
            cli_thousands(read, records), (long long)mu_json_int(status, "findings", 0), cli_duration(ms, time));
    fflush(stderr);
}

static void show_jobs_bar(size_t done, size_t jobs, int64_t ms)
{
    char time[32];
    fprintf(stderr, "\r%zu of %zu jobs done  %s \033[K", done, jobs, cli_duration(ms, time));
    fflush(stderr);
}

static void print_status(struct cli *cli, const json_t *status)
{
    char records[32], findings[32];
    if (cli->format == CLI_JSON) {
        cli_print_json(status);
        return;
    }
    const char *result = mu_json_text(status, "result"), *pack = mu_json_text(status, "pack");
    printf("job %s  %s%s%s  %s  %lld/%lld tasks  %s records  %s findings\n", mu_json_text(status, "job_id"),
           mu_json_text(status, "state"), result ? ", result " : "", result ? result : "", pack ? pack : "",
           (long long)mu_json_int(status, "done", 0), (long long)mu_json_int(status, "tasks", 0),
           cli_thousands(mu_json_int(status, "records", 0), records),
           cli_thousands(mu_json_int(status, "findings", 0), findings));
}

/* Waits for one job until the clock shows `until` (0: for ever); `only`: it may draw and tell. */
static enum cli_exit wait_one(struct cli *cli, struct mu_bus *bus, const char *job, int64_t until, bool only)
{
    int64_t started = mu_clock_ms(), pause = ASK_LEAST_MS;
    const int64_t most = only && cli->progress ? BAR_MS : ASK_MOST_MS;
    struct mu_error err = {0};
    for (;;) {
        MU_AUTO(mu_json_free) json_t *status = NULL;
        if (!ask_status(bus, job, 5000, &status, &err)) {
            if (err.fault != MU_UNAVAILABLE || (until && mu_clock_ms() >= until))
                return cli_fail(&err);
            mu_error_clear(&err); /* the dispatcher may be restarting: the job is in the database */
        } else if (!cli_answer_ok(status)) {
            return cli_refusal(status);
        } else {
            if (only && cli->progress)
                draw_bar(mu_json_int(status, "done", 0), mu_json_int(status, "tasks", 0), status, mu_clock_ms() - started);
            if (is_done(status)) {
                if (only && cli->progress)
                    fputc('\n', stderr);
                if (only)
                    print_status(cli, status);
                return is_good(status) ? CLI_DONE : CLI_FAILED;
            }
        }
        if (until && mu_clock_ms() >= until) {
            fprintf(stderr, "%smuster: job %s is not done yet; wait again, or see muster status %s\n",
                    only && cli->progress ? "\n" : "", job, job);
            return CLI_TIMEOUT;
        }
        if (!mu_daemon_wait(pause))
            return CLI_FAILED;
        pause = pause * 2 < most ? pause * 2 : most;
    }
}

enum cli_exit cli_wait_jobs(struct cli *cli, struct mu_bus *bus, const json_t *job_ids, int64_t timeout_ms)
{
    size_t i, count = json_array_size(job_ids), failed = 0;
    json_t *id;
    int64_t started = mu_clock_ms(), until = timeout_ms ? started + timeout_ms : 0;
    enum cli_exit status = CLI_DONE;
    json_array_foreach(job_ids, i, id)
    {
        status = wait_one(cli, bus, json_string_value(id), until, count == 1);
        if (status == CLI_FAILED)
            failed++;
        else if (status != CLI_DONE)
            return status;
        if (count > 1 && cli->progress)
            show_jobs_bar(i + 1, count, mu_clock_ms() - started);
    }
    if (count > 1 && cli->progress)
        fputc('\n', stderr);
    if (count > 1 && !cli->quiet)
        fprintf(stderr, "%zu jobs done, %zu of them without a pass\n", count, failed);
    return failed ? CLI_FAILED : CLI_DONE;
}

static json_t *ids_of(const struct cli *cli, enum cli_exit *status)
{
    if (cli->argc < 1 || cli->argc > JOBS_MAX) {
        *status = cli_usage("which job? Give ids or keys");
        return NULL;
    }
    json_t *ids = json_array();
    for (int i = 0; i < cli->argc; i++)
        json_array_append_new(ids, json_string(cli->argv[i]));
    return ids;
}

enum cli_exit cli_wait(struct cli *cli)
{
    enum cli_exit status = CLI_USAGE;
    MU_AUTO(mu_json_free) json_t *ids = ids_of(cli, &status);
    if (!ids)
        return status;
    MU_AUTO(mu_bus_free) struct mu_bus *bus = cli_connect(cli, &status);
    return bus ? cli_wait_jobs(cli, bus, ids, cli->timeout_ms) : status;
}

enum cli_exit cli_status(struct cli *cli)
{
    enum cli_exit status = CLI_USAGE;
    struct mu_error err = {0};
    MU_AUTO(mu_json_free) json_t *ids = ids_of(cli, &status);
    if (!ids)
        return status;
    MU_AUTO(mu_bus_free) struct mu_bus *bus = cli_connect(cli, &status);
    if (!bus)
        return status;
    status = CLI_DONE;
    for (int i = 0; i < cli->argc; i++) {
        MU_AUTO(mu_json_free) json_t *answer = NULL;
        if (!ask_status(bus, cli->argv[i], cli->timeout_ms ? cli->timeout_ms : 5000, &answer, &err))
            return cli_fail(&err);
        if (cli_answer_ok(answer))
            print_status(cli, answer);
        else
            status = cli_refusal(answer);
    }
    return status;
}
