/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Schema draft-07 on jansson. A schema is compiled once (unknown keywords and remote references are errors,
 * patterns are compiled) and checked many times without touching its JSON again. The schemas of the wire are built
 * into the library from schemas/: the only definition of the contract. */
#ifndef MU_SCHEMA_H
#define MU_SCHEMA_H

#include "format/json.h"

struct mu_schema;

/* Compiles; `doc` is borrowed during the call only. MU_REJECTED with the pointer of the mistake. */
MU_MUST bool mu_schema_new(struct mu_schema **out, const json_t *doc, struct mu_error *err);
/* First violation: MU_REJECTED, code "invalid", pointer into `doc`, and a sentence with what was wanted and what
 * was found. Deterministic. */
MU_MUST bool mu_schema_check(const struct mu_schema *schema, const json_t *doc, struct mu_error *err);
void mu_schema_free(struct mu_schema *schema);
MU_DEFINE_AUTO(struct mu_schema, mu_schema_free)

/* The built-in schemas by file name without ".json" ("job", "task", "outcome", …). Compiled at first use, owned by
 * the library, safe from several threads. A name that does not exist is our own mistake (assert). */
const struct mu_schema *mu_schema_builtin(const char *name);
void mu_schema_fini(void); /* at the end of a program, so that leak checkers see nothing */

#endif
