/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/type.h"

static const char *const names[] = {"text", "decimal", "date", "timestamp", "bool", "duration", "missing"};

const char *mu_type_name(enum mu_type t)
{
    return names[t];
}

const char *mu_type_example(enum mu_type t)
{
    static const char *const examples[] = {"CASH", "10000.00", "2026-01-01", "2026-01-01T09:30:00Z", "true", "30d", "missing"};
    return examples[t];
}

bool mu_type_find(const char *name, enum mu_type *out)
{
    for (size_t i = 0; name && i <= MU_TYPE_BOOL; i++) {
        if (strcmp(names[i], name) == 0) {
            *out = (enum mu_type)i;
            return true;
        }
    }
    return false;
}
