/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/readers/json_keys.h"

#define FIRST_SIZE 64

struct json_keys_slot {
    uint32_t record, object, hash;
    struct mu_span key;
};

void json_keys_clear(struct json_keys *k)
{
    k->used = 0;
    if (++k->record)
        return;
    if (k->slots)
        memset(k->slots, 0, k->size * sizeof(*k->slots));
    k->record = 1;
}

/* The slot of the key, or the empty one where it belongs. */
static struct json_keys_slot *find(const struct json_keys *k, uint32_t object, struct mu_span key,
                                   uint32_t hash)
{
    for (size_t i = hash + object * UINT32_C(0x9E3779B1);; i++) {
        struct json_keys_slot *s = &k->slots[i & (k->size - 1)];
        if (s->record != k->record || (s->hash == hash && s->object == object && mu_span_equal(s->key, key)))
            return s;
    }
}

static bool grow(struct json_keys *k)
{
    struct json_keys bigger = {
        .size = k->size ? k->size * 2 : FIRST_SIZE, .used = k->used, .record = k->record};
    bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < k->size; i++) {
        const struct json_keys_slot *s = &k->slots[i];
        if (s->record == k->record)
            *find(&bigger, s->object, s->key, s->hash) = *s;
    }
    free(k->slots);
    *k = bigger;
    return true;
}

enum json_keys_put json_keys_put(struct json_keys *k, uint32_t object, struct mu_span key, uint32_t hash)
{
    if (k->used * 2 >= k->size && !grow(k))
        return JSON_KEYS_MEMORY;
    struct json_keys_slot *s = find(k, object, key, hash);
    if (s->record == k->record)
        return JSON_KEYS_TWICE;
    *s = (struct json_keys_slot){k->record, object, hash, key};
    k->used++;
    return JSON_KEYS_NEW;
}

void json_keys_fini(struct json_keys *k)
{
    free(k->slots);
    k->slots = NULL;
}
