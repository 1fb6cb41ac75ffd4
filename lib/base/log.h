/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines to stderr: text on a terminal, else JSON lines; "<3>".."<7>" before them when stderr is the journal.
 * Libraries return and programs log; below the programs only debug lines are allowed. One event one line, one
 * failure once, values as fields. Thread-safe; a line is one write. */
#ifndef MU_LOG_H
#define MU_LOG_H

#include "base/error.h"

enum mu_level { MU_DEBUG, MU_INFO, MU_WARNING, MU_LOG_ERROR };

struct mu_field {
    const char *name;
    const char *text; /* if NULL, `number` is the value */
    int64_t number;
};

void mu_log_open(const char *program, enum mu_level least, const char *format); /* "auto", "text", "json" */
void mu_log_level(enum mu_level least);
bool mu_log_parse_level(const char *name, enum mu_level *out);

/* mu_log(MU_INFO, "task settled", MU_F("task_id", id), MU_N("records", n)); without fields: mu_say. */
#define MU_F(name, text) ((struct mu_field){(name), (text), 0})
#define MU_N(name, number) ((struct mu_field){(name), NULL, (int64_t)(number)})
#define mu_log(level, sentence, ...) mu_log_fields((level), (sentence), (const struct mu_field[]){__VA_ARGS__, {0}})
#define mu_say(level, sentence) mu_log_fields((level), (sentence), NULL)
void mu_log_fields(enum mu_level level, const char *sentence, const struct mu_field *fields);
/* A failure with what happens next: "could not …: <cause>, <next>"; code, pointer and hint become fields. */
void mu_log_failure(enum mu_level level, const struct mu_error *err, const char *next);

/* Identity of the task at hand, added to every line of this thread until cleared. Copies. */
void mu_log_task(const char *task_id, const char *job_id);
void mu_log_no_task(void);

#endif
