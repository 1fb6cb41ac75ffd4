/* SPDX-License-Identifier: Apache-2.0 */
/* Bound parameters in binary form: large arrays without quoting, parsing or copies on the way. */
#include "outside/store_inside.h"

#include <arpa/inet.h>
#include <assert.h>

/* Object ids of PostgreSQL's built-in types; fixed for ever by its catalogue. */
enum {
    OID_BOOL = 16, OID_BYTEA = 17, OID_INT8 = 20, OID_INT4 = 23, OID_TEXT = 25, OID_TIMESTAMPTZ = 1184, OID_UUID = 2950,
    OID_BOOLS = 1000, OID_BYTEAS = 1001, OID_INT4S = 1007, OID_TEXTS = 1009, OID_INT8S = 1016, OID_TIMESTAMPTZS = 1185,
    OID_UUIDS = 2951,
};
/* Its timestamps count from 2000-01-01. */
#define EPOCH_2000_US INT64_C(946684800000000)

struct mu_args *mu_args_new(void)
{
    struct mu_args *a = calloc(1, sizeof(*a));
    if (a)
        a->bytes.ceiling = (size_t)512 << 20;
    return a;
}

void mu_args_free(struct mu_args *a)
{
    if (!a)
        return;
    mu_text_free(&a->bytes);
    free(a);
}

void mu_args_reset(struct mu_args *a)
{
    mu_text_reset(&a->bytes);
    a->count = 0;
}

static void put_raw(struct mu_args *a, const void *bytes, size_t len)
{
    mu_text_add(&a->bytes, mu_span(bytes, len));
}

static void put32(struct mu_args *a, int32_t value)
{
    uint32_t big = htonl((uint32_t)value);
    put_raw(a, &big, sizeof(big));
}

static void put64(struct mu_args *a, int64_t value)
{
    put32(a, (int32_t)((uint64_t)value >> 32));
    put32(a, (int32_t)(uint32_t)(uint64_t)value);
}

static void open_arg(struct mu_args *a, Oid type)
{
    assert(a->count < STORE_ARGS_MAX);
    a->arg[a->count].at = a->bytes.len;
    a->arg[a->count].type = type;
    a->arg[a->count].null = false;
    a->arg[a->count].binary = true;
}

static void close_arg(struct mu_args *a)
{
    a->arg[a->count].len = a->bytes.len - a->arg[a->count].at;
    put_raw(a, "", 1); /* text parameters end in NUL; binary ones do not mind */
    a->count++;
}

void mu_arg_null(struct mu_args *a)
{
    open_arg(a, 0);
    a->arg[a->count].null = true;
    close_arg(a);
}

void mu_arg_text(struct mu_args *a, struct mu_span text)
{
    open_arg(a, 0); /* the statement decides the type: text, or what is read from text */
    a->arg[a->count].binary = false;
    put_raw(a, text.at, text.len);
    close_arg(a);
}

void mu_arg_bytes(struct mu_args *a, struct mu_span bytes)
{
    open_arg(a, OID_BYTEA);
    put_raw(a, bytes.at, bytes.len);
    close_arg(a);
}

void mu_arg_i64(struct mu_args *a, int64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%lld", (long long)value);
    mu_arg_text(a, mu_span(text, (size_t)len)); /* fits int and bigint alike */
}

void mu_arg_bool(struct mu_args *a, bool value)
{
    mu_arg_text(a, mu_span_of(value ? "t" : "f"));
}

void mu_arg_id(struct mu_args *a, struct mu_id id)
{
    open_arg(a, OID_UUID);
    put_raw(a, id.b, sizeof(id.b));
    close_arg(a);
}

void mu_arg_time_us(struct mu_args *a, int64_t wall_us)
{
    open_arg(a, OID_TIMESTAMPTZ);
    put64(a, wall_us - EPOCH_2000_US);
    close_arg(a);
}

void mu_arg_array_begin(struct mu_args *a, enum mu_array kind)
{
    static const Oid types[][2] = {
        [MU_ARRAY_TEXT] = {OID_TEXTS, OID_TEXT}, [MU_ARRAY_BYTES] = {OID_BYTEAS, OID_BYTEA},
        [MU_ARRAY_I64] = {OID_INT8S, OID_INT8}, [MU_ARRAY_I32] = {OID_INT4S, OID_INT4},
        [MU_ARRAY_BOOL] = {OID_BOOLS, OID_BOOL}, [MU_ARRAY_ID] = {OID_UUIDS, OID_UUID},
        [MU_ARRAY_TIME] = {OID_TIMESTAMPTZS, OID_TIMESTAMPTZ}};
    open_arg(a, types[kind][0]);
    a->head = a->bytes.len;
    a->elements = 0;
    a->has_null = false;
    put32(a, 1); /* dimensions */
    put32(a, 0); /* has nulls: set at the end */
    put32(a, (int32_t)types[kind][1]);
    put32(a, 0); /* elements: set at the end */
    put32(a, 1); /* lower bound */
}

static void element(struct mu_args *a, const void *bytes, size_t len)
{
    put32(a, (int32_t)len);
    put_raw(a, bytes, len);
    a->elements++;
}

void mu_arg_array_null(struct mu_args *a)
{
    put32(a, -1);
    a->elements++;
    a->has_null = true;
}

void mu_arg_array_text(struct mu_args *a, struct mu_span text)
{
    element(a, text.at ? text.at : "", text.len);
}

void mu_arg_array_bytes(struct mu_args *a, struct mu_span bytes)
{
    element(a, bytes.at ? bytes.at : "", bytes.len);
}

/* The kind of the array says how wide a number is. */
static bool is_wide(const struct mu_args *a)
{
    return a->arg[a->count].type == OID_INT8S;
}

void mu_arg_array_i64(struct mu_args *a, int64_t value)
{
    put32(a, is_wide(a) ? 8 : 4);
    if (is_wide(a))
        put64(a, value);
    else
        put32(a, (int32_t)value);
    a->elements++;
}

void mu_arg_array_bool(struct mu_args *a, bool value)
{
    char byte = value ? 1 : 0;
    element(a, &byte, 1);
}

void mu_arg_array_id(struct mu_args *a, struct mu_id id)
{
    element(a, id.b, sizeof(id.b));
}

void mu_arg_array_time_us(struct mu_args *a, int64_t wall_us)
{
    put32(a, 8);
    put64(a, wall_us - EPOCH_2000_US);
    a->elements++;
}

void mu_arg_array_end(struct mu_args *a)
{
    if (!a->bytes.failed) {
        uint32_t nulls = htonl(a->has_null), count = htonl((uint32_t)a->elements);
        if (!a->elements) { /* an empty array has no dimension */
            uint32_t none = 0;
            memcpy(a->bytes.at + a->head, &none, sizeof(none));
            mu_text_cut(&a->bytes, a->head + 12);
        } else {
            memcpy(a->bytes.at + a->head + 12, &count, sizeof(count));
        }
        memcpy(a->bytes.at + a->head + 4, &nulls, sizeof(nulls));
    }
    close_arg(a);
}
