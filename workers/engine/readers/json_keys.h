/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of a record's objects, to find one that stands there twice: a hash table that is emptied by
 * counting on. */
#ifndef MU_JSON_KEYS_H
#define MU_JSON_KEYS_H

#include "base/base.h"

struct json_keys {
    struct json_keys_slot *slots; /* a power of two; NULL before the first key */
    size_t size, used;
    uint32_t record; /* slots of earlier ones are empty */
};

enum json_keys_put { JSON_KEYS_NEW, JSON_KEYS_TWICE, JSON_KEYS_MEMORY };

void json_keys_clear(struct json_keys *k);
/* `object` numbers the record's objects. The key is borrowed until the next clear. */
enum json_keys_put json_keys_put(struct json_keys *k, uint32_t object, struct mu_span key, uint32_t hash);
void json_keys_fini(struct json_keys *k);

#endif
