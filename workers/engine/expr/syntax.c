/* SPDX-License-Identifier: Apache-2.0 */
/* A parser by descent, a function for each level of precedence, loosest first. */
#include "engine/expr/syntax.h"

#include "base/text.h"
#include "engine/expr/token.h"

struct parser {
    struct mu_pool *pool;
    struct mu_span text;
    const char *pointer;
    struct mu_error *err;
    struct token token; /* the next one */
    int depth;
};

bool mu_syntax_wrong(struct mu_error *err, const char *pointer, struct mu_span text, size_t at, size_t end,
                     const char *fmt, ...)
{
    char what[200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    if (at >= text.len)
        return mu_reject(err, "invalid", pointer, "at the end of the expression: %s", what);
    size_t shown = end - at < 40 ? end - at : 40;
    while (at + shown < text.len && ((unsigned char)text.at[at + shown] & 0xC0) == 0x80) /* characters are shown whole */
        shown++;
    return mu_reject(err, "invalid", pointer, "character %zu, at \"%.*s\": %s", at + 1, (int)shown,
                     text.at + at, what);
}

static size_t place(const struct parser *p)
{
    return (size_t)(p->token.text.at - p->text.at);
}

static size_t place_end(const struct parser *p)
{
    return place(p) + p->token.text.len;
}

static struct mu_syntax *wrong(struct parser *p, const char *what, const char *example)
{
    mu_syntax_wrong(p->err, p->pointer, p->text, place(p), place_end(p), "%s",
                    p->token.kind == TOKEN_WRONG ? p->token.wrong : what);
    mu_hint(p->err, "example: %s", example);
    return NULL;
}

static void advance(struct parser *p)
{
    p->token = token_at(p->text, place_end(p));
}

static bool is_sign(const struct parser *p, const char *sign)
{
    return p->token.kind == TOKEN_SIGN && mu_span_is(p->token.text, sign);
}

static bool is_word(const struct parser *p, const char *word)
{
    return p->token.kind == TOKEN_WORD && mu_span_is(p->token.text, word);
}

static struct mu_syntax *node(struct parser *p, enum mu_syntax_kind kind, struct mu_span text, size_t at,
                              size_t end)
{
    struct mu_syntax *n = mu_pool_get(p->pool, sizeof(*n));
    if (!n) {
        mu_fail(p->err, MU_BROKEN, "no memory left for the rules of the pack");
        return NULL;
    }
    *n = (struct mu_syntax){.kind = kind, .text = text, .at = at, .end = end};
    return n;
}

/* An operator between two operands that stand. */
static struct mu_syntax *binary(struct parser *p, const char *name, struct mu_syntax *a, struct mu_syntax *b)
{
    if (!a || !b)
        return NULL;
    struct mu_syntax *n = node(p, MU_SYNTAX_CALL, mu_span_of(name), a->at, b->end);
    if (n) {
        n->first = a;
        a->next = b;
    }
    return n;
}

static struct mu_syntax *unary_call(struct parser *p, const char *name, size_t at, struct mu_syntax *a)
{
    struct mu_syntax *n = a ? node(p, MU_SYNTAX_CALL, mu_span_of(name), at, a->end) : NULL;
    if (n)
        n->first = a;
    return n;
}

static struct mu_syntax *expression(struct parser *p);
static struct mu_syntax *sum(struct parser *p);

/* A text without its quotes, and doubled ones once. */
static struct mu_syntax *literal_text(struct parser *p, enum mu_syntax_kind kind, size_t at)
{
    const struct mu_span quoted = p->token.text;
    char *to = mu_pool_get(p->pool, quoted.len + 1);
    size_t len = 0;
    if (!to) {
        mu_fail(p->err, MU_BROKEN, "no memory left for the rules of the pack");
        return NULL;
    }
    for (size_t i = 1; i + 1 < quoted.len; i++) {
        to[len++] = quoted.at[i];
        i += quoted.at[i] == '\'';
    }
    struct mu_syntax *n = node(p, kind, mu_span(to, len), at, place_end(p));
    advance(p);
    return n;
}

static struct mu_syntax *single(struct parser *p, enum mu_syntax_kind kind)
{
    struct mu_syntax *n = node(p, kind, p->token.text, place(p), place_end(p));
    advance(p);
    return n;
}

/* Arguments up to the closing bracket, which is taken too; *end lies behind it. */
static bool arguments(struct parser *p, struct mu_syntax *call, struct mu_syntax *(*each)(struct parser *))
{
    struct mu_syntax **to = &call->first;
    while (*to)
        to = &(*to)->next;
    for (;;) {
        if (!(*to = each(p)))
            return false;
        to = &(*to)->next;
        if (is_sign(p, ")"))
            break;
        if (!is_sign(p, ",")) {
            wrong(p, "expected a comma or the closing bracket", "coalesce(figi, isin)");
            return false;
        }
        advance(p);
    }
    call->end = place_end(p);
    advance(p);
    return true;
}

static struct mu_syntax *name_or_call(struct parser *p)
{
    struct mu_syntax *n = single(p, MU_SYNTAX_NAME);
    if (!n || !is_sign(p, "("))
        return n;
    n->kind = MU_SYNTAX_CALL;
    advance(p);
    if (is_sign(p, ")")) {
        n->end = place_end(p);
        advance(p);
        return n;
    }
    return arguments(p, n, expression) ? n : NULL;
}

static struct mu_syntax *word(struct parser *p)
{
    const size_t at = place(p);
    if (is_word(p, "true") || is_word(p, "false"))
        return single(p, MU_SYNTAX_BOOL);
    if (is_word(p, "missing"))
        return single(p, MU_SYNTAX_MISSING);
    const bool date = is_word(p, "date");
    if (!date && !is_word(p, "timestamp"))
        return wrong(p, "expected a value", "amount > 10.00");
    advance(p);
    if (p->token.kind != TOKEN_TEXT)
        return wrong(p, date ? "expected a day in quotes behind the word date"
                             : "expected a point in time in quotes behind the word timestamp",
                     date ? "date '2026-03-02'" : "timestamp '2026-03-02T14:00:00Z'");
    return literal_text(p, date ? MU_SYNTAX_DATE : MU_SYNTAX_TIMESTAMP, at);
}

static struct mu_syntax *primary(struct parser *p)
{
    const size_t at = place(p);
    switch (p->token.kind) {
    case TOKEN_NAME:
        return name_or_call(p);
    case TOKEN_WORD:
        return word(p);
    case TOKEN_DECIMAL:
        return single(p, MU_SYNTAX_DECIMAL);
    case TOKEN_DURATION:
        return single(p, MU_SYNTAX_DURATION);
    case TOKEN_TEXT:
        return literal_text(p, MU_SYNTAX_TEXT, at);
    case TOKEN_SIGN:
    case TOKEN_END:
    case TOKEN_WRONG:
        break;
    }
    if (is_sign(p, ":")) {
        advance(p);
        if (p->token.kind != TOKEN_NAME)
            return wrong(p, "expected the name of a parameter behind the colon", "amount > :limit");
        struct mu_syntax *n = single(p, MU_SYNTAX_PARAM);
        if (n)
            n->at = at;
        return n;
    }
    if (!is_sign(p, "("))
        return wrong(p, "expected a value", "amount > 10.00");
    advance(p);
    struct mu_syntax *inner = expression(p);
    if (!inner)
        return NULL;
    if (!is_sign(p, ")"))
        return wrong(p, "expected the closing bracket", "(a or b) and c");
    advance(p);
    return inner;
}

static bool enter(struct parser *p)
{
    if (++p->depth <= MU_EXPRESSION_DEPTH)
        return true;
    mu_syntax_wrong(p->err, p->pointer, p->text, place(p), place_end(p),
                    "nested more than %d levels deep", MU_EXPRESSION_DEPTH);
    mu_hint(p->err, "give parts of it names under \"let\"");
    return false;
}

static struct mu_syntax *unary(struct parser *p)
{
    const size_t at = place(p);
    struct mu_syntax *n = NULL;
    if (!is_sign(p, "-"))
        return primary(p);
    if (!enter(p))
        return NULL;
    advance(p);
    n = unary_call(p, "neg", at, unary(p));
    p->depth--;
    return n;
}

/* The operator at hand if it is one of `signs` (ends in NULL), which is then taken. */
static const char *operator_of(struct parser *p, const char *const *signs)
{
    for (size_t i = 0; signs[i]; i++) {
        if (is_sign(p, signs[i])) {
            advance(p);
            return signs[i];
        }
    }
    return NULL;
}

static struct mu_syntax *product(struct parser *p)
{
    static const char *const signs[] = {"*", "/", "%", NULL};
    struct mu_syntax *n = unary(p);
    const char *sign;
    while (n && (sign = operator_of(p, signs)))
        n = binary(p, sign, n, unary(p));
    return n;
}

static struct mu_syntax *sum(struct parser *p)
{
    static const char *const signs[] = {"+", "-", "||", NULL};
    struct mu_syntax *n = product(p);
    const char *sign;
    while (n && (sign = operator_of(p, signs)))
        n = binary(p, sign, n, product(p));
    return n;
}

static struct mu_syntax *membership(struct parser *p, struct mu_syntax *what, bool negated)
{
    if (!is_word(p, "in"))
        return wrong(p, "expected \"in\" behind \"not\"", "side not in ('BUY', 'SELL')");
    advance(p);
    if (!is_sign(p, "("))
        return wrong(p, "expected values in brackets behind \"in\"", "side in ('BUY', 'SELL')");
    advance(p);
    struct mu_syntax *in = node(p, MU_SYNTAX_CALL, mu_span_of("in"), what->at, what->end);
    if (!in)
        return NULL;
    in->first = what;
    if (!arguments(p, in, sum))
        return NULL;
    return negated ? unary_call(p, "not", in->at, in) : in;
}

static struct mu_syntax *comparison(struct parser *p)
{
    static const char *const signs[] = {"=", "!=", "<", "<=", ">", ">=", NULL};
    struct mu_syntax *n = sum(p);
    if (!n)
        return NULL;
    const char *sign = operator_of(p, signs);
    if (sign) {
        n = binary(p, sign, n, sum(p));
        for (size_t i = 0; n && signs[i]; i++)
            if (is_sign(p, signs[i]))
                return wrong(p, "comparisons do not chain", "low <= price and price <= high");
        return n;
    }
    if (is_word(p, "in"))
        return membership(p, n, false);
    if (!is_word(p, "not"))
        return n;
    advance(p);
    return membership(p, n, true);
}

static struct mu_syntax *negation(struct parser *p)
{
    const size_t at = place(p);
    if (!is_word(p, "not"))
        return comparison(p);
    if (!enter(p))
        return NULL;
    advance(p);
    struct mu_syntax *n = unary_call(p, "not", at, negation(p));
    p->depth--;
    return n;
}

static struct mu_syntax *conjunction(struct parser *p)
{
    struct mu_syntax *n = negation(p);
    while (n && is_word(p, "and")) {
        advance(p);
        n = binary(p, "and", n, negation(p));
    }
    return n;
}

static struct mu_syntax *expression(struct parser *p)
{
    if (!enter(p))
        return NULL;
    struct mu_syntax *n = conjunction(p);
    while (n && is_word(p, "or")) {
        advance(p);
        n = binary(p, "or", n, conjunction(p));
    }
    p->depth--;
    return n;
}

bool mu_syntax_parse(struct mu_syntax **out, struct mu_pool *pool, struct mu_span text, const char *pointer,
                     struct mu_error *err)
{
    struct parser p = {.pool = pool, .text = text, .pointer = pointer, .err = err};
    size_t bad;
    if (text.len > MU_EXPRESSION_MAX)
        return mu_reject(err, "invalid", pointer, "expected at most %d bytes, found %zu", MU_EXPRESSION_MAX, text.len) ||
               mu_hint(err, "give parts of it names under \"let\": {\"is_cash\": \"instrument = 'CASH'\"}");
    if (!mu_utf8_valid(text, &bad))
        return mu_reject(err, "invalid", pointer, "byte %zu of the expression is no UTF-8", bad + 1) ||
               mu_hint(err, "save the pack as UTF-8; example: contains(name, 'Müller')");
    p.token = token_at(text, 0);
    struct mu_syntax *root = expression(&p);
    if (!root)
        return false;
    if (p.token.kind != TOKEN_END) {
        wrong(&p, "expected an operator or the end", "isin_valid(isin) and not is_missing(mic)");
        return false;
    }
    *out = root;
    return true;
}
