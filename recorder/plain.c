/* SPDX-License-Identifier: Apache-2.0 */
#include "plain.h"
#include "base/clock.h"

#define ID_LEN (MU_ID_MAX - 1)
#define HEX_LEN (MU_DIGEST_HEX - 1)
#define TIME_LEN 27 /* as mu_rfc3339_format writes it */
#define DIGITS_MAX 15

struct cursor {
    const char *at, *end;
};

static bool take(struct cursor *c, const char *text, size_t len)
{
    if ((size_t)(c->end - c->at) < len || memcmp(c->at, text, len) != 0)
        return false;
    c->at += len;
    return true;
}
#define TAKE(c, literal) take((c), (literal), sizeof(literal) - 1)

static bool take_span(struct cursor *c, size_t len, struct mu_span *out)
{
    if ((size_t)(c->end - c->at) < len)
        return false;
    *out = mu_span(c->at, len);
    c->at += len;
    return true;
}

/* No sign, no leading zero, no fraction: what the schema calls an integer and we write as one. */
static bool take_count(struct cursor *c, int64_t *out)
{
    const char *start = c->at;
    int64_t value = 0;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9' && c->at - start <= DIGITS_MAX)
        value = value * 10 + (*c->at++ - '0');
    if (c->at == start || c->at - start > DIGITS_MAX || (*start == '0' && c->at - start > 1))
        return false;
    *out = value;
    return true;
}

/* In the one form that the schemas take: lower case. */
static bool take_id(struct cursor *c, struct mu_id *out)
{
    struct mu_span text;
    if (!take_span(c, ID_LEN, &text) || !mu_id_parse(text, out))
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] >= 'A' && text.at[i] <= 'F')
            return false;
    return true;
}

static bool take_digest(struct cursor *c, struct mu_digest *out)
{
    struct mu_span text;
    return take_span(c, HEX_LEN, &text) && mu_digest_parse(text, out);
}

static bool take_time(struct cursor *c, int64_t *out)
{
    struct mu_span text;
    char again[MU_RFC3339_MAX];
    if (!take_span(c, TIME_LEN, &text) || !mu_rfc3339_parse(text, out))
        return false;
    mu_rfc3339_format(*out, again);
    return memcmp(again, text.at, TIME_LEN) == 0;
}

static bool take_verdict(struct cursor *c, struct mu_span *out)
{
    static const char *const verdicts[] = {"pass", "fail", "not_evaluated", "warn"};
    for (size_t i = 0; i < MU_COUNT(verdicts); i++) {
        size_t len = strlen(verdicts[i]);
        *out = mu_span(c->at, len);
        if (take(c, verdicts[i], len))
            return true;
    }
    return false;
}

bool plain_read(struct mu_span text, struct plain_outcome *out, size_t *len)
{
    struct cursor c = {text.at, text.at + text.len};
    struct plain_outcome o;
    if (!TAKE(&c, "{\"tally\":") || !take_count(&c, &o.tally) || !TAKE(&c, ",\"task_id\":\"") || !take_id(&c, &o.task) ||
        !TAKE(&c, "\",\"task_digest\":\"") || !take_digest(&c, &o.task_digest) || !TAKE(&c, "\",\"input_digest\":\"") ||
        !take_digest(&c, &o.input_digest) || !TAKE(&c, "\",\"result\":\"") || !take_verdict(&c, &o.result) ||
        !TAKE(&c, "\",\"records\":") || !take_count(&c, &o.records) || !TAKE(&c, ",\"bytes\":") || !take_count(&c, &o.bytes) ||
        !TAKE(&c, ",\"started_at\":\"") || !take_time(&c, &o.started_us) || !TAKE(&c, "\",\"finished_at\":\"") ||
        !take_time(&c, &o.finished_us) || !TAKE(&c, "\"}"))
        return false;
    *out = o;
    *len = (size_t)(c.at - text.at);
    return true;
}

/* One outcome, plain or not; false: what stands there is no element that a list goes on behind. */
static bool split_one(struct plain_split *s, struct cursor *c)
{
    size_t len;
    const struct mu_span left = mu_span(c->at, (size_t)(c->end - c->at));
    s->is_plain[s->count] = plain_read(left, &s->plain[s->count], &len);
    if (!s->is_plain[s->count]) {
        struct mu_span rest = mu_span(c->at - 1, left.len + 1), raw; /* the walk steps over a bracket or comma first */
        if (*c->at != '{' || !mu_json_next_element(&rest, &raw) || raw.at != c->at)
            return false;
        s->raw[s->count] = raw;
        len = raw.len;
        if (s->rest.at[s->rest.len - 1] != '[')
            mu_text_putc(&s->rest, ',');
        mu_text_add(&s->rest, raw);
    }
    s->count++;
    c->at += len;
    return c->at < c->end && (*c->at == ',' || *c->at == ']');
}

bool plain_split(struct plain_split *s, struct mu_span body)
{
    static const char marker[] = ",\"outcomes\":[";
    const char *found = memmem(body.at, body.len, marker, sizeof(marker) - 1);
    size_t plain = 0;
    s->count = 0;
    if (!found)
        return false;
    struct cursor c = {found + sizeof(marker) - 1, body.at + body.len};
    mu_text_reset(&s->rest);
    mu_text_add(&s->rest, mu_span(body.at, (size_t)(c.at - body.at)));
    do {
        if (s->count == MU_RIDE_TASKS_MAX || c.at >= c.end || !split_one(s, &c))
            return false;
        plain += s->is_plain[s->count - 1];
    } while (*c.at++ == ',');
    mu_text_putc(&s->rest, ']');
    mu_text_add(&s->rest, mu_span(c.at, (size_t)(c.end - c.at)));
    return plain > 0 && !s->rest.failed;
}
