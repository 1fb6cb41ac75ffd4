/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns that pack authors write: characters, `.`, `[a-z]`, `[^..]`, `( )`, `|`, `* + ?`, `{m}`, `{m,n}` (n
 * <= 512) and `\` before punctuation; they match a whole text. The subset is checked here and then run by
 * pcre2 without JIT under fixed limits, so that every machine gives the same answer, or none. */
#ifndef MU_PATTERN_H
#define MU_PATTERN_H

#include "base/error.h"

#define MU_PATTERN_MAX 1024 /* bytes */

struct mu_pool;
struct mu_pattern;
/* Lives in the pool. MU_REJECTED (code "invalid", `pointer`) with the offset of what is not of the subset. */
MU_MUST bool mu_pattern_new(struct mu_pattern **out, struct mu_pool *pool, struct mu_span text,
                            const char *pointer, struct mu_error *err);

enum mu_match { MU_MATCH_YES, MU_MATCH_NO, MU_MATCH_LIMIT, MU_MATCH_NOT_UTF8 };
/* Limits count what the matcher tries, not seconds. */
enum mu_match mu_pattern_match(struct mu_pattern *p, struct mu_span text);

/* The subset alone; *at is the offset of what is wrong with it, *what says what. */
bool mu_pattern_check(struct mu_span text, size_t *at, const char **what);

#endif
