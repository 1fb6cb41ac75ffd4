/* SPDX-License-Identifier: Apache-2.0 */
/* Takes one JSON object apart, in one pass over its bytes and without building anything: strict JSON (no key
 * twice, no half surrogates, nothing deeper than 64 levels), and the values of the pack's columns. A number's
 * value is its text as written, a boolean's `true` or `false`; null is not there; a container where a value
 * is wanted is invalid. */
#ifndef MU_JSON_RECORD_H
#define MU_JSON_RECORD_H

#include "engine/readers/json_tree.h"
#include "engine/readers/values.h"

#define JSON_DEPTH_MAX 64

enum json_taken {
    JSON_WHOLE,  /* an object; the values are in place */
    JSON_CUT,    /* the bytes end before the object does */
    JSON_BAD,    /* json_record_fault says why */
    JSON_FIELDS, /* more keys than the limit */
    JSON_MEMORY,
};

struct json_record;
/* `values` is borrowed for life. `texts_only`: numbers and containers are faults (records in a message). */
MU_MUST bool json_record_open(struct json_record **out, const struct mu_reader_setup *setup,
                              const struct values *values, bool texts_only, struct mu_error *err);
/* The object that begins at the first byte; *used is its length, or where the fault is. */
enum json_taken json_record_take(struct json_record *j, struct mu_span bytes, size_t *used);
/* By column; borrowed from the bytes until the next object. */
const struct mu_value *json_record_values(const struct json_record *j);
const char *json_record_fault(const struct json_record *j);
void json_record_free(struct json_record *j);
MU_DEFINE_AUTO(struct json_record, json_record_free)

#endif
