/* SPDX-License-Identifier: Apache-2.0 */
/* The database: sessions, transactions, advisory locks, notices (database.c), the tables (tables.h), and the functions
 * of sql/migrations that programs call, in C (statements.c, accept.c, record.c, repair.c). One session writes at a time,
 * as the audit trail makes it in PostgreSQL; readers see what is committed. It is a model, so it is compared with the real
 * one: tests/simulation/conformance.c. */
#ifndef SIM_DATABASE_H
#define SIM_DATABASE_H

#include "tables.h"
#include "world.h"

#include "outside/store_inside.h"

struct session {
    int pid;
    struct process *process;
    bool killed;             /* the server has ended it */
    bool known;              /* and the client has noticed */
    bool closed;             /* by the client */
    bool in_transaction, failed;
    char listening[64];
    bool notified;
    int64_t free_us;         /* statements keep their order */
    struct fibre *waiter;    /* of the client: for an answer, a notice, the socket */
    struct asking *asked;    /* by mu_store_start */
    struct session *next;
};

/* A statement under way. */
enum ask_kind { ASK_STATEMENT, ASK_BEGIN, ASK_COMMIT, ASK_ROLLBACK, ASK_NOTHING };
struct asking {
    struct session *session;
    enum ask_kind kind;
    const struct mu_statement *statement;
    struct mu_args *args;    /* a copy; NULL for none */
    bool answered, done;
    PGresult *result;        /* of what was done */
    enum mu_fault fault;     /* of what was not */
    char code[28], text[200];
    int64_t asked_us;
    struct asking *next;     /* waits for the writer */
};

void database_begin(void);
struct session *database_connect(struct process *p); /* NULL: it is down */
void database_ask(struct asking *a);
void database_close(struct session *s);
/* The state that is committed: for checker, cases and conformance. */
struct tables *database_tables(void);
int64_t database_now(void); /* wall, of the server */

/* ---- what goes wrong ---- */
struct database_faults {
    uint32_t again;          /* per million statements of a transaction: a deadlock was detected */
    uint32_t cancelled;      /* per million: the statement took too long */
    enum { COMMIT_GOOD, COMMIT_LOST, COMMIT_DONE } next_commit; /* the server dies before it, or before it can say so */
};
extern struct database_faults database_faults;
void database_kill(int64_t away_us);      /* every session ends; what was not committed is undone */
void database_remember(void);
void database_restore(int64_t away_us);   /* an older copy */
int64_t database_remembered(void);        /* when the copy was made; 0: none */
int64_t database_last_restore(void);
void database_end_sessions_of(struct process *p);

/* ---- advisory locks, for statements.c ---- */
bool database_lock(struct session *s, const char *name);
void database_unlock(struct session *s, const char *name);
struct session *database_holder(const char *name);
struct session *database_session(int pid);
void database_end_session(struct session *s);
void database_notify(void);               /* to listeners, at the end of the transaction */

/* ---- statements.c ---- */
/* How a statement is run: reads see what is committed; beats touch lock_holder alone and wait for nobody. */
enum mode { MODE_READ, MODE_WRITE, MODE_ASIDE };
struct reply;
struct model {
    const char *name, *begins; /* of the statement; the beginning of its SQL, up to its parameters */
    enum mode mode;
    void (*run)(struct session *s, struct tables *t, const struct mu_args *a, struct reply *out);
};
const struct model *model_find(const struct mu_statement *statement); /* NULL: it is not known, or its text has changed */

/* Rows of an answer. */
struct reply {
    PGresult *result;
    int row;
    bool binary;
    /* a failure instead */
    enum mu_fault fault;
    char code[28], text[200];
};
void reply_columns(struct reply *r, const char *columns); /* "t" text, "b" bytea, "u" uuid, "i" int, "l" bigint; one letter each */
void reply_row(struct reply *r);
void reply_text(struct reply *r, int column, struct mu_span text);
void reply_i64(struct reply *r, int column, int64_t value);
void reply_bool(struct reply *r, int column, bool value);
void reply_id(struct reply *r, int column, struct mu_id id);
void reply_bytes(struct reply *r, int column, struct mu_span bytes);
void reply_null(struct reply *r, int column);

/* Parameters, as they are bound. */
struct mu_span arg_text(const struct mu_args *a, int i); /* at == NULL for null */
int64_t arg_i64(const struct mu_args *a, int i);
bool arg_bool(const struct mu_args *a, int i);
struct mu_id arg_id(const struct mu_args *a, int i);
int64_t arg_time(const struct mu_args *a, int i);
/* An array: elements as spans, at == NULL for null. Given to the world. */
struct column {
    const struct mu_span *at;
    size_t count;
};
struct column arg_array(const struct mu_args *a, int i);
struct mu_id cell_id(struct column c, size_t i);
int64_t cell_i64(struct column c, size_t i);   /* int or bigint */
int64_t cell_time(struct column c, size_t i);
bool cell_bool(struct column c, size_t i);

#endif
