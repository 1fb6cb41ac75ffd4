/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/rules/distinct.h"

#include "engine/rules/hash.h"

static struct mu_span *slot_of(struct mu_span *slots, size_t room, struct mu_span text)
{
    size_t at = mu_hash_bytes(text) & (room - 1);
    while (slots[at].at && !mu_span_equal(slots[at], text))
        at = (at + 1) & (room - 1);
    return &slots[at];
}

static bool grow(struct mu_distinct *d, struct mu_pool *pool)
{
    const size_t room = d->room ? d->room * 2 : 8;
    struct mu_span *slots = mu_pool_get(pool, room * sizeof(*slots));
    if (!slots)
        return false;
    for (size_t i = 0; i < d->room; i++)
        if (d->slots[i].at)
            *slot_of(slots, room, d->slots[i]) = d->slots[i];
    d->slots = slots;
    d->room = room;
    return true;
}

bool mu_distinct_add(struct mu_distinct *d, struct mu_span text, struct mu_pool *pool, bool *fresh)
{
    if (d->count * 2 >= d->room && !grow(d, pool))
        return false;
    struct mu_span *slot = slot_of(d->slots, d->room, text);
    *fresh = slot->at == NULL;
    if (!*fresh)
        return true;
    const char *copy = mu_pool_text(pool, text);
    if (!copy)
        return false;
    *slot = mu_span(copy, text.len);
    d->count++;
    return true;
}

static int by_bytes(const void *a, const void *b)
{
    return mu_span_compare(*(const struct mu_span *)a, *(const struct mu_span *)b);
}

void mu_distinct_sorted(const struct mu_distinct *d, struct mu_span *out)
{
    size_t count = 0;
    for (size_t i = 0; i < d->room; i++)
        if (d->slots[i].at)
            out[count++] = d->slots[i];
    if (count)
        qsort(out, count, sizeof(*out), by_bytes);
}
