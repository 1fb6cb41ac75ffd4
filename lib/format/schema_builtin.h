/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of the built-in schemas, made from schemas/ by schemas/embed.py. */
#ifndef MU_SCHEMA_BUILTIN_H
#define MU_SCHEMA_BUILTIN_H

#include <stddef.h>

struct mu_builtin_schema {
    const char *name, *text;
};
extern const struct mu_builtin_schema mu_builtin_schemas[];
extern const size_t mu_builtin_schema_count;

#endif
