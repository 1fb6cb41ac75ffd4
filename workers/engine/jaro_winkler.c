/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/jaro_winkler.h"

struct points {
    uint32_t at[MU_JARO_WINKLER_MAX];
    bool matched[MU_JARO_WINKLER_MAX];
    int64_t count;
};

static bool read_points(struct points *p, struct mu_span text)
{
    p->count = 0;
    for (size_t i = 0; i < text.len;) {
        uint32_t point = (unsigned char)text.at[i++];
        for (; i < text.len && ((unsigned char)text.at[i] & 0xC0) == 0x80; i++)
            point = point << 8 | (unsigned char)text.at[i];
        if (p->count == MU_JARO_WINKLER_MAX)
            return false;
        p->matched[p->count] = false;
        p->at[p->count++] = point;
    }
    return true;
}

static int64_t match(struct points *a, struct points *b)
{
    int64_t longer = a->count > b->count ? a->count : b->count, matches = 0;
    const int64_t reach = longer / 2 - 1 > 0 ? longer / 2 - 1 : 0;
    for (int64_t i = 0; i < a->count; i++) {
        const int64_t from = i > reach ? i - reach : 0, to = i + reach < b->count ? i + reach + 1 : b->count;
        for (int64_t j = from; j < to; j++) {
            if (b->matched[j] || a->at[i] != b->at[j])
                continue;
            a->matched[i] = b->matched[j] = true;
            matches++;
            break;
        }
    }
    return matches;
}

static int64_t transpositions(const struct points *a, const struct points *b)
{
    int64_t out_of_order = 0;
    for (int64_t i = 0, j = 0; i < a->count; i++) {
        if (!a->matched[i])
            continue;
        while (!b->matched[j])
            j++;
        out_of_order += a->at[i] != b->at[j++];
    }
    return out_of_order / 2;
}

bool mu_jaro_winkler(struct mu_span first, struct mu_span second, struct mu_decimal *out)
{
    struct points a, b;
    if (!read_points(&a, first) || !read_points(&b, second))
        return false;
    const int64_t m = match(&a, &b);
    if (m == 0) {
        *out = (struct mu_decimal){0, 0};
        return true;
    }
    /* J = (m/|a| + m/|b| + (m-t)/m) / 3, as a fraction: at most 3 * 512^3 * 10 below */
    int64_t t = transpositions(&a, &b), prefix = 0;
    int64_t over = 3 * a.count * b.count * m;
    int64_t j = m * m * b.count + m * m * a.count + (m - t) * a.count * b.count;
    while (prefix < 4 && prefix < a.count && prefix < b.count && a.at[prefix] == b.at[prefix])
        prefix++;
    if (10 * j >= 7 * over) {
        j = 10 * j + prefix * (over - j);
        over *= 10;
    }
    *out = mu_decimal_normal((struct mu_decimal){(mu_i128)j * 1000000 / over, 6});
    return true;
}
