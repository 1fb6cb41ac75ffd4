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

static bool is_binary(const struct mu_rows *r, int column)
{
    return PQfformat(r->result, column) == 1;
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
    if (!is_binary(r, column) && PQftype(r->result, column) == OID_BYTEA && !mu_row_null(r, row, column))
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
    if (is_binary(r, column)) { /* int or bigint, in network order */
        const uint8_t *at = (const uint8_t *)PQgetvalue(r->result, (int)row, column);
        int len = PQgetlength(r->result, (int)row, column);
        uint64_t bits = len && at[0] & 0x80 ? UINT64_MAX : 0;
        for (int i = 0; i < len; i++)
            bits = bits << 8 | at[i];
        return (int64_t)bits;
    }
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
    if (is_binary(r, column)) {
        if (PQgetlength(r->result, (int)row, column) != (int)sizeof(out->b))
            return false;
        memcpy(out->b, PQgetvalue(r->result, (int)row, column), sizeof(out->b));
        return true;
    }
    return mu_id_parse(mu_span_of(PQgetvalue(r->result, (int)row, column)), out);
}
