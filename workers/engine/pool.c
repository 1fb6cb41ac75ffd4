/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pool.h"

#include <stdalign.h>

#define BLOCK_BYTES 8192

struct block {
    struct block *next;
    size_t used, size;
    alignas(max_align_t) char bytes[];
};

struct mu_pool {
    struct block *blocks; /* the first is the one that is being filled */
    size_t given, ceiling;
};

struct mu_pool *mu_pool_new(size_t ceiling)
{
    struct mu_pool *pool = calloc(1, sizeof(*pool));
    if (pool)
        pool->ceiling = ceiling;
    return pool;
}

void *mu_pool_get(struct mu_pool *pool, size_t size)
{
    const size_t align = alignof(max_align_t);
    if (size > pool->ceiling)
        return NULL;
    size = (size + align - 1) / align * align;
    if (size > pool->ceiling - pool->given)
        return NULL;
    struct block *b = pool->blocks;
    if (!b || b->size - b->used < size) {
        size_t room = size > BLOCK_BYTES / 2 ? size : BLOCK_BYTES;
        b = calloc(1, sizeof(*b) + room);
        if (!b)
            return NULL;
        b->size = room;
        if (pool->blocks &&
            size > BLOCK_BYTES / 2) { /* a large piece has its own block; go on filling the other */
            b->next = pool->blocks->next;
            pool->blocks->next = b;
        } else {
            b->next = pool->blocks;
            pool->blocks = b;
        }
    }
    void *at = b->bytes + b->used;
    b->used += size;
    pool->given += size;
    return at;
}

void *mu_pool_more(struct mu_pool *pool, void *items, size_t count, size_t *room, size_t size)
{
    const size_t wider = *room ? *room * 2 : 16;
    if (count < *room)
        return items;
    void *more = mu_pool_get(pool, wider * size);
    if (!more)
        return NULL;
    if (count)
        memcpy(more, items, count * size);
    *room = wider;
    return more;
}

char *mu_pool_text(struct mu_pool *pool, struct mu_span text)
{
    char *copy = mu_pool_get(pool, text.len + 1);
    if (copy && text.len)
        memcpy(copy, text.at, text.len);
    return copy;
}

void mu_pool_free(struct mu_pool *pool)
{
    if (!pool)
        return;
    for (struct block *b = pool->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(pool);
}
