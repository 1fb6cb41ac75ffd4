/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/checks/pattern.h"

#include "base/text.h"
#include "engine/check.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define DEPTH_MAX 32 /* groups in groups */
#define REPEAT_MAX 512
#define MATCH_LIMIT 200000    /* attempts */
#define BACKTRACK_LIMIT 20000 /* of them open at a time */
#define HEAP_LIMIT_KIB 8192

/* Memory of pcre2: it asks for a few blocks and gives some back; what it gives back is used again, because
 * the pool itself takes nothing back. */
struct block {
    struct block *next;
    size_t size;
};

struct mu_pattern {
    struct mu_pool *pool;
    struct block *idle;
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *limits;
};

/* Where the syntax check stands. */
struct walk {
    struct mu_span text;
    size_t at;
    int depth;
    const char *what;
};

static bool wrong(struct walk *w, const char *what)
{
    w->what = what;
    return false;
}

static bool ended(const struct walk *w)
{
    return w->at >= w->text.len;
}

static bool next_is(const struct walk *w, char c)
{
    return !ended(w) && w->text.at[w->at] == c;
}

static bool is_punctuation(char c)
{
    return c > ' ' && c < 0x7f && !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') &&
           !(c >= 'A' && c <= 'Z');
}

/* One character, escaped or not; *c is its code point as far as ASCII goes, else the first byte. */
static bool character(struct walk *w, unsigned *c)
{
    if (next_is(w, '\\')) {
        w->at++;
        if (ended(w) || !is_punctuation(w->text.at[w->at]))
            return wrong(w, "a backslash stands only before punctuation");
    }
    *c = (uint8_t)w->text.at[w->at];
    if (*c < ' ' || *c == 0x7f)
        return wrong(w, "a control character");
    if (*c >= 0x80) {
        int more = *c >= 0xf0 ? 3 : *c >= 0xe0 ? 2 : 1;
        *c &= 0xffu >> (more + 2);
        for (; more > 0; more--)
            *c = *c << 6 | ((uint8_t)w->text.at[++w->at] & 0x3fu);
    }
    w->at++;
    return true;
}

/* After '['. What begins and ends with one of .:= (the end escaped or not) is POSIX syntax to pcre2. */
static bool class(struct walk *w)
{
    char first = ended(w) ? '\0' : w->text.at[w->at];
    size_t start = w->at;
    if (next_is(w, '^'))
        w->at++;
    if (next_is(w, ']'))
        return wrong(w, "an empty class; a bracket in a class needs a backslash");
    while (!ended(w) && !next_is(w, ']')) {
        unsigned from, to;
        if (next_is(w, '[') || next_is(w, '-') || next_is(w, '^'))
            return wrong(w, "'[', '^' and '-' need a backslash in a class");
        if (!character(w, &from))
            return false;
        if (!next_is(w, '-'))
            continue;
        w->at++;
        if (ended(w) || next_is(w, ']') || next_is(w, '[') || next_is(w, '-'))
            return wrong(w, "a range without its end; '-' in a class needs a backslash");
        if (!character(w, &to))
            return false;
        if (to < from)
            return wrong(w, "a range that runs backwards");
    }
    if (ended(w))
        return wrong(w, "a class is not closed");
    if ((first == '.' || first == ':' || first == '=') && w->at > start + 1 && w->text.at[w->at - 1] == first)
        return wrong(w,
                     "a class that begins and ends with '.', ':' or '=' needs a backslash at its beginning");
    w->at++;
    return true;
}

static bool number(struct walk *w, unsigned *out)
{
    size_t digits = 0;
    *out = 0;
    for (; !ended(w) && w->text.at[w->at] >= '0' && w->text.at[w->at] <= '9' && digits < 4; digits++)
        *out = *out * 10 + (unsigned)(w->text.at[w->at++] - '0');
    if (digits == 0)
        return wrong(w, "a repetition is {m} or {m,n}");
    return *out <= REPEAT_MAX || wrong(w, "a repetition goes up to 512");
}

/* After something that may be repeated */
static bool repetition(struct walk *w)
{
    unsigned from, to;
    if (next_is(w, '*') || next_is(w, '+') || next_is(w, '?')) {
        w->at++;
    } else if (next_is(w, '{')) {
        w->at++;
        if (!number(w, &from))
            return false;
        to = from;
        if (next_is(w, ',')) {
            w->at++;
            if (!number(w, &to))
                return false;
        }
        if (!next_is(w, '}'))
            return wrong(w, "a repetition is {m} or {m,n}");
        if (to < from)
            return wrong(w, "a repetition that runs backwards");
        w->at++;
    }
    if (next_is(w, '*') || next_is(w, '+') || next_is(w, '?') || next_is(w, '{'))
        return wrong(w, "nothing to repeat");
    return true;
}

/* Branches up to the end or to the ')' of the group that they stand in; a loop with a count instead of
 * recursion. */
static bool branches(struct walk *w)
{
    unsigned c;
    while (!ended(w)) {
        switch (w->text.at[w->at]) {
        case '(':
            if (++w->depth > DEPTH_MAX)
                return wrong(w, "groups too deep");
            w->at++;
            if (next_is(w, '?') || next_is(w, '*') || next_is(w, '+') || next_is(w, '{'))
                return wrong(w, "nothing to repeat");
            continue;
        case ')':
            if (--w->depth < 0)
                return wrong(w, "a ')' without its '('");
            w->at++;
            break;
        case '|':
            w->at++;
            if (next_is(w, '?') || next_is(w, '*') || next_is(w, '+') || next_is(w, '{'))
                return wrong(w, "nothing to repeat");
            continue;
        case '[':
            w->at++;
            if (!class(w))
                return false;
            break;
        case '.':
            w->at++;
            break;
        case '^':
        case '$':
            return wrong(w, "'^' and '$' need a backslash: a pattern matches the whole text anyway");
        case '*':
        case '+':
        case '?':
        case '{':
            return wrong(w, "nothing to repeat");
        case ']':
        case '}':
            return wrong(w, "']' and '}' need a backslash");
        default:
            if (!character(w, &c))
                return false;
        }
        if (!repetition(w))
            return false;
    }
    return w->depth == 0 || wrong(w, "a group is not closed");
}

bool mu_pattern_check(struct mu_span text, size_t *at, const char **what)
{
    struct walk w = {.text = text};
    bool good = text.len <= MU_PATTERN_MAX ? true : wrong(&w, "longer than 1024 bytes");
    if (good && !mu_utf8_valid(text, &w.at))
        good = wrong(&w, "not UTF-8");
    if (good) {
        w.at = 0;
        good = branches(&w);
    }
    if (!good) {
        *at = w.at;
        *what = w.what;
    }
    return good;
}

static void *take(size_t size, void *pattern)
{
    struct mu_pattern *p = pattern;
    for (struct block **b = &p->idle; *b; b = &(*b)->next) {
        if ((*b)->size >= size) {
            struct block *found = *b;
            *b = found->next;
            return found + 1;
        }
    }
    struct block *made = mu_pool_get(p->pool, sizeof *made + size);
    if (!made)
        return NULL;
    made->size = size;
    return made + 1;
}

static void give_back(void *memory, void *pattern)
{
    struct mu_pattern *p = pattern;
    if (!memory)
        return;
    struct block *b = (struct block *)memory - 1;
    b->next = p->idle;
    p->idle = b;
}

static bool compile(struct mu_pattern *p, struct mu_span text, const char *pointer, struct mu_error *err)
{
    int code;
    PCRE2_SIZE at;
    /* the general context is copied into what is made with it */
    pcre2_general_context *memory = pcre2_general_context_create(take, give_back, p);
    pcre2_compile_context *context = memory ? pcre2_compile_context_create(memory) : NULL;
    if (!context)
        return mu_fail(err, MU_BROKEN, "no memory left for the rules of the pack");
    p->code = pcre2_compile((PCRE2_SPTR)text.at, text.len,
                            PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOTALL |
                                PCRE2_NO_AUTO_CAPTURE | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_START_OPTIMIZE,
                            &code, &at, context);
    if (!p->code && code == PCRE2_ERROR_HEAP_FAILED)
        return mu_fail(err, MU_BROKEN, "no memory left for the rules of the pack");
    if (!p->code)
        return mu_reject(err, "invalid", pointer, "the pattern is too large at its character %zu", at + 1);
    p->data = pcre2_match_data_create(1, memory);
    p->limits = pcre2_match_context_create(memory);
    if (!p->data || !p->limits)
        return mu_fail(err, MU_BROKEN, "no memory left for the rules of the pack");
    pcre2_set_match_limit(p->limits, MATCH_LIMIT);
    pcre2_set_depth_limit(p->limits, BACKTRACK_LIMIT);
    pcre2_set_heap_limit(p->limits, HEAP_LIMIT_KIB);
    return true;
}

bool mu_pattern_new(struct mu_pattern **out, struct mu_pool *pool, struct mu_span text, const char *pointer,
                    struct mu_error *err)
{
    size_t at;
    const char *what;
    if (!mu_pattern_check(text, &at, &what))
        return mu_reject(err, "invalid", pointer, "pattern, at byte %zu: %s", at, what);
    struct mu_pattern *p = mu_pool_get(pool, sizeof *p);
    if (!p)
        return mu_fail(err, MU_BROKEN, "no memory left for the rules of the pack");
    p->pool = pool;
    if (!compile(p, text, pointer, err))
        return false;
    *out = p;
    return true;
}

enum mu_match mu_pattern_match(struct mu_pattern *p, struct mu_span text)
{
    int found =
        pcre2_match(p->code, (PCRE2_SPTR)(text.len ? text.at : ""), text.len, 0, 0, p->data, p->limits);
    if (found >= 0)
        return MU_MATCH_YES;
    if (found == PCRE2_ERROR_NOMATCH)
        return MU_MATCH_NO;
    /* PCRE2_ERROR_UTF8_ERR1 .. ERR21 lie below one another; the rest are limits and want of memory */
    return found <= PCRE2_ERROR_UTF8_ERR1 && found >= PCRE2_ERROR_UTF8_ERR21 ? MU_MATCH_NOT_UTF8
                                                                             : MU_MATCH_LIMIT;
}
