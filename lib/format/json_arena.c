/* SPDX-License-Identifier: Apache-2.0 */
#include "format/json_arena.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ON_HEAP 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define ON_HEAP 1
#endif
#endif
#ifndef ON_HEAP
#define ON_HEAP 0
#endif

#define ARENAS_MAX 8
#define RESERVED ((size_t)1 << 30) /* addresses, not memory */
#define ALIGN 16

struct mu_json_arena {
    char *base;
    size_t used, touched, kept;
    size_t slot;
    json_t **docs; /* with a sanitizer: what must be freed before a reset */
    size_t count, room;
};

/* Where arenas lie, so that a free of what is in one is told from others; a slot is written once by its owner. */
static _Atomic(char *) places[ARENAS_MAX];
static _Thread_local struct mu_json_arena *current; /* being parsed into */

static bool in_an_arena(const char *p)
{
    for (size_t i = 0; i < ARENAS_MAX; i++) {
        const char *base = atomic_load_explicit(&places[i], memory_order_relaxed);
        if (base && p >= base && p < base + RESERVED)
            return true;
    }
    return false;
}

static void *take(size_t size)
{
    struct mu_json_arena *a = current;
    size_t rounded = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (!a || rounded < size || rounded > RESERVED - a->used)
        return malloc(size); /* a full arena is no failure */
    void *at = a->base + a->used;
    a->used += rounded;
    return at;
}

static void give_back(void *p)
{
    if (p && !in_an_arena(p))
        free(p);
}

static void use_our_memory(void)
{
    json_set_alloc_funcs(take, give_back);
}

bool mu_json_arena_new(struct mu_json_arena **out, size_t kept_bytes, struct mu_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    MU_AUTO(mu_json_arena_free) struct mu_json_arena *a = calloc(1, sizeof(*a));
    if (!a)
        return mu_fail(err, MU_BROKEN, "out of memory");
    a->slot = ARENAS_MAX;
    a->kept = kept_bytes & ~(size_t)0xffff; /* whole pages of any size */
    if (!ON_HEAP) {
        void *at = mmap(NULL, RESERVED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at == MAP_FAILED)
            return mu_fail(err, MU_BROKEN, "out of addresses for parsed documents");
        a->base = at;
        for (size_t i = 0; i < ARENAS_MAX && a->slot == ARENAS_MAX; i++) {
            char *none = NULL;
            if (atomic_compare_exchange_strong(&places[i], &none, a->base))
                a->slot = i;
        }
        if (a->slot == ARENAS_MAX)
            return mu_fail(err, MU_BROKEN, "more than %d arenas", ARENAS_MAX);
        pthread_once(&once, use_our_memory);
    }
    *out = MU_GIVE(a);
    return true;
}

static bool remember(struct mu_json_arena *a, json_t *doc)
{
    if (a->count == a->room) {
        size_t room = a->room ? a->room * 2 : 64;
        json_t **grown = realloc(a->docs, room * sizeof(json_t *));
        if (!grown)
            return false;
        a->docs = grown;
        a->room = room;
    }
    a->docs[a->count++] = json_incref(doc);
    return true;
}

bool mu_json_arena_parse(struct mu_json_arena *a, json_t **out, struct mu_span bytes, size_t max_bytes, struct mu_error *err)
{
    json_t *doc = NULL;
    current = ON_HEAP ? NULL : a;
    bool parsed = mu_json_parse(&doc, bytes, max_bytes, err);
    current = NULL;
    if (!parsed)
        return false;
    if (ON_HEAP && a && !remember(a, doc)) {
        json_decref(doc);
        return mu_fail(err, MU_BROKEN, "out of memory");
    }
    *out = doc;
    return true;
}

void mu_json_arena_drop(struct mu_json_arena *a, json_t *doc)
{
    if (ON_HEAP || !a)
        json_decref(doc);
}

void mu_json_arena_reset(struct mu_json_arena *a)
{
    for (size_t i = 0; i < a->count; i++) {
        assert(a->docs[i]->refcount == 1); /* somebody kept what is gone in other builds */
        json_decref(a->docs[i]);
    }
    a->count = 0;
    if (a->used > a->touched)
        a->touched = a->used;
    if (a->touched > a->kept) {
        madvise(a->base + a->kept, a->touched - a->kept, MADV_DONTNEED);
        a->touched = a->kept;
    }
    a->used = 0;
}

void mu_json_arena_free(struct mu_json_arena *a)
{
    if (!a)
        return;
    mu_json_arena_reset(a);
    if (a->slot < ARENAS_MAX)
        atomic_store(&places[a->slot], NULL);
    if (a->base)
        munmap(a->base, RESERVED);
    free(a->docs);
    free(a);
}
