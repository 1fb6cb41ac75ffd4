/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/rules/saved.h"

void mu_saved_put_int(struct mu_text *out, int64_t value)
{
    mu_text_add_i64(out, value);
    mu_text_putc(out, ',');
}

void mu_saved_put_text(struct mu_text *out, struct mu_span text)
{
    mu_text_add_u64(out, text.len);
    mu_text_putc(out, ':');
    mu_text_add(out, text);
    mu_text_putc(out, ',');
}

/* The digits up to `end`, which is taken too. */
static bool number_to(struct mu_saved *in, char end, int64_t *out)
{
    const char *at = in->rest.len ? memchr(in->rest.at, end, in->rest.len < 24 ? in->rest.len : 24) : NULL;
    if (!at)
        return false;
    struct mu_span digits = mu_span(in->rest.at, (size_t)(at - in->rest.at));
    const bool negative = digits.len && digits.at[0] == '-';
    if (negative)
        digits = mu_span(digits.at + 1, digits.len - 1);
    if (!mu_parse_i64(digits, 0, INT64_MAX, out))
        return false;
    *out = negative ? -*out : *out;
    const size_t used = (size_t)(at + 1 - in->rest.at);
    in->rest = mu_span(in->rest.at + used, in->rest.len - used);
    return true;
}

bool mu_saved_int(struct mu_saved *in, int64_t *out)
{
    return number_to(in, ',', out);
}

bool mu_saved_text(struct mu_saved *in, struct mu_span *out)
{
    int64_t len;
    if (!number_to(in, ':', &len) || len < 0 || (uint64_t)len >= in->rest.len || in->rest.at[len] != ',')
        return false;
    *out = mu_span(in->rest.at, (size_t)len);
    in->rest = mu_span(in->rest.at + len + 1, in->rest.len - (size_t)len - 1);
    return true;
}

bool mu_saved_broken(struct mu_error *err)
{
    return mu_reject(err, "invalid", "", "the saved state of the rule is not whole");
}
