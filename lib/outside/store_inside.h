/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the store share. */
#ifndef MU_STORE_INSIDE_H
#define MU_STORE_INSIDE_H

#include "outside/store.h"

#include <libpq-fe.h>

#define STORE_ARGS_MAX 80
#define STORE_STATEMENTS_MAX 64

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
    int started; /* the statement under way, by mu_store_start */
};

bool store_fault(struct mu_error *err, const PGconn *conn, const PGresult *result, const char *what);

#endif
