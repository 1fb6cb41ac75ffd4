/* SPDX-License-Identifier: Apache-2.0 */
/* A query whose text comes from a file, not from the table of a program: it is somebody's data, and can do no more than
 * read. It runs alone in a transaction that the server lets change nothing (mu_store_begin_reading) and that is never
 * committed, and its rows come one by one, so that a long answer takes time and no memory. Belongs to its store, on which nothing else may be run until it
 * is freed. */
#ifndef MU_QUERY_H
#define MU_QUERY_H

#include "outside/store.h"

/* What a column holds. Values come as PostgreSQL writes them; MU_CELL_EXACT is numeric, which no double holds. */
enum mu_cell { MU_CELL_TEXT, MU_CELL_WHOLE, MU_CELL_FLOAT, MU_CELL_EXACT, MU_CELL_BOOL, MU_CELL_JSON, MU_CELL_DAY, MU_CELL_TIME, MU_CELL_ID };

struct mu_query;
/* Has the server look at the text, and starts it. MU_REJECTED, with the line where the server names a place: no query (code
 * "invalid"). Other faults are those of mu_store_run. *out is the caller's. */
MU_MUST bool mu_query_open(struct mu_query **out, struct mu_store *s, const char *sql, struct mu_error *err);
void mu_query_free(struct mu_query *q); /* what has not been read is thrown away, with the session */
MU_DEFINE_AUTO(struct mu_query, mu_query_free)
int mu_query_columns(const struct mu_query *q);
const char *mu_query_name(const struct mu_query *q, int column);
enum mu_cell mu_query_kind(const struct mu_query *q, int column);
int mu_query_find(const struct mu_query *q, const char *name); /* -1: there is no such column */
/* The next row; *row false: there is none left. MU_REJECTED with code "read_only" if the query writes, MU_UNAVAILABLE with
 * "timed_out" if it takes too long. */
MU_MUST bool mu_query_next(struct mu_query *q, bool *row, struct mu_error *err);
/* Of the row that was read last, borrowed until the next one is; {NULL, 0} is null. */
struct mu_span mu_query_cell(const struct mu_query *q, int column);

#endif
