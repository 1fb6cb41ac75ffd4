/* SPDX-License-Identifier: Apache-2.0 */
/* `muster dev`: a private broker, database, dispatcher, recorder and agents, until Ctrl-C; then nothing is left. What
 * dies is started again, as systemd would. With --control it is driven by lines on standard input (`start NAME`,
 * `stop NAME`, `kill NAME`, `quit`) and tells what happens as JSON lines: so demo and tests use it. */
#include "cli.h"
#include "base/clock.h"
#include "daemon/daemon.h"
#include "sandbox.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define AGAIN_MS 200 /* before what died is started again */

struct dev {
    struct sandbox box;
    struct sandbox_options options;
    bool control, restart;
    char line[256]; /* of a command that has come in part */
    size_t line_len;
};

static int wake_fd = -1;

static void wake(void *ctx)
{
    uint64_t one = 1;
    (void)ctx;
    (void)!write(wake_fd, &one, sizeof(one));
}

static void on_child(int number)
{
    int saved = errno;
    (void)number;
    wake(NULL);
    errno = saved;
}

/* One JSON line in control mode; else, for people, a sentence on stderr if there is one. */
static void tell(const struct dev *d, const char *event, const struct child *c, const char *sentence)
{
    if (!d->control) {
        if (sentence)
            fprintf(stderr, "muster dev: %s%s%s\n", c ? c->name : "", c ? " " : "", sentence);
        return;
    }
    MU_AUTO(mu_json_free) json_t *doc = json_pack("{s:s}", "event", event);
    if (c) {
        json_object_set_new(doc, "name", json_string(c->name));
        json_object_set_new(doc, "pid", json_integer(c->pid));
    }
    if (sentence)
        json_object_set_new(doc, "text", json_string(sentence));
    cli_print_json(doc);
}

static void tell_ready(const struct dev *d)
{
    const struct sandbox *s = &d->box;
    if (d->control) {
        MU_AUTO(mu_json_free) json_t *pids = json_object();
        for (size_t i = 0; i < s->count; i++)
            json_object_set_new(pids, s->children[i].name, json_integer(s->children[i].pid));
        MU_AUTO(mu_json_free) json_t *doc =
            json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:O}", "event", "ready", "dir", s->dir, "nats_url", s->nats_url,
                      "conninfo", s->conninfo, "config", s->config, "programs", s->programs, "pids", pids);
        cli_print_json(doc);
        return;
    }
    printf("# in another shell:\n"
           "export NATS_URL=%s\n"
           "export MUSTER_NATS_URL=%s\n"
           "export MUSTER_POSTGRES_CONNINFO='%s'\n"
           "# then try:\n"
           "#   muster submit --wait '{\"pack\":\"identifiers@1\",\"records\":[{\"isin\":\"US0378331006\"}]}'\n"
           "#   muster agents\n"
           "#   psql '%s' -c 'select * from report.job_status'\n"
           "# files below %s/sources can be named as file:NAME; logs are in %s/log; Ctrl-C ends it\n",
           s->nats_url, s->nats_url, s->conninfo, s->conninfo, s->dir, s->dir);
    fflush(stdout);
}

static bool is(const char *word, const char *name)
{
    return mu_span_is(mu_span_of(word), name);
}

static void obey(struct dev *d, char *line)
{
    struct mu_error err = {0};
    char *space = strchr(line, ' ');
    if (space)
        *space = '\0';
    struct child *c = space ? sandbox_find(&d->box, space + 1) : NULL;
    if (is(line, "quit")) {
        mu_daemon_stop();
    } else if (!c) {
        tell(d, "error", NULL, "unknown command or process");
    } else if (is(line, "start")) {
        if (child_start(c, &err) && sandbox_await(&d->box, c, 30000, &err))
            tell(d, "started", c, NULL);
        else
            tell(d, "error", c, err.text);
    } else if (is(line, "stop")) {
        child_stop(c, 20000);
        tell(d, "stopped", c, NULL);
    } else if (is(line, "kill")) {
        child_signal(c, SIGKILL);
    } else if (is(line, "pause") || is(line, "continue")) {
        child_signal(c, is(line, "pause") ? SIGSTOP : SIGCONT);
        tell(d, line, c, NULL);
    } else {
        tell(d, "error", c, "want start, stop, kill, pause, continue NAME, or quit");
    }
}

/* False at the end of input: whoever drove us is gone. */
static bool read_commands(struct dev *d)
{
    ssize_t got = read(STDIN_FILENO, d->line + d->line_len, sizeof(d->line) - d->line_len - 1);
    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    d->line_len += (size_t)got;
    d->line[d->line_len] = '\0';
    char *at = d->line, *end;
    while ((end = strchr(at, '\n'))) {
        *end = '\0';
        obey(d, at);
        at = end + 1;
    }
    d->line_len = strlen(at);
    memmove(d->line, at, d->line_len + 1);
    return d->line_len < sizeof(d->line) - 1;
}

/* Starts again what died; how long until the next is due (-1: none). */
static int64_t look_after(struct dev *d)
{
    int64_t next = -1, now = mu_clock_ms();
    for (size_t i = 0; i < d->box.count; i++) {
        struct child *c = &d->box.children[i];
        struct mu_error err = {0};
        char how[80];
        if (child_reap(c, how)) {
            tell(d, "died", c, how);
            c->again_ms = now + AGAIN_MS;
        }
        if (child_heard_ready(c))
            tell(d, "ready_again", c, NULL);
        if (c->pid || !c->wanted || !d->restart)
            continue;
        int64_t left = c->again_ms - now;
        if (left > 0) {
            next = next < 0 || left < next ? left : next;
            continue;
        }
        if (child_start(c, &err))
            tell(d, "restarted", c, "is started again");
        else
            tell(d, "error", c, err.text);
    }
    return next;
}

static void serve(struct dev *d)
{
    while (!mu_daemon_should_stop()) {
        int64_t next = look_after(d);
        struct pollfd p[2 + SANDBOX_CHILDREN_MAX] = {{.fd = wake_fd, .events = POLLIN},
                                                     {.fd = d->control ? STDIN_FILENO : -1, .events = POLLIN}};
        for (size_t i = 0; i < d->box.count; i++)
            p[2 + i] = (struct pollfd){.fd = d->box.children[i].notify_fd, .events = POLLIN};
        poll(p, 2 + d->box.count, (int)next);
        uint64_t count;
        if (p[0].revents)
            (void)!read(wake_fd, &count, sizeof(count));
        if (p[1].revents && !read_commands(d))
            mu_daemon_stop();
    }
}

static bool parse(struct cli *cli, struct dev *d, const char **sets)
{
    struct sandbox_options *o = &d->options;
    o->workers = 2;
    o->sets = sets;
    d->restart = true;
    for (int i = 0; i < cli->argc; i++) {
        const char *word = cli->argv[i], *value = i + 1 < cli->argc ? cli->argv[i + 1] : NULL;
        int64_t number;
        if (is(word, "--bare"))
            o->bare = true;
        else if (is(word, "--keep"))
            o->keep = true;
        else if (is(word, "--control"))
            d->control = true;
        else if (is(word, "--no-restart"))
            d->restart = false;
        else if (is(word, "--workers") && value && mu_parse_i64(mu_span_of(value), 0, 64, &number))
            o->workers = (int)number, i++;
        else if (is(word, "--dir") && value)
            o->dir = value, i++;
        else if (is(word, "--nats") && value)
            o->nats_server = value, i++;
        else if (is(word, "--with") && value && o->set_count < 8)
            sets[o->set_count++] = value, i++;
        else
            return cli_usage("dev takes --workers 0..64, --dir DIR, --nats PROGRAM, --with KEY=VALUE (8 at most), "
                             "--keep, --bare, --no-restart, --control; not \"%s\"", word), false;
    }
    return true;
}

enum cli_exit cli_dev(struct cli *cli)
{
    static struct dev d;
    const char *sets[8];
    struct mu_error err = {0};
    if (!parse(cli, &d, sets))
        return CLI_USAGE;
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct sigaction child = {.sa_handler = on_child, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
    if (wake_fd < 0 || sigaction(SIGCHLD, &child, NULL) != 0 || !mu_daemon_init(&err))
        return cli_fail(&err);
    mu_daemon_on_signal(wake, NULL);
    bool opened = sandbox_open(&d.box, &d.options, &err);
    if (opened) {
        tell_ready(&d);
        serve(&d);
    } else {
        d.box.keep = true; /* its logs say why */
        tell(&d, "failed", NULL, err.text);
    }
    sandbox_fini(&d.box);
    close(wake_fd);
    return opened ? CLI_DONE : cli_fail(&err);
}
