/* SPDX-License-Identifier: Apache-2.0 */
/* `muster permissions`: the authorization block of nats-server, made from the table of rights. It makes up no secret:
 * passwords are variables that the server takes from its environment, or there are public keys. */
#include "cli.h"
#include "domain/names_rights.h"

#include <ctype.h>

#define AGENTS_MAX 256
#define LOGINS_MAX (AGENTS_MAX + MU_ROLES)

/* How a role, or an agent's worker, logs in, as asked. */
struct login {
    const char *who;    /* "recorder", "worker_a1"; up to the '=' */
    const char *value;  /* user or public key */
    bool is_key;
};

struct request {
    struct cli *cli;
    struct mu_rights rights;
    char *queues[MU_QUEUES_MAX], *buckets[MU_QUEUES_MAX];
    const char *agents[AGENTS_MAX];
    size_t agent_count;
    struct login logins[LOGINS_MAX];
    size_t login_count;
    bool wanted[MU_ROLES], any_wanted;
};

static enum cli_exit help(void)
{
    puts("usage: muster permissions [OPTION…]\n"
         "\n"
         "Prints the authorization block of a nats-server configuration: a login for each role, that may do what its programs\n"
         "need and nothing else. Include it in the broker's configuration (of the hub, for leaf nodes).\n"
         "\n"
         "  --role ROLE         only this one (may be repeated); the roles are:");
    for (int i = 0; i < MU_ROLES; i++)
        printf("                        %-12s %s\n", mu_role_name((enum mu_role)i), mu_role_sentence((enum mu_role)i));
    puts("  --agent ID          a login for this agent (may be repeated; default: agent-1)\n"
         "  --queue QUEUE       queues that the agents serve (may be repeated; default: queues.names)\n"
         "  --bucket BUCKET     of the object store, that the agents read sources from (may be repeated; default: source.buckets)\n"
         "  --domain DOMAIN     of JetStream, for programs behind leaf nodes (default: nats.jetstream_domain)\n"
         "  --user LOGIN=NAME   another user name for a login: recorder=rec1, worker_agent-1=vm7\n"
         "  --nkey LOGIN=KEY    the public key of an nkey, instead of user and password\n"
         "\n"
         "A login is a role, or worker_<agent>. A user's password is a variable, $MUSTER_PASSWORD_<LOGIN>, which nats-server\n"
         "takes from its environment. With dispatcher.provision = false the dispatcher makes no streams, and may not: `muster\n"
         "setup` does, as provisioner. Inboxes lie below _INBOX_<login>; a program whose login has other rights says so with\n"
         "nats.inbox, the nats command line with --inbox-prefix. -o json prints the same for programs.");
    return CLI_DONE;
}

static bool add_login(struct request *r, char *text, bool is_key)
{
    char *equals = strchr(text, '=');
    if (!equals || !equals[1] || r->login_count == LOGINS_MAX)
        return cli_usage("%s wants LOGIN=%s, not \"%s\"", is_key ? "--nkey" : "--user", is_key ? "PUBLICKEY" : "NAME", text), false;
    struct mu_span value = mu_span_of(equals + 1);
    if (!mu_token_valid(value) || (is_key && (value.at[0] != 'U' || value.len != 56)))
        return cli_usage(is_key ? "\"%s\" is no public key of a user: 56 characters from U on" : "\"%s\" is no user name of letters, digits, _ and -",
                         equals + 1), false;
    *equals = '\0';
    r->logins[r->login_count++] = (struct login){text, equals + 1, is_key};
    return true;
}

static bool take_token(const char *option, const char *value)
{
    if (mu_token_valid(mu_span_of(value)))
        return true;
    cli_usage("%s wants a name of letters, digits, _ and -; not \"%s\"", option, value);
    return false;
}

static bool take(struct request *r, const char *option, char *value)
{
    struct mu_span word = mu_span_of(option);
    enum mu_role role;
    if (mu_span_is(word, "--user") || mu_span_is(word, "--nkey"))
        return add_login(r, value, mu_span_is(word, "--nkey"));
    if (!take_token(option, value))
        return false;
    if (mu_span_is(word, "--domain")) {
        r->rights.domain = value;
    } else if (mu_span_is(word, "--queue") && r->rights.queue_count < MU_QUEUES_MAX) {
        r->queues[r->rights.queue_count++] = value;
    } else if (mu_span_is(word, "--bucket") && r->rights.bucket_count < MU_QUEUES_MAX) {
        r->buckets[r->rights.bucket_count++] = value;
    } else if (mu_span_is(word, "--agent") && r->agent_count < AGENTS_MAX) {
        r->agents[r->agent_count++] = value;
    } else if (mu_span_is(word, "--role") && mu_role_parse(mu_span_of(value), &role)) {
        r->wanted[role] = r->any_wanted = true;
    } else {
        cli_usage("permissions cannot take %s %s; see muster permissions --help", option, value);
        return false;
    }
    return true;
}

static bool parse(struct cli *cli, struct request *r)
{
    struct mu_config *c = &cli->config;
    r->cli = cli;
    r->rights = (struct mu_rights){.domain = c->nats_jetstream_domain ? c->nats_jetstream_domain : "", .provision = c->dispatcher_provision};
    for (int i = 0; i < cli->argc; i += 2) {
        if (i + 1 == cli->argc)
            return cli_usage("permissions cannot take \"%s\" alone; see muster permissions --help", cli->argv[i]), false;
        if (!take(r, cli->argv[i], cli->argv[i + 1]))
            return false;
    }
    for (size_t i = 0; !r->rights.queue_count && i < c->queues.count; i++)
        r->queues[i] = c->queues.at[i];
    if (!r->rights.queue_count)
        r->rights.queue_count = c->queues.count;
    for (size_t i = 0; !r->rights.bucket_count && i < c->source_buckets.count; i++) {
        if (!take_token("source.buckets", c->source_buckets.at[i]))
            return false;
        r->buckets[i] = c->source_buckets.at[i];
    }
    if (!r->rights.bucket_count)
        r->rights.bucket_count = c->source_buckets.count;
    r->rights.buckets = r->buckets;
    if (!r->agent_count)
        r->agents[r->agent_count++] = "agent-1";
    r->rights.queues = r->queues;
    return true;
}

struct lists {
    json_t *publish, *subscribe;
};

static void add_subject(void *ctx, bool publish, const char *subject)
{
    struct lists *l = ctx;
    json_array_append_new(publish ? l->publish : l->subscribe, json_string(subject));
}

static void print_list(const char *heading, const json_t *subjects)
{
    printf("            %s: { allow: [\n", heading);
    for (size_t i = 0; i < json_array_size(subjects); i++)
        printf("                \"%s\"\n", json_string_value(json_array_get(subjects, i)));
    puts("            ] }");
}

static const struct login *find_login(const struct request *r, const char *who)
{
    for (size_t i = 0; i < r->login_count; i++)
        if (mu_span_is(mu_span_of(who), r->logins[i].who))
            return &r->logins[i];
    return NULL;
}

static void print_login(const struct request *r, enum mu_role role, const char *who, const struct lists *l)
{
    const struct login *login = find_login(r, who);
    printf("        # %s\n        { ", mu_role_sentence(role));
    if (login && login->is_key) {
        printf("nkey: %s", login->value);
    } else {
        printf("user: \"%s\", password: $MUSTER_PASSWORD_", login ? login->value : who);
        for (const char *at = who; *at; at++)
            putchar(*at == '-' ? '_' : toupper((unsigned char)*at));
    }
    puts(", permissions: {");
    print_list("publish", l->publish);
    print_list("subscribe", l->subscribe);
    if (mu_role_answers(role))
        puts("            allow_responses: { max: 1, expires: \"1m\" }");
    puts("        } }");
}

static void print_role(struct request *r, enum mu_role role, const char *agent)
{
    char who[MU_TOKEN_MAX + 16];
    MU_AUTO(mu_json_free) json_t *publish = json_array();
    MU_AUTO(mu_json_free) json_t *subscribe = json_array();
    struct lists l = {publish, subscribe};
    r->rights.agent = agent;
    snprintf(who, sizeof(who), "%s%s%s", mu_role_name(role), agent[0] ? "_" : "", agent);
    mu_rights_list(role, &r->rights, add_subject, &l);
    if (r->cli->format == CLI_JSON) {
        MU_AUTO(mu_json_free) json_t *doc = json_pack("{s:s,s:s,s:O,s:O,s:b}", "role", mu_role_name(role), "login", who, "publish",
                                                      publish, "subscribe", subscribe, "answers", mu_role_answers(role));
        cli_print_json(doc);
    } else {
        print_login(r, role, who, &l);
    }
}

enum cli_exit cli_permissions(struct cli *cli)
{
    static struct request r;
    if (cli->argc == 1 && mu_span_is(mu_span_of(cli->argv[0]), "--help"))
        return help();
    if (!parse(cli, &r))
        return CLI_USAGE;
    if (cli->format == CLI_TABLE)
        puts("# Made by `muster permissions`: what each role's programs need, and nothing else. Passwords come from the environment\n"
             "# of nats-server.\n"
             "authorization {\n    users = [");
    for (int role = 0; role < MU_ROLES; role++) {
        if (r.any_wanted && !r.wanted[role])
            continue;
        for (size_t i = 0; i < (role == MU_ROLE_WORKER ? r.agent_count : 1); i++)
            print_role(&r, (enum mu_role)role, role == MU_ROLE_WORKER ? r.agents[i] : "");
    }
    if (cli->format == CLI_TABLE)
        puts("    ]\n}");
    return CLI_DONE;
}
