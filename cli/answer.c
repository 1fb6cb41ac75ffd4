/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <stdarg.h>
#include <unistd.h>

enum cli_exit cli_usage(const char *fmt, ...)
{
    va_list args;
    fputs("muster: ", stderr);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    return CLI_USAGE;
}

/* By the code of an answer, or of a failure of our own. */
static enum cli_exit status_of(struct mu_span code, enum cli_exit otherwise)
{
    static const struct { const char *code; enum cli_exit status; } codes[] = {
        {"not_found", CLI_NOT_FOUND}, {"unavailable", CLI_UNREACHABLE}, {"timeout", CLI_TIMEOUT},
        {"permission", CLI_PERMISSION}, {"internal", CLI_FAILED},
    };
    for (size_t i = 0; i < MU_COUNT(codes); i++)
        if (mu_span_is(code, codes[i].code))
            return codes[i].status;
    return otherwise;
}

static enum cli_exit status_of_fault(const struct mu_error *err)
{
    switch (err->fault) {
    case MU_REJECTED:
        return status_of(mu_span_of(err->code), CLI_REFUSED);
    case MU_UNAVAILABLE:
        return status_of(mu_span_of(err->code), CLI_UNREACHABLE);
    case MU_BROKEN:
        return status_of(mu_span_of(err->code), CLI_FAILED);
    case MU_OK:
    case MU_LOST:
        return CLI_FAILED;
    }
    return CLI_FAILED;
}

enum cli_exit cli_fail(const struct mu_error *err)
{
    fprintf(stderr, "muster: %s%s%s%s%s\n", err->text, err->pointer[0] ? " at " : "", err->pointer,
            err->hint[0] ? "; " : "", err->hint);
    return status_of_fault(err);
}

struct mu_bus *cli_connect(struct cli *cli, enum cli_exit *status)
{
    const struct mu_config *c = &cli->config;
    char name[120], host[64] = "localhost";
    struct mu_error err = {0};
    struct mu_bus *bus = NULL;
    gethostname(host, sizeof(host) - 1);
    snprintf(name, sizeof(name), "muster/%s %s:%ld", MUSTER_VERSION, host, (long)getpid());
    const struct mu_bus_options options = {
        .url = c->nats_url, .role = cli->role, .name = name, .user = c->nats_user, .password = c->nats_password,
        .token = c->nats_token, .creds_file = c->nats_creds, .nkey_file = c->nats_nkey,
        .inbox = c->nats_inbox, .domain = c->nats_jetstream_domain, .connect_timeout_ms = c->nats_connect_timeout_ms,
    };
    if (!mu_bus_open(&bus, &options, &err)) {
        if (mu_span_is(mu_span_of(err.code), "permission"))
            mu_hint(&err, "nats.user, nats.password, nats.creds or nats.nkey is not right for it");
        mu_hint(&err, "is nats-server running there? `muster dev` starts a private one");
        *status = cli_fail(&err);
        return NULL;
    }
    return bus;
}

bool cli_ask(struct mu_bus *bus, const char *verb, struct mu_span body, int64_t timeout_ms, json_t **answer,
             struct mu_error *err)
{
    char subject[MU_SUBJECT_MAX];
    MU_AUTO(mu_message_free) struct mu_message *reply = NULL;
    snprintf(subject, sizeof(subject), "%s%s", MU_SUBJECT_API, verb);
    if (!mu_bus_request(bus, subject, body, NULL, 0, timeout_ms, &reply, err)) {
        mu_while(err, "asking %s", subject);
        return mu_hint(err, "is a muster-dispatcher running? `nats service ls` shows it");
    }
    if (!mu_json_parse(answer, reply->body, (size_t)64 << 20, err))
        return mu_while(err, "reading the answer of %s", subject);
    return true;
}

bool cli_answer_ok(const json_t *answer)
{
    return mu_json_bool(answer, "ok", false);
}

enum cli_exit cli_refusal(const json_t *answer)
{
    const json_t *error = json_object_get(answer, "error");
    const char *pointer = mu_json_text(error, "pointer"), *hint = mu_json_text(error, "hint");
    const char *message = mu_json_text(error, "message"), *code = mu_json_text(error, "code");
    fprintf(stderr, "muster: refused (%s): %s%s%s%s%s\n", code ? code : "?", message ? message : "no message",
            pointer ? " at " : "", pointer ? pointer : "", hint ? "; " : "", hint ? hint : "");
    return status_of(mu_span_of(code ? code : ""), CLI_REFUSED);
}

void cli_print_json(const json_t *doc)
{
    MU_AUTO(mu_text_free) struct mu_text line = {0};
    mu_json_write(&line, doc);
    mu_text_putc(&line, '\n');
    fwrite(line.at, 1, line.len, stdout);
    fflush(stdout);
}
