/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/checks/typed.h"

#include "base/clock.h"

const char *const mu_typed_names[] = {"text", "decimal", "date", "timestamp", NULL};

bool mu_typed_parse(enum mu_typed_kind kind, struct mu_span text, struct mu_typed *out)
{
    int32_t day;
    out->kind = kind;
    switch (kind) {
    case MU_TYPED_TEXT:
        out->text = text;
        return true;
    case MU_TYPED_DECIMAL:
        return mu_decimal_parse(text, &out->decimal);
    case MU_TYPED_DATE:
        if (!mu_date_parse(text, &day))
            return false;
        out->time = day;
        return true;
    case MU_TYPED_TIMESTAMP:
        return mu_rfc3339_parse(text, &out->time);
    }
    return false;
}

int mu_typed_compare(const struct mu_typed *a, const struct mu_typed *b)
{
    switch (a->kind) {
    case MU_TYPED_TEXT:
        return mu_span_compare(a->text, b->text);
    case MU_TYPED_DECIMAL:
        return mu_decimal_compare(a->decimal, b->decimal);
    case MU_TYPED_DATE:
    case MU_TYPED_TIMESTAMP:
        return (a->time > b->time) - (a->time < b->time);
    }
    return 0;
}
