/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting and waiting, neither for ever: a server that is stopped, or whose disk hangs, keeps its sockets open and
 * answers nothing, and its own time-outs are as still as itself. So libpq never blocks here: what is sent and what is
 * awaited goes through poll, under a limit, and the program is heard meanwhile. (Only the look-up of a host's name
 * blocks inside libpq: hostaddr in the conninfo avoids it.) */
#include "outside/store_inside.h"
#include "base/clock.h"

#include <poll.h>
#include <sys/socket.h>

#define TICK_MS 50
#define CONNECT_LIMIT_MS 5000

/* The wire is cut first: what is unsent would otherwise be waited for. */
void store_give_up(struct mu_store *s)
{
    if (s->conn && PQsocket(s->conn) >= 0)
        (void)!shutdown(PQsocket(s->conn), SHUT_RDWR);
    PQfinish(s->conn);
    s->conn = NULL;
    s->in_transaction = false;
}

struct wait {
    int64_t began_ms, limit_ms; /* 0: no limit */
};

/* Until the socket is ready, or a moment has passed. False: waiting has come to its end, *err says why. */
static bool pause_for(struct mu_store *s, const struct wait *w, short events, const char *what, struct mu_error *err)
{
    struct pollfd p = {.fd = PQsocket(s->conn), .events = events};
    int64_t waited = mu_clock_ms() - w->began_ms;
    if (w->limit_ms && waited >= w->limit_ms)
        return mu_fail_code(err, MU_UNAVAILABLE, "silent", "%s: the server has not answered for %lld ms, the session is given up",
                            what, (long long)waited);
    if (waited >= TICK_MS && s->waiting && !s->waiting(s->waiting_ctx, waited))
        return mu_fail_code(err, MU_UNAVAILABLE, "silent", "%s: no answer after %lld ms, the session is given up", what,
                            (long long)waited);
    (void)poll(&p, 1, TICK_MS);
    return true;
}

bool store_send(struct mu_store *s, const char *what, struct mu_error *err)
{
    int left;
    s->started_ms = mu_clock_ms();
    const struct wait w = {s->started_ms, s->limit_ms};
    while ((left = PQflush(s->conn)) == 1) {
        if (!pause_for(s, &w, POLLIN | POLLOUT, what, err)) {
            store_give_up(s);
            return false;
        }
        (void)PQconsumeInput(s->conn); /* the server may wait for us to read */
    }
    return left == 0 || store_fault(err, s, NULL, what);
}

bool store_await_one(struct mu_store *s, const char *what, PGresult **out, struct mu_error *err)
{
    const struct wait w = {s->started_ms, s->limit_ms};
    while (PQisBusy(s->conn)) {
        if (!pause_for(s, &w, POLLIN, what, err)) {
            store_give_up(s);
            return false;
        }
        if (!PQconsumeInput(s->conn))
            break; /* lost: the result below tells */
    }
    *out = PQgetResult(s->conn);
    return true;
}

bool store_await(struct mu_store *s, const char *what, PGresult **out, struct mu_error *err)
{
    PGresult *last = NULL, *r;
    for (;;) {
        if (!store_await_one(s, what, &r, err)) {
            PQclear(last);
            return false;
        }
        if (!r)
            break;
        PQclear(last); /* the last one is what counts */
        last = r;
    }
    *out = last;
    return true;
}

/* "a,b,c" from the k-th on. */
static void rotate(const char *list, int k, char *out, size_t size)
{
    const char *at = list;
    for (int i = 0; i < k && at; i++)
        if ((at = strchr(at, ',')))
            at++;
    if (!at || at == list)
        snprintf(out, size, "%s", list);
    else
        snprintf(out, size, "%s,%.*s", at, (int)(at - list - 1), list);
}

/* How many hosts the conninfo, its service or the environment names. */
static int count_hosts(const struct mu_store *s)
{
    PQconninfoOption *options = PQconninfo(s->conn);
    int hosts = 1;
    for (PQconninfoOption *o = options; o && o->keyword; o++) {
        int count = 1;
        bool is_list = strcmp(o->keyword, "host") == 0 || strcmp(o->keyword, "hostaddr") == 0;
        for (const char *at = is_list ? o->val : NULL; at && (at = strchr(at, ',')); at++)
            count++;
        hosts = count > hosts ? count : hosts;
    }
    PQconninfoFree(options);
    return hosts;
}

/* The keywords of the next attempt; those behind dbname go over the conninfo. */
struct keywords {
    const char *names[16], *values[16];
    char lists[3][1024];
    int count;
};

static void add(struct keywords *k, const char *name, const char *value)
{
    k->names[k->count] = name;
    k->values[k->count++] = value;
}

static void add_rotated(struct keywords *k, const struct mu_store *s)
{
    static const char *const lists[] = {"host", "hostaddr", "port"};
    PQconninfoOption *options = s->first_host ? PQconninfoParse(s->conninfo, NULL) : NULL;
    for (PQconninfoOption *o = options; o && o->keyword; o++) {
        for (size_t i = 0; i < MU_COUNT(lists); i++) {
            if (strcmp(o->keyword, lists[i]) != 0 || !o->val || !strchr(o->val, ','))
                continue;
            rotate(o->val, s->first_host, k->lists[i], sizeof(k->lists[i]));
            add(k, lists[i], k->lists[i]);
        }
    }
    PQconninfoFree(options);
}

/* One attempt, over all hosts from the first one on, as libpq does it. *silent: the limit came first. */
static bool attempt(struct mu_store *s, int *hosts, bool *silent, struct mu_error *err)
{
    static const char what[] = "could not connect to PostgreSQL";
    const struct wait w = {mu_clock_ms(), CONNECT_LIMIT_MS};
    struct keywords k = {.count = 0};
    /* a stand-by is passed over: of several hosts the primary is found; the conninfo may say otherwise */
    add(&k, "target_session_attrs", s->only_reads ? "any" : "read-write");
    add(&k, "dbname", s->conninfo);
    add(&k, "fallback_application_name", s->program);
    add(&k, "keepalives_idle", "10");
    add(&k, "keepalives_interval", "5");
    add(&k, "keepalives_count", "3");
    add(&k, "tcp_user_timeout", "15000");
    add_rotated(&k, s);
    s->conn = PQconnectStartParams(k.names, k.values, 1);
    if (!s->conn)
        return mu_fail(err, MU_BROKEN, "out of memory");
    PostgresPollingStatusType next = PQstatus(s->conn) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
    while (next != PGRES_POLLING_OK && next != PGRES_POLLING_FAILED) {
        struct pollfd p = {.fd = PQsocket(s->conn), .events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        if (poll(&p, 1, 0) == 1) {
            next = PQconnectPoll(s->conn);
        } else if (!pause_for(s, &w, p.events, what, err)) {
            *hosts = count_hosts(s);
            *silent = mu_clock_ms() - w.began_ms >= CONNECT_LIMIT_MS;
            store_give_up(s);
            return false;
        }
    }
    if (next == PGRES_POLLING_OK)
        return PQsetnonblocking(s->conn, 1) == 0 || mu_fail(err, MU_BROKEN, "out of memory");
    /* a wrong password is told like a server that is down; only the text says which */
    const char *text = PQerrorMessage(s->conn);
    return mu_fail(err, MU_UNAVAILABLE, "%s: %.*s", what, (int)strcspn(text, "\n"), text);
}

bool store_connect(struct mu_store *s, struct mu_error *err)
{
    int hosts = 1;
    for (int tried = 1;; tried++) {
        struct mu_error why = {0};
        bool silent = false;
        if (attempt(s, &hosts, &silent, &why))
            return true;
        if (silent) /* it swallows what is sent to it: the next attempt begins behind it */
            s->first_host = (s->first_host + 1) % hosts;
        if (!silent || tried >= hosts) {
            *err = why;
            return false;
        }
    }
}
