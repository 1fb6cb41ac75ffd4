/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include "base/text.h"

/* A precision ("%.60s") counts bytes: what it leaves of a character goes, and so do bytes that never were one. */
static void drop_broken(char *text)
{
    size_t bad;
    while (!mu_utf8_valid(mu_span_of(text), &bad))
        memmove(text + bad, text + bad + 1, strlen(text + bad));
}

/* Formats into a fixed field; what does not fit ends in an ellipsis, so that a cut is seen to be one. */
static void fill(char *to, size_t size, const char *fmt, va_list args)
{
    static const char ellipsis[] = "\xe2\x80\xa6";
    int need = vsnprintf(to, size, fmt, args);
    if (need < 0 || (size_t)need < size) {
        drop_broken(to);
        return;
    }
    size_t at = size - sizeof(ellipsis);
    while (at > 0 && ((unsigned char)to[at] & 0xC0) == 0x80) /* not inside a character */
        at--;
    memcpy(to + at, ellipsis, sizeof(ellipsis));
    drop_broken(to);
}

static void fill_from(char *to, size_t size, const char *fmt, ...) MU_PRINTF(3, 4);
static void fill_from(char *to, size_t size, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fill(to, size, fmt, args);
    va_end(args);
}

static bool take(struct mu_error *err, enum mu_fault fault, const char *code, const char *pointer, const char *fmt,
                 va_list args)
{
    if (!err || err->fault != MU_OK)
        return false;
    mu_error_clear(err);
    err->fault = fault;
    fill_from(err->code, sizeof(err->code), "%s", code ? code : "");
    fill_from(err->pointer, sizeof(err->pointer), "%s", pointer ? pointer : "");
    fill(err->text, sizeof(err->text), fmt, args);
    return false;
}

bool mu_fail(struct mu_error *err, enum mu_fault fault, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    take(err, fault, NULL, NULL, fmt, args);
    va_end(args);
    return false;
}

bool mu_reject(struct mu_error *err, const char *code, const char *pointer, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    take(err, MU_REJECTED, code, pointer, fmt, args);
    va_end(args);
    return false;
}

bool mu_fail_code(struct mu_error *err, enum mu_fault fault, const char *code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    take(err, fault, code, NULL, fmt, args);
    va_end(args);
    return false;
}

bool mu_while(struct mu_error *err, const char *fmt, ...)
{
    if (!err || err->fault == MU_OK)
        return false;
    char old[sizeof(err->text)];
    memcpy(old, err->text, sizeof(old));
    va_list args;
    va_start(args, fmt);
    fill(err->text, sizeof(err->text), fmt, args);
    va_end(args);
    size_t len = strlen(err->text);
    fill_from(err->text + len, sizeof(err->text) - len, ": %s", old);
    return false;
}

bool mu_under(struct mu_error *err, const char *prefix)
{
    if (!err || err->fault == MU_OK)
        return false;
    char old[sizeof(err->pointer)];
    memcpy(old, err->pointer, sizeof(old));
    fill_from(err->pointer, sizeof(err->pointer), "%s%s", prefix, old);
    return false;
}

bool mu_hint(struct mu_error *err, const char *fmt, ...)
{
    if (!err || err->fault == MU_OK || err->hint[0])
        return false;
    va_list args;
    va_start(args, fmt);
    fill(err->hint, sizeof(err->hint), fmt, args);
    va_end(args);
    return false;
}

void mu_error_clear(struct mu_error *err)
{
    if (!err)
        return;
    err->fault = MU_OK;
    err->code[0] = err->pointer[0] = err->text[0] = err->hint[0] = '\0';
}

const char *mu_fault_name(enum mu_fault fault)
{
    switch (fault) {
    case MU_OK:
        return "ok";
    case MU_REJECTED:
        return "rejected";
    case MU_UNAVAILABLE:
        return "unavailable";
    case MU_LOST:
        return "lost";
    case MU_BROKEN:
        return "broken";
    }
    return "unknown";
}
