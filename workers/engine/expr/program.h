/* SPDX-License-Identifier: Apache-2.0 */
/* What the expressions of a pack become before they run: a small typed program. Its operations are shared: what
 * several rules ask about a record is computed once for it. Nothing is allocated while a record is looked at,
 * but for scratch that grows to what a record needs and stays. */
#ifndef MU_EXPR_PROGRAM_H
#define MU_EXPR_PROGRAM_H

#include "engine/expr/value.h"
#include "engine/list.h"
#include "engine/pool.h"

struct mu_op;
struct mu_frame;
struct mu_called_check;
struct mu_calendar;
struct mu_pattern;
struct mu_list_index;
struct mu_validity;

typedef void mu_op_run(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out);

struct mu_op {
    mu_op_run *run;
    uint32_t slot;       /* in the frame; 0: `constant` holds the value */
    enum mu_type type;   /* of the value */
    enum mu_type operand; /* of operands that must agree with each other */
    size_t arg_count;
    const struct mu_op **args;
    size_t index; /* of a column, key or aggregate */
    struct mu_xvalue constant;
    const struct mu_list_data *list;
    const struct mu_list_index *by_column; /* of a list whose key is not what is looked for */
    int list_column;
    const struct mu_validity *validity; /* of the rows of the list */
    const struct mu_calendar *calendar;
    int64_t cutoff_us; /* of a business day; -1: none */
    struct mu_pattern *pattern;
    const struct mu_called_check *check;
};

struct mu_slot {
    uint64_t stamp;
    struct mu_xvalue value;
};

/* The record or group at hand, and what has been computed about it. One frame a run. */
struct mu_frame {
    uint64_t stamp; /* raised for each record and group: slots with another one are stale */
    struct mu_slot *slots;
    size_t slot_count;
    const struct mu_record *record;
    const struct mu_xvalue *keys, *aggregates; /* of the group at hand */
    struct mu_text **pieces;                   /* scratch: texts that were made, a buffer for each so far */
    size_t piece_count, piece_room;
};

MU_MUST bool mu_frame_init(struct mu_frame *f, size_t slot_count, struct mu_error *err);
void mu_frame_fini(struct mu_frame *f);
void mu_frame_record(struct mu_frame *f, const struct mu_record *record);
void mu_frame_group(struct mu_frame *f, const struct mu_xvalue *keys, const struct mu_xvalue *aggregates);
/* An empty text that lasts until the next record or group; NULL: memory is out (the value is invalid then). */
struct mu_text *mu_frame_piece(struct mu_frame *f);

static inline const struct mu_xvalue *mu_eval(const struct mu_op *op, struct mu_frame *f)
{
    if (!op->slot)
        return &op->constant;
    struct mu_slot *s = &f->slots[op->slot];
    if (s->stamp != f->stamp) {
        op->run(op, f, &s->value);
        s->stamp = f->stamp;
    }
    return &s->value;
}

/* For the functions: the operands, if all are present. Otherwise *out is invalid if one is, else missing. */
static inline bool mu_operands(const struct mu_op *op, struct mu_frame *f, const struct mu_xvalue **args,
                               struct mu_xvalue *out)
{
    enum mu_value_state worst = MU_VALUE_TEXT;
    for (size_t i = 0; i < op->arg_count; i++) {
        args[i] = mu_eval(op->args[i], f);
        if (args[i]->state == MU_VALUE_INVALID || (args[i]->state == MU_VALUE_MISSING && worst == MU_VALUE_TEXT))
            worst = args[i]->state;
    }
    out->state = worst;
    return worst == MU_VALUE_TEXT;
}

static inline void mu_give_bool(struct mu_xvalue *out, bool truth)
{
    out->state = MU_VALUE_TEXT;
    out->truth = truth;
}

#define MU_OPERANDS_MAX 4 /* of functions that use mu_operands */

#endif
