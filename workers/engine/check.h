/* SPDX-License-Identifier: Apache-2.0 */
/* What a check is: a constant in one static alphabetical table (checks/table.c): a file, a row, a corpus folder. It
 * reads records and emits findings: no bus, file, clock, randomness, environment, log, floating point or thread.
 * All it knows is in its env; its memory comes from the env's pool, which the engine drops as a whole. */
#ifndef MU_CHECK_H
#define MU_CHECK_H

#include "base/decimal.h"
#include "base/error.h"
#include "base/text.h"
#include "engine/list.h"
#include "engine/pool.h"
#include "engine/record.h"

#include <jansson.h>

enum mu_shape { MU_SHAPE_MAP, MU_SHAPE_SCALAR, MU_SHAPE_KEYED, MU_SHAPE_ORDERED, MU_SHAPE_JOIN };

/* What a rule says of one record. */
enum mu_verdict { MU_V_PASS, MU_V_WARN, MU_V_FAIL, MU_V_ERROR, MU_V_NOT_EVALUATED, MU_V_OUT_OF_SCOPE };

struct mu_frame;
struct mu_rule_counts;
struct mu_xvalue;

/* What a check may know. configure's pool is the ready pack's and outlives every run; begin's is the run's. */
struct mu_env {
    struct mu_pool *pool;
    int32_t as_of; /* days since 1970-01-01 */
    /* Index of a column of the pack, noting that the rule reads it (its evidence); -1: the pack has none. */
    int (*column)(struct mu_env *env, const char *name);
    /* The pinned list of an alias; NULL: the pack names none. */
    const struct mu_list_data *(*list)(struct mu_env *env, const char *alias);
    int64_t *state_bytes;   /* of a run: what the states of all its rules take; counted by their contents alone */
    struct mu_frame *frame; /* of a run: what rules made of expressions are evaluated in; NULL while configuring */
    void *engine;
};

/* Where a record stood, as an example of many. */
#define MU_SAMPLES_MAX 20
struct mu_sample {
    int64_t record_no, byte_off, length, line;
};

/* What a rule found about a group of records, or about all of them. All is borrowed during the call. */
struct mu_found {
    enum mu_verdict verdict;
    struct mu_span subject;       /* canonical, for ids: the keys; empty: the rule as a whole */
    const struct mu_xvalue *keys; /* of a group, in the order of their names; the frame is about it */
    int64_t records, failed;      /* that it is about; of them, those that failed (rules with `mostly`) */
    int64_t missing, invalid;     /* operands that its aggregates skipped */
    bool at_least;                /* a number of different values is a lower bound */
    const struct mu_sample *samples; /* the first ones */
    size_t sample_count;
    const char *severity;            /* NULL: the rule's */
    struct mu_span from, to;         /* a window's first and last day or number; {NULL, 0}: none */
    struct mu_span message;          /* of the check; empty: the rule's title */
};

/* Where a check says what it found about the record at hand (row rules: once per record). `message` is a short
 * sentence for people ("check digit 4, expected 5"), only looked at for warn, fail and error; borrowed. */
struct mu_sink {
    void (*verdict)(struct mu_sink *sink, enum mu_verdict verdict, struct mu_span message);
    /* A verdict about a group, or all records, rather than a record (in finish), in the order of subjects. False:
     * stop, the run has failed. */
    bool (*group)(struct mu_sink *sink, const struct mu_found *found, struct mu_error *err);
    const struct mu_rule_counts *counts; /* of the rule at hand: verdicts about its records so far */
    struct mu_text *scratch; /* for building messages; reset by the engine before each record */
};

struct mu_keys {
    int columns[8];
    size_t count;
};

struct mu_check {
    const char *name, *title;  /* "lei", for rule packs and registry; one line for people */
    const char *example;       /* of its parameters, for refusals and the manual; NULL: it takes none from people */
    int version;               /* raise when the saved form changes */
    enum mu_shape shape;       /* decides which stages a job has */
    bool (*configure)(void **conf, struct mu_env *env, const json_t *params, struct mu_error *err);
    bool (*keys)(const void *conf, struct mu_keys *out, struct mu_error *err);   /* NULL: not keyed */
    bool (*begin)(void **state, struct mu_env *env, const void *conf, struct mu_error *err);
    bool (*record)(void *state, const struct mu_record *rec, struct mu_sink *out, struct mu_error *err);
    bool (*merge)(void *into, const void *other, struct mu_error *err);          /* NULL: cannot be split */
    bool (*save)(const void *state, struct mu_text *out, struct mu_error *err);  /* same state, same bytes */
    bool (*restore)(void *state, struct mu_span saved, struct mu_error *err);    /* state fresh from begin */
    bool (*finish)(void *state, struct mu_sink *out, struct mu_error *err);      /* emits in sorted order */
};

const struct mu_check *mu_check_find(struct mu_span name);
const struct mu_check *mu_check_at(size_t index); /* alphabetical; NULL at the end */

#endif
