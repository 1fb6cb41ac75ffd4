/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/text.h"
#include "outside/migrate.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Below the range of ephemeral ports: a connect to an unused one there can meet itself. */
#define PORT_LOW 20000
#define PORT_HIGH 32000
#define START_MS 30000

static bool make_dir(const char *path, mode_t mode, struct mu_error *err)
{
    if ((mkdir(path, mode) != 0 && errno != EEXIST) || chmod(path, mode) != 0)
        return mu_fail(err, MU_BROKEN, "could not make the directory %s: %s", path, strerror(errno));
    return true;
}

static bool make_dirs(struct sandbox *s, const char *wanted, struct mu_error *err)
{
    static const struct { const char *name; mode_t mode; } folders[] = {
        {"log", 0755}, {"run", 0755}, {"nats", 0700}, {"pg", 0700}, {"sources", 0755}};
    const char *tmp = getenv("TMPDIR");
    int len = wanted ? snprintf(s->dir, sizeof(s->dir), "%s", wanted)
                     : snprintf(s->dir, sizeof(s->dir), "%s/muster-XXXXXX", tmp && tmp[0] ? tmp : "/tmp");
    /* a socket's path has at most 107 bytes, and PostgreSQL's own name in it takes 24 */
    if (len < 0 || (size_t)len >= sizeof(s->dir))
        return mu_fail(err, MU_REJECTED, "the directory %s is too long a path for sockets in it", wanted ? wanted : tmp);
    if (wanted ? !make_dir(s->dir, 0755, err) : !mkdtemp(s->dir))
        return mu_fail(err, MU_BROKEN, "could not make a directory %s: %s", s->dir, strerror(errno));
    s->made_dir = !wanted;
    if (chmod(s->dir, 0755) != 0) /* PostgreSQL's user must get through to its own */
        return mu_fail(err, MU_BROKEN, "could not open up %s: %s", s->dir, strerror(errno));
    for (size_t i = 0; i < MU_COUNT(folders); i++) {
        char path[120];
        snprintf(path, sizeof(path), "%s/%s", s->dir, folders[i].name);
        if (!make_dir(path, folders[i].mode, err))
            return false;
    }
    return true;
}

static bool write_file(const char *path, const struct mu_text *text, struct mu_error *err)
{
    if (!mu_text_ok(text, err))
        return false;
    FILE *file = fopen(path, "w");
    bool done = file && fwrite(text->at, 1, text->len, file) == text->len;
    if (file && fclose(file) != 0)
        done = false;
    return done || mu_fail(err, MU_BROKEN, "could not write %s: %s", path, strerror(errno));
}

static bool port_is_free(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    bool is_free = fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0;
    if (fd >= 0)
        close(fd);
    return is_free;
}

static int choose_port(void)
{
    for (int tries = 0; tries < 1000; tries++) {
        int port = PORT_LOW + (int)mu_random_below(PORT_HIGH - PORT_LOW);
        if (port_is_free(port))
            return port;
    }
    return 0;
}

/* The first of the candidates that can be run; PATH is searched for names without a slash. */
static bool find_program(const char *const *candidates, char *out, size_t size)
{
    for (size_t i = 0; candidates[i]; i++) {
        if (strchr(candidates[i], '/')) {
            if (access(candidates[i], X_OK) == 0)
                return mu_copy_text(out, size, mu_span_of(candidates[i]));
            continue;
        }
        const char *path = getenv("PATH");
        while (path && *path) {
            size_t len = strcspn(path, ":");
            snprintf(out, size, "%.*s/%s", (int)len, path, candidates[i]);
            if (access(out, X_OK) == 0)
                return true;
            path += len + (path[len] == ':');
        }
    }
    return false;
}

static struct child *add_child(struct sandbox *s, const char *name, const char *const *argv, struct mu_error *err)
{
    if (s->count == SANDBOX_CHILDREN_MAX) {
        mu_fail(err, MU_REJECTED, "more than %d processes in one sandbox", SANDBOX_CHILDREN_MAX);
        return NULL;
    }
    struct child *c = &s->children[s->count];
    if (!child_init(c, name, s->dir, argv, err))
        return NULL;
    s->count++;
    return c;
}

static bool start_broker(struct sandbox *s, const char *wanted, struct mu_error *err)
{
    const char *const candidates[] = {wanted ? wanted : "nats-server", wanted ? wanted : "/usr/sbin/nats-server", NULL};
    char program[300], path[120];
    if (!find_program(candidates, program, sizeof(program)))
        return mu_fail(err, MU_REJECTED, "nats-server is not installed; `./run setup` installs it on Debian");
    int port = choose_port();
    if (!port)
        return mu_fail(err, MU_BROKEN, "no free port on loopback");
    snprintf(s->nats_url, sizeof(s->nats_url), "nats://127.0.0.1:%d", port);
    MU_AUTO(mu_text_free) struct mu_text conf = {0};
    mu_text_addf(&conf,
                 "server_name: sandbox\nlisten: 127.0.0.1:%d\nmax_payload: 1MB\nping_interval: \"20s\"\nping_max: 2\n"
                 "write_deadline: \"10s\"\njetstream { store_dir: \"%s/nats\", max_file_store: 16GB, "
                 "max_memory_store: 64MB }\n",
                 port, s->dir);
    snprintf(path, sizeof(path), "%s/nats.conf", s->dir);
    if (!write_file(path, &conf, err))
        return false;
    const char *const argv[] = {program, "-c", path, NULL};
    struct child *c = add_child(s, "nats", argv, err);
    return c && child_start(c, err);
}

/* PostgreSQL refuses to run as root: then it gets the user of Debian's package, or nobody. */
static bool choose_user(uid_t *uid, gid_t *gid, struct mu_error *err)
{
    *uid = 0;
    *gid = 0;
    if (geteuid() != 0)
        return true;
    const struct passwd *user = getpwnam("postgres");
    if (!user)
        user = getpwnam("nobody");
    if (!user)
        return mu_fail(err, MU_BROKEN, "no unprivileged user to run PostgreSQL as");
    *uid = user->pw_uid;
    *gid = user->pw_gid;
    return true;
}

static bool find_postgres(char *out, size_t size)
{
    char paths[8][64];
    const char *candidates[9];
    size_t count = 0;
    for (int version = 19; version >= 15; version--) {
        snprintf(paths[count], sizeof(paths[count]), "/usr/lib/postgresql/%d/bin/postgres", version);
        candidates[count] = paths[count];
        count++;
    }
    candidates[count++] = "postgres";
    candidates[count] = NULL;
    if (!find_program(candidates, out, size))
        return false;
    char real[400];
    if (!realpath(out, real) || !mu_copy_text(out, size, mu_span_of(real)))
        return false;
    *strrchr(out, '/') = '\0';
    return true;
}

static bool start_database(struct sandbox *s, struct mu_error *err)
{
    char bin[300], program[340], pg[120], data[140], sockets[160];
    uid_t uid;
    gid_t gid;
    if (!choose_user(&uid, &gid, err))
        return false;
    if (!find_postgres(bin, sizeof(bin)))
        return mu_fail(err, MU_REJECTED, "PostgreSQL 15 or newer is not installed; `./run setup` installs it on Debian");
    snprintf(pg, sizeof(pg), "%s/pg", s->dir);
    snprintf(data, sizeof(data), "%s/data", pg);
    if (uid && chown(pg, uid, gid) != 0)
        return mu_fail(err, MU_BROKEN, "could not give %s away: %s", pg, strerror(errno));
    snprintf(program, sizeof(program), "%s/initdb", bin);
    const char *const initdb[] = {program, "-D", data, "-U", "muster", "-A", "trust", "-E", "UTF8",
                                  "--locale=C.UTF-8", "--no-sync", "--no-instructions", NULL};
    if (access(data, F_OK) != 0 && !child_run("initdb", s->dir, initdb, uid, gid, err))
        return false;
    snprintf(program, sizeof(program), "%s/postgres", bin);
    snprintf(sockets, sizeof(sockets), "unix_socket_directories=%s", pg);
    const char *const argv[] = {program, "-D", data, "-c", "listen_addresses=", "-c", sockets, "-c",
                                "max_connections=50", "-c", "max_wal_size=4GB", "-c", "shared_buffers=256MB", NULL};
    struct child *c = add_child(s, "postgres", argv, err);
    if (!c)
        return false;
    c->uid = uid;
    c->gid = gid;
    c->stop_signal = SIGINT; /* fast shutdown: sessions are ended */
    snprintf(s->conninfo, sizeof(s->conninfo), "host=%s user=muster dbname=postgres", pg);
    return child_start(c, err);
}

/* In a build tree packs, lists and migrations lie beside the programs; else where the package put them. */
static bool tree_path(const struct sandbox *s, const char *in_tree, const char *installed, char *out, size_t size)
{
    snprintf(out, size, "%s/../%s", s->programs, in_tree);
    if (access(out, F_OK) == 0)
        return true;
    snprintf(out, size, "%s/%s", MUSTER_DATADIR, installed);
    return access(out, F_OK) == 0;
}

static bool write_config(struct sandbox *s, struct mu_error *err)
{
    char examples[500], packs[500], lists[500], migrations[500];
    if (!tree_path(s, "sql/examples", "examples", examples, sizeof(examples)) ||
        !tree_path(s, "workers/packs", "packs", packs, sizeof(packs)) ||
        !tree_path(s, "workers/lists", "lists", lists, sizeof(lists)) ||
        !tree_path(s, "sql/migrations", "migrations", migrations, sizeof(migrations)))
        return mu_fail(err, MU_BROKEN, "examples, packs, lists and migrations are not installed in %s", MUSTER_DATADIR);
    MU_AUTO(mu_text_free) struct mu_text conf = {0};
    mu_text_addf(&conf, "# written by `muster dev`\nnats: { url = \"%s\"; };\npostgres: { conninfo = \"%s\"; };\n",
                 s->nats_url, s->conninfo);
    mu_text_addf(&conf, "data: { examples = \"%s\"; packs = \"%s\"; lists = [ \"%s/sources/lists\", \"%s\" ]; migrations = \"%s\"; };\n",
                 examples, packs, s->dir, lists, migrations);
    mu_text_addf(&conf, "dispatcher: { provision = true; };\nworker: { roots = [ \"%s/sources\" ]; };\n", s->dir);
    snprintf(s->config, sizeof(s->config), "%s/muster.conf", s->dir);
    return write_file(s->config, &conf, err);
}

/* The address of a broker answers once it listens. */
static bool broker_answers(const struct sandbox *s)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    int64_t port;
    const char *colon = strrchr(s->nats_url, ':');
    if (!mu_parse_i64(mu_span_of(colon + 1), 1, 65535, &port))
        return false;
    at.sin_port = htons((uint16_t)port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answers = fd >= 0 && connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0;
    if (fd >= 0)
        close(fd);
    return answers;
}

bool sandbox_await(struct sandbox *s, struct child *c, int64_t wait_ms, struct mu_error *err)
{
    int64_t until = mu_clock_ms() + wait_ms;
    char how[80];
    while (!c->ready) {
        if (child_reap(c, how))
            return mu_fail(err, MU_BROKEN, "%s %s while starting; its log is %s", c->name, how, c->log_path);
        if (mu_clock_ms() > until)
            return mu_fail(err, MU_UNAVAILABLE, "%s is not ready after %lld ms; its log is %s", c->name,
                           (long long)wait_ms, c->log_path);
        /* neither nats-server nor an old PostgreSQL tells a notify socket: ask them again after a moment */
        bool is_broker = mu_span_is(mu_span_of(c->name), "nats");
        bool is_database = mu_span_is(mu_span_of(c->name), "postgres");
        if (is_broker || is_database) {
            c->ready = is_broker ? broker_answers(s) : mu_migrate_reachable(s->conninfo);
            if (c->ready)
                return true;
        }
        struct pollfd p = {.fd = c->notify_fd, .events = POLLIN};
        poll(&p, 1, is_broker || is_database ? 20 : 200);
        child_heard_ready(c);
    }
    return true;
}

static bool start_program(struct sandbox *s, const char *name, const char *binary, const struct sandbox_options *o,
                          const char *agent, struct mu_error *err)
{
    char program[500], agent_set[80];
    const char *argv[CHILD_ARGS_MAX];
    size_t n = 0;
    snprintf(program, sizeof(program), "%s/%s", s->programs, binary);
    if (access(program, X_OK) != 0) { /* in a build tree each program has its folder */
        const char *folder = binary + strlen("muster-");
        snprintf(program, sizeof(program), "%s/../%s%s/%s", s->programs, folder,
                 mu_span_is(mu_span_of(folder), "worker") ? "s" : "", binary);
    }
    argv[n++] = program;
    argv[n++] = "--config";
    argv[n++] = s->config;
    if (agent) {
        snprintf(agent_set, sizeof(agent_set), "agent.id=%s", agent);
        argv[n++] = "--set";
        argv[n++] = agent_set;
    }
    for (size_t i = 0; i < o->set_count; i++) {
        if (n + 3 > CHILD_ARGS_MAX)
            return mu_fail(err, MU_REJECTED, "too many settings for one process");
        argv[n++] = "--set";
        argv[n++] = o->sets[i];
    }
    argv[n] = NULL;
    struct child *c = add_child(s, name, argv, err);
    return c && child_start(c, err);
}

static bool start_programs(struct sandbox *s, const struct sandbox_options *o, struct mu_error *err)
{
    if (!start_program(s, "dispatcher", "muster-dispatcher", o, NULL, err) ||
        !sandbox_await(s, sandbox_find(s, "dispatcher"), START_MS, err)) /* it makes the streams */
        return false;
    if (!start_program(s, "recorder", "muster-recorder", o, NULL, err))
        return false;
    for (int i = 1; i <= o->workers; i++) {
        char name[32];
        snprintf(name, sizeof(name), "worker-%d", i);
        if (!start_program(s, name, "muster-worker", o, name, err))
            return false;
    }
    for (size_t i = 0; i < s->count; i++)
        if (!sandbox_await(s, &s->children[i], START_MS, err))
            return false;
    return true;
}

static bool find_own_folder(struct sandbox *s, struct mu_error *err)
{
    ssize_t len = readlink("/proc/self/exe", s->programs, sizeof(s->programs) - 1);
    if (len <= 0)
        return mu_fail(err, MU_BROKEN, "could not find out where muster lies: %s", strerror(errno));
    s->programs[len] = '\0';
    *strrchr(s->programs, '/') = '\0';
    return true;
}

bool sandbox_open(struct sandbox *s, const struct sandbox_options *o, struct mu_error *err)
{
    char migrations[500];
    memset(s, 0, sizeof(*s));
    s->keep = o->keep;
    if (!find_own_folder(s, err) || !make_dirs(s, o->dir, err) || !start_broker(s, o->nats_server, err) ||
        !start_database(s, err) || !write_config(s, err))
        return false;
    if (!tree_path(s, "sql/migrations", "migrations", migrations, sizeof(migrations)))
        return mu_fail(err, MU_BROKEN, "the migrations are not installed in %s", MUSTER_DATADIR);
    if (!sandbox_await(s, sandbox_find(s, "nats"), START_MS, err) ||
        !sandbox_await(s, sandbox_find(s, "postgres"), START_MS, err) ||
        !mu_migrate(s->conninfo, migrations, NULL, err))
        return false;
    return o->bare || start_programs(s, o, err);
}

struct child *sandbox_find(struct sandbox *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (mu_span_is(mu_span_of(name), s->children[i].name))
            return &s->children[i];
    return NULL;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    return remove(path);
}

void sandbox_fini(struct sandbox *s)
{
    for (size_t i = s->count; i-- > 0;)
        if (s->children[i].pid && i > 1) { /* the programs first, all at once: broker and database are the first two */
            s->children[i].wanted = false;
            child_signal(&s->children[i], SIGTERM);
        }
    for (size_t i = s->count; i-- > 0;) {
        child_stop(&s->children[i], 10000);
        child_fini(&s->children[i]);
    }
    if (s->dir[0] && s->made_dir && !s->keep)
        nftw(s->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
