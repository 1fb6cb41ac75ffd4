/* SPDX-License-Identifier: Apache-2.0 */
/* `muster submit`: one job from the command line, or a file of jobs (one a line) in requests that fit the broker. */
#include "cli.h"
#include "base/clock.h"

#include <errno.h>

#define BATCH_LINES 1000
#define BATCH_BYTES ((size_t)512 * 1024)
#define LINE_BYTES_MAX ((size_t)1024 * 1024)

struct order {
    const char *file, *pack, *source, *id, *queue, *priority, *as_of, *body;
    json_t *labels;
    bool wait;
};

static bool parse_label(struct order *o, const char *text)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return false;
    char name[64];
    if (!mu_copy_text(name, sizeof(name), mu_span(text, (size_t)(equals - text))))
        return false;
    return json_object_set_new(o->labels, name, json_string(equals + 1)) == 0;
}

/* False: usage, told. */
static bool parse_order(struct cli *cli, struct order *o)
{
    const struct { const char *option; const char **to; } options[] = {
        {"-f", &o->file}, {"--file", &o->file}, {"--pack", &o->pack}, {"--source", &o->source}, {"--id", &o->id},
        {"--queue", &o->queue}, {"--priority", &o->priority}, {"--as-of", &o->as_of},
    };
    for (int i = 0; i < cli->argc; i++) {
        const char *word = cli->argv[i], *value = i + 1 < cli->argc ? cli->argv[i + 1] : NULL;
        bool known = false;
        if (mu_span_is(mu_span_of(word), "--wait")) {
            o->wait = true;
            continue;
        }
        if (mu_span_is(mu_span_of(word), "--label")) {
            if (!value || !parse_label(o, value))
                return cli_usage("--label wants NAME=VALUE"), false;
            i++;
            continue;
        }
        for (size_t k = 0; k < MU_COUNT(options) && !known; k++) {
            if (!mu_span_is(mu_span_of(word), options[k].option))
                continue;
            if (!value)
                return cli_usage("%s needs a value", word), false;
            *options[k].to = value;
            known = true;
            i++;
        }
        if (known)
            continue;
        if ((word[0] == '-' && word[1]) || o->body)
            return cli_usage("submit: do not know what to do with \"%s\"", word), false;
        o->body = word;
    }
    int ways = (o->file != NULL) + (o->body != NULL) + (o->source != NULL);
    if (ways != 1)
        return cli_usage("submit wants one of: a JSON document, -f FILE, --pack P --source URI"), false;
    if (o->source && !o->pack)
        return cli_usage("--source needs --pack"), false;
    return true;
}

static void set_text(json_t *object, const char *key, const char *value)
{
    if (value)
        json_object_set_new(object, key, json_string(value));
}

/* The document of --pack and --source; the service checks it. */
static void write_job(struct mu_text *out, const struct order *o)
{
    MU_AUTO(mu_json_free) json_t *job = json_object();
    json_t *source = json_object();
    set_text(job, "pack", o->pack);
    set_text(source, "uri", o->source);
    json_object_set_new(job, "source", source);
    set_text(job, "id", o->id);
    set_text(job, "queue", o->queue);
    set_text(job, "priority", o->priority);
    set_text(job, "as_of", o->as_of);
    if (json_object_size(o->labels))
        json_object_set(job, "labels", o->labels);
    mu_json_write(out, job);
}

static int64_t answer_timeout(const struct cli *cli)
{
    return cli->timeout_ms ? cli->timeout_ms : 5000;
}

/* One job: its receipt. */
static enum cli_exit submit_one(struct cli *cli, struct mu_bus *bus, struct mu_span body, bool wait)
{
    struct mu_error err = {0};
    MU_AUTO(mu_json_free) json_t *answer = NULL;
    if (!cli_ask(bus, "submit", body, answer_timeout(cli), &answer, &err))
        return cli_fail(&err);
    if (cli->format == CLI_JSON)
        cli_print_json(answer);
    if (!cli_answer_ok(answer))
        return cli_refusal(answer);
    const char *id = mu_json_text(answer, "job_id");
    if (!id) { /* an array in one argument */
        if (cli->format != CLI_JSON)
            cli_print_json(answer);
        return mu_json_int(answer, "rejected", 0) ? CLI_PARTIAL : CLI_DONE;
    }
    if (cli->format != CLI_JSON)
        printf(cli->quiet ? "%s\n" : "job %s %s%s\n", id, cli->quiet ? "" : mu_json_text(answer, "state"),
               !cli->quiet && mu_json_bool(answer, "duplicate", false) ? " (known already)" : "");
    fflush(stdout);
    if (!wait)
        return CLI_DONE;
    MU_AUTO(mu_json_free) json_t *ids = json_pack("[s]", id);
    return cli_wait_jobs(cli, bus, ids, 0);
}

struct totals {
    int64_t accepted, duplicate, rejected, lines;
    json_t *job_ids; /* only collected for --wait */
    int64_t started_ms;
};

static void tell_rejects(const json_t *answer, int64_t lines_before)
{
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(answer, "errors"), i, entry)
    {
        const json_t *error = json_object_get(entry, "error");
        const char *pointer = mu_json_text(error, "pointer"), *message = mu_json_text(error, "message");
        fprintf(stderr, "line %lld: %s%s%s\n", (long long)(lines_before + mu_json_int(entry, "line", 0)),
                message ? message : "refused", pointer ? " at " : "", pointer ? pointer : "");
    }
}

static void show_rate(const struct cli *cli, const struct totals *t, bool end)
{
    char count[32];
    int64_t ms = mu_clock_ms() - t->started_ms;
    if (cli->progress)
        fprintf(stderr, "\r%s jobs, %lld/s %s", cli_thousands(t->lines, count), (long long)(t->lines * 1000 / (ms + 1)),
                end ? "\n" : "");
}

/* A part of the file; false when the file must not go on. */
static bool submit_batch(struct cli *cli, struct mu_bus *bus, struct mu_text *batch, int64_t lines, struct totals *t,
                         enum cli_exit *status)
{
    struct mu_error err = {0};
    MU_AUTO(mu_json_free) json_t *answer = NULL;
    if (!lines)
        return true;
    if (!cli_ask(bus, "submit", mu_text_span(batch), answer_timeout(cli), &answer, &err)) {
        fprintf(stderr, "muster: stopped at line %lld; lines before it are accepted\n", (long long)t->lines + 1);
        *status = cli_fail(&err);
        return false;
    }
    mu_text_reset(batch);
    if (lines == 1 && mu_json_text(answer, "job_id")) { /* a single line is answered like a single job */
        bool duplicate = mu_json_bool(answer, "duplicate", false);
        t->accepted += !duplicate;
        t->duplicate += duplicate;
        json_array_append(t->job_ids, json_object_get(answer, "job_id"));
    } else if (lines == 1) {
        t->rejected++;
        cli_refusal(answer);
    } else if (!json_object_get(answer, "accepted")) {
        *status = cli_refusal(answer);
        return false;
    } else {
        t->accepted += mu_json_int(answer, "accepted", 0);
        t->duplicate += mu_json_int(answer, "duplicate", 0);
        t->rejected += mu_json_int(answer, "rejected", 0);
        tell_rejects(answer, t->lines);
        json_array_extend(t->job_ids, json_object_get(answer, "job_ids"));
    }
    t->lines += lines;
    show_rate(cli, t, false);
    return true;
}

static enum cli_exit report(struct cli *cli, const struct totals *t)
{
    char a[32], d[32], r[32];
    show_rate(cli, t, true);
    MU_AUTO(mu_json_free) json_t *doc = json_pack("{s:b,s:I,s:I,s:I}", "ok", t->rejected == 0, "accepted",
                                                  (json_int_t)t->accepted, "duplicate", (json_int_t)t->duplicate,
                                                  "rejected", (json_int_t)t->rejected);
    if (cli->format == CLI_JSON)
        cli_print_json(doc);
    else
        printf("%s new, %s known already, %s rejected\n", cli_thousands(t->accepted, a), cli_thousands(t->duplicate, d),
               cli_thousands(t->rejected, r));
    if (!t->rejected)
        return CLI_DONE;
    return t->accepted + t->duplicate ? CLI_PARTIAL : CLI_REFUSED;
}

static enum cli_exit submit_file(struct cli *cli, struct mu_bus *bus, const char *path, bool wait)
{
    FILE *file = mu_span_is(mu_span_of(path), "-") ? stdin : fopen(path, "r");
    if (!file) {
        struct mu_error err = {0};
        mu_reject(&err, "not_found", "", "could not open %s: %s", path, strerror(errno));
        return cli_fail(&err);
    }
    MU_AUTO(mu_text_free) struct mu_text batch = MU_TEXT(BATCH_BYTES + LINE_BYTES_MAX);
    MU_AUTO(mu_json_free) json_t *ids = json_array();
    MU_AUTO(mu_free) char *line = NULL;
    struct totals t = {.started_ms = mu_clock_ms(), .job_ids = ids};
    enum cli_exit status = CLI_DONE;
    size_t size = 0;
    ssize_t len;
    int64_t lines = 0;
    bool going = true;
    while (going && (len = getline(&line, &size, file)) > 0) {
        if ((size_t)len > LINE_BYTES_MAX) {
            status = cli_usage("%s: line %lld is longer than 1 MiB", path, (long long)(t.lines + lines + 1));
            going = false;
        } else if (lines == BATCH_LINES || batch.len + (size_t)len > BATCH_BYTES) {
            going = submit_batch(cli, bus, &batch, lines, &t, &status);
            lines = 0;
        }
        if (going) {
            mu_text_add(&batch, mu_span(line, (size_t)len));
            lines++;
        }
    }
    if (going)
        going = submit_batch(cli, bus, &batch, lines, &t, &status);
    if (file != stdin)
        fclose(file);
    if (!going)
        return status;
    status = report(cli, &t);
    if (wait && json_array_size(ids)) {
        enum cli_exit waited = cli_wait_jobs(cli, bus, ids, 0);
        return status == CLI_DONE ? waited : status;
    }
    return status;
}

enum cli_exit cli_submit(struct cli *cli)
{
    MU_AUTO(mu_json_free) json_t *labels = json_object();
    struct order o = {.labels = labels};
    enum cli_exit status = CLI_USAGE;
    if (!parse_order(cli, &o))
        return CLI_USAGE;
    MU_AUTO(mu_bus_free) struct mu_bus *bus = cli_connect(cli, &status);
    if (!bus)
        return status;
    if (o.file)
        return submit_file(cli, bus, o.file, o.wait);
    MU_AUTO(mu_text_free) struct mu_text body = {0};
    if (o.body)
        mu_text_puts(&body, o.body);
    else
        write_job(&body, &o);
    return submit_one(cli, bus, mu_text_span(&body), o.wait);
}
