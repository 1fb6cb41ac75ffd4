/* SPDX-License-Identifier: Apache-2.0 */
/* The few words every file of muster is written with: spans of bytes that are not ours, results that must be
 * looked at, scope-bound cleanup, and a ban on the string functions that cut or overrun silently. */
#ifndef MU_BASE_H
#define MU_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MU_MUST __attribute__((warn_unused_result))
#define MU_PRINTF(fmt_at, args_at) __attribute__((format(printf, fmt_at, args_at)))
#define MU_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* MU_AUTO(fn) T *p: fn(p) runs when p leaves its block. MU_DEFINE_AUTO stands beside each fn. */
#define MU_AUTO(fn) __attribute__((cleanup(fn##_auto)))
#define MU_DEFINE_AUTO(type, fn)                                                                                   \
    static inline void fn##_auto(type **p)                                                                         \
    {                                                                                                              \
        fn(*p);                                                                                                    \
    }
/* The same for structs in the caller's storage: fn gets the address of the variable. */
#define MU_DEFINE_AUTO_VALUE(type, fn)                                                                             \
    static inline void fn##_auto(type *p)                                                                          \
    {                                                                                                              \
        fn(p);                                                                                                     \
    }
/* Hands the pointer on and disarms its cleanup. */
#define MU_GIVE(p)                                                                                                 \
    __extension__({                                                                                                \
        __typeof__(p) mu_given_ = (p);                                                                             \
        (p) = NULL;                                                                                                \
        mu_given_;                                                                                                 \
    })

/* Bytes that belong to somebody else; never assumed to end in NUL. */
struct mu_span {
    const char *at;
    size_t len;
};

static inline struct mu_span mu_span_of(const char *text)
{
    return (struct mu_span){text, text ? strlen(text) : 0};
}

static inline struct mu_span mu_span(const char *at, size_t len)
{
    return (struct mu_span){at, len};
}

static inline bool mu_span_equal(struct mu_span a, struct mu_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool mu_span_is(struct mu_span a, const char *text)
{
    return mu_span_equal(a, mu_span_of(text));
}

/* Order by bytes, then by length: the canonical order of everything that muster sorts. */
static inline int mu_span_compare(struct mu_span a, struct mu_span b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter ? memcmp(a.at, b.at, shorter) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static inline void mu_free(void *p)
{
    free(p);
}
static inline void mu_free_auto(void *p)
{
    free(*(void **)p);
}

/* Copies NUL-terminated text into a fixed array; false (and an empty string) if it does not fit. */
MU_MUST static inline bool mu_copy_text(char *to, size_t size, struct mu_span from)
{
    to[0] = '\0';
    if (from.len >= size || (from.len && memchr(from.at, '\0', from.len)))
        return false;
    if (from.len)
        memcpy(to, from.at, from.len);
    to[from.len] = '\0';
    return true;
}

/* These either overrun, cut silently, or hide a failure. clang warns where one is a macro: undefine first. */
#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#pragma GCC poison sprintf strcpy strcat strncpy strncat strtok atoi atol atof gets

#endif
