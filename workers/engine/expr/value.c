/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/expr/value.h"

#include "base/clock.h"

#include <assert.h>
#include <inttypes.h>

bool mu_xvalue_parse(enum mu_type type, struct mu_span text, struct mu_xvalue *out)
{
    struct mu_xvalue v = {.state = MU_VALUE_TEXT};
    bool good = false;
    switch (type) {
    case MU_TYPE_TEXT:
        v.text = text;
        good = true;
        break;
    case MU_TYPE_DECIMAL:
        good = mu_decimal_parse(text, &v.decimal);
        break;
    case MU_TYPE_DATE:
        good = mu_date_parse(text, &v.day);
        break;
    case MU_TYPE_TIMESTAMP:
        good = mu_rfc3339_parse(text, &v.time);
        break;
    case MU_TYPE_BOOL:
        v.truth = mu_span_is(text, "true");
        good = v.truth || mu_span_is(text, "false");
        break;
    case MU_TYPE_DURATION:
    case MU_TYPE_MISSING:
        break;
    }
    if (good)
        *out = v;
    return good;
}

/* "2026-03-02T14:00:00Z", with the fraction digits needed and no more. */
static void format_timestamp(int64_t time, struct mu_text *out)
{
    char text[MU_RFC3339_MAX];
    mu_rfc3339_format(time, text);
    size_t end = strlen(text) - 1;
    while (text[end - 1] == '0' && time % 1000000 != 0)
        end--;
    if (time % 1000000 == 0)
        end -= 7;
    mu_text_add(out, mu_span(text, end));
    mu_text_putc(out, 'Z');
}

/* In the largest unit that leaves no rest; a fraction of a second is told in seconds. */
static void format_duration(int64_t us, struct mu_text *out)
{
    static const struct {
        int64_t us;
        const char *name;
    } units[] = {{MU_DAY_US, "d"}, {INT64_C(3600000000), "h"}, {60000000, "min"}, {1000000, "s"}};
    for (size_t i = 0; i < MU_COUNT(units); i++) {
        if (us % units[i].us == 0) {
            mu_text_addf(out, "%" PRId64 "%s", us / units[i].us, units[i].name);
            return;
        }
    }
    char text[MU_DECIMAL_MAX];
    mu_decimal_format((struct mu_decimal){us, 6}, text);
    mu_text_addf(out, "%ss", text);
}

void mu_xvalue_format(enum mu_type type, const struct mu_xvalue *v, struct mu_text *out)
{
    char text[MU_DECIMAL_MAX];
    assert(v->state == MU_VALUE_TEXT);
    switch (type) {
    case MU_TYPE_TEXT:
        mu_text_add(out, v->text);
        return;
    case MU_TYPE_DECIMAL:
        mu_decimal_format(v->decimal, text);
        mu_text_puts(out, text);
        return;
    case MU_TYPE_DATE:
        mu_date_format(v->day, text);
        mu_text_puts(out, text);
        return;
    case MU_TYPE_TIMESTAMP:
        format_timestamp(v->time, out);
        return;
    case MU_TYPE_BOOL:
        mu_text_puts(out, v->truth ? "true" : "false");
        return;
    case MU_TYPE_DURATION:
        format_duration(v->time, out);
        return;
    case MU_TYPE_MISSING:
        return;
    }
}

int mu_xvalue_compare(enum mu_type type, const struct mu_xvalue *a, const struct mu_xvalue *b)
{
    switch (type) {
    case MU_TYPE_TEXT:
        return mu_span_compare(a->text, b->text);
    case MU_TYPE_DECIMAL:
        return mu_decimal_compare(a->decimal, b->decimal);
    case MU_TYPE_DATE:
        return (a->day > b->day) - (a->day < b->day);
    case MU_TYPE_TIMESTAMP:
    case MU_TYPE_DURATION:
        return (a->time > b->time) - (a->time < b->time);
    case MU_TYPE_BOOL:
        return (int)a->truth - (int)b->truth;
    case MU_TYPE_MISSING:
        return 0;
    }
    return 0;
}
