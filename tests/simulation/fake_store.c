/* SPDX-License-Identifier: Apache-2.0 */
/* lib/outside/store.h over the database of the world, in place of store.c. Parameters and rows are the real ones
 * (args.c, rows.c): the model reads what is bound and answers in libpq's own results. */
#include "database.h"

#include <assert.h>

#define CONNECT_US 3000
#define SOCKET_BASE 100000

static struct session *session_of(const struct mu_store *s)
{
    return (struct session *)(void *)s->conn;
}

static bool lost(struct session *s, struct mu_error *err, const char *what)
{
    if (s)
        s->known = true;
    return mu_fail_code(err, MU_UNAVAILABLE, "", "%s: server closed the connection unexpectedly", what);
}

static bool connect_once(struct mu_store *s, struct mu_error *err)
{
    if (s->conn)
        database_close(session_of(s));
    s->conn = NULL;
    s->in_transaction = false;
    world_step();
    (void)fibre_wait(world_now() + CONNECT_US + chance_latency());
    struct session *made = database_connect(process_current());
    if (!made)
        return mu_fail(err, MU_UNAVAILABLE, "could not connect to PostgreSQL");
    s->conn = (PGconn *)(void *)made;
    snprintf(made->listening, sizeof(made->listening), "%s", s->listening);
    return true;
}

#define LIMIT_MS 65000
#define SLICE_US 20000

bool mu_store_open_beside(struct mu_store **out, const struct mu_store *beside, const char *program, struct mu_error *err)
{
    struct mu_store *s = NULL;
    if (!mu_store_open(&s, "", program, beside->statements, beside->count, err))
        return false;
    mu_store_while_waiting(s, beside->waiting, beside->waiting_ctx);
    *out = s;
    return true;
}

void mu_store_while_waiting(struct mu_store *s, bool (*waiting)(void *ctx, int64_t waited_ms), void *ctx)
{
    s->waiting = waiting;
    s->waiting_ctx = ctx;
}

void mu_store_limit(struct mu_store *s, int64_t limit_ms)
{
    s->limit_ms = limit_ms;
}

bool mu_store_open(struct mu_store **out, const char *conninfo, const char *program, const struct mu_statement *statements,
                   size_t count, struct mu_error *err)
{
    struct mu_store *s = world_alloc(sizeof(*s));
    (void)conninfo;
    s->limit_ms = LIMIT_MS;
    snprintf(s->program, sizeof(s->program), "%s", program);
    s->statements = statements;
    s->count = count;
    if (!connect_once(s, err))
        return false;
    *out = s;
    return true;
}

void mu_store_free(struct mu_store *s)
{
    if (s && s->conn)
        database_close(session_of(s));
}

bool mu_store_reconnect(struct mu_store *s, struct mu_error *err)
{
    return connect_once(s, err);
}

bool mu_store_alive(const struct mu_store *s)
{
    return s->conn && !session_of(s)->known;
}

int mu_store_socket(const struct mu_store *s)
{
    return s->conn ? SOCKET_BASE + session_of(s)->pid : -1;
}

int mu_store_backend_pid(const struct mu_store *s)
{
    return s->conn ? session_of(s)->pid : 0;
}

/* Has the session something to read? With a waiter: who is to be woken when it has. */
bool store_readable(int socket, struct fibre *waiter);
bool store_readable(int socket, struct fibre *waiter)
{
    struct session *s = database_session(socket - SOCKET_BASE);
    if (!s)
        return true; /* it has ended */
    s->waiter = waiter;
    return s->notified || (s->asked && s->asked->answered);
}

static struct mu_args *copy_args(const struct mu_args *from)
{
    if (!from)
        return NULL;
    struct mu_args *a = world_alloc(sizeof(*a));
    *a = *from;
    struct mu_span bytes = world_keep(mu_text_span(&from->bytes));
    a->bytes.at = (char *)(uintptr_t)bytes.at;
    a->bytes.size = bytes.len;
    return a;
}

static struct asking *ask(struct mu_store *s, enum ask_kind kind, const struct mu_statement *statement, const struct mu_args *args)
{
    struct asking *a = world_alloc(sizeof(*a));
    *a = (struct asking){.session = session_of(s), .kind = kind, .statement = statement, .args = copy_args(args)};
    database_ask(a);
    return a;
}

/* False: the session has ended before the answer came, or has been given up. Who waits is heard meanwhile. */
static bool wait_answer(struct mu_store *s, struct asking *a)
{
    struct session *of = a->session;
    int64_t began_us = world_now(), slice_us = began_us + SLICE_US;
    while (!a->answered && !of->killed) {
        of->waiter = fibre_current();
        (void)fibre_wait(slice_us);
        of->waiter = NULL;
        if (a->answered || of->killed || world_now() < slice_us)
            continue;
        slice_us = world_now() + SLICE_US;
        int64_t waited_ms = (world_now() - began_us) / 1000;
        if ((s->waiting && !s->waiting(s->waiting_ctx, waited_ms)) || (s->limit_ms && waited_ms > s->limit_ms)) {
            trace("the session is given up");
            mu_store_abandon(s);
            return false;
        }
    }
    return a->answered;
}

static bool take(struct mu_store *s, struct asking *a, struct mu_rows **rows, struct mu_error *err)
{
    const char *what = a->statement ? a->statement->name : "transaction";
    if (!wait_answer(s, a)) {
        if (!s->conn)
            return mu_fail_code(err, MU_UNAVAILABLE, "silent", "%s: the server does not answer", what);
        return lost(a->session, err, what);
    }
    if (!a->done)
        return mu_fail_code(err, a->fault, a->code, "%s: %s", what, a->text);
    if (!rows)
        return true;
    *rows = calloc(1, sizeof(**rows));
    if (!*rows)
        return mu_fail(err, MU_BROKEN, "out of memory");
    (*rows)->result = a->result;
    return true;
}

static bool usable(struct mu_store *s, const char *what, struct mu_error *err)
{
    world_step();
    if (!s->conn || session_of(s)->known)
        return mu_fail(err, MU_UNAVAILABLE, "%s: no connection to the server", what);
    if (session_of(s)->killed)
        return lost(session_of(s), err, what);
    return true;
}

bool mu_store_check_schema(struct mu_store *s, struct mu_error *err)
{
    return usable(s, "schema", err) && take(s, ask(s, ASK_NOTHING, NULL, NULL), NULL, err);
}

bool mu_store_run(struct mu_store *s, int statement, const struct mu_args *args, struct mu_rows **rows, struct mu_error *err)
{
    if (args && !mu_text_ok(&args->bytes, err))
        return false;
    return usable(s, s->statements[statement].name, err) && take(s, ask(s, ASK_STATEMENT, &s->statements[statement], args), rows, err);
}

bool mu_store_start(struct mu_store *s, int statement, const struct mu_args *args, struct mu_error *err)
{
    if (args && !mu_text_ok(&args->bytes, err))
        return false;
    if (!usable(s, s->statements[statement].name, err))
        return false;
    session_of(s)->asked = ask(s, ASK_STATEMENT, &s->statements[statement], args);
    return true;
}

bool mu_store_ready(struct mu_store *s)
{
    struct session *of = session_of(s);
    return !of || of->killed || !of->asked || of->asked->answered;
}

bool mu_store_finish(struct mu_store *s, struct mu_rows **rows, struct mu_error *err)
{
    if (!s->conn)
        return mu_fail(err, MU_UNAVAILABLE, "no connection to the server");
    struct asking *a = session_of(s)->asked;
    session_of(s)->asked = NULL;
    return take(s, a, rows, err);
}

void mu_store_abandon(struct mu_store *s)
{
    if (s->conn)
        database_close(session_of(s));
    s->conn = NULL;
    s->in_transaction = false;
}

bool mu_store_begin(struct mu_store *s, struct mu_error *err)
{
    s->in_transaction = usable(s, "begin", err) && take(s, ask(s, ASK_BEGIN, NULL, NULL), NULL, err);
    return s->in_transaction;
}

bool mu_store_commit(struct mu_store *s, struct mu_error *err)
{
    struct mu_error why = {0};
    s->in_transaction = false;
    if (usable(s, "commit", &why) && take(s, ask(s, ASK_COMMIT, NULL, NULL), NULL, &why))
        return true;
    bool unknown = !mu_store_alive(s);
    return mu_fail_code(err, unknown ? MU_UNAVAILABLE : why.fault, unknown ? "commit_unknown" : "", "%s", why.text);
}

void mu_store_rollback(struct mu_store *s)
{
    struct mu_error ignored = {0};
    if (s->conn && session_of(s)->in_transaction && mu_store_alive(s) && usable(s, "rollback", &ignored))
        (void)!take(s, ask(s, ASK_ROLLBACK, NULL, NULL), NULL, &ignored);
    s->in_transaction = false;
}

bool mu_store_listen(struct mu_store *s, const char *channel, struct mu_error *err)
{
    if (!mu_copy_text(s->listening, sizeof(s->listening), mu_span_of(channel)))
        return mu_fail(err, MU_BROKEN, "the channel name %s is too long", channel);
    if (!usable(s, "listen", err) || !take(s, ask(s, ASK_NOTHING, NULL, NULL), NULL, err))
        return false;
    snprintf(session_of(s)->listening, sizeof(session_of(s)->listening), "%s", channel);
    return true;
}

bool mu_store_take_notice(struct mu_store *s)
{
    struct session *of = session_of(s);
    if (!of)
        return false;
    if (of->killed)
        of->known = true; /* reading finds the end of the stream */
    bool any = of->notified;
    of->notified = false;
    return any;
}

bool mu_store_script(struct mu_store *s, const char *sql, struct mu_error *err)
{
    (void)s;
    (void)sql;
    return mu_fail(err, MU_BROKEN, "the database of the simulation takes no scripts");
}
