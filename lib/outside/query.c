/* SPDX-License-Identifier: Apache-2.0 */
#include "outside/query.h"
#include "base/clock.h"
#include "outside/store_inside.h"

struct mu_query {
    struct mu_store *store;
    const char *sql;      /* borrowed, for the line of a fault */
    PGresult *description; /* its columns */
    PGresult *row;
    bool running;
};

/* The line on which the server's place in the text lies, which counts characters; 0: it named none. */
static int line_of(const PGresult *result, const char *sql)
{
    const char *text = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
    int64_t place = 0;
    int line = 1;
    if (!text || !mu_parse_i64(mu_span_of(text), 1, INT32_MAX, &place))
        return 0;
    for (int64_t i = 1; i < place && *sql; sql++) {
        line += *sql == '\n';
        i += ((unsigned char)sql[1] & 0xC0) != 0x80;
    }
    return line;
}

/* A text that wants to write, or is none that the server understands, is refused; the rest is as with any statement. */
static bool fail(struct mu_query *q, const PGresult *result, struct mu_error *err)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *text = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    char where[40] = "the query";
    int line = line_of(result, q->sql);
    if (line)
        (void)snprintf(where, sizeof(where), "line %d", line);
    if (state && strncmp(state, "25", 2) == 0 && strcmp(state, "25P03") != 0)
        return mu_reject(err, "read_only", "", "%s: it wants to write (%s); a report only reads", where, text ? text : "");
    if (state && strncmp(state, "42", 2) == 0 && strcmp(state, "42501") != 0)
        return mu_reject(err, "invalid", "", "%s: %s (%s)", where, text ? text : "", state);
    return store_fault(err, q->store, result, where);
}

/* One answer of the server that must be good. NULL: *err says why not. */
static PGresult *await(struct mu_query *q, struct mu_error *err)
{
    PGresult *r = NULL;
    if (!store_send(q->store, "the query", err) || !store_await(q->store, "the query", &r, err))
        return NULL;
    if (r && PQresultStatus(r) == PGRES_COMMAND_OK)
        return r;
    fail(q, r, err);
    PQclear(r);
    return NULL;
}

static bool prepare(struct mu_query *q, struct mu_error *err)
{
    PGconn *conn = q->store->conn;
    if (!PQsendPrepare(conn, "", q->sql, 0, NULL)) /* refuses a second statement behind the first */
        return fail(q, NULL, err);
    PGresult *r = await(q, err);
    PQclear(r);
    if (!r)
        return false;
    if (!PQsendDescribePrepared(conn, ""))
        return fail(q, NULL, err);
    q->description = await(q, err);
    if (!q->description)
        return false;
    return PQnfields(q->description) > 0 || mu_reject(err, "invalid", "", "it gives no rows: a report is one query");
}

bool mu_query_open(struct mu_query **out, struct mu_store *s, const char *sql, struct mu_error *err)
{
    MU_AUTO(mu_query_free) struct mu_query *q = calloc(1, sizeof(*q));
    if (!q)
        return mu_fail(err, MU_BROKEN, "out of memory");
    q->store = s;
    q->sql = sql;
    if (!prepare(q, err))
        return false;
    if (!PQsendQueryPrepared(s->conn, "", 0, NULL, NULL, NULL, 0) || !PQsetSingleRowMode(s->conn))
        return fail(q, NULL, err);
    q->running = true;
    if (!store_send(s, "the query", err))
        return false;
    *out = MU_GIVE(q);
    return true;
}

void mu_query_free(struct mu_query *q)
{
    if (!q)
        return;
    if (q->running)
        store_give_up(q->store);
    PQclear(q->row);
    PQclear(q->description);
    free(q);
}

int mu_query_columns(const struct mu_query *q)
{
    return PQnfields(q->description);
}

const char *mu_query_name(const struct mu_query *q, int column)
{
    return PQfname(q->description, column);
}

int mu_query_find(const struct mu_query *q, const char *name)
{
    for (int i = 0; i < mu_query_columns(q); i++)
        if (strcmp(mu_query_name(q, i), name) == 0)
            return i;
    return -1;
}

enum mu_cell mu_query_kind(const struct mu_query *q, int column)
{
    /* object ids of PostgreSQL's built-in types; fixed for ever by its catalogue */
    static const struct { Oid type; enum mu_cell kind; } kinds[] = {
        {16, MU_CELL_BOOL}, {20, MU_CELL_WHOLE}, {21, MU_CELL_WHOLE}, {23, MU_CELL_WHOLE}, {26, MU_CELL_WHOLE}, {114, MU_CELL_JSON},
        {700, MU_CELL_FLOAT}, {701, MU_CELL_FLOAT}, {1082, MU_CELL_DAY}, {1184, MU_CELL_TIME}, {1700, MU_CELL_EXACT},
        {2950, MU_CELL_ID}, {3802, MU_CELL_JSON}};
    for (size_t i = 0; i < MU_COUNT(kinds); i++)
        if (kinds[i].type == PQftype(q->description, column))
            return kinds[i].kind;
    return MU_CELL_TEXT;
}

bool mu_query_next(struct mu_query *q, bool *row, struct mu_error *err)
{
    PGresult *r = NULL;
    PQclear(q->row);
    q->row = NULL;
    q->store->started_ms = mu_clock_ms(); /* the limit is one of silence: who reads may take his time */
    if (!store_await_one(q->store, "the query", &r, err))
        return false;
    ExecStatusType status = PQresultStatus(r);
    if (status == PGRES_SINGLE_TUPLE) {
        q->row = r;
        *row = true;
        return true;
    }
    bool good = status == PGRES_TUPLES_OK || fail(q, r, err);
    PQclear(r);
    r = NULL;
    q->running = false;
    if (mu_store_alive(q->store)) { /* the end of the answer */
        (void)!store_await(q->store, "the query", &r, err);
        PQclear(r);
    }
    *row = false;
    return good;
}

struct mu_span mu_query_cell(const struct mu_query *q, int column)
{
    if (PQgetisnull(q->row, 0, column))
        return mu_span(NULL, 0);
    return mu_span(PQgetvalue(q->row, 0, column), (size_t)PQgetlength(q->row, 0, column));
}
