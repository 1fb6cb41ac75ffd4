/* SPDX-License-Identifier: Apache-2.0 */
#include "outside/store_inside.h"
#include "base/clock.h"

#include <assert.h>
#include <unistd.h>

#define SCHEMA_VERSION 21 /* of sql/migrations: the last file that this build knows */

#define LIMIT_MS 65000 /* of one statement: above statement_timeout, which tells more, while the server is there to tell it */

/* What a session is set to, whatever the server's defaults are. */
static const char session_settings[] =
    "set timezone = 'UTC'; set search_path = pg_catalog; set statement_timeout = '60s'; set lock_timeout = '20s'; "
    "set idle_in_transaction_session_timeout = '60s'; set client_min_messages = warning; set synchronous_commit = on";

/* SQLSTATE into what has to happen next; by class, or by the whole code. */
static enum mu_fault fault_of(const char *state)
{
    static const struct { const char *prefix; enum mu_fault fault; } table[] = {
        {"08", MU_UNAVAILABLE}, {"40", MU_UNAVAILABLE}, {"53", MU_UNAVAILABLE}, {"57", MU_UNAVAILABLE},
        {"55P03", MU_UNAVAILABLE}, {"25006", MU_UNAVAILABLE}, {"25P03", MU_UNAVAILABLE}, {"22", MU_REJECTED},
        {"23", MU_REJECTED}, {"28", MU_REJECTED}, {"3D", MU_REJECTED},
    };
    for (size_t i = 0; i < MU_COUNT(table); i++)
        if (strncmp(state, table[i].prefix, strlen(table[i].prefix)) == 0)
            return table[i].fault;
    return MU_BROKEN;
}

bool store_fault(struct mu_error *err, struct mu_store *s, const PGresult *result, const char *what)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *text = state ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : s->conn ? PQerrorMessage(s->conn) : "the session was given up";
    enum mu_fault fault = state ? fault_of(state) : MU_UNAVAILABLE;
    size_t len = strcspn(text ? text : "", "\n");
    bool again = state && strncmp(state, "40", 2) == 0, refused = state && strcmp(state, "42501") == 0;
    bool timed_out = state && strcmp(state, "57014") == 0, locked = state && strcmp(state, "55P03") == 0;
    mu_fail_code(err, fault, again ? "again" : timed_out ? "timed_out" : locked ? "locked" : refused ? "permission" : "", "%s: %.*s%s%s%s", what, (int)len,
                 text && len ? text : "no reason given", state ? " (" : "", state ? state : "", state ? ")" : "");
    if (state && strcmp(state, "25006") == 0) /* read-only: the next session finds the primary, or waits for it */
        store_give_up(s);
    return false;
}

/* Several statements, or one that is not prepared: the last answer. NULL: none came, *err says why. */
static PGresult *ask(struct mu_store *s, const char *sql, const char *what, struct mu_error *err)
{
    PGresult *r = NULL;
    if (!PQsendQuery(s->conn, sql)) {
        store_fault(err, s, NULL, what);
        return NULL;
    }
    if (!store_send(s, what, err) || !store_await(s, what, &r, err))
        return NULL;
    if (!r)
        store_fault(err, s, NULL, what);
    return r;
}

static bool simple(struct mu_store *s, const char *sql, const char *what, struct mu_error *err)
{
    PGresult *r = ask(s, sql, what, err);
    ExecStatusType status = PQresultStatus(r);
    bool done = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (r && !done)
        store_fault(err, s, r, what);
    PQclear(r);
    return done;
}

static bool connect_once(struct mu_store *s, struct mu_error *err)
{
    store_give_up(s);
    memset(s->prepared, 0, sizeof(s->prepared));
    if (!store_connect(s, err))
        return false;
    if (PQserverVersion(s->conn) < 150000)
        return mu_reject(err, "invalid", "", "PostgreSQL %d is too old, 15 is needed", PQserverVersion(s->conn) / 10000);
    if (!simple(s, session_settings, "could not set up the database session", err))
        return false;
    if (!s->listening[0])
        return true;
    char sql[100];
    snprintf(sql, sizeof(sql), "listen %s", s->listening);
    return simple(s, sql, "could not listen", err);
}

static struct mu_store *new_store(const char *conninfo, const char *program, const struct mu_statement *statements, size_t count)
{
    assert(count <= STORE_STATEMENTS_MAX);
    struct mu_store *s = calloc(1, sizeof(*s));
    char host[40] = "";
    if (!s || !(s->conninfo = strdup(conninfo ? conninfo : ""))) {
        free(s);
        return NULL;
    }
    gethostname(host, sizeof(host) - 1);
    snprintf(s->program, sizeof(s->program), "%s %.30s:%ld", program, host, (long)getpid());
    s->statements = statements;
    s->count = count;
    s->limit_ms = LIMIT_MS;
    return s;
}

bool mu_store_open(struct mu_store **out, const char *conninfo, const char *program,
                   const struct mu_statement *statements, size_t count, struct mu_error *err)
{
    MU_AUTO(mu_store_free) struct mu_store *s = new_store(conninfo, program, statements, count);
    if (!s)
        return mu_fail(err, MU_BROKEN, "out of memory");
    if (!connect_once(s, err))
        return false;
    *out = MU_GIVE(s);
    return true;
}

bool mu_store_open_reading(struct mu_store **out, const char *conninfo, const char *program,
                           const struct mu_statement *statements, size_t count, struct mu_error *err)
{
    MU_AUTO(mu_store_free) struct mu_store *s = new_store(conninfo, program, statements, count);
    if (!s)
        return mu_fail(err, MU_BROKEN, "out of memory");
    s->only_reads = true;
    if (!connect_once(s, err))
        return false;
    *out = MU_GIVE(s);
    return true;
}

bool mu_store_open_beside(struct mu_store **out, const struct mu_store *beside, const char *program, struct mu_error *err)
{
    MU_AUTO(mu_store_free) struct mu_store *s = new_store(beside->conninfo, program, beside->statements, beside->count);
    if (!s)
        return mu_fail(err, MU_BROKEN, "out of memory");
    mu_store_while_waiting(s, beside->waiting, beside->waiting_ctx);
    if (!connect_once(s, err))
        return false;
    *out = MU_GIVE(s);
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

void mu_store_free(struct mu_store *s)
{
    if (!s)
        return;
    store_give_up(s);
    free(s->conninfo);
    free(s);
}

bool mu_store_reconnect(struct mu_store *s, struct mu_error *err)
{
    return connect_once(s, err);
}

bool mu_store_alive(const struct mu_store *s)
{
    return PQstatus(s->conn) == CONNECTION_OK;
}

int mu_store_socket(const struct mu_store *s)
{
    return PQsocket(s->conn);
}

int mu_store_backend_pid(const struct mu_store *s)
{
    return PQbackendPID(s->conn);
}

bool mu_store_check_schema(struct mu_store *s, struct mu_error *err)
{
    static const char what[] = "could not read the version of the schema";
    PGresult *r = ask(s, "select coalesce(max(version), 0) from muster.schema_migration", what, err);
    if (!r)
        return false;
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    int64_t version = 0;
    if (PQresultStatus(r) == PGRES_TUPLES_OK) {
        if (!mu_parse_i64(mu_span_of(PQgetvalue(r, 0, 0)), 0, 100000, &version))
            version = 0;
    } else if (!state || (strcmp(state, "42P01") != 0 && strcmp(state, "3F000") != 0)) {
        store_fault(err, s, r, what);
        PQclear(r);
        return false;
    }
    PQclear(r);
    if (version == SCHEMA_VERSION)
        return true;
    mu_fail_code(err, MU_BROKEN, "schema", "the database schema is version %lld, this program needs %d", (long long)version,
                 SCHEMA_VERSION);
    return version < SCHEMA_VERSION ? mu_hint(err, "run `muster db migrate`") : mu_hint(err, "install a newer muster; `muster db status` shows what this one does not know");
}

/* Prepared at first use; the parameters' types are those that were bound. */
static bool prepare(struct mu_store *s, int statement, const struct mu_args *args, struct mu_error *err)
{
    if (s->prepared[statement])
        return true;
    Oid types[STORE_ARGS_MAX];
    int count = args ? args->count : 0;
    for (int i = 0; i < count; i++)
        types[i] = args->arg[i].null ? 0 : args->arg[i].type;
    const char *what = s->statements[statement].name;
    PGresult *r = NULL;
    if (!PQsendPrepare(s->conn, what, s->statements[statement].sql, count, types))
        return store_fault(err, s, NULL, what);
    if (!store_send(s, what, err) || !store_await(s, what, &r, err))
        return false;
    s->prepared[statement] = PQresultStatus(r) == PGRES_COMMAND_OK;
    if (!s->prepared[statement])
        store_fault(err, s, r, what);
    PQclear(r);
    return s->prepared[statement];
}

/* How libpq wants the parameters. */
struct bound {
    const char *values[STORE_ARGS_MAX];
    int lengths[STORE_ARGS_MAX], formats[STORE_ARGS_MAX], count;
};

static void bind(struct bound *b, const struct mu_args *args)
{
    b->count = args ? args->count : 0;
    for (int i = 0; i < b->count; i++) {
        b->values[i] = args->arg[i].null ? NULL : args->bytes.at + args->arg[i].at;
        b->lengths[i] = (int)args->arg[i].len;
        b->formats[i] = args->arg[i].binary;
    }
}

/* Takes the answer. */
static bool take_rows(struct mu_store *s, int statement, PGresult *r, struct mu_rows **rows, struct mu_error *err)
{
    ExecStatusType status = PQresultStatus(r);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        store_fault(err, s, r, s->statements[statement].name);
        PQclear(r);
        return false;
    }
    if (!rows) {
        PQclear(r);
        return true;
    }
    struct mu_rows *made = calloc(1, sizeof(*made));
    if (!made) {
        PQclear(r);
        return mu_fail(err, MU_BROKEN, "out of memory");
    }
    made->result = r;
    *rows = made;
    return true;
}

bool mu_store_run(struct mu_store *s, int statement, const struct mu_args *args, struct mu_rows **rows,
                  struct mu_error *err)
{
    return mu_store_start(s, statement, args, err) && mu_store_finish(s, rows, err);
}

bool mu_store_start(struct mu_store *s, int statement, const struct mu_args *args, struct mu_error *err)
{
    struct bound b;
    const char *what = s->statements[statement].name;
    if (args && !mu_text_ok(&args->bytes, err))
        return false;
    if (!prepare(s, statement, args, err))
        return false;
    bind(&b, args);
    s->started = statement;
    if (!PQsendQueryPrepared(s->conn, what, b.count, b.values, b.lengths, b.formats, s->statements[statement].binary))
        return store_fault(err, s, NULL, what);
    return store_send(s, what, err);
}

bool mu_store_ready(struct mu_store *s)
{
    bool over = s->limit_ms && mu_clock_ms() - s->started_ms >= s->limit_ms;
    return !PQconsumeInput(s->conn) || !PQisBusy(s->conn) || over;
}

bool mu_store_finish(struct mu_store *s, struct mu_rows **rows, struct mu_error *err)
{
    PGresult *answer = NULL;
    return store_await(s, s->statements[s->started].name, &answer, err) && take_rows(s, s->started, answer, rows, err);
}

void mu_store_abandon(struct mu_store *s)
{
    store_give_up(s);
}

bool mu_store_begin(struct mu_store *s, struct mu_error *err)
{
    s->in_transaction = simple(s, "begin", "could not begin a transaction", err);
    return s->in_transaction;
}

bool mu_store_begin_reading(struct mu_store *s, struct mu_error *err)
{
    s->in_transaction = simple(s, "begin read only", "could not begin a transaction", err);
    return s->in_transaction;
}

bool mu_store_commit(struct mu_store *s, struct mu_error *err)
{
    struct mu_error why = {0};
    s->in_transaction = false;
    PGresult *r = ask(s, "commit", "could not commit", &why);
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    /* COMMIT of a transaction that has failed answers ROLLBACK */
    bool done = PQresultStatus(r) == PGRES_COMMAND_OK && strcmp(PQcmdStatus(r), "COMMIT") == 0;
    char kept[6] = "";
    if (r && !done)
        store_fault(&why, s, r, "could not commit");
    if (state)
        snprintf(kept, sizeof(kept), "%s", state);
    PQclear(r);
    if (done)
        return true;
    /* without an answer of the server nobody knows whether it has committed */
    bool unknown = !kept[0] || strncmp(kept, "08", 2) == 0 || strncmp(kept, "57", 2) == 0;
    return mu_fail_code(err, unknown ? MU_UNAVAILABLE : why.fault, unknown ? "commit_unknown" : "", "%s", why.text);
}

void mu_store_rollback(struct mu_store *s)
{
    struct mu_error ignored = {0};
    if (s->in_transaction || PQtransactionStatus(s->conn) == PQTRANS_INERROR || PQtransactionStatus(s->conn) == PQTRANS_INTRANS)
        if (mu_store_alive(s))
            (void)!simple(s, "rollback", "could not roll back", &ignored);
    s->in_transaction = false;
}

bool mu_store_listen(struct mu_store *s, const char *channel, struct mu_error *err)
{
    char sql[100];
    if (!mu_copy_text(s->listening, sizeof(s->listening), mu_span_of(channel)))
        return mu_fail(err, MU_BROKEN, "the channel name %s is too long", channel);
    snprintf(sql, sizeof(sql), "listen %s", channel);
    return simple(s, sql, "could not listen", err);
}

bool mu_store_take_notice(struct mu_store *s)
{
    bool any = false;
    PGnotify *n;
    PQconsumeInput(s->conn);
    while ((n = PQnotifies(s->conn))) {
        any = true;
        PQfreemem(n);
    }
    return any;
}

bool mu_store_script(struct mu_store *s, const char *sql, struct mu_error *err)
{
    int64_t limit_ms = s->limit_ms;
    s->limit_ms = 0; /* somebody is looking on */
    bool done = simple(s, sql, "could not run the script", err);
    s->limit_ms = limit_ms;
    return done;
}
