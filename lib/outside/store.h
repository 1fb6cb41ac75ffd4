/* SPDX-License-Identifier: Apache-2.0 */
/* A PostgreSQL session: statements from one table per program, prepared once per connection, bound parameters,
 * arrays; SQLSTATE translated into faults in one place. The only user of libpq-fe.h. Belongs to one thread. */
#ifndef MU_STORE_H
#define MU_STORE_H

#include "base/digest.h"
#include "base/error.h"
#include "base/id.h"
#include "base/text.h"

struct mu_store;

/* A program's statements; the enum that indexes them is the program's. No other SQL text exists in C. */
struct mu_statement {
    const char *name;
    const char *sql;
    bool binary; /* columns (bytea, text, int, bigint, uuid) come as they are: for many bytes, which take twice as many as text */
};
/* MU_UNAVAILABLE while the server cannot be reached; MU_REJECTED for a login or conninfo that will never work.
 * `statements` is borrowed for life; they are prepared at first use of each connection. */
MU_MUST bool mu_store_open(struct mu_store **out, const char *conninfo, const char *program,
                           const struct mu_statement *statements, size_t count, struct mu_error *err);
/* For who only reads: any server will do, a stand-by too, and a login that may write nothing. */
MU_MUST bool mu_store_open_reading(struct mu_store **out, const char *conninfo, const char *program,
                                   const struct mu_statement *statements, size_t count, struct mu_error *err);
/* One more session to the same database, with the same statements and the same one heard while it waits. */
MU_MUST bool mu_store_open_beside(struct mu_store **out, const struct mu_store *beside, const char *program, struct mu_error *err);
void mu_store_free(struct mu_store *s);
MU_DEFINE_AUTO(struct mu_store, mu_store_free)
/* MU_BROKEN with the command to run if the schema is not the version that this build knows. */
MU_MUST bool mu_store_check_schema(struct mu_store *s, struct mu_error *err);
/* No call waits for ever: an attempt to connect ends after 5 s a host, a statement after limit_ms (65 s by default: what a live
 * server has not cancelled by then it will not answer). The session is given up then, MU_UNAVAILABLE with code "silent"
 * (a COMMIT is "commit_unknown"). While a call waits, `waiting` is called many times a second from within it: it may do anything
 * but use this store or its arguments; false gives the session up at once. */
void mu_store_while_waiting(struct mu_store *s, bool (*waiting)(void *ctx, int64_t waited_ms), void *ctx);
void mu_store_limit(struct mu_store *s, int64_t limit_ms);
bool mu_store_alive(const struct mu_store *s);
int mu_store_socket(const struct mu_store *s);
int mu_store_backend_pid(const struct mu_store *s);

/* Parameters: binary where that is cheaper. Filled in order; freed and reused by mu_args_reset. */
struct mu_args;
struct mu_args *mu_args_new(void);
void mu_args_free(struct mu_args *a);
MU_DEFINE_AUTO(struct mu_args, mu_args_free)
void mu_args_reset(struct mu_args *a);
void mu_arg_null(struct mu_args *a);
void mu_arg_text(struct mu_args *a, struct mu_span text);
void mu_arg_bytes(struct mu_args *a, struct mu_span bytes); /* bytea */
void mu_arg_i64(struct mu_args *a, int64_t value);
void mu_arg_bool(struct mu_args *a, bool value);
void mu_arg_id(struct mu_args *a, struct mu_id id);
void mu_arg_time_us(struct mu_args *a, int64_t wall_us); /* timestamptz */
/* One-dimensional arrays: begin, elements of one kind, end. Element values may be SQL null. */
enum mu_array { MU_ARRAY_TEXT, MU_ARRAY_BYTES, MU_ARRAY_I64, MU_ARRAY_I32, MU_ARRAY_BOOL, MU_ARRAY_ID, MU_ARRAY_TIME };
void mu_arg_array_begin(struct mu_args *a, enum mu_array kind);
void mu_arg_array_null(struct mu_args *a);
void mu_arg_array_text(struct mu_args *a, struct mu_span text);
void mu_arg_array_bytes(struct mu_args *a, struct mu_span bytes);
void mu_arg_array_i64(struct mu_args *a, int64_t value);
void mu_arg_array_bool(struct mu_args *a, bool value);
void mu_arg_array_id(struct mu_args *a, struct mu_id id);
void mu_arg_array_time_us(struct mu_args *a, int64_t wall_us);
void mu_arg_array_end(struct mu_args *a);

/* Rows come as text, except bytea, which is given as its bytes. Borrowed until the rows are freed. */
struct mu_rows;
void mu_rows_free(struct mu_rows *r);
MU_DEFINE_AUTO(struct mu_rows, mu_rows_free)
size_t mu_rows_count(const struct mu_rows *r);
bool mu_row_null(const struct mu_rows *r, size_t row, int column);
struct mu_span mu_row_span(const struct mu_rows *r, size_t row, int column);
const char *mu_row_text(const struct mu_rows *r, size_t row, int column); /* "" for null */
int64_t mu_row_i64(const struct mu_rows *r, size_t row, int column);
bool mu_row_bool(const struct mu_rows *r, size_t row, int column);
MU_MUST bool mu_row_id(const struct mu_rows *r, size_t row, int column, struct mu_id *out);

/* Runs one statement. *rows may be NULL if not wanted. MU_UNAVAILABLE with code "again": a serialization failure or a
 * deadlock, the same transaction once more may succeed at once; code "timed_out": the server has cancelled it; "locked": it waited for a lock for too long. A lost connection during COMMIT is MU_UNAVAILABLE with code
 * "commit_unknown": the caller reads back before it answers. Reconnecting is mu_store_reconnect, by the program's
 * loop. */
MU_MUST bool mu_store_run(struct mu_store *s, int statement, const struct mu_args *args, struct mu_rows **rows,
                          struct mu_error *err);
/* The same in two halves, so that the caller can work while the server does: the parameters are sent when start
 * returns; nothing else may be run on the session before finish, which waits for the answer. ready: it has come (or
 * the session is lost, which finish tells); ask again when mu_store_socket can be read. */
MU_MUST bool mu_store_start(struct mu_store *s, int statement, const struct mu_args *args, struct mu_error *err);
bool mu_store_ready(struct mu_store *s);
MU_MUST bool mu_store_finish(struct mu_store *s, struct mu_rows **rows, struct mu_error *err);
/* Ends the session, whatever is under way in it: an open transaction is rolled back by the server. Afterwards it is
 * not alive until mu_store_reconnect. */
void mu_store_abandon(struct mu_store *s);

MU_MUST bool mu_store_begin(struct mu_store *s, struct mu_error *err);
MU_MUST bool mu_store_begin_reading(struct mu_store *s, struct mu_error *err); /* nothing in it can write */
MU_MUST bool mu_store_commit(struct mu_store *s, struct mu_error *err);
void mu_store_rollback(struct mu_store *s); /* also fine when nothing is open or the connection is gone */
MU_MUST bool mu_store_reconnect(struct mu_store *s, struct mu_error *err);

/* LISTEN on this session (again after each reconnect, by itself); true once per batch of notices that has arrived.
 * A notice is only a wake-up: poll too. */
MU_MUST bool mu_store_listen(struct mu_store *s, const char *channel, struct mu_error *err);
bool mu_store_take_notice(struct mu_store *s);

/* Runs a whole SQL file (migrations, `muster db`): several statements, one transaction. */
MU_MUST bool mu_store_script(struct mu_store *s, const char *sql, struct mu_error *err);

#endif
