/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the store share. */
#ifndef MU_STORE_INSIDE_H
#define MU_STORE_INSIDE_H

#include "outside/store.h"

#include <libpq-fe.h>

#define STORE_ARGS_MAX 80
#define STORE_STATEMENTS_MAX 128

/* Parameters in the wire's binary form, one buffer for all: offsets, since it grows. */
struct mu_args {
    struct mu_text bytes;
    int count;
    struct {
        size_t at, len;
        bool null, binary;
        Oid type;
    } arg[STORE_ARGS_MAX];
    /* the array being written */
    size_t head;
    int32_t elements;
    bool has_null;
};

struct mu_rows {
    PGresult *result;
    char **bytes; /* unescaped bytea values, made at need; row * columns + column */
    size_t *lengths;
};

struct mu_store {
    PGconn *conn;
    char *conninfo;
    char program[80];
    const struct mu_statement *statements;
    size_t count;
    bool prepared[STORE_STATEMENTS_MAX];
    char listening[64];
    bool in_transaction;
    bool only_reads; /* a stand-by will do */
    int started; /* the statement under way, by mu_store_start */
    int64_t started_ms, limit_ms; /* of what was sent last; 0: no limit */
    bool (*waiting)(void *ctx, int64_t waited_ms); /* NULL: nobody wants to be heard */
    void *waiting_ctx;
    int first_host; /* of several: where the next attempt to connect begins */
};

bool store_fault(struct mu_error *err, struct mu_store *s, const PGresult *result, const char *what);

/* ---- session.c ---- */
/* Ends the session without waiting for anything. */
void store_give_up(struct mu_store *s);
/* Until it stands or the limit of one attempt is over; s->conn is its own from then on. */
MU_MUST bool store_connect(struct mu_store *s, struct mu_error *err);
/* Both give the session up when the limit is over: nobody knows what the server makes of the statement. */
MU_MUST bool store_send(struct mu_store *s, const char *what, struct mu_error *err);
MU_MUST bool store_await(struct mu_store *s, const char *what, PGresult **out, struct mu_error *err); /* the last answer, or NULL */
MU_MUST bool store_await_one(struct mu_store *s, const char *what, PGresult **out, struct mu_error *err); /* the next one, or NULL: it was the last */

#endif
