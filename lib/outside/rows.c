/* SPDX-License-Identifier: Apache-2.0 */
#include "outside/store_inside.h"

#define OID_BYTEA 17

void mu_rows_free(struct mu_rows *r)
{
    if (!r)
        return;
    size_t cells = r->bytes ? mu_rows_count(r) * (size_t)PQnfields(r->result) : 0;
    for (size_t i = 0; i < cells; i++)
        PQfreemem(r->bytes[i]);
    free(r->bytes);
    free(r->lengths);
    PQclear(r->result);
    free(r);
}

size_t mu_rows_count(const struct mu_rows *r)
{
    return (size_t)PQntuples(r->result);
}

bool mu_row_null(const struct mu_rows *r, size_t row, int column)
{
    return PQgetisnull(r->result, (int)row, column);
}

/* bytea comes as hex text and is given as its bytes, decoded once. */
static struct mu_span bytes_of(const struct mu_rows *rows, size_t row, int column)
{
    struct mu_rows *r;
    memcpy(&r, &rows, sizeof(r)); /* the cache of decoded values is no change that a reader can see */
    size_t columns = (size_t)PQnfields(r->result), cell = row * columns + (size_t)column;
    if (!r->bytes) {
        r->bytes = calloc(mu_rows_count(r) * columns, sizeof(*r->bytes));
        r->lengths = calloc(mu_rows_count(r) * columns, sizeof(*r->lengths));
    }
    if (!r->bytes || !r->lengths)
        return mu_span("", 0);
    if (!r->bytes[cell])
        r->bytes[cell] = (char *)PQunescapeBytea((const unsigned char *)PQgetvalue(r->result, (int)row, column), &r->lengths[cell]);
    return mu_span(r->bytes[cell], r->bytes[cell] ? r->lengths[cell] : 0);
}

struct mu_span mu_row_span(const struct mu_rows *r, size_t row, int column)
{
    if (PQftype(r->result, column) == OID_BYTEA && !mu_row_null(r, row, column))
        return bytes_of(r, row, column);
    return mu_span(PQgetvalue(r->result, (int)row, column), (size_t)PQgetlength(r->result, (int)row, column));
}

const char *mu_row_text(const struct mu_rows *r, size_t row, int column)
{
    return PQgetvalue(r->result, (int)row, column);
}

int64_t mu_row_i64(const struct mu_rows *r, size_t row, int column)
{
    int64_t value = 0;
    if (!mu_parse_i64(mu_span_of(PQgetvalue(r->result, (int)row, column)), INT64_MIN, INT64_MAX, &value))
        return 0;
    return value;
}

bool mu_row_bool(const struct mu_rows *r, size_t row, int column)
{
    return PQgetvalue(r->result, (int)row, column)[0] == 't';
}

bool mu_row_id(const struct mu_rows *r, size_t row, int column, struct mu_id *out)
{
    return mu_id_parse(mu_span_of(PQgetvalue(r->result, (int)row, column)), out);
}
