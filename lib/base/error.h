/* SPDX-License-Identifier: Apache-2.0 */
/* What went wrong, in the caller's own storage: nothing is allocated on the way out, and the first failure wins.
 * A fault is named after what has to happen next; one switch per program decides what that is. */
#ifndef MU_ERROR_H
#define MU_ERROR_H

#include "base/base.h"

#include <stdarg.h>

enum mu_fault {
    MU_OK = 0,
    MU_REJECTED,    /* what was asked is wrong; asking again will not help */
    MU_UNAVAILABLE, /* a service is silent; the same may work later */
    MU_LOST,        /* somebody else owns it now */
    MU_BROKEN,      /* this build or this machine */
};

struct mu_error {
    enum mu_fault fault;
    char code[28];     /* a word of PROTOCOL's lists ("invalid", "source_missing"); "" if none applies */
    char pointer[200]; /* JSON Pointer of the place in a document, or "" */
    char text[320];    /* what happened and where, for people; cut at the end with "…" if longer */
    char hint[200];    /* what to do about it, or "" */
};

/* All return false, so that a failing function can end in `return mu_fail(...)`. If *err already holds a fault
 * it is kept: the first failure is the cause. err may be NULL. */
bool mu_fail(struct mu_error *err, enum mu_fault fault, const char *fmt, ...) MU_PRINTF(3, 4);
bool mu_reject(struct mu_error *err, const char *code, const char *pointer, const char *fmt, ...) MU_PRINTF(4, 5);
/* A failure with a code of its own: `code` is copied (cut to the field). */
bool mu_fail_code(struct mu_error *err, enum mu_fault fault, const char *code, const char *fmt, ...)
    MU_PRINTF(4, 5);
/* Puts "fmt: " before the text that is there; code, pointer and hint stay. */
bool mu_while(struct mu_error *err, const char *fmt, ...) MU_PRINTF(2, 3);
/* Puts `prefix` before the pointer that is there: a caller knows where the part stood in the whole. */
bool mu_under(struct mu_error *err, const char *prefix);
/* Sets the hint unless there is one already. */
bool mu_hint(struct mu_error *err, const char *fmt, ...) MU_PRINTF(2, 3);

void mu_error_clear(struct mu_error *err);
const char *mu_fault_name(enum mu_fault fault);

#endif
